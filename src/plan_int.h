/*-------------------------------------------------------------------------
 *
 * plan_int.h
 *	  What the plan*.c share: a statement on its way to a step.
 *
 * Layer 1, for those files alone.  plan.c classifies statement after
 * statement, plan_phase.c finds what has to wait for the contract phase,
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

/* Plan statements that were cut from sql; plan.c. */
extern MigPlan *mig_plan_statements(const char *sql, const char *what, List *statements,
									const MigPlanContext *context);

extern void mig_plan_note(MigStep *step, const char *format,...) pg_attribute_printf(2, 3);

/* Which steps belong to the contract phase. */
extern void mig_plan_phases(MigPlanner *planner);

/* Number steps and transactions: the plan's list of steps, expand before contract. */
extern List *mig_plan_group(MigPlanner *planner);

/* How long a step may take, in ms. */
extern int64 mig_plan_estimate(const MigEffect *effect, const List *rates);

#endif							/* MIGRATE_PLAN_INT_H */
