/*-------------------------------------------------------------------------
 *
 * block.c
 *	  Transaction blocks as they are written: what does not fit its place.
 *
 * A file means what it means in psql, statement by statement.  That steps
 * next to each other share a transaction is ours to choose, and another
 * choice if one of them takes its time: so a LOCK TABLE outside of BEGIN and
 * COMMIT could not be relied upon, and is refused as by the server.
 *
 * Layer 1: looks at parse trees alone, so that it can be asked at
 * registration.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "block.h"

#define NEEDS_BLOCK_HINT "Write BEGIN before it, and COMMIT behind what belongs together with it."

typedef struct Walk
{
	List	   *faults;
	const MigStatement *begin;	/* of the block that is open; NULL: none */
	List	   *savepoints;		/* names (char *), last one first */
} Walk;

static MigBlockFault *
add_fault(Walk *walk, const MigStatement *stmt, int sqlerrcode, const char *message)
{
	MigBlockFault *fault = palloc0(sizeof(MigBlockFault));

	fault->stmt = stmt;
	fault->sqlerrcode = sqlerrcode;
	fault->message = message;
	walk->faults = lappend(walk->faults, fault);
	return fault;
}

static bool
require_block(Walk *walk, const MigStatement *stmt, const char *word)
{
	MigBlockFault *fault;

	if (walk->begin)
		return true;
	fault = add_fault(walk, stmt, ERRCODE_NO_ACTIVE_SQL_TRANSACTION,
					  psprintf("%s can only be used in transaction blocks", word));
	fault->refused = true;
	fault->hint = NEEDS_BLOCK_HINT;
	return false;
}

/* Release a savepoint, or go back to it, which keeps it: those behind it are gone. */
static void
leave_savepoint(Walk *walk, const MigStatement *stmt, const char *name, bool keep)
{
	ListCell   *lc;

	foreach(lc, walk->savepoints)
		if (strcmp(lfirst(lc), name) == 0)
		{
			walk->savepoints = list_copy_tail(walk->savepoints,
											  foreach_current_index(lc) + (keep ? 0 : 1));
			return;
		}
	add_fault(walk, stmt, ERRCODE_S_E_INVALID_SPECIFICATION,
			  psprintf("savepoint \"%s\" does not exist", name))->refused = true;
}

static void
begin_block(Walk *walk, const MigStatement *stmt)
{
	if (walk->begin)
		add_fault(walk, stmt, ERRCODE_ACTIVE_SQL_TRANSACTION,
				  psprintf("%s inside the transaction block of line %d has no effect",
						   ((TransactionStmt *) stmt->raw->stmt)->kind == TRANS_STMT_START ?
						   "START TRANSACTION" : "BEGIN", walk->begin->line));
	else
	{
		walk->begin = stmt;
		walk->savepoints = NIL;
	}
}

static void
end_block(Walk *walk, const MigStatement *stmt)
{
	TransactionStmt *node = (TransactionStmt *) stmt->raw->stmt;
	const char *word = node->kind == TRANS_STMT_COMMIT ? "COMMIT" : "ROLLBACK";

	if (node->chain && !require_block(walk, stmt, psprintf("%s AND CHAIN", word)))
		return;
	if (walk->begin == NULL)
		add_fault(walk, stmt, ERRCODE_NO_ACTIVE_SQL_TRANSACTION,
				  psprintf("%s has no effect: there is no transaction block to end", word));
	walk->begin = node->chain ? stmt : NULL;
	walk->savepoints = NIL;
}

static void
follow_transaction(Walk *walk, const MigStatement *stmt)
{
	TransactionStmt *node = (TransactionStmt *) stmt->raw->stmt;

	switch (node->kind)
	{
		case TRANS_STMT_BEGIN:
		case TRANS_STMT_START:
			begin_block(walk, stmt);
			break;
		case TRANS_STMT_COMMIT:
		case TRANS_STMT_ROLLBACK:
			end_block(walk, stmt);
			break;
		case TRANS_STMT_PREPARE:
			walk->begin = NULL; /* refused for what it is */
			break;
		case TRANS_STMT_SAVEPOINT:
			if (require_block(walk, stmt, "SAVEPOINT"))
				walk->savepoints = lcons(node->savepoint_name, walk->savepoints);
			break;
		case TRANS_STMT_RELEASE:
			if (require_block(walk, stmt, "RELEASE SAVEPOINT"))
				leave_savepoint(walk, stmt, node->savepoint_name, false);
			break;
		case TRANS_STMT_ROLLBACK_TO:
			if (require_block(walk, stmt, "ROLLBACK TO SAVEPOINT"))
				leave_savepoint(walk, stmt, node->savepoint_name, true);
			break;
		default:
			break;
	}
}

List *
mig_block_faults(const List *statements)
{
	Walk		walk = {0};
	MigBlockFault *fault;
	const ListCell *lc;

	foreach(lc, statements)
	{
		const MigStatement *stmt = lfirst(lc);
		Node	   *node = stmt->raw->stmt;

		if (IsA(node, TransactionStmt))
			follow_transaction(&walk, stmt);
		else if (IsA(node, LockStmt))
			(void) require_block(&walk, stmt, "LOCK TABLE");
		else if (IsA(node, DeclareCursorStmt) && !(((DeclareCursorStmt *) node)->options & CURSOR_OPT_HOLD))
			(void) require_block(&walk, stmt, "DECLARE CURSOR");
	}
	if (walk.begin)
	{
		fault = add_fault(&walk, walk.begin, ERRCODE_SYNTAX_ERROR, "transaction block is never committed");
		fault->refused = true;
		fault->hint = "End it with COMMIT, or leave out BEGIN.";
	}
	return walk.faults;
}

const MigBlockFault *
mig_block_fault_of(const List *faults, const MigStatement *stmt)
{
	const ListCell *lc;

	foreach(lc, faults)
		if (((const MigBlockFault *) lfirst(lc))->stmt == stmt)
			return lfirst(lc);
	return NULL;
}
