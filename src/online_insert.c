/*-------------------------------------------------------------------------
 *
 * online_insert.c
 *	  INSERT ... SELECT from a table that is not small, in batches.
 *
 * In ranges of the source's key, which reach each of its rows once.  That is
 * the same as the whole if each row of the result comes from one row of the
 * source and from nothing else that the INSERT changes:
 *
 *	- the SELECT reads one table, without grouping, aggregates, windows,
 *	  DISTINCT, set operations, LIMIT or locking.  ORDER BY forbids it, too: it
 *	  may be there for the order in which a sequence hands out numbers;
 *	- it is not entangled with what it writes: online_rows_reads.c;
 *	- no foreign key of the target refers to the target: a row could come in
 *	  a batch before the one that it refers to;
 *	- ON CONFLICT, if there is one, says DO NOTHING: DO UPDATE would raise an
 *	  error for a row that is met twice, but not in two batches.
 *
 * Not by blocks: a row that moves would be inserted twice.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "parser/analyze.h"
#include "utils/lsyscache.h"

#include "online_rows.h"
#include "relation.h"
#include "settings.h"

/* What forbids it by the look of the SELECT; NULL: nothing. */
static const char *
shape_obstacle(const SelectStmt *select)
{
	if (select->op != SETOP_NONE)
		return "it unites several queries";
	if (list_length(select->fromClause) != 1 || !IsA(linitial(select->fromClause), RangeVar))
		return "it does not read one table row by row";
	if (select->distinctClause || select->groupClause || select->havingClause || select->windowClause)
		return "it puts rows together";
	if (select->sortClause || select->limitCount || select->limitOffset)
		return "its order matters";
	if (select->lockingClause)
		return "it locks the rows that it reads";
	return NULL;
}

/* The same of what analysis alone can tell, and of relations that must not have been altered before. */
static const char *
query_obstacle(const MigRows *rows, const MigReads *reads, SelectStmt *select)
{
	RawStmt    *raw = makeNode(RawStmt);
	InsertStmt *insert = (InsertStmt *) rows->online->node;
	Query	   *query;
	ListCell   *lc;

	if (mig_overlay_touched(rows->online->overlay, rows->source) || mig_overlay_opaque(rows->online->overlay) ||
		reads->unknown)
		return "an earlier statement may change what it reads";
	/* what analysis locks it must not have to wait for */
	foreach(lc, lappend_oid(list_copy(reads->relids), rows->source->relid))
		if (!mig_relation_lock(lfirst_oid(lc), mig_relation_text(lfirst_oid(lc))))
			return "what it reads has gone";
	select = copyObject(select);
	if (insert->withClause && select->withClause)
		return "it has WITH twice";
	if (insert->withClause)
		select->withClause = copyObject(insert->withClause);
	raw->stmt = (Node *) select;
	query = parse_analyze_fixedparams(raw, rows->online->stmt->text, NULL, 0, NULL);
	foreach(lc, lappend_oid(list_copy(reads->relids), rows->source->relid))
		mig_relation_unlock(lfirst_oid(lc));
	return query->hasAggs || query->hasWindowFuncs ? "it puts rows together" : NULL;
}

static bool
refers_to(const List *constraints, const char *relname)
{
	const ListCell *lc;

	foreach(lc, constraints)
	{
		Node	   *node = lfirst(lc);

		if (IsA(node, ColumnDef) && refers_to(((ColumnDef *) node)->constraints, relname))
			return true;
		if (IsA(node, AlterTableCmd) && ((AlterTableCmd *) node)->def &&
			refers_to(list_make1(((AlterTableCmd *) node)->def), relname))
			return true;
		if (IsA(node, Constraint) && ((Constraint *) node)->contype == CONSTR_FOREIGN &&
			strcmp(((Constraint *) node)->pktable->relname, relname) == 0)
			return true;
	}
	return false;
}

/* Does the migration itself give the target a foreign key to a table of that name? */
static bool
will_refer_to_itself(const MigRows *rows)
{
	const char *relname = rows->target->relname;
	const ListCell *lc;

	foreach(lc, rows->online->statements)
	{
		Node	   *node = ((MigStatement *) lfirst(lc))->raw->stmt;

		if (IsA(node, CreateStmt) && strcmp(((CreateStmt *) node)->relation->relname, relname) == 0 &&
			(refers_to(((CreateStmt *) node)->tableElts, relname) ||
			 refers_to(((CreateStmt *) node)->constraints, relname)))
			return true;
		if (IsA(node, AlterTableStmt) && strcmp(((AlterTableStmt *) node)->relation->relname, relname) == 0 &&
			refers_to(((AlterTableStmt *) node)->cmds, relname))
			return true;
	}
	return false;
}

static const char *
target_obstacle(const MigRows *rows)
{
	const MigName *target = rows->online->name;
	const InsertStmt *insert = (InsertStmt *) rows->online->node;

	if (target->relkind != 0 && target->relkind != RELKIND_RELATION && target->relkind != RELKIND_PARTITIONED_TABLE)
		return "it does not write to a plain table";
	if (OidIsValid(target->relid) && mig_rows_have_rules(target->relid))
		return "a rule of the table says what it does";
	if (insert->onConflictClause && insert->onConflictClause->action != ONCONFLICT_NOTHING)
		return "ON CONFLICT DO UPDATE must meet each row once";
	if (will_refer_to_itself(rows))
		return "a foreign key of the table to itself has to hold only at its end";
	return NULL;
}

static const char *
source_obstacle(const MigRows *rows)
{
	if (rows->source->relkind != RELKIND_RELATION && rows->source->relkind != RELKIND_PARTITIONED_TABLE)
		return "it does not read a plain table";
	if (rows->source->relkind == RELKIND_RELATION && rows->relation->inh &&
		mig_relation_children(rows->source->relid) != NIL)
		return "other tables inherit from the one that it reads";
	return NULL;
}

static bool
is_small(const MigName *source)
{
	int64		rows,
				bytes;

	if (!OidIsValid(source->relid) || source->created)
		return true;
	mig_relation_size(source->relid, source->text, &rows, &bytes);
	return bytes <= (int64) mig_small_table * 1024;
}

/* Does it read any table that is not small? */
static bool
reads_much(MigOnline *online)
{
	MigRows		rows = {.online = online, .target = ((InsertStmt *) online->node)->relation};
	MigReads	reads;
	ListCell   *lc;

	mig_rows_read(&rows, &reads);
	foreach(lc, reads.relids)
		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_VIEW && !mig_online_small_table(lfirst_oid(lc)))
			return true;
	return false;
}

List *
mig_online_insert(MigOnline *online)
{
	InsertStmt *insert = (InsertStmt *) online->node;
	SelectStmt *select = (SelectStmt *) insert->selectStmt;
	MigRows		rows = {.online = online, .target = insert->relation};
	MigReads	reads;
	MigPlaces	places;
	List	   *parts = NIL;
	List	   *key;
	bool		sets_it;
	const char *reason;

	if (select == NULL || select->valuesLists != NIL || !reads_much(online))
		return NIL;
	if ((reason = shape_obstacle(select)) != NULL)
		return mig_rows_whole(online, reason);
	rows.relation = linitial_node(RangeVar, select->fromClause);
	rows.source = mig_overlay_find(online->overlay, rows.relation->schemaname, rows.relation->relname);
	if (is_small(rows.source))
		return mig_rows_whole(online, "what it goes through is small, or not there yet");
	mig_rows_read(&rows, &reads);
	if ((reason = target_obstacle(&rows)) != NULL || (reason = source_obstacle(&rows)) != NULL ||
		(reason = mig_rows_entangled(&rows, &reads)) != NULL ||
		(reason = query_obstacle(&rows, &reads, select)) != NULL)
		return mig_rows_whole(online, reason);
	if ((reason = mig_rows_read_again(&rows, &reads)) != NULL)
		return mig_rows_whole(online, psprintf("each batch would read all of %s, for want of an index", reason));
	key = mig_rows_key(&rows, rows.source->relid, &sets_it);
	if (key == NIL)
		return mig_rows_whole(online, psprintf("%s has no unique key", rows.source->text));
	if (!mig_rows_cut(&rows, &places) ||
		mig_rows_batched(&rows, &places, &parts, rows.source->relid, NULL, key) == NULL)
		return mig_rows_whole(online, "its text cannot be divided");
	((MigPart *) linitial(parts))->relation = online->name->text;
	((MigPart *) linitial(parts))->note = psprintf("in batches by key of %s", rows.source->text);
	return parts;
}
