/*-------------------------------------------------------------------------
 *
 * rehearse_int.h
 *	  What the rehearse*.c share.
 *
 * Layer 3, for those files alone.  rehearse.c puts a rehearsal together,
 * rehearse_step.c does one step, rehearse_watch.c looks at what it does to
 * relations that were there before.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_REHEARSE_INT_H
#define MIGRATE_REHEARSE_INT_H

#include "rehearse.h"
#include "rehearse_watch.h"

typedef struct MigRehearsing
{
	const Migration *migration;
	MemoryContext context;		/* rows live here */
	MigRehearseWatch watch;
	List	   *rows;			/* of MigRehearsal */
	char	   *stopped;		/* why it does not go on, or NULL */
} MigRehearsing;

/* What a subtransaction is to do. */
typedef void (*MigRehearseWork) (MigRehearsing *r, void *arg);

extern MigRehearsal *mig_rehearse_add_row(MigRehearsing *r, const char *direction);
extern MigRehearsal *mig_rehearse_add_step(MigRehearsing *r, const char *direction, const MigStep *step);

/* Say in a row why something was not done. */
extern void mig_rehearse_leave_out(MigRehearsal *row, const char *why);

/*
 * Do some work in a subtransaction; keep it or roll it back.  Returns the
 * error, or NULL; those that are to end the query pass through.
 */
extern ErrorData *mig_rehearse_try(MigRehearsing *r, MigRehearseWork work, void *arg, bool keep);
extern bool mig_rehearse_ends_query(const ErrorData *error);

/* For the rest of the transaction nobody waits behind us longer than stall_limit. */
extern void mig_rehearse_bound_waits(void);

/* What an error means for a row, and for the rehearsal. */
extern void mig_rehearse_error(MigRehearsing *r, MigRehearsal *row, const ErrorData *error);
extern void mig_rehearse_give_up(MigRehearsing *r, MigRehearsal *row);

/* One step of up or down, and its row; its state is "done" if it went well. */
extern void mig_rehearse_step(MigRehearsing *r, MigStep *step, const char *direction);

#endif							/* MIGRATE_REHEARSE_INT_H */
