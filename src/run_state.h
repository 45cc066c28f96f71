/*-------------------------------------------------------------------------
 *
 * run_state.h
 *	  What the parts of a run share: run.c, run_plan.c, run_steps.c.
 *
 * Layer 3, private to run*.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_RUN_STATE_H
#define MIGRATE_RUN_STATE_H

#include "catalog_run.h"
#include "lock.h"
#include "migrate.h"
#include "utils/timestamp.h"

typedef struct MigRun
{
	const MigRequest *request;
	int			leader_pid;		/* of the worker that this one helps; 0: it is the run's own */
	const char *version;
	MigDirection direction;		/* apply may become complete */
	bool		named;
	bool		with_contract;	/* run contract steps, too */
	MemoryContext context;		/* lives as long as the run */

	/* set by mig_run_prepare() */
	Migration  *migration;
	MigPlan    *plan;
	int64		id;				/* 0: has not begun */
	TimestampTz began;
	bool		turned;			/* asked to go forward, it ends a rollback first */
	bool		nothing_to_do;
	bool		other_owner;
	bool		written_down;	/* the way back is the written one */

	/* while it goes on */
	MigStep    *current;		/* for error contexts; NULL: none */
	bool		finished;		/* its end is recorded */
	MigState	end_state;
	int			tries;			/* of the transaction or step at hand */
	TimestampTz trouble_since;	/* 0: none */
	TimestampTz work_since;		/* the transaction has all its locks */
	bool		half_run;		/* the step at hand has failed after it had committed something */
	bool		out_of_patience;	/* the error at hand says that lock_retry_for is over */
	TimestampTz next_warning;
	List	   *failed_rows;	/* keys (char *) that the step at hand has met */
	Oid			awaited;		/* unforeseen relation in whose queue the last error was raised */
	LOCKMODE	awaited_mode;
	int64		stalled_ms;		/* not yet recorded */
	int64		waited_ms;
} MigRun;

/* run_plan.c: decide, plan, store, begin; in the caller's transaction. */
extern void mig_run_prepare(MigRun *run);

/*
 * Before a run begins: judge what a crash has cut off on the way that it
 * leaves, forward or back.  Outside any transaction.
 */
extern void mig_run_settle(MigRun *run);

/* Cut the transaction of a step in two before it; or let it run alone.  False: it cannot be. */
extern bool mig_run_split(MigRun *run, MigStep *step, bool alone);

/* run_steps.c: do what is not done yet; returns when all is done, or throws. */
extern void mig_run_steps(MigRun *run);

/* Is this step the business of this run: contract steps may have to wait? */
extern bool mig_run_in_scope(const MigRun *run, const MigStep *step);

/* In the caller's transaction: a step is done. */
extern void mig_run_record_done(MigRun *run, MigStep *step);

/*
 * Run verify: 23514 when its last query returns a boolean that is not true.
 * The caller rolls back what it did.
 */
extern void mig_run_verify(MigRun *run);

/*
 * For this transaction, do not wait for the disk: nothing is lost if it is,
 * as its effects come later, and flush it.
 */
extern void mig_run_commit_softly(void);

/* run_look.c: 23xxx, with keys, when the query of a step finds rows; failed_rows has them. */
extern uint64 mig_run_look(MigRun *run, const MigStep *step);

/* What its query has found, as SPI left it: an error if it is a row. */
extern void mig_run_look_judge(MigRun *run, const MigStep *step);

/*
 * run_steps.c: begin the block of a transaction and get its locks, however
 * many tries that takes within migrate.lock_retry_for.
 */
extern void mig_run_begin_with_locks(MigRun *run, List *steps);

/* run_steps.c: the name that others see; what the steps that are done have SET. */
extern void mig_run_name_session(const MigRun *run, const MigStep *step);
extern void mig_run_say_settings_again(MigRun *run);

/* run_helper.c: end those that help with a backfill, and wait until they have; outside any transaction. */
extern void mig_helpers_stop(void);

/* run_helper.c: helpers that a killed worker has left behind, and that end with their batch; outside any transaction. */
extern bool mig_helpers_linger(const MigRun *run);

/* run_helper.c: 57P01 in a helper whose leader is gone, since nobody leads the backfill any more. */
extern void mig_helper_check_leader(const MigRun *run);

/* run_undo.c: read the undo of a step that will run now, if it has to be; in the caller's transaction. */
extern void mig_run_read_undo(MigRun *run, MigStep *step);

/* run_undo.c: undo what a sequence has added before its last step failed. */
extern void mig_run_lift(MigRun *run, MigStep *step);

/*
 * run_undo.c: the steps of a way back that are done while others that undo
 * the same step are not, or that are being taken back; last one first.
 */
extern List *mig_run_half_undone(const MigPlan *back);

/* run_undo.c: does this step end the undoing of another?  Several steps may undo one. */
extern bool mig_run_ends_undo(const MigPlan *back, const MigStep *step);

/* run_undo.c: take them back, before the run goes forward; or, on the way back, those that this was begun with. */
extern void mig_run_mend(MigRun *run);

/* run_undo.c: does the way forward lead over the end of a rollback?  Either plan may be NULL. */
extern bool mig_run_must_go_back(const MigPlan *forward, const MigPlan *back);

/* run_plan.c: the same for the plans that are stored. */
extern bool mig_run_is_half_back(MigRun *run);

/* run_wait.c: 57014 when somebody wants the run to stop at a safe point; 57P01 in a helper whose leader is gone. */
extern void mig_run_check_pause(MigRun *run);

/* run.c: record the end, in the caller's transaction. */
extern void mig_run_finish(MigRun *run);

/* run_wait.c: do nothing for so long, or until a signal. */
extern void mig_run_sleep(int ms);

/* run_wait.c: wait a while and tell why; ends early on a signal.  Outside any transaction. */
extern void mig_run_pause_for(MigRun *run, int ms, const char *wait_type, const char *detail);

#endif							/* MIGRATE_RUN_STATE_H */
