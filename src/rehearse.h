/*-------------------------------------------------------------------------
 *
 * rehearse.h
 *	  Up, verify and down of a migration, in a transaction that is rolled back.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_REHEARSE_H
#define MIGRATE_REHEARSE_H

#include "migrate.h"

typedef enum MigRehearsed
{
	MIG_WENT_WELL,
	MIG_WENT_WRONG,
	MIG_NOT_REHEARSED			/* message says why */
} MigRehearsed;

typedef struct MigRehearsal
{
	const char *direction;		/* up, verify, down; schema: the last one */
	int			step;			/* 0: none */
	int			line;
	const char *command;		/* what was sent */
	MigRehearsed outcome;
	const char *relation;		/* or NULL */
	List	   *locks;			/* of char *: "public.t AccessExclusiveLock" */
	bool		scans;
	bool		rewrites;
	bool		measured;		/* rows, ms and wal_bytes are known */
	int64		rows;
	double		ms;
	int64		wal_bytes;
	const char *sqlstate;		/* or NULL */
	const char *message;		/* or NULL */
} MigRehearsal;

/*
 * Rehearse one migration that is pending, as its owner in a restricted
 * context: list of MigRehearsal.  max_lock: for so many ms a lock may be held
 * that blocks writes on a table that was there before.  What a step does
 * wrong is a row; 42704 for an unknown version, 55000 for one that is not
 * pending, and the errors of planning its up, are raised.
 */
extern List *mig_rehearse(const Migration *migration, int max_lock);

#endif							/* MIGRATE_REHEARSE_H */
