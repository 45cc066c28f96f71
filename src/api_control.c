/*-------------------------------------------------------------------------
 *
 * api_control.c
 *	  Pause, resume, tune, resolve: what is said of a run from outside.
 *
 * A run looks at its row between transactions, so what is said here takes
 * effect at its next safe point after the commit.  Takes row locks only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "catalog.h"
#include "catalog_run.h"
#include "graph.h"
#include "lock.h"
#include "serve.h"
#include "session.h"
#include "settings.h"
#include "worker.h"

PG_FUNCTION_INFO_V1(mig_pause);
PG_FUNCTION_INFO_V1(mig_resume);
PG_FUNCTION_INFO_V1(mig_tune);
PG_FUNCTION_INFO_V1(mig_resolve);

static char *
required_text(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* The named one, or all. */
static List *
named_or_all(FunctionCallInfo fcinfo)
{
	MigGraph   *graph = mig_serve_graph();

	if (PG_ARGISNULL(0))
		return mig_graph_all(graph);
	return list_make1(mig_graph_get(graph, text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

static bool
is_running(const Migration *m)
{
	return (m->state == MIG_RUNNING || m->state == MIG_COMPLETING || m->state == MIG_ROLLING_BACK) &&
		mig_run_is_alive(m->scope, m->version);
}

Datum
mig_pause(PG_FUNCTION_ARGS)
{
	bool		any = false;
	ListCell   *lc;

	mig_check_writable("pause");
	foreach(lc, named_or_all(fcinfo))
	{
		Migration  *m = lfirst(lc);

		if (!is_running(m))
			continue;
		mig_check_right(m, "pause");
		mig_set_pause(m->version, "sticky");
		any = true;
	}
	PG_RETURN_BOOL(any);
}

static const char *
verb_of(MigDirection direction)
{
	return direction == MIG_DIR_APPLY ? "apply" :
		direction == MIG_DIR_COMPLETE ? "complete" : "rollback";
}

Datum
mig_resume(PG_FUNCTION_ARGS)
{
	bool		any = false;
	ListCell   *lc;

	mig_check_writable("resume");
	foreach(lc, named_or_all(fcinfo))
	{
		Migration  *m = lfirst(lc);
		MigRequest	request = {0};

		if (m->state != MIG_PAUSED)
			continue;
		mig_check_right(m, "pause");
		request.verb = unconstify(char *, verb_of(m->direction));
		request.target = m->version;
		request.targets = list_make1(m->version);
		request.settings = mig_settings_of_session();
		mig_serve_supersede(list_make1(m));
		mig_request_insert(&request);
		(void) mig_worker_start(&request);
		any = true;
	}
	PG_RETURN_BOOL(any);
}

/* {"setting": "value"} */
static Jsonb *
one_setting(const char *setting, const char *value)
{
	JsonbParseState *state = NULL;
	JsonbValue	v;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	v.type = jbvString;
	v.val.string.val = unconstify(char *, setting);
	v.val.string.len = strlen(setting);
	(void) pushJsonbValue(&state, WJB_KEY, &v);
	v.val.string.val = unconstify(char *, value);
	v.val.string.len = strlen(value);
	(void) pushJsonbValue(&state, WJB_VALUE, &v);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

Datum
mig_tune(PG_FUNCTION_ARGS)
{
	char	   *version = required_text(fcinfo, 0, "version");
	char	   *setting = required_text(fcinfo, 1, "setting");
	char	   *value = required_text(fcinfo, 2, "value");
	Migration  *m;
	Jsonb	   *change = one_setting(setting, value);

	mig_check_writable("tune");
	m = mig_graph_get(mig_serve_graph(), version);
	mig_check_right(m, NULL);
	mig_settings_check(change, psprintf("tune of migration \"%s\"", m->version));
	if (m->run == 0 || m->state == MIG_PENDING || m->state == MIG_APPLIED || m->state == MIG_EXPANDED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" has no run that could be tuned", m->version),
				 errhint("Before a run, set migrate.%s in the calling session, or in the options of the migration.",
						 setting)));
	mig_run_tune(m->run, change);
	PG_RETURN_VOID();
}

static MigStep *
doubtful_step(const Migration *m, int number, MigDirection *direction)
{
	static const MigDirection directions[] = {MIG_DIR_APPLY, MIG_DIR_ROLLBACK};

	for (int i = 0; i < lengthof(directions); i++)
	{
		MigPlan    *plan = mig_catalog_load_plan(m->version, directions[i]);
		ListCell   *lc;

		if (plan == NULL)
			continue;
		foreach(lc, plan->steps)
		{
			MigStep    *step = lfirst(lc);

			if (step->step == number && strcmp(step->state, "doubtful") == 0)
			{
				*direction = directions[i];
				return step;
			}
		}
	}
	return NULL;
}

Datum
mig_resolve(PG_FUNCTION_ARGS)
{
	char	   *version = required_text(fcinfo, 0, "version");
	char	   *outcome;
	Migration  *m;
	MigDirection direction = MIG_DIR_APPLY;
	int			number;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("step must not be null")));
	number = PG_GETARG_INT32(1);
	outcome = required_text(fcinfo, 2, "outcome");
	mig_check_writable("resolve");
	if (strcmp(outcome, "done") != 0 && strcmp(outcome, "again") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outcome must be done or again, not \"%s\"", outcome)));
	m = mig_graph_get(mig_serve_graph(), version);
	mig_check_right(m, NULL);
	if (doubtful_step(m, number, &direction) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("step %d of migration \"%s\" is not one that may have run", number, m->version)));
	mig_catalog_step_state(m->version, direction, number,
						   strcmp(outcome, "done") == 0 ? "done" : "pending");
	mig_catalog_note(m->version, "resolved", NULL,
					 psprintf("step %d: %s", number, outcome));
	PG_RETURN_VOID();
}
