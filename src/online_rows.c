/*-------------------------------------------------------------------------
 *
 * online_rows.c
 *	  UPDATE and DELETE over a table that is not small, in batches.
 *
 * By key, a statement reaches each row once: for each value of the primary
 * key that existed when the end was read.  That is right whatever it does,
 * as long as it leaves the key alone and does not read the table that it
 * changes.
 *
 * By blocks, it may reach a row that it has changed already, since an update
 * moves the row behind the place where the scan is.  So this needs the proof
 * that the statement never finds a row again which it has dealt with: a row
 * that is deleted is gone; an update must make its own WHERE false.  Proof
 * obligation: WHERE and what SET assigns are immutable, and WHERE, with each
 * column that SET assigns replaced by what it is assigned, folds to false or
 * null.  Then the condition is false for the new row whatever the old one
 * held, and a pass may be repeated at will.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parse_coerce.h"
#include "parser/parse_node.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "online_int.h"
#include "relation.h"
#include "scan.h"
#include "sqlgen.h"

/* --- what the statement does --- */

typedef struct Parts
{
	RangeVar   *relation;
	List	   *targets;		/* of ResTarget; NIL for DELETE */
	Node	   *where;
	bool		joins;			/* FROM, USING */
	bool		with;
	bool		returning;
} Parts;

static void
take_apart(Node *node, Parts *parts)
{
	if (IsA(node, UpdateStmt))
	{
		UpdateStmt *update = (UpdateStmt *) node;

		parts->relation = update->relation;
		parts->targets = update->targetList;
		parts->where = update->whereClause;
		parts->joins = update->fromClause != NIL;
		parts->with = update->withClause != NULL;
		parts->returning = mig_has_returning(node);
	}
	else
	{
		DeleteStmt *delete = (DeleteStmt *) node;

		parts->relation = delete->relation;
		parts->where = delete->whereClause;
		parts->joins = delete->usingClause != NIL;
		parts->with = delete->withClause != NULL;
		parts->returning = mig_has_returning(node);
	}
}

typedef struct Search
{
	const RangeVar *relation;
	bool		sublinks;
	bool		itself;
} Search;

static bool
search_walker(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
		search->sublinks = true;
	if (IsA(node, RangeVar) && node != (Node *) search->relation &&
		strcmp(((RangeVar *) node)->relname, search->relation->relname) == 0)
		search->itself = true;
	return raw_expression_tree_walker(node, search_walker, search);
}

static bool
sets_column(const Parts *parts, const char *column)
{
	ListCell   *lc;

	foreach(lc, parts->targets)
		if (strcmp(lfirst_node(ResTarget, lc)->name, column) == 0)
			return true;
	return false;
}

/* --- the proof for going by blocks --- */

typedef struct Substitution
{
	Oid			relid;
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
analyze_as_select(const Parts *parts)
{
	RawStmt    *raw = makeNode(RawStmt);
	SelectStmt *select = makeNode(SelectStmt);
	ListCell   *lc;

	foreach(lc, parts->targets)
	{
		ResTarget  *target = copyObject(lfirst_node(ResTarget, lc));

		target->name = NULL;
		target->indirection = NIL;
		select->targetList = lappend(select->targetList, target);
	}
	select->fromClause = list_make1(copyObject(parts->relation));
	select->whereClause = copyObject(parts->where);
	raw->stmt = (Node *) select;
	return parse_analyze_fixedparams(raw, "", NULL, 0, NULL);
}

/* True only if the proof succeeds. */
static bool
makes_itself_false(const MigOnline *online, const Parts *parts)
{
	Substitution substitution = {0};
	Query	   *query;
	Node	   *folded;
	ListCell   *lc;

	if (parts->where == NULL || online->name->touched ||
		!mig_relation_lock(online->name->relid, online->name->text))
		return false;
	foreach(lc, parts->targets)
		if (lfirst_node(ResTarget, lc)->indirection != NIL ||
			IsA(lfirst_node(ResTarget, lc)->val, SetToDefault) ||
			IsA(lfirst_node(ResTarget, lc)->val, MultiAssignRef))
			return false;
	query = analyze_as_select(parts);
	mig_relation_unlock(online->name->relid);
	if (query->hasSubLinks || contain_mutable_functions((Node *) query->targetList) ||
		contain_mutable_functions(query->jointree->quals))
		return false;
	foreach(lc, query->targetList)
	{
		AttrNumber	column = get_attnum(online->name->relid,
										list_nth_node(ResTarget, parts->targets,
													  foreach_current_index(lc))->name);
		Node	   *value = (Node *) lfirst_node(TargetEntry, lc)->expr;

		value = coerce_to_target_type(make_parsestate(NULL), value, exprType(value),
									  get_atttype(online->name->relid, column), -1,
									  COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
		if (column == InvalidAttrNumber || value == NULL)
			return false;
		substitution.columns = lappend_int(substitution.columns, column);
		substitution.values = lappend(substitution.values, value);
	}
	folded = eval_const_expressions(NULL, substitute_mutator(query->jointree->quals, &substitution));
	return folded && IsA(folded, Const) &&
		(((Const *) folded)->constisnull || !DatumGetBool(((Const *) folded)->constvalue));
}

/* --- the text of a batch --- */

/* Offsets of WHERE, and of what follows it, outside of any parentheses; -1: none. */
static int
find_where(const char *text)
{
	MigScan		scan;
	int			depth = 0;
	int			where = -1;

	mig_scan_begin(&scan, text);
	while (mig_scan_next(&scan))
	{
		const char *token = mig_scan_text(&scan);

		if (scan.length == 1 && (token[0] == '(' || token[0] == ')'))
			depth += token[0] == '(' ? 1 : -1;
		else if (depth == 0 && mig_scan_is(&scan, "WHERE"))
			where = scan.start;
	}
	mig_scan_end(&scan);
	return where;
}

static char *
batch_text(const char *text, const char *range)
{
	int			where = find_where(text);

	if (where < 0)
		return psprintf("%s\nWHERE %s", text, range);
	/* the line break ends a comment */
	return psprintf("%.*sWHERE (%s\n) AND %s", where, text, text + where + strlen("WHERE"), range);
}

/* "(a.id, a.n)" or "a.id", under the alias that the statement uses. */
static char *
key_row(const Parts *parts, List *keys)
{
	const char *alias = parts->relation->alias ? parts->relation->alias->aliasname :
		parts->relation->relname;
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, keys)
		appendStringInfo(&buf, "%s%s.%s", buf.len ? ", " : "", mig_sql_name(alias),
						 mig_sql_name(lfirst(lc)));
	return list_length(keys) > 1 ? psprintf("(%s)", buf.data) : buf.data;
}

/* "($1, $2)" with the types of the columns. */
static char *
parameter_row(const MigOnline *online, List *keys, int first)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, keys)
	{
		AttrNumber	column = get_attnum(online->name->relid, lfirst(lc));

		appendStringInfo(&buf, "%s$%d::%s", buf.len ? ", " : "", first + foreach_current_index(lc),
						 mig_sql_column_type(online->name->relid, column));
	}
	return list_length(keys) > 1 ? psprintf("(%s)", buf.data) : buf.data;
}

/* --- the decision --- */

static List *
whole(MigOnline *online, const char *reason)
{
	List	   *parts = NIL;
	MigPart    *part = mig_part(&parts, "%s", online->stmt->text);

	part->phase = MIG_MIGRATE;
	part->own_transaction = true;
	part->note = psprintf("runs as one statement: %s", reason);
	return parts;
}

static List *
batched(MigOnline *online, const Parts *apart, List *keys)
{
	List	   *parts = NIL;
	MigPart    *part;
	char	   *range;

	if (keys == NIL)
	{
		const char *alias = mig_sql_name(apart->relation->alias ? apart->relation->alias->aliasname :
										 apart->relation->relname);

		range = psprintf("%s.ctid >= $1::tid AND %s.ctid < $2::tid", alias, alias);
	}
	else
		range = psprintf("%s > %s AND %s <= %s", key_row(apart, keys), parameter_row(online, keys, 1),
						 key_row(apart, keys), parameter_row(online, keys, list_length(keys) + 1));
	part = mig_part(&parts, "%s", batch_text(online->stmt->text, range));
	part->kind = MIG_STEP_BACKFILL;
	part->phase = MIG_MIGRATE;
	part->relation = online->name->text;
	part->note = keys ? "in batches by key" : "in batches by ranges of blocks";
	part->undo_given = true;
	part->undo = online->effect->undo;
	part->batches = palloc0(sizeof(MigBatches));
	part->batches->table = online->name->text;
	part->batches->whole = pstrdup(online->stmt->text);
	part->batches->keys = keys;
	if (keys == NIL)
		return parts;
	part->batches->single = batch_text(online->stmt->text,
									   psprintf("%s = %s", key_row(apart, keys),
												parameter_row(online, keys, 1)));
	part->batches->first = batch_text(online->stmt->text,
									  psprintf("%s <= %s", key_row(apart, keys),
											   parameter_row(online, keys, 1)));
	return parts;
}

List *
mig_online_rows(MigOnline *online)
{
	Parts		parts = {0};
	Search		search = {0};
	List	   *keys = NIL;
	ListCell   *lc;

	if (mig_online_is_small(online))
		return NIL;
	take_apart(online->node, &parts);
	search.relation = parts.relation;
	(void) raw_expression_tree_walker(online->node, search_walker, &search);
	if (parts.with || parts.returning)
		return whole(online, "WITH and RETURNING see all of it at once");
	if (online->name->relkind != RELKIND_RELATION)
		return whole(online, "it is not about a plain table");
	if (search.itself)
		return whole(online, "it reads the table that it changes");
	if (!parts.joins && !search.sublinks &&
		(IsA(online->node, DeleteStmt) || makes_itself_false(online, &parts)))
		return batched(online, &parts, NIL);

	foreach(lc, mig_relation_primary_key(online->name->relid))
		keys = lappend(keys, strVal(lfirst(lc)));
	if (keys == NIL)
		return whole(online, "the table has no primary key");
	foreach(lc, keys)
		if (sets_column(&parts, lfirst(lc)))
			return whole(online, "it sets the key");
	return batched(online, &parts, keys);
}
