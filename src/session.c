/*-------------------------------------------------------------------------
 *
 * session.c
 *	  Whose rights are in force, and under which search_path.
 *
 * Three identities take turns: the session's own role; the owner of the
 * extension, who alone may touch our tables; and the owner of a migration,
 * under whom its SQL is parsed and planned.  A switch is undone by
 * mig_identity_restore(), or by the abort of the transaction.
 *
 * Takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "session.h"

static void
identity_switch(Oid role, int flags, const char *search_path, MigIdentity *save)
{
	GetUserIdAndSecContext(&save->user, &save->context);
	save->guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(role, save->context | flags);
	(void) set_config_option("search_path", search_path, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* The owner of our tables, which is the owner of the extension. */
static Oid
extension_owner(void)
{
	Oid			nspid = get_namespace_oid("migrate_internal", true);
	Oid			relid = OidIsValid(nspid) ? get_relname_relid("migration", nspid) : InvalidOid;
	HeapTuple	tuple;
	Oid			owner;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"migrate\" is not installed in this database"),
				 errhint("Run CREATE EXTENSION migrate.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
mig_identity_extension(MigIdentity *save)
{
	identity_switch(extension_owner(), SECURITY_LOCAL_USERID_CHANGE,
					"pg_catalog, pg_temp", save);
}

void
mig_identity_role(Oid role, const char *search_path, MigIdentity *save)
{
	identity_switch(role, SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION,
					search_path, save);
}

void
mig_identity_owner(const char *owner, const char *search_path, MigIdentity *save)
{
	mig_identity_role(mig_owner_oid(owner), search_path, save);
}

void
mig_identity_restore(const MigIdentity *save)
{
	AtEOXact_GUC(false, save->guc_level);
	SetUserIdAndSecContext(save->user, save->context);
}

Oid
mig_owner_oid(const char *owner)
{
	Oid			role = get_role_oid(owner, true);

	if (!OidIsValid(role))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\", which owns the migration, does not exist", owner),
				 errhint("Give its migrations to another role: SELECT migrate.reassign(%s, ...).",
						 quote_literal_cstr(owner))));
	return role;
}

void
mig_check_primary(const char *verb)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot %s on a standby", verb),
				 errhint("Connect to the primary server.")));
}

void
mig_check_writable(const char *verb)
{
	mig_check_primary(verb);
	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot %s in a read-only transaction", verb),
				 errhint("See the settings transaction_read_only and default_transaction_read_only.")));
}

void
mig_commit_and_go_on(void)
{
	SPI_commit();
	XactIsoLevel = XACT_READ_COMMITTED;
}
