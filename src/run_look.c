/*-------------------------------------------------------------------------
 *
 * run_look.c
 *	  Looking for rows that would violate a constraint, before it is added.
 *
 * The query of such a step must find nothing.  What it finds is kept, as far
 * as its LIMIT goes, so that migrate.failed_rows can show it once the run
 * has failed.
 *
 * Locks: AccessShareLock on what is read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "exec.h"
#include "run_state.h"

#define SHOWN 5					/* keys in the message; the rest is in failed_rows */

/* "id=5, name=x" */
static char *
key_of_row(HeapTuple tuple, TupleDesc desc)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 1; i <= desc->natts; i++)
	{
		char	   *value = SPI_getvalue(tuple, desc, i);

		appendStringInfo(&buf, "%s%s=%s", i > 1 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(desc, i - 1)->attname)),
						 value ? value : "null");
	}
	return buf.data;
}

static void
keep_rows(MigRun *run)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *key = key_of_row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		MemoryContext old = MemoryContextSwitchTo(run->context);

		run->failed_rows = lappend(run->failed_rows, pstrdup(key));
		MemoryContextSwitchTo(old);
	}
}

static void
complain(const MigRun *run, const MigStep *step, const char *hint)
{
	StringInfoData keys;
	int			n = list_length(run->failed_rows);
	const char *code = step->violates ? step->violates : "23000";
	ListCell   *lc;

	initStringInfo(&keys);
	foreach(lc, run->failed_rows)
	{
		if (foreach_current_index(lc) == SHOWN)
			break;
		appendStringInfo(&keys, "%s(%s)", keys.len ? ", " : "", (char *) lfirst(lc));
	}
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])),
			 errmsg("rows of %s would violate the new constraint", step->relation),
			 errdetail("%s%s.", keys.data, n > SHOWN ? ", and others" : ""),
			 errhint("%s", hint)));
}

void
mig_run_look_judge(MigRun *run, const MigStep *step)
{
	run->failed_rows = NIL;
	keep_rows(run);
	/* failed_rows would be rolled back */
	if (run->failed_rows != NIL)
		complain(run, step, "Mend these rows, and apply again.");
}

uint64
mig_run_look(MigRun *run, const MigStep *step)
{
	run->failed_rows = NIL;
	mig_exec_begin();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	if (SPI_execute(step->command, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "a step that looks must be a query");
	keep_rows(run);
	SPI_finish();
	PopActiveSnapshot();
	if (run->failed_rows != NIL)
		complain(run, step, "Nothing has been changed. Mend these rows, which SELECT * FROM migrate.failed_rows lists, and apply again.");
	mig_exec_commit();
	return 0;
}
