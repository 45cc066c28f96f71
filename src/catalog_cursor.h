/*-------------------------------------------------------------------------
 *
 * catalog_cursor.h
 *	  How far a backfill has come, and the rows that it could not take.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_CATALOG_CURSOR_H
#define MIGRATE_CATALOG_CURSOR_H

#include "migrate.h"

typedef struct MigCursor
{
	const char *version;
	MigDirection direction;
	int			step;
	List	   *lower;			/* of char *; NIL: at the beginning */
	List	   *upper;			/* of char *; NIL: there is nothing to do */
	char	   *file;			/* by blocks; or NULL */
	int			pass;
	int64		pass_changed;
	int64		rows;
} MigCursor;

/* Fill in what is stored; false if nothing is. */
extern bool mig_cursor_load(MigCursor *cursor);

/* Store it, in the transaction of the batch. */
extern void mig_cursor_save(const MigCursor *cursor);

/* For those who watch: in the transaction of the batch. */
extern void mig_run_progress(int64 run, int64 done, int64 total, const char *unit);

/* A row that could not be taken: its key as text for people, and as values. */
extern void mig_failed_row_add(const MigCursor *cursor, int64 run, const char *relation, const char *key,
							   List *values, const char *sqlstate, const char *message);

/* Key values (list of List of char *) of the rows that this step could not take. */
extern List *mig_failed_rows_of(const MigCursor *cursor);
extern void mig_failed_row_remove(const MigCursor *cursor, List *values);
extern int64 mig_failed_rows_count(const MigCursor *cursor);

#endif							/* MIGRATE_CATALOG_CURSOR_H */
