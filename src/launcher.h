/*-------------------------------------------------------------------------
 *
 * launcher.h
 *	  With shared_preload_libraries: unfinished work goes on after a restart.
 *
 * Layer 4.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_LAUNCHER_H
#define MIGRATE_LAUNCHER_H

/* In _PG_init, when the library is being preloaded. */
extern void mig_launcher_register(void);

/* Entry points, looked up by name. */
extern PGDLLEXPORT void mig_launcher_main(Datum arg);
extern PGDLLEXPORT void mig_resumer_main(Datum arg);

#endif							/* MIGRATE_LAUNCHER_H */
