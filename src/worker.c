/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  Background workers that serve requests.
 *
 * A worker belongs to one request and one role: it connects as the owner of
 * the migrations that it runs.  When the next migration belongs to another
 * role it starts a worker of that role and ends; the lock of the request
 * passes from one to the other, so that somebody always holds it while the
 * request is served.  Workers live only while there is work, so as not to
 * stand in the way of DROP DATABASE.
 *
 * What it must know comes in bgw_extra; all else is in the tables.  It waits
 * for the end of the transaction that started it, and ends quietly if there
 * is no request then, or no extension.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "catalog.h"
#include "compat.h"
#include "exec.h"
#include "lock.h"
#include "run.h"
#include "serve.h"
#include "session.h"
#include "settings.h"
#include "worker.h"

#define SUCCESSOR_POLL_MS 5

typedef struct WorkerExtra
{
	int64		request;
	Oid			role;
	bool		can_login;
	VirtualTransactionId starter;	/* wait for its end */
} WorkerExtra;

StaticAssertDecl(sizeof(WorkerExtra) <= BGW_EXTRALEN, "bgw_extra is too small");

static BackgroundWorkerHandle *
register_worker(int64 request, const char *owner, int notify_pid)
{
	Oid			role = mig_owner_oid(owner);
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;
	WorkerExtra extra = {0};

	if (!mig_can_connect(MyDatabaseId, role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\", which owns the migration, may not connect to this database", owner),
				 errhint("Grant it: GRANT CONNECT ON DATABASE ... TO %s.", quote_identifier(owner))));
	extra.can_login = mig_exec_can_log_in(role);
	if (!extra.can_login && !MIG_CAN_SERVE_NOLOGIN)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("role \"%s\", which owns the migration, may not log in", owner),
				 errdetail("This server was built with assertions, which before PostgreSQL 17 need that it may."),
				 errhint("Give it LOGIN, or use a server built without assertions.")));
	extra.request = request;
	extra.role = role;
	extra.starter = mig_my_vxid();

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = notify_pid;
	worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
	strlcpy(worker.bgw_library_name, "migrate", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "mig_worker_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_type, "migrate worker", sizeof(worker.bgw_type));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name),
			 "migrate worker for request " INT64_FORMAT, request);
	memcpy(worker.bgw_extra, &extra, sizeof(extra));
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start a background worker: no slot is free"),
				 errhint("Wait until other workers have ended, or raise max_worker_processes; then call again.")));
	return handle;
}

BackgroundWorkerHandle *
mig_worker_start(const MigRequest *request)
{
	List	   *targets = mig_serve_targets(mig_serve_graph(), request);

	if (targets == NIL)
		return NULL;
	return register_worker(request->id, ((Migration *) linitial(targets))->owner,
						   MyProcPid);
}

/* --- in the worker --- */

/* Whoever waits for the request looks at once. */
static void
wake_caller(int pid)
{
	PGPROC	   *proc = pid > 0 ? BackendPidGetProc(pid) : NULL;

	if (proc)
		SetLatch(&proc->procLatch);
}

static MigRequest *
claim_request(const WorkerExtra *extra)
{
	MigRequest *request = NULL;

	mig_exec_begin();
	(void) VirtualXactLock(extra->starter, true);
	mig_exec_commit();

	mig_exec_begin();
	if (OidIsValid(mig_catalog_table("request")) && mig_lock_request(extra->request, true))
		request = mig_request_get(extra->request);
	mig_exec_commit();
	if (request == NULL ||
		(strcmp(request->state, "queued") != 0 && strcmp(request->state, "running") != 0))
		return NULL;
	return request;
}

/*
 * Wait until the next worker queues for the lock of the request, so that at
 * no moment nobody seems to serve it; not for one that has ended already.
 */
static void
wait_for_successor(const MigRequest *request, BackgroundWorkerHandle *handle)
{
	bool		awaited = false;
	pid_t		pid;

	while (!awaited && GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 SUCCESSOR_POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		mig_exec_begin();
		awaited = mig_request_is_awaited(request->id);
		mig_exec_commit();
	}
}

/* Start the worker of the next owner; if that fails, the request has failed. */
static void
hand_over(MigRequest *request, const char *owner)
{
	MemoryContext context = CurrentMemoryContext;
	BackgroundWorkerHandle *handle;

	PG_TRY();
	{
		mig_exec_begin();
		handle = register_worker(request->id, owner,
								 BackendPidGetProc(request->caller_pid) ? request->caller_pid : 0);
		mig_exec_commit();
		wait_for_successor(request, handle);
	}
	PG_CATCH();
	{
		ErrorData  *edata = mig_exec_error(context, true);

		mig_exec_begin();
		mig_request_add_failed(request->id, NULL, mig_error_of(edata, NULL, NULL));
		mig_request_finish(request->id, NULL);
		mig_exec_commit();
	}
	PG_END_TRY();
}

/* DROP EXTENSION may have passed by while we were at work. */
static bool
extension_is_gone(void)
{
	bool		gone;

	mig_exec_begin();
	gone = !OidIsValid(mig_catalog_table("request"));
	mig_exec_commit();
	return gone;
}

/* What goes wrong outside of any run: the request has failed. */
static void
serve_safely(MigRequest *request)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile next_owner = NULL;

	PG_TRY();
	{
		next_owner = mig_serve(request);
	}
	PG_CATCH();
	{
		ErrorData  *edata = mig_exec_error(context, false);

		if (extension_is_gone())
			proc_exit(0);
		mig_exec_begin();
		mig_request_add_failed(request->id, NULL, mig_error_of(edata, NULL, NULL));
		mig_request_finish(request->id, NULL);
		mig_exec_commit();
	}
	PG_END_TRY();
	if (next_owner)
		hand_over(request, next_owner);
}

bool
mig_is_worker(void)
{
	return MyBgworkerEntry && strcmp(MyBgworkerEntry->bgw_function_name, "mig_worker_main") == 0;
}

void
mig_worker_main(Datum arg)
{
	WorkerExtra extra;
	MigRequest *request;

	memcpy(&extra, MyBgworkerEntry->bgw_extra, sizeof(extra));
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	mig_exec_connect(DatumGetObjectId(arg), extra.role, extra.can_login);

	CurrentResourceOwner = NULL;
	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "migrate worker",
												ALLOCSET_DEFAULT_SIZES));
	request = claim_request(&extra);
	if (request)
	{
		(void) mig_scope_fix(request->scope);
		mig_actor_set(&request->actor);
		serve_safely(request);
		wake_caller(request->caller_pid);
	}
	proc_exit(0);
}
