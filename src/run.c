/*-------------------------------------------------------------------------
 *
 * run.c
 *	  The state machine: carry one migration's plan out, either way.
 *
 *	  pending -> running -> expanded -> completing -> applied
 *	                 \-> applied (nothing to contract)
 *	  any of them but pending -> rolling_back -> pending
 *	  running, completing, rolling_back -> paused | failed -> any of the three
 *
 * A run holds, in the session of its worker: the run lock of its migration
 * (liveness, too), one of migrate.max_runs places, and a run lock for each
 * relation of its plan.  Everything durable is in the tables, changed by the
 * transaction that does the work; what is in memory can be lost at any time.
 *
 * An error ends a try, not the run: locks that were not to be had, deadlocks
 * and serialization failures are tried again until migrate.lock_retry_for is
 * over; a statement that turns out to refuse the company of others is given
 * a transaction of its own; any other error is recorded.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "catalog.h"
#include "catalog_cursor.h"
#include "exec.h"
#include "lock.h"
#include "run.h"
#include "run_state.h"
#include "settings.h"
#include "step.h"
#include "words.h"

#define POLL_MS 100
#define MAX_RETRY_PAUSE_MS 1000
#define UNFORESEEN_STALLS 20	/* stall_limits that a transaction may have taken before it meets an unforeseen lock */

/* --- turns --- */

/* Tell the caller for whom this run must wait, once. */
static void
wait_turn(MigRun *run, bool *told, const char *for_whom)
{
	if (!*told)
	{
		mig_exec_begin();
		mig_request_waiting(run->request->id, for_whom);
		mig_exec_commit();
		*told = true;
	}
	mig_run_sleep(POLL_MS);
}

static void
turn_has_come(MigRun *run, bool told)
{
	if (!told)
		return;
	mig_exec_begin();
	mig_request_waiting(run->request->id, NULL);
	mig_exec_commit();
}

/* Who works on a version at the moment, for messages. */
static char *
at_work_on(const char *version)
{
	Migration  *m;
	char	   *result;

	mig_exec_begin();
	m = mig_catalog_get(version, false);
	if (m && m->step > 0)
		result = psprintf("migration \"%s\", which is %s, at step %d of %d", version,
						  mig_state_word(m->state), m->step, m->steps);
	else
		result = psprintf("migration \"%s\", which is at work", version);
	mig_exec_commit();
	return result;
}

static bool
try_lock_run(MigRun *run)
{
	bool		got;

	mig_exec_begin();
	got = mig_lock_run(mig_current_scope(), run->version);
	mig_exec_commit();
	return got;
}

static bool
try_lock_place(void)
{
	bool		got;

	mig_exec_begin();
	got = mig_lock_place(mig_max_runs);
	mig_exec_commit();
	return got;
}

static bool
try_lock_relations(List *relations, const char **taken)
{
	bool		got;

	mig_exec_begin();
	got = mig_lock_relations(relations, taken);
	mig_exec_commit();
	return got;
}

static void
take_run_lock(MigRun *run)
{
	bool		told = false;

	while (!try_lock_run(run))
		wait_turn(run, &told, at_work_on(run->version));
	turn_has_come(run, told);
	told = false;
	while (mig_helpers_linger(run))
		wait_turn(run, &told, "workers of the run before to end their batches");
	turn_has_come(run, told);
	told = false;
	while (!try_lock_place())
		wait_turn(run, &told, psprintf("one of migrate.max_runs = %d places", mig_max_runs));
	turn_has_come(run, told);
}

/* Runs that share a relation take turns. */
static void
take_relation_locks(MigRun *run)
{
	List	   *relations = NIL;
	const char *taken;
	bool		told = false;
	ListCell   *lc;
	ListCell   *lk;

	foreach(lc, run->plan->steps)
		foreach(lk, ((MigStep *) lfirst(lc))->locks)
		{
			MigLock    *lock = lfirst(lk);

			if (lock->mode > AccessShareLock && !lock->created)
				relations = lappend(relations, lock->relation);
		}
	while (!try_lock_relations(relations, &taken))
		wait_turn(run, &told, psprintf("another run that works on %s", taken));
	turn_has_come(run, told);
}

/* --- the end --- */

static bool
contract_is_left(const MigRun *run)
{
	ListCell   *lc;

	if (!run->with_contract)
		foreach(lc, run->plan->steps)
			if (((MigStep *) lfirst(lc))->phase == MIG_CONTRACT)
				return true;
	return false;
}

/* The caller may be gone, or may not wait. */
static void
log_failure(const MigRun *run, const MigError *error)
{
	ereport(LOG,
			(errmsg("migration \"%s\" failed: %s", run->version, error->message),
			 error->step > 0 ? errdetail("It failed at step %d.", error->step) : 0));
}

static void
record_end(MigRun *run, MigState state, const char *event_word, const MigError *error)
{
	MigEvent	event = {0};

	if (run->stalled_ms || run->waited_ms)
		mig_run_add_lock_time(run->id, run->stalled_ms, run->waited_ms);
	run->stalled_ms = run->waited_ms = 0;
	event.version = run->version;
	event.run = run->id;
	event.step = error ? error->step : 0;
	event.event = event_word;
	event.command = error ? error->query : NULL;
	event.sqlstate = error ? error->sqlstate : NULL;
	event.message = error ? error->message : NULL;
	event.duration_ms = TimestampDifferenceMilliseconds(run->began, GetCurrentTimestamp());
	event.lock_wait_ms = -1;
	event.rows = event.wal_bytes = event.bytes = -1;
	event.stalled_ms = mig_run_stalled(run->id);
	if (error && run->failed_rows != NIL && run->current)
		mig_catalog_failed_rows(run->version, run->id, run->current, run->failed_rows,
								error->sqlstate, error->message);
	mig_run_end(run->version, run->id, state, event_word, error);
	if (state == MIG_FAILED)
		log_failure(run, error);
	mig_event_record(&event);
	run->end_state = state;
}

void
mig_run_finish(MigRun *run)
{
	if (run->direction == MIG_DIR_ROLLBACK)
	{
		mig_catalog_drop_plan(run->version);
		record_end(run, MIG_PENDING, "rolled back", NULL);
	}
	else if (contract_is_left(run))
		record_end(run, MIG_EXPANDED, "expanded", NULL);
	else
		record_end(run, MIG_APPLIED, "applied", NULL);
}

/* Before a run began nothing has changed; only a migration that was pending shows the error. */
static void
record_failed_start(MigRun *run, const MigError *error)
{
	MigEvent	event = {0};
	Migration  *m;

	mig_exec_begin();
	m = mig_catalog_get(run->version, true);
	if (m && run->direction == MIG_DIR_APPLY &&
		strcmp(error->sqlstate, "55000") != 0 &&	/* not yet: it stays as it is */
		(m->state == MIG_PENDING || (m->state == MIG_FAILED && m->steps_done == 0)))
		mig_run_end(run->version, 0, MIG_FAILED, "failed", error);
	event.version = run->version;
	event.event = "failed";
	event.sqlstate = error->sqlstate;
	event.message = error->message;
	event.duration_ms = event.lock_wait_ms = event.stalled_ms = -1;
	event.rows = event.wal_bytes = event.bytes = -1;
	mig_event_record(&event);
	mig_exec_commit();
}

/* --- errors --- */

static bool
is_retryable(const ErrorData *edata)
{
	switch (edata->sqlerrcode)
	{
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
			return true;
		case ERRCODE_INTERNAL_ERROR:
			/* two GRANTs at once; the server has no code of its own for it */
			return edata->message && strstr(edata->message, "tuple concurrently updated") != NULL;
		default:
			return false;
	}
}

/* The server refuses this statement inside a block: it has to run alone. */
static bool
refuses_block(const ErrorData *edata)
{
	return edata->sqlerrcode == ERRCODE_ACTIVE_SQL_TRANSACTION ||
		edata->sqlerrcode == ERRCODE_INVALID_TRANSACTION_TERMINATION;
}

/* It refuses what stands before it in the same transaction. */
static bool
refuses_company(const ErrorData *edata)
{
	return edata->sqlerrcode == ERRCODE_UNSAFE_NEW_ENUM_VALUE_USAGE ||
		edata->sqlerrcode == ERRCODE_OBJECT_IN_USE;
}

/*
 * The error is lock_timeout, met in a lock that was not foreseen: next time it
 * is taken at the beginning.  But not if much has been done before it was met,
 * since then it would be held for longer than the statement holds it.
 */
static void
note_awaited_lock(MigRun *run)
{
	run->awaited = InvalidOid;
	if (run->current && !run->current->alone && geterrcode() == ERRCODE_LOCK_NOT_AVAILABLE &&
		!TimestampDifferenceExceeds(run->work_since, GetCurrentTimestamp(),
									UNFORESEEN_STALLS * mig_stall_limit))
		mig_lock_awaited(&run->awaited, &run->awaited_mode);
}

static void
foresee_awaited_lock(MigRun *run)
{
	MemoryContext caller = MemoryContextSwitchTo(run->context);
	MigLock    *lock;

	mig_exec_begin();
	lock = mig_lock_named(run->awaited, run->awaited_mode);
	mig_exec_commit();
	if (lock)
		run->current->locks = lappend(run->current->locks, lock);
	MemoryContextSwitchTo(caller);
}

static bool
is_worth_another_try(MigRun *run)
{
	TimestampTz now = GetCurrentTimestamp();

	if (run->trouble_since == 0)
		run->trouble_since = now;
	return !TimestampDifferenceExceeds(run->trouble_since, now, mig_lock_retry_for);
}

static bool
try_again_later(MigRun *run, const ErrorData *edata)
{
	int			pause;

	if (!is_worth_another_try(run))
		return false;
	if (edata->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		run->stalled_ms += mig_stall_limit;
	if (OidIsValid(run->awaited))
		foresee_awaited_lock(run);
	pause = Min(10 << Min(run->tries, 10), MAX_RETRY_PAUSE_MS);
	pause = pause / 2 + pg_prng_uint64_range(&pg_global_prng_state, 0, pause / 2 + 1);
	mig_run_pause_for(run, pause, "lock", edata->message);
	return true;
}

static bool
was_paused(MigRun *run)
{
	const char *pause;

	mig_exec_begin();
	pause = mig_get_pause(run->version);
	mig_exec_commit();
	return strcmp(pause, "none") != 0;
}

/*
 * A concurrent build must not leave an invalid index behind when it fails.
 * One that was cancelled does until it is met again: to drop it would mean to
 * wait for the same transactions as the build did.
 */
static void
clear_failed_step(MigRun *run, bool cancelled)
{
	MigStep    *step = run->current;

	if (step == NULL || !step->alone || strcmp(step->state, "started") != 0 || run->half_run)
		return;
	if (cancelled && (step->kind == MIG_STEP_CREATE_INDEX || step->kind == MIG_STEP_REINDEX))
		return;
	if (!mig_step_clear(step))
		return;
	mig_exec_begin();
	if (step->batches && mig_cursor_has_moved(run->version, run->plan->direction, step->step))
	{
		mig_exec_commit();		/* half done: its cursor counts, and goes with the plan */
		return;
	}
	mig_catalog_step_state(run->version, run->plan->direction, step->step, "pending");
	mig_exec_commit();
	step->state = "pending";
}

static bool
give_up(MigRun *run, const MigError *error, MigOutcome *outcome)
{
	mig_exec_begin();
	record_end(run, MIG_FAILED, "failed", error);
	mig_exec_commit();
	*outcome = MIG_OUTCOME_FAILED;
	return false;
}

/* A DO or CALL has failed after a COMMIT of its own: to repeat it would be to do that part twice. */
static void
doubt_half_run(MigRun *run, MigError *error)
{
	MigStep    *step = run->current;
	char	   *hint = psprintf("Step %d has committed something before it failed. Look, then say SELECT migrate.resolve(%s, %d, 'done'), or 'again'.",
								step->step, quote_literal_cstr(run->version), step->step);

	error->hint = error->hint ? psprintf("%s\n%s", error->hint, hint) : hint;
	mig_exec_begin();
	mig_catalog_step_state(run->version, run->plan->direction, step->step, "doubtful");
	mig_exec_commit();
	step->state = "doubtful";
}

/* True: the run goes on. */
static bool
recover(MigRun *run, const ErrorData *edata, MigOutcome *outcome, MigError **error)
{
	bool		cancelled = edata->sqlerrcode == ERRCODE_QUERY_CANCELED;

	if (run->id == 0 && is_retryable(edata) && is_worth_another_try(run))
	{
		mig_run_sleep(POLL_MS);		/* somebody holds what the planner has to read */
		return true;
	}
	if (run->id == 0)
	{
		*error = mig_error_of(edata, run->version, NULL);
		record_failed_start(run, *error);
		*outcome = MIG_OUTCOME_FAILED;
		return false;
	}
	*error = mig_error_of(edata, run->version, run->current);
	run->tries++;
	if (cancelled && was_paused(run))
	{
		if (run->current && run->current->kind == MIG_STEP_OPAQUE)
			clear_failed_step(run, cancelled);
		mig_exec_begin();
		record_end(run, MIG_PAUSED, "paused", NULL);
		mig_exec_commit();
		*outcome = MIG_OUTCOME_PAUSED;
		return false;
	}
	clear_failed_step(run, cancelled);
	if (run->half_run)
	{
		doubt_half_run(run, *error);
		return give_up(run, *error, outcome);
	}
	if (run->current && run->current->kind == MIG_STEP_VALIDATE && mig_on_violation == MIG_VIOLATION_LIFT &&
		ERRCODE_TO_CATEGORY(edata->sqlerrcode) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
		mig_run_lift(run, run->current);
	if (!run->out_of_patience && is_retryable(edata) && try_again_later(run, edata))
		return true;
	if (run->current && refuses_block(edata) && mig_run_split(run, run->current, true))
		return true;
	if (run->current && refuses_company(edata) && mig_run_split(run, run->current, false))
		return true;
	return give_up(run, *error, outcome);
}

/* --- one run --- */

/* Decide, plan and begin; false: there is nothing to be done by us. */
static bool
start(MigRun *run)
{
	take_run_lock(run);
	mig_run_settle(run);
	if (run->direction != MIG_DIR_ROLLBACK && mig_run_is_half_back(run))
	{
		run->direction = MIG_DIR_ROLLBACK;
		run->turned = true;
	}
	mig_exec_begin();
	mig_run_commit_softly();
	mig_run_prepare(run);
	mig_exec_commit();
	if (run->other_owner || run->nothing_to_do)
		return false;
	take_relation_locks(run);
	return true;
}

/* One try; NULL: it went through. */
static ErrorData *
try_run(MigRun *run)
{
	ErrorData  *volatile edata = NULL;

	PG_TRY();
	{
		if (run->id != 0 || start(run))
			mig_run_steps(run);
	}
	PG_CATCH();
	{
		mig_notices_end();
		note_awaited_lock(run);
		run->half_run = run->current && run->current->kind == MIG_STEP_OPAQUE &&
			strcmp(run->current->state, "started") == 0 && mig_exec_has_committed();
		edata = mig_exec_error(run->context, false);
	}
	PG_END_TRY();
	return edata;
}

/* What clears up after an error may itself fail: then that is the error to tell. */
static bool
try_recover(MigRun *run, ErrorData *edata, MigOutcome *outcome, MigError **error)
{
	volatile bool go_on = false;

	PG_TRY();
	{
		go_on = recover(run, edata, outcome, error);
	}
	PG_CATCH();
	{
		ErrorData  *second = mig_exec_error(run->context, true);

		*outcome = MIG_OUTCOME_FAILED;
		if (run->id != 0)
		{
			bool		paused = second->sqlerrcode == ERRCODE_QUERY_CANCELED && was_paused(run);

			*error = mig_error_of(second, run->version, run->current);
			mig_exec_begin();
			record_end(run, paused ? MIG_PAUSED : MIG_FAILED, paused ? "paused" : "failed",
					   paused ? NULL : *error);
			mig_exec_commit();
			if (paused)
				*outcome = MIG_OUTCOME_PAUSED;
		}
		else
			*error = mig_error_of(second, run->version, NULL);
	}
	PG_END_TRY();
	return go_on;
}

static MigOutcome
carry_out(const MigRequest *request, const char *version, MigDirection direction,
		  bool named, bool with_contract, bool *turned, MigError **error)
{
	MemoryContext caller = CurrentMemoryContext;
	MigOutcome	outcome = MIG_OUTCOME_DONE;
	MigRun		run = {0};
	ErrorData  *edata;

	run.request = request;
	run.version = version;
	run.direction = direction;
	run.named = named;
	run.with_contract = with_contract;
	run.context = AllocSetContextCreate(caller, "migrate run", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(run.context);

	while ((edata = try_run(&run)) != NULL)
	{
		MemoryContextSwitchTo(caller);	/* the error outlives the run */
		mig_helpers_stop();
		if (!try_recover(&run, edata, &outcome, error))
			break;
		mig_notices_forget();	/* they are said again */
		MemoryContextSwitchTo(run.context);
	}
	if (run.other_owner)
		outcome = MIG_OUTCOME_OTHER_OWNER;
	MemoryContextSwitchTo(caller);
	mig_unlock_all();
	MemoryContextDelete(run.context);
	*turned = run.turned;
	return outcome;
}

MigOutcome
mig_run(const MigRequest *request, const char *version, MigDirection direction,
		bool named, MigError **error)
{
	bool		with_contract = request->complete || direction == MIG_DIR_COMPLETE;
	bool		turned;
	MigOutcome	outcome = carry_out(request, version, direction, named, with_contract, &turned, error);

	/* the way forward led back to its beginning */
	if (turned && outcome == MIG_OUTCOME_DONE)
		outcome = carry_out(request, version, MIG_DIR_APPLY, named, with_contract, &turned, error);
	return outcome;
}
