/*-------------------------------------------------------------------------
 *
 * api_watch.c
 *	  Functions for those who watch: what the views need from C; heads(),
 *	  ready(), current().
 *
 * The views read our tables with the rights of their owner, but functions
 * in them run as whoever asks.  So each function that a view calls answers
 * for any caller, and says nothing that the view would not show.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "catalog.h"
#include "catalog_watch.h"
#include "graph.h"
#include "lock.h"
#include "version.h"
#include "words.h"

/* How often to look again whether a run has ended or a new one begun. */
#define ALIVE_TRIES 3

PG_FUNCTION_INFO_V1(mig_alive);
PG_FUNCTION_INFO_V1(mig_identity);
PG_FUNCTION_INFO_V1(mig_may_read);
PG_FUNCTION_INFO_V1(mig_live);
PG_FUNCTION_INFO_V1(mig_heads);
PG_FUNCTION_INFO_V1(mig_ready);
PG_FUNCTION_INFO_V1(mig_current);

/*
 * migrate_internal.alive(scope text, version text) returns boolean
 *
 * Does a migration that is recorded as running really run?  A worker records
 * the end of its run before it lets go of its lock, so a free lock proves
 * nothing if the run has ended since the caller's snapshot was taken: then
 * the row that the caller sees was true when its snapshot was taken.  On a
 * standby there are no locks to look at, and what the tables say stands.
 */
Datum
mig_alive(PG_FUNCTION_ARGS)
{
	char	   *scope = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *version = text_to_cstring(PG_GETARG_TEXT_PP(1));

	if (RecoveryInProgress())
		PG_RETURN_BOOL(true);
	for (int i = 0; i < ALIVE_TRIES; i++)
	{
		if (mig_run_is_alive(scope, version) ||
			!mig_watch_is_running(scope, version))
			PG_RETURN_BOOL(true);
	}
	PG_RETURN_BOOL(false);
}

/* migrate_internal.identity() returns text: which database this is. */
Datum
mig_identity(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(mig_catalog_identity()));
}

/* migrate_internal.may_read(owner text) returns boolean: see mig_watch_may_read. */
Datum
mig_may_read(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(mig_watch_may_read(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

/*
 * migrate_internal.live(pid int) returns (phase, done, total, unit,
 * wait_type, blocker, workers): one row, of nulls if there is no such
 * process, or on a standby, where pids of the primary mean nothing.
 */
Datum
mig_live(PG_FUNCTION_ARGS)
{
	TupleDesc	tupdesc;
	Datum		values[7] = {0};
	bool		nulls[7];
	MigLive		live = {0};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));
	if (!RecoveryInProgress() && mig_watch_live(PG_GETARG_INT32(0), &live))
	{
		if (live.phase)
		{
			values[0] = CStringGetTextDatum(live.phase);
			values[1] = Int64GetDatum(live.done);
			values[2] = Int64GetDatum(live.total);
			values[3] = CStringGetTextDatum(live.unit);
			nulls[0] = nulls[1] = nulls[2] = nulls[3] = false;
		}
		if (live.wait_type)
		{
			values[4] = CStringGetTextDatum(live.wait_type);
			values[5] = Int32GetDatum(live.blocker);
			nulls[4] = nulls[5] = false;
		}
		values[6] = Int32GetDatum(live.workers);
		nulls[6] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

/* migrate.heads() returns setof (version, name, state): the tips of the graph. */
Datum
mig_heads(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *heads;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	heads = mig_graph_heads(mig_graph_make(mig_watch_list()));
	foreach(lc, heads)
	{
		Migration  *m = lfirst(lc);
		Datum		values[3] = {0};
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(m->version);
		if (m->name)
			values[1] = CStringGetTextDatum(m->name);
		nulls[1] = m->name == NULL;
		values[2] = CStringGetTextDatum(mig_state_word(m->state));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * migrate.ready(version text) returns boolean
 *
 * Can code that needs this migration run: is it expanded or applied?  Also
 * while its contract phase runs or has stopped, since the new shape stays
 * throughout.  42704 for a version that is not registered.
 */
Datum
mig_ready(PG_FUNCTION_ARGS)
{
	char	   *version;
	MigState	state = MIG_PENDING;
	MigDirection direction = MIG_DIR_APPLY;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("version must not be null")));
	version = text_to_cstring(PG_GETARG_TEXT_PP(0));
	mig_version_check(version);
	if (!mig_watch_find(version, &state, &direction))
		mig_graph_get(mig_graph_make(mig_catalog_list()), version);

	switch (state)
	{
		case MIG_EXPANDED:
		case MIG_COMPLETING:
		case MIG_APPLIED:
			PG_RETURN_BOOL(true);
		case MIG_PAUSED:
		case MIG_FAILED:
			PG_RETURN_BOOL(direction == MIG_DIR_COMPLETE);
		default:
			PG_RETURN_BOOL(false);
	}
}

/*
 * migrate.current() returns text
 *
 * The highest version such that it and all lower ones that are in the order
 * are ready; null if there is none.
 */
Datum
mig_current(PG_FUNCTION_ARGS)
{
	char	   *version = mig_watch_current();

	if (version == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(version));
}
