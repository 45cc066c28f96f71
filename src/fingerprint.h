/*-------------------------------------------------------------------------
 *
 * fingerprint.h
 *	  The schema of this database as text, to be compared with itself later.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_FINGERPRINT_H
#define MIGRATE_FINGERPRINT_H

#include "migrate.h"

typedef struct MigFingerprint MigFingerprint;

/*
 * Everything that a migration can change and that is not data: schemas,
 * relations, columns, constraints, indexes, triggers, rules, policies,
 * sequences (not their values), functions, types, statistics, privileges,
 * comments, security labels, and the rarer kinds; roles, too.  Names stand
 * for OIDs, and a column's place is the one among those that are left.
 *
 * Waits for the locks that views need, as far as lock_timeout allows.  In
 * the current memory context.
 */
extern MigFingerprint *mig_fingerprint(void);

/*
 * The same again, in a fraction of the time: of relations those alone are
 * read whose entries in the relation cache were dropped since (list of OIDs);
 * the others have not changed.
 */
extern MigFingerprint *mig_fingerprint_again(const MigFingerprint *before, List *touched);

/*
 * What differs (list of char *, a line each, in the order of the objects):
 * "index public.i is gone", "column public.t.c: was not null, is nullable".
 */
extern List *mig_fingerprint_compare(const MigFingerprint *before, const MigFingerprint *after);

#endif							/* MIGRATE_FINGERPRINT_H */
