/*-------------------------------------------------------------------------
 *
 * effect_whole.c
 *	  TRUNCATE and LOCK, and what concerns many relations at once: DROP OWNED,
 *	  REASSIGN OWNED, ALTER TABLE ALL IN TABLESPACE.
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
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "effect_int.h"
#include "relation.h"

/* --- many relations --- */

void
mig_effect_lock_relations(MigWork *work, AttrNumber column, List *oids)
{
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);
		Oid			value = column == Anum_pg_class_relnamespace ? class->relnamespace : class->relowner;

		if (list_member_oid(oids, value) && class->relkind != RELKIND_INDEX &&
			class->relkind != RELKIND_PARTITIONED_INDEX && class->relkind != RELKIND_TOASTVALUE &&
			class->relkind != RELKIND_COMPOSITE_TYPE)
			mig_effect_lock_oid(work, class->oid, AccessExclusiveLock);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

/* --- TRUNCATE, LOCK --- */

static void
truncate_referencing(MigWork *work, Oid relid, List **seen)
{
	ListCell   *lc;

	*seen = lappend_oid(*seen, relid);
	foreach(lc, mig_relation_foreign_keys(relid))
	{
		MigForeignKey *key = lfirst(lc);

		if (key->to != relid || list_member_oid(*seen, key->from))
			continue;
		mig_effect_lock_oid(work, key->from, AccessExclusiveLock);
		truncate_referencing(work, key->from, seen);
	}
}

static void
effect_truncate(MigWork *work, TruncateStmt *stmt)
{
	List	   *seen = NIL;
	ListCell   *lc;

	work->effect->writes_rows = true;
	foreach(lc, stmt->relations)
	{
		RangeVar   *rv = lfirst_node(RangeVar, lc);
		MigName    *name = mig_effect_name(work, rv, false);

		mig_effect_about(work, name, AccessExclusiveLock);
		if (rv->inh)
			mig_effect_lock_children(work, name, AccessExclusiveLock);
		if (stmt->restart_seqs && OidIsValid(name->relid))
			mig_effect_lock_owned_sequences(work, name->relid);
		if (stmt->behavior == DROP_CASCADE && OidIsValid(name->relid))
			truncate_referencing(work, name->relid, &seen);
	}
}

/* LOCK TABLE of a view locks all that it reads as strongly, at every level (lockcmds.c). */
typedef struct ViewLock
{
	MigWork    *work;
	LOCKMODE	mode;
} ViewLock;

static void lock_view(ViewLock *context, Oid relid);

static bool
lock_view_walker(Node *node, void *arg)
{
	ViewLock   *context = arg;
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, lock_view_walker, arg);
	foreach(lc, ((Query *) node)->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		ListCell   *lk;

		/* before 16 a view has entries for itself */
		if (rte->rtekind != RTE_RELATION || !OidIsValid(rte->relid) || !rte->inFromCl)
			continue;
		if (rte->relkind == RELKIND_VIEW)
			lock_view(context, rte->relid);
		else if (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_PARTITIONED_TABLE)
			continue;
		mig_effect_lock_oid(context->work, rte->relid, context->mode);
		if (rte->inh)
			foreach(lk, mig_relation_children(rte->relid))
				mig_effect_lock_oid(context->work, lfirst_oid(lk), context->mode);
	}
	return query_tree_walker((Query *) node, lock_view_walker, arg, QTW_IGNORE_JOINALIASES);
}

static void
lock_view(ViewLock *context, Oid relid)
{
	char	   *text = mig_relation_text(relid);
	Relation	rel = text && mig_relation_lock(relid, text) ? RelationIdGetRelation(relid) : NULL;

	if (rel == NULL)
		return;
	lock_view_walker((Node *) get_view_query(rel), context);
	RelationClose(rel);
	mig_relation_unlock(relid);
}

static void
effect_lock_table(MigWork *work, LockStmt *stmt)
{
	ListCell   *lc;

	work->effect->undo = "";
	work->effect->block_only = true;
	work->effect->keeps_block = true;
	foreach(lc, stmt->relations)
	{
		RangeVar   *rv = lfirst_node(RangeVar, lc);
		MigName    *name = mig_effect_name(work, rv, false);

		mig_effect_about(work, name, stmt->mode);
		if (name->relkind == RELKIND_VIEW && OidIsValid(name->relid))
		{
			ViewLock	context = {work, stmt->mode};

			lock_view(&context, name->relid);
		}
		if (rv->inh)
			mig_effect_lock_children(work, name, stmt->mode);
	}
}

/* --- of some roles, in a tablespace --- */

static List *
role_oids(List *roles)
{
	List	   *oids = NIL;
	ListCell   *lc;

	foreach(lc, roles)
		oids = lappend_oid(oids, get_rolespec_oid(lfirst_node(RoleSpec, lc), true));
	return oids;
}

/* Does ALTER ... ALL IN TABLESPACE mean this one?  (AlterTableMoveAll in tablecmds.c) */
static bool
is_moved(const AlterTableMoveAllStmt *stmt, const List *owners, Form_pg_class class)
{
	if (class->relisshared || IsCatalogNamespace(class->relnamespace) ||
		IsToastNamespace(class->relnamespace) || isAnyTempNamespace(class->relnamespace) ||
		(owners != NIL && !list_member_oid(owners, class->relowner)))
		return false;
	switch (stmt->objtype)
	{
		case OBJECT_TABLE:
			return class->relkind == RELKIND_RELATION || class->relkind == RELKIND_PARTITIONED_TABLE;
		case OBJECT_INDEX:
			return class->relkind == RELKIND_INDEX || class->relkind == RELKIND_PARTITIONED_INDEX;
		default:
			return class->relkind == RELKIND_MATVIEW;
	}
}

static void
effect_move_all(MigWork *work, AlterTableMoveAllStmt *stmt)
{
	Oid			from = get_tablespace_oid(stmt->orig_tablespacename, true);
	Oid			to = get_tablespace_oid(stmt->new_tablespacename, true);
	List	   *owners = role_oids(stmt->roles);
	Relation	catalog;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(from) || !OidIsValid(to))
		mig_effect_fails(work, ERRCODE_UNDEFINED_OBJECT, -1, NULL, "tablespace \"%s\" does not exist",
						 OidIsValid(from) ? stmt->new_tablespacename : stmt->orig_tablespacename);
	if (from == to)
		return;
	if (from == MyDatabaseTableSpace)
		from = InvalidOid;
	catalog = table_open(RelationRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);

		if (class->reltablespace != from || !is_moved(stmt, owners, class))
			continue;
		mig_effect_lock_oid(work, class->oid, AccessExclusiveLock);
		if (class->relkind != RELKIND_RELATION && class->relkind != RELKIND_MATVIEW)
			continue;
		mig_effect_copies(work, class->oid);
		mig_effect_hazard_oid(work, MIG_HZ_SET_TABLESPACE, class->oid, stmt->new_tablespacename, NULL);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

void
mig_effect_whole(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_TruncateStmt:
			effect_truncate(work, (TruncateStmt *) node);
			break;
		case T_AlterTableMoveAllStmt:
			effect_move_all(work, (AlterTableMoveAllStmt *) node);
			break;
		case T_LockStmt:
			effect_lock_table(work, (LockStmt *) node);
			break;
		case T_DropOwnedStmt:
			mig_effect_lock_relations(work, Anum_pg_class_relowner, role_oids(((DropOwnedStmt *) node)->roles));
			mig_effect_breaks(work, NULL);
			mig_effect_irreversible(work, "it drops whatever a role owns");
			mig_effect_add_change(work, MIG_OPAQUE);
			break;
		default:
			mig_effect_lock_relations(work, Anum_pg_class_relowner,
						   role_oids(castNode(ReassignOwnedStmt, node)->roles));
			break;
	}
}
