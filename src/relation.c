/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  What the catalog says about a relation: its size, its tree, who refers
 *	  to it.
 *
 * Reads the system catalogs as they are now.  The file of a relation is only
 * looked at under AccessShareLock, which is taken without waiting and given
 * back at once, so that a plan over thousands of relations does not fill the
 * lock table and keeps nobody waiting.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/partition.h"
#include "executor/tuptable.h"
#include "nodes/nodeFuncs.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "lock_holders.h"
#include "relation.h"

bool
mig_relation_lock(Oid relid, const char *name)
{
	if (!ConditionalLockRelationOid(relid, AccessShareLock))
	{
		char	   *holders = mig_lock_holders(relid, AccessShareLock);

		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not look at relation \"%s\": it is locked", name),
				 holders ? errdetail("It is held by %s.", holders) : 0,
				 errhint("Try again when that transaction has ended.")));
	}
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		return true;
	UnlockRelationOid(relid, AccessShareLock);
	return false;
}

void
mig_relation_unlock(Oid relid)
{
	UnlockRelationOid(relid, AccessShareLock);
}

/* Of one relation with storage; false if it has none, or has gone. */
static bool
own_size(Oid relid, const char *name, int64 *rows, int64 *bytes)
{
	Relation	rel;

	if (!mig_relation_lock(relid, name))
		return false;
	rel = RelationIdGetRelation(relid);
	*rows = -1;
	*bytes = -1;
	if (rel != NULL && RELKIND_HAS_STORAGE(rel->rd_rel->relkind))
	{
		*bytes = (int64) RelationGetNumberOfBlocks(rel) * BLCKSZ;
		if (rel->rd_rel->reltuples >= 0)
			*rows = (int64) rel->rd_rel->reltuples;
		else if (*bytes == 0)
			*rows = 0;
	}
	if (rel != NULL)
		RelationClose(rel);
	mig_relation_unlock(relid);
	return *bytes >= 0;
}

void
mig_relation_size(Oid relid, const char *name, int64 *rows, int64 *bytes)
{
	char		relkind = get_rel_relkind(relid);
	ListCell   *lc;

	*rows = *bytes = -1;
	if (relkind == RELKIND_INDEX || relkind == RELKIND_SEQUENCE)
		return;
	if (!RELKIND_HAS_PARTITIONS(relkind))
	{
		own_size(relid, name, rows, bytes);
		return;
	}
	if (relkind != RELKIND_PARTITIONED_TABLE)
		return;

	*rows = *bytes = 0;
	foreach(lc, mig_relation_children(relid))
	{
		int64		r,
					b;
		char	   *text = mig_relation_text(lfirst_oid(lc));

		if (text == NULL || !own_size(lfirst_oid(lc), text, &r, &b))
			continue;
		*bytes += b;
		*rows = *rows < 0 || r < 0 ? -1 : *rows + r;
	}
}

char *
mig_relation_text(Oid relid)
{
	char	   *relname = get_rel_name(relid);
	char	   *nspname = get_namespace_name(get_rel_namespace(relid));

	if (relname == NULL || nspname == NULL)
		return NULL;
	return quote_qualified_identifier(nspname, relname);
}

Oid
mig_relation_by_name(const char *name)
{
	char	   *schema;
	char	   *relation;
	Oid			namespace;

	DeconstructQualifiedName(mig_qualified_name(name), &schema, &relation);
	if (schema == NULL)
		return RelnameGetRelid(relation);
	namespace = LookupNamespaceNoError(schema);
	return OidIsValid(namespace) ? get_relname_relid(relation, namespace) : InvalidOid;
}

List *
mig_relation_children(Oid relid)
{
	return list_delete_oid(find_all_inheritors(relid, NoLock, NULL), relid);
}

Oid
mig_relation_parent(Oid relid)
{
	return get_rel_relispartition(relid) ? get_partition_parent(relid, true) : InvalidOid;
}

Oid
mig_relation_of_index(Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Oid			relid = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		relid = ((Form_pg_index) GETSTRUCT(tuple))->indrelid;
		ReleaseSysCache(tuple);
	}
	return relid;
}

/* Rows of a catalog whose column is relid, the first of one of its indexes. */
typedef struct Rows
{
	Relation	catalog;
	SysScanDesc scan;
} Rows;

static void
rows_begin(Rows *rows, Oid catalog, Oid index, AttrNumber column, Oid relid)
{
	ScanKeyData key;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	rows->catalog = table_open(catalog, AccessShareLock);
	rows->scan = systable_beginscan(rows->catalog, index, true, NULL, 1, &key);
}

static void
rows_end(Rows *rows)
{
	systable_endscan(rows->scan);
	table_close(rows->catalog, AccessShareLock);
}

Oid
mig_relation_of_rule(Oid ruleid)
{
	Oid			relid = InvalidOid;
	Rows		rows;
	HeapTuple	tuple;

	rows_begin(&rows, RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid, ruleid);
	if (HeapTupleIsValid(tuple = systable_getnext(rows.scan)))
		relid = ((Form_pg_rewrite) GETSTRUCT(tuple))->ev_class;
	rows_end(&rows);
	return relid;
}

List *
mig_relation_indexes(Oid relid)
{
	List	   *indexes = NIL;
	Rows		rows;
	HeapTuple	tuple;

	rows_begin(&rows, IndexRelationId, IndexIndrelidIndexId, Anum_pg_index_indrelid, relid);
	while (HeapTupleIsValid(tuple = systable_getnext(rows.scan)))
		indexes = lappend_oid(indexes, ((Form_pg_index) GETSTRUCT(tuple))->indexrelid);
	rows_end(&rows);
	return indexes;
}

/* --- foreign keys --- */

static List *
numbers_of(HeapTuple tuple, int column)
{
	List	   *numbers = NIL;
	bool		isnull;
	Datum		datum = SysCacheGetAttr(CONSTROID, tuple, column, &isnull);
	ArrayType  *array;

	if (isnull)
		return NIL;
	array = DatumGetArrayTypeP(datum);
	for (int i = 0; i < ARR_DIMS(array)[0]; i++)
		numbers = lappend_int(numbers, ((int16 *) ARR_DATA_PTR(array))[i]);
	return numbers;
}

static List *
add_foreign_key(List *keys, Oid conoid)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(conoid));
	Form_pg_constraint con;
	MigForeignKey *key;

	if (!HeapTupleIsValid(tuple))
		return keys;
	con = (Form_pg_constraint) GETSTRUCT(tuple);
	if (con->contype == CONSTRAINT_FOREIGN)
	{
		key = palloc0(sizeof(MigForeignKey));
		key->conoid = conoid;
		key->conname = pstrdup(NameStr(con->conname));
		key->from = con->conrelid;
		key->to = con->confrelid;
		key->validated = con->convalidated;
		key->inherited = OidIsValid(con->conparentid);
		key->from_columns = numbers_of(tuple, Anum_pg_constraint_conkey);
		key->to_columns = numbers_of(tuple, Anum_pg_constraint_confkey);
		keys = lappend(keys, key);
	}
	ReleaseSysCache(tuple);
	return keys;
}

/*
 * pg_constraint has no index on confrelid; the triggers on the referenced
 * side lead to the keys that refer to it.
 */
List *
mig_relation_foreign_keys(Oid relid)
{
	List	   *conoids = NIL;
	List	   *keys = NIL;
	Rows		rows;
	HeapTuple	tuple;
	ListCell   *lc;

	rows_begin(&rows, ConstraintRelationId, ConstraintRelidTypidNameIndexId,
			   Anum_pg_constraint_conrelid, relid);
	while (HeapTupleIsValid(tuple = systable_getnext(rows.scan)))
		if (((Form_pg_constraint) GETSTRUCT(tuple))->contype == CONSTRAINT_FOREIGN)
			conoids = list_append_unique_oid(conoids, ((Form_pg_constraint) GETSTRUCT(tuple))->oid);
	rows_end(&rows);

	rows_begin(&rows, TriggerRelationId, TriggerRelidNameIndexId, Anum_pg_trigger_tgrelid, relid);
	while (HeapTupleIsValid(tuple = systable_getnext(rows.scan)))
		if (OidIsValid(((Form_pg_trigger) GETSTRUCT(tuple))->tgconstraint))
			conoids = list_append_unique_oid(conoids, ((Form_pg_trigger) GETSTRUCT(tuple))->tgconstraint);
	rows_end(&rows);

	foreach(lc, conoids)
		keys = add_foreign_key(keys, lfirst_oid(lc));
	return keys;
}

bool
mig_relation_has_triggers(Oid relid)
{
	Rows		rows;
	HeapTuple	tuple;
	bool		found = false;

	rows_begin(&rows, TriggerRelationId, TriggerRelidNameIndexId, Anum_pg_trigger_tgrelid, relid);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(rows.scan)))
		found = !((Form_pg_trigger) GETSTRUCT(tuple))->tgisinternal;
	rows_end(&rows);
	return found;
}

/* --- constraints and columns --- */

bool
mig_relation_constraint(Oid relid, const char *conname, MigConstraint *constraint)
{
	Oid			oid = get_relation_constraint_oid(relid, conname, true);
	HeapTuple	tuple;
	Form_pg_constraint con;

	if (!OidIsValid(oid))
		return false;
	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(tuple))
		return false;
	con = (Form_pg_constraint) GETSTRUCT(tuple);
	constraint->oid = oid;
	constraint->contype = con->contype;
	constraint->validated = con->convalidated;
	constraint->enforced = mig_constraint_is_enforced(con);
	constraint->no_inherit = con->connoinherit;
	constraint->inherited = con->coninhcount > 0;
	constraint->index = con->conindid;
	constraint->refers_to = con->confrelid;
	ReleaseSysCache(tuple);
	return true;
}

AttrNumber
mig_relation_column(Oid relid, const char *colname)
{
	return get_attnum(relid, colname);
}

static bool
says_not_null(Node *expr, AttrNumber column)
{
	if (expr == NULL)
		return false;
	if (is_andclause(expr))
	{
		ListCell   *lc;

		foreach(lc, ((BoolExpr *) expr)->args)
			if (says_not_null(lfirst(lc), column))
				return true;
		return false;
	}
	if (IsA(expr, NullTest))
	{
		NullTest   *test = (NullTest *) expr;

		return test->nulltesttype == IS_NOT_NULL && !test->argisrow &&
			IsA(test->arg, Var) && ((Var *) test->arg)->varattno == column;
	}
	return false;
}

/*
 * The server proves more (ConstraintImpliedByRelConstraint in tablecmds.c),
 * but folds the expressions of constraints for it, which can run functions.
 */
bool
mig_relation_proves_not_null(Oid relid, AttrNumber column)
{
	Rows		rows;
	HeapTuple	tuple;
	bool		found = false;

	rows_begin(&rows, ConstraintRelationId, ConstraintRelidTypidNameIndexId,
			   Anum_pg_constraint_conrelid, relid);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(rows.scan)))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);
		Datum		bin;
		bool		isnull;

		if (con->contype != CONSTRAINT_CHECK || !con->convalidated)
			continue;
		bin = heap_getattr(tuple, Anum_pg_constraint_conbin,
						   RelationGetDescr(rows.catalog), &isnull);
		if (!isnull)
			found = says_not_null(stringToNode(TextDatumGetCString(bin)), column);
	}
	rows_end(&rows);
	return found;
}

Oid
mig_relation_of_constraint(Oid conoid)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(conoid));
	Oid			relid = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		relid = ((Form_pg_constraint) GETSTRUCT(tuple))->conrelid;
		ReleaseSysCache(tuple);
	}
	return relid;
}

Oid
mig_relation_of_trigger(Oid trigid)
{
	Oid			relid = InvalidOid;
	Rows		rows;
	HeapTuple	tuple;

	rows_begin(&rows, TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, trigid);
	if (HeapTupleIsValid(tuple = systable_getnext(rows.scan)))
		relid = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
	rows_end(&rows);
	return relid;
}

/* --- replication --- */

static bool
has_index(Oid relid, bool identity)
{
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(relid))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		bool		found;

		if (!HeapTupleIsValid(tuple))
			continue;
		found = identity ? ((Form_pg_index) GETSTRUCT(tuple))->indisreplident :
			((Form_pg_index) GETSTRUCT(tuple))->indisprimary;
		ReleaseSysCache(tuple);
		if (found)
			return true;
	}
	return false;
}

bool
mig_relation_has_primary_key(Oid relid)
{
	return has_index(relid, false);
}

bool
mig_relation_has_identity(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	char		identity;

	if (!HeapTupleIsValid(tuple))
		return false;
	identity = ((Form_pg_class) GETSTRUCT(tuple))->relreplident;
	ReleaseSysCache(tuple);
	switch (identity)
	{
		case REPLICA_IDENTITY_FULL:
			return true;
		case REPLICA_IDENTITY_INDEX:
			return has_index(relid, true);
		case REPLICA_IDENTITY_DEFAULT:
			return has_index(relid, false);
		default:
			return false;
	}
}

bool
mig_relation_is_published(Oid relid)
{
	List	   *publications = list_concat(GetRelationPublications(relid), GetAllTablesPublications());
	ListCell   *lc;

	publications = list_concat(publications, GetSchemaPublications(get_rel_namespace(relid)));
	foreach(lc, publications)
	{
		Publication *publication = GetPublication(lfirst_oid(lc));

		if (publication->pubactions.pubupdate || publication->pubactions.pubdelete)
			return true;
	}
	return false;
}

/* --- guards --- */

bool
mig_relation_leads(Oid indexid, const List *columns)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Form_pg_index index;
	const ListCell *lc;
	bool		leads;

	if (!HeapTupleIsValid(tuple))
		return false;
	index = (Form_pg_index) GETSTRUCT(tuple);
	leads = index->indisvalid && heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
		list_length(columns) <= index->indnkeyatts;
	foreach(lc, columns)
	{
		bool		found = false;

		for (int i = 0; leads && i < list_length(columns); i++)
			found |= index->indkey.values[i] == lfirst_int(lc);
		leads &= found;
	}
	ReleaseSysCache(tuple);
	return leads;
}

bool
mig_relation_is_indexed(Oid relid, const List *columns, Oid except)
{
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(relid))
		if (lfirst_oid(lc) != except && mig_relation_leads(lfirst_oid(lc), columns))
			return true;
	return false;
}

bool
mig_relation_has_row_security(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;
		ReleaseSysCache(tuple);
	}
	return result;
}

List *
mig_relation_constraints_on(Oid relid, AttrNumber column)
{
	List	   *names = NIL;
	List	   *result = NIL;
	Rows		rows;
	HeapTuple	tuple;
	ListCell   *lc;

	rows_begin(&rows, ConstraintRelationId, ConstraintRelidTypidNameIndexId,
			   Anum_pg_constraint_conrelid, relid);
	while (HeapTupleIsValid(tuple = systable_getnext(rows.scan)))
		names = lappend(names, pstrdup(NameStr(((Form_pg_constraint) GETSTRUCT(tuple))->conname)));
	rows_end(&rows);

	foreach(lc, names)
	{
		Oid			conoid;
		Bitmapset  *columns = get_relation_constraint_attnos(relid, lfirst(lc), true, &conoid);

		if (bms_is_member(column - FirstLowInvalidHeapAttributeNumber, columns))
			result = lappend(result, lfirst(lc));
	}
	return result;
}
