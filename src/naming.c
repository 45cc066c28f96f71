/*-------------------------------------------------------------------------
 *
 * naming.c
 *	  Names that nobody wrote, as the server would choose them.
 *
 * A sequence of steps has to end with the names that the plain statement
 * would have given.  The server's rules: ChooseConstraintName in
 * pg_constraint.c, ChooseRelationName, ChooseIndexName and their helpers in
 * indexcmds.c.  The server's functions are not called, since a name can be
 * taken, or come free, by a statement that has been planned and has not run.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_target.h"
#include "utils/lsyscache.h"

#include "naming.h"
#include "relation.h"
#include "sqlgen.h"

char *
mig_naming_constraint_key(const MigName *table, const char *name)
{
	return psprintf("constraint %s.%s", table->text, mig_sql_name(name));
}

static bool
is_in(const List *names, const char *name)
{
	const ListCell *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

static Oid
schema_of(const MigNaming *naming)
{
	return mig_overlay_schema_oid(naming->overlay, naming->table->nspname);
}

bool
mig_naming_comes_free(const MigNaming *naming, const char *name)
{
	MigConstraint con;

	return OidIsValid(naming->table->relid) &&
		mig_relation_constraint(naming->table->relid, name, &con) &&
		(is_in(naming->dropped, name) ||
		 mig_overlay_dropped(naming->overlay, mig_naming_constraint_key(naming->table, name)));
}

/* For a name to be chosen the server asks for more than is needed: that no table of the schema has such a constraint. */
static bool
schema_has_constraint(const MigNaming *naming, const char *name)
{
	Oid			nspid = schema_of(naming);

	return mig_overlay_has(naming->overlay, mig_naming_constraint_key(naming->table, name)) ||
		(OidIsValid(nspid) && ConstraintNameExists(name, nspid) && !mig_naming_comes_free(naming, name));
}

bool
mig_naming_constraint_is_free(const MigNaming *naming, const char *name)
{
	MigConstraint con;

	if (is_in(naming->chosen, name))
		return false;
	return !OidIsValid(naming->table->relid) ||
		!mig_relation_constraint(naming->table->relid, name, &con) || mig_naming_comes_free(naming, name);
}

bool
mig_naming_relation_is_free(const MigNaming *naming, const char *name)
{
	return !is_in(naming->chosen, name) &&
		(!mig_overlay_target(naming->overlay, naming->table->nspname, name, false)->known ||
		 mig_naming_comes_free(naming, name));
}

typedef enum NameOf
{
	NAME_OF_CONSTRAINT,
	NAME_OF_KEY,				/* a relation and a constraint */
	NAME_OF_RELATION
} NameOf;

static char *
choose(MigNaming *naming, NameOf what, const char *middle, const char *label)
{
	char		numbered[NAMEDATALEN];

	strlcpy(numbered, label, sizeof(numbered));
	for (int pass = 1;; pass++)
	{
		char	   *name = makeObjectName(naming->table->relname, middle, numbered);

		if ((what == NAME_OF_CONSTRAINT ? !is_in(naming->chosen, name) :
			 mig_naming_relation_is_free(naming, name)) &&
			(what == NAME_OF_RELATION || !schema_has_constraint(naming, name)))
		{
			naming->chosen = lappend(naming->chosen, name);
			return name;
		}
		snprintf(numbered, sizeof(numbered), "%s%d", label, pass);
	}
}

/* --- the middle of a name --- */

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

/* Of a CHECK: the column, if it is about one alone. */
static const char *
middle_of_check(const Constraint *con)
{
	List	   *columns = NIL;

	(void) collect_columns(con->raw_expr, &columns);
	return list_length(columns) == 1 ? strVal(linitial(columns)) : NULL;
}

/* ChooseForeignKeyConstraintNameAddition and ChooseIndexNameAddition: as far as is of use. */
static const char *
join(const List *names)
{
	StringInfoData buf;
	const ListCell *lc;

	initStringInfo(&buf);
	foreach(lc, names)
	{
		if (buf.len > 0)
			appendStringInfoChar(&buf, '_');
		appendStringInfoString(&buf, strVal(lfirst(lc)));
		if (buf.len >= NAMEDATALEN)
			break;
	}
	return buf.data;
}

/* ChooseIndexColumnNames: a column that comes again gets a number. */
static List *
numbered(const List *names)
{
	List	   *result = NIL;
	const ListCell *lc;

	foreach(lc, names)
	{
		const char *origin = strVal(lfirst(lc));
		char		name[NAMEDATALEN];

		strlcpy(name, origin, NAMEDATALEN);
		for (int i = 1; list_member(result, makeString(name)); i++)
		{
			char		number[16];
			int			len;

			snprintf(number, sizeof(number), "%d", i);
			len = pg_mbcliplen(origin, strlen(origin), NAMEDATALEN - 1 - strlen(number));
			memcpy(name, origin, len);
			strcpy(name + len, number);
		}
		result = lappend(result, makeString(pstrdup(name)));
	}
	return result;
}

static List *
names_of_exclusion(const Constraint *con)
{
	List	   *names = NIL;
	const ListCell *lc;

	foreach(lc, con->exclusions)
	{
		IndexElem  *elem = linitial_node(IndexElem, lfirst_node(List, lc));
		const char *name = elem->name ? elem->name : FigureIndexColname(elem->expr);

		names = lappend(names, makeString(pstrdup(name ? name : "expr")));
	}
	return names;
}

/* --- names --- */

char *
mig_naming_not_null(MigNaming *naming, const char *column)
{
	return choose(naming, NAME_OF_CONSTRAINT, column, "not_null");
}

char *
mig_naming_sequence(MigNaming *naming, const char *column)
{
	return choose(naming, NAME_OF_RELATION, column, "seq");
}

char *
mig_naming_own(MigNaming *naming, const char *column, const char *label)
{
	return choose(naming, NAME_OF_KEY, column, psprintf("migrate_%s", label));
}

char *
mig_naming_constraint(MigNaming *naming, const Constraint *con)
{
	if (con->conname)
	{
		naming->chosen = lappend(naming->chosen, con->conname);
		return con->conname;
	}
	switch (con->contype)
	{
		case CONSTR_CHECK:
			return choose(naming, NAME_OF_CONSTRAINT, middle_of_check(con), "check");
		case CONSTR_FOREIGN:
			return choose(naming, NAME_OF_CONSTRAINT, join(con->fk_attrs), "fkey");
		case CONSTR_NOTNULL:
			return con->keys ? mig_naming_not_null(naming, strVal(linitial(con->keys))) : NULL;
		case CONSTR_PRIMARY:
			return choose(naming, NAME_OF_KEY, NULL, "pkey");
		case CONSTR_UNIQUE:
			return choose(naming, NAME_OF_KEY,
						  join(numbered(list_concat_copy(con->keys, con->including))), "key");
		case CONSTR_EXCLUSION:
			return choose(naming, NAME_OF_KEY, join(numbered(names_of_exclusion(con))), "excl");
		default:
			return NULL;
	}
}
