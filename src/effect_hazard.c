/*-------------------------------------------------------------------------
 *
 * effect_hazard.c
 *	  What may go wrong with statements other than ALTER TABLE.
 *
 * A second look at a statement, when its family has found what it locks and
 * changes: what breaks clients, what is lost, what the server refuses.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "parser/parse_type.h"
#include "utils/lsyscache.h"

#include "dependents.h"
#include "effect_int.h"
#include "relation.h"
#include "sqlgen.h"

/* --- names that change --- */

static void
rename_relation(MigWork *work, RenameStmt *stmt, const MigName *name)
{
	bool		is_index = name->relkind == RELKIND_INDEX || name->relkind == RELKIND_PARTITIONED_INDEX;

	if (is_index && stmt->renameType != OBJECT_INDEX)
		mig_effect_hazard(work, MIG_HZ_INDEX_LOCK, name, name->relname, NULL)->instead =
			psprintf("ALTER INDEX %s RENAME TO %s", name->text, mig_sql_name(stmt->newname));
	else if (!is_index)
		mig_effect_hazard(work, MIG_HZ_RENAME_TABLE, name, NULL, stmt->newname);
}

static void
hazard_rename(MigWork *work, RenameStmt *stmt)
{
	MigName    *name = stmt->relation ? mig_effect_name(work, stmt->relation, true) : NULL;

	if (name && !name->known)
		return;
	switch (stmt->renameType)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_INDEX:
		case OBJECT_FOREIGN_TABLE:
			rename_relation(work, stmt, name);
			break;
		case OBJECT_COLUMN:
			if (!mig_overlay_made(work->overlay, psprintf("column %s.%s", name->text,
														  mig_sql_name(stmt->subname))))
				mig_effect_hazard(work, MIG_HZ_RENAME_COLUMN, name, stmt->subname, stmt->newname);
			break;
		case OBJECT_TABCONSTRAINT:
			mig_effect_hazard(work, MIG_HZ_CONSTRAINT_RENAMED, name, stmt->subname, stmt->newname);
			break;
		case OBJECT_SCHEMA:
			if (!mig_overlay_made(work->overlay, psprintf("schema %s", stmt->subname)))
				mig_effect_hazard(work, MIG_HZ_RENAME_SCHEMA, NULL, stmt->subname, stmt->newname);
			break;
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			if (work->effect->breaks)
				mig_effect_hazard(work, MIG_HZ_RENAME_TYPE, NULL,
								  mig_effect_object_name(work, castNode(List, stmt->object)), stmt->newname);
			break;
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
		case OBJECT_AGGREGATE:
			if (work->effect->breaks)
				mig_effect_hazard(work, MIG_HZ_RENAME_OTHER, NULL,
								  mig_effect_object_name(work, castNode(ObjectWithArgs, stmt->object)->objname),
								  stmt->newname);
			break;
		case OBJECT_ATTRIBUTE:
			work->effect->breaks = true;
			mig_effect_hazard(work, MIG_HZ_TYPE_ATTRIBUTE, NULL, stmt->relation->relname, NULL);
			break;
		default:
			break;
	}
}

static void
hazard_set_schema(MigWork *work, AlterObjectSchemaStmt *stmt)
{
	MigName    *name = stmt->relation ? mig_effect_name(work, stmt->relation, true) : NULL;

	if (name && name->known)
		mig_effect_hazard(work, MIG_HZ_SET_SCHEMA, name, NULL, stmt->newschema);
	else if (stmt->relation == NULL && work->effect->contract)
		mig_effect_hazard(work, MIG_HZ_RENAME_OTHER, NULL, "the object", stmt->newschema);
}

/* --- sequences --- */

static void
hazard_sequence(MigWork *work, AlterSeqStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->sequence, true);
	bool		waits = false;
	bool		restarts = false;
	ListCell   *lc;

	foreach(lc, stmt->options)
	{
		const char *option = lfirst_node(DefElem, lc)->defname;

		waits |= strcmp(option, "owned_by") != 0;
		restarts |= strcmp(option, "restart") == 0;
	}
	if (restarts)
		mig_effect_hazard(work, MIG_HZ_SEQUENCE_RESTART, name, NULL, NULL);
	if (waits)
		mig_effect_hazard(work, MIG_HZ_ALTER_SEQUENCE, name, NULL, NULL);
}

/* --- types --- */

static void
hazard_enum(MigWork *work, AlterEnumStmt *stmt)
{
	char	   *name = mig_effect_object_name(work, stmt->typeName);

	if (mig_overlay_made(work->overlay, psprintf("type %s", name)))
		return;
	if (stmt->oldVal)
		mig_effect_hazard(work, MIG_HZ_ENUM_RENAME, NULL,
						  psprintf("%s of %s", mig_sql_literal(stmt->oldVal), name), stmt->newVal);
	else
		mig_effect_hazard(work, MIG_HZ_ENUM_VALUE, NULL,
						  psprintf("%s of %s", mig_sql_literal(stmt->newVal), name), NULL);
}

/* ALTER TYPE of a composite type; tables OF it change along, with CASCADE. */
static void
hazard_composite(MigWork *work, AlterTableStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, true);
	Oid			typid = OidIsValid(name->relid) ? get_rel_type_id(name->relid) : InvalidOid;
	List	   *typed = OidIsValid(typid) ? mig_dependents_typed_tables(typid) : NIL;
	AlterTableCmd *first = linitial_node(AlterTableCmd, stmt->cmds);
	char	   *column = OidIsValid(typid) ? mig_dependents_row_type(name->relid) : NULL;
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AlterColumnType && column && !name->touched)
			mig_effect_fails(work, ERRCODE_FEATURE_NOT_SUPPORTED, -1,
							 "Make a new type, and a new column of it.",
							 "cannot alter type \"%s\" because column %s uses it", name->relname, column);
		else if (cmd->subtype != AT_AddColumn && !name->created)
			work->effect->breaks = true;
	}
	if (!name->created)
		mig_effect_hazard(work, MIG_HZ_TYPE_ATTRIBUTE, NULL, name->text, NULL);
	foreach(lc, typed)
	{
		ListCell   *lk;

		mig_effect_lock_oid(work, lfirst_oid(lc), AccessExclusiveLock);
		foreach(lk, stmt->cmds)
			if (lfirst_node(AlterTableCmd, lk)->subtype == AT_AlterColumnType)
				mig_effect_alter_type(work, mig_effect_name_of_oid(work, lfirst_oid(lc)), lfirst(lk), true);
	}
	if (typed != NIL && first->behavior != DROP_CASCADE && !name->touched)
		mig_effect_fails(work, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, -1,
						 "Use ALTER ... CASCADE to alter the typed tables too.",
						 "cannot alter type \"%s\" because it is the type of a typed table", name->relname);
}

/* --- whole tables --- */

static bool
is_listed(const TruncateStmt *stmt, MigWork *work, Oid relid)
{
	ListCell   *lc;

	foreach(lc, stmt->relations)
	{
		MigName    *name = mig_effect_name(work, lfirst_node(RangeVar, lc), true);

		if (name->relid == relid || list_member_oid(mig_relation_children(name->relid), relid))
			return true;
	}
	return false;
}

static void
hazard_truncate(MigWork *work, TruncateStmt *stmt)
{
	ListCell   *lc,
			   *lk;

	foreach(lc, stmt->relations)
	{
		MigName    *name = mig_effect_name(work, lfirst_node(RangeVar, lc), true);
		int64		rows,
					bytes;

		if (!OidIsValid(name->relid) || name->created)
			continue;
		mig_relation_size(name->relid, name->text, &rows, &bytes);
		work->effect->breaks |= bytes != 0;
		mig_effect_hazard(work, MIG_HZ_TRUNCATE, name, NULL, NULL);
		foreach(lk, mig_relation_foreign_keys(name->relid))
		{
			MigForeignKey *key = lfirst(lk);

			if (key->to != name->relid || is_listed(stmt, work, key->from))
				continue;
			if (stmt->behavior == DROP_CASCADE)
				mig_effect_hazard_oid(work, MIG_HZ_TRUNCATE, key->from, NULL, NULL);
			else if (!name->touched && mig_overlay_mark(work->overlay) == 0)
				mig_effect_fails(work, ERRCODE_FEATURE_NOT_SUPPORTED, -1,
								 "Truncate the referencing table at the same time, or use CASCADE.",
								 "cannot truncate %s: foreign key \"%s\" of %s refers to it",
								 name->text, key->conname, mig_relation_text(key->from));
		}
	}
}

static void
hazard_lock(MigWork *work, LockStmt *stmt)
{
	ListCell   *lc;

	if (stmt->mode < ShareLock)
		return;
	foreach(lc, stmt->relations)
		mig_effect_hazard(work, MIG_HZ_LOCK_TABLE,
						  mig_effect_name(work, lfirst_node(RangeVar, lc), true), NULL, NULL);
}

static void
hazard_owned(MigWork *work, List *roles, bool drops)
{
	ListCell   *lc;

	foreach(lc, roles)
	{
		RoleSpec   *role = lfirst_node(RoleSpec, lc);
		const char *name = role->roletype == ROLESPEC_CSTRING ? role->rolename : "the current role";

		if (drops)
			mig_effect_hazard(work, MIG_HZ_DROP_OWNED, NULL, name, NULL);
	}
	if (drops)
		return;
	foreach(lc, work->effect->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (OidIsValid(lock->relid))
			mig_effect_hazard_oid(work, MIG_HZ_OWNER, lock->relid, NULL, NULL);
	}
}

static void
hazard_grant(MigWork *work, GrantStmt *stmt)
{
	ListCell   *lc;

	if (stmt->is_grant || !work->effect->breaks)
		return;
	if (stmt->targtype != ACL_TARGET_OBJECT || (stmt->objtype != OBJECT_TABLE && stmt->objtype != OBJECT_SEQUENCE))
	{
		mig_effect_hazard(work, MIG_HZ_REVOKE, NULL, NULL, NULL);
		return;
	}
	foreach(lc, stmt->objects)
		mig_effect_hazard(work, MIG_HZ_REVOKE, mig_effect_name(work, lfirst_node(RangeVar, lc), true),
						  NULL, NULL);
}

void
mig_effect_look_closer(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_RenameStmt:
			hazard_rename(work, (RenameStmt *) node);
			break;
		case T_AlterObjectSchemaStmt:
			hazard_set_schema(work, (AlterObjectSchemaStmt *) node);
			break;
		case T_AlterSeqStmt:
			hazard_sequence(work, (AlterSeqStmt *) node);
			break;
		case T_AlterEnumStmt:
			hazard_enum(work, (AlterEnumStmt *) node);
			break;
		case T_AlterTableStmt:
			if (((AlterTableStmt *) node)->objtype == OBJECT_TYPE)
				hazard_composite(work, (AlterTableStmt *) node);
			break;
		case T_TruncateStmt:
			hazard_truncate(work, (TruncateStmt *) node);
			break;
		case T_LockStmt:
			hazard_lock(work, (LockStmt *) node);
			break;
		case T_DropOwnedStmt:
			hazard_owned(work, ((DropOwnedStmt *) node)->roles, true);
			break;
		case T_ReassignOwnedStmt:
			hazard_owned(work, ((ReassignOwnedStmt *) node)->roles, false);
			break;
		case T_GrantStmt:
			hazard_grant(work, (GrantStmt *) node);
			break;
		case T_DropStmt:
			mig_effect_hazard_drop(work, (DropStmt *) node);
			break;
		case T_IndexStmt:
			mig_effect_hazard_create_index(work, (IndexStmt *) node);
			break;
		default:
			mig_effect_hazard_guards(work, node);
			mig_effect_hazard_data(work, node);
			break;
	}
	if (work->effect->opaque)
		mig_effect_hazard(work, MIG_HZ_OPAQUE, NULL, NULL, NULL);
}
