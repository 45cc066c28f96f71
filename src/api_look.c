/*-------------------------------------------------------------------------
 *
 * api_look.c
 *	  preflight(), rehearse() and runbook(): arguments, rights and rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "preflight.h"

PG_FUNCTION_INFO_V1(mig_preflight_rows);

#define PREFLIGHT_COLUMNS 4

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
