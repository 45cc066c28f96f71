/*-------------------------------------------------------------------------
 *
 * runbook.h
 *	  What a verb will do, as one Markdown document for a change request.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_RUNBOOK_H
#define MIGRATE_RUNBOOK_H

#include "migrate.h"

/*
 * What is done, in which order, with which locks and for how long; how to
 * look before, watch, stop, go back, and what to do afterwards.  previews:
 * list of MigPreview.  costs: with sizes, estimates and the result of
 * preflight; without, the same text for the same plan on any day.
 */
extern char *mig_runbook(List *previews, const char *target, const char *action, bool costs);

#endif							/* MIGRATE_RUNBOOK_H */
