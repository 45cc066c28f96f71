/*-------------------------------------------------------------------------
 *
 * preflight_server.c
 *	  Preflight: is the server in a state to take the work?
 *
 * Reads shared memory and the server's own views; takes no lock on a user's
 * relation.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "postmaster/bgworker_internals.h"

#include "compat.h"
#include "lock_holders.h"
#include "preflight_int.h"
#include "settings.h"
#include "words.h"

/* A build waits for snapshots without blocking anybody: it can wait for some time. */
#define SNAPSHOT_FACTOR 10		/* times the age that is old for a holder of a lock */

/* Put sightings into a finding; "fine" is the detail when there are none. */
static void
report(MigFinding *f, List *sightings, const char *fine, const char *hint)
{
	ListCell   *lc;

	foreach(lc, sightings)
	{
		MigSighting *sighting = lfirst(lc);

		if (sighting->bad)
			mig_preflight_bad(f, "%s", sighting->text);
		else
			mig_preflight_say(f, "%s", sighting->text);
	}
	if (sightings == NIL)
		mig_preflight_say(f, "%s", fine);
	if (f->verdict == MIG_NOT_FINE)
		f->hint = pstrdup(hint);
}

void
mig_preflight_primary(MigPreflight *p, MigFinding *f)
{
	if (RecoveryInProgress())
	{
		mig_preflight_bad(f, "this server is a standby");
		f->hint = "Connect to the primary server; what is said below is about this standby.";
	}
	else
		mig_preflight_say(f, "this server takes writes");
}

/*
 * Transactions that a lock of the plan would have to wait for, and, when it
 * builds an index concurrently, snapshots that the build would wait for.
 */
void
mig_preflight_old(MigPreflight *p, MigFinding *f)
{
	MigLookAt	look = p->look;
	ListCell   *lc;

	mig_holders_refresh();
	foreach(lc, p->concerned)
	{
		MigConcerned *c = lfirst(lc);

		if (c->mode > RowExclusiveLock && mig_holders_are_slow(c->relid, c->mode, look.old_ms))
			mig_preflight_bad(f, "step %d of %s wants %s on %s, held by %s", c->step, c->version,
							  mig_lock_word(c->mode), c->name, mig_lock_holders(c->relid, c->mode));
	}
	if (p->builds)
	{
		look.old_ms *= SNAPSHOT_FACTOR;
		foreach(lc, mig_server_look(MIG_LOOK_SNAPSHOTS, &look))
			mig_preflight_bad(f, "concurrent steps have to wait for %s",
							  mig_session_text(atoi(((MigSighting *) lfirst(lc))->text)));
	}
	if (f->verdict == MIG_NOT_FINE)
		f->hint = "Wait for them, or end them with pg_terminate_backend(pid); until then the lock is only polled for, and nobody queues behind it.";
	else
		mig_preflight_say(f, "no old transaction is in the way");
}

void
mig_preflight_prepared(MigPreflight *p, MigFinding *f)
{
	report(f, mig_server_look(MIG_LOOK_PREPARED, &p->look), "no prepared transaction is in the way",
		   "End them: COMMIT PREPARED or ROLLBACK PREPARED with that name.");
}

void
mig_preflight_vacuums(MigPreflight *p, MigFinding *f)
{
	report(f, mig_server_look(MIG_LOOK_VACUUMS, &p->look), "no table concerned is being vacuumed against wraparound",
		   "Wait for it: the server never cancels such a vacuum, and the migration does not either.");
}

void
mig_preflight_wraparound(MigPreflight *p, MigFinding *f)
{
	report(f, mig_server_look(MIG_LOOK_AGES, &p->look), "no table concerned and no database is near wraparound",
		   "Run VACUUM (FREEZE) on the tables named first, or else a vacuum that nothing cancels begins in the midst of the work.");
}

void
mig_preflight_invalid(MigPreflight *p, MigFinding *f)
{
	report(f, mig_server_look(MIG_LOOK_INVALID, &p->look), "no table concerned has an invalid index",
		   "They cost every write and serve no query: drop them with DROP INDEX CONCURRENTLY, or build them again with REINDEX INDEX CONCURRENTLY.");
}

void
mig_preflight_logical(MigPreflight *p, MigFinding *f)
{
	report(f, mig_server_look(MIG_LOOK_LOGICAL, &p->look), "no table concerned takes part in logical replication",
		   "DDL is not replicated: a subscriber without a new column stops, so bring the other side to the new shape first.");
}

void
mig_preflight_replicas(MigPreflight *p, MigFinding *f)
{
	if (mig_max_replica_lag == 0)
		mig_preflight_say(f, "lag is not judged, as migrate.max_replica_lag is 0");
	report(f, mig_server_look(MIG_LOOK_REPLICAS, &p->look), "no replica lags",
		   "Wait until they have caught up; migrate.ignore_replicas names those that may lag.");
}

void
mig_preflight_archiver(MigPreflight *p, MigFinding *f)
{
	report(f, mig_server_look(MIG_LOOK_ARCHIVER, &p->look), "archiving is off, or has not failed of late",
		   "Mend archive_command: WAL stays on disk until it is archived.");
}

void
mig_preflight_slots(MigPreflight *p, MigFinding *f)
{
	report(f, mig_server_look(MIG_LOOK_SLOTS, &p->look), "no slot holds back WAL",
		   "Start what reads them, or drop them with pg_drop_replication_slot: all WAL that the migration writes stays on disk until they are read.");
}

/* Workers that are connected; one that is not, or waits to be started again, is not seen. */
void
mig_preflight_workers(MigPreflight *p, MigFinding *f)
{
	int			used = 0;

	for (int i = 1; i <= pgstat_fetch_stat_numbackends(); i++)
	{
		PgBackendStatus *status = mig_status_at(i);

		used += status && status->st_procpid > 0 && status->st_backendType == B_BG_WORKER;
	}
	if (used < max_worker_processes)
		mig_preflight_say(f, "%d of %d worker processes are in use", used, max_worker_processes);
	else
	{
		mig_preflight_bad(f, "all of %d worker processes are in use", max_worker_processes);
		f->hint = "Raise max_worker_processes, which takes a restart, or wait until one of them ends.";
	}
}
