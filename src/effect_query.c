/*-------------------------------------------------------------------------
 *
 * effect_query.c
 *	  Queries and statements that read or write rows.
 *
 * Relations are collected from the raw parse tree, since what a query names
 * may not exist yet.  A name that stands for a common table expression where
 * it is used is no relation.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"

#include "effect_int.h"
#include "relation.h"

typedef struct Walk
{
	MigWork    *work;
	List	   *ctes;			/* of char *: names in sight */
	LOCKMODE	mode;			/* of the relations that are read */
} Walk;

static bool walk(Node *node, Walk *context);

static bool
is_cte(const Walk *context, const RangeVar *rv)
{
	ListCell   *lc;

	if (rv->schemaname)
		return false;
	foreach(lc, context->ctes)
		if (strcmp(lfirst(lc), rv->relname) == 0)
			return true;
	return false;
}

static void
read_relation(Walk *context, const RangeVar *rv)
{
	if (!is_cte(context, rv))
		mig_effect_lock(context->work, mig_effect_name(context->work, rv, false), context->mode);
}

/*
 * A trigger can do what it likes, and a view's rule as well: what exists
 * afterwards is not known.
 */
static void
write_relation(Walk *context, const RangeVar *rv)
{
	MigWork    *work = context->work;
	MigName    *name = mig_effect_name(work, rv, false);

	work->effect->writes_rows = true;
	mig_effect_about(work, name, RowExclusiveLock);
	if (name->triggers || (OidIsValid(name->relid) && mig_relation_has_triggers(name->relid)))
		mig_effect_add_change(work, MIG_OPAQUE);
}

/*
 * WITH: each query sees the names before it, and with RECURSIVE all of them.
 * The names stay in sight; the caller takes them away.
 */
static void
walk_with(WithClause *with, Walk *context)
{
	ListCell   *lc;

	if (with == NULL)
		return;
	if (with->recursive)
		foreach(lc, with->ctes)
			context->ctes = lappend(context->ctes, lfirst_node(CommonTableExpr, lc)->ctename);
	foreach(lc, with->ctes)
	{
		CommonTableExpr *cte = lfirst_node(CommonTableExpr, lc);

		walk(cte->ctequery, context);
		if (!with->recursive)
			context->ctes = lappend(context->ctes, cte->ctename);
	}
}

static void
walk_select(SelectStmt *select, Walk *context)
{
	LOCKMODE	mode = context->mode;
	WithClause *with = select->withClause;
	List	   *locking = select->lockingClause;
	IntoClause *into = select->intoClause;

	walk_with(with, context);
	if (locking != NIL)
		context->mode = RowShareLock;
	/* what has been dealt with must not be met again below */
	select->withClause = NULL;
	select->lockingClause = NIL;
	select->intoClause = NULL;
	raw_expression_tree_walker((Node *) select, walk, context);
	select->withClause = with;
	select->lockingClause = locking;
	select->intoClause = into;
	context->mode = mode;
}

/* INSERT, UPDATE, DELETE, MERGE: the target is written, all the rest read. */
static void
walk_write(Node *node, RangeVar **target, WithClause **with_clause, Walk *context)
{
	RangeVar   *rv = *target;
	WithClause *with = *with_clause;

	walk_with(with, context);
	write_relation(context, rv);
	/* what has been dealt with must not be met again below */
	*target = NULL;
	*with_clause = NULL;
	raw_expression_tree_walker(node, walk, context);
	*target = rv;
	*with_clause = with;
}

static bool
walk(Node *node, Walk *context)
{
	List	   *ctes;

	if (node == NULL)
		return false;
	check_stack_depth();
	ctes = list_copy(context->ctes);
	switch (nodeTag(node))
	{
		case T_RangeVar:
			read_relation(context, (RangeVar *) node);
			return false;
		case T_SelectStmt:
			walk_select((SelectStmt *) node, context);
			break;
		case T_InsertStmt:
			walk_write(node, &((InsertStmt *) node)->relation,
					   &((InsertStmt *) node)->withClause, context);
			break;
		case T_UpdateStmt:
			walk_write(node, &((UpdateStmt *) node)->relation,
					   &((UpdateStmt *) node)->withClause, context);
			break;
		case T_DeleteStmt:
			walk_write(node, &((DeleteStmt *) node)->relation,
					   &((DeleteStmt *) node)->withClause, context);
			break;
		case T_MergeStmt:
			walk_write(node, &((MergeStmt *) node)->relation,
					   &((MergeStmt *) node)->withClause, context);
			break;
		case T_FuncCall:
			if (!context->work->inert && !context->work->effect->opaque &&
				!mig_effect_harmless(((FuncCall *) node)->funcname))
				mig_effect_opaque(context->work);
			return raw_expression_tree_walker(node, walk, context);
		default:
			return raw_expression_tree_walker(node, walk, context);
	}
	context->ctes = ctes;
	return false;
}

void
mig_effect_walk(MigWork *work, Node *node)
{
	Walk		context = {work, NIL, AccessShareLock};

	walk(node, &context);
}

/* UPDATE and DELETE without WHERE read all rows, and so may those with one. */
static void
judge_rows(MigWork *work, Node *node)
{
	RangeVar   *target = NULL;

	if (IsA(node, UpdateStmt))
		target = ((UpdateStmt *) node)->relation;
	else if (IsA(node, DeleteStmt))
		target = ((DeleteStmt *) node)->relation;
	else if (IsA(node, MergeStmt))
		target = ((MergeStmt *) node)->relation;
	if (!mig_effect_read(work, node) && target)
		mig_effect_scans_tree(work, mig_effect_name(work, target, false), target->inh);
}

static void
effect_copy(MigWork *work, CopyStmt *copy)
{
	if (copy->query)
	{
		mig_effect_walk(work, copy->query);
		(void) mig_effect_read(work, copy->query);
	}
	else if (copy->relation)
	{
		MigName    *name = mig_effect_name(work, copy->relation, false);

		mig_effect_about(work, name, copy->is_from ? RowExclusiveLock : AccessShareLock);
		work->effect->writes_rows = copy->is_from;
		if (!copy->is_from)
			mig_effect_scans_tree(work, name, false);
	}
}

/* CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW. */
static void
effect_create_as(MigWork *work, IntoClause *into, Node *query, ObjectType type, bool if_not_exists)
{
	MigName    *name = mig_effect_target(work, into->rel);

	if (IsA(query, ExecuteStmt))
		mig_effect_opaque(work);
	else if (!into->skipData)
	{
		mig_effect_walk(work, query);
		(void) mig_effect_read(work, query);
	}
	work->effect->relation = name->text;
	if (name->known && if_not_exists)
		work->effect->undo = "";
	else
		work->effect->undo = psprintf("DROP %s %s",
									  type == OBJECT_MATVIEW ? "MATERIALIZED VIEW" : "TABLE",
									  name->text);
	mig_effect_makes(work, name,
					 type == OBJECT_MATVIEW ? RELKIND_MATVIEW : RELKIND_RELATION,
					 if_not_exists);
	if (into->rel->relpersistence == RELPERSISTENCE_TEMP && into->onCommit != ONCOMMIT_NOOP &&
		into->onCommit != ONCOMMIT_PRESERVE_ROWS)
		work->effect->keeps_block = true;
}

/* A constant under casts, or NULL. */
static A_Const *
constant(Node *node)
{
	while (node && IsA(node, TypeCast))
		node = ((TypeCast *) node)->arg;
	return node && IsA(node, A_Const) ? (A_Const *) node : NULL;
}

/*
 * SELECT set_config('name', 'value', is_local) of constants alone is a SET.
 * *is_local, *is_default: one of them is, or sets a default of transactions.
 */
static bool
is_set_config(SelectStmt *select, bool *is_local, bool *is_default)
{
	ListCell   *lc;

	*is_local = *is_default = false;
	if (select->fromClause || select->whereClause || select->withClause ||
		select->valuesLists || select->op != SETOP_NONE || select->targetList == NIL)
		return false;
	foreach(lc, select->targetList)
	{
		FuncCall   *call = (FuncCall *) lfirst_node(ResTarget, lc)->val;
		A_Const    *first;
		A_Const    *last;
		ListCell   *arg;

		if (!IsA(call, FuncCall) || list_length(call->args) != 3 ||
			strcmp(mig_effect_last_name(call->funcname), "set_config") != 0)
			return false;
		foreach(arg, call->args)
			if (constant(lfirst(arg)) == NULL)
				return false;
		first = constant(linitial(call->args));
		*is_default |= IsA(&first->val, String) && mig_effect_is_transaction_default(strVal(&first->val));
		last = constant(llast(call->args));
		if (IsA(&last->val, Boolean) ? boolVal(&last->val) :
			IsA(&last->val, String) && strVal(&last->val)[0] == 't')
			*is_local = true;
	}
	return true;
}

static void
effect_select(MigWork *work, SelectStmt *select)
{
	MigEffect  *effect = work->effect;

	SelectStmt *leftmost = select;
	bool		is_local;
	bool		is_default;

	while (leftmost->op != SETOP_NONE)
		leftmost = leftmost->larg;
	if (leftmost->intoClause)
	{
		effect_create_as(work, leftmost->intoClause, (Node *) select, OBJECT_TABLE, false);
		return;
	}
	if (is_set_config(select, &is_local, &is_default))
	{
		effect->sets = true;
		effect->next_only = is_default && !is_local;
		effect->block_only = is_local;
		if (!is_local)
			effect->kind = MIG_STEP_SETTING;
		effect->undo = "";
		return;
	}
	mig_effect_walk(work, (Node *) select);
	(void) mig_effect_read(work, (Node *) select);
	if (!effect->opaque && !effect->writes_rows)
		effect->undo = "";
	if (effect->relation == NULL && list_length(effect->locks) > 0)
	{
		MigLock    *first = linitial(effect->locks);

		effect->relation = first->relation;
		effect->lock = first->mode;
	}
}

static void
effect_explain(MigWork *work, ExplainStmt *explain)
{
	ListCell   *lc;
	bool		analyze = false;

	foreach(lc, explain->options)
		if (strcmp(lfirst_node(DefElem, lc)->defname, "analyze") == 0)
			analyze = true;
	if (analyze)
		mig_effect_query(work, explain->query);
	else
		work->effect->undo = "";
}

void
mig_effect_query(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_SelectStmt:
			effect_select(work, (SelectStmt *) node);
			break;
		case T_CopyStmt:
			effect_copy(work, (CopyStmt *) node);
			break;
		case T_CreateTableAsStmt:
			{
				CreateTableAsStmt *as = (CreateTableAsStmt *) node;

				effect_create_as(work, as->into, as->query, as->objtype, as->if_not_exists);
				break;
			}
		case T_ExplainStmt:
			effect_explain(work, (ExplainStmt *) node);
			break;
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
			mig_effect_walk(work, node);
			judge_rows(work, node);
			break;
		default:
			/* EXPLAIN ANALYZE of something else */
			mig_effect_opaque(work);
			break;
	}
}
