/*-------------------------------------------------------------------------
 *
 * run_throttle.h
 *	  When a backfill has to yield, and why.
 *
 * Layer 3, with run*.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_RUN_THROTTLE_H
#define MIGRATE_RUN_THROTTLE_H

#include "catalog_watch.h"
#include "run_state.h"

#define MIG_LSN_SAMPLES 64

typedef struct MigThrottle
{
	TimestampTz since;			/* of the WAL count */
	uint64		wal_bytes;		/* that this process had written then */
	TimestampTz asked;			/* the server, and it had no reason; 0: not yet */
	MigLsnSample samples[MIG_LSN_SAMPLES];	/* a ring */
	int			nsamples;		/* taken in all */
	char	   *start_lsn;		/* where the WAL ended when the backfill began; NULL: not asked yet */
} MigThrottle;

/*
 * Between batches, outside any transaction: wait as long as anything asks for
 * it.  57014 when the run is to stop; what was tuned meanwhile is in force.
 */
extern void mig_throttle(MigRun *run, MigThrottle *throttle, const char *table);

#endif							/* MIGRATE_RUN_THROTTLE_H */
