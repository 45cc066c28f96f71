/*-------------------------------------------------------------------------
 *
 * refuse.h
 *	  What the server would refuse in any case, said while planning.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_REFUSE_H
#define MIGRATE_REFUSE_H

#include "effect.h"

/*
 * Raise, with the place in the text, what the server would raise when the
 * statement runs: 42809 for a command that is not for that kind of relation,
 * 42501 for a system catalog, 42P07, 42701, 42710 and 42P16 for a relation,
 * column, constraint or primary key that is there already, 42703, 42704 and
 * 42883 for a column, object or function that is not, 42804 and 22P02 for an
 * expression of another type, 2BP01 for a column that a view needs.  Whatever
 * an earlier statement may have changed is let pass.  Code that nobody sees
 * through may have changed everything.  0A000 for a change of this extension or
 * of what is in its schemas: it would take the registry away from under the
 * run.
 */
extern void mig_refuse(const MigStatement *stmt, MigEffect *effect, const MigOverlay *overlay);

#endif							/* MIGRATE_REFUSE_H */
