/*-------------------------------------------------------------------------
 *
 * notice.c
 *	  What a migration's own statements say: NOTICE, INFO and WARNING.
 *
 * A worker has no client.  The server asks emit_log_hook only about messages
 * that are meant for its log, so in a worker log_min_messages is lowered to
 * INFO, and the hook keeps out of the log what would not have come there
 * otherwise.  Whether a client would get a message is asked as for a client:
 * by client_min_messages, which the role or the migration may have set.
 *
 * Messages are kept in memory, since the transaction that they come from may
 * be rolled back, and are handed to the request between transactions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/elog.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "notice.h"

#define MAX_NOTICES 500			/* that a worker keeps, over all */
#define MAX_TEXT 2000			/* bytes of each of its texts */

static emit_log_hook_type previous_hook = NULL;
static MemoryContext notices_context = NULL;	/* of what was kept and not taken */
static List *notices = NIL;
static int	kept = 0;			/* by this worker, over all */
static bool full_told = false;
static const char *place = NULL;	/* NULL: do not listen */
static int	wanted_level = WARNING; /* log_min_messages as it would be without us */

static char *
bounded(const char *text)
{
	int			len;

	if (text == NULL)
		return NULL;
	len = strlen(text);
	if (len <= MAX_TEXT)
		return pstrdup(text);
	return psprintf("%.*s...", pg_mbcliplen(text, len, MAX_TEXT), text);
}

static void
keep(const ErrorData *edata)
{
	MemoryContext caller = MemoryContextSwitchTo(notices_context);
	MigNotice  *notice;

	if (kept < MAX_NOTICES)
	{
		kept++;
		notice = palloc0(sizeof(MigNotice));
		notice->elevel = edata->elevel;
		notice->sqlstate = pstrdup(unpack_sql_state(edata->sqlerrcode));
		notice->message = bounded(edata->message ? edata->message : "missing error text");
		notice->detail = bounded(edata->detail);
		notice->hint = bounded(edata->hint);
		notice->context = edata->context ?
			psprintf("%s\n%s", bounded(edata->context), place) : pstrdup(place);
		notices = lappend(notices, notice);
	}
	else if (!full_told)
	{
		full_told = true;
		notice = palloc0(sizeof(MigNotice));
		notice->elevel = NOTICE;
		notice->message = psprintf("further messages of the migrations are left out, there are more than %d",
								   MAX_NOTICES);
		notice->context = pstrdup(place);
		notices = lappend(notices, notice);
	}
	MemoryContextSwitchTo(caller);
}

/* Would the message come into the server's log without us?  Compare is_log_level_output() in elog.c. */
static bool
is_for_the_log(int elevel)
{
	/* the migration may have set it */
	int			level = log_min_messages == INFO ? wanted_level : log_min_messages;

	if (elevel == LOG || elevel == LOG_SERVER_ONLY)
		return level == LOG || level <= ERROR;
	return level == LOG ? elevel >= FATAL : elevel >= level;
}

static void
listen(ErrorData *edata)
{
	if (place && edata->elevel >= INFO && edata->elevel <= WARNING &&
		(edata->elevel == INFO || edata->elevel >= client_min_messages))
		keep(edata);
	if (!is_for_the_log(edata->elevel))
		edata->output_to_server = false;
	else if (previous_hook)
		previous_hook(edata);
}

void
mig_notices_install(void)
{
	notices_context = AllocSetContextCreate(TopMemoryContext, "migrate notices",
											ALLOCSET_DEFAULT_SIZES);
	wanted_level = log_min_messages;
	if (log_min_messages > INFO)
		SetConfigOption("log_min_messages", "info", PGC_SUSET, PGC_S_OVERRIDE);
	previous_hook = emit_log_hook;
	emit_log_hook = listen;
}

void
mig_notices_begin(const char *where)
{
	if (notices_context)
		place = MemoryContextStrdup(notices_context, where);
}

void
mig_notices_end(void)
{
	place = NULL;
}

static void
clear(void)
{
	notices = NIL;
	if (notices_context && place == NULL)
		MemoryContextReset(notices_context);
}

List *
mig_notices_take(void)
{
	List	   *taken = NIL;
	ListCell   *lc;

	foreach(lc, notices)
	{
		const MigNotice *notice = lfirst(lc);
		MigNotice  *copy = palloc0(sizeof(MigNotice));

		copy->elevel = notice->elevel;
		copy->sqlstate = notice->sqlstate ? pstrdup(notice->sqlstate) : NULL;
		copy->message = pstrdup(notice->message);
		copy->detail = notice->detail ? pstrdup(notice->detail) : NULL;
		copy->hint = notice->hint ? pstrdup(notice->hint) : NULL;
		copy->context = notice->context ? pstrdup(notice->context) : NULL;
		taken = lappend(taken, copy);
	}
	clear();
	return taken;
}

void
mig_notices_forget(void)
{
	kept = Max(kept - list_length(notices), 0);
	full_told = full_told && kept == MAX_NOTICES;
	clear();
}
