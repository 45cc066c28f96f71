/*-------------------------------------------------------------------------
 *
 * catalog_plan.c
 *	  Plans as they are stored, the state of their steps, measured rates.
 *
 * A plan is stored when its run starts, so that a run which is resumed
 * follows it.  There is one plan for the way forward, contract steps
 * included, and one for the way back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "catalog.h"
#include "catalog_run.h"
#include "query.h"
#include "settings.h"
#include "words.h"

/* Which of the two plans serves a direction. */
static const char *
plan_word(MigDirection direction)
{
	return direction == MIG_DIR_ROLLBACK ? "rollback" : "apply";
}

static void
arg_plan_key(MigQuery *query, const char *version, MigDirection direction)
{
	mig_arg_text(query, mig_current_scope());
	mig_arg_text(query, version);
	mig_arg_text(query, plan_word(direction));
}

/* [["schema.table", "ShareLock", false], ...]; the last: made by the migration itself. */
static char *
locks_to_json(List *locks)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '[');
	foreach(lc, locks)
	{
		MigLock    *lock = lfirst(lc);

		appendStringInfoString(&buf, lc == list_head(locks) ? "[" : ", [");
		escape_json(&buf, lock->relation);
		appendStringInfo(&buf, ", \"%s\", %s]", mig_lock_word(lock->mode),
						 lock->created ? "true" : "false");
	}
	appendStringInfoChar(&buf, ']');
	return buf.data;
}

static List *
locks_of_row(MigQuery *query, uint64 row, int col)
{
	List	   *names = mig_col_texts(query, row, col);
	List	   *modes = mig_col_texts(query, row, col + 1);
	List	   *created = mig_col_texts(query, row, col + 2);
	List	   *result = NIL;

	for (int i = 0; i < list_length(names); i++)
	{
		MigLock    *lock = palloc(sizeof(MigLock));

		lock->relation = list_nth(names, i);
		lock->mode = mig_lock_of(list_nth(modes, i));
		lock->created = strcmp(list_nth(created, i), "true") == 0;
		result = lappend(result, lock);
	}
	return result;
}

static void
append_batches(StringInfo buf, const MigBatches *batches)
{
	ListCell   *lc;

	appendStringInfoString(buf, ", \"table\": ");
	escape_json(buf, batches->table);
	appendStringInfoString(buf, ", \"whole\": ");
	escape_json(buf, batches->whole);
	if (batches->root)
	{
		appendStringInfoString(buf, ", \"root\": ");
		escape_json(buf, batches->root);
	}
	if (batches->first)
	{
		appendStringInfoString(buf, ", \"first\": ");
		escape_json(buf, batches->first);
		appendStringInfoString(buf, ", \"single\": ");
		escape_json(buf, batches->single);
	}
	appendStringInfoString(buf, ", \"keys\": [");
	foreach(lc, batches->keys)
	{
		if (lc != list_head(batches->keys))
			appendStringInfoString(buf, ", ");
		escape_json(buf, lfirst(lc));
	}
	appendStringInfoChar(buf, ']');
}

static char *
args_to_json(const MigStep *step)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"alone\": %s, \"ends_aborted\": %s, \"undoes\": %d",
					 step->alone ? "true" : "false",
					 step->ends_aborted ? "true" : "false", step->undoes);
	if (step->begin)
	{
		appendStringInfoString(&buf, ", \"begin\": ");
		escape_json(&buf, step->begin);
	}
	if (step->undo_late)
		appendStringInfoString(&buf, ", \"undo_late\": true");
	if (step->violates)
		appendStringInfo(&buf, ", \"violates\": \"%s\"", step->violates);
	if (step->batches)
		append_batches(&buf, step->batches);
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/* How far its backfills have come goes with a plan. */
static void
drop_cursors(const char *version, const char *direction)
{
	MigQuery	query;

	mig_query_begin(&query,
					"WITH f AS (DELETE FROM migrate_internal.failed_row"
					" WHERE scope = $1 AND version = $2 AND direction = coalesce($3, direction))"
					" DELETE FROM migrate_internal.cursor"
					" WHERE scope = $1 AND version = $2 AND direction = coalesce($3, direction)");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	mig_arg_text(&query, direction);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_catalog_drop_plan(const char *version)
{
	MigQuery	query;

	drop_cursors(version, NULL);
	mig_query_begin(&query,
					"DELETE FROM migrate_internal.step WHERE scope = $1 AND version = $2");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	mig_query_run(&query);
	mig_query_end(&query);
}

static void
drop_one_plan(const char *version, MigDirection direction)
{
	MigQuery	query;

	drop_cursors(version, plan_word(direction));
	mig_query_begin(&query,
					"DELETE FROM migrate_internal.step"
					" WHERE scope = $1 AND version = $2 AND direction = $3");
	arg_plan_key(&query, version, direction);
	mig_query_run(&query);
	mig_query_end(&query);
}

static void
store_step(const char *version, MigDirection direction, const MigStep *step)
{
	MigQuery	query;

	mig_query_begin(&query,
					"INSERT INTO migrate_internal.step (scope, version, direction, step, phase,"
					" kind, statement, line, tx, command, undo, relation, object, lock, locks,"
					" scans, rewrites, rows, bytes, estimate_ms, note, args, state)"
					" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
					" $15::jsonb, $16, $17, $18, $19, $20, $21, $22::jsonb, $23)");
	arg_plan_key(&query, version, direction);
	mig_arg_int(&query, step->step);
	mig_arg_text(&query, mig_phase_word(step->phase));
	mig_arg_text(&query, mig_kind_word(step->kind));
	mig_arg_int(&query, step->statement);
	mig_arg_int(&query, step->line);
	mig_arg_int(&query, step->tx);
	mig_arg_text(&query, step->command);
	mig_arg_text(&query, step->undo);
	mig_arg_text(&query, step->relation);
	mig_arg_text(&query, step->object);
	mig_arg_text(&query, mig_lock_word(step->lock));
	mig_arg_text(&query, locks_to_json(step->locks));
	mig_arg_bool(&query, step->scans);
	mig_arg_bool(&query, step->rewrites);
	mig_arg_int64(&query, step->rows, step->rows < 0);
	mig_arg_int64(&query, step->bytes, step->bytes < 0);
	mig_arg_int64(&query, step->estimate_ms, step->estimate_ms < 0);
	mig_arg_text(&query, step->note);
	mig_arg_text(&query, args_to_json(step));
	mig_arg_text(&query, step->state ? step->state : "pending");
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_catalog_store_plan(const char *version, const MigPlan *plan)
{
	ListCell   *lc;

	drop_one_plan(version, plan->direction);
	foreach(lc, plan->steps)
		store_step(version, plan->direction, lfirst(lc));
}

static int64
col_or_unknown(MigQuery *query, uint64 row, int col)
{
	return mig_col_null(query, row, col) ? -1 : mig_col_int64(query, row, col);
}

static MigStep *
step_of_row(MigQuery *query, uint64 row)
{
	MigStep    *step = palloc0(sizeof(MigStep));

	step->step = mig_col_int(query, row, 1);
	step->phase = mig_phase_of(mig_col_text(query, row, 2));
	step->kind = mig_kind_of(mig_col_text(query, row, 3));
	step->statement = mig_col_int(query, row, 4);
	step->line = mig_col_int(query, row, 5);
	step->tx = mig_col_int(query, row, 6);
	step->command = mig_col_text(query, row, 7);
	step->undo = mig_col_text(query, row, 8);
	step->relation = mig_col_text(query, row, 9);
	step->object = mig_col_text(query, row, 10);
	step->lock = mig_lock_of(mig_col_text(query, row, 11));
	step->scans = mig_col_bool(query, row, 12);
	step->rewrites = mig_col_bool(query, row, 13);
	step->rows = col_or_unknown(query, row, 14);
	step->bytes = col_or_unknown(query, row, 15);
	step->estimate_ms = col_or_unknown(query, row, 16);
	step->note = mig_col_text(query, row, 17);
	step->state = mig_col_text(query, row, 18);
	step->begin = mig_col_text(query, row, 19);
	step->alone = mig_col_bool(query, row, 20);
	step->ends_aborted = mig_col_bool(query, row, 21);
	step->undoes = mig_col_int(query, row, 22);
	step->violates = mig_col_text(query, row, 23);
	if (step->kind == MIG_STEP_BACKFILL || step->kind == MIG_STEP_FILL)
	{
		step->batches = palloc0(sizeof(MigBatches));
		step->batches->table = mig_col_text(query, row, 24);
		step->batches->whole = mig_col_text(query, row, 25);
		step->batches->first = mig_col_text(query, row, 26);
		step->batches->single = mig_col_text(query, row, 27);
		step->batches->keys = mig_col_texts(query, row, 28);
		step->batches->root = mig_col_text(query, row, 29);
	}
	step->undo_late = mig_col_bool(query, row, 30);
	step->locks = locks_of_row(query, row, 31);
	return step;
}

MigPlan *
mig_catalog_load_plan(const char *version, MigDirection direction)
{
	MigQuery	query;
	MigPlan    *plan = NULL;

	mig_query_begin(&query,
					"SELECT step, phase, kind, statement, line, tx, command, undo, relation, object,"
					" lock, scans, rewrites, rows, bytes, estimate_ms, note, state,"
					" args->>'begin', (args->>'alone')::bool, (args->>'ends_aborted')::bool,"
					" (args->>'undoes')::int, args->>'violates',"
					" args->>'table', args->>'whole', args->>'first', args->>'single',"
					" ARRAY(SELECT jsonb_array_elements_text(args->'keys')), args->>'root', (args->>'undo_late')::bool,"
					" ARRAY(SELECT l->>0 FROM jsonb_array_elements(locks) WITH ORDINALITY a(l, n) ORDER BY n),"
					" ARRAY(SELECT l->>1 FROM jsonb_array_elements(locks) WITH ORDINALITY a(l, n) ORDER BY n),"
					" ARRAY(SELECT l->>2 FROM jsonb_array_elements(locks) WITH ORDINALITY a(l, n) ORDER BY n)"
					" FROM migrate_internal.step"
					" WHERE scope = $1 AND version = $2 AND direction = $3 ORDER BY step");
	arg_plan_key(&query, version, direction);
	if (mig_query_run(&query) > 0)
	{
		plan = palloc0(sizeof(MigPlan));
		plan->version = pstrdup(version);
		plan->direction = direction;
		for (uint64 i = 0; i < query.rows; i++)
		{
			MigStep    *step = step_of_row(&query, i);

			plan->steps = lappend(plan->steps, step);
			plan->has_contract |= step->phase == MIG_CONTRACT;
		}
	}
	mig_query_end(&query);
	return plan;
}

void
mig_catalog_step_state(const char *version, MigDirection direction,
					   int step, const char *state)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.step SET state = $5,"
					" started_at = CASE WHEN $5 = 'started' THEN clock_timestamp() ELSE started_at END,"
					" finished_at = CASE WHEN $5 IN ('done', 'undone') THEN clock_timestamp() END"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4");
	arg_plan_key(&query, version, direction);
	mig_arg_int(&query, step);
	mig_arg_text(&query, state);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_catalog_step_undo(const char *version, MigDirection direction, int step, const char *undo)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.step SET undo = $5"
					" WHERE scope = $1 AND version = $2 AND direction = $3 AND step = $4");
	arg_plan_key(&query, version, direction);
	mig_arg_int(&query, step);
	mig_arg_text(&query, undo);
	mig_query_run(&query);
	mig_query_end(&query);
}

char *
mig_catalog_contract_on(const char *relation, const char *except)
{
	MigQuery	query;
	char	   *version = NULL;

	mig_query_begin(&query,
					"SELECT m.version FROM migrate_internal.migration m"
					" JOIN migrate_internal.step s USING (scope, version)"
					" WHERE m.state NOT IN ('pending', 'applied') AND m.version <> $2"
					" AND s.direction = 'apply' AND s.phase = 'contract' AND s.state <> 'done'"
					" AND EXISTS (SELECT FROM jsonb_array_elements(s.locks) l WHERE l->>0 = $1)"
					" LIMIT 1");
	mig_arg_text(&query, relation);
	mig_arg_text(&query, except);
	if (mig_query_run(&query) > 0)
		version = mig_col_text(&query, 0, 1);
	mig_query_end(&query);
	return version;
}

List *
mig_catalog_rates(void)
{
	MigQuery	query;
	List	   *result = NIL;

	mig_query_begin(&query,
					"SELECT kind, sum(duration_ms), sum(bytes)::float8, count(*)"
					" FROM (SELECT kind, duration_ms, bytes FROM migrate_internal.event"
					" WHERE event = 'step done' AND bytes > 1000000 AND duration_ms > 0"
					" ORDER BY id DESC LIMIT 1000) e GROUP BY kind");
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
	{
		MigRate    *rate = palloc(sizeof(MigRate));

		rate->kind = mig_kind_of(mig_col_text(&query, i, 1));
		rate->ms = mig_col_float(&query, i, 2);
		rate->bytes = mig_col_float(&query, i, 3);
		rate->steps = mig_col_int64(&query, i, 4);
		result = lappend(result, rate);
	}
	mig_query_end(&query);
	return result;
}

void
mig_catalog_failed_rows(const char *version, int64 run, const MigStep *step,
						List *keys, const char *sqlstate, const char *message)
{
	MigQuery	query;

	mig_query_begin(&query,
					"WITH old AS (DELETE FROM migrate_internal.failed_row"
					" WHERE scope = $1 AND version = $2 AND run <> $3)"
					" INSERT INTO migrate_internal.failed_row (scope, version, run, step, relation,"
					" key, sqlstate, message)"
					" SELECT $1, $2, $3, $4, $5, k, $7, $8 FROM unnest($6) k");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, version);
	mig_arg_int64(&query, run, false);
	mig_arg_int(&query, step->step);
	mig_arg_text(&query, step->relation);
	mig_arg_texts(&query, keys, false);
	mig_arg_text(&query, sqlstate);
	mig_arg_text(&query, message);
	mig_query_run(&query);
	mig_query_end(&query);
}
