/*-------------------------------------------------------------------------
 *
 * sync_copy.c
 *	  A copy of a column under another name, which both names' users write.
 *
 * Column and trigger arrive in one transaction, and leave in one: no client
 * meets the one without the other.  Only what the trigger of the table knows
 * as a copy is ever dropped here.
 *
 * Locks: AccessExclusiveLock on the table and its partitions, by the ladder.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "catalog_sync.h"
#include "lock.h"
#include "relation.h"
#include "session.h"
#include "settings.h"
#include "sqlgen.h"
#include "sync.h"

void
mig_sync_lock(Oid relid, LOCKMODE mode)
{
	MigLadder	ladder = {0};
	List	   *locks = NIL;
	ListCell   *lc;

	ladder.stall_limit = mig_stall_limit;
	ladder.patience = mig_lock_retry_for;
	foreach(lc, list_concat(list_make1_oid(relid), mig_relation_children(relid)))
		locks = lappend(locks, mig_lock_named(lfirst_oid(lc), mode));
	if (!mig_ladder_take(locks, &ladder))
		mig_ladder_raise(&ladder);
}

/* As the caller, who owns the table. */
static void
execute(const char *sql)
{
	int			rc = SPI_execute(sql, false, 0);

	if (rc < 0)
		elog(ERROR, "could not change a table: %s", SPI_result_code_string(rc));
}

/* The type of a column, with its collation if that is not the type's own. */
static char *
type_of(Oid relid, AttrNumber attnum)
{
	Oid			type;
	int32		typmod;
	Oid			collation;
	char	   *text = mig_sql_column_type(relid, attnum);

	get_atttypetypmodcoll(relid, attnum, &type, &typmod, &collation);
	if (!OidIsValid(collation) || collation == get_typcollation(type))
		return text;
	return psprintf("%s COLLATE %s", text, generate_collation_name(collation));
}

static bool
has_pair(Oid relid, const MigSyncPair *pair)
{
	Relation	rel = table_open(relid, AccessShareLock);
	List	   *pairs;
	ListCell   *lc;
	bool		found = false;

	(void) mig_sync_trigger(rel, &pairs);
	foreach(lc, pairs)
		found |= mig_sync_same_columns(lfirst(lc), pair);
	table_close(rel, AccessShareLock);
	return found;
}

/* Of each table of the tree: partitions have triggers of their own. */
static void
require_force(Oid relid)
{
	ListCell   *lc;

	foreach(lc, lcons_oid(relid, mig_relation_children(relid)))
	{
		Relation	rel = table_open(lfirst_oid(lc), AccessShareLock);

		if (!mig_sync_is_in_force(rel))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the sync trigger of relation \"%s\" is not in force", RelationGetRelationName(rel)),
					 errdetail("It is missing, it does not fire always, or another BEFORE trigger fires after it."),
					 errhint("See active and fires_later in migrate.syncs; ALTER TABLE ... ENABLE ALWAYS TRIGGER, or rename the other trigger.")));
		table_close(rel, AccessShareLock);
	}
}

static void
require_pair(Oid relid, const MigSyncPair *pair)
{
	if (!has_pair(relid, pair))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("column \"%s\" of relation \"%s\" is not a copy of column \"%s\"",
						(char *) linitial(pair->new), get_rel_name(relid), (char *) linitial(pair->old)),
				 errhint("See migrate.syncs. If it was one until somebody ended that, say SELECT migrate.sync_columns() again.")));
}

void
mig_sync_copy_column(Oid relid, MigSyncPair *pair)
{
	AttrNumber	attnum = get_attnum(relid, linitial(pair->old));
	MigSyncEntry entry = {0};
	Relation	rel;

	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						(char *) linitial(pair->old), get_rel_name(relid))));
	mig_sync_lock(relid, AccessExclusiveLock);
	execute(psprintf("ALTER TABLE %s ADD COLUMN %s %s", mig_relation_text(relid),
					 mig_sql_name(linitial(pair->new)), type_of(relid, attnum)));
	pair->conflict = mig_sync_conflict;
	rel = table_open(relid, NoLock);
	mig_sync_check(rel, pair, namespace_search_path);
	table_close(rel, NoLock);
	mig_sync_install(relid, pair);

	entry.relation = mig_relation_text(relid);
	entry.old = pair->old;
	entry.new = pair->new;
	entry.up = pair->up;
	entry.down = pair->down;
	entry.conflict = pstrdup(mig_sync_conflict_word(pair->conflict));
	entry.role = GetUserNameFromId(GetUserId(), false);
	mig_sync_entry_add(&entry);
}

void
mig_sync_drop_copy(Oid relid, const MigSyncPair *pair)
{
	mig_sync_lock(relid, AccessExclusiveLock);
	require_pair(relid, pair);
	(void) mig_sync_remove(relid, pair);
	mig_sync_entry_remove(mig_relation_text(relid), pair->old, pair->new);
	/* what depends on it is named, and nothing is done */
	execute(psprintf("ALTER TABLE %s DROP COLUMN %s", mig_relation_text(relid),
					 mig_sql_name(linitial(pair->new))));
}

/* --- the proof --- */

static bool
is_named(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

/* What hangs on the copy and would go with it: neither ours nor a twin. */
static char *
attachment(Oid relid, AttrNumber attnum, List *twins)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	char	   *found = NULL;
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(attnum));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 3, keys);
	while (found == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress object = {depend->classid, depend->objid, depend->objsubid};

		if (depend->classid == TriggerRelationId ||
			(depend->classid == RelationRelationId && is_named(twins, get_rel_name(depend->objid))))
			continue;
		found = getObjectDescription(&object, false);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

static void
refuse_attachment(Oid relid, const MigSyncPair *pair, List *twins)
{
	char	   *found = attachment(relid, get_attnum(relid, linitial(pair->new)), twins);

	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("%s depends on column \"%s\" of relation \"%s\", which is a copy and will be dropped",
						found, (char *) linitial(pair->new), get_rel_name(relid)),
				 errhint("Drop it, and make it for column \"%s\": that takes the name.",
						 (char *) linitial(pair->old))));
}

/* As the owner of the extension: no row policy may hide a row. */
static int64
count_differing(const char *table, const MigSyncPair *pair)
{
	MigIdentity save;
	int64		n;
	bool		isnull;

	mig_identity_extension(&save);
	if (SPI_execute(psprintf("SELECT pg_catalog.count(*) FROM ONLY %s AS migrate_row WHERE NOT"
							 " migrate.in_sync(migrate_row.*, ARRAY[%s]::pg_catalog.name[])",
							 table, mig_sql_literal(linitial(pair->new))), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not compare columns of %s", table);
	n = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	mig_identity_restore(&save);
	return n;
}

void
mig_sync_prove_copy(Oid relid, const MigSyncPair *pair, List *twins)
{
	char	   *table = mig_relation_text(relid);
	int64		n;
	ListCell   *lc;

	require_pair(relid, pair);
	require_force(relid);
	refuse_attachment(relid, pair, twins);
	/* each partition has a trigger of its own to say whether it is in force */
	foreach(lc, lcons_oid(relid, mig_relation_children(relid)))
	{
		char	   *part = mig_relation_text(lfirst_oid(lc));

		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_RELATION)
			continue;
		n = count_differing(part, pair);
		if (n > 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg_plural("columns \"%s\" and \"%s\" of %s differ in %lld row",
								   "columns \"%s\" and \"%s\" of %s differ in %lld rows", n,
								   (char *) linitial(pair->old), (char *) linitial(pair->new), part, (long long) n),
					 errdetail("They were written while the sync trigger was disabled."),
					 errhint("SELECT * FROM %s t WHERE NOT migrate.in_sync(t) shows them. Set one of the columns, then complete.",
							 table)));
	}
}
