/*-------------------------------------------------------------------------
 *
 * undo.h
 *	  What brings a piece of the catalog back as it is now, as SQL.
 *
 * Layer 1.  All names in it are qualified, so that it means the same under
 * any search_path.  NULL where there is nothing to bring back, or no way to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_UNDO_H
#define MIGRATE_UNDO_H

#include "migrate.h"

/* ALTER TABLE ... ADD CONSTRAINT ... */
extern char *mig_undo_constraint(Oid relid, Oid conoid);

/* The expression of a CHECK. */
extern char *mig_undo_check(Oid relid, Oid conoid);

/* CREATE INDEX ..., concurrently if asked for; NULL for the index of a constraint. */
extern char *mig_undo_index(Oid indexid, bool concurrently);

/* The default of a column as it stands in DEFAULT ...; NULL: it has none. */
extern char *mig_undo_default(Oid relid, AttrNumber column);

/* FOR VALUES ..., or DEFAULT, of a partition. */
extern char *mig_undo_bound(Oid relid);

/* CREATE OR REPLACE FUNCTION ... of the function that has this name and takes these input arguments. */
extern char *mig_undo_function(Oid procid);

/* CREATE VIEW is not kept: a view can lose columns only by being dropped. */

#endif							/* MIGRATE_UNDO_H */
