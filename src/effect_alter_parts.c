/*-------------------------------------------------------------------------
 *
 * effect_alter_parts.c
 *	  ALTER TABLE on constraints, partitions and parents: the way back.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_constraint.h"

#include "compat.h"
#include "effect_alter.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

static void
undo_by_statement(MigAlter *alter, char *statement)
{
	if (statement == NULL)
		alter->irreversible = true;
	else
		alter->undo = lcons(statement, alter->undo);
}

/* --- constraints --- */

static char *
constraint_key(const MigAlter *alter, const char *conname)
{
	return psprintf("%s.%s", alter->name->text, mig_sql_name(conname));
}

void
mig_alter_add_constraint(MigAlter *alter, AlterTableCmd *cmd)
{
	Constraint *con = castNode(Constraint, cmd->def);

	mig_effect_references(alter->work, alter->name, con);
	mig_effect_makes_constraint(alter->work, alter->name, con);
	if (con->conname == NULL)
	{
		alter->irreversible = true;
		return;
	}
	mig_effect_makes_object(alter->work, "constraint", constraint_key(alter, con->conname));
	if (con->indexname && mig_overlay_find(alter->work->overlay, alter->name->nspname, con->indexname)->relid != InvalidOid)
		alter->irreversible = true; /* the index was there before, and would go with it */
	else
		mig_alter_undo(alter, "DROP CONSTRAINT IF EXISTS %s", mig_sql_name(con->conname));
}

void
mig_alter_drops_constraint(MigAlter *alter, const char *conname)
{
	mig_effect_drops_object(alter->work, "constraint", constraint_key(alter, conname));
}

void
mig_alter_drop_constraint(MigAlter *alter, AlterTableCmd *cmd)
{
	MigConstraint con;
	bool		made = mig_overlay_made(alter->work->overlay,
										psprintf("constraint %s", constraint_key(alter, cmd->name)));

	mig_effect_drops_object(alter->work, "constraint", constraint_key(alter, cmd->name));
	if (made)
		return;
	if (!OidIsValid(alter->name->relid) ||
		!mig_relation_constraint(alter->name->relid, cmd->name, &con))
	{
		if (!cmd->missing_ok)
			alter->irreversible = true;
		return;
	}
	if (con.contype == CONSTRAINT_UNIQUE || con.contype == CONSTRAINT_PRIMARY)
		mig_effect_breaks(alter->work, alter->name->relname);
	undo_by_statement(alter, mig_undo_constraint(alter->name->relid, con.oid));
}

/* --- partitions and parents --- */

void
mig_alter_attach(MigAlter *alter, AlterTableCmd *cmd)
{
	PartitionCmd *partition = castNode(PartitionCmd, cmd->def);
	MigName    *other = mig_effect_name(alter->work, partition->name, false);

	if (alter->stmt->objtype == OBJECT_INDEX)
	{
		alter->irreversible = true;
		return;
	}
	mig_alter_undo(alter, "DETACH PARTITION %s", other->text);
}

void
mig_alter_detach(MigAlter *alter, AlterTableCmd *cmd)
{
	PartitionCmd *partition = castNode(PartitionCmd, cmd->def);
	MigName    *other = mig_effect_name(alter->work, partition->name, false);
	char	   *bound = OidIsValid(other->relid) ? mig_undo_bound(other->relid) : NULL;

	if (partition->concurrent)
	{
		mig_effect_top_level(alter->work, MIG_STEP_DETACH);
		alter->work->effect->object = other->text;
	}
	if (bound)
		mig_alter_undo(alter, "ATTACH PARTITION %s %s", other->text, bound);
	else
		alter->irreversible = true;
}

void
mig_alter_inherit(MigAlter *alter, AlterTableCmd *cmd)
{
	bool		add = cmd->subtype == AT_AddInherit;
	MigName    *parent = mig_effect_name(alter->work, castNode(RangeVar, cmd->def), false);

	mig_alter_undo(alter, "%s %s", add ? "NO INHERIT" : "INHERIT", parent->text);
}
