/*-------------------------------------------------------------------------
 *
 * preflight.h
 *	  What would make a verb go wrong on this server, now.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_PREFLIGHT_H
#define MIGRATE_PREFLIGHT_H

#include "migrate.h"

typedef enum MigVerdict
{
	MIG_FINE,
	MIG_NOT_FINE,
	MIG_NOT_SEEN				/* could not be read; detail says why */
} MigVerdict;

typedef struct MigFinding
{
	const char *item;
	MigVerdict	verdict;
	char	   *detail;			/* what was seen */
	char	   *hint;			/* what to do about it, or NULL */
} MigFinding;

/*
 * A finding for each item, always all of them in the same order.  Never
 * waits, never writes, works on a standby.  22023 for an action that is none,
 * 42704 for a target that is not registered; all else that stands in the
 * way, errors of planning included, is a finding.
 */
extern List *mig_preflight(const char *target, const char *action);

#endif							/* MIGRATE_PREFLIGHT_H */
