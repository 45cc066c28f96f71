/*-------------------------------------------------------------------------
 *
 * rehearse_watch.h
 *	  What a rehearsal does to the relations that were there before: locks,
 *	  scans, new files; and for how long it may lock out writers.
 *
 * Layer 3, for rehearse*.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_REHEARSE_WATCH_H
#define MIGRATE_REHEARSE_WATCH_H

#include "datatype/timestamp.h"
#include "utils/hsearch.h"

#include "rehearse.h"

typedef struct MigRehearseWatch
{
	HTAB	   *relations;		/* those that were there before */
	HTAB	   *touched;		/* OIDs of relations that have changed since */
	bool		all_touched;	/* more than can be told */
	List	   *advisory;		/* advisory locks that the session had before */
	int			max_lock;		/* ms */
	TimestampTz held_since;		/* writers are locked out since then; 0: they are not */
	TimestampTz step_began;		/* the one that is at work */
	int			own_levels;		/* utility statements that are the step itself: 0 or 1 */
	int			depth;			/* of utility statements at work */
} MigRehearseWatch;

/* From here on; until mig_rehearse_watch_end(), whatever happens. */
extern void mig_rehearse_watch_begin(MigRehearseWatch *watch, int max_lock);
extern void mig_rehearse_watch_end(MigRehearseWatch *watch);

/* Was it there before?  By OID. */
extern bool mig_rehearse_was_there(const MigRehearseWatch *watch, Oid relid);

/*
 * Writers may be locked out from now on: max_lock ms later the query is
 * cancelled (57014), and mig_rehearse_is_over() tells that it was for this.
 */
extern void mig_rehearse_hold(MigRehearseWatch *watch);
extern bool mig_rehearse_is_over(void);

/* That has been seen to: no more cancels. */
extern void mig_rehearse_stop_clock(void);

/* They are not, or no longer. */
extern void mig_rehearse_release(MigRehearseWatch *watch);

/*
 * After a step that went well: which locks, scans and new files have come
 * with it, in row (NULL: nobody asks), and are writers locked out?
 */
extern void mig_rehearse_look(MigRehearseWatch *watch, MigRehearsal *row);

/* Steps that went well have been rolled back: forget what they held. */
extern void mig_rehearse_rolled_back(MigRehearseWatch *watch);

/* The relations that have changed, in our eyes (list of OIDs); false: it cannot be told. */
extern bool mig_rehearse_touched(const MigRehearseWatch *watch, List **touched);

/* The relations on which a lock is held that blocks writes, or NULL. */
extern char *mig_rehearse_held(const MigRehearseWatch *watch);

#endif							/* MIGRATE_REHEARSE_WATCH_H */
