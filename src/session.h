/*-------------------------------------------------------------------------
 *
 * session.h
 *	  Whose rights are in force, under which path; one statement in one
 *	  transaction; one statement at top level.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_SESSION_H
#define MIGRATE_SESSION_H

#include "migrate.h"

typedef struct MigIdentity
{
	Oid			user;
	int			context;
	int			guc_level;
} MigIdentity;

/* Be the owner of the extension, with a safe path, until mig_identity_restore(). */
extern void mig_identity_extension(MigIdentity *save);

/*
 * Be the role that owns a migration, security-restricted, under its
 * search_path: for parsing, planning and rehearsing.  42704 when the role is
 * gone, with migrate.reassign as hint.
 */
extern void mig_identity_owner(const char *owner, const char *search_path, MigIdentity *save);

/* The same for a role that is known by its number: the owner of a table. */
extern void mig_identity_role(Oid role, const char *search_path, MigIdentity *save);

/* Back to what was; everything SET meanwhile is undone.  An abort of the transaction does the same. */
extern void mig_identity_restore(const MigIdentity *save);

/* The OID of a role's name; 42704, hint: migrate.reassign, when it is gone. */
extern Oid	mig_owner_oid(const char *owner);

/* 25006 on a standby: "verb" cannot be done there. */
extern void mig_check_primary(const char *verb);

/* The same, and 25006 in a read-only transaction. */
extern void mig_check_writable(const char *verb);

/*
 * Commit, in SPI, and go on in a transaction that is read committed: our
 * tables are no part of what a serializable session reads and writes.
 */
extern void mig_commit_and_go_on(void);

#endif							/* MIGRATE_SESSION_H */
