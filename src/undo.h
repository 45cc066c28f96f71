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

#include "catalog/objectaddress.h"

#include "migrate.h"

/*
 * What a name in a statement stands for in the catalog, under the search_path
 * in force; false if it is not there, or not to be told.
 */
extern bool mig_undo_find(ObjectType type, Node *object, ObjectAddress *address);

/* --- pieces --- */

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

/* --- whole objects: lists of statements (char *), in their order --- */

/*
 * What makes an object again that will be dropped: its definition, what hangs
 * on it, owner, privileges, comments.  *why says why there is no way back; it
 * stays as it is if there is one.
 */
extern List *mig_undo_drop(const ObjectAddress *address, bool cascade, bool concurrently,
						   const char **why);

/* The same for a view, function, trigger or rule that will be replaced: its definition alone. */
extern List *mig_undo_replaced(const ObjectAddress *address, const char **why);

/*
 * What follows DROP VIEW and CREATE VIEW of a view that is to have only its
 * first columns: all else that mig_undo_drop() yields.
 */
extern List *mig_undo_view_rest(Oid relid, int columns, const char **why);

/* The comment of a constraint of a table, and the marks of its index: what goes with it. */
extern List *mig_undo_constraint_marks(Oid conoid);

/* Owner, privileges and comments alone, of so many columns (0: all).  Between mig_reading_begin() and mig_reading_end(). */
extern List *mig_undo_extras(const ObjectAddress *address, int columns, const char **why);

/* COMMENT ON ... IS ..., as it is now. */
extern char *mig_undo_comment(const ObjectAddress *address);

/* ALTER ... OWNER TO the present one, from another (InvalidOid: not known), with the privileges as they are. */
extern List *mig_undo_owner_change(const ObjectAddress *address, Oid other, const char **why);
extern Oid	mig_undo_owner(const ObjectAddress *address);

/* --- privileges: undo_acl.c --- */

/* What takes back a GRANT or REVOKE, as far as it changes something on one object. */
extern List *mig_undo_grant(const GrantStmt *stmt, const ObjectAddress *address, const char **why);
extern List *mig_undo_default_privileges(const AlterDefaultPrivilegesStmt *stmt, const char **why);

/* What mends the privileges of an object that went to another owner and came back. */
extern List *mig_undo_owner_privileges(const ObjectAddress *address, Oid other, const char **why);

/* What gives an object that the current role has made again the privileges that it has now. */
extern List *mig_undo_privileges(const ObjectAddress *address, int columns, const char **why);

#endif							/* MIGRATE_UNDO_H */
