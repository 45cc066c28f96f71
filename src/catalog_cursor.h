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

/*
 * A range of the table, gone through from lower to upper.  An open window is
 * the part of it up to window_end: of its rows those are done that belong to a
 * part below "part".
 */
typedef struct MigCursor
{
	const char *version;
	MigDirection direction;
	int			step;
	int			range;			/* from 1 */
	List	   *lower;			/* of char *; NIL: at the beginning */
	List	   *upper;			/* of char *; NIL: there is nothing to do */
	char	   *file;			/* by blocks; or NULL */
	int			pass;
	int64		pass_changed;
	int64		rows;			/* changed */
	List	   *window_end;		/* of char *; NIL: no window is open */
	int			part;
	int64		done;			/* rows or blocks passed */
	int64		hot;			/* of rows: updates within their page */
	int64		wal_bytes;
} MigCursor;

/* Over all ranges of a step. */
typedef struct MigCursorSum
{
	int64		pass_changed;
	int64		rows;
	int64		done;
	int			last;			/* range */
} MigCursorSum;

/* Fill in what is stored of a range; false if nothing is. */
extern bool mig_cursor_load(MigCursor *cursor);

/* Store it, in the transaction of the batch. */
extern void mig_cursor_save(const MigCursor *cursor);

/* Has a batch of the step been committed?  Then it is half done, whatever else is recorded. */
extern bool mig_cursor_has_moved(const char *version, MigDirection direction, int step);

/* The ranges of its step that are not done, in order: list of int. */
extern List *mig_cursor_open_ranges(const MigCursor *cursor);

extern void mig_cursor_sum(const MigCursor *cursor, MigCursorSum *sum);

/* Forget the ranges of its step; their changed rows are added to it. */
extern void mig_cursor_merge(MigCursor *cursor);

/* For those who watch: in the transaction of the batch. */
extern void mig_run_progress(int64 run, int64 done, int64 total, const char *unit, int workers);

/* A row that could not be taken: its key as text for people, and as values (NIL: it is found again by itself). */
extern void mig_failed_row_add(const MigCursor *cursor, int64 run, const char *relation, const char *key,
							   List *values, const char *sqlstate, const char *message);

/* Key values (list of List of char *) of the rows that this step could not take. */
extern List *mig_failed_rows_of(const MigCursor *cursor);
extern void mig_failed_row_remove(const MigCursor *cursor, List *values);
extern void mig_failed_rows_forget(const MigCursor *cursor);
extern int64 mig_failed_rows_count(const MigCursor *cursor);

#endif							/* MIGRATE_CATALOG_CURSOR_H */
