/*-------------------------------------------------------------------------
 *
 * rehearse.c
 *	  Up, verify and down of a migration, in a transaction that is rolled back.
 *
 *	  begin a subtransaction, become the owner
 *		  each step of up, in a subtransaction of its own that is kept
 *		  verify, in one that is rolled back
 *		  each step of down
 *		  compare the schema with what it was
 *	  roll back
 *
 * Locks stay until all is rolled back, so a clock bounds for how long writers
 * may be locked out (rehearse_watch.c).
 *
 * What cannot be undone by a rollback: what nextval() gave, and what code of
 * the owner does outside of this database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/resowner.h"

#include "catalog.h"
#include "fingerprint.h"
#include "plan.h"
#include "rehearse_int.h"
#include "run_state.h"
#include "session.h"
#include "settings.h"

#define MAX_DIFFERENCES 100		/* that are listed */

/* --- the parts --- */

/* Steps from "first" that share a transaction which was written to end with ROLLBACK. */
typedef struct Aborted
{
	List	   *steps;
	const char *direction;
} Aborted;

static void
run_aborted(MigRehearsing *r, void *arg)
{
	Aborted    *aborted = arg;
	ListCell   *lc;

	foreach(lc, aborted->steps)
		if (r->stopped == NULL)
			mig_rehearse_step(r, lfirst(lc), aborted->direction);
}

static List *
steps_of_tx(List *steps, int tx)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, steps)
		if (((MigStep *) lfirst(lc))->tx == tx)
			result = lappend(result, lfirst(lc));
	return result;
}

static void
rehearse_steps(MigRehearsing *r, List *steps, const char *direction)
{
	int			aborted_tx = 0;
	ListCell   *lc;

	foreach(lc, steps)
	{
		MigStep    *step = lfirst(lc);

		if (step->ends_aborted && step->tx == aborted_tx)
			continue;
		if (r->stopped)
			mig_rehearse_leave_out(mig_rehearse_add_step(r, direction, step), "not reached");
		else if (step->ends_aborted)
		{
			Aborted		aborted = {steps_of_tx(steps, step->tx), direction};
			ErrorData  *error;

			aborted_tx = step->tx;
			error = mig_rehearse_try(r, run_aborted, &aborted, false);
			mig_rehearse_rolled_back(&r->watch);
			if (error)
				mig_rehearse_error(r, llast(r->rows), error);
		}
		else
			mig_rehearse_step(r, step, direction);
	}
}

static void
verify(MigRehearsing *r, void *arg)
{
	MigRun		run = {0};

	run.version = r->migration->version;
	run.migration = unconstify(Migration *, r->migration);
	mig_rehearse_bound_waits();
	mig_run_verify(&run);
}

static void
rehearse_verify(MigRehearsing *r)
{
	MigRehearsal *row;
	ErrorData  *error;

	if (r->migration->verify == NULL)
		return;
	row = mig_rehearse_add_row(r, "verify");
	row->command = r->migration->verify;
	if (r->stopped)
	{
		mig_rehearse_leave_out(row, "not reached");
		return;
	}
	r->watch.own_levels = 0;
	r->watch.depth = 0;
	error = mig_rehearse_try(r, verify, NULL, false);
	if (error)
	{
		mig_rehearse_error(r, row, error);
		if (!mig_rehearse_is_over())
			r->stopped = NULL;	/* the way back can be rehearsed all the same */
	}
}

typedef struct WayBack
{
	MigPlan    *forward;
	MigPlan    *plan;
} WayBack;

/* As a run would choose it: the written down, or the undo of each step. */
static void
plan_back(MigRehearsing *r, void *arg)
{
	WayBack    *back = arg;
	MigPlanContext context = {0};

	context.version = r->migration->version;
	context.direction = MIG_DIR_ROLLBACK;
	context.as_written = mig_settings_as_written(r->migration->options);
	context.complete = true;
	context.what = r->migration->down ? "down" : "up";
	context.migration = r->migration;
	back->plan = r->migration->down ? mig_plan_build(r->migration->down, &context) :
		mig_plan_reverse(back->forward, &context);
}

static void
rehearse_down(MigRehearsing *r, MigPlan *forward)
{
	WayBack		back = {forward, NULL};
	ErrorData  *error;

	if (r->stopped)
	{
		mig_rehearse_leave_out(mig_rehearse_add_row(r, "down"), psprintf("not reached: %s", r->stopped));
		return;
	}
	CommandCounterIncrement();
	error = mig_rehearse_try(r, plan_back, &back, true);
	if (error == NULL)
		rehearse_steps(r, back.plan->steps, "down");
	else
		mig_rehearse_error(r, mig_rehearse_add_row(r, "down"), error);
}

static void
compare(MigRehearsing *r, void *arg)
{
	MigRehearsal *row = mig_rehearse_add_row(r, "schema");
	List	   *touched;
	List	   *differences;
	int			n = 0;
	ListCell   *lc;

	differences = mig_fingerprint_compare(arg, mig_rehearse_touched(&r->watch, &touched) ?
										  mig_fingerprint_again(arg, touched) : mig_fingerprint());
	if (differences == NIL)
	{
		row->message = "down restores the schema exactly";
		return;
	}
	row->outcome = MIG_WENT_WRONG;
	row->message = psprintf("after down the schema differs in %d %s:", list_length(differences),
							list_length(differences) == 1 ? "place" : "places");
	foreach(lc, differences)
		if (n++ < MAX_DIFFERENCES)
			row->message = psprintf("%s\n%s", row->message, (char *) lfirst(lc));
}

static void
rehearse_schema(MigRehearsing *r, MigFingerprint *before)
{
	ErrorData  *error;

	if (r->stopped)
	{
		mig_rehearse_leave_out(mig_rehearse_add_row(r, "schema"), psprintf("not compared: %s", r->stopped));
		return;
	}
	CommandCounterIncrement();
	error = mig_rehearse_try(r, compare, before, false);
	if (error)
		mig_rehearse_error(r, llast(r->rows), error);
}

/* --- all of it --- */

/* The clock ran out between two pieces of work. */
static void
give_up_between(MigRehearsing *r)
{
	MigRehearsal *last = r->rows ? llast(r->rows) : NULL;

	if (last && last->outcome == MIG_NOT_REHEARSED && last->message == NULL)
		mig_rehearse_give_up(r, last);
	else
		mig_rehearse_give_up(r, mig_rehearse_add_row(r, last ? last->direction : "up"));
	mig_rehearse_leave_out(mig_rehearse_add_row(r, "schema"), psprintf("not compared: %s", r->stopped));
}

static MigPlan *
plan_up(const Migration *m)
{
	MigPlanContext context = {0};
	MigIdentity save;
	MigPlan    *plan;

	context.version = m->version;
	context.what = "up";
	context.migration = m;
	context.direction = MIG_DIR_APPLY;
	context.as_written = mig_settings_as_written(m->options);
	context.complete = mig_auto_complete;
	context.rehearsed = true;
	mig_identity_owner(m->owner, m->search_path, &save);
	plan = mig_plan_build(m->up, &context);
	mig_identity_restore(&save);
	return plan;
}

static void
take_fingerprint(MigRehearsing *r, void *arg)
{
	mig_rehearse_bound_waits();
	*(MigFingerprint **) arg = mig_fingerprint();
}

/* What is rolled back as a whole. */
static void
rehearse_all(MigRehearsing *r, MigPlan *plan)
{
	MigFingerprint *before = NULL;
	MigIdentity save;
	ErrorData  *error = mig_rehearse_try(r, take_fingerprint, &before, false);

	if (error && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not read the schema: a relation that a view reads is locked"),
				 errhint("Try again when the transaction that holds the lock has ended.")));
	else if (error)
		ThrowErrorData(error);
	mig_identity_owner(r->migration->owner, r->migration->search_path, &save);
	rehearse_steps(r, plan->steps, "up");
	rehearse_verify(r);
	rehearse_down(r, plan);
	rehearse_schema(r, before);
	mig_identity_restore(&save);
}

static void
check_state(const Migration *m)
{
	if (m->state != MIG_PENDING && !(m->state == MIG_FAILED && m->steps_done == 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" is not pending", m->version),
				 errhint("Only what has not begun can be rehearsed.")));
}

List *
mig_rehearse(const Migration *migration, int max_lock)
{
	MigRehearsing r = {0};
	MigPlan    *plan;
	ResourceOwner owner = CurrentResourceOwner;
	int			level = GetCurrentTransactionNestLevel();
	ErrorData  *volatile error = NULL;

	check_state(migration);
	r.migration = migration;
	r.context = CurrentMemoryContext;
	plan = plan_up(migration);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(r.context);
	mig_rehearse_watch_begin(&r.watch, max_lock);
	PG_TRY();
	{
		rehearse_all(&r, plan);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(r.context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	while (GetCurrentTransactionNestLevel() > level)
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(r.context);
	CurrentResourceOwner = owner;
	if (error && mig_rehearse_is_over())
	{
		give_up_between(&r);
		error = NULL;
	}
	mig_rehearse_watch_end(&r.watch);
	if (error)
		ReThrowError(error);
	return r.rows;
}
