/*-------------------------------------------------------------------------
 *
 * online_rows_proof.c
 *	  The proof that a statement may go over the same rows again.
 *
 * By blocks, a statement may reach a row that it has changed already, since an
 * update moves the row behind the place where the scan is, and since passes
 * are repeated.  So it must never find a row again which it has dealt with.
 *
 * DELETE: a row that is deleted is gone.  What remains to be shown is that no
 * row gets a second chance: WHERE has no volatile function, which could say
 * no at first and yes later (random() < 0.1 would end up with more than a
 * tenth).
 *
 * UPDATE: the statement must make its own WHERE false.  Obligation:
 *
 *	1. WHERE and what SET assigns are immutable, and hold no subquery;
 *	2. WHERE, with each column that SET assigns replaced by what is stored in
 *	   it, folds to false or null.  What is stored is what is assigned, coerced
 *	   to the column's type and modifier: numeric(5,2) keeps 1.23 of 1.234;
 *	3. nothing changes the row behind the statement's back: there is no trigger
 *	   of a user's (a BEFORE trigger could put back what it was).  Generated
 *	   columns are not replaced in WHERE, so that the folded condition must be
 *	   false whatever they become.
 *
 * Then WHERE is false for the new row whatever the old one held.  A client may
 * make it true again later; then the row is due again, as a new one would be.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parse_coerce.h"
#include "parser/parse_node.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "online_rows.h"
#include "relation.h"

typedef struct Substitution
{
	List	   *columns;		/* attribute numbers, of int */
	List	   *values;			/* their new expressions */
} Substitution;

static Node *
substitute_mutator(Node *node, Substitution *substitution)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varlevelsup == 0)
	{
		ListCell   *lc;

		foreach(lc, substitution->columns)
			if (lfirst_int(lc) == ((Var *) node)->varattno)
				return copyObject(list_nth(substitution->values, foreach_current_index(lc)));
	}
	return expression_tree_mutator(node, substitute_mutator, substitution);
}

/* SELECT what is assigned FROM the table WHERE ...: analyzed without a stronger lock than to read. */
static Query *
analyze_as_select(const MigRows *rows)
{
	RawStmt    *raw = makeNode(RawStmt);
	SelectStmt *select = makeNode(SelectStmt);
	Query	   *query;
	ListCell   *lc;

	if (!mig_relation_lock(rows->source->relid, rows->source->text))
		return NULL;
	foreach(lc, rows->targets)
	{
		ResTarget  *target = copyObject(lfirst_node(ResTarget, lc));

		target->name = NULL;
		target->indirection = NIL;
		select->targetList = lappend(select->targetList, target);
	}
	select->fromClause = list_make1(copyObject(rows->relation));
	select->whereClause = copyObject(rows->where);
	raw->stmt = (Node *) select;
	query = parse_analyze_fixedparams(raw, "", NULL, 0, NULL);
	mig_relation_unlock(rows->source->relid);
	return query;
}

/* Is each column given one expression of its own? */
static bool
are_plain(const List *targets)
{
	const ListCell *lc;

	foreach(lc, targets)
	{
		ResTarget  *target = lfirst_node(ResTarget, lc);

		if (target->indirection != NIL || IsA(target->val, SetToDefault) || IsA(target->val, MultiAssignRef))
			return false;
	}
	return true;
}

/* What will be stored in a column, or NULL. */
static Node *
stored(Oid relid, AttrNumber column, Node *value)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	if (column <= 0)
		return NULL;
	get_atttypetypmodcoll(relid, column, &type, &typmod, &collation);
	return coerce_to_target_type(make_parsestate(NULL), value, exprType(value), type, typmod,
								 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
}

static bool
makes_itself_false(const MigRows *rows, Query *query)
{
	Substitution substitution = {0};
	Node	   *folded;
	ListCell   *lc;

	if (contain_mutable_functions((Node *) query->targetList) ||
		contain_mutable_functions(query->jointree->quals))
		return false;
	foreach(lc, query->targetList)
	{
		AttrNumber	column = get_attnum(rows->source->relid,
										list_nth_node(ResTarget, rows->targets,
													  foreach_current_index(lc))->name);
		Node	   *value = stored(rows->source->relid, column,
								   (Node *) lfirst_node(TargetEntry, lc)->expr);

		if (value == NULL || contain_mutable_functions(value))
			return false;
		substitution.columns = lappend_int(substitution.columns, column);
		substitution.values = lappend(substitution.values, value);
	}
	folded = eval_const_expressions(NULL, substitute_mutator(query->jointree->quals, &substitution));
	return folded && IsA(folded, Const) &&
		(((Const *) folded)->constisnull || !DatumGetBool(((Const *) folded)->constvalue));
}

static bool
have_triggers(const MigRows *rows)
{
	ListCell   *lc;

	if (rows->source->triggers || mig_relation_has_triggers(rows->source->relid))
		return true;
	foreach(lc, mig_relation_children(rows->source->relid))
		if (mig_relation_has_triggers(lfirst_oid(lc)))
			return true;
	return false;
}

bool
mig_rows_finish_themselves(const MigRows *rows, const MigReads *reads)
{
	bool		certain = mig_online_is_certain(rows->online);
	Query	   *query;

	if (rows->joins || rows->with || reads->sublinks)
		return false;
	if (rows->delete && rows->where == NULL)
		return true;
	if (rows->delete && !certain)
		return !mig_effect_volatile(rows->where);
	if (!certain || rows->where == NULL || (rows->update && (have_triggers(rows) || !are_plain(rows->targets))))
		return false;
	query = analyze_as_select(rows);
	if (query == NULL || query->hasSubLinks)
		return false;
	return rows->delete ? !contain_volatile_functions(query->jointree->quals) : makes_itself_false(rows, query);
}
