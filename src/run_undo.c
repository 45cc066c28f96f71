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
 * between the steps which undo one step, those of them that are done.  Taking
 * back one may take what another has made: all of them are marked "undone"
 * before the first, and "pending" one by one, so that whoever is the next, in
 * either direction, brings this to its end.
 *
 * Once a whole step is undone, the way to apply leads over the end of the
 * rollback: the undo of a step may take along what earlier ones have made, and
 * one without an undo of its own relies on that of others.
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
#include "step.h"

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
reverse_of(const MigRun *run, const MigStep *step)
{
	MigPlanContext context = {0};
	MigStep		as_done = *step;
	MigPlan		plan = {run->plan->version, run->plan->direction, list_make1(&as_done), false};
	MigPlan    *back;
	MigIdentity save;

	as_done.state = "done";
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
mark(MigRun *run, MigStep *step, MigDirection direction, char *state)
{
	mig_exec_begin();
	mig_catalog_step_state(run->version, direction, step->step, state);
	mig_exec_commit();
	step->state = state;
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

/* What a try before this one has left half done is cleared away, or is enough. */
static void
do_alone(const MigStep *step)
{
	bool		can_be_told = step->kind == MIG_STEP_CREATE_INDEX || step->kind == MIG_STEP_DROP_INDEX;

	if (!can_be_told || mig_step_finish(step) != MIG_STEP_IS_DONE)
		(void) mig_step_do_alone(step);
}

/* One step of the plan for that direction is as if it had not been done. */
static void
take_back(MigRun *run, MigStep *step, MigDirection direction)
{
	List	   *steps = reverse_of(run, step)->steps;
	bool		alone = steps == NIL || any_alone(steps);
	ListCell   *lc;

	if (!alone)
		mig_run_begin_with_locks(run, steps);
	foreach(lc, steps)
	{
		if (((MigStep *) lfirst(lc))->alone)
			do_alone(lfirst(lc));
		else
			(void) mig_exec(((MigStep *) lfirst(lc))->command);
	}
	mark(run, step, direction, "pending");
	if (!alone)
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

bool
mig_run_ends_undo(const MigPlan *back, const MigStep *step)
{
	ListCell   *lc;

	foreach(lc, back->steps)
		if (((MigStep *) lfirst(lc))->undoes == step->undoes &&
			((MigStep *) lfirst(lc))->step > step->step)
			return false;
	return step->undoes > 0;
}

static bool
is_being_taken_back(const MigStep *step)
{
	return step->undoes > 0 && strcmp(step->state, "undone") == 0;
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
		if (is_being_taken_back(step) || (step->undoes > 0 && is_done(step) && !whole))
			result = lcons(step, result);
	}
	return result;
}

bool
mig_run_must_go_back(const MigPlan *forward, const MigPlan *back)
{
	ListCell   *lc;

	if (forward)
		foreach(lc, forward->steps)
			if (strcmp(((MigStep *) lfirst(lc))->state, "undone") == 0)
				return true;
	foreach(lc, mig_run_half_undone(back))
		if (is_done(lfirst(lc)) && ((MigStep *) lfirst(lc))->undo == NULL)
			return true;
	return false;
}

static void
mend_for_forward(MigRun *run)
{
	MigPlan    *back;
	List	   *half;
	ListCell   *lc;

	mig_exec_begin();
	back = mig_catalog_load_plan(run->version, MIG_DIR_ROLLBACK);
	half = mig_run_half_undone(back);
	foreach(lc, half)
		mig_catalog_step_state(run->version, MIG_DIR_ROLLBACK, ((MigStep *) lfirst(lc))->step, "undone");
	mig_exec_commit();
	foreach(lc, half)
		take_back(run, lfirst(lc), MIG_DIR_ROLLBACK);
}

void
mig_run_mend(MigRun *run)
{
	if (run->direction != MIG_DIR_ROLLBACK)
	{
		mend_for_forward(run);
		return;
	}
	for (int i = list_length(run->plan->steps) - 1; i >= 0; i--)
		if (is_being_taken_back(list_nth(run->plan->steps, i)))
			take_back(run, list_nth(run->plan->steps, i), MIG_DIR_ROLLBACK);
}
