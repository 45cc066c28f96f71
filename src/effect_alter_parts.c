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

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "effect_alter.h"
#include "partition.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"
#include "undo_int.h"

static List *
ask(const char *query, Oid oid)
{
	MigReading	reading;
	List	   *rows;

	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	rows = mig_undo_select(query, oid);
	mig_reading_end(&reading);
	return rows;
}

/* --- NOT NULL --- */

void
mig_alter_not_null_again(MigAlter *alter, const char *colname, AttrNumber column)
{
	Oid			conoid = mig_not_null_constraint(alter->name->relid, column);

	if (OidIsValid(conoid))
		mig_alter_undo_statement(alter, mig_undo_constraint(alter->name->relid, conoid));
	else
		mig_alter_undo(alter, "ALTER COLUMN %s SET NOT NULL", mig_sql_name(colname));
}

/* A primary key makes its columns NOT NULL, and leaves them so. */
static void
lift_not_null(MigAlter *alter, const char *colname)
{
	AttrNumber	column = mig_relation_column(alter->name->relid, colname);
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(alter->name->relid), Int16GetDatum(column));

	if (!HeapTupleIsValid(tuple))
		return;
	if (!((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull)
		mig_alter_undo(alter, "ALTER COLUMN %s DROP NOT NULL", mig_sql_name(colname));
	ReleaseSysCache(tuple);
}

/* --- constraints --- */

static char *
constraint_key(const MigAlter *alter, const char *conname)
{
	return psprintf("%s.%s", alter->name->text, mig_sql_name(conname));
}

/* The columns that a new primary key has: written, or those of its index. */
static void
lift_not_nulls(MigAlter *alter, const Constraint *con, Oid index)
{
	ListCell   *lc;

	alter->work->effect->undo_read = true;
	foreach(lc, con->keys)
		lift_not_null(alter, strVal(lfirst(lc)));
	if (OidIsValid(index))
		foreach(lc, ask("SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid"
						" WHERE indexrelid = $1 AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1])", index))
			lift_not_null(alter, lfirst(lc));
}

/* The index was there before, and would go with the constraint. */
static void
bring_index_back(MigAlter *alter, Oid index)
{
	ObjectAddress address = {RelationRelationId, index, 0};
	const char *why = NULL;
	List	   *sql = mig_undo_drop(&address, false, false, &why);

	if (why)
		mig_alter_irreversible(alter, why);
	for (int i = list_length(sql) - 1; i >= 0; i--)
		mig_alter_undo_statement(alter, list_nth(sql, i));
}

static void
undo_constraint(MigAlter *alter, const Constraint *con, const char *conname)
{
	MigName    *index = con->indexname ?
		mig_overlay_find(alter->work->overlay, alter->name->nspname, con->indexname) : NULL;
	bool		made = index && mig_overlay_made(alter->work->overlay, psprintf("relation %s", index->text));

	if (index && !OidIsValid(index->relid) && (!made || con->contype == CONSTR_PRIMARY))
	{
		mig_alter_undo_later(alter);
		return;
	}
	if (index && !made)
		bring_index_back(alter, index->relid);
	if (con->contype == CONSTR_PRIMARY && OidIsValid(alter->name->relid))
		lift_not_nulls(alter, con, index ? index->relid : InvalidOid);
	/* a name that is foretold had better be there */
	mig_alter_undo(alter, "DROP CONSTRAINT %s%s", con->conname ? "IF EXISTS " : "", mig_sql_name(conname));
	alter->work->effect->undo_read |= con->conname == NULL;
}

void
mig_alter_add_constraint(MigAlter *alter, AlterTableCmd *cmd)
{
	Constraint *con = castNode(Constraint, cmd->def);
	/* a key that is made of an index has its name */
	char	   *conname = con->conname || con->indexname == NULL ?
		mig_naming_constraint(&alter->naming, con) : con->indexname;

	mig_effect_references(alter->work, alter->name, con);
	mig_effect_makes_constraint(alter->work, alter->name, con);
	if (conname == NULL)
	{
		mig_alter_irreversible(alter, NULL);
		return;
	}
	if (con->conname)
		mig_effect_makes_object(alter->work, "constraint", constraint_key(alter, con->conname));
	undo_constraint(alter, con, conname);
}

/* Foreign keys that go with a key that they refer to; anything else that goes is not brought back. */
static void
bring_references_back(MigAlter *alter, const MigConstraint *con)
{
	List	   *others = ask("SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend WHERE deptype = 'n'"
							 " AND refclassid = 'pg_constraint'::regclass AND refobjid = $1 LIMIT 1", con->oid);
	ListCell   *lc;

	if (others != NIL)
		mig_alter_irreversible(alter, psprintf("CASCADE drops %s as well", (char *) linitial(others)));
	foreach(lc, ask("SELECT oid FROM pg_constraint WHERE contype = 'f' AND conindid = $1 AND conparentid = 0"
					" ORDER BY oid DESC", con->index))
		mig_alter_undo_statement(alter, mig_undo_constraint(mig_relation_of_constraint(atooid(lfirst(lc))),
															atooid(lfirst(lc))));
}

/* Marks and comments that go with a constraint. */
static void
bring_marks_back(MigAlter *alter, const MigConstraint *con)
{
	List	   *sql = mig_undo_constraint_marks(con->oid);

	for (int i = list_length(sql) - 1; i >= 0; i--)
		mig_alter_undo_statement(alter, list_nth(sql, i));
}

/* Its name is free from then on. */
static void
index_goes(MigAlter *alter, Oid index)
{
	MigChange  *change = mig_effect_add_change(alter->work, MIG_DROPS);

	change->nspname = get_namespace_name(get_rel_namespace(index));
	change->relname = get_rel_name(index);
	change->relkind = get_rel_relkind(index);
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
		if (!cmd->missing_ok || alter->name->touched || mig_overlay_opaque(alter->work->overlay))
			mig_alter_undo_later(alter);
		return;
	}
	alter->work->effect->undo_read = true;
	if (con.contype == CONSTRAINT_UNIQUE || con.contype == CONSTRAINT_PRIMARY)
	{
		mig_effect_breaks(alter->work, alter->name->relname);
		/* its index goes by its name */
		mig_effect_breaks(alter->work, cmd->name);
		if (cmd->behavior == DROP_CASCADE)
			bring_references_back(alter, &con);
	}
	if (OidIsValid(con.index) && con.contype != CONSTRAINT_FOREIGN)
		index_goes(alter, con.index);
	bring_marks_back(alter, &con);
	mig_alter_undo_statement(alter, mig_undo_constraint(alter->name->relid, con.oid));
}

/* --- partitions and parents --- */

/*
 * No index can be detached.  But one that is made here goes, with all that is
 * attached to it, and what was there before is built again.
 */
static void
attach_index(MigAlter *alter, const MigName *child)
{
	ObjectAddress address = {RelationRelationId, child->relid, 0};
	const char *why = NULL;
	List	   *again = NIL;

	if (OidIsValid(child->relid) && !child->touched)
		again = mig_undo_drop(&address, false, false, &why);
	if (!alter->name->created || why || (again == NIL && !child->created))
	{
		mig_alter_irreversible(alter, why ? why : "an index cannot be detached");
		return;
	}
	for (int i = list_length(again) - 1; i >= 0; i--)
		mig_alter_undo_statement(alter, list_nth(again, i));
	mig_alter_undo_statement(alter, psprintf("DROP INDEX IF EXISTS %s", alter->name->text));
}

void
mig_alter_attach(MigAlter *alter, AlterTableCmd *cmd)
{
	PartitionCmd *partition = castNode(PartitionCmd, cmd->def);
	MigName    *other = mig_effect_name(alter->work, partition->name, false);

	if (alter->stmt->objtype == OBJECT_INDEX)
	{
		attach_index(alter, other);
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
	char	   *check;

	if (partition->concurrent)
	{
		mig_effect_top_level(alter->work, MIG_STEP_DETACH);
		alter->work->effect->object = other->text;
	}
	check = partition->concurrent && bound ? mig_partition_detached_check(other->relid) : NULL;
	if (check)
		mig_alter_undo_statement(alter, psprintf("ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %s",
												 other->text, mig_sql_name(check)));
	if (bound)
		mig_alter_undo(alter, "ATTACH PARTITION %s %s", other->text, bound);
	else
		mig_alter_undo_later(alter);
	alter->work->effect->undo_read = true;
}

void
mig_alter_inherit(MigAlter *alter, AlterTableCmd *cmd)
{
	bool		add = cmd->subtype == AT_AddInherit;
	MigName    *parent = mig_effect_name(alter->work, castNode(RangeVar, cmd->def), false);

	mig_alter_undo(alter, "%s %s", add ? "NO INHERIT" : "INHERIT", parent->text);
}
