/*-------------------------------------------------------------------------
 *
 * run_batch.h
 *	  What the parts of a backfill share: run_backfill.c, run_batch*.c,
 *	  run_range.c, run_helper.c.
 *
 * Layer 3, private to them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_RUN_BATCH_H
#define MIGRATE_RUN_BATCH_H

#include "executor/spi.h"

#include "catalog_cursor.h"
#include "run_throttle.h"

#define MIG_FIRST_ROWS 1000
#define MIG_PARTS 8				/* of a window; a power of two */

typedef struct Backfill
{
	MigRun	   *run;
	const MigStep *step;
	const MigBatches *batches;
	int			place;			/* 0: the run's own worker; else of a helper */
	MigCursor	cursor;			/* of the range at hand */
	MigThrottle throttle;
	MemoryContext context;		/* of a batch */
	Oid			relid;			/* of the table, as it was at the last look */
	int64		total;			/* rows or blocks, -1: not known */
	TimestampTz looked;			/* around, last; 0: not yet */

	/* the batch at hand */
	int			size;			/* rows or blocks of the next slice */
	int			slices;			/* done in it */
	int			tries;
	List	   *bound;			/* upper end of the slice */
	int			ceiling;		/* of size, behind a row that failed; 0: none */
	bool		moved;			/* the table has another file */
	uint64		wal_before;
	int64		hot_before;

	/* windows, so that updates stay within their page */
	char	   *alias;			/* of the table in the command; NULL: no windows */
	char	   *part_of;		/* SQL: the part that a row belongs to */
	bool		is_update;
	int64		blocks;			/* of the table, when the backfill began here */
	bool		narrow;			/* in the open window: by slices, after trouble */
	int64		window_size;	/* rows or blocks; 0: not known */
	int64		window_rows;	/* changed in it by us */
	int64		window_hot;
	TimestampTz no_windows_until;	/* they did not help */

	/* vacuum between slices, where it cannot be so */
	bool		touches_index;
	bool		vacuum_in_vain;
	int64		rows_expected;	/* in the table, by its statistics or its size */
	int64		vacuumed_at;	/* rows changed until then */
	int64		vacuumed_blocks;	/* of the table then */

	SPIPlanPtr	bound_plan;		/* where a slice ends */
	SPIPlanPtr	slice_plan;		/* what changes its rows */
	SPIPlanPtr	part_plan;		/* ... those of one part */
	SPIPlanPtr	rest_plan;		/* ... those of a part and all behind it */
} Backfill;

static inline bool
mig_batch_by_key(const Backfill *b)
{
	return b->batches->keys != NIL;
}

/* --- run_batch_sql.c: in a transaction and SPI, but where it says otherwise --- */

/* The table, locked to be read; 42809 if it is no plain table any more. */
extern Relation mig_batch_open(const Backfill *b);

/* Does it still have the file that the cursor's blocks are numbers of?  Outside SPI too. */
extern bool mig_batch_has_new_file(const Backfill *b);

/* The last key that there is, in the current context; NIL: the table is empty. */
extern List *mig_batch_last_key(Backfill *b);

/* The key "size" rows behind the cursor, or the end of the window or the range: in the batch's context. */
extern List *mig_batch_bound(Backfill *b, int64 size);

/* Change the rows from the cursor to a bound that belong to a part, and to those behind it; returns their number. */
extern int	mig_batch_change(Backfill *b, List *bound, int part, bool later_parts);

/* One row by its key, as mig_batch_change. */
extern int	mig_batch_single(Backfill *b, List *key);

/* By blocks: places and keys, as shown, of the rows of the block at the cursor (lists of char *, in the run's context). */
extern void mig_batch_rows_of_block(Backfill *b, List **tids, List **keys);

/* By blocks: the row at a place, as mig_batch_change. */
extern int	mig_batch_place(Backfill *b, char *tid);

/* Keys that cut the rest of the range in so many pieces, or fewer; list of List of char *. */
extern List *mig_batch_sample(Backfill *b, int pieces);

/*
 * Once, outside SPI: look at the table, and whether updates can stay within
 * their page, and how parts of its rows are told apart.
 */
extern void mig_batch_look(Backfill *b);

extern void mig_batch_forget_plans(Backfill *b);

/* --- run_batch.c: outside any transaction --- */

/* For the rest of the transaction: no business of the users' triggers and row policies, if the step is ours. */
extern void mig_batch_keep_to_ourselves(const Backfill *b);

extern void mig_batch_begin(Backfill *b);

/* One batch, whatever becomes of it; "moved" is set when the blocks are not those of the table any more. */
extern void mig_batch(Backfill *b);

/* Is it what a row's own data can be to blame for?  Or has it been waited for, so that another try is due? */
extern bool mig_batch_is_of_data(const ErrorData *edata);
extern bool mig_batch_wait_out(Backfill *b, const ErrorData *edata);

extern bool mig_batch_at_end(const Backfill *b);

/* Copies in the context of the run. */
extern void mig_batch_set(Backfill *b, List **where, List *texts);
extern bool mig_batch_same(List *a, List *b);

/* --- run_range.c: outside any transaction --- */

/* The whole table as one range, for a first pass or another; what was stored is forgotten. */
extern void mig_range_begin(Backfill *b, int pass);

/* Make so many ranges of the rest of the one at hand, or fewer if there is little left. */
extern void mig_range_split(Backfill *b, int pieces);

/* Take the next range that nobody has; false: there is none.  *open: are there any that are not done? */
extern bool mig_range_take(Backfill *b, bool *open);
extern void mig_range_give_back(Backfill *b);

/* Of those not done, how many does nobody go through? */
extern int	mig_range_free(Backfill *b);

/* --- run_helper.c: outside any transaction --- */

/*
 * Start helpers, as far as there are ranges and free slots for them; returns
 * how many are at work.  And the body of one.
 */
extern int	mig_helpers_start(Backfill *b, int wanted);
extern PGDLLEXPORT void mig_helper_main(Datum arg);

/* --- run_vacuum.c: outside any transaction --- */

/* Vacuum the table, if enough of its rows have been changed since the last time, and if it pays. */
extern void mig_backfill_vacuum(Backfill *b, int64 changed);

/* --- run_backfill.c --- */

extern Backfill *mig_backfill_new(MigRun *run, const MigStep *step, int place);
extern void mig_backfill_free(Backfill *b);

/* The range at hand, to its end, or until "moved". */
extern void mig_backfill_range(Backfill *b);

#endif							/* MIGRATE_RUN_BATCH_H */
