/*-------------------------------------------------------------------------
 *
 * preview.h
 *	  What a verb would do, migration by migration, without doing it.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_PREVIEW_H
#define MIGRATE_PREVIEW_H

#include "migrate.h"

typedef struct MigPreview
{
	Migration  *migration;
	List	   *steps;			/* of MigStep, in the order of their work */
} MigPreview;

/*
 * The migrations that apply, complete, rollback or rollback_to would touch,
 * with their SQL, in the order that it takes (list of Migration).  Errors as
 * mig_graph_check() and mig_targets() have them: 42704 for an unknown target,
 * 22023 for an unknown action, 55000 for what the verb would refuse.
 */
extern List *mig_preview_targets(const char *target, const char *action);

/*
 * The steps of each (list of MigPreview).  The caller has checked the rights;
 * errors are those of planning, and 55000 for what has no way back.
 */
extern List *mig_preview(List *migrations, const char *action);

/* Does that action go back? */
extern bool mig_preview_is_back(const char *action);

#endif							/* MIGRATE_PREVIEW_H */
