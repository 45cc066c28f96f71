/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  With shared_preload_libraries: unfinished work goes on after a restart.
 *
 * The launcher is a static background worker without a database.  Each time
 * it starts, which is after every start, crash restart and promotion of the
 * server, it looks at the list of databases and starts one "resumer" after
 * the other; then it sleeps.  A resumer connects to its database, starts a
 * worker for every request that nobody serves, and ends; it ends at once
 * where the extension is absent.  Requests that came from another database
 * (a copy, a restored dump) are never taken up.
 *
 * Nothing happens on a standby, nor during pg_upgrade.  Takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "catalog.h"
#include "catalog_run.h"
#include "exec.h"
#include "launcher.h"
#include "lock.h"
#include "settings.h"
#include "worker.h"

#define RESTART_S 5
#define RETRY_MS 1000			/* while no worker slot is free */
#define MAX_TRIES 60

static void
fill_worker(BackgroundWorker *worker, const char *function, const char *name)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(worker->bgw_library_name, "migrate", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function, sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_name, name, sizeof(worker->bgw_name));
	strlcpy(worker->bgw_type, name, sizeof(worker->bgw_type));
}

void
mig_launcher_register(void)
{
	BackgroundWorker worker;

	if (IsBinaryUpgrade)
		return;
	fill_worker(&worker, "mig_launcher_main", "migrate launcher");
	worker.bgw_restart_time = RESTART_S;
	RegisterBackgroundWorker(&worker);
}

/* --- the launcher --- */

/* OIDs of the databases that accept connections. */
static List *
databases(MemoryContext context)
{
	List	   *result = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if (!database->datallowconn || database->datistemplate)
			continue;
		old = MemoryContextSwitchTo(context);
		result = lappend_oid(result, database->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return result;
}

static void
nap(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (ms >= 0 ? WL_TIMEOUT : 0),
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* One resumer at a time, so as not to use up the slots of others. */
static void
resume_database(Oid database)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	fill_worker(&worker, "mig_resumer_main", "migrate resumer");
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	while (!RegisterDynamicBackgroundWorker(&worker, &handle))
		nap(RETRY_MS);
	(void) WaitForBackgroundWorkerShutdown(handle);
}

void
mig_launcher_main(Datum arg)
{
	ListCell   *lc;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "migrate launcher",
												ALLOCSET_DEFAULT_SIZES));
	foreach(lc, databases(CurrentMemoryContext))
		resume_database(lfirst_oid(lc));
	for (;;)
		nap(-1);
}

/* --- a resumer --- */

/* False: no slot is free, or the owner may not connect; told in the server's log. */
static bool
start_worker(MigRequest *request)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool started = false;

	PG_TRY();
	{
		mig_exec_begin();
		(void) mig_scope_fix(request->scope);
		if (!mig_request_is_alive(request->id))
			(void) mig_worker_start(request);
		mig_exec_commit();
		started = true;
	}
	PG_CATCH();
	{
		(void) mig_exec_error(context, true);
	}
	PG_END_TRY();
	return started;
}

void
mig_resumer_main(Datum arg)
{
	List	   *requests = NIL;
	ListCell   *lc;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid, 0);
	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "migrate resumer",
												ALLOCSET_DEFAULT_SIZES));
	mig_exec_begin();
	if (mig_auto_resume && OidIsValid(mig_catalog_table("request")))
		requests = mig_request_open();
	mig_exec_commit();
	foreach(lc, requests)
		for (int try = 0; try < MAX_TRIES && !start_worker(lfirst(lc)); try++)
			nap(RETRY_MS);
	proc_exit(0);
}
