/*-------------------------------------------------------------------------
 *
 * events.h
 *	  What happened: append-only, and told by NOTIFY migrate.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_EVENTS_H
#define MIGRATE_EVENTS_H

#include "migrate.h"

/* On whose behalf we act; in a worker, who asked. */
typedef struct MigActor
{
	char	   *role;
	char	   *session_role;
	char	   *client_addr;	/* or NULL */
	char	   *application_name;
} MigActor;

typedef struct MigEvent
{
	const char *version;
	int64		run;			/* 0: none */
	int			step;			/* 0: none */
	const char *event;
	const char *kind;			/* of the step, or NULL */
	const char *command;
	double		duration_ms;	/* -1: not known; likewise below */
	int64		lock_wait_ms;
	int64		stalled_ms;
	int64		rows;
	int64		wal_bytes;
	int64		bytes;
	const char *sqlstate;
	const char *message;
	const char *checksum;
	const char *reason;
} MigEvent;

/* The actor of this session: in a worker as set, else from the connection. */
extern MigActor mig_actor(void);

/* In a worker; the strings must live as long as it does.  NULL: nobody. */
extern void mig_actor_set(const MigActor *actor);

/* Store an event and send it on channel "migrate", both when the transaction commits. */
extern void mig_event_record(const MigEvent *event);

#endif							/* MIGRATE_EVENTS_H */
