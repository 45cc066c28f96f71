/*-------------------------------------------------------------------------
 *
 * api_rights.c
 *	  Who may act on whose migrations: grant_right, revoke_right, reassign.
 *
 * Rights are kept by the names of roles, as everything in our tables.  They
 * let the grantee call a verb; what the verb does is still done with the
 * rights of the owner of the migration, never with those of the caller.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "catalog.h"
#include "compat.h"
#include "lock.h"
#include "session.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(mig_grant_right);
PG_FUNCTION_INFO_V1(mig_revoke_right);
PG_FUNCTION_INFO_V1(mig_reassign);

static const char *const right_words[] = {"apply", "complete", "rollback", "pause"};

/* The arguments of grant_right and revoke_right, checked. */
typedef struct RightArguments
{
	char	   *right;
	Oid			grantee;
	char	   *grantee_name;
	Oid			owner;
	char	   *owner_name;
} RightArguments;

static void
check_not_null(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

/* The name of a role given as regrole; 42704 if there is none of that OID. */
static char *
role_name(Oid role, const char *argument)
{
	char	   *name = GetUserNameFromId(role, true);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s is not a role: there is none with OID %u", argument, role)));
	return name;
}

static void
check_right_word(const char *right)
{
	for (int i = 0; i < lengthof(right_words); i++)
		if (strcmp(right_words[i], right) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no right \"%s\"", right),
			 errhint("Rights are \"apply\", \"complete\", \"rollback\" and \"pause\".")));
}

/* 42501 unless the caller may become that role. */
static void
check_may_become(Oid role, const char *name, const char *what)
{
	if (!mig_can_become(GetUserId(), role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s role \"%s\"", what, name),
				 errdetail("Role \"%s\" may not become role \"%s\".",
						   GetUserNameFromId(GetUserId(), false), name),
				 errhint("Ask a role that may SET ROLE to it.")));
}

static RightArguments
right_arguments(FunctionCallInfo fcinfo, const char *verb)
{
	RightArguments a;

	mig_check_writable(verb);
	check_not_null(fcinfo, 0, "right");
	check_not_null(fcinfo, 1, "grantee");
	check_not_null(fcinfo, 2, "owner");
	a.right = text_to_cstring(PG_GETARG_TEXT_PP(0));
	check_right_word(a.right);
	a.grantee = PG_GETARG_OID(1);
	a.grantee_name = role_name(a.grantee, "grantee");
	a.owner = PG_GETARG_OID(2);
	a.owner_name = role_name(a.owner, "owner");
	return a;
}

Datum
mig_grant_right(PG_FUNCTION_ARGS)
{
	RightArguments a = right_arguments(fcinfo, "grant a right");

	check_may_become(a.owner, a.owner_name, "grant rights on the migrations of");
	if (a.grantee == a.owner)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("role \"%s\" needs no right on its own migrations", a.owner_name)));
	mig_catalog_grant_right(a.owner_name, a.grantee_name, a.right);
	PG_RETURN_VOID();
}

Datum
mig_revoke_right(PG_FUNCTION_ARGS)
{
	RightArguments a = right_arguments(fcinfo, "revoke a right");

	check_may_become(a.owner, a.owner_name, "revoke rights on the migrations of");
	(void) mig_catalog_revoke_right(a.owner_name, a.grantee_name, a.right);
	PG_RETURN_VOID();
}

/* --- reassign --- */

/*
 * A migration that runs goes on as the role that it began as, so its owner
 * must not change meanwhile.
 */
static void
check_nothing_runs(const char *owner)
{
	ListCell   *lc;

	foreach(lc, mig_catalog_list())
	{
		Migration  *m = lfirst(lc);

		if (strcmp(m->owner, owner) == 0 && mig_run_is_alive(mig_scope, m->version))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("migration \"%s\" of role \"%s\" is running", m->version, owner),
					 errhint("Wait for it with CALL migrate.wait(), or stop it with migrate.pause() first.")));
	}
}

Datum
mig_reassign(PG_FUNCTION_ARGS)
{
	char	   *from_name;
	char	   *to_name;
	Oid			from;
	Oid			to;
	int64		moved;

	mig_check_writable("reassign migrations");
	check_not_null(fcinfo, 0, "from_owner");
	check_not_null(fcinfo, 1, "to_owner");
	from_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	to = PG_GETARG_OID(1);
	to_name = role_name(to, "to_owner");
	from = get_role_oid(from_name, true);
	if (from == to)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the migrations of role \"%s\" cannot be given to itself", to_name)));
	if (OidIsValid(from))
		check_may_become(from, from_name, "give away the migrations of");
	else if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to give away the migrations of role \"%s\"", from_name),
				 errdetail("The role does not exist, so that only superusers may do so.")));
	check_may_become(to, to_name, "give migrations to");
	check_nothing_runs(from_name);
	moved = mig_catalog_reassign(from_name, to_name);
	if (moved == 0 && !OidIsValid(from))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is neither a role nor a migration of a role \"%s\"", from_name)));
	PG_RETURN_INT64(moved);
}
