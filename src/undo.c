/*-------------------------------------------------------------------------
 *
 * undo.c
 *	  Reading a piece of the catalog as the SQL that would make it.
 *
 * The server's own deparser writes it, under a search_path that hides all
 * that is not the server's, so that every name comes out qualified.  What the
 * deparser has no function for is put together by queries on the catalogs.
 *
 * Both open relations; those that are known before are locked conditionally,
 * for the rest a lock_timeout of a millisecond stands in.  All of it happens
 * in a subtransaction that is rolled back: no lock stays.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "relation.h"
#include "sqlgen.h"
#include "undo_int.h"

/* --- reading --- */

static void
lock_or_complain(Oid relid)
{
	char	   *name = mig_relation_text(relid);

	if (name)
		(void) mig_relation_lock(relid, name);
}

/* The relations in the definition of an object; a view's definition is that of its rules. */
static void
lock_what_it_reads(Oid classid, Oid objid)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *relids = NIL;
	List	   *rules = NIL;
	ListCell   *lc;

	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(classid));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(objid));
	scan = systable_beginscan(catalog, DependDependerIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (((Form_pg_depend) GETSTRUCT(tuple))->refclassid == RelationRelationId)
			relids = list_append_unique_oid(relids, ((Form_pg_depend) GETSTRUCT(tuple))->refobjid);
	systable_endscan(scan);
	if (classid == RelationRelationId)
	{
		ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(classid));
		ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(objid));
		scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2, keys);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
			if (((Form_pg_depend) GETSTRUCT(tuple))->classid == RewriteRelationId &&
				((Form_pg_depend) GETSTRUCT(tuple))->deptype == DEPENDENCY_INTERNAL)
				rules = list_append_unique_oid(rules, ((Form_pg_depend) GETSTRUCT(tuple))->objid);
		systable_endscan(scan);
		relids = list_append_unique_oid(relids, objid);
	}
	table_close(catalog, AccessShareLock);
	foreach(lc, relids)
		lock_or_complain(lfirst_oid(lc));
	foreach(lc, rules)
		lock_what_it_reads(RewriteRelationId, lfirst_oid(lc));
}

void
mig_reading_begin(MigReading *reading, Oid classid, Oid objid)
{
	reading->context = CurrentMemoryContext;
	reading->owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(reading->context);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (OidIsValid(objid))
		lock_what_it_reads(classid, objid);
	(void) set_config_option("lock_timeout", "1ms", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	PushActiveSnapshot(GetLatestSnapshot());
}

void
mig_reading_end(MigReading *reading)
{
	PopActiveSnapshot();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(reading->context);
	CurrentResourceOwner = reading->owner;
}

/* The server's own look-up, which raises errors for what is ambiguous and the like. */
bool
mig_undo_find(ObjectType type, Node *object, ObjectAddress *address)
{
	MigReading	reading = {CurrentMemoryContext, CurrentResourceOwner};
	Relation	rel = NULL;
	Node	   *name;
	volatile bool found = false;

	if (object == NULL)
		return false;
	/* RENAME and OWNER TO name a type by a list, COMMENT and DROP by a TypeName */
	name = (type == OBJECT_TYPE || type == OBJECT_DOMAIN) && IsA(object, List) ?
		(Node *) makeTypeNameFromNameList((List *) object) : copyObject(object);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(reading.context);
	PG_TRY();
	{
		(void) set_config_option("lock_timeout", "1ms", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		*address = get_object_address(type, name, &rel, AccessShareLock, true);
		if (rel)
			relation_close(rel, NoLock);
		found = OidIsValid(address->objectId);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(reading.context);
		if (geterrcode() == ERRCODE_QUERY_CANCELED || geterrcode() == ERRCODE_LOCK_NOT_AVAILABLE)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(reading.context);
	CurrentResourceOwner = reading.owner;
	return found;
}

/* --- queries --- */

typedef struct KeptPlan
{
	const char *sql;			/* hash key: the address */
	SPIPlanPtr	plan;
} KeptPlan;

static HTAB *kept_plans = NULL;

static SPIPlanPtr
kept_plan(const char *sql)
{
	Oid			types[2] = {OIDOID, TEXTOID};
	KeptPlan   *entry;
	bool		found;
	SPIPlanPtr	plan;

	if (kept_plans == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(char *);
		ctl.entrysize = sizeof(KeptPlan);
		kept_plans = hash_create("catalog queries of migrate", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(kept_plans, &sql, HASH_FIND, NULL);
	if (entry)
		return entry->plan;
	plan = SPI_prepare(sql, 2, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	entry = hash_search(kept_plans, &sql, HASH_ENTER, &found);
	entry->plan = plan;
	return plan;
}

List *
mig_undo_select_text(const char *sql, Oid arg, const char *text)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[2] = {ObjectIdGetDatum(arg)};
	char		nulls[2] = {' ', 'n'};
	List	   *result = NIL;

	if (text)
	{
		values[1] = CStringGetTextDatum(text);
		nulls[1] = ' ';
	}
	SPI_connect();
	if (SPI_execute_plan(kept_plan(sql), values, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "a query on the catalogs did not select");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *value = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext spi = MemoryContextSwitchTo(caller);

		if (value)
			result = lappend(result, pstrdup(value));
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return result;
}

List *
mig_undo_select(const char *sql, Oid arg)
{
	return mig_undo_select_text(sql, arg, NULL);
}

char *
mig_undo_value_text(const char *sql, Oid arg, const char *text)
{
	List	   *rows = mig_undo_select_text(sql, arg, text);

	return rows == NIL ? NULL : linitial(rows);
}

char *
mig_undo_value(const char *sql, Oid arg)
{
	return mig_undo_value_text(sql, arg, NULL);
}

/* --- the deparser's pieces --- */

char *
mig_undo_constraint(Oid relid, Oid conoid)
{
	MigReading	reading;
	char	   *sql;

	mig_reading_begin(&reading, RelationRelationId, relid);
	sql = pg_get_constraintdef_command(conoid);
	mig_reading_end(&reading);
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
	MigReading	reading;
	StringInfoData sql;

	if (!OidIsValid(relid) || OidIsValid(get_index_constraint(indexid)))
		return NULL;
	initStringInfo(&sql);
	mig_reading_begin(&reading, RelationRelationId, relid);
	appendStringInfoString(&sql, pg_get_indexdef_string(indexid));
	mig_reading_end(&reading);
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
	MigReading	reading;
	char	   *sql;

	mig_reading_begin(&reading, RelationRelationId, relid);
	sql = TextDatumGetCString(DirectFunctionCall2(pg_get_expr, tree, ObjectIdGetDatum(relid)));
	mig_reading_end(&reading);
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
	MigReading	reading;
	char	   *sql;

	mig_reading_begin(&reading, ProcedureRelationId, procid);
	sql = TextDatumGetCString(DirectFunctionCall1(pg_get_functiondef, ObjectIdGetDatum(procid)));
	mig_reading_end(&reading);
	return sql;
}
