/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  The settings with prefix "migrate.", and options of a migration.
 *
 * In a worker the variables below hold what was resolved for the migration
 * that is running: mig_settings_apply() lays the layers one over another.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_SETTINGS_H
#define MIGRATE_SETTINGS_H

#include "migrate.h"

enum MigOutOfOrder
{
	MIG_ORDER_ALLOW, MIG_ORDER_WARN, MIG_ORDER_ERROR
};

enum MigLowBloat
{
	MIG_BLOAT_AUTO, MIG_BLOAT_ON, MIG_BLOAT_OFF
};

enum MigSyncConflict
{
	MIG_CONFLICT_NEW, MIG_CONFLICT_OLD, MIG_CONFLICT_ERROR
};

enum MigOnViolation
{
	MIG_VIOLATION_LIFT, MIG_VIOLATION_KEEP
};

extern int	mig_stall_limit;	/* ms */
extern int	mig_lock_retry_for; /* ms */
extern int	mig_statement_timeout;	/* ms, 0: none */
extern int	mig_max_runs;
extern int	mig_workers;
extern int	mig_batch_time;		/* ms */
extern int	mig_batch_pause;	/* ms */
extern int	mig_low_bloat;		/* enum MigLowBloat */
extern int	mig_max_replica_lag;	/* ms, 0: off */
extern char *mig_ignore_replicas;
extern int	mig_max_slot_wal;	/* kB, 0: off */
extern int	mig_max_wal_rate;	/* kB a second, 0: off */
extern int	mig_min_free_disk;	/* MB, 0: off */
extern char *mig_window;
extern int	mig_small_table;	/* kB */
extern int	mig_sync_conflict;	/* enum MigSyncConflict */
extern int	mig_on_violation;	/* enum MigOnViolation */
extern int	mig_keep_dropped;	/* minutes */
extern bool mig_keep_columns;
extern bool mig_auto_complete;
extern bool mig_auto_resume;
extern int	mig_out_of_order;	/* enum MigOutOfOrder */
extern char *mig_scope;			/* use mig_current_scope() */

/* Define them all; called once by _PG_init.  window.h says when "window" is open. */
extern void mig_settings_define(void);

/*
 * 22023 for a key of options that is neither a setting nor "transaction" or
 * "sync", or for a value that the setting does not take; "what" names the
 * migration in the message ('migration "0042"').  "scope" is no option: a
 * migration belongs to one already.  NULL options are right.
 */
extern void mig_settings_check(Jsonb *options, const char *what);

/*
 * What the calling session has set itself, by SET or when it connected, as a
 * jsonb object without the prefix; "scope" is not among it.
 */
extern Jsonb *mig_settings_of_session(void);

/*
 * Lay one layer over what is in force, for the rest of the session (or
 * until RESET): keys that are not settings are passed over, and so is
 * "scope".  NULL: nothing.  Inside a transaction that aborts it is undone, as
 * any SET.  22023 for a value that the setting does not take.
 */
extern void mig_settings_apply(Jsonb *layer);

/*
 * The scope that this session speaks of: migrate.scope; in a worker the one
 * of its request, whatever the SQL that it runs may set.
 */
extern const char *mig_current_scope(void);
extern const char *mig_scope_fix(const char *scope);	/* NULL: no more; returns what was fixed before */

/* Is options.transaction = 'as_written'? */
extern bool mig_settings_as_written(Jsonb *options);

#endif							/* MIGRATE_SETTINGS_H */
