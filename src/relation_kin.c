/*-------------------------------------------------------------------------
 *
 * relation_kin.c
 *	  What the catalog says about where a relation comes from: its type, its
 *	  parents, its publications.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_publication.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"

#include "compat.h"
#include "relation.h"

bool
mig_relation_is_typed(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		typed;

	if (!HeapTupleIsValid(tuple))
		return false;
	typed = OidIsValid(((Form_pg_class) GETSTRUCT(tuple))->reloftype);
	ReleaseSysCache(tuple);
	return typed;
}

bool
mig_relation_column_is_inherited(Oid relid, const char *colname)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, colname);
	bool		inherited;

	if (!HeapTupleIsValid(tuple))
		return false;
	inherited = ((Form_pg_attribute) GETSTRUCT(tuple))->attinhcount > 0;
	ReleaseSysCache(tuple);
	return inherited;
}

bool
mig_relation_is_in_publication(Oid relid)
{
	return GetRelationPublications(relid) != NIL;
}

/* pg_inherits of a child: is there a row, is one pending? */
static bool
find_parent(Oid relid, bool pending)
{
	Relation	catalog = table_open(InheritsRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		found |= !pending || ((Form_pg_inherits) GETSTRUCT(tuple))->inhdetachpending;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

bool
mig_relation_has_parent(Oid relid)
{
	return find_parent(relid, false);
}

bool
mig_relation_detach_pending(Oid relid)
{
	return find_parent(relid, true);
}

bool
mig_relation_lacks_check(Oid relid, Oid parent)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	bool		lacks = false;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(parent));
	scan = systable_beginscan(catalog, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);
		MigConstraint own;

		if (con->contype != CONSTRAINT_CHECK || con->connoinherit)
			continue;
		lacks |= !mig_relation_constraint(relid, NameStr(con->conname), &own) || own.contype != CONSTRAINT_CHECK;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return lacks;
}
