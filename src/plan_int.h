/*-------------------------------------------------------------------------
 *
 * plan_int.h
 *	  What the plan*.c share: a statement on its way to a step.
 *
 * Layer 1, for those files alone.  plan.c classifies statement after
 * statement, plan_follow.c keeps what goes on from one to the next, plan_phase.c finds what has to wait for the contract phase,
 * plan_group.c puts what is left together into transactions;
 * plan_back.c derives the way back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_PLAN_INT_H
#define MIGRATE_PLAN_INT_H

#include "classify.h"
#include "plan.h"

/* A BEGIN ... COMMIT as written. */
typedef struct MigBlock
{
	const MigStatement *begin;
	const char *begin_text;		/* how each of its transactions starts */
	bool		aborted;		/* it ends with ROLLBACK */
	bool		whole;			/* has something that forbids to split it */
} MigBlock;

typedef struct MigItem
{
	const MigStatement *stmt;
	MigEffect  *effect;
	MigStep    *step;
	MigBlock   *block;			/* NULL: outside of any */
	bool		tightens;		/* see MigPart */
} MigItem;

typedef struct MigPlanner
{
	const MigPlanContext *context;
	const char *sql;
	const char *what;			/* for messages */
	MigOverlay *overlay;
	List	   *items;			/* of MigItem */
} MigPlanner;

/* On the way from statement to statement. */
typedef struct MigBuilder
{
	MigPlanner	planner;
	List	   *statements;
	List	   *faults;			/* of MigBlockFault */
	MigBlock   *block;			/* that is open, or NULL */
	int			block_mark;		/* of the overlay, at its BEGIN */
	char	   *path_default;	/* search_path of the migration, which RESET brings back */
	char	   *path_before;	/* what it was at the BEGIN of the block */
	char	   *path_session;	/* and what SET has made of it, without SET LOCAL */
	List	   *savepoints;		/* last one first */
	char	   *pending_note;	/* for the next step */
} MigBuilder;

/*
 * plan_follow.c: true if the statement only says where a transaction begins or
 * ends.  0A000 for PREPARE TRANSACTION.
 */
extern bool mig_plan_follow_transaction(MigBuilder *builder, const MigStatement *stmt);

/* The same file: what a statement that has become an item makes of search_path. */
extern void mig_plan_follow_setting(MigBuilder *builder, const MigItem *item);

/* Plan statements that were cut from sql; plan.c. */
extern MigPlan *mig_plan_statements(const char *sql, const char *what, int first_line,
									List *statements, const MigPlanContext *context);

extern void mig_plan_note(MigStep *step, const char *format,...) pg_attribute_printf(2, 3);

/* Which steps belong to the contract phase. */
extern void mig_plan_phases(MigPlanner *planner);

/* What a step changes, for the overlay: keys (char *) beside those of objects that it makes; plan_keys.c. */
extern List *mig_plan_keys(const MigItem *item);

/* Number steps and transactions: the plan's list of steps, expand before contract. */
extern List *mig_plan_group(MigPlanner *planner);

/* How long a step may take, in ms. */
extern int64 mig_plan_estimate(const MigEffect *effect, const List *rates);

#endif							/* MIGRATE_PLAN_INT_H */
