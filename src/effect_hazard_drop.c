/*-------------------------------------------------------------------------
 *
 * effect_hazard_drop.c
 *	  What may go wrong with DROP: what clients lose, what goes along, what
 *	  keeps the server from doing it.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_type.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "statistics/statistics.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "dependents.h"
#include "effect_int.h"
#include "relation.h"

/* --- what depends on it --- */

/* Objects of relations that the same statement drops keep nothing back. */
static List *
without_dropped(List *objects, List *dropped)
{
	List	   *left = NIL;
	ListCell   *lc;

	foreach(lc, objects)
	{
		ObjectAddress *object = lfirst(lc);

		if (!list_member_oid(dropped, mig_dependents_relation(object)) &&
			!(object->classId == RelationRelationId && list_member_oid(dropped, object->objectId)))
			left = lappend(left, object);
	}
	return left;
}

static void
judge_dependents(MigWork *work, DropStmt *stmt, List *objects, const char *what, bool touched)
{
	objects = mig_effect_still_there(work, objects);
	if (objects == NIL || touched || mig_overlay_opaque(work->overlay))
		return;
	if (stmt->behavior == DROP_CASCADE)
	{
		mig_effect_hazard(work, MIG_HZ_DROPS_MORE, NULL, what, mig_dependents_text(objects));
		mig_effect_lock_dependents(work, objects);
	}
	else
		mig_effect_fails(work, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, -1,
						 "Change or drop these first.",
						 "cannot drop %s because other objects depend on it: %s",
						 what, mig_dependents_text(objects));
}

/* --- relations --- */

static MigHazardKind
kind_of(char relkind)
{
	switch (relkind)
	{
		case RELKIND_VIEW:
			return MIG_HZ_DROP_VIEW;
		case RELKIND_SEQUENCE:
			return MIG_HZ_DROP_SEQUENCE;
		default:
			return MIG_HZ_DROP_TABLE;
	}
}

static List *
oids_of(MigWork *work, DropStmt *stmt)
{
	List	   *oids = NIL;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		MigName    *name = mig_effect_name_of_list(work, lfirst_node(List, lc), 0, true);

		if (!OidIsValid(name->relid))
			continue;
		oids = lappend_oid(oids, name->relid);
		oids = list_concat(oids, mig_relation_children(name->relid));
	}
	return oids;
}

static void
drop_relation(MigWork *work, DropStmt *stmt, const MigName *name, List *dropped)
{
	Oid			parent;
	ListCell   *lc;
	List	   *objects = NIL;

	if (!OidIsValid(name->relid))
		return;
	mig_effect_hazard(work, kind_of(name->relkind), name, NULL, NULL);
	parent = mig_relation_parent(name->relid);
	if (OidIsValid(parent))
		mig_effect_hazard(work, MIG_HZ_DROP_PARTITION, name, NULL, mig_relation_text(parent));
	foreach(lc, mig_relation_indexes(name->relid))
		objects = list_concat(objects, mig_dependents_of_object(RelationRelationId, lfirst_oid(lc)));
	foreach(lc, dropped)
		if (lfirst_oid(lc) == name->relid)
			objects = list_concat(objects, mig_dependents_of_object(RelationRelationId, name->relid));
	if (OidIsValid(get_rel_type_id(name->relid)))
		objects = list_concat(objects, mig_dependents_of_object(TypeRelationId, get_rel_type_id(name->relid)));
	judge_dependents(work, stmt, without_dropped(objects, dropped), name->text, name->touched);
}

static void
drop_relations(MigWork *work, DropStmt *stmt)
{
	List	   *dropped = oids_of(work, stmt);
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		MigName    *name = mig_effect_name_of_list(work, lfirst_node(List, lc), 0, true);

		if (stmt->removeType == OBJECT_INDEX)
			mig_effect_hazard_drop_index(work, name, stmt->concurrent);
		else
			drop_relation(work, stmt, name, dropped);
	}
}

/* --- others --- */

static void
drop_type(MigWork *work, DropStmt *stmt, TypeName *type)
{
	char	   *name = mig_effect_object_name(work, type->names);
	Oid			typid = LookupTypeNameOid(NULL, type, true);
	List	   *objects;

	if (!OidIsValid(typid) || mig_overlay_made(work->overlay, psprintf("type %s", name)))
		return;
	mig_effect_hazard(work, MIG_HZ_DROP_TYPE, NULL, name, NULL);
	objects = mig_dependents_of_object(TypeRelationId, typid);
	if (OidIsValid(get_array_type(typid)))
		objects = list_concat(objects, mig_dependents_of_object(TypeRelationId, get_array_type(typid)));
	judge_dependents(work, stmt, objects, psprintf("type %s", name), false);
}

static void *
run_lookup(MigWork *work, void *arg)
{
	Oid		   *oid = palloc(sizeof(Oid));
	DropStmt   *stmt = castNode(DropStmt, work->stmt->raw->stmt);

	*oid = LookupFuncWithArgs(stmt->removeType, castNode(ObjectWithArgs, arg), true);
	return oid;
}

static void
drop_function(MigWork *work, DropStmt *stmt, ObjectWithArgs *function)
{
	char	   *name = mig_effect_object_name(work, function->objname);
	Oid		   *oid;

	if (mig_overlay_made(work->overlay, psprintf("function %s", name)) || !work->effect->contract)
		return;
	mig_effect_hazard(work, MIG_HZ_DROP_FUNCTION, NULL, name, NULL);
	oid = mig_expr_try(work, NULL, run_lookup, function, true);
	if (oid && OidIsValid(*oid))
		judge_dependents(work, stmt, mig_dependents_of_object(ProcedureRelationId, *oid),
						 psprintf("function %s", name), false);
}

static void
drop_schema(MigWork *work, DropStmt *stmt, const char *nspname)
{
	Oid			nspid = mig_overlay_schema_oid(work->overlay, nspname);

	if (!OidIsValid(nspid) || mig_overlay_made(work->overlay, psprintf("schema %s", nspname)))
		return;
	mig_effect_hazard(work, MIG_HZ_DROP_SCHEMA, NULL, nspname, NULL);
	if (stmt->behavior != DROP_CASCADE)
		judge_dependents(work, stmt, mig_dependents_of_object(NamespaceRelationId, nspid),
						 psprintf("schema %s", nspname), mig_overlay_mark(work->overlay) > 0);
}

/* The table whose rows it describes. */
static void
drop_statistics(MigWork *work, List *names)
{
	Oid			statid = get_statistics_object_oid(names, true);
	HeapTuple	tuple = SearchSysCache1(STATEXTOID, ObjectIdGetDatum(statid));
	Oid			relid;

	if (!HeapTupleIsValid(tuple))
		return;
	relid = ((Form_pg_statistic_ext) GETSTRUCT(tuple))->stxrelid;
	ReleaseSysCache(tuple);
	mig_effect_about(work, mig_effect_name_of_oid(work, relid), ShareUpdateExclusiveLock);
}

static void
drop_policy(MigWork *work, List *names)
{
	MigName    *name = mig_effect_name_of_list(work, names, 1, true);

	if (!OidIsValid(name->relid) || name->created || !mig_relation_has_row_security(name->relid))
		return;
	work->effect->breaks = true;
	mig_effect_hazard(work, MIG_HZ_ROW_VISIBILITY, name, "DROP POLICY", NULL);
}

void
mig_effect_hazard_drop(MigWork *work, DropStmt *stmt)
{
	ListCell   *lc;

	switch (stmt->removeType)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_FOREIGN_TABLE:
		case OBJECT_INDEX:
			drop_relations(work, stmt);
			return;
		default:
			break;
	}
	foreach(lc, stmt->objects)
	{
		Node	   *object = lfirst(lc);

		switch (stmt->removeType)
		{
			case OBJECT_TYPE:
			case OBJECT_DOMAIN:
				drop_type(work, stmt, castNode(TypeName, object));
				break;
			case OBJECT_FUNCTION:
			case OBJECT_PROCEDURE:
			case OBJECT_ROUTINE:
			case OBJECT_AGGREGATE:
				drop_function(work, stmt, castNode(ObjectWithArgs, object));
				break;
			case OBJECT_SCHEMA:
				drop_schema(work, stmt, strVal(object));
				break;
			case OBJECT_EXTENSION:
				if (work->effect->contract)
					mig_effect_hazard(work, MIG_HZ_DROP_EXTENSION, NULL, strVal(object), NULL);
				break;
			case OBJECT_STATISTIC_EXT:
				drop_statistics(work, castNode(List, object));
				break;
			case OBJECT_POLICY:
				drop_policy(work, castNode(List, object));
				break;
			default:
				break;
		}
	}
}
