/*-------------------------------------------------------------------------
 *
 * dropdb.c
 *	  With shared_preload_libraries: our workers make way for DROP DATABASE.
 *
 * The server waits five seconds for other sessions to leave a database that
 * is to be dropped, and signals autovacuum alone (CountOtherDBBackends in
 * storage/ipc/procarray.c).  So whoever may drop a database also ends our
 * workers in it first; a run that was under way shows as interrupted if the
 * database stays after all.
 *
 * Takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "tcop/utility.h"
#include "utils/acl.h"

#include "compat.h"
#include "dropdb.h"

static ProcessUtility_hook_type next_hook = NULL;

static bool
is_our_worker(int pid)
{
	const char *type = GetBackgroundWorkerTypeByPid(pid);

	return type && strncmp(type, "migrate ", strlen("migrate ")) == 0;
}

static void
end_workers(Oid database)
{
	pgstat_clear_backend_activity_snapshot();
	for (int i = 1; i <= pgstat_fetch_stat_numbackends(); i++)
	{
		PgBackendStatus *status = mig_status_at(i);

		if (status && status->st_databaseid == database && is_our_worker(status->st_procpid))
			(void) kill(status->st_procpid, SIGTERM);
	}
	pgstat_clear_backend_activity_snapshot();
}

static void
make_way(const DropdbStmt *stmt)
{
	Oid			database = get_database_oid(stmt->dbname, true);

	if (OidIsValid(database) && database != MyDatabaseId &&
		mig_is_database_owner(database, GetUserId()))
		end_workers(database);
}

static void
dropdb_hook(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
			ProcessUtilityContext context, ParamListInfo params,
			QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	if (IsA(pstmt->utilityStmt, DropdbStmt))
		make_way((DropdbStmt *) pstmt->utilityStmt);
	if (next_hook)
		next_hook(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params,
								queryEnv, dest, qc);
}

void
mig_dropdb_install(void)
{
	next_hook = ProcessUtility_hook;
	ProcessUtility_hook = dropdb_hook;
}
