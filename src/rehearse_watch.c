/*-------------------------------------------------------------------------
 *
 * rehearse_watch.c
 *	  What a rehearsal does to the relations that were there before.
 *
 * The lock table tells which locks this session has; the file of a relation
 * and the statistics of the transaction tell whether it was rewritten or
 * read from end to end.
 *
 * The clock for max_lock runs from before the first statement that may lock
 * writers out until the locks are gone, a little longer than they are held
 * rather than shorter.  Which statements those are the plan says of the steps
 * themselves; of what functions and DO blocks execute, a hook does.
 *
 * Takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "rehearse_watch.h"
#include "words.h"

/* Modes that a writer cannot share are those from ShareLock on. */
#define BLOCKING_MODES (~(LOCKMASK) (LOCKBIT_ON(ShareLock) - 1))

typedef struct Watched
{
	Oid			relid;			/* hash key */
	char	   *name;			/* qualified, as it was */
	char		relkind;
	Oid			filenode;
	int64		scans;
	int64		changes;		/* rows updated or deleted */
	bool		rows_locked;
	LOCKMASK	now;			/* while looking */
	LOCKMASK	held;
	LOCKMASK	before;			/* by the caller's transaction: his own affair */
} Watched;

typedef struct Advisory
{
	LOCKTAG		tag;
	LOCKMASK	held;
} Advisory;

#define CANCEL_AGAIN_MS 50

static MigRehearseWatch *current = NULL;
static ProcessUtility_hook_type next_hook = NULL;
static TimeoutId timer = MAX_TIMEOUTS;
static volatile sig_atomic_t time_is_over = false;

/* --- the clock --- */

/* In a signal handler: as StatementCancelHandler does. */
static void
end_of_time(void)
{
	time_is_over = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

static void
hold_since(MigRehearseWatch *watch, TimestampTz since)
{
	if (watch->held_since != 0)
		return;
	watch->held_since = since;
	/* again and again, as code may catch a cancel and go on */
	enable_timeout_every(timer, TimestampTzPlusMilliseconds(watch->held_since, watch->max_lock), CANCEL_AGAIN_MS);
}

void
mig_rehearse_hold(MigRehearseWatch *watch)
{
	hold_since(watch, GetCurrentTimestamp());
}

void
mig_rehearse_release(MigRehearseWatch *watch)
{
	if (watch->held_since == 0)
		return;
	disable_timeout(timer, false);
	watch->held_since = 0;
}

void
mig_rehearse_stop_clock(void)
{
	disable_timeout(timer, false);
	if (time_is_over)
		QueryCancelPending = false;
}

bool
mig_rehearse_is_over(void)
{
	return time_is_over;
}

/* --- statements inside of functions --- */

/* May a statement lock writers of an existing table out?  Those that execute others are asked one by one. */
static bool
may_lock_out(const Node *node)
{
	switch (nodeTag(node))
	{
		case T_CallStmt:
		case T_ConstraintsSetStmt:
		case T_CopyStmt:
		case T_CreateTableAsStmt:
		case T_DoStmt:
		case T_ExecuteStmt:
		case T_ExplainStmt:
		case T_FetchStmt:
		case T_NotifyStmt:
		case T_PrepareStmt:
		case T_TransactionStmt:
		case T_VariableSetStmt:
		case T_VariableShowStmt:
			return false;
		default:
			return true;
	}
}

static void
call_next(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
		  ProcessUtilityContext context, ParamListInfo params,
		  QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	if (next_hook)
		next_hook(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params,
								queryEnv, dest, qc);
}

static void
watch_hook(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
		   ProcessUtilityContext context, ParamListInfo params,
		   QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	MigRehearseWatch *watch = current;
	volatile bool began = false;

	if (watch == NULL)
	{
		call_next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		return;
	}
	if (++watch->depth > watch->own_levels && watch->held_since == 0 &&
		may_lock_out(pstmt->utilityStmt))
	{
		mig_rehearse_hold(watch);
		began = true;
	}
	PG_TRY();
	{
		call_next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	}
	PG_CATCH();
	{
		watch->depth--;
		if (began)
			mig_rehearse_release(watch);
		PG_RE_THROW();
	}
	PG_END_TRY();
	watch->depth--;
	if (began)
		mig_rehearse_look(watch, NULL);
}

/* --- what there is --- */

static Oid
filenode_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			filenode;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	filenode = ((Form_pg_class) GETSTRUCT(tuple))->relfilenode;
	ReleaseSysCache(tuple);
	return filenode;
}

static int64
scans_of(Oid relid)
{
	return DatumGetInt64(OidFunctionCall1(F_PG_STAT_GET_XACT_NUMSCANS, ObjectIdGetDatum(relid)));
}

static int64
changes_of(Oid relid)
{
	return DatumGetInt64(OidFunctionCall1(F_PG_STAT_GET_XACT_TUPLES_UPDATED, ObjectIdGetDatum(relid))) +
		DatumGetInt64(OidFunctionCall1(F_PG_STAT_GET_XACT_TUPLES_DELETED, ObjectIdGetDatum(relid)));
}

static HTAB *
make_set(const char *name, Size entry)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = entry;
	ctl.hcxt = CurrentMemoryContext;
	return hash_create(name, 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
find_relations(MigRehearseWatch *watch)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	watch->relations = make_set("relations of a rehearsal", sizeof(Watched));
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);
		Watched    *watched;

		if (form->relnamespace == PG_CATALOG_NAMESPACE || IsToastNamespace(form->relnamespace))
			continue;
		watched = hash_search(watch->relations, &form->oid, HASH_ENTER, NULL);
		watched->name = pstrdup(quote_qualified_identifier(get_namespace_name(form->relnamespace),
														   NameStr(form->relname)));
		watched->relkind = form->relkind;
		watched->filenode = form->relfilenode;
		watched->scans = scans_of(form->oid);
		watched->changes = changes_of(form->oid);
		watched->rows_locked = false;
		watched->now = watched->held = watched->before = 0;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

bool
mig_rehearse_was_there(const MigRehearseWatch *watch, Oid relid)
{
	return hash_search(watch->relations, &relid, HASH_FIND, NULL) != NULL;
}

/* --- what has changed --- */

/* A relcache callback: of all DDL on a relation, ours and that of others. */
static void
relation_has_changed(Datum arg, Oid relid)
{
	if (current == NULL)
		return;
	if (OidIsValid(relid))
		(void) hash_search(current->touched, &relid, HASH_ENTER, NULL);
	else
		current->all_touched = true;
}

bool
mig_rehearse_touched(const MigRehearseWatch *watch, List **touched)
{
	HASH_SEQ_STATUS status;
	Oid		   *relid;

	*touched = NIL;
	if (watch->all_touched)
		return false;
	hash_seq_init(&status, watch->touched);
	while ((relid = hash_seq_search(&status)) != NULL)
		*touched = lappend_oid(*touched, *relid);
	return true;
}

/* --- what has come --- */

static LOCKMODE
strongest(LOCKMASK mask)
{
	for (LOCKMODE mode = MaxLockMode; mode > NoLock; mode--)
		if (mask & LOCKBIT_ON(mode))
			return mode;
	return NoLock;
}

/* Every statement locks the indexes of its table; only what nobody can share is worth a word. */
static bool
is_worth_telling(const Watched *watched, LOCKMODE mode)
{
	return mode == AccessExclusiveLock ||
		(watched->relkind != RELKIND_INDEX && watched->relkind != RELKIND_PARTITIONED_INDEX);
}

static void
add_note(MigRehearsal *row, const char *verb, const char *name)
{
	row->message = row->message ? psprintf("%s; %s %s", row->message, verb, name) :
		psprintf("%s %s", verb, name);
}

/* Compare with what was seen last. */
static void
look_at(Watched *watched, LOCKMASK mask, MigRehearsal *row)
{
	LOCKMODE	mode = strongest(mask & ~watched->held);
	Oid			filenode = filenode_of(watched->relid);
	int64		scans = scans_of(watched->relid);
	int64		changes = changes_of(watched->relid);

	if (mode > strongest(watched->held) && is_worth_telling(watched, mode))
		row->locks = lappend(row->locks, psprintf("%s %s", watched->name, mig_lock_word(mode)));
	if (filenode != watched->filenode && OidIsValid(filenode))
	{
		bool		is_index = watched->relkind == RELKIND_INDEX;

		row->rewrites |= !is_index;
		add_note(row, is_index ? "builds" : "rewrites", watched->name);
		watched->filenode = filenode;
	}
	if (scans > watched->scans && watched->relkind != RELKIND_INDEX)
	{
		row->scans = true;
		add_note(row, "scans", watched->name);
	}
	watched->rows_locked |= changes > watched->changes;
	watched->changes = changes;
	watched->scans = scans;
	watched->held = mask;
}

static int
by_relid(const ListCell *a, const ListCell *b)
{
	Oid			x = ((Watched *) lfirst(a))->relid;
	Oid			y = ((Watched *) lfirst(b))->relid;

	return x < y ? -1 : x > y;
}

/*
 * The relations that we have locked now (list of Watched, by OID).  One may
 * have two entries, as weak locks can take the fast path.
 */
static List *
locked_now(MigRehearseWatch *watch)
{
	LockData   *locks = GetLockStatusData();
	List	   *result = NIL;

	for (int i = 0; i < locks->nelements; i++)
	{
		LockInstanceData *lock = &locks->locks[i];
		Oid			relid = lock->locktag.locktag_field2;
		Watched    *watched;

		if (lock->pid != MyProcPid || lock->holdMask == 0 ||
			lock->locktag.locktag_type != LOCKTAG_RELATION ||
			lock->locktag.locktag_field1 != MyDatabaseId)
			continue;
		watched = hash_search(watch->relations, &relid, HASH_FIND, NULL);
		if (watched == NULL)
			continue;
		if (watched->now == 0)
			result = lappend(result, watched);
		watched->now |= lock->holdMask;
	}
	list_sort(result, by_relid);
	return result;
}

void
mig_rehearse_look(MigRehearseWatch *watch, MigRehearsal *row)
{
	bool		locked_out = false;
	ListCell   *lc;

	foreach(lc, locked_now(watch))
	{
		Watched    *watched = lfirst(lc);

		if (row)
			look_at(watched, watched->now, row);
		locked_out |= watched->rows_locked || (watched->now & ~watched->before & BLOCKING_MODES);
		watched->now = 0;
	}
	if (locked_out)
		hold_since(watch, watch->step_began);
	else
		mig_rehearse_release(watch);
}

void
mig_rehearse_rolled_back(MigRehearseWatch *watch)
{
	HASH_SEQ_STATUS status;
	Watched    *watched;
	MigRehearsal nobody = {0};

	hash_seq_init(&status, watch->relations);
	while ((watched = hash_seq_search(&status)) != NULL)
	{
		watched->held = watched->before;
		watched->rows_locked = false;
	}
	mig_rehearse_look(watch, &nobody);
}

char *
mig_rehearse_held(const MigRehearseWatch *watch)
{
	HASH_SEQ_STATUS status;
	Watched    *watched;
	StringInfoData buf;

	initStringInfo(&buf);
	hash_seq_init(&status, watch->relations);
	while ((watched = hash_seq_search(&status)) != NULL)
		if ((watched->rows_locked || (watched->held & ~watched->before & BLOCKING_MODES)) &&
			watched->relkind != RELKIND_INDEX && watched->relkind != RELKIND_PARTITIONED_INDEX)
			appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", watched->name);
	return buf.len ? buf.data : NULL;
}

/* --- advisory locks --- */

static List *
advisory_locks(void)
{
	LockData   *locks = GetLockStatusData();
	List	   *result = NIL;

	for (int i = 0; i < locks->nelements; i++)
	{
		LockInstanceData *lock = &locks->locks[i];
		Advisory   *advisory;

		if (lock->pid != MyProcPid || lock->locktag.locktag_type != LOCKTAG_ADVISORY)
			continue;
		advisory = palloc(sizeof(Advisory));
		advisory->tag = lock->locktag;
		advisory->held = lock->holdMask;
		result = lappend(result, advisory);
	}
	return result;
}

static LOCKMASK
held_before(const MigRehearseWatch *watch, const LOCKTAG *tag)
{
	ListCell   *lc;

	foreach(lc, watch->advisory)
	{
		Advisory   *advisory = lfirst(lc);

		if (memcmp(&advisory->tag, tag, sizeof(LOCKTAG)) == 0)
			return advisory->held;
	}
	return 0;
}

/* A session's advisory locks outlive the rollback of what took them. */
static void
release_advisory_locks(const MigRehearseWatch *watch)
{
	ListCell   *lc;

	foreach(lc, advisory_locks())
	{
		Advisory   *advisory = lfirst(lc);
		LOCKMASK	added = advisory->held & ~held_before(watch, &advisory->tag);

		for (LOCKMODE mode = 1; mode <= MaxLockMode; mode++)
			while ((added & LOCKBIT_ON(mode)) && mig_holds_lock(&advisory->tag, mode))
				if (!LockRelease(&advisory->tag, mode, true))
					break;
	}
}

/* --- begin and end --- */

void
mig_rehearse_watch_begin(MigRehearseWatch *watch, int max_lock)
{
	ListCell   *lc;

	watch->max_lock = max_lock;
	watch->held_since = 0;
	watch->depth = 0;
	watch->own_levels = 0;
	watch->step_began = GetCurrentTimestamp();
	find_relations(watch);
	watch->touched = make_set("relations touched", sizeof(Oid));
	watch->all_touched = false;
	watch->advisory = advisory_locks();
	if (timer == MAX_TIMEOUTS)
	{
		timer = RegisterTimeout(USER_TIMEOUT, end_of_time);
		next_hook = ProcessUtility_hook;
		ProcessUtility_hook = watch_hook;
		CacheRegisterRelcacheCallback(relation_has_changed, (Datum) 0);
	}
	foreach(lc, locked_now(watch))
	{
		Watched    *watched = lfirst(lc);

		watched->before = watched->held = watched->now;
		watched->now = 0;
	}
	time_is_over = false;
	current = watch;			/* nothing that can fail comes between this and the caller's PG_TRY */
}

void
mig_rehearse_watch_end(MigRehearseWatch *watch)
{
	mig_rehearse_stop_clock();
	time_is_over = false;
	current = NULL;
	release_advisory_locks(watch);
}
