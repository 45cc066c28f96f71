/*-------------------------------------------------------------------------
 *
 * api_check.c
 *	  check(): arguments, the queries that clients are known to use, rows.
 *
 * The queries are read with the rights of the caller; all else happens in the
 * restricted context that explain() has.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "check.h"
#include "session.h"
#include "words.h"

PG_FUNCTION_INFO_V1(mig_check_sql);

#define CHECK_COLUMNS 13
#define MAX_STATEMENTS 5000		/* of pg_stat_statements */

/* --- the queries of clients --- */

/* Two columns, where it comes from and its text; read-only, as the caller. */
static List *
read_queries(List *queries, const char *sql, bool prepared)
{
	MemoryContext caller = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute(sql, true, MAX_STATEMENTS) == SPI_OK_SELECT)
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			char	   *origin = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
			char	   *text = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
			MemoryContext old;
			MigKnownQuery *query;

			if (origin == NULL || text == NULL)
				continue;
			old = MemoryContextSwitchTo(caller);
			query = palloc0(sizeof(MigKnownQuery));
			query->origin = pstrdup(origin);
			query->text = pstrdup(text);
			query->prepared = prepared;
			queries = lappend(queries, query);
			MemoryContextSwitchTo(old);
		}
	SPI_finish();
	return queries;
}

/* The view is there without its library being loaded, and then raises an error. */
static List *
try_queries(List *queries, const char *sql)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	List	   *volatile found = queries;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		found = read_queries(list_copy(queries), sql, false);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE &&
			error->sqlerrcode != ERRCODE_INSUFFICIENT_PRIVILEGE)
			ReThrowError(error);
	}
	PG_END_TRY();
	return found;
}

static char *
statistics_view(void)
{
	char	   *view = NULL;
	MemoryContext caller = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SELECT extnamespace::pg_catalog.regnamespace::pg_catalog.text"
					" FROM pg_catalog.pg_extension"
					" WHERE extname OPERATOR(pg_catalog.=) 'pg_stat_statements'", true, 1) == SPI_OK_SELECT &&
		SPI_processed == 1)
		view = MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return view ? psprintf("%s.pg_stat_statements", view) : NULL;
}

static List *
known_queries(void)
{
	List	   *queries = NIL;
	char	   *view = statistics_view();

	queries = read_queries(queries,
						   "SELECT 'prepared statement ' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(name), statement"
						   " FROM pg_catalog.pg_prepared_statements ORDER BY name", true);
	queries = read_queries(queries,
						   "SELECT 'function ' OPERATOR(pg_catalog.||) p.oid::pg_catalog.regprocedure::pg_catalog.text, p.prosrc"
						   " FROM pg_catalog.pg_proc p"
						   " JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang"
						   " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace"
						   " WHERE l.lanname OPERATOR(pg_catalog.=) 'sql' AND p.prosqlbody IS NULL"
						   " AND n.nspname OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog', 'information_schema']::pg_catalog.name[])"
						   " ORDER BY 1", false);
	if (view)
		queries = try_queries(queries,
							  psprintf("SELECT 'query ' OPERATOR(pg_catalog.||) queryid::pg_catalog.text OPERATOR(pg_catalog.||) ' of pg_stat_statements', query"
									   " FROM %s WHERE dbid OPERATOR(pg_catalog.=)"
									   " (SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database())"
									   " ORDER BY calls DESC", view));
	return queries;
}

/* --- rows --- */

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text)
		values[column] = CStringGetTextDatum(text);
}

static void
put_finding(ReturnSetInfo *rsinfo, const MigFinding *finding)
{
	Datum		values[CHECK_COLUMNS] = {0};
	bool		nulls[CHECK_COLUMNS] = {false};

	values[0] = Int32GetDatum(finding->statement);
	values[1] = Int32GetDatum(finding->line);
	put_text(values, nulls, 2, finding->rule);
	put_text(values, nulls, 3, finding->severity);
	put_text(values, nulls, 4, finding->relation);
	put_text(values, nulls, 5, mig_lock_word(finding->lock));
	values[6] = BoolGetDatum(finding->scans);
	values[7] = BoolGetDatum(finding->rewrites);
	values[8] = BoolGetDatum(finding->breaks);
	values[9] = Int64GetDatum(finding->rows);
	nulls[9] = finding->rows < 0;
	values[10] = Int64GetDatum(finding->bytes);
	nulls[10] = finding->bytes < 0;
	put_text(values, nulls, 11, finding->message);
	put_text(values, nulls, 12, finding->instead && finding->instead[0] ? finding->instead : NULL);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * migrate.check(sql text) returns setof record
 *
 * A row for each relation that a statement locks, more than one where there
 * is more than one thing to say about it.  Errors: those of explain() for SQL
 * that cannot be understood; what the server would refuse is a row.
 */
Datum
mig_check_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MigIdentity save;
	List	   *queries;
	List	   *findings;
	ListCell   *lc;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("sql must not be null")));
	queries = known_queries();
	mig_identity_owner(GetUserNameFromId(GetUserId(), false), pstrdup(namespace_search_path), &save);
	findings = mig_check(text_to_cstring(PG_GETARG_TEXT_PP(0)), queries);
	mig_identity_restore(&save);

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, findings)
		put_finding(rsinfo, lfirst(lc));
	return (Datum) 0;
}
