/*-------------------------------------------------------------------------
 *
 * effect_work_tab.c
 *	  What the subcommands of an ALTER TABLE do that concern a table as such:
 *	  where and how it is stored, who owns it, what guards it.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_policy.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "effect_int.h"
#include "relation.h"

static MigHazard *
hazard(MigAltering *alter, MigHazardKind kind, const char *subject, const char *detail)
{
	return mig_effect_hazard(alter->work, kind, alter->name, subject, detail);
}

/* What pg_class says of the table now. */
typedef struct Class
{
	char		relkind;
	char		persistence;
	Oid			am;
	Oid			tablespace;
	bool		row_security;
	bool		force_row_security;
} Class;

static bool
find_class(Oid relid, Class *class)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class form;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_class) GETSTRUCT(tuple);
	class->relkind = form->relkind;
	class->persistence = form->relpersistence;
	class->am = form->relam;
	class->tablespace = form->reltablespace;
	class->row_security = form->relrowsecurity;
	class->force_row_security = form->relforcerowsecurity;
	ReleaseSysCache(tuple);
	return true;
}

/* --- how it is stored --- */

static void
set_logged(MigAltering *alter, bool logged)
{
	Class		class;

	if (!OidIsValid(alter->name->relid))
	{
		mig_effect_rewrites_tree(alter->work, alter->name, false);
		return;
	}
	if (!find_class(alter->name->relid, &class) || class.relkind != RELKIND_RELATION ||
		class.persistence == (logged ? RELPERSISTENCE_PERMANENT : RELPERSISTENCE_UNLOGGED))
		return;
	mig_effect_rewrites(alter->work, alter->name->relid);
	hazard(alter, logged ? MIG_HZ_SET_LOGGED : MIG_HZ_SET_UNLOGGED, NULL, NULL);
}

static void
set_access_method(MigAltering *alter, AlterTableCmd *cmd)
{
	Oid			am = get_table_am_oid(cmd->name ? cmd->name : default_table_access_method, true);
	Class		class;

	if (!OidIsValid(alter->name->relid) || !find_class(alter->name->relid, &class) || class.am == am)
		return;
	if (class.relkind == RELKIND_PARTITIONED_TABLE)
	{
		if (!MIG_PARTITIONED_ACCESS_METHOD)
			mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL,
							 "cannot change access method of a partitioned table");
		return;
	}
	mig_effect_rewrites(alter->work, alter->name->relid);
	hazard(alter, MIG_HZ_SET_ACCESS_METHOD, cmd->name, NULL);
}

/* A copy block by block: the rows are not looked at (CheckRelationTableSpaceMove in tablecmds.c). */
static void
set_tablespace(MigAltering *alter, AlterTableCmd *cmd)
{
	Oid			tablespace = get_tablespace_oid(cmd->name, true);
	MigWork    *work = alter->work;
	Class		class;

	if (!OidIsValid(alter->name->relid) || !find_class(alter->name->relid, &class) ||
		class.tablespace == tablespace ||
		(tablespace == MyDatabaseTableSpace && !OidIsValid(class.tablespace)) ||
		class.relkind == RELKIND_PARTITIONED_TABLE || class.relkind == RELKIND_PARTITIONED_INDEX)
		return;
	if (class.relkind == RELKIND_INDEX)
	{
		hazard(alter, MIG_HZ_INDEX_TABLESPACE, cmd->name, NULL);
		return;
	}
	if (work->effect->rewrites || work->effect->bytes == 0)
		return;
	hazard(alter, MIG_HZ_SET_TABLESPACE, cmd->name, NULL);
	mig_effect_copies(work, alter->name->relid);
}

static void
set_options(MigAltering *alter, AlterTableCmd *cmd)
{
	ListCell   *lc;

	if (cmd->subtype == AT_ReplaceRelOptions || cmd->def == NULL)
		return;
	foreach(lc, castNode(List, cmd->def))
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, "user_catalog_table") == 0 && cmd->subtype == AT_SetRelOptions &&
			defGetBoolean(def))
		{
			alter->work->effect->breaks = true;
			hazard(alter, MIG_HZ_CATALOG_TABLE, NULL, NULL);
		}
		else if (strcmp(def->defname, "autovacuum_enabled") == 0 &&
				 cmd->subtype == AT_SetRelOptions && !defGetBoolean(def))
			hazard(alter, MIG_HZ_AUTOVACUUM_OFF, NULL, NULL);
	}
}

/* --- who may see it --- */

static bool
has_policy(Oid relid)
{
	Relation	catalog = table_open(PolicyRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	bool		found;

	ScanKeyInit(&key, Anum_pg_policy_polrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, PolicyPolrelidPolnameIndexId, true, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

static void
row_security(MigAltering *alter, AlterTableCmd *cmd)
{
	Class		class;

	if (!OidIsValid(alter->name->relid) || !find_class(alter->name->relid, &class))
		return;
	if (cmd->subtype == AT_EnableRowSecurity)
	{
		if (class.row_security)
			return;
		if (!has_policy(alter->name->relid) && !alter->name->touched)
		{
			alter->work->effect->breaks = true;
			hazard(alter, MIG_HZ_ENABLE_RLS, NULL, NULL);
		}
		else
			hazard(alter, MIG_HZ_ROW_VISIBILITY, "ENABLE ROW LEVEL SECURITY", NULL);
		return;
	}
	if (!class.row_security ||
		(cmd->subtype == AT_ForceRowSecurity && class.force_row_security) ||
		(cmd->subtype == AT_NoForceRowSecurity && !class.force_row_security))
		return;
	alter->work->effect->breaks = true;
	hazard(alter, MIG_HZ_ROW_VISIBILITY,
		   cmd->subtype == AT_DisableRowSecurity ? "DISABLE ROW LEVEL SECURITY" :
		   cmd->subtype == AT_ForceRowSecurity ? "FORCE ROW LEVEL SECURITY" :
		   "NO FORCE ROW LEVEL SECURITY", NULL);
}

/* UPDATE and DELETE of a published table need something to tell rows by. */
static void
replica_identity(MigAltering *alter, AlterTableCmd *cmd)
{
	ReplicaIdentityStmt *stmt = (ReplicaIdentityStmt *) cmd->def;
	Oid			relid = alter->name->relid;

	if (!OidIsValid(relid))
		return;
	if (stmt->identity_type == REPLICA_IDENTITY_NOTHING ||
		(stmt->identity_type == REPLICA_IDENTITY_DEFAULT && !mig_relation_has_primary_key(relid)))
	{
		if (!mig_relation_is_published(relid))
			return;
		alter->work->effect->breaks = true;
		hazard(alter, MIG_HZ_REPLICA_IDENTITY, NULL, NULL);
	}
	else if (stmt->name)
	{
		MigName    *index = mig_overlay_find(alter->work->overlay, alter->name->nspname, stmt->name);

		if (OidIsValid(index->relid))
			mig_effect_lock(alter->work, index, ShareLock);
	}
}

/* --- what it is part of --- */

static void
inherit(MigAltering *alter, AlterTableCmd *cmd)
{
	bool		add = cmd->subtype == AT_AddInherit;
	MigName    *parent = mig_effect_name(alter->work, castNode(RangeVar, cmd->def), false);

	mig_effect_lock(alter->work, parent, add ? ShareUpdateExclusiveLock : AccessShareLock);
	if (parent->created)
		return;
	alter->work->effect->breaks = true;
	mig_effect_hazard(alter->work, MIG_HZ_INHERIT, parent, add ? "INHERIT" : "NO INHERIT",
					  alter->name->text);
}

/* --- triggers and rules --- */

static void
triggers(MigAltering *alter, AlterTableCmd *cmd)
{
	if (cmd->subtype == AT_DisableTrigAll || cmd->subtype == AT_DisableTrigUser ||
		cmd->subtype == AT_DisableTrig)
		hazard(alter, MIG_HZ_DISABLE_TRIGGER,
			   cmd->subtype == AT_DisableTrigAll ? "ALL" :
			   cmd->subtype == AT_DisableTrigUser ? "USER" : cmd->name, NULL);
}

bool
mig_effect_work_table(MigAltering *alter, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_SetLogged:
		case AT_SetUnLogged:
			set_logged(alter, cmd->subtype == AT_SetLogged);
			return true;
		case AT_SetAccessMethod:
			set_access_method(alter, cmd);
			return true;
		case AT_SetTableSpace:
			set_tablespace(alter, cmd);
			return true;
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
		case AT_ReplaceRelOptions:
			set_options(alter, cmd);
			return true;
		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
		case AT_ForceRowSecurity:
		case AT_NoForceRowSecurity:
			row_security(alter, cmd);
			return true;
		case AT_ReplicaIdentity:
			replica_identity(alter, cmd);
			return true;
		case AT_AddInherit:
		case AT_DropInherit:
			inherit(alter, cmd);
			return true;
		case AT_ChangeOwner:
			hazard(alter, MIG_HZ_OWNER, NULL, NULL);
			return true;
		case AT_DisableTrig:
		case AT_DisableTrigAll:
		case AT_DisableTrigUser:
			triggers(alter, cmd);
			return true;
		default:
			return false;
	}
}
