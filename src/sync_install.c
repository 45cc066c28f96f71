/*-------------------------------------------------------------------------
 *
 * sync_install.c
 *	  The sync trigger of a table: made, given other pairs, dropped.
 *
 * It is a trigger as any other, whose function nobody but the owner of the
 * extension may execute: so it is made as that role.  It fires always, also
 * for what logical replication brings.  BEFORE triggers fire in the order of
 * their names, so it gets one that sorts behind all that are there.
 *
 * It depends on the columns and on whatever its expressions use, so that
 * these cannot be dropped without it.
 *
 * Locks: ShareRowExclusiveLock on the table and its partitions, to drop the
 * trigger AccessExclusiveLock; the caller has taken them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "relation.h"
#include "session.h"
#include "sqlgen.h"
#include "sync_int.h"

#define TRIGGER_NAME "~migrate_sync"
#define TRIGGER_FUNCTION "migrate_internal.sync_row"

/* --- what is there --- */

static Oid
sync_function(void)
{
	Oid			schema = get_namespace_oid("migrate_internal", true);

	/* whoever asks need not have the right to look into that schema */
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("sync_row"),
						   PointerGetDatum(buildoidvector(NULL, 0)), ObjectIdGetDatum(schema));
}

static const Trigger *
find_trigger(Relation rel)
{
	Oid			function = sync_function();

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
		if (OidIsValid(function) && rel->trigdesc->triggers[i].tgfoid == function)
			return &rel->trigdesc->triggers[i];
	return NULL;
}

Oid
mig_sync_trigger(Relation rel, List **pairs)
{
	const Trigger *trigger = find_trigger(rel);
	List	   *texts = NIL;
	ListCell   *lc;

	if (pairs)
		*pairs = NIL;
	if (trigger == NULL)
		return InvalidOid;
	for (int i = 0; pairs && i < trigger->tgnargs; i++)
		texts = lappend(texts, pstrdup(trigger->tgargs[i]));
	foreach(lc, texts)
		*pairs = lappend(*pairs, mig_sync_decode(lfirst(lc)));
	return trigger->tgoid;
}

/* One that sees a row before it is written, and can change it. */
static bool
is_before_write(const Trigger *trigger)
{
	return trigger->tgenabled != TRIGGER_DISABLED &&
		TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_BEFORE(trigger->tgtype) &&
		(TRIGGER_FOR_INSERT(trigger->tgtype) || TRIGGER_FOR_UPDATE(trigger->tgtype));
}

char *
mig_sync_overtaken(Relation rel)
{
	const Trigger *ours = find_trigger(rel);

	for (int i = 0; ours && i < rel->trigdesc->numtriggers; i++)
		if (is_before_write(&rel->trigdesc->triggers[i]) &&
			strcmp(rel->trigdesc->triggers[i].tgname, ours->tgname) > 0)
			return pstrdup(rel->trigdesc->triggers[i].tgname);
	return NULL;
}

bool
mig_sync_is_in_force(Relation rel)
{
	const Trigger *ours = find_trigger(rel);

	return ours && ours->tgenabled == TRIGGER_FIRES_ALWAYS && mig_sync_overtaken(rel) == NULL;
}

/* --- making --- */

/* The last of the names of BEFORE triggers of a table and its partitions; "" if there is none. */
static char *
last_name(Oid relid)
{
	List	   *relids = list_concat(list_make1_oid(relid), mig_relation_children(relid));
	char	   *last = pstrdup("");
	ListCell   *lc;

	foreach(lc, relids)
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);

		for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
			if (is_before_write(&rel->trigdesc->triggers[i]) &&
				strcmp(rel->trigdesc->triggers[i].tgname, last) > 0)
				last = pstrdup(rel->trigdesc->triggers[i].tgname);
		table_close(rel, NoLock);
	}
	return last;
}

/* A name behind all others: a name sorts behind those that it begins with. */
static char *
choose_name(Oid relid)
{
	char	   *last = last_name(relid);
	char	   *name;

	if (strcmp(last, TRIGGER_NAME) < 0)
		return pstrdup(TRIGGER_NAME);
	name = psprintf("%s%s", last, TRIGGER_NAME);
	if (strlen(name) >= NAMEDATALEN)
		name = psprintf("%s~", last);
	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("no trigger name sorts behind \"%s\"", last),
				 errdetail("The sync trigger has to fire last."),
				 errhint("Rename that trigger.")));
	return name;
}

static void
execute(const char *sql)
{
	int			rc = SPI_execute(sql, false, 0);

	if (rc < 0)
		elog(ERROR, "could not change a trigger: %s", SPI_result_code_string(rc));
}

/* As the owner of the extension; what rights the caller needs has been checked. */
static void
make_trigger(Oid relid, const char *name, List *pairs, bool replace)
{
	char	   *table = mig_relation_text(relid);
	StringInfoData sql;
	MigIdentity save;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE %sTRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION "
					 TRIGGER_FUNCTION "(", replace ? "OR REPLACE " : "", mig_sql_name(name), table);
	foreach(lc, pairs)
		appendStringInfo(&sql, "%s%s", lc == list_head(pairs) ? "" : ", ",
						 mig_sql_literal(mig_sync_encode(lfirst(lc))));
	appendStringInfoChar(&sql, ')');
	mig_identity_extension(&save);
	SPI_connect();
	execute(sql.data);
	execute(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, mig_sql_name(name)));
	SPI_finish();
	mig_identity_restore(&save);
}

static void
depend_on_way(Relation rel, const ObjectAddress *trigger, List *texts, List *targets)
{
	ListCell   *lt,
			   *lc;

	forboth(lt, texts, lc, targets)
	{
		AttrNumber	attnum = get_attnum(RelationGetRelid(rel), lfirst(lc));
		Expr	   *expr = mig_sync_expression(rel, lfirst(lt), attnum, NULL);
		ObjectAddress column;

		ObjectAddressSubSet(column, RelationRelationId, RelationGetRelid(rel), attnum);
		recordDependencyOn(trigger, &column, DEPENDENCY_NORMAL);
		recordDependencyOnSingleRelExpr(trigger, (Node *) expr, RelationGetRelid(rel),
										DEPENDENCY_NORMAL, DEPENDENCY_NORMAL, false);
	}
}

static void
record_dependencies(Oid relid, const char *name, List *pairs)
{
	Relation	rel = table_open(relid, NoLock);
	ObjectAddress trigger;
	MigIdentity save;
	ListCell   *lc;

	ObjectAddressSet(trigger, TriggerRelationId, get_trigger_oid(relid, name, false));
	mig_identity_role(rel->rd_rel->relowner, "pg_catalog, pg_temp", &save);
	foreach(lc, pairs)
	{
		MigSyncPair *pair = lfirst(lc);

		depend_on_way(rel, &trigger, pair->up, pair->new);
		depend_on_way(rel, &trigger, pair->down, pair->old);
	}
	mig_identity_restore(&save);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* --- changing --- */

static void
check_overlap(const MigSyncPair *pair, const MigSyncPair *other)
{
	List	   *theirs = list_concat_copy(other->old, other->new);
	ListCell   *lc;

	foreach(lc, list_concat_copy(pair->old, pair->new))
	{
		ListCell   *lo;

		foreach(lo, theirs)
			if (strcmp(lfirst(lc), lfirst(lo)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_OBJECT),
						 errmsg("column \"%s\" is kept equal to another already", (char *) lfirst(lc)),
						 errhint("See migrate.syncs, and migrate.unsync_columns().")));
	}
}

/* The name of our trigger and what it does now; NULL if there is none. */
static char *
present_trigger(Oid relid, List **pairs)
{
	Relation	rel = table_open(relid, NoLock);
	const Trigger *trigger = find_trigger(rel);
	char	   *name = trigger ? pstrdup(trigger->tgname) : NULL;

	(void) mig_sync_trigger(rel, pairs);
	table_close(rel, NoLock);
	return name;
}

void
mig_sync_install(Oid relid, const MigSyncPair *pair)
{
	List	   *pairs;
	char	   *name = present_trigger(relid, &pairs);
	bool		replace = name != NULL;
	ListCell   *lc;

	foreach(lc, pairs)
		check_overlap(pair, lfirst(lc));
	pairs = lappend(pairs, unconstify(MigSyncPair *, pair));
	if (name == NULL)
		name = choose_name(relid);
	make_trigger(relid, name, pairs, replace);
	record_dependencies(relid, name, pairs);
}

bool
mig_sync_remove(Oid relid, const MigSyncPair *pair)
{
	List	   *pairs;
	List	   *rest = NIL;
	char	   *name = present_trigger(relid, &pairs);
	MigIdentity save;
	ListCell   *lc;

	foreach(lc, pairs)
		if (!mig_sync_same_columns(pair, lfirst(lc)))
			rest = lappend(rest, lfirst(lc));
	if (list_length(rest) == list_length(pairs))
		return false;
	if (rest != NIL)
	{
		make_trigger(relid, name, rest, true);
		record_dependencies(relid, name, rest);
		return true;
	}
	mig_identity_extension(&save);
	SPI_connect();
	execute(psprintf("DROP TRIGGER %s ON %s", mig_sql_name(name), mig_relation_text(relid)));
	SPI_finish();
	mig_identity_restore(&save);
	return true;
}

char *
mig_sync_fill_text(Oid relid, const MigSyncPair *pair)
{
	List	   *targets = pair->up ? pair->new : pair->old;
	List	   *values = pair->up ? pair->up : pair->down;
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE ONLY %s AS migrate_row SET ", mig_relation_text(relid));
	foreach(lc, targets)
		appendStringInfo(&sql, "%s%s = (%s)", lc == list_head(targets) ? "" : ", ",
						 mig_sql_name(lfirst(lc)), (char *) list_nth(values, foreach_current_index(lc)));
	appendStringInfoString(&sql, " WHERE NOT migrate.in_sync(migrate_row.*, ARRAY[");
	foreach(lc, pair->new)
		appendStringInfo(&sql, "%s%s", lc == list_head(pair->new) ? "" : ", ", mig_sql_literal(lfirst(lc)));
	appendStringInfoString(&sql, "]::pg_catalog.name[])");
	return sql.data;
}
