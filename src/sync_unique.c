/*-------------------------------------------------------------------------
 *
 * sync_unique.c
 *	  Writers of the same key take turns where a column and its copy are both
 *	  unique.
 *
 * INSERT ... ON CONFLICT looks into the one index that it names, and then
 * writes into all.  With two indexes on the same values, a row that another
 * transaction enters in between is met in the other index, where it is an
 * error.  So a writer takes a lock on the key before, in the trigger, which
 * fires before ON CONFLICT looks, and keeps it until its row is in all
 * indexes.
 *
 * The tag is a hash of the key, the same for all unique indexes of a table:
 * values that are equal in a column and in its copy meet.  Locks are session
 * level ones under the server's own lock method: an abort releases them by
 * itself, at a commit we do.  What is kept is bounded: a bulk load would fill
 * the lock table.  The oldest is given back first; its row is in all indexes
 * long since, so whoever comes now finds it where ON CONFLICT looks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/xact.h"
#include "catalog/pg_index.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "sync_int.h"

#define MAX_KEPT 128			/* locks */
#define TAG_MARK 0x6d67			/* objects of user tables have none otherwise */

static LOCKTAG kept[MAX_KEPT];
static int	nkept = 0;
static int	oldest = 0;
static bool callback_registered = false;

/* --- which indexes --- */

static void
find_key_column(MigSyncKeyColumn *column, Relation index, int i, List *exprs, int *nexprs)
{
	Oid			type;
	TypeCacheEntry *entry;

	column->attnum = index->rd_index->indkey.values[i];
	column->collation = index->rd_indcollation[i];
	if (column->attnum == InvalidAttrNumber)
	{
		bool		keeps_state;

		column->expr = copyObject(list_nth(exprs, (*nexprs)++));
		(void) mig_sync_is_foreign(column->expr, &keeps_state);
		if (keeps_state)
			column->state = ExecInitExpr(column->expr, NULL);
		type = exprType((Node *) column->expr);
	}
	else
		type = get_atttype(index->rd_index->indrelid, column->attnum);
	entry = lookup_type_cache(type, TYPECACHE_HASH_PROC_FINFO);
	if (OidIsValid(entry->hash_proc))
	{
		column->hash = palloc0(sizeof(FmgrInfo));
		fmgr_info(entry->hash_proc, column->hash);
	}
}

static void
find_key(MigSyncKey *key, Relation index)
{
	List	   *exprs = RelationGetIndexExpressions(index);
	int			nexprs = 0;

	key->n = index->rd_index->indnkeyatts;
	key->columns = palloc0(key->n * sizeof(MigSyncKeyColumn));
	key->nulls_collide = index->rd_index->indnullsnotdistinct;
	for (int i = 0; i < key->n; i++)
		find_key_column(&key->columns[i], index, i, exprs, &nexprs);
}

static bool
reads_side(Relation index, const MigSyncSide *side)
{
	Bitmapset  *attnos = NULL;

	pull_varattnos((Node *) RelationGetIndexExpressions(index), 1, &attnos);
	for (int i = 0; i < side->n; i++)
	{
		AttrNumber	attnum = side->columns[i].attnum;

		if (bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, attnos))
			return true;
		for (int j = 0; j < index->rd_index->indnkeyatts; j++)
			if (index->rd_index->indkey.values[j] == attnum)
				return true;
	}
	return false;
}

/* Is the index on a side of a pair whose other side has one as well? */
void
mig_sync_find_keys(Relation rel, MigSyncCompiled *compiled)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		twins = false;
	ListCell   *lc;

	compiled->keys = palloc0((list_length(indexes) + 1) * sizeof(MigSyncKey));
	for (int i = 0; i < compiled->npairs; i++)
	{
		bool		old = false;
		bool		new = false;

		foreach(lc, indexes)
		{
			Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

			if (index->rd_index->indisunique)
			{
				old |= reads_side(index, &compiled->pairs[i].old);
				new |= reads_side(index, &compiled->pairs[i].new);
			}
			index_close(index, NoLock);
		}
		twins |= old && new;
	}
	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		bool		reads = false;

		for (int i = 0; i < compiled->npairs; i++)
			reads |= reads_side(index, &compiled->pairs[i].old) || reads_side(index, &compiled->pairs[i].new);
		if (twins && reads && index->rd_index->indisunique)
			find_key(&compiled->keys[compiled->nkeys++], index);
		index_close(index, NoLock);
	}
	if (compiled->nkeys > 0)
		compiled->evaluates = true;
}

/* --- locks --- */

static void
release_oldest(void)
{
	LOCKTAG    *tag = &kept[oldest];

	oldest = (oldest + 1) % MAX_KEPT;
	nkept--;
	if (mig_holds_lock(tag, ExclusiveLock))
		LockRelease(tag, ExclusiveLock, true);
}

/* An abort releases session locks of the default method by itself. */
static void
at_end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		nkept = 0;
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		while (nkept > 0)
			release_oldest();
}

static void
lock_hash(Oid relid, uint32 hash)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, relid, hash, TAG_MARK);
	for (int i = 0; i < nkept; i++)
		if (memcmp(&kept[(oldest + i) % MAX_KEPT], &tag, sizeof(tag)) == 0)
			return;
	if (!callback_registered)
	{
		RegisterXactCallback(at_end_of_transaction, NULL);
		callback_registered = true;
	}
	if (nkept == MAX_KEPT)
		release_oldest();
	(void) LockAcquire(&tag, ExclusiveLock, true, false);
	kept[(oldest + nkept++) % MAX_KEPT] = tag;
}

static Datum
key_value(const MigSyncKeyColumn *column, ExprContext *econtext, TupleTableSlot *slot, bool *isnull)
{
	ExprState  *state = column->state;

	if (column->attnum != InvalidAttrNumber)
		return slot_getattr(slot, column->attnum, isnull);
	if (state == NULL)
		state = ExecInitExpr(column->expr, NULL);
	econtext->ecxt_scantuple = slot;
	return ExecEvalExprSwitchContext(state, econtext, isnull);
}

static bool
key_hash(const MigSyncKey *key, ExprContext *econtext, TupleTableSlot *slot, uint32 *hash)
{
	*hash = 0;
	for (int i = 0; i < key->n; i++)
	{
		const MigSyncKeyColumn *column = &key->columns[i];
		bool		isnull;
		Datum		value = key_value(column, econtext, slot, &isnull);

		if (isnull && !key->nulls_collide)
			return false;
		if (!isnull && column->hash)
			*hash = hash_combine(*hash, DatumGetUInt32(FunctionCall1Coll(column->hash, column->collation, value)));
	}
	return true;
}

static int
compare_hashes(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return x < y ? -1 : x > y;
}

/* In the order of the hashes: two writers of the same row cannot meet crosswise. */
void
mig_sync_lock_keys(const MigSyncCompiled *compiled, ExprContext *econtext, TupleTableSlot *slot)
{
	uint32	   *hashes = palloc(compiled->nkeys * sizeof(uint32));
	int			n = 0;

	for (int i = 0; i < compiled->nkeys; i++)
		if (key_hash(&compiled->keys[i], econtext, slot, &hashes[n]))
			n++;
	qsort(hashes, n, sizeof(uint32), compare_hashes);
	for (int i = 0; i < n; i++)
		lock_hash(compiled->relid, hashes[i]);
}
