/*-------------------------------------------------------------------------
 *
 * block.h
 *	  Transaction blocks as they are written.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_BLOCK_H
#define MIGRATE_BLOCK_H

#include "migrate.h"

/* A statement that does not fit where it stands, inside or outside of a block. */
typedef struct MigBlockFault
{
	const MigStatement *stmt;
	bool		refused;		/* the server has an error for it, not just a warning */
	int			sqlerrcode;
	const char *message;
	const char *hint;			/* or NULL */
} MigBlockFault;

/*
 * The faults of a text, by its statements alone, in their order (list of
 * MigBlockFault).  Refused are, as by psql: what needs a block and has none
 * (LOCK TABLE, DECLARE without HOLD, savepoints, AND CHAIN: 25P01), a
 * savepoint that is not there (3B001), and a block that is never committed
 * (42601), which the server would take back at the end of the session.
 * A COMMIT without a block and a BEGIN inside of one have no effect (25P01,
 * 25001).
 */
extern List *mig_block_faults(const List *statements);

/* That of one statement, or NULL. */
extern const MigBlockFault *mig_block_fault_of(const List *faults, const MigStatement *stmt);

#endif							/* MIGRATE_BLOCK_H */
