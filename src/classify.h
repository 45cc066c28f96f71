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

#include "migrate.h"

/* Where a statement may run. */
typedef enum MigPlace
{
	MIG_ANYWHERE,				/* inside a transaction with its neighbours */
	MIG_OWN_TRANSACTION,		/* in a transaction, but not after others */
	MIG_TOP_LEVEL				/* the server refuses a transaction block */
} MigPlace;

typedef struct MigEffect
{
	MigPlace	place;
	MigStepKind kind;
	bool		opaque;			/* runs code that we cannot see through */
	bool		writes_rows;	/* INSERT, UPDATE, DELETE, MERGE, COPY, ... */
	bool		scans;			/* reads all rows of relation under its lock */
	bool		rewrites;		/* copies relation to a new file */
	bool		contract;		/* breaks clients that know the old shape */
	char	   *relation;		/* qualified; the one that it is about, or NULL */
	LOCKMODE	lock;			/* on relation */
	List	   *locks;			/* of MigLock: every relation, relation included */
	char	   *creates;		/* qualified name of the relation that it makes, or NULL */
	char	   *object;			/* index etc. made or dropped at top level, qualified */
	char	   *undo;			/* SQL; "" nothing to undo; NULL irreversible */
	int64		rows;			/* -1 */
	int64		bytes;			/* -1 */
	char	   *note;			/* or NULL */
} MigEffect;

/*
 * What earlier statements of the same migration have made, changed or
 * dropped, so that later ones can be judged before any has run.
 */
typedef struct MigOverlay
{
	List	   *created;		/* of char *, qualified relation names */
	List	   *dropped;		/* of char *, qualified relation names */
	List	   *schemas;		/* of char *, created schemas */
	List	   *enum_types;		/* of char *, types that got a new value */
	bool		opaque;			/* anything may exist since */
} MigOverlay;

extern MigEffect *mig_classify(const MigStatement *stmt, const MigOverlay *overlay);
extern void mig_overlay_add(MigOverlay *overlay, const MigStatement *stmt, const MigEffect *effect);

#endif							/* MIGRATE_CLASSIFY_H */
