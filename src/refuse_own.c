/*-------------------------------------------------------------------------
 *
 * refuse_own.c
 *	  Statements that would change what runs them.
 *
 * Layer 1: takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "refuse_int.h"

/* Is it a name of ours?  The schemas are the extension's, wherever that is installed. */
static bool
is_own_schema(const char *schema)
{
	return schema && (strcmp(schema, "migrate") == 0 || strcmp(schema, "migrate_internal") == 0);
}

static bool
is_extension(const char *name)
{
	return name && strcmp(name, "migrate") == 0;
}

/* The schema of a name that a statement spells out: (schema, name), or as ObjectWithArgs. */
static const char *
schema_of(Node *object)
{
	List	   *names = NIL;

	if (object && IsA(object, List))
		names = (List *) object;
	else if (object && IsA(object, ObjectWithArgs))
		names = ((ObjectWithArgs *) object)->objname;
	else if (object && IsA(object, TypeName))
		names = ((TypeName *) object)->names;
	return list_length(names) > 1 && IsA(linitial(names), String) ? strVal(linitial(names)) : NULL;
}

static bool
drops_own(const DropStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		Node	   *object = lfirst(lc);

		if (stmt->removeType == OBJECT_EXTENSION ? is_extension(strVal(object)) :
			stmt->removeType == OBJECT_SCHEMA ? is_own_schema(strVal(object)) :
			is_own_schema(schema_of(object)))
			return true;
	}
	return false;
}

/* Whatever else names an object: RENAME, OWNER TO, SET SCHEMA. */
static bool
alters_own(ObjectType type, Node *object, const RangeVar *relation, const char *subname)
{
	if (type == OBJECT_EXTENSION)
		return object && is_extension(strVal(object));
	if (type == OBJECT_SCHEMA)
		return is_own_schema(object && IsA(object, String) ? strVal(object) : subname);
	return (relation && is_own_schema(relation->schemaname)) || is_own_schema(schema_of(object));
}

static bool
names_own(Node *node)
{
	switch (nodeTag(node))
	{
		case T_DropStmt:
			return drops_own((DropStmt *) node);
		case T_AlterExtensionStmt:
			return is_extension(((AlterExtensionStmt *) node)->extname);
		case T_AlterExtensionContentsStmt:
			return is_extension(((AlterExtensionContentsStmt *) node)->extname);
		case T_AlterObjectSchemaStmt:
			{
				AlterObjectSchemaStmt *stmt = (AlterObjectSchemaStmt *) node;

				return is_own_schema(stmt->newschema) ||
					alters_own(stmt->objectType, stmt->object, stmt->relation, NULL);
			}
		case T_AlterOwnerStmt:
			{
				AlterOwnerStmt *stmt = (AlterOwnerStmt *) node;

				return alters_own(stmt->objectType, stmt->object, stmt->relation, NULL);
			}
		case T_RenameStmt:
			{
				RenameStmt *stmt = (RenameStmt *) node;

				return alters_own(stmt->renameType, stmt->object, stmt->relation, stmt->subname);
			}
		case T_CreateStmt:
			return is_own_schema(((CreateStmt *) node)->relation->schemaname);
		case T_CreateTableAsStmt:
			return is_own_schema(((CreateTableAsStmt *) node)->into->rel->schemaname);
		case T_ViewStmt:
			return is_own_schema(((ViewStmt *) node)->view->schemaname);
		case T_CreateSeqStmt:
			return is_own_schema(((CreateSeqStmt *) node)->sequence->schemaname);
		case T_CreateFunctionStmt:
			return is_own_schema(schema_of((Node *) ((CreateFunctionStmt *) node)->funcname));
		case T_AlterFunctionStmt:
			return is_own_schema(schema_of((Node *) ((AlterFunctionStmt *) node)->func));
		default:
			return false;
	}
}

/* A table or view of ours that it writes to, changes, drops or makes. */
static bool
locks_own(const MigEffect *effect)
{
	ListCell   *lc;

	foreach(lc, effect->locks)
	{
		const MigLock *lock = lfirst(lc);

		if (lock->mode > AccessShareLock &&
			(strncmp(lock->relation, "migrate.", strlen("migrate.")) == 0 ||
			 strncmp(lock->relation, "migrate_internal.", strlen("migrate_internal.")) == 0))
			return true;
	}
	return false;
}

void
mig_refuse_own(const MigStatement *stmt, const MigEffect *effect, const MigOverlay *overlay)
{
	Node	   *node = stmt->raw->stmt;

	if (IsA(node, GrantStmt) || !(names_own(node) || locks_own(effect)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("a migration cannot change extension \"migrate\", which runs it"),
			 errdetail("Schemas \"migrate\" and \"migrate_internal\" belong to it, with all that is in them."),
			 errhint("Do it by hand, outside of any migration."),
			 mig_overlay_errposition(overlay, stmt->location)));
}
