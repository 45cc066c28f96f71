/*-------------------------------------------------------------------------
 *
 * api_plan.c
 *	  plan(), explain() and plan_text(): look before you leap.
 *
 * Which plan that is, and with whose rights it is made: preview.c.  Takes no
 * lock that stays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "plan.h"
#include "preview.h"
#include "session.h"
#include "settings.h"
#include "sqlgen.h"
#include "words.h"

PG_FUNCTION_INFO_V1(mig_plan);
PG_FUNCTION_INFO_V1(mig_explain);
PG_FUNCTION_INFO_V1(mig_plan_text);

#define PLAN_COLUMNS 17
#define LOCKS_NAMED 8			/* in a note */

/* List of MigPreview, for plan() and plan_text(). */
static List *
plan_action(const char *target, const char *action)
{
	List	   *migrations = mig_preview_targets(target, action);
	ListCell   *lc;

	foreach(lc, migrations)
		mig_check_right(lfirst(lc), NULL);
	return mig_preview(migrations, action);
}

/* --- rows --- */

static Datum
interval_of_ms(int64 ms)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = ms * 1000;
	return IntervalPGetDatum(interval);
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text)
		values[column] = CStringGetTextDatum(text);
}

/* The note, and the other relations that a step locks; of many, the first few. */
static const char *
full_note(const MigStep *step)
{
	StringInfoData buf;
	int			named = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, step->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (step->relation && step->lock != NoLock && strcmp(lock->relation, step->relation) == 0)
			continue;
		if (named < LOCKS_NAMED)
			appendStringInfo(&buf, "%s%s (%s)", named ? ", " : "also locks ", lock->relation,
							 mig_lock_word(lock->mode));
		named++;
	}
	if (named > LOCKS_NAMED)
		appendStringInfo(&buf, " and %d more", named - LOCKS_NAMED);
	if (step->note)
		appendStringInfo(&buf, "%s%s", named ? "; " : "", step->note);
	return buf.len > 0 ? buf.data : NULL;
}

static void
put_step(ReturnSetInfo *rsinfo, const char *version, const MigStep *step)
{
	Datum		values[PLAN_COLUMNS] = {0};
	bool		nulls[PLAN_COLUMNS] = {false};

	put_text(values, nulls, 0, version);
	values[1] = Int32GetDatum(step->step);
	put_text(values, nulls, 2, mig_phase_word(step->phase));
	put_text(values, nulls, 3, mig_kind_word(step->kind));
	values[4] = Int32GetDatum(step->statement);
	values[5] = Int32GetDatum(step->line);
	values[6] = Int32GetDatum(step->tx);
	put_text(values, nulls, 7, step->command);
	put_text(values, nulls, 8, step->undo ? step->undo : "irreversible");
	put_text(values, nulls, 9, step->relation);
	put_text(values, nulls, 10, mig_lock_word(step->lock));
	values[11] = BoolGetDatum(step->scans);
	values[12] = BoolGetDatum(step->rewrites);
	values[13] = Int64GetDatum(step->rows);
	nulls[13] = step->rows < 0;
	values[14] = Int64GetDatum(step->bytes);
	nulls[14] = step->bytes < 0;
	nulls[15] = step->estimate_ms < 0;
	if (!nulls[15])
		values[15] = interval_of_ms(step->estimate_ms);
	put_text(values, nulls, 16, full_note(step));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static const char *
action_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("action must not be null")));
	return text_to_cstring(PG_GETARG_TEXT_PP(1));
}

/*
 * migrate.plan(target text, action text) returns setof record
 *
 * A row a step.  42704 for an unknown target, 22023 for an unknown action,
 * 42501 for a migration whose owner the caller may not become; 55000 for
 * what the verb would refuse; and the errors of planning.
 */
Datum
mig_plan(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *target = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	List	   *planned = plan_action(target, action_argument(fcinfo));
	ListCell   *lc,
			   *ls;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, planned)
		foreach(ls, ((MigPreview *) lfirst(lc))->steps)
			put_step(rsinfo, ((MigPreview *) lfirst(lc))->migration->version, lfirst(ls));
	return (Datum) 0;
}

/*
 * migrate.explain(sql text) returns setof record
 *
 * As plan(), for any SQL, as the caller would run it.
 */
Datum
mig_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MigPlanContext context = {0};
	MigIdentity save;
	MigPlan    *plan;
	ListCell   *lc;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("sql must not be null")));
	context.what = "sql";
	context.rates = mig_catalog_rates();
	context.complete = mig_auto_complete;
	mig_identity_owner(GetUserNameFromId(GetUserId(), false), pstrdup(namespace_search_path), &save);
	plan = mig_plan_build(text_to_cstring(PG_GETARG_TEXT_PP(0)), &context);
	mig_identity_restore(&save);

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, plan->steps)
		put_step(rsinfo, NULL, lfirst(lc));
	return (Datum) 0;
}

/* --- text --- */

static void
put_line(ReturnSetInfo *rsinfo, const char *line)
{
	Datum		value = CStringGetTextDatum(line);
	bool		isnull = false;

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
}

static void pg_attribute_printf(2, 3)
put_fact(ReturnSetInfo *rsinfo, const char *format,...)
{
	va_list		args;
	char	   *text;
	char	   *line;
	char	   *next;

	va_start(args, format);
	text = mig_sql_vformat(format, args);
	va_end(args);
	/* SQL of several lines stays so */
	for (line = text; line; line = next)
	{
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (line[0] && line[strlen(line) - 1] == '\r')
			line[strlen(line) - 1] = '\0';
		put_line(rsinfo, line == text ? line : psprintf("      %s", line));
	}
}

static void
put_header(ReturnSetInfo *rsinfo, const MigPreview *preview)
{
	int			steps[MIG_CONTRACT + 1] = {0};
	StringInfoData buf;
	ListCell   *lc;

	foreach(lc, preview->steps)
		steps[((MigStep *) lfirst(lc))->phase]++;
	initStringInfo(&buf);
	appendStringInfo(&buf, "migration %s", preview->migration->version);
	if (preview->migration->name)
		appendStringInfo(&buf, " %s", preview->migration->name);
	appendStringInfo(&buf, ": %d %s", list_length(preview->steps),
					 list_length(preview->steps) == 1 ? "step" : "steps");
	for (MigPhase phase = MIG_EXPAND; phase <= MIG_CONTRACT; phase++)
		if (steps[phase] > 0)
			appendStringInfo(&buf, ", %d %s", steps[phase], mig_phase_word(phase));
	put_fact(rsinfo, "%s", buf.data);
}

static void
put_step_text(ReturnSetInfo *rsinfo, const MigStep *step, bool costs)
{
	ListCell   *lc;

	put_fact(rsinfo, "  step %d: %s, %s, %s %d, statement %d, line %d", step->step,
			 mig_phase_word(step->phase), mig_kind_word(step->kind),
			 step->alone ? "outside a transaction block," : "transaction", step->tx,
			 step->statement, step->line);
	put_fact(rsinfo, "    command: %s", step->command);
	foreach(lc, step->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (!lock->created)
			put_fact(rsinfo, "    lock: %s on %s", mig_lock_word(lock->mode), lock->relation);
	}
	if (step->rewrites)
		put_fact(rsinfo, "    rewrites %s", step->relation ? step->relation : "tables");
	else if (step->scans)
		put_fact(rsinfo, "    reads all of %s", step->relation ? step->relation : "some tables");
	if (costs && step->rows >= 0)
		put_fact(rsinfo, "    rows: " INT64_FORMAT, step->rows);
	if (costs && step->bytes >= 0)
		put_fact(rsinfo, "    bytes: " INT64_FORMAT, step->bytes);
	if (costs && step->estimate_ms >= 0)
		put_fact(rsinfo, "    estimate: " INT64_FORMAT " ms", step->estimate_ms);
	if (step->undo == NULL)
		put_fact(rsinfo, "    undo: irreversible");
	else if (step->undo[0])
		put_fact(rsinfo, "    undo: %s", step->undo);
	if (step->note)
		put_fact(rsinfo, "    note: %s", step->note);
}

/*
 * migrate.plan_text(target text, action text, costs boolean) returns setof text
 *
 * As plan(), one fact a line.
 */
Datum
mig_plan_text(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *target = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		costs = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	List	   *planned = plan_action(target, action_argument(fcinfo));
	ListCell   *lc,
			   *ls;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	foreach(lc, planned)
	{
		put_header(rsinfo, lfirst(lc));
		foreach(ls, ((MigPreview *) lfirst(lc))->steps)
			put_step_text(rsinfo, lfirst(ls), costs);
	}
	return (Datum) 0;
}
