/*-------------------------------------------------------------------------
 *
 * index.h
 *	  Indexes: the name that the server would choose for one, and whether one
 *	  that exists is what a statement asks for.
 *
 * Layer 1.  Locks as in relation.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_INDEX_H
#define MIGRATE_INDEX_H

#include "migrate.h"
#include "overlay.h"

/*
 * The name that the server would choose for an index on a table (of which
 * only nspname and relname count), as ChooseIndexName in indexcmds.c does:
 * one that neither exists, nor an earlier statement takes, nor is in "taken"
 * (of char *, qualified).  columns: of IndexElem, INCLUDE and all; label:
 * "idx", "key" or "pkey".
 */
extern char *mig_index_choose_name(const MigOverlay *overlay, const char *nspname, const char *relname,
								   List *columns, const char *label, List *taken);

/* Built to its end: valid, ready, and not on its way out. */
extern bool mig_index_is_whole(Oid indexid);

/* --- flags of pg_index, all false for what is no index --- */

typedef struct MigIndex
{
	bool		found;
	Oid			table;
	bool		unique;
	bool		exclusion;
	bool		valid;
	bool		whole;
	bool		plain_columns;	/* no expression, no predicate */
	bool		immediate;		/* not DEFERRABLE */
	bool		is_partition;	/* attached to an index of a partitioned table */
	bool		partitioned;
	Oid			constraint;		/* whose index it is, or InvalidOid */
	char		contype;		/* of that one, or 0 */
} MigIndex;

extern MigIndex mig_index_get(Oid indexid);

/*
 * Does an index hold what the statement would build on its table: access
 * method, columns, operator classes, collations, expressions, predicate,
 * uniqueness?  strict: also the order of its columns, which the server passes
 * over when it looks for an index to adopt (CompareIndexInfo in
 * catalog/index.c).  Its definition is parsed like the statement and compared
 * as it stands, so an expression that means the same in other words is a no.
 */
extern bool mig_index_is_like(Oid indexid, const IndexStmt *stmt, bool strict);

/* CREATE INDEX as the server writes it under the search_path in force, and parsed; NULL if it has gone. */
extern char *mig_index_definition(Oid indexid, IndexStmt **stmt);

/* Has a materialized view a unique index that shows which row is which (is_usable_unique_index in matview.c)? */
extern bool mig_index_refreshes(Oid relid);

#endif							/* MIGRATE_INDEX_H */
