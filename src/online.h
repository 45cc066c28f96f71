/*-------------------------------------------------------------------------
 *
 * online.h
 *	  Statements that are replaced by a sequence which blocks nobody.
 *
 * Layer 1, between plan.c and classify.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_ONLINE_H
#define MIGRATE_ONLINE_H

#include "classify.h"

/* One statement of a sequence. */
typedef struct MigPart
{
	char	   *command;		/* one statement, names qualified */
	MigStepKind kind;			/* MIG_STEP_SQL: as it is classified */
	MigPhase	phase;			/* expand or migrate: order is kept either way */
	bool		undo_given;		/* else as it is classified */
	char	   *undo;			/* as in MigStep */
	const MigName *ours;		/* a call of a function of ours, which alters this table alone; else NULL */
	const char *makes;			/* by it: "column public.t.c", as effects have it */
	const char *drops;
	bool		own_transaction;
	bool		tightens;		/* changes neither rows nor columns, only what is allowed */
	bool		spares_scan;	/* an earlier part has proved what the server would look for */
	const char *spares_lock;	/* qualified: an earlier part has cut it off from this relation */
	bool		breaks;			/* old clients, though its text does not show it */
	const char *locks_out;		/* a relation that it takes AccessExclusiveLock on, though its text does not show it */
	const char *object;			/* what it adds or validates: a failed validation lifts what belongs to it */
	char	   *relation;		/* that it is about, if classifying cannot tell */
	const char *violates;		/* see MigStep */
	MigBatches *batches;		/* see MigStep */
	char	   *note;			/* or NULL */
} MigPart;

/*
 * The sequence (list of MigPart) that takes the place of a statement, or NIL:
 * it runs as it stands, because it blocks nobody, or what it concerns is
 * small, empty or made by the same migration, or there is no other way (then
 * the effect's note says whom it keeps waiting).  Errors: what the server would
 * raise in any case, as far as mig_refuse() has let it pass: 42P07 for the name of
 * a key that is taken, 42830 and 42704 for what a foreign key cannot refer to,
 * 23502 for a column that would be NULL in the rows that there are.  statements: all of the text (of MigStatement), for what
 * comes later.
 */
extern List *mig_online_expand(const MigStatement *stmt, MigEffect *effect,
							   const MigOverlay *overlay, const List *statements);

/* The same for an UPDATE of ours that fills what a sync keeps equal, and so changes no row twice. */
extern List *mig_online_fill(const MigStatement *stmt, MigEffect *effect, const MigOverlay *overlay);

/*
 * The same for a statement that would wait for old clients to go: what lets
 * both names live until then.  NIL: there is no such way, or no need.
 */
extern List *mig_online_rename(const MigStatement *stmt, MigEffect *effect, const MigOverlay *overlay);

/* Where there is no way to spare others the wait, note it. */
extern void mig_online_flag(MigEffect *effect);

/* Does a statement leave rows and columns that are there as they are?  It may add columns. */
extern bool mig_online_keeps_rows(Node *node);

#endif							/* MIGRATE_ONLINE_H */
