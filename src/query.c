/*-------------------------------------------------------------------------
 *
 * query.c
 *	  One query on our own tables: arguments in, rows out.
 *
 * Queries are constant text with parameters; their plans are kept for the
 * session, by the address of the text.  Takes the locks of the query alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"

#include "query.h"

typedef struct KeptPlan
{
	const char *sql;			/* hash key: the address */
	SPIPlanPtr	plan;
} KeptPlan;

static HTAB *kept_plans = NULL;

static SPIPlanPtr
kept_plan(MigQuery *query)
{
	KeptPlan   *entry;
	bool		found;
	SPIPlanPtr	plan;

	if (kept_plans == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(char *);
		ctl.entrysize = sizeof(KeptPlan);
		kept_plans = hash_create("plans of migrate", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(kept_plans, &query->sql, HASH_FIND, NULL);
	if (entry)
		return entry->plan;

	plan = SPI_prepare(query->sql, query->nargs, query->types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	entry = hash_search(kept_plans, &query->sql, HASH_ENTER, &found);
	entry->plan = plan;
	return plan;
}

void
mig_query_begin(MigQuery *query, const char *sql)
{
	query->sql = sql;
	query->nargs = 0;
	query->latest = false;
	query->rows = 0;
	query->caller = CurrentMemoryContext;
	mig_identity_extension(&query->save);
	query->snapshot = !ActiveSnapshotSet();
	if (query->snapshot)		/* a worker has none of its own */
		PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	MemoryContextSwitchTo(query->caller);
}

static void
add_arg(MigQuery *query, Oid type, Datum value, bool isnull)
{
	if (query->nargs >= MIG_QUERY_MAX_ARGS)
		elog(ERROR, "too many arguments in a query of migrate");
	query->types[query->nargs] = type;
	query->values[query->nargs] = value;
	query->nulls[query->nargs++] = isnull ? 'n' : ' ';
}

void
mig_arg_text(MigQuery *query, const char *value)
{
	add_arg(query, TEXTOID, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

void
mig_arg_int(MigQuery *query, int value)
{
	add_arg(query, INT4OID, Int32GetDatum(value), false);
}

void
mig_arg_int64(MigQuery *query, int64 value, bool isnull)
{
	add_arg(query, INT8OID, Int64GetDatum(value), isnull);
}

void
mig_arg_float(MigQuery *query, double value, bool isnull)
{
	add_arg(query, FLOAT8OID, Float8GetDatum(value), isnull);
}

void
mig_arg_bool(MigQuery *query, bool value)
{
	add_arg(query, BOOLOID, BoolGetDatum(value), false);
}

void
mig_arg_jsonb(MigQuery *query, Jsonb *value)
{
	add_arg(query, JSONBOID, value ? JsonbPGetDatum(value) : (Datum) 0, value == NULL);
}

void
mig_arg_texts(MigQuery *query, List *values, bool isnull)
{
	Datum	   *elems = palloc(sizeof(Datum) * (list_length(values) + 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, values)
		elems[n++] = CStringGetTextDatum((char *) lfirst(lc));
	add_arg(query, TEXTARRAYOID,
			PointerGetDatum(construct_array(elems, n, TEXTOID, -1, false, TYPALIGN_INT)), isnull);
}

/*
 * In a transaction that keeps its first snapshot.  What our tables say is the
 * state of work that goes on elsewhere: it is read as it is now, and written
 * as by a transaction that is read committed, instead of failing with 40001
 * whenever a worker has written since.
 */
static int
run_as_of_now(MigQuery *query)
{
	int			level = XactIsoLevel;
	volatile int rc = 0;

	(void) GetTransactionSnapshot();	/* the caller's own is taken under its own rules */
	PG_TRY();
	{
		XactIsoLevel = XACT_READ_COMMITTED;
		rc = SPI_execute_snapshot(kept_plan(query), query->values, query->nulls,
								  GetLatestSnapshot(), InvalidSnapshot, false, true, 0);
	}
	PG_FINALLY();
	{
		XactIsoLevel = level;
	}
	PG_END_TRY();
	return rc;
}

uint64
mig_query_run(MigQuery *query)
{
	int			rc;

	if (query->latest)
		rc = SPI_execute_snapshot(kept_plan(query), query->values, query->nulls,
								  GetLatestSnapshot(), InvalidSnapshot, true, false, 0);
	else if (IsolationUsesXactSnapshot())
		rc = run_as_of_now(query);
	else
		rc = SPI_execute_plan(kept_plan(query), query->values, query->nulls, false, 0);
	if (rc < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(rc));
	query->rows = SPI_processed;
	MemoryContextSwitchTo(query->caller);
	return query->rows;
}

void
mig_query_end(MigQuery *query)
{
	SPI_finish();
	if (query->snapshot)
		PopActiveSnapshot();
	mig_identity_restore(&query->save);
	MemoryContextSwitchTo(query->caller);
}

static Datum
column(MigQuery *query, uint64 row, int col, bool *isnull)
{
	Assert(row < query->rows);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col, isnull);
}

bool
mig_col_null(MigQuery *query, uint64 row, int col)
{
	bool		isnull;

	(void) column(query, row, col, &isnull);
	return isnull;
}

char *
mig_col_text(MigQuery *query, uint64 row, int col)
{
	bool		isnull;
	Datum		value = column(query, row, col, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

int
mig_col_int(MigQuery *query, uint64 row, int col)
{
	bool		isnull;
	Datum		value = column(query, row, col, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

int64
mig_col_int64(MigQuery *query, uint64 row, int col)
{
	bool		isnull;
	Datum		value = column(query, row, col, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

double
mig_col_float(MigQuery *query, uint64 row, int col)
{
	bool		isnull;
	Datum		value = column(query, row, col, &isnull);

	return isnull ? 0 : DatumGetFloat8(value);
}

bool
mig_col_bool(MigQuery *query, uint64 row, int col)
{
	bool		isnull;
	Datum		value = column(query, row, col, &isnull);

	return isnull ? false : DatumGetBool(value);
}

Jsonb *
mig_col_jsonb(MigQuery *query, uint64 row, int col)
{
	bool		isnull;
	Datum		value = column(query, row, col, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

List *
mig_col_texts(MigQuery *query, uint64 row, int col)
{
	bool		isnull;
	Datum		value = column(query, row, col, &isnull);
	Datum	   *elems;
	int			n;
	List	   *result = NIL;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT,
					  &elems, NULL, &n);
	for (int i = 0; i < n; i++)
		result = lappend(result, TextDatumGetCString(elems[i]));
	return result;
}
