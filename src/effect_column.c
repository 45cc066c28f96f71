/*-------------------------------------------------------------------------
 *
 * effect_column.c
 *	  What a new column costs: does the table get a new file, is it read, are
 *	  indexes built?
 *
 * The rules are those of ATExecAddColumn in tablecmds.c.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "effect_int.h"
#include "relation.h"
#include "sqlgen.h"

/* --- volatility of what cannot be resolved yet --- */

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

bool
mig_is_serial(const TypeName *type)
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

bool
mig_effect_type_default_is_volatile(Oid typid)
{
	return contain_volatile_functions(get_typdefault(typid));
}

/* --- ADD COLUMN --- */

/* Where the values of the rows that are there come from. */
typedef enum Filling
{
	FILL_NULL,					/* none */
	FILL_ONCE,					/* one value for all, kept in the catalog */
	FILL_EACH					/* each row gets its own: the table is written anew */
} Filling;

typedef struct NewColumn
{
	MigWork    *work;
	const MigName *name;
	ColumnDef  *def;
	bool		inh;
	Oid			typid;			/* InvalidOid: not there yet */
	int32		typmod;
	bool		constrained;	/* of a domain with constraints */
	bool		not_null;
	bool		has_default;	/* one that is written, generated or from a sequence */
	bool		virtual;
} NewColumn;

static Filling
filling_of(NewColumn *column, Node *expr)
{
	Node	   *folded = mig_expr_fold(column->work, expr);

	if (folded == NULL)
		return contain_volatile_functions(expr) ? FILL_EACH : FILL_ONCE;
	if (IsA(folded, Const) && ((Const *) folded)->constisnull)
		return FILL_NULL;
	return contain_volatile_functions(folded) ? FILL_EACH : FILL_ONCE;
}

static Filling
filling_of_raw(NewColumn *column, Node *raw)
{
	Node	   *expr = mig_expr_transform(column->work, NULL, raw, EXPR_KIND_COLUMN_DEFAULT,
										  column->typid, column->typmod);

	if (expr == NULL)
		return mig_effect_volatile(raw) ? FILL_EACH : FILL_ONCE;
	return filling_of(column, expr);
}

static Constraint *
find_constraint(ColumnDef *def, ConstrType contype)
{
	ListCell   *lc;

	foreach(lc, def->constraints)
		if (lfirst_node(Constraint, lc)->contype == contype)
			return lfirst(lc);
	return NULL;
}

static void
hazard(NewColumn *column, MigHazardKind kind, const char *detail)
{
	mig_effect_hazard(column->work, kind, column->name, column->def->colname, detail);
}

/* Its default, or that of its type. */
static Filling
judge_default(NewColumn *column)
{
	Constraint *con = find_constraint(column->def, CONSTR_DEFAULT);
	Filling		filling = FILL_NULL;
	Node	   *type_default;

	if (con)
	{
		filling = filling_of_raw(column, con->raw_expr);
		column->has_default = filling != FILL_NULL;
		if (filling == FILL_EACH)
			hazard(column, MIG_HZ_COLUMN_VOLATILE, NULL);
		return filling;
	}
	type_default = OidIsValid(column->typid) ? get_typdefault(column->typid) : NULL;
	if (type_default)
	{
		filling = filling_of(column, type_default);
		column->has_default = filling != FILL_NULL;
		if (filling == FILL_EACH)
			hazard(column, MIG_HZ_COLUMN_VOLATILE, "the default of its type");
	}
	return filling;
}

static Filling
judge_filling(NewColumn *column)
{
	Constraint *generated = find_constraint(column->def, CONSTR_GENERATED);
	Filling		filling;

	if (mig_is_serial(column->def->typeName))
	{
		column->has_default = column->not_null = true;
		hazard(column, MIG_HZ_COLUMN_SERIAL, NULL);
		return FILL_EACH;
	}
	if (find_constraint(column->def, CONSTR_IDENTITY))
	{
		column->has_default = column->not_null = true;
		hazard(column, MIG_HZ_COLUMN_IDENTITY, NULL);
		return FILL_EACH;
	}
	if (generated)
	{
		column->has_default = true;
		/* the server looks at its names only when the column is there, among the others */
		if (!mig_is_stored(generated))
		{
			column->virtual = true;
			return FILL_NULL;
		}
		hazard(column, MIG_HZ_COLUMN_STORED, NULL);
		return FILL_EACH;
	}
	filling = judge_default(column);
	/* a domain with constraints is checked for each row, whatever the value */
	if (column->constrained)
	{
		hazard(column, MIG_HZ_COLUMN_DOMAIN, mig_sql_type(column->def->typeName));
		return FILL_EACH;
	}
	return filling;
}

static void
judge_not_null(NewColumn *column, Filling filling)
{
	const MigName *name = column->name;
	bool		has_rows = column->work->effect->bytes > 0;

	if (filling != FILL_NULL || !column->not_null)
		return;
	if (column->virtual)
	{
		if (mig_effect_scans_tree(column->work, name, column->inh))
			hazard(column, MIG_HZ_COLUMN_VIRTUAL_NOT_NULL, NULL);
		return;
	}
	column->work->effect->breaks |= !name->created;
	hazard(column, MIG_HZ_COLUMN_NOT_NULL, NULL);
	if (has_rows)
		mig_effect_note(column->work, "fails if %s has rows: column \"%s\" is NOT NULL and has no default",
						name->text, column->def->colname);
}

static void
judge_constraint(NewColumn *column, Constraint *con, bool checks_keys)
{
	MigWork    *work = column->work;

	switch (con->contype)
	{
		case CONSTR_CHECK:
			if (!mig_is_enforced(con) || con->skip_validation)
				break;
			if (mig_effect_scans_tree(work, column->name, column->inh && !con->is_no_inherit))
				hazard(column, MIG_HZ_COLUMN_CHECK, NULL);
			break;
		case CONSTR_PRIMARY:
		case CONSTR_UNIQUE:
		case CONSTR_EXCLUSION:
			work->effect->builds = true;
			if (mig_effect_scans_tree(work, column->name, column->inh))
				hazard(column, MIG_HZ_COLUMN_KEY,
					   con->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE");
			break;
		case CONSTR_FOREIGN:
			if (checks_keys && mig_effect_check_key(work, column->name, con))
				hazard(column, MIG_HZ_COLUMN_REFERENCES, NULL);
			break;
		default:
			break;
	}
}

static void
judge_type(NewColumn *column)
{
	if (OidIsValid(column->typid) && getBaseType(column->typid) == JSONOID)
	{
		hazard(column, MIG_HZ_COLUMN_JSON, NULL);
		column->work->effect->breaks |= !column->name->created;
	}
}

void
mig_effect_add_column(MigWork *work, const MigName *name, ColumnDef *def, bool inh, bool checks_keys)
{
	NewColumn	column = {work, name, def, inh};
	Filling		filling;
	ListCell   *lc;

	if (def->typeName && !mig_is_serial(def->typeName))
		column.typid = mig_expr_type(def->typeName, &column.typmod);
	column.constrained = OidIsValid(column.typid) && mig_effect_domain_is_constrained(column.typid);
	column.not_null = find_constraint(def, CONSTR_NOTNULL) != NULL || def->is_not_null;

	filling = judge_filling(&column);
	if (filling == FILL_EACH)
		mig_effect_rewrites_tree(work, name, inh);
	judge_not_null(&column, filling);
	judge_type(&column);
	foreach(lc, def->constraints)
		judge_constraint(&column, lfirst_node(Constraint, lc), checks_keys);
	hazard(&column, MIG_HZ_COLUMN_SELECT_STAR, NULL);
}

bool
mig_effect_has_default(const ColumnDef *def)
{
	ListCell   *lc;

	if (mig_is_serial(def->typeName))
		return true;
	foreach(lc, def->constraints)
		if (lfirst_node(Constraint, lc)->contype == CONSTR_DEFAULT ||
			lfirst_node(Constraint, lc)->contype == CONSTR_GENERATED)
			return true;
	return false;
}
