/*-------------------------------------------------------------------------
 *
 * naming.h
 *	  Names that nobody wrote, as the server would choose them.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_NAMING_H
#define MIGRATE_NAMING_H

#include "overlay.h"

typedef struct MigNaming
{
	const MigOverlay *overlay;
	const MigName *table;
	List	   *chosen;			/* of char *: taken by the statement at hand */
	List	   *dropped;		/* of char *: constraints of the table that it drops */
} MigNaming;

/* May a constraint of the table have that name, and is it free for the relation that a key's index is? */
extern bool mig_naming_constraint_is_free(const MigNaming *naming, const char *name);
extern bool mig_naming_relation_is_free(const MigNaming *naming, const char *name);

/* Has the table a constraint of that name in the catalog, but not when the statement comes to it? */
extern bool mig_naming_comes_free(const MigNaming *naming, const char *name);

/*
 * The written name, or the one that the server would choose (ChooseConstraintName,
 * ChooseIndexName); it counts as taken from then on.  NULL for what is no
 * constraint of a table.
 */
extern char *mig_naming_constraint(MigNaming *naming, const Constraint *con);
extern char *mig_naming_not_null(MigNaming *naming, const char *column);

/* Of the sequence of a serial or identity column. */
extern char *mig_naming_sequence(MigNaming *naming, const char *column);

/* One of ours, for what does not stay: "<table>_<column>_migrate_<label>". */
extern char *mig_naming_own(MigNaming *naming, const char *column, const char *label);

/* "constraint schema.table.name", as effects have it in makes and drops. */
extern char *mig_naming_constraint_key(const MigName *table, const char *name);

#endif							/* MIGRATE_NAMING_H */
