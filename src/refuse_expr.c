/*-------------------------------------------------------------------------
 *
 * refuse_expr.c
 *	  Expressions and queries that the server would refuse, said while
 *	  planning.
 *
 * The server's own analysis is asked; it resolves names and types, and runs
 * nothing.  What it says counts only where no earlier statement can have
 * changed it: see mig_expr_try().
 *
 * Layer 1: AccessShareLock is taken conditionally on what is named, and given
 * back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/heap.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_func.h"
#include "parser/parse_relation.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "refuse_int.h"
#include "relation.h"

/* --- what is named, locked --- */

/* True if a relation that is named cannot be locked at once: then nothing is asked. */
static bool
is_busy(Node *node, MigWork *work)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeVar))
	{
		RangeVar   *rv = (RangeVar *) node;
		MigName    *name = mig_overlay_find(work->overlay, rv->schemaname, rv->relname);

		return OidIsValid(name->relid) && !ConditionalLockRelationOid(name->relid, AccessShareLock);
	}
	return raw_expression_tree_walker(node, is_busy, work);
}

/* --- expressions over a table --- */

typedef struct Asked
{
	const MigName *name;		/* or NULL */
	Node	   *raw;
	ParseExprKind kind;
	Oid			typid;			/* InvalidOid: any */
	int32		typmod;
} Asked;

static void *
run_ask(MigWork *work, void *arg)
{
	Asked	   *asked = arg;

	if (is_busy(asked->raw, work))
		return NULL;
	return mig_expr_transform_now(work, asked->name, asked->raw, asked->kind, asked->typid, asked->typmod);
}

/* NULL: not known. */
static Node *
ask(MigWork *work, const MigName *name, Node *raw, ParseExprKind kind, Oid typid, int32 typmod)
{
	Asked		asked = {name, raw, kind, typid, typmod};

	return raw ? mig_expr_try(work, name, run_ask, &asked, false) : NULL;
}

/* --- CREATE INDEX --- */

typedef struct IndexPart
{
	const IndexStmt *stmt;
	const IndexElem *elem;
	Oid			typid;
} IndexPart;

static void *
run_method(MigWork *work, void *arg)
{
	(void) get_index_am_oid(((IndexPart *) arg)->stmt->accessMethod, false);
	return NULL;
}

static void *
run_opclass(MigWork *work, void *arg)
{
	IndexPart  *part = arg;
	char	   *method = part->stmt->accessMethod;

	(void) ResolveOpClass(part->elem->opclass, part->typid, method, get_index_am_oid(method, false));
	return NULL;
}

static void
refuse_opclass(MigWork *work, IndexPart *part)
{
	if (!OidIsValid(part->typid))
		return;
	work->word = part->elem->opclass != NIL ? strVal(llast(part->elem->opclass)) : NULL;
	(void) mig_expr_try(work, NULL, run_opclass, part, false);
	work->word = NULL;
}

/* After folding, as the server looks: what a SQL function is inlined to counts. */
static void
refuse_mutable(MigWork *work, Node *raw, Node *expr, const char *what)
{
	/* an earlier statement may give the function another volatility */
	expr = expr && mig_overlay_mark(work->overlay) == 0 ? mig_expr_fold(work, expr) : NULL;
	if (expr && contain_mutable_functions(expr))
		mig_refuse_error(work, exprLocation(raw), ERRCODE_INVALID_OBJECT_DEFINITION,
						 "functions in index %s must be marked IMMUTABLE", what);
}

static void
refuse_index(MigWork *work, IndexStmt *stmt)
{
	MigName    *table = mig_refuse_known(work, stmt->relation);
	IndexPart	part = {stmt};
	ListCell   *lc;

	if (table == NULL)
		return;
	work->word = stmt->accessMethod;
	(void) mig_expr_try(work, NULL, run_method, &part, false);
	work->word = NULL;
	foreach(lc, stmt->indexParams)
	{
		part.elem = lfirst_node(IndexElem, lc);
		part.typid = InvalidOid;
		if (part.elem->expr)
		{
			Node	   *expr = ask(work, table, part.elem->expr, EXPR_KIND_INDEX_EXPRESSION, InvalidOid, -1);

			refuse_mutable(work, part.elem->expr, expr, "expression");
			part.typid = expr ? exprType(expr) : InvalidOid;
		}
		else if (!table->touched)
			part.typid = get_atttype(table->relid, mig_relation_column(table->relid, part.elem->name));
		refuse_opclass(work, &part);
	}
	refuse_mutable(work, stmt->whereClause,
				   ask(work, table, stmt->whereClause, EXPR_KIND_INDEX_PREDICATE, BOOLOID, -1), "predicate");
}

/* --- ALTER TABLE --- */

static bool
adds_column(const AlterTableStmt *stmt, const char *colname)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn && strcmp(castNode(ColumnDef, cmd->def)->colname, colname) == 0)
			return true;
	}
	return false;
}

static void
refuse_key(MigWork *work, const AlterTableStmt *stmt, const MigName *name, const Constraint *con)
{
	ListCell   *lc;

	foreach(lc, con->contype == CONSTR_FOREIGN ? con->fk_attrs : con->keys)
		if (!adds_column(stmt, strVal(lfirst(lc))) && SystemAttributeByName(strVal(lfirst(lc))) == NULL)
			mig_effect_require_column(work, name, strVal(lfirst(lc)), stmt->relation);
}

/* Does the same statement change columns?  Then a CHECK may be about what comes out. */
static bool
changes_columns(const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
		switch (lfirst_node(AlterTableCmd, lc)->subtype)
		{
			case AT_AddColumn:
			case AT_AlterColumnType:
			case AT_DropColumn:
				return true;
			default:
				break;
		}
	return false;
}

static void
refuse_default(MigWork *work, const MigName *name, Node *raw, Oid typid, int32 typmod)
{
	if (OidIsValid(typid) && raw)
		(void) ask(work, NULL, raw, EXPR_KIND_COLUMN_DEFAULT, typid, typmod);
}

typedef struct TypeAsked
{
	const TypeName *type;
	Oid			typid;
	int32		typmod;
} TypeAsked;

static void *
run_type(MigWork *work, void *arg)
{
	TypeAsked  *asked = arg;
	ParseState *pstate = make_parsestate(NULL);

	pstate->p_sourcetext = mig_overlay_source(work->overlay);
	typenameTypeIdAndMod(pstate, asked->type, &asked->typid, &asked->typmod);
	return asked;
}

Oid
mig_refuse_type(MigWork *work, const TypeName *type, int32 *typmod)
{
	TypeAsked	asked = {type, InvalidOid, -1};

	if (type == NULL || mig_is_serial(type))
		return InvalidOid;
	if (mig_expr_try(work, NULL, run_type, &asked, false) == NULL)
		return InvalidOid;
	*typmod = asked.typmod;
	return asked.typid;
}

static void
refuse_column(MigWork *work, const ColumnDef *def)
{
	int32		typmod = -1;
	Oid			typid = mig_refuse_type(work, def->typeName, &typmod);
	ListCell   *lc;

	if (def->collClause)
		(void) mig_refuse_seek(work, OBJECT_COLLATION, (Node *) def->collClause->collname);

	foreach(lc, def->constraints)
	{
		Constraint *con = lfirst_node(Constraint, lc);

		if (con->contype == CONSTR_DEFAULT)
			refuse_default(work, NULL, con->raw_expr, typid, typmod);
	}
}

static void
refuse_set_default(MigWork *work, const MigName *name, const AlterTableCmd *cmd)
{
	AttrNumber	attnum = mig_relation_column(name->relid, cmd->name);
	Oid			typid,
				collation;
	int32		typmod;

	if (cmd->def == NULL || name->touched || attnum == InvalidAttrNumber)
		return;
	get_atttypetypmodcoll(name->relid, attnum, &typid, &typmod, &collation);
	refuse_default(work, name, cmd->def, typid, typmod);
}

static void
refuse_alter(MigWork *work, AlterTableStmt *stmt)
{
	MigName    *name = mig_refuse_known(work, stmt->relation);
	bool		changes = changes_columns(stmt);
	ListCell   *lc;

	if (name == NULL || stmt->objtype != OBJECT_TABLE)
		return;
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn &&
			!(cmd->missing_ok && mig_relation_column(name->relid, castNode(ColumnDef, cmd->def)->colname)))
			refuse_column(work, castNode(ColumnDef, cmd->def));
		else if (cmd->subtype == AT_ColumnDefault && !changes)
			refuse_set_default(work, name, cmd);
		else if (cmd->subtype == AT_AddConstraint)
		{
			Constraint *con = castNode(Constraint, cmd->def);

			if (con->contype != CONSTR_CHECK)
				refuse_key(work, stmt, name, con);
			else if (!changes)
				(void) ask(work, name, con->raw_expr, EXPR_KIND_CHECK_CONSTRAINT, BOOLOID, -1);
		}
	}
}

/* --- CREATE TRIGGER --- */

static void
add_row(ParseState *pstate, Relation rel, const char *alias)
{
	addNSItemToQuery(pstate,
					 addRangeTableEntryForRelation(pstate, rel, AccessShareLock, makeAlias(alias, NIL), false, false),
					 false, true, true);
}

typedef struct TriggerAsked
{
	const CreateTrigStmt *stmt;
	Oid			relid;
} TriggerAsked;

static void *
run_when(MigWork *work, void *arg)
{
	TriggerAsked *asked = arg;
	ParseState *pstate = make_parsestate(NULL);
	Relation	rel;

	if (!ConditionalLockRelationOid(asked->relid, AccessShareLock))
		return NULL;
	rel = RelationIdGetRelation(asked->relid);
	if (rel == NULL)
		return NULL;
	pstate->p_sourcetext = mig_overlay_source(work->overlay);
	add_row(pstate, rel, "old");
	add_row(pstate, rel, "new");
	assign_expr_collations(pstate, transformWhereClause(pstate, copyObject(asked->stmt->whenClause),
														EXPR_KIND_TRIGGER_WHEN, "WHEN"));
	RelationClose(rel);
	return asked;
}

static void *
run_trigger_function(MigWork *work, void *arg)
{
	(void) LookupFuncName(((TriggerAsked *) arg)->stmt->funcname, 0, NULL, false);
	return NULL;
}

static void
refuse_trigger(MigWork *work, CreateTrigStmt *stmt)
{
	MigName    *name = mig_refuse_known(work, stmt->relation);
	TriggerAsked asked = {stmt};
	ListCell   *lc;

	if (name == NULL)
		return;
	asked.relid = name->relid;
	foreach(lc, stmt->columns)
		mig_effect_require_column(work, name, strVal(lfirst(lc)), stmt->relation);
	if (stmt->whenClause)
		(void) mig_expr_try(work, name, run_when, &asked, false);
	work->word = strVal(llast(stmt->funcname));
	(void) mig_expr_try(work, NULL, run_trigger_function, &asked, false);
	work->word = NULL;
}

/* --- views, and others with a query --- */

/* Two columns of one name, which only a query may have. */
static void
refuse_twins(MigWork *work, const Query *query, List *aliases)
{
	List	   *names = NIL;
	ListCell   *lc,
			   *la = list_head(aliases);

	foreach(lc, query->targetList)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);
		String	   *name = la ? lfirst_node(String, la) : makeString(target->resname);

		if (target->resjunk)
			continue;
		la = la ? lnext(aliases, la) : NULL;
		if (list_member(names, name))
			mig_refuse_error(work, -1, ERRCODE_DUPLICATE_COLUMN,
							 "column \"%s\" specified more than once", strVal(name));
		names = lappend(names, name);
	}
}

static void *
run_query(MigWork *work, void *arg)
{
	RawStmt    *raw = makeNode(RawStmt);
	Query	   *query;

	raw->stmt = copyObject(arg);
	raw->stmt_location = work->stmt->raw->stmt_location;
	raw->stmt_len = work->stmt->raw->stmt_len;
	if (is_busy(IsA(arg, CallStmt) ? (Node *) ((CallStmt *) arg)->funccall : raw->stmt, work))
		return NULL;
	query = parse_analyze_fixedparams(raw, mig_overlay_source(work->overlay), NULL, 0, NULL);
	return query->commandType == CMD_SELECT ? query : NULL;
}

static void
refuse_view(MigWork *work, ViewStmt *stmt)
{
	Query	   *query = mig_expr_try(work, NULL, run_query, stmt->query, false);

	if (query)
		refuse_twins(work, query, stmt->aliases);
}

static void
refuse_policy(MigWork *work, const RangeVar *rv, Node *qual, Node *check)
{
	MigName    *name = mig_refuse_known(work, rv);

	if (name == NULL)
		return;
	(void) ask(work, name, qual, EXPR_KIND_POLICY, BOOLOID, -1);
	(void) ask(work, name, check, EXPR_KIND_POLICY, BOOLOID, -1);
}

/* --- CREATE TABLE, CREATE FUNCTION, CREATE STATISTICS --- */

static void
refuse_table(MigWork *work, const CreateStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->tableElts)
		if (IsA(lfirst(lc), ColumnDef))
			refuse_column(work, lfirst(lc));
}

/* A type that is only the shell of one is enough for the functions that make it whole. */
static void
refuse_function(MigWork *work, const CreateFunctionStmt *stmt)
{
	const char *language = "sql";
	int32		typmod;
	ListCell   *lc;

	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "language") == 0)
			language = strVal(option->arg);
	}
	if (strcmp(language, "c") == 0 || strcmp(language, "internal") == 0)
		return;
	foreach(lc, stmt->parameters)
		(void) mig_refuse_type(work, lfirst_node(FunctionParameter, lc)->argType, &typmod);
	(void) mig_refuse_type(work, stmt->returnType, &typmod);
}

static void
refuse_statistics(MigWork *work, const CreateStatsStmt *stmt)
{
	RangeVar   *rv = linitial(stmt->relations);
	MigName    *name = IsA(rv, RangeVar) ? mig_refuse_known(work, rv) : NULL;
	ListCell   *lc;

	if (name == NULL)
		return;
	foreach(lc, stmt->exprs)
	{
		StatsElem  *elem = lfirst_node(StatsElem, lc);

		if (elem->name)
			mig_effect_require_column(work, name, elem->name, rv);
		else
			(void) ask(work, name, elem->expr, EXPR_KIND_STATS_EXPRESSION, InvalidOid, -1);
	}
}

void
mig_refuse_expressions(MigWork *work, Node *node)
{
	if (!InSecurityRestrictedOperation())
		return;
	switch (nodeTag(node))
	{
		case T_IndexStmt:
			refuse_index(work, (IndexStmt *) node);
			break;
		case T_AlterTableStmt:
			refuse_alter(work, (AlterTableStmt *) node);
			break;
		case T_CreateTrigStmt:
			refuse_trigger(work, (CreateTrigStmt *) node);
			break;
		case T_ViewStmt:
			refuse_view(work, (ViewStmt *) node);
			break;
		case T_CreatePolicyStmt:
			refuse_policy(work, ((CreatePolicyStmt *) node)->table,
						  ((CreatePolicyStmt *) node)->qual, ((CreatePolicyStmt *) node)->with_check);
			break;
		case T_AlterPolicyStmt:
			refuse_policy(work, ((AlterPolicyStmt *) node)->table,
						  ((AlterPolicyStmt *) node)->qual, ((AlterPolicyStmt *) node)->with_check);
			break;
		case T_CreateStmt:
			refuse_table(work, (CreateStmt *) node);
			break;
		case T_CreateFunctionStmt:
			refuse_function(work, (CreateFunctionStmt *) node);
			break;
		case T_CreateStatsStmt:
			refuse_statistics(work, (CreateStatsStmt *) node);
			break;
		case T_CallStmt:
			(void) mig_expr_try(work, NULL, run_query, node, false);
			break;
		default:
			break;
	}
}
