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

#include "executor/instrument.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "catalog_cursor.h"
#include "catalog_watch.h"
#include "exec.h"
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
	if (kb > mig_max_wal_rate * ms / 1000.0)
		return psprintf("%.0f kB written in %.0f ms, the limit is %d kB a second", kb, ms, mig_max_wal_rate);
	if (ms > 1000)
	{
		throttle->since = now;	/* what was not used is not saved up */
		throttle->wal_bytes = pgWalUsage.wal_bytes;
	}
	return NULL;
}

/* The first reason to wait, in the order in which they are cheap to find. */
static const char *
reason_to_wait(MigThrottle *throttle, const char *table, const char **detail)
{
	const char *type = NULL;

	if ((*detail = window_is_closed()) != NULL)
		return "window";
	if ((*detail = wal_is_too_fast(throttle)) != NULL)
		return "wal";
	if (throttle->asked != 0 && !TimestampDifferenceExceeds(throttle->asked, GetCurrentTimestamp(), ASK_EACH_MS))
		return NULL;
	mig_exec_begin();
	if ((*detail = mig_watch_replica_lag(mig_max_replica_lag, mig_ignore_replicas)) != NULL)
		type = "replica";
	else if ((*detail = mig_watch_slot(mig_max_slot_wal, &throttle->start_lsn)) != NULL)
		type = "slot";
	else if ((*detail = mig_watch_vacuum_of(table)) != NULL)
		type = "vacuum";
	mig_exec_commit();
	/* while there is a reason it is asked for each time */
	throttle->asked = type ? 0 : GetCurrentTimestamp();
	return type;
}

void
mig_throttle(MigRun *run, MigThrottle *throttle, const char *table)
{
	const char *type;
	const char *detail;

	if (mig_batch_pause > 0)
		mig_run_pause_for(run, mig_batch_pause, "pause", "migrate.batch_pause");
	while ((type = reason_to_wait(throttle, table, &detail)) != NULL)
		mig_run_pause_for(run, ASK_AGAIN_MS, type, detail);
}
