/*-------------------------------------------------------------------------
 *
 * catalog_watch.h
 *	  What those who watch need to know: states as they are shown, what the
 *	  server says about a worker at work.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_CATALOG_WATCH_H
#define MIGRATE_CATALOG_WATCH_H

#include "migrate.h"
#include "datatype/timestamp.h"

/* The server's own view of one of our workers; numbers and words, no query texts. */
typedef struct MigLive
{
	char	   *phase;			/* of a build, vacuum, ...; or NULL */
	int64		done;
	int64		total;
	char	   *unit;			/* blocks, tuples, sessions; NULL: the server counts nothing */
	char	   *wait_type;		/* lock, snapshot; NULL: waits for nobody */
	int			blocker;		/* pid that it waits for; 0: a prepared transaction */
	int			workers;		/* processes at work */
} MigLive;

/* What show() says beyond a Migration; texts, or NULL. */
typedef struct MigDates
{
	char	   *registered_by;
	char	   *registered_at;
	char	   *started_at;
	char	   *finished_at;
	char	   *applied_by;
} MigDates;

/* As mig_catalog_list, but with states and errors as migrate.status shows them. */
extern List *mig_watch_list(void);

/* By its key, whatever its zeros; false if there is none.  As recorded: nothing is asked about liveness. */
extern bool mig_watch_find(const char *version, MigState *state, MigDirection *direction);

/* The version that current() returns, or NULL. */
extern char *mig_watch_current(void);

/* May the current role read the SQL of that owner's migrations: as one who may become it, or by pg_read_all_data? */
extern bool mig_watch_may_read(const char *owner);

extern void mig_watch_dates(const char *version, MigDates *dates);

/* Is it recorded as running, completing or rolling_back by what is committed at this moment? */
extern bool mig_watch_is_running(const char *scope, const char *version);

/* False if there is no such process. */
extern bool mig_watch_live(int pid, MigLive *live);

/* Where the WAL ended on disk at some time. */
typedef struct MigLsnSample
{
	TimestampTz at;
	uint64		lsn;
} MigLsnSample;

/*
 * The streaming replica that is most behind, if by more than max_ms (0:
 * never); or NULL.  The server does not know the lag of one that stopped
 * replaying while it had nothing to do: it is behind if, max_ms after a
 * sample, it says that it has not replayed as far as that.
 */
extern char *mig_watch_replica_lag(int max_ms, const char *ignored,
								   const MigLsnSample *samples, int nsamples);

/* The logical slot that holds back more than max_kb (0: never) of WAL since *start_lsn; or NULL. */
extern char *mig_watch_slot(int max_kb, char **start_lsn);

/* An autovacuum that is at work on a table, or NULL. */
extern char *mig_watch_vacuum_of(const char *table);

#endif							/* MIGRATE_CATALOG_WATCH_H */
