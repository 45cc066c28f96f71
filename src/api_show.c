/*-------------------------------------------------------------------------
 *
 * api_show.c
 *	  Text for people: show(version), graph(format).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "catalog.h"
#include "catalog_watch.h"
#include "graph.h"
#include "words.h"

#define COMMAND_LEN 72			/* bytes of a command that show() prints */

PG_FUNCTION_INFO_V1(mig_show);
PG_FUNCTION_INFO_V1(mig_graph);

typedef enum Format
{
	FORMAT_TEXT,
	FORMAT_DOT,
	FORMAT_MERMAID
} Format;

static Format
format_of(const char *word)
{
	if (strcmp(word, "text") == 0)
		return FORMAT_TEXT;
	if (strcmp(word, "dot") == 0)
		return FORMAT_DOT;
	if (strcmp(word, "mermaid") == 0)
		return FORMAT_MERMAID;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a graph has no format \"%s\"", word),
			 errhint("Use \"text\", \"dot\" or \"mermaid\".")));
	return FORMAT_TEXT;			/* keep compiler quiet */
}

/* On one line, and fit for the inside of a quoted string in DOT and Mermaid. */
static void
add_label(StringInfo out, const char *text, Format format)
{
	for (const char *p = text; *p; p++)
	{
		if (iscntrl((unsigned char) *p))
			appendStringInfoChar(out, ' ');
		else if (format == FORMAT_MERMAID && strchr("\"#<>&`;", *p))
			appendStringInfo(out, "#%d;", (unsigned char) *p);
		else
		{
			if (format == FORMAT_DOT && (*p == '"' || *p == '\\'))
				appendStringInfoChar(out, '\\');
			appendStringInfoChar(out, *p);
		}
	}
}

static void
add_title(StringInfo out, const Migration *m, Format format)
{
	add_label(out, m->version, format);
	if (m->name)
	{
		appendStringInfoChar(out, ' ');
		add_label(out, m->name, format);
	}
}

/* --- show() --- */

/* The way out of a failed or paused state: the verb that goes on. */
static const char *
verb_of(MigDirection direction)
{
	return direction == MIG_DIR_APPLY ? "apply" :
		direction == MIG_DIR_COMPLETE ? "complete" : "rollback";
}

static MigStep *
doubtful_step(const MigPlan *plan)
{
	ListCell   *lc;

	if (plan)
		foreach(lc, plan->steps)
		{
			MigStep    *step = lfirst(lc);

			if (strcmp(step->state, "doubtful") == 0)
				return step;
		}
	return NULL;
}

/* Failed for no fault of its own: see the view migrate_internal.shown. */
static bool
was_stopped(const Migration *m)
{
	return m->error && (strcmp(m->error, "interrupted") == 0 ||
						strcmp(m->error, "copied") == 0);
}

/* What to do next, as a command that can be copied. */
static void
add_next(StringInfo out, const Migration *m, const MigPlan *plan)
{
	const char *version = quote_literal_cstr(m->version);
	MigStep    *doubtful = doubtful_step(plan);

	appendStringInfoString(out, "next: ");
	switch (m->state)
	{
		case MIG_PENDING:
			appendStringInfo(out, "CALL migrate.apply(%s)\n", version);
			break;
		case MIG_RUNNING:
		case MIG_COMPLETING:
		case MIG_ROLLING_BACK:
			appendStringInfo(out, "CALL migrate.wait(%s); to stop it: SELECT migrate.pause(%s)\n",
							 version, version);
			break;
		case MIG_EXPANDED:
			appendStringInfo(out, "old and new code both work; when the old code is gone: CALL migrate.complete(%s); to go back: CALL migrate.rollback(%s)\n",
							 version, version);
			break;
		case MIG_APPLIED:
			appendStringInfo(out, "nothing; to go back: CALL migrate.rollback(%s)\n", version);
			break;
		case MIG_PAUSED:
			appendStringInfo(out, "CALL migrate.%s(%s)", verb_of(m->direction), version);
			if (m->direction != MIG_DIR_ROLLBACK)
				appendStringInfo(out, "; to go back: CALL migrate.rollback(%s)", version);
			appendStringInfoChar(out, '\n');
			break;
		case MIG_FAILED:
			if (doubtful)
				appendStringInfo(out, "look whether step %d has run, say so with SELECT migrate.resolve(%s, %d, 'done') or 'again', then CALL migrate.%s(%s)",
								 doubtful->step, version, doubtful->step,
								 verb_of(m->direction), version);
			else
				appendStringInfo(out, "%sCALL migrate.%s(%s)",
								 was_stopped(m) ? "" : "when the cause is gone: ",
								 verb_of(m->direction), version);
			if (m->direction != MIG_DIR_ROLLBACK)
				appendStringInfo(out, "; to go back: CALL migrate.rollback(%s)", version);
			appendStringInfoChar(out, '\n');
			break;
	}
}

/* The first line of a command, cut at a character's end. */
static void
add_command(StringInfo out, const char *command)
{
	int			len = strcspn(command, "\r\n");
	int			cut = pg_mbcliplen(command, len, COMMAND_LEN);

	appendBinaryStringInfo(out, command, cut);
	if (command[cut] != '\0')
		appendStringInfoString(out, " ...");
}

static void
add_steps(StringInfo out, const MigPlan *plan, bool may_read)
{
	ListCell   *lc;

	appendStringInfo(out, "steps to %s:\n",
					 plan->direction == MIG_DIR_ROLLBACK ? "roll back" : "apply");
	foreach(lc, plan->steps)
	{
		MigStep    *step = lfirst(lc);

		appendStringInfo(out, "  %d. %s, %s, %s", step->step, step->state,
						 mig_phase_word(step->phase), mig_kind_word(step->kind));
		if (step->relation)
			appendStringInfo(out, ", %s", step->relation);
		if (may_read)
		{
			appendStringInfoString(out, ": ");
			add_command(out, step->command);
		}
		appendStringInfoChar(out, '\n');
	}
}

static void
add_requires(StringInfo out, MigGraph *graph, Migration *m)
{
	ListCell   *lc;
	bool		first = true;

	appendStringInfoString(out, "requires: ");
	foreach(lc, mig_graph_parents(graph, m))
	{
		appendStringInfo(out, "%s%s", first ? "" : ", ", ((Migration *) lfirst(lc))->version);
		first = false;
	}
	if (first)
		appendStringInfoString(out, "nothing");
	else if (!m->requires_written)
		appendStringInfoString(out, " (the next lower version)");
	appendStringInfoChar(out, '\n');
}

static void
add_state(StringInfo out, const Migration *m, const MigDates *dates)
{
	appendStringInfo(out, "state: %s", mig_state_word(m->state));
	if (m->state == MIG_PAUSED || m->state == MIG_FAILED)
		appendStringInfo(out, " (%s)", mig_direction_word(m->direction));
	if (m->steps > 0)
		appendStringInfo(out, ", %d of %d steps done", m->steps_done, m->steps);
	if (m->step > 0 && m->state != MIG_APPLIED && m->state != MIG_PENDING)
		appendStringInfo(out, ", at step %d", m->step);
	appendStringInfoChar(out, '\n');
	if (m->error)
		appendStringInfo(out, "error: %s\n", m->error);
	if (dates->started_at)
		appendStringInfo(out, "started: %s%s%s\n", dates->started_at,
						 dates->applied_by ? " by " : "",
						 dates->applied_by ? dates->applied_by : "");
	if (dates->finished_at)
		appendStringInfo(out, "finished: %s\n", dates->finished_at);
}

/*
 * migrate.show(version text) returns text
 *
 * One migration for a human.  Commands are shown to those who may read its
 * SQL.  42704 for a version that is not registered.
 */
Datum
mig_show(PG_FUNCTION_ARGS)
{
	StringInfoData out;
	MigGraph   *graph;
	Migration  *m;
	MigDates	dates;
	MigPlan    *plan;
	bool		may_read;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("version must not be null")));
	graph = mig_graph_make(mig_watch_list());
	m = mig_graph_get(graph, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	mig_watch_dates(m->version, &dates);
	may_read = mig_watch_may_read(m->owner);

	initStringInfo(&out);
	appendStringInfoString(&out, "migration: ");
	add_title(&out, m, FORMAT_TEXT);
	appendStringInfoChar(&out, '\n');
	add_state(&out, m, &dates);
	appendStringInfo(&out, "owner: %s\n", m->owner);
	appendStringInfo(&out, "registered: %s by %s, from %s\n",
					 dates.registered_at, dates.registered_by, m->origin);
	add_requires(&out, graph, m);
	appendStringInfo(&out, "checksum: %s\n", m->checksum);

	plan = mig_catalog_load_plan(m->version, m->direction);
	if (plan)
		add_steps(&out, plan, may_read);
	else
		appendStringInfo(&out, "steps: not planned yet, see SELECT * FROM migrate.plan(%s)\n",
						 quote_literal_cstr(m->version));
	add_next(&out, m, plan);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len - 1));
}

/* --- graph() --- */

static void
graph_text(StringInfo out, MigGraph *graph, List *order)
{
	ListCell   *lc;
	ListCell   *lp;

	foreach(lc, order)
	{
		Migration  *m = lfirst(lc);

		add_title(out, m, FORMAT_TEXT);
		appendStringInfo(out, " (%s)", mig_state_word(m->state));
		if (m->requires_written)
		{
			List	   *parents = mig_graph_parents(graph, m);

			foreach(lp, parents)
				appendStringInfo(out, "%s%s", lp == list_head(parents) ? " <- " : ", ",
								 ((Migration *) lfirst(lp))->version);
		}
		appendStringInfoChar(out, '\n');
	}
}

static void
graph_dot(StringInfo out, MigGraph *graph, List *order)
{
	ListCell   *lc;
	ListCell   *lp;

	appendStringInfoString(out, "digraph migrate {\n  rankdir = LR;\n  node [shape = box];\n");
	foreach(lc, order)
	{
		Migration  *m = lfirst(lc);

		appendStringInfoString(out, "  \"");
		add_label(out, m->version, FORMAT_DOT);
		appendStringInfoString(out, "\" [label = \"");
		add_title(out, m, FORMAT_DOT);
		appendStringInfo(out, "\\n%s\"];\n", mig_state_word(m->state));
	}
	foreach(lc, order)
	{
		Migration  *m = lfirst(lc);

		if (m->requires_written)
			foreach(lp, mig_graph_parents(graph, m))
			{
				appendStringInfoString(out, "  \"");
				add_label(out, ((Migration *) lfirst(lp))->version, FORMAT_DOT);
				appendStringInfoString(out, "\" -> \"");
				add_label(out, m->version, FORMAT_DOT);
				appendStringInfoString(out, "\";\n");
			}
	}
	appendStringInfoString(out, "}\n");
}

static int
position(const List *order, const Migration *m)
{
	ListCell   *lc;

	foreach(lc, order)
		if (lfirst(lc) == m)
			return foreach_current_index(lc) + 1;
	elog(ERROR, "migration \"%s\" is not in the graph", m->version);
	return 0;					/* keep compiler quiet */
}

/* Node names in Mermaid are restricted, so nodes are numbered in their order. */
static void
graph_mermaid(StringInfo out, MigGraph *graph, List *order)
{
	ListCell   *lc;
	ListCell   *lp;

	appendStringInfoString(out, "flowchart LR\n");
	foreach(lc, order)
	{
		Migration  *m = lfirst(lc);

		appendStringInfo(out, "  m%d[\"", foreach_current_index(lc) + 1);
		add_title(out, m, FORMAT_MERMAID);
		appendStringInfo(out, "<br>%s\"]\n", mig_state_word(m->state));
	}
	foreach(lc, order)
	{
		Migration  *m = lfirst(lc);

		if (m->requires_written)
			foreach(lp, mig_graph_parents(graph, m))
				appendStringInfo(out, "  m%d --> m%d\n",
								 position(order, lfirst(lp)),
								 foreach_current_index(lc) + 1);
	}
}

/*
 * migrate.graph(format text) returns text
 *
 * All migrations in the order in which they run, with their states; edges
 * are the requirements that were written.  22023 unless the format is text,
 * dot or mermaid.
 */
Datum
mig_graph(PG_FUNCTION_ARGS)
{
	StringInfoData out;
	MigGraph   *graph;
	List	   *order;
	Format		format;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("format must not be null")));
	format = format_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	initStringInfo(&out);
	graph = mig_graph_make(mig_watch_list());
	order = mig_graph_order(graph, NULL);
	if (format == FORMAT_TEXT)
		graph_text(&out, graph, order);
	else if (format == FORMAT_DOT)
		graph_dot(&out, graph, order);
	else
		graph_mermaid(&out, graph, order);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, Max(out.len - 1, 0)));
}
