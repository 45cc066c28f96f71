/*-------------------------------------------------------------------------
 *
 * effect_code.c
 *	  Statements that run code which the parser does not see through: DO,
 *	  CALL, EXECUTE, and calls of functions.
 *
 * A block or a procedure that ends transactions can only run at top level.
 * COMMIT and ROLLBACK have no dynamic form in PL/pgSQL, so that the tokens of
 * a body tell; a CALL in it is followed a few steps.  One in C is not let into
 * a block either, since nothing tells.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "effect_int.h"
#include "scan.h"
#include "sqlgen.h"

/* A CALL inside a procedure inside a procedure ...: as deep as this is looked */
#define MAX_CALL_DEPTH 5

/*
 * Functions that are declared VOLATILE only because they answer differently
 * each time, of extensions that are in wide use.
 */
static const char *const harmless_names[] = {
	"uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "gen_random_uuid",
	"gen_random_bytes", "gen_salt", "ulid", "gen_ulid", "uuid_generate_v7"
};

/*
 * By the bare name: any function of that name, in whatever schema, has to be
 * harmless.  What is not there yet is not.
 */
bool
mig_effect_harmless(List *funcname)
{
	const char *name = mig_effect_last_name(funcname);
	CatCList   *list;
	bool		harmless;

	for (int i = 0; i < lengthof(harmless_names); i++)
		if (strcmp(name, harmless_names[i]) == 0)
			return true;

	list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	harmless = list->n_members > 0;
	for (int i = 0; i < list->n_members && harmless; i++)
	{
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		if (proc->pronamespace == PG_CATALOG_NAMESPACE)
			harmless = strncmp(name, "query_to_xml", strlen("query_to_xml")) != 0;
		else
			harmless = proc->provolatile != PROVOLATILE_VOLATILE;
	}
	ReleaseSysCacheList(list);
	return harmless;
}

static bool commits_body(const MigOverlay *overlay, const char *language, const char *body, int depth);

/* Does any procedure of that bare name end transactions? */
static bool
commits_procedure(const MigOverlay *overlay, const char *name, int depth)
{
	CatCList   *list;
	bool		commits = mig_overlay_commits(overlay, name);

	if (depth > MAX_CALL_DEPTH)
		return false;
	list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	for (int i = 0; i < list->n_members && !commits; i++)
	{
		HeapTuple	tuple = &list->members[i]->tuple;
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);
		char	   *language;
		Datum		source;
		bool		isnull;

		if (proc->prokind != PROKIND_PROCEDURE)
			continue;
		language = get_language_name(proc->prolang, true);
		source = SysCacheGetAttr(PROCNAMEARGSNSP, tuple, Anum_pg_proc_prosrc, &isnull);
		commits = language && !isnull &&
			commits_body(overlay, language, TextDatumGetCString(source), depth);
	}
	ReleaseSysCacheList(list);
	return commits;
}

/* Behind these tokens a statement of PL/pgSQL begins. */
static bool
begins_statement(const MigScan *scan)
{
	return scan->token == ';' || mig_scan_is(scan, "begin") || mig_scan_is(scan, "then") ||
		mig_scan_is(scan, "else") || mig_scan_is(scan, "loop") || mig_scan_is(scan, ">>");
}

/* The last part of the name behind CALL. */
static char *
called_name(MigScan *scan)
{
	char	   *name = NULL;

	while (mig_scan_next(scan) && scan->token != '(' && scan->token != ';')
	{
		const char *word = mig_scan_word(scan);

		if (word)
			name = pstrdup(word);
	}
	return name;
}

/* The scan of commits_body(), apart because it may raise errors. */
static bool
scan_for_commit(const MigOverlay *overlay, const char *body, int depth)
{
	MigScan		scan;
	bool		begins = true;
	bool		commits = false;

	mig_scan_begin(&scan, body);
	while (!commits && mig_scan_next(&scan))
	{
		char	   *name;

		if (begins && (mig_scan_is(&scan, "commit") || mig_scan_is(&scan, "rollback")))
			commits = true;
		else if (begins && mig_scan_is(&scan, "call") && (name = called_name(&scan)) != NULL)
			commits = commits_procedure(overlay, name, depth + 1);
		begins = begins_statement(&scan);
	}
	mig_scan_end(&scan);
	return commits;
}

static bool
commits_plpgsql(const MigOverlay *overlay, const char *body, int depth)
{
	volatile bool commits = false;
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		commits = scan_for_commit(overlay, body, depth);
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		/* the scanner's errors: what it cannot read, PL/pgSQL cannot either */
		if (category != ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION &&
			category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_FEATURE_NOT_SUPPORTED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return commits;
}

/* Of other languages that can, the words tell; of C nothing does. */
static bool
commits_body(const MigOverlay *overlay, const char *language, const char *body, int depth)
{
	if (strcmp(language, "plpgsql") == 0)
		return commits_plpgsql(overlay, body, depth);
	if (strcmp(language, "sql") == 0)
		return false;
	return strcmp(language, "c") == 0 || strcmp(language, "internal") == 0 ||
		mig_sql_mentions(body, "commit") || mig_sql_mentions(body, "rollback");
}

static void
effect_do(MigWork *work, DoStmt *stmt)
{
	const char *language = "plpgsql";
	const char *body = "";
	ListCell   *lc;

	foreach(lc, stmt->args)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, "as") == 0)
			body = strVal(def->arg);
		else
			language = strVal(def->arg);
	}
	mig_effect_opaque(work);
	if (commits_body(work->overlay, language, body, 0))
	{
		mig_effect_top_level(work, MIG_STEP_OPAQUE);
		mig_effect_note(work, "ends transactions by itself");
	}
}

static void
effect_call(MigWork *work, CallStmt *stmt)
{
	mig_effect_opaque(work);
	if (commits_procedure(work->overlay, mig_effect_last_name(stmt->funccall->funcname), 0))
	{
		mig_effect_top_level(work, MIG_STEP_OPAQUE);
		mig_effect_note(work, "ends transactions by itself");
	}
}

/* --- CREATE FUNCTION --- */

/* Its input arguments, as DROP FUNCTION names them. */
static char *
arguments_text(CreateFunctionStmt *stmt)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, stmt->parameters)
	{
		FunctionParameter *p = lfirst_node(FunctionParameter, lc);

		if (p->mode == FUNC_PARAM_OUT || p->mode == FUNC_PARAM_TABLE)
			continue;
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", mig_sql_type(p->argType));
	}
	return buf.data;
}

/* The function that OR REPLACE would replace; InvalidOid if it is a new one. */
static Oid
find_function(CreateFunctionStmt *stmt, Oid nspid)
{
	Oid			types[FUNC_MAX_ARGS];
	int			n = 0;
	ListCell   *lc;

	foreach(lc, stmt->parameters)
	{
		FunctionParameter *p = lfirst_node(FunctionParameter, lc);

		if (p->mode == FUNC_PARAM_OUT || p->mode == FUNC_PARAM_TABLE || n == FUNC_MAX_ARGS)
			continue;
		types[n] = LookupTypeNameOid(NULL, p->argType, true);
		if (!OidIsValid(types[n++]))
			return InvalidOid;
	}
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(mig_effect_last_name(stmt->funcname)),
						   PointerGetDatum(buildoidvector(types, n)), ObjectIdGetDatum(nspid));
}

/* For a later CALL: does it end transactions? */
static bool
commits_function(MigWork *work, CreateFunctionStmt *stmt)
{
	const char *language = "";
	const char *body = "";
	ListCell   *lc;

	foreach(lc, stmt->options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, "language") == 0)
			language = strVal(def->arg);
		else if (strcmp(def->defname, "as") == 0)
			body = strVal(llast((List *) def->arg));
	}
	return stmt->is_procedure && commits_body(work->overlay, language, body, 0);
}

void
mig_effect_function(MigWork *work, Node *node)
{
	CreateFunctionStmt *stmt = castNode(CreateFunctionStmt, node);
	char	   *name = mig_effect_object_name(work, stmt->funcname);
	Oid			before = InvalidOid;

	if (stmt->replace)
		before = find_function(stmt, mig_overlay_schema_oid(work->overlay,
															list_length(stmt->funcname) > 1 ? strVal(linitial(stmt->funcname)) : NULL));
	/* several can have this name: only the arguments tell which is replaced */
	work->effect->undo_read = stmt->replace;
	if (OidIsValid(before))
		mig_effect_undo_replaced(work, ProcedureRelationId, before);
	else
	{
		work->effect->undo = psprintf("DROP %s IF EXISTS %s(%s)",
									  stmt->is_procedure ? "PROCEDURE" : "FUNCTION",
									  name, arguments_text(stmt));
		mig_effect_makes_object(work, "function", name);
	}
	if (commits_function(work, stmt))
		mig_effect_add_change(work, MIG_MAKES_PROCEDURE)->relname = mig_effect_last_name(stmt->funcname);
}

void
mig_effect_code(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_DoStmt:
			effect_do(work, (DoStmt *) node);
			break;
		case T_CallStmt:
			effect_call(work, (CallStmt *) node);
			break;
		default:
			mig_effect_opaque(work);
			break;
	}
}
