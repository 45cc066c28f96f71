/*-------------------------------------------------------------------------
 *
 * run_batch.c
 *	  One batch of a backfill.
 *
 * A batch is a transaction: the rows and the cursor behind them commit
 * together.  It is to take migrate.batch_time, since a client may wait for a
 * row lock as long as that.
 *
 * By slices: a fifth of that time each; the batch ends after any of them when
 * a client waits for it already.  The size of a slice follows the rate of the
 * last batch, grows by half at most, and falls to a fifth when a batch met
 * somebody's lock.  The worker gives up its wait for a row lock first
 * (lock_timeout).
 *
 * By windows, where updates can stay within their page (HOT): a window is
 * gone through in MIG_PARTS batches, each of which changes one part of its
 * rows, spread over all its pages.  The first makes room in each page, once
 * it has committed; the others find room there.  What an old snapshot, a wide
 * row or somebody's trigger defeats is not tried again for a while.
 *
 * A batch whose rows raise an error is halved until the row is found; that
 * one is left out and kept.  In a window that has met trouble, the parts that
 * are left are done together, by slices.
 *
 * Locks: RowExclusiveLock and row locks for the time of a batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/instrument.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "exec.h"
#include "run_backfill.h"
#include "run_batch.h"
#include "settings.h"
#include "sqlgen.h"

#define SLICES 5				/* that a batch is to have */
#define PART_SLICES 1			/* a part of a window is as large as so many slices */
#define MAX_SLICES 50
#define MAX_SIZE 1000000		/* rows or blocks in a slice */
#define MAX_GROWTH 1.5
#define CUT 5
#define ROW_LOCK_TIMEOUT_MS 200 /* below the server's deadlock_timeout */
#define MAX_FAILED 1000
#define MAX_TRIES 1000			/* of one batch that always meets a lock */
#define HOT_ENOUGH 50			/* percent of a window's updates */
#define NO_WINDOWS_MS 10000
#define WINDOWS_FROM 1000		/* blocks of the table */

/* --- cursors --- */

bool
mig_batch_same(List *a, List *b)
{
	ListCell   *la,
			   *lb;

	forboth(la, a, lb, b)
		if (strcmp(lfirst(la), lfirst(lb)) != 0)
			return false;
	return list_length(a) == list_length(b);
}

static List *
copy_texts(List *texts)
{
	List	   *copy = NIL;
	ListCell   *lc;

	foreach(lc, texts)
		copy = lappend(copy, pstrdup(lfirst(lc)));
	return copy;
}

void
mig_batch_set(Backfill *b, List **where, List *texts)
{
	MemoryContext old = MemoryContextSwitchTo(b->run->context);
	List	   *copy = copy_texts(texts);

	list_free_deep(*where);
	*where = copy;
	MemoryContextSwitchTo(old);
}

bool
mig_batch_at_end(const Backfill *b)
{
	return b->cursor.upper == NIL ||
		(b->cursor.lower != NIL && mig_batch_same(b->cursor.lower, b->cursor.upper));
}

static void
advance(Backfill *b, List *to)
{
	if (!mig_batch_by_key(b))
		b->cursor.done += atol(linitial(to)) - atol(linitial(b->cursor.lower));
	mig_batch_set(b, &b->cursor.lower, to);
}

static void
close_window(Backfill *b)
{
	/* "to" may be the list that is set */
	advance(b, copy_texts(b->cursor.window_end));
	mig_batch_set(b, &b->cursor.window_end, NIL);
	b->cursor.part = 0;
	b->narrow = false;
}

/* --- a transaction --- */

/*
 * A backfill of ours is no business of the users' triggers, and must not be
 * narrowed by a row policy.
 */
void
mig_batch_keep_to_ourselves(const Backfill *b)
{
	if (b->step->kind != MIG_STEP_FILL)
		return;
	(void) set_config_option("session_replication_role", "replica", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	(void) set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * A range of keys is always an index range: the planner, which does not see
 * its bounds, could take a third of the table for each.
 */
static void
prefer_index(const Backfill *b)
{
	static const char *const others[] = {"enable_seqscan", "enable_sort"};

	for (int i = 0; mig_batch_by_key(b) && i < lengthof(others); i++)
		(void) set_config_option(others[i], "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
}

static int64
hot_updates(const Backfill *b)
{
	return DatumGetInt64(DirectFunctionCall1(pg_stat_get_xact_tuples_hot_updated, ObjectIdGetDatum(b->relid)));
}

/*
 * Nobody waits for the disk at the end of a batch: rows and cursor are lost
 * together or not at all, and the record of the step flushes them all.
 */
void
mig_batch_begin(Backfill *b)
{
	mig_exec_begin();
	mig_run_commit_softly();
	mig_batch_keep_to_ourselves(b);
	prefer_index(b);
	(void) set_config_option("lock_timeout", psprintf("%d", ROW_LOCK_TIMEOUT_MS), PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	mig_run_check_tree(b->batches);
	SPI_connect();
	b->wal_before = pgWalUsage.wal_bytes;
	b->hot_before = hot_updates(b);
}

static void
end_batch(Backfill *b)
{
	SPI_finish();
	b->cursor.wal_bytes += pgWalUsage.wal_bytes - b->wal_before;
	b->cursor.hot += hot_updates(b) - b->hot_before;
	mig_cursor_save(&b->cursor);
	PopActiveSnapshot();
	mig_exec_commit();
}

static void
count(Backfill *b, int changed)
{
	b->cursor.rows += changed;
	b->cursor.pass_changed += changed;
}

/*
 * Does anybody wait for a row that we have changed, or for the table?  A
 * transaction's lock on its own id is never fast-path, as LockHasWaiters()
 * wants it.  The locks of a table are counted only once somebody wants a
 * strong one; then ours and his are two at least.
 */
static bool
somebody_waits(const Backfill *b)
{
	TransactionId xid = GetTopTransactionIdIfAny();
	LOCKTAG		tag;

	if (!TransactionIdIsValid(xid))
		return false;
	SET_LOCKTAG_TRANSACTION(tag, xid);
	if (LockHasWaiters(&tag, ExclusiveLock, false))
		return true;
	SET_LOCKTAG_RELATION(tag, MyDatabaseId, b->relid);
	return LockWaiterCount(&tag) > 1;
}

static double
elapsed_ms(instr_time since)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, since);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* --- by slices --- */

/* Rows of an open window that are in parts already done are left alone. */
static void
one_slice(Backfill *b)
{
	int			changed;

	b->bound = mig_batch_bound(b, b->size);
	changed = mig_batch_change(b, b->bound, b->cursor.part, true);
	count(b, changed);
	if (mig_batch_by_key(b))
		b->cursor.done += b->size;
	advance(b, b->bound);
	if (b->cursor.window_end != NIL && mig_batch_same(b->cursor.lower, b->cursor.window_end))
		close_window(b);
}

/* The next slice would make the batch too long, or there is a reason to end it here. */
static bool
is_enough(const Backfill *b, instr_time start)
{
	double		ms = elapsed_ms(start);

	return mig_batch_at_end(b) || b->slices >= MAX_SLICES || b->ceiling > 0 ||
		ms + ms / b->slices > mig_batch_time || somebody_waits(b);
}

static void
slices(Backfill *b, instr_time start)
{
	do
	{
		one_slice(b);
		b->slices++;
	}
	while (!is_enough(b, start));
}

/* --- by windows --- */

/*
 * Not beside other workers, unless it is asked for: their batches are older
 * than our last one, so that nothing can be pruned yet.
 */
static bool
wants_window(const Backfill *b)
{
	if (b->part_of == NULL || mig_low_bloat == MIG_BLOAT_OFF || b->ceiling > 0)
		return false;
	return mig_low_bloat == MIG_BLOAT_ON ||
		(b->blocks >= WINDOWS_FROM && mig_workers == 1 && GetCurrentTimestamp() >= b->no_windows_until);
}

static void
open_window(Backfill *b)
{
	b->window_size = (int64) b->size * PART_SLICES * MIG_PARTS;
	b->window_rows = b->window_hot = 0;
	mig_batch_set(b, &b->cursor.window_end, mig_batch_bound(b, b->window_size));
	b->cursor.part = 0;
}

/* Were the updates of the window such as windows are made for? */
static void
judge_window(Backfill *b)
{
	if (b->window_rows > 0 && b->window_hot * 100 < b->window_rows * HOT_ENOUGH)
		b->no_windows_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), NO_WINDOWS_MS);
}

static void
one_part(Backfill *b)
{
	int			changed;

	if (b->cursor.window_end == NIL)
		open_window(b);
	changed = mig_batch_change(b, b->cursor.window_end, b->cursor.part, false);
	count(b, changed);
	b->window_rows += changed;
	b->window_hot += hot_updates(b) - b->hot_before;
	if (mig_batch_by_key(b))
		b->cursor.done += b->window_size / MIG_PARTS;
	b->slices = b->window_size > 0 ? PART_SLICES : 0;
	if (++b->cursor.part == MIG_PARTS)
	{
		close_window(b);
		judge_window(b);
	}
}

/* --- the one or the other --- */

static bool
by_parts(const Backfill *b)
{
	return b->cursor.window_end != NIL ? !b->narrow : wants_window(b);
}

static void
try_batch(Backfill *b, bool by_part, instr_time start)
{
	mig_batch_begin(b);
	b->moved = mig_batch_has_new_file(b);
	if (!b->moved)
	{
		if (by_part)
			one_part(b);
		else
			slices(b, start);
	}
	end_batch(b);
}

/* --- batches that fail --- */

/* The server has no SQLSTATE for limits on what a user or a file may take. */
static bool
is_no_room(const ErrorData *edata)
{
	return edata->sqlerrcode == ERRCODE_DISK_FULL || edata->saved_errno == EDQUOT || edata->saved_errno == EFBIG;
}

static bool
is_retryable(const ErrorData *edata)
{
	return edata->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		edata->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		edata->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE || is_no_room(edata);
}

/* It may go better by itself after a while; wait for that, and say so. */
bool
mig_batch_wait_out(Backfill *b, const ErrorData *edata)
{
	bool		full = is_no_room(edata);

	if (!is_retryable(edata) || ++b->tries >= MAX_TRIES)
		return false;
	mig_run_pause_for(b->run, full ? 1000 : Min(10 * b->tries, 1000), full ? "disk" : "lock", edata->message);
	return true;
}

/* What a row's own data can be to blame for: classes 22 and 23, and what a trigger raises. */
bool
mig_batch_is_of_data(const ErrorData *edata)
{
	int			category = ERRCODE_TO_CATEGORY(edata->sqlerrcode);

	return category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
		edata->sqlerrcode == ERRCODE_RAISE_EXCEPTION;
}

static char *
key_text(const Backfill *b, List *values)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, values)
		appendStringInfo(&buf, "%s%s=%s", buf.len ? ", " : "",
						 mig_sql_name(list_nth(b->batches->keys, foreach_current_index(lc))),
						 (char *) lfirst(lc));
	return buf.data;
}

/* So many are no exception: something is wrong with the statement, and each costs some transactions. */
static void
check_failed(Backfill *b)
{
	if (mig_failed_rows_count(&b->cursor) < MAX_FAILED)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("more than %d rows of %s could not be changed", MAX_FAILED, b->batches->table),
			 errdetail("Other rows behind them have not been tried."),
			 errhint("SELECT * FROM migrate.failed_rows lists their keys and errors. Mend what is wrong with them and apply again.")));
}

/* The batch was one row: leave it out, and remember it. */
static void
leave_out(Backfill *b, const ErrorData *edata)
{
	mig_batch_begin(b);
	check_failed(b);
	b->bound = mig_batch_bound(b, 1);
	SPI_finish();
	mig_failed_row_add(&b->cursor, b->run->id, b->batches->table, key_text(b, b->bound), b->bound,
					   unpack_sql_state(edata->sqlerrcode), edata->message);
	advance(b, b->bound);
	if (b->cursor.window_end != NIL && mig_batch_same(b->cursor.lower, b->cursor.window_end))
		close_window(b);
	mig_cursor_save(&b->cursor);
	PopActiveSnapshot();
	mig_exec_commit();
}

/* By blocks: one row; the error, or NULL. */
static ErrorData *
try_place(Backfill *b, char *tid)
{
	ErrorData  *volatile edata = NULL;
	int64		rows = b->cursor.rows;
	int64		pass_changed = b->cursor.pass_changed;

	PG_TRY();
	{
		mig_batch_begin(b);
		count(b, mig_batch_place(b, tid));
		end_batch(b);
		b->tries = 0;
	}
	PG_CATCH();
	{
		edata = mig_exec_error(b->run->context, false);
		b->cursor.rows = rows;
		b->cursor.pass_changed = pass_changed;
	}
	PG_END_TRY();
	return edata;
}

/*
 * The batch was one block: row by row.  They are not met again in this pass,
 * and the next begins by forgetting which have failed.
 */
static void
one_block(Backfill *b)
{
	List	   *tids;
	List	   *keys;
	ListCell   *lt,
			   *lk;
	ErrorData  *edata;

	mig_batch_begin(b);
	mig_batch_rows_of_block(b, &tids, &keys);
	end_batch(b);
	forboth(lt, tids, lk, keys)
	{
		while ((edata = try_place(b, lfirst(lt))) != NULL && !mig_batch_is_of_data(edata))
		{
			mig_run_check_pause(b->run);
			if (!mig_batch_wait_out(b, edata))
				ReThrowError(edata);
		}
		if (edata == NULL)
			continue;
		mig_exec_begin();
		check_failed(b);
		mig_failed_row_add(&b->cursor, b->run->id, b->batches->table, lfirst(lk), NIL,
						   unpack_sql_state(edata->sqlerrcode), edata->message);
		mig_exec_commit();
	}
	mig_batch_begin(b);
	b->bound = list_make1(psprintf("%lu", strtoul(linitial(b->cursor.lower), NULL, 10) + 1));
	advance(b, b->bound);
	if (b->cursor.window_end != NIL && mig_batch_same(b->cursor.lower, b->cursor.window_end))
		close_window(b);
	end_batch(b);
}

static void
recover_batch(Backfill *b, ErrorData *edata)
{
	bool		one_row = b->slices == 0 && b->size == 1 && (b->cursor.window_end == NIL || b->narrow);

	b->narrow = b->cursor.window_end != NIL;
	if (mig_batch_wait_out(b, edata))
	{
		b->size = Max(1, b->size / CUT);
		return;
	}
	if (!mig_batch_is_of_data(edata))
		ReThrowError(edata);
	if (one_row && mig_batch_by_key(b))
		leave_out(b, edata);
	else if (one_row)
		one_block(b);
	else
	{
		/* nearer to the row: one slice a batch from here, of half the size if it was the first */
		b->size = b->slices > 0 ? b->size : Max(1, b->size / 2);
		b->ceiling = b->size;
	}
}

/* A slice that takes its share of batch_time, by what those of the last batch took. */
static void
adapt(Backfill *b, int size, double ms)
{
	double		fits = size * ((double) mig_batch_time / SLICES) / Max(ms / Max(b->slices, 1), 0.1);

	b->tries = 0;
	b->run->next_warning = 0;	/* no wait goes on */
	b->size = Max(1, (int) Min(Min(fits, size * MAX_GROWTH + 1), MAX_SIZE));
	if (b->ceiling > 0)
	{
		/* near a row that fails: feel the way out again */
		b->size = Min(b->size, b->ceiling);
		b->ceiling = b->ceiling > MAX_SIZE / 2 ? 0 : b->ceiling * 2;
	}
}

/* As it was before the batch; the lists of both are ours to free. */
static void
restore_cursor(Backfill *b, MigCursor *before)
{
	List	   *lower = before->lower;
	List	   *window_end = before->window_end;

	before->lower = b->cursor.lower;
	before->window_end = b->cursor.window_end;
	b->cursor = *before;
	mig_batch_set(b, &b->cursor.lower, lower);
	mig_batch_set(b, &b->cursor.window_end, window_end);
}

void
mig_batch(Backfill *b)
{
	MigCursor	before = b->cursor;
	ErrorData  *volatile edata = NULL;
	instr_time	start;
	volatile int size = b->size;
	bool		by_part = by_parts(b);

	b->slices = 0;
	MemoryContextReset(b->context);
	MemoryContextSwitchTo(b->context);
	before.lower = copy_texts(b->cursor.lower);
	before.window_end = copy_texts(b->cursor.window_end);
	INSTR_TIME_SET_CURRENT(start);
	PG_TRY();
	{
		try_batch(b, by_part, start);
	}
	PG_CATCH();
	{
		edata = mig_exec_error(b->context, false);
		restore_cursor(b, &before);
	}
	PG_END_TRY();
	if (edata)
		recover_batch(b, edata);
	else if (b->slices > 0)
		adapt(b, by_part ? b->window_size / (MIG_PARTS * PART_SLICES) : size, elapsed_ms(start));
	MemoryContextSwitchTo(b->run->context);
}
