/*-------------------------------------------------------------------------
 *
 * targets.h
 *	  The migrations that a verb would touch, in the order that it takes.
 *
 * Layer 1, pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_TARGETS_H
#define MIGRATE_TARGETS_H

#include "graph.h"
#include "migrate.h"

/*
 * List of Migration.  verb: apply, complete, rollback, rollback_to; target
 * as the verb takes it, NULL where it may be.  complete (apply): expanded
 * ones too.  cascade (rollback): those that require it first.  Errors: 42704
 * for an unknown version, 22004 where NULL is not allowed, 55000 for what
 * cannot be, naming the versions in the way and what to do instead.
 */
extern List *mig_targets(MigGraph *graph, const char *verb, const char *target,
						 bool complete, bool cascade);

#endif							/* MIGRATE_TARGETS_H */
