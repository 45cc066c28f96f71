/*-------------------------------------------------------------------------
 *
 * check.h
 *	  What SQL would do to a live database if it were run as it stands.
 *
 * Layer 1, above plan.c: plans nothing, writes nothing, waits for nobody.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_CHECK_H
#define MIGRATE_CHECK_H

#include "effect.h"
#include "plan.h"

typedef struct MigFinding
{
	int			statement;		/* from 1 */
	int			line;
	const char *rule;			/* NULL: only the lock */
	const char *severity;		/* info, warning, danger; NULL without rule */
	char	   *relation;		/* qualified and quoted, or NULL */
	LOCKMODE	lock;			/* on it; NoLock: none */
	bool		scans;			/* the statement reads all rows of a table meanwhile */
	bool		rewrites;
	bool		breaks;
	int64		rows;			/* of relation; -1: not known */
	int64		bytes;
	char	   *message;
	char	   *instead;		/* or NULL */
} MigFinding;

/* SQL that clients are known to use. */
typedef struct MigKnownQuery
{
	char	   *origin;			/* "prepared statement \"s\"" */
	char	   *text;
	bool		prepared;		/* its result has columns and types already */
} MigKnownQuery;

/*
 * Findings (list of MigFinding) in the order of the statements.  queries:
 * list of MigKnownQuery.  Errors: those of mig_plan_build for what cannot
 * be understood; what the server would refuse is a finding.
 */
extern List *mig_check(const char *sql, List *queries);

#endif							/* MIGRATE_CHECK_H */
