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

extern int	mig_stall_limit;	/* ms */
extern int	mig_lock_retry_for; /* ms */
extern int	mig_statement_timeout;	/* ms, 0: none */
extern int	mig_max_runs;
extern int	mig_workers;
extern int	mig_batch_time;		/* ms */
extern int	mig_batch_pause;	/* ms */
extern int	mig_low_bloat;		/* enum: auto, on, off */
extern int	mig_max_replica_lag;	/* ms, 0: off */
extern char *mig_ignore_replicas;
extern int	mig_max_slot_wal;	/* kB, 0: off */
extern int	mig_max_wal_rate;	/* kB a second, 0: off */
extern char *mig_window;
extern int	mig_small_table;	/* kB */
extern int	mig_sync_conflict;	/* enum: new, old, error */
extern int	mig_on_violation;	/* enum: lift, keep */
extern int	mig_keep_dropped;	/* minutes */
extern bool mig_keep_columns;
extern bool mig_auto_complete;
extern bool mig_auto_resume;
extern int	mig_out_of_order;	/* enum MigOutOfOrder */
extern char *mig_scope;

/* Define them all; called once by _PG_init. */
extern void mig_settings_define(void);

/*
 * 22023 for a key of options that is neither a setting nor "transaction" or
 * "sync", or for a value that the setting does not take; "what" names the
 * migration in the message.
 */
extern void mig_settings_check(Jsonb *options, const char *what);

/* What the calling session has set itself (source: session), as a jsonb object without the prefix. */
extern Jsonb *mig_settings_of_session(void);

/*
 * Lay one layer over what is in force, for the rest of the session (or
 * until RESET): keys that are not settings are passed over.  NULL: nothing.
 */
extern void mig_settings_apply(Jsonb *layer);

/* Is options.transaction = 'as_written'? */
extern bool mig_settings_as_written(Jsonb *options);

#endif							/* MIGRATE_SETTINGS_H */
