/*-------------------------------------------------------------------------
 *
 * lock.h
 *	  Run locks, liveness, and the ladder by which strong locks are taken.
 *
 * Layer 3.  Run and liveness locks are session-level object locks
 * (LOCKTAG_OBJECT in our database, class = one of our tables, object = a
 * 48-bit hash), which no SQL can reach.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_LOCK_H
#define MIGRATE_LOCK_H

#include "migrate.h"

/* --- session-level locks of our own, held by a worker while it runs --- */

/* One migration's run; false if somebody else has it. */
extern bool mig_lock_run(const char *scope, const char *version);
extern void mig_unlock_run(const char *scope, const char *version);

/* Does anybody hold it?  Cheap, takes no lock. */
extern bool mig_run_is_alive(const char *scope, const char *version);

/* One request (a call of a verb); waits for it if wait. */
extern bool mig_lock_request(int64 request, bool wait);
extern bool mig_request_is_alive(int64 request);

/* Does anybody wait for it to be released? */
extern bool mig_request_is_awaited(int64 request);

/*
 * One of max_runs places in this database; false if all are taken.
 * And all of these relations (qualified names), or none: false, with the
 * first that is taken in *taken.  Kept until mig_unlock_all(),
 * which gives back all but the lock of the request.
 */
extern bool mig_lock_place(int max_runs);
extern bool mig_lock_relations(List *relations, const char **taken);
extern void mig_unlock_all(void);

/*
 * One range of a backfill: false if another worker goes through it.  And the
 * place of a worker that helps with a backfill (from 1), which it holds while
 * it can change anything.
 */
extern bool mig_lock_range(const char *scope, const char *version, int step, int range);
extern void mig_unlock_range(const char *scope, const char *version, int step, int range);
extern bool mig_range_is_taken(const char *scope, const char *version, int step, int range);
extern bool mig_lock_helper(const char *scope, const char *version, int place);
extern int	mig_helpers_at_work(const char *scope, const char *version);

#define MIG_MAX_HELPERS 63

/* --- the ladder --- */

typedef struct MigLadder
{
	int			stall_limit;	/* ms that anybody may queue behind us, in one try */
	int			patience;		/* ms that this call may take */
	/* state and results, added up over calls */
	int			tries;			/* that queued in vain; the pause after each grows */
	int64		stalled_ms;		/* somebody could have waited behind us */
	int64		waited_ms;
	/* of the last call that failed; in the caller's context */
	char	   *relation;		/* that was not to be had */
	LOCKMODE	mode;
	char	   *holders;		/* as mig_lock_holders() says it */
} MigLadder;

/*
 * Inside a transaction, before any work, as the owner of the migration: take
 * every lock (list of MigLock), strongest mode each, in the order of OIDs, all
 * or none.  Passed over are names that do not exist, relations that the
 * migration makes itself or that its owner may not lock, and modes that block
 * neither reads nor writes.  Returns false, holding none of them, when
 * patience is over; at once if that is 0.  Call it again to go on waiting.
 */
extern bool mig_ladder_take(List *locks, MigLadder *ladder);

/*
 * 55P03 for a ladder that has failed: what was not to be had, who holds it, and
 * what to do.  The caller's error context names migration and step.
 */
extern void mig_ladder_raise(const MigLadder *ladder);

/*
 * For the rest of the transaction: no statement waits for a lock for longer
 * than stall_limit (ms), and one that does has the server cancel autovacuums
 * in its way, as the ladder has.
 */
extern void mig_lock_bound_statements(int stall_limit);

/*
 * After 55P03 in such a transaction: the relation that the statement was
 * waiting for; false if it was none, or if nobody knows.
 */
extern bool mig_lock_awaited(Oid *relid, LOCKMODE *mode);

/* A relation and a mode as what the ladder takes; NULL if it is gone. */
extern MigLock *mig_lock_named(Oid relid, LOCKMODE mode);

#endif							/* MIGRATE_LOCK_H */
