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

#include "lib/stringinfo.h"

#include "parse.h"
#include "plan_int.h"

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

/* A build that was begun may have left an index behind; all else that is not done has left nothing. */
static bool
is_to_undo(const MigStep *step)
{
	return strcmp(step->state, "done") == 0 ||
		(strcmp(step->state, "started") == 0 && step->kind == MIG_STEP_CREATE_INDEX);
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
		if (step->undo[0] == '\0')
			continue;
		appendStringInfo(&sql, "%s;\n", step->undo);
		foreach(lc, mig_parse(sql.data + from, "undo"))
			origins = lappend(origins, step);
	}
	statements = mig_parse(sql.data, "undo");
	back = mig_plan_statements(sql.data, "the derived way back", statements, context);
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
