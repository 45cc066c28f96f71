/*-------------------------------------------------------------------------
 *
 * run_undo.c
 *	  The way back of steps while a run goes on: reading it, and going back a
 *	  little.
 *
 * An undo that is read from the catalog is right for the catalog as the step
 * finds it: where earlier steps may have changed that, it is read again in
 * the step's own transaction, under the step's locks.
 *
 * Some steps can be taken back by the run itself: a constraint that could not
 * be validated; and, when apply takes over from a rollback that stopped
 * between the steps which undo one step, those of them that are done.
 *
 * Locks: those of the undo, by the ladder.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"

#include "catalog.h"
#include "classify.h"
#include "exec.h"
#include "parse.h"
#include "run_state.h"
#include "session.h"

static bool
is_done(const MigStep *step)
{
	return strcmp(step->state, "done") == 0;
}

/* --- reading --- */

/* What a key is made of need not be brought back, if the run has made it. */
static List *
indexes_made_before(const MigRun *run, const MigStep *step)
{
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, run->plan->steps)
	{
		const MigStep *before = lfirst(lc);

		if (before->step < step->step && before->kind == MIG_STEP_CREATE_INDEX && before->object)
			keys = lappend(keys, psprintf("relation %s", before->object));
	}
	return keys;
}

static void
read_as_owner(const MigRun *run, MigStep *step)
{
	MigOverlay *overlay = mig_overlay_make();
	MigIdentity save;
	MigEffect  *effect;

	mig_identity_owner(run->migration->owner, pstrdup(namespace_search_path), &save);
	mig_overlay_enter(overlay, run->version, step->command, "the step", 1);
	mig_overlay_apply(overlay, NIL, indexes_made_before(run, step), NIL, NULL);
	effect = mig_classify(linitial(mig_parse(step->command, "the step")), overlay);
	mig_identity_restore(&save);
	step->undo = effect->undo;
}

void
mig_run_read_undo(MigRun *run, MigStep *step)
{
	MemoryContext caller = CurrentMemoryContext;

	if (!step->undo_late)
		return;
	MemoryContextSwitchTo(run->context);
	read_as_owner(run, step);
	mig_catalog_step_undo(run->version, run->plan->direction, step->step, step->undo);
	MemoryContextSwitchTo(caller);
}

/* --- going back a little --- */

static MigPlan *
reverse_of(const MigRun *run, MigStep *step)
{
	MigPlanContext context = {0};
	MigPlan		plan = {run->plan->version, run->plan->direction, list_make1(step), false};
	MigPlan    *back;
	MigIdentity save;

	context.version = run->version;
	context.what = "undo";
	context.direction = MIG_DIR_ROLLBACK;
	context.complete = true;
	mig_exec_begin();
	mig_identity_owner(run->migration->owner, run->migration->search_path, &save);
	back = mig_plan_reverse(&plan, &context);
	mig_identity_restore(&save);
	mig_exec_commit();
	return back;
}

static void
mark_pending(MigRun *run, MigStep *step, MigDirection direction)
{
	mig_exec_begin();
	mig_catalog_step_state(run->version, direction, step->step, "pending");
	mig_exec_commit();
	step->state = "pending";
}

static bool
any_alone(const List *steps)
{
	const ListCell *lc;

	foreach(lc, steps)
		if (((MigStep *) lfirst(lc))->alone)
			return true;
	return false;
}

/* One step of the plan for that direction is as if it had not been done. */
static void
take_back(MigRun *run, MigStep *step, MigDirection direction)
{
	List	   *steps = reverse_of(run, step)->steps;
	ListCell   *lc;

	if (steps == NIL || any_alone(steps))
	{
		/* what stands alone can be repeated: it drops what is there */
		foreach(lc, steps)
			mig_exec(((MigStep *) lfirst(lc))->command);
		mark_pending(run, step, direction);
		return;
	}
	mig_run_begin_with_locks(run, steps);
	foreach(lc, steps)
		mig_exec(((MigStep *) lfirst(lc))->command);
	mark_pending(run, step, direction);
	mig_exec("COMMIT");
}

void
mig_run_lift(MigRun *run, MigStep *step)
{
	for (int i = list_length(run->plan->steps) - 1; i >= 0; i--)
	{
		MigStep    *before = list_nth(run->plan->steps, i);

		if (before->statement == step->statement && before->undoes == step->undoes &&
			is_done(before) && before->undo && before->undo[0] &&
			before->object && step->object && strcmp(before->object, step->object) == 0)
			take_back(run, before, run->plan->direction);
	}
}

List *
mig_run_half_undone(const MigPlan *back)
{
	List	   *result = NIL;
	ListCell   *lc,
			   *lo;

	if (back == NULL)
		return NIL;
	foreach(lc, back->steps)
	{
		MigStep    *step = lfirst(lc);
		bool		whole = true;

		foreach(lo, back->steps)
			whole &= ((MigStep *) lfirst(lo))->undoes != step->undoes || is_done(lfirst(lo));
		if (step->undoes > 0 && is_done(step) && !whole)
			result = lcons(step, result);
	}
	return result;
}

void
mig_run_mend(MigRun *run)
{
	MigPlan    *back;
	ListCell   *lc;

	mig_exec_begin();
	back = mig_catalog_load_plan(run->version, MIG_DIR_ROLLBACK);
	mig_exec_commit();
	foreach(lc, mig_run_half_undone(back))
		take_back(run, lfirst(lc), MIG_DIR_ROLLBACK);
}
