/*-------------------------------------------------------------------------
 *
 * effect_expr.c
 *	  Expressions of a statement as the server will see them: with the names
 *	  in them resolved, and folded.
 *
 * Folding runs functions that are declared immutable.  Planning is done as
 * the owner, in a security-restricted context (mig_identity_owner), and
 * outside of one nothing but the server's own functions is folded.
 *
 * What an expression names may be made by an earlier statement, and is not in
 * the catalog then: such an expression is not known (NULL), and the caller
 * assumes the worst.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "effect_int.h"
#include "relation.h"

/* --- types --- */

Oid
mig_expr_type(const TypeName *type, int32 *typmod)
{
	Type		tuple = LookupTypeName(NULL, type, typmod, true);
	Oid			typid = InvalidOid;

	if (tuple != NULL)
	{
		if (((Form_pg_type) GETSTRUCT(tuple))->typisdefined)
			typid = typeTypeId(tuple);
		ReleaseSysCache(tuple);
	}
	return typid;
}

/* As DomainHasConstraints(), which would also plan the constraints. */
bool
mig_effect_domain_is_constrained(Oid typid)
{
	while (get_typtype(typid) == TYPTYPE_DOMAIN)
	{
		HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
		bool		found;
		Oid			base;
		Relation	catalog;
		SysScanDesc scan;
		ScanKeyData key;

		if (!HeapTupleIsValid(tuple))
			return false;
		found = ((Form_pg_type) GETSTRUCT(tuple))->typnotnull;
		base = ((Form_pg_type) GETSTRUCT(tuple))->typbasetype;
		ReleaseSysCache(tuple);
		ScanKeyInit(&key, Anum_pg_constraint_contypid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(typid));
		catalog = table_open(ConstraintRelationId, AccessShareLock);
		scan = systable_beginscan(catalog, ConstraintTypidIndexId, true, NULL, 1, &key);
		found |= HeapTupleIsValid(systable_getnext(scan));
		systable_endscan(scan);
		table_close(catalog, AccessShareLock);
		if (found)
			return true;
		typid = base;
	}
	return false;
}

/* --- folding --- */

static bool
foreign_function_walker(Node *node, void *context)
{
	Oid			funcid = InvalidOid;

	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr))
		funcid = ((FuncExpr *) node)->funcid;
	else if (IsA(node, OpExpr) || IsA(node, DistinctExpr) || IsA(node, NullIfExpr))
		funcid = get_opcode(((OpExpr *) node)->opno);
	else if (IsA(node, ScalarArrayOpExpr))
		funcid = get_opcode(((ScalarArrayOpExpr *) node)->opno);
	if (OidIsValid(funcid) && get_func_namespace(funcid) != PG_CATALOG_NAMESPACE)
		return true;
	return expression_tree_walker(node, foreign_function_walker, context);
}

static void *
run_fold(MigWork *work, void *arg)
{
	return expression_planner((Expr *) arg);
}

Node *
mig_expr_fold(MigWork *work, Node *expr)
{
	if (expr == NULL)
		return NULL;
	if (!foreign_function_walker(expr, NULL))
		return (Node *) expression_planner((Expr *) expr);
	if (!InSecurityRestrictedOperation())
		return NULL;
	return mig_expr_try(work, NULL, run_fold, expr, false);
}

/* --- names in it --- */

/* An error in the middle of it belongs to the statement, not to the query that asks for a plan. */
static void
place_error(void *arg)
{
	const MigWork *work = arg;
	int			position = geterrposition();

	errposition(0);
	mig_overlay_errposition(work->overlay, position > 0 ?
							mig_overlay_offset(work->overlay, position) : work->stmt->location);
}

static Node *
transform(MigWork *work, Relation rel, Node *raw, ParseExprKind kind, Oid typid, int32 typmod)
{
	ParseState *pstate = make_parsestate(NULL);
	Node	   *expr;

	pstate->p_sourcetext = mig_overlay_source(work->overlay);
	if (rel)
		addNSItemToQuery(pstate,
						 addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL, false, true),
						 false, true, true);
	expr = transformExpr(pstate, copyObject(raw), kind);
	if (OidIsValid(typid))
	{
		Oid			from = exprType(expr);

		expr = coerce_to_target_type(pstate, expr, from, typid, typmod,
									 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
		if (expr == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("expression of type %s cannot be cast automatically to type %s",
							format_type_be(from), format_type_with_typemod(typid, typmod)),
					 errhint("You will need to rewrite or cast the expression."),
					 parser_errposition(pstate, exprLocation(raw))));
	}
	assign_expr_collations(pstate, expr);
	return expr;
}

/*
 * Is an error what the server would say, too?  Not if what was not found may
 * be made by an earlier statement; and what a user's function says when it is
 * folded is for the time when it runs.
 */
static bool
is_certain(const MigWork *work, const MigName *name, int sqlerrcode)
{
	if (ERRCODE_TO_CATEGORY(sqlerrcode) != ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION)
		return sqlerrcode == ERRCODE_QUERY_CANCELED || sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
			sqlerrcode == ERRCODE_OUT_OF_MEMORY;
	/* a part of an online sequence has parameters */
	if (sqlerrcode == ERRCODE_UNDEFINED_PARAMETER || mig_overlay_opaque(work->overlay) ||
		(name && (name->touched || name->created)))
		return false;
	return mig_overlay_mark(work->overlay) == 0 ||
		(name && (sqlerrcode == ERRCODE_UNDEFINED_COLUMN || sqlerrcode == ERRCODE_DATATYPE_MISMATCH));
}

void *
mig_expr_try(MigWork *work, const MigName *name, void *(*run) (MigWork *, void *), void *arg, bool keep)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorContextCallback callback = {error_context_stack, place_error, work};
	void	   *volatile result = NULL;

	/* the scan of a catalog may be cut off by an error: only a subtransaction cleans up */
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		error_context_stack = &callback;
		result = run(work, arg);
		error_context_stack = callback.previous;
		if (keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		error_context_stack = callback.previous;
		if (is_certain(work, name, error->sqlerrcode))
			ReThrowError(error);
		result = NULL;
	}
	PG_END_TRY();
	return result;
}

/* What transform() needs. */
typedef struct Transform
{
	const MigName *name;
	Node	   *raw;
	ParseExprKind kind;
	Oid			typid;
	int32		typmod;
} Transform;

static void *
run_transform(MigWork *work, void *arg)
{
	Transform  *t = arg;
	Relation	rel = NULL;
	Node	   *expr;

	if (t->name && OidIsValid(t->name->relid) && mig_relation_lock(t->name->relid, t->name->text))
		rel = RelationIdGetRelation(t->name->relid);
	expr = transform(work, rel, t->raw, t->kind, t->typid, t->typmod);
	if (rel)
	{
		RelationClose(rel);
		mig_relation_unlock(t->name->relid);
	}
	return expr;
}

Node *
mig_expr_transform(MigWork *work, const MigName *name, Node *raw, ParseExprKind kind,
				   Oid typid, int32 typmod)
{
	Transform	t = {name, raw, kind, typid, typmod};

	return mig_expr_try(work, name, run_transform, &t, true);
}
