/*-------------------------------------------------------------------------
 *
 * waiting.c
 *	  The caller's side of a request: wait without a snapshot, tell progress.
 *
 * A snapshot held while waiting would make a concurrent build in the worker
 * wait for its own caller, for ever, since nobody waits in the lock manager
 * (both were measured).  So every look at our tables is a transaction of its
 * own, ended before the next wait.  Committing again and again also keeps
 * transaction_timeout (17 and later) from ending the session.
 *
 * Takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "lock.h"
#include "serve.h"
#include "settings.h"
#include "session.h"
#include "waiting.h"

#define POLL_MS 200
#define NOTICE_MS 1000
#define LATER_NOTICE_MS 10000
#define FIRST_MINUTE_MS 60000
#define GRACE_MS 10000			/* for a worker to start, or to hand over */

typedef struct Wait
{
	int64		request;
	BackgroundWorkerHandle *handle;
	TimestampTz since;
	TimestampTz next_notice;
	TimestampTz seen_alive;
	TimestampTz waiting_since;	/* for another run; 0: it does not */
	int			notices_shown;
	MemoryContext context;		/* reset at each look */
} Wait;

static int
sqlstate_of(const char *code)
{
	return MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4]);
}

void
mig_raise(const MigError *error)
{
	ereport(ERROR,
			(errcode(sqlstate_of(error->sqlstate)),
			 errmsg_internal("%s", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0,
			 error->context && error->context[0] ? errcontext("%s", error->context) : 0,
			 error->query ? internalerrquery(error->query) : 0,
			 error->query ? internalerrposition(error->position) : 0));
}

/* Did Ctrl-C (or pg_cancel_backend) ask for the end, rather than a timeout? */
static bool
cancelled_by_user(void)
{
	return QueryCancelPending && !get_timeout_indicator(STATEMENT_TIMEOUT, false) &&
		!get_timeout_indicator(LOCK_TIMEOUT, false);
}

/* Stop the work: a mark for the safe points, and a signal for what runs. */
static void
pause_work(int64 id)
{
	MigRequest *request;
	char	   *version;

	HOLD_INTERRUPTS();
	request = mig_request_get(id);
	version = mig_request_current(id);
	if (version)
		mig_set_pause(version, "once");
	mig_commit_and_go_on();
	if (request && request->pid > 0 && mig_request_is_alive(id))
		(void) kill(request->pid, SIGINT);
	mig_commit_and_go_on();
	RESUME_INTERRUPTS();
}

/* The wait ends here, with an error that says what becomes of the work. */
static void
check_interrupts(Wait *wait)
{
	if (cancelled_by_user())
	{
		pause_work(wait->request);
		QueryCancelPending = false;
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("canceling statement due to user request"),
				 errdetail("The migration is being paused."),
				 errhint("CALL migrate.apply() goes on with it, CALL migrate.rollback() undoes it.")));
	}
	if (QueryCancelPending)
	{
		QueryCancelPending = false;
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("canceling statement due to statement timeout"),
				 errdetail("Only the waiting has ended: the work goes on in the background."),
				 errhint("CALL migrate.wait() waits again, SELECT migrate.pause() stops the work.")));
	}
	CHECK_FOR_INTERRUPTS();
}

static bool
is_over(const MigRequest *request)
{
	return strcmp(request->state, "done") == 0 || strcmp(request->state, "failed") == 0;
}

/*
 * Nobody serves the request, and nobody is going to.  A worker that hands over
 * ends only when its successor queues for the request's lock, which then passes
 * on at once: so with a worker that we know to have ended, a free lock tells.
 * Of others we know only that they need time to start.
 */
static bool
is_lost(Wait *wait)
{
	TimestampTz now = GetCurrentTimestamp();
	pid_t		pid;

	/* in this order: it may end in between */
	if (wait->handle && GetBackgroundWorkerPid(wait->handle, &pid) != BGWH_STOPPED)
		return false;
	if (mig_request_is_alive(wait->request))
	{
		wait->seen_alive = now;
		return false;
	}
	return wait->handle ||
		TimestampDifferenceExceeds(Max(wait->seen_alive, wait->since), now, GRACE_MS);
}

/* What the migrations' own statements have said, and what the worker has to say. */
static void
tell_notices(Wait *wait)
{
	ListCell   *lc;

	foreach(lc, mig_request_notices(wait->request, wait->notices_shown))
	{
		const MigNotice *notice = lfirst(lc);

		wait->notices_shown++;
		ereport(notice->elevel,
				(notice->sqlstate ? errcode(sqlstate_of(notice->sqlstate)) : 0,
				 errmsg_internal("%s", notice->message),
				 notice->detail ? errdetail_internal("%s", notice->detail) : 0,
				 notice->hint ? errhint("%s", notice->hint) : 0,
				 notice->context ? errcontext("%s", notice->context) : 0));
	}
}

static void
tell(Wait *wait, const MigRequest *request)
{
	TimestampTz now = GetCurrentTimestamp();
	char	   *line;

	if (wait->notices_shown < request->notices)
		tell_notices(wait);
	if (now < wait->next_notice || is_over(request))
		return;
	wait->next_notice =
		TimestampTzPlusMilliseconds(now, TimestampDifferenceExceeds(wait->since, now, FIRST_MINUTE_MS) ?
									LATER_NOTICE_MS : NOTICE_MS);
	line = mig_request_progress(wait->request);
	if (request->waiting_for)
		ereport(NOTICE, (errmsg("waiting for %s", request->waiting_for)));
	else if (line && list_length(request->done) > 0)
		ereport(NOTICE, (errmsg("%d done; %s", list_length(request->done), line)));
	else if (line)
		ereport(NOTICE, (errmsg_internal("%s", line)));
	else if (strcmp(request->state, "queued") == 0)
		ereport(NOTICE, (errmsg("waiting for a background worker to start")));
	else if (request->done != NIL)
		ereport(NOTICE, (errmsg("%d done", list_length(request->done))));
	else
		ereport(NOTICE, (errmsg("the background worker has started")));
}

/* The server's lock_timeout ends a wait for somebody else's run. */
static void
check_lock_timeout(Wait *wait, const MigRequest *request)
{
	TimestampTz now = GetCurrentTimestamp();

	if (request->waiting_for == NULL)
		wait->waiting_since = 0;
	else if (wait->waiting_since == 0)
		wait->waiting_since = now;
	else if (LockTimeout > 0 && TimestampDifferenceExceeds(wait->waiting_since, now, LockTimeout))
	{
		char	   *for_whom = MemoryContextStrdup(TopTransactionContext, request->waiting_for);

		if (request->pid > 0 && mig_request_is_alive(wait->request))
			(void) kill(request->pid, SIGINT);
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("canceling statement due to lock timeout"),
				 errdetail("It was waiting for %s.", for_whom),
				 errhint("Call again later, or raise lock_timeout.")));
	}
}

/* One look, in a transaction of its own; the request as it is now. */
static MigRequest *
look(Wait *wait)
{
	MemoryContext old = MemoryContextSwitchTo(wait->context);
	MigRequest *request;

	HOLD_CANCEL_INTERRUPTS();	/* check_interrupts() must be the one to see it */
	MemoryContextReset(wait->context);
	request = mig_request_get(wait->request);
	if (request)
	{
		tell(wait, request);
		check_lock_timeout(wait, request);
	}
	MemoryContextSwitchTo(old);
	mig_commit_and_go_on();
	RESUME_CANCEL_INTERRUPTS();
	return request;
}

static void
sleep_without_snapshot(void)
{
	Assert(!ActiveSnapshotSet() && MyProc->xmin == InvalidTransactionId);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 POLL_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}

static void
tell_stalled(const MigRequest *request)
{
	int64		stalled = mig_serve_stalled(request);

	/* less than one try may take is not worth a word; the history has it */
	if (stalled > mig_stall_limit)
		ereport(NOTICE,
				(errmsg("somebody could have waited for us for %lld ms in all", (long long) stalled)));
	SPI_commit();
}

char *
mig_wait_for_request(int64 id, BackgroundWorkerHandle *handle, int64 timeout_ms)
{
	Wait		wait = {0};
	MigRequest *request;

	wait.request = id;
	wait.handle = handle;
	wait.since = GetCurrentTimestamp();
	wait.next_notice = TimestampTzPlusMilliseconds(wait.since, NOTICE_MS);
	wait.context = AllocSetContextCreate(CurrentMemoryContext, "migrate wait",
										 ALLOCSET_DEFAULT_SIZES);
	mig_commit_and_go_on();
	for (;;)
	{
		bool		lost;

		check_interrupts(&wait);
		lost = is_lost(&wait);
		request = look(&wait);
		if (request == NULL || is_over(request))
			break;
		if (lost)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the background worker ended before the work was done"),
					 errdetail("The server's log says why."),
					 errhint("CALL migrate.apply() goes on where it stopped.")));
		if (timeout_ms >= 0 && TimestampDifferenceExceeds(wait.since, GetCurrentTimestamp(), timeout_ms))
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("the timeout of migrate.wait is over"),
					 errdetail("The work goes on in the background.")));
		sleep_without_snapshot();
	}
	if (request)
		tell_stalled(request);
	if (request && request->error)
		mig_raise(request->error);
	return request && request->result ? pstrdup(request->result) : pstrdup("nothing to do");
}
