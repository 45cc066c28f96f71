/*-------------------------------------------------------------------------
 *
 * overlay.h
 *	  What names stand for after statements that have been planned, but have
 *	  not run.
 *
 * Layer 1.  Takes no lock; a name is looked up in the catalog as it is now.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_OVERLAY_H
#define MIGRATE_OVERLAY_H

#include "migrate.h"
#include "nodes/primnodes.h"

typedef struct MigOverlay MigOverlay;

/* What a relation's name stands for. */
typedef struct MigName
{
	char	   *nspname;		/* "pg_temp" for temporary ones */
	char	   *relname;
	char	   *text;			/* qualified and quoted */
	Oid			relid;			/* in the catalog now; InvalidOid: not there yet */
	char		relkind;		/* 0: not known */
	bool		known;			/* exists, or an earlier statement makes it */
	bool		created;		/* by an earlier statement of the same migration */
	bool		triggers;		/* an earlier statement has put a trigger on it */
	bool		touched;		/* an earlier statement has altered it */
	const MigStep *step;		/* of an earlier migration, on which this rests, or NULL */
	const char *version;		/* of that migration */
} MigName;

typedef enum MigChangeKind
{
	MIG_MAKES,					/* a relation */
	MIG_MAKES_IF_NEW,			/* IF NOT EXISTS, OR REPLACE */
	MIG_DROPS,
	MIG_MOVES,					/* renamed or into another schema */
	MIG_ALTERS,
	MIG_TRIGGERS,				/* puts a trigger on it */
	MIG_MAKES_SCHEMA,
	MIG_DROPS_SCHEMA,
	MIG_MOVES_SCHEMA,
	MIG_MOVES_OBJECT,			/* relname is its new key ("type public.t"): it was there before */
	MIG_MAKES_PROCEDURE,		/* one that commits: relname is its bare name */
	MIG_OPAQUE					/* anything may exist since */
} MigChangeKind;

typedef struct MigChange
{
	MigChangeKind kind;
	const char *nspname;
	const char *relname;
	char		relkind;
	const char *new_nspname;	/* MIG_MOVES, MIG_MOVES_SCHEMA */
	const char *new_relname;
} MigChange;

/* Empty, in the current memory context. */
extern MigOverlay *mig_overlay_make(void);

/*
 * From here on statements belong to this text: errors show it, and what the
 * text before has made is no longer made "by this very migration".  Its lines
 * count from first_line.
 */
extern void mig_overlay_enter(MigOverlay *overlay, const char *version,
							  const char *source, const char *what, int first_line);

/* Inside ereport(): the place in the text. */
extern int	mig_overlay_errposition(const MigOverlay *overlay, int offset);

/* The text, and the byte offset in it of a position in characters, from 1. */
extern const char *mig_overlay_source(const MigOverlay *overlay);
extern int	mig_overlay_offset(const MigOverlay *overlay, int position);

/* Has anything run that we could not see through? */
extern bool mig_overlay_opaque(const MigOverlay *overlay);

/* What a name stands for; never fails.  nspname NULL: by search_path. */
extern MigName *mig_overlay_find(const MigOverlay *overlay, const char *nspname, const char *relname);

/* Has an earlier statement altered it, or what it is a partition of? */
extern bool mig_overlay_touched(const MigOverlay *overlay, const MigName *name);

/* Where CREATE would put a relation of that name; known says if there is one already. */
extern MigName *mig_overlay_target(const MigOverlay *overlay, const char *nspname,
								   const char *relname, bool temp);

/* In the catalog, else InvalidOid.  NULL: the first of search_path. */
extern Oid	mig_overlay_schema_oid(const MigOverlay *overlay, const char *nspname);
extern bool mig_overlay_has_schema(const MigOverlay *overlay, const char *nspname);

/* Was a procedure of that bare name made which ends transactions? */
extern bool mig_overlay_commits(const MigOverlay *overlay, const char *proname);

/* Was an object ("function public.f") made by an earlier statement of the same migration? */
extern bool mig_overlay_made(const MigOverlay *overlay, const char *object);

/* The same by any of the migrations that the overlay has seen; was one dropped (and not made again)? */
extern bool mig_overlay_has(const MigOverlay *overlay, const char *object);
extern bool mig_overlay_dropped(const MigOverlay *overlay, const char *object);

/* Is a word part of the name of anything that a statement has made, changed or dropped, or of its kind? */
extern bool mig_overlay_mentions(const MigOverlay *overlay, const char *word);

/* Is it a word of the text before this offset, or of an earlier migration's? */
extern bool mig_overlay_says(const MigOverlay *overlay, const char *word, int offset);

/* What a statement changes (MigChange), which objects it makes and drops (char *), and its step. */
extern void mig_overlay_apply(MigOverlay *overlay, const List *changes, const List *makes,
							  const List *drops, const MigStep *step);

/* Take back all that was applied since a mark. */
extern int	mig_overlay_mark(const MigOverlay *overlay);
extern void mig_overlay_revert(MigOverlay *overlay, int mark);

#endif							/* MIGRATE_OVERLAY_H */
