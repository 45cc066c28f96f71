/*-------------------------------------------------------------------------
 *
 * refuse_kind.c
 *	  A view where a table is needed, and the like, said while planning.
 *
 * The messages are the server's, as far as its releases agree.
 *
 * Layer 1: reads the catalog, takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "index.h"
#include "refuse_int.h"
#include "relation.h"

#define TABLES "rp"

/* A relation whose kind is known, whether it is there or made by an earlier statement. */
static MigName *
find(MigWork *work, const RangeVar *rv)
{
	MigName    *name = mig_overlay_find(work->overlay, rv->schemaname, rv->relname);

	return name->known && name->relkind ? name : NULL;
}

static MigName *
find_list(MigWork *work, List *names)
{
	return find(work, makeRangeVarFromNameList(names));
}

static void
require_kind(MigWork *work, const MigName *name, const char *kinds, int place, const char *what)
{
	if (name && strchr(kinds, name->relkind) == NULL)
		mig_refuse_error(work, place, ERRCODE_WRONG_OBJECT_TYPE, "%s is not %s", name->text, what);
}

/* Whatever is done to it but reading and writing its rows. */
static void
refuse_catalog(MigWork *work, const MigName *name, int place)
{
	if (name && OidIsValid(name->relid) && !allowSystemTableMods && IsCatalogRelationOid(name->relid))
		mig_refuse_error(work, place, ERRCODE_INSUFFICIENT_PRIVILEGE,
						 "permission denied: \"%s\" is a system catalog", name->relname);
}

static void
refuse_table_only(MigWork *work, const RangeVar *rv, const char *kinds, const char *what)
{
	MigName    *name = find(work, rv);

	require_kind(work, name, kinds, rv->location, what);
	refuse_catalog(work, name, rv->location);
}

/* REFRESH ... CONCURRENTLY tells rows by a unique index. */
static void
refuse_refresh(MigWork *work, RefreshMatViewStmt *stmt)
{
	MigName    *name = find(work, stmt->relation);

	refuse_table_only(work, stmt->relation, "m", "a materialized view");
	if (stmt->concurrent && name && OidIsValid(name->relid) && !name->created &&
		mig_overlay_mark(work->overlay) == 0 && !mig_index_refreshes(name->relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot refresh materialized view %s concurrently", name->text),
				 errhint("Create a unique index with no WHERE clause on one or more columns of the materialized view."),
				 mig_overlay_errposition(work->overlay, stmt->relation->location)));
}

/* --- DROP and ALTER say what they are for --- */

typedef struct Kind
{
	ObjectType	type;
	const char *kinds;
	const char *what;
} Kind;

static const Kind kinds[] = {
	{OBJECT_TABLE, TABLES, "a table"},
	{OBJECT_VIEW, "v", "a view"},
	{OBJECT_MATVIEW, "m", "a materialized view"},
	{OBJECT_SEQUENCE, "S", "a sequence"},
	{OBJECT_INDEX, "iI", "an index"},
	{OBJECT_FOREIGN_TABLE, "f", "a foreign table"},
};

static const Kind *
kind_of(ObjectType type)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

static const char *
drop_word(char relkind)
{
	switch (relkind)
	{
		case RELKIND_VIEW:
			return "VIEW";
		case RELKIND_MATVIEW:
			return "MATERIALIZED VIEW";
		case RELKIND_SEQUENCE:
			return "SEQUENCE";
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return "INDEX";
		case RELKIND_FOREIGN_TABLE:
			return "FOREIGN TABLE";
		case RELKIND_COMPOSITE_TYPE:
			return "TYPE";
		default:
			return "TABLE";
	}
}

static void
refuse_drop(MigWork *work, DropStmt *stmt)
{
	const Kind *kind = kind_of(stmt->removeType);
	ListCell   *lc;

	if (kind == NULL)
		return;
	foreach(lc, stmt->objects)
	{
		MigName    *name = find_list(work, lfirst_node(List, lc));

		if (name && strchr(kind->kinds, name->relkind) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("%s is not %s", name->text, kind->what),
					 errhint("Use DROP %s to remove it.", drop_word(name->relkind)),
					 mig_overlay_errposition(work->overlay, work->stmt->location)));
		refuse_catalog(work, name, -1);
		if (name && OidIsValid(name->relid) && !name->created)
			mig_refuse_member(work, RelationRelationId, name->relid, name->text);
	}
}

/* ALTER TABLE takes any kind, at least for some of its forms. */
static void
refuse_alter_kind(MigWork *work, ObjectType type, const RangeVar *rv)
{
	const Kind *kind = type == OBJECT_TABLE ? NULL : kind_of(type);

	if (kind && rv)
		require_kind(work, find(work, rv), kind->kinds, rv->location, kind->what);
}

/* A foreign table has neither keys nor indexes. */
static void
refuse_foreign(MigWork *work, AlterTableStmt *stmt)
{
	MigName    *name = find(work, stmt->relation);
	ListCell   *lc;

	if (name == NULL || name->relkind != RELKIND_FOREIGN_TABLE)
		return;
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddConstraint && castNode(Constraint, cmd->def)->contype != CONSTR_CHECK &&
			castNode(Constraint, cmd->def)->contype != CONSTR_NOTNULL)
			mig_refuse_error(work, castNode(Constraint, cmd->def)->location, ERRCODE_FEATURE_NOT_SUPPORTED,
							 "keys and exclusion constraints are not supported on foreign tables");
	}
}

/* --- partitions --- */

static void
refuse_partitions(MigWork *work, AlterTableStmt *stmt)
{
	MigName    *parent = find(work, stmt->relation);
	ListCell   *lc;

	if (parent == NULL || parent->relkind == RELKIND_PARTITIONED_INDEX || parent->relkind == RELKIND_INDEX)
		return;
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		PartitionCmd *part = (PartitionCmd *) cmd->def;
		MigName    *child;

		if (cmd->subtype != AT_AttachPartition && cmd->subtype != AT_DetachPartition)
			continue;
		if (parent->relkind != RELKIND_PARTITIONED_TABLE)
			mig_refuse_error(work, stmt->relation->location, ERRCODE_WRONG_OBJECT_TYPE,
							 "table %s is not partitioned", parent->text);
		child = find(work, part->name);
		if (cmd->subtype == AT_AttachPartition)
			require_kind(work, child, TABLES "f", part->name->location, "a table");
		else if (child && OidIsValid(child->relid) && !child->touched && !parent->touched &&
				 mig_relation_parent(child->relid) != parent->relid)
			mig_refuse_error(work, part->name->location, ERRCODE_UNDEFINED_TABLE,
							 "relation %s is not a partition of relation %s", child->text, parent->text);
	}
}

static void
refuse_new_partition(MigWork *work, CreateStmt *stmt)
{
	RangeVar   *rv = stmt->partbound && stmt->inhRelations != NIL ? linitial(stmt->inhRelations) : NULL;

	if (rv)
		require_kind(work, find(work, rv), "p", rv->location, "partitioned");
}

/* --- the rest --- */

static void
refuse_index(MigWork *work, IndexStmt *stmt)
{
	MigName    *name = find(work, stmt->relation);

	require_kind(work, name, TABLES "m", stmt->relation->location, "a table or materialized view");
	refuse_catalog(work, name, stmt->relation->location);
}

static void
refuse_reindex(MigWork *work, ReindexStmt *stmt)
{
	if (stmt->relation == NULL)
		return;
	if (stmt->kind == REINDEX_OBJECT_INDEX)
		require_kind(work, find(work, stmt->relation), "iI", stmt->relation->location, "an index");
	else
		require_kind(work, find(work, stmt->relation), TABLES "mt", stmt->relation->location,
					 "a table or materialized view");
}

static void
refuse_trigger(MigWork *work, CreateTrigStmt *stmt)
{
	MigName    *name = find(work, stmt->relation);
	int			place = stmt->relation->location;

	require_kind(work, name, TABLES "vf", place, "a table or view");
	refuse_catalog(work, name, place);
	if (name && name->relkind == RELKIND_VIEW && stmt->row && stmt->timing != TRIGGER_TYPE_INSTEAD)
		mig_refuse_error(work, place, ERRCODE_WRONG_OBJECT_TYPE,
						 "%s is a view, which cannot have row-level BEFORE or AFTER triggers", name->text);
	if (name && name->relkind != RELKIND_VIEW && stmt->timing == TRIGGER_TYPE_INSTEAD)
		mig_refuse_error(work, place, ERRCODE_WRONG_OBJECT_TYPE,
						 "%s is not a view: only views can have INSTEAD OF triggers", name->text);
}

/* The index that CLUSTER goes by must be there, or be marked. */
static void
refuse_cluster(MigWork *work, ClusterStmt *stmt)
{
	MigName    *name = stmt->relation ? mig_refuse_known(work, stmt->relation) : NULL;
	ListCell   *lc;

	if (name == NULL || name->touched)
		return;
	foreach(lc, mig_relation_indexes(name->relid))
		if (stmt->indexname ? strcmp(get_rel_name(lfirst_oid(lc)), stmt->indexname) == 0 :
			get_index_isclustered(lfirst_oid(lc)))
			return;
	if (stmt->indexname == NULL)
		mig_refuse_error(work, stmt->relation->location, ERRCODE_UNDEFINED_OBJECT,
						 "there is no previously clustered index for table %s", name->text);
	mig_refuse_error(work, -1, ERRCODE_UNDEFINED_OBJECT,
					 "index \"%s\" for table %s does not exist", stmt->indexname, name->text);
}

static void
refuse_alter(MigWork *work, AlterTableStmt *stmt)
{
	refuse_alter_kind(work, stmt->objtype, stmt->relation);
	refuse_foreign(work, stmt);
	refuse_partitions(work, stmt);
}

void
mig_refuse_kinds(MigWork *work, Node *node)
{
	ListCell   *lc;

	switch (nodeTag(node))
	{
		case T_DropStmt:
			refuse_drop(work, (DropStmt *) node);
			break;
		case T_AlterTableStmt:
			refuse_alter(work, (AlterTableStmt *) node);
			break;
		case T_AlterSeqStmt:
			refuse_alter_kind(work, OBJECT_SEQUENCE, ((AlterSeqStmt *) node)->sequence);
			break;
		case T_RenameStmt:
			/* ALTER INDEX ... RENAME takes a table, too */
			if (((RenameStmt *) node)->renameType != OBJECT_INDEX)
				refuse_alter_kind(work, ((RenameStmt *) node)->renameType, ((RenameStmt *) node)->relation);
			break;
		case T_CreateStmt:
			refuse_new_partition(work, (CreateStmt *) node);
			break;
		case T_IndexStmt:
			refuse_index(work, (IndexStmt *) node);
			break;
		case T_TruncateStmt:
			foreach(lc, ((TruncateStmt *) node)->relations)
				refuse_table_only(work, lfirst_node(RangeVar, lc), TABLES "f", "a table");
			break;
		case T_ReindexStmt:
			refuse_reindex(work, (ReindexStmt *) node);
			break;
		case T_RefreshMatViewStmt:
			refuse_refresh(work, (RefreshMatViewStmt *) node);
			break;
		case T_ClusterStmt:
			refuse_cluster(work, (ClusterStmt *) node);
			break;
		case T_CreatePolicyStmt:
			refuse_table_only(work, ((CreatePolicyStmt *) node)->table, TABLES, "a table");
			break;
		case T_CreateTrigStmt:
			refuse_trigger(work, (CreateTrigStmt *) node);
			break;
		default:
			break;
	}
}
