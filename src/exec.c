/*-------------------------------------------------------------------------
 *
 * exec.c
 *	  A worker's session: connect, run one statement, reset.
 *
 * A statement runs through a Portal, as one that a client sends: what
 * refuses a transaction block, or commits by itself, cannot run in any
 * other way (ProcessUtility without a Portal crashes the server on DETACH
 * PARTITION CONCURRENTLY; compare exec_simple_query in tcop/postgres.c).
 *
 * A role that may not log in cannot own a worker's connection before 17.
 * There the worker connects as the bootstrap superuser and changes its user
 * id once, outside any transaction: that survives commits and aborts, and
 * SECURITY_LOCAL_USERID_CHANGE keeps SQL from changing it back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_db_role_setting.h"
#include "commands/async.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "jit/jit.h"
#include "miscadmin.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/lock.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#include "compat.h"
#include "exec.h"
#include "notice.h"
#include "settings.h"

/* The user id was switched after connecting, see above. */
static bool switched_user = false;

/*
 * A migration's SET transaction_timeout (17) would end the worker with a FATAL
 * error that nobody hears of.  So it is taken out of force at once and kept
 * here: in a transaction block it bounds the statement, and is an ordinary
 * error.  A statement that stands alone has transactions of its own making.
 */
static int	transaction_limit = 0;	/* ms; 0: none */
static bool limit_is_local = false;

/*
 * What role and database settings could do to a worker; our own timeouts are
 * set where they belong.  A migration's SET still counts.
 */
static const char *const timeouts[] = {
	"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
	"idle_session_timeout", "transaction_timeout"
};

static void
lift_timeouts(void)
{
	for (int i = 0; i < lengthof(timeouts); i++)
		if (strcmp(timeouts[i], "transaction_timeout") != 0 || mig_has_transaction_timeout())
			SetConfigOption(timeouts[i], "0", PGC_SUSET, PGC_S_OVERRIDE);
	/* our own records have to be written, whatever the role's default */
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
}

/* Transactions that the statement at hand has committed on its own, with a change in them. */
static int	inner_commits = 0;

static void
count_commit(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && TransactionIdIsValid(GetTopTransactionIdIfAny()))
		inner_commits++;
}

bool
mig_exec_has_committed(void)
{
	return inner_commits > 0;
}

/* The settings of a role that did not connect itself: ALTER ROLE ... SET. */
static void
apply_role_settings(Oid database, Oid role)
{
	Relation	rel;
	Snapshot	snapshot;

	rel = table_open(DbRoleSettingRelationId, AccessShareLock);
	snapshot = RegisterSnapshot(GetCatalogSnapshot(DbRoleSettingRelationId));
	ApplySetting(snapshot, database, role, rel, PGC_S_DATABASE_USER);
	ApplySetting(snapshot, InvalidOid, role, rel, PGC_S_USER);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
}

bool
mig_exec_can_log_in(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		result = HeapTupleIsValid(tuple) &&
		((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

void
mig_exec_connect(Oid database, Oid role, bool can_login)
{
	if (can_login || MIG_CAN_BYPASS_LOGIN)
		BackgroundWorkerInitializeConnectionByOid(database, role, MIG_BYPASS_ROLELOGINCHECK);
	else
	{
		BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
		StartTransactionCommand();
		(void) GetUserNameFromId(role, false);	/* it may be gone */
		CommitTransactionCommand();
		SetUserIdAndSecContext(role, SECURITY_LOCAL_USERID_CHANGE);
		switched_user = true;
		/* only now, so that they count as what the role itself may set */
		StartTransactionCommand();
		apply_role_settings(database, role);
		CommitTransactionCommand();
	}
	RegisterXactCallback(count_commit, NULL);
	lift_timeouts();
	mig_notices_install();
}

void
mig_exec_reset(const char *search_path)
{
	mig_exec_begin();
	PortalHashTableDeleteAll();
	if (!switched_user)
	{
		SetPGVariable("session_authorization", NIL, false);
		SetPGVariable("role", NIL, false);
	}
	ResetAllOptions();
	transaction_limit = 0;
	limit_is_local = false;
	DropAllPreparedStatements();
	Async_UnlistenAll();
	LockReleaseAll(USER_LOCKMETHOD, true);
	ResetTempTableNamespace();
	ResetSequenceCaches();
	/* with RESET as well, as the planner takes it */
	SetConfigOption("search_path", search_path, PGC_USERSET, PGC_S_OVERRIDE);
	mig_exec_commit();
}

/* --- how long a statement may take --- */

typedef struct TimeLimit
{
	int			ms;				/* for this statement */
	int			value;			/* of the setting that it comes from, in ms */
	const char *hint;			/* with that value */
} TimeLimit;

#define OWN_HINT(setting) \
	"The migration itself sets " setting " to %d ms. Apply again if that can be enough; else roll back, and register it with more."

static void
take_transaction_timeout(Node *stmt)
{
	VariableSetStmt *set = IsA(stmt, VariableSetStmt) ? (VariableSetStmt *) stmt : NULL;

	if (mig_transaction_timeout() > 0)
	{
		transaction_limit = mig_transaction_timeout();
		limit_is_local = set && set->is_local;
		SetConfigOption("transaction_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	}
	else if (IsA(stmt, DiscardStmt) ||
			 (set && (set->kind == VAR_RESET_ALL ||
					  (set->name && pg_strcasecmp(set->name, "transaction_timeout") == 0))))
		transaction_limit = 0;
}

/* SET LOCAL goes with its transaction. */
static void
forget_local_limit(void)
{
	if (limit_is_local)
		transaction_limit = 0;
	limit_is_local = false;
}

static void
timeout_hint(void *arg)
{
	const TimeLimit *limit = arg;

	if (geterrcode() == ERRCODE_QUERY_CANCELED && limit->ms > 0 &&
		TimestampDifferenceExceeds(GetCurrentStatementStartTimestamp(), GetCurrentTimestamp(), limit->ms))
		errhint(limit->hint, limit->value);
}

/* The tightest of what is in force. */
static TimeLimit
limit_of(Node *stmt)
{
	TimeLimit	limit = {StatementTimeout, StatementTimeout, OWN_HINT("statement_timeout")};

	if (limit.ms <= 0)
	{
		limit.ms = limit.value = mig_statement_timeout;
		limit.hint = "Setting migrate.statement_timeout is %d ms: raise it, then apply again.";
	}
	if (transaction_limit > 0 && IsTransactionBlock() && !IsA(stmt, TransactionStmt))
	{
		long		left = transaction_limit -
			TimestampDifferenceMilliseconds(GetCurrentTransactionStartTimestamp(), GetCurrentTimestamp());

		if (limit.ms <= 0 || left < limit.ms)
		{
			limit.ms = (int) Max(left, 1);
			limit.value = transaction_limit;
			limit.hint = OWN_HINT("transaction_timeout");
		}
	}
	return limit;
}

/* --- one statement --- */

/* Parse, analyze, plan and run; "context" holds what inner commits must not take away. */
static uint64
run_portal(const char *sql, MemoryContext context)
{
	RawStmt    *raw;
	List	   *parsetrees;
	List	   *plans;
	Portal		portal;
	QueryCompletion qc;
	int16		format = 0;
	bool		snapshot;
	TimeLimit		limit;
	ErrorContextCallback callback;

	MemoryContextSwitchTo(context);
	parsetrees = raw_parser(sql, RAW_PARSE_DEFAULT);
	if (list_length(parsetrees) != 1)
		elog(ERROR, "a step must be one statement, but has %d", list_length(parsetrees));
	raw = linitial_node(RawStmt, parsetrees);

	limit = limit_of(raw->stmt);
	callback.callback = timeout_hint;
	callback.arg = &limit;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	if (limit.ms > 0)
		enable_timeout_after(STATEMENT_TIMEOUT, limit.ms);

	snapshot = analyze_requires_snapshot(raw);
	if (snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	plans = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(raw, sql, NULL, 0, NULL),
							sql, CURSOR_OPT_PARALLEL_OK, NULL);
	if (snapshot)
		PopActiveSnapshot();

	CHECK_FOR_INTERRUPTS();
	portal = CreatePortal("", true, true);
	portal->visible = false;
	PortalDefineQuery(portal, NULL, sql, CreateCommandTag(raw->stmt), plans, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	PortalSetResultFormat(portal, 1, &format);
	InitializeQueryCompletion(&qc);
	(void) mig_PortalRun(portal, None_Receiver, &qc);
	PortalDrop(portal, false);
	disable_timeout(STATEMENT_TIMEOUT, false);
	error_context_stack = callback.previous;
	take_transaction_timeout(raw->stmt);
	return qc.nprocessed;
}

/*
 * What the session has counted goes to the others, but not from within a block:
 * the counters of what the block has changed would be freed under its feet.
 */
static void
report_stat(void)
{
	if (!IsTransactionOrTransactionBlock())
		pgstat_report_stat(false);
}

uint64
mig_exec(const char *sql)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	uint64		rows;

	/* The text must outlive the transaction, as pg_stat_activity points to it. */
	context = AllocSetContextCreate(caller, "migrate statement",
									ALLOCSET_DEFAULT_SIZES);
	sql = MemoryContextStrdup(context, sql);
	debug_query_string = sql;
	pgstat_report_activity(STATE_RUNNING, sql);
	SetCurrentStatementStartTimestamp();

	StartTransactionCommand();
	inner_commits = 0;
	rows = run_portal(sql, context);
	CommitTransactionCommand();
	if (!IsTransactionState())
		forget_local_limit();

	debug_query_string = NULL;
	report_stat();
	pgstat_report_activity(IsTransactionState() ? STATE_IDLEINTRANSACTION : STATE_IDLE, NULL);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return rows;
}

void
mig_exec_begin(void)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		joins = IsTransactionState();

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (!joins)
	{
		/* whatever the owner, the database or a migration's SET has made the default */
		XactIsoLevel = XACT_READ_COMMITTED;
		XactReadOnly = false;
		XactDeferrable = false;
	}
	MemoryContextSwitchTo(caller);
}

void
mig_exec_commit(void)
{
	MemoryContext caller = CurrentMemoryContext;

	CommitTransactionCommand();
	report_stat();
	MemoryContextSwitchTo(caller);
}

ErrorData *
mig_exec_error(MemoryContext context, bool log)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	disable_all_timeouts(false);
	QueryCancelPending = false;
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (log)
		EmitErrorReport();
	debug_query_string = NULL;
	AbortOutOfAnyTransaction();
	PortalErrorCleanup();
	jit_reset_after_error();
	forget_local_limit();
	FlushErrorState();
	MemoryContextSwitchTo(context);
	pgstat_report_activity(STATE_IDLE, NULL);
	RESUME_INTERRUPTS();
	return error;
}
