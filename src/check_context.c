/*-------------------------------------------------------------------------
 *
 * check_context.c
 *	  What goes wrong with a statement because of its neighbours, or because
 *	  of the queries that clients use.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"

#include "check_int.h"
#include "relation.h"
#include "sqlgen.h"

const MigLock *
mig_looked_lock(const MigLooked *looked, const char *relation, Oid relid)
{
	ListCell   *lc;

	foreach(lc, looked->effect->locks)
	{
		const MigLock *lock = lfirst(lc);

		if ((OidIsValid(relid) && lock->relid == relid) || strcmp(lock->relation, relation) == 0)
			return lock;
	}
	return NULL;
}

static MigHazard *
add_hazard(MigLooked *looked, MigHazardKind kind, char *relation, Oid relid)
{
	MigHazard  *hazard = palloc0(sizeof(MigHazard));

	hazard->kind = kind;
	hazard->relation = relation;
	hazard->relid = relid;
	looked->effect->hazards = lappend(looked->effect->hazards, hazard);
	return hazard;
}

/* --- neighbours --- */

/* What it does to tables that were there before. */
static void
judge_work(MigLooked *looked)
{
	MigEffect  *effect = looked->effect;
	ListCell   *lc;

	foreach(lc, effect->locks)
	{
		MigLock    *lock = lfirst(lc);

		looked->scans |= lock->scans && !lock->created;
		looked->rewrites |= lock->rewrites && !lock->created;
	}
	/* all tables of the database */
	if (effect->relation == NULL && effect->locks == NIL)
	{
		looked->scans |= effect->scans;
		looked->rewrites |= effect->rewrites;
	}
}

static bool
validates(const MigLooked *looked)
{
	Node	   *node = looked->stmt->raw->stmt;

	return IsA(node, AlterTableStmt) &&
		linitial_node(AlterTableCmd, ((AlterTableStmt *) node)->cmds)->subtype == AT_ValidateConstraint;
}

/* Locks that an earlier statement of the block took are held while this one works. */
static void
judge_earlier(MigLooked *looked, const MigLooked *earlier)
{
	ListCell   *lc;

	foreach(lc, earlier->effect->locks)
	{
		MigLock    *lock = lfirst(lc);
		const MigLock *own;
		MigHazard  *hazard;

		if (lock->mode < ShareLock || lock->created || !OidIsValid(lock->relid))
			continue;
		own = mig_looked_lock(looked, lock->relation, lock->relid);
		if (own && own->mode >= lock->mode)
			continue;
		hazard = add_hazard(looked, validates(looked) ? MIG_HZ_VALIDATE_LOCKED : MIG_HZ_DATA_UNDER_LOCK,
							lock->relation, lock->relid);
		hazard->detail = psprintf("%d", earlier->stmt->index);
		hazard->subject = hazard->detail;
	}
}

/*
 * A value that was added in the same transaction cannot be used before it has
 * ended, unless the type is as new.
 */
static void
judge_enum(MigLooked *looked, const MigLooked *earlier)
{
	MigHazard  *hazard;

	if (earlier->effect->enum_label == NULL || earlier->effect->made_only ||
		!mig_sql_mentions(looked->stmt->text, earlier->effect->enum_label))
		return;
	if (looked->block && looked->block == earlier->block)
	{
		if (looked->effect->failure)
			return;
		looked->effect->failure = palloc0(sizeof(MigFailure));
		looked->effect->failure->message =
			psprintf("the new value %s cannot be used before the transaction that adds it has ended",
					 mig_sql_literal(earlier->effect->enum_label));
		looked->effect->failure->hint = "Add the value in a transaction of its own.";
		return;
	}
	hazard = add_hazard(looked, MIG_HZ_ENUM_USED, NULL, InvalidOid);
	hazard->subject = mig_sql_literal(earlier->effect->enum_label);
	hazard->detail = psprintf("%d", earlier->stmt->index);
}

/* What the same transaction drops and makes again is never missing. */
static bool
is_replaced(const List *looked, int number)
{
	const MigLooked *one = list_nth(looked, number);
	ListCell   *lc,
			   *lm;

	if (one->block == NULL || one->effect->drops == NIL || !IsA(one->stmt->raw->stmt, DropStmt))
		return false;
	foreach(lc, one->effect->drops)
	{
		bool		found = false;

		for (int i = number + 1; i < list_length(looked) && !found; i++)
		{
			const MigLooked *later = list_nth(looked, i);

			if (later->block == one->block)
				foreach(lm, later->effect->makes)
					found |= strcmp(lfirst(lm), lfirst(lc)) == 0;
		}
		if (!found)
			return false;
	}
	return true;
}

/* Of what comes again, only the lock is left to tell. */
static void
forget_drop(MigLooked *looked)
{
	looked->effect->breaks = false;
	looked->effect->hazards = NIL;
}

/* Functions whose text names the table and the column: nothing in the catalog ties them to it. */
static void
judge_functions(MigLooked *looked, const MigHazard *dropped)
{
	char	   *relname = get_rel_name(dropped->relid);
	Relation	catalog;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (relname == NULL || dropped->created)
		return;
	catalog = table_open(ProcedureRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);
		bool		isnull;
		Datum		source;
		char	   *body;

		if (proc->pronamespace == PG_CATALOG_NAMESPACE ||
			proc->prolang == INTERNALlanguageId || proc->prolang == ClanguageId)
			continue;
		source = heap_getattr(tuple, Anum_pg_proc_prosrc, RelationGetDescr(catalog), &isnull);
		body = isnull ? NULL : TextDatumGetCString(source);
		if (body && mig_sql_mentions(body, relname) && mig_sql_mentions(body, dropped->subject))
		{
			MigHazard  *hazard = add_hazard(looked, MIG_HZ_DROP_COLUMN_FUNCTION, dropped->relation, dropped->relid);

			hazard->subject = dropped->subject;
			hazard->detail = psprintf("function %s", format_procedure(proc->oid));
		}
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

static void
judge_dropped_columns(MigLooked *looked)
{
	List	   *hazards = list_copy(looked->effect->hazards);
	ListCell   *lc;

	foreach(lc, hazards)
		if (((MigHazard *) lfirst(lc))->kind == MIG_HZ_DROP_COLUMN)
			judge_functions(looked, lfirst(lc));
}

static void
judge_failure(MigLooked *looked)
{
	MigHazard  *hazard;

	if (looked->effect->failure == NULL)
		return;
	hazard = add_hazard(looked, MIG_HZ_FAILS, looked->effect->relation, InvalidOid);
	hazard->detail = looked->effect->failure->message;
	hazard->instead = looked->effect->failure->hint ? looked->effect->failure->hint : "";
}

void
mig_check_neighbours(List *looked)
{
	for (int i = 0; i < list_length(looked); i++)
	{
		MigLooked  *one = list_nth(looked, i);

		judge_work(one);
		judge_dropped_columns(one);
		if (is_replaced(looked, i))
			forget_drop(one);
		for (int j = 0; j < i; j++)
			judge_enum(one, list_nth(looked, j));
		judge_failure(one);
		if (one->block == NULL || !(one->scans || one->effect->writes_rows))
			continue;
		for (int j = 0; j < i; j++)
			if (((MigLooked *) list_nth(looked, j))->block == one->block)
				judge_earlier(one, list_nth(looked, j));
	}
}

/* --- the queries of clients --- */

typedef struct Search
{
	const char *relname;
	bool		star;			/* SELECT *, of whatever */
	bool		reads;			/* names the relation */
	bool		inserts;		/* INSERT INTO it without a column list */
} Search;

static bool
search_walker(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeVar))
		search->reads |= strcmp(((RangeVar *) node)->relname, search->relname) == 0;
	else if (IsA(node, ResTarget) && ((ResTarget *) node)->val && IsA(((ResTarget *) node)->val, ColumnRef))
		search->star |= IsA(llast(((ColumnRef *) ((ResTarget *) node)->val)->fields), A_Star);
	else if (IsA(node, InsertStmt))
		search->inserts |= ((InsertStmt *) node)->cols == NIL &&
			((InsertStmt *) node)->selectStmt != NULL &&
			strcmp(((InsertStmt *) node)->relation->relname, search->relname) == 0;
	return raw_expression_tree_walker(node, search_walker, search);
}

/* Texts that are no SQL, as the statistics of queries may hold, say nothing. */
static List *
parse_quietly(const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *volatile parsed = NIL;

	PG_TRY();
	{
		parsed = raw_parser(text, RAW_PARSE_DEFAULT);
	}
	PG_CATCH();
	{
		/* only the parser ran */
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return parsed;
}

static void
search_query(Search *search, const char *text)
{
	ListCell   *lc;

	if (!mig_sql_mentions(text, search->relname))
		return;
	foreach(lc, parse_quietly(text))
	{
		Node	   *node = lfirst_node(RawStmt, lc)->stmt;

		if (IsA(node, PrepareStmt))
			node = ((PrepareStmt *) node)->query;
		search_walker(node, search);
	}
}

static void
note_use(MigLooked *looked, MigHazardKind kind, const MigHazard *of, const MigKnownQuery *query)
{
	MigHazard  *hazard = add_hazard(looked, kind, of->relation, of->relid);

	hazard->created = of->created;
	hazard->subject = of->subject;
	hazard->detail = query->origin;
	/* what is prepared is sure to be sent again */
	looked->effect->breaks |= query->prepared && kind != MIG_HZ_COLUMN_INSERT;
}

static void
judge_query(MigLooked *looked, const MigHazard *hazard, const MigKnownQuery *query)
{
	Search		search = {get_rel_name(hazard->relid)};

	if (search.relname == NULL)
		return;
	search_query(&search, query->text);
	if (hazard->kind == MIG_HZ_COLUMN_SELECT_STAR)
	{
		if (search.reads && search.star)
			note_use(looked, MIG_HZ_COLUMN_PREPARED, hazard, query);
		if (search.inserts)
			note_use(looked, MIG_HZ_COLUMN_INSERT, hazard, query);
	}
	else if (search.reads && query->prepared &&
			 (search.star || mig_sql_mentions(query->text, hazard->subject)))
		note_use(looked, MIG_HZ_TYPE_PREPARED, hazard, query);
}

void
mig_check_clients(MigLooked *looked, List *queries)
{
	List	   *asked = NIL;
	ListCell   *lc,
			   *lq;

	foreach(lc, looked->effect->hazards)
	{
		MigHazard  *hazard = lfirst(lc);

		if ((hazard->kind != MIG_HZ_COLUMN_SELECT_STAR && hazard->kind != MIG_HZ_TYPE_PREPARED) ||
			hazard->detail != NULL)
			continue;
		asked = lappend(asked, hazard);
	}
	foreach(lc, asked)
	{
		MigHazard  *hazard = lfirst(lc);

		/* a new type is noticed by nobody that is not known; a new column may be */
		if (hazard->kind == MIG_HZ_TYPE_PREPARED)
			looked->effect->hazards = list_delete_ptr(looked->effect->hazards, hazard);
		foreach(lq, queries)
			if (!hazard->created)
				judge_query(looked, hazard, lfirst(lq));
	}
}
