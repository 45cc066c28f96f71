/*-------------------------------------------------------------------------
 *
 * effect_drop.c
 *	  DROP, and the commands that strike whole tables: TRUNCATE, LOCK, DROP
 *	  OWNED, REASSIGN OWNED.
 *
 * What existed before the migration breaks old clients when it goes.  What
 * holds no rows is brought back as the catalog has it.
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
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/policy.h"
#include "commands/trigger.h"
#include "parser/parse_type.h"
#include "rewrite/rewriteSupport.h"
#include "utils/acl.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "effect_int.h"
#include "index.h"
#include "relation.h"
#include "undo.h"

/* --- what depends on it --- */

/* Views and rules whose definition needs an object, and theirs in turn; tables with a column of a type. */
static void
lock_dependents(MigWork *work, Oid classid, Oid objid, int depth)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *found = NIL;
	ListCell   *lc;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(classid));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(objid));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend dep = (Form_pg_depend) GETSTRUCT(tuple);

		if (dep->classid == RewriteRelationId)
			found = list_append_unique_oid(found, mig_relation_of_rule(dep->objid));
		else if (dep->classid == RelationRelationId && classid == TypeRelationId)
			found = list_append_unique_oid(found, dep->objid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);

	foreach(lc, found)
	{
		if (!OidIsValid(lfirst_oid(lc)) || lfirst_oid(lc) == objid)
			continue;
		mig_effect_lock_oid(work, lfirst_oid(lc), AccessExclusiveLock);
		if (depth < 10)
			lock_dependents(work, RelationRelationId, lfirst_oid(lc), depth + 1);
	}
}

/* The other side of foreign keys, the parent, the children. */
static void
lock_around(MigWork *work, const MigName *name)
{
	Oid			parent = mig_relation_parent(name->relid);
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(name->relid))
	{
		MigForeignKey *key = lfirst(lc);

		mig_effect_lock_oid(work, key->from == name->relid ? key->to : key->from,
							AccessExclusiveLock);
	}
	if (OidIsValid(parent))
	{
		Oid			other = get_default_partition_oid(parent);

		/* what the default partition may have changes with its neighbours */
		if (OidIsValid(other))
			mig_effect_lock_oid(work, other, AccessExclusiveLock);
		mig_effect_lock_oid(work, parent, AccessExclusiveLock);
	}
	mig_effect_lock_children(work, name, AccessExclusiveLock);
	mig_effect_lock_owned_sequences(work, name->relid);
}

/* --- relations --- */

/* What another object is made of goes with that one alone, CASCADE or not. */
static void
refuse_drop_of_part(MigWork *work, DropStmt *stmt, const MigName *name, const MigIndex *index,
					const MigName *of)
{
	if (of->touched || name->touched || mig_overlay_opaque(work->overlay))
		return;
	if (OidIsValid(index->constraint))
		mig_effect_fails(work, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, -1,
						 "You can drop the constraint instead.",
						 "cannot drop index %s because constraint \"%s\" on table %s requires it",
						 name->text, get_constraint_name(index->constraint), of->text);
	if (index->is_partition &&
		mig_effect_name_of_oid(work, mig_relation_parent(name->relid))->known)
		mig_effect_fails(work, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, -1,
						 "You can drop that index instead.",
						 "cannot drop index %s because index %s requires it", name->text,
						 mig_relation_text(mig_relation_parent(name->relid)));
	if (index->partitioned && stmt->concurrent)
		mig_effect_fails(work, ERRCODE_FEATURE_NOT_SUPPORTED, -1, "Leave out CONCURRENTLY.",
						 "cannot drop partitioned index %s concurrently", name->text);
}

/* The indexes of the partitions go with that of the table. */
static void
drop_attached(MigWork *work, const MigName *name)
{
	ListCell   *lc;

	foreach(lc, mig_relation_children(name->relid))
	{
		MigName    *part = mig_effect_name_of_oid(work, lfirst_oid(lc));
		MigChange  *change = mig_effect_add_change(work, MIG_DROPS);

		change->nspname = part->nspname;
		change->relname = part->relname;
		change->relkind = part->relkind;
	}
}

static void
brings_back(MigWork *work, DropStmt *stmt, Oid classid, Oid objid)
{
	ObjectAddress address = {classid, objid, 0};

	if (OidIsValid(objid))
		mig_effect_brings_back(work, &address, stmt);
	else
		mig_effect_undo_later(work);
}

static void
drop_index(MigWork *work, DropStmt *stmt, MigName *name)
{
	LOCKMODE	mode = stmt->concurrent ? ShareUpdateExclusiveLock : AccessExclusiveLock;
	MigIndex	index = mig_index_get(name->relid);

	if (index.found)
	{
		MigName    *of = mig_effect_name_of_oid(work, index.table);

		refuse_drop_of_part(work, stmt, name, &index, of);
		if (work->effect->failure && stmt->concurrent)
			return;
		if (index.unique && index.valid && !name->created)
			mig_effect_breaks(work, get_rel_name(index.table));
		mig_effect_about(work, of, mode);
		if (index.partitioned)
			mig_effect_lock_children(work, of, mode);
		drop_attached(work, name);
	}
	mig_effect_lock(work, name, mode);
	mig_effect_lock_children(work, name, mode);
	if (!name->created)
		brings_back(work, stmt, RelationRelationId, name->relid);
}

static void
drop_relation(MigWork *work, DropStmt *stmt, List *names)
{
	MigName    *name = mig_effect_name_of_list(work, names, 0, stmt->missing_ok);

	if (stmt->concurrent)
	{
		mig_effect_top_level(work, MIG_STEP_DROP_INDEX);
		work->effect->object = name->text;
	}
	if (!name->known && (stmt->missing_ok || mig_overlay_opaque(work->overlay)))
	{
		if (work->effect->relation == NULL)
			work->effect->relation = name->text;
		if (mig_overlay_opaque(work->overlay))
			mig_effect_undo_later(work);
		else
			mig_effect_note(work, "%s does not exist", name->text);
		return;
	}
	if (stmt->removeType == OBJECT_INDEX)
		drop_index(work, stmt, name);
	else
	{
		mig_effect_about(work, name, AccessExclusiveLock);
		if (!name->created)
		{
			mig_effect_breaks(work, name->relname);
			brings_back(work, stmt, RelationRelationId, name->relid);
		}
		if (OidIsValid(name->relid))
		{
			lock_around(work, name);
			if (stmt->removeType == OBJECT_TABLE && name->relkind == RELKIND_RELATION &&
				stmt->behavior != DROP_CASCADE && list_length(stmt->objects) == 1 &&
				mig_overlay_mark(work->overlay) == 0 && mig_relation_children(name->relid) != NIL)
				mig_effect_fails(work, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, -1,
								 "Use DROP ... CASCADE to drop the tables that inherit from it too.",
								 "cannot drop %s because other tables inherit from it", name->text);
			if (stmt->behavior == DROP_CASCADE)
				lock_dependents(work, RelationRelationId, name->relid, 0);
		}
	}
	mig_effect_change(work, MIG_DROPS, name);
}

/* --- others --- */

static void
drop_type(MigWork *work, DropStmt *stmt, TypeName *type)
{
	char	   *name = mig_effect_object_name(work, type->names);
	Oid			typid = LookupTypeNameOid(NULL, type, true);

	mig_effect_drops_object(work, "type", name);
	if (mig_overlay_made(work->overlay, psprintf("type %s", name)))
		return;
	if (!OidIsValid(typid) && stmt->missing_ok && !mig_overlay_opaque(work->overlay))
		return;
	mig_effect_breaks(work, mig_effect_last_name(type->names));
	brings_back(work, stmt, TypeRelationId, typid);
	if (OidIsValid(typid) && stmt->behavior == DROP_CASCADE)
		lock_dependents(work, TypeRelationId, typid, 0);
}

static bool
function_exists(List *funcname)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP,
										   CStringGetDatum(mig_effect_last_name(funcname)));
	bool		exists = list->n_members > 0;

	ReleaseSysCacheList(list);
	return exists;
}

static void
drop_function(MigWork *work, DropStmt *stmt, ObjectWithArgs *function)
{
	char	   *name = mig_effect_object_name(work, function->objname);
	ObjectAddress address;
	bool		found;

	mig_effect_drops_object(work, "function", name);
	found = mig_undo_find(stmt->removeType, (Node *) function, &address);
	if (!found && mig_overlay_made(work->overlay, psprintf("function %s", name)))
		return;
	if (!found && stmt->missing_ok && !function_exists(function->objname) && !mig_overlay_opaque(work->overlay))
		return;
	mig_effect_breaks(work, mig_effect_last_name(function->objname));
	brings_back(work, stmt, ProcedureRelationId, found ? address.objectId : InvalidOid);
}

static void
drop_schema(MigWork *work, DropStmt *stmt, const char *nspname)
{
	Oid			nspid = mig_overlay_schema_oid(work->overlay, nspname);

	mig_effect_drops_object(work, "schema", nspname);
	if (mig_overlay_has_schema(work->overlay, nspname))
		mig_effect_add_change(work, MIG_DROPS_SCHEMA)->nspname = nspname;
	else if (!mig_overlay_opaque(work->overlay))
		return;
	if (mig_overlay_made(work->overlay, psprintf("schema %s", nspname)))
		return;
	mig_effect_breaks(work, nspname);
	brings_back(work, stmt, NamespaceRelationId, nspid);
	if (OidIsValid(nspid) && stmt->behavior == DROP_CASCADE)
		mig_effect_lock_relations(work, Anum_pg_class_relnamespace, list_make1_oid(nspid));
}

static void
drop_extension(MigWork *work, DropStmt *stmt, const char *extname)
{
	mig_effect_drops_object(work, "extension", extname);
	if (mig_overlay_made(work->overlay, psprintf("extension %s", extname)) ||
		(stmt->missing_ok && !OidIsValid(get_extension_oid(extname, true))))
		return;
	mig_effect_breaks(work, extname);
	mig_effect_irreversible(work, "an extension may have kept data");
	mig_effect_add_change(work, MIG_OPAQUE);
}

/* A trigger, policy or rule that is in the catalog, or InvalidOid. */
static Oid
find_part(const DropStmt *stmt, const MigName *name, const char *part)
{
	if (!OidIsValid(name->relid))
		return InvalidOid;
	return stmt->removeType == OBJECT_TRIGGER ? get_trigger_oid(name->relid, part, true) :
		stmt->removeType == OBJECT_POLICY ? get_relation_policy_oid(name->relid, part, true) :
		get_rewrite_oid(name->relid, part, true);
}

static void
bring_part_back(MigWork *work, DropStmt *stmt, const MigName *name, const char *part)
{
	Oid			classid = stmt->removeType == OBJECT_TRIGGER ? TriggerRelationId :
		stmt->removeType == OBJECT_POLICY ? PolicyRelationId : RewriteRelationId;
	Oid			objid = find_part(stmt, name, part);

	if (OidIsValid(objid) || !stmt->missing_ok || name->touched || mig_overlay_opaque(work->overlay))
		brings_back(work, stmt, classid, objid);
}

/* A trigger, policy or rule: its table is the name before. */
static void
drop_part(MigWork *work, DropStmt *stmt, List *names)
{
	MigName    *name = mig_effect_name_of_list(work, names, 1, stmt->missing_ok);
	char	   *part = psprintf("%s %s", mig_effect_last_name(names), name->text);

	work->effect->relation = name->text;
	mig_effect_drops_object(work, "part", part);
	if (stmt->missing_ok && OidIsValid(name->relid) && !name->touched && !mig_overlay_opaque(work->overlay) &&
		!OidIsValid(find_part(stmt, name, mig_effect_last_name(names))))
	{
		/* the server gives the lock back */
		mig_effect_note(work, "%s does not exist", mig_effect_last_name(names));
		work->effect->undo = "";
		return;
	}
	mig_effect_about(work, name, AccessExclusiveLock);
	work->effect->lock = name->known ? AccessExclusiveLock : NoLock;
	if (!name->created && (name->known || mig_overlay_opaque(work->overlay)) &&
		!mig_overlay_made(work->overlay, psprintf("part %s", part)))
		bring_part_back(work, stmt, name, mig_effect_last_name(names));
	mig_effect_change(work, MIG_ALTERS, name);
}

/* What has no table of its own. */
static void
drop_other(MigWork *work, DropStmt *stmt, Node *object)
{
	ObjectAddress address;

	if (mig_undo_find(stmt->removeType, object, &address))
		mig_effect_brings_back(work, &address, stmt);
	else if (!stmt->missing_ok)
		mig_effect_undo_later(work);
}

static void
drop_object(MigWork *work, DropStmt *stmt, Node *object)
{
	switch (stmt->removeType)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_FOREIGN_TABLE:
		case OBJECT_INDEX:
			drop_relation(work, stmt, castNode(List, object));
			break;
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
			drop_extension(work, stmt, strVal(object));
			break;
		case OBJECT_TRIGGER:
		case OBJECT_POLICY:
		case OBJECT_RULE:
			drop_part(work, stmt, castNode(List, object));
			break;
		default:
			drop_other(work, stmt, object);
			break;
	}
}

void
mig_effect_drop(MigWork *work, Node *node)
{
	DropStmt   *stmt = castNode(DropStmt, node);
	ListCell   *lc;

	/* until one of them cannot be brought back */
	work->effect->undo = "";
	foreach(lc, stmt->objects)
		drop_object(work, stmt, lfirst(lc));
	mig_effect_undo_drops(work);
}
