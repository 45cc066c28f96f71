/*-------------------------------------------------------------------------
 *
 * effect_type.c
 *	  What another type of a column costs: does the table get a new file, are
 *	  indexes built again, constraints checked again?
 *
 * The rules are those of ATPrepAlterColumnType, ATColumnChangeRequiresRewrite
 * and ATPostAlterTypeCleanup in tablecmds.c, and of CheckIndexCompatible in
 * indexcmds.c.  The latter reads the new types from the catalog, so that it
 * cannot be asked beforehand.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "dependents.h"
#include "effect_int.h"
#include "relation.h"

typedef struct TypeChange
{
	MigWork    *work;
	const MigName *name;		/* of the table in the statement */
	const char *colname;
	ColumnDef  *def;
	Oid			relid;			/* the one of the tree that is looked at */
	AttrNumber	attnum;
	Oid			old_type;
	int32		old_typmod;
	Oid			old_collation;
	Oid			typid;			/* InvalidOid: not there yet */
	int32		typmod;
	Oid			collation;
	bool		rewrites;
} TypeChange;

/* --- does the table get a new file? --- */

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

static Node *
conversion(TypeChange *change)
{
	Node	   *expr = (Node *) makeVar(1, change->attnum, change->old_type,
										change->old_typmod, change->old_collation, 0);
	Oid			from;

	if (change->def->raw_default)
		expr = mig_expr_transform(change->work, change->name, change->def->raw_default,
								  EXPR_KIND_ALTER_COL_TRANSFORM, InvalidOid, -1);
	if (expr == NULL)
		return NULL;
	from = exprType(expr);
	expr = coerce_to_target_type(NULL, expr, from, change->typid, change->typmod,
								 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	/* nothing is converted where there are no rows of its own */
	if (expr == NULL && change->name->relkind != RELKIND_FOREIGN_TABLE)
		mig_effect_fails(change->work, ERRCODE_DATATYPE_MISMATCH, change->def->location,
						 "Say with USING how to convert the values.",
						 "column \"%s\" cannot be cast automatically from type %s to type %s",
						 change->colname, format_type_be(from), format_type_be(change->typid));
	return expr;
}

static bool
is_rewritten(TypeChange *change)
{
	Node	   *expr = OidIsValid(change->typid) ? conversion(change) : NULL;

	expr = mig_expr_fold(change->work, expr);
	return expr == NULL || rewrites_for(expr, change->attnum);
}

/* --- what goes in the same statement: the server does that first --- */

static bool
is_dropped(const TypeChange *change, const char *conname)
{
	AlterTableStmt *stmt = (AlterTableStmt *) change->work->stmt->raw->stmt;
	ListCell   *lc;

	if (conname && IsA(stmt, AlterTableStmt))
		foreach(lc, stmt->cmds)
		{
			AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

			if (cmd->subtype == AT_DropConstraint && strcmp(cmd->name, conname) == 0)
				return true;
		}
	return false;
}

static bool
is_dropped_index(const TypeChange *change, Oid indexid)
{
	Oid			constraint = get_index_constraint(indexid);

	return OidIsValid(constraint) && is_dropped(change, get_constraint_name(constraint));
}

/* --- indexes --- */

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

static bool
tree_mentions(Datum tree, AttrNumber column)
{
	Bitmapset  *columns = NULL;

	pull_varattnos(stringToNode(TextDatumGetCString(tree)), 1, &columns);
	return bms_is_member(column - FirstLowInvalidHeapAttributeNumber, columns) ||
		bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, columns);
}

/* One key of an index that is the column: does it stay what it is? */
static bool
key_is_compatible(const TypeChange *change, Oid am, Oid opclass, Oid collation)
{
	Oid			fallback = GetDefaultOpClass(change->old_type, am);

	/* what is written only where it is not the default follows the column */
	if (collation == change->old_collation && change->collation != change->old_collation)
		return false;
	if (opclass == fallback && opclass != GetDefaultOpClass(change->typid, am))
		return false;
	return !IsPolymorphicType(get_opclass_input_type(opclass)) || change->typid == change->old_type;
}

typedef enum IndexFate
{
	INDEX_UNTOUCHED,			/* has nothing to do with the column */
	INDEX_KEPT,					/* made anew, but over the old file */
	INDEX_BUILT
} IndexFate;

static IndexFate
fate_of_keys(const TypeChange *change, Oid indexid, HeapTuple tuple)
{
	Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);
	bool		isnull;
	oidvector  *classes = (oidvector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID, tuple,
																		Anum_pg_index_indclass, &isnull));
	oidvector  *collations = (oidvector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID, tuple,
																		   Anum_pg_index_indcollation, &isnull));
	Oid			am = access_method(indexid);
	IndexFate	fate = INDEX_UNTOUCHED;

	for (int i = 0; i < index->indnatts; i++)
	{
		if (index->indkey.values[i] != change->attnum)
			continue;
		if (i < index->indnkeyatts &&
			!key_is_compatible(change, am, classes->values[i], collations->values[i]))
			return INDEX_BUILT;
		fate = INDEX_KEPT;
	}
	return fate;
}

static IndexFate
fate_of_index(const TypeChange *change, Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	IndexFate	fate;
	bool		no_exprs;
	bool		no_pred;
	Datum		exprs;
	Datum		pred;

	if (!HeapTupleIsValid(tuple))
		return INDEX_UNTOUCHED;
	fate = fate_of_keys(change, indexid, tuple);
	exprs = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indexprs, &no_exprs);
	pred = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indpred, &no_pred);
	/* those of partitions are made anew along with that of the partitioned table, which has no file to keep */
	if (fate == INDEX_KEPT &&
		(!no_exprs || !no_pred || !((Form_pg_index) GETSTRUCT(tuple))->indisvalid ||
		 get_rel_relispartition(indexid)))
		fate = INDEX_BUILT;
	if (fate == INDEX_UNTOUCHED &&
		((!no_exprs && tree_mentions(exprs, change->attnum)) ||
		 (!no_pred && tree_mentions(pred, change->attnum))))
		fate = INDEX_BUILT;
	ReleaseSysCache(tuple);
	return fate;
}

static void
judge_indexes(TypeChange *change)
{
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(change->relid))
	{
		Oid			indexid = lfirst_oid(lc);
		IndexFate	fate = fate_of_index(change, indexid);

		if ((fate == INDEX_UNTOUCHED && !change->rewrites) || is_dropped_index(change, indexid))
			continue;
		mig_effect_lock_oid(change->work, indexid, AccessExclusiveLock);
		if (fate != INDEX_BUILT || change->rewrites)
			continue;
		change->work->effect->builds = true;
		if (mig_effect_scans(change->work, change->relid))
			mig_effect_hazard_oid(change->work, MIG_HZ_TYPE_INDEX, change->relid, change->colname,
								  get_rel_name(indexid));
	}
}

/* --- constraints --- */

static void
judge_checks(TypeChange *change)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(change->relid));
	scan = systable_beginscan(catalog, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);
		bool		isnull;
		Datum		bin = heap_getattr(tuple, Anum_pg_constraint_conbin,
									   RelationGetDescr(catalog), &isnull);

		if (con->contype != CONSTRAINT_CHECK || isnull || !con->convalidated ||
			!tree_mentions(bin, change->attnum) || is_dropped(change, NameStr(con->conname)))
			continue;
		if (mig_effect_scans(change->work, change->relid) && !change->rewrites)
			mig_effect_hazard_oid(change->work, MIG_HZ_TYPE_CHECK, change->relid, change->colname,
								  NameStr(con->conname));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

/* Would the key compare its values as before?  (ATAddForeignKeyConstraint) */
static bool
compares_as_before(const TypeChange *change)
{
	Oid			before = GetDefaultOpClass(change->old_type, BTREE_AM_OID);

	return OidIsValid(before) && before == GetDefaultOpClass(change->typid, BTREE_AM_OID);
}

bool
mig_effect_can_compare(Oid fk_type, Oid pk_type)
{
	Oid			opclass = GetDefaultOpClass(pk_type, BTREE_AM_OID);
	Oid			input;

	if (!OidIsValid(opclass))
		return true;
	input = get_opclass_input_type(opclass);
	return OidIsValid(get_opfamily_member(get_opclass_family(opclass), input, getBaseType(fk_type),
										  BTEqualStrategyNumber)) ||
		can_coerce_type(1, &fk_type, &input, COERCION_IMPLICIT);
}

static void
judge_comparison(const TypeChange *change, const MigForeignKey *key, bool from)
{
	ListCell   *lf,
			   *lt;

	if (change->name->touched || !OidIsValid(change->typid))
		return;
	forboth(lf, key->from_columns, lt, key->to_columns)
		if ((from ? lfirst_int(lf) : lfirst_int(lt)) == change->attnum &&
			!mig_effect_can_compare(from ? change->typid : get_atttype(key->from, lfirst_int(lf)),
									from ? get_atttype(key->to, lfirst_int(lt)) : change->typid))
			mig_effect_fails(change->work, ERRCODE_DATATYPE_MISMATCH, change->def->location,
							 "Alter the other side as well, without the key, and add it again.",
							 "foreign key constraint \"%s\" cannot be implemented", key->conname);
}

/* Both sides of each key that the column takes part in are locked as strongly, and perhaps read. */
static void
judge_foreign_keys(TypeChange *change)
{
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(change->relid))
	{
		MigForeignKey *key = lfirst(lc);
		bool		from = key->from == change->relid &&
			list_member_int(key->from_columns, change->attnum);
		bool		to = key->to == change->relid &&
			list_member_int(key->to_columns, change->attnum);

		if ((!from && !to) || is_dropped(change, key->conname))
			continue;
		mig_effect_lock_oid(change->work, from ? key->to : key->from, AccessExclusiveLock);
		judge_comparison(change, key, from);
		if (!key->validated || (!change->rewrites && compares_as_before(change)))
			continue;
		if (!mig_effect_scans(change->work, key->from))
			continue;
		mig_effect_scans(change->work, key->to);
		mig_effect_hazard_oid(change->work, MIG_HZ_TYPE_FOREIGN_KEY, change->relid, change->colname,
							  key->conname);
	}
}

/* --- what forbids it --- */

static void
judge_dependents(TypeChange *change)
{
	List	   *users = mig_effect_still_there(change->work,
											   mig_dependents_of_column(change->relid, change->attnum,
																		MIG_USE_TYPE));
	char	   *row = mig_dependents_row_type(change->relid);
	MigWork    *work = change->work;

	if (change->name->touched)
		return;
	if (mig_dependents_partition_key(change->relid, change->attnum))
	{
		work->effect->breaks = true;
		mig_effect_fails(work, ERRCODE_INVALID_TABLE_DEFINITION, -1,
						 "Make a new partitioned table and copy the rows.",
						 "cannot alter column \"%s\" because it is part of the partition key of relation \"%s\"",
						 change->colname, get_rel_name(change->relid));
	}
	else if (users != NIL || row)
	{
		work->effect->breaks = true;
		mig_effect_fails(work, ERRCODE_FEATURE_NOT_SUPPORTED, -1,
						 "Drop it first and create it again afterwards, in the same migration.",
						 "cannot alter type of column \"%s\" because of %s", change->colname,
						 users != NIL ? mig_dependents_text(users) : psprintf("column %s has the table's row type", row));
	}
}

/* --- all of it --- */

static bool
find_column(TypeChange *change)
{
	HeapTuple	tuple = SearchSysCacheAttName(change->relid, change->colname);
	Form_pg_attribute att;

	if (!HeapTupleIsValid(tuple))
		return false;
	att = (Form_pg_attribute) GETSTRUCT(tuple);
	change->attnum = att->attnum;
	change->old_type = att->atttypid;
	change->old_typmod = att->atttypmod;
	change->old_collation = att->attcollation;
	ReleaseSysCache(tuple);
	return true;
}

static Oid
new_collation(const TypeChange *change)
{
	if (change->def->collClause)
		return get_collation_oid(change->def->collClause->collname, true);
	return OidIsValid(change->typid) ? get_typcollation(change->typid) : InvalidOid;
}

/* Per table of the tree, as the server goes through it. */
static void
judge_table(TypeChange *change, Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	change->relid = relid;
	if (!find_column(change) ||
		(relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE))
		return;
	judge_dependents(change);
	if (change->rewrites)
		mig_effect_rewrites(change->work, relid);
	judge_indexes(change);
	judge_checks(change);
	judge_foreign_keys(change);
}

void
mig_effect_alter_type(MigWork *work, const MigName *name, AlterTableCmd *cmd, bool inh)
{
	TypeChange	change = {work, name, cmd->name, castNode(ColumnDef, cmd->def), name->relid};
	ListCell   *lc;

	if (!OidIsValid(name->relid) || !find_column(&change))
	{
		work->effect->rewrites |= !OidIsValid(name->relid) && name->known;
		work->effect->scans |= work->effect->rewrites;
		return;
	}
	change.typid = mig_expr_type(change.def->typeName, &change.typmod);
	change.collation = new_collation(&change);
	change.rewrites = get_attgenerated(name->relid, change.attnum) == ATTRIBUTE_GENERATED_STORED ||
		get_attgenerated(name->relid, change.attnum) == '\0';
	change.rewrites = change.rewrites && is_rewritten(&change);
	if (change.rewrites)
		mig_effect_hazard(work, MIG_HZ_TYPE_REWRITES, name, change.colname,
						  format_type_with_typemod(change.old_type, change.old_typmod));
	mig_effect_type_breaks(work, name, change.colname, change.old_type, change.old_typmod,
						   change.typid, change.typmod);
	judge_table(&change, name->relid);
	if (inh)
		foreach(lc, mig_relation_children(name->relid))
			judge_table(&change, lfirst_oid(lc));
}
