/*-------------------------------------------------------------------------
 *
 * run_tree.c
 *	  A backfill of one table of a tree: does the table belong to it still?
 *
 * A statement over a partitioned table is carried out table by table.  One
 * that is detached or dropped meanwhile is none of its business any more, but
 * its rows may have been put elsewhere: that is for a person to judge.
 *
 * Locks: AccessShareLock on the table until the transaction ends, which keeps
 * it from being detached or dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "nodes/makefuncs.h"
#include "utils/rel.h"

#include "compat.h"
#include "relation.h"
#include "run_backfill.h"

void
mig_run_check_tree(const MigBatches *batches)
{
	RangeVar   *rv;
	Oid			relid;
	Oid			root;

	if (batches->root == NULL)
		return;
	rv = makeRangeVarFromNameList(mig_qualified_name(batches->table));
	relid = RangeVarGetRelid(rv, AccessShareLock, false);
	root = mig_relation_by_name(batches->root);
	if (OidIsValid(root) &&
		(relid == root || list_member_oid(mig_relation_children(root), relid)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s is not a part of %s any more", batches->table, batches->root),
			 errdetail("Its rows have been changed up to the last batch that was committed."),
			 errhint("Attach it again and apply again, or roll the migration back and register what is left to do as a new one.")));
}
