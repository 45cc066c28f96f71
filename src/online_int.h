/*-------------------------------------------------------------------------
 *
 * online_int.h
 *	  What the online*.c share.
 *
 * Layer 1, for those files alone: one a family of statements.  Each function
 * returns a sequence (list of MigPart), or NIL for "as it stands".
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_ONLINE_INT_H
#define MIGRATE_ONLINE_INT_H

#include "online.h"

typedef struct MigOnline
{
	const MigStatement *stmt;
	const MigEffect *effect;
	const MigOverlay *overlay;
	const List *statements;		/* of the whole text: of MigStatement */
	MigName    *name;			/* the table that it is about */
	const char *text;			/* the subcommand at hand, as it stands */
	Node	   *node;			/* and its node */
} MigOnline;

/* --- building sequences (online.c) --- */

/* Append a part made from a format; returns it for further settings. */
extern MigPart *mig_part(List **parts, const char *format,...) pg_attribute_printf(2, 3);
extern void mig_part_undo(MigPart *part, const char *format,...) pg_attribute_printf(2, 3);

/* Too small for readers and writers to notice, or not there yet? */
extern bool mig_online_is_small(const MigOnline *online);

/* The same of any table in the catalog. */
extern bool mig_online_small_table(Oid relid);

/* Key columns for showing a row: "id, name"; "ctid" where there is no primary key. */
extern char *mig_online_key(const MigOnline *online);

/* The statement as it stands, with a word on why. */
extern List *mig_online_as_it_stands(const MigOnline *online, const char *note);

/* --- slicing (online_slice.c) --- */

/*
 * The subcommands of an ALTER TABLE as they stand in its text (list of
 * char *), in the order of its cmds; NIL if the text cannot be cut that way.
 */
extern List *mig_slice_alter(const char *text, AlterTableStmt *stmt);

/* What stands between the first "(" behind a word and its ")"; NULL if there is none. */
extern char *mig_slice_parentheses(const char *text, const char *word);

/* The pieces of a text between commas outside of any parentheses: list of char *. */
extern List *mig_slice_commas(const char *text);

/* --- CREATE INDEX as text (online_index_text.c) --- */

/*
 * CREATE INDEX of that name on that table, otherwise as stmt; NULL if the text
 * cannot be cut so that it means that.  only: not on its partitions.
 */
extern char *mig_index_text(const char *text, const IndexStmt *stmt, const char *name,
							const MigName *table, bool concurrently, bool only);

/* A query for rows that a unique index would refuse; NULL if it cannot be written. */
extern char *mig_index_duplicates(const char *text, const IndexStmt *stmt, const char *table);

/* --- families --- */

extern List *mig_online_alter_table(MigOnline *online);
extern List *mig_online_constraint(MigOnline *online, Constraint *con);	/* ADD [CONSTRAINT] ... */
extern List *mig_online_not_null(MigOnline *online, const char *column);	/* SET NOT NULL */
extern List *mig_online_column(MigOnline *online, AlterTableCmd *cmd);	/* ADD COLUMN */
extern List *mig_online_partition(MigOnline *online, AlterTableCmd *cmd);	/* ATTACH, DETACH */
extern List *mig_online_rows(MigOnline *online);	/* UPDATE, DELETE */
extern List *mig_online_new_partition(MigOnline *online);	/* CREATE TABLE ... PARTITION OF */
extern List *mig_online_drop_partition(MigOnline *online);	/* DROP TABLE */
extern List *mig_online_create_index(MigOnline *online);
extern List *mig_online_index_tree(MigOnline *online);	/* CREATE INDEX, partitioned */
extern List *mig_online_drop_index(MigOnline *online);
extern List *mig_online_reindex(MigOnline *online);
extern List *mig_online_refresh(MigOnline *online);
extern List *mig_online_alter_index(MigOnline *online);	/* ALTER INDEX, and ALTER TABLE of an index */

#endif							/* MIGRATE_ONLINE_INT_H */
