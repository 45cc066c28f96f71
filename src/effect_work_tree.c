/*-------------------------------------------------------------------------
 *
 * effect_work_tree.c
 *	  What a subcommand of an ALTER TABLE locks beside the table itself: its
 *	  partitions and children, and the sequences that it owns.
 *
 * Each subcommand has a rule of its own for where it goes on to (ATPrepCmd and
 * the ATExec functions in tablecmds.c), and takes the lock of the statement
 * there.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "effect_int.h"
#include "relation.h"

/* How far below the table a subcommand goes. */
typedef enum Reach
{
	REACH_NONE,
	REACH_CHILDREN,				/* direct ones, even with ONLY: they are told that they inherit no more */
	REACH_TREE
} Reach;

static bool
is_partitioned(const MigAltering *alter)
{
	return alter->name->relkind == RELKIND_PARTITIONED_TABLE;
}

static bool
has_column(const MigAltering *alter, const char *colname)
{
	return AttributeNumberIsValid(get_attnum(alter->name->relid, colname));
}

/* --- constraints --- */

static Reach
reach_of_new_constraint(const MigAltering *alter, const Constraint *con)
{
	if (MIG_ADD_CONSTRAINT_LOCKS_TREE)
		return con->indexname ? REACH_NONE : REACH_TREE;
	switch (con->contype)
	{
		case CONSTR_CHECK:
		case CONSTR_NOTNULL:
			return con->is_no_inherit ? REACH_NONE : REACH_TREE;
		case CONSTR_PRIMARY:
		case CONSTR_UNIQUE:
		case CONSTR_EXCLUSION:
			/* the indexes of partitions take a lock of their own: mig_effect_lock_for_index */
			return REACH_NONE;
		default:
			return is_partitioned(alter) ? REACH_TREE : REACH_NONE;
	}
}

static Reach
reach_of_dropped_constraint(const MigAltering *alter, const AlterTableCmd *cmd)
{
	MigConstraint con;

	/* partitions are locked to see that nobody uses them (ATCheckPartitionsNotInUse) */
	if (is_partitioned(alter))
		return REACH_TREE;
	if (!mig_relation_constraint(alter->name->relid, cmd->name, &con))
		return alter->name->touched ? REACH_TREE : REACH_NONE;
	if (con.no_inherit)
		return REACH_NONE;
	return alter->inh ? REACH_TREE : REACH_CHILDREN;
}

static Reach
reach_of_validation(const MigAltering *alter, const AlterTableCmd *cmd)
{
	MigConstraint con;

	if (!mig_relation_constraint(alter->name->relid, cmd->name, &con))
		return REACH_TREE;
	return con.validated || con.no_inherit ? REACH_NONE : REACH_TREE;
}

/* It is enforced already, or not. */
static bool
alters_nothing(const MigAltering *alter, const AlterTableCmd *cmd)
{
	MigConstraint con;

	return mig_alters_enforceability(cmd) &&
		mig_relation_constraint(alter->name->relid, mig_altered_constraint(cmd), &con) &&
		mig_enforces(cmd) == con.enforced;
}

/* --- NOT NULL --- */

static bool
is_marked_not_null(const MigAltering *alter, const char *colname)
{
	HeapTuple	tuple = SearchSysCacheAttName(alter->name->relid, colname);
	bool		marked;

	if (!HeapTupleIsValid(tuple))
		return false;
	marked = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
	ReleaseSysCache(tuple);
	return marked;
}

static bool
is_not_null(const MigAltering *alter, const char *colname)
{
	AttrNumber	attnum = get_attnum(alter->name->relid, colname);

	return AttributeNumberIsValid(attnum) && mig_relation_is_not_null(alter->name->relid, attnum);
}

/* Partitions have what the partitioned table has; children need not. */
static Reach
reach_of_not_null(const MigAltering *alter, const char *colname)
{
	return (is_partitioned(alter) || MIG_HAS_NOT_NULL_NOT_VALID) && is_not_null(alter, colname) ?
		REACH_NONE : REACH_TREE;
}

/* From 18 on it is a constraint, which goes as others do. */
static Reach
reach_of_nullable(const MigAltering *alter, const char *colname)
{
	if (!MIG_HAS_NOT_NULL_NOT_VALID || alter->name->touched)
		return REACH_TREE;
	return !is_marked_not_null(alter, colname) ? REACH_NONE : alter->inh ? REACH_TREE : REACH_CHILDREN;
}

/* --- identity --- */

static bool
is_identity(const MigAltering *alter, const char *colname)
{
	HeapTuple	tuple = SearchSysCacheAttName(alter->name->relid, colname);
	bool		identity;

	if (!HeapTupleIsValid(tuple))
		return false;
	identity = ((Form_pg_attribute) GETSTRUCT(tuple))->attidentity != '\0';
	ReleaseSysCache(tuple);
	return identity;
}

static Reach
reach_of_identity(const MigAltering *alter, const AlterTableCmd *cmd)
{
	if (!MIG_PARTITIONED_IDENTITY || !is_partitioned(alter))
		return REACH_NONE;
	return cmd->subtype == AT_AddIdentity || is_identity(alter, cmd->name) ? REACH_TREE : REACH_NONE;
}

/* --- triggers --- */

static bool
concerns(const AlterTableCmd *cmd, Form_pg_trigger trigger)
{
	switch (cmd->subtype)
	{
		case AT_EnableTrigAll:
		case AT_DisableTrigAll:
			return true;
		case AT_EnableTrigUser:
		case AT_DisableTrigUser:
			return !trigger->tgisinternal;
		default:
			return strcmp(NameStr(trigger->tgname), cmd->name) == 0;
	}
}

/* Partitions have the row triggers of the partitioned table (EnableDisableTrigger in trigger.c). */
static Reach
reach_of_trigger(const MigAltering *alter, const AlterTableCmd *cmd)
{
	Relation	catalog;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	Reach		reach = REACH_NONE;

	if (!is_partitioned(alter))
		return REACH_NONE;
	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(alter->name->relid));
	scan = systable_beginscan(catalog, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		if (TRIGGER_FOR_ROW(trigger->tgtype) && concerns(cmd, trigger))
			reach = REACH_TREE;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return reach;
}

/* --- the tree --- */

static Reach
reach_of(const MigAltering *alter, const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			return has_column(alter, castNode(ColumnDef, cmd->def)->colname) ? REACH_NONE : REACH_TREE;
		case AT_DropColumn:
			return !has_column(alter, cmd->name) && !alter->name->touched ? REACH_NONE :
				alter->inh ? REACH_TREE : REACH_CHILDREN;
		case AT_ColumnDefault:
		case AT_DropExpression:
		case AT_SetStatistics:
		case AT_SetStorage:
		case AT_AlterColumnType:
			return REACH_TREE;
		case AT_DropNotNull:
			return reach_of_nullable(alter, cmd->name);
		case AT_AlterConstraint:
			return alters_nothing(alter, cmd) ? REACH_NONE : REACH_TREE;
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			return reach_of_identity(alter, cmd);
		case AT_SetNotNull:
			return reach_of_not_null(alter, cmd->name);
		case AT_AddConstraint:
			return reach_of_new_constraint(alter, castNode(Constraint, cmd->def));
		case AT_DropConstraint:
			return reach_of_dropped_constraint(alter, cmd);
		case AT_ValidateConstraint:
			return reach_of_validation(alter, cmd);
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_EnableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrig:
		case AT_DisableTrigAll:
		case AT_DisableTrigUser:
			return reach_of_trigger(alter, cmd);
		default:
			return mig_is_set_expression(cmd) ? REACH_TREE : REACH_NONE;
	}
}

static void
lock_tree(MigAltering *alter, AlterTableCmd *cmd)
{
	Reach		reach = reach_of(alter, cmd);
	ListCell   *lc;

	if (reach == REACH_CHILDREN)
		foreach(lc, find_inheritance_children(alter->name->relid, NoLock))
			mig_effect_lock_oid(alter->work, lfirst_oid(lc), alter->mode);
	/* with ONLY, a partitioned table is told of its partitions all the same */
	else if (reach == REACH_TREE && (alter->inh || cmd->subtype == AT_DropConstraint))
		mig_effect_lock_children(alter->work, alter->name, alter->mode);
}

void
mig_effect_lock_for_index(MigAltering *alter, const Constraint *con)
{
	ListCell   *lc;

	/* its columns become NOT NULL, there and below */
	if (con->contype == CONSTR_PRIMARY && alter->inh)
		foreach(lc, con->keys)
			if (reach_of_not_null(alter, strVal(lfirst(lc))) == REACH_TREE)
				mig_effect_lock_children(alter->work, alter->name, alter->mode);
	/* DefineIndex in indexcmds.c; a deferrable one makes triggers as well */
	if (is_partitioned(alter) && alter->inh)
		mig_effect_lock_children(alter->work, alter->name,
								 con->deferrable ? ShareRowExclusiveLock : ShareLock);
}

/* --- sequences --- */

static void
lock_sequences(MigAltering *alter, const char *colname, LOCKMODE mode)
{
	ListCell   *lc;

	foreach(lc, getOwnedSequences(alter->name->relid))
	{
		Oid			sequence = lfirst_oid(lc);
		Oid			table;
		int32		column;

		if (colname == NULL ||
			((sequenceIsOwned(sequence, DEPENDENCY_AUTO, &table, &column) ||
			  sequenceIsOwned(sequence, DEPENDENCY_INTERNAL, &table, &column)) &&
			 column == get_attnum(alter->name->relid, colname)))
			mig_effect_lock_oid(alter->work, sequence, mode);
	}
}

static void
lock_owned(MigAltering *alter, const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_DropColumn:
		case AT_DropIdentity:
			lock_sequences(alter, cmd->name, AccessExclusiveLock);
			break;
		case AT_ChangeOwner:
			if (get_rolespec_oid(cmd->newowner, true) != mig_relation_owner(alter->name->relid))
				lock_sequences(alter, NULL, AccessExclusiveLock);
			break;
		case AT_SetLogged:
		case AT_SetUnLogged:
			if (get_rel_persistence(alter->name->relid) != (cmd->subtype == AT_SetLogged ?
															RELPERSISTENCE_PERMANENT : RELPERSISTENCE_UNLOGGED))
				lock_sequences(alter, NULL, AccessExclusiveLock);
			break;
		case AT_AlterColumnType:
		case AT_SetIdentity:
			/* an identity's sequence follows it; that of a serial does not */
			if (is_identity(alter, cmd->name))
				lock_sequences(alter, cmd->name, ShareRowExclusiveLock);
			break;
		default:
			break;
	}
}

void
mig_effect_lock_around(MigAltering *alter)
{
	ListCell   *lc;

	if (!OidIsValid(alter->name->relid))
		return;
	foreach(lc, alter->stmt->cmds)
	{
		lock_tree(alter, lfirst_node(AlterTableCmd, lc));
		lock_owned(alter, lfirst_node(AlterTableCmd, lc));
	}
}

void
mig_effect_lock_owned_sequences(MigWork *work, Oid relid)
{
	ListCell   *lc;

	foreach(lc, getOwnedSequences(relid))
		mig_effect_lock_oid(work, lfirst_oid(lc), AccessExclusiveLock);
}
