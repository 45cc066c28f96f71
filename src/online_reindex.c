/*-------------------------------------------------------------------------
 *
 * online_reindex.c
 *	  REINDEX, REFRESH MATERIALIZED VIEW, and ALTER INDEX of what is in use.
 *
 * REINDEX keeps out writers, and readers while they plan, since it locks the
 * index; CONCURRENTLY neither.  It leaves out what it cannot do: indexes of
 * exclusion constraints and, when it goes over a table, invalid ones
 * (ReindexRelationConcurrently in indexcmds.c), which therefore get a
 * statement of their own.  Of a partitioned table it first locks all
 * partitions against writes, so they are taken one by one.
 *
 * ALTER INDEX ... SET TABLESPACE copies the index while it keeps everybody
 * out; REINDEX can build it there instead.  ALTER TABLE of an index takes
 * stronger locks than ALTER INDEX does.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "index.h"
#include "online_int.h"
#include "relation.h"
#include "scan.h"
#include "settings.h"
#include "sqlgen.h"

/* --- REINDEX --- */

static const char *
kind_word(const ReindexStmt *stmt)
{
	switch (stmt->kind)
	{
		case REINDEX_OBJECT_INDEX:
			return "INDEX";
		case REINDEX_OBJECT_TABLE:
			return "TABLE";
		case REINDEX_OBJECT_SCHEMA:
			return "SCHEMA";
		case REINDEX_OBJECT_SYSTEM:
			return "SYSTEM";
		default:
			return "DATABASE";
	}
}

/* "REINDEX (VERBOSE) ", the options as they are written. */
static char *
options_text(const char *text, const ReindexStmt *stmt)
{
	MigScan		scan;
	char	   *result = NULL;
	char	   *word = pstrdup(kind_word(stmt));
	int			from = -1;

	for (char *c = word; *c; c++)
		*c = pg_tolower((unsigned char) *c);
	mig_scan_begin(&scan, text);
	while (result == NULL && mig_scan_next(&scan))
	{
		if (from < 0)
			from = scan.start + scan.length;	/* behind REINDEX */
		else if (mig_scan_is(&scan, word))
			result = psprintf("REINDEX%.*s", scan.start - from, text + from);
	}
	mig_scan_end(&scan);
	return result;
}

/* As it is written: true, false, or not at all. */
static bool
says_concurrently(const ReindexStmt *stmt, bool *value)
{
	ListCell   *lc;

	foreach(lc, stmt->params)
		if (strcmp(lfirst_node(DefElem, lc)->defname, "concurrently") == 0)
		{
			*value = defGetBoolean(lfirst_node(DefElem, lc));
			return true;
		}
	*value = false;
	return false;
}

static void
reindex_index(List **parts, const char *options, Oid indexid)
{
	MigIndex	index = mig_index_get(indexid);
	MigPart    *part = mig_part(parts, "%sINDEX %s%s", options, index.exclusion ? "" : "CONCURRENTLY ",
								mig_relation_text(indexid));

	if (index.exclusion)
		part->note = "the index of an exclusion constraint cannot be rebuilt concurrently";
	part->tightens = true;
}

/* One table with rows of its own, and what REINDEX TABLE CONCURRENTLY passes over. */
static void
reindex_table(List **parts, const char *options, Oid relid)
{
	ListCell   *lc;

	mig_part(parts, "%sTABLE CONCURRENTLY %s", options, mig_relation_text(relid))->tightens = true;
	foreach(lc, mig_relation_indexes(relid))
	{
		MigIndex	index = mig_index_get(lfirst_oid(lc));

		if (index.exclusion || !index.valid)
			reindex_index(parts, options, lfirst_oid(lc));
	}
}

/* An index, a table, or all that hangs on a partitioned one. */
static void
reindex_tree(List **parts, const char *options, Oid relid)
{
	char		relkind = get_rel_relkind(relid);
	ListCell   *lc;

	switch (relkind)
	{
		case RELKIND_INDEX:
			reindex_index(parts, options, relid);
			break;
		case RELKIND_RELATION:
		case RELKIND_MATVIEW:
			reindex_table(parts, options, relid);
			break;
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_PARTITIONED_INDEX:
			foreach(lc, find_inheritance_children(relid, NoLock))
				reindex_tree(parts, options, lfirst_oid(lc));
			break;
		default:
			break;
	}
}

static bool
is_partitioned(const MigName *name)
{
	return name->relkind == RELKIND_PARTITIONED_TABLE || name->relkind == RELKIND_PARTITIONED_INDEX;
}

/* A schema or the database: one statement, a table after the other. */
static List *
reindex_many(MigOnline *online, const ReindexStmt *stmt, const char *options)
{
	List	   *parts = NIL;
	MigPart    *part;

	if (stmt->kind == REINDEX_OBJECT_SYSTEM)
		return mig_online_as_it_stands(online, "indexes of system catalogs cannot be rebuilt concurrently");
	part = mig_part(&parts, "%s%s CONCURRENTLY %s", options, kind_word(stmt),
					stmt->name ? mig_sql_name(stmt->name) : "");
	part->tightens = true;
	part->note = "passes over invalid indexes and those of exclusion constraints";
	return parts;
}

static List *
reindex_relation(MigOnline *online, const ReindexStmt *stmt, const char *options, bool written)
{
	MigName    *name = mig_overlay_find(online->overlay, stmt->relation->schemaname, stmt->relation->relname);
	List	   *parts = NIL;
	Oid			table;

	online->name = name;
	/* its table, which the overlay does not know, may be a large one */
	if (stmt->kind == REINDEX_OBJECT_INDEX && name->created && !written && name->relkind == RELKIND_INDEX)
	{
		mig_part(&parts, "%sINDEX CONCURRENTLY %s", options, name->text)->tightens = true;
		return parts;
	}
	if (!OidIsValid(name->relid) || name->created || (written && !is_partitioned(name)))
		return NIL;
	table = stmt->kind == REINDEX_OBJECT_INDEX ? mig_relation_of_index(name->relid) : name->relid;
	if (!OidIsValid(table))
		return NIL;
	if (IsCatalogRelationOid(table))
		return mig_online_as_it_stands(online, "indexes of system catalogs cannot be rebuilt concurrently");
	if (online->effect->bytes <= (int64) mig_small_table * 1024)
		return NIL;
	reindex_tree(&parts, options, name->relid);
	return parts;
}

List *
mig_online_reindex(MigOnline *online)
{
	ReindexStmt *stmt = castNode(ReindexStmt, online->node);
	char	   *options = options_text(online->stmt->text, stmt);
	bool		concurrently;
	bool		written = says_concurrently(stmt, &concurrently);

	/* somebody has said (CONCURRENTLY false) */
	if (options == NULL || (written && !concurrently))
		return NIL;
	if (written && strchr(options, '('))
		return NIL;				/* the word is among the options */
	if (stmt->relation)
		return reindex_relation(online, stmt, options, written);
	return written ? NIL : reindex_many(online, stmt, options);
}

/* --- REFRESH MATERIALIZED VIEW --- */

static bool
is_populated(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_class) GETSTRUCT(tuple))->relispopulated;
	ReleaseSysCache(tuple);
	return result;
}

/* How long a refresh takes has nothing to do with how large the view was. */
List *
mig_online_refresh(MigOnline *online)
{
	RefreshMatViewStmt *stmt = castNode(RefreshMatViewStmt, online->node);
	RefreshMatViewStmt *meant = copyObject(stmt);
	List	   *parts = NIL;
	char	   *text;

	if (stmt->concurrent || stmt->skipData || !OidIsValid(online->name->relid) || online->name->created ||
		online->name->relkind != RELKIND_MATVIEW || !is_populated(online->name->relid))
		return NIL;
	if (!mig_index_refreshes(online->name->relid))
		return mig_online_as_it_stands(online, "with a unique index on plain columns, without WHERE, there would be one");
	meant->concurrent = true;
	text = mig_sql_insert(online->stmt->text, "view", 1, "CONCURRENTLY");
	if (text == NULL ||
		!equal(linitial_node(RawStmt, raw_parser(text, RAW_PARSE_DEFAULT))->stmt, meant))
		return NIL;
	(void) mig_part(&parts, "%s", text);
	return parts;
}

/* --- ALTER INDEX --- */

static char *
tablespace_of(Oid relid)
{
	Oid			tablespace = get_rel_tablespace(relid);

	return get_tablespace_name(OidIsValid(tablespace) ? tablespace : MyDatabaseTableSpace);
}

static List *
set_tablespace(MigOnline *online, const AlterTableCmd *cmd)
{
	MigIndex	index = mig_index_get(online->name->relid);
	List	   *parts = NIL;
	MigPart    *part;
	char	   *before = tablespace_of(online->name->relid);

	if (!index.found || index.partitioned || IsCatalogRelationOid(index.table) ||
		mig_online_small_table(index.table))
		return NIL;
	if (index.exclusion)
		return mig_online_as_it_stands(online, "the index of an exclusion constraint cannot be rebuilt concurrently");
	part = mig_part(&parts, "REINDEX (TABLESPACE %s) INDEX CONCURRENTLY %s", mig_sql_name(cmd->name),
					online->name->text);
	part->tightens = true;
	if (before)
		mig_part_undo(part, "REINDEX (TABLESPACE %s) INDEX CONCURRENTLY %s", mig_sql_name(before),
					  online->name->text);
	return parts;
}

List *
mig_online_alter_index(MigOnline *online)
{
	List	   *parts = NIL;

	if (!OidIsValid(online->name->relid) || online->name->created)
		return NIL;
	if (IsA(online->node, RenameStmt))
	{
		(void) mig_part(&parts, "ALTER INDEX %s RENAME TO %s", online->name->text,
						mig_sql_name(((RenameStmt *) online->node)->newname));
		return parts;
	}
	else
	{
		AlterTableStmt *stmt = castNode(AlterTableStmt, online->node);
		AlterTableCmd *cmd = linitial_node(AlterTableCmd, stmt->cmds);

		if (list_length(stmt->cmds) == 1 && cmd->subtype == AT_SetTableSpace)
			return set_tablespace(online, cmd);
		return NIL;
	}
}
