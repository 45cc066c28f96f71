/*-------------------------------------------------------------------------
 *
 * online_slice.c
 *	  Cutting a statement's text where its parse tree cannot be printed.
 *
 * The server has no deparser for raw parse trees, so what is kept of a
 * statement is kept as text.  A cut is believed only if parsing the pieces
 * yields the same trees again (equal() ignores locations).
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/nodes.h"
#include "parser/parser.h"
#include "utils/memutils.h"

#include "online_int.h"
#include "scan.h"

static int
depth_change(const MigScan *scan)
{
	char		c = scan->length == 1 ? mig_scan_text(scan)[0] : '\0';

	return c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
}

/* Behind ALTER TABLE [IF EXISTS] [ONLY] name [*]: the offset of the first subcommand. */
static int
first_subcommand(const char *text)
{
	MigScan		scan;
	bool		in_name = false;
	bool		after_dot = false;
	int			result = -1;

	mig_scan_begin(&scan, text);
	while (result < 0 && mig_scan_next(&scan))
	{
		if (!in_name)
		{
			if (mig_scan_is(&scan, "ALTER") || mig_scan_is(&scan, "TABLE") ||
				mig_scan_is(&scan, "IF") || mig_scan_is(&scan, "EXISTS") ||
				mig_scan_is(&scan, "ONLY"))
				continue;
			in_name = true;
		}
		else if (mig_scan_is(&scan, "."))
			after_dot = true;
		else if (after_dot)
			after_dot = false;
		else if (!mig_scan_is(&scan, "*"))
			result = scan.start;
	}
	mig_scan_end(&scan);
	return result;
}

static char *
trimmed(const char *text, int from, int to)
{
	while (from < to && isspace((unsigned char) text[from]))
		from++;
	while (to > from && isspace((unsigned char) text[to - 1]))
		to--;
	return pnstrdup(text + from, to - from);
}

/* The pieces between commas outside of any parentheses. */
static List *
cut_at_commas(const char *text, int from)
{
	List	   *pieces = NIL;
	MigScan		scan;
	int			depth = 0;
	int			end = from;

	mig_scan_begin(&scan, text);
	while (mig_scan_next(&scan))
	{
		if (scan.start < from)
			continue;
		depth += depth_change(&scan);
		if (depth == 0 && mig_scan_is(&scan, ","))
		{
			pieces = lappend(pieces, trimmed(text, from, end));
			from = scan.start + scan.length;
		}
		end = scan.start + scan.length;
	}
	mig_scan_end(&scan);
	return lappend(pieces, trimmed(text, from, end));
}

List *
mig_slice_commas(const char *text)
{
	return cut_at_commas(text, 0);
}

static bool
is_same_command(const char *piece, AlterTableCmd *cmd)
{
	List	   *trees = raw_parser(psprintf("ALTER TABLE t %s", piece), RAW_PARSE_DEFAULT);
	AlterTableStmt *stmt;

	if (list_length(trees) != 1)
		return false;
	stmt = (AlterTableStmt *) linitial_node(RawStmt, trees)->stmt;
	return IsA(stmt, AlterTableStmt) && list_length(stmt->cmds) == 1 &&
		equal(linitial(stmt->cmds), cmd);
}

List *
mig_slice_alter(const char *text, AlterTableStmt *stmt)
{
	int			from = first_subcommand(text);
	List	   *pieces;

	if (from < 0)
		return NIL;
	pieces = cut_at_commas(text, from);
	if (list_length(pieces) != list_length(stmt->cmds))
		return NIL;
	for (int i = 0; i < list_length(pieces); i++)
		if (!is_same_command(list_nth(pieces, i), list_nth(stmt->cmds, i)))
			return NIL;
	return pieces;
}

char *
mig_slice_parentheses(const char *text, const char *word)
{
	MigScan		scan;
	bool		seen = false;
	int			depth = 0;
	int			from = -1;
	char	   *result = NULL;

	mig_scan_begin(&scan, text);
	while (result == NULL && mig_scan_next(&scan))
	{
		int			change = depth_change(&scan);

		seen |= mig_scan_is(&scan, word);
		if (!seen || change == 0)
			continue;
		if (from < 0 && change > 0)
			from = scan.start + scan.length;
		depth += change;
		if (from >= 0 && depth == 0)
			result = trimmed(text, from, scan.start);
	}
	mig_scan_end(&scan);
	return result;
}

/* --- ADD COLUMN --- */

#define ALTER_PREFIX "ALTER TABLE t "

static AlterTableCmd *
parse_command(const char *sql)
{
	List	   *trees = raw_parser(sql, RAW_PARSE_DEFAULT);
	AlterTableStmt *stmt;

	if (list_length(trees) != 1)
		return NULL;
	stmt = (AlterTableStmt *) linitial_node(RawStmt, trees)->stmt;
	return IsA(stmt, AlterTableStmt) && list_length(stmt->cmds) == 1 ? linitial(stmt->cmds) : NULL;
}

Constraint *
mig_slice_constraint(const char *text)
{
	AlterTableCmd *cmd = NULL;

	if (text)
		cmd = parse_command(pg_strncasecmp(text, "ADD", 3) == 0 ? psprintf(ALTER_PREFIX "%s", text) : text);
	return cmd && cmd->subtype == AT_AddConstraint ? castNode(Constraint, cmd->def) : NULL;
}

char *
mig_slice_behind(const char *text, int nth)
{
	MigScan		scan;
	char	   *result = NULL;

	mig_scan_begin(&scan, text);
	while (result == NULL && mig_scan_next(&scan))
		if (--nth == 0)
			result = trimmed(text, scan.start + scan.length, strlen(text));
	mig_scan_end(&scan);
	return result;
}

/* DEFERRABLE and the like belong to the constraint before them. */
static bool
is_attribute(const Constraint *con)
{
	switch (con->contype)
	{
		case CONSTR_NULL:
		case CONSTR_NOTNULL:
		case CONSTR_DEFAULT:
		case CONSTR_IDENTITY:
		case CONSTR_GENERATED:
		case CONSTR_CHECK:
		case CONSTR_PRIMARY:
		case CONSTR_UNIQUE:
		case CONSTR_FOREIGN:
			return false;
		default:
			return true;
	}
}

static int
compare_ints(const ListCell *a, const ListCell *b)
{
	return lfirst_int(a) - lfirst_int(b);
}

bool
mig_slice_column(const char *text, MigColumnText *column)
{
	char	   *sql = psprintf(ALTER_PREFIX "%s", text);
	AlterTableCmd *cmd = parse_command(sql);
	List	   *places = NIL;	/* where constraints and COLLATE begin */
	ListCell   *lc;

	memset(column, 0, sizeof(MigColumnText));
	if (cmd == NULL || cmd->subtype != AT_AddColumn)
		return false;
	column->def = castNode(ColumnDef, cmd->def);
	column->collate = "";
	foreach(lc, column->def->constraints)
		if (!is_attribute(lfirst(lc)))
			places = lappend_int(places, lfirst_node(Constraint, lc)->location);
	if (column->def->collClause)
		places = lappend_int(places, column->def->collClause->location);
	list_sort(places, compare_ints);
	if (places != NIL && linitial_int(places) <= (int) strlen(ALTER_PREFIX))
		return false;
	places = lappend_int(places, strlen(sql));
	column->head = trimmed(sql, strlen(ALTER_PREFIX), linitial_int(places));
	foreach(lc, column->def->constraints)
	{
		Constraint *con = lfirst_node(Constraint, lc);

		if (is_attribute(con))
			continue;
		column->constraints = lappend(column->constraints, con);
	}
	for (int i = 0; i + 1 < list_length(places); i++)
	{
		char	   *piece = trimmed(sql, list_nth_int(places, i), list_nth_int(places, i + 1));

		if (column->def->collClause && list_nth_int(places, i) == column->def->collClause->location)
			column->collate = piece;
		else
			column->texts = lappend(column->texts, piece);
	}
	return list_length(column->texts) == list_length(column->constraints);
}
