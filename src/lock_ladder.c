/*-------------------------------------------------------------------------
 *
 * lock_ladder.c
 *	  How strong locks are taken so that nobody queues behind us for long.
 *
 * A waiting request for a strong lock blocks everybody who comes after it, for
 * as long as the holder before it likes.  Hence, for all the locks of a
 * transaction together, before any of its work:
 *
 *	1.	look who holds them; while a holder is slow, look again every few
 *		milliseconds, holding nothing and queueing nowhere;
 *	2.	else try: whatever is free is taken at once, and for the rest we
 *		queue, all in all for no longer than stall_limit;
 *	3.	not got: give everything back, pause, begin again, until the
 *		caller's patience is over.
 *
 * A try is a subtransaction.  Its abort survives the error of lock_timeout,
 * releases what was got, and tells standbys, where an AccessExclusiveLock that
 * was released by hand would stay until the end of the whole transaction
 * (LogAccessExclusiveLock in standby.c).
 *
 * The server cancels an autovacuum that is in somebody's way when that one's
 * deadlock_timeout is over, hence a third of the time that we queue.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lock.h"
#include "lock_holders.h"
#include "compat.h"
#include "words.h"

#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "common/pg_prng.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define POLL_MIN		2		/* ms between two looks at slow holders */
#define POLL_MAX		20
#define FIRST_PAUSE		4		/* stall_limits after the first try in vain */
#define LONGEST_PAUSE	40		/* stall_limits: then we stall 1/40 of the time */

/* A relation to lock. */
typedef struct Wanted
{
	Oid			relid;
	LOCKMODE	mode;
	const char *name;
} Wanted;

typedef enum Outcome
{
	LADDER_GOT,
	LADDER_SLOW,				/* a holder is slow: only look */
	LADDER_MISSED,				/* queued in vain */
	LADDER_CHANGED				/* a name means another relation by now */
} Outcome;

/* --- what to lock --- */

/* Does holding "mode" spare one from taking a or b? */
static bool
covers(LOCKMODE mode, LOCKMODE a, LOCKMODE b)
{
	for (LOCKMODE other = 1; other <= MaxLockMode; other++)
		if ((DoLockModesConflict(a, other) || DoLockModesConflict(b, other)) &&
			!DoLockModesConflict(mode, other))
			return false;
	return true;
}

/*
 * The weakest mode that is both.  The numbers alone do not tell: Share and
 * ShareUpdateExclusive exclude different things.
 */
static LOCKMODE
union_mode(LOCKMODE a, LOCKMODE b)
{
	LOCKMODE	mode = Max(a, b);

	while (!covers(mode, a, b))
		mode++;
	return mode;
}

/* The relation of that name, whatever the current role may do; InvalidOid if there is none. */
static Oid
relation_of(const char *name)
{
	char	   *schema;
	char	   *relation;
	Oid			namespace;

	DeconstructQualifiedName(mig_qualified_name(name), &schema, &relation);
	if (schema == NULL)
		return RelnameGetRelid(relation);
	namespace = LookupNamespaceNoError(schema);
	return OidIsValid(namespace) ? get_relname_relid(relation, namespace) : InvalidOid;
}

/* The rights on a table by which some command takes that mode on it, short of owning it. */
static AclMode
sufficient_rights(LOCKMODE mode)
{
	/* LOCK TABLE, TRUNCATE, and from 17 on VACUUM, REINDEX, ... */
	AclMode		rights = ACL_UPDATE | ACL_DELETE | ACL_TRUNCATE | MIG_ACL_MAINTAIN;

	/* CREATE TRIGGER and FOREIGN KEY, which take this mode and no other */
	if (mode == ShareRowExclusiveLock)
		rights |= ACL_TRIGGER | ACL_REFERENCES;
	return rights;
}

static bool
has_right(Oid relid, Oid role, LOCKMODE mode)
{
	AclMode		rights = sufficient_rights(mode);

	if (mig_is_class_owner(relid, role))
		return true;
	if (get_rel_relkind(relid) == RELKIND_SEQUENCE ||
		!mig_can_use_schema(get_rel_namespace(relid), role))
		return false;
	return pg_class_aclmask(relid, role, rights, ACLMASK_ANY) != 0 ||
		((rights & ACL_REFERENCES) &&
		 pg_attribute_aclcheck_all(relid, role, ACL_REFERENCES, ACLMASK_ANY) == ACLCHECK_OK);
}

/*
 * May the current role lock it so?  A role that could not run the command must
 * not be able to block the table by asking for it; the command itself will
 * say what is missing.  A right on a table holds for its indexes, and commands
 * on a partitioned one go down to its partitions whoever owns these.
 */
static bool
may_lock(Oid relid, LOCKMODE mode)
{
	Oid			role = GetUserId();
	char		relkind = get_rel_relkind(relid);

	if (relkind == RELKIND_INDEX || relkind == RELKIND_PARTITIONED_INDEX)
	{
		relid = IndexGetRelation(relid, true);
		if (!OidIsValid(relid))
			return false;
	}
	if (has_right(relid, role, mode))
		return true;
	if (get_rel_relispartition(relid))
	{
		ListCell   *lc;

		foreach(lc, get_partition_ancestors(relid))
			if (has_right(lfirst_oid(lc), role, mode))
				return true;
	}
	return false;
}

static int
cmp_wanted(const ListCell *a, const ListCell *b)
{
	Oid			x = ((Wanted *) lfirst(a))->relid;
	Oid			y = ((Wanted *) lfirst(b))->relid;

	return x < y ? -1 : x > y;
}

static Wanted *
find_wanted(List *wanted, Oid relid)
{
	ListCell   *lc;

	foreach(lc, wanted)
		if (((Wanted *) lfirst(lc))->relid == relid)
			return lfirst(lc);
	return NULL;
}

/* What the locks (MigLock) mean now: list of Wanted in the order of OIDs. */
static List *
resolve(List *locks)
{
	List	   *all = NIL;
	List	   *wanted = NIL;
	ListCell   *lc;

	foreach(lc, locks)
	{
		MigLock    *lock = lfirst(lc);
		Oid			relid = lock->created ? InvalidOid : relation_of(lock->relation);
		Wanted	   *w;

		if (!OidIsValid(relid) || lock->mode == NoLock)
			continue;
		w = find_wanted(all, relid);
		if (w == NULL)
		{
			w = palloc(sizeof(Wanted));
			*w = (Wanted) {relid, lock->mode, lock->relation};
			all = lappend(all, w);
		}
		w->mode = union_mode(w->mode, lock->mode);
	}
	foreach(lc, all)
	{
		Wanted	   *w = lfirst(lc);

		/* what does not even block writes needs no ladder */
		if (w->mode > RowExclusiveLock && may_lock(w->relid, w->mode))
			wanted = lappend(wanted, w);
	}
	list_sort(wanted, cmp_wanted);
	return wanted;
}

static bool
same_wanted(List *a, List *b)
{
	if (list_length(a) != list_length(b))
		return false;
	for (int i = 0; i < list_length(a); i++)
	{
		Wanted	   *x = list_nth(a, i);
		Wanted	   *y = list_nth(b, i);

		if (x->relid != y->relid || x->mode != y->mode)
			return false;
	}
	return true;
}

/* --- one try --- */

static void
set_for(const char *name, int value, GucAction action)
{
	char		text[12];

	snprintf(text, sizeof(text), "%d", value);
	(void) set_config_option(name, text, PGC_SUSET, PGC_S_SESSION,
							 action, true, 0, false);
}

/* Wait in the queue for at most so many ms; 55P03 if that was in vain. */
static void
queue_for(const Wanted *w, int ms)
{
	int			level = NewGUCNestLevel();

	set_for("lock_timeout", ms, GUC_ACTION_SAVE);
	set_for("deadlock_timeout", Max(1, ms / 3), GUC_ACTION_SAVE);
	/* with such a deadlock_timeout the log would fill up */
	set_for("log_lock_waits", 0, GUC_ACTION_SAVE);
	LockRelationOid(w->relid, w->mode);
	AtEOXact_GUC(true, level);
}

/* To the nearest millisecond, so that what took no time counts as none. */
static int
ms_since(TimestampTz start)
{
	return (int) Max(0, (GetCurrentTimestamp() - start + 500) / 1000);
}

/* Take one lock after the other; the first that is not to be had is *missed. */
static Outcome
take_in_order(List *wanted, int stall_limit, TimestampTz start, const Wanted **missed)
{
	ListCell   *lc;

	foreach(lc, wanted)
	{
		const Wanted *w = lfirst(lc);
		int			left;

		if (ConditionalLockRelationOid(w->relid, w->mode))
			continue;
		*missed = w;
		mig_holders_refresh();
		if (mig_holders_are_slow(w->relid, w->mode, stall_limit))
			return LADDER_SLOW;
		left = stall_limit - ms_since(start);
		if (left < 1)
			return LADDER_MISSED;
		queue_for(w, left);
	}
	*missed = NULL;
	return LADDER_GOT;
}

/* Take all or none, in a subtransaction. */
static Outcome
try_once(List *locks, List *wanted, int stall_limit, const Wanted **missed)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile Outcome outcome = LADDER_MISSED;
	TimestampTz start = GetCurrentTimestamp();

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		outcome = take_in_order(wanted, stall_limit, start, missed);
		if (outcome == LADDER_GOT && !same_wanted(resolve(locks), wanted))
			outcome = LADDER_CHANGED;
		if (outcome == LADDER_GOT)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			ReThrowError(error);
		outcome = LADDER_MISSED;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return outcome;
}

/* --- again and again --- */

/* Is anybody in the way whom it makes no sense to queue for? */
static Outcome
look(List *wanted, int stall_limit, const Wanted **missed)
{
	ListCell   *lc;

	mig_holders_refresh();
	foreach(lc, wanted)
	{
		Wanted	   *w = lfirst(lc);

		if (mig_holders_are_slow(w->relid, w->mode, stall_limit))
		{
			*missed = w;
			return LADDER_SLOW;
		}
	}
	return LADDER_GOT;
}

/* Could anybody who reads or writes have waited for one of these? */
static bool
blocks_clients(List *wanted)
{
	ListCell   *lc;

	foreach(lc, wanted)
		if (((Wanted *) lfirst(lc))->mode >= ShareLock)
			return true;
	return false;
}

/* Look, and try if that makes sense. */
static Outcome
look_and_try(List *locks, List *wanted, MigLadder *ladder, const Wanted **missed)
{
	Outcome		outcome = look(wanted, ladder->stall_limit, missed);
	TimestampTz start;

	if (outcome != LADDER_GOT)
		return outcome;
	start = GetCurrentTimestamp();
	outcome = try_once(locks, wanted, ladder->stall_limit, missed);
	if (blocks_clients(wanted))
		ladder->stalled_ms += ms_since(start);
	if (outcome == LADDER_MISSED)
		ladder->tries++;
	return outcome;
}

/* How long to hold back after that, in ms, with jitter. */
static int
pause_after(Outcome outcome, const MigLadder *ladder)
{
	int64		longest;

	if (outcome == LADDER_CHANGED)
		return 0;
	if (outcome == LADDER_SLOW)
		return (int) pg_prng_uint64_range(&pg_global_prng_state, POLL_MIN, POLL_MAX);
	longest = (int64) FIRST_PAUSE * ladder->stall_limit << Min(ladder->tries - 1, 10);
	longest = Min(longest, (int64) LONGEST_PAUSE * ladder->stall_limit);
	return (int) pg_prng_uint64_range(&pg_global_prng_state, longest / 2, longest);
}

/*
 * Sleep, holding no lock of the ladder and, in a worker, no snapshot: the
 * holder that we wait for may be a concurrent index build, which would wait
 * for it.  In a caller's own transaction the snapshot is the caller's.
 */
static void
hold_back(int ms)
{
	InvalidateCatalogSnapshot();
	if (MyBackendType == B_BG_WORKER &&
		(ActiveSnapshotSet() || TransactionIdIsValid(MyProc->xmin)))
		elog(ERROR, "cannot wait for locks while holding a snapshot");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Remember, in the caller's memory, what was not to be had. */
static void
note_failure(MigLadder *ladder, const Wanted *missed, MemoryContext context)
{
	MemoryContextSwitchTo(context);
	ladder->relation = missed ? pstrdup(missed->name) : NULL;
	ladder->mode = missed ? missed->mode : NoLock;
	ladder->holders = missed ? mig_lock_holders(missed->relid, missed->mode) : NULL;
	InvalidateCatalogSnapshot();
}

bool
mig_ladder_take(List *locks, MigLadder *ladder)
{
	TimestampTz start = GetCurrentTimestamp();
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(caller, "migrate ladder",
												  ALLOCSET_DEFAULT_SIZES);
	bool		got = false;

	MemoryContextSwitchTo(scratch);
	for (;;)
	{
		List	   *wanted;
		const Wanted *missed = NULL;
		Outcome		outcome = LADDER_GOT;
		int			left;

		MemoryContextReset(scratch);
		wanted = resolve(locks);
		if (wanted != NIL)
			outcome = look_and_try(locks, wanted, ladder, &missed);
		got = outcome == LADDER_GOT;
		left = ladder->patience - ms_since(start);
		if (!got && left <= 0)
			note_failure(ladder, missed, caller);
		if (got || left <= 0)
			break;
		hold_back(Min(left, pause_after(outcome, ladder)));
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	ladder->waited_ms += ms_since(start);
	return got;
}

/* --- locks that nobody foresaw --- */

static Oid	awaited_relid = InvalidOid;
static LOCKMODE awaited_mode = NoLock;
static bool waits_are_logged = false;
static int	bound = 0;			/* ms that a wait may last from its first message on ... */
static LocalTransactionId bound_in = InvalidLocalTransactionId; /* ... in this transaction */
static bool bound_armed = false;
static emit_log_hook_type next_log_hook = NULL;

static bool
says(const ErrorData *edata, const char *begin)
{
	return strncmp(edata->message_id, begin, strlen(begin)) == 0;
}

/* The statement's own lock_timeout counts, if there is one. */
static void
arm_bound(bool waiting)
{
	if (waiting && !bound_armed && LockTimeout == 0 &&
		mig_my_vxid().localTransactionId == bound_in)
	{
		enable_timeout_after(LOCK_TIMEOUT, bound);
		bound_armed = true;
	}
	else if (!waiting && bound_armed)
	{
		/* compare ProcSleep: if it has gone off already, the error shall say what it was */
		disable_timeout(LOCK_TIMEOUT, true);
		bound_armed = false;
	}
}

/*
 * log_lock_waits has the server say that this process is still waiting for a
 * lock (ProcSleep), when deadlock_timeout is over: from here on the wait is
 * bounded.  To set lock_timeout itself would do as well, but a migration may
 * look at it.  Remember for which lock, as nobody can tell any more once it
 * has become an error (ProcessInterrupts calls LockErrorCleanup first).  The
 * log gets these messages only if it is to have them anyway.
 */
static void
note_lock_wait(ErrorData *edata)
{
	LOCK	   *lock = MyProc ? MyProc->waitLock : NULL;

	if (edata->elevel == LOG && edata->message_id &&
		says(edata, "process %d "))
	{
		if (says(edata, "process %d still waiting for"))
			arm_bound(true);
		else if (says(edata, "process %d acquired") || says(edata, "process %d failed to acquire"))
			arm_bound(false);
		if (lock != NULL && lock->tag.locktag_type == LOCKTAG_RELATION)
		{
			awaited_relid = lock->tag.locktag_field2;
			awaited_mode = MyProc->waitLockMode;
		}
		if (!waits_are_logged)
			edata->output_to_server = false;
	}
	if (next_log_hook)
		next_log_hook(edata);
}

void
mig_lock_bound_statements(int stall_limit)
{
	static bool hooked = false;

	if (!hooked)
	{
		next_log_hook = emit_log_hook;
		emit_log_hook = note_lock_wait;
		hooked = true;
	}
	awaited_relid = InvalidOid;
	waits_are_logged = log_lock_waits;
	bound = Max(1, stall_limit - Max(1, stall_limit / 3));
	bound_in = mig_my_vxid().localTransactionId;
	bound_armed = false;
	set_for("deadlock_timeout", Max(1, stall_limit / 3), GUC_ACTION_LOCAL);
	set_for("log_lock_waits", 1, GUC_ACTION_LOCAL);
}

bool
mig_lock_awaited(Oid *relid, LOCKMODE *mode)
{
	*relid = awaited_relid;
	*mode = awaited_mode;
	return OidIsValid(awaited_relid);
}

MigLock *
mig_lock_named(Oid relid, LOCKMODE mode)
{
	char	   *name = get_rel_name(relid);
	char	   *schema = name ? get_namespace_name(get_rel_namespace(relid)) : NULL;
	MigLock    *lock;

	if (schema == NULL)
		return NULL;
	lock = palloc0(sizeof(MigLock));
	lock->relation = quote_qualified_identifier(schema, name);
	lock->mode = mode;
	return lock;
}

void
mig_ladder_raise(const MigLadder *ladder)
{
	const char *relation = ladder->relation ? ladder->relation : "";

	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("could not get %s on relation \"%s\"",
					ladder->mode == NoLock ? "a lock" : mig_lock_word(ladder->mode),
					relation),
			 ladder->holders ?
			 errdetail("Tried for " INT64_FORMAT " ms. In the way: %s.", ladder->waited_ms, ladder->holders) :
			 errdetail("Tried for " INT64_FORMAT " ms. Whoever was in the way has gone since.", ladder->waited_ms),
			 errhint("Wait until these transactions have ended, or end them, then call the same again. How long to keep trying is the setting migrate.lock_retry_for.")));
}
