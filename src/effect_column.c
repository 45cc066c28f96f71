/*-------------------------------------------------------------------------
 *
 * effect_column.c
 *	  What a new column or a new type of one costs: does the table get a new
 *	  file, is it read, are indexes built again?
 *
 * The rules are the server's (ATExecAddColumn, ATPrepAlterColumnType and
 * ATColumnChangeRequiresRewrite in tablecmds.c).  Nothing of the user's is
 * evaluated for it: volatility is what functions are declared to be, and an
 * expression is only folded when all functions in it are the server's own.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "effect_int.h"
#include "relation.h"

/* --- volatility --- */

/* The server's own function goes before any other of its name; one that is not there yet may be anything. */
static bool
is_volatile_name(List *funcname)
{
	const char *name = mig_effect_last_name(funcname);
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	bool		own = false;
	bool		own_volatile = false;
	bool		other_volatile = list->n_members == 0;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);
		bool		is_volatile = proc->provolatile == PROVOLATILE_VOLATILE;

		if (proc->pronamespace == PG_CATALOG_NAMESPACE)
		{
			own = true;
			own_volatile |= is_volatile;
		}
		else
			other_volatile |= is_volatile;
	}
	ReleaseSysCacheList(list);
	if (list_length(funcname) > 1 && strcmp(strVal(linitial(funcname)), "pg_catalog") != 0)
		own = false;
	return own ? own_volatile : other_volatile;
}

static bool
volatile_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncCall) && is_volatile_name(((FuncCall *) node)->funcname))
		return true;
	return raw_expression_tree_walker(node, volatile_walker, context);
}

bool
mig_effect_volatile(Node *raw_expr)
{
	return volatile_walker(raw_expr, NULL);
}

/* --- types --- */

static bool
is_serial(TypeName *type)
{
	static const char *const serials[] = {
		"serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"
	};

	if (type == NULL || list_length(type->names) != 1 || type->setof || type->pct_type)
		return false;
	for (int i = 0; i < lengthof(serials); i++)
		if (strcmp(strVal(linitial(type->names)), serials[i]) == 0)
			return true;
	return false;
}

/* DomainHasConstraints() would plan the constraints' expressions. */
bool
mig_effect_domain_is_constrained(Oid typid)
{
	while (get_typtype(typid) == TYPTYPE_DOMAIN)
	{
		HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
		bool		found;
		Oid			base;
		Relation	catalog;
		SysScanDesc scan;
		ScanKeyData key;

		if (!HeapTupleIsValid(tuple))
			return false;
		found = ((Form_pg_type) GETSTRUCT(tuple))->typnotnull;
		base = ((Form_pg_type) GETSTRUCT(tuple))->typbasetype;
		ReleaseSysCache(tuple);
		ScanKeyInit(&key, Anum_pg_constraint_contypid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(typid));
		catalog = table_open(ConstraintRelationId, AccessShareLock);
		scan = systable_beginscan(catalog, ConstraintTypidIndexId, true, NULL, 1, &key);
		found |= HeapTupleIsValid(systable_getnext(scan));
		systable_endscan(scan);
		table_close(catalog, AccessShareLock);
		if (found)
			return true;
		typid = base;
	}
	return false;
}

bool
mig_effect_type_default_is_volatile(Oid typid)
{
	return contain_volatile_functions(get_typdefault(typid));
}

/* The type's OID; InvalidOid when it is not there (yet). */
static Oid
type_oid(TypeName *type, int32 *typmod)
{
	Type		tuple = LookupTypeName(NULL, type, typmod, true);
	Oid			typid = InvalidOid;

	if (tuple != NULL)
	{
		typid = typeTypeId(tuple);
		ReleaseSysCache(tuple);
	}
	return typid;
}

/* --- ADD COLUMN --- */

static void
judge_new_type(MigEffect *effect, TypeName *type, bool has_default)
{
	int32		typmod;
	Oid			typid;

	if (type == NULL)
		return;
	if (is_serial(type))
	{
		effect->rewrites = true;
		return;
	}
	typid = type_oid(type, &typmod);
	if (!OidIsValid(typid) || get_typtype(typid) != TYPTYPE_DOMAIN)
		return;
	/* a constrained domain is checked row by row, whatever the default */
	if (mig_effect_domain_is_constrained(typid))
		effect->rewrites = true;
	else if (!has_default && mig_effect_type_default_is_volatile(typid))
		effect->rewrites = true;
}

void
mig_effect_add_column(MigWork *work, const MigName *name, ColumnDef *column)
{
	MigEffect  *effect = work->effect;
	bool		has_default = false;
	bool		not_null = false;
	ListCell   *lc;

	foreach(lc, column->constraints)
	{
		Constraint *con = lfirst_node(Constraint, lc);

		if (con->contype == CONSTR_DEFAULT)
		{
			has_default = true;
			effect->rewrites |= mig_effect_volatile(con->raw_expr);
		}
		else if (con->contype == CONSTR_NOTNULL)
			not_null = true;
	}
	judge_new_type(effect, column->typeName, has_default);
	foreach(lc, column->constraints)
	{
		Constraint *con = lfirst_node(Constraint, lc);

		switch (con->contype)
		{
			case CONSTR_IDENTITY:
				effect->rewrites = true;
				has_default = true;
				break;
			case CONSTR_GENERATED:
				has_default = true;
				if (mig_is_stored(con))
					effect->rewrites = true;
				else
					effect->scans |= not_null;
				break;
			case CONSTR_CHECK:
				effect->scans = true;
				break;
			case CONSTR_PRIMARY:
			case CONSTR_UNIQUE:
			case CONSTR_EXCLUSION:
				effect->builds = true;
				break;
			case CONSTR_FOREIGN:
				effect->scans |= has_default;
				break;
			default:
				break;
		}
	}
	effect->scans |= effect->rewrites;
	if (not_null && !has_default && !is_serial(column->typeName) && effect->bytes > 0)
		mig_effect_note(work, "fails if %s has rows: column \"%s\" is NOT NULL and has no default",
						name->text, column->colname);
}

/* --- ALTER COLUMN ... TYPE --- */

static bool
foreign_function_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) &&
		get_func_namespace(((FuncExpr *) node)->funcid) != PG_CATALOG_NAMESPACE)
		return true;
	return expression_tree_walker(node, foreign_function_walker, context);
}

/* ATColumnChangeRequiresRewrite in tablecmds.c, on a folded expression. */
static bool
rewrites_for(Node *expr, AttrNumber column)
{
	for (;;)
	{
		if (IsA(expr, Var) && ((Var *) expr)->varattno == column)
			return false;
		else if (IsA(expr, RelabelType))
			expr = (Node *) ((RelabelType *) expr)->arg;
		else if (IsA(expr, CoerceToDomain))
		{
			if (mig_effect_domain_is_constrained(((CoerceToDomain *) expr)->resulttype))
				return true;
			expr = (Node *) ((CoerceToDomain *) expr)->arg;
		}
		else if (IsA(expr, FuncExpr))
		{
			FuncExpr   *f = (FuncExpr *) expr;

			if ((f->funcid != F_TIMESTAMPTZ_TIMESTAMP && f->funcid != F_TIMESTAMP_TIMESTAMPTZ) ||
				TimestampTimestampTzRequiresRewrite())
				return true;
			expr = linitial(f->args);
		}
		else
			return true;
	}
}

/* USING that is the column itself under casts: the expression, else NULL. */
static Node *
cast_of_column(Node *raw, const char *colname, Var *var)
{
	Node	   *arg;
	Oid			typid;
	int32		typmod;

	if (raw == NULL)
		return (Node *) var;
	if (IsA(raw, ColumnRef))
	{
		List	   *fields = ((ColumnRef *) raw)->fields;

		return IsA(llast(fields), String) && strcmp(strVal(llast(fields)), colname) == 0 ?
			(Node *) var : NULL;
	}
	if (!IsA(raw, TypeCast))
		return NULL;
	arg = cast_of_column(((TypeCast *) raw)->arg, colname, var);
	typid = type_oid(((TypeCast *) raw)->typeName, &typmod);
	if (arg == NULL || !OidIsValid(typid))
		return NULL;
	return coerce_to_target_type(NULL, arg, exprType(arg), typid, typmod,
								 COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);
}

static bool
type_change_rewrites(Form_pg_attribute att, ColumnDef *def, Oid typid, int32 typmod)
{
	Var		   *var = makeVar(1, att->attnum, att->atttypid, att->atttypmod, att->attcollation, 0);
	Node	   *expr = cast_of_column(def->raw_default, NameStr(att->attname), var);

	if (expr != NULL)
		expr = coerce_to_target_type(NULL, expr, exprType(expr), typid, typmod,
									 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (expr == NULL || foreign_function_walker(expr, NULL))
		return true;
	assign_expr_collations(NULL, expr);
	return rewrites_for((Node *) expression_planner((Expr *) expr), att->attnum);
}

static bool
tree_mentions(Datum tree, AttrNumber column)
{
	Bitmapset  *columns = NULL;

	pull_varattnos(stringToNode(TextDatumGetCString(tree)), 1, &columns);
	return bms_is_member(column - FirstLowInvalidHeapAttributeNumber, columns);
}

static Oid
access_method(Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(indexid));
	Oid			am = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		am = ((Form_pg_class) GETSTRUCT(tuple))->relam;
		ReleaseSysCache(tuple);
	}
	return am;
}

/* Does an index lose its file when a column gets another type or collation, but the table keeps its own? */
static bool
index_is_rebuilt(Oid indexid, Form_pg_attribute att, Oid typid, Oid collation)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Form_pg_index index;
	oidvector  *classes;
	oidvector  *collations;
	Datum		datum;
	bool		isnull;
	bool		rebuilt = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	index = (Form_pg_index) GETSTRUCT(tuple);
	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indexprs, &isnull);
	rebuilt |= !isnull && tree_mentions(datum, att->attnum);
	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indpred, &isnull);
	rebuilt |= !isnull && tree_mentions(datum, att->attnum);

	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indclass, &isnull);
	classes = (oidvector *) DatumGetPointer(datum);
	datum = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indcollation, &isnull);
	collations = (oidvector *) DatumGetPointer(datum);
	for (int i = 0; i < index->indnkeyatts; i++)
	{
		Oid			am = access_method(indexid);
		Oid			class = classes->values[i];

		if (index->indkey.values[i] != att->attnum)
			continue;
		if (collations->values[i] == att->attcollation && collation != att->attcollation)
			rebuilt = true;
		if (class == GetDefaultOpClass(att->atttypid, am) && class != GetDefaultOpClass(typid, am))
			rebuilt = true;
	}
	ReleaseSysCache(tuple);
	return rebuilt;
}

static bool
check_mentions(Oid relid, AttrNumber column)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		bin = heap_getattr(tuple, Anum_pg_constraint_conbin,
									   RelationGetDescr(catalog), &isnull);

		found = !isnull && ((Form_pg_constraint) GETSTRUCT(tuple))->convalidated &&
			tree_mentions(bin, column);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* The other side of each key that the column takes part in is locked as strongly. */
static void
lock_partners(MigWork *work, Oid relid, AttrNumber column)
{
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(relid))
	{
		MigForeignKey *key = lfirst(lc);

		if (key->from == relid && list_member_int(key->from_columns, column))
			mig_effect_lock_oid(work, key->to, AccessExclusiveLock);
		if (key->to == relid && list_member_int(key->to_columns, column))
			mig_effect_lock_oid(work, key->from, AccessExclusiveLock);
	}
}

void
mig_effect_alter_type(MigWork *work, const MigName *name, AlterTableCmd *cmd)
{
	MigEffect  *effect = work->effect;
	ColumnDef  *def = castNode(ColumnDef, cmd->def);
	HeapTuple	tuple;
	Form_pg_attribute att;
	int32		typmod;
	Oid			typid;

	if (!OidIsValid(name->relid))
		return;
	tuple = SearchSysCacheAttName(name->relid, cmd->name);
	if (!HeapTupleIsValid(tuple))
		return;
	att = (Form_pg_attribute) GETSTRUCT(tuple);
	typid = type_oid(def->typeName, &typmod);
	if (!OidIsValid(typid) || type_change_rewrites(att, def, typid, typmod))
		mig_effect_rewrites(work);
	else
	{
		Oid			collation = def->collClause ?
			get_collation_oid(def->collClause->collname, true) : get_typcollation(typid);
		ListCell   *lc;

		foreach(lc, mig_relation_indexes(name->relid))
			if (index_is_rebuilt(lfirst_oid(lc), att, typid, collation))
				effect->builds = true;
		if ((typid != att->atttypid || typmod != att->atttypmod || collation != att->attcollation) &&
			check_mentions(name->relid, att->attnum))
			effect->scans = true;
	}
	lock_partners(work, name->relid, att->attnum);
	ReleaseSysCache(tuple);
}
