/*-------------------------------------------------------------------------
 *
 * catalog_watch.c
 *	  What those who watch need to know: states as they are shown, what the
 *	  server says about a worker at work.
 *
 * Everything here reads, works on a standby, and takes no lock but those of
 * its queries.  The queries run as the owner of the extension: the server
 * hides the progress of others from ordinary roles, and a migration runs as
 * its own role, so whoever watches is rarely the one who works.  What comes
 * back is therefore confined to counts, words and process ids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"

#include "catalog.h"
#include "catalog_watch.h"
#include "compat.h"
#include "query.h"
#include "settings.h"
#include "version.h"
#include "words.h"

/*
 * New clients work in these states: both shapes are there, or the new one
 * alone.  A contract phase that was stopped has not taken the new shape away.
 */
#define STATE_IS_READY \
	"(state IN ('expanded', 'completing', 'applied')" \
	" OR (state IN ('paused', 'failed') AND direction = 'complete'))"

List *
mig_watch_list(void)
{
	List	   *result = mig_catalog_list();
	ListCell   *lc = list_head(result);
	MigQuery	query;

	mig_query_begin(&query,
					"SELECT version, state, error FROM migrate_internal.shown ORDER BY key");
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows && lc != NULL; i++)
	{
		char	   *version = mig_col_text(&query, i, 1);
		Migration  *m;

		/* both lists have the same order, but a load may have come between */
		while (lc != NULL && mig_version_cmp(((Migration *) lfirst(lc))->version, version) < 0)
			lc = lnext(result, lc);
		if (lc == NULL)
			break;
		m = lfirst(lc);
		if (mig_version_cmp(m->version, version) != 0)
			continue;
		m->state = mig_state_of(mig_col_text(&query, i, 2));
		m->error = mig_col_text(&query, i, 3);
	}
	mig_query_end(&query);
	return result;
}

bool
mig_watch_find(const char *version, MigState *state, MigDirection *direction)
{
	MigQuery	query;
	bool		found;

	mig_query_begin(&query,
					"SELECT state, coalesce(direction, 'apply') FROM migrate_internal.migration"
					" WHERE scope = $1 AND key = migrate_internal.version_key($2)");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	found = mig_query_run(&query) > 0;
	if (found)
	{
		*state = mig_state_of(mig_col_text(&query, 0, 1));
		*direction = mig_direction_of(mig_col_text(&query, 0, 2));
	}
	mig_query_end(&query);
	return found;
}

char *
mig_watch_current(void)
{
	MigQuery	query;
	char	   *version = NULL;

	mig_query_begin(&query,
					"WITH open(key) AS (SELECT key FROM migrate_internal.migration"
					" WHERE scope = $1 AND in_order AND NOT coalesce(" STATE_IS_READY ", false)"
					" ORDER BY key LIMIT 1)"
					" SELECT version FROM migrate_internal.migration"
					" WHERE scope = $1 AND in_order"
					" AND (key < (SELECT key FROM open) OR NOT EXISTS (SELECT FROM open))"
					" ORDER BY key DESC LIMIT 1");
	mig_arg_text(&query, mig_current_scope());
	if (mig_query_run(&query) > 0)
		version = mig_col_text(&query, 0, 1);
	mig_query_end(&query);
	return version;
}

bool
mig_watch_may_read(const char *owner)
{
	Oid			role = get_role_oid(owner, true);

	if (OidIsValid(role) && mig_can_become(GetUserId(), role))
		return true;
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_DATA);
}

void
mig_watch_dates(const char *version, MigDates *dates)
{
	MigQuery	query;

	memset(dates, 0, sizeof(*dates));
	mig_query_begin(&query,
					"SELECT registered_by, registered_at::timestamptz(0)::text,"
					" started_at::timestamptz(0)::text, finished_at::timestamptz(0)::text,"
					" applied_by FROM migrate_internal.migration WHERE scope = $1 AND version = $2");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	if (mig_query_run(&query) > 0)
	{
		dates->registered_by = mig_col_text(&query, 0, 1);
		dates->registered_at = mig_col_text(&query, 0, 2);
		dates->started_at = mig_col_text(&query, 0, 3);
		dates->finished_at = mig_col_text(&query, 0, 4);
		dates->applied_by = mig_col_text(&query, 0, 5);
	}
	mig_query_end(&query);
}

bool
mig_watch_is_running(const char *scope, const char *version)
{
	MigQuery	query;
	bool		result;

	mig_query_begin(&query,
					"SELECT 1 FROM migrate_internal.migration WHERE scope = $1 AND version = $2"
					" AND state IN ('running', 'completing', 'rolling_back')");
	mig_arg_text(&query, scope);
	mig_arg_text(&query, version);
	query.latest = true;
	result = mig_query_run(&query) > 0;
	mig_query_end(&query);
	return result;
}

/*
 * The server has a view for each kind of long command.  In a concurrent
 * build it counts blocks while it scans, tuples while it sorts and loads,
 * and transactions while it waits for them (docs, "CREATE INDEX Progress
 * Reporting").
 */
#define SERVER_PROGRESS \
	"(SELECT pid, phase, current_locker_pid AS locker," \
	"  CASE WHEN phase LIKE 'waiting%' THEN lockers_done" \
	"   WHEN phase LIKE '%scanning%' OR tuples_total = 0 THEN blocks_done ELSE tuples_done END AS done," \
	"  CASE WHEN phase LIKE 'waiting%' THEN lockers_total" \
	"   WHEN phase LIKE '%scanning%' OR tuples_total = 0 THEN blocks_total ELSE tuples_total END AS total," \
	"  CASE WHEN phase LIKE 'waiting%' THEN 'sessions'" \
	"   WHEN phase LIKE '%scanning%' OR tuples_total = 0 THEN 'blocks' ELSE 'tuples' END AS unit" \
	"  FROM pg_stat_progress_create_index" \
	" UNION ALL SELECT pid, phase, NULL, heap_blks_scanned, heap_blks_total, 'blocks'" \
	"  FROM pg_stat_progress_vacuum" \
	" UNION ALL SELECT pid, phase, NULL, heap_blks_scanned, heap_blks_total, 'blocks'" \
	"  FROM pg_stat_progress_cluster" \
	" UNION ALL SELECT pid, phase, NULL, sample_blks_scanned, sample_blks_total, 'blocks'" \
	"  FROM pg_stat_progress_analyze)"

bool
mig_watch_live(int pid, MigLive *live)
{
	MigQuery	query;
	bool		found;

	mig_query_begin(&query,
					"SELECT p.phase, p.done, p.total, p.unit,"
					" CASE WHEN b.pid IS NULL THEN NULL"
					"  WHEN p.phase = 'waiting for old snapshots' THEN 'snapshot' ELSE 'lock' END,"
					" coalesce(b.pid, 0)::int,"
					" (1 + (SELECT count(*) FROM pg_stat_activity w WHERE w.leader_pid = a.pid))::int"
					" FROM pg_stat_activity a"
					" LEFT JOIN " SERVER_PROGRESS " p ON p.pid = a.pid"
					" CROSS JOIN LATERAL (SELECT coalesce(nullif(p.locker, 0),"
					"  (pg_blocking_pids(a.pid))[1])) b(pid)"
					" WHERE a.pid = $1");
	mig_arg_int(&query, pid);
	found = mig_query_run(&query) > 0;
	if (found)
	{
		live->phase = mig_col_text(&query, 0, 1);
		live->done = mig_col_int64(&query, 0, 2);
		live->total = mig_col_int64(&query, 0, 3);
		live->unit = mig_col_text(&query, 0, 4);
		live->wait_type = mig_col_text(&query, 0, 5);
		live->blocker = mig_col_int(&query, 0, 6);
		live->workers = mig_col_int(&query, 0, 7);
	}
	mig_query_end(&query);
	return found;
}

/*
 * The streaming replica that replays latest, if that is more than max_ms
 * behind and is not among those to be ignored; NULL: none.  One with a
 * configured delay reports a lag of that delay and more: name it there.
 */
char *
mig_watch_replica_lag(int max_ms, const char *ignored, const MigLsnSample *samples, int nsamples)
{
	MigQuery	query;
	List	   *times = NIL;
	List	   *lsns = NIL;
	char	   *detail = NULL;

	if (max_ms == 0)
		return NULL;
	for (int i = 0; i < nsamples; i++)
	{
		times = lappend(times, psprintf("%.6f", samples[i].at / 1000000.0 +
										(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (double) SECS_PER_DAY));
		lsns = lappend(lsns, psprintf("%X/%X", LSN_FORMAT_ARGS(samples[i].lsn)));
	}
	mig_query_begin(&query,
					"SELECT concat(r.application_name, ' is ', round(l.lag::numeric, 1), ' s behind')"
					" FROM pg_stat_replication r, LATERAL (SELECT greatest(extract(epoch FROM r.replay_lag),"
					" (SELECT max(extract(epoch FROM r.reply_time) - s.at::numeric)"
					" FROM unnest($3::text[], $4::text[]) s(at, lsn) WHERE s.lsn::pg_lsn > r.replay_lsn)) AS lag) l"
					" WHERE l.lag > $1 / 1000.0"
					" AND r.application_name <> ALL (string_to_array(replace($2, ' ', ''), ','))"
					" AND NOT EXISTS (SELECT FROM pg_replication_slots s"
					" WHERE s.active_pid = r.pid AND s.slot_type = 'logical')"
					" ORDER BY l.lag DESC LIMIT 1");
	mig_arg_int(&query, max_ms);
	mig_arg_text(&query, ignored ? ignored : "");
	mig_arg_texts(&query, times, false);
	mig_arg_texts(&query, lsns, false);
	if (mig_query_run(&query) > 0)
		detail = mig_col_text(&query, 0, 1);
	mig_query_end(&query);
	return detail;
}

/* An autovacuum that is at work on a table; NULL: none. */
char *
mig_watch_vacuum_of(const char *table)
{
	MigQuery	query;
	char	   *detail = NULL;

	mig_query_begin(&query,
					"SELECT concat('pid ', a.pid, ', ', a.query)"
					" FROM pg_stat_progress_vacuum v JOIN pg_stat_activity a USING (pid)"
					" WHERE v.relid = to_regclass($1)::oid AND v.datname = current_database()"
					" AND a.backend_type = 'autovacuum worker' LIMIT 1");
	mig_arg_text(&query, table);
	if (mig_query_run(&query) > 0)
		detail = mig_col_text(&query, 0, 1);
	mig_query_end(&query);
	return detail;
}

/*
 * The logical slot that holds back most of the WAL that was written since
 * *start_lsn (set at the first look, in the caller's context), if that is
 * more than max_kb; NULL: none.
 */
char *
mig_watch_slot(int max_kb, char **start_lsn)
{
	MigQuery	query;
	char	   *detail = NULL;

	if (max_kb == 0)
		return NULL;
	mig_query_begin(&query,
					"SELECT coalesce($2, pg_current_wal_lsn()::text), s.slot_name::text, round(s.held / 1024)::text FROM (SELECT 1) one"
					" LEFT JOIN LATERAL (SELECT slot_name, pg_wal_lsn_diff(pg_current_wal_lsn(),"
					" greatest(confirmed_flush_lsn, $2::pg_lsn)) AS held FROM pg_replication_slots"
					" WHERE slot_type = 'logical' AND wal_status IS DISTINCT FROM 'lost' ORDER BY 2 DESC NULLS LAST LIMIT 1) s"
					" ON s.held > $1::bigint * 1024");
	mig_arg_int(&query, max_kb);
	mig_arg_text(&query, *start_lsn);
	mig_query_run(&query);
	if (*start_lsn == NULL)
		*start_lsn = mig_col_text(&query, 0, 1);
	else if (!mig_col_null(&query, 0, 2))
		detail = psprintf("slot %s holds back %s kB", mig_col_text(&query, 0, 2),
						  mig_col_text(&query, 0, 3));
	mig_query_end(&query);
	return detail;
}
