/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  From statements to the ordered steps of a plan.
 *
 * Layer 1: no writes; what history has measured is passed in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_PLAN_H
#define MIGRATE_PLAN_H

#include "migrate.h"

/* A measured rate: how a kind of step went in the past on this server. */
typedef struct MigRate
{
	MigStepKind kind;
	double		ms;				/* sum of durations */
	double		bytes;			/* sum of relation sizes */
	int64		steps;
} MigRate;

struct MigEffect;
struct MigOverlay;

/*
 * For check(): each statement as it stands, with what it would do, before
 * the overlay knows of it; block is the same for those of one transaction
 * block, NULL outside of any.
 */
typedef void (*MigOnStatement) (void *arg, const MigStatement *stmt, struct MigEffect *effect,
							   const struct MigOverlay *overlay, const void *block,
							   const List *statements);

typedef struct MigPlanContext
{
	const char *version;		/* for messages; NULL: explain() */
	const char *what;			/* "up", "down" or "sql", for messages */
	const Migration *migration; /* whose part that is, or NULL: lines count as it says */
	MigDirection direction;
	bool		as_written;		/* options.transaction = 'as_written' */
	bool		complete;		/* no old client is left to protect */
	bool		rehearsed;		/* all of it will run in one transaction */
	bool		fills;			/* UPDATEs of ours, which fill what a sync keeps equal */
	List	   *rates;			/* of MigRate * */
	struct MigOverlay *overlay; /* what earlier plans make; NULL: nothing */
	MigOnStatement		look;			/* NULL: plan */
	void	   *look_arg;
} MigPlanContext;

/*
 * Plan sql against the live catalog, under the search_path in force; with
 * look, only go through its statements, NULL.
 * Errors: those of mig_parse and mig_classify; the refused ones of
 * mig_block_faults(); 25001 for a statement that the server refuses in a
 * transaction block, in a block that cannot be split; 0A000 for PREPARE
 * TRANSACTION.
 */
extern MigPlan *mig_plan_build(const char *sql, const MigPlanContext *context);

/*
 * The plan that undoes the steps that are done: the undo of each, last one
 * first.  55000, naming the statement that is to blame, when one of them is
 * irreversible.
 */
extern MigPlan *mig_plan_reverse(const MigPlan *plan, const MigPlanContext *context);

#endif							/* MIGRATE_PLAN_H */
