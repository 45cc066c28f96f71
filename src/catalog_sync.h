/*-------------------------------------------------------------------------
 *
 * catalog_sync.h
 *	  Which columns are kept equal: what migrate.syncs shows.
 *
 * Layer 2.  What the trigger does stands in its arguments; this is the
 * register of who asked for it, when, and what fills the rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_CATALOG_SYNC_H
#define MIGRATE_CATALOG_SYNC_H

#include "migrate.h"

typedef struct MigSyncEntry
{
	char	   *relation;		/* qualified */
	List	   *old;			/* of char * */
	List	   *new;
	List	   *up;				/* NIL: not that way */
	List	   *down;
	char	   *conflict;		/* new, old or error */
	char	   *fill;			/* version of the run that fills what is there, or NULL */
	char	   *version;		/* of the migration that it belongs to, or NULL */
	char	   *role;			/* who asked for it */
} MigSyncEntry;

/* Replaces what is left of an earlier one. */
extern void mig_sync_entry_add(const MigSyncEntry *entry);

/* True if there was one; *version: the migration that it belongs to, or NULL. */
extern bool mig_sync_entry_find(const char *relation, List *old, List *new, char **version);
extern void mig_sync_entry_remove(const char *relation, List *old, List *new);

#endif							/* MIGRATE_CATALOG_SYNC_H */
