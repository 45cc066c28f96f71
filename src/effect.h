/*-------------------------------------------------------------------------
 *
 * effect.h
 *	  What one statement would do, as classify.c finds it.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_EFFECT_H
#define MIGRATE_EFFECT_H

#include "hazard.h"
#include "migrate.h"
#include "overlay.h"

/* Where a statement may run. */
typedef enum MigPlace
{
	MIG_ANYWHERE,				/* inside a transaction with its neighbours */
	MIG_OWN_TRANSACTION,		/* in a transaction, but not after others */
	MIG_TOP_LEVEL				/* the server refuses a transaction block */
} MigPlace;

typedef struct MigEffect
{
	MigPlace	place;
	MigStepKind kind;
	bool		opaque;			/* runs code that we cannot see through */
	bool		writes_rows;	/* INSERT, UPDATE, DELETE, MERGE, COPY, ... */
	bool		scans;			/* reads all rows of a table while it holds its locks; which: see locks */
	bool		rewrites;		/* copies the rows of a table to a new file */
	bool		builds;			/* builds an index: also scans */
	bool		contract;		/* breaks clients that know the old shape: waits for them */
	bool		breaks;			/* breaks running clients, or throws data away, whether it waits or not */
	bool		sets;			/* a setting, of the session or (block_only) of the transaction */
	bool		next_only;		/* a default of transactions: acts from the next one on */
	bool		block_only;		/* means something only inside a BEGIN block */
	bool		keeps_block;	/* LOCK TABLE and the like: a block that has it is not split */
	bool		made_only;		/* all that it changes was made by this migration */
	char	   *relation;		/* qualified; the one that it is about, or NULL */
	LOCKMODE	lock;			/* on relation */
	List	   *locks;			/* of MigLock: every relation, relation included */
	List	   *changes;		/* of MigChange: for the overlay */
	List	   *makes;			/* of char *: keys of objects that it makes ... */
	List	   *drops;			/* ... and drops: "view public.v"; see contract */
	List	   *words;			/* of char *: names that break with it, bare */
	List	   *touches;		/* of char *: bare names of what it changes or makes */
	char	   *enum_label;		/* value that ALTER TYPE ... ADD VALUE adds */
	char	   *rests;			/* "step 2 of 0001", or NULL */
	char	   *command;		/* what to send instead of the text, or NULL */
	char	   *object;			/* index etc. made or dropped at top level, qualified */
	char	   *undo;			/* SQL; "" nothing to undo; NULL irreversible */
	bool		undo_read;		/* it was read from the catalog */
	bool		undo_later;		/* it will be, once what it is about is there */
	bool		undo_late;		/* it is taken again just before the statement runs */
	bool		undo_ends;		/* irreversible, whatever else there is */
	const char *irreversible;	/* why, or NULL */
	int64		rows;			/* -1 */
	int64		bytes;			/* -1 */
	char	   *note;			/* or NULL */
	List	   *hazards;		/* of MigHazard */
	MigFailure *failure;		/* the server would refuse it as things are, or NULL */
} MigEffect;

/* May an expression yield another value for each row?  By what its functions say. */
extern bool mig_effect_volatile(Node *raw_expr);

/* Has a domain, or one that it is made from, a constraint? */
extern bool mig_effect_domain_is_constrained(Oid typid);

/* Is there a default of a type, another value for each row? */
extern bool mig_effect_type_default_is_volatile(Oid typid);

#endif							/* MIGRATE_EFFECT_H */
