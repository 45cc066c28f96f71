/*-------------------------------------------------------------------------
 *
 * lock_holders.h
 *	  Who holds a lock that we want, and may we queue for it?
 *
 * Layer 1, for planner and ladder.  Reads shared memory only; what it says may be out
 * of date as soon as it is said.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_LOCK_HOLDERS_H
#define MIGRATE_LOCK_HOLDERS_H

#include "storage/lock.h"

/* Forget what was read of other sessions, so that the next look is fresh. */
extern void mig_holders_refresh(void);

/*
 * Does anybody hold a conflicting lock who is not likely to release it within
 * limit (ms): a transaction older than that, a prepared one, or a vacuum that
 * must not be cancelled?
 */
extern bool mig_holders_are_slow(Oid relid, LOCKMODE mode, int limit);

/*
 * Who holds or waits for something that conflicts with mode on relid, as text
 * for messages: "pid 4711 (app, idle in transaction, transaction open for 5
 * min: SELECT ...), ...".  NULL if it is nobody.  Of others than the current
 * role may see in pg_stat_activity only the pid is told.
 */
extern char *mig_lock_holders(Oid relid, LOCKMODE mode);

/* One session, in the same words and with the same discretion. */
extern char *mig_session_text(int pid);

#endif							/* MIGRATE_LOCK_HOLDERS_H */
