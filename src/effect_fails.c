/*-------------------------------------------------------------------------
 *
 * effect_fails.c
 *	  What the server would refuse of an ALTER TABLE: the kind of the relation,
 *	  its columns, where it comes from, and what the subcommand names.
 *
 * Only what is certain, of a relation that is in the catalog as it was before
 * the migration; names of other objects are looked for only where no earlier
 * statement can have made them.  The order is that of the subcommands, not of
 * the server's passes: one reason is enough.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/heap.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "optimizer/optimizer.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "effect_int.h"
#include "relation.h"

#define KIND_TABLE			0x01
#define KIND_PARTITIONED	0x02
#define KIND_VIEW			0x04
#define KIND_MATVIEW		0x08
#define KIND_INDEX			0x10
#define KIND_PART_INDEX		0x20
#define KIND_FOREIGN		0x40
#define KIND_COMPOSITE		0x80
#define KIND_SEQUENCE		0x100
#define KIND_TABLES			(KIND_TABLE | KIND_PARTITIONED)
#define KIND_ANY			0xfff

static void
fails(const MigAltering *alter, int sqlerrcode, const char *message)
{
	mig_effect_fails(alter->work, sqlerrcode, -1, NULL, "%s", message);
}

/* Nothing that an earlier statement may have made is missed. */
static bool
is_first(const MigAltering *alter)
{
	return mig_overlay_mark(alter->work->overlay) == 0 && !mig_overlay_opaque(alter->work->overlay);
}

/* --- kinds of relations (ATSimplePermissions in tablecmds.c) --- */

static int
kind_of(char relkind)
{
	switch (relkind)
	{
		case RELKIND_RELATION:
			return KIND_TABLE;
		case RELKIND_PARTITIONED_TABLE:
			return KIND_PARTITIONED;
		case RELKIND_VIEW:
			return KIND_VIEW;
		case RELKIND_MATVIEW:
			return KIND_MATVIEW;
		case RELKIND_INDEX:
			return KIND_INDEX;
		case RELKIND_PARTITIONED_INDEX:
			return KIND_PART_INDEX;
		case RELKIND_FOREIGN_TABLE:
			return KIND_FOREIGN;
		case RELKIND_COMPOSITE_TYPE:
			return KIND_COMPOSITE;
		case RELKIND_SEQUENCE:
			return KIND_SEQUENCE;
		default:
			return 0;
	}
}

static int
kinds_for(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
		case AT_DropColumn:
		case AT_AlterColumnType:
			return KIND_TABLES | KIND_COMPOSITE | KIND_FOREIGN;
		case AT_ColumnDefault:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			return KIND_TABLES | KIND_VIEW | KIND_FOREIGN;
		case AT_DropNotNull:
		case AT_SetNotNull:
		case AT_DropExpression:
		case AT_AddConstraint:
		case AT_DropConstraint:
		case AT_ValidateConstraint:
		case AT_AddInherit:
		case AT_DropInherit:
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_EnableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrig:
		case AT_DisableTrigAll:
		case AT_DisableTrigUser:
			return KIND_TABLES | KIND_FOREIGN;
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetStorage:
			return KIND_TABLES | KIND_MATVIEW | KIND_FOREIGN;
		case AT_SetStatistics:
			return KIND_TABLES | KIND_MATVIEW | KIND_INDEX | KIND_PART_INDEX | KIND_FOREIGN;
		case AT_SetCompression:
		case AT_SetAccessMethod:
		case AT_ReplicaIdentity:
			return KIND_TABLES | KIND_MATVIEW;
		case AT_ClusterOn:
		case AT_DropCluster:
			return KIND_TABLE | KIND_MATVIEW;
		case AT_SetLogged:
		case AT_SetUnLogged:
			return (MIG_PARTITIONED_LOGGED ? KIND_TABLES : KIND_TABLE) | KIND_SEQUENCE;
		case AT_SetTableSpace:
			return KIND_TABLES | KIND_MATVIEW | KIND_INDEX | KIND_PART_INDEX;
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
			return KIND_TABLES | KIND_VIEW | KIND_MATVIEW | KIND_INDEX;
		case AT_AddOf:
		case AT_DropOf:
		case AT_EnableRule:
		case AT_EnableAlwaysRule:
		case AT_EnableReplicaRule:
		case AT_DisableRule:
		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
		case AT_ForceRowSecurity:
		case AT_NoForceRowSecurity:
		case AT_AlterConstraint:
			return KIND_TABLES;
		case AT_AttachPartition:
			return KIND_PARTITIONED | KIND_PART_INDEX;
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
			return KIND_PARTITIONED;
		case AT_GenericOptions:
			return KIND_FOREIGN;
		default:
			return KIND_ANY;
	}
}

/* --- columns --- */

static bool
find_column(const MigAltering *alter, const char *colname, FormData_pg_attribute *att)
{
	HeapTuple	tuple = SearchSysCacheAttName(alter->name->relid, colname);

	if (!HeapTupleIsValid(tuple))
		return false;
	*att = *(Form_pg_attribute) GETSTRUCT(tuple);
	ReleaseSysCache(tuple);
	return true;
}

/* An earlier subcommand adds a column of that name. */
static bool
is_added_twice(const MigAltering *alter, const AlterTableCmd *cmd)
{
	ListCell   *lc;

	if (cmd->missing_ok)
		return false;
	foreach(lc, alter->stmt->cmds)
	{
		AlterTableCmd *other = lfirst_node(AlterTableCmd, lc);

		if (other == cmd)
			break;
		if (other->subtype == AT_AddColumn &&
			strcmp(castNode(ColumnDef, other->def)->colname, castNode(ColumnDef, cmd->def)->colname) == 0)
			return true;
	}
	return false;
}

static void
judge_column_shape(const MigAltering *alter, const AlterTableCmd *cmd)
{
	FormData_pg_attribute att;

	if (mig_relation_is_typed(alter->name->relid))
		fails(alter, ERRCODE_WRONG_OBJECT_TYPE,
			  cmd->subtype == AT_AddColumn ? "cannot add column to typed table" :
			  cmd->subtype == AT_DropColumn ? "cannot drop column from typed table" :
			  "cannot alter column type of typed table");
	if (cmd->subtype == AT_AddColumn)
	{
		if (is_added_twice(alter, cmd))
			mig_effect_fails(alter->work, ERRCODE_DUPLICATE_COLUMN, ((ColumnDef *) cmd->def)->location, NULL,
							 "column \"%s\" of relation \"%s\" already exists",
							 ((ColumnDef *) cmd->def)->colname, alter->name->relname);
		if (get_rel_relispartition(alter->name->relid))
			fails(alter, ERRCODE_WRONG_OBJECT_TYPE, "cannot add column to a partition");
		return;
	}
	if (SystemAttributeByName(cmd->name) != NULL)
		fails(alter, ERRCODE_FEATURE_NOT_SUPPORTED,
			  cmd->subtype == AT_DropColumn ? "cannot drop a system column" : "cannot alter a system column");
	if (!find_column(alter, cmd->name, &att))
		return;
	if (cmd->subtype == AT_AlterColumnType && att.attinhcount > 0)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1,
						 "Alter it in the table that it is inherited from.",
						 "cannot alter inherited column \"%s\"", cmd->name);
	if (!alter->inh && cmd->subtype == AT_AlterColumnType &&
		find_inheritance_children(alter->name->relid, NoLock) != NIL)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, "Leave out ONLY.",
						 "type of inherited column \"%s\" must be changed in child tables too", cmd->name);
	if (!alter->inh && cmd->subtype == AT_DropColumn && alter->name->relkind == RELKIND_PARTITIONED_TABLE &&
		find_inheritance_children(alter->name->relid, NoLock) != NIL)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, "Leave out ONLY.",
						 "cannot drop column from only the partitioned table when partitions exist");
}

/* What a new column is computed from: columns of the table, the same for the same row. */
static void
judge_expression(const MigAltering *alter, const ColumnDef *def)
{
	int32		typmod;
	Oid			typid = mig_expr_type(def->typeName, &typmod);
	ListCell   *lc;

	/* the columns of other subcommands are not there to be looked at */
	if (!OidIsValid(typid) || list_length(alter->stmt->cmds) > 1 ||
		AttributeNumberIsValid(get_attnum(alter->name->relid, def->colname)))
		return;
	foreach(lc, def->constraints)
	{
		Constraint *con = lfirst_node(Constraint, lc);
		Node	   *expr;

		if (con->contype != CONSTR_GENERATED)
			continue;
		expr = mig_expr_transform(alter->work, alter->name, con->raw_expr, EXPR_KIND_GENERATED_COLUMN,
								  typid, typmod);
		if (expr && contain_mutable_functions(expr))
			mig_effect_fails(alter->work, ERRCODE_INVALID_OBJECT_DEFINITION, con->location, NULL,
							 "generation expression is not immutable");
	}
}

/* A type that nobody has made. */
static void
judge_type(const MigAltering *alter, const ColumnDef *def)
{
	int32		typmod;

	if (def->typeName == NULL || mig_is_serial(def->typeName) || !is_first(alter) ||
		OidIsValid(mig_expr_type(def->typeName, &typmod)))
		return;
	mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, def->typeName->location, NULL,
					 "type \"%s\" does not exist", TypeNameToString(def->typeName));
}

static bool
is_primary_key(const MigAltering *alter, const char *colname)
{
	ListCell   *lc;
	MigConstraint con;

	/* the same statement gives the key up first, as the way back of ADD PRIMARY KEY does */
	foreach(lc, alter->dropped)
		if (mig_relation_constraint(alter->name->relid, lfirst(lc), &con) && con.contype == CONSTRAINT_PRIMARY)
			return false;
	foreach(lc, mig_relation_primary_key(alter->name->relid))
		if (strcmp(strVal(lfirst(lc)), colname) == 0)
			return true;
	return false;
}

/* One of the table that it is a partition or a child of is NOT NULL. */
static bool
parent_is_not_null(const MigAltering *alter, const char *colname)
{
	Oid			parent = mig_relation_parent(alter->name->relid);
	AttrNumber	attnum = OidIsValid(parent) ? get_attnum(parent, colname) : InvalidAttrNumber;

	return AttributeNumberIsValid(attnum) && mig_relation_is_not_null(parent, attnum);
}

static void
judge_nullable(const MigAltering *alter, const AlterTableCmd *cmd, const FormData_pg_attribute *att)
{
	char	   *conname;
	bool		inherited;

	/* 18 asks the constraint alone: nothing to do is no error there */
	if (!att->attnotnull && MIG_HAS_NOT_NULL_NOT_VALID)
		return;
	if (att->attidentity)
		mig_effect_fails(alter->work, ERRCODE_SYNTAX_ERROR, -1, NULL,
						 "column \"%s\" of relation \"%s\" is an identity column", cmd->name, alter->name->relname);
	if (is_primary_key(alter, cmd->name))
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, NULL,
						 "column \"%s\" is in a primary key", cmd->name);
	if (mig_not_null_find(alter->name->relid, att->attnum, &conname, &inherited) && inherited)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, NULL,
						 "cannot drop inherited constraint \"%s\" of relation \"%s\"", conname, alter->name->relname);
	if (att->attnotnull && parent_is_not_null(alter, cmd->name))
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, NULL,
						 "column \"%s\" is marked NOT NULL in parent table", cmd->name);
	if (!alter->inh && alter->name->relkind == RELKIND_PARTITIONED_TABLE && !MIG_HAS_NOT_NULL_NOT_VALID &&
		find_inheritance_children(alter->name->relid, NoLock) != NIL)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, "Leave out ONLY.",
						 "cannot remove constraint from only the partitioned table when partitions exist");
}

static bool
changes_type(const MigAltering *alter, const char *colname)
{
	ListCell   *lc;

	foreach(lc, alter->stmt->cmds)
		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_AlterColumnType &&
			strcmp(lfirst_node(AlterTableCmd, lc)->name, colname) == 0)
			return true;
	return false;
}

static void
judge_value(const MigAltering *alter, const AlterTableCmd *cmd, const FormData_pg_attribute *att)
{
	if (cmd->def && !changes_type(alter, cmd->name))
		(void) mig_expr_transform(alter->work, NULL, cmd->def, EXPR_KIND_COLUMN_DEFAULT,
								  att->atttypid, att->atttypmod);
	if (att->attidentity)
		mig_effect_fails(alter->work, ERRCODE_SYNTAX_ERROR, -1, "Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead.",
						 "column \"%s\" of relation \"%s\" is an identity column", cmd->name, alter->name->relname);
	if (att->attgenerated)
		mig_effect_fails(alter->work, ERRCODE_SYNTAX_ERROR, -1, NULL,
						 "column \"%s\" of relation \"%s\" is a generated column", cmd->name, alter->name->relname);
}

static void
judge_generated(const MigAltering *alter, const AlterTableCmd *cmd, const FormData_pg_attribute *att)
{
	if (att->attgenerated != ATTRIBUTE_GENERATED_STORED && !cmd->missing_ok)
		mig_effect_fails(alter->work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1, NULL,
						 "column \"%s\" of relation \"%s\" is not a stored generated column",
						 cmd->name, alter->name->relname);
	if (att->attinhcount > 0)
		mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, NULL,
						 "cannot drop generation expression from inherited column");
}

static bool
some_partition_may_be_null(const MigAltering *alter, const char *colname)
{
	ListCell   *lc;

	foreach(lc, find_inheritance_children(alter->name->relid, NoLock))
		if (!mig_relation_is_not_null(lfirst_oid(lc), get_attnum(lfirst_oid(lc), colname)))
			return true;
	return false;
}

static bool
has_identity_for_partitions(const MigAltering *alter)
{
	return MIG_PARTITIONED_IDENTITY && get_rel_relispartition(alter->name->relid);
}

static void
judge_column(const MigAltering *alter, const AlterTableCmd *cmd)
{
	FormData_pg_attribute att;

	if (cmd->name == NULL || !find_column(alter, cmd->name, &att))
		return;
	switch (cmd->subtype)
	{
		case AT_DropNotNull:
			judge_nullable(alter, cmd, &att);
			break;
		case AT_ColumnDefault:
			judge_value(alter, cmd, &att);
			break;
		case AT_SetNotNull:
			if (!alter->inh && alter->name->relkind == RELKIND_PARTITIONED_TABLE && some_partition_may_be_null(alter, cmd->name))
				mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, "Leave out ONLY.",
								 "constraint must be added to child tables too");
			break;
		case AT_DropExpression:
			judge_generated(alter, cmd, &att);
			break;
		case AT_AddIdentity:
			if (att.attidentity)
				mig_effect_fails(alter->work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1, NULL,
								 "column \"%s\" of relation \"%s\" is already an identity column",
								 cmd->name, alter->name->relname);
			if (has_identity_for_partitions(alter))
				fails(alter, ERRCODE_INVALID_TABLE_DEFINITION, "cannot add identity to a column of a partition");
			break;
		case AT_SetIdentity:
		case AT_DropIdentity:
			if (has_identity_for_partitions(alter))
				fails(alter, ERRCODE_INVALID_TABLE_DEFINITION, "cannot change identity of a column of a partition");
			if (!att.attidentity && !cmd->missing_ok)
				mig_effect_fails(alter->work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1, NULL,
								 "column \"%s\" of relation \"%s\" is not an identity column",
								 cmd->name, alter->name->relname);
			break;
		case AT_SetStorage:
			if (!TypeIsToastable(att.atttypid) && pg_strcasecmp(strVal(cmd->def), "plain") != 0)
				mig_effect_fails(alter->work, ERRCODE_FEATURE_NOT_SUPPORTED, -1, NULL,
								 "column data type %s can only have storage PLAIN", format_type_be(att.atttypid));
			break;
		default:
			break;
	}
}

/* --- what it names --- */

static void
judge_names(const MigAltering *alter, const AlterTableCmd *cmd)
{
	if (!is_first(alter))
		return;
	if (cmd->subtype == AT_SetTableSpace && !OidIsValid(get_tablespace_oid(cmd->name, true)))
		mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
						 "tablespace \"%s\" does not exist", cmd->name);
	else if (cmd->subtype == AT_SetAccessMethod && cmd->name && !OidIsValid(get_table_am_oid(cmd->name, true)))
		mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
						 "access method \"%s\" does not exist", cmd->name);
	else if (cmd->subtype == AT_ChangeOwner && cmd->newowner->roletype == ROLESPEC_CSTRING &&
			 !OidIsValid(get_role_oid(cmd->newowner->rolename, true)))
		mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
						 "role \"%s\" does not exist", cmd->newowner->rolename);
}

/* --- the table as such --- */

/* Options of a TOAST table are nothing to a table that has none. */
static bool
is_for_toast(const AlterTableCmd *cmd)
{
	ListCell   *lc;

	foreach(lc, castNode(List, cmd->def))
		if (lfirst_node(DefElem, lc)->defnamespace == NULL)
			return false;
	return true;
}

/* Keys between tables that outlive a crash and tables that do not (ATPrepChangePersistence). */
static void
judge_logged(const MigAltering *alter, bool logged)
{
	Oid			relid = alter->name->relid;
	ListCell   *lc;

	if (get_rel_persistence(relid) == (logged ? RELPERSISTENCE_PERMANENT : RELPERSISTENCE_UNLOGGED))
		return;
	foreach(lc, mig_relation_foreign_keys(relid))
	{
		MigForeignKey *key = lfirst(lc);
		Oid			other = key->from == relid ? key->to : key->from;

		if (other != relid && (key->from == relid) == logged &&
			(get_rel_persistence(other) == RELPERSISTENCE_PERMANENT) != logged)
			mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, NULL,
							 "could not change table \"%s\" to %s because of foreign key \"%s\"",
							 alter->name->relname, logged ? "logged" : "unlogged", key->conname);
	}
}

static void
judge_table(const MigAltering *alter, const AlterTableCmd *cmd)
{
	bool		partitioned = alter->name->relkind == RELKIND_PARTITIONED_TABLE;

	switch (cmd->subtype)
	{
		case AT_DropOf:
			if (!mig_relation_is_typed(alter->name->relid))
				mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
								 "\"%s\" is not a typed table", alter->name->relname);
			break;
		case AT_SetRelOptions:
			if (partitioned && !is_for_toast(cmd))
				mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1,
								 "Specify storage parameters for its partitions instead.",
								 "cannot specify storage parameters for a partitioned table");
			break;
		case AT_SetLogged:
			judge_logged(alter, true);
			break;
		case AT_SetUnLogged:
			judge_logged(alter, false);
			if (mig_relation_is_in_publication(alter->name->relid))
				mig_effect_fails(alter->work, ERRCODE_INVALID_TABLE_DEFINITION, -1, NULL,
								 "cannot change table \"%s\" to unlogged because it is part of a publication",
								 alter->name->relname);
			break;
		default:
			break;
	}
}

static void
judge_cmd(const MigAltering *alter, const AlterTableCmd *cmd)
{
	if ((kinds_for(cmd) & kind_of(alter->name->relkind)) == 0)
	{
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
						 "this form of ALTER cannot be performed on relation \"%s\"", alter->name->relname);
		return;
	}
	switch (cmd->subtype)
	{
		case AT_AddColumn:
		case AT_AlterColumnType:
			judge_column_shape(alter, cmd);
			/* IF NOT EXISTS looks at nothing but the name */
			if (castNode(ColumnDef, cmd->def)->typeName &&
				!(cmd->subtype == AT_AddColumn &&
				  AttributeNumberIsValid(get_attnum(alter->name->relid, ((ColumnDef *) cmd->def)->colname))))
				judge_type(alter, (ColumnDef *) cmd->def);
			if (cmd->subtype == AT_AddColumn)
				judge_expression(alter, (ColumnDef *) cmd->def);
			else if (alter->name->relkind == RELKIND_FOREIGN_TABLE && ((ColumnDef *) cmd->def)->raw_default)
				mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, "Leave out USING.",
								 "\"%s\" is not a table", alter->name->relname);
			break;
		case AT_DropColumn:
			judge_column_shape(alter, cmd);
			break;
		default:
			judge_column(alter, cmd);
			judge_names(alter, cmd);
			judge_table(alter, cmd);
			break;
	}
}

void
mig_effect_fails_alter(const MigAltering *alter)
{
	ListCell   *lc;

	if (!OidIsValid(alter->name->relid) || alter->name->touched || alter->name->created ||
		mig_overlay_opaque(alter->work->overlay))
		return;
	/* what an earlier statement did to a parent, it did to its children too */
	if (!is_first(alter) && has_superclass(alter->name->relid))
		return;
	foreach(lc, alter->stmt->cmds)
	{
		judge_cmd(alter, lfirst_node(AlterTableCmd, lc));
		mig_effect_fails_attached(alter, lfirst_node(AlterTableCmd, lc));
	}
}
