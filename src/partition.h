/*-------------------------------------------------------------------------
 *
 * partition.h
 *	  What the rows of a partition, and of a default partition beside it, have
 *	  to fulfil, as text; and what is known of them already.
 *
 * Layer 1.  Locks as in relation.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_PARTITION_H
#define MIGRATE_PARTITION_H

#include "migrate.h"

typedef struct MigBound
{
	char	   *constraint;		/* for the partition; NULL: any row will do */
	char	   *excludes;		/* for the default partition; NULL: there is none, or any row will do */
	Oid			default_partition;	/* or InvalidOid */
	bool		proved;			/* by valid constraints that the partition has */
	bool		default_proved;
} MigBound;

/*
 * What attaching a partition with that bound asks for.  child: InvalidOid for
 * one that does not exist yet.  Errors of the bound are raised as the server
 * raises them (42P16, 42P17, 22...).  False if it cannot be told without
 * evaluating what somebody wrote: a bound that is no constant.
 */
extern bool mig_partition_bound(Oid parent, Oid child, PartitionBoundSpec *spec, MigBound *bound);

/* Are the values of a bound literals, so that to find out what they mean runs nothing of anybody's? */
extern bool mig_partition_is_constant(const PartitionBoundSpec *spec);

/*
 * The CHECK that DETACH ... CONCURRENTLY leaves behind on the partition gets
 * this name (DetachAddConstraintIfNeeded in tablecmds.c); NULL: it leaves none.
 */
extern char *mig_partition_detached_check(Oid child);

/* Is the detaching of any partition of it pending, or, if given, of that one? */
extern bool mig_partition_is_pending(Oid parent, Oid child);

/* Names of the columns (char *) of a partitioned table's key; NULL in it: an expression. */
extern List *mig_partition_key(Oid relid);

#endif							/* MIGRATE_PARTITION_H */
