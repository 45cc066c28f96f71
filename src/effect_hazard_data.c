/*-------------------------------------------------------------------------
 *
 * effect_hazard_data.c
 *	  What may go wrong with statements that read or write rows: one long
 *	  transaction over a large table.
 *
 * Which tables are read as a whole has been found before (effect_read.c).
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"

#include "effect_int.h"
#include "relation.h"

/* A table and the partitions below it: is any of them read as a whole? */
static bool
is_read(MigWork *work, const MigName *name)
{
	ListCell   *lc;

	foreach(lc, work->effect->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (lock->scans && (lock->relid == name->relid ||
							list_member_oid(mig_relation_children(name->relid), lock->relid)))
			return true;
	}
	return false;
}

/* A query within it that stops after some rows: a batch. */
static bool
limit_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SelectStmt) && ((SelectStmt *) node)->limitCount)
		return true;
	return raw_expression_tree_walker(node, limit_walker, context);
}

static bool
is_batch(Node *node)
{
	return limit_walker(node, NULL);
}

static void
hazard_update(MigWork *work, UpdateStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, true);

	if (OidIsValid(name->relid) && is_read(work, name))
		mig_effect_hazard(work, is_batch((Node *) stmt) ? MIG_HZ_BATCH_SCANS : MIG_HZ_UPDATE,
						  name, NULL, NULL);
}

static void
hazard_delete(MigWork *work, DeleteStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, true);
	bool		batch = is_batch((Node *) stmt);
	ListCell   *lc;

	if (!OidIsValid(name->relid))
		return;
	if (is_read(work, name))
	{
		work->effect->breaks |= !batch;
		mig_effect_hazard(work, batch ? MIG_HZ_BATCH_SCANS : MIG_HZ_DELETE, name, NULL, NULL);
	}
	foreach(lc, mig_relation_foreign_keys(name->relid))
	{
		MigForeignKey *key = lfirst(lc);

		if (key->to == name->relid && !mig_relation_is_indexed(key->from, key->from_columns, InvalidOid))
			mig_effect_hazard_oid(work, MIG_HZ_DELETE_UNINDEXED, key->from, key->conname, NULL);
	}
}

/* Every table that is read as a whole, except one. */
static void
hazard_sources(MigWork *work, MigHazardKind kind, Oid except)
{
	ListCell   *lc;

	foreach(lc, work->effect->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (lock->scans && lock->relid != except)
			mig_effect_hazard_oid(work, kind, lock->relid, NULL, NULL);
	}
}

/* FOR UPDATE and the like. */
static void
hazard_select(MigWork *work)
{
	ListCell   *lc;

	foreach(lc, work->effect->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (lock->scans && lock->mode == RowShareLock)
			mig_effect_hazard_oid(work, MIG_HZ_SELECT_LOCKS, lock->relid, NULL, NULL);
	}
}

void
mig_effect_hazard_data(MigWork *work, Node *node)
{
	MigName    *name;

	switch (nodeTag(node))
	{
		case T_UpdateStmt:
			hazard_update(work, (UpdateStmt *) node);
			break;
		case T_DeleteStmt:
			hazard_delete(work, (DeleteStmt *) node);
			break;
		case T_InsertStmt:
			name = mig_effect_name(work, ((InsertStmt *) node)->relation, true);
			hazard_sources(work, MIG_HZ_INSERT_SELECT, name->relid);
			break;
		case T_MergeStmt:
			name = mig_effect_name(work, ((MergeStmt *) node)->relation, true);
			if (OidIsValid(name->relid) && is_read(work, name))
				mig_effect_hazard(work, MIG_HZ_MERGE, name, NULL, NULL);
			break;
		case T_CreateTableAsStmt:
			hazard_sources(work, MIG_HZ_CREATE_AS, InvalidOid);
			break;
		case T_SelectStmt:
			hazard_select(work);
			break;
		case T_RefreshMatViewStmt:
			name = mig_effect_name(work, ((RefreshMatViewStmt *) node)->relation, true);
			hazard_sources(work, MIG_HZ_CREATE_AS, name->relid);
			break;
		default:
			break;
	}
}
