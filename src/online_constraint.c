/*-------------------------------------------------------------------------
 *
 * online_constraint.c
 *	  NOT NULL and CHECK on a table that is in use; constraints in general.
 *
 * Violating rows are looked for first, under no lock that matters.  Then the
 * constraint is added NOT VALID, which looks at no row, and validated in a
 * transaction of its own, which keeps out no writer (ALTER TABLE, Notes).
 * SET NOT NULL passes over its scan if a valid CHECK says the same
 * (NotNullImpliedByRelConstraints in tablecmds.c); from 18 on NOT NULL itself
 * can be NOT VALID.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "online_int.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

/* --- NOT NULL --- */

static void
not_null_by_check(MigOnline *online, List **parts, const char *column)
{
	const char *altered = mig_online_altered(online);
	const char *table = online->name->text;
	char	   *conname = mig_naming_own(online->naming, column, "not_null");
	MigPart    *part;

	part = mig_part(parts, "%s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID",
					altered, mig_sql_name(conname), mig_sql_name(column));
	mig_online_lifts(online, part, table, conname);
	mig_online_validate(online, parts, conname);
	part = mig_part(parts, "%s ALTER COLUMN %s SET NOT NULL", altered, mig_sql_name(column));
	part->spares_scan = true;
	mig_part_note(part, "the valid check spares the scan");
	mig_part_undo(part, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", table, mig_sql_name(column));
	part = mig_part(parts, "%s DROP CONSTRAINT %s", altered, mig_sql_name(conname));
	mig_part_undo(part, "%s", "");
}

static void
not_null_not_valid(MigOnline *online, List **parts, const char *column,
				   const char *text, const char *conname)
{
	MigPart    *part;

	if (text == NULL)
		text = psprintf("ADD CONSTRAINT %s NOT NULL %s", mig_sql_name(conname), mig_sql_name(column));
	part = mig_part(parts, "%s %s NOT VALID", mig_online_altered(online), text);
	mig_online_lifts(online, part, online->name->text, conname);
	mig_online_validate(online, parts, conname);
}

/* Is there anything to be done; and on 18, has it been begun, under which name? */
static bool
needs_not_null(const MigOnline *online, const char *column, char **begun)
{
	AttrNumber	attnum = mig_relation_column(online->name->relid, column);

	*begun = NULL;
	if (attnum == InvalidAttrNumber)
		return online->name->touched;	/* a column that an earlier statement adds */
	if (mig_relation_is_not_null(online->name->relid, attnum))
		return false;
	*begun = mig_not_null_name(online->name->relid, attnum);
	return *begun || !mig_relation_proves_not_null(online->name->relid, attnum);
}

static void
look_for_nulls(const MigOnline *online, List **parts, const char *column)
{
	mig_online_look(online, parts, InvalidOid, "23502", "SELECT %s FROM %s%s t WHERE t.%s IS NULL",
					mig_online_key(online, "t"), online->only ? "ONLY " : "",
					online->name->text, mig_sql_name(column));
}

List *
mig_online_not_null(MigOnline *online, const char *column)
{
	bool		is_new = online->new_column && strcmp(online->new_column, column) == 0;
	List	   *parts = NIL;
	char	   *begun = NULL;

	if (mig_online_is_small(online) || (is_new && online->new_not_null) ||
		(!is_new && !needs_not_null(online, column, &begun)))
		return NIL;
	if (!is_new)
		look_for_nulls(online, &parts, column);
	if (begun)
		mig_online_validate(online, &parts, begun);
	else if (MIG_HAS_NOT_NULL_NOT_VALID)
		not_null_not_valid(online, &parts, column, NULL, mig_naming_not_null(online->naming, column));
	else
		not_null_by_check(online, &parts, column);
	mig_online_tighten(parts);
	return parts;
}

/* 18: ADD [CONSTRAINT name] NOT NULL column */
static List *
online_not_null_constraint(MigOnline *online, const Constraint *con)
{
	const char *column = strVal(linitial(con->keys));
	bool		is_new = online->new_column && strcmp(online->new_column, column) == 0;
	List	   *parts = NIL;
	char	   *conname;
	char	   *begun;

	if (!is_new && (!needs_not_null(online, column, &begun) || begun))
		return NIL;
	conname = mig_naming_constraint(online->naming, con);
	if (!is_new)
		look_for_nulls(online, &parts, column);
	not_null_not_valid(online, &parts, column, con->conname ? online->text : NULL, conname);
	return parts;
}

/* --- CHECK --- */

/* "ADD CONSTRAINT name ..." of a subcommand that may lack the name. */
static char *
named_text(const MigOnline *online, const Constraint *con, const char *conname)
{
	return con->conname ? pstrdup(online->text) :
		mig_sql_insert(online->text, "ADD", 1, psprintf("CONSTRAINT %s", mig_sql_name(conname)));
}

static List *
add_not_valid(MigOnline *online, List *parts, const Constraint *con)
{
	char	   *conname = mig_naming_constraint(online->naming, con);
	char	   *text = named_text(online, con, conname);
	MigPart    *part;

	part = mig_part(&parts, "%s %s NOT VALID", mig_online_altered(online), text);
	mig_online_lifts(online, part, online->name->text, conname);
	mig_online_validate(online, &parts, conname);
	return parts;
}

/* A look at the rows of a condition of one's own names it as the table is named. */
static void
look_for_false(const MigOnline *online, List **parts, bool own_rows, const char *condition)
{
	mig_online_look(online, parts, InvalidOid, "23514", "SELECT %s FROM %s%s WHERE NOT (%s)",
					mig_online_key(online, mig_sql_name(online->name->relname)), own_rows ? "ONLY " : "",
					online->name->text, condition);
}

static List *
online_check(MigOnline *online, const Constraint *con)
{
	List	   *parts = NIL;
	char	   *condition = mig_slice_parentheses(online->text, "CHECK");

	if (condition == NULL)
		return NIL;
	look_for_false(online, &parts, online->only || con->is_no_inherit, condition);
	return add_not_valid(online, parts, con);
}

/* --- VALIDATE CONSTRAINT as written --- */

List *
mig_online_validate_written(MigOnline *online, const char *conname)
{
	MigConstraint con;
	List	   *parts = NIL;

	if (mig_online_is_small(online))
		return NIL;
	if (mig_relation_constraint(online->name->relid, conname, &con) && !online->name->touched)
	{
		if (con.validated)
			return NIL;
		if (con.contype == CONSTRAINT_CHECK)
			look_for_false(online, &parts, online->only, mig_undo_check(online->name->relid, con.oid));
		else if (con.contype == CONSTRAINT_FOREIGN)
			mig_online_look_foreign(online, &parts,
									mig_slice_constraint(mig_undo_constraint(online->name->relid, con.oid)),
									mig_overlay_find(online->overlay,
													 get_namespace_name(get_rel_namespace(con.refers_to)),
													 get_rel_name(con.refers_to)));
	}
	mig_online_validate(online, &parts, conname);
	mig_online_tighten(parts);
	return parts;
}

/* --- all of them --- */

/* transformFkeyCheckAttrs and transformFkeyGetPrimaryKey */
static void
check_referenced(const MigOnline *online, const Constraint *con)
{
	MigName    *other = mig_overlay_find(online->overlay, con->pktable->schemaname, con->pktable->relname);

	if (!OidIsValid(other->relid) || other->touched || other->created ||
		mig_constraint_without_overlaps(con))
		return;
	if (con->pk_attrs == NIL && mig_relation_primary_key(other->relid) == NIL)
		mig_online_error(online, con->location, ERRCODE_UNDEFINED_OBJECT,
						 "there is no primary key for referenced table \"%s\"", other->relname);
	if (list_length(con->fk_attrs) !=
		list_length(con->pk_attrs ? con->pk_attrs : mig_relation_primary_key(other->relid)))
		mig_online_error(online, con->location, ERRCODE_INVALID_FOREIGN_KEY,
						 "number of referencing and referenced columns for foreign key disagree");
	if (con->pk_attrs && !mig_relation_has_key(other->relid, con->pk_attrs))
		mig_online_error(online, con->location, ERRCODE_INVALID_FOREIGN_KEY,
						 "there is no unique constraint matching given keys for referenced table \"%s\"",
						 other->relname);
}

void
mig_online_check_constraint(const MigOnline *online, const Constraint *con)
{
	bool		is_key = con->contype == CONSTR_UNIQUE || con->contype == CONSTR_PRIMARY ||
		con->contype == CONSTR_EXCLUSION;

	if (!mig_online_is_certain(online))
		return;
	if (con->contype == CONSTR_FOREIGN)
		check_referenced(online, con);
	if (con->conname && !mig_naming_constraint_is_free(online->naming, con->conname))
		mig_online_error(online, con->location, ERRCODE_DUPLICATE_OBJECT,
						 "constraint \"%s\" for relation \"%s\" already exists",
						 con->conname, online->name->relname);
	if (con->conname && is_key && con->indexname == NULL &&
		!mig_naming_relation_is_free(online->naming, con->conname))
		mig_online_error(online, con->location, ERRCODE_DUPLICATE_TABLE,
						 "relation \"%s\" already exists", con->conname);
}

static List *
constraint_parts(MigOnline *online, const Constraint *con)
{
	switch (con->contype)
	{
		case CONSTR_CHECK:
			return con->skip_validation ? NIL : online_check(online, con);
		case CONSTR_FOREIGN:
			return con->skip_validation ? NIL : mig_online_foreign_key(online, con);
		case CONSTR_NOTNULL:
			return con->skip_validation ? NIL : online_not_null_constraint(online, con);
		case CONSTR_UNIQUE:
		case CONSTR_PRIMARY:
			return mig_online_key_constraint(online, con);
		default:
			return NIL;
	}
}

List *
mig_online_constraint(MigOnline *online, Constraint *con)
{
	List	   *parts;

	if (mig_online_is_small(online))
		return NIL;
	parts = constraint_parts(online, con);
	mig_online_tighten(parts);
	return parts;
}
