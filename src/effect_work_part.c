/*-------------------------------------------------------------------------
 *
 * effect_work_part.c
 *	  What becomes of a partition that comes or goes, and of its neighbours.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attmap.h"
#include "access/genam.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "compat.h"
#include "effect_int.h"
#include "relation.h"
#include "sqlgen.h"

/* --- what the default partition and a new one are read for --- */

static void
mark_default(MigWork *work, const MigName *parent, MigPartition *partition)
{
	ListCell   *lc;
	bool		reads = false;

	if (!OidIsValid(partition->default_partition))
		return;
	mig_effect_lock_oid(work, partition->default_partition, AccessExclusiveLock);
	if (!partition->known)
		partition->unproved_default = list_make1_oid(partition->default_partition);
	foreach(lc, partition->unproved_default)
	{
		mig_effect_lock_oid(work, lfirst_oid(lc), AccessExclusiveLock);
		reads |= mig_effect_scans(work, lfirst_oid(lc));
	}
	if (reads)
		mig_effect_hazard_oid(work, MIG_HZ_ATTACH_DEFAULT, partition->default_partition, NULL, parent->text);
}

static void
mark_attached(MigWork *work, const MigName *parent, const MigName *other, MigPartition *partition)
{
	ListCell   *lc;
	bool		reads = false;

	if (!partition->known)
		reads = mig_effect_scans_tree(work, other, true);
	foreach(lc, partition->unproved)
		reads |= mig_effect_scans(work, lfirst_oid(lc));
	if (reads)
		mig_effect_hazard(work, MIG_HZ_ATTACH, other, NULL, parent->text);
}

static void
fill(MigWork *work, MigPartition *partition, PartitionBoundSpec *bound)
{
	MigName    *parent = mig_effect_name_of_oid(work, partition->parent);

	partition->default_partition = get_default_partition_oid(partition->parent);
	/* the expression may rest on partitions and columns that are not there yet */
	if (!parent->touched)
		mig_proof_partition(work, partition, bound);
}

void
mig_effect_new_partition(MigWork *work, const MigName *parent, PartitionBoundSpec *bound)
{
	MigPartition partition = {parent->relid};

	if (!OidIsValid(parent->relid) || get_rel_relkind(parent->relid) != RELKIND_PARTITIONED_TABLE)
		return;
	if (bound->is_default && !parent->touched && OidIsValid(get_default_partition_oid(parent->relid)))
		mig_effect_fails(work, ERRCODE_INVALID_OBJECT_DEFINITION, bound->location, NULL,
						 "%s has a default partition already", parent->text);
	fill(work, &partition, bound);
	mark_default(work, parent, &partition);
}

/* --- indexes that a partition has to have (AttachPartitionEnsureIndexes in tablecmds.c) --- */

static Relation
open_index(Oid indexid)
{
	char	   *text = mig_relation_text(indexid);

	if (text == NULL || !mig_relation_lock(indexid, text))
		return NULL;
	return RelationIdGetRelation(indexid);
}

static void
close_index(Relation index)
{
	Oid			indexid = RelationGetRelid(index);

	RelationClose(index);
	mig_relation_unlock(indexid);
}

static bool
is_same_index(Relation index, Relation other, AttrMap *map)
{
	bool		same;

	same = CompareIndexInfo(BuildIndexInfo(other), BuildIndexInfo(index),
							other->rd_indcollation, index->rd_indcollation,
							other->rd_opfamily, index->rd_opfamily, map);
	/* the index of a constraint only goes with that of a constraint */
	if (same && OidIsValid(get_index_constraint(RelationGetRelid(index))))
		same = OidIsValid(get_index_constraint(RelationGetRelid(other)));
	return same;
}

static bool
has_index_like(Relation index, Oid relid, AttrMap *map)
{
	bool		found = false;
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(relid))
	{
		Relation	other = open_index(lfirst_oid(lc));

		if (other == NULL)
			continue;
		found |= other->rd_index->indisvalid && is_same_index(index, other, map);
		close_index(other);
	}
	return found;
}

static void
judge_indexes(MigWork *work, const MigName *parent, const MigName *other)
{
	Relation	rel = open_index(parent->relid);
	Relation	part = open_index(other->relid);
	AttrMap    *map;
	ListCell   *lc;

	if (rel == NULL || part == NULL)
		return;
	map = mig_attrmap_by_name(RelationGetDescr(part), RelationGetDescr(rel));
	foreach(lc, mig_relation_indexes(parent->relid))
	{
		Relation	index = open_index(lfirst_oid(lc));

		if (index == NULL)
			continue;
		if (!has_index_like(index, other->relid, map))
		{
			work->effect->builds = true;
			if (mig_effect_scans_tree(work, other, true))
				mig_effect_hazard(work, MIG_HZ_ATTACH_INDEX, other,
								  RelationGetRelationName(index), parent->text);
		}
		close_index(index);
	}
	close_index(part);
	close_index(rel);
}

/* The parent's foreign keys: the partition gets those that it lacks, and they are checked. */
static bool
has_key_like(const MigForeignKey *key, Oid relid)
{
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(relid))
	{
		MigForeignKey *other = lfirst(lc);

		if (other->from == relid && other->to == key->to && other->validated &&
			list_length(other->from_columns) == list_length(key->from_columns))
			return true;
	}
	return false;
}

static void
judge_foreign_keys(MigWork *work, const MigName *parent, const MigName *other)
{
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(parent->relid))
	{
		MigForeignKey *key = lfirst(lc);

		if (key->from != parent->relid)
		{
			/* one that refers to the parent gets triggers on the partition */
			mig_effect_lock_oid(work, key->from, ShareRowExclusiveLock);
			continue;
		}
		if (has_key_like(key, other->relid))
		{
			/* the triggers that are there twice then go */
			mig_effect_lock_oid(work, key->to, AccessExclusiveLock);
			continue;
		}
		mig_effect_lock_oid(work, key->to, ShareRowExclusiveLock);
		if (!mig_effect_scans_tree(work, other, true))
			continue;
		mig_effect_scans(work, key->to);
		mig_effect_hazard(work, MIG_HZ_ATTACH_FOREIGN_KEY, other, key->conname,
						  mig_relation_text(key->to));
	}
}

/* --- ATTACH, DETACH --- */

static int32
typmod_of(Oid relid, AttrNumber attnum)
{
	Oid			typid;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(relid, attnum, &typid, &typmod, &collation);
	return typmod;
}

static void
check_columns(MigWork *work, const MigName *parent, const MigName *other)
{
	Relation	rel = open_index(parent->relid);
	TupleDesc	desc;

	if (rel == NULL)
		return;
	desc = RelationGetDescr(rel);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		AttrNumber	attnum = att->attisdropped ? InvalidAttrNumber :
			get_attnum(other->relid, NameStr(att->attname));

		if (att->attisdropped)
			continue;
		if (!AttributeNumberIsValid(attnum))
			mig_effect_fails(work, ERRCODE_DATATYPE_MISMATCH, -1, "Add the column first.",
							 "child table \"%s\" is missing column \"%s\"",
							 other->relname, NameStr(att->attname));
		else if (get_atttype(other->relid, attnum) != att->atttypid ||
				 typmod_of(other->relid, attnum) != att->atttypmod)
			mig_effect_fails(work, ERRCODE_DATATYPE_MISMATCH, -1, "Give the column the same type first.",
							 "child table \"%s\" has different type for column \"%s\"",
							 other->relname, NameStr(att->attname));
		else if (att->attnotnull && !mig_relation_is_not_null(other->relid, attnum))
			mig_effect_fails(work, ERRCODE_DATATYPE_MISMATCH, -1, "Make the column NOT NULL first.",
							 "column \"%s\" in child table \"%s\" must be marked NOT NULL",
							 NameStr(att->attname), other->relname);
	}
	close_index(rel);
}

static void
attach(MigAltering *alter, AlterTableCmd *cmd)
{
	PartitionCmd *command = castNode(PartitionCmd, cmd->def);
	MigWork    *work = alter->work;
	MigName    *other = mig_effect_name(work, command->name, false);
	MigPartition partition = {alter->name->relid, other->relid};

	mig_effect_lock(work, other, AccessExclusiveLock);
	if (alter->stmt->objtype == OBJECT_INDEX || alter->name->relkind != RELKIND_PARTITIONED_TABLE ||
		!OidIsValid(alter->name->relid))
	{
		/* of indexes: their tables are looked at */
		if (OidIsValid(other->relid))
			mig_effect_lock_oid(work, mig_relation_of_index(other->relid), AccessShareLock);
		return;
	}
	mig_effect_lock_children(work, other, AccessExclusiveLock);
	/* the constraints of the partition may be made by earlier statements */
	if (other->touched)
		partition.default_partition = get_default_partition_oid(alter->name->relid);
	else
		fill(work, &partition, command->bound);
	mark_default(work, alter->name, &partition);
	if (OidIsValid(other->relid))
	{
		mark_attached(work, alter->name, other, &partition);
		if (!other->touched && !alter->name->touched)
		{
			check_columns(work, alter->name, other);
			if (work->effect->failure == NULL)
				judge_indexes(work, alter->name, other);
		}
		judge_foreign_keys(work, alter->name, other);
	}
}

/* Keys that refer to the parent must not refer to rows of the partition: their tables are read. */
static void
detach_referenced(MigAltering *alter, MigName *other)
{
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(other->relid))
	{
		MigForeignKey *key = lfirst(lc);
		int64		rows,
					bytes;

		if (key->to != other->relid || key->from == other->relid)
			continue;
		/* the key on the partition goes, and its triggers with it */
		mig_effect_lock_oid(alter->work, key->from, AccessExclusiveLock);
		mig_relation_size(other->relid, other->text, &rows, &bytes);
		if (bytes != 0)
			mig_effect_scans(alter->work, key->from);
	}
}

static void
detach(MigAltering *alter, AlterTableCmd *cmd)
{
	PartitionCmd *command = castNode(PartitionCmd, cmd->def);
	MigWork    *work = alter->work;
	MigName    *other = mig_effect_name(work, command->name, false);
	Oid			default_partition = InvalidOid;
	ListCell   *lc;

	mig_effect_lock(work, other, AccessExclusiveLock);
	work->effect->breaks |= !alter->name->created;
	if (alter->name->relkind == RELKIND_PARTITIONED_TABLE && OidIsValid(alter->name->relid))
		default_partition = get_default_partition_oid(alter->name->relid);
	mig_effect_hazard(work, MIG_HZ_DETACHED_ROWS, alter->name, NULL, other->text);
	if (command->concurrent)
	{
		if (OidIsValid(default_partition) && !alter->name->touched)
			mig_effect_fails(work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1,
							 "Detach the default partition first, or leave out CONCURRENTLY.",
							 "cannot detach partitions concurrently when a default partition exists");
		return;
	}
	mig_effect_hazard(work, MIG_HZ_DETACH, alter->name, NULL, other->text);
	if (OidIsValid(default_partition))
		mig_effect_lock_oid(work, default_partition, AccessExclusiveLock);
	if (!OidIsValid(other->relid))
		return;
	detach_referenced(alter, other);
	foreach(lc, mig_relation_foreign_keys(other->relid))
		if (((MigForeignKey *) lfirst(lc))->from == other->relid)
			mig_effect_lock_oid(work, ((MigForeignKey *) lfirst(lc))->to, ShareRowExclusiveLock);
}

bool
mig_effect_work_partition(MigAltering *alter, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AttachPartition:
			attach(alter, cmd);
			return true;
		case AT_DetachPartition:
			detach(alter, cmd);
			return true;
		case AT_DetachPartitionFinalize:
			mig_effect_lock(alter->work,
							mig_effect_name(alter->work, castNode(PartitionCmd, cmd->def)->name, false),
							AccessExclusiveLock);
			return true;
		default:
			return false;
	}
}
