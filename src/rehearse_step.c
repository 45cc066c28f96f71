/*-------------------------------------------------------------------------
 *
 * rehearse_step.c
 *	  One step of a rehearsal.
 *
 * A real run takes its locks by the ladder; here each step takes its own, so
 * that what is reported is what the server really took.  To make nobody wait:
 * while a holder of a lock that the plan foresees is slow, the step is not
 * begun; lock_timeout = migrate.stall_limit bounds each wait, and a step that
 * missed a lock is tried again, LOCK_PATIENCE_MS long.
 *
 * Locks: those of the step, until the rehearsal is rolled back.
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

#include "lock_holders.h"
#include "rehearse_int.h"
#include "relation.h"
#include "settings.h"
#include "sqlgen.h"

#define LOCK_PATIENCE_MS 5000	/* for the locks of one step */
#define LOCK_PAUSE_MS 20

/* --- rows --- */

MigRehearsal *
mig_rehearse_add_row(MigRehearsing *r, const char *direction)
{
	MigRehearsal *row = palloc0(sizeof(MigRehearsal));

	row->direction = direction;
	r->rows = lappend(r->rows, row);
	return row;
}

MigRehearsal *
mig_rehearse_add_step(MigRehearsing *r, const char *direction, const MigStep *step)
{
	MigRehearsal *row = mig_rehearse_add_row(r, direction);

	row->step = step->step;
	row->line = step->line;
	row->command = step->command;
	row->relation = step->relation;
	return row;
}

void
mig_rehearse_leave_out(MigRehearsal *row, const char *why)
{
	row->outcome = MIG_NOT_REHEARSED;
	row->message = why;
}

/* --- one subtransaction --- */

/* Is the query to end, and not just a step? */
bool
mig_rehearse_ends_query(const ErrorData *error)
{
	return !mig_rehearse_is_over() &&
		(error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		 ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION);
}

/* Do some work in a subtransaction; keep it or roll it back.  The error, or NULL. */
ErrorData *
mig_rehearse_try(MigRehearsing *r, MigRehearseWork work, void *arg, bool keep)
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
		if (mig_rehearse_ends_query(error))
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
void
mig_rehearse_bound_waits(void)
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

	if (step->kind == MIG_STEP_BACKFILL)
	{
		if (is_small(step))
			return step->batches->whole;
		mig_rehearse_leave_out(row, "left out: it cannot be carried out in batches in one transaction, and its table is not small");
		return NULL;
	}
	if (!step->alone)
		return step->command;
	switch (step->kind)
	{
		case MIG_STEP_CREATE_INDEX:
		case MIG_STEP_REINDEX:
			if (!is_small(step))
			{
				mig_rehearse_leave_out(row, "left out: it cannot run concurrently in a transaction, and its table is not small");
				return NULL;
			}
			break;
		case MIG_STEP_DROP_INDEX:
		case MIG_STEP_DETACH:
			break;
		default:
			mig_rehearse_leave_out(row, "left out: it cannot run inside a transaction block");
			return NULL;
	}
	plain = mig_sql_without(step->command, "concurrently");
	if (plain == NULL)
		mig_rehearse_leave_out(row, "left out: it cannot run inside a transaction block");
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
execute(MigRehearsing *r, void *arg)
{
	Attempt    *attempt = arg;
	instr_time	start,
				end;
	uint64		wal = pgWalUsage.wal_bytes;
	SPIExecuteOptions options = {0};
	int			rc;

	mig_rehearse_bound_waits();
	CommandCounterIncrement();
	INSTR_TIME_SET_CURRENT(start);
	SPI_connect();
	options.dest = None_Receiver;	/* nobody reads the rows */
	rc = SPI_execute_extended(attempt->command, &options);
	if (rc < 0)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("transaction control and COPY with a client cannot be rehearsed")));
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

static Node *
node_of(const char *command)
{
	return linitial_node(RawStmt, raw_parser(command, RAW_PARSE_DEFAULT))->stmt;
}

static bool
changes_rows(const Node *node)
{
	return IsA(node, UpdateStmt) || IsA(node, DeleteStmt) || IsA(node, MergeStmt);
}

/* Is the statement itself a utility command, that passes the hook? */
static bool
is_utility(const Node *node)
{
	return !(IsA(node, SelectStmt) || IsA(node, InsertStmt) || changes_rows(node));
}

/* The relation of a lock that the step will have to ask for; InvalidOid: it was not there before. */
static Oid
foreseen(const MigRehearsing *r, const MigLock *lock)
{
	Oid			relid = mig_relation_by_name(lock->relation);

	return OidIsValid(relid) && mig_rehearse_was_there(&r->watch, relid) ? relid : InvalidOid;
}

/* Out of a table, or out of the rows that it changes. */
static bool
will_lock_out_writers(const MigRehearsing *r, const MigStep *step, const Node *node)
{
	LOCKMODE	weakest = changes_rows(node) ? RowExclusiveLock : ShareLock;
	ListCell   *lc;

	foreach(lc, step->locks)
		if (((MigLock *) lfirst(lc))->mode >= weakest && OidIsValid(foreseen(r, lfirst(lc))))
			return true;
	return false;
}

/* Who will not soon release what the step needs; NULL: nobody. */
static char *
slow_holders(const MigRehearsing *r, const MigStep *step)
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
wait_for_holders(MigRehearsing *r, const MigStep *step, MigRehearsal *row, TimestampTz until)
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

/* As a run does it, it might have gone well: no fault of the migration's. */
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
			return strstr(error->message, "security-restricted operation") != NULL ||
				strstr(error->message, "security-definer function") != NULL;
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
void
mig_rehearse_give_up(MigRehearsing *r, MigRehearsal *row)
{
	char	   *held = mig_rehearse_held(&r->watch);

	mig_rehearse_stop_clock();
	row->outcome = MIG_WENT_WRONG;
	row->sqlstate = "57014";
	row->message = psprintf("gave up: a lock that blocks writes on %s had been held for %d ms",
							held ? held : row->relation ? row->relation : "a table that was there before",
							r->watch.max_lock);
	r->stopped = "the rehearsal was given up";
}

void
mig_rehearse_error(MigRehearsing *r, MigRehearsal *row, const ErrorData *error)
{
	row->sqlstate = pstrdup(unpack_sql_state(error->sqlerrcode));
	row->locks = NIL;
	row->measured = false;
	if (mig_rehearse_is_over())
		mig_rehearse_give_up(r, row);
	else if (is_for_want_of_transaction(error))
		mig_rehearse_leave_out(row, psprintf("left out: %s", text_of_error(error)));
	else
	{
		row->outcome = MIG_WENT_WRONG;
		row->message = text_of_error(error);
		r->stopped = row->step ? psprintf("step %d of %s went wrong", row->step, row->direction) :
			psprintf("%s went wrong", row->direction);
	}
}

void
mig_rehearse_step(MigRehearsing *r, MigStep *step, const char *direction)
{
	MigRehearsal *row = mig_rehearse_add_step(r, direction, step);
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOCK_PATIENCE_MS);
	Attempt		attempt = {step, command_of(step, row), row};
	Node	   *node;
	ErrorData  *error;

	if (attempt.command == NULL)
		return;
	row->outcome = MIG_NOT_REHEARSED;
	row->command = attempt.command;
	node = node_of(attempt.command);
	r->watch.own_levels = is_utility(node) ? 1 : 0;
	for (;;)
	{
		bool		held = r->watch.held_since != 0;

		if (!wait_for_holders(r, step, row, until))
		{
			row->outcome = MIG_WENT_WRONG;
			r->stopped = psprintf("step %d of %s did not get its locks", step->step, direction);
			return;
		}
		r->watch.step_began = GetCurrentTimestamp();
		if (will_lock_out_writers(r, step, node))
			mig_rehearse_hold(&r->watch);
		r->watch.depth = 0;
		error = mig_rehearse_try(r, execute, &attempt, true);
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
		mig_rehearse_error(r, row, error);
	else if (mig_rehearse_is_over())
		mig_rehearse_give_up(r, row);
	else
	{
		row->outcome = MIG_WENT_WELL;
		step->state = "done";
	}
}
