/*-------------------------------------------------------------------------
 *
 * effect_undo.c
 *	  The way back of a statement, where the catalog has to say what was.
 *
 * What an undo is taken from may have changed when the statement's turn
 * comes: an earlier statement renames, replaces, drops.  Then the undo is
 * taken once more just before the statement runs, under its locks, and what a
 * plan shows is what would be taken now.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "effect_int.h"
#include "sqlgen.h"
#include "undo.h"
#include "undo_int.h"

/* --- putting it together --- */

void
mig_effect_irreversible(MigWork *work, const char *why)
{
	work->effect->undo = NULL;
	work->effect->undo_late = work->effect->undo_later = false;
	if (work->effect->irreversible == NULL)
		work->effect->irreversible = why;
	work->effect->undo_ends = true;
}

void
mig_effect_undo(MigWork *work, const List *sql, const char *why)
{
	MigEffect  *effect = work->effect;
	StringInfoData buf;
	const ListCell *lc;

	if (why)
		mig_effect_irreversible(work, why);
	if (effect->undo_ends)
		return;
	effect->undo_read = true;
	initStringInfo(&buf);
	foreach(lc, sql)
		appendStringInfo(&buf, "%s%s", buf.len ? "; " : "", (char *) lfirst(lc));
	if (effect->undo && effect->undo[0])
		appendStringInfo(&buf, "%s%s", buf.len ? "; " : "", effect->undo);
	effect->undo = buf.data;
}

void
mig_effect_undo_later(MigWork *work)
{
	if (mig_overlay_mark(work->overlay) == 0 && !mig_overlay_opaque(work->overlay))
	{
		mig_effect_irreversible(work, NULL);	/* nothing can have made it: it will fail */
		return;
	}
	if (!work->effect->undo_ends)
		work->effect->undo_later = true;
}

void
mig_effect_settle_undo(MigWork *work)
{
	MigEffect  *effect = work->effect;
	bool		nothing = effect->made_only && effect->place != MIG_TOP_LEVEL;

	if (nothing && (effect->undo == NULL || effect->undo_later))
	{
		effect->undo = "";
		effect->undo_late = false;
		effect->irreversible = NULL;
		return;
	}
	if (effect->undo_later)
		effect->undo = MIG_UNDO_LATER;
	if (effect->undo == NULL)
		return;
	if (effect->undo_later ||
		(effect->undo_read && (mig_overlay_mark(work->overlay) > 0 || mig_overlay_opaque(work->overlay))))
		effect->undo_late = true;
}

/* What one DROP takes is made again in the order in which it was made. */
typedef struct Dropped
{
	Oid			oid;
	List	   *sql;
} Dropped;

static int
later_first(const ListCell *a, const ListCell *b)
{
	Oid			x = ((Dropped *) lfirst(a))->oid;
	Oid			y = ((Dropped *) lfirst(b))->oid;

	return x < y ? 1 : x > y ? -1 : 0;
}

void
mig_effect_undo_drops(MigWork *work)
{
	ListCell   *lc;

	list_sort(work->dropped, later_first);
	foreach(lc, work->dropped)
		mig_effect_undo(work, ((Dropped *) lfirst(lc))->sql, NULL);
}

void
mig_effect_brings_back(MigWork *work, const ObjectAddress *address, const DropStmt *stmt)
{
	const char *why = NULL;
	Dropped    *dropped = palloc(sizeof(Dropped));

	dropped->oid = address->objectId;
	dropped->sql = mig_undo_drop(address, stmt->behavior == DROP_CASCADE, stmt->concurrent, &why);
	work->dropped = lappend(work->dropped, dropped);
	if (why)
		mig_effect_irreversible(work, why);
	/* its value goes on until it goes */
	if (why == NULL && address->classId == RelationRelationId &&
		get_rel_relkind(address->objectId) == RELKIND_SEQUENCE)
		work->effect->undo_late = true;
}

/* --- comments, owners, attributes of functions --- */

static void
undo_comment(MigWork *work, CommentStmt *stmt)
{
	ObjectAddress address;

	if (mig_undo_find(stmt->objtype, stmt->object, &address))
		mig_effect_undo(work, list_make1(mig_undo_comment(&address)), NULL);
	else
		mig_effect_undo_later(work);
}

static void
undo_owner(MigWork *work, AlterOwnerStmt *stmt)
{
	ObjectAddress address;
	const char *why = NULL;
	List	   *sql;

	if (!mig_undo_find(stmt->objectType, stmt->object, &address))
		mig_effect_undo_later(work);
	else if ((sql = mig_undo_owner_change(&address, get_rolespec_oid(stmt->newowner, true), &why)) != NIL)
		mig_effect_undo(work, sql, why);
}

static void
undo_function(MigWork *work, AlterFunctionStmt *stmt)
{
	ObjectAddress address;

	if (!mig_undo_find(stmt->objtype, (Node *) stmt->func, &address))
		mig_effect_undo_later(work);
	else if (get_func_prokind(address.objectId) != PROKIND_AGGREGATE)
		mig_effect_undo(work, list_make1(mig_undo_function(address.objectId)), NULL);
}

/* --- queries that say what was --- */

static void
undo_selected(MigWork *work, const char *query, Oid oid, const char *text)
{
	MigReading	reading;
	List	   *sql;

	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	sql = mig_undo_select_text(query, oid, text);
	mig_reading_end(&reading);
	mig_effect_undo(work, sql, NULL);
}

static const char *const sequence_query =
"SELECT format('ALTER SEQUENCE %s AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s %sCYCLE',"
" seqrelid::regclass, format_type(seqtypid, NULL), seqincrement, seqmin, seqmax, seqstart, seqcache,"
" CASE WHEN seqcycle THEN '' ELSE 'NO ' END) FROM pg_sequence WHERE seqrelid = $1";

static const char *const sequence_owner_query =
"SELECT format('ALTER SEQUENCE %s OWNED BY %s', $1::regclass, coalesce((SELECT format('%s.%I', refobjid::regclass, attname)"
" FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid WHERE classid = 'pg_class'::regclass"
" AND objid = $1 AND refclassid = 'pg_class'::regclass AND deptype = 'a'), 'NONE'))";

static void
undo_sequence(MigWork *work, AlterSeqStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->sequence, true);
	bool		owned = false;
	bool		other = false;
	ListCell   *lc;

	if (!OidIsValid(name->relid))
	{
		mig_effect_undo_later(work);
		return;
	}
	foreach(lc, stmt->options)
	{
		const char *option = lfirst_node(DefElem, lc)->defname;

		if (strcmp(option, "restart") == 0)
			mig_effect_irreversible(work, "the counter of a sequence is moved");
		else if (strcmp(option, "owned_by") == 0)
			owned = true;
		else
			other = true;
	}
	if (other)
		undo_selected(work, sequence_query, name->relid, NULL);
	if (owned)
		undo_selected(work, sequence_owner_query, name->relid, NULL);
}

static void
undo_statistics(MigWork *work, AlterStatsStmt *stmt)
{
	ObjectAddress address;

	if (mig_undo_find(OBJECT_STATISTIC_EXT, (Node *) stmt->defnames, &address))
		undo_selected(work, "SELECT format('ALTER STATISTICS %I.%I SET STATISTICS %s', nspname, stxname, coalesce(stxstattarget, -1))"
					  " FROM pg_statistic_ext e JOIN pg_namespace n ON n.oid = stxnamespace WHERE e.oid = $1",
					  address.objectId, NULL);
	else
		mig_effect_undo_later(work);
}

static void
undo_event_trigger(MigWork *work, AlterEventTrigStmt *stmt)
{
	undo_selected(work, "SELECT format('ALTER EVENT TRIGGER %I %s', evtname, CASE evtenabled WHEN 'D' THEN 'DISABLE'"
				  " WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END)"
				  " FROM pg_event_trigger WHERE evtname = $2", InvalidOid, stmt->trigname);
	if (work->effect->undo && work->effect->undo[0] == '\0')
		mig_effect_undo_later(work);
}

/*
 * ALTER ROLE or DATABASE ... SET: what was set before.  Lists are stored with
 * their names quoted already.
 */
#define SETTINGS_BEFORE \
"FROM (SELECT split_part(s, '=', 1) AS name, substr(s, strpos(s, '=') + 1) AS value" \
"  FROM pg_db_role_setting, unnest(setconfig) s WHERE setrole = $1 AND setdatabase = " \
"   coalesce((SELECT oid FROM pg_database WHERE datname = split_part($2, E'\\n', 2)), 0)) b" \
" WHERE split_part($2, E'\\n', 1) IN ('', name)"
#define SETTING_VALUE \
"CASE WHEN value <> '' AND name IN ('search_path', 'temp_tablespaces', 'local_preload_libraries'," \
" 'session_preload_libraries') THEN value ELSE quote_literal(value) END"

static const char *const settings_query =
"SELECT split_part($2, E'\\n', 3) || ' SET ' || quote_ident(name) || ' TO ' || " SETTING_VALUE " " SETTINGS_BEFORE
" UNION ALL SELECT split_part($2, E'\\n', 3) || ' RESET ' || quote_ident(split_part($2, E'\\n', 1))"
" WHERE split_part($2, E'\\n', 1) <> '' AND NOT EXISTS (SELECT " SETTINGS_BEFORE ")";

static void
undo_setting(MigWork *work, Oid role, const char *database, const VariableSetStmt *set, const char *lead)
{
	const char *name = set->kind == VAR_RESET_ALL || set->name == NULL ? "" : set->name;

	undo_selected(work, settings_query, role,
				  psprintf("%s\n%s\n%s", name, database ? database : "", lead));
}

static void
undo_role_setting(MigWork *work, AlterRoleSetStmt *stmt)
{
	Oid			role = stmt->role ? get_rolespec_oid(stmt->role, true) : InvalidOid;
	char	   *name = stmt->role && OidIsValid(role) ? GetUserNameFromId(role, true) : NULL;

	if (stmt->role && name == NULL)
	{
		mig_effect_undo_later(work);
		return;
	}
	undo_setting(work, role, stmt->database, stmt->setstmt,
				 psprintf("ALTER ROLE %s%s%s", name ? quote_identifier(name) : "ALL",
						  stmt->database ? " IN DATABASE " : "",
						  stmt->database ? quote_identifier(stmt->database) : ""));
}

/* --- domains --- */

static const char *const domain_default_query =
"SELECT format('ALTER DOMAIN %s %s', oid::regtype, coalesce('SET DEFAULT ' || pg_get_expr(typdefaultbin, 0), 'DROP DEFAULT'))"
" FROM pg_type WHERE oid = $1";

static const char *const domain_not_null_query =
"SELECT format('ALTER DOMAIN %s %s NOT NULL', oid::regtype, CASE WHEN typnotnull THEN 'SET' ELSE 'DROP' END)"
" FROM pg_type WHERE oid = $1";

static const char *const domain_constraint_query =
"SELECT format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', contypid::regtype, conname, pg_get_constraintdef(oid))"
" FROM pg_constraint WHERE contypid = $1 AND conname = $2"
" UNION ALL SELECT format('COMMENT ON CONSTRAINT %I ON DOMAIN %s IS %L', conname, contypid::regtype, obj_description(oid, 'pg_constraint'))"
" FROM pg_constraint WHERE contypid = $1 AND conname = $2 AND obj_description(oid, 'pg_constraint') IS NOT NULL";

/* As the server chooses it: domainAddCheckConstraint in typecmds.c. */
static char *
domain_constraint_name(const AlterDomainStmt *stmt, Oid typid)
{
	ObjectAddress address = {TypeRelationId, typid, 0};
	Constraint *con = castNode(Constraint, stmt->def);

	if (con->conname)
		return con->conname;
	return ChooseConstraintName(mig_effect_last_name(stmt->typeName), NULL,
								con->contype == CONSTR_NOTNULL ? "not_null" : "check",
								get_object_namespace(&address), NIL);
}

void
mig_effect_undo_domain(MigWork *work, Node *node)
{
	AlterDomainStmt *stmt = castNode(AlterDomainStmt, node);
	ObjectAddress address;

	if (!mig_undo_find(OBJECT_DOMAIN, (Node *) makeTypeNameFromNameList(stmt->typeName), &address))
	{
		mig_effect_undo_later(work);
		return;
	}
	switch (stmt->subtype)
	{
		case 'T':				/* SET, DROP DEFAULT */
			undo_selected(work, domain_default_query, address.objectId, NULL);
			break;
		case 'N':				/* DROP NOT NULL */
		case 'O':				/* SET NOT NULL */
			undo_selected(work, domain_not_null_query, address.objectId, NULL);
			break;
		case 'C':				/* ADD CONSTRAINT */
			mig_effect_undo(work, list_make1(psprintf("ALTER DOMAIN %s DROP CONSTRAINT IF EXISTS %s",
													  format_type_be_qualified(address.objectId),
													  mig_sql_name(domain_constraint_name(stmt, address.objectId)))),
							NULL);
			break;
		case 'X':				/* DROP CONSTRAINT */
			undo_selected(work, domain_constraint_query, address.objectId, stmt->name);
			break;
		default:
			work->effect->undo = "";	/* VALIDATE CONSTRAINT */
			break;
	}
}

/* --- GRANT and REVOKE --- */

static void
undo_grant_on(MigWork *work, const GrantStmt *stmt, const ObjectAddress *address)
{
	const char *why = NULL;
	List	   *sql = mig_undo_grant(stmt, address, &why);

	mig_effect_undo(work, sql, why);
}

static void
undo_grant_named(MigWork *work, const GrantStmt *stmt, Node *object)
{
	ObjectAddress address = {RelationRelationId, InvalidOid, 0};

	if (stmt->objtype == OBJECT_TABLE || stmt->objtype == OBJECT_SEQUENCE)
		address.objectId = mig_effect_name(work, castNode(RangeVar, object), true)->relid;
	else if (stmt->objtype == OBJECT_TYPE || stmt->objtype == OBJECT_DOMAIN)
		(void) mig_undo_find(stmt->objtype, (Node *) makeTypeNameFromNameList(castNode(List, object)), &address);
	else if (stmt->objtype == OBJECT_PARAMETER_ACL || stmt->objtype == OBJECT_LARGEOBJECT)
	{
		mig_effect_irreversible(work, "privileges of such objects are not read");
		return;
	}
	else
		(void) mig_undo_find(stmt->objtype, object, &address);
	if (OidIsValid(address.objectId))
		undo_grant_on(work, stmt, &address);
	else
		mig_effect_undo_later(work);
}

/* GRANT ... ON ALL ... IN SCHEMA */
static void
undo_grant_in_schema(MigWork *work, const GrantStmt *stmt, const char *nspname)
{
	bool		routines = stmt->objtype != OBJECT_TABLE && stmt->objtype != OBJECT_SEQUENCE;
	const char *kinds = stmt->objtype == OBJECT_TABLE ? "rvmfp" : stmt->objtype == OBJECT_SEQUENCE ? "S" :
		stmt->objtype == OBJECT_FUNCTION ? "faw" : stmt->objtype == OBJECT_PROCEDURE ? "p" : "fawp";
	ObjectAddress address = {routines ? ProcedureRelationId : RelationRelationId, InvalidOid, 0};
	Oid			nspid = mig_overlay_schema_oid(work->overlay, nspname);
	MigReading	reading;
	List	   *oids;
	ListCell   *lc;

	work->effect->undo_read = true;
	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	oids = mig_undo_select_text(routines ?
								"SELECT oid FROM pg_proc WHERE pronamespace = $1 AND strpos($2, prokind::text) > 0 ORDER BY oid" :
								"SELECT oid FROM pg_class WHERE relnamespace = $1 AND strpos($2, relkind::text) > 0 ORDER BY oid",
								nspid, kinds);
	mig_reading_end(&reading);
	foreach(lc, oids)
	{
		address.objectId = atooid(lfirst(lc));
		undo_grant_on(work, stmt, &address);
	}
}

void
mig_effect_undo_grant(MigWork *work, const GrantStmt *stmt)
{
	ListCell   *lc;

	work->effect->undo = "";
	foreach(lc, stmt->objects)
		if (stmt->targtype == ACL_TARGET_OBJECT)
			undo_grant_named(work, stmt, lfirst(lc));
		else
			undo_grant_in_schema(work, stmt, strVal(lfirst(lc)));
}

static void
undo_default_privileges(MigWork *work, const AlterDefaultPrivilegesStmt *stmt)
{
	const char *why = NULL;
	MigReading	reading;
	List	   *sql;

	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	sql = mig_undo_default_privileges(stmt, &why);
	mig_reading_end(&reading);
	mig_effect_undo(work, sql, why);
}

/* Memberships: of those that were there, with their options (16+: inherit, set). */
static const char *const membership_query =
"SELECT concat_ws(', ', 'ADMIN ' || CASE WHEN bool_or(admin_option) THEN 'TRUE' END,"
" 'INHERIT ' || upper(bool_or((to_jsonb(m)->>'inherit_option')::bool)::text),"
" 'SET ' || upper(bool_or((to_jsonb(m)->>'set_option')::bool)::text))"
" FROM pg_auth_members m WHERE roleid = $1 AND member = $2::oid HAVING count(*) > 0";

static void
undo_membership(MigWork *work, const GrantRoleStmt *stmt, const char *role, RoleSpec *grantee)
{
	Oid			roleid = get_role_oid(role, true);
	Oid			member = get_rolespec_oid(grantee, true);
	char	   *name = OidIsValid(member) ? GetUserNameFromId(member, true) : grantee->rolename;
	char	   *before = NULL;
	MigReading	reading;

	if (OidIsValid(roleid) && OidIsValid(member))
	{
		mig_reading_begin(&reading, InvalidOid, InvalidOid);
		before = mig_undo_value_text(membership_query, roleid, psprintf("%u", member));
		mig_reading_end(&reading);
	}
	if (stmt->is_grant && before == NULL)
		mig_effect_undo(work, list_make1(psprintf("REVOKE %s FROM %s", quote_identifier(role),
												  quote_identifier(name))), NULL);
	else if (before && (!stmt->is_grant || mig_grant_role_has_options(stmt)))
		mig_effect_undo(work, list_make1(psprintf("GRANT %s TO %s%s%s", quote_identifier(role), quote_identifier(name),
												  MIG_HAS_MEMBER_OPTIONS ? " WITH " : before[0] ? " WITH ADMIN OPTION" : "",
												  MIG_HAS_MEMBER_OPTIONS ? before : "")), NULL);
	else
		mig_effect_undo(work, NIL, NULL);
}

static void
undo_memberships(MigWork *work, const GrantRoleStmt *stmt)
{
	ListCell   *lc,
			   *lm;

	if (!stmt->is_grant && stmt->behavior == DROP_CASCADE)
		mig_effect_irreversible(work, "CASCADE may take memberships that others have granted");
	foreach(lc, stmt->granted_roles)
		foreach(lm, stmt->grantee_roles)
			undo_membership(work, stmt, lfirst_node(AccessPriv, lc)->priv_name, lfirst_node(RoleSpec, lm));
}

/* --- by statement --- */

void
mig_effect_undo_other(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_CommentStmt:
			undo_comment(work, (CommentStmt *) node);
			break;
		case T_AlterOwnerStmt:
			undo_owner(work, (AlterOwnerStmt *) node);
			break;
		case T_AlterFunctionStmt:
			undo_function(work, (AlterFunctionStmt *) node);
			break;
		case T_AlterSeqStmt:
			undo_sequence(work, (AlterSeqStmt *) node);
			break;
		case T_AlterStatsStmt:
			undo_statistics(work, (AlterStatsStmt *) node);
			break;
		case T_AlterEventTrigStmt:
			undo_event_trigger(work, (AlterEventTrigStmt *) node);
			break;
		case T_AlterRoleSetStmt:
			undo_role_setting(work, (AlterRoleSetStmt *) node);
			break;
		case T_AlterDatabaseSetStmt:
			undo_setting(work, InvalidOid, ((AlterDatabaseSetStmt *) node)->dbname, ((AlterDatabaseSetStmt *) node)->setstmt,
						 psprintf("ALTER DATABASE %s", quote_identifier(((AlterDatabaseSetStmt *) node)->dbname)));
			break;
		case T_AlterDefaultPrivilegesStmt:
			undo_default_privileges(work, (AlterDefaultPrivilegesStmt *) node);
			break;
		case T_GrantRoleStmt:
			undo_memberships(work, (GrantRoleStmt *) node);
			break;
		default:
			break;
	}
}
