/*-------------------------------------------------------------------------
 *
 * exec.h
 *	  A worker's session: connect, run one statement, reset.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_EXEC_H
#define MIGRATE_EXEC_H

#include "migrate.h"

/*
 * Connect this background worker to a database as a role.  can_login: does
 * the role have LOGIN (matters before 17 only).
 */
extern void mig_exec_connect(Oid database, Oid role, bool can_login);

/* Has the role LOGIN? */
extern bool mig_exec_can_log_in(Oid role);

/* Forget all that a migration may have left in the session, and put search_path in force. */
extern void mig_exec_reset(const char *search_path);

/*
 * Run one statement as a client's message would: a transaction of its own
 * when no block is open, part of the block otherwise; BEGIN, COMMIT and
 * SAVEPOINT included.  Returns the number of rows.  Errors pass through,
 * their cursor position counts in sql.
 */
extern uint64 mig_exec(const char *sql);

/*
 * In a PG_CATCH around mig_exec(): has the statement committed something (a
 * DO or CALL with COMMIT inside) before it failed?
 */
extern bool mig_exec_has_committed(void);

/*
 * Our own work between the statements: joins the block that is open, if any,
 * and is read committed and read write otherwise.
 * The memory context of the caller stays in force, and must outlive the
 * transaction; the same holds for mig_exec().
 */
extern void mig_exec_begin(void);
extern void mig_exec_commit(void);

/*
 * In a PG_CATCH: the error in the given context; the transaction, its locks
 * and its block are gone.  log: also write it to the server's log.
 */
extern ErrorData *mig_exec_error(MemoryContext context, bool log);

#endif							/* MIGRATE_EXEC_H */
