/*-------------------------------------------------------------------------
 *
 * effect_work_con.c
 *	  What the subcommands of an ALTER TABLE do that concern constraints.
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
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "dependents.h"
#include "effect_int.h"
#include "relation.h"
#include "sqlgen.h"

static MigHazard *
hazard(MigAltering *alter, MigHazardKind kind, const char *subject, const char *detail)
{
	return mig_effect_hazard(alter->work, kind, alter->name, subject, detail);
}

/* "(a, b)" */
static char *
column_list(List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '(');
	foreach(lc, names)
		appendStringInfo(&buf, "%s%s", buf.len > 1 ? ", " : "", mig_sql_name(strVal(lfirst(lc))));
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* --- CHECK --- */

/* Children that have the very constraint already are not read again. */
static bool
has_valid_check(Oid relid, const char *conname)
{
	MigConstraint con;

	return conname && mig_relation_constraint(relid, conname, &con) &&
		con.contype == CONSTRAINT_CHECK && con.validated;
}

/* For a later SET NOT NULL: a CHECK that says of a column that it is not null. */
static void
note_claims(MigAltering *alter, Node *expr, const char *conname, bool valid)
{
	if (expr == NULL)
		return;
	if (IsA(expr, BoolExpr) && ((BoolExpr *) expr)->boolop == AND_EXPR)
	{
		ListCell   *lc;

		foreach(lc, ((BoolExpr *) expr)->args)
			note_claims(alter, lfirst(lc), conname, valid);
	}
	else if (IsA(expr, NullTest) && ((NullTest *) expr)->nulltesttype == IS_NOT_NULL &&
			 IsA(((NullTest *) expr)->arg, ColumnRef))
	{
		Node	   *field = llast(((ColumnRef *) ((NullTest *) expr)->arg)->fields);
		char	   *column;

		if (!IsA(field, String))
			return;
		column = psprintf("%s.%s", alter->name->text, mig_sql_name(strVal(field)));
		if (valid)
			mig_effect_makes_object(alter->work, "proof", column);
		else if (conname)
			mig_effect_makes_object(alter->work, "claim", psprintf("%s %s", column, conname));
	}
}

static void
add_check(MigAltering *alter, Constraint *con, bool validates)
{
	ListCell   *lc;

	note_claims(alter, con->raw_expr, con->conname, validates);
	if (!validates)
	{
		if (mig_is_enforced(con))
			hazard(alter, MIG_HZ_NOT_VALID_OLD_ROWS, con->conname, NULL);
		return;
	}
	if (!OidIsValid(alter->name->relid))
		alter->work->effect->scans = true;
	foreach(lc, alter->tree)
		if ((lfirst_oid(lc) == alter->name->relid || !con->is_no_inherit) &&
			!has_valid_check(lfirst_oid(lc), con->conname) &&
			mig_effect_scans(alter->work, lfirst_oid(lc)))
			hazard(alter, MIG_HZ_ADD_CHECK, con->conname, NULL);
}

/* --- UNIQUE, PRIMARY KEY, EXCLUDE --- */

/*
 * A NOT NULL that has not been validated is no NOT NULL of a primary key
 * (18: verifyNotNullPKCompatible in tablecmds.c).
 */
static bool
refuse_unvalidated(MigAltering *alter, const char *colname)
{
	AttrNumber	column = get_attnum(alter->name->relid, colname);
	char	   *conname = column > 0 ? mig_not_null_name(alter->name->relid, column) : NULL;

	if (conname == NULL || alter->name->touched)
		return false;
	mig_effect_fails(alter->work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1,
					 psprintf("Validate it first: ALTER TABLE %s VALIDATE CONSTRAINT %s.",
							  alter->name->text, mig_sql_name(conname)),
					 "NOT NULL of column \"%s\" of relation \"%s\" is not validated, so it cannot be in a primary key",
					 colname, alter->name->relname);
	return true;
}

static void
key_not_null(MigAltering *alter, List *keys)
{
	ListCell   *lc;

	foreach(lc, keys)
	{
		if (OidIsValid(alter->name->relid) && refuse_unvalidated(alter, strVal(lfirst(lc))))
			continue;
		mig_effect_set_not_null(alter, strVal(lfirst(lc)));
	}
}

/* What an index must be to become a constraint (transformIndexConstraint in parse_utilcmd.c). */
static const char *
unfit_index(Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Form_pg_index index;
	const char *why = NULL;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	index = (Form_pg_index) GETSTRUCT(tuple);
	if (!index->indisvalid)
		why = "is not valid";
	else if (!index->indisready)
		why = "is not ready";
	else if (!index->indisunique)
		why = "is not a unique index";
	else if (!heap_attisnull(tuple, Anum_pg_index_indexprs, NULL))
		why = "contains expressions";
	else if (!heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
		why = "is a partial index";
	ReleaseSysCache(tuple);
	return why;
}

static List *
keys_of_index(Oid indexid, Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	List	   *keys = NIL;
	Form_pg_index index;

	if (!HeapTupleIsValid(tuple))
		return NIL;
	index = (Form_pg_index) GETSTRUCT(tuple);
	for (int i = 0; i < index->indnkeyatts; i++)
		if (index->indkey.values[i] > 0)
			keys = lappend(keys, makeString(get_attname(relid, index->indkey.values[i], false)));
	ReleaseSysCache(tuple);
	return keys;
}

static void
use_index(MigAltering *alter, Constraint *con)
{
	MigName    *index = mig_overlay_find(alter->work->overlay, alter->name->nspname, con->indexname);
	const char *why = OidIsValid(index->relid) ? unfit_index(index->relid) : NULL;

	if (OidIsValid(index->relid))
		mig_effect_lock(alter->work, index, AccessExclusiveLock);
	if (alter->name->relkind == RELKIND_PARTITIONED_TABLE && !alter->name->created)
		mig_effect_fails(alter->work, ERRCODE_FEATURE_NOT_SUPPORTED, con->location,
						 "Add the constraint ON ONLY the table, to each partition USING INDEX, and attach those.",
						 "ALTER TABLE / ADD CONSTRAINT USING INDEX is not supported on partitioned tables");
	else if (why && !index->touched)
		mig_effect_fails(alter->work, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, con->location,
						 "Keep it as an index, or build another one.",
						 "index \"%s\" %s", con->indexname, why);
	if (con->contype == CONSTR_PRIMARY && OidIsValid(index->relid) && OidIsValid(alter->name->relid))
		key_not_null(alter, keys_of_index(index->relid, alter->name->relid));
}

static void
add_key(MigAltering *alter, Constraint *con)
{
	MigHazardKind kind = con->contype == CONSTR_PRIMARY ? MIG_HZ_ADD_PRIMARY_KEY :
		con->contype == CONSTR_UNIQUE ? MIG_HZ_ADD_UNIQUE : MIG_HZ_ADD_EXCLUDE;

	if (con->indexname)
	{
		use_index(alter, con);
		return;
	}
	alter->work->effect->builds = true;
	if (OidIsValid(alter->name->relid))
		mig_effect_lock_for_index(alter, con);
	/* with ONLY, the index of a partitioned table has no rows */
	if (alter->name->relkind == RELKIND_PARTITIONED_TABLE && !alter->inh)
		return;
	if (mig_effect_scans_tree(alter->work, alter->name, alter->name->relkind == RELKIND_PARTITIONED_TABLE))
		hazard(alter, kind, con->conname, con->keys ? column_list(con->keys) : NULL);
	if (con->contype == CONSTR_PRIMARY)
		key_not_null(alter, con->keys);
}

/* --- FOREIGN KEY --- */

static List *
numbers_of(Oid relid, List *names)
{
	List	   *numbers = NIL;
	ListCell   *lc;

	foreach(lc, names)
		numbers = lappend_int(numbers, get_attnum(relid, strVal(lfirst(lc))));
	return numbers;
}

static void
compare_types(MigAltering *alter, Constraint *con, const MigName *other)
{
	List	   *keys = con->pk_attrs != NIL ? con->pk_attrs : mig_relation_primary_key(other->relid);
	ListCell   *from,
			   *to;

	forboth(from, con->fk_attrs, to, keys)
	{
		Oid			from_type = get_atttype(alter->name->relid,
											get_attnum(alter->name->relid, strVal(lfirst(from))));
		Oid			to_type = get_atttype(other->relid, get_attnum(other->relid, strVal(lfirst(to))));

		if (OidIsValid(from_type) && OidIsValid(to_type) && getBaseType(from_type) != getBaseType(to_type))
			hazard(alter, MIG_HZ_FOREIGN_KEY_TYPES, strVal(lfirst(from)),
				   psprintf("%s, but %s.%s is %s", format_type_be(from_type), other->text,
							mig_sql_name(strVal(lfirst(to))), format_type_be(to_type)));
	}
}

bool
mig_effect_check_key(MigWork *work, const MigName *name, const Constraint *con)
{
	MigName    *other;

	if (!mig_effect_scans_tree(work, name, name->relkind == RELKIND_PARTITIONED_TABLE))
		return false;
	other = mig_effect_name(work, con->pktable, false);
	mig_effect_scans_tree(work, other, other->relkind == RELKIND_PARTITIONED_TABLE);
	return true;
}

/* A key of a partition that is the same but for the table: the partitioned table's takes it over, unread. */
static bool
adopts_key(Oid relid, Oid refers_to, List *columns)
{
	ListCell   *lc;

	foreach(lc, mig_relation_foreign_keys(relid))
	{
		MigForeignKey *key = lfirst(lc);
		bool		same = key->from == relid && key->to == refers_to && key->validated && !key->inherited &&
			list_length(key->from_columns) == list_length(columns);
		ListCell   *name;

		foreach(name, columns)
			same = same && list_member_int(key->from_columns, get_attnum(relid, strVal(lfirst(name))));
		if (same)
			return true;
	}
	return false;
}

/* From a partitioned table: each partition is read, unless it has such a key. */
static bool
check_partitions(MigAltering *alter, Constraint *con, const MigName *other)
{
	bool		reads = false;
	ListCell   *lc;

	foreach(lc, alter->tree)
	{
		if (lfirst_oid(lc) != alter->name->relid && adopts_key(lfirst_oid(lc), other->relid, con->fk_attrs))
			mig_effect_lock(alter->work, other, AccessExclusiveLock);
		else if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			reads |= mig_effect_scans(alter->work, lfirst_oid(lc));
	}
	if (reads)
		mig_effect_scans_tree(alter->work, other, other->relkind == RELKIND_PARTITIONED_TABLE);
	return reads;
}

static void
add_foreign_key(MigAltering *alter, Constraint *con, bool validates)
{
	MigName    *other = mig_effect_name(alter->work, con->pktable, false);
	bool		partitioned = alter->name->relkind == RELKIND_PARTITIONED_TABLE;

	if (partitioned && con->skip_validation && !MIG_PARTITIONED_KEY_NOT_VALID && !alter->name->created)
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, con->location,
						 "Add it to each partition NOT VALID, validate those, and then add it here.",
						 "cannot add NOT VALID foreign key on partitioned table \"%s\" referencing relation \"%s\"",
						 alter->name->relname, other->relname);
	if (validates && (partitioned ? check_partitions(alter, con, other) :
					  mig_effect_check_key(alter->work, alter->name, con)))
	{
		hazard(alter, MIG_HZ_ADD_FOREIGN_KEY, con->conname, other->text);
		mig_effect_hazard(alter->work, MIG_HZ_ADD_FOREIGN_KEY, other, con->conname, alter->name->text);
	}
	if (!OidIsValid(alter->name->relid) || alter->name->touched)
		return;
	if (!mig_relation_is_indexed(alter->name->relid, numbers_of(alter->name->relid, con->fk_attrs), InvalidOid))
		hazard(alter, MIG_HZ_FOREIGN_KEY_NO_INDEX, column_list(con->fk_attrs), other->text);
	if (OidIsValid(other->relid))
		compare_types(alter, con, other);
}

/* Several keys lock several tables at once. */
static void
several_keys(MigAltering *alter, AlterTableCmd *cmd)
{
	int			keys = 0;
	ListCell   *lc;

	foreach(lc, alter->stmt->cmds)
	{
		AlterTableCmd *other = lfirst_node(AlterTableCmd, lc);

		if (other->subtype == AT_AddConstraint &&
			castNode(Constraint, other->def)->contype == CONSTR_FOREIGN && ++keys == 2 && other == cmd)
			hazard(alter, MIG_HZ_FOREIGN_KEY_SEVERAL, NULL, NULL);
	}
}

/* --- NOT NULL as a constraint (18) --- */

static void
add_not_null(MigAltering *alter, Constraint *con, bool validates)
{
	if (validates)
		mig_effect_set_not_null(alter, strVal(linitial(con->keys)));
	else
		hazard(alter, MIG_HZ_NOT_VALID_OLD_ROWS, strVal(linitial(con->keys)), NULL);
}

static void
add_constraint(MigAltering *alter, AlterTableCmd *cmd)
{
	Constraint *con = castNode(Constraint, cmd->def);
	bool		validates = !con->skip_validation && mig_is_enforced(con);

	switch (con->contype)
	{
		case CONSTR_CHECK:
			add_check(alter, con, validates);
			break;
		case CONSTR_PRIMARY:
		case CONSTR_UNIQUE:
		case CONSTR_EXCLUSION:
			add_key(alter, con);
			break;
		case CONSTR_FOREIGN:
			add_foreign_key(alter, con, validates);
			several_keys(alter, cmd);
			break;
		case CONSTR_NOTNULL:
			add_not_null(alter, con, validates);
			break;
		default:
			break;
	}
}

/* --- VALIDATE --- */

/* What a CHECK NOT VALID of an earlier statement claims is proved now. */
static void
prove_claims(MigAltering *alter, const char *conname)
{
	char	   *attname;

	if (!OidIsValid(alter->name->relid))
		return;
	for (AttrNumber attnum = 1; (attname = get_attname(alter->name->relid, attnum, true)) != NULL; attnum++)
	{
		char	   *column = psprintf("%s.%s", alter->name->text, mig_sql_name(attname));

		if (mig_overlay_made(alter->work->overlay, psprintf("claim %s %s", column, conname)))
			mig_effect_makes_object(alter->work, "proof", column);
	}
}

static void
validate_in(MigAltering *alter, const char *conname, Oid relid)
{
	MigConstraint con;

	if (!mig_relation_constraint(relid, conname, &con) || con.validated)
		return;
	mig_effect_scans(alter->work, relid);
	if (con.contype != CONSTRAINT_FOREIGN)
		return;
	mig_effect_lock_oid(alter->work, con.refers_to, RowShareLock);
	mig_effect_scans(alter->work, con.refers_to);
}

/* The same statement adds it; the server does so first, wherever it stands. */
static bool
is_added(MigAltering *alter, const char *conname)
{
	ListCell   *lc;

	foreach(lc, alter->stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddConstraint &&
			castNode(Constraint, cmd->def)->conname != NULL &&
			strcmp(castNode(Constraint, cmd->def)->conname, conname) == 0)
			return true;
	}
	return false;
}

static void
validate(MigAltering *alter, AlterTableCmd *cmd)
{
	MigConstraint con;
	ListCell   *lc;

	prove_claims(alter, cmd->name);
	if (!OidIsValid(alter->name->relid) ||
		!mig_relation_constraint(alter->name->relid, cmd->name, &con))
	{
		/* made by an earlier statement, or by this one */
		if (is_added(alter, cmd->name) || alter->name->touched || alter->name->created || mig_overlay_opaque(alter->work->overlay))
			mig_effect_scans_tree(alter->work, alter->name, alter->inh);
		else
			mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
							 "constraint \"%s\" of relation \"%s\" does not exist",
							 cmd->name, alter->name->relname);
		return;
	}
	if (con.validated)
		return;
	foreach(lc, alter->tree)
		validate_in(alter, cmd->name, lfirst_oid(lc));
}

/* --- ALTER CONSTRAINT --- */

static void
alter_constraint(MigAltering *alter, AlterTableCmd *cmd)
{
	const char *conname = mig_altered_constraint(cmd);
	MigConstraint con;

	if (!OidIsValid(alter->name->relid) || alter->name->touched)
		return;
	if (!mig_relation_constraint(alter->name->relid, conname, &con))
	{
		if (!mig_overlay_opaque(alter->work->overlay))
			mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
							 "constraint \"%s\" of relation \"%s\" does not exist", conname, alter->name->relname);
		return;
	}
	if (con.contype != CONSTRAINT_FOREIGN && !mig_alters_inheritability(cmd))
	{
		mig_effect_fails(alter->work, ERRCODE_WRONG_OBJECT_TYPE, -1,
						 "Drop it, add it NOT VALID, and validate it.",
						 "constraint \"%s\" of relation \"%s\" is not a foreign key constraint",
						 conname, alter->name->relname);
		return;
	}
	if (!mig_alters_enforceability(cmd) || con.contype != CONSTRAINT_FOREIGN || mig_enforces(cmd) == con.enforced)
		return;
	/* triggers come or go on both sides */
	mig_effect_lock_oid(alter->work, con.refers_to,
						mig_enforces(cmd) ? ShareRowExclusiveLock : AccessExclusiveLock);
	if (mig_enforces(cmd) && !con.validated && mig_effect_scans(alter->work, alter->name->relid))
	{
		mig_effect_scans(alter->work, con.refers_to);
		hazard(alter, MIG_HZ_ENFORCE, conname, NULL);
	}
}

/* --- DROP CONSTRAINT --- */

/* The same columns get another key in the same statement. */
static bool
is_replaced(MigAltering *alter)
{
	ListCell   *lc;

	foreach(lc, alter->stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddConstraint &&
			(castNode(Constraint, cmd->def)->contype == CONSTR_PRIMARY ||
			 castNode(Constraint, cmd->def)->contype == CONSTR_UNIQUE))
			return true;
	}
	return false;
}

/* Keys that refer to it keep it, or go with it. */
static void
drop_key(MigAltering *alter, AlterTableCmd *cmd, MigConstraint *con)
{
	List	   *objects = mig_dependents_of_object(ConstraintRelationId, con->oid);
	ListCell   *lc;

	if (OidIsValid(con->index))
	{
		mig_effect_lock_oid(alter->work, con->index, AccessExclusiveLock);
		objects = list_concat(objects, mig_dependents_of_object(RelationRelationId, con->index));
	}
	objects = mig_effect_still_there(alter->work, objects);
	hazard(alter, MIG_HZ_DROP_KEY, cmd->name, NULL);
	if (!is_replaced(alter))
		alter->work->effect->breaks = true;
	if (objects == NIL || alter->name->touched)
		return;
	alter->work->effect->breaks = true;
	if (cmd->behavior != DROP_CASCADE)
	{
		mig_effect_fails(alter->work, ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, -1,
						 "Drop what needs it first, or give it another key to refer to.",
						 "cannot drop constraint \"%s\" on table %s because %s uses it",
						 cmd->name, alter->name->text, mig_dependents_text(objects));
		return;
	}
	hazard(alter, MIG_HZ_DROPS_MORE, cmd->name, mig_dependents_text(objects));
	foreach(lc, mig_relation_foreign_keys(alter->name->relid))
		if (((MigForeignKey *) lfirst(lc))->to == alter->name->relid)
			mig_effect_lock_oid(alter->work, ((MigForeignKey *) lfirst(lc))->from, AccessExclusiveLock);
}

/* A key to a partitioned table has one to each partition behind it. */
static void
lock_referenced(MigAltering *alter, Oid relid)
{
	ListCell   *lc;

	mig_effect_lock_oid(alter->work, relid, AccessExclusiveLock);
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		foreach(lc, mig_relation_children(relid))
			mig_effect_lock_oid(alter->work, lfirst_oid(lc), AccessExclusiveLock);
}

static void
drop_constraint(MigAltering *alter, AlterTableCmd *cmd)
{
	ListCell   *lc;

	foreach(lc, alter->tree)
	{
		MigConstraint con;

		if (!mig_relation_constraint(lfirst_oid(lc), cmd->name, &con))
		{
			if (lfirst_oid(lc) == alter->name->relid && !cmd->missing_ok && !alter->name->touched)
				mig_effect_fails(alter->work, ERRCODE_UNDEFINED_OBJECT, -1, NULL,
								 "constraint \"%s\" of relation \"%s\" does not exist",
								 cmd->name, alter->name->relname);
			continue;
		}
		if (con.contype == CONSTRAINT_FOREIGN)
			lock_referenced(alter, con.refers_to);
		else if ((con.contype == CONSTRAINT_UNIQUE || con.contype == CONSTRAINT_PRIMARY) &&
				 lfirst_oid(lc) == alter->name->relid)
			drop_key(alter, cmd, &con);
	}
}

bool
mig_effect_work_constraint(MigAltering *alter, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddConstraint:
			add_constraint(alter, cmd);
			return true;
		case AT_ValidateConstraint:
			validate(alter, cmd);
			return true;
		case AT_AlterConstraint:
			alter_constraint(alter, cmd);
			return true;
		case AT_DropConstraint:
			drop_constraint(alter, cmd);
			return true;
		default:
			return false;
	}
}

/* --- when the value of a column changes for readers --- */

void
mig_effect_recheck(MigWork *work, Oid relid, const char *colname)
{
	AttrNumber	attnum = get_attnum(relid, colname);
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);
		Bitmapset  *columns = NULL;
		bool		isnull;
		Datum		bin = heap_getattr(tuple, Anum_pg_constraint_conbin,
									   RelationGetDescr(catalog), &isnull);

		if (con->contype != CONSTRAINT_CHECK || isnull || !con->convalidated)
			continue;
		pull_varattnos(stringToNode(TextDatumGetCString(bin)), 1, &columns);
		if ((bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, columns) ||
			 bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, columns)) &&
			mig_effect_scans(work, relid))
			mig_effect_hazard_oid(work, MIG_HZ_TYPE_CHECK, relid, colname, NameStr(con->conname));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}
