/*-------------------------------------------------------------------------
 *
 * undo_acl.c
 *	  Privileges: what takes back a GRANT or a REVOKE, and what gives an
 *	  object that was made again the privileges that it had.
 *
 * Only what a statement really changes is taken back: a privilege that the
 * grantee had before stays.  A grant counts for the grantor that the server
 * would choose now (select_best_grantor); what others have granted cannot be
 * granted again in their name.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_default_acl.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "undo_int.h"

static const struct
{
	const char *word;
	AclMode		bit;
}			privileges[] = {
	{"SELECT", ACL_SELECT},
	{"INSERT", ACL_INSERT},
	{"UPDATE", ACL_UPDATE},
	{"DELETE", ACL_DELETE},
	{"TRUNCATE", ACL_TRUNCATE},
	{"REFERENCES", ACL_REFERENCES},
	{"TRIGGER", ACL_TRIGGER},
	{"MAINTAIN", MIG_ACL_MAINTAIN},
	{"EXECUTE", ACL_EXECUTE},
	{"USAGE", ACL_USAGE},
	{"CREATE", ACL_CREATE},
	{"TEMPORARY", ACL_CREATE_TEMP},
	{"TEMP", ACL_CREATE_TEMP},
	{"CONNECT", ACL_CONNECT},
};

/* Which objects have privileges, and the words for them. */
static const struct
{
	Oid			classid;
	ObjectType	type;
	const char *word;			/* in GRANT ... ON */
	AclMode		all;
}			classes[] = {
	{RelationRelationId, OBJECT_TABLE, "TABLE", ACL_ALL_RIGHTS_RELATION},
	{ProcedureRelationId, OBJECT_FUNCTION, "ROUTINE", ACL_ALL_RIGHTS_FUNCTION},
	{TypeRelationId, OBJECT_TYPE, "TYPE", ACL_ALL_RIGHTS_TYPE},
	{NamespaceRelationId, OBJECT_SCHEMA, "SCHEMA", ACL_ALL_RIGHTS_SCHEMA},
	{DatabaseRelationId, OBJECT_DATABASE, "DATABASE", ACL_ALL_RIGHTS_DATABASE},
	{LanguageRelationId, OBJECT_LANGUAGE, "LANGUAGE", ACL_ALL_RIGHTS_LANGUAGE},
	{TableSpaceRelationId, OBJECT_TABLESPACE, "TABLESPACE", ACL_ALL_RIGHTS_TABLESPACE},
	{ForeignDataWrapperRelationId, OBJECT_FDW, "FOREIGN DATA WRAPPER", ACL_ALL_RIGHTS_FDW},
	{ForeignServerRelationId, OBJECT_FOREIGN_SERVER, "FOREIGN SERVER", ACL_ALL_RIGHTS_FOREIGN_SERVER},
};

/* Something that has an ACL. */
typedef struct Target
{
	Acl		   *acl;			/* as it is now */
	Oid			owner;
	AclMode		all;
	const char *lead;			/* "", or ALTER DEFAULT PRIVILEGES ... */
	const char *on;				/* TABLE public.t */
	const char *column;			/* or NULL */
} Target;

/* --- words --- */

static char *
privilege_list(AclMode bits, const char *column)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < lengthof(privileges); i++)
	{
		if (privileges[i].bit == 0 || (bits & privileges[i].bit) == 0)
			continue;
		bits &= ~privileges[i].bit;
		appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", privileges[i].word);
		if (column)
			appendStringInfo(&buf, " (%s)", quote_identifier(column));
	}
	return buf.data;
}

static char *
role_text(Oid role)
{
	char	   *name;

	if (role == ACL_ID_PUBLIC)
		return pstrdup("PUBLIC");
	name = GetUserNameFromId(role, true);
	return name ? pstrdup(quote_identifier(name)) : NULL;
}

static List *
add_grant(List *sql, const Target *target, AclMode bits, const char *grantee, bool option)
{
	if (bits == 0 || grantee == NULL)
		return sql;
	return lappend(sql, psprintf("%sGRANT %s ON %s TO %s%s", target->lead,
								 privilege_list(bits, target->column), target->on, grantee,
								 option ? " WITH GRANT OPTION" : ""));
}

static List *
add_revoke(List *sql, const Target *target, AclMode bits, const char *grantee, bool option)
{
	if (bits == 0 || grantee == NULL)
		return sql;
	return lappend(sql, psprintf("%sREVOKE %s%s ON %s FROM %s", target->lead,
								 option ? "GRANT OPTION FOR " : "",
								 privilege_list(bits, target->column), target->on, grantee));
}

/* --- ACLs --- */

/* What a grantee has of a grantor. */
static void
bits_of(const Acl *acl, Oid grantee, Oid grantor, AclMode *privs, AclMode *options)
{
	*privs = *options = ACL_NO_RIGHTS;
	for (int i = 0; acl && i < ACL_NUM(acl); i++)
	{
		const AclItem *item = &ACL_DAT(acl)[i];

		if (item->ai_grantee != grantee || item->ai_grantor != grantor)
			continue;
		*privs |= ACLITEM_GET_PRIVS(*item);
		*options |= ACLITEM_GET_GOPTIONS(*item);
	}
}

static bool
has_granted(const Acl *acl, Oid role)
{
	for (int i = 0; acl && i < ACL_NUM(acl); i++)
		if (ACL_DAT(acl)[i].ai_grantor == role)
			return true;
	return false;
}

/* Statements that make "to" of "from", both of which are the owner's. */
static List *
difference(const Target *target, const Acl *from, const Acl *to, const char **why)
{
	List	   *revokes = NIL;
	List	   *grants = NIL;

	for (int i = 0; from && i < ACL_NUM(from); i++)
	{
		const AclItem *item = &ACL_DAT(from)[i];
		AclMode		privs,
					options;
		char	   *grantee = role_text(item->ai_grantee);

		bits_of(to, item->ai_grantee, item->ai_grantor, &privs, &options);
		revokes = add_revoke(revokes, target, ACLITEM_GET_PRIVS(*item) & ~privs, grantee, false);
		revokes = add_revoke(revokes, target,
							 ACLITEM_GET_GOPTIONS(*item) & ~options & privs, grantee, true);
	}
	for (int i = 0; to && i < ACL_NUM(to); i++)
	{
		const AclItem *item = &ACL_DAT(to)[i];
		AclMode		privs,
					options;
		AclMode		lost;
		char	   *grantee = role_text(item->ai_grantee);

		bits_of(from, item->ai_grantee, item->ai_grantor, &privs, &options);
		lost = (ACLITEM_GET_PRIVS(*item) & ~privs) | (ACLITEM_GET_GOPTIONS(*item) & ~options);
		if (lost && item->ai_grantor != target->owner)
			*why = psprintf("what %s has granted cannot be granted again in that role's name",
							role_text(item->ai_grantor));
		grants = add_grant(grants, target, lost & ~ACLITEM_GET_GOPTIONS(*item), grantee, false);
		grants = add_grant(grants, target, lost & ACLITEM_GET_GOPTIONS(*item), grantee, true);
	}
	return list_concat(revokes, grants);
}

/* A column of the object's row, from the cache of its class; false if it is null. */
static bool
attribute_of(const ObjectAddress *address, AttrNumber number, Datum *value)
{
	int			cache = get_object_catcache_oid(address->classId);
	HeapTuple	tuple;
	bool		isnull = true;

	if (cache < 0 || !AttributeNumberIsValid(number))
		return false;
	tuple = SearchSysCacheCopy1(cache, ObjectIdGetDatum(address->objectId));
	if (HeapTupleIsValid(tuple))
		*value = SysCacheGetAttr(cache, tuple, number, &isnull);
	return !isnull;
}

Oid
mig_undo_owner(const ObjectAddress *address)
{
	Datum		value;

	if (!is_objectclass_supported(address->classId) ||
		!attribute_of(address, get_object_attnum_owner(address->classId), &value))
		return InvalidOid;
	return DatumGetObjectId(value);
}

static Acl *
column_acl(Oid relid, AttrNumber column)
{
	HeapTuple	tuple = SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(column));
	Datum		value;
	bool		isnull = true;

	if (HeapTupleIsValid(tuple))
		value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attacl, &isnull);
	return isnull ? NULL : DatumGetAclPCopy(value);
}

static bool
has_privileges(const ObjectAddress *address)
{
	char		relkind = address->classId == RelationRelationId ? get_rel_relkind(address->objectId) : 0;

	return relkind != RELKIND_INDEX && relkind != RELKIND_PARTITIONED_INDEX &&
		relkind != RELKIND_COMPOSITE_TYPE;
}

/* False if this is nothing that has privileges. */
static bool
target_of(const ObjectAddress *address, Target *target, ObjectType *type)
{
	Datum		value;

	if (!is_objectclass_supported(address->classId))
		return false;
	for (int i = 0; i < lengthof(classes); i++)
	{
		const char *word = classes[i].word;

		if (classes[i].classid != address->classId)
			continue;
		if (!has_privileges(address))
			return false;
		*type = classes[i].type;
		target->all = classes[i].all;
		if (*type == OBJECT_TABLE && get_rel_relkind(address->objectId) == RELKIND_SEQUENCE)
		{
			*type = OBJECT_SEQUENCE;
			word = "SEQUENCE";
			target->all = ACL_ALL_RIGHTS_SEQUENCE;
		}
		target->owner = mig_undo_owner(address);
		target->acl = attribute_of(address, get_object_attnum_acl(address->classId), &value) ?
			DatumGetAclPCopy(value) : acldefault(*type, target->owner);
		target->lead = "";
		target->on = psprintf("%s %s", word, getObjectIdentity(address, false));
		target->column = NULL;
		return OidIsValid(target->owner);
	}
	return false;
}

/* --- GRANT and REVOKE --- */

static AclMode
bit_of(const char *word)
{
	for (int i = 0; i < lengthof(privileges); i++)
		if (pg_strcasecmp(privileges[i].word, word) == 0)
			return privileges[i].bit;
	return ACL_NO_RIGHTS;
}

static Oid
role_of(RoleSpec *spec, char **text)
{
	Oid			role;

	*text = pstrdup("PUBLIC");
	if (spec->roletype == ROLESPEC_PUBLIC)
		return ACL_ID_PUBLIC;
	role = get_rolespec_oid(spec, true);
	*text = OidIsValid(role) ? role_text(role) : pstrdup(quote_identifier(spec->rolename));
	return role;
}

/* One set of privileges of one target. */
static List *
take_back(List *sql, const GrantStmt *stmt, const Target *target, AclMode bits, const char **why)
{
	Oid			grantor;
	AclMode		unused;
	ListCell   *lc;

	select_best_grantor(GetUserId(), bits, target->acl, target->owner, &grantor, &unused);
	foreach(lc, stmt->grantees)
	{
		char	   *text;
		Oid			grantee = role_of(lfirst_node(RoleSpec, lc), &text);
		AclMode		privs = ACL_NO_RIGHTS,
					options = ACL_NO_RIGHTS;

		if (OidIsValid(grantee) || strcmp(text, "PUBLIC") == 0)
			bits_of(target->acl, grantee, grantor, &privs, &options);
		if (stmt->is_grant)
		{
			sql = add_revoke(sql, target, bits & ~privs, text, false);
			if (stmt->grant_option)
				sql = add_revoke(sql, target, bits & privs & ~options, text, true);
			continue;
		}
		if (stmt->behavior == DROP_CASCADE && OidIsValid(grantee) && grantee != target->owner &&
			has_granted(target->acl, grantee))
			*why = psprintf("what %s has granted goes with it, and cannot be granted again in that role's name", text);
		if (!stmt->grant_option)
			sql = add_grant(sql, target, bits & privs & ~options, text, false);
		sql = add_grant(sql, target, bits & options, text, true);
	}
	return sql;
}

static int
columns_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	int			natts = 0;

	if (HeapTupleIsValid(tuple))
	{
		natts = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;
		ReleaseSysCache(tuple);
	}
	return natts;
}

/* What a REVOKE of a table takes from its columns as well. */
static List *
take_back_columns(List *sql, const GrantStmt *stmt, const Target *table, Oid relid, AclMode bits,
				  const char **why)
{
	int			natts = columns_of(relid);

	for (AttrNumber i = 1; i <= natts; i++)
	{
		Target		target = *table;

		target.acl = column_acl(relid, i);
		target.column = get_attname(relid, i, true);
		if (target.acl && target.column)
			sql = take_back(sql, stmt, &target, bits & ACL_ALL_RIGHTS_COLUMN, why);
	}
	return sql;
}

static List *
take_back_named_columns(List *sql, const GrantStmt *stmt, const Target *table, Oid relid,
						AccessPriv *priv, const char **why)
{
	ListCell   *lc;

	foreach(lc, priv->cols)
	{
		Target		target = *table;

		target.column = strVal(lfirst(lc));
		target.acl = column_acl(relid, get_attnum(relid, target.column));
		sql = take_back(sql, stmt, &target,
						priv->priv_name ? bit_of(priv->priv_name) : ACL_ALL_RIGHTS_COLUMN, why);
	}
	return sql;
}

List *
mig_undo_grant(const GrantStmt *stmt, const ObjectAddress *address, const char **why)
{
	Target		target;
	ObjectType	type;
	AclMode		bits = ACL_NO_RIGHTS;
	List	   *sql = NIL;
	MigReading	reading;
	ListCell   *lc;

	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	if (target_of(address, &target, &type))
	{
		foreach(lc, stmt->privileges)
		{
			AccessPriv *priv = lfirst_node(AccessPriv, lc);

			if (priv->cols)
				sql = take_back_named_columns(sql, stmt, &target, address->objectId, priv, why);
			else
				bits |= priv->priv_name ? bit_of(priv->priv_name) : target.all;
		}
		if (stmt->privileges == NIL)
			bits = target.all;
		if (bits)
			sql = take_back(sql, stmt, &target, bits, why);
		if (bits && !stmt->is_grant && type == OBJECT_TABLE)
			sql = take_back_columns(sql, stmt, &target, address->objectId, bits, why);
	}
	else
		*why = "privileges of such objects are not read";
	mig_reading_end(&reading);
	return sql;
}

/* --- ALTER DEFAULT PRIVILEGES --- */

static Acl *
default_acl(Oid role, Oid schema, char objtype)
{
	HeapTuple	tuple = SearchSysCacheCopy3(DEFACLROLENSPOBJ, ObjectIdGetDatum(role),
											ObjectIdGetDatum(schema), CharGetDatum(objtype));
	Datum		value;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	value = SysCacheGetAttr(DEFACLROLENSPOBJ, tuple, Anum_pg_default_acl_defaclacl, &isnull);
	return isnull ? NULL : DatumGetAclPCopy(value);
}

static char
default_class(ObjectType type, const char **word, AclMode *all)
{
	switch (type)
	{
		case OBJECT_TABLE:
			*word = "TABLES";
			*all = ACL_ALL_RIGHTS_RELATION;
			return DEFACLOBJ_RELATION;
		case OBJECT_SEQUENCE:
			*word = "SEQUENCES";
			*all = ACL_ALL_RIGHTS_SEQUENCE;
			return DEFACLOBJ_SEQUENCE;
		case OBJECT_FUNCTION:
			*word = "FUNCTIONS";
			*all = ACL_ALL_RIGHTS_FUNCTION;
			return DEFACLOBJ_FUNCTION;
		case OBJECT_TYPE:
			*word = "TYPES";
			*all = ACL_ALL_RIGHTS_TYPE;
			return DEFACLOBJ_TYPE;
		case OBJECT_SCHEMA:
			*word = "SCHEMAS";
			*all = ACL_ALL_RIGHTS_SCHEMA;
			return DEFACLOBJ_NAMESPACE;
		default:
			return '\0';
	}
}

/* For one role and one schema; NULL: everywhere. */
static List *
take_back_default(List *sql, const GrantStmt *stmt, Oid role, const char *nspname, const char **why)
{
	Target		target = {0};
	char		class = default_class(stmt->objtype, &target.on, &target.all);
	Oid			schema = nspname ? get_namespace_oid(nspname, true) : InvalidOid;
	AclMode		bits = stmt->privileges ? ACL_NO_RIGHTS : target.all;
	ListCell   *lc;

	if (class == '\0')
	{
		*why = "default privileges of such objects are not read";
		return sql;
	}
	foreach(lc, stmt->privileges)
		bits |= bit_of(lfirst_node(AccessPriv, lc)->priv_name);
	target.owner = role;
	target.lead = psprintf("ALTER DEFAULT PRIVILEGES FOR ROLE %s %s%s%s", role_text(role),
						   nspname ? "IN SCHEMA " : "", nspname ? quote_identifier(nspname) : "",
						   nspname ? " " : "");
	if (nspname == NULL || OidIsValid(schema))
		target.acl = default_acl(role, schema, class);
	if (target.acl == NULL)
		target.acl = nspname ? make_empty_acl() : acldefault(stmt->objtype, role);
	return take_back(sql, stmt, &target, bits, why);
}

List *
mig_undo_default_privileges(const AlterDefaultPrivilegesStmt *stmt, const char **why)
{
	List	   *roles = NIL;
	List	   *schemas = NIL;
	List	   *sql = NIL;
	ListCell   *lc,
			   *ls;

	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "roles") == 0)
			roles = castNode(List, option->arg);
		else if (strcmp(option->defname, "schemas") == 0)
			schemas = castNode(List, option->arg);
	}
	if (roles == NIL)
	{
		RoleSpec   *me = makeNode(RoleSpec);

		me->roletype = ROLESPEC_CURRENT_USER;
		roles = list_make1(me);
	}
	foreach(lc, roles)
	{
		char	   *text;
		Oid			role = role_of(lfirst_node(RoleSpec, lc), &text);

		if (!OidIsValid(role))
			*why = psprintf("role %s is not there yet", text);
		else if (schemas == NIL)
			sql = take_back_default(sql, stmt->action, role, NULL, why);
		else
			foreach(ls, schemas)
				sql = take_back_default(sql, stmt->action, role, strVal(lfirst(ls)), why);
	}
	return sql;
}

/* --- an object that is made again --- */

List *
mig_undo_privileges(const ObjectAddress *address, int columns, const char **why)
{
	Target		target;
	ObjectType	type;
	Acl		   *new;
	List	   *sql;

	if (!target_of(address, &target, &type))
		return NIL;
	new = get_user_default_acl(type, GetUserId(), get_object_namespace(address));
	if (new == NULL)
		new = acldefault(type, GetUserId());
	if (target.owner != GetUserId())
		new = aclnewowner(new, GetUserId(), target.owner);
	sql = difference(&target, new, target.acl, why);
	if (type == OBJECT_TABLE)
	{
		int			natts = columns ? columns : columns_of(address->objectId);

		for (AttrNumber i = 1; i <= natts; i++)
		{
			Target		column = target;

			column.acl = column_acl(address->objectId, i);
			column.column = get_attname(address->objectId, i, true);
			if (column.acl && column.column)
				sql = list_concat(sql, difference(&column, NULL, column.acl, why));
		}
	}
	return sql;
}

/* --- an object that changes hands, there and back --- */

/* What the new owner has been granted becomes one with what the old one has. */
static Acl *
there_and_back(const Acl *acl, Oid owner, Oid other)
{
	return aclnewowner(aclnewowner(acl, owner, other), other, owner);
}

List *
mig_undo_owner_privileges(const ObjectAddress *address, Oid other, const char **why)
{
	Target		target;
	ObjectType	type;
	List	   *sql;

	if (!OidIsValid(other) || !target_of(address, &target, &type) || target.owner == other)
		return NIL;
	sql = difference(&target, there_and_back(target.acl, target.owner, other), target.acl, why);
	if (type == OBJECT_TABLE)
	{
		int			natts = columns_of(address->objectId);

		for (AttrNumber i = 1; i <= natts; i++)
		{
			Target		column = target;

			column.acl = column_acl(address->objectId, i);
			column.column = get_attname(address->objectId, i, true);
			if (column.acl && column.column)
				sql = list_concat(sql, difference(&column, there_and_back(column.acl, target.owner, other),
												  column.acl, why));
		}
	}
	return sql;
}
