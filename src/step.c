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
 * An invalid index under the recorded name can only be ours, since the name
 * was free when the mark was made (mig_step_check).
 *
 * Locks: those of the commands; DROP INDEX CONCURRENTLY for leftovers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "exec.h"
#include "step.h"

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

/* An index whose build has ended well. */
static bool
index_is_whole(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	bool		whole;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_index) GETSTRUCT(tuple);
	whole = form->indisvalid && form->indisready && form->indislive;
	ReleaseSysCache(tuple);
	return whole;
}

void
mig_step_check(const MigStep *step)
{
	Oid			index;

	if (step->kind != MIG_STEP_CREATE_INDEX)
		return;
	index = relation_by_name(step->object);
	if (OidIsValid(index) && get_rel_relkind(index) == RELKIND_INDEX && !index_is_whole(index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index %s exists already and is invalid", step->object),
				 errdetail("An earlier build of it, not by this migration, did not come to its end."),
				 errhint("Drop it: DROP INDEX CONCURRENTLY %s.", step->object)));
}

uint64
mig_step_do_alone(const MigStep *step)
{
	return mig_exec(step->command);
}

static void
drop_index_concurrently(const char *name)
{
	mig_exec(psprintf("DROP INDEX CONCURRENTLY IF EXISTS %s", name));
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
		whole = index_is_whole(index);
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
	half = OidIsValid(index) && !index_is_whole(index);
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
	mig_exec(psprintf("ALTER TABLE %s DETACH PARTITION %s FINALIZE",
					  step->relation, step->object));
	return MIG_STEP_IS_DONE;
}

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

/* The table of a reindex step, which names the table or one index of it. */
static Oid
table_of(const char *relation)
{
	Oid			relid = relation_by_name(relation);
	char		relkind = OidIsValid(relid) ? get_rel_relkind(relid) : 0;

	if (relkind == RELKIND_INDEX || relkind == RELKIND_PARTITIONED_INDEX)
		relid = IndexGetRelation(relid, true);
	return relid;
}

/* Qualified names of the invalid indexes that a reindex of this relation left. */
static List *
reindex_leftovers(const char *relation)
{
	List	   *result = NIL;
	Oid			relid = table_of(relation);
	Relation	rel;
	ListCell   *lc;

	if (!OidIsValid(relid))
		return NIL;
	rel = try_relation_open(relid, AccessShareLock);
	if (rel == NULL)
		return NIL;
	foreach(lc, RelationGetIndexList(rel))
	{
		Oid			index = lfirst_oid(lc);

		if (is_reindex_leftover_name(get_rel_name(index)) && !index_is_whole(index))
			result = lappend(result,
							 quote_qualified_identifier(get_namespace_name(get_rel_namespace(index)),
														get_rel_name(index)));
	}
	relation_close(rel, NoLock);
	return result;
}

static void
drop_reindex_leftovers(const MigStep *step)
{
	List	   *leftovers;
	ListCell   *lc;

	if (step->relation == NULL)
		return;
	mig_exec_begin();
	leftovers = reindex_leftovers(step->relation);
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
