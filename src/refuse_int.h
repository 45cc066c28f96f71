/*-------------------------------------------------------------------------
 *
 * refuse_int.h
 *	  What the refuse*.c share.
 *
 * Layer 1, for those files alone: one a family of what may be wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_REFUSE_INT_H
#define MIGRATE_REFUSE_INT_H

#include "effect_int.h"

/*
 * The table of a statement if the catalog has it as it will be met; else NULL.
 * Columns that earlier statements add do no harm to what is asked of it.
 */
extern MigName *mig_refuse_known(MigWork *work, const RangeVar *rv);

/* What the server finds; 42704 or 42883 if there is none; InvalidOid: not known. */
extern ObjectAddress mig_refuse_seek(MigWork *work, ObjectType type, Node *object);

/* The same for roles; CURRENT_USER and the like are there. */
extern void mig_refuse_seek_role(MigWork *work, RoleSpec *role);
extern void mig_refuse_seek_roles(MigWork *work, List *roles);

/* 42704 for a type that is not there; InvalidOid: not known. */
extern Oid	mig_refuse_type(MigWork *work, const TypeName *type, int32 *typmod);

/* 2BP01 for what belongs to an extension, and is to be dropped. */
extern void mig_refuse_member(MigWork *work, Oid classid, Oid objid, const char *what);

/* An error at a place of the source; -1: at the statement. */
#define mig_refuse_error(work, place, code, ...) \
	ereport(ERROR, \
			(errcode(code), errmsg(__VA_ARGS__), \
			 mig_overlay_errposition((work)->overlay, \
									 (place) >= 0 ? (place) : (work)->stmt->location)))

/* --- families: each raises what it finds --- */

extern void mig_refuse_expressions(MigWork *work, Node *node);	/* refuse_expr.c */
extern void mig_refuse_kinds(MigWork *work, Node *node);	/* refuse_kind.c: a view where a table is needed */
extern void mig_refuse_objects(MigWork *work, Node *node);	/* refuse_object.c: no relations */
/* refuse_own.c: this extension and what is in its schemas. */
extern void mig_refuse_own(const MigStatement *stmt, const MigEffect *effect, const MigOverlay *overlay);
extern void mig_refuse_others(MigWork *work, Node *node);	/* refuse_other.c: what few statements name */
extern void mig_refuse_new_table(MigWork *work, CreateStmt *stmt);	/* refuse_create.c */

#endif							/* MIGRATE_REFUSE_INT_H */
