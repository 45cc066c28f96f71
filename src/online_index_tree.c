/*-------------------------------------------------------------------------
 *
 * online_index_tree.c
 *	  CREATE INDEX on a partitioned table that is in use.
 *
 * The index is made ON ONLY the parent, where it holds nothing and is not
 * valid, then concurrently on each partition, and these are attached; with the
 * last one the parent's becomes valid (ATExecAttachPartitionIdx in
 * tablecmds.c).  A partition that is made meanwhile gets its index by the
 * server.  Each partition's index has the name that the plain statement would
 * give it, and one that is there already is taken over as it would.
 *
 * A parent with foreign partitions never becomes valid that way, and which
 * partitions an earlier statement adds is not known here.  There the
 * partitions' indexes are built first, and the plain statement adopts them
 * without a look at any row (DefineIndex in indexcmds.c).
 *
 * Dropping the parent's index drops all that is attached to it, so attaching
 * is undone by that.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"

#include "index.h"
#include "online_int.h"
#include "partition.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

typedef struct Tree
{
	MigOnline  *online;
	IndexStmt  *stmt;
	char	   *root;			/* the parent's index, qualified */
	List	   *taken;			/* names of char *, qualified */
	List	   *parts;
	bool		failed;			/* the text cannot be carried over */
} Tree;

/* "t.a" in an expression: means nothing on a partition. */
static bool
names_table(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
		return list_length(((ColumnRef *) node)->fields) > 1;
	return raw_expression_tree_walker(node, names_table, context);
}

static MigName *
name_of(const Tree *tree, Oid relid)
{
	return mig_overlay_find(tree->online->overlay, get_namespace_name(get_rel_namespace(relid)),
							get_rel_name(relid));
}

/* An index of a partition that the server would take instead of making one, or InvalidOid. */
static Oid
fitting_index(const Tree *tree, const MigName *table)
{
	ListCell   *lc;
	List	   *indexes = mig_relation_indexes(table->relid);

	list_sort(indexes, list_oid_cmp);
	foreach(lc, indexes)
	{
		MigIndex	index = mig_index_get(lfirst_oid(lc));

		if (index.whole && !index.is_partition && mig_index_is_like(lfirst_oid(lc), tree->stmt, false))
			return lfirst_oid(lc);
	}
	return InvalidOid;
}

static char *
choose_name(Tree *tree, const MigName *table)
{
	char	   *name = mig_index_choose_name(tree->online->overlay, table->nspname, table->relname,
											 list_concat_copy(tree->stmt->indexParams,
															  tree->stmt->indexIncludingParams),
											 "idx", tree->taken);

	tree->taken = lappend(tree->taken, mig_sql_qualified(table->nspname, name));
	return name;
}

static MigPart *
add_build(Tree *tree, const MigName *table, const char *name, bool concurrently, bool only)
{
	char	   *text = mig_index_text(tree->online->stmt->text, tree->stmt, name, table, concurrently, only);
	MigPart    *part;

	if (text == NULL)
	{
		tree->failed = true;
		text = "";
	}
	part = mig_part(&tree->parts, "%s", text);
	part->own_transaction = true;
	part->tightens = true;
	return part;
}

/* "; CREATE INDEX ...", for what was there before and goes with the parent's index. */
static char *
again(Oid indexid)
{
	ObjectAddress address = {RelationRelationId, indexid, 0};
	const char *why = NULL;
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	if (OidIsValid(indexid))
		foreach(lc, mig_undo_drop(&address, false, false, &why))
			appendStringInfo(&sql, "; %s", (char *) lfirst(lc));
	return sql.data;
}

static void
attach(Tree *tree, const char *parent, const char *child, Oid was_there)
{
	MigPart    *part = mig_part(&tree->parts, "ALTER INDEX %s ATTACH PARTITION %s", parent, child);

	part->own_transaction = true;
	part->tightens = true;
	/* of a parent that is attached itself nothing is left by then */
	mig_part_undo(part, "DROP INDEX IF EXISTS %s%s", parent, again(was_there));
}

/* Indexes on the partitions of a table, each attached to the table's. */
static void
build_below(Tree *tree, Oid relid, const char *parent)
{
	ListCell   *lc;

	foreach(lc, find_inheritance_children(relid, NoLock))
	{
		MigName    *table = name_of(tree, lfirst_oid(lc));
		Oid			fitting = fitting_index(tree, table);
		char	   *index = OidIsValid(fitting) ? mig_relation_text(fitting) : NULL;

		if (index == NULL)
		{
			char	   *name = choose_name(tree, table);
			bool		is_tree = table->relkind == RELKIND_PARTITIONED_TABLE;

			index = mig_sql_qualified(table->nspname, name);
			(void) add_build(tree, table, name, !is_tree && !mig_online_small_table(table->relid), is_tree);
			if (is_tree)
				build_below(tree, table->relid, index);
		}
		attach(tree, parent, index, fitting);
	}
}

/* Indexes on all partitions with rows of their own, and then the statement itself. */
static void
build_and_adopt(Tree *tree, const char *name)
{
	char	   *undo = psprintf("DROP INDEX IF EXISTS %s", tree->root);
	MigPart    *part;
	ListCell   *lc;

	foreach(lc, mig_relation_children(tree->online->name->relid))
	{
		MigName    *table = name_of(tree, lfirst_oid(lc));
		Oid			fitting = fitting_index(tree, table);

		undo = psprintf("%s%s", undo, again(fitting));
		if (table->relkind == RELKIND_RELATION && !mig_online_small_table(table->relid) &&
			!OidIsValid(fitting))
			(void) add_build(tree, table, choose_name(tree, table), true, false);
	}
	part = add_build(tree, tree->online->name, name, false, false);
	part->spares_scan = true;
	part->note = "takes over the indexes of the partitions";
	mig_part_undo(part, "%s", undo);
}

static bool
has_foreign_partition(const Tree *tree)
{
	ListCell   *lc;

	foreach(lc, mig_relation_children(tree->online->name->relid))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			return true;
	return false;
}

/* --- what a unique index cannot be --- */

static bool
has_column(const IndexStmt *stmt, const char *column)
{
	ListCell   *lc;

	foreach(lc, stmt->indexParams)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);

		if (elem->name && strcmp(elem->name, column) == 0)
			return true;
	}
	return false;
}

static int
place(const Tree *tree)
{
	return mig_overlay_errposition(tree->online->overlay,
								   tree->online->stmt->location + tree->stmt->relation->location);
}

/* As DefineIndex refuses it. */
static void
require_partition_key(const Tree *tree, Oid relid)
{
	ListCell   *lc;

	foreach(lc, mig_partition_key(relid))
	{
		if (lfirst(lc) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("unsupported UNIQUE constraint with partition key definition"),
					 errdetail("The partition key of table \"%s\" includes expressions.", get_rel_name(relid)),
					 place(tree)));
		if (!has_column(tree->stmt, lfirst(lc)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("unique constraint on partitioned table must include all partitioning columns"),
					 errdetail("UNIQUE constraint on table \"%s\" lacks column \"%s\" which is part of the partition key.",
							   get_rel_name(relid), (char *) lfirst(lc)),
					 place(tree)));
	}
}

static void
refuse_unique(const Tree *tree)
{
	ListCell   *lc;

	require_partition_key(tree, tree->online->name->relid);
	foreach(lc, mig_relation_children(tree->online->name->relid))
		require_partition_key(tree, lfirst_oid(lc));
	if (has_foreign_partition(tree))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot create unique index on partitioned table \"%s\"",
						tree->online->name->relname),
				 errdetail("It has a partition that is a foreign table."),
				 place(tree)));
}

/* --- together --- */

List *
mig_online_index_tree(MigOnline *online)
{
	Tree		tree = {online, castNode(IndexStmt, online->node)};
	MigName    *table = online->name;
	char	   *name = tree.stmt->idxname;

	if (tree.stmt->unique && !table->touched)
		refuse_unique(&tree);
	if (names_table((Node *) tree.stmt->indexParams, NULL) || names_table(tree.stmt->whereClause, NULL))
		return mig_online_as_it_stands(online, "an expression that names the table cannot be carried over to its partitions");
	if (name == NULL)
		name = choose_name(&tree, table);
	tree.root = mig_sql_qualified(table->nspname, name);
	if (table->touched || has_foreign_partition(&tree))
		build_and_adopt(&tree, name);
	else
	{
		add_build(&tree, table, name, false, true)->note = "valid when the index of the last partition is attached";
		build_below(&tree, table->relid, tree.root);
	}
	return tree.failed ? NIL : tree.parts;
}
