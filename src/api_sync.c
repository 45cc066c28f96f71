/*-------------------------------------------------------------------------
 *
 * api_sync.c
 *	  sync_columns and unsync_columns: arguments and rights, then call down.
 *
 * The trigger is there when the caller commits; then a worker fills the rows
 * that are there already, under a version of its own.
 *
 * Locks: by the ladder, on the table and its partitions, until the caller's
 * transaction ends: ShareRowExclusiveLock, which writers wait for; to drop the
 * trigger AccessExclusiveLock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "api_run.h"
#include "catalog_sync.h"
#include "compat.h"
#include "relation.h"
#include "session.h"
#include "settings.h"
#include "sync.h"

PG_FUNCTION_INFO_V1(mig_sync_columns);
PG_FUNCTION_INFO_V1(mig_unsync_columns);

/* --- arguments --- */

/* An array of names or texts as a list of char *; NULL: NIL. */
static List *
texts_arg(FunctionCallInfo fcinfo, int n, Oid type, const char *name)
{
	ArrayType  *array;
	Datum	   *elems;
	bool	   *nulls;
	int			count;
	List	   *texts = NIL;

	if (PG_ARGISNULL(n))
		return NIL;
	array = PG_GETARG_ARRAYTYPE_P(n);
	if (type == NAMEOID)
		deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elems, &nulls, &count);
	else
		deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elems, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not contain nulls", name)));
		texts = lappend(texts, type == NAMEOID ? pstrdup(NameStr(*DatumGetName(elems[i]))) :
						TextDatumGetCString(elems[i]));
	}
	return texts;
}

/* The first three arguments, and the right to change the table. */
static Oid
table_and_columns(FunctionCallInfo fcinfo, MigSyncPair *pair)
{
	Oid			relid;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("relation, old and new must not be null")));
	relid = PG_GETARG_OID(0);
	pair->old = texts_arg(fcinfo, 1, NAMEOID, "old");
	pair->new = texts_arg(fcinfo, 2, NAMEOID, "new");
	if (get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!mig_is_class_owner(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
	return relid;
}

typedef struct SyncOptions
{
	bool		backfill;
	int			conflict;		/* enum MigSyncConflict */
	Jsonb	   *rest;			/* for the run that fills */
} SyncOptions;

static JsonbValue *
option(Jsonb *options, const char *key)
{
	JsonbValue	name;

	name.type = jbvString;
	name.val.string.val = unconstify(char *, key);
	name.val.string.len = strlen(key);
	return findJsonbValueFromContainer(&options->root, JB_FOBJECT, &name);
}

static void
read_options(Jsonb *given, SyncOptions *options)
{
	JsonbValue *value;

	options->backfill = true;
	options->conflict = mig_sync_conflict;
	if (given == NULL)
		return;
	value = JB_ROOT_IS_OBJECT(given) ? option(given, "backfill") : NULL;
	if (value && value->type != jbvBool)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"backfill\" must be true or false")));
	if (value)
	{
		options->backfill = value->val.boolean;
		given = DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(given),
												   CStringGetTextDatum("backfill")));
	}
	mig_settings_check(given, "sync");
	options->rest = given;
	value = option(given, "sync_conflict");
	if (value)
	{
		char	   *word = pnstrdup(value->val.string.val, value->val.string.len);

		options->conflict = pg_strcasecmp(word, "old") == 0 ? MIG_CONFLICT_OLD :
			pg_strcasecmp(word, "error") == 0 ? MIG_CONFLICT_ERROR : MIG_CONFLICT_NEW;
	}
}

/* --- filling --- */

/* The statements that fill the rows of a table, or of each of its partitions. */
static char *
fill_text(Oid relid, const MigSyncPair *pair)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, list_concat(list_make1_oid(relid), mig_relation_children(relid)))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			appendStringInfo(&sql, "%s%s", sql.len ? ";\n" : "", mig_sync_fill_text(lfirst_oid(lc), pair));
	return sql.data;
}

static char *
fill_later(FunctionCallInfo fcinfo, Oid relid, const MigSyncPair *pair, Jsonb *options)
{
	char	   *sql = fill_text(relid, pair);

	if (sql[0] == '\0')			/* no partition yet */
		return NULL;
	return mig_api_run_later(fcinfo, sql, psprintf("fill of %s", mig_relation_text(relid)),
							 options, MIG_ORIGIN_SYNC);
}

/* --- the functions --- */

static void
install(Oid relid, MigSyncPair *pair)
{
	Relation	rel = table_open(relid, NoLock);

	mig_sync_check(rel, pair, namespace_search_path);
	table_close(rel, NoLock);
	mig_sync_install(relid, pair);
}

Datum
mig_sync_columns(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	MigSyncPair pair = {0};
	MigSyncEntry entry = {0};
	SyncOptions options = {0};
	Oid			relid;

	mig_check_writable("keep columns equal");
	relid = table_and_columns(fcinfo, &pair);
	pair.up = texts_arg(fcinfo, 3, TEXTOID, "up");
	pair.down = texts_arg(fcinfo, 4, TEXTOID, "down");
	read_options(PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5), &options);
	pair.conflict = options.conflict;
	mig_sync_lock(relid, ShareRowExclusiveLock);

	SPI_connect();
	MemoryContextSwitchTo(context);
	install(relid, &pair);
	entry.relation = mig_relation_text(relid);
	entry.old = pair.old;
	entry.new = pair.new;
	entry.up = pair.up;
	entry.down = pair.down;
	entry.conflict = pstrdup(mig_sync_conflict_word(pair.conflict));
	entry.role = GetUserNameFromId(GetUserId(), false);
	if (options.backfill)
		entry.fill = fill_later(fcinfo, relid, &pair, options.rest);
	mig_sync_entry_add(&entry);
	SPI_finish();
	MemoryContextSwitchTo(context);
	if (entry.fill == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(entry.fill));
}

/* Is it the only pair of the table? */
static bool
is_last(Oid relid, const MigSyncPair *pair)
{
	Relation	rel = table_open(relid, AccessShareLock);
	List	   *pairs;

	(void) mig_sync_trigger(rel, &pairs);
	table_close(rel, AccessShareLock);
	return list_length(pairs) == 1 && mig_sync_same_columns(linitial(pairs), pair);
}

Datum
mig_unsync_columns(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	MigSyncPair pair = {0};
	Oid			relid;
	char	   *name;
	char	   *version;
	bool		known;
	bool		removed;

	mig_check_writable("end keeping columns equal");
	relid = table_and_columns(fcinfo, &pair);
	name = mig_relation_text(relid);
	known = mig_sync_entry_find(name, pair.old, pair.new, &version);
	if (version)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" keeps these columns equal", version),
				 errhint("Complete it or roll it back.")));
	mig_sync_lock(relid, is_last(relid, &pair) ? AccessExclusiveLock : ShareRowExclusiveLock);
	SPI_connect();
	MemoryContextSwitchTo(context);
	removed = mig_sync_remove(relid, &pair);
	mig_sync_entry_remove(name, pair.old, pair.new);
	SPI_finish();
	MemoryContextSwitchTo(context);
	if (!known && !removed)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("these columns of relation \"%s\" are not kept equal", get_rel_name(relid)),
				 errhint("See migrate.syncs.")));
	PG_RETURN_VOID();
}
