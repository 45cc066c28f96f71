/*-------------------------------------------------------------------------
 *
 * effect_read.c
 *	  Which tables a query would read as a whole, and what it locks.
 *
 * The server's planner is asked, so that indexes and statistics count.  It
 * waits for the locks that it takes; hence all of them are taken before,
 * conditionally, inside a subtransaction that is rolled back afterwards.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "parser/analyze.h"
#include "parser/parsetree.h"
#include "rewrite/prs2lock.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "effect_int.h"
#include "relation.h"

/* One query at hand. */
typedef struct Reading
{
	Node	   *raw;			/* a statement, or NULL */
	Oid			matview;		/* whose query it is, or InvalidOid */
	List	   *locked;			/* OIDs that were locked beforehand */
	List	   *locks;			/* of MigLock, in the plan */
	List	   *scanned;		/* OIDs */
} Reading;

/* --- locks beforehand --- */

static bool lock_rules(Reading *reading, Oid relid, LOCKMODE mode);

/* A relation, its tree, its indexes and what its rules mention; false if one is not to be had. */
static bool
lock_ahead(Reading *reading, Oid relid, LOCKMODE mode)
{
	ListCell   *lc;

	if (list_member_oid(reading->locked, relid))
		return true;
	reading->locked = lappend_oid(reading->locked, relid);
	if (!ConditionalLockRelationOid(relid, mode))
		return false;
	foreach(lc, mig_relation_indexes(relid))
		if (!ConditionalLockRelationOid(lfirst_oid(lc), mode))
			return false;
	foreach(lc, mig_relation_children(relid))
		if (!lock_ahead(reading, lfirst_oid(lc), mode))
			return false;
	return lock_rules(reading, relid, mode);
}

static bool
lock_query(Reading *reading, Query *query)
{
	ListCell   *lc;

	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION &&
			!lock_ahead(reading, rte->relid, Max(rte->rellockmode, AccessShareLock)))
			return false;
		if (rte->rtekind == RTE_SUBQUERY && !lock_query(reading, rte->subquery))
			return false;
	}
	foreach(lc, query->cteList)
	{
		Node	   *cte = lfirst_node(CommonTableExpr, lc)->ctequery;

		if (IsA(cte, Query) && !lock_query(reading, (Query *) cte))
			return false;
	}
	return true;
}

/* Row security has expressions of its own, which are not looked through. */
static bool
lock_rules(Reading *reading, Oid relid, LOCKMODE mode)
{
	Relation	rel = RelationIdGetRelation(relid);
	bool		got = true;

	if (rel == NULL)
		return false;
	if (rel->rd_rel->relrowsecurity)
		got = false;
	for (int i = 0; got && rel->rd_rules && i < rel->rd_rules->numLocks; i++)
	{
		ListCell   *lc;

		foreach(lc, rel->rd_rules->rules[i]->actions)
			got = got && lock_query(reading, lfirst_node(Query, lc));
	}
	RelationClose(rel);
	return got;
}

/* --- the plan --- */

typedef struct Walk
{
	Reading    *reading;
	PlannedStmt *stmt;
} Walk;

static void walk_plan(Walk *walk, Plan *plan, bool limited);

static void
walk_plans(Walk *walk, List *plans, bool limited)
{
	ListCell   *lc;

	foreach(lc, plans)
		walk_plan(walk, lfirst(lc), limited);
}

/*
 * limited: somebody above stops as soon as it has enough, unless a node in
 * between has to have seen everything.
 */
static void
walk_plan(Walk *walk, Plan *plan, bool limited)
{
	if (plan == NULL)
		return;
	check_stack_depth();
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
			if (!limited)
				walk->reading->scanned =
					list_append_unique_oid(walk->reading->scanned,
										   rt_fetch(((Scan *) plan)->scanrelid, walk->stmt->rtable)->relid);
			break;
		case T_Limit:
			limited = true;
			break;
		case T_Sort:
		case T_Agg:
		case T_Hash:
		case T_SetOp:
		case T_WindowAgg:
		case T_ModifyTable:
			limited = false;
			break;
		case T_Append:
			walk_plans(walk, ((Append *) plan)->appendplans, limited);
			break;
		case T_MergeAppend:
			walk_plans(walk, ((MergeAppend *) plan)->mergeplans, limited);
			break;
		case T_BitmapAnd:
		case T_BitmapOr:
			return;
		case T_SubqueryScan:
			walk_plan(walk, ((SubqueryScan *) plan)->subplan, limited);
			break;
		default:
			break;
	}
	walk_plan(walk, plan->lefttree, limited);
	walk_plan(walk, plan->righttree, limited && !IsA(plan, HashJoin));
}

static void
note_plan(Reading *reading, PlannedStmt *stmt)
{
	Walk		walk = {reading, stmt};
	ListCell   *lc;

	if (stmt->commandType == CMD_UTILITY)
		return;
	walk_plan(&walk, stmt->planTree, false);
	walk_plans(&walk, stmt->subplans, false);
	foreach(lc, stmt->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		MigLock    *lock;

		if (rte->rtekind != RTE_RELATION)
			continue;
		lock = palloc0(sizeof(MigLock));
		lock->relid = rte->relid;
		lock->mode = rte->rellockmode;
		reading->locks = lappend(reading->locks, lock);
	}
}

/* --- from statement to plan --- */

static void
plan_queries(Reading *reading, List *queries)
{
	ListCell   *lc;
	bool		pushed = false;

	if (!ActiveSnapshotSet())
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		pushed = true;
	}
	foreach(lc, queries)
	{
		Query	   *query = lfirst_node(Query, lc);

		if (query->commandType != CMD_UTILITY)
			note_plan(reading, pg_plan_query(query, "", 0, NULL));
	}
	if (pushed)
		PopActiveSnapshot();
}

static void *
run_statement(MigWork *work, void *arg)
{
	Reading    *reading = arg;
	RawStmt    *raw = makeNode(RawStmt);
	Query	   *query;

	raw->stmt = copyObject(reading->raw);
	raw->stmt_location = work->stmt->raw->stmt_location;
	raw->stmt_len = work->stmt->raw->stmt_len;
	query = parse_analyze_fixedparams(raw, mig_overlay_source(work->overlay), NULL, 0, NULL);
	/* SELECT INTO, CREATE TABLE AS */
	if (query->commandType == CMD_UTILITY && IsA(query->utilityStmt, CreateTableAsStmt))
		query = castNode(Query, ((CreateTableAsStmt *) query->utilityStmt)->query);
	if (query->commandType == CMD_UTILITY || !lock_query(reading, query))
		return NULL;
	plan_queries(reading, pg_rewrite_query(query));
	return reading;
}

static void *
run_matview(MigWork *work, void *arg)
{
	Reading    *reading = arg;
	Relation	rel;
	List	   *queries;

	if (!ConditionalLockRelationOid(reading->matview, AccessShareLock))
		return NULL;
	rel = RelationIdGetRelation(reading->matview);
	if (rel == NULL || rel->rd_rules == NULL || rel->rd_rules->numLocks < 1)
		return NULL;
	queries = copyObject(rel->rd_rules->rules[0]->actions);
	RelationClose(rel);
	if (!lock_query(reading, linitial_node(Query, queries)))
		return NULL;
	plan_queries(reading, pg_rewrite_query(linitial_node(Query, queries)));
	return reading;
}

/* What has been locked before by name must be free to be locked for a moment. */
bool
mig_effect_names_are_free(MigWork *work)
{
	ListCell   *lc;

	foreach(lc, work->effect->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (!OidIsValid(lock->relid))
			return false;
		if (!ConditionalLockRelationOid(lock->relid, lock->mode))
			return false;
		UnlockRelationOid(lock->relid, lock->mode);
	}
	return true;
}

static void
apply(MigWork *work, Reading *reading)
{
	ListCell   *lc;

	foreach(lc, reading->locks)
	{
		MigLock    *lock = lfirst(lc);

		mig_effect_lock_oid(work, lock->relid, lock->mode);
	}
	foreach(lc, reading->scanned)
		(void) mig_effect_scans(work, lfirst_oid(lc));
}

bool
mig_effect_read(MigWork *work, Node *raw)
{
	Reading		reading = {raw};

	if (!InSecurityRestrictedOperation() || mig_overlay_opaque(work->overlay) || !mig_effect_names_are_free(work))
		return false;
	if (mig_expr_try(work, NULL, run_statement, &reading, false) == NULL)
		return false;
	apply(work, &reading);
	return true;
}

void
mig_effect_view_sources(MigWork *work, const MigName *name)
{
	Reading		reading = {NULL, name->relid};

	if (!OidIsValid(name->relid) || !InSecurityRestrictedOperation())
		return;
	if (mig_expr_try(work, NULL, run_matview, &reading, false) != NULL)
		apply(work, &reading);
}
