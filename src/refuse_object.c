/*-------------------------------------------------------------------------
 *
 * refuse_object.c
 *	  Objects that are not there, said while planning: functions, types,
 *	  roles, triggers, constraints, extensions, ...
 *
 * The server's own look-up is asked, which knows of arguments and of what is
 * ambiguous.  Its answer counts if no earlier statement makes an object of
 * that name: see mig_expr_try().
 *
 * Layer 1: waits for no lock (lock_timeout is 1 ms meanwhile).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/reloptions.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/proclang.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "refuse_int.h"
#include "relation.h"

/* --- the server's look-up --- */

typedef struct Sought
{
	ObjectType	type;
	Node	   *object;
	ObjectAddress found;
} Sought;

static void *
run_seek(MigWork *work, void *arg)
{
	Sought	   *sought = arg;
	Relation	rel = NULL;

	(void) set_config_option("lock_timeout", "1ms", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	sought->found = get_object_address(sought->type, copyObject(sought->object), &rel, AccessShareLock, false);
	if (rel)
		relation_close(rel, NoLock);
	return sought;
}

/* The bare name of what is looked for. */
static const char *
word_of(const Node *object)
{
	switch (nodeTag(object))
	{
		case T_String:
			return strVal(unconstify(Node *, object));
		case T_List:
			return IsA(llast((List *) object), String) ? strVal(llast((List *) object)) :
				word_of(llast((List *) object));
		case T_TypeName:
			return ((TypeName *) object)->names != NIL ? strVal(llast(((TypeName *) object)->names)) : NULL;
		case T_ObjectWithArgs:
			return strVal(llast(((ObjectWithArgs *) object)->objname));
		default:
			return NULL;
	}
}

static void
require_schema(MigWork *work, const char *nspname)
{
	if (!mig_overlay_has_schema(work->overlay, nspname))
		mig_refuse_error(work, -1, ERRCODE_UNDEFINED_SCHEMA, "schema \"%s\" does not exist", nspname);
}

static void
require_relation(MigWork *work, List *names)
{
	RangeVar   *rv = makeRangeVarFromNameList(names);

	if (!mig_overlay_find(work->overlay, rv->schemaname, rv->relname)->known)
		mig_refuse_error(work, -1, ERRCODE_UNDEFINED_TABLE, "relation \"%s\" does not exist",
						 NameListToString(names));
}

/*
 * What belongs to a table is looked for only in one that is as the catalog
 * says; of schemas and relations the overlay knows more than the server.
 */
static bool
is_worth_asking(MigWork *work, ObjectType type, Node *object)
{
	List	   *names;
	MigName    *table;

	switch (type)
	{
		case OBJECT_SCHEMA:
			require_schema(work, strVal(object));
			return false;
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_INDEX:
		case OBJECT_FOREIGN_TABLE:
			require_relation(work, castNode(List, object));
			return mig_overlay_mark(work->overlay) == 0;
		case OBJECT_COLUMN:
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
		case OBJECT_POLICY:
		case OBJECT_TABCONSTRAINT:
			names = castNode(List, object);
			if (list_length(names) < 2)
				return true;
			table = mig_refuse_known(work, makeRangeVarFromNameList(list_copy_head(names, list_length(names) - 1)));
			return table != NULL && (!table->touched || type == OBJECT_COLUMN || type == OBJECT_TABCONSTRAINT);
		default:
			return true;
	}
}

ObjectAddress
mig_refuse_seek(MigWork *work, ObjectType type, Node *object)
{
	Sought		sought = {type, object, InvalidObjectAddress};
	void	   *found;

	if (object == NULL || !is_worth_asking(work, type, object))
		return InvalidObjectAddress;
	/* ALTER and GRANT have the name alone */
	if ((type == OBJECT_TYPE || type == OBJECT_DOMAIN) && IsA(object, List))
		sought.object = (Node *) makeTypeNameFromNameList((List *) object);
	work->word = word_of(object);
	found = mig_expr_try(work, NULL, run_seek, &sought, false);
	work->word = NULL;
	return found ? sought.found : InvalidObjectAddress;
}

void
mig_refuse_member(MigWork *work, Oid classid, Oid objid, const char *what)
{
	Oid			extension = getExtensionOfObject(classid, objid);

	if (OidIsValid(extension) && !mig_overlay_dropped(work->overlay, psprintf("extension %s", get_extension_name(extension))))
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop %s because extension %s requires it", what, get_extension_name(extension)),
				 errhint("You can drop extension %s instead.", get_extension_name(extension)),
				 mig_overlay_errposition(work->overlay, work->stmt->location)));
}

static void
seek_part(MigWork *work, ObjectType type, const RangeVar *rv, const char *name)
{
	List	   *names = list_make1(makeString(pstrdup(rv->relname)));

	if (rv->schemaname)
		names = lcons(makeString(pstrdup(rv->schemaname)), names);
	mig_refuse_seek(work, type, (Node *) lappend(names, makeString(pstrdup(name))));
}

/* --- roles --- */

static void *
run_role(MigWork *work, void *arg)
{
	(void) get_rolespec_oid(arg, false);
	return arg;
}

void
mig_refuse_seek_role(MigWork *work, RoleSpec *role)
{
	if (role == NULL || role->roletype != ROLESPEC_CSTRING)
		return;
	work->word = role->rolename;
	(void) mig_expr_try(work, NULL, run_role, role, false);
	work->word = NULL;
}

void
mig_refuse_seek_roles(MigWork *work, List *roles)
{
	ListCell   *lc;

	foreach(lc, roles)
		mig_refuse_seek_role(work, lfirst_node(RoleSpec, lc));
}

/* --- enums --- */

static bool
has_label(Oid typid, const char *label)
{
	return SearchSysCacheExists2(ENUMTYPOIDNAME, ObjectIdGetDatum(typid), CStringGetDatum(label));
}

static void
refuse_enum(MigWork *work, AlterEnumStmt *stmt)
{
	TypeName   *type = makeTypeNameFromNameList(stmt->typeName);
	const char *label = stmt->oldVal ? stmt->oldVal : stmt->newValNeighbor;
	Oid			typid;
	int32		typmod;

	mig_refuse_seek(work, OBJECT_TYPE, (Node *) type);
	typid = mig_expr_type(type, &typmod);
	if (!OidIsValid(typid) || mig_overlay_opaque(work->overlay) ||
		mig_expr_is_named(work, strVal(llast(stmt->typeName))))
		return;
	if (get_typtype(typid) != TYPTYPE_ENUM)
		mig_refuse_error(work, -1, ERRCODE_WRONG_OBJECT_TYPE, "%s is not an enum",
						 NameListToQuotedString(stmt->typeName));
	if (label && !has_label(typid, label) && !mig_expr_is_named(work, label))
		mig_refuse_error(work, -1, ERRCODE_INVALID_PARAMETER_VALUE,
						 "\"%s\" is not an existing enum label", label);
	if (!stmt->skipIfNewValExists && has_label(typid, stmt->newVal))
		mig_refuse_error(work, -1, ERRCODE_DUPLICATE_OBJECT,
						 "enum label \"%s\" already exists", stmt->newVal);
}

/* --- ALTER TABLE --- */

static void *
run_options(MigWork *work, void *arg)
{
	static MigOptionPrefix namespaces[] = HEAP_RELOPT_NAMESPACES;
	Datum		options = transformRelOptions((Datum) 0, arg, NULL, namespaces, false, false);
	Datum		toast = transformRelOptions((Datum) 0, arg, "toast", namespaces, false, false);

	(void) heap_reloptions(RELKIND_RELATION, options, true);
	(void) heap_reloptions(RELKIND_TOASTVALUE, toast, true);
	return arg;
}

static void *
run_tablespace(MigWork *work, void *arg)
{
	(void) get_tablespace_oid(arg, false);
	return arg;
}

static void
seek_index_of(MigWork *work, const MigName *table, const char *index)
{
	ListCell   *lc;

	if (index == NULL || mig_expr_is_named(work, index))
		return;
	foreach(lc, mig_relation_indexes(table->relid))
		if (strcmp(get_rel_name(lfirst_oid(lc)), index) == 0)
			return;
	mig_refuse_error(work, -1, ERRCODE_UNDEFINED_OBJECT, "index \"%s\" for table %s does not exist",
					 index, table->text);
}

static void
refuse_subcommand(MigWork *work, const AlterTableStmt *stmt, const MigName *table, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
			if (!table->triggers)
				seek_part(work, OBJECT_TRIGGER, stmt->relation, cmd->name);
			break;
		case AT_EnableRule:
		case AT_EnableAlwaysRule:
		case AT_EnableReplicaRule:
		case AT_DisableRule:
			seek_part(work, OBJECT_RULE, stmt->relation, cmd->name);
			break;
		case AT_ChangeOwner:
			mig_refuse_seek_role(work, cmd->newowner);
			break;
		case AT_ClusterOn:
			seek_index_of(work, table, cmd->name);
			break;
		case AT_ReplicaIdentity:
			seek_index_of(work, table, castNode(ReplicaIdentityStmt, cmd->def)->name);
			break;
		case AT_SetTableSpace:
			work->word = cmd->name;
			(void) mig_expr_try(work, NULL, run_tablespace, cmd->name, false);
			work->word = NULL;
			break;
		case AT_SetRelOptions:
			work->word = table->relname;
			if (table->relkind == RELKIND_RELATION)
				(void) mig_expr_try(work, NULL, run_options, cmd->def, false);
			work->word = NULL;
			break;
		default:
			break;
	}
}

static void
refuse_alter(MigWork *work, AlterTableStmt *stmt)
{
	MigName    *table = mig_refuse_known(work, stmt->relation);
	ListCell   *lc;

	if (table && stmt->objtype == OBJECT_TABLE)
		foreach(lc, stmt->cmds)
			refuse_subcommand(work, stmt, table, lfirst_node(AlterTableCmd, lc));
}

/* --- extensions, languages, settings --- */

static void
refuse_extension(MigWork *work, CreateExtensionStmt *stmt)
{
	bool		there = OidIsValid(get_extension_oid(stmt->extname, true));

	if (there && stmt->if_not_exists)
		return;
	if (there && !mig_expr_is_named(work, stmt->extname))
		mig_refuse_error(work, -1, ERRCODE_DUPLICATE_OBJECT, "extension \"%s\" already exists", stmt->extname);
	if (!extension_file_exists(stmt->extname))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("extension \"%s\" is not available", stmt->extname),
				 errhint("The extension must first be installed on the system where PostgreSQL is running."),
				 mig_overlay_errposition(work->overlay, work->stmt->location)));
}

static void
refuse_function(MigWork *work, CreateFunctionStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "language") == 0)
			mig_refuse_seek(work, OBJECT_LANGUAGE, option->arg);
	}
}

static void *
run_setting(MigWork *work, void *arg)
{
	VariableSetStmt *set = arg;

	(void) set_config_option(set->name, ExtractSetVariableArgs(set), superuser() ? PGC_SUSET : PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, false, ERROR, false);
	return arg;
}

/* A name with a dot may be a setting that only somebody's code knows. */
static void
refuse_setting(MigWork *work, VariableSetStmt *set)
{
	if (set->kind == VAR_SET_VALUE && strchr(set->name, '.') == NULL &&
		GetConfigOption(set->name, true, false) == NULL && GetConfigOptionFlags(set->name, true) == 0)
	{
		work->word = set->name;
		(void) mig_expr_try(work, NULL, run_setting, set, false);
		work->word = NULL;
	}
}

/* --- by kind of statement --- */

/* An earlier statement that is about the domain may have changed its constraints. */
static void
seek_domain_constraint(MigWork *work, List *domain, const char *conname)
{
	if (!mig_expr_is_named(work, strVal(llast(domain))))
		mig_refuse_seek(work, OBJECT_DOMCONSTRAINT,
			 (Node *) list_make2(makeTypeNameFromNameList(domain), makeString(pstrdup(conname))));
}

static void
refuse_rename(MigWork *work, RenameStmt *stmt)
{
	switch (stmt->renameType)
	{
		case OBJECT_TABCONSTRAINT:
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
		case OBJECT_POLICY:
			if (stmt->relation && !stmt->missing_ok)
				seek_part(work, stmt->renameType, stmt->relation, stmt->subname);
			break;
		case OBJECT_DOMCONSTRAINT:
			seek_domain_constraint(work, castNode(List, stmt->object), stmt->subname);
			break;
		default:
			if (stmt->relation == NULL && stmt->object && stmt->renameType != OBJECT_ATTRIBUTE)
				mig_refuse_seek(work, stmt->renameType, stmt->object);
			break;
	}
}

static void
refuse_grant(MigWork *work, GrantStmt *stmt)
{
	ListCell   *lc,
			   *lp;

	mig_refuse_seek_roles(work, stmt->grantees);
	if (stmt->targtype != ACL_TARGET_OBJECT)
		return;
	foreach(lc, stmt->objects)
		if (stmt->objtype != OBJECT_TABLE && stmt->objtype != OBJECT_SEQUENCE &&
			stmt->objtype != OBJECT_LARGEOBJECT && stmt->objtype != OBJECT_PARAMETER_ACL)
			mig_refuse_seek(work, stmt->objtype, lfirst(lc));
		else if (stmt->objtype == OBJECT_TABLE)
			foreach(lp, stmt->privileges)
			{
				ListCell   *col;

				foreach(col, lfirst_node(AccessPriv, lp)->cols)
					seek_part(work, OBJECT_COLUMN, lfirst_node(RangeVar, lc), strVal(lfirst(col)));
			}
}

static void
refuse_owned_by(MigWork *work, List *options)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "owned_by") == 0 && list_length((List *) option->arg) > 1)
			mig_refuse_seek(work, OBJECT_COLUMN, option->arg);
	}
}

static void
refuse_drop(MigWork *work, DropStmt *stmt)
{
	ListCell   *lc;

	if (stmt->missing_ok)
		return;
	foreach(lc, stmt->objects)
	{
		ObjectAddress found = mig_refuse_seek(work, stmt->removeType, lfirst(lc));

		if (OidIsValid(found.objectId) && found.classId != RelationRelationId)
			mig_refuse_member(work, found.classId, found.objectId, getObjectDescription(&found, false));
	}
}

static void
refuse_domain(MigWork *work, AlterDomainStmt *stmt)
{
	mig_refuse_seek(work, OBJECT_DOMAIN, (Node *) stmt->typeName);
	if ((stmt->subtype == 'X' && !stmt->missing_ok) || stmt->subtype == 'V')
		seek_domain_constraint(work, stmt->typeName, stmt->name);
}

void
mig_refuse_objects(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_DropStmt:
			refuse_drop(work, (DropStmt *) node);
			break;
		case T_CommentStmt:
			mig_refuse_seek(work, ((CommentStmt *) node)->objtype, ((CommentStmt *) node)->object);
			break;
		case T_RenameStmt:
			refuse_rename(work, (RenameStmt *) node);
			break;
		case T_AlterObjectSchemaStmt:
			if (((AlterObjectSchemaStmt *) node)->relation == NULL)
				mig_refuse_seek(work, ((AlterObjectSchemaStmt *) node)->objectType, ((AlterObjectSchemaStmt *) node)->object);
			require_schema(work, ((AlterObjectSchemaStmt *) node)->newschema);
			break;
		case T_AlterOwnerStmt:
			if (((AlterOwnerStmt *) node)->relation == NULL)
				mig_refuse_seek(work, ((AlterOwnerStmt *) node)->objectType, ((AlterOwnerStmt *) node)->object);
			mig_refuse_seek_role(work, ((AlterOwnerStmt *) node)->newowner);
			break;
		case T_AlterFunctionStmt:
			mig_refuse_seek(work, ((AlterFunctionStmt *) node)->objtype, (Node *) ((AlterFunctionStmt *) node)->func);
			break;
		case T_AlterEnumStmt:
			refuse_enum(work, (AlterEnumStmt *) node);
			break;
		case T_AlterDomainStmt:
			refuse_domain(work, (AlterDomainStmt *) node);
			break;
		case T_AlterPolicyStmt:
			seek_part(work, OBJECT_POLICY, ((AlterPolicyStmt *) node)->table, ((AlterPolicyStmt *) node)->policy_name);
			break;
		case T_AlterSeqStmt:
			refuse_owned_by(work, ((AlterSeqStmt *) node)->options);
			break;
		case T_AlterTableStmt:
			refuse_alter(work, (AlterTableStmt *) node);
			break;
		case T_GrantStmt:
			refuse_grant(work, (GrantStmt *) node);
			break;
		case T_CreateForeignTableStmt:
			if (!((CreateForeignTableStmt *) node)->base.if_not_exists)
				mig_refuse_seek(work, OBJECT_FOREIGN_SERVER, (Node *) makeString(((CreateForeignTableStmt *) node)->servername));
			break;
		case T_CreatePolicyStmt:
			mig_refuse_seek_roles(work, ((CreatePolicyStmt *) node)->roles);
			break;
		case T_CreateExtensionStmt:
			refuse_extension(work, (CreateExtensionStmt *) node);
			break;
		case T_CreateFunctionStmt:
			refuse_function(work, (CreateFunctionStmt *) node);
			break;
		case T_VariableSetStmt:
			refuse_setting(work, (VariableSetStmt *) node);
			break;
		default:
			break;
	}
}
