/*-------------------------------------------------------------------------
 *
 * effect_rename.c
 *	  RENAME and SET SCHEMA.
 *
 * All of it is a change of the catalog that can be taken back, and nearly all
 * of it breaks clients that know the old name.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "dependents.h"
#include "effect_int.h"
#include "relation.h"
#include "sqlgen.h"

/* As in ALTER ... */
static const char *
type_word(ObjectType type)
{
	switch (type)
	{
		case OBJECT_TABLE:
			return "TABLE";
		case OBJECT_VIEW:
			return "VIEW";
		case OBJECT_MATVIEW:
			return "MATERIALIZED VIEW";
		case OBJECT_SEQUENCE:
			return "SEQUENCE";
		case OBJECT_INDEX:
			return "INDEX";
		case OBJECT_FOREIGN_TABLE:
			return "FOREIGN TABLE";
		case OBJECT_TYPE:
			return "TYPE";
		case OBJECT_DOMAIN:
			return "DOMAIN";
		case OBJECT_TRIGGER:
			return "TRIGGER";
		case OBJECT_POLICY:
			return "POLICY";
		case OBJECT_RULE:
			return "RULE";
		case OBJECT_ROLE:
			return "ROLE";
		default:
			return NULL;
	}
}

static bool
nothing_to_do(MigWork *work, const MigName *name)
{
	if (name->known || mig_overlay_opaque(work->overlay))
		return false;
	work->effect->relation = name->text;
	work->effect->undo = "";
	mig_effect_note(work, "%s does not exist", name->text);
	return true;
}

static void
rename_relation(MigWork *work, RenameStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, stmt->missing_ok);
	LOCKMODE	mode = AccessExclusiveLock;
	bool		is_index = name->relkind == RELKIND_INDEX || name->relkind == RELKIND_PARTITIONED_INDEX ||
		stmt->renameType == OBJECT_INDEX;

	if (nothing_to_do(work, name))
		return;
	/* ALTER TABLE takes the strong lock on an index all the same */
	if (stmt->renameType == OBJECT_INDEX && (name->relkind == 0 || name->relkind == RELKIND_INDEX ||
											 name->relkind == RELKIND_PARTITIONED_INDEX))
		mode = ShareUpdateExclusiveLock;
	if (mig_overlay_find(work->overlay, name->nspname, stmt->newname)->known && !mig_overlay_opaque(work->overlay))
		mig_effect_fails(work, ERRCODE_DUPLICATE_TABLE, -1, NULL, "relation \"%s\" already exists", stmt->newname);
	mig_effect_about(work, name, mode);
	mig_effect_move(work, name, name->nspname, stmt->newname);
	work->effect->undo = psprintf("ALTER %s IF EXISTS %s RENAME TO %s", type_word(stmt->renameType),
								  mig_sql_qualified(name->nspname, stmt->newname),
								  mig_sql_name(stmt->relation->relname));
	if (!name->created && !is_index)
	{
		mig_effect_breaks(work, name->relname);
		mig_effect_breaks(work, stmt->newname);
	}
}

/* renameatt_internal in tablecmds.c */
static void
fails_to_rename_column(MigWork *work, const RenameStmt *stmt, const MigName *name)
{
	if (!OidIsValid(name->relid) || name->touched || mig_overlay_opaque(work->overlay))
		return;
	if (AttributeNumberIsValid(get_attnum(name->relid, stmt->newname)))
		mig_effect_fails(work, ERRCODE_DUPLICATE_COLUMN, -1, NULL,
						 "column \"%s\" of relation \"%s\" already exists", stmt->newname, name->relname);
	else if (mig_relation_is_typed(name->relid))
		mig_effect_fails(work, ERRCODE_WRONG_OBJECT_TYPE, -1, NULL, "cannot rename column of typed table");
	else if (mig_relation_column_is_inherited(name->relid, stmt->subname))
		mig_effect_fails(work, ERRCODE_INVALID_TABLE_DEFINITION, -1,
						 "Rename it in the table that it is inherited from.",
						 "cannot rename inherited column \"%s\"", stmt->subname);
	else if (!stmt->relation->inh && mig_relation_children(name->relid) != NIL)
		mig_effect_fails(work, ERRCODE_INVALID_TABLE_DEFINITION, -1, "Leave out ONLY.",
						 "inherited column \"%s\" must be renamed in child tables too", stmt->subname);
}

/* rename_constraint_internal in tablecmds.c */
static void
fails_to_rename_constraint(MigWork *work, const RenameStmt *stmt, const MigName *name)
{
	MigConstraint con;

	if (!OidIsValid(name->relid) || name->touched || mig_overlay_opaque(work->overlay))
		return;
	if (!mig_relation_constraint(name->relid, stmt->subname, &con))
		mig_effect_fails(work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
						 "constraint \"%s\" for table \"%s\" does not exist", stmt->subname, name->relname);
	else if (con.inherited && con.contype == CONSTRAINT_CHECK)
		mig_effect_fails(work, ERRCODE_INVALID_TABLE_DEFINITION, -1, NULL,
						 "cannot rename inherited constraint \"%s\"", stmt->subname);
}

static void
rename_column(MigWork *work, RenameStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, stmt->missing_ok);
	char	   *key = psprintf("column %s.%s", name->text, mig_sql_name(stmt->subname));
	bool		made = name->created || mig_overlay_made(work->overlay, key);

	if (nothing_to_do(work, name))
		return;
	if (!made)
		mig_effect_require_column(work, name, stmt->subname, stmt->relation);
	fails_to_rename_column(work, stmt, name);
	mig_effect_about(work, name, AccessExclusiveLock);
	if (stmt->relation->inh)
		mig_effect_lock_children(work, name, AccessExclusiveLock);
	work->effect->undo = psprintf("ALTER %s IF EXISTS %s RENAME COLUMN %s TO %s",
								  type_word(stmt->relationType) ? type_word(stmt->relationType) : "TABLE",
								  name->text, mig_sql_name(stmt->newname), mig_sql_name(stmt->subname));
	if (made)
		mig_effect_makes_object(work, "column", psprintf("%s.%s", name->text, mig_sql_name(stmt->newname)));
	else
		mig_effect_breaks(work, name->relname);
	mig_effect_change(work, MIG_ALTERS, name);
}

/* Have the children a constraint of that name, too?  (rename_constraint_internal in tablecmds.c) */
static bool
is_inherited_by_all(const MigName *name, const char *conname)
{
	MigConstraint con;

	return OidIsValid(name->relid) && mig_relation_constraint(name->relid, conname, &con) &&
		(con.contype == CONSTRAINT_CHECK || con.contype == MIG_CONSTRAINT_NOTNULL) && !con.no_inherit;
}

/* A constraint, trigger, policy or rule of a table. */
static void
rename_part(MigWork *work, RenameStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, stmt->missing_ok);

	if (nothing_to_do(work, name))
		return;
	if (stmt->renameType == OBJECT_TABCONSTRAINT)
		fails_to_rename_constraint(work, stmt, name);
	mig_effect_about(work, name, AccessExclusiveLock);
	if (stmt->renameType == OBJECT_TABCONSTRAINT && is_inherited_by_all(name, stmt->subname))
		mig_effect_lock_children(work, name, AccessExclusiveLock);
	mig_effect_change(work, MIG_ALTERS, name);
	if (stmt->renameType == OBJECT_TABCONSTRAINT)
		work->effect->undo = psprintf("ALTER TABLE IF EXISTS %s RENAME CONSTRAINT %s TO %s", name->text,
									  mig_sql_name(stmt->newname), mig_sql_name(stmt->subname));
	else
		work->effect->undo = psprintf("ALTER %s %s ON %s RENAME TO %s", type_word(stmt->renameType),
									  mig_sql_name(stmt->newname), name->text, mig_sql_name(stmt->subname));
}

static void
rename_schema(MigWork *work, RenameStmt *stmt)
{
	MigChange  *change = mig_effect_add_change(work, MIG_MOVES_SCHEMA);

	change->nspname = stmt->subname;
	change->new_nspname = stmt->newname;
	mig_effect_drops_object(work, "schema", stmt->subname);
	if (mig_overlay_made(work->overlay, psprintf("schema %s", stmt->subname)))
		mig_effect_makes_object(work, "schema", stmt->newname);
	else
		mig_effect_moves_object(work, "schema", stmt->newname);
	work->effect->undo = psprintf("ALTER SCHEMA %s RENAME TO %s",
								  mig_sql_name(stmt->newname), mig_sql_name(stmt->subname));
	if (mig_overlay_made(work->overlay, psprintf("schema %s", stmt->subname)))
		return;
	mig_effect_breaks(work, stmt->subname);
	mig_effect_breaks(work, stmt->newname);
}

/* A type or function: has its name changed, or its schema? */
static void
move_object(MigWork *work, const char *kind, List *names, const char *nspname, const char *newname)
{
	char	   *old = mig_effect_object_name(work, names);
	char	   *new = mig_effect_object_name(work,
											 nspname ? list_make2(makeString(pstrdup(nspname)), llast(names)) :
											 list_length(names) > 1 ? list_make2(linitial(names), makeString(pstrdup(newname))) :
											 list_make1(makeString(pstrdup(newname))));

	mig_effect_drops_object(work, kind, old);
	if (mig_overlay_made(work->overlay, psprintf("%s %s", kind, old)))
	{
		mig_effect_makes_object(work, kind, new);
		return;
	}
	mig_effect_moves_object(work, kind, new);
	mig_effect_breaks(work, mig_effect_last_name(names));
	if (newname)
		mig_effect_breaks(work, newname);
}

static void
rename_type(MigWork *work, RenameStmt *stmt)
{
	List	   *names = castNode(List, stmt->object);
	char	   *nspname = mig_overlay_target(work->overlay,
											 list_length(names) > 1 ? strVal(linitial(names)) : NULL,
											 strVal(llast(names)), false)->nspname;

	move_object(work, "type", names, NULL, stmt->newname);
	work->effect->undo = psprintf("ALTER %s %s RENAME TO %s", type_word(stmt->renameType),
								  mig_sql_qualified(nspname, stmt->newname),
								  mig_sql_name(mig_effect_last_name(names)));
}

/* Of a composite type, and with CASCADE of the tables that are made OF it. */
static void
rename_attribute(MigWork *work, RenameStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, true);
	List	   *typed = OidIsValid(name->relid) ?
		mig_dependents_typed_tables(get_rel_type_id(name->relid)) : NIL;
	ListCell   *lc;

	mig_effect_changes_object(work, "type", name->text);
	work->effect->undo = psprintf("ALTER TYPE %s RENAME ATTRIBUTE %s TO %s%s", name->text,
								  mig_sql_name(stmt->newname), mig_sql_name(stmt->subname),
								  stmt->behavior == DROP_CASCADE ? " CASCADE" : "");
	foreach(lc, typed)
		mig_effect_lock_oid(work, lfirst_oid(lc), AccessExclusiveLock);
	if (typed != NIL && stmt->behavior != DROP_CASCADE && !name->touched)
		mig_effect_fails(work, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, -1,
						 "Use ALTER ... CASCADE to alter the typed tables too.",
						 "cannot alter type \"%s\" because it is the type of a typed table", name->relname);
}

static void
effect_rename(MigWork *work, RenameStmt *stmt)
{
	switch (stmt->renameType)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_INDEX:
		case OBJECT_FOREIGN_TABLE:
			rename_relation(work, stmt);
			break;
		case OBJECT_COLUMN:
			rename_column(work, stmt);
			break;
		case OBJECT_TABCONSTRAINT:
		case OBJECT_TRIGGER:
		case OBJECT_POLICY:
		case OBJECT_RULE:
			rename_part(work, stmt);
			break;
		case OBJECT_SCHEMA:
			rename_schema(work, stmt);
			break;
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			rename_type(work, stmt);
			break;
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
		case OBJECT_AGGREGATE:
			move_object(work, "function", castNode(ObjectWithArgs, stmt->object)->objname, NULL, stmt->newname);
			mig_effect_undo_move(work, stmt->renameType, stmt->object, stmt->newname, NULL);
			break;
		case OBJECT_ATTRIBUTE:
			rename_attribute(work, stmt);
			break;
		case OBJECT_DOMCONSTRAINT:
			work->effect->undo = psprintf("ALTER DOMAIN %s RENAME CONSTRAINT %s TO %s",
										  mig_effect_object_name(work, castNode(List, stmt->object)),
										  mig_sql_name(stmt->newname), mig_sql_name(stmt->subname));
			break;
		case OBJECT_DATABASE:
		case OBJECT_TABLESPACE:
			work->effect->undo = psprintf("ALTER %s %s RENAME TO %s",
										  stmt->renameType == OBJECT_DATABASE ? "DATABASE" : "TABLESPACE",
										  mig_sql_name(stmt->newname), mig_sql_name(stmt->subname));
			break;
		case OBJECT_ROLE:
			work->effect->undo = psprintf("ALTER ROLE %s RENAME TO %s",
										  mig_sql_name(stmt->newname), mig_sql_name(stmt->subname));
			break;
		default:
			mig_effect_undo_move(work, stmt->renameType, stmt->object, stmt->newname, NULL);
			break;
	}
}

static void
move_relation(MigWork *work, AlterObjectSchemaStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, stmt->missing_ok);

	if (nothing_to_do(work, name))
		return;
	if (!mig_overlay_has_schema(work->overlay, stmt->newschema) && !mig_overlay_opaque(work->overlay))
		mig_effect_fails(work, ERRCODE_UNDEFINED_SCHEMA, -1, NULL, "schema \"%s\" does not exist", stmt->newschema);
	mig_effect_about(work, name, AccessExclusiveLock);
	if (OidIsValid(name->relid) && stmt->objectType == OBJECT_TABLE)
		mig_effect_lock_owned_sequences(work, name->relid);
	mig_effect_move(work, name, stmt->newschema, name->relname);
	work->effect->undo = psprintf("ALTER %s IF EXISTS %s SET SCHEMA %s", type_word(stmt->objectType),
								  mig_sql_qualified(stmt->newschema, name->relname),
								  mig_sql_name(name->nspname));
	if (!name->created)
		mig_effect_breaks(work, name->relname);
}

static void
effect_set_schema(MigWork *work, AlterObjectSchemaStmt *stmt)
{
	switch (stmt->objectType)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_FOREIGN_TABLE:
			move_relation(work, stmt);
			break;
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			move_object(work, "type", castNode(List, stmt->object), stmt->newschema, NULL);
			mig_effect_undo_move(work, stmt->objectType, stmt->object, NULL, stmt->newschema);
			break;
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
		case OBJECT_AGGREGATE:
			move_object(work, "function", castNode(ObjectWithArgs, stmt->object)->objname, stmt->newschema, NULL);
			mig_effect_undo_move(work, stmt->objectType, stmt->object, NULL, stmt->newschema);
			break;
		case OBJECT_EXTENSION:
			mig_effect_breaks(work, strVal(stmt->object));
			mig_effect_undo_move(work, stmt->objectType, stmt->object, NULL, stmt->newschema);
			mig_effect_add_change(work, MIG_OPAQUE);
			break;
		default:
			mig_effect_undo_move(work, stmt->objectType, stmt->object, NULL, stmt->newschema);
			break;
	}
}

void
mig_effect_rename(MigWork *work, Node *node)
{
	if (IsA(node, RenameStmt))
		effect_rename(work, (RenameStmt *) node);
	else
		effect_set_schema(work, castNode(AlterObjectSchemaStmt, node));
}
