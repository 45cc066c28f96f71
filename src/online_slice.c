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
