/*-------------------------------------------------------------------------
 *
 * online_partition.c
 *	  ATTACH and DETACH PARTITION, and what else adds or takes away a
 *	  partition of a table that is in use.
 *
 * A new partition is searched for rows outside of its bounds, and the default
 * partition for rows within them, while both are locked against everybody.
 * Neither happens if valid CHECKs prove it (PartConstraintImpliedByRelConstraint
 * in tablecmds.c); such ones are added for the purpose, validated in a
 * transaction of their own, and dropped behind it.  What else the server would
 * build or check under that lock, indexes and foreign keys of the parent, is
 * made before (online_partition_fit.c).
 *
 * DETACH ... CONCURRENTLY needs no strong lock on the parent.  It leaves the
 * bounds behind as a CHECK, which the plain form does not.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "utils/lsyscache.h"

#include "index.h"
#include "online_int.h"
#include "partition.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

/* A CHECK that is there for as long as the sequence takes. */
typedef struct Proof
{
	const char *table;			/* qualified */
	char	   *name;			/* or NULL: none is needed */
} Proof;

/* --- proving CHECKs --- */

/* The same statement, seen from another table. */
static MigOnline
seen_from(const MigOnline *online, Oid relid)
{
	MigOnline	of = *online;

	of.name = mig_overlay_find(online->overlay, get_namespace_name(get_rel_namespace(relid)),
							   get_rel_name(relid));
	return of;
}

static void
look_for_strangers(const MigOnline *online, List **parts, Oid relid, const char *condition)
{
	MigOnline	of = seen_from(online, relid);

	mig_online_look(&of, parts, InvalidOid, "23514", "SELECT %s FROM %s t WHERE NOT (%s)",
					mig_online_key(&of, "t"), of.name->text, condition);
}

static Proof
prove(const MigOnline *online, List **parts, Oid relid, const char *condition, const char *note)
{
	MigOnline	of = seen_from(online, relid);
	Proof		proof = {of.name->text};
	MigPart    *part;

	proof.name = ChooseConstraintName(of.name->relname, NULL, "migrate_bound",
									  get_rel_namespace(relid), NIL);
	part = mig_part(parts, "ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID", proof.table,
					mig_sql_name(proof.name), condition);
	part->note = note ? pstrdup(note) : NULL;
	mig_online_lifts(&of, part, proof.table, proof.name);
	mig_online_validate(&of, parts, proof.name);
	return proof;
}

static void
drop_proof(List **parts, const Proof *proof)
{
	MigPart    *part;

	if (proof->name == NULL)
		return;
	part = mig_part(parts, "ALTER TABLE %s DROP CONSTRAINT %s", proof->table, mig_sql_name(proof->name));
	mig_part_undo(part, "%s", "");
}

/*
 * A statement that makes a partition, between what proves its bounds.
 * child: InvalidOid if it does not exist yet, or is too small to matter.
 */
static void
add_proved(const MigOnline *online, List **parts, Oid child, const MigBound *bound)
{
	Oid			other = bound->excludes && !bound->default_proved ? bound->default_partition : InvalidOid;
	Proof		own = {0},
				beside = {0};
	MigPart    *part;

	if (bound->proved)
		child = InvalidOid;
	if (OidIsValid(other) && mig_online_small_table(other))
		other = InvalidOid;
	if (OidIsValid(child))
		look_for_strangers(online, parts, child, bound->constraint);
	if (OidIsValid(other))
		look_for_strangers(online, parts, other, bound->excludes);
	if (OidIsValid(child))
		own = prove(online, parts, child, bound->constraint, NULL);
	if (OidIsValid(other))
		beside = prove(online, parts, other, bound->excludes,
					   "from here on rows of the new partition are refused, until it is there");
	mig_online_tighten(*parts);
	part = mig_part(parts, "%s", online->stmt->text);
	part->spares_scan = true;
	part->note = "valid checks spare the search for rows out of place";
	drop_proof(parts, &own);
	drop_proof(parts, &beside);
}

/* --- ATTACH --- */

static List *
attach(MigOnline *online, const PartitionCmd *cmd)
{
	MigName    *child = mig_overlay_find(online->overlay, cmd->name->schemaname, cmd->name->relname);
	List	   *parts = NIL;
	MigBound	bound;
	bool		small;

	if (!OidIsValid(child->relid) || child->created ||
		(child->relkind != RELKIND_RELATION && child->relkind != RELKIND_PARTITIONED_TABLE))
		return NIL;
	if (!mig_partition_bound(online->name->relid, child->relid, cmd->bound, &bound))
		return mig_online_as_it_stands(online, "what its bounds mean is known only when it runs");
	small = mig_online_small_table(child->relid);
	mig_online_fit(online, &parts, child, !small);
	if (parts == NIL && small && (!OidIsValid(bound.default_partition) ||
								  mig_online_small_table(bound.default_partition)))
		return NIL;
	add_proved(online, &parts, small ? InvalidOid : child->relid, &bound);
	return parts;
}

/* --- DETACH --- */

/* The CHECK that it leaves proves the bounds when it is attached again, and goes then. */
static MigPart *
detach_concurrently(List **parts, const char *parent, const char *child, Oid childid)
{
	char	   *check = mig_partition_detached_check(childid);
	char	   *bound = mig_undo_bound(childid);
	MigPart    *part;

	part = mig_part(parts, "ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY", parent, child);
	if (check && bound)
		mig_part_undo(part, "ALTER TABLE IF EXISTS %s ATTACH PARTITION %s %s; ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %s",
					  parent, child, bound, child, mig_sql_name(check));
	return part;
}

static void
drop_left_check(List **parts, const char *child, Oid childid)
{
	char	   *check = mig_partition_detached_check(childid);
	MigPart    *part;

	if (check == NULL)
		return;
	part = mig_part(parts, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", child, mig_sql_name(check));
	part->note = "CONCURRENTLY leaves it behind";
	mig_part_undo(part, "%s", "");
}

static List *
detach(MigOnline *online, const PartitionCmd *cmd)
{
	MigName    *child = mig_overlay_find(online->overlay, cmd->name->schemaname, cmd->name->relname);
	List	   *parts = NIL;

	if (!OidIsValid(child->relid) || child->created || mig_online_is_small(online) ||
		mig_relation_parent(child->relid) != online->name->relid)
		return NIL;
	if (mig_partition_is_pending(online->name->relid, child->relid))
	{
		mig_part(&parts, "ALTER TABLE %s DETACH PARTITION %s FINALIZE", online->name->text,
				 child->text)->note = "somebody has begun to detach it concurrently";
		return parts;
	}
	if (OidIsValid(get_default_partition_oid(online->name->relid)))
		return mig_online_as_it_stands(online, "with a default partition beside it, it cannot be detached concurrently");
	(void) detach_concurrently(&parts, online->name->text, child->text, child->relid);
	drop_left_check(&parts, child->text, child->relid);
	return parts;
}

List *
mig_online_partition(MigOnline *online, AlterTableCmd *cmd)
{
	PartitionCmd *partition = castNode(PartitionCmd, cmd->def);

	if (online->name->relkind != RELKIND_PARTITIONED_TABLE)
		return NIL;
	return cmd->subtype == AT_AttachPartition ? attach(online, partition) :
		partition->concurrent ? NIL : detach(online, partition);
}

/* --- CREATE TABLE ... PARTITION OF --- */

List *
mig_online_new_partition(MigOnline *online)
{
	CreateStmt *stmt = castNode(CreateStmt, online->node);
	RangeVar   *rv;
	MigName    *parent;
	MigBound	bound;
	List	   *parts = NIL;

	if (stmt->partbound == NULL || list_length(stmt->inhRelations) != 1)
		return NIL;
	rv = linitial_node(RangeVar, stmt->inhRelations);
	parent = mig_overlay_find(online->overlay, rv->schemaname, rv->relname);
	if (!OidIsValid(parent->relid) || parent->created || parent->relkind != RELKIND_PARTITIONED_TABLE ||
		!OidIsValid(get_default_partition_oid(parent->relid)) ||
		mig_online_small_table(get_default_partition_oid(parent->relid)) ||
		mig_overlay_target(online->overlay, stmt->relation->schemaname, stmt->relation->relname, false)->known)
		return NIL;
	if (!mig_partition_bound(parent->relid, InvalidOid, stmt->partbound, &bound))
		return mig_online_as_it_stands(online, "what its bounds mean is known only when it runs");
	if (bound.excludes == NULL)
		return NIL;
	add_proved(online, &parts, InvalidOid, &bound);
	return parts;
}

/* --- DROP TABLE of a partition --- */

/* Does a later statement make a table of that name?  Then both belong in one transaction. */
static bool
is_made_again(const MigOnline *online, const MigName *name)
{
	for (int i = online->stmt->index; i < list_length(online->statements); i++)
	{
		CreateStmt *later = (CreateStmt *) ((MigStatement *) list_nth(online->statements, i))->raw->stmt;

		if (IsA(later, CreateStmt) && strcmp(later->relation->relname, name->relname) == 0)
			return true;
	}
	return false;
}

/* Can it be detached first, so that nobody waits for its parent? */
static bool
can_detach(const MigOnline *online, const MigName *name, Oid *parent)
{
	*parent = OidIsValid(name->relid) ? mig_relation_parent(name->relid) : InvalidOid;
	return OidIsValid(*parent) && !name->created && !name->touched &&
		!OidIsValid(get_default_partition_oid(*parent)) && !mig_online_small_table(*parent) &&
		!mig_partition_is_pending(*parent, InvalidOid) && !is_made_again(online, name);
}

List *
mig_online_drop_partition(MigOnline *online)
{
	DropStmt   *stmt = castNode(DropStmt, online->node);
	List	   *names = linitial_node(List, stmt->objects);
	char	   *nspname = list_length(names) > 1 ? strVal(list_nth(names, list_length(names) - 2)) : NULL;
	MigName    *name = mig_overlay_find(online->overlay, nspname, strVal(llast(names)));
	List	   *parts = NIL;
	MigPart    *part;
	Oid			parent;

	if (list_length(stmt->objects) != 1 || !can_detach(online, name, &parent))
		return NIL;
	part = detach_concurrently(&parts, mig_relation_text(parent), name->text, name->relid);
	part->breaks = true;
	part->note = "so that the parent is not locked against everybody";
	mig_part(&parts, "%s", online->stmt->text)->spares_lock = mig_relation_text(parent);
	return parts;
}
