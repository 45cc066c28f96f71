/*-------------------------------------------------------------------------
 *
 * online_key.c
 *	  UNIQUE and PRIMARY KEY on a table that is in use.
 *
 * The unique index is built concurrently, then becomes the constraint, which
 * gives it its name (ATExecAddIndexConstraint in tablecmds.c).  The columns
 * of a primary key are made NOT NULL before, or that would take a scan.
 *
 * Of a partitioned table each leaf gets its own; the parent's constraint then
 * adopts them without building anything (DefineIndex in indexcmds.c).
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
#include "utils/lsyscache.h"

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
					"SELECT %s FROM %s%s%s GROUP BY %s HAVING pg_catalog.count(*) > 1",
					columns, online->name->relkind == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					online->name->text, nulls.data, columns);
}

static const char *
key_word(const Constraint *con)
{
	return con->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE";
}

/*
 * 18: the key of a partition makes the NOT NULL that it has from its parent its
 * own as well, which then stays behind when the parent's goes.
 */
static void
undo_in_leaves(const MigOnline *online, List *parts, const char *column)
{
	MigPart    *adds = NULL;
	ListCell   *lc;

	foreach(lc, parts)
		if (adds == NULL && ((MigPart *) lfirst(lc))->undo && ((MigPart *) lfirst(lc))->undo[0])
			adds = lfirst(lc);
	if (adds == NULL)
		return;
	foreach(lc, mig_relation_children(online->name->relid))
	{
		AttrNumber	number = mig_relation_column(lfirst_oid(lc), column);

		if (number != InvalidAttrNumber && !mig_relation_is_not_null(lfirst_oid(lc), number))
			adds->undo = psprintf("%s; ALTER TABLE IF EXISTS %s ALTER COLUMN %s DROP NOT NULL", adds->undo,
								  mig_relation_text(lfirst_oid(lc)), mig_sql_name(column));
	}
}

static void
columns_not_null(MigOnline *online, List **parts, const List *columns)
{
	const ListCell *lc;

	foreach(lc, columns)
	{
		List	   *sequence = mig_online_not_null(online, strVal(lfirst(lc)));

		if (MIG_HAS_NOT_NULL_NOT_VALID && online->name->relkind == RELKIND_PARTITIONED_TABLE)
			undo_in_leaves(online, sequence, strVal(lfirst(lc)));
		*parts = list_concat(*parts, sequence);
	}
}

static void
build_index(List **parts, const Constraint *con, const char *table, const char *indexname)
{
	StringInfoData options;

	initStringInfo(&options);
	(void) append_index_options(&options, con);
	(void) mig_part(parts, "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)%s", mig_sql_name(indexname),
					table, mig_online_columns(con->keys), options.data);
}

/* All that comes before the index; false: there is no such way. */
static bool
prepare(MigOnline *online, List **parts, const Constraint *con)
{
	StringInfoData options;

	initStringInfo(&options);
	if (con->indexname || mig_constraint_without_overlaps(con) || !append_index_options(&options, con))
		return false;
	if (con->contype == CONSTR_PRIMARY)
		columns_not_null(online, parts, con->keys);
	look_for_duplicates(online, parts, con);
	return true;
}

static char *
using_index(const Constraint *con, const char *conname, const char *indexname)
{
	return psprintf("ADD CONSTRAINT %s %s USING INDEX %s%s%s", mig_sql_name(conname), key_word(con),
					mig_sql_name(indexname), con->deferrable ? " DEFERRABLE" : "",
					con->initdeferred ? " INITIALLY DEFERRED" : "");
}

/* An index that becomes a constraint. */
static void
build_key(List **parts, const Constraint *con, const char *table, const char *name)
{
	MigPart    *part;

	build_index(parts, con, table, name);
	part = mig_part(parts, "ALTER TABLE %s %s", table, using_index(con, name, name));
	mig_part_undo(part, "ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %s", table, mig_sql_name(name));
}

/* Keys of the leaves, under the names that the server would choose, and then the parent's. */
static List *
by_leaf(MigOnline *online, List *parts, const Constraint *con, const char *name)
{
	Constraint	unnamed = *con;
	MigPart    *part;
	char	   *text;
	ListCell   *lc;

	unnamed.conname = NULL;
	foreach(lc, mig_relation_children(online->name->relid))
	{
		MigName    *leaf = mig_overlay_find(online->overlay,
											get_namespace_name(get_rel_namespace(lfirst_oid(lc))),
											get_rel_name(lfirst_oid(lc)));
		MigNaming	naming = {online->overlay, leaf};

		if (leaf->relkind == RELKIND_RELATION)
			build_key(&parts, con, leaf->text, mig_naming_constraint(&naming, &unnamed));
		else if (leaf->relkind != RELKIND_PARTITIONED_TABLE)
			return NIL;
	}
	text = con->conname ? pstrdup(online->text) :
		mig_sql_insert(online->text, "ADD", 1, psprintf("CONSTRAINT %s", mig_sql_name(name)));
	part = mig_part(&parts, "%s %s", mig_online_altered(online), text);
	part->spares_scan = true;
	mig_part_note(part, "adopts the keys of the partitions, which spares the build");
	mig_part_undo(part, "ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %s",
				  online->name->text, mig_sql_name(name));
	return parts;
}

/* PRIMARY KEY USING INDEX: only that its columns may be NULL would take a scan. */
static List *
by_index(MigOnline *online, const Constraint *con)
{
	MigName    *index = mig_overlay_find(online->overlay, online->name->nspname, con->indexname);
	List	   *parts = NIL;

	if (con->contype != CONSTR_PRIMARY || !OidIsValid(index->relid))
		return NIL;
	columns_not_null(online, &parts, mig_relation_index_columns(index->relid));
	if (parts != NIL)
		(void) mig_part(&parts, "%s %s", mig_online_altered(online), online->text);
	return parts;
}

List *
mig_online_key_constraint(MigOnline *online, const Constraint *con)
{
	List	   *parts = NIL;
	char	   *name;

	if (con->indexname)
		return by_index(online, con);
	if (!prepare(online, &parts, con))
		return NIL;
	name = mig_naming_constraint(online->naming, con);
	if (online->name->relkind == RELKIND_PARTITIONED_TABLE)
		return online->only ? NIL : by_leaf(online, parts, con, name);
	build_key(&parts, con, online->name->text, name);
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
		online->name->relkind == RELKIND_PARTITIONED_TABLE || !columns_are_there(online, con) ||
		!prepare(online, before, con))
		return NULL;
	name = mig_naming_constraint(online->naming, con);
	indexname = mig_naming_comes_free(online->naming, name) ?
		mig_naming_own(online->naming, strVal(linitial(con->keys)), "key") : name;
	build_index(before, con, online->name->text, indexname);
	mig_online_tighten(*before);
	return using_index(con, name, indexname);
}

/* --- a key that is made again by another statement --- */

static bool
adds_key(const MigStatement *stmt, const RangeVar *table, ConstrType contype)
{
	AlterTableStmt *alter = (AlterTableStmt *) stmt->raw->stmt;
	ListCell   *lc;

	if (!IsA(alter, AlterTableStmt) || strcmp(alter->relation->relname, table->relname) != 0)
		return false;
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddConstraint && castNode(Constraint, cmd->def)->contype == contype)
			return true;
	}
	return false;
}

void
mig_online_note_gap(MigOnline *online)
{
	AlterTableStmt *stmt = castNode(AlterTableStmt, online->node);
	MigEffect  *effect = online->effect;
	ListCell   *lc,
			   *ls;

	if (mig_online_is_small(online))
		return;
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		MigConstraint con;

		if (cmd->subtype != AT_DropConstraint || !mig_relation_constraint(online->name->relid, cmd->name, &con) ||
			(con.contype != CONSTRAINT_PRIMARY && con.contype != CONSTRAINT_UNIQUE))
			continue;
		for_each_from(ls, online->statements, online->stmt->index)
		{
			if (!adds_key(lfirst(ls), stmt->relation, con.contype == CONSTRAINT_PRIMARY ? CONSTR_PRIMARY : CONSTR_UNIQUE))
				continue;
			effect->note = psprintf("%s%sthere is no key until line %d has built one: written in one ALTER TABLE, they change places at once",
									effect->note ? effect->note : "", effect->note ? "; " : "",
									((MigStatement *) lfirst(ls))->line);
			return;
		}
	}
}
