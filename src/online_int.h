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

/* Key columns for showing a row: "id, name"; "ctid" where there is no primary key. */
extern char *mig_online_key(const MigOnline *online);

/* --- slicing (online_slice.c) --- */

/*
 * The subcommands of an ALTER TABLE as they stand in its text (list of
 * char *), in the order of its cmds; NIL if the text cannot be cut that way.
 */
extern List *mig_slice_alter(const char *text, AlterTableStmt *stmt);

/* What stands between the first "(" behind a word and its ")"; NULL if there is none. */
extern char *mig_slice_parentheses(const char *text, const char *word);

/* --- families --- */

extern List *mig_online_alter_table(MigOnline *online);
extern List *mig_online_constraint(MigOnline *online, Constraint *con);	/* ADD [CONSTRAINT] ... */
extern List *mig_online_not_null(MigOnline *online, const char *column);	/* SET NOT NULL */
extern List *mig_online_column(MigOnline *online, AlterTableCmd *cmd);	/* ADD COLUMN */
extern List *mig_online_partition(MigOnline *online, AlterTableCmd *cmd);	/* ATTACH, DETACH */
extern List *mig_online_rows(MigOnline *online);	/* UPDATE, DELETE */
extern List *mig_online_index(MigOnline *online);	/* CREATE, DROP INDEX, REINDEX, REFRESH */

#endif							/* MIGRATE_ONLINE_INT_H */
