/*-------------------------------------------------------------------------
 *
 * graph.h
 *	  Which migration requires which, and what follows for order.
 *
 * Layer 1, pure: works on lists of Migration sorted by version.  Without
 * written requirements a migration comes after the next lower version that
 * is in the order; one outside the order (run()) requires nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_GRAPH_H
#define MIGRATE_GRAPH_H

#include "migrate.h"

/* A list of Migration with an index on it; made in the current memory context. */
typedef struct MigGraph MigGraph;

extern MigGraph *mig_graph_make(List *migrations);

/* Every one, in version order. */
extern List *mig_graph_all(MigGraph *graph);

/* The migration of that version, or NULL. */
extern Migration *mig_graph_find(MigGraph *graph, const char *version);

/* What it requires directly, written or not: list of Migration. */
extern List *mig_graph_parents(MigGraph *graph, Migration *migration);

/* 55000 naming both for a requirement that is missing; naming the circle for one that is circular. */
extern void mig_graph_check(MigGraph *graph);

/*
 * The migrations to reach "target" (NULL: all that are in the order), each
 * after all that it requires, applied ones included.
 */
extern List *mig_graph_order(MigGraph *graph, Migration *target);

/* All that require it, directly or not, the last one first: the order to undo them. */
extern List *mig_graph_dependents(MigGraph *graph, Migration *migration);

/* The tips: members of the order that no other requires, written or not. */
extern List *mig_graph_heads(MigGraph *graph);

/* As mig_graph_find, but 42704 with the nearest version as hint when there is none. */
extern Migration *mig_graph_get(MigGraph *graph, const char *version);

#endif							/* MIGRATE_GRAPH_H */
