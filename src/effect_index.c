/*-------------------------------------------------------------------------
 *
 * effect_index.c
 *	  CREATE INDEX, and the commands that go over whole tables to keep them
 *	  in shape: REINDEX, CLUSTER, VACUUM, ANALYZE, REFRESH.
 *
 * A concurrent build that is broken off leaves an index behind, which is
 * found by its name: an index without one is given the name that the server
 * would choose.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "parser/parser.h"

#include "effect_int.h"
#include "index.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

static bool
has_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
		if (strcmp(lfirst_node(DefElem, lc)->defname, name) == 0)
			return defGetBoolean(lfirst_node(DefElem, lc));
	return false;
}

/* Heirs that are no partitions are not gone on to (ProcessUtilitySlow in utility.c). */
static void
lock_partitions(MigWork *work, const MigName *name, LOCKMODE mode)
{
	if (name->relkind == RELKIND_PARTITIONED_TABLE || name->relkind == RELKIND_PARTITIONED_INDEX)
		mig_effect_lock_children(work, name, mode);
}

/* --- the name of an index --- */

/* The same text with the name put in; NULL unless it then means what it did, with that name. */
static char *
insert_index_name(const MigStatement *stmt, IndexStmt *index, const char *name)
{
	char	   *text = mig_sql_insert(stmt->text, index->concurrent ? "concurrently" : "index", 1,
									  mig_sql_name(name));
	IndexStmt  *expected = copyObject(index);
	List	   *parsed;

	if (text == NULL)
		return NULL;
	expected->idxname = pstrdup(name);
	parsed = raw_parser(text, RAW_PARSE_DEFAULT);
	if (list_length(parsed) != 1 || !equal(linitial_node(RawStmt, parsed)->stmt, expected))
		return NULL;
	return text;
}

/* --- CREATE INDEX --- */

static void
require_columns(MigWork *work, IndexStmt *stmt, const MigName *table)
{
	ListCell   *lc;

	foreach(lc, list_concat_copy(stmt->indexParams, stmt->indexIncludingParams))
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);

		if (elem->name)
			mig_effect_require_column(work, table, elem->name, stmt->relation);
	}
}

/* Refuses, with SQLSTATE 55000, what meets the leftover of somebody's concurrent build. */
void
mig_effect_fails_leftover(MigWork *work, const MigName *index)
{
	mig_effect_fails(work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1,
					 psprintf("A concurrent build of it did not come to its end. Drop it: DROP INDEX CONCURRENTLY %s.",
							  index->text),
					 "index %s exists already and is invalid", index->text);
}

/*
 * CREATE INDEX IF NOT EXISTS of a name that there is does nothing, and says
 * nothing, whatever it finds.
 */
static void
judge_existing(MigWork *work, IndexStmt *stmt, const MigName *table, const MigName *name)
{
	MigIndex	index = mig_index_get(name->relid);

	if (index.found && !index.whole && !stmt->concurrent && !index.partitioned)
		mig_effect_fails_leftover(work, name);
	if (OidIsValid(name->relid) && !index.found)
		mig_effect_note(work, "%s exists already, and is no index", name->text);
	else if (index.found && index.table != table->relid)
		mig_effect_note(work, "%s exists already, as an index of %s", name->text,
						mig_relation_text(index.table));
	else if (index.found && !mig_index_is_like(name->relid, stmt, true))
		mig_effect_note(work, "%s exists already, and is not written like this: %s", name->text,
						mig_undo_index(name->relid, false));
	else
		mig_effect_note(work, "%s exists already", name->text);
}

/* False if there is nothing to build. */
static bool
name_index(MigWork *work, IndexStmt *stmt, const MigName *table)
{
	MigEffect  *effect = work->effect;
	char	   *name = stmt->idxname;
	MigName    *index;

	if (name == NULL)
	{
		name = mig_index_choose_name(work->overlay, table->nspname, table->relname,
									 list_concat_copy(stmt->indexParams, stmt->indexIncludingParams),
									 "idx", NIL);
		if (table->created && !stmt->concurrent)
		{
			/* goes with its table; the server may know of names that we do not */
			mig_effect_makes(work, mig_overlay_target(work->overlay, table->nspname, name, false),
							 RELKIND_INDEX, true);
			return true;
		}
		effect->command = insert_index_name(work->stmt, stmt, name);
		if (effect->command == NULL)
			return true;
	}
	index = mig_overlay_target(work->overlay, table->nspname, name, false);
	if (stmt->concurrent)
		effect->object = index->text;
	if (index->known && stmt->if_not_exists)
	{
		effect->undo = "";
		judge_existing(work, stmt, table, index);
		return false;
	}
	effect->undo = psprintf("DROP INDEX %sIF EXISTS %s",
							stmt->concurrent ? "CONCURRENTLY " : "", index->text);
	mig_effect_makes(work, index,
					 table->relkind == RELKIND_PARTITIONED_TABLE ? RELKIND_PARTITIONED_INDEX : RELKIND_INDEX,
					 stmt->if_not_exists);
	return true;
}

static void
effect_create_index(MigWork *work, IndexStmt *stmt)
{
	MigName    *table = mig_effect_name(work, stmt->relation, false);
	LOCKMODE	mode = stmt->concurrent ? ShareUpdateExclusiveLock : ShareLock;

	if (stmt->concurrent && table->relkind == RELKIND_PARTITIONED_TABLE)
		mig_effect_fails(work, ERRCODE_FEATURE_NOT_SUPPORTED, stmt->relation->location,
						 "Create it ON ONLY the table, concurrently on each partition, and attach those.",
						 "cannot create index on partitioned table \"%s\" concurrently", table->relname);
	mig_effect_about(work, table, mode);
	if (stmt->relation->inh)
		lock_partitions(work, table, mode);
	require_columns(work, stmt, table);
	if (stmt->concurrent)
		mig_effect_top_level(work, MIG_STEP_CREATE_INDEX);
	if (name_index(work, stmt, table) &&
		(stmt->relation->inh || table->relkind != RELKIND_PARTITIONED_TABLE))
	{
		work->effect->builds = true;
		(void) mig_effect_scans_tree(work, table, table->relkind == RELKIND_PARTITIONED_TABLE);
	}
}

/* --- REINDEX --- */

/* The table of an index, and what REINDEX INDEX does to it. */
static void
reindex_index(MigWork *work, MigName *name, LOCKMODE mode, bool concurrently)
{
	Oid			table = OidIsValid(name->relid) ? mig_relation_of_index(name->relid) : InvalidOid;

	if (OidIsValid(table))
	{
		MigName    *of = mig_effect_name_of_oid(work, table);

		mig_effect_about(work, of, mode);
		if (name->relkind == RELKIND_PARTITIONED_INDEX)
			lock_partitions(work, of, mode);
		mig_effect_hazard(work, concurrently ? MIG_HZ_CONCURRENTLY : MIG_HZ_REINDEX, of, name->text, NULL);
		mig_effect_scans_tree(work, of, name->relkind == RELKIND_PARTITIONED_INDEX);
	}
	mig_effect_lock(work, name, concurrently ? ShareUpdateExclusiveLock : AccessExclusiveLock);
}

static void
reindex_table(MigWork *work, MigName *name, LOCKMODE mode, bool concurrently)
{
	List	   *tree;
	ListCell   *lc,
			   *li;

	mig_effect_about(work, name, mode);
	if (!OidIsValid(name->relid))
		return;
	tree = list_make1_oid(name->relid);
	if (name->relkind == RELKIND_PARTITIONED_TABLE)
	{
		lock_partitions(work, name, concurrently ? ShareLock : mode);
		tree = list_concat(tree, mig_relation_children(name->relid));
		if (concurrently)
			mig_effect_hazard(work, MIG_HZ_REINDEX_PARTITIONED, name, NULL, NULL);
	}
	foreach(lc, tree)
	{
		List	   *indexes = mig_relation_indexes(lfirst_oid(lc));

		foreach(li, indexes)
			if (!concurrently)
				mig_effect_lock_oid(work, lfirst_oid(li), AccessExclusiveLock);
		if (indexes != NIL)
			mig_effect_scans(work, lfirst_oid(lc));
	}
	mig_effect_hazard(work, concurrently ? MIG_HZ_CONCURRENTLY : MIG_HZ_REINDEX, name, NULL, NULL);
}

static void
effect_reindex(MigWork *work, ReindexStmt *stmt)
{
	MigEffect  *effect = work->effect;
	bool		concurrently = has_option(stmt->params, "concurrently");
	LOCKMODE	mode = concurrently ? ShareUpdateExclusiveLock : ShareLock;
	MigName    *name;

	effect->undo = "";
	effect->builds = true;
	effect->place = MIG_OWN_TRANSACTION;
	if (stmt->relation == NULL)
	{
		effect->scans = true;
		mig_effect_top_level(work, MIG_STEP_REINDEX);
		if (stmt->kind == REINDEX_OBJECT_SCHEMA)
			effect->object = mig_sql_name(stmt->name);
		return;
	}
	name = mig_effect_name(work, stmt->relation, false);
	if (concurrently || name->relkind == RELKIND_PARTITIONED_TABLE ||
		name->relkind == RELKIND_PARTITIONED_INDEX)
		mig_effect_top_level(work, MIG_STEP_REINDEX);
	effect->object = name->text;
	if (stmt->kind == REINDEX_OBJECT_TABLE)
		reindex_table(work, name, mode, concurrently);
	else
		reindex_index(work, name, mode, concurrently);
}

/* --- CLUSTER, VACUUM, ANALYZE, REFRESH --- */

static void
effect_cluster(MigWork *work, ClusterStmt *stmt)
{
	MigEffect  *effect = work->effect;
	MigName    *name;

	effect->undo = "";
	effect->place = MIG_OWN_TRANSACTION;
	if (stmt->relation == NULL)
	{
		effect->rewrites = effect->scans = true;
		mig_effect_top_level(work, MIG_STEP_REPEATABLE);
		return;
	}
	name = mig_effect_name(work, stmt->relation, false);
	mig_effect_about(work, name, AccessExclusiveLock);
	mig_effect_hazard(work, MIG_HZ_CLUSTER, name, NULL, NULL);
	mig_effect_undo_cluster(work, name, stmt->indexname);
	if (name->relkind == RELKIND_PARTITIONED_TABLE)
	{
		mig_effect_lock_children(work, name, AccessExclusiveLock);
		mig_effect_top_level(work, MIG_STEP_REPEATABLE);
	}
	mig_effect_rewrites_tree(work, name, name->relkind == RELKIND_PARTITIONED_TABLE);
}

static void
effect_vacuum(MigWork *work, VacuumStmt *stmt)
{
	MigEffect  *effect = work->effect;
	bool		full = stmt->is_vacuumcmd && has_option(stmt->options, "full");
	LOCKMODE	mode = full ? AccessExclusiveLock : ShareUpdateExclusiveLock;
	ListCell   *lc;

	effect->undo = "";
	effect->rewrites = effect->scans = full && stmt->rels == NIL;
	/* ANALYZE of everything commits after each table, if it is let */
	if (stmt->is_vacuumcmd || stmt->rels == NIL)
		mig_effect_top_level(work, MIG_STEP_REPEATABLE);
	else
		effect->place = MIG_OWN_TRANSACTION;
	foreach(lc, stmt->rels)
	{
		MigName    *name = mig_effect_name(work, lfirst_node(VacuumRelation, lc)->relation, false);

		mig_effect_about(work, name, mode);
		if (name->relkind == RELKIND_PARTITIONED_TABLE)
			mig_effect_lock_children(work, name, mode);
		if (!full)
			continue;
		mig_effect_rewrites_tree(work, name, name->relkind == RELKIND_PARTITIONED_TABLE);
		mig_effect_hazard(work, MIG_HZ_VACUUM_FULL, name, NULL, NULL);
	}
}

static void
effect_refresh(MigWork *work, RefreshMatViewStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, false);

	work->effect->undo = "";
	work->effect->place = MIG_OWN_TRANSACTION;
	mig_effect_about(work, name, stmt->concurrent ? ExclusiveLock : AccessExclusiveLock);
	if (stmt->skipData)
	{
		work->effect->breaks = true;
		mig_effect_hazard(work, MIG_HZ_REFRESH_NO_DATA, name, NULL, NULL);
		return;
	}
	mig_effect_view_sources(work, name);
	if (stmt->concurrent)
		mig_effect_scans_tree(work, name, false);
	else
	{
		mig_effect_rewrites_tree(work, name, false);
		mig_effect_hazard(work, MIG_HZ_REFRESH, name, NULL, NULL);
	}
}

void
mig_effect_index(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_IndexStmt:
			effect_create_index(work, (IndexStmt *) node);
			break;
		case T_ReindexStmt:
			effect_reindex(work, (ReindexStmt *) node);
			break;
		case T_ClusterStmt:
			effect_cluster(work, (ClusterStmt *) node);
			break;
		case T_VacuumStmt:
			effect_vacuum(work, (VacuumStmt *) node);
			break;
		default:
			effect_refresh(work, castNode(RefreshMatViewStmt, node));
			break;
	}
}
