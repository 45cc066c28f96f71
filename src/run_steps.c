/*-------------------------------------------------------------------------
 *
 * run_steps.c
 *	  Carry out what is not done yet, transaction by transaction.
 *
 * Steps with the same tx share a transaction block; their effect and its
 * record commit together.  The record is written just before COMMIT, so that
 * a SET TRANSACTION of the user's can still be the first in its block.  A
 * step that runs alone leaves the mark "started" in a transaction before it.
 *
 * Locks: the strong ones of a transaction at its beginning, by the ladder;
 * after that, migrate.stall_limit bounds the wait for what was not foreseen,
 * and the transaction is repeated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/instrument.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "catalog.h"
#include "exec.h"
#include "lock.h"
#include "parse.h"
#include "run_backfill.h"
#include "run_state.h"
#include "settings.h"
#include "step.h"
#include "words.h"

#define LADDER_SLICE_MS 1000	/* then tell what we wait for, and try again */
#define LADDER_PAUSE_MS 10

typedef struct Measured
{
	double		ms;
	uint64		rows;
	uint64		wal_bytes;
} Measured;

static bool
is_done(const MigStep *step)
{
	return strcmp(step->state, "done") == 0;
}

static int
steps_done(const MigRun *run)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, run->plan->steps)
		n += is_done(lfirst(lc));
	return n;
}

bool
mig_run_in_scope(const MigRun *run, const MigStep *step)
{
	return run->direction == MIG_DIR_ROLLBACK || step->phase != MIG_CONTRACT || run->with_contract;
}

/* Is there anything left to do after this transaction? */
static bool
is_last(const MigRun *run, int tx)
{
	ListCell   *lc;

	foreach(lc, run->plan->steps)
	{
		MigStep    *step = lfirst(lc);

		if (step->tx != tx && !is_done(step) && mig_run_in_scope(run, step))
			return false;
	}
	return true;
}

static bool
ends_run(const MigRun *run, int tx)
{
	return run->migration->verify == NULL && is_last(run, tx);
}

void
mig_run_name_session(const MigRun *run, const MigStep *step)
{
	char		name[NAMEDATALEN];

	snprintf(name, sizeof(name), "migrate: step %d of %s", step->step, run->version);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_SESSION);
}

static void
listen_to(const MigRun *run, const MigStep *step)
{
	mig_notices_begin(psprintf("step %d of migration %s, line %d", step->step, run->version, step->line));
}

static uint64
run_measured(MigRun *run, MigStep *step, uint64 (*action) (MigRun *, const MigStep *), Measured *m)
{
	instr_time	start,
				end;
	uint64		wal = pgWalUsage.wal_bytes;

	listen_to(run, step);
	INSTR_TIME_SET_CURRENT(start);
	m->rows = action(run, step);
	mig_notices_end();
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	m->ms = INSTR_TIME_GET_MILLISEC(end);
	m->wal_bytes = pgWalUsage.wal_bytes - wal;
	return m->rows;
}

/* In the caller's transaction: the step is done, and what it took. */
static void
record_done(MigRun *run, const MigStep *step, const Measured *measured)
{
	MigEvent	event = {0};

	mig_catalog_step_state(run->version, run->plan->direction, step->step, "done");
	if (mig_run_ends_undo(run->plan, step))
		mig_catalog_step_state(run->version, MIG_DIR_APPLY, step->undoes, "undone");
	event.version = run->version;
	event.run = run->id;
	event.step = step->step;
	event.event = "step done";
	event.kind = mig_kind_word(step->kind);
	event.command = step->command;
	event.duration_ms = measured->ms;
	event.rows = measured->rows;
	event.wal_bytes = measured->wal_bytes;
	event.bytes = step->bytes;
	event.lock_wait_ms = run->waited_ms;
	event.stalled_ms = run->stalled_ms;
	mig_event_record(&event);
	if (run->stalled_ms || run->waited_ms)
		mig_run_add_lock_time(run->id, run->stalled_ms, run->waited_ms);
	run->stalled_ms = run->waited_ms = 0;
}

void
mig_run_record_done(MigRun *run, MigStep *step)
{
	Measured	measured = {0};

	record_done(run, step, &measured);
	step->state = "done";
	mig_run_at_step(run->version, step->phase, step->step, steps_done(run));
}

/* --- a transaction --- */

/*
 * What the ladder has to take for these steps: weak modes too, as two of them
 * on one relation may make a strong one.
 */
static List *
locks_of(List *steps)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, steps)
		result = list_concat(result, ((MigStep *) lfirst(lc))->locks);
	return result;
}

/* Plain reads and writes of rows: whoever waits for them holds nothing strong. */
static bool
only_touch_rows(List *steps)
{
	ListCell   *lc;
	ListCell   *lk;

	foreach(lc, steps)
	{
		MigStep    *step = lfirst(lc);

		if (step->locks == NIL)
			return false;
		foreach(lk, step->locks)
			if (((MigLock *) lfirst(lk))->mode > RowExclusiveLock)
				return false;
	}
	return true;
}

/*
 * Inside the block, before any work.  False: not to be had with this
 * patience (ms); the block must be given up.
 */
static bool
take_locks(MigRun *run, List *locks, MigLadder *ladder, int patience)
{
	int64		stalled = ladder->stalled_ms;
	int64		waited = ladder->waited_ms;
	bool		got;

	ladder->patience = patience;
	mig_exec_begin();
	got = mig_ladder_take(locks, ladder);
	mig_exec_commit();
	run->stalled_ms += ladder->stalled_ms - stalled;
	run->waited_ms += ladder->waited_ms - waited;
	return got;
}

/* lock_retry_for is over: an error in the step that needs what was not to be had. */
static void
give_up_waiting(MigRun *run, List *steps, const MigLadder *ladder)
{
	ListCell   *lc;
	ListCell   *lk;

	foreach(lc, steps)
		foreach(lk, ((MigStep *) lfirst(lc))->locks)
		{
			MigLock    *lock = lfirst(lk);

			if (lock->mode == ladder->mode && ladder->relation &&
				strcmp(lock->relation, ladder->relation) == 0)
				run->current = lfirst(lc);
		}
	run->out_of_patience = true;
	mig_ladder_raise(ladder);
}

void
mig_run_begin_with_locks(MigRun *run, List *steps)
{
	MigStep    *first = linitial(steps);
	List	   *locks = locks_of(steps);
	MigLadder	ladder = {.stall_limit = mig_stall_limit};
	TimestampTz since = run->trouble_since ? run->trouble_since : GetCurrentTimestamp();
	TimestampTz deadline = TimestampTzPlusMilliseconds(since, mig_lock_retry_for);

	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

		mig_exec(first->begin ? first->begin : "BEGIN");
		if (take_locks(run, locks, &ladder, (int) Min(left, LADDER_SLICE_MS)))
			break;
		mig_exec("ROLLBACK");
		if (left <= LADDER_SLICE_MS)
			give_up_waiting(run, steps, &ladder);
		mig_run_pause_for(run, LADDER_PAUSE_MS, "lock",
						  psprintf("%s: %s", ladder.relation ? ladder.relation : "?",
								   ladder.holders ? ladder.holders : "whoever it was has gone"));
	}
	if (LockTimeout == 0 && !only_touch_rows(steps))
		mig_lock_bound_statements(mig_stall_limit);
	run->work_since = GetCurrentTimestamp();
	run->next_warning = 0;
}

/*
 * A statement that was written outside of any block shares its transaction by
 * our choice: what it has deferred to its end happens now, as after a COMMIT
 * of its own, so that the next one may alter the table, or drop the trigger.
 */
static uint64
do_in_block(MigRun *run, const MigStep *step)
{
	uint64		rows;

	if (step->kind == MIG_STEP_LOOK)
		return mig_run_look(run, step);
	rows = mig_exec(step->command);
	if (step->begin == NULL)
	{
		mig_exec_begin();
		AfterTriggerFireDeferred();
		mig_exec_commit();
	}
	return rows;
}

static uint64
do_alone(MigRun *run, const MigStep *step)
{
	if (step->kind == MIG_STEP_BACKFILL || step->kind == MIG_STEP_FILL)
		return mig_backfill(run, step);
	return mig_step_do_alone(step);
}

static void
read_undo(MigRun *run, MigStep *step)
{
	if (!step->undo_late)
		return;
	mig_exec_begin();
	mig_run_read_undo(run, step);
	mig_exec_commit();
}

static void
record_transaction(MigRun *run, List *steps, const Measured *measured, bool finish)
{
	int			done = steps_done(run) + list_length(steps);
	ListCell   *lc;

	mig_exec_begin();
	foreach(lc, steps)
		record_done(run, lfirst(lc), &measured[foreach_current_index(lc)]);
	mig_run_at_step(run->version, ((MigStep *) llast(steps))->phase,
					((MigStep *) llast(steps))->step, done);
	if (finish)
		mig_run_finish(run);
	mig_exec_commit();
}

static void
run_transaction(MigRun *run, List *steps)
{
	MigStep    *first = linitial(steps);
	Measured   *measured = palloc0(sizeof(Measured) * list_length(steps));
	bool		finish = ends_run(run, first->tx);
	bool		recorded = false;
	ListCell   *lc;

	run->current = first;
	mig_run_name_session(run, first);
	mig_run_begin_with_locks(run, steps);
	foreach(lc, steps)
	{
		run->current = lfirst(lc);
		mig_run_name_session(run, run->current);
		read_undo(run, run->current);
		run_measured(run, run->current, do_in_block, &measured[foreach_current_index(lc)]);
	}
	if (!first->ends_aborted && !XactReadOnly)
	{
		record_transaction(run, steps, measured, finish);
		recorded = true;
	}
	listen_to(run, llast(steps));
	mig_exec(first->ends_aborted ? "ROLLBACK" : "COMMIT");
	mig_notices_end();
	if (!recorded)
		record_transaction(run, steps, measured, finish);
	foreach(lc, steps)
		((MigStep *) lfirst(lc))->state = "done";
	run->finished = finish;
}

/* --- a step alone --- */

static void
mark(MigRun *run, MigStep *step, char *state)
{
	mig_exec_begin();
	mig_catalog_step_state(run->version, run->plan->direction, step->step, state);
	mig_exec_commit();
	step->state = state;
}

static void
refuse_doubtful_step(MigRun *run, MigStep *step)
{
	mark(run, step, "doubtful");
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("step %d may have run", step->step),
			 errdetail("It was interrupted, and its effect cannot be told from the catalog."),
			 errhint("Look, then say SELECT migrate.resolve(%s, %d, 'done'), or 'again'.",
					 quote_literal_cstr(run->version), step->step)));
}

/* Clear away what an interrupted step left; true if it turns out to be done. */
static bool
settle(MigRun *run, MigStep *step)
{
	switch (mig_step_after_crash(step))
	{
		case MIG_STEP_IS_DONE:
			return true;
		case MIG_STEP_DOUBTFUL:
			refuse_doubtful_step(run, step);
			break;
		case MIG_STEP_AGAIN:
			break;
	}
	return false;
}

static void
run_alone(MigRun *run, MigStep *step)
{
	Measured	measured = {0};
	bool		done = false;
	bool		finish;

	run->current = step;
	mig_run_name_session(run, step);
	if (strcmp(step->state, "started") == 0)
		done = settle(run, step);
	else
	{
		mig_exec_begin();
		mig_step_check(step);
		mig_exec_commit();
		read_undo(run, step);
		mark(run, step, "started");
	}
	if (!done)
		run_measured(run, step, do_alone, &measured);
	finish = ends_run(run, step->tx);
	record_transaction(run, list_make1(step), &measured, finish);
	run->finished = finish;
	step->state = "done";
}

/* --- all of it --- */

void
mig_run_commit_softly(void)
{
	(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/* Between transactions: tell where we are, and stop here if somebody wants us to. */
static void
safe_point(MigRun *run, MigStep *next)
{
	const char *pause;

	mig_exec_begin();
	mig_run_commit_softly();
	pause = mig_get_pause(run->version);
	mig_settings_apply(mig_run_settings(run->id));	/* tune() may have changed them */
	mig_run_at_step(run->version, next->phase, next->step, steps_done(run));
	mig_request_take_notices(run->request->id);
	mig_exec_commit();
	if (strcmp(pause, "none") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("migration \"%s\" is paused", run->version)));
}

/* After a way back that stopped half way some of them are done still; settings count in their own block. */
static List *
steps_of_tx(MigRun *run, int tx)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, run->plan->steps)
	{
		MigStep    *step = lfirst(lc);

		if (step->tx == tx && (!is_done(step) || mig_step_is_setting(step)))
			result = lappend(result, step);
	}
	return result;
}

/* Does the last query say yes?  One that returns no boolean does. */
static bool
last_query_is_true(void)
{
	bool		isnull;
	Datum		value;

	if (SPI_tuptable == NULL || SPI_tuptable->tupdesc->natts != 1 ||
		SPI_gettypeid(SPI_tuptable->tupdesc, 1) != BOOLOID)
		return true;
	if (SPI_processed == 0)
		return false;
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	return !isnull && DatumGetBool(value);
}

void
mig_run_verify(MigRun *run)
{
	int			first_line;
	char	   *what = mig_part_name(run->migration, "verify", &first_line);
	List	   *statements = mig_parse_at(run->migration->verify, what, first_line);
	MigStatement *last = NULL;
	bool		ok = true;
	ListCell   *lc;

	SPI_connect();
	foreach(lc, statements)
	{
		int			rc;

		last = lfirst(lc);
		CommandCounterIncrement();
		rc = SPI_execute(last->text, false, 0);
		if (rc < 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("verify of migration \"%s\", line %d, cannot run: %s",
							run->version, last->line, SPI_result_code_string(rc)),
					 errhint("It runs in a transaction of its own, which is rolled back: leave BEGIN, COMMIT and ROLLBACK out.")));
		ok = last_query_is_true();
	}
	SPI_finish();
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("verify of migration \"%s\" failed", run->version),
				 errdetail("Its last query, in line %d, did not return true.", last->line),
				 errhint("Mend the cause and apply again, or roll back: CALL migrate.rollback(%s).",
						 quote_literal_cstr(run->version)),
				 internalerrquery(last->text)));
}

/* verify, in a transaction that is rolled back. */
static void
verify_and_abort(MigRun *run)
{
	run->current = NULL;
	mig_exec_begin();
	PushActiveSnapshot(GetTransactionSnapshot());
	mig_notices_begin(psprintf("verify of migration %s", run->version));
	mig_run_verify(run);
	mig_notices_end();
	PopActiveSnapshot();
	AbortOutOfAnyTransaction();
	MemoryContextSwitchTo(run->context);
}

/* What the session of a worker before us had set, as far as its steps are done. */
void
mig_run_say_settings_again(MigRun *run)
{
	ListCell   *lc;

	foreach(lc, run->plan->steps)
	{
		MigStep    *step = lfirst(lc);

		if (is_done(step) && mig_step_is_setting(step))
			mig_exec(step->command);
	}
}

static void
run_next(MigRun *run, MigStep *step)
{
	if (step->alone)
		run_alone(run, step);
	else
		run_transaction(run, steps_of_tx(run, step->tx));
	run->tries = 0;
	run->trouble_since = 0;
}

void
mig_run_steps(MigRun *run)
{
	bool		first = true;
	int			tx = 0;
	ListCell   *lc;

	mig_run_mend(run);
	if (run->tries == 0)
		mig_run_say_settings_again(run);
	foreach(lc, run->plan->steps)
	{
		MigStep    *step = lfirst(lc);

		if (step->tx == tx || is_done(step) || !mig_run_in_scope(run, step))
			continue;
		tx = step->tx;
		if (step->phase == MIG_CONTRACT && run->migration->verify && run->direction == MIG_DIR_COMPLETE)
			verify_and_abort(run);
		if (!first || run->tries > 0)
			safe_point(run, step);
		first = false;
		run_next(run, step);
	}
	if (run->finished)
		return;
	if (run->migration->verify && run->direction != MIG_DIR_ROLLBACK)
		verify_and_abort(run);
	mig_exec_begin();
	mig_run_finish(run);
	mig_exec_commit();
	run->finished = true;
}
