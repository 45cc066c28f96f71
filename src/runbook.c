/*-------------------------------------------------------------------------
 *
 * runbook.c
 *	  What a verb will do, as one Markdown document for a change request.
 *
 * Written for the person who approves it and for the one who is on call when
 * it runs, who may both know little of PostgreSQL's locks.  SQL stands in
 * fences longer than any run of backquotes in it, and cells of tables have
 * their bars escaped, so that what is in a migration cannot break the text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "disk.h"
#include "preflight.h"
#include "preview.h"
#include "runbook.h"
#include "settings.h"
#include "words.h"

typedef struct Runbook
{
	StringInfoData text;
	List	   *previews;		/* of MigPreview */
	const char *target;			/* or NULL */
	const char *action;
	bool		back;
	bool		costs;
} Runbook;

/* --- Markdown --- */

/* Text for a cell of a table, on one line. */
static void
put_cell(StringInfo buf, const char *text)
{
	for (const char *p = text ? text : ""; *p; p++)
	{
		if (*p == '|')
			appendStringInfoString(buf, "\\|");
		else if (*p == '\n')
			appendStringInfoString(buf, "<br>");
		else if (*p != '\r')
			appendStringInfoChar(buf, *p);
	}
}

/* SQL for a cell: a code span, on one line. */
static char *
code_cell(const char *sql)
{
	char	   *line = pstrdup(sql);

	for (char *p = line; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return strchr(line, '`') ? line : psprintf("`%s`", line);
}

/* A row of a table from texts; NULL ends it. */
static void
put_row(StringInfo buf, const char *const *cells)
{
	for (; *cells; cells++)
	{
		appendStringInfoString(buf, "| ");
		put_cell(buf, *cells);
		appendStringInfoChar(buf, ' ');
	}
	appendStringInfoString(buf, "|\n");
}

#define ROW(buf, ...) put_row(buf, (const char *const[]) {__VA_ARGS__, NULL})

/* SQL in a fence. */
static void
put_sql(StringInfo buf, const char *sql)
{
	int			longest = 2;
	int			run = 0;

	for (const char *p = sql; *p; p++)
	{
		run = *p == '`' ? run + 1 : 0;
		longest = Max(longest, run);
	}
	for (int i = 0; i <= longest; i++)
		appendStringInfoChar(buf, '`');
	appendStringInfo(buf, "sql\n%s\n", sql);
	for (int i = 0; i <= longest; i++)
		appendStringInfoChar(buf, '`');
	appendStringInfoChar(buf, '\n');
}

static const char *
quoted_or_null(const char *text)
{
	return text ? quote_literal_cstr(text) : "NULL";
}

static const char *
duration_text(int64 ms)
{
	if (ms < 0)
		return "not known";
	if (ms < 2000)
		return psprintf(INT64_FORMAT " ms", ms);
	if (ms < 120 * 1000)
		return psprintf(INT64_FORMAT " s", ms / 1000);
	return psprintf(INT64_FORMAT " min", ms / (60 * 1000));
}

/* --- what a lock means --- */

static const char *
lock_meaning(LOCKMODE mode)
{
	switch (mode)
	{
		case AccessShareLock:
		case RowShareLock:
		case RowExclusiveLock:
			return "neither reads nor writes wait";
		case ShareUpdateExclusiveLock:
			return "neither reads nor writes wait; VACUUM and other DDL do";
		case ShareLock:
		case ShareRowExclusiveLock:
		case ExclusiveLock:
			return "writes wait";
		default:
			return "reads and writes wait";
	}
}

static bool
is_long(const MigStep *step)
{
	return step->scans || step->rewrites;
}

/* For how long a step keeps its lock. */
static const char *
held_text(const MigStep *step)
{
	if (step->lock <= RowExclusiveLock || step->lock == ShareUpdateExclusiveLock)
		return "as long as the step takes";
	return is_long(step) ? "as long as the step takes: it goes over all rows" :
		"until the transaction ends, with work in the catalog alone";
}

static int64
estimate_of(const MigPreview *preview)
{
	int64		sum = 0;
	ListCell   *lc;

	foreach(lc, preview->steps)
	{
		MigStep    *step = lfirst(lc);

		if (step->estimate_ms < 0)
			return -1;
		sum += step->estimate_ms;
	}
	return sum;
}

static int
count_steps(const MigPreview *preview, MigPhase phase)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, preview->steps)
		n += ((MigStep *) lfirst(lc))->phase == phase;
	return n;
}

static bool
has_contract(const Runbook *book)
{
	ListCell   *lc;

	foreach(lc, book->previews)
		if (count_steps(lfirst(lc), MIG_CONTRACT) > 0)
			return true;
	return false;
}

/* --- the parts --- */

/* The call that does all this. */
static char *
call_text(const Runbook *book)
{
	if (strcmp(book->action, "apply") == 0 && book->target == NULL)
		return pstrdup("CALL migrate.apply();");
	return psprintf("CALL migrate.%s(%s%s);", book->action, book->target ? quote_literal_cstr(book->target) : "",
					strcmp(book->action, "rollback") == 0 && list_length(book->previews) > 1 ?
					", cascade => true" : "");
}

static void
put_summary(Runbook *book)
{
	StringInfo	buf = &book->text;
	int			n = list_length(book->previews);
	ListCell   *lc;

	appendStringInfo(buf, "# Runbook: %s %d %s\n\n", book->back ? "roll back" : book->action, n,
					 n == 1 ? "migration" : "migrations");
	if (n == 0)
	{
		appendStringInfoString(buf, "There is nothing to do.\n");
		return;
	}
	if (book->costs)
		ROW(buf, "migration", "name", "runs as", "steps: expand", "migrate", "contract", "estimate");
	else
		ROW(buf, "migration", "name", "runs as", "steps: expand", "migrate", "contract");
	appendStringInfoString(buf, book->costs ? "| --- | --- | --- | --- | --- | --- | --- |\n" :
						   "| --- | --- | --- | --- | --- | --- |\n");
	foreach(lc, book->previews)
	{
		MigPreview *preview = lfirst(lc);
		Migration  *m = preview->migration;
		const char *cells[] = {m->version, m->name ? m->name : "", m->owner,
			psprintf("%d", count_steps(preview, MIG_EXPAND)),
			psprintf("%d", count_steps(preview, MIG_MIGRATE)),
			psprintf("%d", count_steps(preview, MIG_CONTRACT)),
			book->costs ? duration_text(estimate_of(preview)) : NULL, NULL};

		put_row(buf, cells);
	}
	appendStringInfoChar(buf, '\n');
}

static void
put_before(Runbook *book)
{
	StringInfo	buf = &book->text;
	ListCell   *lc;

	appendStringInfoString(buf, "## Before\n\n");
	if (!book->costs)
	{
		appendStringInfoString(buf, "Look whether the server is in a state to take this; each row should say `t`:\n\n");
		put_sql(buf, psprintf("SELECT item, ok, detail, hint FROM migrate.preflight(%s, %s);",
							  quoted_or_null(book->target), quote_literal_cstr(book->action)));
		appendStringInfoChar(buf, '\n');
		return;
	}
	ROW(buf, "looked at", "fine", "seen", "what to do");
	appendStringInfoString(buf, "| --- | --- | --- | --- |\n");
	foreach(lc, mig_preflight(book->target, book->action))
	{
		MigFinding *finding = lfirst(lc);

		ROW(buf, finding->item, finding->verdict == MIG_FINE ? "yes" : finding->verdict == MIG_NOT_FINE ? "**no**" : "not known",
			finding->detail ? finding->detail : "", finding->hint ? finding->hint : "");
	}
	appendStringInfoChar(buf, '\n');
}

static void
put_locks(StringInfo buf, const MigStep *step)
{
	ListCell   *lc;

	foreach(lc, step->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (!lock->created && lock->mode > AccessShareLock)
			appendStringInfo(buf, "- lock: %s on `%s`: %s; %s\n", mig_lock_word(lock->mode), lock->relation,
							 lock_meaning(lock->mode), held_text(step));
	}
}

static void
put_step(Runbook *book, const MigStep *step)
{
	StringInfo	buf = &book->text;

	appendStringInfo(buf, "#### Step %d, %s: %s\n\n", step->step, mig_phase_word(step->phase),
					 step->alone ? "on its own, outside a transaction block" :
					 psprintf("in transaction %d", step->tx));
	put_sql(buf, step->command);
	appendStringInfoChar(buf, '\n');
	if (step->kind == MIG_STEP_LOOK)
		appendStringInfoString(buf, "- must find no row; if it does, nothing has been changed yet\n");
	else if (step->kind == MIG_STEP_BACKFILL)
		appendStringInfo(buf, "- in batches that take about %s each and commit by themselves; the parameters are a batch's ends\n",
						 GetConfigOptionByName("migrate.batch_time", NULL, false));
	put_locks(buf, step);
	if (step->rewrites)
		appendStringInfo(buf, "- copies all of `%s` to a new file\n", step->relation ? step->relation : "its tables");
	else if (step->scans)
		appendStringInfo(buf, "- reads all of `%s`\n", step->relation ? step->relation : "its tables");
	if (book->costs && step->bytes >= 0)
		appendStringInfo(buf, "- size: %s%s\n", mig_disk_text(step->bytes),
						 step->rows >= 0 ? psprintf(", " INT64_FORMAT " rows", step->rows) : "");
	if (book->costs)
		appendStringInfo(buf, "- estimate: %s\n", duration_text(step->estimate_ms));
	if (step->note)
		appendStringInfo(buf, "- note: %s\n", step->note);
	if (step->undo == NULL)
		appendStringInfoString(buf, "- **irreversible**\n");
	appendStringInfoChar(buf, '\n');
}

static char *
complete_text(const Migration *m)
{
	return psprintf("`CALL migrate.complete(%s)`", quote_literal_cstr(m->version));
}

/* Is it the first step that apply leaves to complete? */
static bool
waits(const Runbook *book, const MigPreview *preview, int number)
{
	MigStep    *step = list_nth(preview->steps, number);
	MigStep    *before = number > 0 ? list_nth(preview->steps, number - 1) : NULL;

	return strcmp(book->action, "apply") == 0 && !mig_auto_complete &&
		step->phase == MIG_CONTRACT && (before == NULL || before->phase != MIG_CONTRACT);
}

static void
put_plan(Runbook *book)
{
	StringInfo	buf = &book->text;
	ListCell   *lc,
			   *ls;

	appendStringInfoString(buf, "## What is done\n\n");
	put_sql(buf, call_text(book));
	appendStringInfo(buf,
					 "\nIt waits until all is done and tells how far it is; a lost connection ends the waiting, not the\n"
					 "work. Each strong lock is taken so that nobody queues behind it for longer than %s\n"
					 "(migrate.stall_limit); while a holder is slow, nobody queues at all.\n\n",
					 GetConfigOptionByName("migrate.stall_limit", NULL, false));
	if (book->back)
		appendStringInfoString(buf, "If it would discard rows or values it is refused, with their number, before anything is changed;\n"
							   "`lose_data => true` allows it.\n\n");
	foreach(lc, book->previews)
	{
		MigPreview *preview = lfirst(lc);

		appendStringInfo(buf, "### Migration `%s`%s%s\n\n", preview->migration->version,
						 preview->migration->name ? ", " : "",
						 preview->migration->name ? preview->migration->name : "");
		if (preview->steps == NIL)
			appendStringInfoString(buf, "Nothing is left to do.\n\n");
		foreach(ls, preview->steps)
		{
			if (waits(book, preview, foreach_current_index(ls)))
				appendStringInfo(buf, "Up to here old and new code both work. **What follows waits** for %s.\n\n",
								 complete_text(preview->migration));
			put_step(book, lfirst(ls));
		}
	}
}

static void
put_watch(Runbook *book)
{
	StringInfo	buf = &book->text;

	appendStringInfoString(buf, "## Watch\n\nFrom another session; the first shows what runs now, and for whom it waits:\n\n");
	put_sql(buf, "SELECT * FROM migrate.progress;\n"
			"SELECT version, state, step, steps, progress, error FROM migrate.status;\n"
			"SELECT at, version, step, event, duration, stalled, message FROM migrate.history ORDER BY at DESC LIMIT 20;");
	appendStringInfoString(buf, "\n## Stop\n\nAt the next safe point; what is done stays, and is recorded. Ctrl-C in the session that called does the same.\n\n");
	put_sql(buf, "SELECT migrate.pause();");
	appendStringInfoString(buf, "\nAnd to go on:\n\n");
	put_sql(buf, "SELECT migrate.resume();");
	appendStringInfoChar(buf, '\n');
}

/* Which steps stand in the way back; true if any do. */
static bool
put_irreversible(Runbook *book, const MigPreview *preview)
{
	StringInfo	buf = &book->text;
	bool		any = false;
	ListCell   *lc;

	foreach(lc, preview->steps)
	{
		MigStep    *step = lfirst(lc);

		if (step->undo != NULL)
			continue;
		appendStringInfo(buf, "- **step %d (line %d) is irreversible**%s\n", step->step, step->line,
						 preview->migration->down ? ": the written down has to make up for it" :
						 ": from there on there is no way back but a backup");
		any = true;
	}
	return any;
}

static void
put_undo(Runbook *book, const MigPreview *preview)
{
	StringInfo	buf = &book->text;
	Migration  *m = preview->migration;
	bool		irreversible;

	appendStringInfo(buf, "### Migration `%s`\n\n", m->version);
	irreversible = put_irreversible(book, preview);
	if (irreversible)
		appendStringInfoChar(buf, '\n');
	if (m->down)
	{
		appendStringInfoString(buf, "Once it is applied, by its written down:\n\n");
		put_sql(buf, m->down);
		appendStringInfoChar(buf, '\n');
	}
	appendStringInfo(buf, m->down ? "Before that, step by step, the last one first:\n\n" :
					 "Step by step, the last one first:\n\n");
	ROW(buf, "step", "is undone by");
	appendStringInfoString(buf, "| --- | --- |\n");
	for (int i = list_length(preview->steps) - 1; i >= 0; i--)
	{
		MigStep    *step = list_nth(preview->steps, i);

		ROW(buf, psprintf("%d", step->step),
			step->undo == NULL ? "irreversible" : step->undo[0] == '\0' ? "nothing to undo" : code_cell(step->undo));
	}
	appendStringInfoChar(buf, '\n');
}

static void
put_back(Runbook *book)
{
	StringInfo	buf = &book->text;
	ListCell   *lc;

	appendStringInfoString(buf, "## Go back\n\n");
	if (book->back)
	{
		appendStringInfoString(buf, "This is the way back. To go forward again:\n\n");
		put_sql(buf, "CALL migrate.apply();");
		appendStringInfoChar(buf, '\n');
		return;
	}
	appendStringInfoString(buf, "At any time, also when it has failed or is paused; before anything is changed it is refused if it\n"
						   "would discard rows or values (unless `lose_data => true`).\n\n");
	for (int i = list_length(book->previews) - 1; i >= 0; i--)
		put_sql(buf, psprintf("CALL migrate.rollback(%s);",
							  quote_literal_cstr(((MigPreview *) list_nth(book->previews, i))->migration->version)));
	appendStringInfoChar(buf, '\n');
	foreach(lc, book->previews)
		put_undo(book, lfirst(lc));
}

static void
put_after(Runbook *book)
{
	StringInfo	buf = &book->text;
	bool		expanded = strcmp(book->action, "apply") == 0 && has_contract(book) && !mig_auto_complete;
	ListCell   *lc;

	appendStringInfoString(buf, "## Afterwards\n\n");
	put_sql(buf, "SELECT version, state, error FROM migrate.status;");
	appendStringInfoChar(buf, '\n');
	if (expanded)
	{
		appendStringInfoString(buf, "The contract phase is still to come: old and new code both work until then. When the old code is\n"
							   "gone from every server, it takes the old shape away:\n\n");
		foreach(lc, book->previews)
		{
			MigPreview *preview = lfirst(lc);

			if (count_steps(preview, MIG_CONTRACT) > 0)
				put_sql(buf, psprintf("CALL migrate.complete(%s);", quote_literal_cstr(preview->migration->version)));
		}
		appendStringInfoChar(buf, '\n');
	}
	if (book->back)
		return;
	foreach(lc, book->previews)
	{
		Migration  *m = ((MigPreview *) lfirst(lc))->migration;

		if (m->verify == NULL)
			continue;
		appendStringInfo(buf, "What `%s` has to make true, which is asked as part of the run:\n\n", m->version);
		put_sql(buf, m->verify);
		appendStringInfoChar(buf, '\n');
	}
}

char *
mig_runbook(List *previews, const char *target, const char *action, bool costs)
{
	Runbook		book = {0};

	initStringInfo(&book.text);
	book.previews = previews;
	book.target = target;
	book.action = action;
	book.back = mig_preview_is_back(action);
	book.costs = costs;
	put_summary(&book);
	if (previews == NIL)
		return book.text.data;
	put_before(&book);
	put_plan(&book);
	put_watch(&book);
	put_back(&book);
	put_after(&book);
	return book.text.data;
}
