/*-------------------------------------------------------------------------
 *
 * undo.c
 *	  What brings a piece of the catalog back as it is now, as SQL.
 *
 * The server's own deparser writes it, under a search_path that hides all
 * that is not the server's, so that every name comes out qualified.  It opens
 * the relation, which is therefore locked before, without waiting.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

/* Between these two names are deparsed with their schemas, and the relation cannot go. */
static bool
deparse_begin(Oid relid, int *level)
{
	char	   *name = mig_relation_text(relid);

	if (name == NULL || !mig_relation_lock(relid, name))
		return false;
	*level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return true;
}

static void
deparse_end(Oid relid, int level)
{
	AtEOXact_GUC(false, level);
	mig_relation_unlock(relid);
}

char *
mig_undo_constraint(Oid relid, Oid conoid)
{
	int			level;
	char	   *sql;

	if (!deparse_begin(relid, &level))
		return NULL;
	sql = pg_get_constraintdef_command(conoid);
	deparse_end(relid, level);
	return sql;
}

/* Of the index of a partitioned table: those of its partitions, too, which are attached to it. */
static void
append_partitions(StringInfo sql, Oid indexid)
{
	ListCell   *lc;

	foreach(lc, find_inheritance_children(indexid, NoLock))
	{
		char	   *part = mig_undo_index(lfirst_oid(lc), false);

		if (part)
			appendStringInfo(sql, "; %s; ALTER INDEX %s ATTACH PARTITION %s", part,
							 mig_relation_text(indexid), mig_relation_text(lfirst_oid(lc)));
	}
}

char *
mig_undo_index(Oid indexid, bool concurrently)
{
	Oid			relid = mig_relation_of_index(indexid);
	StringInfoData sql;
	int			level;

	if (!OidIsValid(relid) || OidIsValid(get_index_constraint(indexid)) ||
		!deparse_begin(relid, &level))
		return NULL;
	initStringInfo(&sql);
	appendStringInfoString(&sql, pg_get_indexdef_string(indexid));
	deparse_end(relid, level);
	if (get_rel_relkind(indexid) == RELKIND_PARTITIONED_INDEX)
	{
		char	   *own = mig_sql_insert(sql.data, "on", 1, "ONLY");

		resetStringInfo(&sql);
		appendStringInfoString(&sql, own);
		append_partitions(&sql, indexid);
	}
	else if (concurrently)
		return mig_sql_insert(sql.data, "index", 1, "CONCURRENTLY");
	return sql.data;
}

/* An expression of a relation as it is stored. */
static char *
deparse_expression_of(Oid relid, Datum tree)
{
	int			level;
	char	   *sql;

	if (!deparse_begin(relid, &level))
		return NULL;
	sql = TextDatumGetCString(DirectFunctionCall2(pg_get_expr, tree, ObjectIdGetDatum(relid)));
	deparse_end(relid, level);
	return sql;
}

char *
mig_undo_check(Oid relid, Oid conoid)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(conoid));
	Datum		tree;
	bool		isnull;
	char	   *sql = NULL;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	tree = SysCacheGetAttr(CONSTROID, tuple, Anum_pg_constraint_conbin, &isnull);
	if (!isnull)
		sql = deparse_expression_of(relid, tree);
	ReleaseSysCache(tuple);
	return sql;
}

char *
mig_undo_default(Oid relid, AttrNumber column)
{
	Relation	catalog = table_open(AttrDefaultRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;
	char	   *sql = NULL;

	ScanKeyInit(&keys[0], Anum_pg_attrdef_adrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_attrdef_adnum, BTEqualStrategyNumber, F_INT2EQ,
				Int16GetDatum(column));
	scan = systable_beginscan(catalog, AttrDefaultIndexId, true, NULL, 2, keys);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		tree = heap_getattr(tuple, Anum_pg_attrdef_adbin, RelationGetDescr(catalog), &isnull);

		if (!isnull)
			sql = deparse_expression_of(relid, tree);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return sql;
}

char *
mig_undo_bound(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Datum		tree;
	bool		isnull;
	char	   *sql = NULL;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	tree = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relpartbound, &isnull);
	if (!isnull)
		sql = deparse_expression_of(relid, tree);
	ReleaseSysCache(tuple);
	return sql;
}

char *
mig_undo_function(Oid procid)
{
	int			level = NewGUCNestLevel();
	char	   *sql;

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	sql = TextDatumGetCString(DirectFunctionCall1(pg_get_functiondef, ObjectIdGetDatum(procid)));
	AtEOXact_GUC(false, level);
	return sql;
}
