/*-------------------------------------------------------------------------
 *
 * run_backfill.h
 *	  A statement over a large table, in batches.
 *
 * Layer 3, with run*.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_RUN_BACKFILL_H
#define MIGRATE_RUN_BACKFILL_H

#include "run_state.h"

/*
 * In a worker, outside any transaction: carry a backfill step out, from
 * where it was left.  Returns the number of rows changed; raises 23000 (or
 * the first row's own code) when rows were left out, whose keys are in
 * failed_rows.
 */
extern uint64 mig_backfill(MigRun *run, const MigStep *step);

/*
 * run_tree.c, in a transaction: 55000 if the table does not belong to the tree
 * any more that the statement was about.  It cannot leave it before the
 * transaction ends.
 */
extern void mig_run_check_tree(const MigBatches *batches);

#endif							/* MIGRATE_RUN_BACKFILL_H */
