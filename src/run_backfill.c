/*-------------------------------------------------------------------------
 *
 * run_backfill.c
 *	  A statement over a large table, in batches.
 *
 * By key, a batch is a range of keys behind the cursor, up to the last key
 * that was there when the backfill began.  By blocks, it is a range of
 * blocks; a pass ends at the end of the table as it was when the pass began,
 * and passes are repeated until there is next to nothing left; then the
 * statement runs once as it was written.  Block numbers are those of one file:
 * when the table gets another, the pass begins anew.
 *
 * The worker of the run and up to migrate.workers - 1 helpers go through the
 * table; how it is shared among them is in run_range.c.  What a batch is, is
 * in run_batch.c.  Rows that fail are left out and kept; the rest goes on, and
 * the step fails at its end.
 *
 * States: all of them are in the cursors.  Locks: those of ranges, and those
 * of batches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "exec.h"
#include "run_backfill.h"
#include "run_batch.h"
#include "settings.h"

#define FIRST_BLOCKS 64
#define MAX_PASSES 3
#define RANGES_PER_WORKER 8
#define LOOK_MS 500				/* at the helpers, and for those who watch */
#define POLL_MS 20				/* when helpers have the last ranges */
#define DISMISS_POLLS 50

Backfill *
mig_backfill_new(MigRun *run, const MigStep *step, int place)
{
	Backfill   *b = palloc0(sizeof(Backfill));

	b->run = run;
	b->step = step;
	b->batches = step->batches;
	b->place = place;
	b->context = AllocSetContextCreate(run->context, "migrate batch", ALLOCSET_DEFAULT_SIZES);
	b->total = -1;
	b->size = mig_batch_by_key(b) ? MIG_FIRST_ROWS : FIRST_BLOCKS;
	b->cursor.version = run->version;
	b->cursor.direction = run->plan->direction;
	b->cursor.step = step->step;
	mig_exec_begin();
	PushActiveSnapshot(GetTransactionSnapshot());
	mig_batch_look(b);
	PopActiveSnapshot();
	mig_exec_commit();
	return b;
}

void
mig_backfill_free(Backfill *b)
{
	mig_batch_forget_plans(b);
	MemoryContextDelete(b->context);
}

/* --- the run's own worker among the others --- */

static bool
leads(const Backfill *b)
{
	return b->place == 0;
}

/* Returns how many rows all workers have changed. */
static int64
tell_progress(Backfill *b, int helpers)
{
	MigCursorSum sum;

	mig_exec_begin();
	mig_run_commit_softly();
	mig_cursor_sum(&b->cursor, &sum);
	mig_run_progress(b->run->id, b->total < 0 ? sum.done : Min(sum.done, b->total), b->total,
					 mig_batch_by_key(b) ? "rows" : "blocks", helpers + 1);
	mig_exec_commit();
	return sum.rows;
}

/* Once in a while: have as many helpers as are wanted, if there is work for them. */
static void
look_around(Backfill *b)
{
	TimestampTz now = GetCurrentTimestamp();
	int			wanted = mig_workers - 1;
	int			helpers;

	if (!leads(b) || (b->looked != 0 && !TimestampDifferenceExceeds(b->looked, now, LOOK_MS)))
		return;
	b->looked = now;
	if (wanted > 0 && mig_range_free(b) == 0)
		mig_range_split(b, RANGES_PER_WORKER * mig_workers);
	helpers = mig_helpers_start(b, wanted);
	mig_backfill_vacuum(b, tell_progress(b, helpers));
}

void
mig_backfill_range(Backfill *b)
{
	b->moved = false;
	while (!mig_batch_at_end(b) && !b->moved)
	{
		MemoryContextReset(b->context);
		MemoryContextSwitchTo(b->context);
		mig_throttle(b->run, &b->throttle, b->batches->table);
		mig_run_check_pause(b->run);
		MemoryContextSwitchTo(b->run->context);
		if (b->place > 0 && b->place >= mig_workers)
			return;
		mig_batch(b);
		MemoryContextReset(b->context);
		MemoryContextSwitchTo(b->context);
		look_around(b);
		MemoryContextSwitchTo(b->run->context);
	}
}

static void
nap(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Helpers have the last ranges. */
static void
wait_for_helpers(Backfill *b)
{
	MemoryContextReset(b->context);
	MemoryContextSwitchTo(b->context);
	if (b->looked == 0 || TimestampDifferenceExceeds(b->looked, GetCurrentTimestamp(), LOOK_MS))
	{
		b->looked = GetCurrentTimestamp();
		(void) tell_progress(b, mig_helpers_start(b, mig_workers - 1));
		mig_run_check_pause(b->run);
	}
	nap();
	MemoryContextSwitchTo(b->run->context);
}

/* All is done: helpers find that by themselves, and end; who does not is told. */
static void
dismiss_helpers(Backfill *b)
{
	for (int i = 0; i < DISMISS_POLLS && mig_helpers_start(b, 0) > 0; i++)
		nap();
	mig_helpers_stop();
}

/* Until no range is left that is not done. */
static void
all_ranges(Backfill *b)
{
	bool		open;

	for (;;)
	{
		if (mig_range_take(b, &open))
		{
			mig_backfill_range(b);
			mig_range_give_back(b);
			if (b->moved)
			{
				mig_helpers_stop();
				mig_range_begin(b, b->cursor.pass);
			}
		}
		else if (!open)
			break;
		else
			wait_for_helpers(b);
	}
	(void) tell_progress(b, 0);
}

/* --- passes over the blocks --- */

/* Rows that anybody has written since statistics began: inserts and updates. */
static int64
rows_written(const Backfill *b)
{
	int64		written;

	pgstat_report_stat(true);
	mig_exec_begin();
	written = DatumGetInt64(DirectFunctionCall1(pg_stat_get_tuples_inserted, ObjectIdGetDatum(b->relid))) +
		DatumGetInt64(DirectFunctionCall1(pg_stat_get_tuples_updated, ObjectIdGetDatum(b->relid)));
	mig_exec_commit();
	return written;
}

static int64
pass_changed(Backfill *b)
{
	MigCursorSum sum;

	mig_exec_begin();
	mig_cursor_sum(&b->cursor, &sum);
	mig_exec_commit();
	return sum.pass_changed;
}

/*
 * Would another pass change next to nothing?  Either this one has, or nobody
 * but us has written rows while it went on.  The statistics may lag behind by
 * a second; all that hangs on them is how much the last statement finds.
 */
static bool
is_last_pass(Backfill *b, int64 written_before)
{
	int64		changed = pass_changed(b);
	int64		others;

	if (changed < MIG_FIRST_ROWS || b->cursor.pass >= MAX_PASSES)
		return true;
	if (written_before < 0 || !pgstat_track_counts)
		return false;
	others = rows_written(b) - written_before - (b->is_update ? changed : 0);
	return others < MIG_FIRST_ROWS;
}

static int64
count_failed(Backfill *b)
{
	int64		n;

	mig_exec_begin();
	n = mig_failed_rows_count(&b->cursor);
	mig_exec_commit();
	return n;
}

/* It finds the rows that have failed again. */
static void
next_pass(Backfill *b)
{
	mig_exec_begin();
	mig_failed_rows_forget(&b->cursor);
	mig_exec_commit();
	mig_range_begin(b, b->cursor.pass + 1);
}

/* Passes over the blocks, until there is next to nothing left; the rest in one statement. */
static uint64
all_passes(Backfill *b, bool resumed)
{
	int64		written = resumed ? -1 : rows_written(b);
	uint64		rest;

	if (resumed && count_failed(b) > 0)
		next_pass(b);
	for (;;)
	{
		all_ranges(b);
		if (is_last_pass(b, written))
			break;
		written = rows_written(b);
		next_pass(b);
	}
	if (count_failed(b) > 0)
		return 0;				/* the statement would fail for them all */
	mig_exec("BEGIN");
	mig_batch_keep_to_ourselves(b);
	rest = mig_exec(b->batches->whole);
	mig_exec("COMMIT");
	return rest;
}

/* --- rows that fail --- */

/* One row; the error, or NULL. */
static ErrorData *
retry_row(Backfill *b, List *key, uint64 *changed)
{
	ErrorData  *volatile edata = NULL;

	PG_TRY();
	{
		mig_batch_begin(b);
		*changed += mig_batch_single(b, key);
		SPI_finish();
		mig_failed_row_remove(&b->cursor, key);
		PopActiveSnapshot();
		mig_exec_commit();
		b->tries = 0;
	}
	PG_CATCH();
	{
		edata = mig_exec_error(b->run->context, false);
	}
	PG_END_TRY();
	return edata;
}

/* Rows that an earlier run left out: each by itself; those that fail again stay left out. */
static uint64
retry_failed(Backfill *b)
{
	List	   *rows;
	ListCell   *lc;
	uint64		changed = 0;
	ErrorData  *edata;

	mig_exec_begin();
	rows = mig_failed_rows_of(&b->cursor);
	mig_exec_commit();
	foreach(lc, rows)
		while ((edata = retry_row(b, lfirst(lc), &changed)) != NULL && !mig_batch_is_of_data(edata))
		{
			mig_run_check_pause(b->run);
			if (!mig_batch_wait_out(b, edata))
				ReThrowError(edata);
		}
	return changed;
}

static void
complain_of_failed(Backfill *b)
{
	int64		n = count_failed(b);

	if (n > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg_plural("%lld row of %s could not be changed", "%lld rows of %s could not be changed",
							   n, (long long) n, b->batches->table),
				 errdetail("All others have been."),
				 errhint("SELECT * FROM migrate.failed_rows lists their keys and errors. Mend them and apply again.")));
}

/* --- the whole --- */

/* Go on where it was left, or begin; true if something was there. */
static bool
find_beginning(Backfill *b, int64 *rows)
{
	bool		found;

	b->cursor.range = 1;
	b->cursor.pass = 1;
	mig_exec_begin();
	found = mig_cursor_load(&b->cursor);
	if (found)
	{
		MigCursorSum sum;

		mig_cursor_sum(&b->cursor, &sum);
		*rows = sum.rows;
	}
	mig_exec_commit();
	if (!found)
		mig_range_begin(b, 1);
	else if (!mig_batch_by_key(b))
		b->total = b->blocks;
	return found;
}

uint64
mig_backfill(MigRun *run, const MigStep *step)
{
	Backfill   *b = mig_backfill_new(run, step, 0);
	MemoryContext caller = CurrentMemoryContext;
	int64		before = 0;
	uint64		changed;
	bool		resumed = find_beginning(b, &before);
	MigCursorSum sum;

	if (mig_batch_by_key(b))
	{
		changed = retry_failed(b);
		all_ranges(b);
	}
	else
		changed = all_passes(b, resumed);
	dismiss_helpers(b);
	complain_of_failed(b);
	mig_exec_begin();
	mig_cursor_sum(&b->cursor, &sum);
	mig_exec_commit();
	changed += sum.rows - before;
	mig_backfill_free(b);
	MemoryContextSwitchTo(caller);
	return changed;
}
