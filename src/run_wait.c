/*-------------------------------------------------------------------------
 *
 * run_wait.c
 *	  A run waits: for a lock, for a reason to go slowly, for its turn.
 *
 * Nothing is held meanwhile, neither a transaction nor a snapshot.  What it
 * waits for stands in the run's row; a wait that lasts is told in the history.
 *
 * Locks: for a moment, that of the database, to see whether somebody drops it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "exec.h"
#include "run_state.h"
#include "settings.h"

#define FIRST_WARNING_MS (60 * 1000)
#define NEXT_WARNING_MS (10 * 60 * 1000)
#define NEXT_WAIT_MS 2000		/* what a try between two waits may take */

/*
 * DROP DATABASE holds a lock on it while it waits for us to leave, which
 * keeps out those who connect.  A worker that waits anyway makes way.
 */
static void
leave_dropped_database(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	mig_exec_begin();
	if (LockAcquire(&tag, RowExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(FATAL,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("leaving a database that somebody drops or copies")));
	LockRelease(&tag, RowExclusiveLock, false);
	mig_exec_commit();
}

void
mig_run_sleep(int ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	leave_dropped_database();
}

/* A wait that lasts is told in the history, with the way out. */
static void
warn_of_wait(MigRun *run, const char *wait_type, const char *detail)
{
	TimestampTz now = GetCurrentTimestamp();
	MigEvent	event = {0};

	if (run->next_warning == 0)
		run->next_warning = TimestampTzPlusMilliseconds(now, FIRST_WARNING_MS);
	if (now < run->next_warning)
		return;
	run->next_warning = TimestampTzPlusMilliseconds(now, NEXT_WARNING_MS);
	event.version = run->version;
	event.run = run->id;
	event.step = run->current ? run->current->step : 0;
	event.event = "waiting";
	event.message = psprintf("waiting for %s: %s; end what holds it, or SELECT migrate.pause(%s)",
							 wait_type, detail, quote_literal_cstr(run->version));
	event.duration_ms = event.lock_wait_ms = event.stalled_ms = -1;
	event.rows = event.wal_bytes = event.bytes = -1;
	mig_event_record(&event);
}

static void
stop_if_paused(const MigRun *run, const char *pause)
{
	if (strcmp(pause, "none") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("migration \"%s\" is paused", run->version)));
}

void
mig_run_check_pause(MigRun *run)
{
	const char *pause;

	mig_helper_check_leader(run);
	mig_exec_begin();
	pause = mig_get_pause(run->version);
	mig_settings_apply(mig_run_settings(run->id));
	mig_exec_commit();
	stop_if_paused(run, pause);
}

void
mig_run_pause_for(MigRun *run, int ms, const char *wait_type, const char *detail)
{
	const char *pause;

	mig_helper_check_leader(run);
	mig_exec_begin();
	mig_run_waits(run->id, wait_type, detail, ms + NEXT_WAIT_MS);
	if (run->leader_pid == 0)
		warn_of_wait(run, wait_type, detail);
	pause = mig_get_pause(run->version);
	mig_exec_commit();
	stop_if_paused(run, pause);
	mig_run_sleep(ms);
}
