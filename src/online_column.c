/*-------------------------------------------------------------------------
 *
 * online_column.c
 *	  ADD COLUMN on a table that is in use.
 *
 * A constant or stable default is kept beside the rows and costs nothing
 * (ATExecAddColumn in tablecmds.c); any other would rewrite the table.  Then
 * the column comes without, gets its default for new rows, and the rows that
 * there are get theirs in a step of its own.  serial is taken apart as the
 * server does (generateSerialExtraStmts in parse_utilcmd.c); an identity
 * column draws from a sequence of ours until all rows have a value, and hands
 * over its place when it becomes one.  Constraints written with the column
 * come after it, each in its own way.
 *
 * Left as it stands: a stored generated column, and a column of a domain with
 * constraints, which the server checks row by row; there is no way to such a
 * column that does not rewrite the table.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "compat.h"
#include "online_int.h"
#include "relation.h"
#include "sqlgen.h"

typedef struct NewColumn
{
	MigOnline  *online;
	MigColumnText text;
	const char *name;			/* quoted */
	const char *serial_type;	/* what serial stands for; NULL: it is none */
	const char *default_text;	/* behind DEFAULT, if rows have to be filled with it */
	Constraint *identity;
	const char *identity_text;	/* GENERATED ... */
	char	   *sequence;		/* that values are drawn from, unquoted */
	bool		domain_default; /* of its type, volatile */
	bool		not_null;
	bool		fills;
	StringInfoData kept;		/* constraints that stay with the column */
	const char *not_null_text;	/* as written: it may have a name */
	List	   *later;			/* of char *: ADD ... of constraints that come after it */
} NewColumn;

/* --- what the column is like --- */

static const char *
serial_type(const TypeName *type)
{
	static const char *const serials[][2] = {
		{"serial", "integer"}, {"serial4", "integer"}, {"bigserial", "bigint"},
		{"serial8", "bigint"}, {"smallserial", "smallint"}, {"serial2", "smallint"}
	};

	if (type == NULL || list_length(type->names) != 1 || type->setof || type->pct_type ||
		type->arrayBounds != NIL)
		return NULL;
	for (int i = 0; i < lengthof(serials); i++)
		if (strcmp(strVal(linitial(type->names)), serials[i][0]) == 0)
			return serials[i][1];
	return NULL;
}

static bool
has_constraint(const ColumnDef *def, ConstrType type)
{
	ListCell   *lc;

	foreach(lc, def->constraints)
		if (lfirst_node(Constraint, lc)->contype == type)
			return true;
	return false;
}

static bool
domain_has_default(const TypeName *type)
{
	Oid			typid = type ? LookupTypeNameOid(NULL, type, true) : InvalidOid;

	return OidIsValid(typid) && get_typdefault(typid) != NULL;
}

void
mig_online_check_column(const MigOnline *online, AlterTableCmd *cmd)
{
	ColumnDef  *def = castNode(ColumnDef, cmd->def);

	if (!mig_online_is_certain(online) ||
		mig_relation_column(online->name->relid, def->colname) != InvalidAttrNumber ||
		!(has_constraint(def, CONSTR_NOTNULL) || has_constraint(def, CONSTR_PRIMARY)) ||
		has_constraint(def, CONSTR_DEFAULT) || has_constraint(def, CONSTR_IDENTITY) ||
		has_constraint(def, CONSTR_GENERATED) || serial_type(def->typeName) ||
		domain_has_default(def->typeName) ||
		mig_overlay_has(online->overlay, psprintf("written %s", online->name->text)) ||
		!mig_relation_has_rows(online->name->relid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("column \"%s\" of relation \"%s\" contains null values",
					def->colname, online->name->relname),
			 errdetail("The table has rows, and the new column is NOT NULL and has no default."),
			 errhint("Give it a default, or add it without NOT NULL, fill it, and then ALTER COLUMN ... SET NOT NULL."),
			 mig_overlay_errposition(online->overlay,
									 def->location >= 0 ? def->location : online->stmt->location)));
}

/* --- sorting its constraints --- */

/* The words of a constraint behind CONSTRAINT name, if that is written. */
static const char *
without_name(const char *text, const Constraint *con)
{
	return con->conname ? mig_slice_behind(text, 2) : text;
}

static const char *
name_words(const Constraint *con)
{
	return con->conname ? psprintf("CONSTRAINT %s ", mig_sql_name(con->conname)) : "";
}

/* The same as a constraint of the table. */
static char *
as_table_constraint(const NewColumn *column, const char *text, const Constraint *con)
{
	const char *words = without_name(text, con);
	const char *list = psprintf("(%s)", column->name);

	switch (con->contype)
	{
		case CONSTR_CHECK:
			break;
		case CONSTR_FOREIGN:
			words = psprintf("FOREIGN KEY %s %s", list, words);
			break;
		case CONSTR_PRIMARY:
			words = psprintf("PRIMARY KEY %s %s", list, mig_slice_behind(words, 2));
			break;
		default:
			if (con->nulls_not_distinct)
				words = psprintf("UNIQUE NULLS NOT DISTINCT %s %s", list, mig_slice_behind(words, 4));
			else if (mig_sql_insert(words, "DISTINCT", 1, "") && mig_sql_insert(words, "NULLS", 1, ""))
				words = psprintf("UNIQUE %s %s", list, mig_slice_behind(words, 3));
			else
				words = psprintf("UNIQUE %s %s", list, mig_slice_behind(words, 1));
			break;
	}
	return psprintf("ADD %s%s", name_words(con), words);
}

static void
keep(NewColumn *column, const char *text)
{
	appendStringInfo(&column->kept, " %s", text);
}

/* False: the column is left as it stands. */
static bool
sort_constraint(NewColumn *column, Constraint *con, const char *text)
{
	switch (con->contype)
	{
		case CONSTR_DEFAULT:
			if (mig_effect_volatile(con->raw_expr))
				column->default_text = mig_slice_behind(without_name(text, con), 1);
			else
				keep(column, text);
			return true;
		case CONSTR_NOTNULL:
			column->not_null = true;
			column->not_null_text = text;
			return true;
		case CONSTR_IDENTITY:
			column->identity = con;
			column->identity_text = text;
			return true;
		case CONSTR_GENERATED:
			if (mig_is_stored(con))
				return false;
			keep(column, text);
			return true;
		case CONSTR_CHECK:
			if (con->skip_validation || !mig_is_enforced(con))
			{
				keep(column, text);
				return true;
			}
			break;
		case CONSTR_FOREIGN:
		case CONSTR_UNIQUE:
		case CONSTR_PRIMARY:
			break;
		default:
			keep(column, text);
			return true;
	}
	column->later = lappend(column->later, as_table_constraint(column, text, con));
	return true;
}

/* What the constraints mean together. */
static bool
sort_constraints(NewColumn *column)
{
	ColumnDef  *def = column->text.def;
	bool		has_value = has_constraint(def, CONSTR_DEFAULT);
	ListCell   *con,
			   *text;

	initStringInfo(&column->kept);
	forboth(con, column->text.constraints, text, column->text.texts)
	{
		Constraint *constraint = lfirst_node(Constraint, con);

		/* all rows are NULL: the server knows that there is nothing to be checked */
		if (constraint->contype == CONSTR_FOREIGN && !has_value && !domain_has_default(def->typeName) &&
			column->serial_type == NULL && !has_constraint(def, CONSTR_IDENTITY))
			keep(column, lfirst(text));
		else if (!sort_constraint(column, constraint, lfirst(text)))
			return false;
	}
	column->not_null |= column->serial_type || column->identity || has_constraint(def, CONSTR_PRIMARY);
	column->fills = column->serial_type || column->identity || column->default_text ||
		column->domain_default;
	/* with a value that costs nothing NOT NULL costs nothing, too */
	if (column->not_null && !column->fills &&
		!(has_constraint(def, CONSTR_GENERATED) && column->not_null_text))
	{
		keep(column, column->not_null_text ? column->not_null_text : "NOT NULL");
		column->online->new_not_null = true;
	}
	return true;
}

/* --- parts --- */

static void
make_sequence(NewColumn *column, List **parts)
{
	MigOnline  *online = column->online;
	Oid			owner = mig_relation_owner(online->name->relid);
	const char *type = column->serial_type ? column->serial_type : mig_sql_type(column->text.def->typeName);
	const char *options = "";
	char	   *name;
	MigPart    *part;

	if (column->identity)
	{
		column->sequence = mig_naming_own(online->naming, column->text.def->colname, "seq");
		options = mig_slice_parentheses(column->identity_text, "IDENTITY");
	}
	else
		column->sequence = mig_naming_sequence(online->naming, column->text.def->colname);
	name = mig_sql_qualified(online->name->nspname, column->sequence);
	part = mig_part(parts, "CREATE %sSEQUENCE %s AS %s %s",
					get_rel_persistence(online->name->relid) == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "",
					name, type, options ? options : "");
	mig_part_undo(part, "DROP SEQUENCE IF EXISTS %s", name);
	if (owner != GetUserId())
		mig_part_undo(mig_part(parts, "ALTER SEQUENCE %s OWNER TO %s", name,
							   mig_sql_name(GetUserNameFromId(owner, false))), "%s", "");
}

static const char *
head_of(const NewColumn *column)
{
	ColumnDef  *def = column->text.def;

	if (column->serial_type)
		return psprintf("ADD COLUMN %s %s", column->name, column->serial_type);
	/* the default of its type is not for the rows that there are */
	return psprintf("%s%s%s%s", column->text.head, column->text.collate[0] ? " " : "",
					column->text.collate,
					column->domain_default && !has_constraint(def, CONSTR_DEFAULT) ? " DEFAULT NULL" : "");
}

static void
add_default(NewColumn *column, List **parts)
{
	const char *altered = mig_online_altered(column->online);

	if (column->default_text)
		(void) mig_part(parts, "%s ALTER COLUMN %s SET DEFAULT %s", altered, column->name, column->default_text);
	else if (column->sequence)
		(void) mig_part(parts, "%s ALTER COLUMN %s SET DEFAULT pg_catalog.nextval(%s::pg_catalog.regclass)",
						altered, column->name,
						mig_sql_literal(mig_sql_qualified(column->online->name->nspname, column->sequence)));
	else
		(void) mig_part(parts, "%s ALTER COLUMN %s DROP DEFAULT", altered, column->name);
	if (column->serial_type)
		mig_part_undo(mig_part(parts, "ALTER SEQUENCE %s OWNED BY %s.%s",
							   mig_sql_qualified(column->online->name->nspname, column->sequence),
							   column->online->name->text, column->name), "%s", "");
}

/* By blocks, since what is filled is not NULL any more; of each table of a tree by itself. */
static void
fill_one(NewColumn *column, List **parts, char *table, bool only)
{
	char	   *whole = psprintf("UPDATE %s%s t SET %s = DEFAULT WHERE t.%s IS NULL",
								 only ? "ONLY " : "", table, column->name, column->name);
	MigPart    *part = mig_part(parts, "%s AND t.ctid >= $1::tid AND t.ctid < $2::tid", whole);

	part->kind = MIG_STEP_FILL;
	part->phase = MIG_MIGRATE;
	part->relation = table;
	part->tightens = true;		/* other columns stay as they are */
	part->batches = palloc0(sizeof(MigBatches));
	part->batches->table = table;
	part->batches->whole = whole;
	mig_part_note(part, "in batches by ranges of blocks; triggers do not fire");
	mig_part_undo(part, "%s", "");
}

static void
fill(NewColumn *column, List **parts)
{
	const MigName *name = column->online->name;
	List	   *children = column->online->only ? NIL : mig_relation_children(name->relid);
	ListCell   *lc;

	if (name->relkind == RELKIND_RELATION)
		fill_one(column, parts, name->text, children != NIL);
	foreach(lc, children)
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			fill_one(column, parts, mig_relation_text(lfirst_oid(lc)),
					 name->relkind == RELKIND_RELATION);
}

static void
add_not_null(NewColumn *column, List **parts)
{
	MigOnline	one = *column->online;
	const char *colname = column->text.def->colname;

	if (MIG_HAS_NOT_NULL_NOT_VALID && column->not_null_text &&
		pg_strncasecmp(column->not_null_text, "CONSTRAINT", strlen("CONSTRAINT")) == 0)
	{
		/* CONSTRAINT name NOT NULL */
		one.text = psprintf("ADD %s", mig_sql_insert(column->not_null_text, "NULL", 1, column->name));
		*parts = list_concat(*parts, mig_online_constraint(&one, mig_slice_constraint(one.text)));
	}
	else
		*parts = list_concat(*parts, mig_online_not_null(&one, colname));
	column->online->new_not_null = true;
}

/* From a column with a default to an identity column, which goes on where our sequence is. */
static void
make_identity(NewColumn *column, List **parts)
{
	MigOnline  *online = column->online;
	const char *altered = mig_online_altered(online);
	const char *name = mig_sql_qualified(online->name->nspname, column->sequence);
	MigPart    *part;

	(void) mig_part(parts, "%s ALTER COLUMN %s DROP DEFAULT, ALTER COLUMN %s ADD %s",
					altered, column->name, column->name, column->identity_text);
	part = mig_part(parts, "SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(%s, %s)::pg_catalog.regclass, last_value, is_called) FROM %s",
					mig_sql_literal(online->name->text), mig_sql_literal(column->text.def->colname), name);
	part->tightens = true;
	mig_part_undo(part, "%s", "");
	part = mig_part(parts, "DROP SEQUENCE %s", name);
	part->tightens = true;
	mig_part_undo(part, "%s", "");
}

static void
add_later(NewColumn *column, List **parts)
{
	ListCell   *lc;

	foreach(lc, column->later)
	{
		MigOnline	one = *column->online;
		Constraint *con = mig_slice_constraint(lfirst(lc));
		List	   *sequence;

		one.text = lfirst(lc);
		sequence = mig_online_constraint(&one, con);
		*parts = list_concat(*parts, sequence);
		if (sequence == NIL)
			(void) mig_part(parts, "%s %s", mig_online_altered(&one), one.text);
	}
}

/* --- ADD COLUMN --- */

/* Is the type a domain; does it have constraints, a default that differs from row to row? */
static bool
judge_type(NewColumn *column)
{
	TypeName   *type = column->text.def->typeName;
	Oid			typid;

	column->serial_type = serial_type(type);
	if (column->serial_type)
		return !has_constraint(column->text.def, CONSTR_DEFAULT);	/* which the server refuses */
	typid = LookupTypeNameOid(NULL, type, true);
	if (!OidIsValid(typid) || get_typtype(typid) != TYPTYPE_DOMAIN)
		return true;
	if (mig_effect_domain_is_constrained(typid))
		return false;
	column->domain_default = !has_constraint(column->text.def, CONSTR_DEFAULT) &&
		mig_effect_type_default_is_volatile(typid);
	return true;
}

static bool
judge(NewColumn *column)
{
	Oid			relid = column->online->name->relid;

	if (!mig_slice_column(column->online->text, &column->text))
		return false;
	column->name = mig_sql_name(column->text.def->colname);
	if (!judge_type(column) || !sort_constraints(column))
		return false;
	if (!column->fills)
		return column->later != NIL ||
			(column->not_null_text && !column->online->new_not_null);
	/* the server refuses both; of a partitioned table it stands in each partition, from 17 on */
	if (column->identity &&
		(has_constraint(column->text.def, CONSTR_DEFAULT) ||
		 column->online->name->relkind == RELKIND_PARTITIONED_TABLE ||
		 mig_sql_insert(column->identity_text, "NAME", 1, "") != NULL))
		return false;
	/* a fill that does not see all rows fills some */
	return check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}

List *
mig_online_column(MigOnline *online, AlterTableCmd *cmd)
{
	NewColumn	column = {.online = online};
	List	   *parts = NIL;

	if (mig_online_is_small(online) ||
		(cmd->missing_ok && (online->name->touched ||
							 mig_relation_column(online->name->relid, castNode(ColumnDef, cmd->def)->colname) != InvalidAttrNumber)))
		return NIL;
	online->new_column = castNode(ColumnDef, cmd->def)->colname;
	if (!judge(&column))
		return NIL;
	if (column.serial_type || column.identity)
		make_sequence(&column, &parts);
	(void) mig_part(&parts, "%s %s%s", mig_online_altered(online), head_of(&column), column.kept.data);
	if (column.fills)
	{
		add_default(&column, &parts);
		fill(&column, &parts);
	}
	if (column.not_null && !online->new_not_null)
		add_not_null(&column, &parts);
	if (column.identity)
		make_identity(&column, &parts);
	add_later(&column, &parts);
	return parts;
}
