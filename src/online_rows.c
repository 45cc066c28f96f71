/*-------------------------------------------------------------------------
 *
 * online_rows.c
 *	  UPDATE and DELETE over a table that is not small, in batches.
 *
 * By key, a statement reaches each row once: for each value of a unique key
 * that existed when the end was read.  That is right as long as it leaves the
 * key alone and is not entangled with itself: see online_rows_reads.c.
 *
 * By blocks, it may reach a row that it has changed already: this needs a
 * proof, see online_rows_proof.c.
 *
 * A tree, by partition or inheritance, is gone through table by table, each
 * with a step and a cursor of its own.  That is the same as the statement over
 * the parent as long as no row moves from one table to another by its doing,
 * and nothing that it says is the parent's alone: defaults, row policies,
 * triggers for statements, rows as values.  A row that a client moves to
 * another partition gets another value of the partition key: by key that is
 * a delete and an insert.  By blocks, the statement runs as it was written in
 * the end, for rows that were moved to a table that had been gone through.
 *
 * RETURNING has nobody to return rows to, and stays in each batch.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attnum.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/partition.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "online_rows.h"
#include "relation.h"
#include "sqlgen.h"

/* --- keys --- */

static bool
sets_column(const MigRows *rows, const char *column)
{
	ListCell   *lc;

	foreach(lc, rows->targets)
		if (strcmp(lfirst_node(ResTarget, lc)->name, column) == 0)
			return true;
	return false;
}

List *
mig_rows_key(const MigRows *rows, Oid relid, bool *sets_it)
{
	List	   *best = NIL;
	ListCell   *lc;

	*sets_it = false;
	foreach(lc, mig_relation_keys(relid))
	{
		List	   *key = lfirst(lc);
		bool		sets = false;
		ListCell   *lk;

		foreach(lk, key)
			sets |= sets_column(rows, strVal(lfirst(lk)));
		*sets_it |= sets;
		if (!sets && (best == NIL || list_length(key) < list_length(best)))
			best = key;
	}
	return best;
}

/* "(a.id, a.n)" or "a.id", under the alias that the statement uses. */
static char *
key_row(const MigRows *rows, const List *keys)
{
	const char *alias = rows->relation->alias ? rows->relation->alias->aliasname :
		rows->relation->relname;
	StringInfoData buf;
	const ListCell *lc;

	initStringInfo(&buf);
	foreach(lc, keys)
		appendStringInfo(&buf, "%s%s.%s", buf.len ? ", " : "", mig_sql_name(alias),
						 mig_sql_name(strVal(lfirst(lc))));
	return list_length(keys) > 1 ? psprintf("(%s)", buf.data) : buf.data;
}

/* "($1, $2)" with the types of the columns. */
static char *
parameter_row(Oid relid, const List *keys, int first)
{
	StringInfoData buf;
	const ListCell *lc;

	initStringInfo(&buf);
	foreach(lc, keys)
		appendStringInfo(&buf, "%s$%d::%s", buf.len ? ", " : "", first + foreach_current_index(lc),
						 mig_sql_column_type(relid, get_attnum(relid, strVal(lfirst(lc)))));
	return list_length(keys) > 1 ? psprintf("(%s)", buf.data) : buf.data;
}

/* --- parts --- */

List *
mig_rows_whole(MigOnline *online, const char *reason)
{
	List	   *parts = NIL;
	MigPart    *part = mig_part(&parts, "%s", online->stmt->text);

	part->phase = MIG_MIGRATE;
	part->own_transaction = true;
	part->note = psprintf("runs as one statement: %s", reason);
	return parts;
}

static char *
range_of(const MigRows *rows, Oid relid, const List *keys)
{
	const char *row;

	if (keys == NIL)
	{
		const char *alias = mig_sql_name(rows->relation->alias ? rows->relation->alias->aliasname :
										 rows->relation->relname);

		return psprintf("%s.ctid >= $1::tid AND %s.ctid < $2::tid", alias, alias);
	}
	row = key_row(rows, keys);
	return psprintf("%s > %s AND %s <= %s", row, parameter_row(relid, keys, 1),
					row, parameter_row(relid, keys, list_length(keys) + 1));
}

static MigBatches *
batches_of(const MigRows *rows, const MigPlaces *places, Oid relid, const char *instead, const List *keys)
{
	MigBatches *batches = palloc0(sizeof(MigBatches));
	const ListCell *lc;

	batches->table = mig_relation_text(relid);
	batches->whole = mig_rows_narrow(rows, places, instead, NULL);
	if (instead)
		batches->root = rows->online->name->text;
	foreach(lc, keys)
		batches->keys = lappend(batches->keys, strVal(lfirst(lc)));
	if (keys == NIL)
		return batches;
	batches->single = mig_rows_narrow(rows, places, instead,
									  psprintf("%s = %s", key_row(rows, keys), parameter_row(relid, keys, 1)));
	batches->first = mig_rows_narrow(rows, places, instead,
									 psprintf("%s <= %s", key_row(rows, keys), parameter_row(relid, keys, 1)));
	return batches;
}

/*
 * Does it set nothing but columns that are not there yet, and no trigger sees
 * it?  Then an earlier statement adds them, and they go with it on the way back.
 */
static bool
fills_new_columns(const MigRows *rows)
{
	ListCell   *lc;

	if (!rows->update || rows->online->name->triggers || mig_relation_has_triggers(rows->online->name->relid))
		return false;
	foreach(lc, rows->targets)
		if (mig_relation_column(rows->online->name->relid, lfirst_node(ResTarget, lc)->name) != InvalidAttrNumber)
			return false;
	return true;
}

MigPart *
mig_rows_batched(const MigRows *rows, const MigPlaces *places, List **parts,
				 Oid relid, const char *instead, List *keys)
{
	char	   *command = mig_rows_narrow(rows, places, instead, range_of(rows, relid, keys));
	MigPart    *part;

	if (command == NULL)
		return NULL;
	part = mig_part(parts, "%s", command);
	part->kind = MIG_STEP_BACKFILL;
	part->phase = MIG_MIGRATE;
	part->relation = mig_relation_text(relid);
	mig_part_note(part, "%s", keys ? "in batches by key" : "in batches by ranges of blocks");
	part->undo_given = true;
	part->undo = fills_new_columns(rows) ? "" : rows->online->effect->undo;
	part->batches = batches_of(rows, places, relid, instead, keys);
	return part;
}

/* --- trees --- */

/* Columns that decide in which partition a row is; an expression stands for all. */
static bool
moves_rows(const MigRows *rows, Oid relid)
{
	Relation	rel;
	bool		moves = false;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return false;
	if (!mig_relation_lock(relid, mig_relation_text(relid)))
		return true;
	rel = RelationIdGetRelation(relid);
	if (RelationGetPartitionKey(rel)->partexprs != NIL)
		moves = rows->targets != NIL;
	else
	{
		ListCell   *lc;

		foreach(lc, rows->targets)
			moves |= has_partition_attrs(rel, bms_make_singleton(get_attnum(relid, lfirst_node(ResTarget, lc)->name) -
																 FirstLowInvalidHeapAttributeNumber), NULL);
	}
	RelationClose(rel);
	mig_relation_unlock(relid);
	return moves;
}

static bool
has_statement_triggers(Oid relid)
{
	Relation	rel;
	TriggerDesc *triggers;
	bool		result;

	if (!mig_relation_lock(relid, mig_relation_text(relid)))
		return false;
	rel = RelationIdGetRelation(relid);
	triggers = rel->trigdesc;
	result = triggers && (triggers->trig_update_before_statement || triggers->trig_update_after_statement ||
						  triggers->trig_delete_before_statement || triggers->trig_delete_after_statement);
	RelationClose(rel);
	mig_relation_unlock(relid);
	return result;
}

static bool
sets_default(const MigRows *rows)
{
	ListCell   *lc;

	foreach(lc, rows->targets)
		if (IsA(lfirst_node(ResTarget, lc)->val, SetToDefault))
			return true;
	return false;
}

/* Why a table of the tree cannot be gone through by itself; NULL: it can. */
static const char *
obstacle(const MigRows *rows, Oid relid)
{
	char		relkind = get_rel_relkind(relid);
	AclMode		needed = ACL_SELECT | (rows->delete ? ACL_DELETE : ACL_UPDATE);

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		return psprintf("%s is no plain table", mig_relation_text(relid));
	if (mig_relation_has_row_security(relid))
		return psprintf("%s has row security", mig_relation_text(relid));
	if (moves_rows(rows, relid))
		return "it may move rows to another partition";
	if (has_statement_triggers(relid))
		return psprintf("%s has triggers for statements", mig_relation_text(relid));
	if (pg_class_aclmask(relid, GetUserId(), needed, ACLMASK_ALL) != needed)
		return psprintf("rights on %s itself are lacking", mig_relation_text(relid));
	return NULL;
}

static const char *
tree_obstacle(const MigRows *rows, const MigReads *reads, const List *tree)
{
	const ListCell *lc;

	if (reads->whole_row)
		return "it speaks of rows of the parent as such";
	if (sets_default(rows))
		return "a default of the parent's is not that of the tables below it";
	foreach(lc, tree)
	{
		const char *reason = obstacle(rows, lfirst_oid(lc));

		if (reason)
			return reason;
	}
	return NULL;
}

static List *
whole_tree(const MigRows *rows, const MigPlaces *places, const List *tree, bool by_blocks)
{
	const RangeVar *rv = rows->relation;
	List	   *parts = NIL;
	const ListCell *lc;

	foreach(lc, tree)
	{
		Oid			relid = lfirst_oid(lc);
		bool		sets_it;
		List	   *key = by_blocks ? NIL : mig_rows_key(rows, relid, &sets_it);
		char	   *instead = psprintf("ONLY %s%s%s", mig_relation_text(relid), rv->alias ? "" : " AS ",
									   rv->alias ? "" : mig_sql_name(rv->relname));

		if (get_rel_relkind(relid) != RELKIND_RELATION)
			continue;
		if (!by_blocks && key == NIL)
			return mig_rows_whole(rows->online, psprintf(sets_it ? "it sets the key of %s" : "%s has no unique key",
														 mig_relation_text(relid)));
		if (mig_rows_batched(rows, places, &parts, relid, instead, key) == NULL)
			return mig_rows_whole(rows->online, "its text cannot be divided");
	}
	if (by_blocks && list_length(parts) > 1)
	{
		MigPart    *part = mig_part(&parts, "%s", rows->online->stmt->text);

		part->phase = MIG_MIGRATE;
		part->own_transaction = true;
		part->note = pstrdup("for rows that have been moved meanwhile");
	}
	return parts;
}

/* --- the decision --- */

static void
take_apart(MigOnline *online, MigRows *rows)
{
	rows->online = online;
	rows->source = online->name;
	if (IsA(online->node, UpdateStmt))
	{
		UpdateStmt *update = (UpdateStmt *) online->node;

		rows->update = true;
		rows->relation = update->relation;
		rows->targets = update->targetList;
		rows->where = update->whereClause;
		rows->joins = update->fromClause != NIL;
		rows->with = update->withClause;
	}
	else
	{
		DeleteStmt *delete = (DeleteStmt *) online->node;

		rows->delete = true;
		rows->relation = delete->relation;
		rows->where = delete->whereClause;
		rows->joins = delete->usingClause != NIL;
		rows->with = delete->withClause;
	}
	rows->target = rows->relation;
}

bool
mig_rows_have_rules(Oid relid)
{
	Relation	rel;
	bool		result;

	if (!mig_relation_lock(relid, mig_relation_text(relid)))
		return false;
	rel = RelationIdGetRelation(relid);
	result = rel->rd_rules != NULL;
	RelationClose(rel);
	mig_relation_unlock(relid);
	return result;
}

static List *
one_table(const MigRows *rows, const MigPlaces *places, bool by_blocks)
{
	MigOnline  *online = rows->online;
	bool		sets_it = false;
	List	   *key = by_blocks ? NIL : mig_rows_key(rows, online->name->relid, &sets_it);
	List	   *parts = NIL;

	if (!by_blocks && key == NIL)
		return mig_rows_whole(online, sets_it ? "it sets the key" : "the table has no unique key");
	if (mig_rows_batched(rows, places, &parts, online->name->relid, NULL, key) == NULL)
		return mig_rows_whole(online, "its text cannot be divided");
	return parts;
}

List *
mig_online_rows(MigOnline *online)
{
	MigRows		rows = {0};
	MigReads	reads;
	MigPlaces	places;
	List	   *tree;
	const char *reason;
	bool		by_blocks;

	take_apart(online, &rows);
	online->only = !rows.relation->inh;
	if (mig_online_is_small(online))
		return NIL;
	if (online->name->relkind != RELKIND_RELATION && online->name->relkind != RELKIND_PARTITIONED_TABLE)
		return mig_rows_whole(online, "it is not about a plain table");
	if (mig_rows_have_rules(online->name->relid))
		return mig_rows_whole(online, "a rule of the table says what it does");
	mig_rows_read(&rows, &reads);
	if ((reason = mig_rows_entangled(&rows, &reads)) != NULL)
		return mig_rows_whole(online, reason);
	if ((reason = mig_rows_read_again(&rows, &reads)) != NULL)
		return mig_rows_whole(online, psprintf("each batch would read all of %s, for want of an index", reason));
	if (!mig_rows_cut(&rows, &places))
		return mig_rows_whole(online, "its text cannot be divided");

	by_blocks = mig_rows_finish_themselves(&rows, &reads);
	tree = online->only ? NIL : mig_relation_children(online->name->relid);
	if (tree == NIL)
		return one_table(&rows, &places, by_blocks);
	tree = lcons_oid(online->name->relid, tree);
	if ((reason = tree_obstacle(&rows, &reads, tree)) != NULL)
		return mig_rows_whole(online, reason);
	return whole_tree(&rows, &places, tree, by_blocks);
}

/* --- what a sync keeps equal --- */

/* Does a foreign key concern a column that is assigned?  Then its triggers have to fire. */
static bool
has_foreign_key(const MigRows *rows, Oid relid)
{
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(relid))
	{
		MigForeignKey *key = lfirst(lc);
		List	   *columns = key->from == relid ? key->from_columns : key->to_columns;
		ListCell   *lt;

		foreach(lt, rows->targets)
			if (list_member_int(columns, get_attnum(relid, lfirst_node(ResTarget, lt)->name)))
				return true;
	}
	return false;
}

/* Nothing that could fail for a row, but for a constraint. */
static bool
only_copies(const MigRows *rows)
{
	ListCell   *lc;

	foreach(lc, rows->targets)
		if (!IsA(lfirst_node(ResTarget, lc)->val, ColumnRef))
			return false;
	return true;
}

/*
 * Such an UPDATE sets what is not equal to what it has to be, so a row that it
 * has dealt with is not found again: by blocks.  Where an expression may
 * fail, by key, as only so the row that is to blame can be left out.
 */
List *
mig_online_fill_rows(MigOnline *online)
{
	MigRows		rows = {0};
	MigPlaces	places;
	List	   *keys;
	List	   *parts = NIL;
	MigPart    *part = NULL;
	bool		sets_it;

	take_apart(online, &rows);
	online->only = true;
	keys = only_copies(&rows) ? NIL : mig_rows_key(&rows, online->name->relid, &sets_it);
	if (mig_rows_cut(&rows, &places))
		part = mig_rows_batched(&rows, &places, &parts, online->name->relid, NULL, keys);
	if (part == NULL)
		return mig_rows_whole(online, "its text cannot be divided");
	if (!has_foreign_key(&rows, online->name->relid))
	{
		part->kind = MIG_STEP_FILL;
		mig_part_note(part, "triggers do not fire");
	}
	return parts;
}
