/*-------------------------------------------------------------------------
 *
 * inline.c
 *	  A verb inside the caller's own transaction.
 *
 * There is no worker and no request here: plan, work and bookkeeping belong
 * to the transaction of the caller, and COMMIT or ROLLBACK decides over all
 * of it.  Each migration is planned when it is reached; what cannot stand in
 * a transaction is refused for all of them before the first begins.
 *
 * Locks: the row of each migration, which keeps workers from running it
 * meanwhile; those of its steps, by the ladder, which stay until COMMIT, as a
 * WARNING says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "catalog.h"
#include "inline.h"
#include "lock.h"
#include "plan.h"
#include "run_state.h"
#include "serve.h"
#include "session.h"
#include "settings.h"
#include "words.h"

static void
check_owner(const Migration *m)
{
	if (mig_owner_oid(m->owner) != GetUserId())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("migration \"%s\" cannot run in this transaction", m->version),
				 errdetail("It belongs to role \"%s\", and inside a transaction block only the owner can run it.",
						   m->owner),
				 errhint("Leave the transaction block, or say wait => false.")));
	if (mig_run_is_alive(m->scope, m->version))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("migration \"%s\" is being run by a worker", m->version),
				 errhint("Leave the transaction block: there CALL migrate.apply() waits for it.")));
}

static void
refuse_step(const Migration *m, const MigStep *step)
{
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("step %d of migration \"%s\" cannot run inside a transaction block",
					step->step, m->version),
			 errdetail("%s, line %d: %s", mig_kind_word(step->kind), step->line, step->command),
			 errhint("Leave the transaction block, or say wait => false: then a worker starts after COMMIT.")));
}

static void
check_plan(const Migration *m, const MigPlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->steps)
	{
		MigStep    *step = lfirst(lc);

		if (step->alone || step->ends_aborted || step->begin)
			refuse_step(m, step);
	}
}

static void
refuse_half_undone(const MigRun *run)
{
	MigPlan    *back = mig_catalog_load_plan(run->version, MIG_DIR_ROLLBACK);

	if (run->direction != MIG_DIR_ROLLBACK &&
		(mig_run_half_undone(back) != NIL ||
		 mig_run_must_go_back(mig_catalog_load_plan(run->version, MIG_DIR_APPLY), back)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" stopped in the middle of being rolled back", run->version),
				 errhint("Leave the transaction block, or say wait => false: then a worker clears up first.")));
}

/* A table that steps lock more than once is named once, with the strongest mode. */
static List *
strongest(const MigPlan *plan)
{
	List	   *locks = NIL;
	ListCell   *lc,
			   *lk,
			   *lo;

	foreach(lc, plan->steps)
		foreach(lk, ((MigStep *) lfirst(lc))->locks)
		{
			MigLock    *lock = lfirst(lk);
			MigLock    *found = NULL;

			foreach(lo, locks)
				if (strcmp(((MigLock *) lfirst(lo))->relation, lock->relation) == 0)
					found = lfirst(lo);
			if (found == NULL)
				locks = lappend(locks, memcpy(palloc(sizeof(MigLock)), lock, sizeof(MigLock)));
			else
				found->mode = Max(found->mode, lock->mode);
		}
	return locks;
}

static void
warn_of_locks(const MigPlan *plan)
{
	ListCell   *lc;

	foreach(lc, strongest(plan))
	{
		MigLock    *lock = lfirst(lc);

		if (lock->mode > ShareUpdateExclusiveLock && !lock->created)
			ereport(WARNING,
					(errmsg("%s stays locked (%s) until COMMIT", lock->relation,
							mig_lock_word(lock->mode))));
	}
}

static void
exec_step(MigRun *run, const MigStep *step)
{
	int			rc;

	CommandCounterIncrement();
	rc = SPI_execute(step->command, false, 0);
	if (rc < 0)
		refuse_step(run->migration, step);
	if (step->kind == MIG_STEP_LOOK)
		mig_run_look_judge(run, step);
}

static void
step_context(void *arg)
{
	const MigRun *run = arg;

	if (run->current)
		errcontext("step %d of migration %s, line %d", run->current->step, run->version,
				   run->current->line);
	else
		errcontext("migration %s", run->version);
}

static bool
is_to_be_done(const MigRun *run, const MigStep *step)
{
	return strcmp(step->state, "done") != 0 && mig_run_in_scope(run, step);
}

/* All the locks of a migration, before any of its work. */
static void
take_locks(MigRun *run)
{
	MigLadder	ladder = {.stall_limit = mig_stall_limit, .patience = mig_lock_retry_for};
	List	   *locks = NIL;
	ListCell   *lc;

	foreach(lc, run->plan->steps)
		if (is_to_be_done(run, lfirst(lc)))
			locks = list_concat(locks, ((MigStep *) lfirst(lc))->locks);
	if (!mig_ladder_take(locks, &ladder))
		mig_ladder_raise(&ladder);
	run->stalled_ms += ladder.stalled_ms;
	run->waited_ms += ladder.waited_ms;
}

static void
run_plan(MigRun *run)
{
	ListCell   *lc;

	check_plan(run->migration, run->plan);
	refuse_half_undone(run);
	take_locks(run);
	foreach(lc, run->plan->steps)
	{
		run->current = lfirst(lc);
		if (!is_to_be_done(run, run->current))
			continue;
		mig_run_read_undo(run, run->current);
		exec_step(run, run->current);
		mig_run_record_done(run, run->current);
	}
	run->current = NULL;
	if (run->migration->verify && run->direction != MIG_DIR_ROLLBACK)
	{
		BeginInternalSubTransaction("verify");
		mig_run_verify(run);
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(run->context);
	}
	mig_run_finish(run);
	warn_of_locks(run->plan);
}

static void
do_one(MigRequest *request, const Migration *m)
{
	MigRun		run = {0};
	ErrorContextCallback callback;
	int			level = NewGUCNestLevel();

	run.request = request;
	run.version = m->version;
	run.direction = mig_serve_direction(request);
	run.named = request->target && strcmp(request->target, m->version) == 0;
	run.with_contract = request->complete || run.direction == MIG_DIR_COMPLETE;
	run.context = CurrentMemoryContext;
	callback.callback = step_context;
	callback.arg = &run;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	(void) set_config_option("search_path", m->search_path, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	mig_run_prepare(&run);
	if (!run.nothing_to_do)
		run_plan(&run);
	error_context_stack = callback.previous;
	AtEOXact_GUC(false, level);
	request->done = lappend(request->done, m->version);
}

char *
mig_inline(MigRequest *request, List *targets)
{
	/* what runs here may SET migrate.scope, but not lead our records astray */
	const char *fixed = mig_scope_fix(request->scope);
	char	   *volatile result = NULL;
	ListCell   *lc;

	PG_TRY();
	{
		foreach(lc, targets)
			check_owner(lfirst(lc));
		mig_serve_judge(mig_serve_graph(), request, targets);
		foreach(lc, targets)
			do_one(request, lfirst(lc));
		result = mig_serve_summary(request);
	}
	PG_FINALLY();
	{
		(void) mig_scope_fix(fixed);
	}
	PG_END_TRY();
	return result;
}
