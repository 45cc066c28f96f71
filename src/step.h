/*-------------------------------------------------------------------------
 *
 * step.h
 *	  What a kind of step means: how it is done, and how one that may have
 *	  been interrupted is judged and cleared up.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_STEP_H
#define MIGRATE_STEP_H

#include "migrate.h"

typedef enum MigAftermath
{
	MIG_STEP_IS_DONE,			/* its effect is there, whole and valid */
	MIG_STEP_AGAIN,				/* do it (again); what it left is cleared away */
	MIG_STEP_DOUBTFUL			/* nobody can tell: migrate.resolve() */
} MigAftermath;

/* Does the session forget what this step did, so that resuming says it again? */
extern bool mig_step_is_setting(const MigStep *step);

/*
 * Before a step that runs alone: 55000 if what stands in its way would be
 * taken for its work, as CREATE INDEX IF NOT EXISTS takes an invalid index.
 * In a transaction of the caller.
 */
extern void mig_step_check(const MigStep *step);

/* Do a step that runs alone, outside any transaction; returns rows. */
extern uint64 mig_step_do_alone(const MigStep *step);

/*
 * Judge a step that was started, and whose end was not recorded; clear away
 * what it left.  Outside any transaction.
 */
extern MigAftermath mig_step_after_crash(const MigStep *step);

/*
 * The same for the way back, which must not meet anything half done: what has
 * a half way is brought to its end, so that it can be undone as a whole.
 */
extern MigAftermath mig_step_finish(const MigStep *step);

/*
 * Clear away what a failed step left; false if it is half done all the same,
 * and must be judged when it is met again.  Outside any transaction.
 */
extern bool mig_step_clear(const MigStep *step);

#endif							/* MIGRATE_STEP_H */
