/*-------------------------------------------------------------------------
 *
 * online_rename.c
 *	  RENAME COLUMN, with both names alive until no old client is left.
 *
 *	expand		a copy under the new name and the trigger that keeps both
 *				equal arrive in one transaction
 *	migrate		rows are filled; twins of the indexes that the column is in are
 *				built concurrently; ANALYZE
 *	contract	proof that no row differs; then, in one transaction, trigger
 *				and copy go, and the column takes the new name: whatever is
 *				attached to it stays
 *
 * Each step has an exact inverse, so that the way back is the same backwards.
 *
 * There is no such way, and the column is renamed at once when it is time,
 * where a copy cannot be what the column is to clients: partition keys,
 * generated columns, inheritance, rights on the column alone, domains (which
 * may have defaults), tables in logical replication, indexes whose text
 * cannot be rewritten.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_subscription_rel.h"
#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "index.h"
#include "online_int.h"
#include "relation.h"
#include "scan.h"
#include "sqlgen.h"

typedef struct Rename
{
	MigOnline  *online;
	const char *table;			/* qualified */
	const char *old;
	const char *new;
	List	   *twins;			/* of Twin */
} Rename;

typedef struct Twin
{
	char	   *command;
	char	   *name;
} Twin;

/* --- can it be done? --- */

static bool
is_subscribed(Oid relid)
{
	Relation	subscribed = table_open(SubscriptionRelRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, Anum_pg_subscription_rel_srrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(subscribed, InvalidOid, false, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(subscribed, AccessShareLock);
	return found;
}

/* Why a copy would not be what the column is; NULL if it would. */
static const char *
column_obstacle(const Rename *rename, Oid relid)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, rename->old);
	Form_pg_attribute attr;
	bool		isnull;
	const char *reason = NULL;

	if (!HeapTupleIsValid(tuple))
		return "the column is not there yet";
	attr = (Form_pg_attribute) GETSTRUCT(tuple);
	if (attr->attgenerated)
		reason = "it is generated";
	else if (get_typtype(attr->atttypid) == TYPTYPE_DOMAIN)
		reason = "it is of a domain";
	else if (attr->attinhcount > 0)
		reason = "it is inherited";
	(void) SysCacheGetAttr(ATTNAME, tuple, Anum_pg_attribute_attacl, &isnull);
	if (!isnull)
		reason = "rights are granted on it alone";
	ReleaseSysCache(tuple);
	return reason;
}

static bool
is_partition_key(Oid relid, const char *column)
{
	Relation	rel = RelationIdGetRelation(relid);
	AttrNumber	attnum = get_attnum(relid, column);
	bool		result = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
		has_partition_attrs(rel, bms_make_singleton(attnum - FirstLowInvalidHeapAttributeNumber), NULL);

	RelationClose(rel);
	return result;
}

static const char *
table_obstacle(const Rename *rename, const MigName *name)
{
	List	   *children = mig_relation_children(name->relid);
	ListCell   *lc;

	if (name->relkind == RELKIND_RELATION && children != NIL)
		return "other tables inherit it";
	if (check_enable_rls(name->relid, InvalidOid, true) == RLS_ENABLED)
		return "row security hides rows of the table";
	if (has_superclass(name->relid))
		return "the table inherits, or is a partition";
	foreach(lc, lcons_oid(name->relid, children))
	{
		Oid			relid = lfirst_oid(lc);

		if (get_rel_relkind(relid) != RELKIND_RELATION && get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
			return "a partition is a foreign table";
		if (!mig_relation_lock(relid, mig_relation_text(relid)))
			return "a partition has gone";
		if (is_partition_key(relid, rename->old))
		{
			mig_relation_unlock(relid);
			return "it is in a partition key";
		}
		mig_relation_unlock(relid);
		if (mig_relation_is_published(relid) || is_subscribed(relid))
			return "the table takes part in logical replication";
	}
	return NULL;
}

/* --- twins of indexes --- */

typedef struct Renaming
{
	const char *old;
	const char *new;
	bool		found;
} Renaming;

static bool
rename_references(Node *node, Renaming *renaming)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		List	   *fields = ((ColumnRef *) node)->fields;

		if (list_length(fields) == 1 && IsA(linitial(fields), String) &&
			strcmp(strVal(linitial(fields)), renaming->old) == 0)
		{
			linitial(fields) = makeString(pstrdup(renaming->new));
			renaming->found = true;
		}
		return false;
	}
	return raw_expression_tree_walker(node, rename_references, renaming);
}

static void
rename_elements(List *elements, Renaming *renaming)
{
	ListCell   *lc;

	foreach(lc, elements)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);

		if (elem->name && strcmp(elem->name, renaming->old) == 0)
		{
			elem->name = pstrdup(renaming->new);
			renaming->found = true;
		}
		(void) rename_references(elem->expr, renaming);
	}
}

/* The text of CREATE INDEX with other names: of the index, and of the column wherever it stands. */
static char *
twin_text(const char *text, const Rename *rename, const char *name)
{
	StringInfoData buf;
	MigScan		scan;
	int			copied = 0;
	enum
	{
		BEFORE, NAME, TABLE, COLUMNS
	}			place = BEFORE;

	initStringInfo(&buf);
	mig_scan_begin(&scan, text);
	while (mig_scan_next(&scan))
	{
		const char *word = mig_scan_word(&scan);
		const char *instead = NULL;

		if (place == NAME)
		{
			instead = mig_sql_name(name);
			place = TABLE;
		}
		else if (place == BEFORE && mig_scan_is(&scan, "index"))
		{
			instead = "INDEX CONCURRENTLY";
			place = NAME;
		}
		else if (place == TABLE && mig_scan_is(&scan, "("))
			place = COLUMNS;
		else if (place == COLUMNS && word && strcmp(word, rename->old) == 0)
			instead = mig_sql_name(rename->new);
		if (instead)
		{
			appendBinaryStringInfo(&buf, text + copied, scan.start - copied);
			appendStringInfoString(&buf, instead);
			copied = scan.start + scan.length;
		}
	}
	mig_scan_end(&scan);
	appendStringInfoString(&buf, text + copied);
	return buf.data;
}

static IndexStmt *
parse_index(const char *text)
{
	return castNode(IndexStmt, linitial_node(RawStmt, raw_parser(text, RAW_PARSE_DEFAULT))->stmt);
}

/*
 * Add the twin of an index, if the column is in it.  What comes out of the
 * text is believed only if it parses to the tree with the names changed.
 */
static bool
add_twin(Rename *rename, Oid indexid)
{
	char	   *text = pg_get_indexdef_string(indexid);
	IndexStmt  *stmt = parse_index(text);
	Renaming	renaming = {rename->old, rename->new, false};
	Twin	   *twin;

	rename_elements(stmt->indexParams, &renaming);
	rename_elements(stmt->indexIncludingParams, &renaming);
	(void) rename_references(stmt->whereClause, &renaming);
	if (!renaming.found)
		return true;
	twin = palloc0(sizeof(Twin));
	twin->name = mig_naming_own(rename->online->naming, rename->new, "copy");
	twin->command = twin_text(text, rename, twin->name);
	stmt->idxname = twin->name;
	stmt->concurrent = true;
	rename->twins = lappend(rename->twins, twin);
	return equal(stmt, parse_index(twin->command));
}

static const char *
find_twins(Rename *rename, const MigName *name)
{
	ListCell   *lc;

	if (!mig_relation_lock(name->relid, name->text))
		return "the table has gone";
	foreach(lc, mig_relation_indexes(name->relid))
		if (mig_index_is_whole(lfirst_oid(lc)) && !add_twin(rename, lfirst_oid(lc)))
		{
			mig_relation_unlock(name->relid);
			return "it is in an index whose twin cannot be written";
		}
	mig_relation_unlock(name->relid);
	if (name->relkind == RELKIND_PARTITIONED_TABLE && rename->twins != NIL)
		return "it is in an index of a partitioned table";
	return NULL;
}

/* --- the sequence --- */

/* "SELECT migrate.function(table, old, new)" */
static char *
call(const Rename *rename, const char *function)
{
	return psprintf("SELECT migrate.%s(%s, %s, %s)", function, mig_sql_literal(rename->table),
					mig_sql_literal(rename->old), mig_sql_literal(rename->new));
}

static MigPart *
add_call(const Rename *rename, List **parts, MigPhase phase, char *command, const char *undo)
{
	MigPart    *part = mig_part(parts, "%s", command);

	part->ours = rename->online->name;
	part->phase = phase == MIG_CONTRACT ? MIG_MIGRATE : phase;
	part->breaks = phase == MIG_CONTRACT;
	part->relation = rename->online->name->text;
	mig_part_undo(part, "%s", undo);
	return part;
}

static void
fill_one(const Rename *rename, List **parts, char *table)
{
	char	   *whole = psprintf("UPDATE ONLY %s AS migrate_row SET %s = migrate_row.%s"
								 " WHERE NOT migrate.in_sync(migrate_row.*, ARRAY[%s]::pg_catalog.name[])",
								 table, mig_sql_name(rename->new), mig_sql_name(rename->old),
								 mig_sql_literal(rename->new));
	MigPart    *part = mig_part(parts, "%s AND migrate_row.ctid >= $1::tid AND migrate_row.ctid < $2::tid", whole);

	part->kind = MIG_STEP_FILL;
	part->phase = MIG_MIGRATE;
	part->relation = table;
	part->tightens = true;
	part->batches = palloc0(sizeof(MigBatches));
	part->batches->table = table;
	part->batches->whole = whole;
	mig_part_note(part, "in batches by ranges of blocks; triggers do not fire");
	mig_part_undo(part, "%s", "");
}

static void
fill(const Rename *rename, List **parts)
{
	const MigName *name = rename->online->name;
	ListCell   *lc;

	foreach(lc, lcons_oid(name->relid, mig_relation_children(name->relid)))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			fill_one(rename, parts, mig_relation_text(lfirst_oid(lc)));
}

static void
build_twins(const Rename *rename, List **parts)
{
	ListCell   *lc;

	foreach(lc, rename->twins)
	{
		Twin	   *twin = lfirst(lc);
		MigPart    *part = mig_part(parts, "%s", twin->command);

		part->phase = MIG_MIGRATE;
		mig_part_undo(part, "DROP INDEX CONCURRENTLY IF EXISTS %s",
					  mig_sql_qualified(rename->online->name->nspname, twin->name));
	}
}

static char *
proof(const Rename *rename)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT migrate.prove_copy(%s, %s, %s, ARRAY[", mig_sql_literal(rename->table),
					 mig_sql_literal(rename->old), mig_sql_literal(rename->new));
	foreach(lc, rename->twins)
		appendStringInfo(&buf, "%s%s", lc == list_head(rename->twins) ? "" : ", ",
						 mig_sql_literal(((Twin *) lfirst(lc))->name));
	appendStringInfoString(&buf, "]::pg_catalog.name[])");
	return buf.data;
}

static List *
sequence(Rename *rename)
{
	char	   *column = psprintf("column %s.%s", rename->table, mig_sql_name(rename->new));
	List	   *parts = NIL;
	MigPart    *part;

	part = add_call(rename, &parts, MIG_EXPAND, call(rename, "copy_column"), call(rename, "drop_copy"));
	part->locks_out = rename->table;
	part->makes = column;
	mig_part_note(part, "both names work from here on");
	fill(rename, &parts);
	build_twins(rename, &parts);
	part = mig_part(&parts, "ANALYZE %s (%s)", rename->table, mig_sql_name(rename->new));
	part->phase = MIG_MIGRATE;
	part->own_transaction = true;
	part->tightens = true;
	mig_part_undo(part, "%s", "");

	part = add_call(rename, &parts, MIG_CONTRACT, proof(rename), "");
	part->own_transaction = true;
	mig_part_note(part, "reads the table, which others go on to use");
	part = add_call(rename, &parts, MIG_CONTRACT, call(rename, "drop_copy"), call(rename, "copy_column"));
	part->locks_out = rename->table;
	part->drops = column;
	part = mig_part(&parts, "ALTER TABLE %s RENAME COLUMN %s TO %s", rename->table,
					mig_sql_name(rename->old), mig_sql_name(rename->new));
	part->phase = MIG_MIGRATE;
	part->breaks = true;
	mig_part_undo(part, "ALTER TABLE %s RENAME COLUMN %s TO %s", rename->table,
				  mig_sql_name(rename->new), mig_sql_name(rename->old));
	return parts;
}

List *
mig_online_rename_column(MigOnline *online, RenameStmt *stmt)
{
	const MigName *name = online->name;
	Rename		rename = {0};
	MigNaming	naming = {0};
	const char *obstacle;

	if ((name->relkind != RELKIND_RELATION && name->relkind != RELKIND_PARTITIONED_TABLE) ||
		!OidIsValid(name->relid) || name->created || !stmt->relation->inh || online->effect->failure)
		return NIL;
	rename.online = online;
	rename.table = name->text;
	rename.old = stmt->subname;
	rename.new = stmt->newname;
	naming.overlay = online->overlay;
	naming.table = name;
	online->naming = &naming;
	if (!mig_online_is_certain(online) || mig_overlay_touched(online->overlay, name))
		obstacle = "an earlier statement alters the table";
	else if ((obstacle = column_obstacle(&rename, name->relid)) == NULL &&
			 (obstacle = table_obstacle(&rename, name)) == NULL)
		obstacle = find_twins(&rename, name);
	if (obstacle == NULL)
		return sequence(&rename);
	return mig_online_as_it_stands(online, psprintf("until then there is only the old name: %s", obstacle));
}
