/*-------------------------------------------------------------------------
 *
 * run_throttle.c
 *	  When a backfill has to yield, and why.
 *
 * Asked between batches, when nothing is locked and no snapshot is held.
 * Replicas and slots are read from shared memory and through the extension's
 * owner, so that it does not matter what the owner of the migration may see.
 *
 * Takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "executor/instrument.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "catalog_cursor.h"
#include "catalog_watch.h"
#include "compat.h"
#include "disk.h"
#include "exec.h"
#include "relation.h"
#include "settings.h"
#include "run_throttle.h"
#include "window.h"

#define ASK_AGAIN_MS 500
#define ASK_EACH_MS 250			/* what has to be asked of the server */

static const char *
window_is_closed(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (mig_window == NULL || mig_window[0] == '\0' || mig_window_is_open(now))
		return NULL;
	return psprintf("the window %s opens at %s", mig_window,
					timestamptz_to_str(mig_window_opens_at(now)));
}

/* Bytes a second since the last look that found time for it, against the limit. */
static const char *
wal_is_too_fast(MigThrottle *throttle)
{
	TimestampTz now = GetCurrentTimestamp();
	double		ms;
	double		kb;
	double		limit;

	if (mig_max_wal_rate == 0)
		return NULL;
	if (throttle->since == 0)
	{
		throttle->since = now;
		throttle->wal_bytes = pgWalUsage.wal_bytes;
		return NULL;
	}
	ms = (now - throttle->since) / 1000.0;
	kb = (pgWalUsage.wal_bytes - throttle->wal_bytes) / 1024.0;
	limit = (double) mig_max_wal_rate / mig_workers;	/* each worker has its share */
	if (kb > limit * ms / 1000.0)
		return psprintf("%.0f kB written in %.0f ms, the limit is %.0f kB a second", kb, ms, limit);
	if (ms > 1000)
	{
		throttle->since = now;	/* what was not used is not saved up */
		throttle->wal_bytes = pgWalUsage.wal_bytes;
	}
	return NULL;
}

/*
 * The ring holds samples for four times as long as a replica may lag, at the
 * least.
 */
static void
take_sample(MigThrottle *throttle)
{
	TimestampTz now = GetCurrentTimestamp();
	const MigLsnSample *last = throttle->nsamples == 0 ? NULL :
		&throttle->samples[(throttle->nsamples - 1) % MIG_LSN_SAMPLES];

	if (last && !TimestampDifferenceExceeds(last->at, now, mig_max_replica_lag / (MIG_LSN_SAMPLES / 4)))
		return;
	throttle->samples[throttle->nsamples % MIG_LSN_SAMPLES].at = now;
	throttle->samples[throttle->nsamples++ % MIG_LSN_SAMPLES].lsn = GetFlushRecPtr(NULL);
}

static const char *
too_little(const MigDisk *disk, const char *what)
{
	int64		limit = (int64) mig_min_free_disk * 1024 * 1024;

	if (disk->free >= limit)
		return NULL;
	return psprintf("%s left for %s, the limit is %s", mig_disk_text(disk->free), what, mig_disk_text(limit));
}

/* Where the table and its indexes are, and the WAL. */
static const char *
disk_is_full(const char *table)
{
	Oid			relid = RangeVarGetRelid(makeRangeVarFromNameList(mig_qualified_name(table)), NoLock, true);
	List	   *relids;
	const char *detail;
	MigDisk		disk;
	ListCell   *lc;

	if (mig_min_free_disk == 0)
		return NULL;
	mig_disk_of_wal(&disk);
	if ((detail = too_little(&disk, "WAL")) != NULL || !OidIsValid(relid))
		return detail;
	relids = lcons_oid(relid, mig_relation_indexes(relid));
	foreach(lc, relids)
	{
		mig_disk_of_tablespace(get_rel_tablespace(lfirst_oid(lc)), &disk);
		if ((detail = too_little(&disk, mig_relation_text(lfirst_oid(lc)))) != NULL)
			return detail;
	}
	return NULL;
}

/* The first reason to wait, in the order in which they are cheap to find. */
static const char *
reason_to_wait(MigRun *run, MigThrottle *throttle, const char *table, const char **detail)
{
	const char *type = NULL;
	char	   *start_lsn = throttle->start_lsn;

	if ((*detail = window_is_closed()) != NULL)
		return "window";
	if ((*detail = wal_is_too_fast(throttle)) != NULL)
		return "wal";
	if (throttle->asked != 0 && !TimestampDifferenceExceeds(throttle->asked, GetCurrentTimestamp(), ASK_EACH_MS))
		return NULL;
	take_sample(throttle);
	mig_exec_begin();
	if ((*detail = disk_is_full(table)) != NULL)
		type = "disk";
	else if ((*detail = mig_watch_replica_lag(mig_max_replica_lag, mig_ignore_replicas, throttle->samples,
											  Min(throttle->nsamples, MIG_LSN_SAMPLES))) != NULL)
		type = "replica";
	else if ((*detail = mig_watch_slot(mig_max_slot_wal, &start_lsn)) != NULL)
		type = "slot";
	else if ((*detail = mig_watch_vacuum_of(table)) != NULL)
		type = "vacuum";
	mig_exec_commit();
	if (throttle->start_lsn == NULL && start_lsn)
		throttle->start_lsn = MemoryContextStrdup(run->context, start_lsn);
	/* while there is a reason it is asked for each time */
	throttle->asked = type ? 0 : GetCurrentTimestamp();
	return type;
}

void
mig_throttle(MigRun *run, MigThrottle *throttle, const char *table)
{
	TimestampTz since = GetCurrentTimestamp();
	const char *type;
	const char *detail;

	while (mig_batch_pause > 0)
	{
		long		left = mig_batch_pause - TimestampDifferenceMilliseconds(since, GetCurrentTimestamp());

		if (left <= 0)
			break;
		mig_run_pause_for(run, Min(left, ASK_AGAIN_MS), "pause", "migrate.batch_pause");
		mig_run_check_pause(run);
	}
	while ((type = reason_to_wait(run, throttle, table, &detail)) != NULL)
	{
		mig_run_pause_for(run, ASK_AGAIN_MS, type, detail);
		mig_run_check_pause(run);
	}
}
