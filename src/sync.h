/*-------------------------------------------------------------------------
 *
 * sync.h
 *	  Two shapes of the same data in one table, kept equal by a row trigger.
 *
 * Layer 3.  A pair is a set of old and a set of new columns, with expressions
 * that make the one from the other.  All pairs of a table are arguments of
 * one trigger, so that a dump carries them and partitions inherit them;
 * catalog_sync.h is what people see of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_SYNC_H
#define MIGRATE_SYNC_H

#include "utils/relcache.h"

#include "migrate.h"

typedef struct MigSyncPair
{
	List	   *old;			/* names of columns (char *) */
	List	   *new;
	List	   *up;				/* an expression (char *) for each new column; NIL: not that way */
	List	   *down;			/* and for each old one */
	int			conflict;		/* enum MigSyncConflict */
} MigSyncPair;

/* A pair as an argument of the trigger, and back; XX001 for what is none. */
extern char *mig_sync_encode(const MigSyncPair *pair);
extern MigSyncPair *mig_sync_decode(const char *text);

extern bool mig_sync_same_columns(const MigSyncPair *a, const MigSyncPair *b);

/*
 * Look at a pair as a user has written it, for a table that he owns, under
 * his search_path, and write its expressions so that they mean the same under
 * any: both up and down NIL become copies.  Runs nothing with more rights
 * than the owner of the table has.  Errors: 42703 for a column that is not
 * there; 42601 and the server's own for expressions; 0A000 for columns that
 * no trigger can keep equal; 22023 for numbers that do not match.
 */
extern void mig_sync_check(Relation rel, MigSyncPair *pair, const char *search_path);

/*
 * Put a pair into the trigger of a table, which is made if need be, or take
 * one out of it; the trigger goes with its last pair.  The caller has the
 * right to do it and holds ShareRowExclusiveLock on the table and its
 * partitions.  42710 when one of the columns is in another pair already.
 * Removing returns false if there is no such pair in the trigger.
 */
extern void mig_sync_install(Oid relid, const MigSyncPair *pair);
extern bool mig_sync_remove(Oid relid, const MigSyncPair *pair);

/* The sync trigger of a relation, or InvalidOid; its pairs (of MigSyncPair) in *pairs, unless that is NULL. */
extern Oid	mig_sync_trigger(Relation rel, List **pairs);

/* Does our trigger fire always, and last? */
extern bool mig_sync_is_in_force(Relation rel);

/* The name of a BEFORE trigger that fires after ours and so changes what it has seen; NULL: none. */
extern char *mig_sync_overtaken(Relation rel);

/* new, old, error */
extern const char *mig_sync_conflict_word(int conflict);

/* Take a lock on a table and its partitions, by the ladder. */
extern void mig_sync_lock(Oid relid, LOCKMODE mode);

/*
 * A copy of a column (the pair has one name on each side), with the trigger;
 * away with both; proof that no row differs, and that nothing but indexes of
 * these names hangs on the copy (2BP01).  For who owns the table; SPI is
 * connected.  42704 if it is no copy; 22000 for rows that differ.
 */
extern void mig_sync_copy_column(Oid relid, MigSyncPair *pair);
extern void mig_sync_drop_copy(Oid relid, const MigSyncPair *pair);
extern void mig_sync_prove_copy(Oid relid, const MigSyncPair *pair, List *twins);

/* UPDATE that fills what is not consistent yet, of one table alone. */
extern char *mig_sync_fill_text(Oid relid, const MigSyncPair *pair);

#endif							/* MIGRATE_SYNC_H */
