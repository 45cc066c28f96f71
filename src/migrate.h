/*-------------------------------------------------------------------------
 *
 * migrate.h
 *	  The nouns: migration, statement, step, plan; their states and words.
 *
 * Layer 0: includes nothing of ours.  Text flows one way: text -> statements
 * -> classified statements -> plan -> run -> events.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_H
#define MIGRATE_H

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/jsonb.h"

#define MIG_MAX_VERSION_LEN 200		/* bytes */

typedef enum MigPhase
{
	MIG_EXPAND,					/* additive */
	MIG_MIGRATE,				/* fill and check data */
	MIG_CONTRACT				/* names, types, data of the old shape go */
} MigPhase;

typedef enum MigDirection
{
	MIG_DIR_APPLY,
	MIG_DIR_COMPLETE,
	MIG_DIR_ROLLBACK
} MigDirection;

typedef enum MigState
{
	MIG_PENDING,
	MIG_RUNNING,
	MIG_EXPANDED,
	MIG_COMPLETING,
	MIG_APPLIED,
	MIG_ROLLING_BACK,
	MIG_PAUSED,
	MIG_FAILED
} MigState;

/* What a step is, hence how it is done, undone, and found done: step.c. */
typedef enum MigStepKind
{
	MIG_STEP_SQL,				/* any statement inside a transaction */
	MIG_STEP_SETTING,			/* SET and the like: said again on resuming */
	MIG_STEP_CREATE_INDEX,		/* CREATE INDEX CONCURRENTLY */
	MIG_STEP_DROP_INDEX,		/* DROP INDEX CONCURRENTLY */
	MIG_STEP_REINDEX,			/* REINDEX ... CONCURRENTLY, or of many */
	MIG_STEP_DETACH,			/* DETACH PARTITION CONCURRENTLY */
	MIG_STEP_REPEATABLE,		/* top level; harmless twice: VACUUM, ... */
	MIG_STEP_OPAQUE,			/* top level; nobody can tell if it ran */
	MIG_STEP_LOOK,				/* a query that must find no row */
	MIG_STEP_VALIDATE,			/* VALIDATE CONSTRAINT; see migrate.on_violation */
	MIG_STEP_BACKFILL,			/* a statement that is carried out in batches */
	MIG_STEP_FILL				/* the same, of ours: fires no trigger, is narrowed by no policy */
} MigStepKind;

/*
 * One parsed statement of a migration.  "text" is the slice of the source
 * without leading blanks and comments and without its semicolon.
 */
typedef struct MigStatement
{
	int			index;			/* from 1 */
	int			line;			/* from 1, in the source */
	int			location;		/* byte offset in the source */
	const char *text;
	RawStmt    *raw;
} MigStatement;

/* A relation and the strongest mode that something takes on it. */
typedef struct MigLock
{
	char	   *relation;		/* qualified and quoted */
	LOCKMODE	mode;
	bool		created;		/* by this very migration: nobody can wait */
	bool		scans;			/* all its rows are read meanwhile (while planning; not stored) */
	bool		rewrites;		/* ... and copied */
	Oid			relid;			/* in the catalog now, or InvalidOid (not stored) */
} MigLock;

/*
 * How a backfill goes through its table.  By key: the ranges of a unique key,
 * each once.  By blocks: ranges of blocks, again and again until there is
 * nothing left to do, which needs a statement that never finds a row twice.
 */
typedef struct MigBatches
{
	List	   *keys;			/* names of key columns (char *); NIL: by blocks */
	char	   *table;			/* qualified */
	char	   *root;			/* of the tree that the table has to belong to, qualified; or NULL */
	char	   *first;			/* by key: the first batch, which has no lower end */
	char	   *single;			/* by key: one row */
	char	   *whole;			/* the statement as it was written */
} MigBatches;

typedef struct MigStep
{
	int			step;			/* from 1 */
	MigPhase	phase;
	MigStepKind kind;
	int			statement;
	int			line;
	int			tx;				/* steps with the same number share one */
	const char *begin;			/* how that transaction starts, or NULL */
	bool		alone;			/* outside a transaction block */
	bool		ends_aborted;	/* the transaction is rolled back as written */
	char	   *command;		/* what will really be sent */
	char	   *undo;			/* SQL, "" if nothing to undo, NULL: irreversible */
	bool		undo_late;		/* undo is read again just before the step runs */
	int			undoes;			/* derived way back: the step that it undoes; else 0 */
	char	   *relation;		/* the one that it is about, or NULL */
	char	   *object;			/* what it makes or drops, qualified, or NULL */
	MigBatches *batches;		/* backfill; else NULL */
	const char *violates;		/* look: SQLSTATE of the rule that rows which it finds break */
	LOCKMODE	lock;			/* on relation; NoLock if none */
	List	   *locks;			/* of MigLock */
	bool		scans;
	bool		rewrites;
	int64		rows;			/* -1: not known */
	int64		bytes;			/* -1: not known */
	int64		estimate_ms;	/* -1: not known */
	char	   *note;
	char	   *state;			/* pending, started, done, undone, doubtful */
} MigStep;

typedef struct MigPlan
{
	char	   *version;		/* NULL for explain() */
	MigDirection direction;
	List	   *steps;			/* of MigStep */
	bool		has_contract;
} MigPlan;

typedef struct Migration
{
	char	   *scope;
	char	   *version;
	bool		in_order;
	char	   *name;			/* or NULL */
	char	   *owner;			/* a role's name */
	bool		requires_written;
	List	   *requires;		/* of char *, as written */
	char	   *up;
	char	   *down;			/* or NULL */
	char	   *verify;			/* or NULL */
	int			up_line;		/* where they begin in their file; 0: unknown, as 1 */
	int			down_line;
	int			verify_line;
	Jsonb	   *options;
	char	   *search_path;
	char	   *checksum;
	char	   *token_checksum;
	char	   *origin;
	MigState	state;
	MigDirection direction;
	bool		paused_on_purpose;	/* pause = 'sticky' */
	int64		run;			/* 0: none */
	int			step;
	int			steps;
	int			steps_done;
	char	   *error;
} Migration;

/*
 * Where SQL comes from that fills columns which are kept equal: with in_order
 * false nobody else can say so.
 */
#define MIG_ORIGIN_SYNC "sync_columns"

#endif							/* MIGRATE_H */
