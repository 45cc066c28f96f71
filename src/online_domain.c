/*-------------------------------------------------------------------------
 *
 * online_domain.c
 *	  Constraints of a domain whose columns are in use.
 *
 * The server locks every table that has a column of the domain against
 * writes, and reads it, both when a constraint is added and when it is
 * validated (validateDomainConstraint in typecmds.c).  No way around that is
 * known; but a constraint that is NOT VALID takes no lock at all, holds for
 * new rows, and can be validated when nobody writes.  So it is added that
 * way, after the rows have been looked at, and the validation says what it
 * costs.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "online_int.h"
#include "settings.h"
#include "sqlgen.h"

static Oid
namespace_of_type(Oid typid)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	Oid			nspid = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		nspid = ((Form_pg_type) GETSTRUCT(tuple))->typnamespace;
		ReleaseSysCache(tuple);
	}
	return nspid;
}

static char *
name_of_type(Oid typid)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	name = pstrdup(NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname));
	ReleaseSysCache(tuple);
	return name;
}

List *
mig_online_domain(MigOnline *online)
{
	AlterDomainStmt *stmt = castNode(AlterDomainStmt, online->node);
	Constraint *con = (Constraint *) stmt->def;
	Oid			typid;
	char	   *name;
	char	   *conname;
	char	   *domain;
	char	   *text;
	List	   *parts = NIL;
	MigPart    *part;

	if (stmt->subtype != 'C' || con->contype != CONSTR_CHECK || con->skip_validation ||
		online->effect->bytes <= (int64) mig_small_table * 1024)
		return NIL;
	typid = LookupTypeNameOid(NULL, makeTypeNameFromNameList(stmt->typeName), true);
	name = OidIsValid(typid) ? name_of_type(typid) : NULL;
	if (name == NULL)
		return NIL;
	conname = con->conname ? con->conname :
		ChooseConstraintName(name, NULL, "check", namespace_of_type(typid), NIL);
	domain = mig_sql_qualified(get_namespace_name(namespace_of_type(typid)), name);
	text = con->conname ? pstrdup(online->text) :
		mig_sql_insert(online->text, "ADD", 1, psprintf("CONSTRAINT %s", mig_sql_name(conname)));
	part = mig_part(&parts, "%s NOT VALID", text);
	part->object = psprintf("constraint %s.%s", domain, mig_sql_name(conname));
	mig_part_undo(part, "ALTER DOMAIN %s DROP CONSTRAINT IF EXISTS %s", domain, mig_sql_name(conname));
	part = mig_part(&parts, "ALTER DOMAIN %s VALIDATE CONSTRAINT %s", domain, mig_sql_name(conname));
	part->kind = MIG_STEP_VALIDATE;
	part->phase = MIG_MIGRATE;
	part->own_transaction = true;
	part->object = psprintf("constraint %s.%s", domain, mig_sql_name(conname));
	mig_part_undo(part, "%s", "");
	mig_online_tighten(parts);
	return parts;
}
