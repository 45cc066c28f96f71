/*-------------------------------------------------------------------------
 *
 * online_rows.h
 *	  What the files for statements over many rows share: online_rows*.c and
 *	  online_insert.c.
 *
 * Layer 1, for those files alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_ONLINE_ROWS_H
#define MIGRATE_ONLINE_ROWS_H

#include "online_int.h"

/* UPDATE, DELETE or INSERT ... SELECT, taken apart. */
typedef struct MigRows
{
	MigOnline  *online;			/* name: the table that is changed */
	MigName    *source;			/* that is gone through: the same, or the one an INSERT reads */
	RangeVar   *relation;		/* the source, as written; NULL: not known yet */
	RangeVar   *target;
	List	   *targets;		/* UPDATE: of ResTarget; else NIL */
	Node	   *where;
	WithClause *with;
	bool		joins;			/* FROM, USING */
	bool		update;
	bool		delete;
} MigRows;

/* What such a statement reads beside the table that it goes through. */
typedef struct MigReads
{
	List	   *relids;			/* tables, and views with what is below them */
	bool		unknown;		/* one is not in the catalog yet */
	bool		sublinks;
	bool		writes;			/* a WITH that changes rows */
	bool		cursor;			/* WHERE CURRENT OF */
	bool		whole_row;		/* a row as a value, or schema.table.column */
} MigReads;

/* --- online_rows_reads.c --- */

extern void mig_rows_read(const MigRows *rows, MigReads *reads);

/*
 * Why the statement has to see and change all its rows at once, for a person;
 * NULL: part after part comes to the same.
 */
extern const char *mig_rows_entangled(const MigRows *rows, const MigReads *reads);

/* A large relation of which each batch would have to read everything; NULL: none. */
extern const char *mig_rows_read_again(const MigRows *rows, const MigReads *reads);

/* --- online_rows_proof.c --- */

/* Does it never find a row again that it has dealt with?  The proof is told there. */
extern bool mig_rows_finish_themselves(const MigRows *rows, const MigReads *reads);

/* --- online_rows_text.c --- */

/* Where the parts of a statement stand in its text: byte offsets. */
typedef struct MigPlaces
{
	int			relation;		/* its target: ONLY, name, star */
	int			relation_end;
	int			where;			/* -1: none */
	int			end;			/* of WHERE, or of where it would stand */
} MigPlaces;

/* False if the text is not one of those that can be cut. */
extern bool mig_rows_cut(const MigRows *rows, MigPlaces *places);

/*
 * The statement narrowed by a condition; instead: what takes the place of its
 * target, or NULL.  NULL if what comes out is not the same statement otherwise.
 */
extern char *mig_rows_narrow(const MigRows *rows, const MigPlaces *places,
							 const char *instead, const char *condition);

/* --- online_rows.c --- */

extern bool mig_rows_have_rules(Oid relid);

extern List *mig_rows_whole(MigOnline *online, const char *reason);

/* The part that goes through the table by these keys (of String); NIL: by blocks.  NULL: the text cannot be cut. */
extern MigPart *mig_rows_batched(const MigRows *rows, const MigPlaces *places, List **parts,
								 Oid relid, const char *instead, List *keys);

/* Columns (of String) of the shortest key of a table that leaves out what the statement sets; NIL: none. */
extern List *mig_rows_key(const MigRows *rows, Oid relid, bool *sets_it);

#endif							/* MIGRATE_ONLINE_ROWS_H */
