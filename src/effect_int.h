/*-------------------------------------------------------------------------
 *
 * effect_int.h
 *	  How classify.c and effect*.c put an effect together.
 *
 * Layer 1, for those files alone.  One function a family of statements; each
 * gets the work at hand and fills in its effect.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_EFFECT_INT_H
#define MIGRATE_EFFECT_INT_H

#include "effect.h"
#include "nodes/primnodes.h"

typedef struct MigWork
{
	const MigStatement *stmt;
	const MigOverlay *overlay;
	MigEffect  *effect;
	bool		changes_made;	/* changes a relation that this migration made ... */
	bool		changes_other;	/* ... one that it did not make */
	bool		inert;			/* expressions are stored, not run: what they call does not matter */
} MigWork;

/* --- names (effect.c) --- */

/* What a RangeVar stands for; 42P01 with its position if it is nothing, unless missing_ok. */
extern MigName *mig_effect_name(MigWork *work, const RangeVar *rv, bool missing_ok);

/* Of a relation that is in the catalog. */
extern MigName *mig_effect_name_of_oid(MigWork *work, Oid relid);

/* The same for a list of String, as DROP and COMMENT have it; the last "skip" names belong to a part of it. */
extern MigName *mig_effect_name_of_list(MigWork *work, List *names, int skip, bool missing_ok);

/* 42703, with its position behind that of "after", for a column that surely is not there. */
extern void mig_effect_require_column(MigWork *work, const MigName *name, const char *colname,
									  const RangeVar *after);

/* Where CREATE puts it; 3F000 if there is no such schema. */
extern MigName *mig_effect_target(MigWork *work, const RangeVar *rv);


/* "schema.name" of an object that is no relation: as written, else in the first schema of the path. */
extern char *mig_effect_object_name(MigWork *work, List *names);
extern char *mig_effect_last_name(List *names);	/* of a qualified name, unquoted */

/* A change of an object that is no relation: did this migration make it? */
extern void mig_effect_changes_object(MigWork *work, const char *kind, const char *name);

/* --- locks --- */

/* The strongest mode stays.  Only relations that are there, or are made before, have one. */
extern void mig_effect_lock(MigWork *work, const MigName *name, LOCKMODE mode);
extern void mig_effect_lock_oid(MigWork *work, Oid relid, LOCKMODE mode);
extern void mig_effect_lock_children(MigWork *work, const MigName *name, LOCKMODE mode);

/* This is what the statement is about: relation, lock, size, what it rests on. */
extern void mig_effect_about(MigWork *work, const MigName *name, LOCKMODE mode);

/* --- what follows --- */

extern void mig_effect_note(MigWork *work, const char *format,...) pg_attribute_printf(2, 3);
extern void mig_effect_change(MigWork *work, MigChangeKind kind, const MigName *name);
extern void mig_effect_move(MigWork *work, const MigName *name, const char *nspname, const char *relname);
extern void mig_effect_makes(MigWork *work, const MigName *name, char relkind, bool if_new);
extern MigChange *mig_effect_add_change(MigWork *work, MigChangeKind kind);
extern void mig_effect_makes_object(MigWork *work, const char *kind, const char *name);
extern void mig_effect_drops_object(MigWork *work, const char *kind, const char *name);
extern void mig_effect_breaks(MigWork *work, const char *word);	/* contract, with a bare name */
extern void mig_effect_rewrites(MigWork *work); /* and hence scans */
extern void mig_effect_opaque(MigWork *work);
extern void mig_effect_top_level(MigWork *work, MigStepKind kind);

/* --- families --- */

extern void mig_effect_create_table(MigWork *work, Node *node);
extern void mig_effect_create_view(MigWork *work, Node *node);
extern void mig_effect_create_other(MigWork *work, Node *node);	/* sequence, schema, type, extension, ... */
extern void mig_effect_on_table(MigWork *work, Node *node);	/* trigger, policy, rule, statistics, publication */
extern void mig_effect_alter_table(MigWork *work, Node *node);
extern void mig_effect_alter_other(MigWork *work, Node *node);	/* sequence, domain, enum, COMMENT, GRANT, ... */
extern void mig_effect_drop(MigWork *work, Node *node);
extern void mig_effect_whole(MigWork *work, Node *node);	/* TRUNCATE, LOCK, DROP OWNED, REASSIGN OWNED */
extern void mig_effect_rename(MigWork *work, Node *node);	/* and SET SCHEMA */
extern void mig_effect_index(MigWork *work, Node *node);	/* CREATE INDEX, REINDEX, CLUSTER, VACUUM, REFRESH */
extern void mig_effect_query(MigWork *work, Node *node);	/* SELECT, DML, COPY, EXPLAIN, CREATE TABLE AS */
extern void mig_effect_code(MigWork *work, Node *node);	/* DO, CALL, EXECUTE */
extern void mig_effect_function(MigWork *work, Node *node);	/* CREATE FUNCTION */
extern void mig_effect_session(MigWork *work, Node *node);	/* SET, LISTEN, PREPARE, SAVEPOINT, ... */
extern void mig_effect_cluster(MigWork *work, Node *node);	/* databases, tablespaces, subscriptions, ALTER SYSTEM, CHECKPOINT */

/* All relations that a raw query reads and writes, functions that it calls; effect_query.c. */
extern void mig_effect_walk(MigWork *work, Node *node);

/* Does a function of that name do nothing but compute? effect_code.c */
extern bool mig_effect_harmless(List *funcname);


/* A foreign key of a table: lock what it refers to; effect_table.c. */
extern void mig_effect_references(MigWork *work, const MigName *name, Constraint *con);

/* A constraint of a table: the index that it brings along; effect_table.c. */
extern void mig_effect_makes_constraint(MigWork *work, const MigName *table, Constraint *con);

/* One subcommand's work: sets scans, rewrites, builds; effect_column.c. */
extern void mig_effect_add_column(MigWork *work, const MigName *name, ColumnDef *column);
extern void mig_effect_alter_type(MigWork *work, const MigName *name, AlterTableCmd *cmd);

#endif							/* MIGRATE_EFFECT_INT_H */
