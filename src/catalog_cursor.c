/*-------------------------------------------------------------------------
 *
 * catalog_cursor.c
 *	  How far a backfill has come, and the rows that it could not take.
 *
 * The cursor moves in the transaction of each batch: a crash repeats nothing
 * and skips nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog_cursor.h"
#include "query.h"
#include "settings.h"

static void
arg_step(MigQuery *query, const MigCursor *cursor)
{
	mig_arg_text(query, mig_current_scope());
	mig_arg_text(query, cursor->version);
	mig_arg_text(query, cursor->direction == MIG_DIR_ROLLBACK ? "rollback" : "apply");
	mig_arg_int(query, cursor->step);
}

bool
mig_cursor_load(MigCursor *cursor)
{
	MigQuery	query;
	bool		found;

	mig_query_begin(&query,
					"SELECT lower, upper, file, pass, pass_changed, rows FROM migrate_internal.cursor"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4");
	arg_step(&query, cursor);
	found = mig_query_run(&query) > 0;
	if (found)
	{
		cursor->lower = mig_col_texts(&query, 0, 1);
		cursor->upper = mig_col_texts(&query, 0, 2);
		cursor->file = mig_col_text(&query, 0, 3);
		cursor->pass = mig_col_int(&query, 0, 4);
		cursor->pass_changed = mig_col_int64(&query, 0, 5);
		cursor->rows = mig_col_int64(&query, 0, 6);
	}
	mig_query_end(&query);
	return found;
}

void
mig_cursor_save(const MigCursor *cursor)
{
	MigQuery	query;

	mig_query_begin(&query,
					"INSERT INTO migrate_internal.cursor (scope, version, direction, step, lower, upper,"
					" file, pass, pass_changed, rows) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
					" ON CONFLICT (scope, version, direction, step) DO UPDATE SET lower = excluded.lower,"
					" upper = excluded.upper, file = excluded.file, pass = excluded.pass,"
					" pass_changed = excluded.pass_changed, rows = excluded.rows");
	arg_step(&query, cursor);
	mig_arg_texts(&query, cursor->lower, cursor->lower == NIL);
	mig_arg_texts(&query, cursor->upper, cursor->upper == NIL);
	mig_arg_text(&query, cursor->file);
	mig_arg_int(&query, cursor->pass);
	mig_arg_int64(&query, cursor->pass_changed, false);
	mig_arg_int64(&query, cursor->rows, false);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_run_progress(int64 run, int64 done, int64 total, const char *unit)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.run SET done = $2, total = $3, unit = $4,"
					" wait_until = NULL WHERE id = $1");
	mig_arg_int64(&query, run, false);
	mig_arg_int64(&query, done, done < 0);
	mig_arg_int64(&query, total, total < 0);
	mig_arg_text(&query, unit);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_failed_row_add(const MigCursor *cursor, int64 run, const char *relation, const char *key,
				   List *values, const char *sqlstate, const char *message)
{
	MigQuery	query;

	mig_query_begin(&query,
					"INSERT INTO migrate_internal.failed_row (scope, version, run, step, relation, key,"
					" key_values, sqlstate, message, direction) VALUES ($1, $2, $5, $4, $6, $7, $8, $9, $10, $3)");
	arg_step(&query, cursor);
	mig_arg_int64(&query, run, false);
	mig_arg_text(&query, relation);
	mig_arg_text(&query, key);
	mig_arg_texts(&query, values, false);
	mig_arg_text(&query, sqlstate);
	mig_arg_text(&query, message);
	mig_query_run(&query);
	mig_query_end(&query);
}

List *
mig_failed_rows_of(const MigCursor *cursor)
{
	MigQuery	query;
	List	   *result = NIL;

	mig_query_begin(&query,
					"SELECT key_values FROM migrate_internal.failed_row"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4 AND key_values IS NOT NULL");
	arg_step(&query, cursor);
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
		result = lappend(result, mig_col_texts(&query, i, 1));
	mig_query_end(&query);
	return result;
}

void
mig_failed_row_remove(const MigCursor *cursor, List *values)
{
	MigQuery	query;

	mig_query_begin(&query,
					"DELETE FROM migrate_internal.failed_row"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4 AND key_values = $5");
	arg_step(&query, cursor);
	mig_arg_texts(&query, values, false);
	mig_query_run(&query);
	mig_query_end(&query);
}

int64
mig_failed_rows_count(const MigCursor *cursor)
{
	return list_length(mig_failed_rows_of(cursor));
}
