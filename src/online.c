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

#include "online_int.h"
#include "relation.h"
#include "settings.h"
#include "sqlgen.h"

/* --- building sequences --- */

MigPart *
mig_part(List **parts, const char *format,...)
{
	MigPart    *part = palloc0(sizeof(MigPart));
	va_list		args;

	va_start(args, format);
	part->command = mig_sql_vformat(format, args);
	va_end(args);
	part->kind = MIG_STEP_SQL;
	part->phase = MIG_EXPAND;
	*parts = lappend(*parts, part);
	return part;
}

void
mig_part_note(MigPart *part, const char *format,...)
{
	va_list		args;
	char	   *note;

	va_start(args, format);
	note = mig_sql_vformat(format, args);
	va_end(args);
	part->note = part->note ? psprintf("%s; %s", part->note, note) : note;
}

void
mig_part_undo(MigPart *part, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	part->undo = mig_sql_vformat(format, args);
	va_end(args);
	part->undo_given = true;
}

/* Of all that the statement goes on to: children have files of their own. */
static int64
size_of_tree(const MigOnline *online)
{
	int64		bytes = online->effect->bytes;
	ListCell   *lc;

	if (online->name->relkind != RELKIND_RELATION || online->only)
		return bytes;
	foreach(lc, mig_relation_children(online->name->relid))
	{
		int64		rows,
					more;

		mig_relation_size(lfirst_oid(lc), mig_relation_text(lfirst_oid(lc)), &rows, &more);
		if (more > 0)
			bytes += more;
	}
	return bytes;
}

bool
mig_online_is_small(const MigOnline *online)
{
	const MigName *name = online->name;

	return name == NULL || !OidIsValid(name->relid) || name->created ||
		online->effect->made_only ||
		size_of_tree(online) <= (int64) mig_small_table * 1024;
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

bool
mig_online_is_certain(const MigOnline *online)
{
	return OidIsValid(online->name->relid) && !mig_overlay_touched(online->overlay, online->name) &&
		!mig_overlay_opaque(online->overlay);
}

const char *
mig_online_altered(const MigOnline *online)
{
	return psprintf("ALTER TABLE %s%s", online->only ? "ONLY " : "", online->name->text);
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
	online->only = !stmt->relation->inh;
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

static List *
expand_drop(MigOnline *online, DropStmt *stmt)
{
	switch (stmt->removeType)
	{
		case OBJECT_INDEX:
			return mig_online_drop_index(online);
		case OBJECT_TABLE:
			return mig_online_drop_partition(online);
		default:
			return NIL;
	}
}

/* Most of what refuses a transaction block blocks nobody. */
static bool
stays(const MigEffect *effect, Node *node)
{
	return effect->place == MIG_TOP_LEVEL && !IsA(node, ReindexStmt) && !IsA(node, IndexStmt);
}

bool
mig_online_keeps_rows(Node *node)
{
	ListCell   *lc;

	if (IsA(node, CommentStmt) || IsA(node, CreateTrigStmt) || IsA(node, CreateStatsStmt))
		return true;
	if (!IsA(node, AlterTableStmt) || ((AlterTableStmt *) node)->objtype != OBJECT_TABLE)
		return false;
	foreach(lc, ((AlterTableStmt *) node)->cmds)
		switch (lfirst_node(AlterTableCmd, lc)->subtype)
		{
			case AT_AddColumn:
			case AT_AddConstraint:
			case AT_AlterConstraint:
			case AT_ClusterOn:
			case AT_ColumnDefault:
			case AT_DropConstraint:
			case AT_DropNotNull:
			case AT_ReplicaIdentity:
			case AT_ResetOptions:
			case AT_ResetRelOptions:
			case AT_SetCompression:
			case AT_SetNotNull:
			case AT_SetOptions:
			case AT_SetRelOptions:
			case AT_SetStatistics:
			case AT_SetStorage:
			case AT_ValidateConstraint:
				break;
			default:
				return false;
		}
	return true;
}

void
mig_online_flag(MigEffect *effect)
{
	const char *who = effect->lock >= AccessExclusiveLock ? "reads and writes" : "writes";
	const char *why = effect->rewrites ? "it is rewritten" :
		effect->builds ? "an index is built" : effect->scans ? "it is read" : NULL;

	/* of a materialized view that is refreshed concurrently there are no writes */
	if (why == NULL || effect->lock < ShareLock || effect->lock == ExclusiveLock || effect->writes_rows || effect->relation == NULL ||
		effect->made_only || effect->bytes <= (int64) mig_small_table * 1024)
		return;
	effect->note = psprintf("%s%s%s of %s wait while %s: there is no online way",
							effect->note ? effect->note : "", effect->note ? "; " : "",
							who, effect->relation, why);
}

static List *
expand(MigOnline *online)
{
	Node	   *node = online->node;

	switch (nodeTag(node))
	{
		case T_AlterTableStmt:
			return expand_alter(online, (AlterTableStmt *) node);
		case T_AlterDomainStmt:
			return mig_online_domain(online);
		case T_RenameStmt:
			return expand_rename(online, (RenameStmt *) node);
		case T_UpdateStmt:
			online->name = table_of(online->overlay, ((UpdateStmt *) node)->relation);
			return mig_online_rows(online);
		case T_DeleteStmt:
			online->name = table_of(online->overlay, ((DeleteStmt *) node)->relation);
			return mig_online_rows(online);
		case T_InsertStmt:
			online->name = table_of(online->overlay, ((InsertStmt *) node)->relation);
			return mig_online_insert(online);
		case T_IndexStmt:
			online->name = table_of(online->overlay, ((IndexStmt *) node)->relation);
			return mig_online_create_index(online);
		case T_DropStmt:
			return expand_drop(online, (DropStmt *) node);
		case T_CreateStmt:
			return mig_online_new_partition(online);
		case T_ReindexStmt:
			return mig_online_reindex(online);
		case T_RefreshMatViewStmt:
			online->name = table_of(online->overlay, ((RefreshMatViewStmt *) node)->relation);
			return mig_online_refresh(online);
		default:
			return NIL;
	}
}

static MigOnline
online_of(const MigStatement *stmt, MigEffect *effect, const MigOverlay *overlay)
{
	MigOnline	online = {0};

	online.stmt = stmt;
	online.effect = effect;
	online.overlay = overlay;
	online.text = stmt->text;
	online.node = stmt->raw->stmt;
	return online;
}

List *
mig_online_fill(const MigStatement *stmt, MigEffect *effect, const MigOverlay *overlay)
{
	MigOnline	online = online_of(stmt, effect, overlay);

	online.name = table_of(overlay, castNode(UpdateStmt, online.node)->relation);
	return mig_online_fill_rows(&online);
}

List *
mig_online_rename(const MigStatement *stmt, MigEffect *effect, const MigOverlay *overlay)
{
	MigOnline	online = online_of(stmt, effect, overlay);
	RenameStmt *rename = (RenameStmt *) online.node;

	if (!IsA(rename, RenameStmt) || rename->renameType != OBJECT_COLUMN || rename->relationType != OBJECT_TABLE)
		return NIL;
	online.name = table_of(overlay, rename->relation);
	return mig_online_rename_column(&online, rename);
}

List *
mig_online_expand(const MigStatement *stmt, MigEffect *effect,
				  const MigOverlay *overlay, const List *statements)
{
	MigOnline	online = online_of(stmt, effect, overlay);
	List	   *parts;

	if (stays(effect, stmt->raw->stmt))
	{
		/* VACUUM FULL, CLUSTER */
		mig_online_flag(effect);
		return NIL;
	}
	online.statements = statements;
	parts = expand(&online);
	if (parts == NIL)
		mig_online_flag(effect);
	return parts;
}
