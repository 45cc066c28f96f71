/*-------------------------------------------------------------------------
 *
 * dropdb.h
 *	  With shared_preload_libraries: our workers make way for DROP DATABASE.
 *
 * Layer 4.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_DROPDB_H
#define MIGRATE_DROPDB_H

/* In _PG_init, when the library is being preloaded: install the hook. */
extern void mig_dropdb_install(void);

#endif							/* MIGRATE_DROPDB_H */
