/*-------------------------------------------------------------------------
 *
 * effect_hazard_guards.c
 *	  What may go wrong with policies, rules, views, publications and
 *	  functions: things that clients meet without naming them.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "dependents.h"
#include "effect_int.h"
#include "relation.h"

#define PUBLISHED_SHOWN 20		/* tables that a publication of all would break */

/* --- policies and rules --- */

static void
hazard_policy(MigWork *work, const RangeVar *rv, const char *what)
{
	MigName    *name = mig_effect_name(work, rv, true);

	if (!OidIsValid(name->relid) || name->created || !mig_relation_has_row_security(name->relid))
		return;
	work->effect->breaks = true;
	mig_effect_hazard(work, MIG_HZ_ROW_VISIBILITY, name, what, NULL);
}

static void
hazard_rule(MigWork *work, RuleStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->relation, true);

	if (name->created || stmt->event == CMD_SELECT)
		return;
	work->effect->breaks = true;
	mig_effect_hazard(work, MIG_HZ_RULE, name, stmt->rulename, NULL);
}

/* --- views --- */

static void *
run_analysis(MigWork *work, void *arg)
{
	ViewStmt   *stmt = arg;
	RawStmt    *raw = makeNode(RawStmt);

	raw->stmt = copyObject(stmt->query);
	raw->stmt_location = work->stmt->raw->stmt_location;
	raw->stmt_len = work->stmt->raw->stmt_len;
	return parse_analyze_fixedparams(raw, mig_overlay_source(work->overlay), NULL, 0, NULL);
}

/* Columns may only be added behind those that there are (checkViewTupleDesc in view.c). */
static const char *
first_difference(Relation view, ViewStmt *stmt, Query *query)
{
	TupleDesc	desc = RelationGetDescr(view);
	int			i = 0;
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);
		const char *name = i < list_length(stmt->aliases) ? strVal(list_nth(stmt->aliases, i)) :
			target->resname;
		Form_pg_attribute att;

		if (target->resjunk)
			continue;
		if (i >= desc->natts)
			return NULL;
		att = TupleDescAttr(desc, i++);
		if (strcmp(NameStr(att->attname), name) != 0)
			return psprintf("cannot change name of view column \"%s\" to \"%s\"", NameStr(att->attname), name);
		if (att->atttypid != exprType((Node *) target->expr) ||
			att->atttypmod != exprTypmod((Node *) target->expr))
			return psprintf("cannot change data type of view column \"%s\" from %s to %s",
							NameStr(att->attname), format_type_be(att->atttypid),
							format_type_be(exprType((Node *) target->expr)));
	}
	return i < desc->natts ? "cannot drop columns from view" : NULL;
}

static void
hazard_view(MigWork *work, ViewStmt *stmt)
{
	MigName    *name = mig_effect_target(work, stmt->view);
	Query	   *query;
	Relation	view;
	const char *difference;

	if (!stmt->replace || !OidIsValid(name->relid) || name->touched || name->relkind != RELKIND_VIEW ||
		!mig_effect_names_are_free(work))
		return;
	query = mig_expr_try(work, NULL, run_analysis, stmt, false);
	if (query == NULL || !mig_relation_lock(name->relid, name->text))
		return;
	view = RelationIdGetRelation(name->relid);
	difference = view ? first_difference(view, stmt, query) : NULL;
	if (view)
		RelationClose(view);
	mig_relation_unlock(name->relid);
	if (difference == NULL)
		return;
	work->effect->breaks = true;
	mig_effect_fails(work, ERRCODE_INVALID_TABLE_DEFINITION, -1,
					 "Drop the view and create it again, in one transaction, with its privileges.",
					 "%s", difference);
}

/* --- publications --- */

/* Does it send updates or deletes? */
static bool
publishes_changes(List *options)
{
	ListCell   *lc,
			   *lw;

	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);
		List	   *words = NIL;

		if (strcmp(def->defname, "publish") != 0 || !IsA(def->arg, String))
			continue;
		if (!SplitIdentifierString(pstrdup(strVal(def->arg)), ',', &words))
			return true;
		foreach(lw, words)
			if (strcmp(lfirst(lw), "update") == 0 || strcmp(lfirst(lw), "delete") == 0)
				return true;
		return false;
	}
	return true;
}

static void
judge_published(MigWork *work, Oid relid)
{
	char		relkind = get_rel_relkind(relid);
	ListCell   *lc;

	if (relkind == RELKIND_PARTITIONED_TABLE)
	{
		foreach(lc, mig_relation_children(relid))
			judge_published(work, lfirst_oid(lc));
		return;
	}
	if (relkind != RELKIND_RELATION || get_rel_persistence(relid) != RELPERSISTENCE_PERMANENT ||
		mig_relation_has_identity(relid))
		return;
	work->effect->breaks = true;
	mig_effect_hazard_oid(work, MIG_HZ_PUBLICATION, relid, NULL, NULL);
}

/* All tables of a schema, or of the database; of many the first few are named. */
static void
judge_published_all(MigWork *work, Oid nspid)
{
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	List	   *relids = NIL;
	ListCell   *lc;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);

		if (class->relkind == RELKIND_RELATION && class->oid >= FirstNormalObjectId &&
			(!OidIsValid(nspid) || class->relnamespace == nspid) &&
			!isAnyTempNamespace(class->relnamespace))
			relids = lappend_oid(relids, class->oid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	foreach(lc, relids)
		if (list_length(work->effect->hazards) < PUBLISHED_SHOWN)
			judge_published(work, lfirst_oid(lc));
}

static void
hazard_publication(MigWork *work, List *objects, bool for_all, List *options)
{
	ListCell   *lc;

	if (!publishes_changes(options))
		return;
	if (for_all)
		judge_published_all(work, InvalidOid);
	foreach(lc, objects)
	{
		PublicationObjSpec *spec = lfirst_node(PublicationObjSpec, lc);

		if (spec->pubtable)
		{
			MigName    *name = mig_effect_name(work, spec->pubtable->relation, true);

			if (OidIsValid(name->relid) && !name->touched)
				judge_published(work, name->relid);
		}
		else if (spec->pubobjtype == PUBLICATIONOBJ_TABLES_IN_SCHEMA && spec->name)
			judge_published_all(work, mig_overlay_schema_oid(work->overlay, spec->name));
	}
}

/* --- functions --- */

static void
hazard_function(MigWork *work, CreateFunctionStmt *stmt)
{
	Oid			nspid = mig_overlay_schema_oid(work->overlay, list_length(stmt->funcname) > 1 ?
											   strVal(linitial(stmt->funcname)) : NULL);
	Oid			types[FUNC_MAX_ARGS];
	int			n = 0;
	Oid			procid;
	Oid			relid;
	char	   *user;
	ListCell   *lc;

	if (!stmt->replace)
		return;
	foreach(lc, stmt->parameters)
	{
		FunctionParameter *p = lfirst_node(FunctionParameter, lc);

		if (p->mode == FUNC_PARAM_OUT || p->mode == FUNC_PARAM_TABLE || n == FUNC_MAX_ARGS)
			continue;
		types[n++] = LookupTypeNameOid(NULL, p->argType, true);
	}
	procid = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							 CStringGetDatum(mig_effect_last_name(stmt->funcname)),
							 PointerGetDatum(buildoidvector(types, n)), ObjectIdGetDatum(nspid));
	if (!OidIsValid(procid) || (user = mig_dependents_of_function(procid, &relid)) == NULL)
		return;
	work->effect->breaks = true;
	mig_effect_hazard_oid(work, MIG_HZ_FUNCTION_INDEXED, relid,
						  mig_effect_object_name(work, stmt->funcname), user);
}

void
mig_effect_hazard_guards(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_AlterPolicyStmt:
			hazard_policy(work, ((AlterPolicyStmt *) node)->table, "ALTER POLICY");
			break;
		case T_CreatePolicyStmt:
			if (!((CreatePolicyStmt *) node)->permissive)
				hazard_policy(work, ((CreatePolicyStmt *) node)->table, "CREATE POLICY ... AS RESTRICTIVE");
			break;
		case T_RuleStmt:
			hazard_rule(work, (RuleStmt *) node);
			break;
		case T_ViewStmt:
			hazard_view(work, (ViewStmt *) node);
			break;
		case T_CreatePublicationStmt:
			{
				CreatePublicationStmt *stmt = (CreatePublicationStmt *) node;

				hazard_publication(work, stmt->pubobjects, stmt->for_all_tables, stmt->options);
				break;
			}
		case T_AlterPublicationStmt:
			{
				AlterPublicationStmt *stmt = (AlterPublicationStmt *) node;

				if (stmt->action != AP_DropObjects)
					hazard_publication(work, stmt->pubobjects, false, NIL);
				break;
			}
		case T_CreateFunctionStmt:
			hazard_function(work, (CreateFunctionStmt *) node);
			break;
		default:
			break;
	}
}
