/*-------------------------------------------------------------------------
 *
 * online_constraint.c
 *	  Constraints on a table that is in use.
 *
 * Violating rows are looked for first, under no lock that matters.  Then the
 * constraint is added NOT VALID, which looks at no row, and validated in a
 * transaction of its own, which keeps out no writer (ALTER TABLE, Notes).
 * A unique or primary key is an index that is built concurrently, and then
 * becomes a constraint.  SET NOT NULL passes over its scan if a valid CHECK
 * says the same (NotNullImpliedByRelConstraints in tablecmds.c); from 18 on
 * NOT NULL itself can be NOT VALID.
 *
 * Names that nobody wrote are chosen as the server would.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/index.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "online_int.h"
#include "relation.h"
#include "sqlgen.h"

#define LOOK_LIMIT 100			/* rows that are kept in failed_rows */

/* --- looking for rows that would violate it --- */

static void
as_look(const MigOnline *online, MigPart *part, const char *violates)
{
	part->kind = MIG_STEP_LOOK;
	part->phase = MIG_MIGRATE;
	part->own_transaction = true;
	part->relation = online->name->text;
	part->violates = violates;
	mig_part_undo(part, "%s", "");
}

static void
look(MigOnline *online, List **parts, const char *condition, const char *violates)
{
	as_look(online, mig_part(parts, "SELECT %s FROM %s WHERE %s LIMIT %d", mig_online_key(online),
							 online->name->text, condition, LOOK_LIMIT), violates);
}

static char *
column_list(List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
		appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", mig_sql_name(strVal(lfirst(lc))));
	return buf.data;
}

static void
validate(MigOnline *online, List **parts, const char *conname)
{
	MigPart    *part = mig_part(parts, "ALTER TABLE %s VALIDATE CONSTRAINT %s",
								online->name->text, mig_sql_name(conname));

	part->kind = MIG_STEP_VALIDATE;
	part->phase = MIG_MIGRATE;
	part->own_transaction = true;
	mig_part_undo(part, "%s", "");
}

/* --- NOT NULL --- */

static void
not_null_by_check(MigOnline *online, List **parts, const char *column)
{
	const char *table = online->name->text;
	char	   *conname = makeObjectName(online->name->relname, column, "migrate_not_null");
	MigPart    *part;

	part = mig_part(parts, "ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID",
					table, mig_sql_name(conname), mig_sql_name(column));
	mig_part_undo(part, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", table, mig_sql_name(conname));
	validate(online, parts, conname);
	part = mig_part(parts, "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", table, mig_sql_name(column));
	part->spares_scan = true;
	part->note = "the valid check spares the scan";
	mig_part_undo(part, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", table, mig_sql_name(column));
	part = mig_part(parts, "ALTER TABLE %s DROP CONSTRAINT %s", table, mig_sql_name(conname));
	mig_part_undo(part, "%s", "");
}

static void
not_null_not_valid(MigOnline *online, List **parts, const char *column)
{
	const char *table = online->name->text;
	char	   *conname = ChooseConstraintName(online->name->relname, column, "not_null",
											   get_rel_namespace(online->name->relid), NIL);
	MigPart    *part;

	part = mig_part(parts, "ALTER TABLE %s ADD CONSTRAINT %s NOT NULL %s NOT VALID",
					table, mig_sql_name(conname), mig_sql_name(column));
	mig_part_undo(part, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", table, mig_sql_name(column));
	validate(online, parts, conname);
}

/* They change neither rows nor columns. */
static void
all_tighten(List *parts)
{
	ListCell   *lc;

	foreach(lc, parts)
		((MigPart *) lfirst(lc))->tightens = true;
}

List *
mig_online_not_null(MigOnline *online, const char *column)
{
	List	   *parts = NIL;
	AttrNumber	attnum;

	if (mig_online_is_small(online))
		return NIL;
	attnum = mig_relation_column(online->name->relid, column);
	if (attnum == InvalidAttrNumber || mig_relation_is_not_null(online->name->relid, attnum) ||
		mig_relation_proves_not_null(online->name->relid, attnum))
		return NIL;
	look(online, &parts, psprintf("%s IS NULL", mig_sql_name(column)), "23502");
	if (MIG_HAS_NOT_NULL_NOT_VALID)
		not_null_not_valid(online, &parts, column);
	else
		not_null_by_check(online, &parts, column);
	all_tighten(parts);
	return parts;
}

/* --- CHECK and FOREIGN KEY --- */

static bool
collect_columns(Node *node, List **names)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		Node	   *last = llast(((ColumnRef *) node)->fields);

		if (IsA(last, String))
			*names = list_append_unique(*names, last);
		return false;
	}
	return raw_expression_tree_walker(node, collect_columns, names);
}

/* As AddRelationNewConstraints and ATExecAddConstraint choose it. */
static char *
constraint_name(const MigOnline *online, const Constraint *con)
{
	List	   *columns = NIL;
	const char *middle = NULL;
	StringInfoData buf;
	ListCell   *lc;

	if (con->conname)
		return con->conname;
	if (con->contype == CONSTR_CHECK)
	{
		(void) collect_columns(con->raw_expr, &columns);
		if (list_length(columns) == 1)
			middle = strVal(linitial(columns));
		return ChooseConstraintName(online->name->relname, middle, "check",
									get_rel_namespace(online->name->relid), NIL);
	}
	initStringInfo(&buf);
	foreach(lc, con->fk_attrs)
	{
		appendStringInfo(&buf, "%s%s", buf.len ? "_" : "", strVal(lfirst(lc)));
		if (buf.len >= NAMEDATALEN)
			break;
	}
	return ChooseConstraintName(online->name->relname, buf.data, "fkey",
								get_rel_namespace(online->name->relid), NIL);
}

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
	char	   *conname = constraint_name(online, con);
	char	   *text = named_text(online, con, conname);
	AlterTableStmt *stmt = castNode(AlterTableStmt, online->node);
	MigPart    *part;

	if (text == NULL)
		return NIL;
	part = mig_part(&parts, "ALTER TABLE %s%s %s NOT VALID", stmt->relation->inh ? "" : "ONLY ",
					online->name->text, text);
	mig_part_undo(part, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s",
				  online->name->text, mig_sql_name(conname));
	validate(online, &parts, conname);
	return parts;
}

static List *
online_check(MigOnline *online, const Constraint *con)
{
	List	   *parts = NIL;
	char	   *condition = mig_slice_parentheses(online->text, "CHECK");

	if (condition == NULL)
		return NIL;
	look(online, &parts, psprintf("NOT (%s)", condition), "23514");
	return add_not_valid(online, parts, con);
}

/* The columns that a foreign key refers to: written, or the primary key. */
static List *
referenced_columns(const Constraint *con, Oid relid)
{
	return con->pk_attrs ? con->pk_attrs : mig_relation_primary_key(relid);
}

static List *
online_foreign_key(MigOnline *online, const Constraint *con)
{
	MigName    *other = mig_overlay_find(online->overlay, con->pktable->schemaname,
										 con->pktable->relname);
	List	   *columns;
	StringInfoData nulls,
				match;
	List	   *parts = NIL;

	if (!OidIsValid(other->relid) || online->name->relkind == RELKIND_PARTITIONED_TABLE)
		return NIL;
	columns = referenced_columns(con, other->relid);
	if (list_length(columns) != list_length(con->fk_attrs))
		return NIL;
	initStringInfo(&nulls);
	initStringInfo(&match);
	for (int i = 0; i < list_length(columns); i++)
	{
		const char *own = mig_sql_name(strVal(list_nth(con->fk_attrs, i)));

		appendStringInfo(&nulls, "%sf.%s IS NOT NULL", i ? " AND " : "", own);
		appendStringInfo(&match, "%sr.%s = f.%s", i ? " AND " : "",
						 mig_sql_name(strVal(list_nth(columns, i))), own);
	}
	as_look(online, mig_part(&parts,
							 "SELECT %s, %s FROM %s f WHERE %s AND NOT EXISTS (SELECT FROM %s r WHERE %s) LIMIT %d",
							 mig_online_key(online), column_list(con->fk_attrs), online->name->text,
							 nulls.data, other->text, match.data, LOOK_LIMIT), "23503");
	return add_not_valid(online, parts, con);
}

/* --- UNIQUE and PRIMARY KEY --- */

/* INCLUDE, WITH and TABLESPACE as they stand; false if something cannot be printed. */
static bool
append_index_options(StringInfo buf, const Constraint *con)
{
	ListCell   *lc;

	if (con->including)
		appendStringInfo(buf, " INCLUDE (%s)", column_list(con->including));
	if (con->nulls_not_distinct)
		appendStringInfoString(buf, " NULLS NOT DISTINCT");
	if (con->options)
	{
		appendStringInfoString(buf, " WITH (");
		foreach(lc, con->options)
		{
			DefElem    *option = lfirst_node(DefElem, lc);

			if (option->defnamespace || option->arg == NULL)
				return false;
			appendStringInfo(buf, "%s%s = %s", lc == list_head(con->options) ? "" : ", ",
							 mig_sql_name(option->defname), defGetString(option));
		}
		appendStringInfoChar(buf, ')');
	}
	if (con->indexspace)
		appendStringInfo(buf, " TABLESPACE %s", mig_sql_name(con->indexspace));
	return true;
}

/* As ChooseIndexName does for a constraint. */
static char *
index_name(const MigOnline *online, const Constraint *con)
{
	StringInfoData columns;
	ListCell   *lc;

	if (con->conname)
		return con->conname;
	if (con->contype == CONSTR_PRIMARY)
		return ChooseRelationName(online->name->relname, NULL, "pkey",
								  get_rel_namespace(online->name->relid), true);
	initStringInfo(&columns);
	foreach(lc, con->keys)
		appendStringInfo(&columns, "%s%s", columns.len ? "_" : "", strVal(lfirst(lc)));
	foreach(lc, con->including)
		appendStringInfo(&columns, "%s%s", columns.len ? "_" : "", strVal(lfirst(lc)));
	return ChooseRelationName(online->name->relname, columns.data, "key",
							  get_rel_namespace(online->name->relid), true);
}

static void
look_for_duplicates(MigOnline *online, List **parts, const Constraint *con)
{
	char	   *columns = column_list(con->keys);
	StringInfoData nulls;
	ListCell   *lc;

	initStringInfo(&nulls);
	if (!con->nulls_not_distinct && con->contype == CONSTR_UNIQUE)
		foreach(lc, con->keys)
			appendStringInfo(&nulls, "%s%s IS NOT NULL", nulls.len ? " AND " : " WHERE ",
							 mig_sql_name(strVal(lfirst(lc))));
	as_look(online, mig_part(parts, "SELECT %s FROM %s%s GROUP BY %s HAVING pg_catalog.count(*) > 1 LIMIT %d",
							 columns, online->name->text, nulls.data, columns, LOOK_LIMIT), "23505");
}

static List *
online_unique(MigOnline *online, const Constraint *con)
{
	List	   *parts = NIL;
	char	   *name = index_name(online, con);
	StringInfoData options;
	MigPart    *part;
	ListCell   *lc;

	initStringInfo(&options);
	if (con->indexname || online->name->relkind == RELKIND_PARTITIONED_TABLE ||
		mig_constraint_without_overlaps(con) || !append_index_options(&options, con))
		return NIL;
	if (con->contype == CONSTR_PRIMARY)
		foreach(lc, con->keys)
			parts = list_concat(parts, mig_online_not_null(online, strVal(lfirst(lc))));
	look_for_duplicates(online, &parts, con);
	(void) mig_part(&parts, "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)%s", mig_sql_name(name),
					online->name->text, column_list(con->keys), options.data);
	part = mig_part(&parts, "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s%s%s", online->name->text,
					mig_sql_name(name), con->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE",
					mig_sql_name(name), con->deferrable ? " DEFERRABLE" : "",
					con->initdeferred ? " INITIALLY DEFERRED" : "");
	mig_part_undo(part, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", online->name->text, mig_sql_name(name));
	return parts;
}

static List *
constraint_parts(MigOnline *online, const Constraint *con)
{
	switch (con->contype)
	{
		case CONSTR_CHECK:
			return con->skip_validation ? NIL : online_check(online, con);
		case CONSTR_FOREIGN:
			return con->skip_validation ? NIL : online_foreign_key(online, con);
		case CONSTR_UNIQUE:
		case CONSTR_PRIMARY:
			return online_unique(online, con);
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
	all_tighten(parts);
	return parts;
}
