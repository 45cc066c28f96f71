/*-------------------------------------------------------------------------
 *
 * api_look.c
 *	  preflight(), rehearse() and runbook(): arguments, rights and rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "graph.h"
#include "preflight.h"
#include "preview.h"
#include "rehearse.h"
#include "runbook.h"
#include "session.h"

PG_FUNCTION_INFO_V1(mig_preflight_rows);
PG_FUNCTION_INFO_V1(mig_rehearse_rows);
PG_FUNCTION_INFO_V1(mig_runbook_text);

#define PREFLIGHT_COLUMNS 4
#define REHEARSE_COLUMNS 14
#define MS_PER_DAY (24 * 60 * 60 * 1000)

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text)
		values[column] = CStringGetTextDatum(text);
}

static const char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

/* One that must not be null. */
static const char *
needed_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return text_argument(fcinfo, number);
}

/*
 * migrate.preflight(target text, action text) returns setof record
 *
 * A row an item; ok is null where it could not be told.  22023 for an action
 * that is none, 42704 for a target that is not registered.
 */
Datum
mig_preflight_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *findings = mig_preflight(text_argument(fcinfo, 0),
										 needed_argument(fcinfo, 1, "action"));
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, findings)
	{
		MigFinding *finding = lfirst(lc);
		Datum		values[PREFLIGHT_COLUMNS] = {0};
		bool		nulls[PREFLIGHT_COLUMNS] = {false};

		put_text(values, nulls, 0, finding->item);
		values[1] = BoolGetDatum(finding->verdict == MIG_FINE);
		nulls[1] = finding->verdict == MIG_NOT_SEEN;
		put_text(values, nulls, 2, finding->detail);
		put_text(values, nulls, 3, finding->hint);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* --- rehearse --- */

static Datum
text_array(List *texts)
{
	Datum	   *elems = palloc(sizeof(Datum) * (list_length(texts) + 1));
	ListCell   *lc;

	foreach(lc, texts)
		elems[foreach_current_index(lc)] = CStringGetTextDatum((char *) lfirst(lc));
	return PointerGetDatum(construct_array(elems, list_length(texts), TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
interval_of_ms(double ms)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = (int64) (ms * 1000);
	return IntervalPGetDatum(interval);
}

static void
put_rehearsal(ReturnSetInfo *rsinfo, const MigRehearsal *row)
{
	Datum		values[REHEARSE_COLUMNS] = {0};
	bool		nulls[REHEARSE_COLUMNS] = {false};

	put_text(values, nulls, 0, row->direction);
	values[1] = Int32GetDatum(row->step);
	nulls[1] = row->step == 0;
	values[2] = Int32GetDatum(row->line);
	nulls[2] = row->step == 0;
	put_text(values, nulls, 3, row->command);
	values[4] = BoolGetDatum(row->outcome == MIG_WENT_WELL);
	nulls[4] = row->outcome == MIG_NOT_REHEARSED;
	put_text(values, nulls, 5, row->relation);
	values[6] = text_array(row->locks);
	values[7] = BoolGetDatum(row->scans);
	values[8] = BoolGetDatum(row->rewrites);
	values[9] = Int64GetDatum(row->rows);
	values[10] = interval_of_ms(row->ms);
	values[11] = Int64GetDatum(row->wal_bytes);
	for (int i = 6; i <= 11; i++)
		nulls[i] = !row->measured;
	put_text(values, nulls, 12, row->sqlstate);
	put_text(values, nulls, 13, row->message);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static int
max_lock_argument(FunctionCallInfo fcinfo)
{
	Interval   *interval;
	double		ms;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("max_lock must not be null")));
	interval = PG_GETARG_INTERVAL_P(1);
	ms = interval->time / 1000.0 +
		(interval->day + interval->month * (double) DAYS_PER_MONTH) * MS_PER_DAY;
	if (ms < 1 || ms > INT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_lock must be between 1 ms and %d days", (int) (INT_MAX / MS_PER_DAY))));
	return (int) ms;
}

/*
 * migrate.rehearse(version text, max_lock interval) returns setof record
 *
 * A row a step of up and down, one for verify, and at last one for the
 * schema.  42704 for an unknown version, 42501 for one whose owner the
 * caller may not become, 55000 for one that has begun, 25006 where nothing
 * can be written; and the errors of planning.
 */
Datum
mig_rehearse_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *version = needed_argument(fcinfo, 0, "version");
	int			max_lock = max_lock_argument(fcinfo);
	Migration  *migration;
	List	   *rows;
	ListCell   *lc;

	mig_check_primary("rehearse");
	PreventCommandIfReadOnly("migrate.rehearse()");
	migration = mig_graph_get(mig_graph_make(mig_catalog_list()), version);
	migration = mig_catalog_get(migration->version, false);
	mig_check_right(migration, NULL);
	rows = mig_rehearse(migration, max_lock);

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, rows)
		put_rehearsal(rsinfo, lfirst(lc));
	return (Datum) 0;
}

/*
 * migrate.runbook(target text, action text, costs boolean) returns text
 *
 * Errors as plan() has them.
 */
Datum
mig_runbook_text(PG_FUNCTION_ARGS)
{
	const char *target = text_argument(fcinfo, 0);
	const char *action = needed_argument(fcinfo, 1, "action");
	bool		costs = PG_ARGISNULL(2) || PG_GETARG_BOOL(2);
	List	   *migrations = mig_preview_targets(target, action);
	ListCell   *lc;

	foreach(lc, migrations)
		mig_check_right(lfirst(lc), NULL);
	PG_RETURN_TEXT_P(cstring_to_text(mig_runbook(mig_preview(migrations, action), target, action, costs)));
}
