/*-------------------------------------------------------------------------
 *
 * online.c
 *	  Statements that are replaced by a sequence which blocks nobody.
 *
 * A sequence is SQL: each of its parts is parsed and classified like a
 * statement that somebody wrote, so that locks, scans and undo come from one
 * place.  What is small, was made by the same migration, or already blocks
 * nobody, stays as it stands.
 *
 * The safe sequences were tried on real servers of each major; the facts
 * behind them are in the documentation of ALTER TABLE (Notes) and in
 * src/backend/commands/tablecmds.c.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"

#include "online_int.h"
#include "relation.h"
#include "settings.h"
#include "sqlgen.h"

/* --- building sequences --- */

static char *format_text(const char *format, va_list *args_source) pg_attribute_printf(1, 0);

static char *
format_text(const char *format, va_list *args_source)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_copy(args, *args_source);
		needed = appendStringInfoVA(&buf, format, args);
		va_end(args);
		if (needed == 0)
			return buf.data;
		enlargeStringInfo(&buf, needed);
	}
}

MigPart *
mig_part(List **parts, const char *format,...)
{
	MigPart    *part = palloc0(sizeof(MigPart));
	va_list		args;

	va_start(args, format);
	part->command = format_text(format, &args);
	va_end(args);
	part->kind = MIG_STEP_SQL;
	part->phase = MIG_EXPAND;
	*parts = lappend(*parts, part);
	return part;
}

void
mig_part_undo(MigPart *part, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	part->undo = format_text(format, &args);
	va_end(args);
	part->undo_given = true;
}

bool
mig_online_is_small(const MigOnline *online)
{
	const MigName *name = online->name;

	return name == NULL || !OidIsValid(name->relid) || name->created ||
		online->effect->made_only ||
		online->effect->bytes <= (int64) mig_small_table * 1024;
}

bool
mig_online_small_table(Oid relid)
{
	char	   *text = mig_relation_text(relid);
	int64		rows,
				bytes;

	if (text == NULL)
		return true;
	mig_relation_size(relid, text, &rows, &bytes);
	return bytes <= (int64) mig_small_table * 1024;
}

char *
mig_online_key(const MigOnline *online)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, mig_relation_primary_key(online->name->relid))
		appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", mig_sql_name(strVal(lfirst(lc))));
	return buf.len ? buf.data : "ctid";
}

List *
mig_online_as_it_stands(const MigOnline *online, const char *note)
{
	List	   *parts = NIL;

	mig_part(&parts, "%s", online->stmt->text)->note = pstrdup(note);
	return parts;
}

/* --- dispatch --- */

static MigName *
table_of(const MigOverlay *overlay, const RangeVar *rv)
{
	return mig_overlay_find(overlay, rv->schemaname, rv->relname);
}

static bool
is_index(const MigName *name)
{
	return name->relkind == RELKIND_INDEX || name->relkind == RELKIND_PARTITIONED_INDEX;
}

static List *
expand_alter(MigOnline *online, AlterTableStmt *stmt)
{
	online->name = table_of(online->overlay, stmt->relation);
	if (is_index(online->name))
		return mig_online_alter_index(online);
	if (stmt->objtype != OBJECT_TABLE)
		return NIL;
	return mig_online_alter_table(online);
}

static List *
expand_rename(MigOnline *online, RenameStmt *stmt)
{
	if (stmt->renameType != OBJECT_TABLE)
		return NIL;
	online->name = table_of(online->overlay, stmt->relation);
	return is_index(online->name) ? mig_online_alter_index(online) : NIL;
}

/* Most of what refuses a transaction block blocks nobody. */
static bool
stays(const MigEffect *effect, Node *node)
{
	return effect->place == MIG_TOP_LEVEL && !IsA(node, ReindexStmt) && !IsA(node, IndexStmt);
}

List *
mig_online_expand(const MigStatement *stmt, const MigEffect *effect,
				  const MigOverlay *overlay, const List *statements)
{
	MigOnline	online = {0};
	Node	   *node = stmt->raw->stmt;

	if (stays(effect, node))
		return NIL;
	online.stmt = stmt;
	online.effect = effect;
	online.overlay = overlay;
	online.statements = statements;
	online.text = stmt->text;
	online.node = node;
	switch (nodeTag(node))
	{
		case T_AlterTableStmt:
			return expand_alter(&online, (AlterTableStmt *) node);
		case T_RenameStmt:
			return expand_rename(&online, (RenameStmt *) node);
		case T_UpdateStmt:
			online.name = table_of(overlay, ((UpdateStmt *) node)->relation);
			return mig_online_rows(&online);
		case T_DeleteStmt:
			online.name = table_of(overlay, ((DeleteStmt *) node)->relation);
			return mig_online_rows(&online);
		case T_IndexStmt:
			online.name = table_of(overlay, ((IndexStmt *) node)->relation);
			return mig_online_create_index(&online);
		case T_DropStmt:
			return ((DropStmt *) node)->removeType == OBJECT_INDEX ? mig_online_drop_index(&online) : NIL;
		case T_ReindexStmt:
			return mig_online_reindex(&online);
		case T_RefreshMatViewStmt:
			online.name = table_of(overlay, ((RefreshMatViewStmt *) node)->relation);
			return mig_online_refresh(&online);
		default:
			return NIL;
	}
}
