/*-------------------------------------------------------------------------
 *
 * sync_check.c
 *	  Which columns can be kept equal, and how a user's pair becomes ours.
 *
 * Everything that no row trigger could keep true is refused here, with the
 * reason, before anything is made.
 *
 * Takes no lock; the table is open and locked, its partitions too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_subscription_rel.h"
#include "rewrite/rewriteHandler.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "relation.h"
#include "session.h"
#include "settings.h"
#include "sqlgen.h"
#include "sync_int.h"

/* --- the table --- */

static void
refuse_table(Relation rel, const char *reason, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("columns of relation \"%s\" cannot be kept equal", RelationGetRelationName(rel)),
			 errdetail("%s", reason),
			 hint ? errhint("%s", hint) : 0));
}

/* Rows that logical replication brings are looked for by all their columns where there is no key. */
static bool
is_searched_whole(Relation rel)
{
	Relation	subscribed;
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	if (mig_relation_has_primary_key(RelationGetRelid(rel)) || OidIsValid(RelationGetReplicaIndex(rel)))
		return false;
	subscribed = table_open(SubscriptionRelRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_subscription_rel_srrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationGetRelid(rel)));
	scan = systable_beginscan(subscribed, InvalidOid, false, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(subscribed, AccessShareLock);
	return found;
}

static void
check_table(Relation rel)
{
	char		relkind = rel->rd_rel->relkind;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		refuse_table(rel, "It is not a table of this database.",
					 relkind == RELKIND_VIEW ? "Name the table under the view." : NULL);
	if (IsSystemRelation(rel))
		refuse_table(rel, "It is a system catalog.", NULL);
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse_table(rel, "It is temporary.", NULL);
	if (rel->rd_rel->relispartition)
		refuse_table(rel, "It is a partition.", "Name the partitioned table.");
	if (has_superclass(RelationGetRelid(rel)) ||
		(relkind == RELKIND_RELATION && mig_relation_children(RelationGetRelid(rel)) != NIL))
		refuse_table(rel, "It takes part in inheritance, and its rows would have other triggers than its children's.", NULL);
	if (is_searched_whole(rel))
		refuse_table(rel, "It is filled by a subscription and has neither a primary key nor a replica identity index: "
					 "rows would no longer be found once a column has other values here.",
					 "Give it a primary key.");
}

/* --- columns --- */

static void
check_partition_keys(Relation rel, const char *name)
{
	List	   *relids = list_concat(list_make1_oid(RelationGetRelid(rel)),
									 mig_relation_children(RelationGetRelid(rel)));
	ListCell   *lc;

	foreach(lc, relids)
	{
		Relation	part = table_open(lfirst_oid(lc), NoLock);
		AttrNumber	attnum = get_attnum(lfirst_oid(lc), name);
		Bitmapset  *attnums = bms_make_singleton(attnum - FirstLowInvalidHeapAttributeNumber);

		if (part->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && has_partition_attrs(part, attnums, NULL))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" is in the partition key of relation \"%s\" and cannot be kept equal to another",
							name, RelationGetRelationName(part)),
					 errdetail("A trigger cannot move a row to another partition.")));
		table_close(part, NoLock);
	}
}

static void
check_column(Relation rel, const char *name)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), name);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name, RelationGetRelationName(rel))));
	if (attnum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("system column \"%s\" cannot be kept equal to another", name)));
	if (TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attgenerated)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("generated column \"%s\" cannot be kept equal to another", name),
				 errdetail("The server computes it from other columns."),
				 errhint("Keep those equal.")));
	check_partition_keys(rel, name);
}

static void
check_columns(Relation rel, const MigSyncPair *pair)
{
	List	   *all = list_concat_copy(pair->old, pair->new);
	ListCell   *lc;

	if (pair->old == NIL || pair->new == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("old and new must name at least one column each")));
	foreach(lc, all)
	{
		check_column(rel, lfirst(lc));
		for (int i = 0; i < foreach_current_index(lc); i++)
			if (strcmp(list_nth(all, i), lfirst(lc)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" is named more than once", (char *) lfirst(lc))));
	}
}

/* Whether an old column was given cannot be told from a default that is another for each row. */
static void
check_conflict(Relation rel, const MigSyncPair *pair)
{
	ListCell   *lc;

	if (pair->conflict == MIG_CONFLICT_NEW)
		return;
	foreach(lc, pair->old)
	{
		AttrNumber	attnum = get_attnum(RelationGetRelid(rel), lfirst(lc));
		Datum		value;

		if (build_column_default(rel, attnum) && !mig_sync_constant_default(rel, attnum, &value))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("sync_conflict must be \"new\" for column \"%s\"", (char *) lfirst(lc)),
					 errdetail("Its default is not a constant, so an INSERT that leaves it out looks as if it gave a value.")));
	}
}

/* --- expressions --- */

static void
check_numbers(const MigSyncPair *pair)
{
	if (pair->up == NIL && pair->down == NIL && list_length(pair->old) != list_length(pair->new))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d old and %d new columns cannot be copies of each other",
						list_length(pair->old), list_length(pair->new)),
				 errhint("Write in up an expression for each new column, and in down one for each old column.")));
	if (pair->up != NIL && list_length(pair->up) != list_length(pair->new))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("up must have an expression for each new column")));
	if (pair->down != NIL && list_length(pair->down) != list_length(pair->old))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("down must have an expression for each old column")));
}

static List *
as_expressions(List *names)
{
	List	   *exprs = NIL;
	ListCell   *lc;

	foreach(lc, names)
		exprs = lappend(exprs, mig_sql_name(lfirst(lc)));
	return exprs;
}

/* The expressions for some columns as they mean the same everywhere. */
static List *
qualify(Relation rel, List *texts, List *targets, const char *which)
{
	List	   *rewritten = NIL;
	ListCell   *lt,
			   *lc;

	forboth(lt, texts, lc, targets)
	{
		char	   *written;
		Expr	   *expr = mig_sync_expression(rel, lfirst(lt), get_attnum(RelationGetRelid(rel), lfirst(lc)),
											   &written);
		ListCell   *la;

		foreach(la, mig_sync_inputs(rel, expr))
		{
			ListCell   *ln;

			foreach(ln, targets)
				if (get_attnum(RelationGetRelid(rel), lfirst(ln)) == lfirst_int(la))
					ereport(ERROR,
							(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							 errmsg("an expression in %s reads column \"%s\", which it makes itself",
									which, (char *) lfirst(ln))));
		}
		rewritten = lappend(rewritten, written);
	}
	return rewritten;
}

void
mig_sync_check(Relation rel, MigSyncPair *pair, const char *search_path)
{
	MigIdentity save;
	List	   *up;
	List	   *down;

	check_table(rel);
	check_columns(rel, pair);
	check_numbers(pair);
	if (pair->up == NIL && pair->down == NIL)
	{
		pair->up = as_expressions(pair->old);
		pair->down = as_expressions(pair->new);
	}

	/* names are resolved under the user's path, and written for ours */
	mig_identity_role(rel->rd_rel->relowner, search_path, &save);
	check_conflict(rel, pair);
	up = qualify(rel, pair->up, pair->new, "up");
	down = qualify(rel, pair->down, pair->old, "down");
	mig_identity_restore(&save);
	pair->up = up;
	pair->down = down;
}
