/*-------------------------------------------------------------------------
 *
 * serve.h
 *	  What a request has to do: its migrations, one after the other.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_SERVE_H
#define MIGRATE_SERVE_H

#include "catalog_run.h"
#include "graph.h"

#define MIG_START_MS 5000		/* within which a worker takes up a request */

/* The graph of the scope, read now. */
extern MigGraph *mig_serve_graph(void);

/* The migrations that a request has not dealt with yet; in a transaction of the caller. */
extern List *mig_serve_targets(MigGraph *graph, const MigRequest *request);

/* The way that a request takes a migration. */
extern MigDirection mig_serve_direction(const MigRequest *request);

/*
 * Before anything starts: 55000 for a way back that would discard data, if
 * that was not allowed, and for what is out of order, if that is an error.
 */
extern void mig_serve_judge(MigGraph *graph, MigRequest *request, List *targets);

/*
 * Whoever calls now decides what becomes of these migrations: requests for one
 * of them that were left behind by a crash are over, lest a later restart
 * takes them up again.  In the transaction of the caller.
 */
extern void mig_serve_supersede(List *targets);

/* For how long, in ms, somebody could have waited for what the request has done. */
extern int64 mig_serve_stalled(const MigRequest *request);

/* The last line: what happened, what to do next. */
extern char *mig_serve_summary(const MigRequest *request);

/*
 * In a worker, outside any transaction: do what belongs to the role of this
 * session.  Returns the name of the owner whose turn it is next, or NULL when
 * the request is finished.
 */
extern char *mig_serve(MigRequest *request);

#endif							/* MIGRATE_SERVE_H */
