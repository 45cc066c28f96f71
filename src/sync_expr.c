/*-------------------------------------------------------------------------
 *
 * sync_expr.c
 *	  Expressions of a pair: parsed against the table by the server's parser.
 *
 * What a trigger evaluates for every row has to depend on the row alone:
 * neither aggregates nor subqueries, nothing volatile, no column that the
 * server computes after the trigger.
 *
 * Parsing resolves names, and folding constants runs functions, so callers
 * see to it that the table's owner is in force, security-restricted.
 *
 * Takes no lock; the table is open.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "sync_int.h"

/* --- parsing --- */

/* "lower(name)": one expression, and nothing that would make it a query. */
static Node *
parse_text(const char *text)
{
	List	   *trees = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *select = (SelectStmt *) linitial_node(RawStmt, trees)->stmt;
	SelectStmt *plain = makeNode(SelectStmt);
	ResTarget  *target;

	plain->targetList = select->targetList;
	target = list_length(select->targetList) == 1 ? linitial_node(ResTarget, select->targetList) : NULL;
	if (target == NULL || target->name || target->indirection || !equal(select, plain))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("expression of a sync is not a single expression: %s", text)));
	return target->val;
}

static void
sync_expression_context(void *arg)
{
	errcontext("sync expression: %s", (char *) arg);
}

static void
check_inputs(Relation rel, Node *expr)
{
	Bitmapset  *attnos = NULL;
	int			i = -1;

	pull_varattnos(expr, 1, &attnos);
	while ((i = bms_next_member(attnos, i)) >= 0)
	{
		AttrNumber	attnum = i + FirstLowInvalidHeapAttributeNumber;

		if (attnum <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("expression of a sync uses a system column or the whole row"),
					 errhint("Name the columns that it reads.")));
		if (TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attgenerated)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("expression of a sync uses generated column \"%s\"",
							NameStr(TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attname)),
					 errdetail("Its value is computed after triggers have run."),
					 errhint("Write what it is generated from instead.")));
	}
}

/* With names that need no search_path. */
static char *
write_qualified(Relation rel, Node *expr)
{
	int			level = NewGUCNestLevel();
	char	   *text;

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	text = deparse_expression(expr, deparse_context_for(RelationGetRelationName(rel),
														RelationGetRelid(rel)), false, false);
	AtEOXact_GUC(true, level);
	return text;
}

Expr *
mig_sync_expression(Relation rel, const char *text, AttrNumber target, char **written)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), target - 1);
	ParseState *pstate = make_parsestate(NULL);
	ErrorContextCallback callback;
	Node	   *expr;
	Node	   *coerced;

	callback.callback = sync_expression_context;
	callback.arg = unconstify(char *, text);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	addNSItemToQuery(pstate, addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL, false, true),
					 false, true, true);
	expr = transformExpr(pstate, parse_text(text), EXPR_KIND_ALTER_COL_TRANSFORM);
	coerced = coerce_to_target_type(pstate, expr, exprType(expr), attr->atttypid, attr->atttypmod,
									COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (coerced == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" is of type %s but the expression is of type %s",
						NameStr(attr->attname), format_type_be(attr->atttypid),
						format_type_be(exprType(expr))),
				 errhint("Write a cast into the expression.")));
	assign_expr_collations(pstate, coerced);
	check_inputs(rel, coerced);
	if (written)
		*written = write_qualified(rel, expr);
	if (contain_volatile_functions(coerced))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("expression of a sync uses a volatile function"),
				 errhint("The same row has to give the same value each time.")));
	error_context_stack = callback.previous;
	free_parsestate(pstate);
	return (Expr *) coerced;
}

List *
mig_sync_inputs(Relation rel, Expr *expr)
{
	Bitmapset  *attnos = NULL;
	List	   *inputs = NIL;
	int			i = -1;

	pull_varattnos((Node *) expr, 1, &attnos);
	while ((i = bms_next_member(attnos, i)) >= 0)
		inputs = lappend_int(inputs, i + FirstLowInvalidHeapAttributeNumber);
	return inputs;
}

/* --- whose code is it --- */

typedef struct Code
{
	bool		foreign;
	bool		stateful;
} Code;

static bool
judge_function(Oid funcid, void *context)
{
	Code	   *code = context;
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", funcid);
	if (funcid >= FirstUnpinnedObjectId)
		code->foreign = true;
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang != INTERNALlanguageId)
		code->stateful = true;
	ReleaseSysCache(tuple);
	return false;
}

/* A domain brings its constraints, and to compare is up to the type. */
static bool
judge_walker(Node *node, Code *code)
{
	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, judge_function, code);
	if (IsA(node, CoerceToDomain) ||
		(IsA(node, MinMaxExpr) && ((MinMaxExpr *) node)->minmaxtype >= FirstUnpinnedObjectId))
		code->foreign = true;
	return expression_tree_walker(node, judge_walker, code);
}

bool
mig_sync_is_foreign(Expr *expr, bool *keeps_state)
{
	Code		code = {0};

	(void) judge_walker((Node *) expr, &code);
	*keeps_state = !code.foreign && !code.stateful;
	return code.foreign;
}

/* --- defaults --- */

bool
mig_sync_constant_default(Relation rel, AttrNumber attnum, Datum *value)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	Node	   *expr = build_column_default(rel, attnum);

	if (expr == NULL)
		return false;
	expr = (Node *) expression_planner((Expr *) expr);
	if (!IsA(expr, Const) || ((Const *) expr)->constisnull)
		return false;
	*value = datumCopy(((Const *) expr)->constvalue, attr->attbyval, attr->attlen);
	return true;
}
