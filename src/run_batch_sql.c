/*-------------------------------------------------------------------------
 *
 * run_batch_sql.c
 *	  The SQL of a backfill: where a slice ends, what changes its rows, which
 *	  part of a window a row belongs to.
 *
 * Statements that are sent for each slice are planned once and kept.  Keys
 * and places travel as text and are cast in the statement.
 *
 * The parts of a window are told apart by something that stays as it is while
 * the window is gone through: by key, by the key, so that each row belongs to
 * one part for ever; by blocks by the row's place, since there a row that is
 * met again is not changed again (see online_rows.c).
 *
 * Locks: RowExclusiveLock and row locks for the time of a batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "parser/parser.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "compat.h"
#include "relation.h"
#include "run_batch.h"
#include "sqlgen.h"

#define SAMPLED_BLOCKS 200		/* at least, to cut a table in pieces */

Relation
mig_batch_open(const Backfill *b)
{
	RangeVar   *rv = makeRangeVarFromNameList(mig_qualified_name(b->batches->table));
	Relation	rel = relation_openrv(rv, AccessShareLock);

	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		!(mig_batch_by_key(b) && rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not a plain table any more", b->batches->table),
				 errhint("Roll the migration back, or register what is left to do as a new one.")));
	return rel;
}

bool
mig_batch_has_new_file(const Backfill *b)
{
	Relation	rel;
	bool		other;

	if (mig_batch_by_key(b))
		return false;
	rel = mig_batch_open(b);
	other = strcmp(psprintf("%u", rel->rd_rel->relfilenode), b->cursor.file) != 0;
	relation_close(rel, AccessShareLock);
	return other;
}

/* --- pieces --- */

/* "t.a, t.b" with a suffix for each: qualified, since a name alone would be that of the output. */
static char *
key_list(const Backfill *b, const char *suffix)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, b->batches->keys)
		appendStringInfo(&buf, "%st.%s%s", buf.len ? ", " : "", mig_sql_name(lfirst(lc)), suffix);
	return buf.data;
}

/* "$1::bigint, $2::text"; parameters are text */
static char *
value_row(const Backfill *b, int first)
{
	RangeVar   *rv = makeRangeVarFromNameList(mig_qualified_name(b->batches->table));
	Oid			relid = RangeVarGetRelid(rv, NoLock, false);
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, b->batches->keys)
		appendStringInfo(&buf, "%s$%d::%s", buf.len ? ", " : "", first + foreach_current_index(lc),
						 mig_sql_column_type(relid, get_attnum(relid, lfirst(lc))));
	return buf.data;
}

static char *
number_text(int64 number)
{
	return psprintf(INT64_FORMAT, number);
}

/* "(block,0)" */
static char *
tid_text(const char *block)
{
	return psprintf("(%s,0)", block);
}

/* --- running --- */

/*
 * Parameters: texts, and behind them a number if it is not negative, which
 * conditions on rows are compared with: a cast would be done for each row.
 */
typedef struct Parameters
{
	int			n;
	Oid		   *types;
	Datum	   *values;
} Parameters;

static Parameters
parameters(List *texts, int number)
{
	Parameters	p;
	ListCell   *lc;

	p.n = list_length(texts);
	p.types = palloc(sizeof(Oid) * (p.n + 1));
	p.values = palloc(sizeof(Datum) * (p.n + 1));
	foreach(lc, texts)
	{
		p.types[foreach_current_index(lc)] = TEXTOID;
		p.values[foreach_current_index(lc)] = CStringGetTextDatum((char *) lfirst(lc));
	}
	if (number >= 0)
	{
		p.types[p.n] = INT4OID;
		p.values[p.n++] = Int32GetDatum(number);
	}
	return p;
}

static int
result_of(int rc)
{
	if (rc < 0)
		elog(ERROR, "could not run a batch: %s", SPI_result_code_string(rc));
	return (int) SPI_processed;
}

static int
execute(const char *sql, Parameters p, bool read_only)
{
	return result_of(SPI_execute_with_args(sql, p.n, p.types, p.values, NULL, read_only, 0));
}

/* The same with a plan that is kept; "sql" is looked at only if there is none yet. */
static int
execute_kept(SPIPlanPtr *plan, const char *sql, Parameters p, bool read_only)
{
	if (*plan == NULL)
	{
		*plan = SPI_prepare_cursor(sql, p.n, p.types, CURSOR_OPT_GENERIC_PLAN);
		if (*plan == NULL)
			elog(ERROR, "could not prepare a batch: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(*plan);
	}
	return result_of(SPI_execute_plan(*plan, p.values, NULL, read_only, 0));
}

static void
forget(SPIPlanPtr *plan)
{
	if (*plan)
		SPI_freeplan(*plan);
	*plan = NULL;
}

void
mig_batch_forget_plans(Backfill *b)
{
	forget(&b->bound_plan);
	forget(&b->slice_plan);
	forget(&b->part_plan);
	forget(&b->rest_plan);
}

static List *
row_values(uint64 row, MemoryContext context)
{
	List	   *values = NIL;
	MemoryContext old;

	if (row >= SPI_processed)
		return NIL;
	old = MemoryContextSwitchTo(context);
	for (int i = 1; i <= SPI_tuptable->tupdesc->natts; i++)
		values = lappend(values, SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, i));
	MemoryContextSwitchTo(old);
	return values;
}

/* --- bounds --- */

List *
mig_batch_last_key(Backfill *b)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *key;

	SPI_connect();
	execute(psprintf("SELECT %s FROM %s t ORDER BY %s LIMIT 1", key_list(b, "::pg_catalog.text"),
					 b->batches->table, key_list(b, " DESC")), parameters(NIL, -1), true);
	key = row_values(0, caller);
	SPI_finish();
	return key;
}

static List *
limit_of(const Backfill *b)
{
	return b->cursor.window_end != NIL ? b->cursor.window_end : b->cursor.upper;
}

static List *
key_bound(Backfill *b, int64 size)
{
	int			nkeys = list_length(b->batches->keys);
	bool		first = b->cursor.lower == NIL;
	List	   *values = lcons(number_text(size - 1), list_concat_copy(b->cursor.lower, limit_of(b)));
	StringInfoData sql;
	List	   *bound;

	initStringInfo(&sql);
	if (first || b->bound_plan == NULL)
	{
		appendStringInfo(&sql, "SELECT %s FROM %s t WHERE ", key_list(b, "::pg_catalog.text"), b->batches->table);
		if (!first)
			appendStringInfo(&sql, "(%s) > (%s) AND ", key_list(b, ""), value_row(b, 2));
		appendStringInfo(&sql, "(%s) <= (%s) ORDER BY %s OFFSET $1::pg_catalog.int8 LIMIT 1", key_list(b, ""),
						 value_row(b, first ? 2 : nkeys + 2), key_list(b, ""));
	}
	if (first)
		execute(sql.data, parameters(values, -1), true);
	else
		execute_kept(&b->bound_plan, sql.data, parameters(values, -1), true);
	bound = row_values(0, b->context);
	return bound != NIL ? bound : limit_of(b);
}

List *
mig_batch_bound(Backfill *b, int64 size)
{
	int64		from,
				end;

	if (mig_batch_by_key(b))
		return key_bound(b, size);
	from = strtoi64(linitial(b->cursor.lower), NULL, 10);
	end = strtoi64(linitial(limit_of(b)), NULL, 10);
	return list_make1(number_text(Min(from + size, end)));
}

List *
mig_batch_sample(Backfill *b, int pieces)
{
	int			nkeys = list_length(b->batches->keys);
	List	   *from = b->cursor.window_end != NIL ? b->cursor.window_end : b->cursor.lower;
	bool		first = from == NIL;
	StringInfoData sql;
	List	   *result = NIL;
	MemoryContext caller = CurrentMemoryContext;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM (SELECT %s, pg_catalog.row_number() OVER (ORDER BY %s) AS \"migrate row\","
					 " pg_catalog.count(*) OVER () AS \"migrate rows\" FROM %s t TABLESAMPLE SYSTEM (%f) WHERE ",
					 key_list(b, "::pg_catalog.text"), key_list(b, ""), key_list(b, ""), b->batches->table,
					 Min(100.0, 100.0 * Max(SAMPLED_BLOCKS, 4 * pieces) / b->blocks));
	if (!first)
		appendStringInfo(&sql, "(%s) > (%s) AND ", key_list(b, ""), value_row(b, 1));
	appendStringInfo(&sql, "(%s) < (%s)) t WHERE (t.\"migrate row\" - 1) * %d / t.\"migrate rows\""
					 " < t.\"migrate row\" * %d / t.\"migrate rows\" AND t.\"migrate row\" < t.\"migrate rows\" ORDER BY t.\"migrate row\"",
					 key_list(b, ""), value_row(b, first ? 1 : nkeys + 1), pieces, pieces);
	SPI_connect();
	execute(sql.data, parameters(list_concat_copy(from, b->cursor.upper), -1), true);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		List	   *key = row_values(i, caller);
		MemoryContext old = MemoryContextSwitchTo(caller);

		result = lappend(result, key);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return result;
}

/* --- changing rows --- */

/* The command for some of the rows in its range only, by the parameter behind those that it has. */
static char *
narrowed(const Backfill *b, const char *command, const char *operator, int parameter)
{
	return psprintf("%s AND (%s) OPERATOR(pg_catalog.%s) $%d", command, b->part_of, operator, parameter);
}

int
mig_batch_change(Backfill *b, List *bound, int part, bool later_parts)
{
	bool		all = part == 0 && later_parts;
	bool		first = mig_batch_by_key(b) && b->cursor.lower == NIL;
	const char *sql = first ? b->batches->first : b->step->command;
	SPIPlanPtr *plan = all ? &b->slice_plan : later_parts ? &b->rest_plan : &b->part_plan;
	List	   *values;
	Parameters	p;

	if (mig_batch_by_key(b))
		values = list_concat_copy(b->cursor.lower, bound);
	else
		values = list_make2(tid_text(linitial(b->cursor.lower)), tid_text(linitial(bound)));
	if (!all && (first || *plan == NULL))
		sql = narrowed(b, sql, later_parts ? ">=" : "=", list_length(values) + 1);
	p = parameters(values, all ? -1 : part);
	return first ? execute(sql, p, false) : execute_kept(plan, sql, p, false);
}

int
mig_batch_single(Backfill *b, List *key)
{
	return execute(b->batches->single, parameters(key, -1), false);
}

/* SQL for what tells a person which row it is: the primary key, else its place. */
static char *
shown_key(const Backfill *b)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, mig_relation_primary_key(b->relid))
		appendStringInfo(&buf, "%s%s, t.%s", buf.len ? ", " : "",
						 quote_literal_cstr(psprintf("%s%s=", buf.len ? ", " : "", mig_sql_name(strVal(lfirst(lc))))),
						 mig_sql_name(strVal(lfirst(lc))));
	return psprintf("pg_catalog.concat(%s)", buf.len ? buf.data : "'ctid=', t.ctid");
}

void
mig_batch_rows_of_block(Backfill *b, List **tids, List **keys)
{
	char	   *block = linitial(b->cursor.lower);
	List	   *ends = list_make2(tid_text(block), tid_text(number_text(atol(block) + 1)));

	*tids = *keys = NIL;
	(void) execute(psprintf("SELECT t.ctid::pg_catalog.text, %s FROM ONLY %s t"
							" WHERE t.ctid OPERATOR(pg_catalog.>=) $1::pg_catalog.tid"
							" AND t.ctid OPERATOR(pg_catalog.<) $2::pg_catalog.tid",
							shown_key(b), b->batches->table), parameters(ends, -1), true);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(b->run->context);

		*tids = lappend(*tids, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
		*keys = lappend(*keys, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2));
		MemoryContextSwitchTo(old);
	}
}

int
mig_batch_place(Backfill *b, char *tid)
{
	unsigned int block;
	unsigned int offset;

	if (sscanf(tid, "(%u,%u)", &block, &offset) != 2)
		elog(ERROR, "unexpected tid: %s", tid);
	return execute(b->step->command,
				   parameters(list_make2(tid, psprintf("(%u,%u)", block, offset + 1)), -1), false);
}

/* --- windows --- */

/* Would changing these columns (of ResTarget) leave all indexes alone? */
static bool
leaves_indexes_alone(const Backfill *b, List *targets)
{
	Relation	rel = mig_batch_open(b);
	Bitmapset  *indexed = mig_hot_blocking_columns(rel);
	bool		result = true;
	ListCell   *lc;

	foreach(lc, targets)
	{
		AttrNumber	column = get_attnum(RelationGetRelid(rel), lfirst_node(ResTarget, lc)->name);

		if (bms_is_member(column - FirstLowInvalidHeapAttributeNumber, indexed))
			result = false;
	}
	relation_close(rel, AccessShareLock);
	return result;
}

/* SQL for the part, 0 to MIG_PARTS - 1, that a row belongs to by its key; NULL: no cheap way. */
static char *
part_by_key(const Backfill *b)
{
	RangeVar   *rv = makeRangeVarFromNameList(mig_qualified_name(b->batches->table));
	Oid			relid = RangeVarGetRelid(rv, NoLock, false);
	ListCell   *lc;
	char	   *text = NULL;
	bool		number = false;

	foreach(lc, b->batches->keys)
	{
		char	   *column = psprintf("%s.%s", b->alias, mig_sql_name(lfirst(lc)));

		switch (get_atttype(relid, get_attnum(relid, lfirst(lc))))
		{
			case INT2OID:
			case INT4OID:
			case INT8OID:
				/* neighbours are in different parts, if it is the last column */
				text = psprintf("%s::pg_catalog.int8", column);
				number = true;
				break;
			case UUIDOID:
				text = number ? text : psprintf("pg_catalog.uuid_hash(%s)", column);
				break;
			case TEXTOID:
			case VARCHAROID:
				/* whatever the collation calls equal has one hash */
				text = number ? text : psprintf("pg_catalog.hashtext(%s)", column);
				break;
			default:
				break;
		}
	}
	if (text == NULL)
		return NULL;
	return psprintf("%s OPERATOR(pg_catalog.&) %d%s", text, MIG_PARTS - 1, number ? "::pg_catalog.int8" : "");
}

/*
 * Text is put behind the command, so its WHERE must be the last thing in it,
 * and a list of conditions of which all must hold.
 */
void
mig_batch_look(Backfill *b)
{
	List	   *trees = raw_parser(b->step->command, RAW_PARSE_DEFAULT);
	UpdateStmt *update = (UpdateStmt *) linitial_node(RawStmt, trees)->stmt;
	Relation	rel = mig_batch_open(b);

	b->relid = RelationGetRelid(rel);
	b->blocks = RELKIND_HAS_STORAGE(rel->rd_rel->relkind) ? RelationGetNumberOfBlocks(rel) : 0;
	if (mig_batch_by_key(b))
		b->total = rel->rd_rel->reltuples < 0 ? -1 : (int64) rel->rd_rel->reltuples;
	/* never analyzed: as if a block had fifty rows */
	b->rows_expected = rel->rd_rel->reltuples < 0 ? b->blocks * 50 : (int64) rel->rd_rel->reltuples;
	relation_close(rel, AccessShareLock);
	if (!IsA(update, UpdateStmt))
		return;
	b->is_update = true;
	if (b->blocks == 0)
		return;					/* a tree of tables: its own blocks are none */
	b->touches_index = !leaves_indexes_alone(b, update->targetList);
	if (b->touches_index || update->withClause || mig_has_returning((Node *) update) || !update->whereClause ||
		!IsA(update->whereClause, BoolExpr) || castNode(BoolExpr, update->whereClause)->boolop != AND_EXPR)
		return;
	b->alias = mig_sql_name(update->relation->alias ? update->relation->alias->aliasname :
							update->relation->relname);
	if (mig_batch_by_key(b))
		b->part_of = part_by_key(b);
	else
		b->part_of = psprintf("pg_catalog.hashtid(%s.ctid) OPERATOR(pg_catalog.&) %d", b->alias, MIG_PARTS - 1);
}
