/*-------------------------------------------------------------------------
 *
 * lock_holders.c
 *	  Who holds a lock that we want, and may we queue for it?
 *
 * GetLockConflicts() gives the virtual transactions that hold a conflicting
 * lock.  A prepared transaction keeps the number of the session that prepared
 * it (MarkAsPreparingGuts in twophase.c), so that a number whose process does
 * something else by now may be one; after a restart it has the transaction's
 * id instead.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "lock_holders.h"
#include "compat.h"
#include "words.h"

#include "access/transam.h"
#include "access/twophase.h"
#include "catalog/catalog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MAX_NAMED			3	/* holders named in a message */
#define MAX_QUERY_LEN		80	/* bytes of a query in a message */

typedef enum HolderKind
{
	HOLDER_GONE,				/* no more */
	HOLDER_SESSION,
	HOLDER_AUTOVACUUM,			/* the server cancels it for whoever waits */
	HOLDER_WRAPAROUND,			/* it does not */
	HOLDER_PREPARED
} HolderKind;

typedef struct Holder
{
	HolderKind	kind;
	int			pid;
	TransactionId xid;			/* of a prepared one */
} Holder;

void
mig_holders_refresh(void)
{
	pgstat_clear_backend_activity_snapshot();
}

static LOCKTAG
tag_of(Oid relid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, IsSharedRelation(relid) ? InvalidOid : MyDatabaseId, relid);
	return tag;
}

/* The process that is in that very transaction, or NULL. */
static PGPROC *
running_proc(VirtualTransactionId vxid)
{
	PGPROC	   *proc = mig_proc_of_vxid(vxid);
	VirtualTransactionId now;

	if (proc == NULL)
		return NULL;
	GET_VXID_FROM_PGPROC(now, *proc);
	return VirtualTransactionIdEquals(now, vxid) ? proc : NULL;
}

static Holder
holder_of(VirtualTransactionId vxid)
{
	Holder		holder = {HOLDER_GONE};
	PGPROC	   *proc = running_proc(vxid);
	bool		have_more;

	if (proc)
	{
		uint8		flags = proc->statusFlags;

		holder.pid = proc->pid;
		if (!(flags & PROC_IS_AUTOVACUUM))
			holder.kind = HOLDER_SESSION;
		else
			holder.kind = (flags & PROC_VACUUM_FOR_WRAPAROUND) ?
				HOLDER_WRAPAROUND : HOLDER_AUTOVACUUM;
		return holder;
	}
	if (VirtualTransactionIdIsRecoveredPreparedXact(vxid))
		holder.xid = vxid.localTransactionId;
	else
		holder.xid = TwoPhaseGetXidByVirtualXID(vxid, &have_more);
	if (TransactionIdIsValid(holder.xid))
		holder.kind = HOLDER_PREPARED;
	return holder;
}

/* When did its transaction begin?  0: not known. */
static TimestampTz
transaction_start(int pid)
{
	PgBackendStatus *status = mig_status_of_pid(pid);

	return status ? status->st_xact_start_timestamp : 0;
}

static bool
is_slow(const Holder *holder, int limit)
{
	TimestampTz start;

	switch (holder->kind)
	{
		case HOLDER_GONE:
		case HOLDER_AUTOVACUUM:
			return false;
		case HOLDER_WRAPAROUND:
		case HOLDER_PREPARED:
			return true;
		case HOLDER_SESSION:
			break;
	}
	start = transaction_start(holder->pid);
	return start == 0 ||
		TimestampDifferenceExceeds(start, GetCurrentTimestamp(), limit);
}

bool
mig_holders_are_slow(Oid relid, LOCKMODE mode, int limit)
{
	LOCKTAG		tag = tag_of(relid);
	int			count;
	VirtualTransactionId *vxids = GetLockConflicts(&tag, mode, &count);

	for (int i = 0; i < count; i++)
	{
		Holder		holder = holder_of(vxids[i]);

		if (is_slow(&holder, limit))
			return true;
	}
	return false;
}

/* --- text for messages --- */

static const char *
state_word(BackendState state)
{
	switch (state)
	{
		case STATE_IDLE:
			return "idle";
		case STATE_RUNNING:
			return "active";
		case STATE_IDLEINTRANSACTION:
			return "idle in transaction";
		case STATE_IDLEINTRANSACTION_ABORTED:
			return "idle in aborted transaction";
		default:
			return "state not known";
	}
}

static void
append_duration(StringInfo text, TimestampTz since)
{
	long		ms = TimestampDifferenceMilliseconds(since, GetCurrentTimestamp());

	if (ms < 2000)
		appendStringInfo(text, "%ld ms", ms);
	else if (ms < 120 * 1000L)
		appendStringInfo(text, "%ld s", ms / 1000);
	else if (ms < 120 * 60 * 1000L)
		appendStringInfo(text, "%ld min", ms / (60 * 1000L));
	else
		appendStringInfo(text, "%ld h", ms / (60 * 60 * 1000L));
}

/* The beginning of a query, on one line. */
static void
append_query(StringInfo text, const char *activity)
{
	char	   *query = pgstat_clip_activity(activity);
	int			len = strlen(query);
	int			kept = pg_mbcliplen(query, len, MAX_QUERY_LEN);

	for (int i = 0; i < kept; i++)
		if (isspace((unsigned char) query[i]))
			query[i] = ' ';
	appendStringInfo(text, ": %.*s%s", kept, query, kept < len ? "..." : "");
}

/* The rule by which pg_stat_activity shows or hides a session. */
static bool
may_see(Oid role)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
		has_privs_of_role(GetUserId(), role);
}

static void
append_session(StringInfo text, int pid)
{
	PgBackendStatus *status = mig_status_of_pid(pid);

	appendStringInfo(text, "pid %d", pid);
	if (status == NULL || !may_see(status->st_userid))
		return;
	appendStringInfoString(text, " (");
	if (status->st_appname && status->st_appname[0])
		appendStringInfo(text, "%s, ", status->st_appname);
	appendStringInfoString(text, state_word(status->st_state));
	if (status->st_xact_start_timestamp != 0)
	{
		appendStringInfoString(text, ", transaction open for ");
		append_duration(text, status->st_xact_start_timestamp);
	}
	if (status->st_activity_raw && status->st_activity_raw[0])
		append_query(text, status->st_activity_raw);
	appendStringInfoChar(text, ')');
}

char *
mig_session_text(int pid)
{
	StringInfoData text;

	initStringInfo(&text);
	append_session(&text, pid);
	return text.data;
}

static void
append_prepared(StringInfo text, TransactionId xid)
{
	Oid			types[1] = {XIDOID};
	Datum		values[1] = {TransactionIdGetDatum(xid)};
	char	   *gid = NULL;
	MemoryContext caller = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute_with_args("SELECT gid FROM pg_catalog.pg_prepared_xacts"
							  " WHERE transaction OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_prepared_xacts");
	if (SPI_processed == 1)
	{
		gid = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		gid = MemoryContextStrdup(caller, gid);
	}
	PopActiveSnapshot();
	SPI_finish();
	if (gid)
		appendStringInfo(text, "prepared transaction \"%s\"", gid);
	else
		appendStringInfo(text, "prepared transaction with ID %u", xid);
}

static void
append_holder(StringInfo text, const Holder *holder)
{
	switch (holder->kind)
	{
		case HOLDER_GONE:
			break;
		case HOLDER_SESSION:
			append_session(text, holder->pid);
			break;
		case HOLDER_AUTOVACUUM:
			appendStringInfo(text, "pid %d (autovacuum)", holder->pid);
			break;
		case HOLDER_WRAPAROUND:
			appendStringInfo(text, "pid %d (autovacuum to prevent wraparound)", holder->pid);
			break;
		case HOLDER_PREPARED:
			append_prepared(text, holder->xid);
			break;
	}
}

/*
 * Those whom GetLockConflicts() does not tell: who waits for a conflicting
 * mode before us, or holds one without being in a transaction.
 */
static void
append_others(StringInfo text, Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag = tag_of(relid);
	LockData   *all = GetLockStatusData();
	int			named = 0;

	for (int i = 0; i < all->nelements && named < MAX_NAMED; i++)
	{
		LockInstanceData *lock = &all->locks[i];
		bool		waits = lock->waitLockMode != NoLock &&
			DoLockModesConflict(mode, lock->waitLockMode);
		bool		holds = false;

		if (memcmp(&lock->locktag, &tag, sizeof(LOCKTAG)) != 0 ||
			lock->pid == 0 || lock->pid == MyProcPid)
			continue;
		for (LOCKMODE held = 1; held <= MaxLockMode; held++)
			if ((lock->holdMask & LOCKBIT_ON(held)) && DoLockModesConflict(mode, held))
				holds = true;
		if (!waits && !holds)
			continue;
		appendStringInfoString(text, named++ ? ", " : "");
		append_session(text, lock->pid);
		if (waits && !holds)
			appendStringInfo(text, ", which waits for %s", mig_lock_word(lock->waitLockMode));
	}
}

char *
mig_lock_holders(Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag = tag_of(relid);
	int			count;
	VirtualTransactionId *vxids = GetLockConflicts(&tag, mode, &count);
	int			named = 0;
	int			more = 0;
	StringInfoData text;

	mig_holders_refresh();
	initStringInfo(&text);
	for (int i = 0; i < count; i++)
	{
		Holder		holder = holder_of(vxids[i]);

		if (holder.kind == HOLDER_GONE)
			continue;
		if (named == MAX_NAMED)
		{
			more++;
			continue;
		}
		appendStringInfoString(&text, named++ ? ", " : "");
		append_holder(&text, &holder);
	}
	if (more > 0)
		appendStringInfo(&text, " and %d more", more);
	if (named == 0)
		append_others(&text, relid, mode);
	return text.len > 0 ? text.data : NULL;
}
