/*-------------------------------------------------------------------------
 *
 * refuse_create.c
 *	  CREATE TABLE that the server would refuse, said while planning.
 *
 * Layer 1: reads the catalog, takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/heap.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"

#include "refuse_int.h"

typedef struct Columns
{
	MigWork    *work;
	const char *table;
	List	   *names;			/* of String */
} Columns;

static bool
is_there(const Columns *columns, const char *name)
{
	return list_member(columns->names, makeString(unconstify(char *, name))) || SystemAttributeByName(name) != NULL;
}

static void
require(const Columns *columns, const char *name, int place)
{
	if (!is_there(columns, name))
		mig_refuse_error(columns->work, place, ERRCODE_UNDEFINED_COLUMN,
						 "column \"%s\" named in a constraint does not exist", name);
}

/* Bare names in a CHECK are columns, or the table as a whole. */
static bool
require_in_expression(Node *node, Columns *columns)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef) && list_length(((ColumnRef *) node)->fields) == 1 &&
		IsA(linitial(((ColumnRef *) node)->fields), String))
	{
		const char *name = strVal(linitial(((ColumnRef *) node)->fields));

		if (strcmp(name, columns->table) != 0)
			require(columns, name, ((ColumnRef *) node)->location);
	}
	return raw_expression_tree_walker(node, require_in_expression, columns);
}

static void
refuse_constraint(Columns *columns, const Constraint *con)
{
	ListCell   *lc;

	if (con->contype == CONSTR_CHECK)
		(void) require_in_expression(con->raw_expr, columns);
	else if (con->contype == CONSTR_UNIQUE || con->contype == CONSTR_PRIMARY)
		foreach(lc, con->keys)
			require(columns, strVal(lfirst(lc)), con->location);
	else if (con->contype == CONSTR_FOREIGN)
		foreach(lc, con->fk_attrs)
			require(columns, strVal(lfirst(lc)), con->location);
}

/* False if columns come from elsewhere, too. */
static bool
collect(Columns *columns, const CreateStmt *stmt)
{
	bool		whole = stmt->inhRelations == NIL && stmt->ofTypename == NULL;
	ListCell   *lc;

	foreach(lc, stmt->tableElts)
	{
		if (IsA(lfirst(lc), TableLikeClause))
			whole = false;
		if (!IsA(lfirst(lc), ColumnDef))
			continue;
		if (list_member(columns->names, makeString(lfirst_node(ColumnDef, lc)->colname)))
			mig_refuse_error(columns->work, lfirst_node(ColumnDef, lc)->location, ERRCODE_DUPLICATE_COLUMN,
							 "column \"%s\" specified more than once", lfirst_node(ColumnDef, lc)->colname);
		columns->names = lappend(columns->names, makeString(lfirst_node(ColumnDef, lc)->colname));
	}
	return whole;
}

void
mig_refuse_new_table(MigWork *work, CreateStmt *stmt)
{
	MigName    *name = mig_overlay_target(work->overlay, stmt->relation->schemaname, stmt->relation->relname,
										  stmt->relation->relpersistence == RELPERSISTENCE_TEMP);
	Columns		columns = {work, stmt->relation->relname};
	ListCell   *lc,
			   *li;

	if (name->known && !stmt->if_not_exists)
		mig_refuse_error(work, stmt->relation->location, ERRCODE_DUPLICATE_TABLE,
						 "relation \"%s\" already exists", stmt->relation->relname);
	if (!collect(&columns, stmt))
		return;
	foreach(lc, stmt->tableElts)
		if (IsA(lfirst(lc), Constraint))
			refuse_constraint(&columns, lfirst(lc));
		else if (IsA(lfirst(lc), ColumnDef))
			foreach(li, lfirst_node(ColumnDef, lc)->constraints)
				refuse_constraint(&columns, lfirst_node(Constraint, li));
}
