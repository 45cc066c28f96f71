/*-------------------------------------------------------------------------
 *
 * waiting.h
 *	  The caller's side of a request: wait without a snapshot, tell progress.
 *
 * Layer 4.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_WAITING_H
#define MIGRATE_WAITING_H

#include "postmaster/bgworker.h"

#include "catalog_run.h"
#include "compat.h"

/*
 * In a CALL that is not atomic, with SPI connected for it: commit, then wait
 * until the request has ended; progress comes as NOTICE.  Returns the last
 * line, in the caller's memory context, or raises the error of the run with
 * its SQLSTATE.  57014: the wait was cancelled (by Ctrl-C, which pauses the
 * work, or by a timeout, which does not).  timeout_ms < 0: none.
 */
extern char *mig_wait_for_request(int64 request, BackgroundWorkerHandle *handle, int64 timeout_ms);

/* Raise a stored error, with "detail" of who and where as context. */
pg_noreturn extern void mig_raise(const MigError *error);

#endif							/* MIGRATE_WAITING_H */
