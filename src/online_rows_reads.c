/*-------------------------------------------------------------------------
 *
 * online_rows_reads.c
 *	  What a statement over many rows reads, and whether that forbids to
 *	  carry it out part after part.
 *
 * As one statement, it sees everything as it was before its first change.  In
 * batches, each sees what those before have done.  That is the same unless
 * the statement reads what it changes: the table itself, directly, through a
 * view, a parent or a partition; a table that its foreign keys change with it;
 * or, if there are triggers, any table.  And it is the same for the
 * constraints unless one has to hold only at the end of the statement: a
 * foreign key from the table to itself, a key that is deferrable.
 *
 * The raw parse tree is looked at, since earlier statements may have to make
 * what it names; where a name could be that of a common table expression or
 * of a table, it counts as both.  What a function reads is not seen: one that
 * reads the table which the statement changes sees what has been changed by
 * then, as a volatile one does in any UPDATE.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "online_rows.h"
#include "relation.h"

/* --- what it reads --- */

typedef struct Search
{
	const MigRows *rows;
	MigReads   *reads;
	List	   *ctes;			/* of char * */
} Search;

static bool
query_walker(Node *node, MigReads *reads);

static void
add_relation(MigReads *reads, Oid relid)
{
	Relation	rel;

	if (list_member_oid(reads->relids, relid))
		return;
	/* first, as before 16 the query of a view names the view */
	reads->relids = lappend_oid(reads->relids, relid);
	if (get_rel_relkind(relid) != RELKIND_VIEW)
		return;
	if (!mig_relation_lock(relid, mig_relation_text(relid)))
		return;
	rel = RelationIdGetRelation(relid);
	(void) query_walker((Node *) copyObject(get_view_query(rel)), reads);
	RelationClose(rel);
	mig_relation_unlock(relid);
}

/* The tables of a view. */
static bool
query_walker(Node *node, MigReads *reads)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		if (((RangeTblEntry *) node)->rtekind == RTE_RELATION)
			add_relation(reads, ((RangeTblEntry *) node)->relid);
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, query_walker, reads, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, query_walker, reads);
}

static bool
is_cte(const Search *search, const RangeVar *rv)
{
	ListCell   *lc;

	if (rv->schemaname)
		return false;
	foreach(lc, search->ctes)
		if (strcmp(lfirst(lc), rv->relname) == 0)
			return true;
	return false;
}

static void
read_relation(Search *search, const RangeVar *rv)
{
	MigName    *name = mig_overlay_find(search->rows->online->overlay, rv->schemaname, rv->relname);

	if (OidIsValid(name->relid))
		add_relation(search->reads, name->relid);
	else if (!is_cte(search, rv))
		search->reads->unknown = true;
}

/* "t" and "t.*" of the table gone through, and "s.t.c" of any. */
static bool
is_whole_row(const Search *search, ColumnRef *ref)
{
	const RangeVar *rv = search->rows->relation;
	const char *alias;

	if (list_length(ref->fields) > 2)
		return true;
	if (rv == NULL)
		return false;
	alias = rv->alias ? rv->alias->aliasname : rv->relname;
	return IsA(linitial(ref->fields), String) && strcmp(strVal(linitial(ref->fields)), alias) == 0 &&
		(list_length(ref->fields) == 1 || IsA(lsecond(ref->fields), A_Star));
}

static bool
search_walker(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_RangeVar:
			if (node != (Node *) search->rows->relation && node != (Node *) search->rows->target)
				read_relation(search, (RangeVar *) node);
			return false;
		case T_SubLink:
			search->reads->sublinks = true;
			break;
		case T_CurrentOfExpr:
			search->reads->cursor = true;
			break;
		case T_ColumnRef:
			if (is_whole_row(search, (ColumnRef *) node))
				search->reads->whole_row = true;
			break;
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
			search->reads->writes = true;
			break;
		default:
			break;
	}
	return raw_expression_tree_walker(node, search_walker, search);
}

static bool
cte_walker(Node *node, List **ctes)
{
	if (node == NULL)
		return false;
	if (IsA(node, CommonTableExpr))
		*ctes = lappend(*ctes, ((CommonTableExpr *) node)->ctename);
	return raw_expression_tree_walker(node, cte_walker, ctes);
}

void
mig_rows_read(const MigRows *rows, MigReads *reads)
{
	Search		search = {rows, reads, NIL};

	memset(reads, 0, sizeof(MigReads));
	(void) raw_expression_tree_walker(rows->online->node, cte_walker, &search.ctes);
	(void) raw_expression_tree_walker(rows->online->node, search_walker, &search);
}

/* --- what it changes --- */

static List *
tree_of(Oid relid)
{
	if (!OidIsValid(relid))
		return NIL;				/* an earlier statement makes it */
	return lcons_oid(relid, mig_relation_children(relid));
}

static bool
overlap(const List *a, const List *b)
{
	const ListCell *lc;

	foreach(lc, a)
		if (list_member_oid(b, lfirst_oid(lc)))
			return true;
	return false;
}

/* Does a foreign key change the rows that refer to one which is changed? */
static bool
passes_on(Oid conoid)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(conoid));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);

		result = strchr("cnd", con->confdeltype) != NULL || strchr("cnd", con->confupdtype) != NULL;
		ReleaseSysCache(tuple);
	}
	return result;
}

/* All tables whose rows may change, by foreign keys, when those of the tree do; the tree left out. */
static List *
changed_with(const List *tree)
{
	List	   *changed = NIL;
	List	   *todo = list_copy(tree);

	while (todo != NIL)
	{
		Oid			relid = llast_oid(todo);
		ListCell   *lc;

		todo = list_delete_last(todo);
		foreach(lc, mig_relation_foreign_keys(relid))
		{
			MigForeignKey *key = lfirst(lc);

			if (key->to != relid || list_member_oid(changed, key->from) ||
				list_member_oid(tree, key->from) || !passes_on(key->conoid))
				continue;
			changed = lappend_oid(changed, key->from);
			todo = lappend_oid(todo, key->from);
		}
	}
	return changed;
}

static bool
sets_any(const MigRows *rows, Oid relid, const List *columns)
{
	ListCell   *lc;

	foreach(lc, rows->targets)
		if (list_member_int(columns, get_attnum(relid, lfirst_node(ResTarget, lc)->name)))
			return true;
	return false;
}

/* A foreign key within the tree that the statement must satisfy only at its end. */
static bool
refers_to_itself(const MigRows *rows, const List *tree)
{
	const ListCell *lc,
			   *lk;

	foreach(lc, tree)
		foreach(lk, mig_relation_foreign_keys(lfirst_oid(lc)))
		{
			MigForeignKey *key = lfirst(lk);

			if (!list_member_oid(tree, key->from) || !list_member_oid(tree, key->to))
				continue;
			if (!rows->update || sets_any(rows, key->from, key->from_columns) ||
				sets_any(rows, key->to, key->to_columns))
				return true;
		}
	return false;
}

static bool
is_deferrable_key_on(const MigRows *rows, Oid relid, Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	List	   *columns = NIL;
	Form_pg_index index;
	bool		deferrable;

	if (!HeapTupleIsValid(tuple))
		return false;
	index = (Form_pg_index) GETSTRUCT(tuple);
	deferrable = !index->indimmediate;
	for (int i = 0; i < index->indnkeyatts; i++)
		columns = lappend_int(columns, index->indkey.values[i]);
	ReleaseSysCache(tuple);
	return deferrable && sets_any(rows, relid, columns);
}

static bool
sets_deferrable_key(const MigRows *rows, const List *tree)
{
	const ListCell *lc,
			   *li;

	foreach(lc, tree)
		foreach(li, mig_relation_indexes(lfirst_oid(lc)))
			if (is_deferrable_key_on(rows, lfirst_oid(lc), lfirst_oid(li)))
				return true;
	return false;
}

static bool
have_triggers(const List *relids)
{
	const ListCell *lc;

	foreach(lc, relids)
		if (mig_relation_has_triggers(lfirst_oid(lc)))
			return true;
	return false;
}

const char *
mig_rows_entangled(const MigRows *rows, const MigReads *reads)
{
	Oid			target = rows->online->name->relid;
	List	   *tree = tree_of(target);
	List	   *changed = changed_with(tree);
	List	   *seen = NIL;
	ListCell   *lc;

	foreach(lc, reads->relids)
		seen = list_concat_unique_oid(seen, tree_of(lfirst_oid(lc)));
	if (!rows->update && !rows->delete)
		seen = list_concat_unique_oid(seen, tree_of(rows->source->relid));
	if (reads->cursor)
		return "it is about the row of a cursor";
	if (reads->writes)
		return "its WITH changes rows, too";
	if (overlap(seen, tree))
		return "it reads the table that it changes";
	if (reads->unknown)
		return "it reads what is not there yet";
	if (overlap(seen, changed))
		return "it reads a table that foreign keys change with this one";
	if (seen != NIL && (rows->online->name->triggers || have_triggers(list_concat_unique_oid(list_copy(tree), changed))))
		return "it reads other tables, which triggers may change";
	if (refers_to_itself(rows, tree))
		return "a foreign key of the table to itself has to hold only at its end";
	if (rows->update && sets_deferrable_key(rows, tree))
		return "a deferrable key has to hold only at its end";
	return NULL;
}

/* --- what it would read again and again --- */

typedef struct Equals
{
	Oid			relid;
	bool		found;
} Equals;

static bool
is_indexed_column(Oid relid, Node *node)
{
	AttrNumber	column;

	if (node == NULL || !IsA(node, ColumnRef) || !IsA(llast(((ColumnRef *) node)->fields), String))
		return false;
	column = get_attnum(relid, strVal(llast(((ColumnRef *) node)->fields)));
	return column != InvalidAttrNumber &&
		mig_relation_is_indexed(relid, list_make1_int(column), InvalidOid);
}

/* "other.a = ...", or "... IN (SELECT a FROM other)", where an index of the other leads with a */
static bool
equals_walker(Node *node, Equals *equals)
{
	if (node == NULL)
		return false;
	if (IsA(node, A_Expr) && ((A_Expr *) node)->kind == AEXPR_OP &&
		strcmp(strVal(llast(((A_Expr *) node)->name)), "=") == 0)
		equals->found |= is_indexed_column(equals->relid, ((A_Expr *) node)->lexpr) ||
			is_indexed_column(equals->relid, ((A_Expr *) node)->rexpr);
	if (IsA(node, SubLink) && ((SubLink *) node)->subLinkType == ANY_SUBLINK &&
		IsA(((SubLink *) node)->subselect, SelectStmt))
	{
		List	   *targets = ((SelectStmt *) ((SubLink *) node)->subselect)->targetList;

		if (list_length(targets) == 1)
			equals->found |= is_indexed_column(equals->relid, linitial_node(ResTarget, targets)->val);
	}
	return raw_expression_tree_walker(node, equals_walker, equals);
}

const char *
mig_rows_read_again(const MigRows *rows, const MigReads *reads)
{
	ListCell   *lc;

	foreach(lc, reads->relids)
	{
		Equals		equals = {lfirst_oid(lc), false};

		if (get_rel_relkind(equals.relid) == RELKIND_VIEW || mig_online_small_table(equals.relid))
			continue;
		(void) raw_expression_tree_walker(rows->online->node, equals_walker, &equals);
		if (!equals.found)
			return mig_relation_text(equals.relid);
	}
	return NULL;
}
