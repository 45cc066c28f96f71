/*-------------------------------------------------------------------------
 *
 * register.h
 *	  Migrations into the registry, and out of it.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_REGISTER_H
#define MIGRATE_REGISTER_H

#include "migrate.h"

/* What became of a migration. */
typedef struct MigRegistered
{
	char	   *version;
	const char *result;			/* new, same, cosmetic, replaced, missing */
	char	   *note;			/* or NULL */
} MigRegistered;

/*
 * Register migrations, all or none; they see each other, so that their order
 * does not matter.  Given are version, name, in_order, requires, up, down,
 * verify, options and origin; the rest is filled in: the current role, the
 * session's search_path, checksums.  Returns a list of MigRegistered.
 *
 * "folder": the migrations are all that there is; a registered one that came
 * from a file but is not among them is told as missing, and with "prune"
 * unregistered if it is pending.  And a syntax error in a down is only a
 * WARNING then, as is what mig_block_faults() finds in an up.
 *
 * Errors: 22023 for what is wrong in itself; those of mig_parse(),
 * mig_settings_check() and mig_graph_check(); 42710 for a version that is
 * registered in another spelling; 55000 for other content of a migration
 * that has begun; 42501 for content of a role that the current one cannot
 * become.
 */
extern List *mig_register_all(List *migrations, bool folder, bool prune);

/*
 * Nobody else registers or forgets a migration until the transaction ends: to
 * be taken before a version is chosen that nobody has.
 */
extern void mig_register_lock(void);

/*
 * Forget a migration.  42704 if there is none, 55000 if it has begun or
 * another requires it, 42501 for whoever may not become its owner.
 */
extern void mig_register_remove(const char *version);

#endif							/* MIGRATE_REGISTER_H */
