/*-------------------------------------------------------------------------
 *
 * catalog_run.c
 *	  Requests, runs, and states of migrations, as they are stored.
 *
 *	  request:   queued -> running -> done | failed
 *	  migration: see run.c
 *
 * A request is a queue entry between the caller of a verb and the worker
 * that serves it.  A run is one attempt to carry one plan out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "catalog.h"
#include "catalog_run.h"
#include "query.h"
#include "settings.h"
#include "words.h"

/* --- requests --- */

void
mig_request_insert(MigRequest *request)
{
	MigQuery	query;
	MigActor	actor = mig_actor();

	mig_query_begin(&query,
					"WITH old AS (DELETE FROM migrate_internal.request"
					" WHERE finished_at < now() - interval '7 days')"
					" INSERT INTO migrate_internal.request (scope, verb, target, arguments, role,"
					" session_role, client_addr, application_name, caller_pid, settings, identity, targets)"
					" VALUES ($1, $2, $3, jsonb_build_object('complete', $4, 'cascade', $5,"
					" 'lose_data', $6), $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, request->verb);
	mig_arg_text(&query, request->target);
	mig_arg_bool(&query, request->complete);
	mig_arg_bool(&query, request->cascade);
	mig_arg_bool(&query, request->lose_data);
	mig_arg_text(&query, actor.role);
	mig_arg_text(&query, actor.session_role);
	mig_arg_text(&query, actor.client_addr);
	mig_arg_text(&query, actor.application_name);
	mig_arg_int(&query, MyProcPid);
	mig_arg_jsonb(&query, request->settings);
	mig_arg_text(&query, mig_catalog_identity());
	mig_arg_texts(&query, request->targets, false);
	mig_query_run(&query);
	request->id = mig_col_int64(&query, 0, 1);
	mig_query_end(&query);
}

#define REQUEST_COLUMNS \
	"id, verb, target, (arguments->>'complete')::bool, (arguments->>'cascade')::bool, " \
	"(arguments->>'lose_data')::bool, role, session_role, client_addr, application_name, " \
	"settings, identity, state, caller_pid, pid, done, failed, waiting_for, result, " \
	"error IS NOT NULL, error->>'sqlstate', error->>'message', error->>'detail', error->>'hint', " \
	"error->>'context', error->>'query', (error->>'position')::int, error->>'version', " \
	"(error->>'step')::int, targets, " \
	"(extract(epoch FROM clock_timestamp() - requested_at) * 1000)::bigint"

static MigError *
error_of_row(MigQuery *query, uint64 row, int col)
{
	MigError   *error = palloc0(sizeof(MigError));

	error->sqlstate = mig_col_text(query, row, col);
	error->message = mig_col_text(query, row, col + 1);
	error->detail = mig_col_text(query, row, col + 2);
	error->hint = mig_col_text(query, row, col + 3);
	error->context = mig_col_text(query, row, col + 4);
	error->query = mig_col_text(query, row, col + 5);
	error->position = mig_col_int(query, row, col + 6);
	error->version = mig_col_text(query, row, col + 7);
	error->step = mig_col_int(query, row, col + 8);
	return error;
}

static MigRequest *
request_of_row(MigQuery *query, uint64 row)
{
	MigRequest *request = palloc0(sizeof(MigRequest));

	request->id = mig_col_int64(query, row, 1);
	request->verb = mig_col_text(query, row, 2);
	request->target = mig_col_text(query, row, 3);
	request->complete = mig_col_bool(query, row, 4);
	request->cascade = mig_col_bool(query, row, 5);
	request->lose_data = mig_col_bool(query, row, 6);
	request->actor.role = mig_col_text(query, row, 7);
	request->actor.session_role = mig_col_text(query, row, 8);
	request->actor.client_addr = mig_col_text(query, row, 9);
	request->actor.application_name = mig_col_text(query, row, 10);
	request->settings = mig_col_jsonb(query, row, 11);
	request->identity = mig_col_text(query, row, 12);
	request->state = mig_col_text(query, row, 13);
	request->caller_pid = mig_col_int(query, row, 14);
	request->pid = mig_col_int(query, row, 15);
	request->done = mig_col_texts(query, row, 16);
	request->failed = mig_col_texts(query, row, 17);
	request->waiting_for = mig_col_text(query, row, 18);
	request->result = mig_col_text(query, row, 19);
	request->targets = mig_col_texts(query, row, 30);
	request->age_ms = mig_col_int64(query, row, 31);
	if (mig_col_bool(query, row, 20))
		request->error = error_of_row(query, row, 21);
	return request;
}

MigRequest *
mig_request_get(int64 id)
{
	MigQuery	query;
	MigRequest *request = NULL;

	mig_query_begin(&query,
					"SELECT " REQUEST_COLUMNS ", cardinality(notices), scope"
					" FROM migrate_internal.request WHERE id = $1");
	mig_arg_int64(&query, id, false);
	if (mig_query_run(&query) > 0)
	{
		request = request_of_row(&query, 0);
		request->notices = mig_col_int(&query, 0, 32);
		request->scope = mig_col_text(&query, 0, 33);
	}
	mig_query_end(&query);
	return request;
}

List *
mig_request_open(void)
{
	MigQuery	query;
	List	   *result = NIL;

	mig_query_begin(&query,
					"SELECT " REQUEST_COLUMNS ", scope"
					" FROM migrate_internal.request"
					" WHERE state IN ('queued', 'running') AND identity = $1 ORDER BY id");
	mig_arg_text(&query, mig_catalog_identity());
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
	{
		MigRequest *request = request_of_row(&query, i);

		request->scope = mig_col_text(&query, i, 32);
		result = lappend(result, request);
	}
	mig_query_end(&query);
	return result;
}

int64
mig_request_of(const char *version)
{
	MigQuery	query;
	int64		id = 0;

	mig_query_begin(&query,
					"SELECT id FROM migrate_internal.request"
					" WHERE state IN ('queued', 'running') AND scope = $1 AND $2 = ANY (targets)"
					" AND $2 <> ALL (done || failed) AND identity = $3 ORDER BY id LIMIT 1");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	mig_arg_text(&query, mig_catalog_identity());
	if (mig_query_run(&query) > 0)
		id = mig_col_int64(&query, 0, 1);
	mig_query_end(&query);
	return id;
}

void
mig_request_start(int64 id)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.request SET state = 'running', pid = $2 WHERE id = $1");
	mig_arg_int64(&query, id, false);
	mig_arg_int(&query, MyProcPid);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_request_add_done(int64 id, const char *version)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.request SET done = done || $2, waiting_for = NULL"
					" WHERE id = $1");
	mig_arg_int64(&query, id, false);
	mig_arg_text(&query, version);
	mig_query_run(&query);
	mig_query_end(&query);
}

static void
append_pair(StringInfo buf, const char *key, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(buf, "%s\"%s\": ", buf->len > 1 ? ", " : "", key);
	escape_json(buf, value);
}

static char *
error_to_json(const MigError *error)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	append_pair(&buf, "sqlstate", error->sqlstate);
	append_pair(&buf, "message", error->message);
	append_pair(&buf, "detail", error->detail);
	append_pair(&buf, "hint", error->hint);
	append_pair(&buf, "context", error->context);
	append_pair(&buf, "query", error->query);
	append_pair(&buf, "version", error->version);
	appendStringInfo(&buf, ", \"position\": %d, \"step\": %d}", error->position, error->step);
	return buf.data;
}

void
mig_request_add_failed(int64 id, const char *version, const MigError *error)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.request SET failed = array_remove(array_append(failed, $2), NULL),"
					" error = coalesce(error, $3::jsonb), waiting_for = NULL WHERE id = $1");
	mig_arg_int64(&query, id, false);
	mig_arg_text(&query, version);
	mig_arg_text(&query, error_to_json(error));
	mig_query_run(&query);
	mig_query_end(&query);
}

/* Words of elog.c, as a client sees them. */
static const char *
severity_word(int elevel)
{
	return elevel == INFO ? "INFO" : elevel == NOTICE ? "NOTICE" : "WARNING";
}

static char *
notice_to_json(const MigNotice *notice)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	append_pair(&buf, "severity", severity_word(notice->elevel));
	append_pair(&buf, "sqlstate", notice->sqlstate);
	append_pair(&buf, "message", notice->message);
	append_pair(&buf, "detail", notice->detail);
	append_pair(&buf, "hint", notice->hint);
	append_pair(&buf, "context", notice->context);
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

List *
mig_request_notices(int64 id, int from)
{
	MigQuery	query;
	List	   *result = NIL;

	mig_query_begin(&query,
					"SELECT j.n->>'severity', j.n->>'sqlstate', j.n->>'message', j.n->>'detail', j.n->>'hint',"
					" j.n->>'context' FROM migrate_internal.request r"
					" CROSS JOIN LATERAL unnest(r.notices[$2 + 1 :]) WITH ORDINALITY AS u (text, place)"
					" CROSS JOIN LATERAL (SELECT u.text::json) AS j (n) WHERE r.id = $1 ORDER BY u.place");
	mig_arg_int64(&query, id, false);
	mig_arg_int(&query, from);
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
	{
		MigNotice  *notice = palloc0(sizeof(MigNotice));
		const char *word = mig_col_text(&query, i, 1);

		notice->elevel = strcmp(word, "INFO") == 0 ? INFO : strcmp(word, "NOTICE") == 0 ? NOTICE : WARNING;
		notice->sqlstate = mig_col_text(&query, i, 2);
		notice->message = mig_col_text(&query, i, 3);
		notice->detail = mig_col_text(&query, i, 4);
		notice->hint = mig_col_text(&query, i, 5);
		notice->context = mig_col_text(&query, i, 6);
		result = lappend(result, notice);
	}
	mig_query_end(&query);
	return result;
}

void
mig_request_add_notice(int64 id, const MigNotice *notice)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.request SET notices = notices || $2 WHERE id = $1");
	mig_arg_int64(&query, id, false);
	mig_arg_text(&query, notice_to_json(notice));
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_request_take_notices(int64 id)
{
	ListCell   *lc;

	foreach(lc, mig_notices_take())
		mig_request_add_notice(id, lfirst(lc));
}

void
mig_request_waiting(int64 id, const char *waiting_for)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.request SET waiting_for = $2 WHERE id = $1");
	mig_arg_int64(&query, id, false);
	mig_arg_text(&query, waiting_for);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_request_finish(int64 id, const char *result)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.request SET"
					" state = CASE WHEN error IS NULL THEN 'done' ELSE 'failed' END,"
					" result = $2, waiting_for = NULL, finished_at = clock_timestamp() WHERE id = $1");
	mig_arg_int64(&query, id, false);
	mig_arg_text(&query, result);
	mig_query_run(&query);
	mig_query_end(&query);
}

char *
mig_request_progress(int64 id)
{
	MigQuery	query;
	char	   *line = NULL;

	mig_query_begin(&query,
					"SELECT concat(p.version, ': step ', p.step, ' of ', m.steps, ', ', p.kind,"
					" ' on ' || p.relation,"
					" CASE WHEN p.total > 0 THEN concat(', ', p.phase, ', ', p.done, ' of ', p.total, ' ', p.unit) END,"
					" ', waiting for ' || p.wait_type || ': ' || p.wait_detail)"
					" FROM migrate.progress p"
					" JOIN migrate_internal.migration m ON m.scope = $2 AND m.version = p.version"
					" JOIN migrate_internal.run r ON r.id = m.run WHERE r.request = $1");
	mig_arg_int64(&query, id, false);
	mig_arg_text(&query, mig_current_scope());
	if (mig_query_run(&query) > 0)
		line = mig_col_text(&query, 0, 1);
	mig_query_end(&query);
	return line;
}

char *
mig_request_current(int64 id)
{
	MigQuery	query;
	char	   *version = NULL;

	mig_query_begin(&query,
					"SELECT version FROM migrate_internal.run"
					" WHERE request = $1 AND finished_at IS NULL ORDER BY id DESC LIMIT 1");
	mig_arg_int64(&query, id, false);
	if (mig_query_run(&query) > 0)
		version = mig_col_text(&query, 0, 1);
	mig_query_end(&query);
	return version;
}

/* --- runs --- */

static MigState
state_while(MigDirection direction)
{
	switch (direction)
	{
		case MIG_DIR_COMPLETE:
			return MIG_COMPLETING;
		case MIG_DIR_ROLLBACK:
			return MIG_ROLLING_BACK;
		case MIG_DIR_APPLY:
			break;
	}
	return MIG_RUNNING;
}

int64
mig_run_begin(const char *version, MigDirection direction, int64 request,
			  Jsonb *settings, int steps, int step, int steps_done)
{
	MigQuery	query;
	MigActor	actor = mig_actor();
	int64		run;

	mig_query_begin(&query,
					"WITH r AS (INSERT INTO migrate_internal.run (scope, version, direction, request,"
					" role, session_role, client_addr, application_name, settings, identity, pid)"
					" SELECT $1, $2, $3, $4, $5, $6, $7, $8, coalesce($9, '{}') || options, $10, $11"
					" FROM migrate_internal.migration WHERE scope = $1 AND version = $2"
					" RETURNING id)"
					" UPDATE migrate_internal.migration m SET state = $12, direction = $3,"
					" run = r.id, steps = $13, step = $14, steps_done = $15, error = NULL, sqlstate = NULL,"
					" phase = (SELECT s.phase FROM migrate_internal.step s WHERE s.scope = $1"
					" AND s.version = $2 AND s.step = $14"
					" AND s.direction = CASE $3 WHEN 'rollback' THEN $3 ELSE 'apply' END),"
					" started_at = CASE WHEN m.state IN ('pending', 'applied') THEN clock_timestamp()"
					" ELSE coalesce(m.started_at, clock_timestamp()) END, finished_at = NULL,"
					" pause = 'none', applied_by = CASE $3 WHEN 'rollback' THEN applied_by ELSE $5 END"
					" FROM r WHERE m.scope = $1 AND m.version = $2 RETURNING r.id");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	mig_arg_text(&query, mig_direction_word(direction));
	mig_arg_int64(&query, request, request == 0);
	mig_arg_text(&query, actor.role);
	mig_arg_text(&query, actor.session_role);
	mig_arg_text(&query, actor.client_addr);
	mig_arg_text(&query, actor.application_name);
	mig_arg_jsonb(&query, settings);
	mig_arg_text(&query, mig_catalog_identity());
	mig_arg_int(&query, MyProcPid);
	mig_arg_text(&query, mig_state_word(state_while(direction)));
	mig_arg_int(&query, steps);
	mig_arg_int(&query, step);
	mig_arg_int(&query, steps_done);
	mig_query_run(&query);
	run = mig_col_int64(&query, 0, 1);
	mig_query_end(&query);
	return run;
}

void
mig_run_waits(int64 run, const char *wait_type, const char *detail, int ms)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.run SET wait_type = $2, wait_detail = $3,"
					" wait_since = CASE WHEN wait_until > clock_timestamp() THEN wait_since"
					" ELSE clock_timestamp() END,"
					" wait_until = clock_timestamp() + make_interval(secs => $4) WHERE id = $1");
	mig_arg_int64(&query, run, false);
	mig_arg_text(&query, wait_type);
	mig_arg_text(&query, detail);
	mig_arg_float(&query, ms / 1000.0, false);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_run_add_lock_time(int64 run, int64 stalled_ms, int64 waited_ms)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.run SET stalled_ms = stalled_ms + $2,"
					" lock_wait_ms = lock_wait_ms + $3 WHERE id = $1");
	mig_arg_int64(&query, run, false);
	mig_arg_int64(&query, stalled_ms, false);
	mig_arg_int64(&query, waited_ms, false);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_run_at_step(const char *version, MigPhase phase, int step, int steps_done)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.migration SET phase = $3, step = $4, steps_done = $5"
					" WHERE scope = $1 AND version = $2");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	mig_arg_text(&query, mig_phase_word(phase));
	mig_arg_int(&query, step);
	mig_arg_int(&query, steps_done);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_run_end(const char *version, int64 run, MigState state,
			const char *outcome, const MigError *error)
{
	MigQuery	query;

	mig_query_begin(&query,
					"WITH r AS (UPDATE migrate_internal.run SET finished_at = clock_timestamp(),"
					" outcome = $5, wait_type = NULL, wait_detail = NULL, wait_since = NULL, wait_until = NULL WHERE id = $3)"
					" UPDATE migrate_internal.migration SET state = $4, error = $6, sqlstate = $7,"
					" finished_at = clock_timestamp(),"
					" step = CASE WHEN $4 IN ('paused', 'failed') THEN coalesce($8, step) END,"
					" phase = CASE WHEN $4 IN ('paused', 'failed') THEN phase END,"
					" pause = CASE WHEN $4 = 'paused' THEN pause ELSE 'none' END"
					" WHERE scope = $1 AND version = $2");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	mig_arg_int64(&query, run, false);
	mig_arg_text(&query, mig_state_word(state));
	mig_arg_text(&query, outcome);
	mig_arg_text(&query, error ? error->message : NULL);
	mig_arg_text(&query, error ? error->sqlstate : NULL);
	mig_arg_int64(&query, error ? error->step : 0, error == NULL || error->step == 0);
	mig_query_run(&query);
	mig_query_end(&query);
}

Jsonb *
mig_run_settings(int64 run)
{
	MigQuery	query;
	Jsonb	   *settings = NULL;

	mig_query_begin(&query,
					"SELECT settings FROM migrate_internal.run WHERE id = $1");
	mig_arg_int64(&query, run, false);
	if (mig_query_run(&query) > 0)
		settings = mig_col_jsonb(&query, 0, 1);
	mig_query_end(&query);
	return settings;
}

void
mig_run_tune(int64 run, Jsonb *changes)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.run SET settings = settings || $2 WHERE id = $1");
	mig_arg_int64(&query, run, false);
	mig_arg_jsonb(&query, changes);
	mig_query_run(&query);
	mig_query_end(&query);
}

char *
mig_run_version(int64 run)
{
	MigQuery	query;
	char	   *version = NULL;

	mig_query_begin(&query, "SELECT version FROM migrate_internal.run WHERE id = $1");
	mig_arg_int64(&query, run, false);
	if (mig_query_run(&query) > 0)
		version = mig_col_text(&query, 0, 1);
	mig_query_end(&query);
	return version;
}

int64
mig_run_stalled(int64 run)
{
	MigQuery	query;
	int64		ms = 0;

	mig_query_begin(&query,
					"SELECT stalled_ms FROM migrate_internal.run WHERE id = $1");
	mig_arg_int64(&query, run, false);
	if (mig_query_run(&query) > 0)
		ms = mig_col_int64(&query, 0, 1);
	mig_query_end(&query);
	return ms;
}

int
mig_run_pid(int64 run)
{
	MigQuery	query;
	int			pid = 0;

	mig_query_begin(&query,
					"SELECT pid FROM migrate_internal.run WHERE id = $1 AND finished_at IS NULL");
	mig_arg_int64(&query, run, false);
	if (mig_query_run(&query) > 0)
		pid = mig_col_int(&query, 0, 1);
	mig_query_end(&query);
	return pid;
}

void
mig_set_pause(const char *version, const char *pause)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.migration SET pause = $3"
					" WHERE scope = $1 AND version = $2");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	mig_arg_text(&query, pause);
	mig_query_run(&query);
	mig_query_end(&query);
}

const char *
mig_get_pause(const char *version)
{
	MigQuery	query;
	const char *pause = "none";

	mig_query_begin(&query,
					"SELECT pause FROM migrate_internal.migration"
					" WHERE scope = $1 AND version = $2");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	if (mig_query_run(&query) > 0)
		pause = mig_col_text(&query, 0, 1);
	mig_query_end(&query);
	return pause;
}
