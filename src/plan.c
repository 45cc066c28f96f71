/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  From statements to the ordered steps of a plan.
 *
 * Statements are classified one after the other, over an overlay of what the
 * earlier ones make.  BEGIN, COMMIT and the like become no steps: they say
 * which steps were written as one transaction.  What SET search_path means
 * for later names is found by setting it while planning.
 *
 * Layer 1: no writes; AccessShareLock is taken conditionally and given back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "online.h"
#include "parse.h"
#include "plan_int.h"
#include "refuse.h"
#include "sqlgen.h"

typedef struct Builder
{
	MigPlanner	planner;
	List	   *statements;
	MigBlock   *block;			/* that is open, or NULL */
	int			block_mark;		/* of the overlay, at its BEGIN */
	char	   *path_before;	/* search_path at its BEGIN */
	char	   *path_session;	/* and what SET has made of it, without SET LOCAL */
	List	   *savepoints;		/* of Savepoint, last one first */
	char	   *pending_note;	/* for the next step */
} Builder;

typedef struct Savepoint
{
	const char *name;
	int			mark;
	int			items;			/* planned before it */
} Savepoint;

void
mig_plan_note(MigStep *step, const char *format,...)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (step->note)
		appendStringInfo(&buf, "%s; ", step->note);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&buf, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&buf, needed);
	}
	step->note = buf.data;
}

/* --- search_path --- */

static void
set_path(const char *path)
{
	(void) set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

static char *
get_path(void)
{
	return pstrdup(GetConfigOption("search_path", false, false));
}

/* A path that the server would not take is its to refuse, when the step runs. */
static void
follow_path(Builder *builder, const char *path, bool is_local)
{
	if (path == NULL)
		path = builder->planner.context->version ? builder->path_session : get_path();
	if (set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION,
						  GUC_ACTION_SAVE, true, DEBUG1, false) <= 0)
		return;
	if (!is_local)
		builder->path_session = pstrdup(path);
}

static char *
constant_text(Node *node)
{
	while (IsA(node, TypeCast))
		node = ((TypeCast *) node)->arg;
	if (!IsA(node, A_Const) || ((A_Const *) node)->isnull || !IsA(&((A_Const *) node)->val, String))
		return NULL;
	return strVal(&((A_Const *) node)->val);
}

/* SELECT set_config('search_path', ..., ...), which pg_dump writes. */
static void
follow_set_config(Builder *builder, const MigItem *item, SelectStmt *select)
{
	ListCell   *lc;

	foreach(lc, select->targetList)
	{
		FuncCall   *call = (FuncCall *) lfirst_node(ResTarget, lc)->val;
		char	   *name;

		if (!IsA(call, FuncCall) || list_length(call->args) != 3)
			continue;
		name = constant_text(linitial(call->args));
		if (name && pg_strcasecmp(name, "search_path") == 0 && constant_text(lsecond(call->args)) &&
			!(item->effect->block_only && builder->block == NULL))
			follow_path(builder, constant_text(lsecond(call->args)), item->effect->block_only);
	}
}

static void
follow_setting(Builder *builder, const MigItem *item)
{
	Node	   *node = item->stmt->raw->stmt;

	if (IsA(node, SelectStmt) && item->effect->sets)
		follow_set_config(builder, item, (SelectStmt *) node);
	else if (IsA(node, VariableSetStmt))
	{
		VariableSetStmt *set = (VariableSetStmt *) node;

		if (set->kind == VAR_RESET_ALL)
			follow_path(builder, builder->path_before, false);
		else if (set->name == NULL || pg_strcasecmp(set->name, "search_path") != 0 ||
				 (set->is_local && builder->block == NULL))
			return;
		else if (set->kind == VAR_SET_VALUE)
			follow_path(builder, ExtractSetVariableArgs(set), set->is_local);
		else if (set->kind == VAR_RESET || set->kind == VAR_SET_DEFAULT)
			follow_path(builder, builder->path_before, set->is_local);
	}
}

/* --- blocks --- */

static bool
ends_block(const MigStatement *stmt, bool *aborted)
{
	TransactionStmt *node = (TransactionStmt *) stmt->raw->stmt;

	if (!IsA(node, TransactionStmt) ||
		(node->kind != TRANS_STMT_COMMIT && node->kind != TRANS_STMT_ROLLBACK &&
		 node->kind != TRANS_STMT_PREPARE))
		return false;
	*aborted = node->kind == TRANS_STMT_ROLLBACK;
	return true;
}

/* What only means something in one transaction with its neighbours. */
static bool
keeps_block(const MigStatement *stmt)
{
	switch (nodeTag(stmt->raw->stmt))
	{
		case T_LockStmt:
		case T_ConstraintsSetStmt:
		case T_DeclareCursorStmt:
			return true;
		case T_TransactionStmt:
			return ((TransactionStmt *) stmt->raw->stmt)->kind == TRANS_STMT_SAVEPOINT;
		default:
			return false;
	}
}

/* How a block ends, and whether it can be split, is known before it is planned. */
static void
open_block(Builder *builder, const MigStatement *begin, const char *begin_text)
{
	MigBlock   *block = palloc0(sizeof(MigBlock));
	bool		found = false;

	block->begin = begin;
	block->begin_text = begin_text;
	for (int i = begin->index; i < list_length(builder->statements) && !found; i++)
	{
		const MigStatement *stmt = list_nth(builder->statements, i);

		found = ends_block(stmt, &block->aborted);
		block->whole |= keeps_block(stmt);
	}
	if (!found && builder->planner.context->look == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("transaction block is never committed"),
				 errhint("End it with COMMIT, or leave out BEGIN."),
				 mig_overlay_errposition(builder->planner.overlay, begin->location)));
	builder->block = block;
	builder->block_mark = mig_overlay_mark(builder->planner.overlay);
	builder->savepoints = NIL;
}

static void
undo_nothing(Builder *builder, int from)
{
	for (int i = from; i < list_length(builder->planner.items); i++)
	{
		MigItem    *item = list_nth(builder->planner.items, i);

		if (item->block == builder->block)
		{
			item->step->undo = "";
			item->step->undo_late = false;
		}
	}
}

static void
close_block(Builder *builder, const MigStatement *end)
{
	MigBlock   *block = builder->block;
	TransactionStmt *node = (TransactionStmt *) end->raw->stmt;

	if (block->aborted)
	{
		mig_overlay_revert(builder->planner.overlay, builder->block_mark);
		builder->path_session = builder->path_before;
		undo_nothing(builder, 0);
	}
	set_path(builder->path_session);
	builder->block = NULL;
	if (node->chain)
		open_block(builder, end, block->begin_text);
}

static void
pend_note(Builder *builder, const char *format, int line)
{
	char	   *note = psprintf(format, line);

	builder->pending_note = builder->pending_note ?
		psprintf("%s; %s", builder->pending_note, note) : note;
}

static void
require_block(Builder *builder, const MigStatement *stmt, const char *word)
{
	if (builder->block == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s can only be used in transaction blocks", word),
				 mig_overlay_errposition(builder->planner.overlay, stmt->location)));
}

static void
push_savepoint(Builder *builder, const char *name)
{
	Savepoint  *savepoint = palloc(sizeof(Savepoint));

	savepoint->name = name;
	savepoint->mark = mig_overlay_mark(builder->planner.overlay);
	savepoint->items = list_length(builder->planner.items);
	builder->savepoints = lcons(savepoint, builder->savepoints);
}

static void
rollback_to_savepoint(Builder *builder, const char *name)
{
	ListCell   *lc;

	foreach(lc, builder->savepoints)
	{
		Savepoint  *savepoint = lfirst(lc);

		if (strcmp(savepoint->name, name) != 0)
			continue;
		mig_overlay_revert(builder->planner.overlay, savepoint->mark);
		undo_nothing(builder, savepoint->items);
		return;
	}
}

/* True if the statement only says where a transaction begins or ends. */
static bool
follow_transaction(Builder *builder, const MigStatement *stmt)
{
	TransactionStmt *node = (TransactionStmt *) stmt->raw->stmt;

	if (!IsA(node, TransactionStmt))
		return false;
	switch (node->kind)
	{
		case TRANS_STMT_BEGIN:
		case TRANS_STMT_START:
			if (builder->block)
				pend_note(builder, "line %d: BEGIN inside a transaction block has no effect", stmt->line);
			else
			{
				builder->path_before = get_path();
				open_block(builder, stmt, stmt->text);
			}
			return true;
		case TRANS_STMT_COMMIT:
		case TRANS_STMT_ROLLBACK:
			if (builder->block)
				close_block(builder, stmt);
			else
				pend_note(builder, "line %d: there is no transaction block to end", stmt->line);
			return true;
		case TRANS_STMT_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("PREPARE TRANSACTION cannot be part of a migration"),
					 errhint("End the transaction with COMMIT."),
					 mig_overlay_errposition(builder->planner.overlay, stmt->location)));
			break;
		case TRANS_STMT_SAVEPOINT:
			require_block(builder, stmt, "SAVEPOINT");
			push_savepoint(builder, node->savepoint_name);
			break;
		case TRANS_STMT_RELEASE:
			require_block(builder, stmt, "RELEASE SAVEPOINT");
			break;
		case TRANS_STMT_ROLLBACK_TO:
			require_block(builder, stmt, "ROLLBACK TO SAVEPOINT");
			rollback_to_savepoint(builder, node->savepoint_name);
			break;
		default:
			break;
	}
	return false;
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
make_step(Builder *builder, const MigStatement *stmt, const MigEffect *effect)
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

/* For the overlay: "written public.t" of what may have other rows than before. */
static List *
written_keys(const MigItem *item)
{
	List	   *keys = NIL;
	ListCell   *lc;

	if (item->tightens)
		return NIL;
	foreach(lc, item->effect->locks)
		if (((MigLock *) lfirst(lc))->mode >= RowExclusiveLock)
			keys = lappend(keys, psprintf("written %s", ((MigLock *) lfirst(lc))->relation));
	return keys;
}

/* One item of the plan: a statement as it stands, or a part of its sequence. */
static void
add_item(Builder *builder, const MigStatement *stmt, MigEffect *effect, const MigPart *part)
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
					  list_concat_copy(item->effect->makes, written_keys(item)),
					  item->effect->drops, item->step);
	follow_setting(builder, item);
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

/* A part of a sequence is judged like a statement that stands at its place. */
static void
plan_part(Builder *builder, const MigStatement *stmt, const MigPart *part)
{
	MigStatement *own = linitial(mig_parse(part->command, "a planned step"));
	MigEffect  *effect;

	own->index = stmt->index;
	own->line = stmt->line;
	own->location = stmt->location;
	effect = mig_classify(own, builder->planner.overlay);
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
refuse(Builder *builder, const MigFailure *failure)
{
	ereport(ERROR,
			(errcode(failure->sqlerrcode),
			 errmsg("%s", failure->message),
			 failure->hint ? errhint("%s", failure->hint) : 0,
			 mig_overlay_errposition(builder->planner.overlay, failure->location)));
}

static void
plan_statement(Builder *builder, const MigStatement *stmt)
{
	MigPlanner *planner = &builder->planner;
	MigEffect  *effect;
	List	   *parts = NIL;
	ListCell   *lc;

	if (follow_transaction(builder, stmt))
		return;
	effect = mig_classify(stmt, planner->overlay);
	if (planner->context->look)
	{
		planner->context->look(planner->context->look_arg, stmt, effect, planner->overlay, builder->block,
									builder->statements);
		add_item(builder, stmt, effect, NULL);
		return;
	}
	mig_refuse(stmt, planner->overlay);
	if (effect->failure)
		refuse(builder, effect->failure);
	/* a sequence needs several transactions */
	if (!planner->context->as_written &&
		(builder->block == NULL || !(builder->block->whole || builder->block->aborted)))
		parts = mig_online_expand(stmt, effect, planner->overlay, builder->statements);
	if (parts == NIL)
		add_item(builder, stmt, effect, NULL);
	foreach(lc, parts)
		plan_part(builder, stmt, lfirst(lc));
}

static MigPlan *
finish(Builder *builder)
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
describe(const MigPlanContext *context)
{
	return context->version ?
		psprintf("%s of migration \"%s\"", context->what, context->version) :
		pstrdup(context->what ? context->what : "sql");
}

MigPlan *
mig_plan_statements(const char *sql, const char *what, List *statements, const MigPlanContext *context)
{
	Builder		builder = {0};
	MigPlan    *plan;
	int			level;
	ListCell   *lc;

	builder.planner.context = context;
	builder.planner.sql = sql;
	builder.planner.what = what;
	builder.planner.overlay = context->overlay ? context->overlay : mig_overlay_make();
	builder.statements = statements;
	builder.path_before = builder.path_session = get_path();
	mig_overlay_enter(builder.planner.overlay, context->version, sql, what);

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
	const char *what = describe(context);

	return mig_plan_statements(sql, what, mig_parse(sql, what), context);
}
