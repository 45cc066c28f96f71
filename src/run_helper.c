/*-------------------------------------------------------------------------
 *
 * run_helper.c
 *	  Workers that help the worker of a run with a backfill.
 *
 * A helper connects as the owner of the migration, takes ranges that nobody
 * has, one after the other, and ends when there is none.  It decides nothing
 * and records no error: a range that it cannot finish is free again when it
 * has ended, and the run's own worker meets what stopped it.  So one that is
 * killed, or that cannot be started, costs nothing but time.
 *
 * It holds the lock of its place as long as it may change anything.  The run's
 * own worker ends its helpers before it ends itself; should it be killed, they
 * see that before their next batch, and the next run waits for their locks.
 *
 * Locks: a place, ranges (lock.c); those of a batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "catalog.h"
#include "compat.h"
#include "exec.h"
#include "lock.h"
#include "run_batch.h"
#include "settings.h"

#define POLL_MS 10
#define NEXT_TRY_MS 5000		/* when there was no free slot */

typedef struct HelperExtra
{
	int64		request;
	int64		run;
	int			step;
	int			place;
	int			leader_pid;
	MigDirection direction;
	Oid			role;
	bool		can_login;
} HelperExtra;

StaticAssertDecl(sizeof(HelperExtra) <= BGW_EXTRALEN, "bgw_extra is too small");

/* --- in the worker of the run --- */

static BackgroundWorkerHandle *helpers[MIG_MAX_HELPERS + 1];
static TimestampTz next_try = 0;

static bool
is_running(int place)
{
	pid_t		pid;

	if (helpers[place] == NULL)
		return false;
	if (GetBackgroundWorkerPid(helpers[place], &pid) != BGWH_STOPPED)
		return true;
	pfree(helpers[place]);
	helpers[place] = NULL;
	return false;
}

static bool
start_one(const Backfill *b, int place)
{
	BackgroundWorker worker = {0};
	HelperExtra extra = {0};
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	bool		started;

	extra.request = b->run->request->id;
	extra.run = b->run->id;
	extra.step = b->step->step;
	extra.place = place;
	extra.leader_pid = MyProcPid;
	extra.direction = b->run->plan->direction;
	extra.role = GetUserId();
	mig_exec_begin();
	extra.can_login = mig_exec_can_log_in(extra.role);
	mig_exec_commit();

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
	strlcpy(worker.bgw_library_name, "migrate", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "mig_helper_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_type, "migrate worker", sizeof(worker.bgw_type));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "migrate helper %d for run " INT64_FORMAT,
			 place, b->run->id);
	memcpy(worker.bgw_extra, &extra, sizeof(extra));
	started = RegisterDynamicBackgroundWorker(&worker, &helpers[place]);
	if (!started)
		helpers[place] = NULL;
	MemoryContextSwitchTo(old);
	return started;
}

int
mig_helpers_start(Backfill *b, int wanted)
{
	int			running = 0;
	int			ranges;

	for (int place = 1; place <= MIG_MAX_HELPERS; place++)
		running += is_running(place);
	wanted = Min(wanted, MIG_MAX_HELPERS);
	if (running >= wanted || GetCurrentTimestamp() < next_try)
		return running;
	ranges = mig_range_free(b);
	for (int place = 1; place <= wanted && running < wanted && ranges > 0; place++)
	{
		if (is_running(place))
			continue;
		if (!start_one(b, place))
		{
			next_try = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), NEXT_TRY_MS);
			break;
		}
		running++;
		ranges--;
	}
	return running;
}

void
mig_helpers_stop(void)
{
	for (int place = 1; place <= MIG_MAX_HELPERS; place++)
		if (is_running(place))
			TerminateBackgroundWorker(helpers[place]);
	for (int place = 1; place <= MIG_MAX_HELPERS; place++)
		while (is_running(place))
		{
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 POLL_MS, PG_WAIT_EXTENSION);
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
}

bool
mig_helpers_linger(const MigRun *run)
{
	bool		result;

	mig_exec_begin();
	result = mig_helpers_at_work(mig_current_scope(), run->version) > 0;
	mig_exec_commit();
	return result;
}

/* --- in the helper --- */

void
mig_helper_check_leader(const MigRun *run)
{
	if (run->leader_pid != 0 && BackendPidGetProc(run->leader_pid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("the worker of migration \"%s\" has ended", run->version)));
}

/* What the run's own worker knows of its run, read again; false: there is no such run any more. */
static bool
load_run(const HelperExtra *extra, MigRun *run)
{
	mig_exec_begin();
	if (OidIsValid(mig_catalog_table("request")))
	{
		run->request = mig_request_get(extra->request);
		run->version = mig_run_version(extra->run);
	}
	mig_exec_commit();
	if (run->request == NULL || run->version == NULL)
		return false;
	(void) mig_scope_fix(run->request->scope);
	mig_actor_set(&run->request->actor);
	run->id = extra->run;
	run->leader_pid = extra->leader_pid;
	run->direction = extra->direction;
	mig_exec_begin();
	run->migration = mig_catalog_get(run->version, false);
	run->plan = mig_catalog_load_plan(run->version, extra->direction);
	mig_exec_commit();
	return run->migration != NULL && run->plan != NULL;
}

static MigStep *
find_step(const MigRun *run, int number)
{
	ListCell   *lc;

	foreach(lc, run->plan->steps)
		if (((MigStep *) lfirst(lc))->step == number)
			return lfirst(lc);
	return NULL;
}

static void
help(const HelperExtra *extra, MigRun *run, const MigStep *step)
{
	Backfill   *b;
	bool		open;

	mig_exec_reset(run->migration->search_path);
	mig_settings_apply(run->request->settings);
	mig_run_say_settings_again(run);
	mig_run_name_session(run, step);
	b = mig_backfill_new(run, step, extra->place);
	for (;;)
	{
		mig_run_check_pause(run);
		if (extra->place >= mig_workers || !mig_range_take(b, &open))
			break;
		mig_backfill_range(b);
		mig_range_give_back(b);
		if (b->moved)
			break;
	}
	mig_backfill_free(b);
}

static void
help_safely(const HelperExtra *extra, MigRun *run)
{
	MigStep    *step;
	bool		got = false;

	PG_TRY();
	{
		if (load_run(extra, run) && (step = find_step(run, extra->step)) != NULL && step->batches)
		{
			mig_exec_begin();
			got = mig_lock_helper(mig_current_scope(), run->version, extra->place);
			mig_exec_commit();
			run->current = step;
			if (got)
				help(extra, run, step);
		}
	}
	PG_CATCH();
	{
		ErrorData  *edata = mig_exec_error(run->context, false);

		ereport(LOG,
				(errmsg("a worker that helped with migration \"%s\" has ended: %s",
						run->version ? run->version : "?", edata->message)));
	}
	PG_END_TRY();
}

void
mig_helper_main(Datum arg)
{
	HelperExtra extra;
	MigRun		run = {0};

	memcpy(&extra, MyBgworkerEntry->bgw_extra, sizeof(extra));
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	mig_exec_connect(DatumGetObjectId(arg), extra.role, extra.can_login);

	CurrentResourceOwner = NULL;
	run.context = AllocSetContextCreate(TopMemoryContext, "migrate helper", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(run.context);
	help_safely(&extra, &run);
	proc_exit(0);
}
