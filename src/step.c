/*-------------------------------------------------------------------------
 *
 * step.c
 *	  What a kind of step means.
 *
 * Steps inside a transaction need nothing here: their effect and its record
 * commit together.  A step that runs alone leaves a mark first ("started");
 * afterwards the catalog tells whether it was done:
 *
 *	  create index	the index exists, and is valid and ready
 *	  drop index	it exists no more
 *	  detach		the partition is none any more; a pending one is finalized
 *	  reindex		is repeated, after its invalid leftovers are dropped
 *	  repeatable	is repeated: harmless
 *	  opaque		nobody can tell
 *
 * An invalid index under the recorded name, or one that a reindex left, can
 * only be ours, since there was none when the mark was made (mig_step_check).
 *
 * A concurrent command waits for the transactions that are open, while nobody
 * waits for it: lock_timeout would only cut it off, whoever has set it.  What
 * FINALIZE does to a partition does make others wait: its lock is taken by the
 * ladder, and what it waits for then is bounded by migrate.stall_limit.
 *
 * Locks: those of the commands; DROP INDEX CONCURRENTLY for leftovers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "nodes/makefuncs.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "exec.h"
#include "index.h"
#include "lock.h"
#include "partition.h"
#include "relation.h"
#include "settings.h"
#include "step.h"

#define FINALIZE_PATIENCE_MS 1000	/* then tell what we wait for, and try again */

bool
mig_step_is_setting(const MigStep *step)
{
	return step->kind == MIG_STEP_SETTING;
}

/* By its qualified name; InvalidOid if there is none. */
static Oid
relation_by_name(const char *name)
{
	RangeVar   *rv;

	if (name == NULL)
		return InvalidOid;
	rv = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name)));
	return RangeVarGetRelid(rv, NoLock, true);
}

/* --- leftovers of REINDEX --- */

/* Is it the name of what REINDEX CONCURRENTLY builds or replaces: ..._ccnew, ..._ccold1? */
static bool
is_reindex_leftover_name(const char *name)
{
	const char *mark = strstr(name, "_ccnew");

	if (mark == NULL)
		mark = strstr(name, "_ccold");
	if (mark == NULL)
		return false;
	mark += strlen("_ccnew");
	return strspn(mark, "0123456789") == strlen(mark);
}

/*
 * What a reindex step goes over: one table with its TOAST table, a schema, or
 * the database.
 */
typedef struct Scope
{
	Oid			table;
	Oid			toast;
	Oid			schema;
} Scope;

static Scope
scope_of(const MigStep *step)
{
	Scope		scope = {0};
	HeapTuple	tuple;
	List	   *names;
	char		relkind;

	if (step->relation == NULL)
	{
		if (step->object && SplitIdentifierString(pstrdup(step->object), '.', &names) &&
			list_length(names) == 1)
			scope.schema = get_namespace_oid(linitial(names), true);
		return scope;
	}
	scope.table = relation_by_name(step->relation);
	relkind = OidIsValid(scope.table) ? get_rel_relkind(scope.table) : 0;
	if (relkind == RELKIND_INDEX || relkind == RELKIND_PARTITIONED_INDEX)
		scope.table = IndexGetRelation(scope.table, true);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(scope.table));
	if (HeapTupleIsValid(tuple))
	{
		scope.toast = ((Form_pg_class) GETSTRUCT(tuple))->reltoastrelid;
		ReleaseSysCache(tuple);
	}
	return scope;
}

static bool
is_in_scope(const MigStep *step, const Scope *scope, Form_pg_index index)
{
	Oid			schema;
	Oid			of;
	char	   *name = get_rel_name(index->indrelid);

	if (step->relation)
		return OidIsValid(scope->table) &&
			(index->indrelid == scope->table || index->indrelid == scope->toast);
	/* nothing but its name says whose TOAST table it is */
	if (get_rel_relkind(index->indrelid) == RELKIND_TOASTVALUE &&
		name && sscanf(name, "pg_toast_%u", &of) == 1)
		schema = get_rel_namespace(of);
	else
		schema = get_rel_namespace(index->indrelid);
	return (OidIsValid(scope->schema) ? schema == scope->schema : step->object == NULL) &&
		!IsCatalogRelationOid(index->indrelid);
}

/* Qualified names of the invalid indexes that a reindex has left there. */
static List *
reindex_leftovers(const MigStep *step)
{
	Relation	catalog = table_open(IndexRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	Scope		scope = scope_of(step);
	List	   *result = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);
		char	   *name;

		if (index->indisvalid && index->indisready && index->indislive)
			continue;
		name = get_rel_name(index->indexrelid);
		if (name && is_reindex_leftover_name(name) && is_in_scope(step, &scope, index))
			result = lappend(result, mig_relation_text(index->indexrelid));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* --- before a step --- */

static void
check_create_index(const MigStep *step)
{
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(step->command, RAW_PARSE_DEFAULT));
	Oid			index = relation_by_name(step->object);

	if (!OidIsValid(index))
		return;
	if (get_rel_relkind(index) == RELKIND_INDEX && !mig_index_is_whole(index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index %s exists already and is invalid", step->object),
				 errdetail("An earlier build of it, not by this migration, did not come to its end."),
				 errhint("Drop it: DROP INDEX CONCURRENTLY %s.", step->object)));
	if (IsA(raw->stmt, IndexStmt) && !((IndexStmt *) raw->stmt)->if_not_exists)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation %s already exists", step->object)));
}

static void
check_reindex(const MigStep *step)
{
	List	   *leftovers = reindex_leftovers(step);

	if (leftovers != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index %s is left over from an earlier REINDEX, not by this migration",
						(char *) linitial(leftovers)),
				 errhint("Drop it, unless that one is still at work: DROP INDEX CONCURRENTLY %s.",
						 (char *) linitial(leftovers))));
}

static void
check_detach(const MigStep *step)
{
	Oid			parent = relation_by_name(step->relation);

	if (OidIsValid(parent) && mig_partition_is_pending(parent, InvalidOid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a partition of %s is being detached already, not by this migration", step->relation),
				 errdetail("Only one at a time can be detached concurrently."),
				 errhint("Wait for it, or end it with ALTER TABLE %s DETACH PARTITION ... FINALIZE.",
						 step->relation)));
}

void
mig_step_check(const MigStep *step)
{
	switch (step->kind)
	{
		case MIG_STEP_CREATE_INDEX:
			check_create_index(step);
			break;
		case MIG_STEP_REINDEX:
			check_reindex(step);
			break;
		case MIG_STEP_DETACH:
			check_detach(step);
			break;
		default:
			break;
	}
}

/* --- doing --- */

static void
set_lock_timeout(const char *value)
{
	SetConfigOption("lock_timeout", value, PGC_USERSET, PGC_S_SESSION);
}

/* With another lock_timeout than the session's, in ms. */
static uint64
exec_with_timeout(const char *sql, int timeout)
{
	char	   *before = pstrdup(GetConfigOption("lock_timeout", false, false));
	volatile uint64 rows = 0;

	set_lock_timeout(psprintf("%d", timeout));
	PG_TRY();
	{
		rows = mig_exec(sql);
	}
	PG_FINALLY();
	{
		set_lock_timeout(before);
	}
	PG_END_TRY();
	return rows;
}

uint64
mig_step_do_alone(const MigStep *step)
{
	switch (step->kind)
	{
		case MIG_STEP_CREATE_INDEX:
		case MIG_STEP_DROP_INDEX:
		case MIG_STEP_REINDEX:
		case MIG_STEP_DETACH:
			return exec_with_timeout(step->command, 0);
		default:
			return mig_exec(step->command);
	}
}

/* --- after a step that was cut off, or has failed --- */

static void
drop_index_concurrently(const char *name)
{
	(void) exec_with_timeout(psprintf("DROP INDEX CONCURRENTLY IF EXISTS %s", name), 0);
}

/* What is at hand after a CREATE INDEX CONCURRENTLY that was cut off. */
static MigAftermath
after_create_index(const MigStep *step)
{
	Oid			index;
	bool		whole = false;

	mig_exec_begin();
	index = relation_by_name(step->object);
	if (OidIsValid(index))
		whole = mig_index_is_whole(index);
	mig_exec_commit();

	if (OidIsValid(index) && !whole)
		drop_index_concurrently(step->object);
	return whole ? MIG_STEP_IS_DONE : MIG_STEP_AGAIN;
}

static MigAftermath
after_drop_index(const MigStep *step)
{
	bool		gone;

	mig_exec_begin();
	gone = !OidIsValid(relation_by_name(step->object));
	mig_exec_commit();
	return gone ? MIG_STEP_IS_DONE : MIG_STEP_AGAIN;
}

/* It is there, but no query uses it any more. */
static bool
index_is_half_dropped(const MigStep *step)
{
	Oid			index;
	bool		half;

	mig_exec_begin();
	index = relation_by_name(step->object);
	half = OidIsValid(index) && !mig_index_is_whole(index);
	mig_exec_commit();
	return half;
}

/* Is child a partition of parent; and is its detaching pending? */
static bool
is_partition(Oid parent, Oid child, bool *pending)
{
	Relation	rel = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(child));
	scan = systable_beginscan(rel, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_inherits form = (Form_pg_inherits) GETSTRUCT(tuple);

		if (form->inhparent == parent)
		{
			found = true;
			*pending = form->inhdetachpending;
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

static bool
is_half_detached(const MigStep *step)
{
	Oid			parent;
	Oid			child;
	bool		pending = false;

	mig_exec_begin();
	parent = relation_by_name(step->relation);
	child = relation_by_name(step->object);
	if (OidIsValid(parent) && OidIsValid(child))
		(void) is_partition(parent, child, &pending);
	mig_exec_commit();
	return pending;
}

/*
 * FINALIZE locks the partition against everybody and then waits for whoever
 * has a snapshot; nobody may wait for that longer than allowed.  55P03 if it
 * was in vain.
 */
static void
finalize_detach(const MigStep *step)
{
	MigLock		lock = {step->object, AccessExclusiveLock, false};
	MigLadder	ladder = {0};
	bool		got;

	ladder.stall_limit = mig_stall_limit;
	ladder.patience = FINALIZE_PATIENCE_MS;
	mig_exec("BEGIN");
	mig_exec_begin();
	got = mig_ladder_take(list_make1(&lock), &ladder);
	mig_exec_commit();
	if (!got)
		mig_ladder_raise(&ladder);
	(void) exec_with_timeout(psprintf("ALTER TABLE %s DETACH PARTITION %s FINALIZE",
									  step->relation, step->object), mig_stall_limit);
	mig_exec("COMMIT");
}

static MigAftermath
after_detach(const MigStep *step)
{
	Oid			parent;
	Oid			child;
	bool		attached = false;
	bool		pending = false;

	mig_exec_begin();
	parent = relation_by_name(step->relation);
	child = relation_by_name(step->object);
	if (OidIsValid(parent) && OidIsValid(child))
		attached = is_partition(parent, child, &pending);
	mig_exec_commit();

	if (!attached)
		return MIG_STEP_IS_DONE;
	if (!pending)
		return MIG_STEP_AGAIN;
	finalize_detach(step);
	return MIG_STEP_IS_DONE;
}

static void
drop_reindex_leftovers(const MigStep *step)
{
	List	   *leftovers;
	ListCell   *lc;

	mig_exec_begin();
	leftovers = reindex_leftovers(step);
	mig_exec_commit();
	foreach(lc, leftovers)
		drop_index_concurrently(lfirst(lc));
}

MigAftermath
mig_step_after_crash(const MigStep *step)
{
	switch (step->kind)
	{
		case MIG_STEP_CREATE_INDEX:
			return after_create_index(step);
		case MIG_STEP_DROP_INDEX:
			return after_drop_index(step);
		case MIG_STEP_DETACH:
			return after_detach(step);
		case MIG_STEP_REINDEX:
			drop_reindex_leftovers(step);
			return MIG_STEP_AGAIN;
		case MIG_STEP_REPEATABLE:
			return MIG_STEP_AGAIN;
		case MIG_STEP_OPAQUE:
			return MIG_STEP_DOUBTFUL;
		case MIG_STEP_SQL:
		case MIG_STEP_SETTING:
		case MIG_STEP_LOOK:
		case MIG_STEP_VALIDATE:
		case MIG_STEP_BACKFILL:
		case MIG_STEP_FILL:
			break;
	}
	return MIG_STEP_AGAIN;
}

MigAftermath
mig_step_finish(const MigStep *step)
{
	if (step->kind == MIG_STEP_DROP_INDEX && index_is_half_dropped(step))
	{
		drop_index_concurrently(step->object);
		return MIG_STEP_IS_DONE;
	}
	return mig_step_after_crash(step);
}

bool
mig_step_clear(const MigStep *step)
{
	bool		clear = true;

	switch (step->kind)
	{
		case MIG_STEP_CREATE_INDEX:
			(void) after_create_index(step);
			break;
		case MIG_STEP_REINDEX:
			drop_reindex_leftovers(step);
			break;
		case MIG_STEP_DROP_INDEX:
			clear = !index_is_half_dropped(step);
			break;
		case MIG_STEP_DETACH:
			clear = !is_half_detached(step);
			break;
		default:
			break;
	}
	return clear;
}
