/*-------------------------------------------------------------------------
 *
 * dependents.c
 *	  What in the catalog needs a column, a relation, a type or a function.
 *
 * pg_depend tells, except of functions with a text body.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "dependents.h"
#include "relation.h"

#define SHOWN 5					/* objects in a message */

/* --- rows of pg_depend --- */

typedef struct DependScan
{
	Relation	catalog;
	SysScanDesc scan;
} DependScan;

static void
scan_begin(DependScan *scan, Oid classid, Oid objid, int subid, bool with_subid)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(classid));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(objid));
	ScanKeyInit(&keys[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(subid));
	scan->catalog = table_open(DependRelationId, AccessShareLock);
	scan->scan = systable_beginscan(scan->catalog, DependReferenceIndexId, true, NULL,
									with_subid ? 3 : 2, keys);
}

static Form_pg_depend
scan_next(DependScan *scan)
{
	HeapTuple	tuple = systable_getnext(scan->scan);

	return HeapTupleIsValid(tuple) ? (Form_pg_depend) GETSTRUCT(tuple) : NULL;
}

static void
scan_end(DependScan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->catalog, AccessShareLock);
}

static List *
add_object(List *objects, Oid classid, Oid objid, int subid)
{
	ObjectAddress *object;
	ListCell   *lc;

	foreach(lc, objects)
	{
		object = lfirst(lc);
		if (object->classId == classid && object->objectId == objid && object->objectSubId == subid)
			return objects;
	}
	object = palloc(sizeof(ObjectAddress));
	ObjectAddressSubSet(*object, classid, objid, subid);
	return lappend(objects, object);
}

/* --- columns --- */

/* The default of another column can only be the expression of a generated one. */
static bool
is_other_column(Oid attrdef, Oid relid, AttrNumber attnum)
{
	ObjectAddress column = GetAttrDefaultColumnAddress(attrdef);

	return column.objectId != relid || column.objectSubId != attnum;
}

/* Does that kind of object keep the column as it is?  (RememberAllDependentForRebuilding in tablecmds.c) */
static bool
pins_type(const Form_pg_depend dep, Oid relid, AttrNumber attnum)
{
	switch (dep->classid)
	{
		case ProcedureRelationId:
		case RewriteRelationId:
		case TriggerRelationId:
		case PolicyRelationId:
		case PublicationRelRelationId:
			return true;
		case AttrDefaultRelationId:
			return is_other_column(dep->objid, relid, attnum);
		default:
			return false;
	}
}

/*
 * Of more than one column: goes with any of them.  What belongs to the column
 * alone goes as well, but nobody is surprised.
 */
static bool
goes_along(const Form_pg_depend dep)
{
	HeapTuple	tuple;
	bool		several = false;

	if (dep->classid == StatisticExtRelationId)
		return true;
	if (dep->classid == ConstraintRelationId)
	{
		bool		isnull;
		Datum		keys;

		tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(dep->objid));
		if (!HeapTupleIsValid(tuple))
			return false;
		keys = SysCacheGetAttr(CONSTROID, tuple, Anum_pg_constraint_conkey, &isnull);
		several = !isnull && ARR_DIMS(DatumGetArrayTypeP(keys))[0] > 1;
		ReleaseSysCache(tuple);
	}
	else if (dep->classid == RelationRelationId && OidIsValid(mig_relation_of_index(dep->objid)))
	{
		tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(dep->objid));
		several = ((Form_pg_index) GETSTRUCT(tuple))->indnatts > 1;
		ReleaseSysCache(tuple);
	}
	return several;
}

/* What goes silently keeps nothing back, even if it depends in another way as well (dependency.c). */
static List *
remove_object(List *objects, const Form_pg_depend dep)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		ObjectAddress *object = lfirst(lc);

		if (object->classId == dep->classid && object->objectId == dep->objid)
			return list_delete_cell(objects, lc);
	}
	return objects;
}

/* Those that depend in the ordinary way alone. */
static List *
keep_loud(List *objects, Oid classid, Oid objid, int subid, bool with_subid)
{
	DependScan	scan;
	Form_pg_depend dep;

	scan_begin(&scan, classid, objid, subid, with_subid);
	while ((dep = scan_next(&scan)) != NULL)
		if (dep->deptype != DEPENDENCY_NORMAL)
			objects = remove_object(objects, dep);
	scan_end(&scan);
	return objects;
}

List *
mig_dependents_of_column(Oid relid, AttrNumber attnum, MigUse use)
{
	List	   *objects = NIL;
	DependScan		scan;
	Form_pg_depend dep;

	scan_begin(&scan, RelationRelationId, relid, attnum, true);
	while ((dep = scan_next(&scan)) != NULL)
	{
		bool		wanted = false;

		switch (use)
		{
			case MIG_USE_TYPE:
				wanted = pins_type(dep, relid, attnum);
				break;
			case MIG_USE_DROP:
				wanted = dep->deptype == DEPENDENCY_NORMAL;
				break;
			case MIG_USE_GOES:
				wanted = dep->deptype == DEPENDENCY_AUTO && goes_along(dep);
				break;
		}
		if (wanted)
			objects = add_object(objects, dep->classid, dep->objid, dep->objsubid);
	}
	scan_end(&scan);
	if (use == MIG_USE_DROP)
		objects = keep_loud(objects, RelationRelationId, relid, attnum, true);
	return objects;
}

/* Functions that came with a range type, and go with it. */
static bool
is_constructor(const Form_pg_depend dep)
{
	Relation	catalog;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	if (dep->classid != ProcedureRelationId)
		return false;
	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(dep->classid));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(dep->objid));
	catalog = table_open(DependRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, DependDependerIndexId, true, NULL, 2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = ((Form_pg_depend) GETSTRUCT(tuple))->deptype == DEPENDENCY_INTERNAL;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

List *
mig_dependents_of_object(Oid classid, Oid objid)
{
	List	   *objects = NIL;
	DependScan		scan;
	Form_pg_depend dep;

	scan_begin(&scan, classid, objid, 0, false);
	while ((dep = scan_next(&scan)) != NULL)
		if (dep->deptype == DEPENDENCY_NORMAL &&
			!(dep->classid == classid && dep->objid == objid) && !is_constructor(dep))
			objects = add_object(objects, dep->classid, dep->objid, dep->objsubid);
	scan_end(&scan);
	return keep_loud(objects, classid, objid, 0, false);
}

Oid
mig_dependents_relation(const ObjectAddress *object)
{
	switch (object->classId)
	{
		case RelationRelationId:
			return object->objectId;
		case RewriteRelationId:
			return mig_relation_of_rule(object->objectId);
		case ConstraintRelationId:
			return mig_relation_of_constraint(object->objectId);
		case AttrDefaultRelationId:
			return GetAttrDefaultColumnAddress(object->objectId).objectId;
		case TriggerRelationId:
			return mig_relation_of_trigger(object->objectId);
		default:
			return InvalidOid;
	}
}

char *
mig_dependents_text(List *objects)
{
	StringInfoData buf;
	int			shown = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, objects)
	{
		char	   *text = getObjectDescription(lfirst(lc), true);

		if (text == NULL)
			continue;
		if (shown++ == SHOWN)
		{
			appendStringInfo(&buf, " and %d more", list_length(objects) - SHOWN);
			break;
		}
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", text);
	}
	return buf.data;
}

bool
mig_dependents_partition_key(Oid relid, AttrNumber attnum)
{
	Relation	rel;
	bool		in_expression;
	bool		found = false;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE ||
		!mig_relation_lock(relid, mig_relation_text(relid)))
		return false;
	rel = RelationIdGetRelation(relid);
	if (rel)
	{
		found = has_partition_attrs(rel, bms_make_singleton(attnum - FirstLowInvalidHeapAttributeNumber),
									&in_expression);
		RelationClose(rel);
	}
	mig_relation_unlock(relid);
	return found;
}

/* --- types --- */

static bool
stores_rows(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	return relkind == RELKIND_RELATION || relkind == RELKIND_MATVIEW;
}

static char *
column_of_type(Oid typid)
{
	DependScan		scan;
	Form_pg_depend dep;
	char	   *found = NULL;

	scan_begin(&scan, TypeRelationId, typid, 0, true);
	while (found == NULL && (dep = scan_next(&scan)) != NULL)
		if (dep->classid == RelationRelationId && dep->objsubid > 0 && stores_rows(dep->objid))
			found = psprintf("%s.%s", mig_relation_text(dep->objid),
							 quote_identifier(get_attname(dep->objid, dep->objsubid, false)));
	scan_end(&scan);
	return found;
}

char *
mig_dependents_row_type(Oid relid)
{
	Oid			typid = get_rel_type_id(relid);
	char	   *found = NULL;

	if (!OidIsValid(typid))
		return NULL;
	found = column_of_type(typid);
	if (found == NULL && OidIsValid(get_array_type(typid)))
		found = column_of_type(get_array_type(typid));
	return found;
}

List *
mig_dependents_typed_tables(Oid typid)
{
	List	   *tables = NIL;
	DependScan	scan;
	Form_pg_depend dep;

	scan_begin(&scan, TypeRelationId, typid, 0, true);
	while ((dep = scan_next(&scan)) != NULL)
		if (dep->classid == RelationRelationId && dep->objsubid == 0 && dep->deptype == DEPENDENCY_NORMAL)
			tables = list_append_unique_oid(tables, dep->objid);
	scan_end(&scan);
	return tables;
}

/* The element, range or composite type that holds values of another one. */
static bool
holds_values(Oid typid)
{
	char		typtype = get_typtype(typid);

	return typtype == TYPTYPE_COMPOSITE || typtype == TYPTYPE_RANGE || typtype == TYPTYPE_MULTIRANGE;
}

static void
collect_tables(Oid typid, bool inside, List **tables, char **nested)
{
	List	   *types = NIL;
	DependScan		scan;
	Form_pg_depend dep;
	ListCell   *lc;

	scan_begin(&scan, TypeRelationId, typid, 0, true);
	while ((dep = scan_next(&scan)) != NULL)
	{
		if (dep->classid == TypeRelationId)
			types = list_append_unique_oid(types, dep->objid);
		else if (dep->classid != RelationRelationId || dep->objsubid <= 0)
			continue;
		else if (get_rel_relkind(dep->objid) == RELKIND_COMPOSITE_TYPE)
			types = list_append_unique_oid(types, get_rel_type_id(dep->objid));
		else if (!stores_rows(dep->objid))
			continue;
		else if (!inside)
			*tables = list_append_unique_oid(*tables, dep->objid);
		else if (*nested == NULL)
			*nested = psprintf("%s.%s", mig_relation_text(dep->objid),
							   quote_identifier(get_attname(dep->objid, dep->objsubid, false)));
	}
	scan_end(&scan);

	/* an array depends on its element internally, and has no row of its own kind */
	if (OidIsValid(get_array_type(typid)))
		collect_tables(get_array_type(typid), true, tables, nested);
	foreach(lc, types)
	{
		Oid			other = lfirst_oid(lc);

		if (get_typtype(other) == TYPTYPE_DOMAIN)
			collect_tables(other, inside, tables, nested);
		else if (holds_values(other))
			collect_tables(other, true, tables, nested);
	}
}

List *
mig_dependents_tables_of_type(Oid typid, char **nested)
{
	List	   *tables = NIL;

	*nested = NULL;
	collect_tables(typid, false, &tables, nested);
	return tables;
}

/* --- functions --- */

char *
mig_dependents_of_function(Oid procid, Oid *relid)
{
	DependScan		scan;
	Form_pg_depend dep;
	char	   *found = NULL;

	scan_begin(&scan, ProcedureRelationId, procid, 0, true);
	while (found == NULL && (dep = scan_next(&scan)) != NULL)
	{
		ObjectAddress object;

		*relid = InvalidOid;
		if (dep->classid == RelationRelationId)
			*relid = mig_relation_of_index(dep->objid);
		else if (dep->classid == ConstraintRelationId)
			*relid = mig_relation_of_constraint(dep->objid);
		else if (dep->classid == AttrDefaultRelationId)
		{
			ObjectAddress column = GetAttrDefaultColumnAddress(dep->objid);

			if (get_attgenerated(column.objectId, column.objectSubId) == ATTRIBUTE_GENERATED_STORED)
				*relid = column.objectId;
		}
		if (!OidIsValid(*relid))
			continue;
		ObjectAddressSet(object, dep->classid, dep->objid);
		found = getObjectDescription(&object, true);
	}
	scan_end(&scan);
	return found;
}
