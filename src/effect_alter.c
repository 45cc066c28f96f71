/*-------------------------------------------------------------------------
 *
 * effect_alter.c
 *	  ALTER TABLE, and what is spelled like it: ALTER INDEX, VIEW, SEQUENCE ...
 *
 * The server says which lock a list of subcommands takes on the table
 * (AlterTableGetLockLevel).  It knows nothing of other relations: children,
 * partitions, the other side of foreign keys.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "commands/tablecmds.h"
#include "lib/stringinfo.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "effect_alter.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

typedef struct Column
{
	bool		exists;			/* in the catalog */
	bool		made;			/* by this migration */
	AttrNumber	number;
	bool		not_null;
} Column;

/* --- undo --- */

static void
take_back(MigAlter *alter, char *text, bool whole)
{
	MigTakeBack *part = palloc(sizeof(MigTakeBack));

	part->text = text;
	part->whole = whole;
	alter->undo = lcons(part, alter->undo);
}

void
mig_alter_undo(MigAlter *alter, const char *format,...)
{
	va_list		args;
	char	   *text;

	va_start(args, format);
	text = mig_sql_vformat(format, args);
	va_end(args);
	take_back(alter, text, false);
}

void
mig_alter_undo_statement(MigAlter *alter, char *statement)
{
	take_back(alter, statement, true);
}

void
mig_alter_irreversible(MigAlter *alter, const char *why)
{
	alter->irreversible = true;
	if (alter->why == NULL)
		alter->why = why;
}

void
mig_alter_undo_later(MigAlter *alter)
{
	alter->later = true;
}

static const char *
object_word(ObjectType type)
{
	switch (type)
	{
		case OBJECT_INDEX:
			return "INDEX";
		case OBJECT_VIEW:
			return "VIEW";
		case OBJECT_MATVIEW:
			return "MATERIALIZED VIEW";
		case OBJECT_SEQUENCE:
			return "SEQUENCE";
		case OBJECT_FOREIGN_TABLE:
			return "FOREIGN TABLE";
		default:
			return "TABLE";
	}
}

/* Subcommands share an ALTER as long as no whole statement comes between. */
static char *
compose_undo(MigAlter *alter)
{
	StringInfoData buf;
	bool		open = false;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, alter->undo)
	{
		MigTakeBack *part = lfirst(lc);

		if (part->whole)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? "; " : "", part->text);
		else if (open)
			appendStringInfo(&buf, ", %s", part->text);
		else
			appendStringInfo(&buf, "%sALTER %s IF EXISTS %s%s %s", buf.len > 0 ? "; " : "",
							 object_word(alter->stmt->objtype),
							 alter->stmt->relation->inh || alter->stmt->objtype != OBJECT_TABLE ? "" : "ONLY ",
							 alter->name->text, part->text);
		open = !part->whole;
	}
	return buf.data;
}

/* --- columns --- */

static char *
column_key(const MigAlter *alter, const char *colname)
{
	return psprintf("%s.%s", alter->name->text, mig_sql_name(colname));
}

static Column
column_find(const MigAlter *alter, const char *colname)
{
	Column		column = {0};
	HeapTuple	tuple;

	column.made = alter->name->created ||
		mig_overlay_made(alter->work->overlay, psprintf("column %s", column_key(alter, colname)));
	if (!OidIsValid(alter->name->relid))
		return column;
	tuple = SearchSysCacheAttName(alter->name->relid, colname);
	if (HeapTupleIsValid(tuple))
	{
		column.exists = true;
		column.number = ((Form_pg_attribute) GETSTRUCT(tuple))->attnum;
		column.not_null = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
		ReleaseSysCache(tuple);
	}
	return column;
}

static bool
adds_column(const MigAlter *alter, const char *colname)
{
	ListCell   *lc;

	foreach(lc, alter->stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn &&
			strcmp(castNode(ColumnDef, cmd->def)->colname, colname) == 0)
			return true;
	}
	return false;
}

static Column
column_require(MigAlter *alter, const char *colname)
{
	Column		column = column_find(alter, colname);

	if (!column.made && !adds_column(alter, colname))
		mig_effect_require_column(alter->work, alter->name, colname, alter->stmt->relation);
	return column;
}

/* --- subcommands on columns --- */

static void
judge_add_column(MigAlter *alter, AlterTableCmd *cmd)
{
	ColumnDef  *def = castNode(ColumnDef, cmd->def);
	ListCell   *lc;

	if (cmd->missing_ok && OidIsValid(alter->name->relid) &&
		column_find(alter, def->colname).exists)
	{
		mig_effect_note(alter->work, "column \"%s\" exists already", def->colname);
		return;
	}
	foreach(lc, def->constraints)
		mig_effect_references(alter->work, alter->name, lfirst_node(Constraint, lc));
	mig_effect_makes_object(alter->work, "column", column_key(alter, def->colname));
	if (cmd->missing_ok && alter->name->touched && !alter->name->created)
		mig_alter_undo_later(alter);	/* who knows whether it was there */
	else
		mig_alter_undo(alter, "DROP COLUMN IF EXISTS %s", mig_sql_name(def->colname));
}

static void
judge_drop_column(MigAlter *alter, AlterTableCmd *cmd)
{
	Column		column = cmd->missing_ok ? column_find(alter, cmd->name) : column_require(alter, cmd->name);
	ListCell   *lc;

	if (column.made)
		return;
	if (cmd->missing_ok && !column.exists && !alter->name->touched)
	{
		mig_effect_note(alter->work, "column \"%s\" does not exist", cmd->name);
		return;
	}
	mig_effect_breaks(alter->work, alter->name->relname);
	mig_alter_irreversible(alter, "its values are gone");
	if (!OidIsValid(alter->name->relid))
		return;
	foreach(lc, mig_relation_constraints_on(alter->name->relid,
											mig_relation_column(alter->name->relid, cmd->name)))
		mig_alter_drops_constraint(alter, lfirst(lc));
}

static void
judge_default(MigAlter *alter, AlterTableCmd *cmd)
{
	Column		column = column_require(alter, cmd->name);
	char	   *before;

	if (column.made)
		return;
	if (!column.exists)
	{
		mig_alter_undo_later(alter);
		return;
	}
	alter->work->effect->undo_read = true;
	before = mig_undo_default(alter->name->relid, column.number);
	if (before)
		mig_alter_undo(alter, "ALTER COLUMN %s SET DEFAULT %s", mig_sql_name(cmd->name), before);
	else if (cmd->def)
		mig_alter_undo(alter, "ALTER COLUMN %s DROP DEFAULT", mig_sql_name(cmd->name));
}

static void
judge_not_null(MigAlter *alter, AlterTableCmd *cmd, bool set)
{
	Column		column = column_require(alter, cmd->name);

	if (column.made)
		return;
	if (!column.exists)
	{
		mig_alter_undo_later(alter);
		return;
	}
	alter->work->effect->undo_read = true;
	if (set == column.not_null)
		return;
	if (set)
		mig_alter_undo(alter, "ALTER COLUMN %s DROP NOT NULL", mig_sql_name(cmd->name));
	else
		mig_alter_not_null_again(alter, cmd->name, column.number);
}

static void
judge_other_column(MigAlter *alter, AlterTableCmd *cmd)
{
	Column		column = {0};

	if (cmd->name && !cmd->missing_ok)
		column = column_require(alter, cmd->name);
	else if (cmd->name)
		column = column_find(alter, cmd->name);
	/* of a column that is made here, too: its NOT NULL may be taken back by itself */
	if (cmd->subtype == AT_AddIdentity)
		mig_alter_undo(alter, "ALTER COLUMN %s DROP IDENTITY IF EXISTS", mig_sql_name(cmd->name));
	else if (!column.made)
		mig_alter_restore_column(alter, cmd);
}

/* --- the rest --- */

static void
judge_owner(MigAlter *alter, AlterTableCmd *cmd)
{
	ObjectAddress address = {RelationRelationId, alter->name->relid, 0};
	List	   *sql = NIL;

	if (OidIsValid(alter->name->relid))
		sql = mig_undo_owner_change(&address, get_rolespec_oid(cmd->newowner, true), &alter->why);
	if (alter->why)
		alter->irreversible = true;
	if (sql == NIL)
		mig_alter_undo_later(alter);
	for (int i = list_length(sql) - 1; i >= 0; i--)
		mig_alter_undo_statement(alter, list_nth(sql, i));
	alter->work->effect->undo_read = true;
}

static void
judge_logged(MigAlter *alter, AlterTableCmd *cmd)
{
	bool		logged = cmd->subtype == AT_SetLogged;
	char		persistence = OidIsValid(alter->name->relid) ?
		get_rel_persistence(alter->name->relid) : 0;

	if (persistence == 0)
		mig_alter_undo_later(alter);
	if (persistence == 0 || persistence == (logged ? RELPERSISTENCE_PERMANENT : RELPERSISTENCE_UNLOGGED))
		return;
	mig_alter_undo(alter, "SET %s", logged ? "UNLOGGED" : "LOGGED");
}

static void
judge_cmd(MigAlter *alter, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			judge_add_column(alter, cmd);
			break;
		case AT_DropColumn:
			judge_drop_column(alter, cmd);
			break;
		case AT_ColumnDefault:
			judge_default(alter, cmd);
			break;
		case AT_SetNotNull:
		case AT_DropNotNull:
			judge_not_null(alter, cmd, cmd->subtype == AT_SetNotNull);
			break;
		case AT_AlterColumnType:
		case AT_DropExpression:
		case AT_SetStatistics:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			judge_other_column(alter, cmd);
			break;
		case AT_AddConstraint:
			mig_alter_add_constraint(alter, cmd);
			break;
		case AT_DropConstraint:
			mig_alter_drop_constraint(alter, cmd);
			break;
		case AT_ValidateConstraint:
			break;
		case AT_AttachPartition:
			mig_alter_attach(alter, cmd);
			break;
		case AT_DetachPartition:
			mig_alter_detach(alter, cmd);
			break;
		case AT_AddInherit:
		case AT_DropInherit:
			mig_alter_inherit(alter, cmd);
			break;
		case AT_ChangeOwner:
			judge_owner(alter, cmd);
			break;
		case AT_SetLogged:
		case AT_SetUnLogged:
			judge_logged(alter, cmd);
			break;
		default:
			if (mig_is_set_expression(cmd))
				judge_other_column(alter, cmd);
			else
				mig_alter_restore_table(alter, cmd);
			break;
	}
}

static List *
dropped_constraints(const AlterTableStmt *stmt)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, stmt->cmds)
		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_DropConstraint)
			names = lappend(names, lfirst_node(AlterTableCmd, lc)->name);
	return names;
}

static bool
detaches_concurrently(const AlterTableStmt *stmt)
{
	AlterTableCmd *cmd = linitial_node(AlterTableCmd, stmt->cmds);

	return cmd->subtype == AT_DetachPartition && castNode(PartitionCmd, cmd->def)->concurrent;
}

/* ALTER TYPE ... ADD, DROP, ALTER ATTRIBUTE */
static void
alter_type(MigWork *work, AlterTableStmt *stmt)
{
	char	   *name = mig_overlay_target(work->overlay, stmt->relation->schemaname,
										  stmt->relation->relname, false)->text;
	ListCell   *lc;

	mig_effect_changes_object(work, "type", name);
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn)
			mig_effect_undo(work, list_make1(psprintf("ALTER TYPE %s DROP ATTRIBUTE IF EXISTS %s", name,
													  mig_sql_name(castNode(ColumnDef, cmd->def)->colname))), NULL);
		else
			mig_effect_irreversible(work, "values of the type may be stored");
	}
}

static void
settle(MigAlter *alter)
{
	if (alter->irreversible)
		mig_effect_irreversible(alter->work, alter->why);
	else if (alter->later)
		mig_effect_undo_later(alter->work);
	else
		alter->work->effect->undo = compose_undo(alter);
}

void
mig_effect_alter_table(MigWork *work, Node *node)
{
	AlterTableStmt *stmt = castNode(AlterTableStmt, node);
	MigAlter		alter = {work, stmt};
	ListCell   *lc;

	if (stmt->objtype == OBJECT_TYPE)
	{
		alter_type(work, stmt);
		return;
	}
	alter.name = mig_effect_name(work, stmt->relation, stmt->missing_ok);
	if (!alter.name->known && stmt->missing_ok && !mig_overlay_opaque(work->overlay))
	{
		work->effect->relation = alter.name->text;
		work->effect->undo = "";
		if (detaches_concurrently(stmt))
			mig_effect_top_level(work, MIG_STEP_DETACH);
		mig_effect_note(work, "%s does not exist", alter.name->text);
		return;
	}
	alter.naming.overlay = work->overlay;
	alter.naming.table = alter.name;
	alter.naming.dropped = dropped_constraints(stmt);
	alter.mode = AlterTableGetLockLevel(stmt->cmds);
	mig_effect_about(work, alter.name, alter.mode);
	foreach(lc, stmt->cmds)
		judge_cmd(&alter, lfirst_node(AlterTableCmd, lc));
	mig_effect_alter_work(work, stmt, alter.name, alter.mode);
	mig_effect_change(work, MIG_ALTERS, alter.name);
	settle(&alter);
}
