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
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
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
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "effect_int.h"
#include "relation.h"
#include "scan.h"

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

/* Where an error was met: byte offset in the source, -1: not known. */
typedef struct Trouble
{
	const MigWork *work;
	int			offset;
} Trouble;

/* An error in the middle of it belongs to the statement, not to the query that asks for a plan. */
static void
place_error(void *arg)
{
	Trouble    *trouble = arg;
	const MigWork *work = trouble->work;
	int			position = geterrposition();

	if (position > 0)
		trouble->offset = mig_overlay_offset(work->overlay, position);
	errposition(0);
	mig_overlay_errposition(work->overlay, position > 0 ? trouble->offset : work->stmt->location);
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

/* --- errors --- */

/* The name, without what qualifies it, that stands at a place of the statement; NULL if there is none. */
static char *
word_at(const MigWork *work, int offset)
{
	const MigStatement *stmt = work->stmt;
	char	   *word = NULL;
	MigScan		scan;

	/* the text of a part of an online sequence is not the source */
	if (offset < stmt->location || offset >= stmt->location + (int) strlen(stmt->text) ||
		strncmp(mig_overlay_source(work->overlay) + stmt->location, stmt->text, strlen(stmt->text)) != 0)
		return NULL;
	mig_scan_begin(&scan, stmt->text + (offset - stmt->location));
	while (mig_scan_next(&scan) && mig_scan_word(&scan))
	{
		word = pstrdup(mig_scan_word(&scan));
		if (!mig_scan_next(&scan) || scan.token != '.')
			break;
	}
	mig_scan_end(&scan);
	return word;
}

/* Does the session have a temporary relation of that name?  It would hide the one that is meant. */
static bool
is_hidden(Oid relid)
{
	Oid			temp = LookupExplicitNamespace("pg_temp", true);
	char	   *relname = get_rel_name(relid);

	return OidIsValid(temp) && relname && OidIsValid(get_relname_relid(relname, temp));
}

/*
 * Is a relation what the catalog says, so that a column which is not there
 * can only come from an earlier statement that names it?
 */
static bool
is_in_catalog(const MigWork *work, Oid relid, const char *text, bool columns_alone)
{
	const char *there = OidIsValid(relid) ? mig_relation_text(relid) : NULL;
	MigName    *name;

	if (there == NULL || strcmp(there, text) != 0 || is_hidden(relid))
		return false;
	name = mig_overlay_find(work->overlay, get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
	/* a view that is replaced */
	if (mig_overlay_has(work->overlay, psprintf("relation %s", text)))
		return false;
	return !name->created && (!name->touched || (columns_alone && name->relkind != RELKIND_VIEW &&
												 name->relkind != RELKIND_MATVIEW));
}

bool
mig_expr_lacks_column(const MigWork *work, const MigName *name, const char *colname)
{
	return !mig_overlay_opaque(work->overlay) && is_in_catalog(work, name->relid, name->text, true) &&
		!AttributeNumberIsValid(get_attnum(name->relid, colname)) &&
		(mig_overlay_mark(work->overlay) == 0 || !mig_overlay_mentions(work->overlay, colname));
}

static bool
are_in_catalog(const MigWork *work, const MigName *name, bool columns_alone)
{
	ListCell   *lc;

	if (name && !is_in_catalog(work, name->relid, name->text, columns_alone))
		return false;
	foreach(lc, work->effect->locks)
	{
		const MigLock *lock = lfirst(lc);

		if (lock->created || !is_in_catalog(work, lock->relid, lock->relation, columns_alone))
			return false;
	}
	return true;
}

/* What the server has looked at is not what is meant. */
static bool
was_misled(const MigWork *work)
{
	ListCell   *lc;

	foreach(lc, work->effect->locks)
		if (OidIsValid(((MigLock *) lfirst(lc))->relid) && is_hidden(((MigLock *) lfirst(lc))->relid))
			return true;
	return false;
}

static bool
is_a_function(const char *word)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(word));
	bool		found = list->n_members > 0;

	ReleaseCatCacheList(list);
	return found;
}

bool
mig_expr_is_named(const MigWork *work, const char *word)
{
	return mig_overlay_mark(work->overlay) > 0 &&
		(mig_overlay_mentions(work->overlay, word) || mig_overlay_mentions(work->overlay, "extension") ||
		 mig_overlay_says(work->overlay, word, work->stmt->location));
}

/* Something is not there: is it certain that no earlier statement makes it? */
static bool
nobody_makes(const MigWork *work, const MigName *name, int sqlerrcode, const char *word)
{
	/* columns are known by their keys */
	if (word == NULL || (sqlerrcode == ERRCODE_UNDEFINED_COLUMN || sqlerrcode == ERRCODE_AMBIGUOUS_COLUMN ?
						 mig_overlay_mentions(work->overlay, word) : mig_expr_is_named(work, word)))
		return false;
	switch (sqlerrcode)
	{
		case ERRCODE_UNDEFINED_COLUMN:
			return are_in_catalog(work, name, true);
		case ERRCODE_UNDEFINED_FUNCTION:
			/* else it may be about types, which an earlier statement can change */
			return !is_a_function(word) && are_in_catalog(work, name, false);
		case ERRCODE_AMBIGUOUS_COLUMN:
			return are_in_catalog(work, name, false);
		case ERRCODE_UNDEFINED_OBJECT:
		case ERRCODE_WRONG_OBJECT_TYPE:
			return true;
		default:
			return false;
	}
}

/*
 * Is an error what the server would say, too?  Not if what was not found may
 * be made by an earlier statement; and what a user's function says when it is
 * folded is for the time when it runs: it has no place in the text.
 */
static bool
is_certain(const Trouble *trouble, const MigName *name, int sqlerrcode)
{
	const MigWork *work = trouble->work;
	bool		analysis = ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION;

	if (sqlerrcode == ERRCODE_QUERY_CANCELED || sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		sqlerrcode == ERRCODE_OUT_OF_MEMORY)
		return true;
	/* a part of an online sequence has parameters */
	if (sqlerrcode == ERRCODE_UNDEFINED_PARAMETER || mig_overlay_opaque(work->overlay) || was_misled(work))
		return false;
	if (mig_overlay_mark(work->overlay) == 0)
		return analysis || sqlerrcode == ERRCODE_UNDEFINED_SCHEMA ||
			(work->word && sqlerrcode == ERRCODE_INVALID_PARAMETER_VALUE) ||
			(trouble->offset >= 0 && (sqlerrcode == ERRCODE_INVALID_TEXT_REPRESENTATION ||
									  sqlerrcode == ERRCODE_FEATURE_NOT_SUPPORTED));
	if (name && !name->touched && !name->created &&
		(sqlerrcode == ERRCODE_UNDEFINED_COLUMN || sqlerrcode == ERRCODE_DATATYPE_MISMATCH))
		return true;
	return analysis && nobody_makes(work, name, sqlerrcode,
									work->word ? work->word : word_at(work, trouble->offset));
}

void *
mig_expr_try(MigWork *work, const MigName *name, void *(*run) (MigWork *, void *), void *arg, bool keep)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Trouble		trouble = {work, -1};
	ErrorContextCallback callback = {error_context_stack, place_error, &trouble};
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
		if (is_certain(&trouble, name, error->sqlerrcode))
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

Node *
mig_expr_transform_now(MigWork *work, const MigName *name, Node *raw, ParseExprKind kind,
					   Oid typid, int32 typmod)
{
	Relation	rel = NULL;
	Node	   *expr;

	if (name && OidIsValid(name->relid) && mig_relation_lock(name->relid, name->text))
		rel = RelationIdGetRelation(name->relid);
	expr = transform(work, rel, raw, kind, typid, typmod);
	if (rel)
	{
		RelationClose(rel);
		mig_relation_unlock(name->relid);
	}
	return expr;
}

static void *
run_transform(MigWork *work, void *arg)
{
	Transform  *t = arg;

	return mig_expr_transform_now(work, t->name, t->raw, t->kind, t->typid, t->typmod);
}

Node *
mig_expr_transform(MigWork *work, const MigName *name, Node *raw, ParseExprKind kind,
				   Oid typid, int32 typmod)
{
	Transform	t = {name, raw, kind, typid, typmod};

	return mig_expr_try(work, name, run_transform, &t, true);
}
