/*-------------------------------------------------------------------------
 *
 * effect_fails_con.c
 *	  What the server would refuse of an ALTER TABLE, continued: constraints,
 *	  indexes, triggers and rules that the subcommand names, parents and
 *	  partitions.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/partition.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "rewrite/rewriteSupport.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "dependents.h"
#include "effect_int.h"
#include "relation.h"

static bool
is_partitioned(const MigAltering *alter)
{
	return alter->name->relkind == RELKIND_PARTITIONED_TABLE;
}

static bool
has_children(const MigAltering *alter)
{
	return find_inheritance_children(alter->name->relid, NoLock) != NIL;
}

/* --- constraints --- */

/* Rows that outlive a crash cannot refer to rows that do not. */
static void
judge_persistence(const MigAltering *alter, const Constraint *con)
{
	MigName    *other = mig_effect_name(alter->work, con->pktable, true);
	char		own = get_rel_persistence(alter->name->relid);
	char		refers_to = OidIsValid(other->relid) ? get_rel_persistence(other->relid) : own;

	if (other->touched)
		return;
	if (own == RELPERSISTENCE_PERMANENT && refers_to != RELPERSISTENCE_PERMANENT)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, con->location, NULL,
						 "constraints on permanent tables may reference only permanent tables");
	else if (own == RELPERSISTENCE_UNLOGGED && refers_to == RELPERSISTENCE_TEMP)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, con->location, NULL,
						 "constraints on unlogged tables may reference only permanent or unlogged tables");
}

static bool
changes_types(const MigAltering *alter)
{
	ListCell   *lc;

	foreach(lc, alter->stmt->cmds)
		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_AlterColumnType)
			return true;
	return false;
}

static void
judge_key_types(const MigAltering *alter, const Constraint *con)
{
	MigName    *other = mig_effect_name(alter->work, con->pktable, true);
	List	   *pk_attrs;
	ListCell   *lf,
			   *lt;

	if (!OidIsValid(other->relid) || other->touched || con->fk_attrs == NIL)
		return;
	pk_attrs = con->pk_attrs != NIL ? con->pk_attrs : mig_relation_primary_key(other->relid);
	forboth(lf, con->fk_attrs, lt, pk_attrs)
	{
		Oid			fk_type = get_atttype(alter->name->relid, get_attnum(alter->name->relid, strVal(lfirst(lf))));
		Oid			pk_type = get_atttype(other->relid, get_attnum(other->relid, strVal(lfirst(lt))));

		if (OidIsValid(fk_type) && OidIsValid(pk_type) && !mig_effect_can_compare(fk_type, pk_type) &&
			!changes_types(alter))
			mig_effect_fails(alter->work, ERRCODE_DATATYPE_MISMATCH, con->location,
							 "Give both columns one type first.",
							 "foreign key constraint cannot be implemented: \"%s\" is %s, \"%s\" is %s",
							 strVal(lfirst(lf)), format_type_be(fk_type), strVal(lfirst(lt)), format_type_be(pk_type));
	}
}

static void
judge_exclusion(const MigAltering *alter, const Constraint *con)
{
	Oid			am = get_index_am_oid(con->access_method ? con->access_method : "gist", true);
	ListCell   *lc;

	if (is_partitioned(alter) && !MIG_PARTITIONED_EXCLUSION)
		mig_effect_fails(alter->work, ERRCODE_FEATURE_NOT_SUPPORTED, con->location, NULL,
						 "exclusion constraints are not supported on partitioned tables");
	foreach(lc, con->exclusions)
	{
		IndexElem  *elem = linitial_node(IndexElem, lfirst(lc));
		Oid			type = elem->name ? get_atttype(alter->name->relid,
													get_attnum(alter->name->relid, elem->name)) : InvalidOid;

		if (OidIsValid(am) && OidIsValid(type) && elem->opclass == NIL &&
			!OidIsValid(GetDefaultOpClass(type, am)) && mig_overlay_mark(alter->work->overlay) == 0)
			mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, con->location,
							 "Name an operator class, or create the extension that has one.",
							 "data type %s has no default operator class for access method \"%s\"",
							 format_type_be(type), con->access_method);
	}
}

/* A unique index of a partitioned table has to have the columns that rows go by, at each level. */
static bool
lacks_partition_key(const MigAltering *alter, const Constraint *con)
{
	ListCell   *lc,
			   *lk;

	foreach(lc, alter->tree)
	{
		char	   *attname;

		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_PARTITIONED_TABLE)
			continue;
		for (AttrNumber attnum = 1; (attname = get_attname(lfirst_oid(lc), attnum, true)) != NULL; attnum++)
		{
			bool		found = !mig_dependents_partition_key(lfirst_oid(lc), attnum);

			foreach(lk, con->keys)
				found |= strcmp(strVal(lfirst(lk)), attname) == 0;
			if (!found)
				return true;
		}
	}
	return false;
}

static bool
has_other_not_null(const MigAltering *alter, const Constraint *con)
{
	char	   *conname;
	bool		inherited;

	return con->conname &&
		mig_not_null_find(alter->name->relid,
								get_attnum(alter->name->relid, strVal(linitial(con->keys))), &conname, &inherited) &&
		strcmp(con->conname, conname) != 0;
}

/* inline: it comes with a column. */
static void
judge_new_constraint(const MigAltering *alter, const Constraint *con, bool is_inline)
{
	bool		foreign_table = alter->name->relkind == RELKIND_FOREIGN_TABLE;

	switch (con->contype)
	{
		case CONSTR_CHECK:
			if (con->is_no_inherit && is_partitioned(alter))
				mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, con->location, NULL,
								 "cannot add NO INHERIT constraint to partitioned table \"%s\"", alter->name->relname);
			else if (!con->is_no_inherit && !alter->inh && !is_inline && has_children(alter))
				mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, con->location, "Leave out ONLY.",
								 "constraint must be added to child tables too");
			break;
		case CONSTR_PRIMARY:
		case CONSTR_UNIQUE:
		case CONSTR_EXCLUSION:
			if (foreign_table)
				mig_effect_fails(alter->work, ERRCODE_FEATURE_NOT_SUPPORTED, con->location, NULL,
								 "%s constraints are not supported on foreign tables",
								 con->contype == CONSTR_PRIMARY ? "primary key" :
								 con->contype == CONSTR_UNIQUE ? "unique" : "exclusion");
			else if (is_inline && is_partitioned(alter))
				mig_effect_fails(alter->work, ERRCODE_FEATURE_NOT_SUPPORTED, con->location, NULL,
								 "unique constraint on partitioned table must include all partitioning columns");
			else if (is_inline && con->contype == CONSTR_PRIMARY &&
					 mig_relation_primary_key(alter->name->relid) != NIL)
				mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, con->location, NULL,
								 "multiple primary keys for table \"%s\" are not allowed", alter->name->relname);
			else if (con->keys != NIL && con->indexname == NULL && lacks_partition_key(alter, con))
				mig_effect_fails(alter->work, ERRCODE_FEATURE_NOT_SUPPORTED, con->location, NULL,
								 "unique constraint on partitioned table must include all partitioning columns");
			if (con->contype == CONSTR_EXCLUSION)
				judge_exclusion(alter, con);
			break;
		case CONSTR_FOREIGN:
			if (foreign_table)
				mig_effect_fails(alter->work, ERRCODE_FEATURE_NOT_SUPPORTED, con->location, NULL,
								 "foreign key constraints are not supported on foreign tables");
			else if (!alter->inh && is_partitioned(alter))
				mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, con->location, "Leave out ONLY.",
								 "cannot use ONLY for foreign key on partitioned table \"%s\"", alter->name->relname);
			judge_persistence(alter, con);
			judge_key_types(alter, con);
			break;
		case CONSTR_IDENTITY:
			if (is_inline && has_children(alter) && alter->inh && !(is_partitioned(alter) && MIG_PARTITIONED_IDENTITY))
				mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, con->location, NULL,
								 "cannot recursively add identity column to table that has child tables");
			break;
		case CONSTR_NOTNULL:
			if (!is_inline && has_other_not_null(alter, con))
				mig_effect_fails(alter->work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, con->location, NULL,
								 "cannot create not-null constraint \"%s\": column \"%s\" has one of another name",
								 con->conname, strVal(linitial(con->keys)));
			if (!is_inline && con->is_no_inherit && is_partitioned(alter))
				mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, con->location, NULL,
								 "not-null constraints on partitioned tables cannot be NO INHERIT");
			break;
		default:
			break;
	}
}

static void
judge_constraint(const MigAltering *alter, const AlterTableCmd *cmd)
{
	MigConstraint con;

	if (!mig_relation_constraint(alter->name->relid, cmd->name, &con))
		return;
	if (cmd->subtype == AT_DropConstraint && con.inherited)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1,
						 "Drop it in the table that it is inherited from.",
						 "cannot drop inherited constraint \"%s\" of relation \"%s\"", cmd->name, alter->name->relname);
	if (cmd->subtype == AT_ValidateConstraint && con.contype != CONSTRAINT_FOREIGN &&
		con.contype != CONSTRAINT_CHECK && con.contype != MIG_CONSTRAINT_NOTNULL)
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
						 "constraint \"%s\" of relation \"%s\" cannot be validated", cmd->name, alter->name->relname);
}

/* --- indexes --- */

/* What the server asks of an index to tell rows by (ATExecReplicaIdentity). */
static const char *
unfit_identity(Oid relid, Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Form_pg_index index;
	const char *why = NULL;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	index = (Form_pg_index) GETSTRUCT(tuple);
	if (!index->indisunique)
		why = "is not unique";
	else if (!index->indimmediate)
		why = "is not immediate";
	else if (!heap_attisnull(tuple, Anum_pg_index_indexprs, NULL))
		why = "has expressions";
	else if (!heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
		why = "is partial";
	for (int i = 0; why == NULL && i < index->indnkeyatts; i++)
	{
		HeapTuple	att = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(index->indkey.values[i]));

		if (HeapTupleIsValid(att))
		{
			if (!((Form_pg_attribute) GETSTRUCT(att))->attnotnull)
				why = "has a column that may be null";
			ReleaseSysCache(att);
		}
	}
	ReleaseSysCache(tuple);
	return why;
}

static void
judge_index(const MigAltering *alter, const char *name, bool identity)
{
	MigName    *index = mig_overlay_find(alter->work->overlay, alter->name->nspname, name);
	const char *why;

	if (index->touched || index->created)
		return;
	if (!OidIsValid(index->relid) || mig_relation_of_index(index->relid) != alter->name->relid)
		mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
						 "index \"%s\" for table \"%s\" does not exist", name, alter->name->relname);
	else if (identity && (why = unfit_identity(alter->name->relid, index->relid)) != NULL)
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
						 "cannot use index \"%s\" as replica identity: it %s", name, why);
}

static void
judge_using_index(const MigAltering *alter, const Constraint *con)
{
	MigName    *index = mig_overlay_find(alter->work->overlay, alter->name->nspname, con->indexname);

	if (!index->known && !mig_overlay_opaque(alter->work->overlay))
		mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, con->location, NULL,
						 "index \"%s\" does not exist", con->indexname);
}

/* --- parents --- */

static bool
is_child_of(Oid relid, Oid parent)
{
	return list_member_oid(find_inheritance_children(parent, NoLock), relid);
}

/* A parent's columns and constraints that the child has to have already. */
static void
judge_likeness(const MigAltering *alter, const MigName *parent)
{
	char	   *attname;

	for (AttrNumber attnum = 1; (attname = get_attname(parent->relid, attnum, true)) != NULL; attnum++)
	{
		AttrNumber	own;

		/* a column that was dropped still has a number */
		if (!AttributeNumberIsValid(get_attnum(parent->relid, attname)))
			continue;
		own = get_attnum(alter->name->relid, attname);
		if (!AttributeNumberIsValid(own))
			mig_effect_fails(alter->work, ERRCODE_DATATYPE_MISMATCH, -1, "Add the column first.",
							 "child table is missing column \"%s\"", attname);
		else if (get_atttype(alter->name->relid, own) != get_atttype(parent->relid, attnum))
			mig_effect_fails(alter->work, ERRCODE_DATATYPE_MISMATCH, -1, "Give the column the same type first.",
							 "child table \"%s\" has different type for column \"%s\"", alter->name->relname, attname);
		else if (mig_relation_is_not_null(parent->relid, attnum) && !mig_relation_is_not_null(alter->name->relid, own))
			mig_effect_fails(alter->work, ERRCODE_DATATYPE_MISMATCH, -1, "Make the column NOT NULL first.",
							 "column \"%s\" in child table must be marked NOT NULL", attname);
	}
	if (mig_relation_lacks_check(alter->name->relid, parent->relid))
		mig_effect_fails(alter->work, ERRCODE_DATATYPE_MISMATCH, -1, "Add the constraint first.",
						 "child table is missing a constraint of \"%s\"", parent->relname);
}

static void
judge_inherit(const MigAltering *alter, const AlterTableCmd *cmd)
{
	MigName    *parent = mig_effect_name(alter->work, castNode(RangeVar, cmd->def), true);
	const char *why = NULL;

	if (!OidIsValid(parent->relid) || parent->touched)
		return;
	if (get_rel_relispartition(alter->name->relid))
		why = "cannot change inheritance of a partition";
	else if (is_partitioned(alter))
		why = "cannot change inheritance of partitioned table";
	else if (mig_relation_is_typed(alter->name->relid))
		why = "cannot change inheritance of typed table";
	else if (cmd->subtype == AT_DropInherit)
		why = is_child_of(alter->name->relid, parent->relid) ? NULL : "it is not a parent of that table";
	else if (parent->relkind == RELKIND_PARTITIONED_TABLE)
		why = "cannot inherit from partitioned table";
	else if (get_rel_relispartition(parent->relid))
		why = "cannot inherit from a partition";
	else if (parent->relkind != RELKIND_RELATION && parent->relkind != RELKIND_FOREIGN_TABLE)
		why = "it inherits from what is no table";
	else if (parent->relid == alter->name->relid ||
			 list_member_oid(mig_relation_children(alter->name->relid), parent->relid))
		why = "circular inheritance not allowed";
	else if (is_child_of(alter->name->relid, parent->relid))
		why = "the relation would be inherited from more than once";
	if (why)
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL, "%s", why);
	else if (cmd->subtype == AT_AddInherit && list_length(alter->stmt->cmds) == 1)
		judge_likeness(alter, parent);
}

/* --- partitions --- */

static void
judge_partition(const MigAltering *alter, const AlterTableCmd *cmd)
{
	PartitionCmd *command = castNode(PartitionCmd, cmd->def);
	MigName    *other = mig_effect_name(alter->work, command->name, true);
	bool		attaches = cmd->subtype == AT_AttachPartition;

	if (alter->stmt->objtype == OBJECT_INDEX || !OidIsValid(other->relid) || other->touched)
		return;
	if (!attaches)
	{
		if (mig_relation_parent(other->relid) != alter->name->relid)
			mig_effect_fails(alter->work, ERRCODE_UNDEFINED_TABLE, -1, NULL,
							 "relation \"%s\" is not a partition of relation \"%s\"",
							 other->relname, alter->name->relname);
		else if (cmd->subtype == AT_DetachPartitionFinalize &&
				 !mig_relation_detach_pending(other->relid))
			mig_effect_fails(alter->work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1, NULL,
							 "cannot complete detaching partition \"%s\": there is no pending concurrent detach", other->relname);
		return;
	}
	if (get_rel_relispartition(other->relid))
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
						 "\"%s\" is already a partition", other->relname);
	else if (mig_relation_is_typed(other->relid))
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
						 "cannot attach a typed table as partition");
	else if (other->relid == alter->name->relid ||
			 list_member_oid(mig_relation_children(other->relid), alter->name->relid))
		mig_effect_fails(alter->work, ERRCODE_DUPLICATE_TABLE, -1, NULL, "circular inheritance not allowed");
	else if (other->relkind == RELKIND_RELATION && find_inheritance_children(other->relid, NoLock) != NIL)
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
						 "cannot attach inheritance parent as partition");
	else if (mig_relation_has_parent(other->relid))
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
						 "cannot attach inheritance child as partition");
	else if (mig_relation_lacks_check(other->relid, alter->name->relid))
		mig_effect_fails(alter->work, ERRCODE_DATATYPE_MISMATCH, -1, "Add the constraint first.",
						 "child table is missing a constraint of \"%s\"", alter->name->relname);
	else if (command->bound->is_default && OidIsValid(get_default_partition_oid(alter->name->relid)))
		mig_effect_fails(alter->work, ERRCODE_INVALID_OBJECT_DEFINITION, -1, NULL,
						 "partition \"%s\" conflicts with existing default partition", other->relname);
	else if (get_rel_persistence(other->relid) == RELPERSISTENCE_TEMP &&
			 get_rel_persistence(alter->name->relid) != RELPERSISTENCE_TEMP)
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
						 "cannot attach a temporary relation as partition of permanent relation \"%s\"",
						 alter->name->relname);
}

/* --- all of them --- */

void
mig_effect_fails_attached(const MigAltering *alter, const AlterTableCmd *cmd)
{
	ListCell   *lc;

	switch (cmd->subtype)
	{
		case AT_AddColumn:
			if (!AttributeNumberIsValid(get_attnum(alter->name->relid, ((ColumnDef *) cmd->def)->colname)))
				foreach(lc, castNode(ColumnDef, cmd->def)->constraints)
					judge_new_constraint(alter, lfirst_node(Constraint, lc), true);
			break;
		case AT_AddConstraint:
			judge_new_constraint(alter, castNode(Constraint, cmd->def), false);
			if (castNode(Constraint, cmd->def)->indexname)
				judge_using_index(alter, (Constraint *) cmd->def);
			break;
		case AT_DropConstraint:
		case AT_ValidateConstraint:
			judge_constraint(alter, cmd);
			break;
		case AT_ClusterOn:
			judge_index(alter, cmd->name, false);
			break;
		case AT_ReplicaIdentity:
			if (((ReplicaIdentityStmt *) cmd->def)->name)
				judge_index(alter, ((ReplicaIdentityStmt *) cmd->def)->name, true);
			break;
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
			if (!OidIsValid(get_trigger_oid(alter->name->relid, cmd->name, true)))
				mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
								 "trigger \"%s\" for table \"%s\" does not exist", cmd->name, alter->name->relname);
			break;
		case AT_EnableRule:
		case AT_EnableAlwaysRule:
		case AT_EnableReplicaRule:
		case AT_DisableRule:
			if (!OidIsValid(get_rewrite_oid(alter->name->relid, cmd->name, true)))
				mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
								 "rule \"%s\" for relation \"%s\" does not exist", cmd->name, alter->name->relname);
			break;
		case AT_AddInherit:
		case AT_DropInherit:
			judge_inherit(alter, cmd);
			break;
		case AT_AttachPartition:
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
			judge_partition(alter, cmd);
			break;
		default:
			break;
	}
}
