/*-------------------------------------------------------------------------
 *
 * refuse_other.c
 *	  Names in statements that have little to do with tables, said while
 *	  planning.
 *
 * Layer 1: waits for no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "refuse_int.h"

static void
seek_name(MigWork *work, ObjectType type, const char *name)
{
	(void) mig_refuse_seek(work, type, (Node *) makeString(pstrdup(name)));
}

/* --- types --- */

static void
refuse_columns(MigWork *work, List *defs)
{
	int32		typmod;
	ListCell   *lc;

	foreach(lc, defs)
		(void) mig_refuse_type(work, lfirst_node(ColumnDef, lc)->typeName, &typmod);
}

static void
refuse_range(MigWork *work, CreateRangeStmt *stmt)
{
	int32		typmod;
	ListCell   *lc;

	foreach(lc, stmt->params)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "subtype") == 0)
			(void) mig_refuse_type(work, defGetTypeName(option), &typmod);
	}
}

static void
refuse_domain(MigWork *work, CreateDomainStmt *stmt)
{
	int32		typmod;

	(void) mig_refuse_type(work, stmt->typeName, &typmod);
	if (stmt->collClause)
		(void) mig_refuse_seek(work, OBJECT_COLLATION, (Node *) stmt->collClause->collname);
}

/* --- what must not be there yet --- */

static void
refuse_new_relation(MigWork *work, const RangeVar *rv)
{
	if (mig_overlay_target(work->overlay, rv->schemaname, rv->relname,
						   rv->relpersistence == RELPERSISTENCE_TEMP)->known)
		mig_refuse_error(work, rv->location, ERRCODE_DUPLICATE_TABLE,
						 "relation \"%s\" already exists", rv->relname);
}

static void
refuse_new_sequence(MigWork *work, CreateSeqStmt *stmt)
{
	ListCell   *lc;

	if (!stmt->if_not_exists)
		refuse_new_relation(work, stmt->sequence);
	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "owned_by") == 0 && list_length((List *) option->arg) > 1)
			(void) mig_refuse_seek(work, OBJECT_COLUMN, option->arg);
	}
}

static void
refuse_new_schema(MigWork *work, CreateSchemaStmt *stmt)
{
	mig_refuse_seek_role(work, stmt->authrole);
	if (stmt->schemaname && !stmt->if_not_exists && mig_overlay_has_schema(work->overlay, stmt->schemaname))
		mig_refuse_error(work, -1, ERRCODE_DUPLICATE_SCHEMA, "schema \"%s\" already exists", stmt->schemaname);
}

static void
refuse_new_role(MigWork *work, CreateRoleStmt *stmt)
{
	if (SearchSysCacheExists1(AUTHNAME, CStringGetDatum(stmt->role)) && !mig_expr_is_named(work, stmt->role))
		mig_refuse_error(work, -1, ERRCODE_DUPLICATE_OBJECT, "role \"%s\" already exists", stmt->role);
}

static void
refuse_new_database(MigWork *work, CreatedbStmt *stmt)
{
	if (OidIsValid(get_database_oid(stmt->dbname, true)) && !mig_expr_is_named(work, stmt->dbname))
		mig_refuse_error(work, -1, ERRCODE_DUPLICATE_DATABASE, "database \"%s\" already exists", stmt->dbname);
}

/* --- settings --- */

/* A name with a dot may be a setting that only somebody's code knows. */
static void
require_setting(MigWork *work, const char *name)
{
	if (name && strchr(name, '.') == NULL && pg_strcasecmp(name, "all") != 0 &&
		GetConfigOption(name, true, false) == NULL && GetConfigOptionFlags(name, true) == 0)
		mig_refuse_error(work, -1, ERRCODE_UNDEFINED_OBJECT,
						 "unrecognized configuration parameter \"%s\"", name);
}

/* --- columns in a list --- */

static void
require_columns(MigWork *work, const RangeVar *rv, List *names)
{
	MigName    *table = rv && names != NIL ? mig_refuse_known(work, rv) : NULL;
	ListCell   *lc;

	if (table)
		foreach(lc, names)
			mig_effect_require_column(work, table, strVal(lfirst(lc)), rv);
}

static void
refuse_vacuum(MigWork *work, VacuumStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->rels)
		require_columns(work, lfirst_node(VacuumRelation, lc)->relation, lfirst_node(VacuumRelation, lc)->va_cols);
}

/* Of a composite type, which is a relation as well. */
static void
refuse_alter_type(MigWork *work, AlterTableStmt *stmt)
{
	if (stmt->objtype == OBJECT_TYPE && !stmt->missing_ok &&
		!mig_overlay_find(work->overlay, stmt->relation->schemaname, stmt->relation->relname)->known)
		mig_refuse_error(work, stmt->relation->location, ERRCODE_UNDEFINED_TABLE,
						 "relation \"%s\" does not exist", stmt->relation->relname);
}

/* --- by kind of statement --- */

static bool
refuse_new(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_CompositeTypeStmt:
			refuse_columns(work, ((CompositeTypeStmt *) node)->coldeflist);
			return true;
		case T_CreateDomainStmt:
			refuse_domain(work, (CreateDomainStmt *) node);
			return true;
		case T_CreateRangeStmt:
			refuse_range(work, (CreateRangeStmt *) node);
			return true;
		case T_CreateSeqStmt:
			refuse_new_sequence(work, (CreateSeqStmt *) node);
			return true;
		case T_CreateSchemaStmt:
			refuse_new_schema(work, (CreateSchemaStmt *) node);
			return true;
		case T_CreateRoleStmt:
			refuse_new_role(work, (CreateRoleStmt *) node);
			return true;
		case T_CreatedbStmt:
			refuse_new_database(work, (CreatedbStmt *) node);
			return true;
		case T_CreateForeignServerStmt:
			seek_name(work, OBJECT_FDW, ((CreateForeignServerStmt *) node)->fdwname);
			return true;
		case T_CreateUserMappingStmt:
			seek_name(work, OBJECT_FOREIGN_SERVER, ((CreateUserMappingStmt *) node)->servername);
			return true;
		default:
			return false;
	}
}

static void
refuse_changed(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_AlterTableStmt:
			refuse_alter_type(work, (AlterTableStmt *) node);
			break;
		case T_AlterExtensionStmt:
			seek_name(work, OBJECT_EXTENSION, ((AlterExtensionStmt *) node)->extname);
			break;
		case T_AlterForeignServerStmt:
			seek_name(work, OBJECT_FOREIGN_SERVER, ((AlterForeignServerStmt *) node)->servername);
			break;
		case T_AlterPublicationStmt:
			seek_name(work, OBJECT_PUBLICATION, ((AlterPublicationStmt *) node)->pubname);
			break;
		case T_AlterEventTrigStmt:
			seek_name(work, OBJECT_EVENT_TRIGGER, ((AlterEventTrigStmt *) node)->trigname);
			break;
		case T_AlterCollationStmt:
			(void) mig_refuse_seek(work, OBJECT_COLLATION, (Node *) ((AlterCollationStmt *) node)->collname);
			break;
		case T_AlterStatsStmt:
			if (!((AlterStatsStmt *) node)->missing_ok)
				(void) mig_refuse_seek(work, OBJECT_STATISTIC_EXT, (Node *) ((AlterStatsStmt *) node)->defnames);
			break;
		case T_ReassignOwnedStmt:
			mig_refuse_seek_roles(work, ((ReassignOwnedStmt *) node)->roles);
			mig_refuse_seek_role(work, ((ReassignOwnedStmt *) node)->newrole);
			break;
		case T_DropOwnedStmt:
			mig_refuse_seek_roles(work, ((DropOwnedStmt *) node)->roles);
			break;
		case T_CopyStmt:
			require_columns(work, ((CopyStmt *) node)->relation, ((CopyStmt *) node)->attlist);
			break;
		case T_VacuumStmt:
			refuse_vacuum(work, (VacuumStmt *) node);
			break;
		case T_VariableShowStmt:
			require_setting(work, ((VariableShowStmt *) node)->name);
			break;
		case T_VariableSetStmt:
			if (((VariableSetStmt *) node)->kind == VAR_RESET)
				require_setting(work, ((VariableSetStmt *) node)->name);
			break;
		default:
			break;
	}
}

void
mig_refuse_others(MigWork *work, Node *node)
{
	if (!refuse_new(work, node))
		refuse_changed(work, node);
}
