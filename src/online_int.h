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

#include "naming.h"
#include "online.h"

typedef struct MigOnline
{
	const MigStatement *stmt;
	MigEffect  *effect;			/* of the statement as it stands */
	const MigOverlay *overlay;
	const List *statements;		/* of the whole text: of MigStatement */
	MigName    *name;			/* the table that it is about */
	MigNaming  *naming;			/* of its constraints */
	bool		only;			/* ONLY was written */
	const char *text;			/* the subcommand at hand, as it stands */
	Node	   *node;			/* and its node */
	const char *new_column;		/* that an earlier part has added and filled, or NULL */
	bool		new_not_null;	/* it is NOT NULL already */
} MigOnline;

/* --- building sequences (online.c) --- */

/* Append a part made from a format; returns it for further settings. */
extern MigPart *mig_part(List **parts, const char *format,...) pg_attribute_printf(2, 3);
extern void mig_part_undo(MigPart *part, const char *format,...) pg_attribute_printf(2, 3);
extern void mig_part_note(MigPart *part, const char *format,...) pg_attribute_printf(2, 3);

/* Too small for readers and writers to notice, or not there yet? */
extern bool mig_online_is_small(const MigOnline *online);

/* The same of any table in the catalog. */
extern bool mig_online_small_table(Oid relid);

/* ALTER TABLE [ONLY] name */
extern const char *mig_online_altered(const MigOnline *online);

/* May it be said of the catalog's columns and constraints that they are as they will be met? */
extern bool mig_online_is_certain(const MigOnline *online);

/* Raise an error at a place in the text of the migration. */
#define mig_online_error(online, place, code, ...) \
	ereport(ERROR, \
			(errcode(code), errmsg(__VA_ARGS__), \
			 mig_overlay_errposition((online)->overlay, \
									 (place) >= 0 ? (place) : (online)->stmt->location)))

/* --- looking and validating (online_look.c) --- */

/* Key columns for showing a row: "id, name"; "ctid" where there is no primary key. */
extern char *mig_online_key(const MigOnline *online, const char *alias);

/*
 * Append a query that must find no row, made from a format without its LIMIT;
 * violates: the SQLSTATE.  Nothing is appended if the owner could not read all
 * rows of it and of the other relation (InvalidOid: none): then only the
 * server finds the rows.
 */
extern void mig_online_look(const MigOnline *online, List **parts, Oid other,
							const char *violates, const char *format,...) pg_attribute_printf(5, 6);

/* VALIDATE CONSTRAINT, of each partition first. */
extern void mig_online_validate(const MigOnline *online, List **parts, const char *conname);

/* Of a part that adds a constraint: what lifts it when it cannot be validated. */
extern void mig_online_lifts(const MigOnline *online, MigPart *part, const char *table, const char *conname);

extern char *mig_online_columns(const List *names);	/* list of String: "a, b" */

/* They change neither rows nor columns. */
extern void mig_online_tighten(List *parts);

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

/* A query, without LIMIT, for rows that a unique index would refuse; NULL if it cannot be written. */
extern char *mig_index_duplicates(const char *text, const IndexStmt *stmt, const char *table);

/* ADD COLUMN, cut: what stands before the first constraint, and each of them with what belongs to it. */
typedef struct MigColumnText
{
	ColumnDef  *def;
	char	   *head;			/* ADD COLUMN name type ... */
	char	   *collate;		/* "" if there is none */
	List	   *constraints;	/* of Constraint, those that are constraints of their own */
	List	   *texts;			/* of char *, in the same order */
} MigColumnText;

extern bool mig_slice_column(const char *text, MigColumnText *column);

/* What stands behind the nth token (from 1) of a text; NULL: nothing. */
extern char *mig_slice_behind(const char *text, int nth);

/* ADD ..., parsed again: its Constraint; NULL if it is none. */
extern Constraint *mig_slice_constraint(const char *text);

/* --- families --- */

extern List *mig_online_alter_table(MigOnline *online);
extern List *mig_online_constraint(MigOnline *online, Constraint *con);	/* ADD [CONSTRAINT] ... */
extern void mig_online_check_constraint(const MigOnline *online, const Constraint *con);	/* errors alone */
extern List *mig_online_not_null(MigOnline *online, const char *column);	/* SET NOT NULL */
extern List *mig_online_validate_written(MigOnline *online, const char *conname);
extern List *mig_online_foreign_key(MigOnline *online, const Constraint *con);
extern List *mig_online_key_constraint(MigOnline *online, const Constraint *con);	/* UNIQUE, PRIMARY KEY */

/* Notes that a key which is dropped here is only made again by a later statement. */
extern void mig_online_note_gap(MigOnline *online);

/*
 * A key in place of one that the same ALTER drops: what goes before, and the
 * subcommand that takes the place of the written one; NULL: not that way.
 */
extern char *mig_online_replace_key(MigOnline *online, const Constraint *con, List **before);

/* The foreign key as a query: see mig_online_look. */
extern void mig_online_look_foreign(const MigOnline *online, List **parts, const Constraint *con,
									const MigName *other);

extern List *mig_online_column(MigOnline *online, AlterTableCmd *cmd);	/* ADD COLUMN */
extern void mig_online_check_column(const MigOnline *online, AlterTableCmd *cmd);	/* errors alone */
extern List *mig_online_partition(MigOnline *online, AlterTableCmd *cmd);	/* ATTACH, DETACH */
extern List *mig_online_rows(MigOnline *online);	/* UPDATE, DELETE */
extern List *mig_online_fill_rows(MigOnline *online);	/* see mig_online_fill */
extern List *mig_online_rename_column(MigOnline *online, RenameStmt *stmt);	/* see mig_online_rename */
extern List *mig_online_insert(MigOnline *online);	/* INSERT ... SELECT */
extern List *mig_online_domain(MigOnline *online);	/* ALTER DOMAIN */

/* Appends what a table lacks to be a partition of online->name: indexes, keys, foreign keys. */
extern void mig_online_fit(MigOnline *online, List **parts, MigName *child, bool concurrently);
extern List *mig_online_new_partition(MigOnline *online);	/* CREATE TABLE ... PARTITION OF */
extern List *mig_online_drop_partition(MigOnline *online);	/* DROP TABLE */
extern List *mig_online_create_index(MigOnline *online);
extern List *mig_online_index_tree(MigOnline *online);	/* CREATE INDEX, partitioned */
extern List *mig_online_drop_index(MigOnline *online);
extern List *mig_online_reindex(MigOnline *online);
extern List *mig_online_refresh(MigOnline *online);
extern List *mig_online_alter_index(MigOnline *online);	/* ALTER INDEX, and ALTER TABLE of an index */

#endif							/* MIGRATE_ONLINE_INT_H */
