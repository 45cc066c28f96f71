/*-------------------------------------------------------------------------
 *
 * refuse.c
 *	  What the server would refuse in any case, said while planning.
 *
 * Nothing has been changed then, while the server would say it in the middle
 * of a run.  Only what is sure is refused: a table that an earlier statement
 * has altered, or that code may have altered that nobody sees through, is
 * left to the server.
 *
 * Layer 1: reads the catalog, takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/heap.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_rewrite.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "refuse.h"
#include "refuse_int.h"
#include "relation.h"

typedef struct Refusal
{
	const MigStatement *stmt;
	const MigOverlay *overlay;
	const MigName *name;
} Refusal;

static int
place(const Refusal *refusal)
{
	return mig_overlay_errposition(refusal->overlay, refusal->stmt->location);
}

/* --- the relation --- */

static bool
needs_table(AlterTableType subtype)
{
	switch (subtype)
	{
		case AT_AddColumn:
		case AT_DropColumn:
		case AT_AlterColumnType:
		case AT_SetNotNull:
		case AT_DropNotNull:
		case AT_AddConstraint:
		case AT_DropConstraint:
		case AT_ValidateConstraint:
			return true;
		default:
			return false;
	}
}

static const char *
kind_of(char relkind)
{
	switch (relkind)
	{
		case RELKIND_VIEW:
			return "a view";
		case RELKIND_MATVIEW:
			return "a materialized view";
		case RELKIND_SEQUENCE:
			return "a sequence";
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return "an index";
		default:
			return NULL;
	}
}

static void
refuse_kind(const Refusal *refusal, const AlterTableStmt *stmt)
{
	const char *kind = kind_of(refusal->name->relkind);
	ListCell   *lc;

	if (!allowSystemTableMods && IsCatalogRelationOid(refusal->name->relid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied: \"%s\" is a system catalog", refusal->name->relname),
				 place(refusal)));
	foreach(lc, stmt->cmds)
		if (kind && needs_table(lfirst_node(AlterTableCmd, lc)->subtype))
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("%s is %s, not a table", refusal->name->text, kind),
					 place(refusal)));
}

/* --- columns --- */

static bool
has_column(const Refusal *refusal, const char *column)
{
	return mig_relation_column(refusal->name->relid, column) != InvalidAttrNumber ||
		SystemAttributeByName(column) != NULL;
}

/* Is it added by the same statement? */
static bool
adds_column(const Refusal *refusal, const char *column)
{
	ListCell   *lc;

	foreach(lc, castNode(AlterTableStmt, refusal->stmt->raw->stmt)->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn &&
			strcmp(castNode(ColumnDef, cmd->def)->colname, column) == 0)
			return true;
	}
	return false;
}

static void
require_column(const Refusal *refusal, const char *column)
{
	if (!has_column(refusal, column) && !adds_column(refusal, column))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation %s does not exist", column, refusal->name->text),
				 place(refusal)));
}

static void
require_columns(const Refusal *refusal, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
		require_column(refusal, strVal(lfirst(lc)));
}

/* Bare names in a CHECK are columns, or the table as a whole. */
static bool
require_in_expression(Node *node, Refusal *refusal)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef) && list_length(((ColumnRef *) node)->fields) == 1 &&
		IsA(linitial(((ColumnRef *) node)->fields), String))
	{
		const char *column = strVal(linitial(((ColumnRef *) node)->fields));

		if (strcmp(column, refusal->name->relname) != 0)
			require_column(refusal, column);
	}
	return raw_expression_tree_walker(node, require_in_expression, refusal);
}

static void
refuse_new_column(const Refusal *refusal, const AlterTableCmd *cmd)
{
	const char *column = castNode(ColumnDef, cmd->def)->colname;

	if (has_column(refusal, column) && !cmd->missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("column \"%s\" of relation %s already exists", column, refusal->name->text),
				 place(refusal)));
}

/* The view whose rule this is, unless an earlier statement drops it. */
static char *
needed_by_view(const Refusal *refusal, Oid rule)
{
	Oid			view = mig_relation_of_rule(rule);
	MigName    *name;

	if (!OidIsValid(view) || view == refusal->name->relid)
		return NULL;
	name = mig_overlay_find(refusal->overlay, get_namespace_name(get_rel_namespace(view)),
							get_rel_name(view));
	return name->known && name->relid == view && !name->created && !name->touched ? name->text : NULL;
}

static char *
view_that_needs(const Refusal *refusal, AttrNumber column)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *view = NULL;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(refusal->name->relid));
	ScanKeyInit(&key[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(column));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 3, key);
	while (view == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == RewriteRelationId && form->deptype == DEPENDENCY_NORMAL)
			view = needed_by_view(refusal, form->objid);
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return view;
}

static void
refuse_dropped_column(const Refusal *refusal, const AlterTableCmd *cmd)
{
	AttrNumber	column = mig_relation_column(refusal->name->relid, cmd->name);
	char	   *view;

	if (column == InvalidAttrNumber || cmd->behavior == DROP_CASCADE)
		return;
	view = view_that_needs(refusal, column);
	if (view)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop column \"%s\" of %s: view %s needs it",
						cmd->name, refusal->name->text, view),
				 errhint("Drop the view before, in the same migration, and create it again without the column."),
				 place(refusal)));
}

/* --- constraints --- */

static void
refuse_new_constraint(Refusal *refusal, const Constraint *con)
{
	MigConstraint there;

	if (con->conname && mig_relation_constraint(refusal->name->relid, con->conname, &there))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("constraint \"%s\" for relation %s already exists", con->conname,
						refusal->name->text),
				 place(refusal)));
	if (con->contype == CONSTR_PRIMARY && mig_relation_primary_key(refusal->name->relid) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("multiple primary keys for table %s are not allowed", refusal->name->text),
				 place(refusal)));
	if (con->contype == CONSTR_CHECK)
		(void) require_in_expression(con->raw_expr, refusal);
	else if (con->contype == CONSTR_FOREIGN)
		require_columns(refusal, con->fk_attrs);
	else if (con->contype == CONSTR_UNIQUE || con->contype == CONSTR_PRIMARY)
		require_columns(refusal, con->keys);
}

/* Does the same statement drop a constraint? */
static bool
drops_constraint(const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_DropConstraint)
			return true;
	return false;
}

static void
refuse_table(const MigStatement *stmt, const MigOverlay *overlay)
{
	AlterTableStmt *alter = (AlterTableStmt *) stmt->raw->stmt;
	Refusal		refusal = {0};
	ListCell   *lc;

	if (!IsA(alter, AlterTableStmt) || alter->objtype != OBJECT_TABLE)
		return;
	refusal.stmt = stmt;
	refusal.overlay = overlay;
	refusal.name = mig_overlay_find(overlay, alter->relation->schemaname, alter->relation->relname);
	if (!OidIsValid(refusal.name->relid) || refusal.name->created ||
		mig_overlay_touched(overlay, refusal.name))
		return;
	refuse_kind(&refusal, alter);
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn)
			refuse_new_column(&refusal, cmd);
		else if (cmd->subtype == AT_DropColumn)
			refuse_dropped_column(&refusal, cmd);
		else if (cmd->subtype == AT_AddConstraint && !drops_constraint(alter))
			refuse_new_constraint(&refusal, castNode(Constraint, cmd->def));
	}
}

MigName *
mig_refuse_known(MigWork *work, const RangeVar *rv)
{
	MigName    *name = mig_overlay_find(work->overlay, rv->schemaname, rv->relname);
	const char *there = OidIsValid(name->relid) ? mig_relation_text(name->relid) : NULL;

	if (there == NULL || name->created || strcmp(there, name->text) != 0)
		return NULL;
	return name;
}

/* IF NOT EXISTS of what exists: the server looks no further. */
static bool
is_skipped(const MigOverlay *overlay, const CreateStmt *stmt)
{
	return stmt->if_not_exists &&
		mig_overlay_target(overlay, stmt->relation->schemaname, stmt->relation->relname,
						   stmt->relation->relpersistence == RELPERSISTENCE_TEMP)->known;
}

void
mig_refuse(const MigStatement *stmt, MigEffect *effect, const MigOverlay *overlay)
{
	MigWork		work = {stmt, overlay, effect};
	Node	   *node = stmt->raw->stmt;

	mig_refuse_own(stmt, effect, overlay);
	if (mig_overlay_opaque(overlay))
		return;
	if (IsA(node, CreateStmt) && is_skipped(overlay, (CreateStmt *) node))
		return;
	mig_refuse_kinds(&work, node);
	mig_refuse_expressions(&work, node);
	mig_refuse_objects(&work, node);
	mig_refuse_others(&work, node);
	if (IsA(node, CreateStmt))
		mig_refuse_new_table(&work, (CreateStmt *) node);
	refuse_table(stmt, overlay);
}
