/*-------------------------------------------------------------------------
 *
 * rehearse.c
 *	  Up, verify and down of a migration, in a transaction that is rolled back.
 *
 *	  begin a subtransaction, become the owner
 *		  each step of up, in a subtransaction of its own that is kept
 *		  verify, in one that is rolled back
 *		  each step of down
 *		  compare the schema with what it was
 *	  roll back
 *
 * A real run takes its locks by the ladder; here each step takes its own, so
 * that what is reported is what the server really took.  To make nobody wait:
 * while a holder of a lock that the plan foresees is slow, the step is not
 * begun; lock_timeout = migrate.stall_limit bounds each wait, and a step that
 * missed a lock is tried again.  Locks stay until all is rolled back, so a
 * clock bounds for how long writers may be locked out (rehearse_watch.c).
 *
 * What cannot be undone by a rollback: what nextval() gave, and what code of
 * the owner does outside of this database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/instrument.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "catalog.h"
#include "fingerprint.h"
#include "lock_holders.h"
#include "plan.h"
#include "rehearse.h"
#include "rehearse_watch.h"
#include "relation.h"
#include "run_state.h"
#include "session.h"
#include "settings.h"
#include "sqlgen.h"

#define LOCK_PATIENCE_MS 5000	/* for the locks of one step */
#define LOCK_PAUSE_MS 20
#define MAX_DIFFERENCES 100		/* that are listed */

typedef struct Rehearsing
{
	const Migration *migration;
	MemoryContext context;		/* rows live here */
	MigRehearseWatch watch;
	List	   *rows;			/* of MigRehearsal */
	char	   *stopped;		/* why it does not go on, or NULL */
} Rehearsing;

/* What a subtransaction is to do. */
typedef void (*Work) (Rehearsing *r, void *arg);

/* --- rows --- */

static MigRehearsal *
add_row(Rehearsing *r, const char *direction)
{
	MigRehearsal *row = palloc0(sizeof(MigRehearsal));

	row->direction = direction;
	r->rows = lappend(r->rows, row);
	return row;
}

static MigRehearsal *
add_step_row(Rehearsing *r, const char *direction, const MigStep *step)
{
	MigRehearsal *row = add_row(r, direction);

	row->step = step->step;
	row->line = step->line;
	row->command = step->command;
	row->relation = step->relation;
	return row;
}

static void
leave_out(MigRehearsal *row, const char *why)
{
	row->outcome = MIG_NOT_REHEARSED;
	row->message = why;
}

/* --- one subtransaction --- */

/* Is the query to end, and not just a step? */
static bool
ends_query(const ErrorData *error)
{
	return !mig_rehearse_is_over() &&
		(error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		 ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION);
}

/* Do some work in a subtransaction; keep it or roll it back.  The error, or NULL. */
static ErrorData *
try_work(Rehearsing *r, Work work, void *arg, bool keep)
{
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(r->context);
	PG_TRY();
	{
		work(r, arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(r->context);
		error = CopyErrorData();
		if (ends_query(error))
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error == NULL && keep)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(r->context);
	CurrentResourceOwner = owner;
	return error;
}

static void
set_for_transaction(const char *name, int ms)
{
	(void) set_config_option(name, psprintf("%d", ms), PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * A wait for a lock ends at stall_limit; an autovacuum in the way is cancelled
 * when deadlock_timeout is over (ProcSleep in storage/lmgr/proc.c).
 */
static void
bound_waits(void)
{
	set_for_transaction("lock_timeout", mig_stall_limit);
	set_for_transaction("deadlock_timeout", Max(mig_stall_limit / 3, 1));
}

/* --- what is sent --- */

static bool
is_small(const MigStep *step)
{
	Oid			relid = step->relation ? mig_relation_by_name(step->relation) : InvalidOid;
	int64		rows;
	int64		bytes;

	if (!OidIsValid(relid))
		return true;
	mig_relation_size(relid, step->relation, &rows, &bytes);
	return bytes <= (int64) mig_small_table * 1024;
}

/* What to send for a step; NULL, with the reason in the row, if it has to be left out. */
static const char *
command_of(const MigStep *step, MigRehearsal *row)
{
	const char *plain;

	if (!step->alone)
		return step->command;
	switch (step->kind)
	{
		case MIG_STEP_CREATE_INDEX:
		case MIG_STEP_REINDEX:
			if (!is_small(step))
			{
				leave_out(row, "left out: it cannot run concurrently in a transaction, and its table is not small");
				return NULL;
			}
			break;
		case MIG_STEP_DROP_INDEX:
		case MIG_STEP_DETACH:
			break;
		default:
			leave_out(row, "left out: it cannot run inside a transaction block");
			return NULL;
	}
	plain = mig_sql_without(step->command, "concurrently");
	if (plain == NULL)
		leave_out(row, "left out: it cannot run inside a transaction block");
	else
		row->message = "in its plain form";
	return plain;
}

/* --- a step --- */

typedef struct Attempt
{
	const MigStep *step;
	const char *command;
	MigRehearsal *row;
} Attempt;

static void
execute(Rehearsing *r, void *arg)
{
	Attempt    *attempt = arg;
	instr_time	start,
				end;
	uint64		wal = pgWalUsage.wal_bytes;
	int			rc;

	bound_waits();
	CommandCounterIncrement();
	INSTR_TIME_SET_CURRENT(start);
	SPI_connect();
	rc = SPI_execute(attempt->command, false, 0);
	if (rc < 0)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("cannot run inside a function: %s", SPI_result_code_string(rc))));
	attempt->row->rows = SPI_processed;
	SPI_finish();
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	attempt->row->ms = INSTR_TIME_GET_MILLISEC(end);
	attempt->row->wal_bytes = pgWalUsage.wal_bytes - wal;
	attempt->row->measured = true;
	if (attempt->step->kind == MIG_STEP_LOOK && attempt->row->rows > 0)
	{
		const char *code = attempt->step->violates ? attempt->step->violates : "23000";

		ereport(ERROR,
				(errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])),
				 errmsg("rows of %s would violate the new constraint", attempt->step->relation)));
	}
}

/* Is the statement itself a utility command, that passes the hook? */
static bool
is_utility(const char *command)
{
	Node	   *node = linitial_node(RawStmt, raw_parser(command, RAW_PARSE_DEFAULT))->stmt;

	return !(IsA(node, SelectStmt) || IsA(node, InsertStmt) || IsA(node, UpdateStmt) ||
			 IsA(node, DeleteStmt) || IsA(node, MergeStmt));
}

/* The relation of a lock that the step will have to ask for; InvalidOid: it was not there before. */
static Oid
foreseen(const Rehearsing *r, const MigLock *lock)
{
	Oid			relid = mig_relation_by_name(lock->relation);

	return OidIsValid(relid) && mig_rehearse_was_there(&r->watch, relid) ? relid : InvalidOid;
}

static bool
will_lock_out_writers(const Rehearsing *r, const MigStep *step)
{
	ListCell   *lc;

	foreach(lc, step->locks)
		if (((MigLock *) lfirst(lc))->mode >= ShareLock && OidIsValid(foreseen(r, lfirst(lc))))
			return true;
	return false;
}

/* Who will not soon release what the step needs; NULL: nobody. */
static char *
slow_holders(const Rehearsing *r, const MigStep *step)
{
	ListCell   *lc;

	mig_holders_refresh();
	foreach(lc, step->locks)
	{
		MigLock    *lock = lfirst(lc);
		Oid			relid = lock->mode > RowExclusiveLock ? foreseen(r, lock) : InvalidOid;

		if (OidIsValid(relid) && mig_holders_are_slow(relid, lock->mode, mig_stall_limit))
		{
			char	   *holders = mig_lock_holders(relid, lock->mode);

			return psprintf("%s is held by %s", lock->relation, holders ? holders : "another session");
		}
	}
	return NULL;
}

static void
pause_a_while(int ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Wait for the holders of its locks, in vain: the row says so. */
static bool
wait_for_holders(Rehearsing *r, const MigStep *step, MigRehearsal *row, TimestampTz until)
{
	char	   *holders;

	while ((holders = slow_holders(r, step)) != NULL)
	{
		if (GetCurrentTimestamp() >= until)
		{
			row->sqlstate = "55P03";
			row->message = psprintf("could not get its locks: %s", holders);
			return false;
		}
		pause_a_while(LOCK_PAUSE_MS);
	}
	return true;
}

/* In a transaction of its own it would have run: no fault of the migration's. */
static bool
is_for_want_of_transaction(const ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_ACTIVE_SQL_TRANSACTION:
		case ERRCODE_INVALID_TRANSACTION_TERMINATION:
		case ERRCODE_UNSAFE_NEW_ENUM_VALUE_USAGE:
		case ERRCODE_OBJECT_IN_USE:
			return true;
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			/* the server has no code of its own for it */
			return strstr(error->message, "security-restricted operation") != NULL;
		default:
			return false;
	}
}

static char *
text_of_error(const ErrorData *error)
{
	return error->detail ? psprintf("%s: %s", error->message, error->detail) :
		pstrdup(error->message);
}

/* The clock has run out; by which lock? */
static void
give_up(Rehearsing *r, MigRehearsal *row)
{
	char	   *held = mig_rehearse_held(&r->watch);

	row->outcome = MIG_WENT_WRONG;
	row->sqlstate = "57014";
	row->message = psprintf("gave up: a lock that blocks writes on %s had been held for %d ms",
							held ? held : row->relation ? row->relation : "a table that was there before",
							r->watch.max_lock);
	r->stopped = "the rehearsal was given up";
}

static void
report_error(Rehearsing *r, MigRehearsal *row, const ErrorData *error)
{
	row->sqlstate = pstrdup(unpack_sql_state(error->sqlerrcode));
	row->locks = NIL;
	row->measured = false;
	if (mig_rehearse_is_over())
		give_up(r, row);
	else if (is_for_want_of_transaction(error))
		leave_out(row, psprintf("left out: %s", text_of_error(error)));
	else
	{
		row->outcome = MIG_WENT_WRONG;
		row->message = text_of_error(error);
		r->stopped = psprintf("step %d of %s went wrong", row->step, row->direction);
	}
}

static void
rehearse_step(Rehearsing *r, MigStep *step, const char *direction)
{
	MigRehearsal *row = add_step_row(r, direction, step);
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOCK_PATIENCE_MS);
	Attempt		attempt = {step, command_of(step, row), row};
	ErrorData  *error;

	if (attempt.command == NULL)
		return;
	row->command = attempt.command;
	r->watch.own_levels = is_utility(attempt.command) ? 1 : 0;
	for (;;)
	{
		bool		held = r->watch.held_since != 0;

		if (!wait_for_holders(r, step, row, until))
		{
			row->outcome = MIG_WENT_WRONG;
			r->stopped = psprintf("step %d of %s did not get its locks", step->step, direction);
			return;
		}
		if (will_lock_out_writers(r, step))
			mig_rehearse_hold(&r->watch);
		r->watch.depth = 0;
		error = try_work(r, execute, &attempt, true);
		if (error == NULL)
			mig_rehearse_look(&r->watch, row);
		else if (!held && !mig_rehearse_is_over())
			mig_rehearse_release(&r->watch);
		if (error == NULL || error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE ||
			mig_rehearse_is_over() || GetCurrentTimestamp() >= until)
			break;
		pause_a_while(LOCK_PAUSE_MS);
	}
	if (error)
		report_error(r, row, error);
	else if (mig_rehearse_is_over())
		give_up(r, row);
	else
		step->state = "done";
}

/* --- the parts --- */

/* Steps from "first" that share a transaction which was written to end with ROLLBACK. */
typedef struct Aborted
{
	List	   *steps;
	const char *direction;
} Aborted;

static void
run_aborted(Rehearsing *r, void *arg)
{
	Aborted    *aborted = arg;
	ListCell   *lc;

	foreach(lc, aborted->steps)
		if (r->stopped == NULL)
			rehearse_step(r, lfirst(lc), aborted->direction);
}

static List *
steps_of_tx(List *steps, int tx)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, steps)
		if (((MigStep *) lfirst(lc))->tx == tx)
			result = lappend(result, lfirst(lc));
	return result;
}

static void
rehearse_steps(Rehearsing *r, List *steps, const char *direction)
{
	int			aborted_tx = 0;
	ListCell   *lc;

	foreach(lc, steps)
	{
		MigStep    *step = lfirst(lc);

		if (step->ends_aborted && step->tx == aborted_tx)
			continue;
		if (r->stopped)
			leave_out(add_step_row(r, direction, step), "not reached");
		else if (step->ends_aborted)
		{
			Aborted		aborted = {steps_of_tx(steps, step->tx), direction};
			ErrorData  *error;

			aborted_tx = step->tx;
			error = try_work(r, run_aborted, &aborted, false);
			mig_rehearse_rolled_back(&r->watch);
			if (error)
				report_error(r, llast(r->rows), error);
		}
		else
			rehearse_step(r, step, direction);
	}
}

static void
verify(Rehearsing *r, void *arg)
{
	MigRun		run = {0};

	run.version = r->migration->version;
	run.migration = unconstify(Migration *, r->migration);
	bound_waits();
	mig_run_verify(&run);
}

static void
rehearse_verify(Rehearsing *r)
{
	MigRehearsal *row;
	ErrorData  *error;

	if (r->migration->verify == NULL)
		return;
	row = add_row(r, "verify");
	row->command = r->migration->verify;
	if (r->stopped)
	{
		leave_out(row, "not reached");
		return;
	}
	r->watch.own_levels = 0;
	r->watch.depth = 0;
	error = try_work(r, verify, NULL, false);
	if (error)
	{
		report_error(r, row, error);
		if (!mig_rehearse_is_over())
			r->stopped = NULL;	/* the way back can be rehearsed all the same */
	}
}

typedef struct WayBack
{
	MigPlan    *forward;
	MigPlan    *plan;
} WayBack;

/* As a run would choose it: the written down, or the undo of each step. */
static void
plan_back(Rehearsing *r, void *arg)
{
	WayBack    *back = arg;
	MigPlanContext context = {0};

	context.version = r->migration->version;
	context.direction = MIG_DIR_ROLLBACK;
	context.as_written = mig_settings_as_written(r->migration->options);
	context.complete = true;
	context.what = r->migration->down ? "down" : "up";
	back->plan = r->migration->down ? mig_plan_build(r->migration->down, &context) :
		mig_plan_reverse(back->forward, &context);
}

static void
rehearse_down(Rehearsing *r, MigPlan *forward)
{
	WayBack		back = {forward, NULL};
	ErrorData  *error;

	if (r->stopped)
	{
		leave_out(add_row(r, "down"), psprintf("not reached: %s", r->stopped));
		return;
	}
	CommandCounterIncrement();
	error = try_work(r, plan_back, &back, true);
	if (error == NULL)
		rehearse_steps(r, back.plan->steps, "down");
	else
		report_error(r, add_row(r, "down"), error);
}

static void
compare(Rehearsing *r, void *arg)
{
	MigRehearsal *row = add_row(r, "schema");
	List	   *touched;
	List	   *differences;
	int			n = 0;
	ListCell   *lc;

	differences = mig_fingerprint_compare(arg, mig_rehearse_touched(&r->watch, &touched) ?
										  mig_fingerprint_again(arg, touched) : mig_fingerprint());
	if (differences == NIL)
	{
		row->message = "down restores the schema exactly";
		return;
	}
	row->outcome = MIG_WENT_WRONG;
	row->message = psprintf("after down the schema differs in %d %s:", list_length(differences),
							list_length(differences) == 1 ? "place" : "places");
	foreach(lc, differences)
		if (n++ < MAX_DIFFERENCES)
			row->message = psprintf("%s\n%s", row->message, (char *) lfirst(lc));
}

static void
rehearse_schema(Rehearsing *r, MigFingerprint *before)
{
	ErrorData  *error;

	if (r->stopped)
	{
		leave_out(add_row(r, "schema"), psprintf("not compared: %s", r->stopped));
		return;
	}
	CommandCounterIncrement();
	error = try_work(r, compare, before, false);
	if (error)
		report_error(r, llast(r->rows), error);
}

/* --- all of it --- */

static MigPlan *
plan_up(const Migration *m)
{
	MigPlanContext context = {0};
	MigIdentity save;
	MigPlan    *plan;

	context.version = m->version;
	context.what = "up";
	context.direction = MIG_DIR_APPLY;
	context.as_written = mig_settings_as_written(m->options);
	context.complete = mig_auto_complete;
	mig_identity_owner(m->owner, m->search_path, &save);
	plan = mig_plan_build(m->up, &context);
	mig_identity_restore(&save);
	return plan;
}

/* What is rolled back as a whole. */
static void
rehearse_all(Rehearsing *r, MigPlan *plan)
{
	MigFingerprint *before;
	MigIdentity save;

	bound_waits();
	before = mig_fingerprint();
	mig_identity_owner(r->migration->owner, r->migration->search_path, &save);
	rehearse_steps(r, plan->steps, "up");
	rehearse_verify(r);
	rehearse_down(r, plan);
	rehearse_schema(r, before);
	mig_identity_restore(&save);
}

static void
check_state(const Migration *m)
{
	if (m->state != MIG_PENDING && !(m->state == MIG_FAILED && m->steps_done == 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" is not pending", m->version),
				 errhint("Only what has not begun can be rehearsed.")));
}

List *
mig_rehearse(const Migration *migration, int max_lock)
{
	Rehearsing	r = {0};
	MigPlan    *plan;
	ResourceOwner owner = CurrentResourceOwner;
	int			level = GetCurrentTransactionNestLevel();
	ErrorData  *volatile error = NULL;

	check_state(migration);
	r.migration = migration;
	r.context = CurrentMemoryContext;
	plan = plan_up(migration);
	mig_rehearse_watch_begin(&r.watch, max_lock);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(r.context);
	PG_TRY();
	{
		rehearse_all(&r, plan);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(r.context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	while (GetCurrentTransactionNestLevel() > level)
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(r.context);
	CurrentResourceOwner = owner;
	if (error && !ends_query(error) && mig_rehearse_is_over())
		give_up(&r, add_row(&r, "schema"));
	else if (error)
	{
		mig_rehearse_watch_end(&r.watch);
		ReThrowError(error);
	}
	mig_rehearse_watch_end(&r.watch);
	return r.rows;
}
