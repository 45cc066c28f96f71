/*-------------------------------------------------------------------------
 *
 * plan_back.c
 *	  The derived way back: the undo of each step that is done, last one
 *	  first, planned like statements that somebody wrote.
 *
 * Layer 1: no writes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "utils/syscache.h"

#include "parse.h"
#include "plan_int.h"
#include "relation.h"
#include "undo.h"

/* "; its rows are gone", as the note of the step has it. */
static const char *
reason_of(const MigStep *step)
{
	const char *mark = "irreversible: ";
	const char *reason = step->note ? strstr(step->note, mark) : NULL;

	if (reason == NULL)
		return "";
	reason += strlen(mark);
	return psprintf("; %.*s", (int) strcspn(reason, ";"), reason);
}

static void
refuse_irreversible(const MigStep *step, const MigPlanContext *context)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 context->version ?
			 errmsg("step %d of migration \"%s\" is irreversible", step->step, context->version) :
			 errmsg("step %d is irreversible", step->step),
			 errdetail("Statement %d, line %d%s: %s", step->statement, step->line, reason_of(step), step->command),
			 context->version ? errhint("Register the migration with a down that undoes it.") : 0));
}

/* --- views that lose columns --- */

static int
columns_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	int			n = 0;

	if (!HeapTupleIsValid(tuple))
		return 0;
	n = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;
	ReleaseSysCache(tuple);
	return n;
}

/*
 * CREATE OR REPLACE VIEW can add columns, and cannot take them away: on the
 * way back to fewer the view is dropped and made again, with all that hangs on
 * it.  The undo of a replaced view names its columns, so that they can be
 * counted.
 */
static void
append_statement(StringInfo sql, const MigStatement *statement)
{
	ViewStmt   *stmt = (ViewStmt *) statement->raw->stmt;
	const char *why = NULL;
	Oid			relid;
	int			n;
	ListCell   *lc;

	if (!IsA(stmt, ViewStmt) || !stmt->replace || stmt->aliases == NIL ||
		!OidIsValid(relid = RangeVarGetRelid(stmt->view, NoLock, true)) ||
		columns_of(relid) <= (n = list_length(stmt->aliases)))
	{
		appendStringInfo(sql, "%s;\n", statement->text);
		return;
	}
	appendStringInfo(sql, "DROP VIEW %s;\n%s;\n", mig_relation_text(relid), statement->text);
	foreach(lc, mig_undo_view_rest(relid, n, &why))
		appendStringInfo(sql, "%s;\n", (char *) lfirst(lc));
}

/*
 * A build that was begun may have left an index behind, and a statement in
 * batches may be half done; all else that is not done has left nothing.
 */
static bool
is_to_undo(const MigStep *step)
{
	return strcmp(step->state, "done") == 0 ||
		(strcmp(step->state, "started") == 0 && (step->kind == MIG_STEP_CREATE_INDEX || step->batches));
}

MigPlan *
mig_plan_reverse(const MigPlan *plan, const MigPlanContext *context)
{
	StringInfoData sql;
	List	   *origins = NIL;	/* step that a statement undoes */
	List	   *statements = NIL;
	MigPlan    *back;
	ListCell   *lc;

	initStringInfo(&sql);
	for (int i = list_length(plan->steps) - 1; i >= 0; i--)
	{
		MigStep    *step = list_nth(plan->steps, i);
		int			from = sql.len;

		if (!is_to_undo(step))
			continue;
		if (step->undo == NULL)
			refuse_irreversible(step, context);
		foreach(lc, mig_parse(step->undo, "undo"))
			append_statement(&sql, lfirst(lc));
		foreach(lc, mig_parse(sql.data + from, "undo"))
			origins = lappend(origins, step);
	}
	statements = mig_parse(sql.data, "undo");
	back = mig_plan_statements(sql.data, "the derived way back", 1, statements, context);
	foreach(lc, back->steps)
	{
		MigStep    *step = lfirst(lc);
		MigStep    *origin = list_nth(origins, step->statement - 1);

		step->undoes = origin->step;
		step->statement = origin->statement;
		step->line = origin->line;
		mig_plan_note(step, "undoes step %d", origin->step);
	}
	return back;
}
