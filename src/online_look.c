/*-------------------------------------------------------------------------
 *
 * online_look.c
 *	  Looking for rows that violate a rule, and proving that there are none.
 *
 * The look is a query of the owner's.  Where row security hides rows from him
 * (FORCE ROW LEVEL SECURITY, or a table of somebody else's), or he may not
 * read a table that he may refer to, a look that finds nothing would say
 * nothing: then it is left to the server, which looks with its own rights.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "online_int.h"
#include "relation.h"
#include "sqlgen.h"

#define LOOK_LIMIT 100			/* rows that are kept in failed_rows */

char *
mig_online_columns(const List *names)
{
	StringInfoData buf;
	const ListCell *lc;

	initStringInfo(&buf);
	foreach(lc, names)
		appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", mig_sql_name(strVal(lfirst(lc))));
	return buf.data;
}

char *
mig_online_key(const MigOnline *online, const char *alias)
{
	const MigName *name = online->name;
	/* the columns must be there when it is asked; that they are a key still is of less account */
	bool		known = !name->touched ||
		!(name->created || mig_overlay_opaque(online->overlay) ||
		  mig_overlay_has(online->overlay, psprintf("reshaped %s", name->text)) ||
		  mig_overlay_has(online->overlay, psprintf("reshaped %s", mig_relation_text(name->relid))));
	List	   *columns = known ? mig_relation_primary_key(name->relid) : NIL;
	StringInfoData buf;
	ListCell   *lc;

	if (columns == NIL)
		return psprintf("%s.ctid", alias);
	initStringInfo(&buf);
	foreach(lc, columns)
		appendStringInfo(&buf, "%s%s.%s", buf.len ? ", " : "", alias, mig_sql_name(strVal(lfirst(lc))));
	return buf.data;
}

static bool
sees_all_rows(Oid relid)
{
	return !OidIsValid(relid) ||
		(pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		 check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED);
}

void
mig_online_look(const MigOnline *online, List **parts, Oid other,
				const char *violates, const char *format,...)
{
	va_list		args;
	char	   *text;
	MigPart    *part;

	if (!sees_all_rows(online->name->relid) || !sees_all_rows(other))
		return;
	va_start(args, format);
	text = mig_sql_vformat(format, args);
	va_end(args);
	part = mig_part(parts, "%s LIMIT %d", text, LOOK_LIMIT);
	part->kind = MIG_STEP_LOOK;
	part->phase = MIG_MIGRATE;
	part->own_transaction = true;
	part->relation = online->name->text;
	part->violates = violates;
	mig_part_undo(part, "%s", "");
}

static void
validate_one(const MigOnline *online, List **parts, const char *table, const char *conname)
{
	MigPart    *part = mig_part(parts, "ALTER TABLE %s VALIDATE CONSTRAINT %s",
								table, mig_sql_name(conname));

	part->kind = MIG_STEP_VALIDATE;
	part->phase = MIG_MIGRATE;
	part->own_transaction = true;
	part->object = mig_naming_constraint_key(online->name, conname);
	if (!sees_all_rows(online->name->relid))
		mig_part_note(part, "no look before: row security or a missing right hides rows of %s from %s",
					  online->name->text, GetUserNameFromId(GetUserId(), false));
	mig_part_undo(part, "%s", "");
}

void
mig_online_validate(const MigOnline *online, List **parts, const char *conname)
{
	ListCell   *lc;

	/* one after the other: VACUUM and index builds wait for one partition at a time */
	if (online->name->relkind == RELKIND_PARTITIONED_TABLE)
		foreach(lc, mig_relation_children(online->name->relid))
		{
			MigConstraint con;

			if (RELKIND_HAS_STORAGE(get_rel_relkind(lfirst_oid(lc))) &&
				(!mig_relation_constraint(lfirst_oid(lc), conname, &con) || !con.validated))
				validate_one(online, parts, mig_relation_text(lfirst_oid(lc)), conname);
		}
	validate_one(online, parts, online->name->text, conname);
}

void
mig_online_lifts(const MigOnline *online, MigPart *part, const char *table, const char *conname)
{
	part->object = mig_naming_constraint_key(online->name, conname);
	mig_part_undo(part, "ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %s", table, mig_sql_name(conname));
}

void
mig_online_tighten(List *parts)
{
	ListCell   *lc;

	foreach(lc, parts)
		((MigPart *) lfirst(lc))->tightens = true;
}
