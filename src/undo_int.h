/*-------------------------------------------------------------------------
 *
 * undo_int.h
 *	  What the undo*.c share: reading the catalog as SQL.
 *
 * Layer 1, for those files alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_UNDO_INT_H
#define MIGRATE_UNDO_INT_H

#include "catalog/objectaddress.h"
#include "utils/resowner.h"

#include "undo.h"

/*
 * Between these two, names are deparsed with their schemas and no lock is
 * waited for: a subtransaction, which is rolled back, so that locks and
 * settings go.  The relations that the object reads are locked first: 55P03
 * naming the holder of one that is not to be had.  What is made in between
 * belongs to the memory context that was in force before.
 */
typedef struct MigReading
{
	MemoryContext context;
	ResourceOwner owner;
} MigReading;

extern void mig_reading_begin(MigReading *reading, Oid classid, Oid objid);
extern void mig_reading_end(MigReading *reading);

/*
 * Rows of a query on the system catalogs: list of char *, nulls left out.  It
 * has one column, and $1 oid; the second form $2 text as well.  The text of
 * the query must be a constant: plans are kept by its address.
 */
extern List *mig_undo_select(const char *sql, Oid arg);
extern List *mig_undo_select_text(const char *sql, Oid arg, const char *text);

/* The first of those rows, or NULL. */
extern char *mig_undo_value(const char *sql, Oid arg);
extern char *mig_undo_value_text(const char *sql, Oid arg, const char *text);

/* The words of an object in COMMENT ON and ALTER: "TABLE", "CONSTRAINT", ... */
extern char *mig_undo_kind(const ObjectAddress *address);

#endif							/* MIGRATE_UNDO_INT_H */
