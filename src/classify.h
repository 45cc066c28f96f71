/*-------------------------------------------------------------------------
 *
 * classify.h
 *	  What one statement would do: locks, scans, rewrites, and whether it
 *	  may stand in a transaction with others.
 *
 * Layer 1.  Reads the catalog under AccessShareLock taken conditionally;
 * never waits, never writes, never evaluates anything of the user's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_CLASSIFY_H
#define MIGRATE_CLASSIFY_H

#include "effect.h"
#include "migrate.h"
#include "overlay.h"

/*
 * Judge a statement after those that the overlay has seen.  Errors, all with
 * position: 42P01 and 3F000 for a relation or schema that neither exists nor
 * is made before, 42703 for a column, 55P03 naming the holder of a relation
 * that is locked.
 */
extern MigEffect *mig_classify(const MigStatement *stmt, const MigOverlay *overlay);

#endif							/* MIGRATE_CLASSIFY_H */
