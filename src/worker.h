/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  Background workers that serve requests.
 *
 * Layer 4.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_WORKER_H
#define MIGRATE_WORKER_H

#include "catalog_run.h"
#include "postmaster/bgworker.h"

/*
 * Start a worker for a request, under the owner of the first migration that
 * it has to do; it waits until the calling transaction has ended, and finds
 * nothing if that was rolled back.  NULL: there is nothing to do.  53400
 * when there is no free worker slot; 42501 when the owner may not connect.
 */
extern BackgroundWorkerHandle *mig_worker_start(const MigRequest *request);

/* Is this process one of them? */
extern bool mig_is_worker(void);

/* Entry points, looked up by name. */
extern PGDLLEXPORT void mig_worker_main(Datum arg);

#endif							/* MIGRATE_WORKER_H */
