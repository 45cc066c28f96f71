/*-------------------------------------------------------------------------
 *
 * effect_hazard_index.c
 *	  What may go wrong with CREATE INDEX and DROP INDEX, and whether the index
 *	  is of any use.
 *
 * Whether queries use an index is what the server has counted since its
 * statistics were reset; on a standby it counts for itself.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "commands/defrem.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "effect_int.h"
#include "index.h"
#include "relation.h"
#include "undo.h"

static int64
scans_of(Oid relid)
{
	PgStat_StatTabEntry *entry = pgstat_fetch_stat_tabentry(relid);

	return entry ? entry->numscans : 0;
}

/* --- duplicates --- */

/* A btree over plain columns, in the order that is assumed: nothing that a longer one could not do. */
static bool
is_plain(const IndexStmt *stmt)
{
	ListCell   *lc;

	if (strcmp(stmt->accessMethod, DEFAULT_INDEX_TYPE) != 0 || stmt->whereClause || stmt->unique ||
		stmt->indexIncludingParams)
		return false;
	foreach(lc, stmt->indexParams)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);

		if (elem->name == NULL || elem->collation || elem->opclass ||
			elem->ordering != SORTBY_DEFAULT || elem->nulls_ordering != SORTBY_NULLS_DEFAULT)
			return false;
	}
	return true;
}

/* Does the list of columns begin an index? */
static bool
begins(Oid indexid, Oid relid, List *params)
{
	IndexStmt  *written;
	char	   *definition = mig_index_definition(indexid, &written);
	int			i = 0;
	ListCell   *lc;

	if (definition == NULL || strcmp(written->accessMethod, DEFAULT_INDEX_TYPE) != 0 ||
		written->whereClause || list_length(written->indexParams) < list_length(params))
		return false;
	foreach(lc, params)
	{
		IndexElem  *own = lfirst_node(IndexElem, lc);
		IndexElem  *other = list_nth_node(IndexElem, written->indexParams, i++);

		if (other->name == NULL || strcmp(own->name, other->name) != 0 || other->collation ||
			other->opclass || other->ordering != SORTBY_DEFAULT ||
			other->nulls_ordering != SORTBY_NULLS_DEFAULT)
			return false;
	}
	return true;
}

static void
judge_others(MigWork *work, IndexStmt *stmt, const MigName *table)
{
	bool		plain = is_plain(stmt);
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(table->relid))
	{
		Oid			indexid = lfirst_oid(lc);
		MigIndex	index = mig_index_get(indexid);

		if (!index.whole)
			continue;
		if (mig_index_is_like(indexid, stmt, true) || (plain && begins(indexid, table->relid, stmt->indexParams)))
			mig_effect_hazard(work, MIG_HZ_INDEX_DUPLICATE, table, stmt->idxname,
							  psprintf("index %s", mig_relation_text(indexid)));
		else if (!index.unique && !index.exclusion && scans_of(indexid) == 0 && scans_of(table->relid) > 0)
			mig_effect_hazard(work, MIG_HZ_INDEX_UNUSED, table, stmt->idxname,
							  psprintf("index %s", mig_relation_text(indexid)));
	}
}

void
mig_effect_hazard_create_index(MigWork *work, IndexStmt *stmt)
{
	MigName    *table = mig_effect_name(work, stmt->relation, true);
	MigName    *index = stmt->idxname ?
		mig_overlay_target(work->overlay, table->nspname, stmt->idxname, false) : NULL;

	if (!OidIsValid(table->relid))
		return;
	if (index && OidIsValid(index->relid) && stmt->if_not_exists)
	{
		if (!mig_index_is_whole(index->relid))
			mig_effect_hazard(work, MIG_HZ_INDEX_INVALID, table, index->text, NULL);
		return;
	}
	if (index && index->known && !index->touched && OidIsValid(index->relid) &&
		get_rel_relkind(index->relid) == RELKIND_INDEX && !mig_index_is_whole(index->relid))
		mig_effect_fails_leftover(work, index);
	else if (index && index->known && !stmt->if_not_exists && !index->touched)
		mig_effect_fails(work, ERRCODE_DUPLICATE_TABLE, -1, NULL,
						 "relation \"%s\" already exists", stmt->idxname);
	if (stmt->concurrent)
		mig_effect_hazard(work, MIG_HZ_CONCURRENTLY, table, stmt->idxname, NULL);
	else if (table->relkind == RELKIND_PARTITIONED_TABLE)
	{
		if (stmt->relation->inh)
			mig_effect_hazard(work, MIG_HZ_CREATE_INDEX_PARTITIONED, table, stmt->idxname, NULL);
	}
	else
		mig_effect_hazard(work, MIG_HZ_CREATE_INDEX, table, stmt->idxname, NULL);
	if (!table->created)
		judge_others(work, stmt, table);
}

/* --- DROP INDEX --- */

/* A foreign key of the table that no other index serves. */
static void
judge_foreign_keys(MigWork *work, Oid indexid, const MigName *table)
{
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(table->relid))
	{
		MigForeignKey *key = lfirst(lc);

		if (key->from == table->relid && mig_relation_leads(indexid, key->from_columns) &&
			!mig_relation_is_indexed(table->relid, key->from_columns, indexid))
			mig_effect_hazard(work, MIG_HZ_FOREIGN_KEY_NO_INDEX, table,
							  psprintf("the columns of foreign key %s, once %s is gone", key->conname,
									   get_rel_name(indexid)),
							  mig_relation_text(key->to));
	}
}

void
mig_effect_hazard_drop_index(MigWork *work, const MigName *name, bool concurrently)
{
	MigIndex	index = mig_index_get(name->relid);
	MigName    *table;
	int64		scans;

	if (!index.found)
		return;
	table = mig_effect_name_of_oid(work, index.table);
	scans = scans_of(name->relid);
	if (index.unique && index.valid && !name->created)
		mig_effect_hazard(work, MIG_HZ_DROP_INDEX_UNIQUE, table, name->text, NULL);
	if (!concurrently)
		mig_effect_hazard(work, index.partitioned ? MIG_HZ_DROP_INDEX_PARTITIONED : MIG_HZ_DROP_INDEX,
						  table, name->text, NULL);
	if (!index.valid)
		return;
	if (scans > 0)
		mig_effect_hazard(work, MIG_HZ_DROP_INDEX_USED, table, name->text,
						  psprintf("queries have used it " INT64_FORMAT " times since the statistics were reset", scans));
	else if (!index.partitioned)
		mig_effect_hazard(work, MIG_HZ_DROP_INDEX_UNUSED, table, name->text, NULL);
	judge_foreign_keys(work, name->relid, table);
}
