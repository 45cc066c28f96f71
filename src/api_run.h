/*-------------------------------------------------------------------------
 *
 * api_run.h
 *	  SQL that a function of ours has run in the background.
 *
 * Layer 5.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_API_RUN_H
#define MIGRATE_API_RUN_H

#include "fmgr.h"

#include "migrate.h"

/*
 * Register SQL under a version of its own, outside the order, and queue it: a
 * worker starts after COMMIT.  Returns the version.  SPI is connected.
 */
extern char *mig_api_run_later(FunctionCallInfo fcinfo, char *sql, char *name, Jsonb *options,
							   const char *origin);

#endif							/* MIGRATE_API_RUN_H */
