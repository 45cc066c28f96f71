/*-------------------------------------------------------------------------
 *
 * run_range.c
 *	  The ranges of a backfill.
 *
 * A backfill begins with one range, the whole table as it was then.  Where
 * several workers are to share it, the run's own worker cuts the rest of its
 * range in pieces, at blocks or at keys of a sample; each piece has a cursor
 * of its own.  A worker holds the lock of the range that it goes through: one
 * that is left by a worker that ended is free again, and goes on from its
 * cursor.
 *
 * Locks: ranges, see lock.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "exec.h"
#include "lock.h"
#include "run_batch.h"
#include "settings.h"

#define LEAST_BLOCKS 16			/* of a range that is worth a worker */
#define LEAST_ROWS 5000

static void
end_of_blocks(Backfill *b)
{
	Relation	rel = mig_batch_open(b);

	b->cursor.file = MemoryContextStrdup(b->run->context, psprintf("%u", rel->rd_rel->relfilenode));
	mig_batch_set(b, &b->cursor.lower, list_make1("0"));
	mig_batch_set(b, &b->cursor.upper, list_make1(psprintf("%u", RelationGetNumberOfBlocks(rel))));
	relation_close(rel, AccessShareLock);
}

void
mig_range_begin(Backfill *b, int pass)
{
	mig_exec_begin();
	PushActiveSnapshot(GetTransactionSnapshot());
	mig_cursor_merge(&b->cursor);
	b->cursor.range = 1;
	b->cursor.pass = pass;
	b->cursor.pass_changed = b->cursor.done = b->cursor.part = 0;
	mig_batch_set(b, &b->cursor.window_end, NIL);
	if (mig_batch_by_key(b))
	{
		mig_batch_set(b, &b->cursor.lower, NIL);
		mig_batch_set(b, &b->cursor.upper, mig_batch_last_key(b));
	}
	else
		end_of_blocks(b);
	mig_cursor_save(&b->cursor);
	PopActiveSnapshot();
	mig_exec_commit();
	if (!mig_batch_by_key(b))
		b->total = atol(linitial(b->cursor.upper));
}

/* --- cutting --- */

static List *
cut_blocks(Backfill *b, int pieces)
{
	List	   *from_list = b->cursor.window_end != NIL ? b->cursor.window_end : b->cursor.lower;
	int64		from = atol(linitial(from_list));
	int64		left = atol(linitial(b->cursor.upper)) - from;
	List	   *cuts = NIL;

	pieces = Min(pieces, left / LEAST_BLOCKS);
	for (int i = 1; i < pieces; i++)
		cuts = lappend(cuts, list_make1(psprintf(INT64_FORMAT, from + left * i / pieces)));
	return cuts;
}

static List *
cut_keys(Backfill *b, int pieces)
{
	pieces = Min(pieces, b->rows_expected / LEAST_ROWS);
	/* a tree of tables has no blocks of its own to take a sample of */
	return pieces < 2 || b->blocks == 0 ? NIL : mig_batch_sample(b, pieces);
}

/* The range at hand ends at the first cut; the others begin at one each. */
static void
store_cuts(Backfill *b, List *cuts)
{
	MigCursor	piece = b->cursor;
	List	   *end = b->cursor.upper;
	MigCursorSum sum;

	mig_cursor_sum(&b->cursor, &sum);
	piece.rows = piece.pass_changed = piece.done = piece.hot = piece.wal_bytes = piece.part = 0;
	piece.window_end = NIL;
	for (int i = 0; i < list_length(cuts); i++)
	{
		piece.range = sum.last + 1 + i;
		piece.lower = list_nth(cuts, i);
		piece.upper = i + 1 < list_length(cuts) ? list_nth(cuts, i + 1) : end;
		mig_cursor_save(&piece);
	}
	mig_batch_set(b, &b->cursor.upper, linitial(cuts));
	mig_cursor_save(&b->cursor);
}

void
mig_range_split(Backfill *b, int pieces)
{
	List	   *cuts;

	if (mig_batch_at_end(b))
		return;
	MemoryContextReset(b->context);
	MemoryContextSwitchTo(b->context);
	mig_exec_begin();
	PushActiveSnapshot(GetTransactionSnapshot());
	cuts = mig_batch_by_key(b) ? cut_keys(b, pieces) : cut_blocks(b, pieces);
	if (cuts != NIL)
		store_cuts(b, cuts);
	PopActiveSnapshot();
	mig_exec_commit();
	MemoryContextSwitchTo(b->run->context);
}

/* --- taking --- */

static bool
take(Backfill *b, int range)
{
	const char *scope = mig_current_scope();

	if (!mig_lock_range(scope, b->run->version, b->step->step, range))
		return false;
	b->cursor.range = range;
	/* as it is now that nobody else can move it */
	if (mig_cursor_load(&b->cursor) && !mig_batch_at_end(b))
		return true;
	mig_unlock_range(scope, b->run->version, b->step->step, range);
	return false;
}

bool
mig_range_take(Backfill *b, bool *open)
{
	List	   *ranges;
	ListCell   *lc;
	bool		taken = false;

	mig_exec_begin();
	ranges = mig_cursor_open_ranges(&b->cursor);
	foreach(lc, ranges)
		if ((taken = take(b, lfirst_int(lc))))
			break;
	mig_exec_commit();
	*open = ranges != NIL;
	b->narrow = false;
	b->window_size = 0;
	return taken;
}

void
mig_range_give_back(Backfill *b)
{
	mig_exec_begin();
	mig_unlock_range(mig_current_scope(), b->run->version, b->step->step, b->cursor.range);
	mig_exec_commit();
}

int
mig_range_free(Backfill *b)
{
	int			n = 0;
	ListCell   *lc;

	mig_exec_begin();
	foreach(lc, mig_cursor_open_ranges(&b->cursor))
		if (!mig_range_is_taken(mig_current_scope(), b->run->version, b->step->step, lfirst_int(lc)))
			n++;
	mig_exec_commit();
	return n;
}
