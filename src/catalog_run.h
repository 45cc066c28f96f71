/*-------------------------------------------------------------------------
 *
 * catalog_run.h
 *	  Requests (what a verb was asked to do), runs, and states of migrations.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_CATALOG_RUN_H
#define MIGRATE_CATALOG_RUN_H

#include "events.h"
#include "migrate.h"
#include "notice.h"

/* An error as it travels from a worker to the caller. */
typedef struct MigError
{
	char	   *sqlstate;
	char	   *message;
	char	   *detail;			/* or NULL, likewise below */
	char	   *hint;
	char	   *context;
	char	   *query;			/* internal query */
	int			position;		/* in it, from 1; 0: none */
	char	   *version;		/* of the migration */
	int			step;			/* 0: none */
} MigError;

typedef struct MigRequest
{
	int64		id;
	char	   *scope;
	char	   *verb;			/* apply, complete, rollback, rollback_to, run */
	char	   *target;			/* or NULL */
	List	   *targets;		/* the versions that this came to when it was asked */
	bool		complete;
	bool		cascade;
	bool		lose_data;
	MigActor	actor;
	Jsonb	   *settings;		/* of the calling session */
	char	   *identity;
	char	   *state;			/* queued, running, done, failed */
	int			caller_pid;
	int			pid;			/* of the worker, 0: none */
	int64		age_ms;
	List	   *done;			/* versions */
	List	   *failed;			/* versions */
	int			notices;		/* how many there are for the caller */
	char	   *waiting_for;	/* or NULL */
	char	   *result;			/* or NULL */
	MigError   *error;			/* or NULL */
} MigRequest;

/* Fill id; the actor is taken from the session.  Old requests that have ended are forgotten. */
extern void mig_request_insert(MigRequest *request);
extern MigRequest *mig_request_get(int64 id);	/* NULL: none */
extern void mig_request_start(int64 id);
extern void mig_request_add_done(int64 id, const char *version);
extern void mig_request_add_failed(int64 id, const char *version, const MigError *error);	/* the first error stays */
extern void mig_request_add_notice(int64 id, const MigNotice *notice);
extern void mig_request_take_notices(int64 id); /* add those that this worker has kept */
extern List *mig_request_notices(int64 id, int from);	/* of MigNotice: those behind the first "from" */
extern void mig_request_waiting(int64 id, const char *waiting_for);	/* NULL: no more */
extern void mig_request_finish(int64 id, const char *result);	/* failed, if anything has failed */

/* Requests of this database that have not ended, oldest first: list of MigRequest. */
extern List *mig_request_open(void);

/* The open request that this version is worked on for; 0: none. */
extern int64 mig_request_of(const char *version);

/* One line on what a request is doing now; NULL: nothing that can be told. */
extern char *mig_request_progress(int64 id);

/* The version that a request works on now, or NULL. */
extern char *mig_request_current(int64 id);

/* --- runs and states --- */

/*
 * A new run of so many steps, at "step", with some done before; the migration
 * gets the state of one that goes that way.  Returns its number.
 */
extern int64 mig_run_begin(const char *version, MigDirection direction, int64 request,
						   Jsonb *settings, int steps, int step, int steps_done);

/*
 * What the worker waits for, in a transaction of its own.  It holds for so
 * many milliseconds and must be said again before they are over: the end of
 * a wait often falls into a transaction of the user's, where nothing can be
 * told to others.
 */
extern void mig_run_waits(int64 run, const char *wait_type, const char *detail, int ms);
extern void mig_run_add_lock_time(int64 run, int64 stalled_ms, int64 waited_ms);

/* The step that is next or running, and how many are done. */
extern void mig_run_at_step(const char *version, MigPhase phase, int step, int steps_done);

/* The run is over; the migration gets this state. error may be NULL. */
extern void mig_run_end(const char *version, int64 run, MigState state,
						const char *outcome, const MigError *error);

/*
 * Settings of a run: the caller's, under the options of the migration, under
 * what tune() has changed.  NULL if there is no such run.
 */
extern Jsonb *mig_run_settings(int64 run);
extern void mig_run_tune(int64 run, Jsonb *changes);

/* The version that a run is of; NULL: there is no such run. */
extern char *mig_run_version(int64 run);

/* Sum of what a run stalled and waited, in ms; and the worker's pid. */
extern int64 mig_run_stalled(int64 run);
extern int	mig_run_pid(int64 run);

/* Pausing: 'none', 'once' (Ctrl-C), 'sticky' (pause()). */
extern void mig_set_pause(const char *version, const char *pause);
extern const char *mig_get_pause(const char *version);

#endif							/* MIGRATE_CATALOG_RUN_H */
