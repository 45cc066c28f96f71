/*-------------------------------------------------------------------------
 *
 * preflight_int.h
 *	  What the preflight*.c share.
 *
 * Layer 3, for those files alone.  preflight.c finds out what is concerned
 * and asks each item; preflight_plan.c judges the migrations themselves,
 * preflight_server.c the server, preflight_disk.c the room on its disks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_PREFLIGHT_INT_H
#define MIGRATE_PREFLIGHT_INT_H

#include "catalog_server.h"
#include "preflight.h"
#include "preview.h"

/* A relation that was there before, and the strongest mode that is taken on it. */
typedef struct MigConcerned
{
	Oid			relid;
	char	   *name;
	LOCKMODE	mode;
	int			step;			/* that takes it */
	const char *version;
} MigConcerned;

typedef struct MigPreflight
{
	const char *target;			/* or NULL */
	const char *action;
	bool		back;			/* the action is a rollback */
	List	   *migrations;		/* of Migration */
	char	   *refused;		/* why those could not be told, or NULL */
	char	   *no_right;		/* why the caller may not, or NULL */
	List	   *previews;		/* of MigPreview */
	char	   *no_plan;		/* why there are none, or NULL */
	List	   *concerned;		/* of MigConcerned */
	bool		builds;			/* something waits for old snapshots */
	MigLookAt	look;
} MigPreflight;

/* Add a line to the detail; a bad one makes the finding bad. */
extern void mig_preflight_line(MigFinding *finding, bool bad, const char *line);

#define mig_preflight_bad(finding, ...) mig_preflight_line(finding, true, psprintf(__VA_ARGS__))
#define mig_preflight_say(finding, ...) mig_preflight_line(finding, false, psprintf(__VA_ARGS__))

/* The parse tree of a step's command. */
extern Node *mig_preflight_node(const MigStep *step);

/* preflight_plan.c */
extern void mig_preflight_rights(MigPreflight *p, MigFinding *f);
extern void mig_preflight_plan(MigPreflight *p, MigFinding *f);
extern void mig_preflight_owners(MigPreflight *p, MigFinding *f);
extern void mig_preflight_order(MigPreflight *p, MigFinding *f);
extern void mig_preflight_unfinished(MigPreflight *p, MigFinding *f);
extern void mig_preflight_way_back(MigPreflight *p, MigFinding *f);
extern void mig_preflight_verify(MigPreflight *p, MigFinding *f);

/* preflight_server.c */
extern void mig_preflight_primary(MigPreflight *p, MigFinding *f);
extern void mig_preflight_old(MigPreflight *p, MigFinding *f);
extern void mig_preflight_prepared(MigPreflight *p, MigFinding *f);
extern void mig_preflight_vacuums(MigPreflight *p, MigFinding *f);
extern void mig_preflight_wraparound(MigPreflight *p, MigFinding *f);
extern void mig_preflight_invalid(MigPreflight *p, MigFinding *f);
extern void mig_preflight_logical(MigPreflight *p, MigFinding *f);
extern void mig_preflight_replicas(MigPreflight *p, MigFinding *f);
extern void mig_preflight_archiver(MigPreflight *p, MigFinding *f);
extern void mig_preflight_slots(MigPreflight *p, MigFinding *f);
extern void mig_preflight_workers(MigPreflight *p, MigFinding *f);

/* preflight_disk.c */
extern void mig_preflight_disk(MigPreflight *p, MigFinding *f);

#endif							/* MIGRATE_PREFLIGHT_INT_H */
