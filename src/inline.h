/*-------------------------------------------------------------------------
 *
 * inline.h
 *	  A verb inside the caller's own transaction.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_INLINE_H
#define MIGRATE_INLINE_H

#include "catalog_run.h"

/*
 * Do what the request asks for in the transaction that is open, so that
 * ROLLBACK undoes it.  Before anything is done: 25001 naming the first step
 * that cannot run inside a transaction; 42501 unless the caller is the owner
 * of every migration; 55006 if somebody else runs one of them.  Returns the
 * last line; a WARNING for each table that stays locked.
 */
extern char *mig_inline(MigRequest *request, List *targets);

#endif							/* MIGRATE_INLINE_H */
