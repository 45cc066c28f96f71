/*-------------------------------------------------------------------------
 *
 * partition.c
 *	  What the rows of a partition, and of a default partition beside it, have
 *	  to fulfil, as text; and what is known of them already.
 *
 * The server's own functions make the expression and write it down, under a
 * search_path that hides all that is not the server's.  Whether a constraint
 * proves another is the server's to judge when the statement runs
 * (PartConstraintImpliedByRelConstraint in tablecmds.c); that folds
 * constants, which can run functions.  Here the parts of both are compared as
 * text, so what is proved here is proved there.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_partitioned_table.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_node.h"
#include "parser/parse_utilcmd.h"
#include "partitioning/partbounds.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "partition.h"
#include "relation.h"
#include "sqlgen.h"

/* --- the bound --- */

/* A literal, under casts or not; MINVALUE and MAXVALUE look like columns. */
static bool
is_constant(Node *node)
{
	while (IsA(node, TypeCast))
		node = ((TypeCast *) node)->arg;
	return IsA(node, A_Const) || IsA(node, ColumnRef);
}

static bool
are_constants(List *nodes)
{
	ListCell   *lc;

	foreach(lc, nodes)
		if (!is_constant(lfirst(lc)))
			return false;
	return true;
}

bool
mig_partition_is_constant(const PartitionBoundSpec *spec)
{
	return are_constants(spec->listdatums) && are_constants(spec->lowerdatums) &&
		are_constants(spec->upperdatums);
}

/* Expressions that all have to hold, as a list of texts. */
static List *
clause_texts(List *clauses, Oid relid)
{
	List	   *context = deparse_context_for(get_rel_name(relid), relid);
	List	   *texts = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		Node	   *clause = lfirst(lc);

		if (is_andclause(clause))
			texts = list_concat(texts, clause_texts(((BoolExpr *) clause)->args, relid));
		else
			texts = lappend(texts, deparse_expression(clause, context, false, false));
	}
	return texts;
}

static char *
joined(List *texts)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, texts)
		appendStringInfo(&buf, "%s%s", buf.len ? " AND " : "", (char *) lfirst(lc));
	return buf.data;
}

/*
 * A hash partition's constraint names its parent by number.  By name it means
 * the same in a copy of the database, and folds to that number.
 */
static char *
by_name(char *text, Oid parent)
{
	char	   *number = psprintf("'%u'::oid", parent);
	char	   *place = strstr(text, number);

	if (place == NULL)
		return text;
	return psprintf("%.*s%s::pg_catalog.regclass::pg_catalog.oid%s", (int) (place - text), text,
					mig_sql_literal(mig_relation_text(parent)), place + strlen(number));
}

/* --- what is known --- */

/* The parts of all valid CHECKs of a relation, as texts. */
static List *
known_texts(Oid relid)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	List	   *clauses = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);
		bool		isnull;
		Datum		bin = heap_getattr(tuple, Anum_pg_constraint_conbin, RelationGetDescr(catalog), &isnull);

		if (con->contype == CONSTRAINT_CHECK && con->convalidated && !isnull)
			clauses = lappend(clauses, stringToNode(TextDatumGetCString(bin)));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return clause_texts(clauses, relid);
}

/* "(k IS NOT NULL)" of a column that is NOT NULL */
static bool
is_not_null_column(Oid relid, Oid parent, Node *clause)
{
	NullTest   *test = (NullTest *) clause;
	AttrNumber	column;

	if (!IsA(test, NullTest) || test->nulltesttype != IS_NOT_NULL || test->argisrow ||
		!IsA(test->arg, Var))
		return false;
	column = mig_relation_column(relid, get_attname(parent, ((Var *) test->arg)->varattno, false));
	return column != InvalidAttrNumber && mig_relation_is_not_null(relid, column);
}

static bool
is_known(List *texts, const char *text)
{
	ListCell   *lc;

	foreach(lc, texts)
		if (strcmp(lfirst(lc), text) == 0)
			return true;
	return false;
}

static bool
proves(Oid relid, Oid parent, List *clauses)
{
	List	   *known = known_texts(relid);
	ListCell   *lc;
	ListCell   *text;

	foreach(lc, clauses)
	{
		if (is_not_null_column(relid, parent, lfirst(lc)))
			continue;
		foreach(text, clause_texts(list_make1(lfirst(lc)), parent))
			if (!is_known(known, lfirst(text)))
				return false;
	}
	return true;
}

/* --- together --- */

/* What is opened is locked, without waiting; false if it has gone. */
static bool
lock_one(Oid relid)
{
	char	   *name = mig_relation_text(relid);

	return name && mig_relation_lock(relid, name);
}

static int
hide_names(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return level;
}

static void
describe(Relation rel, Oid child, PartitionBoundSpec *spec, MigBound *bound)
{
	Oid			parent = RelationGetRelid(rel);
	List	   *own = get_qual_from_partbound(rel, spec);
	List	   *all = list_concat_copy(own, RelationGetPartitionQual(rel));

	if (all != NIL)
		bound->constraint = by_name(joined(clause_texts(all, parent)), parent);
	bound->proved = all == NIL || (OidIsValid(child) && proves(child, parent, all));
	bound->default_partition = spec->is_default ? InvalidOid :
		get_default_partition_oid(parent);
	if (!OidIsValid(bound->default_partition) || own == NIL ||
		!lock_one(bound->default_partition))
		return;
	bound->excludes = psprintf("NOT (%s)", joined(clause_texts(own, parent)));
	bound->default_proved = is_known(known_texts(bound->default_partition),
									 psprintf("(%s)", bound->excludes));
	mig_relation_unlock(bound->default_partition);
}

bool
mig_partition_bound(Oid parent, Oid child, PartitionBoundSpec *spec, MigBound *bound)
{
	PartitionBoundSpec *cooked;
	Relation	rel;
	int			level;

	memset(bound, 0, sizeof(*bound));
	if (!mig_partition_is_constant(spec) || !lock_one(parent))
		return false;
	if (OidIsValid(child) && !lock_one(child))
	{
		mig_relation_unlock(parent);
		return false;
	}
	rel = relation_open(parent, NoLock);
	cooked = transformPartitionBound(make_parsestate(NULL), rel, copyObject(spec));
	level = hide_names();
	describe(rel, child, cooked, bound);
	AtEOXact_GUC(false, level);
	relation_close(rel, NoLock);
	if (OidIsValid(child))
		mig_relation_unlock(child);
	mig_relation_unlock(parent);
	return true;
}

/* --- detaching --- */

/* As AddRelationNewConstraints in catalog/heap.c names a CHECK that has no name. */
char *
mig_partition_detached_check(Oid child)
{
	Relation	rel;
	List	   *qual;
	List	   *columns;
	char	   *column = NULL;
	int			level;
	bool		known;

	if (!lock_one(child))
		return NULL;
	level = hide_names();
	rel = relation_open(child, NoLock);
	qual = RelationGetPartitionQual(rel);
	known = proves(child, child, qual);
	columns = list_union(NIL, pull_var_clause((Node *) qual, 0));
	if (list_length(columns) == 1)
		column = get_attname(child, ((Var *) linitial(columns))->varattno, false);
	relation_close(rel, NoLock);
	AtEOXact_GUC(false, level);
	mig_relation_unlock(child);
	if (known)
		return NULL;
	return ChooseConstraintName(get_rel_name(child), column, "check",
								get_rel_namespace(child), NIL);
}

bool
mig_partition_is_pending(Oid parent, Oid child)
{
	Relation	catalog = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		pending = false;

	ScanKeyInit(&key, Anum_pg_inherits_inhparent, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(parent));
	scan = systable_beginscan(catalog, InheritsParentIndexId, true, NULL, 1, &key);
	while (!pending && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_inherits form = (Form_pg_inherits) GETSTRUCT(tuple);

		pending = form->inhdetachpending && (!OidIsValid(child) || form->inhrelid == child);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return pending;
}

List *
mig_partition_key(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(relid));
	Form_pg_partitioned_table form;
	List	   *names = NIL;

	if (!HeapTupleIsValid(tuple))
		return NIL;
	form = (Form_pg_partitioned_table) GETSTRUCT(tuple);
	for (int i = 0; i < form->partnatts; i++)
	{
		AttrNumber	column = form->partattrs.values[i];

		names = lappend(names, column == InvalidAttrNumber ? NULL : get_attname(relid, column, false));
	}
	ReleaseSysCache(tuple);
	return names;
}
