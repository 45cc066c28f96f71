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
					"SELECT lower, upper, file, pass, pass_changed, rows, window_end, part, done, hot, wal_bytes"
					" FROM migrate_internal.cursor"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4 AND range = $5");
	arg_step(&query, cursor);
	mig_arg_int(&query, cursor->range);
	found = mig_query_run(&query) > 0;
	if (found)
	{
		cursor->lower = mig_col_texts(&query, 0, 1);
		cursor->upper = mig_col_texts(&query, 0, 2);
		cursor->file = mig_col_text(&query, 0, 3);
		cursor->pass = mig_col_int(&query, 0, 4);
		cursor->pass_changed = mig_col_int64(&query, 0, 5);
		cursor->rows = mig_col_int64(&query, 0, 6);
		cursor->window_end = mig_col_texts(&query, 0, 7);
		cursor->part = mig_col_int(&query, 0, 8);
		cursor->done = mig_col_int64(&query, 0, 9);
		cursor->hot = mig_col_int64(&query, 0, 10);
		cursor->wal_bytes = mig_col_int64(&query, 0, 11);
	}
	mig_query_end(&query);
	return found;
}

bool
mig_cursor_has_moved(const char *version, MigDirection direction, int step)
{
	MigCursor	cursor = {.version = version, .direction = direction, .step = step};
	MigQuery	query;
	bool		moved;

	mig_query_begin(&query,
					"SELECT FROM migrate_internal.cursor"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4"
					" AND (rows > 0 OR pass > 1 OR range > 1"
					" OR lower IS NOT NULL AND (file IS NULL OR lower <> '{0}'))");
	arg_step(&query, &cursor);
	moved = mig_query_run(&query) > 0;
	mig_query_end(&query);
	return moved;
}

void
mig_cursor_save(const MigCursor *cursor)
{
	MigQuery	query;

	mig_query_begin(&query,
					"INSERT INTO migrate_internal.cursor (scope, version, direction, step, range, lower, upper,"
					" file, pass, pass_changed, rows, window_end, part, done, hot, wal_bytes)"
					" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
					" ON CONFLICT (scope, version, direction, step, range) DO UPDATE SET lower = excluded.lower,"
					" upper = excluded.upper, file = excluded.file, pass = excluded.pass,"
					" pass_changed = excluded.pass_changed, rows = excluded.rows,"
					" window_end = excluded.window_end, part = excluded.part, done = excluded.done,"
					" hot = excluded.hot, wal_bytes = excluded.wal_bytes");
	arg_step(&query, cursor);
	mig_arg_int(&query, cursor->range);
	mig_arg_texts(&query, cursor->lower, cursor->lower == NIL);
	mig_arg_texts(&query, cursor->upper, cursor->upper == NIL);
	mig_arg_text(&query, cursor->file);
	mig_arg_int(&query, cursor->pass);
	mig_arg_int64(&query, cursor->pass_changed, false);
	mig_arg_int64(&query, cursor->rows, false);
	mig_arg_texts(&query, cursor->window_end, cursor->window_end == NIL);
	mig_arg_int(&query, cursor->part);
	mig_arg_int64(&query, cursor->done, false);
	mig_arg_int64(&query, cursor->hot, false);
	mig_arg_int64(&query, cursor->wal_bytes, false);
	mig_query_run(&query);
	mig_query_end(&query);
}

List *
mig_cursor_open_ranges(const MigCursor *cursor)
{
	MigQuery	query;
	List	   *result = NIL;

	mig_query_begin(&query,
					"SELECT range FROM migrate_internal.cursor"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4"
					" AND lower IS DISTINCT FROM upper AND upper IS NOT NULL ORDER BY range");
	arg_step(&query, cursor);
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
		result = lappend_int(result, mig_col_int(&query, i, 1));
	mig_query_end(&query);
	return result;
}

void
mig_cursor_sum(const MigCursor *cursor, MigCursorSum *sum)
{
	MigQuery	query;

	mig_query_begin(&query,
					"SELECT coalesce(sum(pass_changed), 0)::bigint, coalesce(sum(rows), 0)::bigint,"
					" coalesce(sum(done), 0)::bigint, coalesce(max(range), 0) FROM migrate_internal.cursor"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4");
	arg_step(&query, cursor);
	mig_query_run(&query);
	sum->pass_changed = mig_col_int64(&query, 0, 1);
	sum->rows = mig_col_int64(&query, 0, 2);
	sum->done = mig_col_int64(&query, 0, 3);
	sum->last = mig_col_int(&query, 0, 4);
	mig_query_end(&query);
}

void
mig_cursor_merge(MigCursor *cursor)
{
	MigQuery	query;

	mig_query_begin(&query,
					"WITH gone AS (DELETE FROM migrate_internal.cursor"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4"
					" RETURNING rows, hot, wal_bytes)"
					" SELECT coalesce(sum(rows), 0)::bigint, coalesce(sum(hot), 0)::bigint,"
					" coalesce(sum(wal_bytes), 0)::bigint FROM gone");
	arg_step(&query, cursor);
	mig_query_run(&query);
	cursor->rows = mig_col_int64(&query, 0, 1);
	cursor->hot = mig_col_int64(&query, 0, 2);
	cursor->wal_bytes = mig_col_int64(&query, 0, 3);
	mig_query_end(&query);
}

void
mig_run_progress(int64 run, int64 done, int64 total, const char *unit, int workers)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.run SET done = $2, total = $3, unit = $4, workers = $5,"
					" wait_until = NULL WHERE id = $1");
	mig_arg_int64(&query, run, false);
	mig_arg_int64(&query, done, done < 0);
	mig_arg_int64(&query, total, total < 0);
	mig_arg_text(&query, unit);
	mig_arg_int(&query, workers);
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
	mig_arg_texts(&query, values, values == NIL);
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

void
mig_failed_rows_forget(const MigCursor *cursor)
{
	MigQuery	query;

	mig_query_begin(&query,
					"DELETE FROM migrate_internal.failed_row"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4");
	arg_step(&query, cursor);
	mig_query_run(&query);
	mig_query_end(&query);
}

int64
mig_failed_rows_count(const MigCursor *cursor)
{
	MigQuery	query;
	int64		n;

	mig_query_begin(&query,
					"SELECT count(*) FROM migrate_internal.failed_row"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4");
	arg_step(&query, cursor);
	mig_query_run(&query);
	n = mig_col_int64(&query, 0, 1);
	mig_query_end(&query);
	return n;
}
