/*-------------------------------------------------------------------------
 *
 * notice.h
 *	  What a migration's own statements say: NOTICE, INFO and WARNING.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_NOTICE_H
#define MIGRATE_NOTICE_H

#include "nodes/pg_list.h"

typedef struct MigNotice
{
	int			elevel;			/* INFO, NOTICE or WARNING */
	char	   *sqlstate;		/* or NULL, likewise below */
	char	   *message;		/* never NULL */
	char	   *detail;
	char	   *hint;
	char	   *context;
} MigNotice;

/* In a worker, once it is connected: make such messages reach us. */
extern void mig_notices_install(void);

/*
 * From here to mig_notices_end(), or an error, messages that a client would
 * get (see client_min_messages) are kept, with "place" ("step 3 of migration
 * 0042, line 7") in their context.
 */
extern void mig_notices_begin(const char *place);
extern void mig_notices_end(void);

/*
 * What was kept since the last call (list of MigNotice), in the caller's
 * memory context.  A worker keeps a bounded number of bounded texts; when
 * there are more, the last of them says so, once.
 */
extern List *mig_notices_take(void);

/* Forget what was kept: the transaction is tried again. */
extern void mig_notices_forget(void);

#endif							/* MIGRATE_NOTICE_H */
