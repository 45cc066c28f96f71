/*-------------------------------------------------------------------------
 *
 * effect_create.c
 *	  CREATE of what is no table, index or function.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "rewrite/rewriteSupport.h"
#include "utils/acl.h"

#include "effect_int.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

/* --- views --- */

void
mig_effect_create_view(MigWork *work, Node *node)
{
	ViewStmt   *stmt = castNode(ViewStmt, node);
	MigName    *name = mig_effect_target(work, stmt->view);
	MigEffect  *effect = work->effect;

	if (name->known && stmt->replace)
	{
		mig_effect_about(work, name, AccessExclusiveLock);
		if (OidIsValid(name->relid))
			mig_effect_undo_replaced(work, RelationRelationId, name->relid);
		else
			mig_effect_undo_later(work);
	}
	else
	{
		if (name->known && !mig_overlay_opaque(work->overlay))
			mig_effect_fails(work, ERRCODE_DUPLICATE_TABLE, stmt->view->location, NULL,
							 "relation \"%s\" already exists", name->relname);
		effect->relation = name->text;
		effect->undo = psprintf("DROP VIEW IF EXISTS %s", name->text);
		effect->undo_read = stmt->replace && !name->created;
	}
	work->inert = true;
	mig_effect_walk(work, stmt->query);
	work->inert = false;
	mig_effect_makes(work, name, RELKIND_VIEW, stmt->replace);
}

/* --- parts of tables --- */

/* "trigger x on t" is one object; as makes, so that a DROP before it goes together with it. */
static void
makes_part(MigWork *work, const char *part, const MigName *name)
{
	mig_effect_makes_object(work, "part", psprintf("%s %s", part, name->text));
}

static void
effect_create_trigger(MigWork *work, CreateTrigStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, false);
	bool		replaces = stmt->replace && OidIsValid(name->relid) &&
		OidIsValid(get_trigger_oid(name->relid, stmt->trigname, true));

	if (!stmt->replace && OidIsValid(name->relid) && !name->touched && !mig_overlay_opaque(work->overlay) &&
		OidIsValid(get_trigger_oid(name->relid, stmt->trigname, true)))
		mig_effect_fails(work, ERRCODE_DUPLICATE_OBJECT, -1, NULL,
						 "trigger \"%s\" for relation \"%s\" already exists", stmt->trigname, name->relname);
	mig_effect_about(work, name, ShareRowExclusiveLock);
	/* partitions get one of their own, children do not */
	if (stmt->row && name->relkind == RELKIND_PARTITIONED_TABLE)
		mig_effect_lock_children(work, name, ShareRowExclusiveLock);
	if (stmt->constrrel)
		mig_effect_lock(work, mig_effect_name(work, stmt->constrrel, false), AccessShareLock);
	mig_effect_change(work, MIG_TRIGGERS, name);
	if (replaces)
		mig_effect_undo_replaced(work, TriggerRelationId,
								 get_trigger_oid(name->relid, stmt->trigname, true));
	else
	{
		makes_part(work, stmt->trigname, name);
		work->effect->undo = psprintf("DROP TRIGGER IF EXISTS %s ON %s",
									  mig_sql_name(stmt->trigname), name->text);
		work->effect->undo_read = stmt->replace;
	}
}

static void
effect_create_policy(MigWork *work, CreatePolicyStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->table, false);

	mig_effect_about(work, name, AccessExclusiveLock);
	makes_part(work, stmt->policy_name, name);
	mig_effect_change(work, MIG_ALTERS, name);
	work->effect->undo = psprintf("DROP POLICY IF EXISTS %s ON %s",
								  mig_sql_name(stmt->policy_name), name->text);
}

static void
effect_create_rule(MigWork *work, RuleStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, false);
	Oid			before = InvalidOid;

	mig_effect_about(work, name, AccessExclusiveLock);
	makes_part(work, stmt->rulename, name);
	mig_effect_change(work, MIG_TRIGGERS, name);
	if (stmt->replace && OidIsValid(name->relid))
		before = get_rewrite_oid(name->relid, stmt->rulename, true);
	if (OidIsValid(before))
		mig_effect_undo_replaced(work, RewriteRelationId, before);
	else
	{
		work->effect->undo = psprintf("DROP RULE IF EXISTS %s ON %s",
									  mig_sql_name(stmt->rulename), name->text);
		work->effect->undo_read = stmt->replace;
	}
}

static void
effect_create_statistics(MigWork *work, CreateStatsStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->relations)
		if (IsA(lfirst(lc), RangeVar))
			mig_effect_about(work, mig_effect_name(work, lfirst(lc), false), ShareUpdateExclusiveLock);
	mig_effect_undo_statistics(work, stmt);
}

static void
effect_publication(MigWork *work, List *objects)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		PublicationObjSpec *spec = lfirst_node(PublicationObjSpec, lc);
		MigName    *name;

		if (spec->pubtable == NULL)
			continue;
		name = mig_effect_name(work, spec->pubtable->relation, false);
		mig_effect_about(work, name, ShareUpdateExclusiveLock);
		/* of children each is published, of partitions the whole */
		if (spec->pubtable->relation->inh && name->relkind != RELKIND_PARTITIONED_TABLE)
			mig_effect_lock_children(work, name, ShareUpdateExclusiveLock);
	}
}

void
mig_effect_on_table(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_CreateTrigStmt:
			effect_create_trigger(work, (CreateTrigStmt *) node);
			break;
		case T_CreatePolicyStmt:
			effect_create_policy(work, (CreatePolicyStmt *) node);
			break;
		case T_AlterPolicyStmt:
			mig_effect_about(work, mig_effect_name(work, ((AlterPolicyStmt *) node)->table, false),
							 AccessExclusiveLock);
			mig_effect_undo_object(work, node);
			break;
		case T_RuleStmt:
			effect_create_rule(work, (RuleStmt *) node);
			break;
		case T_CreateStatsStmt:
			effect_create_statistics(work, (CreateStatsStmt *) node);
			break;
		case T_CreatePublicationStmt:
			effect_publication(work, ((CreatePublicationStmt *) node)->pubobjects);
			work->effect->undo = psprintf("DROP PUBLICATION IF EXISTS %s",
										  mig_sql_name(((CreatePublicationStmt *) node)->pubname));
			mig_effect_makes_object(work, "object", ((CreatePublicationStmt *) node)->pubname);
			break;
		default:
			effect_publication(work, castNode(AlterPublicationStmt, node)->pubobjects);
			mig_effect_undo_object(work, node);
			break;
	}
}

/* --- schemas, sequences, types, extensions, roles --- */

/* The elements of CREATE SCHEMA are created in it, in this order. */
static const NodeTag element_tags[] = {T_CreateSeqStmt, T_CreateStmt, T_ViewStmt};

static void
make_schema_element(MigWork *work, const char *nspname, Node *element)
{
	RangeVar   *rv = NULL;
	char		relkind = RELKIND_RELATION;

	if (IsA(element, CreateStmt))
		rv = ((CreateStmt *) element)->relation;
	else if (IsA(element, ViewStmt))
	{
		rv = ((ViewStmt *) element)->view;
		relkind = RELKIND_VIEW;
	}
	else if (IsA(element, CreateSeqStmt))
	{
		rv = ((CreateSeqStmt *) element)->sequence;
		relkind = RELKIND_SEQUENCE;
	}
	if (rv)
	{
		MigName    *name = mig_overlay_target(work->overlay, nspname, rv->relname, false);

		mig_effect_makes(work, name, relkind, false);
		work->effect->undo = psprintf("DROP %s IF EXISTS %s; %s",
									  relkind == RELKIND_VIEW ? "VIEW" : relkind == RELKIND_SEQUENCE ? "SEQUENCE" : "TABLE",
									  name->text, work->effect->undo);
	}
}

static void
effect_create_schema(MigWork *work, CreateSchemaStmt *stmt)
{
	const char *nspname = stmt->schemaname ? stmt->schemaname :
		stmt->authrole->roletype == ROLESPEC_CSTRING ? stmt->authrole->rolename :
		get_rolespec_name(stmt->authrole);
	ListCell   *lc;

	if (stmt->if_not_exists && mig_overlay_has_schema(work->overlay, nspname))
	{
		work->effect->undo = "";
		mig_effect_note(work, "schema \"%s\" exists already", nspname);
		return;
	}
	mig_effect_add_change(work, MIG_MAKES_SCHEMA)->nspname = nspname;
	mig_effect_makes_object(work, "schema", nspname);
	work->effect->undo = psprintf("DROP SCHEMA IF EXISTS %s", mig_sql_name(nspname));
	/* they are made in another order than written: what depends on others goes first */
	for (int i = 0; i < lengthof(element_tags); i++)
		foreach(lc, stmt->schemaElts)
			if (nodeTag(lfirst(lc)) == element_tags[i])
				make_schema_element(work, nspname, lfirst(lc));
}

static void
effect_create_sequence(MigWork *work, CreateSeqStmt *stmt)
{
	MigName    *name = mig_effect_target(work, stmt->sequence);

	if (name->known && !stmt->if_not_exists && !mig_overlay_opaque(work->overlay))
		mig_effect_fails(work, ERRCODE_DUPLICATE_TABLE, stmt->sequence->location, NULL,
						 "relation \"%s\" already exists", name->relname);
	work->effect->relation = name->text;
	work->effect->undo = name->known && stmt->if_not_exists ? "" :
		psprintf("DROP SEQUENCE IF EXISTS %s", name->text);
	mig_effect_makes(work, name, RELKIND_SEQUENCE, stmt->if_not_exists);
}

static void
makes_type(MigWork *work, List *names, const char *word)
{
	char	   *name = mig_effect_object_name(work, names);

	mig_effect_makes_object(work, "type", name);
	work->effect->undo = psprintf("DROP %s IF EXISTS %s", word, name);
}

static void
effect_create_composite(MigWork *work, CompositeTypeStmt *stmt)
{
	MigName    *name = mig_effect_target(work, stmt->typevar);

	mig_effect_makes(work, name, RELKIND_COMPOSITE_TYPE, false);
	mig_effect_makes_object(work, "type", name->text);
	work->effect->undo = psprintf("DROP TYPE IF EXISTS %s", name->text);
}

/* Of plain ones, whose arguments are written as those of a function. */
static void
undo_aggregate(MigWork *work, DefineStmt *stmt)
{
	StringInfoData args;
	ListCell   *lc;

	if (stmt->replace || stmt->oldstyle || intVal(lsecond(stmt->args)) != -1)
		return;
	initStringInfo(&args);
	foreach(lc, linitial_node(List, stmt->args))
		appendStringInfo(&args, "%s%s", args.len ? ", " : "",
						 mig_sql_type(lfirst_node(FunctionParameter, lc)->argType));
	work->effect->undo = psprintf("DROP AGGREGATE IF EXISTS %s(%s)", mig_effect_object_name(work, stmt->defnames),
								  args.len ? args.data : "*");
}

static void
undo_operator(MigWork *work, DefineStmt *stmt)
{
	char	   *left = "NONE";
	char	   *right = "NONE";
	char	   *nspname = list_length(stmt->defnames) > 1 ? strVal(linitial(stmt->defnames)) :
		mig_overlay_target(work->overlay, NULL, "x", false)->nspname;
	ListCell   *lc;

	foreach(lc, stmt->definition)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, "leftarg") == 0)
			left = mig_sql_type(defGetTypeName(def));
		else if (strcmp(def->defname, "rightarg") == 0)
			right = mig_sql_type(defGetTypeName(def));
	}
	work->effect->undo = psprintf("DROP OPERATOR IF EXISTS %s.%s (%s, %s)", mig_sql_name(nspname),
								  strVal(llast(stmt->defnames)), left, right);
}

static void
effect_define(MigWork *work, DefineStmt *stmt)
{
	const char *word = NULL;
	ObjectAddress address;

	switch (stmt->kind)
	{
		case OBJECT_TYPE:
			makes_type(work, stmt->defnames, "TYPE");
			return;
		case OBJECT_COLLATION:
			word = "COLLATION";
			break;
		case OBJECT_TSCONFIGURATION:
			word = "TEXT SEARCH CONFIGURATION";
			break;
		case OBJECT_TSDICTIONARY:
			word = "TEXT SEARCH DICTIONARY";
			break;
		case OBJECT_TSPARSER:
			word = "TEXT SEARCH PARSER";
			break;
		case OBJECT_TSTEMPLATE:
			word = "TEXT SEARCH TEMPLATE";
			break;
		case OBJECT_AGGREGATE:
			mig_effect_makes_object(work, "function", mig_effect_object_name(work, stmt->defnames));
			undo_aggregate(work, stmt);
			return;
		case OBJECT_OPERATOR:
			undo_operator(work, stmt);
			return;
		default:
			return;
	}
	mig_effect_makes_object(work, "object", mig_effect_object_name(work, stmt->defnames));
	if (stmt->if_not_exists && mig_undo_find(stmt->kind, (Node *) stmt->defnames, &address))
		work->effect->undo = "";
	else
		work->effect->undo = psprintf("DROP %s IF EXISTS %s", word,
									  mig_effect_object_name(work, stmt->defnames));
}

/* An extension's script may make anything. */
static void
effect_create_extension(MigWork *work, CreateExtensionStmt *stmt)
{
	if (stmt->if_not_exists && OidIsValid(get_extension_oid(stmt->extname, true)))
	{
		work->effect->undo = "";
		mig_effect_note(work, "extension \"%s\" exists already", stmt->extname);
		return;
	}
	mig_effect_add_change(work, MIG_OPAQUE);
	mig_effect_makes_object(work, "extension", stmt->extname);
	work->effect->undo = psprintf("DROP EXTENSION IF EXISTS %s", mig_sql_name(stmt->extname));
}

void
mig_effect_create_other(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_CreateSchemaStmt:
			effect_create_schema(work, (CreateSchemaStmt *) node);
			break;
		case T_CreateSeqStmt:
			effect_create_sequence(work, (CreateSeqStmt *) node);
			break;
		case T_CreateEnumStmt:
			makes_type(work, ((CreateEnumStmt *) node)->typeName, "TYPE");
			break;
		case T_CreateRangeStmt:
			makes_type(work, ((CreateRangeStmt *) node)->typeName, "TYPE");
			break;
		case T_CreateDomainStmt:
			makes_type(work, ((CreateDomainStmt *) node)->domainname, "DOMAIN");
			break;
		case T_CompositeTypeStmt:
			effect_create_composite(work, (CompositeTypeStmt *) node);
			break;
		case T_DefineStmt:
			effect_define(work, (DefineStmt *) node);
			break;
		case T_CreateExtensionStmt:
			effect_create_extension(work, (CreateExtensionStmt *) node);
			break;
		case T_CreateRoleStmt:
			mig_effect_makes_object(work, "role", ((CreateRoleStmt *) node)->role);
			work->effect->undo = psprintf("DROP ROLE IF EXISTS %s",
										  mig_sql_name(((CreateRoleStmt *) node)->role));
			break;
		case T_CreateEventTrigStmt:
			work->effect->undo = psprintf("DROP EVENT TRIGGER IF EXISTS %s",
										  mig_sql_name(((CreateEventTrigStmt *) node)->trigname));
			mig_effect_add_change(work, MIG_OPAQUE);
			break;
		default:
			/* IMPORT FOREIGN SCHEMA, ALTER EXTENSION */
			mig_effect_undo_object(work, node);
			mig_effect_add_change(work, MIG_OPAQUE);
			break;
	}
}
