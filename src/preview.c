/*-------------------------------------------------------------------------
 *
 * preview.c
 *	  What a verb would do, migration by migration, without doing it.
 *
 * Migrations are planned in the order in which they would run, over one
 * overlay, each as its owner in a restricted context: planning another's SQL
 * must not run anything of his with the caller's rights.  A migration that
 * was begun shows the plan that it follows.
 *
 * Never waits, never writes, works on a standby; takes no lock that stays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog.h"
#include "graph.h"
#include "overlay.h"
#include "plan.h"
#include "preview.h"
#include "session.h"
#include "settings.h"
#include "targets.h"

static bool
was_begun(const MigPlan *plan)
{
	ListCell   *lc;

	if (plan)
		foreach(lc, plan->steps)
			if (strcmp(((MigStep *) lfirst(lc))->state, "pending") != 0)
				return true;
	return false;
}

static bool
can_reverse(const MigPlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->steps)
	{
		MigStep    *step = lfirst(lc);

		if (strcmp(step->state, "done") == 0 && step->undo == NULL)
			return false;
	}
	return true;
}

static MigPlan *
plan_as_owner(const Migration *m, const char *sql, const char *what, MigPlanContext *context)
{
	MigIdentity save;
	MigPlan    *plan;

	context->version = m->version;
	context->what = what;
	context->migration = m;
	context->as_written = mig_settings_as_written(m->options);
	context->fills = mig_catalog_is_fill(m);
	mig_identity_owner(m->owner, m->search_path, &save);
	plan = mig_plan_build(sql, context);
	mig_identity_restore(&save);
	return plan;
}

/* Steps of a stored plan, with what has become of them. */
static List *
stored_steps(const MigPlan *plan, bool contract_only)
{
	List	   *steps = NIL;
	ListCell   *lc;

	foreach(lc, plan->steps)
	{
		MigStep    *step = lfirst(lc);

		if (contract_only && step->phase != MIG_CONTRACT)
			continue;
		if (strcmp(step->state, "pending") != 0)
			step->note = step->note ? psprintf("%s; %s", step->state, step->note) : step->state;
		steps = lappend(steps, step);
	}
	return steps;
}

/* What a begun plan will still make is not known by name to those that come later. */
static void
cloud(MigPlanContext *context, const MigPlan *stored)
{
	MigChange	change = {.kind = MIG_OPAQUE};
	ListCell   *lc;

	foreach(lc, stored->steps)
		if (strcmp(((MigStep *) lfirst(lc))->state, "done") != 0)
		{
			mig_overlay_apply(context->overlay, list_make1(&change), NIL, NIL, NULL);
			return;
		}
}

static List *
steps_forward(const Migration *m, MigPlanContext *context, bool complete)
{
	MigPlan    *stored = m->state == MIG_PENDING ? NULL : mig_catalog_load_plan(m->version, MIG_DIR_APPLY);

	if (complete || m->state == MIG_EXPANDED)
		return stored ? stored_steps(stored, true) : NIL;
	if (was_begun(stored))
	{
		cloud(context, stored);
		return stored_steps(stored, false);
	}
	context->direction = MIG_DIR_APPLY;
	return plan_as_owner(m, m->up, "up", context)->steps;
}

/* As the run would choose: what was begun, the derived way back, or the written one. */
static List *
steps_back(const Migration *m, MigPlanContext *context)
{
	MigPlan    *forward = mig_catalog_load_plan(m->version, MIG_DIR_APPLY);
	MigPlan    *stored = mig_catalog_load_plan(m->version, MIG_DIR_ROLLBACK);
	MigIdentity save;
	MigPlan    *plan;

	context->direction = MIG_DIR_ROLLBACK;
	if (m->state != MIG_APPLIED && m->state != MIG_EXPANDED &&
		m->direction == MIG_DIR_ROLLBACK && was_begun(stored))
		return stored_steps(stored, false);
	if (m->down && (m->state == MIG_APPLIED || (forward && !can_reverse(forward))))
		return plan_as_owner(m, m->down, "down", context)->steps;
	if (forward == NULL && m->state == MIG_APPLIED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" has no way back", m->version),
				 errdetail("It has no down, and was not applied by a plan from which one could be derived.")));
	if (forward == NULL)
		return NIL;
	context->version = m->version;
	context->what = "up";
	mig_identity_owner(m->owner, m->search_path, &save);
	plan = mig_plan_reverse(forward, context);
	mig_identity_restore(&save);
	return plan->steps;
}

List *
mig_preview_targets(const char *target, const char *action)
{
	MigGraph   *graph = mig_graph_make(mig_catalog_list());
	List	   *result = NIL;
	ListCell   *lc;

	mig_graph_check(graph);
	foreach(lc, mig_targets(graph, action, target, mig_auto_complete, true))
	{
		Migration  *m = mig_catalog_get(((Migration *) lfirst(lc))->version, false);

		if (m)
			result = lappend(result, m);
	}
	return result;
}

List *
mig_preview(List *migrations, const char *action)
{
	MigPlanContext context = {0};
	List	   *result = NIL;
	ListCell   *lc;

	context.overlay = mig_overlay_make();
	context.rates = mig_catalog_rates();
	context.complete = mig_auto_complete;
	foreach(lc, migrations)
	{
		MigPreview *preview = palloc0(sizeof(MigPreview));

		preview->migration = lfirst(lc);
		preview->steps = mig_preview_is_back(action) ?
			steps_back(preview->migration, &context) :
			steps_forward(preview->migration, &context, strcmp(action, "complete") == 0);
		result = lappend(result, preview);
	}
	return result;
}

bool
mig_preview_is_back(const char *action)
{
	return strncmp(action, "rollback", strlen("rollback")) == 0;
}
