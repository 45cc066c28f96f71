/*-------------------------------------------------------------------------
 *
 * lock_holders.h
 *	  Who holds a lock that we want, and may we queue for it?
 *
 * Layer 3, for the ladder.  Reads shared memory only; what it says may be out
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

#endif							/* MIGRATE_LOCK_HOLDERS_H */
