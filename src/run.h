/*-------------------------------------------------------------------------
 *
 * run.h
 *	  The state machine: carry one migration's plan out, either way.
 *
 * Layer 3.  In a worker, outside any transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_RUN_H
#define MIGRATE_RUN_H

#include "catalog_run.h"
#include "migrate.h"

typedef enum MigOutcome
{
	MIG_OUTCOME_DONE,			/* it is where it should be */
	MIG_OUTCOME_PAUSED,
	MIG_OUTCOME_FAILED,
	MIG_OUTCOME_OTHER_OWNER		/* a worker of its owner must do it */
} MigOutcome;

/*
 * Apply, complete or roll back one migration on behalf of a request.  On
 * PAUSED and FAILED, *error is set, in the caller's memory context.
 * "named": the request names this version, which ends a sticky pause.
 */
extern MigOutcome mig_run(const MigRequest *request, const char *version,
						  MigDirection direction, bool named, MigError **error);

/*
 * Before a rollback starts: 55000, naming the statement that is to blame,
 * when there is no way back for this migration.
 */
extern void mig_run_check_back(const Migration *m);

/* An error as it is stored; context says which step and line, or is NULL. */
extern MigError *mig_error_of(const ErrorData *edata, const char *version,
							  const MigStep *step);

#endif							/* MIGRATE_RUN_H */
