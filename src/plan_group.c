/*-------------------------------------------------------------------------
 *
 * plan_group.c
 *	  Which steps share a transaction.
 *
 * Neighbours do, unless one of them would make others wait for it:
 *
 *	what the server refuses in a block stands alone;
 *	what takes its time (reads, rewrites or builds on a table that is not
 *	small, REFRESH, CLUSTER, ANALYZE ...) has a transaction of its own;
 *	code that nobody sees through, and writes to a table that is not small,
 *	share none with a strong lock on a table that was there before;
 *	behind ALTER TYPE ... ADD VALUE a new one begins, since the value cannot
 *	be used before;
 *	behind a default of transactions (default_transaction_read_only and the
 *	like) as well, since it acts from the next one on.
 *
 * A block that was written as BEGIN ... COMMIT has no neighbours.  It is split
 * by the same rules, unless it holds something that only makes sense in one
 * transaction; its SET LOCALs are said again in each part.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcop/utility.h"

#include "plan_int.h"
#include "settings.h"
#include "sqlgen.h"

/* Built-in rates, bytes a millisecond: 500, 50 and 30 MB a second */
#define SCAN_RATE		500e3
#define REWRITE_RATE	50e3
#define BUILD_RATE		30e3
#define CATALOG_MS		2

/* The transaction that is being filled. */
typedef struct Tx
{
	int			number;
	MigPhase	phase;
	MigBlock   *block;
	bool		open;			/* more may join it */
	bool		strong;			/* holds a strong lock on a table that was there before */
	bool		slow;			/* runs code, or writes many rows */
	List	   *labels;			/* values that ADD VALUE has added */
} Tx;

/* --- what a statement is like --- */

static bool
is_large(const MigEffect *effect)
{
	return effect->bytes > (int64) mig_small_table * 1024;
}

static bool
is_strong(const MigEffect *effect)
{
	ListCell   *lc;

	foreach(lc, effect->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (lock->mode > ShareUpdateExclusiveLock && !lock->created)
			return true;
	}
	return false;
}

static bool
is_slow(const MigEffect *effect)
{
	/* INSERT ... VALUES does not read */
	return effect->opaque ||
		(effect->writes_rows && is_large(effect) && (effect->scans || list_length(effect->locks) > 1));
}

static bool
wants_own(const MigEffect *effect)
{
	return effect->place == MIG_OWN_TRANSACTION ||
		((effect->scans || effect->rewrites) && !effect->writes_rows && is_large(effect));
}

static bool
uses_label(const Tx *tx, const MigItem *item)
{
	ListCell   *lc;

	if (item->effect->opaque)
		return true;
	foreach(lc, tx->labels)
		if (mig_sql_mentions(item->stmt->text, lfirst(lc)))
			return true;
	return false;
}

/* Why may this step not join the transaction?  NULL: it may. */
static const char *
reason_to_part(const Tx *tx, const MigItem *item)
{
	const MigEffect *effect = item->effect;

	if (wants_own(effect))
		return "this step takes its time";
	if ((tx->strong && is_slow(effect)) || (tx->slow && is_strong(effect)))
		return "a strong lock is not held while rows are written or code is run";
	if (tx->labels != NIL && effect->enum_label == NULL &&
		(item->block == NULL || uses_label(tx, item)))
		return "an enum's new value can only be used after COMMIT";
	return NULL;
}

/* --- transactions --- */

static void
start_tx(Tx *tx, const MigItem *item)
{
	tx->number++;
	tx->phase = item->step->phase;
	tx->block = item->block;
	tx->open = true;
	tx->strong = false;
	tx->slow = false;
	tx->labels = NIL;
}

static List *
add_step(List *steps, const Tx *tx, const MigItem *item)
{
	MigStep    *step = item->step;

	step->tx = tx->number;
	step->begin = item->block && !step->alone ? item->block->begin_text : NULL;
	step->ends_aborted = item->block && item->block->aborted;
	step->step = list_length(steps) + 1;
	return lappend(steps, step);
}

static bool
is_set_local(const MigItem *item)
{
	return item->effect->sets && item->effect->block_only;
}

/*
 * A transaction for what follows in a block.  If it is not the block's first,
 * say where it was split, and its SET LOCALs again.
 */
static List *
start_block_tx(const MigPlanner *planner, List *steps, Tx *tx, MigItem *item, const char *reason)
{
	bool		first = true;
	ListCell   *lc;

	start_tx(tx, item);
	foreach(lc, planner->items)
	{
		const MigItem *before = lfirst(lc);
		MigItem		again;

		if (before->stmt == item->stmt)
			break;
		if (before->block != item->block)
			continue;
		first = false;
		if (!is_set_local(before))
			continue;
		again = *before;
		again.step = palloc(sizeof(MigStep));
		*again.step = *before->step;
		again.step->phase = item->step->phase;
		again.step->note = NULL;
		mig_plan_note(again.step, "said again");
		steps = add_step(steps, tx, &again);
	}
	if (!first)
		mig_plan_note(item->step, "the transaction block of line %d is split here: %s",
					  item->block->begin->line, reason);
	return steps;
}

static bool
is_whole(const MigPlanner *planner, const MigBlock *block)
{
	return planner->context->as_written || block->whole || block->aborted;
}

static List *
add_alone(const MigPlanner *planner, List *steps, Tx *tx, MigItem *item)
{
	if (item->block && is_whole(planner, item->block))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block",
						CreateCommandName(item->stmt->raw->stmt)),
				 errdetail("The block begins in line %d.", item->block->begin->line),
				 errhint("Move it behind the COMMIT."),
				 mig_overlay_errposition(planner->overlay, item->stmt->location)));
	if (item->block)
		mig_plan_note(item->step, "taken out of the transaction block of line %d",
					  item->block->begin->line);
	start_tx(tx, item);
	item->step->alone = true;
	tx->open = false;
	return add_step(steps, tx, item);
}

static List *
add_item(const MigPlanner *planner, List *steps, Tx *tx, MigItem *item)
{
	const char *reason = NULL;

	if (item->effect->place == MIG_TOP_LEVEL)
		return add_alone(planner, steps, tx, item);
	if (item->block == NULL)
	{
		if (!tx->open || tx->block != NULL || tx->phase != item->step->phase ||
			planner->context->as_written || item->effect->block_only ||
			reason_to_part(tx, item) != NULL)
			start_tx(tx, item);
	}
	else if (tx->phase != item->step->phase)
		steps = start_block_tx(planner, steps, tx, item,
							   item->step->phase == MIG_CONTRACT ? "what breaks old clients waits" :
							   "rows are not gone through while strong locks are held");
	else if (!tx->open || tx->block != item->block)
		steps = start_block_tx(planner, steps, tx, item, "the step before cannot be part of it");
	else if (!is_whole(planner, item->block) && (reason = reason_to_part(tx, item)) != NULL)
		steps = start_block_tx(planner, steps, tx, item, reason);

	steps = add_step(steps, tx, item);
	tx->strong |= is_strong(item->effect);
	tx->slow |= is_slow(item->effect);
	if (item->effect->enum_label)
		tx->labels = lappend(tx->labels, item->effect->enum_label);
	/* what takes its time is left alone behind as well, and what only means something in a block */
	if (item->block ? !is_whole(planner, item->block) && wants_own(item->effect) :
		wants_own(item->effect) || item->effect->block_only || item->effect->next_only)
		tx->open = false;
	return steps;
}

List *
mig_plan_group(MigPlanner *planner)
{
	List	   *steps = NIL;
	Tx			tx = {0};

	/* what fills and checks data keeps its place among what expands */
	for (int contract = 0; contract <= 1; contract++)
	{
		ListCell   *lc;

		tx.open = false;
		foreach(lc, planner->items)
			if ((((MigItem *) lfirst(lc))->step->phase == MIG_CONTRACT) == contract)
				steps = add_item(planner, steps, &tx, lfirst(lc));
	}
	return steps;
}

/* --- estimates --- */

static double
measured_rate(const List *rates, MigStepKind kind)
{
	const ListCell *lc;

	foreach(lc, rates)
	{
		const MigRate *rate = lfirst(lc);

		if (rate->kind == kind && rate->ms > 0 && rate->bytes > 0)
			return rate->bytes / rate->ms;
	}
	return 0;
}

/*
 * Milliseconds = bytes of the relation / rate, and CATALOG_MS for the rest.
 * The rate is the measured one (sum of bytes / sum of milliseconds of earlier
 * steps of that kind) for builds and the like; steps of kind "sql" have too
 * little in common for that and go by the built-in rates.
 */
int64
mig_plan_estimate(const MigEffect *effect, const List *rates)
{
	double		rate = 0;

	if (effect->opaque)
		return -1;
	if (!effect->scans && !effect->rewrites)
		return CATALOG_MS;
	if (effect->bytes < 0)
		return effect->locks == NIL && effect->place == MIG_TOP_LEVEL ? -1 : CATALOG_MS;
	if (effect->kind != MIG_STEP_SQL)
		rate = measured_rate(rates, effect->kind);
	if (rate <= 0)
		rate = effect->rewrites || (effect->writes_rows && effect->scans) ? REWRITE_RATE :
			effect->builds ? BUILD_RATE : SCAN_RATE;
	return CATALOG_MS + (int64) (effect->bytes / rate);
}
