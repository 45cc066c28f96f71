/*-------------------------------------------------------------------------
 *
 * online_index_text.c
 *	  CREATE INDEX as text: the same on another table, and what its columns
 *	  are, as expressions.
 *
 * What stands behind the table's name is kept as it is.  A text is believed
 * only if it parses to the tree that is meant.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "parser/parser.h"

#include "online_int.h"
#include "scan.h"
#include "sqlgen.h"

static Node *
parse_one(const char *sql)
{
	List	   *trees = raw_parser(sql, RAW_PARSE_DEFAULT);

	return list_length(trees) == 1 ? linitial_node(RawStmt, trees)->stmt : NULL;
}

/* --- on another table --- */

/* What stands behind ON [ONLY] name [*]; NULL if that is not found. */
static const char *
behind_table(const char *text)
{
	MigScan		scan;
	bool		found = false;
	bool		named = false;	/* the next word does not belong to the name */
	int			end = -1;

	mig_scan_begin(&scan, text);
	while (mig_scan_next(&scan))
	{
		bool		dot = mig_scan_is(&scan, ".");

		if (!found)
		{
			found = mig_scan_is(&scan, "on");
			continue;
		}
		if (!named && (mig_scan_is(&scan, "only") || mig_scan_is(&scan, "(")))
			continue;
		if (named && end > 0 && !dot && !mig_scan_is(&scan, "*") && !mig_scan_is(&scan, ")"))
			break;
		if (named && mig_scan_is(&scan, "("))
			break;
		named = !dot;
		end = scan.start + scan.length;
	}
	mig_scan_end(&scan);
	return end > 0 ? text + end : NULL;
}

char *
mig_index_text(const char *text, const IndexStmt *stmt, const char *name,
			   const MigName *table, bool concurrently, bool only)
{
	const char *tail = behind_table(text);
	IndexStmt  *meant = copyObject(unconstify(IndexStmt *, stmt));
	char	   *sql;

	if (tail == NULL)
		return NULL;
	meant->idxname = pstrdup(name);
	meant->relation = makeRangeVar(table->nspname, table->relname, -1);
	meant->relation->inh = !only;
	meant->concurrent = concurrently;
	meant->if_not_exists = false;
	sql = psprintf("CREATE %sINDEX %s%s ON %s%s%s", stmt->unique ? "UNIQUE " : "",
				   concurrently ? "CONCURRENTLY " : "", mig_sql_name(name),
				   only ? "ONLY " : "", table->text, tail);
	return equal(parse_one(sql), meant) ? sql : NULL;
}

/* --- rows that are there twice --- */

/* "lower(b)" of "lower(b) DESC": up to where its parentheses are closed. */
static char *
leading_expression(const char *text)
{
	MigScan		scan;
	int			depth = 0;
	int			end = -1;

	mig_scan_begin(&scan, text);
	while (end < 0 && mig_scan_next(&scan))
	{
		depth += mig_scan_is(&scan, "(") ? 1 : mig_scan_is(&scan, ")") ? -1 : 0;
		if (depth == 0 && mig_scan_is(&scan, ")"))
			end = scan.start + scan.length;
	}
	mig_scan_end(&scan);
	return end > 0 ? pnstrdup(text, end) : NULL;
}

static char *
collation_text(List *collation)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, collation)
		appendStringInfo(&buf, "%s%s", buf.len ? "." : " COLLATE ", mig_sql_name(strVal(lfirst(lc))));
	return buf.data;
}

/* The value of an index column, as it is grouped by; NULL if equality may be another. */
static char *
column_expression(const IndexElem *elem, const char *piece)
{
	char	   *expr = elem->name ? mig_sql_name(elem->name) : leading_expression(piece);
	SelectStmt *select;

	if (expr == NULL || elem->opclass != NIL)
		return NULL;
	if (elem->name == NULL)
	{
		select = (SelectStmt *) parse_one(psprintf("SELECT %s", expr));
		if (select == NULL || !IsA(select, SelectStmt) || list_length(select->targetList) != 1 ||
			!equal(linitial_node(ResTarget, select->targetList)->val, elem->expr))
			return NULL;
	}
	return psprintf("%s%s", expr, collation_text(elem->collation));
}

/* What stands behind WHERE, which comes last; NULL if it cannot be found. */
static char *
predicate_text(const char *tail, const IndexStmt *stmt)
{
	MigScan		scan;
	int			depth = 0;
	int			from = -1;
	SelectStmt *select;

	mig_scan_begin(&scan, tail);
	while (from < 0 && mig_scan_next(&scan))
	{
		depth += mig_scan_is(&scan, "(") ? 1 : mig_scan_is(&scan, ")") ? -1 : 0;
		if (depth == 0 && mig_scan_is(&scan, "where"))
			from = scan.start + scan.length;
	}
	mig_scan_end(&scan);
	if (from < 0)
		return NULL;
	select = (SelectStmt *) parse_one(psprintf("SELECT WHERE %s", tail + from));
	return select && IsA(select, SelectStmt) && equal(select->whereClause, stmt->whereClause) ?
		pstrdup(tail + from) : NULL;
}

char *
mig_index_duplicates(const char *text, const IndexStmt *stmt, const char *table)
{
	const char *tail = behind_table(text);
	char	   *columns = tail ? mig_slice_parentheses(psprintf("ON %s", tail), "on") : NULL;
	char	   *predicate = NULL;
	List	   *pieces;
	StringInfoData list,
				where;

	if (columns == NULL)
		return NULL;
	pieces = mig_slice_commas(columns);
	if (list_length(pieces) != list_length(stmt->indexParams))
		return NULL;
	initStringInfo(&list);
	initStringInfo(&where);
	if (stmt->whereClause)
	{
		predicate = predicate_text(tail, stmt);
		if (predicate == NULL)
			return NULL;
		appendStringInfo(&where, " WHERE (%s)", predicate);
	}
	for (int i = 0; i < list_length(pieces); i++)
	{
		char	   *expr = column_expression(list_nth(stmt->indexParams, i), list_nth(pieces, i));

		if (expr == NULL)
			return NULL;
		appendStringInfo(&list, "%s%s", i ? ", " : "", expr);
		if (!stmt->nulls_not_distinct)
			appendStringInfo(&where, "%s%s IS NOT NULL", where.len ? " AND " : " WHERE ", expr);
	}
	return psprintf("SELECT %s FROM %s%s GROUP BY %s HAVING pg_catalog.count(*) > 1",
					list.data, table, where.data, list.data);
}
