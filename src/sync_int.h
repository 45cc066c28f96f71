/*-------------------------------------------------------------------------
 *
 * sync_int.h
 *	  What the sync*.c share: a trigger's pairs, compiled.
 *
 * Layer 3, for those files alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_SYNC_INT_H
#define MIGRATE_SYNC_INT_H

#include "access/attnum.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/execnodes.h"

#include "sync.h"

/* One column of a side. */
typedef struct MigSyncColumn
{
	AttrNumber	attnum;
	int16		typlen;
	bool		typbyval;
	bool		has_constant;	/* a default that is the same for every row */
	Datum		constant;
} MigSyncColumn;

typedef struct MigSyncSide
{
	int			n;
	MigSyncColumn *columns;
} MigSyncSide;

/* How one side is made from the other. */
typedef struct MigSyncWay
{
	bool		exists;
	bool		foreign;		/* runs code that somebody has written: only as the owner of the table */
	bool		keeps_state;	/* expressions can stay ready to run between statements */
	AttrNumber *copies;			/* for each target: the column that is copied, or InvalidAttrNumber */
	List	   *exprs;			/* of Expr, planned; NULL for a copy */
	ExprState **states;			/* if keeps_state */
	int			nextras;		/* columns that it reads besides the other side */
	MigSyncColumn *extras;
} MigSyncWay;

typedef struct MigSyncCompiledPair
{
	MigSyncPair *pair;
	MigSyncSide old;
	MigSyncSide new;
	MigSyncWay	up;				/* makes new from old */
	MigSyncWay	down;			/* makes old from new */
} MigSyncCompiledPair;

/* A column of a unique index. */
typedef struct MigSyncKeyColumn
{
	AttrNumber	attnum;			/* InvalidAttrNumber: an expression */
	ExprState  *state;
	Expr	   *expr;
	FmgrInfo   *hash;			/* NULL: values of that type cannot be hashed */
	Oid			collation;
} MigSyncKeyColumn;

/* A unique index on a column that is kept equal to another. */
typedef struct MigSyncKey
{
	int			n;
	MigSyncKeyColumn *columns;
	bool		nulls_collide;
} MigSyncKey;

typedef struct MigSyncCompiled
{
	Oid			trigger;
	Oid			relid;
	Oid			owner;			/* of the table */
	bool		ready;			/* all of it is there */
	bool		valid;			/* the catalog has not changed since */
	int			users;			/* statements that use it */
	MemoryContext context;
	int			npairs;
	MigSyncCompiledPair *pairs;
	int			max_columns;	/* of any side */
	bool		evaluates;		/* has expressions, not only copies */
	int			nkeys;			/* unique indexes; 0 unless both sides of a pair have some */
	MigSyncKey *keys;
} MigSyncCompiled;

/*
 * The pairs of a trigger, compiled; from the cache of the session if nothing
 * has changed.  It stays as it is until it is released, whatever happens to
 * the catalog meanwhile.
 */
extern MigSyncCompiled *mig_sync_compiled(Relation rel, Oid trigger);
extern void mig_sync_release(MigSyncCompiled *compiled);

/*
 * An expression, parsed against the columns of a table, and coerced to the
 * type of one of them as an assignment does; not planned yet.  With "written" the text as it
 * has to be written to mean the same under any search_path.  Runs under the
 * identity and search_path in force.
 */
extern Expr *mig_sync_expression(Relation rel, const char *text, AttrNumber target, char **written);

/* Attribute numbers (positive, of int) that an expression reads. */
extern List *mig_sync_inputs(Relation rel, Expr *expr);

/* What else than built-in code does it run?  *keeps_state: may its state outlive a statement? */
extern bool mig_sync_is_foreign(Expr *expr, bool *keeps_state);

/* The value of a column's default if it is a constant. */
extern bool mig_sync_constant_default(Relation rel, AttrNumber attnum, Datum *value);

/* The unique indexes that inserts have to take turns on (sync_unique.c). */
extern void mig_sync_find_keys(Relation rel, MigSyncCompiled *compiled);
extern void mig_sync_lock_keys(const MigSyncCompiled *compiled, ExprContext *econtext,
							   TupleTableSlot *slot);

#endif							/* MIGRATE_SYNC_INT_H */
