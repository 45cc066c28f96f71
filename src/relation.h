/*-------------------------------------------------------------------------
 *
 * relation.h
 *	  What the catalog says about a relation: its size, its tree, who refers
 *	  to it.
 *
 * Layer 1.  Locks are taken conditionally and given back at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_RELATION_H
#define MIGRATE_RELATION_H

#include "migrate.h"

/*
 * Take AccessShareLock without waiting; 55P03 naming the holders if it is
 * not to be had.  False if the relation has gone.
 */
extern bool mig_relation_lock(Oid relid, const char *name);
extern void mig_relation_unlock(Oid relid);

/* Size of the main fork in bytes and number of rows (-1: not known), partitions included.  Locks as above. */
extern void mig_relation_size(Oid relid, const char *name, int64 *rows, int64 *bytes);

/* "schema.name", quoted; NULL if it has gone. */
extern char *mig_relation_text(Oid relid);

/* The relation of a qualified name, whatever the current role may do; InvalidOid if there is none. */
extern Oid	mig_relation_by_name(const char *name);

/* All that inherit from it, directly or not, itself left out. */
extern List *mig_relation_children(Oid relid);

extern Oid	mig_relation_parent(Oid relid);	/* of a partition, else InvalidOid */

/* The relation that an index belongs to, or InvalidOid. */
extern Oid	mig_relation_of_index(Oid indexid);
extern List *mig_relation_indexes(Oid relid);

/* The view or table of a rewrite rule, or InvalidOid. */
extern Oid	mig_relation_of_rule(Oid ruleid);

/* A foreign key, seen from one of its sides. */
typedef struct MigForeignKey
{
	Oid			conoid;
	char	   *conname;
	Oid			from;
	Oid			to;
	List	   *from_columns;	/* attribute numbers, of int */
	List	   *to_columns;
	bool		validated;
	bool		inherited;		/* that of a partitioned table */
} MigForeignKey;

/* Those from it and those to it. */
extern List *mig_relation_foreign_keys(Oid relid);

/* Has it a trigger of a user's? */
extern bool mig_relation_has_triggers(Oid relid);

/* Its constraint of that name: type as in pg_constraint, 0 if there is none. */
typedef struct MigConstraint
{
	Oid			oid;
	char		contype;
	bool		validated;
	bool		enforced;
	bool		no_inherit;
	bool		inherited;		/* from a parent, or that of a partitioned table */
	Oid			index;
	Oid			refers_to;
} MigConstraint;

extern bool mig_relation_constraint(Oid relid, const char *conname, MigConstraint *constraint);

/* The number of a column; InvalidAttrNumber if there is none (or it is dropped). */
extern AttrNumber mig_relation_column(Oid relid, const char *colname);

/* Is there a valid CHECK that says, as it stands or within an AND, that the column is not null? */
extern bool mig_relation_proves_not_null(Oid relid, AttrNumber column);

/* Is the column marked NOT NULL, and known to hold no null? */
extern bool mig_relation_is_not_null(Oid relid, AttrNumber column);

/* Names of the columns of the primary key, in its order: list of String; NIL: it has none. */
extern List *mig_relation_primary_key(Oid relid);

/*
 * Keys to go through a table by (list of List of String): the columns of each
 * unique index that is valid, without WHERE or expressions, over columns that are
 * NOT NULL, in the order that their types have by default.
 */
extern List *mig_relation_keys(Oid relid);

extern Oid	mig_relation_owner(Oid relid);

/* Names of an index's key columns, in its order (list of String); NIL if one is an expression. */
extern List *mig_relation_index_columns(Oid indexid);

/* Has it a unique index, valid and not deferrable, on just these columns (list of String), in any order? */
extern bool mig_relation_has_key(Oid relid, const List *columns);

/* Has it a row that can be seen, itself or below it?  Takes locks as above; reads no further than the first row. */
extern bool mig_relation_has_rows(Oid relid);

/* The table of a constraint, or InvalidOid. */
extern Oid	mig_relation_of_constraint(Oid conoid);

extern Oid	mig_relation_of_trigger(Oid trigid);

extern bool mig_relation_has_primary_key(Oid relid);

/* Has it what a publication needs to tell rows by: primary key, an index chosen for it, or FULL? */
extern bool mig_relation_has_identity(Oid relid);

/* Does any publication send its updates and deletes? */
extern bool mig_relation_is_published(Oid relid);

/* Do these columns (list of int), in any order, lead a valid index without WHERE? */
extern bool mig_relation_leads(Oid indexid, const List *columns);

/* ... any of the relation, except that one? */
extern bool mig_relation_is_indexed(Oid relid, const List *columns, Oid except);

/* Is it made OF a composite type? */
extern bool mig_relation_is_typed(Oid relid);

/* Has it a column from a parent? */
extern bool mig_relation_column_is_inherited(Oid relid, const char *colname);

/* Is it named by a publication? */
extern bool mig_relation_is_in_publication(Oid relid);

/* Is it a partition or an heir of another table?  ... a partition whose concurrent detaching is not complete? */
extern bool mig_relation_has_parent(Oid relid);
extern bool mig_relation_detach_pending(Oid relid);

/* Has another table a CHECK for its heirs that this one lacks? */
extern bool mig_relation_lacks_check(Oid relid, Oid parent);

extern bool mig_relation_has_row_security(Oid relid);

/* Names (char *) of the constraints of a table that go with a column: those that name it. */
extern List *mig_relation_constraints_on(Oid relid, AttrNumber column);

#endif							/* MIGRATE_RELATION_H */
