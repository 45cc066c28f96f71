/*-------------------------------------------------------------------------
 *
 * dependents.h
 *	  What in the catalog needs a column, a relation, a type or a function.
 *
 * Layer 1.  Locks are taken conditionally and given back at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_DEPENDENTS_H
#define MIGRATE_DEPENDENTS_H

#include "catalog/objectaddress.h"
#include "migrate.h"

/* Why an object is looked for. */
typedef enum MigUse
{
	MIG_USE_TYPE,				/* what keeps the column from getting another type */
	MIG_USE_DROP,				/* what keeps the column or object from being dropped without CASCADE */
	MIG_USE_GOES				/* what goes with the column, silently */
} MigUse;

/* The objects (ObjectAddress *) that use a column that way. */
extern List *mig_dependents_of_column(Oid relid, AttrNumber attnum, MigUse use);

/* The same of a whole object, CASCADE or not: MIG_USE_DROP alone. */
extern List *mig_dependents_of_object(Oid classid, Oid objid);

/* The relation that an object is, or belongs to; InvalidOid for others. */
extern Oid	mig_dependents_relation(const ObjectAddress *object);

/* "view v, rule r on table t"; the first few of many. */
extern char *mig_dependents_text(List *objects);

/* Is the column in the table's own partition key? */
extern bool mig_dependents_partition_key(Oid relid, AttrNumber attnum);

/* A column of another relation that has the table's row type: "public.u.c", or NULL. */
extern char *mig_dependents_row_type(Oid relid);

/* Tables OF a composite type: OIDs. */
extern List *mig_dependents_typed_tables(Oid typid);

/* Tables with a column of a type, or of one made from it, of OIDs; *nested: one within an array or the like, or NULL. */
extern List *mig_dependents_tables_of_type(Oid typid, char **nested);

/* An index, CHECK or generated column that uses a function: "index t_i", or NULL; its table. */
extern char *mig_dependents_of_function(Oid procid, Oid *relid);

#endif							/* MIGRATE_DEPENDENTS_H */
