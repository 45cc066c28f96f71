/*-------------------------------------------------------------------------
 *
 * online_key.c
 *	  UNIQUE and PRIMARY KEY on a table that is in use.
 *
 * The unique index is built concurrently, then becomes the constraint, which
 * gives it its name (ATExecAddIndexConstraint in tablecmds.c).  The columns
 * of a primary key are made NOT NULL before, or that would take a scan.
 *
 * A key in place of one that the same ALTER drops is built while the old one
 * is still there, and put in its place in one statement, so that there is no
 * time without a key.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"

#include "compat.h"
#include "online_int.h"
#include "relation.h"
#include "sqlgen.h"

/* INCLUDE, WITH and TABLESPACE as they stand; false if something cannot be printed. */
static bool
append_index_options(StringInfo buf, const Constraint *con)
{
	ListCell   *lc;

	if (con->including)
		appendStringInfo(buf, " INCLUDE (%s)", mig_online_columns(con->including));
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

static void
look_for_duplicates(const MigOnline *online, List **parts, const Constraint *con)
{
	char	   *columns = mig_online_columns(con->keys);
	StringInfoData nulls;
	ListCell   *lc;

	initStringInfo(&nulls);
	if (!con->nulls_not_distinct && con->contype == CONSTR_UNIQUE)
		foreach(lc, con->keys)
			appendStringInfo(&nulls, "%s%s IS NOT NULL", nulls.len ? " AND " : " WHERE ",
							 mig_sql_name(strVal(lfirst(lc))));
	mig_online_look(online, parts, InvalidOid, "23505",
					"SELECT %s FROM ONLY %s%s GROUP BY %s HAVING pg_catalog.count(*) > 1",
					columns, online->name->text, nulls.data, columns);
}

static const char *
key_word(const Constraint *con)
{
	return con->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE";
}

/* What comes before the constraint; false: there is no such way. */
static bool
build_index(MigOnline *online, List **parts, const Constraint *con, const char *indexname)
{
	StringInfoData options;
	ListCell   *lc;

	initStringInfo(&options);
	if (con->indexname || online->name->relkind == RELKIND_PARTITIONED_TABLE ||
		mig_constraint_without_overlaps(con) || !append_index_options(&options, con))
		return false;
	if (con->contype == CONSTR_PRIMARY)
		foreach(lc, con->keys)
			*parts = list_concat(*parts, mig_online_not_null(online, strVal(lfirst(lc))));
	look_for_duplicates(online, parts, con);
	(void) mig_part(parts, "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)%s", mig_sql_name(indexname),
					online->name->text, mig_online_columns(con->keys), options.data);
	return true;
}

static char *
using_index(const Constraint *con, const char *conname, const char *indexname)
{
	return psprintf("ADD CONSTRAINT %s %s USING INDEX %s%s%s", mig_sql_name(conname), key_word(con),
					mig_sql_name(indexname), con->deferrable ? " DEFERRABLE" : "",
					con->initdeferred ? " INITIALLY DEFERRED" : "");
}

List *
mig_online_key_constraint(MigOnline *online, const Constraint *con)
{
	List	   *parts = NIL;
	char	   *name = con->indexname ? NULL : mig_naming_constraint(online->naming, con);
	MigPart    *part;

	if (!build_index(online, &parts, con, name))
		return NIL;
	part = mig_part(&parts, "ALTER TABLE %s %s", online->name->text, using_index(con, name, name));
	mig_part_undo(part, "ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %s",
				  online->name->text, mig_sql_name(name));
	return parts;
}

static bool
columns_are_there(const MigOnline *online, const Constraint *con)
{
	ListCell   *lc;

	foreach(lc, con->keys)
		if (mig_relation_column(online->name->relid, strVal(lfirst(lc))) == InvalidAttrNumber)
			return false;
	return true;
}

char *
mig_online_replace_key(MigOnline *online, const Constraint *con, List **before)
{
	char	   *name;
	char	   *indexname;

	if (mig_online_is_small(online) || online->naming->dropped == NIL || con->indexname ||
		!columns_are_there(online, con))
		return NULL;
	name = mig_naming_constraint(online->naming, con);
	indexname = mig_naming_comes_free(online->naming, name) ?
		mig_naming_own(online->naming, strVal(linitial(con->keys)), "key") : name;
	if (!build_index(online, before, con, indexname))
		return NULL;
	mig_online_tighten(*before);
	return using_index(con, name, indexname);
}
