/*-------------------------------------------------------------------------
 *
 * api_run.c
 *	  The verbs, as procedures: check arguments and rights, then call down.
 *
 * A verb becomes a request, which a background worker serves.  In a CALL
 * that is not atomic the request is committed, and the caller waits without
 * a snapshot.  In a transaction block the worker waits for its end; whoever
 * wants to wait there gets the work done in his own transaction.
 *
 * Takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api_run.h"
#include "catalog.h"
#include "catalog_run.h"
#include "inline.h"
#include "lock.h"
#include "parse.h"
#include "register.h"
#include "relation.h"
#include "serve.h"
#include "session.h"
#include "settings.h"
#include "waiting.h"
#include "worker.h"

#define ORIGIN_RUN "run"

PG_FUNCTION_INFO_V1(mig_apply);
PG_FUNCTION_INFO_V1(mig_complete);
PG_FUNCTION_INFO_V1(mig_rollback);
PG_FUNCTION_INFO_V1(mig_rollback_to);
PG_FUNCTION_INFO_V1(mig_run_sql);
PG_FUNCTION_INFO_V1(mig_backfill_table);
PG_FUNCTION_INFO_V1(mig_wait);

static bool
is_atomic(FunctionCallInfo fcinfo)
{
	return fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic;
}

static char *
text_arg(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static bool
bool_arg(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return PG_GETARG_BOOL(n);
}

/* The INOUT argument "result", as a procedure returns it. */
static Datum
result_row(const char *result)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);
	Datum		value = CStringGetTextDatum(result);
	bool		isnull = false;

	TupleDescInitEntry(desc, 1, "result", TEXTOID, -1, 0);
	BlessTupleDesc(desc);
	return HeapTupleGetDatum(heap_form_tuple(desc, &value, &isnull));
}

static void
check_rights(List *targets, const char *right)
{
	ListCell   *lc;

	foreach(lc, targets)
		mig_check_right(lfirst(lc), right);
}

/* What to say when there is nothing to do. */
static const char *
nothing_to_do(const MigRequest *request)
{
	return strcmp(request->verb, "apply") == 0 ?
		"nothing to do: all that was asked for is applied" : "nothing to do";
}

/* Queue a request, and wait for it or not. */
static char *
serve_request(FunctionCallInfo fcinfo, MigRequest *request, bool wait, const char *right)
{
	BackgroundWorkerHandle *handle;
	List	   *targets;
	ListCell   *lc;

	request->actor = mig_actor();
	request->settings = mig_settings_of_session();
	request->scope = pstrdup(mig_current_scope());
	targets = mig_serve_targets(mig_serve_graph(), request);
	if (targets == NIL)
		return pstrdup(nothing_to_do(request));
	check_rights(targets, right);
	mig_serve_supersede(targets);
	if (wait && is_atomic(fcinfo))
		return mig_inline(request, targets);

	foreach(lc, targets)
		request->targets = lappend(request->targets, ((Migration *) lfirst(lc))->version);
	mig_request_insert(request);
	handle = mig_worker_start(request);
	if (wait)
		return mig_wait_for_request(request->id, handle, -1);
	return psprintf("queued: %d %s", list_length(targets),
					list_length(targets) == 1 ? "migration" : "migrations");
}

/*
 * Before a verb: 25006 where nothing can be written.  A session whose default
 * is repeatable read or serializable gets a transaction that is neither, since
 * others change our tables all the time.
 */
static void
begin_verb(FunctionCallInfo fcinfo, const char *verb)
{
	MemoryContext context = CurrentMemoryContext;

	mig_check_writable(verb);
	if (is_atomic(fcinfo) || !IsolationUsesXactSnapshot())
		return;
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	mig_commit_and_go_on();
	EnsurePortalSnapshotExists();
	SPI_finish();
	MemoryContextSwitchTo(context);
}

/* Connect SPI as the way of calling allows, serve, return the result. */
/* It would wait for the very run that it is part of, for ever. */
static void
refuse_within_run(const char *name)
{
	if (mig_is_worker())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("migrate.%s cannot be called by a migration", name),
				 errhint("Call it in a session of its own.")));
}

static Datum
verb(FunctionCallInfo fcinfo, MigRequest *request, bool wait, const char *right)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *result;

	refuse_within_run(request->verb);
	begin_verb(fcinfo, request->verb);
	SPI_connect_ext(is_atomic(fcinfo) ? 0 : SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(context);
	/* what runs in between need not leave us in our own context */
	result = MemoryContextStrdup(context, serve_request(fcinfo, request, wait, right));
	SPI_finish();
	MemoryContextSwitchTo(context);
	return result_row(result);
}

Datum
mig_apply(PG_FUNCTION_ARGS)
{
	MigRequest	request = {0};

	request.verb = "apply";
	request.target = text_arg(fcinfo, 0);
	request.complete = PG_ARGISNULL(2) ? mig_auto_complete : PG_GETARG_BOOL(2);
	return verb(fcinfo, &request, bool_arg(fcinfo, 1, "wait"), "apply");
}

Datum
mig_complete(PG_FUNCTION_ARGS)
{
	MigRequest	request = {0};

	request.verb = "complete";
	request.target = text_arg(fcinfo, 0);
	return verb(fcinfo, &request, bool_arg(fcinfo, 1, "wait"), "complete");
}

Datum
mig_rollback(PG_FUNCTION_ARGS)
{
	MigRequest	request = {0};

	request.verb = "rollback";
	request.target = text_arg(fcinfo, 0);
	request.cascade = bool_arg(fcinfo, 2, "cascade");
	request.lose_data = bool_arg(fcinfo, 3, "lose_data");
	return verb(fcinfo, &request, bool_arg(fcinfo, 1, "wait"), "rollback");
}

Datum
mig_rollback_to(PG_FUNCTION_ARGS)
{
	MigRequest	request = {0};

	request.verb = "rollback_to";
	request.target = text_arg(fcinfo, 0);
	request.lose_data = bool_arg(fcinfo, 2, "lose_data");
	return verb(fcinfo, &request, bool_arg(fcinfo, 1, "wait"), "rollback");
}

/* A version outside the order: run-20240101T031502-1. */
static char *
run_version(void)
{
	TimestampTz now = GetCurrentTimestamp();
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;

	if (timestamp2tm(now, &tz, &tm, &fsec, NULL, pg_tzset("UTC")) != 0)
		elog(ERROR, "could not read the clock");
	mig_register_lock();
	for (int n = 1;; n++)
	{
		char	   *version = psprintf("run-%04d%02d%02dT%02d%02d%02d-%d",
									   tm.tm_year, tm.tm_mon, tm.tm_mday,
									   tm.tm_hour, tm.tm_min, tm.tm_sec, n);

		if (mig_catalog_get(version, false) == NULL)
			return version;
	}
}

/* Register SQL under a version of its own, outside the order. */
static void
prepare_run(MigRequest *request, char *sql, char *name, Jsonb *options, const char *origin)
{
	Migration	new = {0};

	new.version = run_version();
	new.up = sql;
	new.name = name;
	new.options = options;
	new.origin = pstrdup(origin);
	new.requires_written = true;	/* none */
	(void) mig_register_all(list_make1(&new), false, false);

	request->verb = "run";
	request->target = pstrdup(new.version);
	request->complete = true;
}

static Datum
run_outside_order(FunctionCallInfo fcinfo, char *sql, char *name, Jsonb *options, bool wait)
{
	MigRequest	request = {0};

	refuse_within_run("run");
	prepare_run(&request, sql, name, options, ORIGIN_RUN);
	return verb(fcinfo, &request, wait, "apply");
}

char *
mig_api_run_later(FunctionCallInfo fcinfo, char *sql, char *name, Jsonb *options, const char *origin)
{
	MigRequest	request = {0};

	prepare_run(&request, sql, name, options, origin);
	(void) serve_request(fcinfo, &request, false, "apply");
	return request.target;
}

Datum
mig_run_sql(PG_FUNCTION_ARGS)
{
	char	   *sql = text_arg(fcinfo, 0);

	begin_verb(fcinfo, "run");
	if (sql == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("sql must not be null")));
	return run_outside_order(fcinfo, sql, text_arg(fcinfo, 1), NULL, bool_arg(fcinfo, 2, "wait"));
}

Datum
mig_backfill_table(PG_FUNCTION_ARGS)
{
	char	   *set_clause = text_arg(fcinfo, 1);
	char	   *where_clause = text_arg(fcinfo, 2);
	char	   *table;
	char	   *sql;

	begin_verb(fcinfo, "backfill");
	if (PG_ARGISNULL(0) || set_clause == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("relation and set_clause must not be null")));
	table = mig_relation_text(PG_GETARG_OID(0));
	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", PG_GETARG_OID(0))));
	/* a line break ends a comment */
	sql = psprintf("UPDATE %s SET %s%s%s", table, set_clause, where_clause ? "\nWHERE " : "",
				   where_clause ? where_clause : "");
	if (list_length(mig_parse(sql, "backfill")) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("set_clause and where_clause must be parts of one UPDATE")));
	return run_outside_order(fcinfo, sql, psprintf("backfill of %s", table),
							 PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3),
							 bool_arg(fcinfo, 4, "wait"));
}

/* The request to wait for: the oldest that is open, or the one of a version; 0: none. */
static int64
open_request(const char *version)
{
	ListCell   *lc;

	if (version)
		return mig_request_of(version);
	foreach(lc, mig_request_open())
	{
		MigRequest *request = lfirst(lc);

		if (mig_request_is_alive(request->id) || request->age_ms < MIG_START_MS)
			return request->id;
	}
	return 0;
}

static int64
interval_ms(FunctionCallInfo fcinfo, int n)
{
	Interval   *interval;

	if (PG_ARGISNULL(n))
		return -1;
	interval = PG_GETARG_INTERVAL_P(n);
	return interval->time / 1000 +
		((int64) interval->day + (int64) interval->month * DAYS_PER_MONTH) * SECS_PER_DAY * 1000;
}

Datum
mig_wait(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *version = text_arg(fcinfo, 0);
	int64		timeout_ms = interval_ms(fcinfo, 1);
	TimestampTz since = GetCurrentTimestamp();
	char	   *result = "nothing is running";
	int64		request;

	refuse_within_run("wait");
	mig_check_primary("wait");
	if (is_atomic(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("migrate.wait cannot run inside a transaction block"),
				 errhint("Call it outside: what it waits for could wait for this transaction.")));
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(context);
	if (version)
		(void) mig_graph_get(mig_serve_graph(), version);
	while ((request = open_request(version)) != 0)
	{
		int64		left = timeout_ms;

		if (timeout_ms >= 0)
			left = Max(0, timeout_ms - TimestampDifferenceMilliseconds(since, GetCurrentTimestamp()));
		result = MemoryContextStrdup(context, mig_wait_for_request(request, NULL, left));
	}
	SPI_finish();
	MemoryContextSwitchTo(context);
	return result_row(result);
}
