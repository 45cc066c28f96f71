/*-------------------------------------------------------------------------
 *
 * effect_table.c
 *	  CREATE TABLE.
 *
 * The table itself is new and nobody can wait for it; what it refers to,
 * inherits from or is a partition of is locked as well.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "commands/defrem.h"

#include "effect_int.h"
#include "relation.h"

static bool
is_itself(const MigName *name, const RangeVar *rv)
{
	return strcmp(name->relname, rv->relname) == 0 &&
		(rv->schemaname == NULL || strcmp(name->nspname, rv->schemaname) == 0);
}

void
mig_effect_references(MigWork *work, const MigName *name, Constraint *con)
{
	MigName    *other;

	if (con->contype != CONSTR_FOREIGN || is_itself(name, con->pktable))
		return;
	other = mig_effect_name(work, con->pktable, false);
	mig_effect_lock(work, other, ShareRowExclusiveLock);
	mig_effect_lock_children(work, other, ShareRowExclusiveLock);
}

/* serial and identity columns bring a sequence along. */
static void
make_sequence(MigWork *work, const MigName *name, ColumnDef *column)
{
	MigName		sequence = *name;

	sequence.relname = makeObjectName(name->relname, column->colname, "seq");
	sequence.text = mig_overlay_target(work->overlay, name->nspname, sequence.relname, false)->text;
	mig_effect_makes(work, &sequence, RELKIND_SEQUENCE, true);
}

/* The index of a constraint has its name. */
void
mig_effect_makes_constraint(MigWork *work, const MigName *table, Constraint *con)
{
	if (con->conname && con->indexname == NULL &&
		(con->contype == CONSTR_PRIMARY || con->contype == CONSTR_UNIQUE || con->contype == CONSTR_EXCLUSION))
		mig_effect_makes(work, mig_overlay_target(work->overlay, table->nspname, con->conname, false),
						 RELKIND_INDEX, true);
}

static void
effect_column(MigWork *work, const MigName *name, ColumnDef *column)
{
	ListCell   *lc;

	if (column->typeName && strstr(strVal(llast(column->typeName->names)), "serial"))
		make_sequence(work, name, column);
	foreach(lc, column->constraints)
	{
		Constraint *con = lfirst_node(Constraint, lc);

		if (con->contype == CONSTR_IDENTITY)
			make_sequence(work, name, column);
		mig_effect_references(work, name, con);
		mig_effect_makes_constraint(work, name, con);
	}
}

/* A new partition: its parent keeps everybody out, and so does the default partition, which is searched. */
static void
effect_partition_of(MigWork *work, const MigName *parent, PartitionBoundSpec *bound)
{
	mig_effect_lock(work, parent, AccessExclusiveLock);
	mig_effect_change(work, MIG_ALTERS, parent);
	mig_effect_new_partition(work, parent, bound);
	if (!parent->created)
		mig_effect_hazard(work, MIG_HZ_PARTITION_OF, parent, NULL, NULL);
}

static void
effect_elements(MigWork *work, const MigName *name, CreateStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->inhRelations)
	{
		MigName    *parent = mig_effect_name(work, lfirst_node(RangeVar, lc), false);

		if (stmt->partbound)
			effect_partition_of(work, parent, stmt->partbound);
		else
			mig_effect_lock(work, parent, ShareUpdateExclusiveLock);
	}
	foreach(lc, stmt->tableElts)
	{
		Node	   *element = lfirst(lc);

		if (IsA(element, ColumnDef))
			effect_column(work, name, (ColumnDef *) element);
		else if (IsA(element, Constraint))
		{
			mig_effect_references(work, name, (Constraint *) element);
			mig_effect_makes_constraint(work, name, (Constraint *) element);
		}
		else if (IsA(element, TableLikeClause))
			mig_effect_lock(work, mig_effect_name(work, ((TableLikeClause *) element)->relation, false),
							AccessShareLock);
	}
	foreach(lc, stmt->constraints)
		mig_effect_references(work, name, lfirst_node(Constraint, lc));
}

void
mig_effect_create_table(MigWork *work, Node *node)
{
	CreateStmt *stmt = (CreateStmt *) node;
	bool		foreign_table = IsA(node, CreateForeignTableStmt);
	MigEffect  *effect = work->effect;
	MigName    *name = mig_effect_target(work, stmt->relation);

	effect->relation = name->text;
	if (name->known && stmt->if_not_exists)
	{
		mig_effect_note(work, "%s exists already", name->text);
		effect->undo = "";
		return;
	}
	effect_elements(work, name, stmt);
	effect->undo = psprintf("DROP %s IF EXISTS %s",
							foreign_table ? "FOREIGN TABLE" : "TABLE", name->text);
	mig_effect_makes(work, name,
					 foreign_table ? RELKIND_FOREIGN_TABLE :
					 stmt->partspec ? RELKIND_PARTITIONED_TABLE : RELKIND_RELATION,
					 stmt->if_not_exists);
	if (strcmp(name->nspname, "pg_temp") == 0)
	{
		effect->undo = "";
		mig_effect_note(work, "temporary: it is gone when the run is interrupted");
		effect->keeps_block = stmt->oncommit != ONCOMMIT_NOOP && stmt->oncommit != ONCOMMIT_PRESERVE_ROWS;
	}
}
