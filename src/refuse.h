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
#include "migrate.h"
#include "overlay.h"

/*
 * Raise, with the place in the text, what the server would raise when the
 * statement runs: 42809 for a command that is not for that kind of relation,
 * 42501 for a system catalog, 42701, 42710 and 42P16 for a column,
 * constraint or primary key that is there already, 42703 for a column that
 * is not, 2BP01 for a column that a view needs.  Whatever an earlier
 * statement may have changed is let pass.  0A000 for a change of this
 * extension or of what is in its schemas: it would take the registry away
 * from under the run.
 */
extern void mig_refuse(const MigStatement *stmt, const MigEffect *effect, const MigOverlay *overlay);

#endif							/* MIGRATE_REFUSE_H */
