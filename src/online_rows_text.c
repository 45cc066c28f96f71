/*-------------------------------------------------------------------------
 *
 * online_rows_text.c
 *	  UPDATE, DELETE and INSERT ... SELECT as text: narrowed by a condition,
 *	  said of another table.
 *
 * The text stays as it was written but for what is put in.  What comes out is
 * parsed again and has to be the same statement, apart from the condition and
 * the target.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "parser/parser.h"

#include "online_rows.h"
#include "scan.h"

/* Tokens outside of any parentheses. */
typedef struct Cutter
{
	MigScan		scan;
	int			depth;
	bool		at_end;
} Cutter;

/* The next one, wherever it is. */
static bool
any_token(Cutter *cutter)
{
	cutter->at_end = cutter->at_end || !mig_scan_next(&cutter->scan);
	return !cutter->at_end;
}

static bool
next_token(Cutter *cutter)
{
	while (any_token(cutter))
	{
		const char *token = mig_scan_text(&cutter->scan);
		bool		outside = cutter->depth == 0;

		if (cutter->scan.length == 1 && token[0] == '(')
			cutter->depth++;
		else if (cutter->scan.length == 1 && token[0] == ')')
			cutter->depth--;
		else if (outside)
			return true;
	}
	return false;
}

static bool
skip_to(Cutter *cutter, const char *word)
{
	while (next_token(cutter))
		if (mig_scan_is(&cutter->scan, word))
			return true;
	return false;
}

static bool
is_sign(const Cutter *cutter, char sign)
{
	return cutter->scan.length == 1 && mig_scan_text(&cutter->scan)[0] == sign;
}

/* [ONLY] a[.b[.c]] [*]; the scan ends behind it.  False: the end of the text, or of another form. */
static bool
cut_relation(Cutter *cutter, MigPlaces *places)
{
	bool		more = true;

	if (!any_token(cutter))
		return false;
	places->relation = cutter->scan.start;
	if (mig_scan_is(&cutter->scan, "only") && !any_token(cutter))
		return false;
	while (more && mig_scan_word(&cutter->scan) != NULL)
	{
		places->relation_end = cutter->scan.start + cutter->scan.length;
		more = any_token(cutter) && is_sign(cutter, '.') && any_token(cutter);
	}
	if (!cutter->at_end && is_sign(cutter, '*'))
	{
		places->relation_end = cutter->scan.start + 1;
		(void) any_token(cutter);
	}
	return places->relation_end > places->relation;
}

/* Where WHERE is, or would be, and where that ends; the current token counts. */
static void
cut_where(Cutter *cutter, MigPlaces *places, bool inserts)
{
	int			on = -1;
	bool		more = !cutter->at_end;

	for (; more; more = next_token(cutter))
	{
		int			start = cutter->scan.start;

		if (mig_scan_is(&cutter->scan, "returning"))
		{
			places->end = start;
			return;
		}
		if (inserts && on >= 0 && mig_scan_is(&cutter->scan, "conflict"))
		{
			places->end = on;
			return;
		}
		on = mig_scan_is(&cutter->scan, "on") ? start : -1;
		if (places->where < 0 && mig_scan_is(&cutter->scan, "where"))
			places->where = start;
	}
}

bool
mig_rows_cut(const MigRows *rows, MigPlaces *places)
{
	const char *text = rows->online->stmt->text;
	bool		inserts = !rows->update && !rows->delete;
	Cutter		cutter = {0};
	bool		ok;

	memset(places, 0, sizeof(MigPlaces));
	places->where = -1;
	places->end = strlen(text);
	mig_scan_begin(&cutter.scan, text);
	ok = skip_to(&cutter, rows->update ? "update" : rows->delete ? "delete" : "insert");
	if (ok && inserts)
		ok = skip_to(&cutter, "select");
	else if (ok)
		ok = (rows->update || skip_to(&cutter, "from")) && cut_relation(&cutter, places);
	if (ok)
		cut_where(&cutter, places, inserts);
	mig_scan_end(&cutter.scan);
	return ok;
}

/* The parse tree without what may differ. */
static Node *
stripped(Node *node)
{
	node = copyObject(node);
	if (IsA(node, UpdateStmt))
	{
		((UpdateStmt *) node)->relation = NULL;
		((UpdateStmt *) node)->whereClause = NULL;
	}
	else if (IsA(node, DeleteStmt))
	{
		((DeleteStmt *) node)->relation = NULL;
		((DeleteStmt *) node)->whereClause = NULL;
	}
	else
		((SelectStmt *) ((InsertStmt *) node)->selectStmt)->whereClause = NULL;
	return node;
}

static bool
is_same(const MigRows *rows, const char *text)
{
	List	   *parsed = raw_parser(text, RAW_PARSE_DEFAULT);
	Node	   *node;

	if (list_length(parsed) != 1)
		return false;
	node = linitial_node(RawStmt, parsed)->stmt;
	return nodeTag(node) == nodeTag(rows->online->node) &&
		equal(stripped(node), stripped(rows->online->node));
}

char *
mig_rows_narrow(const MigRows *rows, const MigPlaces *places, const char *instead, const char *condition)
{
	const char *text = rows->online->stmt->text;
	int			word = strlen("where");
	int			head = places->where < 0 ? places->end : places->where;
	StringInfoData buf;

	initStringInfo(&buf);
	if (instead)
	{
		appendBinaryStringInfo(&buf, text, places->relation);
		appendStringInfo(&buf, "%s%.*s", instead, head - places->relation_end, text + places->relation_end);
	}
	else
		appendBinaryStringInfo(&buf, text, head);
	/* a line break ends a comment */
	if (condition == NULL)
		appendStringInfo(&buf, "%.*s", places->end - head, text + head);
	else if (places->where < 0)
		appendStringInfo(&buf, "\nWHERE %s", condition);
	else
		appendStringInfo(&buf, "WHERE (%.*s\n) AND %s", places->end - head - word, text + head + word, condition);
	if (text[places->end])
		appendStringInfo(&buf, "\n%s", text + places->end);
	return is_same(rows, buf.data) ? buf.data : NULL;
}
