/*-------------------------------------------------------------------------
 *
 * relation_key.c
 *	  Primary key, NOT NULL columns, and other properties of a table as a whole.
 *
 * Layer 1, with relation.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_index.h"
#include "commands/defrem.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "relation.h"

bool
mig_relation_is_not_null(Oid relid, AttrNumber column)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(column));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
	ReleaseSysCache(tuple);
	return result && mig_not_null_is_valid(relid, column);
}

Oid
mig_relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

static bool
is_key_on(Oid relid, Form_pg_index index, const List *columns)
{
	const ListCell *lc;

	if (!index->indisunique || !index->indisvalid || !index->indimmediate ||
		index->indnkeyatts != list_length(columns))
		return false;
	foreach(lc, columns)
	{
		AttrNumber	column = get_attnum(relid, strVal(lfirst(lc)));
		bool		found = false;

		for (int i = 0; i < index->indnkeyatts; i++)
			found |= column != InvalidAttrNumber && index->indkey.values[i] == column;
		if (!found)
			return false;
	}
	return true;
}

bool
mig_relation_has_key(Oid relid, const List *columns)
{
	bool		found = false;
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(relid))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tuple))
			continue;
		found |= heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
			is_key_on(relid, (Form_pg_index) GETSTRUCT(tuple), columns);
		ReleaseSysCache(tuple);
	}
	return found;
}

static bool
own_rows(Oid relid)
{
	char	   *name = mig_relation_text(relid);
	Snapshot	snapshot;
	Relation	rel;
	TableScanDesc scan;
	TupleTableSlot *slot;
	bool		found;

	if (!RELKIND_HAS_TABLE_AM(get_rel_relkind(relid)) || name == NULL || !mig_relation_lock(relid, name))
		return false;
	rel = table_open(relid, NoLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	slot = table_slot_create(rel, NULL);
	scan = table_beginscan(rel, snapshot, 0, NULL);
	found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	mig_relation_unlock(relid);
	return found;
}

bool
mig_relation_has_rows(Oid relid)
{
	ListCell   *lc;

	foreach(lc, lcons_oid(relid, mig_relation_children(relid)))
		if (own_rows(lfirst_oid(lc)))
			return true;
	return false;
}

List *
mig_relation_index_columns(Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Form_pg_index index;
	List	   *names = NIL;

	if (!HeapTupleIsValid(tuple))
		return NIL;
	index = (Form_pg_index) GETSTRUCT(tuple);
	for (int i = 0; i < index->indnkeyatts; i++)
	{
		if (index->indkey.values[i] == InvalidAttrNumber)
		{
			names = NIL;
			break;
		}
		names = lappend(names, makeString(get_attname(index->indrelid, index->indkey.values[i], false)));
	}
	ReleaseSysCache(tuple);
	return names;
}

/* As RelationGetPrimaryKeyIndex, for which the relation would have to be locked. */
List *
mig_relation_primary_key(Oid relid)
{
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(relid))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;
		bool		found;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		found = index->indisprimary && index->indisvalid && index->indimmediate;
		ReleaseSysCache(tuple);
		if (found)
			return mig_relation_index_columns(lfirst_oid(lc));
	}
	return NIL;
}

/* Are its columns in the order that "ORDER BY column" has? */
static bool
has_usual_order(HeapTuple tuple)
{
	Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);
	bool		isnull;
	oidvector  *collations;
	bool		usual = true;

	collations = (oidvector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indcollation, &isnull));
	for (int i = 0; usual && i < index->indnkeyatts; i++)
	{
		Oid			type;
		int32		typmod;
		Oid			collation;
		Oid			opclass;

		get_atttypetypmodcoll(index->indrelid, index->indkey.values[i], &type, &typmod, &collation);
		opclass = GetDefaultOpClass(type, BTREE_AM_OID);
		usual = collation == collations->values[i] && OidIsValid(opclass) &&
			get_opclass_family(opclass) == get_opclass_family(get_index_column_opclass(index->indexrelid, i + 1));
	}
	return usual;
}

static bool
is_key_to_go_by(Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Form_pg_index index;
	bool		usable;

	if (!HeapTupleIsValid(tuple))
		return false;
	index = (Form_pg_index) GETSTRUCT(tuple);
	usable = index->indisunique && index->indisvalid &&
		heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
		heap_attisnull(tuple, Anum_pg_index_indexprs, NULL);
	for (int i = 0; usable && i < index->indnkeyatts; i++)
		usable = mig_relation_is_not_null(index->indrelid, index->indkey.values[i]);
	usable = usable && has_usual_order(tuple);
	ReleaseSysCache(tuple);
	return usable;
}

List *
mig_relation_keys(Oid relid)
{
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(relid))
		if (is_key_to_go_by(lfirst_oid(lc)))
			keys = lappend(keys, mig_relation_index_columns(lfirst_oid(lc)));
	return keys;
}
