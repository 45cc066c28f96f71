/*-------------------------------------------------------------------------
 *
 * catalog.h
 *	  The only reader and writer of our tables: the registry and its plans.
 *
 * Layer 2.  Every function works inside the caller's transaction, under the
 * identity of the extension's owner and search_path = pg_catalog, pg_temp,
 * and in the scope that mig_scope names.  Results live in the caller's
 * memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_CATALOG_H
#define MIGRATE_CATALOG_H

#include "migrate.h"
#include "plan.h"

/* The OID of one of our tables, for lock tags; InvalidOid when the extension is gone. */
extern Oid	mig_catalog_table(const char *name);

/* This database, as far as a copy of it differs: system identifier and OID. */
extern char *mig_catalog_identity(void);

/* One migration with its SQL; NULL if there is none.  for_update locks the row. */
extern Migration *mig_catalog_get(const char *version, bool for_update);

/* By its place in the order ("7" finds "0007"), without up, down and verify; NULL if there is none. */
extern Migration *mig_catalog_find(const char *version);

/* Does it, or any that is registered, require one that stands above it in the order? */
extern bool mig_catalog_points_up(const Migration *migration);
extern bool mig_catalog_any_points_up(void);

/* Is its SQL ours, and fills columns that are kept equal? */
extern bool mig_catalog_is_fill(const Migration *migration);

/* All of the scope in order, without up, down and verify. */
extern List *mig_catalog_list(void);

/* Store a new one (owner: GetUserId() of the caller), or new content for one. */
extern void mig_catalog_insert(const Migration *migration);
extern void mig_catalog_replace(const Migration *migration);
extern void mig_catalog_set_checksum(const Migration *migration);	/* cosmetic: SQL and checksum */
extern void mig_catalog_delete(const char *version);

/* An event that belongs to no run: registered, replaced, ... */
extern void mig_catalog_note(const char *version, const char *event,
							 const char *checksum, const char *message);

/*
 * Plans: one for the way forward (apply and complete), one for the way back.
 * Storing replaces; loading returns NULL when there is none.
 */
extern void mig_catalog_store_plan(const char *version, const MigPlan *plan);
extern MigPlan *mig_catalog_load_plan(const char *version, MigDirection direction);
extern void mig_catalog_drop_plan(const char *version);
extern void mig_catalog_step_state(const char *version, MigDirection direction,
								   int step, const char *state);
extern void mig_catalog_step_undo(const char *version, MigDirection direction,
								  int step, const char *undo);

/* Keep the keys (char *) of rows that a step could not take; they replace those of earlier runs. */
extern void mig_catalog_failed_rows(const char *version, int64 run, const MigStep *step,
									List *keys, const char *sqlstate, const char *message);

/* A migration, of any scope but not this version, whose contract phase will change that relation; or NULL. */
extern char *mig_catalog_contract_on(const char *relation, const char *except);

/* What finished steps have cost, by kind: list of MigRate. */
extern List *mig_catalog_rates(void);

/* Rights that were granted. */
extern bool mig_catalog_has_right(const char *owner, Oid role, const char *right);
extern void mig_catalog_grant_right(const char *owner, const char *grantee, const char *right);
extern bool mig_catalog_revoke_right(const char *owner, const char *grantee, const char *right);

/* Give the migrations of this scope to another role, with an event for each; their number. */
extern int64 mig_catalog_reassign(const char *from_owner, const char *to_owner);

/*
 * May the current role act on a migration of that owner: by the right to
 * become it, or by a granted right ("apply", "complete", "rollback",
 * "pause"; NULL: none will do)?  42501 naming the version if not.
 */
extern void mig_check_right(const Migration *migration, const char *right);

#endif							/* MIGRATE_CATALOG_H */
