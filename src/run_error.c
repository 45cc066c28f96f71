/*-------------------------------------------------------------------------
 *
 * run_error.c
 *	  An error as it is stored with the run that met it, and raised again in
 *	  the caller.
 *
 * Takes no locks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/elog.h"

#include "run.h"

MigError *
mig_error_of(const ErrorData *edata, const char *version, const MigStep *step)
{
	MigError   *error = palloc0(sizeof(MigError));
	StringInfoData context;

	error->sqlstate = pstrdup(unpack_sql_state(edata->sqlerrcode));
	error->message = pstrdup(edata->message ? edata->message : "missing error text");
	error->detail = edata->detail ? pstrdup(edata->detail) : NULL;
	error->hint = edata->hint ? pstrdup(edata->hint) : NULL;
	error->version = version ? pstrdup(version) : NULL;
	if (edata->internalquery)
	{
		error->query = pstrdup(edata->internalquery);
		error->position = edata->internalpos;
	}
	else if (step)
	{
		error->query = pstrdup(step->command);
		error->position = edata->cursorpos;
	}
	initStringInfo(&context);
	if (edata->context)
		appendStringInfo(&context, "%s\n", edata->context);
	if (step)
	{
		error->step = step->step;
		appendStringInfo(&context, "step %d of migration %s, line %d",
						 step->step, version, step->line);
	}
	else if (version)
		appendStringInfo(&context, "migration %s", version);
	error->context = context.data;
	return error;
}
