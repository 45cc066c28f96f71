/*-------------------------------------------------------------------------
 *
 * run_backfill.c
 *	  A statement over a large table, in batches.
 *
 * Each batch is a transaction: the rows and the cursor behind them commit
 * together.  By key, a batch is the next so many keys after the cursor, up to
 * the last key that was there when the backfill began.  By blocks, it is the
 * next so many blocks; a pass ends at the end of the table as it was when the
 * pass began, and passes are repeated until one changes less than a batch;
 * then the statement runs once as it was written.  Block numbers are those
 * of one file: when the table gets another, the pass begins anew.
 *
 * Batches are to take migrate.batch_time, since a client may wait for a row
 * lock as long as that.  A batch is made of slices, a fifth of that time each,
 * and ends after any of them when a client waits for it already.  The size of
 * a slice follows the rate of the last batch, grows by half at most, and falls
 * to a fifth when a batch met somebody's lock.  The worker gives up its wait
 * for a row lock first (lock_timeout).
 *
 * A batch whose rows raise an error is halved until the row is found; that
 * one is left out and kept, the rest goes on, and the step fails at its end.
 *
 * Locks: RowExclusiveLock and row locks for the time of a batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "catalog_cursor.h"
#include "compat.h"
#include "exec.h"
#include "run_backfill.h"
#include "run_throttle.h"
#include "settings.h"
#include "sqlgen.h"

#define SLICES 5				/* that a batch is to have */
#define MAX_SLICES 50
#define FIRST_ROWS 1000
#define FIRST_BLOCKS 64
#define MAX_SIZE 1000000		/* rows or blocks in a batch */
#define MAX_GROWTH 1.5
#define CUT 5
#define ROW_LOCK_TIMEOUT_MS 200 /* below the server's deadlock_timeout */
#define MAX_PASSES 3
#define MAX_TRIES 1000			/* of one batch that always meets a lock */

typedef struct Backfill
{
	MigRun	   *run;
	const MigStep *step;
	const MigBatches *batches;
	MigCursor	cursor;
	MigThrottle throttle;
	MemoryContext context;		/* of a batch */
	int			size;			/* rows or blocks of the next slice */
	Oid			relid;			/* of the table, as it was at the last look */
	int			slices;			/* of the batch at hand */
	int			tries;
	List	   *bound;			/* upper end of the batch at hand */
	int64		scanned;		/* keys passed in this run, for progress */
	int64		total;			/* rows or blocks, -1: not known */
	int			ceiling;		/* of size, behind a row that failed; 0: none */
	uint64		changed;		/* rows, in this run */
	SPIPlanPtr	bound_plan;		/* where a slice ends */
	SPIPlanPtr	slice_plan;		/* what changes its rows */
} Backfill;

static bool
by_key(const Backfill *b)
{
	return b->batches->keys != NIL;
}

static bool
equal_texts(List *a, List *b)
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

/* --- SQL --- */

/* "t.a, t.b" with a suffix for each: qualified, since a name alone would be that of the output. */
static char *
key_list(const Backfill *b, const char *suffix)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, b->batches->keys)
		appendStringInfo(&buf, "%st.%s%s", lc == list_head(b->batches->keys) ? "" : ", ",
						 quote_identifier(lfirst(lc)), suffix);
	return buf.data;
}

/* "$1::bigint, $2::text"; parameters are text */
static char *
value_row(const Backfill *b, int first)
{
	RangeVar   *rv = makeRangeVarFromNameList(mig_qualified_name(b->batches->table));
	Oid			relid = RangeVarGetRelid(rv, NoLock, false);
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, b->batches->keys)
		appendStringInfo(&buf, "%s$%d::%s", buf.len ? ", " : "", first + foreach_current_index(lc),
						 mig_sql_column_type(relid, get_attnum(relid, lfirst(lc))));
	return buf.data;
}

static int
execute(Backfill *b, const char *sql, List *values, bool read_only)
{
	int			n = list_length(values);
	Oid		   *types = palloc(sizeof(Oid) * (n + 1));
	Datum	   *datums = palloc(sizeof(Datum) * (n + 1));
	int			rc;
	ListCell   *lc;

	foreach(lc, values)
	{
		types[foreach_current_index(lc)] = TEXTOID;
		datums[foreach_current_index(lc)] = CStringGetTextDatum((char *) lfirst(lc));
	}
	rc = SPI_execute_with_args(sql, n, types, datums, NULL, read_only, 0);
	if (rc < 0)
		elog(ERROR, "could not run a batch: %s", SPI_result_code_string(rc));
	return (int) SPI_processed;
}

/* The same with a plan that is made once and kept, since slices are many. */
static int
execute_kept(SPIPlanPtr *plan, const char *sql, List *values, bool read_only)
{
	int			n = list_length(values);
	Datum	   *datums = palloc(sizeof(Datum) * (n + 1));
	int			rc;
	ListCell   *lc;

	if (*plan == NULL)
	{
		Oid		   *types = palloc(sizeof(Oid) * (n + 1));

		for (int i = 0; i < n; i++)
			types[i] = TEXTOID;
		*plan = SPI_prepare_cursor(sql, n, types, CURSOR_OPT_GENERIC_PLAN);
		if (*plan == NULL)
			elog(ERROR, "could not prepare a batch: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(*plan);
	}
	foreach(lc, values)
		datums[foreach_current_index(lc)] = CStringGetTextDatum((char *) lfirst(lc));
	rc = SPI_execute_plan(*plan, datums, NULL, read_only, 0);
	if (rc < 0)
		elog(ERROR, "could not run a batch: %s", SPI_result_code_string(rc));
	return (int) SPI_processed;
}

static List *
first_row(MemoryContext context)
{
	List	   *values = NIL;
	MemoryContext old;

	if (SPI_processed == 0)
		return NIL;
	old = MemoryContextSwitchTo(context);
	for (int i = 1; i <= SPI_tuptable->tupdesc->natts; i++)
		values = lappend(values, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i));
	MemoryContextSwitchTo(old);
	return values;
}

/* --- beginnings --- */

static void
open_relation(const Backfill *b, Relation *rel)
{
	RangeVar   *rv = makeRangeVarFromNameList(mig_qualified_name(b->batches->table));

	*rel = relation_openrv(rv, AccessShareLock);
	if ((*rel)->rd_rel->relkind != RELKIND_RELATION &&
		!(by_key(b) && (*rel)->rd_rel->relkind == RELKIND_PARTITIONED_TABLE))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not a plain table any more", b->batches->table),
				 errhint("Roll the migration back, or register what is left to do as a new one.")));
}

static void
end_of_keys(Backfill *b)
{
	SPI_connect();
	execute(b, psprintf("SELECT %s FROM %s t ORDER BY %s LIMIT 1", key_list(b, "::pg_catalog.text"),
						b->batches->table, key_list(b, " DESC")), NIL, true);
	b->cursor.upper = first_row(b->run->context);
	SPI_finish();
}

static void
end_of_blocks(Backfill *b)
{
	MemoryContext old;
	Relation	rel;

	open_relation(b, &rel);
	old = MemoryContextSwitchTo(b->run->context);
	b->cursor.file = psprintf("%u", rel->rd_rel->relfilenode);
	b->cursor.lower = list_make1(pstrdup("0"));
	b->cursor.upper = list_make1(psprintf("%u", RelationGetNumberOfBlocks(rel)));
	MemoryContextSwitchTo(old);
	b->cursor.pass_changed = 0;
	relation_close(rel, AccessShareLock);
}

static void
estimate_total(Backfill *b)
{
	Relation	rel;

	open_relation(b, &rel);
	b->relid = RelationGetRelid(rel);
	b->total = by_key(b) ? (rel->rd_rel->reltuples < 0 ? -1 : (int64) rel->rd_rel->reltuples) :
		atol(linitial(b->cursor.upper));
	relation_close(rel, AccessShareLock);
}

static void
find_beginning(Backfill *b)
{
	bool		found;

	b->cursor.version = b->run->version;
	b->cursor.direction = b->run->plan->direction;
	b->cursor.step = b->step->step;
	b->cursor.pass = 1;
	mig_exec_begin();
	PushActiveSnapshot(GetTransactionSnapshot());
	found = mig_cursor_load(&b->cursor);
	if (!found)
	{
		if (by_key(b))
			end_of_keys(b);
		else
			end_of_blocks(b);
		mig_cursor_save(&b->cursor);
	}
	if (!by_key(b) || b->cursor.upper != NIL)
		estimate_total(b);
	PopActiveSnapshot();
	mig_exec_commit();
	b->size = by_key(b) ? FIRST_ROWS : FIRST_BLOCKS;
}

/* --- a batch --- */

/*
 * A backfill of ours is no business of the users' triggers, and must not be
 * narrowed by a row policy: for the rest of the transaction.
 */
static void
keep_to_ourselves(const Backfill *b)
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

	for (int i = 0; by_key(b) && i < lengthof(others); i++)
		(void) set_config_option(others[i], "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * Nobody waits for the disk at the end of a batch: rows and cursor are lost
 * together or not at all, and the record of the step flushes them all.
 */
static void
begin_batch(Backfill *b)
{
	mig_exec_begin();
	mig_run_commit_softly();
	keep_to_ourselves(b);
	prefer_index(b);
	(void) set_config_option("lock_timeout", psprintf("%d", ROW_LOCK_TIMEOUT_MS), PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	mig_run_check_tree(b->batches);
	SPI_connect();
}

static void
end_batch(Backfill *b, int64 done, const char *unit)
{
	SPI_finish();
	mig_cursor_save(&b->cursor);
	mig_run_progress(b->run->id, done, b->total, unit);
	PopActiveSnapshot();
	mig_exec_commit();
}

/* The last key of the batch: "size" keys behind the cursor, or the end. */
static void
find_bound(Backfill *b)
{
	const char *table = b->batches->table;
	int			nkeys = list_length(b->batches->keys);
	List	   *values = lcons(psprintf("%d", b->size - 1), list_concat_copy(b->cursor.lower, b->cursor.upper));
	StringInfoData sql;

	initStringInfo(&sql);
	if (b->cursor.lower == NIL || b->bound_plan == NULL)
	{
		appendStringInfo(&sql, "SELECT %s FROM %s t WHERE ", key_list(b, "::pg_catalog.text"), table);
		if (b->cursor.lower != NIL)
			appendStringInfo(&sql, "(%s) > (%s) AND ", key_list(b, ""), value_row(b, 2));
		appendStringInfo(&sql, "(%s) <= (%s) ORDER BY %s OFFSET $1::pg_catalog.int8 LIMIT 1", key_list(b, ""),
						 value_row(b, b->cursor.lower != NIL ? nkeys + 2 : 2), key_list(b, ""));
	}
	if (b->cursor.lower == NIL)
		execute(b, sql.data, values, true);
	else
		execute_kept(&b->bound_plan, sql.data, values, true);
	b->bound = first_row(b->context);
	if (b->bound == NIL)
		b->bound = b->cursor.upper;
}

/* Change the rows of the batch; returns their number. */
static int
change(Backfill *b)
{
	if (by_key(b) && b->cursor.lower == NIL)
		return execute(b, b->batches->first, b->bound, false);
	return execute_kept(&b->slice_plan, b->step->command, list_concat_copy(b->cursor.lower, b->bound), false);
}

/* The cursor behind the batch; its values outlive the batch. */
static void
advance(Backfill *b, List *to)
{
	MemoryContext old = MemoryContextSwitchTo(b->run->context);
	List	   *copy = copy_texts(to);

	list_free_deep(b->cursor.lower);
	b->cursor.lower = copy;
	MemoryContextSwitchTo(old);
}

static bool
at_end(const Backfill *b)
{
	return b->cursor.upper == NIL ||
		(b->cursor.lower != NIL && equal_texts(b->cursor.lower, b->cursor.upper));
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

/* The next slice would make the batch too long, or there is a reason to end it here. */
static bool
is_enough(const Backfill *b, instr_time start, int slices)
{
	double		ms = elapsed_ms(start);

	return at_end(b) || slices >= MAX_SLICES || b->ceiling > 0 || ms + ms / slices > mig_batch_time || somebody_waits(b);
}

static void
key_slice(Backfill *b)
{
	int			changed;

	find_bound(b);
	changed = change(b);
	b->cursor.rows += changed;
	b->changed += changed;
	advance(b, b->bound);
	b->scanned += b->size;
}

static void
key_batch(Backfill *b, instr_time start)
{
	begin_batch(b);
	do
		key_slice(b);
	while (!is_enough(b, start, ++b->slices));
	end_batch(b, b->total < 0 ? b->scanned : Min(b->scanned, b->total), "rows");
}

/* "(block,0)" */
static List *
tid_text(uint32 block)
{
	return list_make1(psprintf("(%u,0)", block));
}

/* A table that has a new file has other blocks: begin the pass anew. */
static bool
has_new_file(Backfill *b)
{
	Relation	rel;
	bool		other;

	open_relation(b, &rel);
	other = strcmp(psprintf("%u", rel->rd_rel->relfilenode), b->cursor.file) != 0;
	relation_close(rel, AccessShareLock);
	return other;
}

static uint32
block_slice(Backfill *b)
{
	uint32		from = strtoul(linitial(b->cursor.lower), NULL, 10);
	uint32		end = strtoul(linitial(b->cursor.upper), NULL, 10);
	uint32		to = Min(from + b->size, end);
	int			changed;

	changed = execute_kept(&b->slice_plan, b->step->command, list_concat(tid_text(from), tid_text(to)), false);
	b->cursor.rows += changed;
	b->cursor.pass_changed += changed;
	b->changed += changed;
	advance(b, list_make1(psprintf("%u", to)));
	return to;
}

static void
block_batch(Backfill *b, instr_time start)
{
	uint32		done;

	begin_batch(b);
	if (has_new_file(b))
		end_of_blocks(b);
	do
		done = block_slice(b);
	while (!is_enough(b, start, ++b->slices));
	end_batch(b, done, "blocks");
}

/* --- batches that fail --- */

static bool
is_retryable(const ErrorData *edata)
{
	return edata->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		edata->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		edata->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

/* What a row's own data can be to blame for: classes 22 and 23, and what a trigger raises. */
static bool
is_of_data(const ErrorData *edata)
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
						 quote_identifier(list_nth(b->batches->keys, foreach_current_index(lc))),
						 (char *) lfirst(lc));
	return buf.data;
}

/* The batch was one row: leave it out, and remember it. */
static void
leave_out(Backfill *b, const ErrorData *edata)
{
	begin_batch(b);
	find_bound(b);
	SPI_finish();
	mig_failed_row_add(&b->cursor, b->run->id, b->batches->table, key_text(b, b->bound), b->bound,
					   unpack_sql_state(edata->sqlerrcode), edata->message);
	advance(b, b->bound);
	mig_cursor_save(&b->cursor);
	PopActiveSnapshot();
	mig_exec_commit();
}

static void
recover_batch(Backfill *b, ErrorData *edata)
{
	if (is_retryable(edata) && ++b->tries < MAX_TRIES)
	{
		b->size = Max(1, b->size / CUT);
		mig_run_pause_for(b->run, Min(10 * b->tries, 1000), "lock", edata->message);
		return;
	}
	if (!is_of_data(edata) || !by_key(b))
		ReThrowError(edata);
	if (b->slices == 0 && b->size == 1)
		leave_out(b, edata);
	else
	{
		/* nearer to the row: one slice a batch from here, of half the size if it was the first */
		b->size = b->slices > 0 ? b->size : b->size / 2;
		b->ceiling = b->size;
	}
}

/* A slice that takes its share of batch_time, by what those of the last batch took. */
static void
adapt(Backfill *b, double ms)
{
	double		fits = b->size * ((double) mig_batch_time / SLICES) / Max(ms / Max(b->slices, 1), 0.1);

	b->tries = 0;
	b->size = Max(1, (int) Min(Min(fits, b->size * MAX_GROWTH + 1), MAX_SIZE));
	if (b->ceiling > 0)
	{
		/* near a row that fails: feel the way out again */
		b->size = Min(b->size, b->ceiling);
		b->ceiling = b->ceiling > MAX_SIZE / 2 ? 0 : b->ceiling * 2;
	}
}

/* One batch, whatever becomes of it. */
static void
one_batch(Backfill *b)
{
	MigCursor	before = b->cursor;
	ErrorData  *volatile edata = NULL;
	instr_time	start;

	b->slices = 0;
	MemoryContextReset(b->context);
	MemoryContextSwitchTo(b->context);
	before.lower = copy_texts(b->cursor.lower);
	INSTR_TIME_SET_CURRENT(start);
	PG_TRY();
	{
		if (by_key(b))
			key_batch(b, start);
		else
			block_batch(b, start);
	}
	PG_CATCH();
	{
		edata = mig_exec_error(b->context, false);
		before.upper = b->cursor.upper;
		before.file = b->cursor.file;
		b->cursor = before;
		b->cursor.lower = NIL;	/* the old list is in use no more, but was not ours to free */
		advance(b, before.lower);
	}
	PG_END_TRY();
	if (edata)
		recover_batch(b, edata);
	else
		adapt(b, elapsed_ms(start));
	MemoryContextSwitchTo(b->run->context);
}

/* Rows that an earlier run left out: each by itself. */
static void
retry_failed(Backfill *b)
{
	List	   *rows;
	ListCell   *lc;

	mig_exec_begin();
	rows = mig_failed_rows_of(&b->cursor);
	mig_exec_commit();
	foreach(lc, rows)
	{
		List	   *key = lfirst(lc);

		begin_batch(b);
		b->changed += execute(b, b->batches->single, key, false);
		SPI_finish();
		mig_failed_row_remove(&b->cursor, key);
		PopActiveSnapshot();
		mig_exec_commit();
	}
}

/* --- the whole --- */

static void
all_batches(Backfill *b)
{
	while (!at_end(b))
	{
		mig_throttle(b->run, &b->throttle, b->batches->table);
		mig_run_check_pause(b->run);
		one_batch(b);
	}
}

static void
next_pass(Backfill *b)
{
	mig_exec_begin();
	b->cursor.pass++;
	end_of_blocks(b);
	mig_cursor_save(&b->cursor);
	mig_exec_commit();
	b->total = strtol(linitial(b->cursor.upper), NULL, 10);
}

/* Passes over the blocks, until there is next to nothing left; the rest in one statement. */
static void
all_passes(Backfill *b)
{
	for (;;)
	{
		all_batches(b);
		if (b->cursor.pass_changed < FIRST_ROWS || b->cursor.pass >= MAX_PASSES)
			break;
		next_pass(b);
	}
	mig_exec("BEGIN");
	keep_to_ourselves(b);
	b->changed += mig_exec(b->batches->whole);
	mig_exec("COMMIT");
}

static void
complain_of_failed(Backfill *b)
{
	int64		n;

	mig_exec_begin();
	n = mig_failed_rows_count(&b->cursor);
	mig_exec_commit();
	if (n > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg_plural("%lld row of %s could not be changed", "%lld rows of %s could not be changed",
							   n, (long long) n, b->batches->table),
				 errdetail("All others have been."),
				 errhint("SELECT * FROM migrate.failed_rows lists their keys and errors. Mend them and apply again.")));
}

static void
forget_plans(Backfill *b)
{
	if (b->bound_plan)
		SPI_freeplan(b->bound_plan);
	if (b->slice_plan)
		SPI_freeplan(b->slice_plan);
	b->bound_plan = b->slice_plan = NULL;
}

uint64
mig_backfill(MigRun *run, const MigStep *step)
{
	Backfill   *b = palloc0(sizeof(Backfill));
	MemoryContext caller = CurrentMemoryContext;

	b->run = run;
	b->step = step;
	b->batches = step->batches;
	b->context = AllocSetContextCreate(run->context, "migrate batch", ALLOCSET_DEFAULT_SIZES);
	find_beginning(b);
	retry_failed(b);
	if (by_key(b))
		all_batches(b);
	else
		all_passes(b);
	complain_of_failed(b);
	forget_plans(b);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(b->context);
	return b->changed;
}
