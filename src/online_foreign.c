/*-------------------------------------------------------------------------
 *
 * online_foreign.c
 *	  Foreign keys of a table that is in use.
 *
 * Rows without a partner are looked for first, by the query that the server
 * itself uses (RI_Initial_Check in ri_triggers.c), with the same operators.
 * Then the key is added NOT VALID, under a lock on both tables that is held
 * for a moment, and validated.
 *
 * Before 18 a partitioned table cannot have a key that is NOT VALID.  There,
 * and where a leaf has such a key already, each leaf gets its own and has it validated; then the parent's is added,
 * which adopts them without looking at a row (tryAttachPartitionForeignKey in
 * tablecmds.c).
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "online_int.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"

typedef struct Column
{
	AttrNumber	number;			/* InvalidAttrNumber: not in the catalog */
	Oid			type;
	Oid			collation;
} Column;

static Column
column_find(Oid relid, const char *name)
{
	Column		column = {0};
	HeapTuple	tuple = SearchSysCacheAttName(relid, name);
	Form_pg_attribute att;

	if (!HeapTupleIsValid(tuple))
		return column;
	att = (Form_pg_attribute) GETSTRUCT(tuple);
	column.number = att->attnum;
	column.type = att->atttypid;
	column.collation = att->attcollation;
	ReleaseSysCache(tuple);
	return column;
}

/* --- the operator that the key compares with --- */

/* The operator class of a column in a unique index on it; InvalidOid: none. */
static Oid
opclass_of(Oid relid, AttrNumber column, int ncolumns)
{
	Oid			opclass = InvalidOid;
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(relid))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indisunique && !index->indisexclusion && index->indisvalid && index->indnkeyatts == ncolumns)
		{
			bool		isnull;
			Datum		datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indclass, &isnull);
			oidvector  *classes = (oidvector *) DatumGetPointer(datum);

			for (int i = 0; i < index->indnkeyatts; i++)
				if (index->indkey.values[i] == column)
					opclass = classes->values[i];
		}
		ReleaseSysCache(tuple);
		if (OidIsValid(opclass))
			break;
	}
	return opclass;
}

/* As ATAddForeignKeyConstraint finds pfeqop. */
static Oid
operator_of(Oid opclass, Oid fktype)
{
	Oid			family;
	Oid			input;
	Oid			operator;

	if (!OidIsValid(opclass))
		return InvalidOid;
	family = get_opclass_family(opclass);
	input = get_opclass_input_type(opclass);
	operator = get_opfamily_member(family, input, getBaseType(fktype), BTEqualStrategyNumber);
	if (!OidIsValid(operator) && can_coerce_type(1, &fktype, &input, COERCION_IMPLICIT))
		operator = get_opfamily_member(family, input, input, BTEqualStrategyNumber);
	return operator;
}

/* "r.id OPERATOR(pg_catalog.=) f.r_id", with casts where needed */
static void
append_match(StringInfo buf, Oid relid, const char *own, Oid other, const char *theirs, int ncolumns)
{
	Column		from = column_find(relid, own);
	Column		to = column_find(other, theirs);
	char	   *left = psprintf("r.%s", mig_sql_name(theirs));
	char	   *right = psprintf("f.%s", mig_sql_name(own));
	Oid			operator = InvalidOid;

	if (from.number != InvalidAttrNumber && to.number != InvalidAttrNumber)
		operator = operator_of(opclass_of(other, to.number, ncolumns), from.type);
	if (!OidIsValid(operator))
	{
		appendStringInfo(buf, "%s = %s", left, right);
		return;
	}
	generate_operator_clause(buf, left, to.type, operator, right, from.type);
	if (from.collation != to.collation && OidIsValid(to.collation))
		appendStringInfo(buf, " COLLATE %s", generate_collation_name(to.collation));
}

/* --- the look --- */

/* The columns that a foreign key refers to: written, or the primary key. */
static List *
referenced_columns(const Constraint *con, Oid relid)
{
	return con->pk_attrs ? con->pk_attrs : mig_relation_primary_key(relid);
}

/* Rows that MATCH FULL refuses whatever there is: some of their columns are null. */
static void
append_half_null(StringInfo buf, const Constraint *con)
{
	const ListCell *lc;

	if (con->fk_matchtype != FKCONSTR_MATCH_FULL || list_length(con->fk_attrs) < 2)
		return;
	appendStringInfoString(buf, " OR pg_catalog.num_nulls(");
	foreach(lc, con->fk_attrs)
		appendStringInfo(buf, "%sf.%s", lc == list_head(con->fk_attrs) ? "" : ", ",
						 mig_sql_name(strVal(lfirst(lc))));
	appendStringInfo(buf, ") BETWEEN 1 AND %d", list_length(con->fk_attrs) - 1);
}

void
mig_online_look_foreign(const MigOnline *online, List **parts, const Constraint *con,
						const MigName *other)
{
	List	   *columns;
	StringInfoData shown,
				nulls,
				match;

	if (con == NULL || !OidIsValid(other->relid))
		return;
	columns = referenced_columns(con, other->relid);
	if (list_length(columns) != list_length(con->fk_attrs))
		return;
	initStringInfo(&shown);
	initStringInfo(&nulls);
	initStringInfo(&match);
	for (int i = 0; i < list_length(columns); i++)
	{
		const char *own = strVal(list_nth(con->fk_attrs, i));

		appendStringInfo(&shown, ", f.%s", mig_sql_name(own));
		appendStringInfo(&nulls, "%sf.%s IS NOT NULL", i ? " AND " : "", mig_sql_name(own));
		if (i > 0)
			appendStringInfoString(&match, " AND ");
		append_match(&match, online->name->relid, own, other->relid,
					 strVal(list_nth(columns, i)), list_length(columns));
	}
	append_half_null(&nulls, con);
	mig_online_look(online, parts, other->relid, "23503",
					"SELECT %s%s FROM %s%s f WHERE (%s) AND NOT EXISTS (SELECT FROM %s%s r WHERE %s)",
					mig_online_key(online, "f"), shown.data,
					online->name->relkind == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					online->name->text, nulls.data,
					other->relkind == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ", other->text, match.data);
}

/* --- the key --- */

static char *
named_text(const MigOnline *online, const Constraint *con, const char *conname)
{
	return con->conname ? pstrdup(online->text) :
		mig_sql_insert(online->text, "ADD", 1, psprintf("CONSTRAINT %s", mig_sql_name(conname)));
}

/* As addFkRecurseReferencing names it: like the parent's, unless that is taken. */
static char *
name_on_leaf(const MigOnline *online, const Constraint *con, MigName *leaf, const char *conname)
{
	MigNaming	naming = {online->overlay, leaf, NIL, NIL};
	Constraint	unnamed = *con;

	if (mig_naming_constraint_is_free(&naming, conname))
		return pstrdup(conname);
	unnamed.conname = NULL;
	return mig_naming_constraint(&naming, &unnamed);
}

/* A key of a leaf that the server would adopt, or InvalidOid; it looks at the actions, too. */
static Oid
adoptable_key(Oid leaf, Oid other, const Constraint *con)
{
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(leaf))
	{
		MigForeignKey *key = lfirst(lc);
		bool		same = key->from == leaf && key->to == other && key->validated &&
			list_length(key->from_columns) == list_length(con->fk_attrs);
		ListCell   *column;

		foreach(column, key->from_columns)
			same = same && get_attnum(leaf, strVal(list_nth(con->fk_attrs, foreach_current_index(column)))) ==
				lfirst_int(column);
		if (same)
			return key->conoid;
	}
	return InvalidOid;
}

static List *
by_leaf(MigOnline *online, List *parts, const Constraint *con, const MigName *other)
{
	char	   *conname = mig_naming_constraint(online->naming, con);
	char	   *undo = psprintf("ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %s",
								online->name->text, mig_sql_name(conname));
	List	   *leaves = NIL;
	List	   *validations = NIL;
	MigPart    *part;
	ListCell   *lc;

	foreach(lc, mig_relation_children(online->name->relid))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			leaves = lappend_oid(leaves, lfirst_oid(lc));
	foreach(lc, leaves)
	{
		MigName    *leaf = mig_overlay_find(online->overlay,
											get_namespace_name(get_rel_namespace(lfirst_oid(lc))),
											get_rel_name(lfirst_oid(lc)));
		char	   *own = name_on_leaf(online, con, leaf, conname);
		MigOnline	one = *online;
		Constraint	unnamed = *con;
		Oid			before = adoptable_key(lfirst_oid(lc), other->relid, con);
		char	   *text;

		if (OidIsValid(before))
		{
			/* which goes with the parent's */
			undo = psprintf("%s; %s", undo, mig_undo_constraint(lfirst_oid(lc), before));
			continue;
		}
		unnamed.conname = con->conname && strcmp(con->conname, own) == 0 ? con->conname : NULL;
		text = named_text(online, &unnamed, own);
		if (con->conname && unnamed.conname == NULL)
			text = psprintf("ADD CONSTRAINT %s %s", mig_sql_name(own), mig_slice_behind(online->text, 3));
		part = mig_part(&parts, "ALTER TABLE %s %s NOT VALID", leaf->text, text);
		mig_online_lifts(online, part, leaf->text, own);
		part->object = mig_naming_constraint_key(online->name, conname);
		one.name = leaf;
		mig_online_validate(&one, &validations, own);
		((MigPart *) llast(validations))->object = part->object;
	}
	parts = list_concat(parts, validations);
	part = mig_part(&parts, "%s %s", mig_online_altered(online), named_text(online, con, conname));
	part->spares_scan = true;
	part->locks_out = other->text;	/* the triggers of the leaves' keys on it are taken away */
	mig_part_note(part, "adopts the valid keys of the partitions, which spares the scan");
	part->object = mig_naming_constraint_key(online->name, conname);
	mig_part_undo(part, "%s", undo);
	return parts;
}

/* Then the parent's key has another name there, which is not known before. */
static bool
has_adoptable_key(const MigOnline *online, const MigName *other, const Constraint *con)
{
	ListCell   *lc;

	foreach(lc, mig_relation_children(online->name->relid))
		if (OidIsValid(adoptable_key(lfirst_oid(lc), other->relid, con)))
			return true;
	return false;
}

List *
mig_online_foreign_key(MigOnline *online, const Constraint *con)
{
	MigName    *other = mig_overlay_find(online->overlay, con->pktable->schemaname,
										 con->pktable->relname);
	List	   *parts = NIL;
	MigPart    *part;
	char	   *conname;

	if (mig_constraint_without_overlaps(con))
		return NIL;
	mig_online_look_foreign(online, &parts, con, other);
	if (online->name->relkind == RELKIND_PARTITIONED_TABLE &&
		(!MIG_HAS_PARTITIONED_FK_NOT_VALID || has_adoptable_key(online, other, con)))
		return by_leaf(online, parts, con, other);
	conname = mig_naming_constraint(online->naming, con);
	part = mig_part(&parts, "%s %s NOT VALID", mig_online_altered(online),
					named_text(online, con, conname));
	mig_online_lifts(online, part, online->name->text, conname);
	mig_online_validate(online, &parts, conname);
	return parts;
}
