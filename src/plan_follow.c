/*-------------------------------------------------------------------------
 *
 * plan_follow.c
 *	  What goes on from statement to statement: transaction, search_path.
 *
 * BEGIN, COMMIT and the like become no steps: they say which steps were
 * written as one transaction.  What SET search_path means for later names is
 * found by setting it while planning.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "plan_int.h"

typedef struct Savepoint
{
	const char *name;
	int			mark;			/* of the overlay */
	int			items;			/* planned before it */
} Savepoint;

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
follow_path(MigBuilder *builder, const char *path, bool is_local)
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
follow_set_config(MigBuilder *builder, const MigItem *item, SelectStmt *select)
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

void
mig_plan_follow_setting(MigBuilder *builder, const MigItem *item)
{
	Node	   *node = item->stmt->raw->stmt;

	if (IsA(node, SelectStmt) && item->effect->sets)
		follow_set_config(builder, item, (SelectStmt *) node);
	else if (IsA(node, DiscardStmt) && ((DiscardStmt *) node)->target == DISCARD_ALL)
		follow_path(builder, builder->path_default, false);
	else if (IsA(node, VariableSetStmt))
	{
		VariableSetStmt *set = (VariableSetStmt *) node;

		if (set->kind == VAR_RESET_ALL)
			follow_path(builder, builder->path_default, false);
		else if (set->name == NULL || pg_strcasecmp(set->name, "search_path") != 0 ||
				 (set->is_local && builder->block == NULL))
			return;
		else if (set->kind == VAR_SET_VALUE)
			follow_path(builder, ExtractSetVariableArgs(set), set->is_local);
		else if (set->kind == VAR_RESET || set->kind == VAR_SET_DEFAULT)
			follow_path(builder, builder->path_default, set->is_local);
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
open_block(MigBuilder *builder, const MigStatement *begin, const char *begin_text)
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
	builder->block = block;
	builder->block_mark = mig_overlay_mark(builder->planner.overlay);
	builder->savepoints = NIL;
}

static void
undo_nothing(MigBuilder *builder, int from)
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
close_block(MigBuilder *builder, const MigStatement *end)
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
push_savepoint(MigBuilder *builder, const char *name)
{
	Savepoint  *savepoint = palloc(sizeof(Savepoint));

	savepoint->name = name;
	savepoint->mark = mig_overlay_mark(builder->planner.overlay);
	savepoint->items = list_length(builder->planner.items);
	builder->savepoints = lcons(savepoint, builder->savepoints);
}

static void
rollback_to_savepoint(MigBuilder *builder, const char *name)
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

bool
mig_plan_follow_transaction(MigBuilder *builder, const MigStatement *stmt)
{
	TransactionStmt *node = (TransactionStmt *) stmt->raw->stmt;

	if (!IsA(node, TransactionStmt))
		return false;
	switch (node->kind)
	{
		case TRANS_STMT_BEGIN:
		case TRANS_STMT_START:
			if (builder->block == NULL)
			{
				builder->path_before = get_path();
				open_block(builder, stmt, stmt->text);
			}
			return true;
		case TRANS_STMT_COMMIT:
		case TRANS_STMT_ROLLBACK:
			if (builder->block)
				close_block(builder, stmt);
			return true;
		case TRANS_STMT_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("PREPARE TRANSACTION cannot be part of a migration"),
					 errhint("End the transaction with COMMIT."),
					 mig_overlay_errposition(builder->planner.overlay, stmt->location)));
			break;
		case TRANS_STMT_SAVEPOINT:
			push_savepoint(builder, node->savepoint_name);
			break;
		case TRANS_STMT_RELEASE:
			break;
		case TRANS_STMT_ROLLBACK_TO:
			rollback_to_savepoint(builder, node->savepoint_name);
			break;
		default:
			break;
	}
	return false;
}
