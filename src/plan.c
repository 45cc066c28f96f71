/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  From statements to the ordered steps of a plan.
 *
 * Statements are classified one after the other, over an overlay of what the
 * earlier ones make; what else goes on from one to the next is followed by
 * plan_follow.c.
 *
 * Layer 1: no writes; AccessShareLock is taken conditionally and given back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/guc.h"

#include "block.h"
#include "online.h"
#include "parse.h"
#include "plan_int.h"
#include "refuse.h"
#include "sqlgen.h"

void
mig_plan_note(MigStep *step, const char *format,...)
{
	va_list		args;
	char	   *text;

	va_start(args, format);
	text = mig_sql_vformat(format, args);
	va_end(args);
	step->note = step->note ? psprintf("%s; %s", step->note, text) : text;
}

/* --- steps --- */

/* What is only read or rewritten along with another has none. */
static List *
real_locks(List *locks)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, locks)
		if (((MigLock *) lfirst(lc))->mode != NoLock)
			result = lappend(result, lfirst(lc));
	return result;
}

static MigStep *
make_step(MigBuilder *builder, const MigStatement *stmt, const MigEffect *effect)
{
	MigStep    *step = palloc0(sizeof(MigStep));

	step->kind = effect->kind;
	step->statement = stmt->index;
	step->line = stmt->line;
	step->command = effect->command ? effect->command : pstrdup(stmt->text);
	step->undo = effect->undo;
	step->undo_late = effect->undo_late;
	step->relation = effect->relation;
	step->object = effect->object;
	step->lock = effect->lock;
	step->locks = real_locks(effect->locks);
	step->scans = effect->scans;
	step->rewrites = effect->rewrites;
	step->rows = effect->rows;
	step->bytes = effect->bytes;
	step->estimate_ms = mig_plan_estimate(effect, builder->planner.context->rates);
	step->note = effect->note;
	step->state = "pending";
	if (effect->rests)
		mig_plan_note(step, "rests on %s", effect->rests);
	if (builder->pending_note)
		mig_plan_note(step, "%s", builder->pending_note);
	builder->pending_note = NULL;
	return step;
}

/* What its family knows better than the classifier. */
static void
apply_part(MigStep *step, const MigPart *part)
{
	step->phase = part->phase;
	step->violates = part->violates;
	step->batches = part->batches;
	if (part->object)
		step->object = pstrdup(part->object);
	if (part->undo_given)
	{
		step->undo = part->undo;
		step->undo_late = false;
	}
	if (part->relation)
		step->relation = part->relation;
	if (part->note)
		mig_plan_note(step, "%s", part->note);
}

static bool
has_lock(const MigEffect *effect, const char *relation)
{
	ListCell   *lc;

	foreach(lc, effect->locks)
		if (strcmp(((MigLock *) lfirst(lc))->relation, relation) == 0)
			return true;
	return false;
}

/* May a statement change what a look sees: rows or columns of what it reads, functions that it calls? */
static bool
may_concern(const MigItem *before, const MigItem *look)
{
	ListCell   *lc;

	if (before->effect->opaque)
		return true;
	if (!before->tightens)
		foreach(lc, before->effect->locks)
			if (((MigLock *) lfirst(lc))->mode >= RowExclusiveLock &&
				has_lock(look->effect, ((MigLock *) lfirst(lc))->relation))
				return true;
	foreach(lc, before->effect->makes)
	{
		const char *dot = strrchr(lfirst(lc), '.');

		if (dot && mig_sql_mentions(look->step->command, dot + 1))
			return true;
	}
	return false;
}

/*
 * Where an item goes: at the end; but a look at rows goes before all that
 * changes anything, unless what it looks at is changed by an earlier
 * statement, so that a migration which must fail has changed nothing.
 */
static int
place_of(const MigPlanner *planner, const MigItem *item)
{
	int			place = list_length(planner->items);
	int			n = 0;
	ListCell   *lc;

	if (item->step->kind != MIG_STEP_LOOK || item->block)
		return place;
	foreach(lc, planner->items)
	{
		const MigItem *before = lfirst(lc);

		if (before->block || may_concern(before, item))
			return place;
		if (before->step->kind == MIG_STEP_LOOK || before->step->kind == MIG_STEP_SETTING)
			n = foreach_current_index(lc) + 1;
	}
	return n;
}

/* One item of the plan: a statement as it stands, or a part of its sequence. */
static void
add_item(MigBuilder *builder, const MigStatement *stmt, MigEffect *effect, const MigPart *part)
{
	MigPlanner *planner = &builder->planner;
	MigItem    *item = palloc0(sizeof(MigItem));

	item->stmt = stmt;
	item->effect = effect;
	item->step = make_step(builder, stmt, effect);
	if (part)
		apply_part(item->step, part);
	item->tightens = part ? part->tightens : mig_online_keeps_rows(stmt->raw->stmt);
	if (item->step->undo == NULL && effect->irreversible &&
		planner->context->direction != MIG_DIR_ROLLBACK)
		mig_plan_note(item->step, "irreversible: %s", effect->irreversible);
	item->block = builder->block;
	if (item->block)
		item->block->whole |= item->effect->keeps_block;
	else if (item->effect->block_only)
		mig_plan_note(item->step, "has no effect outside of a transaction block");
	planner->items = list_insert_nth(planner->items, place_of(planner, item), item);
	mig_overlay_apply(planner->overlay, item->effect->changes,
					  list_concat_copy(item->effect->makes, mig_plan_keys(item)),
					  item->effect->drops, item->step);
	mig_plan_follow_setting(builder, item);
}

static List *
without_lock(List *locks, const char *relation)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, locks)
		if (strcmp(((MigLock *) lfirst(lc))->relation, relation) != 0)
			result = lappend(result, lfirst(lc));
	return result;
}

static void
lock_out(MigEffect *effect, const char *relation)
{
	MigLock    *lock;
	ListCell   *lc;

	foreach(lc, effect->locks)
	{
		lock = lfirst(lc);
		if (strcmp(lock->relation, relation) == 0)
		{
			lock->mode = AccessExclusiveLock;
			return;
		}
	}
	lock = palloc0(sizeof(MigLock));
	lock->relation = pstrdup(relation);
	lock->mode = AccessExclusiveLock;
	effect->locks = lappend(effect->locks, lock);
}

/* A function of ours would pass for code that nobody sees through. */
static MigEffect *
effect_of_call(const MigPart *part)
{
	MigEffect  *effect = palloc0(sizeof(MigEffect));
	MigChange  *change = palloc0(sizeof(MigChange));

	effect->kind = MIG_STEP_SQL;
	effect->relation = part->ours->text;
	effect->lock = part->locks_out ? AccessExclusiveLock : AccessShareLock;
	effect->touches = list_make1(part->ours->relname);
	effect->rows = effect->bytes = -1;
	change->kind = MIG_ALTERS;
	change->nspname = part->ours->nspname;
	change->relname = part->ours->relname;
	effect->changes = list_make1(change);
	if (part->makes)
		effect->makes = list_make1(pstrdup(part->makes));
	if (part->drops)
		effect->drops = list_make1(pstrdup(part->drops));
	return effect;
}

/* A part of a sequence is judged like a statement that stands at its place. */
static void
plan_part(MigBuilder *builder, const MigStatement *stmt, const MigPart *part)
{
	MigStatement *own = linitial(mig_parse(part->command, "a planned step"));
	MigEffect  *effect;

	own->index = stmt->index;
	own->line = stmt->line;
	own->location = stmt->location;
	effect = part->ours ? effect_of_call(part) : mig_classify(own, builder->planner.overlay);
	if (part->own_transaction && effect->place == MIG_ANYWHERE)
		effect->place = MIG_OWN_TRANSACTION;
	if (part->kind != MIG_STEP_SQL)
		effect->kind = part->kind;
	if (part->kind == MIG_STEP_LOOK || part->kind == MIG_STEP_FILL)
		effect->scans = true;
	if (part->spares_scan)
	{
		effect->scans = effect->builds = false;
		effect->note = NULL;	/* says the contrary */
	}
	mig_online_flag(effect);
	if (part->batches)
		effect->place = MIG_TOP_LEVEL;	/* commits as it goes */
	if (part->locks_out)
		lock_out(effect, part->locks_out);
	if (part->spares_lock)
		effect->locks = without_lock(effect->locks, part->spares_lock);
	effect->contract |= part->breaks;
	add_item(builder, own, effect, part);
}

/* What the server would refuse is refused before anything has been changed. */
static void
refuse(MigBuilder *builder, const MigFailure *failure)
{
	ereport(ERROR,
			(errcode(failure->sqlerrcode),
			 errmsg("%s", failure->message),
			 failure->hint ? errhint("%s", failure->hint) : 0,
			 mig_overlay_errposition(builder->planner.overlay, failure->location)));
}

/* --- what does not fit inside or outside of a block --- */

static MigFailure *
failure_of(const MigBlockFault *fault)
{
	MigFailure *failure = palloc0(sizeof(MigFailure));

	failure->sqlerrcode = fault->sqlerrcode;
	failure->location = fault->stmt->location;
	failure->message = pstrdup(fault->message);
	failure->hint = fault->hint ? pstrdup(fault->hint) : NULL;
	return failure;
}

static MigHazard *
no_effect(const char *why)
{
	MigHazard  *hazard = palloc0(sizeof(MigHazard));

	hazard->kind = MIG_HZ_NO_EFFECT;
	hazard->detail = pstrdup(why);
	return hazard;
}

/* An error, or a note for the next step. */
static void
judge_fault(MigBuilder *builder, const MigBlockFault *fault)
{
	char	   *note;

	if (fault->refused)
		refuse(builder, failure_of(fault));
	note = psprintf("line %d: %s", fault->stmt->line, fault->message);
	builder->pending_note = builder->pending_note ?
		psprintf("%s; %s", builder->pending_note, note) : note;
}

/* For check(), of a statement that becomes no step. */
static void
look_at_fault(MigBuilder *builder, const MigStatement *stmt, const MigBlockFault *fault)
{
	const MigPlanContext *context = builder->planner.context;
	MigEffect  *effect = palloc0(sizeof(MigEffect));

	effect->rows = effect->bytes = -1;
	/* to the server, a block without an end is no error: it takes it back with the session */
	if (fault->refused && fault->sqlerrcode == ERRCODE_SYNTAX_ERROR)
		effect->hazards = list_make1(no_effect("the transaction block is never committed: nothing of it stays"));
	else if (fault->refused)
		effect->failure = failure_of(fault);
	else
		effect->hazards = list_make1(no_effect(fault->message));
	context->look(context->look_arg, stmt, effect, builder->planner.overlay, builder->block,
				  builder->statements);
}

static void
plan_statement(MigBuilder *builder, const MigStatement *stmt)
{
	MigPlanner *planner = &builder->planner;
	const MigBlockFault *fault = mig_block_fault_of(builder->faults, stmt);
	MigEffect  *effect;
	List	   *parts = NIL;
	ListCell   *lc;

	if (fault && planner->context->look == NULL)
		judge_fault(builder, fault);
	if (mig_plan_follow_transaction(builder, stmt))
	{
		if (fault && planner->context->look)
			look_at_fault(builder, stmt, fault);
		return;
	}
	effect = mig_classify(stmt, planner->overlay);
	if (planner->context->look)
	{
		if (fault && effect->failure == NULL)
			effect->failure = failure_of(fault);
		if (effect->block_only && builder->block == NULL && !fault)
			effect->hazards = lappend(effect->hazards, no_effect("it has no effect outside of a transaction block"));
		planner->context->look(planner->context->look_arg, stmt, effect, planner->overlay, builder->block,
									builder->statements);
		add_item(builder, stmt, effect, NULL);
		return;
	}
	mig_refuse(stmt, effect, planner->overlay);
	if (effect->failure)
		refuse(builder, effect->failure);
	/* a sequence needs several transactions */
	if (!planner->context->as_written &&
		(builder->block == NULL || !(builder->block->whole || builder->block->aborted)))
	{
		if (planner->context->fills)
			parts = mig_online_fill(stmt, effect, planner->overlay);
		else if (builder->block == NULL && planner->context->direction == MIG_DIR_APPLY &&
				 !planner->context->complete && !planner->context->rehearsed)
			parts = mig_online_rename(stmt, effect, planner->overlay);
		if (parts == NIL)
			parts = mig_online_expand(stmt, effect, planner->overlay, builder->statements);
	}
	if (parts == NIL)
		add_item(builder, stmt, effect, NULL);
	foreach(lc, parts)
		plan_part(builder, stmt, lfirst(lc));
}

static MigPlan *
finish(MigBuilder *builder)
{
	MigPlanner *planner = &builder->planner;
	MigPlan    *plan = palloc0(sizeof(MigPlan));
	ListCell   *lc;

	if (builder->pending_note && planner->items != NIL)
		mig_plan_note(((MigItem *) llast(planner->items))->step, "%s", builder->pending_note);
	mig_plan_phases(planner);
	plan->version = planner->context->version ? pstrdup(planner->context->version) : NULL;
	plan->direction = planner->context->direction;
	plan->steps = mig_plan_group(planner);
	foreach(lc, plan->steps)
		plan->has_contract |= ((MigStep *) lfirst(lc))->phase == MIG_CONTRACT;
	return plan;
}

static const char *
describe(const MigPlanContext *context, int *first_line)
{
	if (context->migration)
		return mig_part_name(context->migration, context->what, first_line);
	*first_line = 1;
	return context->version ?
		psprintf("%s of migration \"%s\"", context->what, context->version) :
		pstrdup(context->what ? context->what : "sql");
}

MigPlan *
mig_plan_statements(const char *sql, const char *what, int first_line, List *statements,
					const MigPlanContext *context)
{
	MigBuilder	builder = {0};
	MigPlan    *plan;
	int			level;
	ListCell   *lc;

	builder.planner.context = context;
	builder.planner.sql = sql;
	builder.planner.what = what;
	builder.planner.overlay = context->overlay ? context->overlay : mig_overlay_make();
	builder.statements = statements;
	builder.faults = mig_block_faults(statements);
	builder.path_default = builder.path_before = builder.path_session = pstrdup(GetConfigOption("search_path", false, false));
	mig_overlay_enter(builder.planner.overlay, context->version, sql, what, first_line);

	level = NewGUCNestLevel();
	foreach(lc, statements)
		plan_statement(&builder, lfirst(lc));
	plan = context->look ? NULL : finish(&builder);
	AtEOXact_GUC(false, level);
	return plan;
}

MigPlan *
mig_plan_build(const char *sql, const MigPlanContext *context)
{
	int			first_line;
	const char *what = describe(context, &first_line);

	return mig_plan_statements(sql, what, first_line, mig_parse_at(sql, what, first_line), context);
}
