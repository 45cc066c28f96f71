/*-------------------------------------------------------------------------
 *
 * effect_proof.c
 *	  What the constraints of a table prove, so that the server need not read
 *	  its rows: NOT NULL, the bounds of a partition.
 *
 * The server's own prover is asked, with the same premises as in tablecmds.c
 * (ConstraintImpliedByRelConstraint, QueuePartitionConstraintValidation).  It
 * folds expressions: see effect_expr.c.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "commands/tablecmds.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_utilcmd.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "compat.h"
#include "effect_int.h"
#include "partition.h"
#include "relation.h"

static Relation
open_relation(Oid relid)
{
	char	   *text = mig_relation_text(relid);

	if (text == NULL || !mig_relation_lock(relid, text))
		return NULL;
	return RelationIdGetRelation(relid);
}

static void
close_relation(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);

	RelationClose(rel);
	mig_relation_unlock(relid);
}

/* --- NOT NULL --- */

static bool
is_named(const List *names, const char *name)
{
	const ListCell *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

/* The valid CHECKs of a table as the prover wants them, without those that are just being dropped. */
static List *
valid_checks(MigWork *work, Relation rel, const List *dropped)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	List	   *premises = NIL;

	for (int i = 0; constr && i < constr->num_check; i++)
	{
		Node	   *expr;

		if (!constr->check[i].ccvalid || is_named(dropped, constr->check[i].ccname))
			continue;
		expr = mig_expr_fold(work, stringToNode(constr->check[i].ccbin));
		if (expr == NULL)
			continue;
		expr = (Node *) canonicalize_qual((Expr *) expr, true);
		premises = list_concat(premises, make_ands_implicit((Expr *) expr));
	}
	return premises;
}

bool
mig_proof_not_null(MigWork *work, Oid relid, AttrNumber attnum, const List *dropped)
{
	Relation	rel = open_relation(relid);
	NullTest   *test = makeNode(NullTest);
	Form_pg_attribute att;
	bool		proved;

	if (rel == NULL)
		return false;
	att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	test->arg = (Expr *) makeVar(1, attnum, att->atttypid, att->atttypmod, att->attcollation, 0);
	test->nulltesttype = IS_NOT_NULL;
	test->argisrow = false;
	test->location = -1;
	proved = predicate_implied_by(list_make1(test), valid_checks(work, rel, dropped), true);
	close_relation(rel);
	return proved;
}

/* --- partitions --- */

/* Tables that would be read to see whether all rows fit. */
static List *
unproved(Oid relid, List *constraint)
{
	Relation	rel = open_relation(relid);
	List	   *tables = NIL;

	if (rel == NULL)
		return NIL;
	if (!PartConstraintImpliedByRelConstraint(rel, constraint))
	{
		if (rel->rd_rel->relkind == RELKIND_RELATION)
			tables = list_make1_oid(relid);
		else if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		{
			PartitionDesc parts = RelationGetPartitionDesc(rel, true);

			for (int i = 0; i < parts->nparts; i++)
			{
				Relation	part = open_relation(parts->oids[i]);

				if (part == NULL)
					continue;
				tables = list_concat(tables,
									 unproved(parts->oids[i],
											  map_partition_varattnos(constraint, 1, part, rel)));
				close_relation(part);
			}
		}
	}
	close_relation(rel);
	return tables;
}

/* For the relation that is to be attached, or for the default partition. */
static List *
unproved_mapped(Relation parent, Oid relid, List *constraint)
{
	Relation	rel = open_relation(relid);

	if (rel == NULL)
		return NIL;
	constraint = map_partition_varattnos(constraint, 1, rel, parent);
	close_relation(rel);
	return unproved(relid, constraint);
}

static List *
unproved_by_bound(Relation parent, MigPartition *partition, PartitionBoundSpec *bound)
{
	List	   *quals = get_qual_from_partbound(parent, bound);
	List	   *all = list_concat_copy(quals, RelationGetPartitionQual(parent));
	List	   *tables = NIL;

	if (OidIsValid(partition->attached) && all != NIL)
	{
		all = list_make1(make_ands_explicit((List *) eval_const_expressions(NULL, (Node *) all)));
		tables = unproved_mapped(parent, partition->attached, all);
	}
	if (OidIsValid(partition->default_partition) && !bound->is_default)
		partition->unproved_default =
			unproved_mapped(parent, partition->default_partition,
							get_proposed_default_constraint(quals));
	return tables;
}

void
mig_proof_partition(MigWork *work, MigPartition *partition, PartitionBoundSpec *bound)
{
	ParseState *pstate = make_parsestate(NULL);
	Relation	parent;

	if (!InSecurityRestrictedOperation() || !mig_partition_is_constant(bound))
		return;
	parent = open_relation(partition->parent);
	if (parent == NULL)
		return;
	if (parent->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		pstate->p_sourcetext = NULL;
		partition->unproved = unproved_by_bound(parent, partition,
												transformPartitionBound(pstate, parent, copyObject(bound)));
		partition->known = true;
	}
	close_relation(parent);
}
