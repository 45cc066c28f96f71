/*-------------------------------------------------------------------------
 *
 * plan_phase.c
 *	  What has to wait until no old client is left.
 *
 * A statement waits if it breaks clients that know the old shape, and so does
 * every later one that may depend on it: that mentions a name which it
 * changes, changes the same relation, or runs code that nobody sees through.  What a later statement of
 * the same migration makes anew under the same name does not wait: both run
 * at once, so that there is no time between.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan_int.h"
#include "sqlgen.h"

/* Names of the columns that a statement drops, if it does nothing else; else NIL. */
static List *
dropped_columns(const MigStatement *stmt)
{
	AlterTableStmt *alter = (AlterTableStmt *) stmt->raw->stmt;
	List	   *columns = NIL;
	ListCell   *lc;

	if (!IsA(alter, AlterTableStmt))
		return NIL;
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype != AT_DropColumn)
			return NIL;
		columns = lappend(columns, cmd->name);
	}
	return columns;
}

static bool
drops_column(const MigStatement *stmt)
{
	AlterTableStmt *alter = (AlterTableStmt *) stmt->raw->stmt;
	ListCell   *lc;

	if (IsA(alter, AlterTableStmt))
		foreach(lc, alter->cmds)
			if (lfirst_node(AlterTableCmd, lc)->subtype == AT_DropColumn)
				return true;
	return false;
}

/* Is all that a statement drops made again, by itself or by a later one? */
static bool
is_replaced(const MigPlanner *planner, int number)
{
	const MigItem *item = list_nth(planner->items, number);
	ListCell   *lc;

	if (item->effect->drops == NIL || drops_column(item->stmt))
		return false;
	foreach(lc, item->effect->drops)
	{
		bool		found = false;

		for (int i = number; i < list_length(planner->items) && !found; i++)
		{
			const MigItem *later = list_nth(planner->items, i);
			ListCell   *made;

			foreach(made, later->effect->makes)
				found |= strcmp(lfirst(made), lfirst(lc)) == 0;
		}
		if (!found)
			return false;
	}
	return true;
}

static bool
depends_on_any(const MigItem *item, const List *words)
{
	const ListCell *lc,
			   *touched;

	foreach(lc, words)
	{
		if (mig_sql_mentions(item->stmt->text, lfirst(lc)))
			return true;
		foreach(touched, item->effect->touches)
			if (strcmp(lfirst(touched), lfirst(lc)) == 0)
				return true;
	}
	return false;
}

static List *
add_words(List *words, const List *more)
{
	const ListCell *lc,
			   *known;

	foreach(lc, more)
	{
		bool		found = false;

		foreach(known, words)
			found |= strcmp(lfirst(known), lfirst(lc)) == 0;
		if (!found)
			words = lappend(words, lfirst(lc));
	}
	return words;
}

/* Of objects as "function public.f". */
static List *
bare_names(const List *objects)
{
	List	   *names = NIL;
	const ListCell *lc;

	foreach(lc, objects)
	{
		const char *name = strpbrk(lfirst(lc), " ") + 1;
		const char *dot = strrchr(name, '.');

		name = dot ? dot + 1 : name;
		names = lappend(names, name[0] == '"' ? pnstrdup(name + 1, strlen(name) - 2) : pstrdup(name));
	}
	return names;
}

/* A block that is kept whole waits as a whole. */
static void
keep_blocks_whole(MigPlanner *planner)
{
	ListCell   *lc,
			   *other;

	foreach(lc, planner->items)
	{
		MigItem    *item = lfirst(lc);

		if (item->block == NULL || item->step->phase != MIG_CONTRACT ||
			!(item->block->whole || planner->context->as_written))
			continue;
		foreach(other, planner->items)
			if (((MigItem *) lfirst(other))->block == item->block)
				((MigItem *) lfirst(other))->step->phase = MIG_CONTRACT;
	}
}

/*
 * A setting that is made after the first statement that waits holds for some
 * of those that wait and not for others: then all are said again among them.
 */
static void
repeat_settings(MigPlanner *planner)
{
	List	   *items = NIL;
	bool		waiting = false;
	bool		needed = false;
	ListCell   *lc;

	foreach(lc, planner->items)
	{
		MigItem    *item = lfirst(lc);

		waiting |= item->step->phase == MIG_CONTRACT;
		needed |= waiting && item->step->kind == MIG_STEP_SETTING;
	}
	if (!needed)
		return;
	foreach(lc, planner->items)
	{
		MigItem    *item = lfirst(lc);
		MigItem    *again;

		items = lappend(items, item);
		if (item->step->kind != MIG_STEP_SETTING || item->step->phase == MIG_CONTRACT)
			continue;
		again = palloc(sizeof(MigItem));
		*again = *item;
		again->step = palloc(sizeof(MigStep));
		*again->step = *item->step;
		again->step->phase = MIG_CONTRACT;
		mig_plan_note(again->step, "said again for the steps that follow");
		items = lappend(items, again);
	}
	planner->items = items;
}

/*
 * A column that goes is in nobody's way who does not name it, if all he does
 * is to alter the table or to index it; SELECT * would name it unseen.
 */
static bool
needs_dropped_column(const MigItem *item, const List *droppers)
{
	bool		unseen = !IsA(item->stmt->raw->stmt, AlterTableStmt) &&
		!IsA(item->stmt->raw->stmt, IndexStmt);
	const ListCell *lc;

	foreach(lc, droppers)
	{
		const MigItem *dropper = lfirst(lc);

		if (depends_on_any(item, dropper->effect->touches) &&
			(unseen || depends_on_any(item, dropped_columns(dropper->stmt))))
			return true;
	}
	return false;
}

void
mig_plan_phases(MigPlanner *planner)
{
	List	   *words = NIL;
	List	   *droppers = NIL; /* of MigItem: that wait, and do nothing but drop columns */
	bool		waiting = false;

	if (planner->context->complete || planner->context->direction == MIG_DIR_ROLLBACK)
		return;
	for (int i = 0; i < list_length(planner->items); i++)
	{
		MigItem    *item = list_nth(planner->items, i);
		MigEffect  *effect = item->effect;
		bool		breaks = effect->contract && !is_replaced(planner, i);

		if (effect->kind == MIG_STEP_SETTING || (item->block && item->block->aborted))
			continue;
		if (!breaks && !(waiting && (effect->opaque || planner->context->as_written ||
									 depends_on_any(item, words) ||
									 needs_dropped_column(item, droppers))))
			continue;
		item->step->phase = MIG_CONTRACT;
		waiting = true;
		if (dropped_columns(item->stmt) != NIL && effect->drops == NIL)
		{
			droppers = lappend(droppers, item);
			continue;
		}
		words = add_words(words, effect->words);
		words = add_words(words, effect->touches);
		words = add_words(words, bare_names(effect->makes));
		if (!breaks)
			mig_plan_note(item->step, "waits with an earlier statement on which it may depend");
	}
	if (waiting)
	{
		keep_blocks_whole(planner);
		repeat_settings(planner);
	}
}
