/*-------------------------------------------------------------------------
 *
 * run_plan.c
 *	  The start of a run: is there anything to do, and by which plan?
 *
 * A run that was begun before follows its stored plan.  A new one is planned
 * as the owner of the migration, in a restricted context, since planning
 * looks at what he wrote.  The way back of a migration that is applied is the
 * written down, if there is one; of one that is unfinished, the undo of each
 * step that is done, since a written down expects to find all of up.
 *
 * A run that is to go forward from the midst of a rollback ends that first.
 *
 * Locks the migration's row while the plan is stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "catalog.h"
#include "catalog_cursor.h"
#include "exec.h"
#include "plan.h"
#include "run.h"
#include "run_state.h"
#include "session.h"
#include "settings.h"
#include "step.h"
#include "words.h"

static bool
is_unfinished(const Migration *m)
{
	return m->state == MIG_FAILED || m->state == MIG_PAUSED ||
		m->state == MIG_RUNNING || m->state == MIG_COMPLETING || m->state == MIG_ROLLING_BACK;
}

static int
count_state(const MigPlan *plan, const char *state)
{
	int			n = 0;
	ListCell   *lc;

	if (plan)
		foreach(lc, plan->steps)
			n += strcmp(((MigStep *) lfirst(lc))->state, state) == 0;
	return n;
}

static bool
was_begun(const MigPlan *plan)
{
	return plan && count_state(plan, "pending") < list_length(plan->steps);
}

static void
refuse_doubtful(const MigRun *run, const MigPlan *plan)
{
	ListCell   *lc;

	if (plan == NULL)
		return;
	foreach(lc, plan->steps)
	{
		MigStep    *step = lfirst(lc);

		if (strcmp(step->state, "doubtful") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("step %d of migration \"%s\" may have run", step->step, run->version),
					 errdetail("It was interrupted, and its effect cannot be told from the catalog."),
					 errhint("Look, then say SELECT migrate.resolve(%s, %d, 'done'), or 'again'.",
							 quote_literal_cstr(run->version), step->step)));
	}
}

static MigPlan *
build(MigRun *run, const char *sql, const char *what, MigDirection direction)
{
	MigPlanContext context = {0};
	MigIdentity save;
	MigPlan    *plan;

	context.version = run->version;
	context.what = what;
	context.migration = run->migration;
	context.direction = direction;
	context.as_written = mig_settings_as_written(run->migration->options);
	context.complete = run->with_contract || direction == MIG_DIR_ROLLBACK;
	context.fills = mig_catalog_is_fill(run->migration);
	context.rates = mig_catalog_rates();
	mig_identity_owner(run->migration->owner, run->migration->search_path, &save);
	plan = mig_plan_build(sql, &context);
	mig_identity_restore(&save);
	return plan;
}

/*
 * An expanded migration has yet to change its relations once more: nothing
 * else may change them before.
 */
static void
refuse_entangled(const MigRun *run)
{
	ListCell   *lc;
	ListCell   *lk;

	foreach(lc, run->plan->steps)
		foreach(lk, ((MigStep *) lfirst(lc))->locks)
		{
			MigLock    *lock = lfirst(lk);
			char	   *other;

			if (lock->mode <= RowExclusiveLock || lock->created)
				continue;
			other = mig_catalog_contract_on(lock->relation, run->version);
			if (other)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("migration \"%s\" cannot run yet: it changes %s, as the contract phase of \"%s\" will",
								run->version, lock->relation, other),
						 errhint("When the old code is gone, CALL migrate.complete(%s); or undo it with CALL migrate.rollback(%s).",
								 quote_literal_cstr(other), quote_literal_cstr(other))));
		}
}

static void
plan_forward(MigRun *run)
{
	MigPlan    *stored = mig_catalog_load_plan(run->version, MIG_DIR_APPLY);
	Migration  *m = run->migration;

	if (is_unfinished(m) && m->direction == MIG_DIR_ROLLBACK)
	{
		MigPlan    *back = mig_catalog_load_plan(run->version, MIG_DIR_ROLLBACK);

		if (was_begun(back) && ((MigStep *) linitial(back->steps))->undoes == 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("migration \"%s\" is half rolled back by its written down", run->version),
					 errhint("Go on with CALL migrate.rollback(%s), then apply again.",
							 quote_literal_cstr(run->version))));
	}
	refuse_doubtful(run, stored);
	if (was_begun(stored) || run->direction == MIG_DIR_COMPLETE)
	{
		run->plan = stored;
		return;
	}
	run->plan = build(run, m->up, "up", MIG_DIR_APPLY);
	refuse_entangled(run);
	mig_catalog_store_plan(run->version, run->plan);
}

static bool
can_reverse(const MigPlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->steps)
	{
		MigStep    *step = lfirst(lc);

		/* a statement in batches that is half done, too */
		if (step->undo == NULL &&
			(strcmp(step->state, "done") == 0 || (step->batches && strcmp(step->state, "started") == 0)))
			return false;
	}
	return true;
}

static void
refuse_no_way_back(const char *version)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("migration \"%s\" has no way back", version),
			 errdetail("It has no down, and was not applied by a plan from which one could be derived.")));
}

void
mig_run_check_back(const Migration *m)
{
	MigPlan    *forward = mig_catalog_load_plan(m->version, MIG_DIR_APPLY);

	if (m->down)
		return;
	if (forward == NULL && m->state == MIG_APPLIED)
		refuse_no_way_back(m->version);
	if (forward && !can_reverse(forward))
	{
		MigPlanContext context = {0};

		context.version = m->version;
		context.what = "up";
		context.direction = MIG_DIR_ROLLBACK;
		(void) mig_plan_reverse(forward, &context);	/* says which step is to blame */
	}
}

static void
plan_back(MigRun *run)
{
	Migration  *m = run->migration;
	MigPlan    *forward = mig_catalog_load_plan(run->version, MIG_DIR_APPLY);
	MigPlan    *stored = mig_catalog_load_plan(run->version, MIG_DIR_ROLLBACK);

	refuse_doubtful(run, forward);
	refuse_doubtful(run, stored);
	if (was_begun(stored) && is_unfinished(m) &&
		(m->direction == MIG_DIR_ROLLBACK || mig_run_half_undone(stored) != NIL))
	{
		run->plan = stored;
		return;
	}
	if (m->state == MIG_APPLIED && m->down)
		run->plan = build(run, m->down, "down", MIG_DIR_ROLLBACK);
	else if (forward == NULL && m->state != MIG_APPLIED)
	{
		run->plan = palloc0(sizeof(MigPlan));	/* nothing was ever done */
		run->plan->direction = MIG_DIR_ROLLBACK;
	}
	else if (forward == NULL)
		refuse_no_way_back(run->version);
	else if (m->down && !can_reverse(forward))
		run->plan = build(run, m->down, "down", MIG_DIR_ROLLBACK);
	else
	{
		MigPlanContext context = {0};
		MigIdentity save;

		context.version = run->version;
		context.what = "up";
		context.direction = MIG_DIR_ROLLBACK;
		context.rates = mig_catalog_rates();
		mig_identity_owner(m->owner, m->search_path, &save);
		run->plan = mig_plan_reverse(forward, &context);
		mig_identity_restore(&save);
	}
	mig_catalog_store_plan(run->version, run->plan);
}

/* Is the migration where this run wants it already?  Settles the direction. */
static bool
is_there(MigRun *run)
{
	Migration  *m = run->migration;

	if (run->direction == MIG_DIR_ROLLBACK)
		return m->state == MIG_PENDING;
	if (m->state == MIG_APPLIED)
		return true;
	if (m->state == MIG_EXPANDED ||
		(is_unfinished(m) && m->direction == MIG_DIR_COMPLETE))
	{
		if (m->state == MIG_EXPANDED && !run->with_contract)
			return true;
		run->direction = MIG_DIR_COMPLETE;
		run->with_contract = true;
	}
	return false;
}

static void
refuse_paused(const MigRun *run)
{
	if (run->migration->state == MIG_PAUSED && run->migration->paused_on_purpose && !run->named)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" is paused on purpose", run->version),
				 errhint("Go on with CALL migrate.apply(%s) or SELECT migrate.resume(%s).",
						 quote_literal_cstr(run->version), quote_literal_cstr(run->version))));
}

/* The settings of the run: those of the one that it goes on with, or the caller's. */
static Jsonb *
settings_of(MigRun *run)
{
	Migration  *m = run->migration;
	Jsonb	   *settings = NULL;

	if (is_unfinished(m) && m->run != 0)
		settings = mig_run_settings(m->run);
	return settings ? settings : run->request->settings;
}

static int
first_to_do(const MigPlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->steps)
		if (strcmp(((MigStep *) lfirst(lc))->state, "done") != 0)
			return ((MigStep *) lfirst(lc))->step;
	return list_length(plan->steps);
}

/* The plan of the other way, if it was left unfinished and is ours to touch. */
static MigPlan *
unfinished_plan(const MigRun *run, MigDirection direction)
{
	Migration  *m;
	MigPlan    *plan = NULL;

	mig_exec_begin();
	m = mig_catalog_get(run->version, false);
	if (m && is_unfinished(m) && get_role_oid(m->owner, true) == GetUserId())
		plan = mig_catalog_load_plan(run->version, direction);
	mig_exec_commit();
	return plan;
}

/* One step that was started. */
static void
settle_step(MigRun *run, const MigPlan *plan, const MigStep *step)
{
	const char *state = "pending";

	switch (mig_step_finish(step))
	{
		case MIG_STEP_IS_DONE:
			state = "done";
			break;
		case MIG_STEP_DOUBTFUL:
			state = "doubtful";
			break;
		case MIG_STEP_AGAIN:
			break;
	}
	mig_exec_begin();
	if (step->batches && mig_cursor_has_moved(run->version, plan->direction, step->step))
		state = "started";		/* half done */
	mig_catalog_step_state(run->version, plan->direction, step->step, state);
	if (strcmp(state, "done") == 0 && mig_run_ends_undo(plan, step))
		mig_catalog_step_state(run->version, MIG_DIR_APPLY, step->undoes, "undone");
	mig_exec_commit();
}

void
mig_run_settle(MigRun *run)
{
	MigDirection other = run->direction == MIG_DIR_ROLLBACK ? MIG_DIR_APPLY : MIG_DIR_ROLLBACK;
	MigPlan    *plan = unfinished_plan(run, other);
	ListCell   *lc;

	if (plan == NULL)
		return;
	foreach(lc, plan->steps)
		if (strcmp(((MigStep *) lfirst(lc))->state, "started") == 0)
			settle_step(run, plan, lfirst(lc));
}

bool
mig_run_is_half_back(MigRun *run)
{
	return mig_run_must_go_back(unfinished_plan(run, MIG_DIR_APPLY), unfinished_plan(run, MIG_DIR_ROLLBACK));
}

void
mig_run_prepare(MigRun *run)
{
	Jsonb	   *settings;
	MigEvent	event = {0};

	run->migration = mig_catalog_get(run->version, true);
	if (run->migration == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("migration \"%s\" is not registered any more", run->version)));
	if (mig_owner_oid(run->migration->owner) != GetUserId())
	{
		run->other_owner = true;
		return;
	}
	if (is_there(run))
	{
		run->nothing_to_do = true;
		return;
	}
	refuse_paused(run);
	settings = settings_of(run);
	mig_settings_apply(settings);
	mig_settings_apply(run->migration->options);	/* the plan depends on them */

	if (run->direction == MIG_DIR_ROLLBACK)
		plan_back(run);
	else
		plan_forward(run);

	run->id = mig_run_begin(run->version, run->direction, run->request->id, settings,
							list_length(run->plan->steps), first_to_do(run->plan),
							count_state(run->plan, "done"));
	run->began = GetCurrentTimestamp();
	event.version = run->version;
	event.run = run->id;
	event.event = "started";
	event.message = mig_direction_word(run->direction);
	event.checksum = run->migration->checksum;
	event.duration_ms = event.lock_wait_ms = event.stalled_ms = -1;
	event.rows = event.wal_bytes = event.bytes = -1;
	mig_event_record(&event);
}

bool
mig_run_split(MigRun *run, MigStep *step, bool alone)
{
	ListCell   *lc;
	int			tx = 0;
	int			last_tx = 0;
	bool		cut = false;	/* before the next step */
	bool		first = true;

	if (step->alone || step->ends_aborted ||
		(step->begin && mig_settings_as_written(run->migration->options)))
		return false;
	foreach(lc, run->plan->steps)
	{
		MigStep    *s = lfirst(lc);

		if (s == step)
			break;
		first = s->tx != step->tx;
	}
	if (!alone && first)
		return false;

	foreach(lc, run->plan->steps)
	{
		MigStep    *s = lfirst(lc);

		if (tx == 0 || s->tx != last_tx || s == step || cut)
			tx++;
		cut = alone && s == step;
		last_tx = s->tx;
		s->tx = tx;
	}
	if (alone)
	{
		step->alone = true;
		step->begin = NULL;
		if (step->kind == MIG_STEP_SQL)
			step->kind = MIG_STEP_OPAQUE;
	}
	mig_exec_begin();
	mig_catalog_store_plan(run->version, run->plan);
	mig_exec_commit();
	return true;
}
