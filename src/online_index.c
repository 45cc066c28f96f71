/*-------------------------------------------------------------------------
 *
 * online_index.c
 *	  CREATE INDEX and DROP INDEX on a table that is in use.
 *
 * Both have a form that keeps out no writer.  It is no transaction block's
 * business, waits for the transactions that are open, and leaves an invalid
 * index behind when it is broken off; step.c knows how to clear that away.
 *
 * An index that is dropped and made again under the same name is renamed
 * first and dropped last, so that queries have one or the other all the time.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "commands/defrem.h"
#include "parser/parser.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "index.h"
#include "online_int.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

#define ASIDE "migrate_old"

/* --- CREATE INDEX --- */

/* The text with CONCURRENTLY put in; NULL unless it then means what it did, concurrently. */
static char *
concurrent_text(const MigStatement *stmt, IndexStmt *index)
{
	char	   *text = mig_sql_insert(stmt->text, "index", 1, "CONCURRENTLY");
	IndexStmt  *meant = copyObject(index);
	List	   *parsed;

	if (text == NULL)
		return NULL;
	meant->concurrent = true;
	parsed = raw_parser(text, RAW_PARSE_DEFAULT);
	return list_length(parsed) == 1 && equal(linitial_node(RawStmt, parsed)->stmt, meant) ? text : NULL;
}

/* The old index of that name, which DROP INDEX has put aside; NULL if there is none. */
static MigName *
put_aside(const MigOnline *online, const IndexStmt *stmt)
{
	MigName    *old;

	if (stmt->idxname == NULL)
		return NULL;
	old = mig_overlay_find(online->overlay, online->name->nspname,
						   makeObjectName(stmt->idxname, NULL, ASIDE));
	return old->known && old->touched && OidIsValid(old->relid) ? old : NULL;
}

/* Its definition is that of the catalog, where it still has its former name. */
static void
drop_put_aside(List **parts, const MigName *old)
{
	MigPart    *part = mig_part(parts, "DROP INDEX CONCURRENTLY %s", old->text);
	char	   *sql = mig_undo_index(old->relid, false);
	IndexStmt  *stmt;
	MigName		table = {0};

	part->tightens = true;
	if (sql == NULL)
		return;
	stmt = castNode(IndexStmt, linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt);
	table.nspname = stmt->relation->schemaname;
	table.relname = stmt->relation->relname;
	table.text = mig_sql_qualified(table.nspname, table.relname);
	part->undo = mig_index_text(sql, stmt, old->relname, &table, true, false);
	part->undo_given = part->undo != NULL;
}

static List *
build_concurrently(MigOnline *online, IndexStmt *stmt)
{
	List	   *parts = NIL;
	List	   *before = NIL;
	char	   *duplicates = NULL;
	char	   *text;

	/* rows that it would refuse are looked for before anything is done */
	if (stmt->unique)
		duplicates = mig_index_duplicates(online->stmt->text, stmt, online->name->text);
	if (duplicates)
		mig_online_look(online, &before, InvalidOid, "23505", "%s", duplicates);
	mig_online_tighten(before);
	if (online->name->relkind == RELKIND_PARTITIONED_TABLE)
	{
		if (stmt->relation->inh)
			parts = mig_online_index_tree(online);
	}
	else
	{
		text = concurrent_text(online->stmt, stmt);
		if (text)
			mig_part(&parts, "%s", text)->tightens = true;
	}
	return parts == NIL ? NIL : list_concat(before, parts);
}

List *
mig_online_create_index(MigOnline *online)
{
	IndexStmt  *stmt = castNode(IndexStmt, online->node);
	List	   *parts = NIL;
	MigName    *old = put_aside(online, stmt);

	if (!OidIsValid(online->name->relid) || online->name->created ||
		IsCatalogRelationOid(online->name->relid) ||
		(stmt->idxname && stmt->if_not_exists &&
		 mig_overlay_target(online->overlay, online->name->nspname, stmt->idxname, false)->known))
		return NIL;
	if (!stmt->concurrent && (old || !mig_online_is_small(online)))
		parts = build_concurrently(online, stmt);
	if (old)
	{
		if (parts == NIL)
			(void) mig_part(&parts, "%s", online->stmt->text);
		drop_put_aside(&parts, old);
	}
	return parts;
}

/* --- DROP INDEX --- */

/* Does anything need it: a foreign key that was declared on its columns? */
static bool
has_dependents(Oid indexid)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(indexid));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2, keys);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* Can it be dropped concurrently, and is that worth while?  *note says why not, where that is of interest. */
static bool
can_drop_concurrently(const MigOnline *online, const MigName *name, char **note)
{
	MigIndex	index;

	*note = NULL;
	if (!OidIsValid(name->relid) || name->created)
		return false;
	index = mig_index_get(name->relid);
	if (!index.found || OidIsValid(index.constraint) || index.is_partition ||
		IsCatalogRelationOid(index.table) || mig_online_small_table(index.table))
		return false;
	if (index.partitioned)
		*note = "an index of a partitioned table cannot be dropped concurrently";
	else if (castNode(DropStmt, online->node)->behavior == DROP_CASCADE && has_dependents(name->relid))
		*note = "CASCADE cannot be combined with CONCURRENTLY";
	return *note == NULL;
}

/* Does a later statement, in the same block if there is one, make an index of that name? */
static bool
is_made_again(const MigOnline *online, const MigName *name)
{
	for (int i = online->stmt->index; i < list_length(online->statements); i++)
	{
		IndexStmt  *later = (IndexStmt *) ((MigStatement *) list_nth(online->statements, i))->raw->stmt;

		if (IsA(later, TransactionStmt))
			return false;
		if (IsA(later, IndexStmt) && later->idxname && strcmp(later->idxname, name->relname) == 0)
			return true;
	}
	return false;
}

static void
drop_one(const MigOnline *online, List **parts, const MigName *name, bool concurrently, char *note)
{
	DropStmt   *stmt = castNode(DropStmt, online->node);
	MigPart    *part;

	if (concurrently && is_made_again(online, name))
	{
		char	   *aside = makeObjectName(name->relname, NULL, ASIDE);

		part = mig_part(parts, "ALTER INDEX %s RENAME TO %s", name->text, mig_sql_name(aside));
		part->note = "dropped when the new one is there";
	}
	else
	{
		part = mig_part(parts, "DROP INDEX %s%s%s%s", concurrently ? "CONCURRENTLY " : "",
						stmt->missing_ok ? "IF EXISTS " : "", name->text,
						!concurrently && stmt->behavior == DROP_CASCADE ? " CASCADE" : "");
		part->note = note;
	}
	part->tightens = true;
}

List *
mig_online_drop_index(MigOnline *online)
{
	DropStmt   *stmt = castNode(DropStmt, online->node);
	List	   *parts = NIL;
	bool		any = false;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		List	   *names = lfirst_node(List, lc);
		char	   *nspname = list_length(names) > 1 ? strVal(list_nth(names, list_length(names) - 2)) : NULL;
		MigName    *name = mig_overlay_find(online->overlay, nspname, strVal(llast(names)));
		char	   *note;
		bool		concurrently = can_drop_concurrently(online, name, &note);

		drop_one(online, &parts, name, concurrently, note);
		any |= concurrently || note;
	}
	return any ? parts : NIL;
}
