/*-------------------------------------------------------------------------
 *
 * lock.c
 *	  Run locks, request locks, places and relations of runs.
 *
 * All are session-level locks on an object of our own, so that they outlive
 * the transactions of a run and vanish with the process that runs it.  Each
 * is taken twice, on two tags that differ only in their lock method, because
 * neither method keeps a session's locks whatever happens:
 *
 *	the default one releases them when a transaction aborts
 *	(ProcReleaseLocks in proc.c: LockReleaseAll(DEFAULT_LOCKMETHOD, !isCommit));
 *
 *	that of advisory locks releases them for pg_advisory_unlock_all() and
 *	DISCARD ALL, which a migration's own SQL may call.
 *
 * What one of these took away is taken again at the end of the transaction,
 * while the other twin shows that the owner is alive.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lock.h"
#include "catalog.h"
#include "compat.h"

#include "access/xlog.h"
#include "common/hashfn.h"
#include "lib/ilist.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* What an object of ours stands for: the table whose OID is its class. */
#define RUN_CLASS		"migration"
#define REQUEST_CLASS	"request"
#define PLACE_CLASS		"run"
#define RELATION_CLASS	"step"
#define RANGE_CLASS		"cursor"

typedef struct OwnLock
{
	dlist_node	node;
	LOCKTAG		tag;			/* with the default method */
	bool		for_request;	/* kept by mig_unlock_all() */
} OwnLock;

static dlist_head own_locks = DLIST_STATIC_INIT(own_locks);
static bool callbacks_registered = false;

static LOCKTAG
twin_of(const LOCKTAG *tag)
{
	LOCKTAG		twin = *tag;

	twin.locktag_lockmethodid = USER_LOCKMETHOD;
	return twin;
}

/* 48 of the bits of object name the thing within its class. */
static bool
make_tag(LOCKTAG *tag, const char *class, uint64 object)
{
	Oid			table = mig_catalog_table(class);

	if (!OidIsValid(table))
		return false;
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, table, (uint32) object,
					   (uint16) (object >> 32));
	return true;
}

/* As make_tag, but 42704 when the extension has been dropped. */
static void
require_tag(LOCKTAG *tag, const char *class, uint64 object)
{
	if (!make_tag(tag, class, object))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"migrate\" is not installed in this database")));
}

static uint64
hash_of(const char *scope, const char *name)
{
	uint64		seed = hash_bytes_extended((const unsigned char *) scope, strlen(scope), 0);

	return hash_bytes_extended((const unsigned char *) name, strlen(name), seed);
}

/* Release one of the twins, if this session has it. */
static void
release_tag(const LOCKTAG *tag)
{
	if (mig_holds_lock(tag, ExclusiveLock))
		LockRelease(tag, ExclusiveLock, true);
}

/*
 * At the end of a transaction, take again what it has lost.  This must not
 * raise an error.  Not when the process ends: nobody would release it then.
 */
static void
restore_locks(ResourceReleasePhase phase, bool isCommit, bool isTopLevel, void *arg)
{
	dlist_iter	it;

	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !isTopLevel || shmem_exit_inprogress)
		return;
	dlist_foreach(it, &own_locks)
	{
		OwnLock    *lock = dlist_container(OwnLock, node, it.cur);
		LOCKTAG		twin = twin_of(&lock->tag);

		if (!mig_holds_lock(&lock->tag, ExclusiveLock))
			(void) mig_try_session_lock(&lock->tag, ExclusiveLock);
		if (!mig_holds_lock(&twin, ExclusiveLock))
			(void) mig_try_session_lock(&twin, ExclusiveLock);
	}
}

/*
 * The process ends: ShutdownPostgres, which ran before, has released what
 * the advisory method holds, but the default method's session locks only if
 * there was a transaction to abort.
 */
static void
release_at_exit(int code, Datum arg)
{
	dlist_iter	it;

	dlist_foreach(it, &own_locks)
		release_tag(&dlist_container(OwnLock, node, it.cur)->tag);
}

static void
register_callbacks(void)
{
	if (callbacks_registered)
		return;
	on_shmem_exit(release_at_exit, 0);
	RegisterResourceReleaseCallback(restore_locks, NULL);
	callbacks_registered = true;
}

static OwnLock *
find_own(const LOCKTAG *tag)
{
	dlist_iter	it;

	dlist_foreach(it, &own_locks)
	{
		OwnLock    *lock = dlist_container(OwnLock, node, it.cur);

		if (memcmp(&lock->tag, tag, sizeof(LOCKTAG)) == 0)
			return lock;
	}
	return NULL;
}

/* Take a lock of ours; false if somebody else has it and we are not to wait. */
static bool
take(const LOCKTAG *tag, bool wait)
{
	LOCKTAG		twin = twin_of(tag);
	OwnLock    *lock;

	if (find_own(tag))
		return true;
	register_callbacks();
	/* nobody's concurrent index build must wait for us while we wait */
	if (wait)
		InvalidateCatalogSnapshot();
	lock = MemoryContextAllocZero(TopMemoryContext, sizeof(OwnLock));
	lock->tag = *tag;
	if (LockAcquire(tag, ExclusiveLock, true, !wait) == LOCKACQUIRE_NOT_AVAIL)
	{
		pfree(lock);
		return false;
	}
	if (LockAcquire(&twin, ExclusiveLock, true, !wait) == LOCKACQUIRE_NOT_AVAIL)
	{
		release_tag(tag);
		pfree(lock);
		return false;
	}
	/* only now, so that an error before leaves nothing to be taken again */
	dlist_push_tail(&own_locks, &lock->node);
	return true;
}

static void
give_back(OwnLock *lock)
{
	LOCKTAG		twin = twin_of(&lock->tag);

	dlist_delete(&lock->node);
	release_tag(&lock->tag);
	release_tag(&twin);
	pfree(lock);
}

/* Does anybody hold it?  Object locks never take the fast path, so that the count is right. */
static bool
is_taken(const LOCKTAG *tag)
{
	LOCKTAG		twin = twin_of(tag);

	return LockWaiterCount(tag) > 0 || LockWaiterCount(&twin) > 0;
}

bool
mig_lock_run(const char *scope, const char *version)
{
	LOCKTAG		tag;

	require_tag(&tag, RUN_CLASS, hash_of(scope, version));
	return take(&tag, false);
}

void
mig_unlock_run(const char *scope, const char *version)
{
	LOCKTAG		tag;
	OwnLock    *lock;

	if (!make_tag(&tag, RUN_CLASS, hash_of(scope, version)))
		return;
	lock = find_own(&tag);
	if (lock)
		give_back(lock);
}

bool
mig_run_is_alive(const char *scope, const char *version)
{
	LOCKTAG		tag;

	/* the locks of the primary are not to be seen on a standby */
	if (RecoveryInProgress())
		return true;
	return make_tag(&tag, RUN_CLASS, hash_of(scope, version)) && is_taken(&tag);
}

bool
mig_lock_request(int64 request, bool wait)
{
	LOCKTAG		tag;

	require_tag(&tag, REQUEST_CLASS, (uint64) request);
	if (!take(&tag, wait))
		return false;
	find_own(&tag)->for_request = true;
	return true;
}

bool
mig_request_is_alive(int64 request)
{
	LOCKTAG		tag;

	if (RecoveryInProgress())
		return true;
	return make_tag(&tag, REQUEST_CLASS, (uint64) request) && is_taken(&tag);
}

bool
mig_request_is_awaited(int64 request)
{
	LOCKTAG		tag;

	return make_tag(&tag, REQUEST_CLASS, (uint64) request) && LockWaiterCount(&tag) > 1;
}

bool
mig_lock_place(int max_runs)
{
	for (int place = 0; place < max_runs; place++)
	{
		LOCKTAG		tag;

		require_tag(&tag, PLACE_CLASS, place);
		if (take(&tag, false))
			return true;
	}
	return false;
}

bool
mig_lock_relations(List *relations, const char **taken)
{
	List	   *mine = NIL;		/* of OwnLock, taken by this call */
	ListCell   *lc;

	*taken = NULL;
	foreach(lc, relations)
	{
		LOCKTAG		tag;

		require_tag(&tag, RELATION_CLASS, hash_of("", lfirst(lc)));
		if (find_own(&tag))
			continue;
		if (!take(&tag, false))
		{
			*taken = lfirst(lc);
			break;
		}
		mine = lappend(mine, find_own(&tag));
	}
	if (*taken == NULL)
		return true;
	foreach(lc, mine)
		give_back(lfirst(lc));
	return false;
}

/* --- the workers of a backfill --- */

static uint64
hash_of_range(const char *scope, const char *version, int step, int range)
{
	return hash_of(scope, psprintf("%s\n%d/%d", version, step, range));
}

bool
mig_lock_range(const char *scope, const char *version, int step, int range)
{
	LOCKTAG		tag;

	require_tag(&tag, RANGE_CLASS, hash_of_range(scope, version, step, range));
	return take(&tag, false);
}

void
mig_unlock_range(const char *scope, const char *version, int step, int range)
{
	LOCKTAG		tag;
	OwnLock    *lock;

	if (!make_tag(&tag, RANGE_CLASS, hash_of_range(scope, version, step, range)))
		return;
	lock = find_own(&tag);
	if (lock)
		give_back(lock);
}

bool
mig_range_is_taken(const char *scope, const char *version, int step, int range)
{
	LOCKTAG		tag;

	return make_tag(&tag, RANGE_CLASS, hash_of_range(scope, version, step, range)) && is_taken(&tag);
}

bool
mig_lock_helper(const char *scope, const char *version, int place)
{
	LOCKTAG		tag;

	require_tag(&tag, RANGE_CLASS, hash_of_range(scope, version, 0, place));
	return take(&tag, false);
}

int
mig_helpers_at_work(const char *scope, const char *version)
{
	int			n = 0;

	for (int place = 1; place <= MIG_MAX_HELPERS; place++)
		n += mig_range_is_taken(scope, version, 0, place);
	return n;
}

void
mig_unlock_all(void)
{
	dlist_mutable_iter it;

	dlist_foreach_modify(it, &own_locks)
	{
		OwnLock    *lock = dlist_container(OwnLock, node, it.cur);

		if (!lock->for_request)
			give_back(lock);
	}
}
