/*-------------------------------------------------------------------------
 *
 * effect_alter.h
 *	  What the effect_alter*.c share: an ALTER TABLE at hand.
 *
 * Layer 1, for those files alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_EFFECT_ALTER_H
#define MIGRATE_EFFECT_ALTER_H

#include "effect_int.h"
#include "naming.h"

/* What takes back a subcommand: one itself, or a whole statement. */
typedef struct MigTakeBack
{
	char	   *text;
	bool		whole;
} MigTakeBack;

typedef struct MigAlter
{
	MigWork    *work;
	AlterTableStmt *stmt;
	MigName    *name;
	LOCKMODE	mode;			/* on the table */
	MigNaming	naming;			/* of what it adds without a name */
	List	   *undo;			/* of MigTakeBack, last one first */
	bool		later;			/* the undo can only be read when the statement runs */
	bool		irreversible;
	const char *why;			/* or NULL */
} MigAlter;

/* A subcommand that takes back one; a statement; no way back at all (why: half a sentence, or NULL). */
extern void mig_alter_undo(MigAlter *alter, const char *format,...) pg_attribute_printf(2, 3);
extern void mig_alter_undo_statement(MigAlter *alter, char *statement);
extern void mig_alter_irreversible(MigAlter *alter, const char *why);
extern void mig_alter_undo_later(MigAlter *alter);

/* What a column, or the table, is like now: effect_alter_undo.c. */
extern void mig_alter_restore_column(MigAlter *alter, AlterTableCmd *cmd);
extern void mig_alter_restore_table(MigAlter *alter, AlterTableCmd *cmd);

/* Subcommands on constraints, partitions and parents: effect_alter_parts.c. */
extern void mig_alter_add_constraint(MigAlter *alter, AlterTableCmd *cmd);
extern void mig_alter_drop_constraint(MigAlter *alter, AlterTableCmd *cmd);

/* A constraint that goes along: its name comes free. */
extern void mig_alter_drops_constraint(MigAlter *alter, const char *conname);
extern void mig_alter_attach(MigAlter *alter, AlterTableCmd *cmd);
extern void mig_alter_detach(MigAlter *alter, AlterTableCmd *cmd);
extern void mig_alter_inherit(MigAlter *alter, AlterTableCmd *cmd);

/* NOT NULL of a column: what it was before. */
extern void mig_alter_not_null_again(MigAlter *alter, const char *colname, AttrNumber column);

#endif							/* MIGRATE_EFFECT_ALTER_H */
