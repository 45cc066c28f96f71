/*-------------------------------------------------------------------------
 *
 * effect_other.c
 *	  ALTER of what is no table, COMMENT, GRANT.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "parser/parse_type.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "dependents.h"
#include "effect_int.h"
#include "sqlgen.h"

/* --- sequences --- */

static void
effect_alter_sequence(MigWork *work, AlterSeqStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->sequence, stmt->missing_ok);
	ListCell   *lc;

	mig_effect_about(work, name, ShareRowExclusiveLock);
	foreach(lc, stmt->options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);
		List	   *names;

		if (strcmp(def->defname, "owned_by") != 0)
			continue;
		names = castNode(List, def->arg);
		if (list_length(names) > 1)
			mig_effect_lock(work, mig_effect_name_of_list(work, names, 1, false), AccessShareLock);
	}
}

/* --- domains and enums --- */

/* Tables that have a column of a domain are read, each one; within an array or the like the server gives up. */
static void
check_tables_of_type(MigWork *work, const char *name, Oid typid, MigHazardKind kind)
{
	char	   *nested;
	List	   *tables = mig_dependents_tables_of_type(typid, &nested);
	ListCell   *lc;

	if (nested)
	{
		mig_effect_fails(work, ERRCODE_FEATURE_NOT_SUPPORTED, -1,
						 "Put the constraint on the columns that need it.",
						 "cannot alter type \"%s\" because column %s uses it", name, nested);
		return;
	}
	foreach(lc, tables)
	{
		MigName    *table = mig_effect_name_of_oid(work, lfirst_oid(lc));

		mig_effect_about(work, table, ShareLock);
		if (mig_effect_scans(work, table->relid))
			mig_effect_hazard(work, kind, table, name, NULL);
	}
}

static void
effect_alter_domain(MigWork *work, AlterDomainStmt *stmt)
{
	char	   *name = mig_effect_object_name(work, stmt->typeName);
	Oid			typid = LookupTypeNameOid(NULL, makeTypeNameFromNameList(stmt->typeName), true);
	bool		checks = false;

	switch (stmt->subtype)
	{
		case 'O':				/* SET NOT NULL */
		case 'V':				/* VALIDATE CONSTRAINT */
			checks = true;
			break;
		case 'C':				/* ADD CONSTRAINT */
			checks = !castNode(Constraint, stmt->def)->skip_validation;
			break;
		default:
			break;
	}
	mig_effect_changes_object(work, "type", name);
	mig_effect_undo_domain(work, (Node *) stmt);
	if (checks && OidIsValid(typid))
		check_tables_of_type(work, name, typid,
							 stmt->subtype == 'V' ? MIG_HZ_DOMAIN_VALIDATE : MIG_HZ_DOMAIN_CONSTRAINT);
}

static bool
enum_has_value(const AlterEnumStmt *stmt)
{
	Oid			typid = LookupTypeNameOid(NULL, makeTypeNameFromNameList(stmt->typeName), true);

	return OidIsValid(typid) &&
		SearchSysCacheExists2(ENUMTYPOIDNAME, ObjectIdGetDatum(typid), CStringGetDatum(stmt->newVal));
}

static void
effect_alter_enum(MigWork *work, AlterEnumStmt *stmt)
{
	char	   *name = mig_effect_object_name(work, stmt->typeName);

	mig_effect_changes_object(work, "type", name);
	if (stmt->oldVal == NULL)
	{
		work->effect->enum_label = stmt->newVal;
		if (stmt->skipIfNewValExists && enum_has_value(stmt))
			work->effect->undo = "";
		else
			mig_effect_irreversible(work, "a value of an enum cannot be taken away");
		return;
	}
	work->effect->undo = psprintf("ALTER TYPE %s RENAME VALUE %s TO %s", name,
								  mig_sql_literal(stmt->newVal), mig_sql_literal(stmt->oldVal));
	if (!mig_overlay_made(work->overlay, psprintf("type %s", name)))
	{
		mig_effect_breaks(work, stmt->oldVal);
		mig_effect_breaks(work, stmt->newVal);
	}
}

/* --- objects of any kind, as COMMENT, OWNER TO and SECURITY LABEL name them --- */

static void
touch_relation(MigWork *work, List *names, int skip, LOCKMODE mode)
{
	/* a sequence or an index that came with a table is not known by name */
	MigName    *name = mig_effect_name_of_list(work, names, skip, true);

	mig_effect_about(work, name, mode);
	if (!name->known && mig_overlay_opaque(work->overlay))
		work->changes_other = true;
}

static void
touch_object(MigWork *work, ObjectType type, Node *object, LOCKMODE mode)
{
	switch (type)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_INDEX:
		case OBJECT_FOREIGN_TABLE:
			touch_relation(work, castNode(List, object), 0, mode);
			break;
		case OBJECT_COLUMN:
			touch_relation(work, castNode(List, object), 1, mode);
			break;
		case OBJECT_TABCONSTRAINT:
		case OBJECT_TRIGGER:
		case OBJECT_POLICY:
		case OBJECT_RULE:
			touch_relation(work, castNode(List, object), 1, AccessShareLock);
			break;
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			mig_effect_changes_object(work, "type", mig_effect_object_name(work, IsA(object, TypeName) ?
																			((TypeName *) object)->names : castNode(List, object)));
			break;
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
		case OBJECT_AGGREGATE:
			mig_effect_changes_object(work, "function",
									  mig_effect_object_name(work, castNode(ObjectWithArgs, object)->objname));
			break;
		case OBJECT_SCHEMA:
			mig_effect_changes_object(work, "schema", strVal(object));
			break;
		case OBJECT_EXTENSION:
			mig_effect_changes_object(work, "extension", strVal(object));
			break;
		case OBJECT_ROLE:
			mig_effect_changes_object(work, "role", strVal(object));
			break;
		default:
			work->changes_other = true;
			break;
	}
}

/* --- GRANT, REVOKE --- */

static void
grant_object(MigWork *work, GrantStmt *stmt, Node *object)
{
	switch (stmt->objtype)
	{
		case OBJECT_TABLE:
		case OBJECT_SEQUENCE:
			{
				MigName    *name = mig_effect_name(work, castNode(RangeVar, object), false);

				if (work->effect->relation == NULL)
					work->effect->relation = name->text;
				if (MIG_GRANT_LOCK != NoLock)
					mig_effect_about(work, name, MIG_GRANT_LOCK);
				if (name->created)
					work->changes_made = true;
				else
					work->changes_other = true;
				break;
			}
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			mig_effect_changes_object(work, "type", mig_effect_object_name(work, castNode(List, object)));
			break;
		default:
			touch_object(work, stmt->objtype, object, AccessShareLock);
			break;
	}
}

static void
effect_grant(MigWork *work, GrantStmt *stmt)
{
	ListCell   *lc;

	if (stmt->targtype != ACL_TARGET_OBJECT)
		work->changes_other = true;
	else
		foreach(lc, stmt->objects)
			grant_object(work, stmt, lfirst(lc));
	mig_effect_undo_grant(work, stmt);
	if (!stmt->is_grant && work->changes_other)
		mig_effect_breaks(work, work->effect->relation ? work->effect->relation : NULL);
}

void
mig_effect_alter_other(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_AlterSeqStmt:
			effect_alter_sequence(work, (AlterSeqStmt *) node);
			break;
		case T_AlterDomainStmt:
			effect_alter_domain(work, (AlterDomainStmt *) node);
			break;
		case T_AlterEnumStmt:
			effect_alter_enum(work, (AlterEnumStmt *) node);
			break;
		case T_CommentStmt:
			touch_object(work, ((CommentStmt *) node)->objtype, ((CommentStmt *) node)->object,
						 ShareUpdateExclusiveLock);
			break;
		case T_SecLabelStmt:
			touch_object(work, ((SecLabelStmt *) node)->objtype, ((SecLabelStmt *) node)->object,
						 ShareUpdateExclusiveLock);
			break;
		case T_AlterOwnerStmt:
			touch_object(work, ((AlterOwnerStmt *) node)->objectType, ((AlterOwnerStmt *) node)->object,
						 AccessShareLock);
			break;
		case T_AlterFunctionStmt:
			mig_effect_changes_object(work, "function",
									  mig_effect_object_name(work, ((AlterFunctionStmt *) node)->func->objname));
			break;
		case T_GrantStmt:
			effect_grant(work, (GrantStmt *) node);
			break;
		case T_GrantRoleStmt:
			if (!((GrantRoleStmt *) node)->is_grant)
				mig_effect_breaks(work, NULL);
			break;
		default:
			break;
	}
	mig_effect_undo_other(work, node);
}
