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

typedef struct MigAlter
{
	MigWork    *work;
	AlterTableStmt *stmt;
	MigName    *name;
	LOCKMODE	mode;			/* on the table */
	List	   *undo;			/* of char *, last one first: subcommands, or whole statements that begin with ALTER TABLE */
	bool		irreversible;
} MigAlter;


/* A subcommand that takes back one. */
extern void mig_alter_undo(MigAlter *alter, const char *format,...) pg_attribute_printf(2, 3);

/* Subcommands on constraints, partitions and parents: effect_alter_parts.c. */
extern void mig_alter_add_constraint(MigAlter *alter, AlterTableCmd *cmd);
extern void mig_alter_drop_constraint(MigAlter *alter, AlterTableCmd *cmd);

/* A constraint that goes along: its name comes free. */
extern void mig_alter_drops_constraint(MigAlter *alter, const char *conname);
extern void mig_alter_attach(MigAlter *alter, AlterTableCmd *cmd);
extern void mig_alter_detach(MigAlter *alter, AlterTableCmd *cmd);
extern void mig_alter_inherit(MigAlter *alter, AlterTableCmd *cmd);

#endif							/* MIGRATE_EFFECT_ALTER_H */
