/*-------------------------------------------------------------------------
 *
 * effect_work.c
 *	  What the subcommands of an ALTER TABLE lock, read and rewrite, and what
 *	  may go wrong: columns, and the statement as a whole.
 *
 * Constraints are in effect_work_con.c, partitions in effect_work_part.c, what
 * concerns a table as such in effect_work_tab.c.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "dependents.h"
#include "effect_int.h"
#include "relation.h"
#include "sqlgen.h"

/* --- columns --- */

typedef struct Attribute
{
	AttrNumber	number;
	bool		not_null;		/* marked so */
	bool		has_default;
	char		identity;
	char		generated;
	int			inherited;
} Attribute;

static bool
find_attribute(Oid relid, const char *colname, Attribute *attribute)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, colname);
	Form_pg_attribute att;

	if (!HeapTupleIsValid(tuple))
		return false;
	att = (Form_pg_attribute) GETSTRUCT(tuple);
	attribute->number = att->attnum;
	attribute->not_null = att->attnotnull;
	attribute->has_default = att->atthasdef;
	attribute->identity = att->attidentity;
	attribute->generated = att->attgenerated;
	attribute->inherited = att->attinhcount;
	ReleaseSysCache(tuple);
	return true;
}

static char *
column_key(const MigAltering *alter, const char *colname)
{
	return psprintf("%s.%s", alter->name->text, mig_sql_name(colname));
}

static MigHazard *
hazard(MigAltering *alter, MigHazardKind kind, const char *subject, const char *detail)
{
	return mig_effect_hazard(alter->work, kind, alter->name, subject, detail);
}

static bool
is_not_null(const ColumnDef *def)
{
	ListCell   *lc;

	foreach(lc, def->constraints)
		if (lfirst_node(Constraint, lc)->contype == CONSTR_NOTNULL)
			return true;
	return false;
}

static void
work_add_column(MigAltering *alter, AlterTableCmd *cmd)
{
	ColumnDef  *def = castNode(ColumnDef, cmd->def);
	const MigName *name = alter->name;

	if (OidIsValid(name->relid) && !name->touched)
	{
		if (AttributeNumberIsValid(get_attnum(name->relid, def->colname)))
		{
			if (!cmd->missing_ok)
				mig_effect_fails(alter->work, ERRCODE_DUPLICATE_COLUMN, def->location, NULL,
								 "column \"%s\" of relation \"%s\" already exists",
								 def->colname, name->relname);
			return;
		}
		if (get_rel_relispartition(name->relid))
			mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1,
							 "Add it to the partitioned table.", "cannot add column to a partition");
		else if (!alter->inh && mig_relation_children(name->relid) != NIL)
			mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, "Leave out ONLY.",
							 "column must be added to child tables too");
	}
	mig_effect_add_column(alter->work, name, def, alter->inh, alter->checks_keys);
	if (is_not_null(def))
		mig_effect_makes_object(alter->work, "not null", column_key(alter, def->colname));
}

static void
drop_from_table(MigAltering *alter, AlterTableCmd *cmd, Oid relid)
{
	MigWork    *work = alter->work;
	Attribute	attribute;
	List	   *objects;
	ListCell   *lc;

	if (!find_attribute(relid, cmd->name, &attribute))
		return;
	foreach(lc, mig_relation_foreign_keys(relid))
	{
		MigForeignKey *key = lfirst(lc);

		if (key->from == relid && list_member_int(key->from_columns, attribute.number))
			mig_effect_lock_oid(work, key->to, AccessExclusiveLock);
		else if (key->to == relid && list_member_int(key->to_columns, attribute.number))
			mig_effect_lock_oid(work, key->from, AccessExclusiveLock);
	}
	objects = mig_dependents_of_column(relid, attribute.number, MIG_USE_GOES);
	if (objects != NIL)
		mig_effect_hazard_oid(work, MIG_HZ_DROP_COLUMN_TAKES, relid, cmd->name,
							  mig_dependents_text(objects));
	objects = mig_effect_still_there(work,
									 mig_dependents_of_column(relid, attribute.number, MIG_USE_DROP));
	if (objects == NIL || alter->name->touched)
		return;
	if (cmd->behavior == DROP_CASCADE)
	{
		mig_effect_hazard_oid(work, MIG_HZ_DROPS_MORE, relid, cmd->name, mig_dependents_text(objects));
		mig_effect_lock_dependents(work, objects);
	}
	else
		mig_effect_fails(work, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, -1,
						 "Change or drop what uses it first.",
						 "cannot drop column \"%s\" of relation \"%s\" because %s uses it",
						 cmd->name, get_rel_name(relid), mig_dependents_text(objects));
}

static void
work_drop_column(MigAltering *alter, AlterTableCmd *cmd)
{
	Attribute	attribute;
	ListCell   *lc;

	if (!OidIsValid(alter->name->relid) || !find_attribute(alter->name->relid, cmd->name, &attribute))
		return;
	alter->work->effect->breaks = true;
	if (attribute.inherited > 0 && !alter->name->touched)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1,
						 "Drop it in the table that it is inherited from.",
						 "cannot drop inherited column \"%s\"", cmd->name);
	else if (mig_dependents_partition_key(alter->name->relid, attribute.number))
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, NULL,
						 "cannot drop column \"%s\" because it is part of the partition key of relation \"%s\"",
						 cmd->name, alter->name->relname);
	hazard(alter, MIG_HZ_DROP_COLUMN, cmd->name, NULL);
	foreach(lc, alter->tree)
		drop_from_table(alter, cmd, lfirst_oid(lc));
}

static void
work_default(MigAltering *alter, AlterTableCmd *cmd)
{
	Attribute	attribute = {0};
	bool		not_null = mig_overlay_made(alter->work->overlay,
											psprintf("not null %s", column_key(alter, cmd->name)));

	if (cmd->def != NULL)
		return;
	if (OidIsValid(alter->name->relid) && find_attribute(alter->name->relid, cmd->name, &attribute))
		not_null |= attribute.not_null && attribute.has_default && !attribute.identity;
	if (!not_null || alter->name->created)
		return;
	alter->work->effect->breaks = true;
	hazard(alter, MIG_HZ_DROP_DEFAULT, cmd->name, NULL);
}

/* One table: is it read to see that no value is missing? */
static void
set_not_null(MigAltering *alter, const char *colname, Oid relid)
{
	Attribute	attribute;

	if (get_rel_relkind(relid) != RELKIND_RELATION || !find_attribute(relid, colname, &attribute))
		return;
	if (attribute.not_null ? mig_not_null_is_valid(relid, attribute.number) :
		mig_proof_not_null(alter->work, relid, attribute.number, alter->dropped))
		return;
	if (mig_overlay_made(alter->work->overlay, psprintf("proof %s", column_key(alter, colname))))
		return;
	if (mig_effect_scans(alter->work, relid))
		hazard(alter, MIG_HZ_SET_NOT_NULL, colname, NULL);
}

void
mig_effect_set_not_null(MigAltering *alter, const char *colname)
{
	Attribute	attribute;
	ListCell   *lc;

	if (!OidIsValid(alter->name->relid) || !find_attribute(alter->name->relid, colname, &attribute))
	{
		alter->work->effect->scans |= alter->name->created;
		return;
	}
	foreach(lc, alter->tree)
		set_not_null(alter, colname, lfirst_oid(lc));
}

static bool
says_always(const AlterTableCmd *cmd)
{
	ListCell   *lc;

	if (cmd->subtype == AT_AddIdentity)
		return castNode(Constraint, cmd->def)->generated_when == ATTRIBUTE_IDENTITY_ALWAYS;
	foreach(lc, castNode(List, cmd->def))
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, "generated") == 0)
			return intVal(def->arg) == ATTRIBUTE_IDENTITY_ALWAYS;
	}
	return false;
}

static bool
has_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
		if (strcmp(lfirst_node(DefElem, lc)->defname, name) == 0)
			return true;
	return false;
}

static void
work_identity(MigAltering *alter, AlterTableCmd *cmd)
{
	Attribute	attribute = {0};

	if (alter->name->created)
		return;
	if (OidIsValid(alter->name->relid))
		(void) find_attribute(alter->name->relid, cmd->name, &attribute);
	if (cmd->subtype == AT_DropIdentity)
	{
		if (attribute.identity)
		{
			alter->work->effect->breaks = true;
			hazard(alter, MIG_HZ_DROP_IDENTITY, cmd->name, NULL);
		}
		return;
	}
	if (says_always(cmd) && attribute.identity != ATTRIBUTE_IDENTITY_ALWAYS)
	{
		alter->work->effect->breaks = true;
		hazard(alter, MIG_HZ_IDENTITY_ALWAYS, cmd->name, NULL);
	}
	if (cmd->subtype != AT_AddIdentity || alter->name->touched)
		return;
	if (attribute.number && !attribute.not_null)
		mig_effect_fails(alter->work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1,
						 "Make it NOT NULL first.",
						 "column \"%s\" must be declared NOT NULL before identity can be added", cmd->name);
	else if (attribute.has_default)
		mig_effect_fails(alter->work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1,
						 "Drop its default first.", "column \"%s\" already has a default value", cmd->name);
	if (!has_option(castNode(Constraint, cmd->def)->options, "start"))
		hazard(alter, MIG_HZ_IDENTITY_START, cmd->name, NULL);
}

/* SET EXPRESSION (17): the values of a stored column are computed anew, those of a virtual one by each reader. */
static void
work_set_expression(MigAltering *alter, AlterTableCmd *cmd)
{
	Attribute	attribute;

	if (!OidIsValid(alter->name->relid) || !find_attribute(alter->name->relid, cmd->name, &attribute))
		return;
	if (attribute.generated == ATTRIBUTE_GENERATED_STORED)
	{
		mig_effect_rewrites_tree(alter->work, alter->name, alter->inh);
		hazard(alter, MIG_HZ_SET_EXPRESSION, cmd->name, NULL);
	}
	else
	{
		ListCell   *lc;

		foreach(lc, alter->tree)
			mig_effect_recheck(alter->work, lfirst_oid(lc), cmd->name);
		hazard(alter, MIG_HZ_EXPRESSION_CHANGES, cmd->name, NULL);
	}
}

bool
mig_effect_work_column(MigAltering *alter, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			work_add_column(alter, cmd);
			return true;
		case AT_DropColumn:
			work_drop_column(alter, cmd);
			return true;
		case AT_ColumnDefault:
			work_default(alter, cmd);
			return true;
		case AT_SetNotNull:
			mig_effect_set_not_null(alter, cmd->name);
			return true;
		case AT_DropNotNull:
			hazard(alter, MIG_HZ_DROP_NOT_NULL, cmd->name, NULL);
			return true;
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			work_identity(alter, cmd);
			return true;
		case AT_DropExpression:
			hazard(alter, MIG_HZ_EXPRESSION_CHANGES, cmd->name, NULL);
			return true;
		case AT_AlterColumnType:
			mig_effect_alter_type(alter->work, alter->name, cmd, alter->inh);
			return true;
		default:
			if (!mig_is_set_expression(cmd))
				return false;
			work_set_expression(alter, cmd);
			return true;
	}
}

/* --- the statement --- */

/*
 * A foreign key that comes with a column is not checked, since all its values
 * are null, unless something in the statement gives a column a default, or
 * there is another key (transformAlterTableStmt in parse_utilcmd.c).
 */
static bool
checks_keys(const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn && mig_effect_has_default(castNode(ColumnDef, cmd->def)))
			return true;
		if (cmd->subtype == AT_AddConstraint &&
			castNode(Constraint, cmd->def)->contype == CONSTR_FOREIGN)
			return true;
	}
	return false;
}

void
mig_effect_alter_work(MigWork *work, AlterTableStmt *stmt, const MigName *name, LOCKMODE mode)
{
	MigAltering	alter = {work, stmt, name, mode, stmt->relation->inh};
	ListCell   *lc;

	alter.checks_keys = checks_keys(stmt);
	if (OidIsValid(name->relid))
	{
		alter.tree = list_make1_oid(name->relid);
		if (alter.inh)
			alter.tree = list_concat(alter.tree, mig_relation_children(name->relid));
	}
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_DropConstraint)
			alter.dropped = lappend(alter.dropped, cmd->name);
	}
	mig_effect_lock_around(&alter);
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		(void) (mig_effect_work_column(&alter, cmd) ||
				mig_effect_work_constraint(&alter, cmd) ||
				mig_effect_work_partition(&alter, cmd) ||
				mig_effect_work_table(&alter, cmd));
	}
	mig_effect_fails_alter(&alter);
}
