/*-------------------------------------------------------------------------
 *
 * check_int.h
 *	  What the check*.c share: a statement that was looked at.
 *
 * Layer 1, for those files alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_CHECK_INT_H
#define MIGRATE_CHECK_INT_H

#include "check.h"

/* When a rule holds. */
#define MIG_WHEN_WORK	0x01	/* only on a table that is not small: its rows are gone through */
#define MIG_WHEN_ROWS	0x02	/* only on one that is not empty */
#define MIG_WHEN_LIVE	0x04	/* only on one that existed before */

/* What becomes of it under apply. */
typedef enum MigRemedy
{
	MIG_REMEDY_HAND,			/* nothing: instead says what to do */
	MIG_REMEDY_APPLY,			/* another way, where the planner has one */
	MIG_REMEDY_GATE,			/* the same, but nobody queues behind it */
	MIG_REMEDY_COMPLETE			/* waits until no old client is left */
} MigRemedy;

typedef struct MigRule
{
	MigHazardKind kind;
	const char *name;
	const char *severity;
	int			when;
	MigRemedy	remedy;
	const char *message;		/* %r relation, %s subject, %d detail, %n its size, %l what its lock keeps out */
	const char *instead;		/* the same, or NULL */
} MigRule;

extern const MigRule *mig_check_rule(MigHazardKind kind);

typedef struct MigLooked
{
	const MigStatement *stmt;
	MigEffect  *effect;
	const void *block;			/* of the same transaction block; NULL: of none */
	bool		online;			/* the planner puts a sequence in its place */
	bool		scans;			/* a table that existed before is read as a whole */
	bool		rewrites;		/* ... and copied */
} MigLooked;

/* Its lock on a relation, or NULL. */
extern const MigLock *mig_looked_lock(const MigLooked *looked, const char *relation, Oid relid);

/* Hazards that lie in what stands next to a statement, and what of its work counts: check_context.c. */
extern void mig_check_neighbours(List *looked);

/* Hazards for SQL that clients are known to use. */
extern void mig_check_clients(MigLooked *looked, List *queries);

#endif							/* MIGRATE_CHECK_INT_H */
