/*-------------------------------------------------------------------------
 *
 * undo_object.c
 *	  An object that will be dropped, as the statements that make it again.
 *
 * That is its definition, what hangs on it (triggers and rules of a view,
 * indexes of a materialized view, marks of an index), its owner, its
 * privileges and its comments, in this order.  What holds rows or values has
 * no way back: tables, columns; a sequence comes back with the value that it
 * has now.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_database.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "relation.h"
#include "sqlgen.h"
#include "undo_int.h"

/* --- definitions --- */

static const char *const view_sql[] = {
	/* the columns are named, so that it can be told later whether they fit */
	"SELECT format('CREATE OR REPLACE VIEW %s (%s)%s AS %s', c.oid::regclass,"
	" (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
	"  WHERE attrelid = c.oid AND attnum > 0),"
	" (SELECT ' WITH (' || string_agg(quote_ident(option_name) || '=' || quote_literal(option_value), ', ') || ')'"
	"  FROM pg_options_to_table(reloptions)), rtrim(pg_get_viewdef(c.oid), ';'))"
	" FROM pg_class c WHERE oid = $1",
	"SELECT format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', adrelid::regclass, attname,"
	" pg_get_expr(adbin, adrelid)) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum"
	" WHERE adrelid = $1 AND ($2 IS NULL OR adnum <= $2::int) ORDER BY adnum",
	NULL
};

static const char *const matview_sql[] = {
	"SELECT format('CREATE MATERIALIZED VIEW %s (%s)%s%s%s AS %s WITH %sDATA', c.oid::regclass,"
	" (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
	"  WHERE attrelid = c.oid AND attnum > 0),"
	" ' USING ' || quote_ident(amname),"
	" (SELECT ' WITH (' || string_agg(quote_ident(option_name) || '=' || quote_literal(option_value), ', ') || ')'"
	"  FROM pg_options_to_table(reloptions)),"
	" ' TABLESPACE ' || quote_ident(spcname), rtrim(pg_get_viewdef(c.oid), ';'),"
	" CASE WHEN relispopulated THEN '' ELSE 'NO ' END)"
	" FROM pg_class c JOIN pg_am a ON a.oid = relam LEFT JOIN pg_tablespace t ON t.oid = reltablespace WHERE c.oid = $1",
	NULL
};

/* Its value too: else it would yield once more what it has yielded. */
static const char *const sequence_sql[] = {
	"SELECT format('CREATE %sSEQUENCE %s AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s %sCYCLE',"
	" CASE WHEN relpersistence = 'u' THEN 'UNLOGGED ' END, seqrelid::regclass, format_type(seqtypid, NULL),"
	" seqincrement, seqmin, seqmax, seqstart, seqcache, CASE WHEN seqcycle THEN '' ELSE 'NO ' END)"
	" FROM pg_sequence JOIN pg_class ON oid = seqrelid WHERE seqrelid = $1",
	"SELECT format('SELECT pg_catalog.setval(%L::pg_catalog.regclass, %s, true)', $1::regclass, pg_sequence_last_value($1))"
	" WHERE pg_sequence_last_value($1) IS NOT NULL",
	"SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', $1::regclass, refobjid::regclass, attname)"
	" FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid"
	" WHERE classid = 'pg_class'::regclass AND objid = $1 AND refclassid = 'pg_class'::regclass AND deptype = 'a'",
	NULL
};

static const char *const function_sql[] = {
	"SELECT rtrim(pg_get_functiondef($1), E'\\n')",
	NULL
};

static const char *const trigger_sql[] = {
	"SELECT pg_get_triggerdef($1)",
	"SELECT format('ALTER TABLE %s %s TRIGGER %I', tgrelid::regclass, CASE tgenabled WHEN 'D' THEN 'DISABLE'"
	" WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, tgname) FROM pg_trigger WHERE oid = $1 AND tgenabled <> 'O'",
	NULL
};

static const char *const rule_sql[] = {
	"SELECT rtrim(pg_get_ruledef($1), ';')",
	"SELECT format('ALTER TABLE %s %s RULE %I', ev_class::regclass, CASE ev_enabled WHEN 'D' THEN 'DISABLE'"
	" WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, rulename) FROM pg_rewrite WHERE oid = $1 AND ev_enabled <> 'O'",
	NULL
};

static const char *const policy_sql[] = {
	"SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', polname, polrelid::regclass,"
	" CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,"
	" CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,"
	" (SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ') FROM unnest(polroles) r),"
	" ' USING (' || pg_get_expr(polqual, polrelid) || ')', ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')"
	" FROM pg_policy WHERE oid = $1",
	NULL
};

static const char *const statistics_sql[] = {
	"SELECT pg_get_statisticsobjdef($1)",
	"SELECT format('ALTER STATISTICS %I.%I SET STATISTICS %s', nspname, stxname, stxstattarget)"
	" FROM pg_statistic_ext e JOIN pg_namespace n ON n.oid = stxnamespace WHERE e.oid = $1 AND stxstattarget >= 0",
	NULL
};

static const char *const enum_sql[] = {
	"SELECT format('CREATE TYPE %s AS ENUM (%s)', $1::regtype,"
	" (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = $1))",
	NULL
};

static const char *const composite_sql[] = {
	"SELECT format('CREATE TYPE %s AS (%s)', t.oid::regtype,"
	" (SELECT string_agg(format('%I %s%s', attname, format_type(atttypid, atttypmod),"
	"   CASE WHEN attcollation <> typcollation THEN ' COLLATE ' || attcollation::regcollation END), ', ' ORDER BY attnum)"
	"  FROM pg_attribute JOIN pg_type b ON b.oid = atttypid WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped))"
	" FROM pg_type t WHERE t.oid = $1",
	"SELECT format('COMMENT ON COLUMN %s.%I IS %L', t.oid::regtype, attname, col_description(attrelid, attnum))"
	" FROM pg_type t JOIN pg_attribute ON attrelid = t.typrelid"
	" WHERE t.oid = $1 AND col_description(attrelid, attnum) IS NOT NULL ORDER BY attnum",
	NULL
};

static const char *const domain_sql[] = {
	"SELECT format('CREATE DOMAIN %s AS %s%s%s%s', t.oid::regtype, format_type(t.typbasetype, t.typtypmod),"
	" CASE WHEN t.typcollation <> b.typcollation THEN ' COLLATE ' || t.typcollation::regcollation END,"
	" ' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0),"
	" CASE WHEN t.typnotnull THEN coalesce((SELECT ' CONSTRAINT ' || quote_ident(conname) FROM pg_constraint"
	"   WHERE contypid = t.oid AND contype = 'n'), '') || ' NOT NULL' END)"
	" FROM pg_type t JOIN pg_type b ON b.oid = t.typbasetype WHERE t.oid = $1",
	"SELECT format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', contypid::regtype, conname, pg_get_constraintdef(oid))"
	" FROM pg_constraint WHERE contypid = $1 AND contype = 'c' ORDER BY oid",
	"SELECT format('COMMENT ON CONSTRAINT %I ON DOMAIN %s IS %L', conname, contypid::regtype, obj_description(oid, 'pg_constraint'))"
	" FROM pg_constraint WHERE contypid = $1 AND obj_description(oid, 'pg_constraint') IS NOT NULL ORDER BY oid",
	NULL
};

static const char *const range_sql[] = {
	"SELECT format('CREATE TYPE %s AS RANGE (SUBTYPE = %s, SUBTYPE_OPCLASS = %I.%I%s%s, MULTIRANGE_TYPE_NAME = %s)',"
	" rngtypid::regtype, format_type(rngsubtype, NULL), nspname, opcname,"
	" ', COLLATION = ' || nullif(rngcollation, 0)::regcollation, ', SUBTYPE_DIFF = ' || nullif(rngsubdiff::oid, 0)::regproc,"
	" rngmultitypid::regtype) FROM pg_range JOIN pg_opclass o ON o.oid = rngsubopc"
	" JOIN pg_namespace n ON n.oid = opcnamespace WHERE rngtypid = $1 AND rngcanonical = 0",
	NULL
};

static const char *const schema_sql[] = {
	"SELECT format('CREATE SCHEMA %I', nspname) FROM pg_namespace WHERE oid = $1"
	" AND NOT EXISTS (SELECT FROM pg_default_acl WHERE defaclnamespace = $1)",
	NULL
};

static const char *const event_trigger_sql[] = {
	"SELECT format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s()', evtname, evtevent,"
	" ' WHEN TAG IN (' || (SELECT string_agg(quote_literal(x), ', ') FROM unnest(evttags) x) || ')',"
	" evtfoid::regproc) FROM pg_event_trigger WHERE oid = $1",
	"SELECT format('ALTER EVENT TRIGGER %I %s', evtname, CASE evtenabled WHEN 'D' THEN 'DISABLE'"
	" WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END) FROM pg_event_trigger WHERE oid = $1 AND evtenabled <> 'O'",
	NULL
};

static const char *const publication_sql[] = {
	"SELECT format('CREATE PUBLICATION %I%s WITH (publish = %L, publish_via_partition_root = %s)', pubname,"
	" CASE WHEN puballtables THEN ' FOR ALL TABLES' END,"
	" concat_ws(', ', CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END,"
	"  CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END), pubviaroot::text)"
	" FROM pg_publication WHERE oid = $1",
	/* from 18 on */
	"SELECT format('ALTER PUBLICATION %I SET (publish_generated_columns = %s)', pubname,"
	" CASE to_jsonb(p)->>'pubgencols' WHEN 's' THEN 'stored' ELSE 'none' END)"
	" FROM pg_publication p WHERE oid = $1 AND to_jsonb(p)->>'pubgencols' <> 'n'",
	"SELECT format('ALTER PUBLICATION %I ADD %s', pubname, mig.list) FROM pg_publication p,"
	" LATERAL (SELECT string_agg(o, ', ') AS list FROM ("
	"  SELECT format('TABLE %s%s%s', prrelid::regclass,"
	"   ' (' || (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
	"    WHERE attrelid = prrelid AND attnum = ANY (prattrs)) || ')',"
	"   ' WHERE (' || pg_get_expr(prqual, prrelid) || ')') FROM pg_publication_rel WHERE prpubid = p.oid"
	"  UNION ALL SELECT format('TABLES IN SCHEMA %I', nspname) FROM pg_publication_namespace n"
	"   JOIN pg_namespace s ON s.oid = pnnspid WHERE pnpubid = p.oid) x(o)) mig WHERE p.oid = $1 AND mig.list IS NOT NULL",
	NULL
};

/* What hangs on a relation and goes with it, but for what a constraint brings. */
static const char *const relation_parts[] = {
	"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal ORDER BY oid",
	"SELECT rtrim(pg_get_ruledef(oid), ';') FROM pg_rewrite WHERE ev_class = $1 AND rulename <> '_RETURN' ORDER BY oid",
	"SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = $1 ORDER BY indexrelid",
	"SELECT format('ALTER MATERIALIZED VIEW %s CLUSTER ON %I', indrelid::regclass, relname) FROM pg_index"
	" JOIN pg_class ON oid = indexrelid WHERE indrelid = $1 AND indisclustered",
	"SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = $1 ORDER BY oid",
	NULL
};

/* Marks of an index, which belong to its table. */
static const char *const index_marks[] = {
	"SELECT format('ALTER TABLE %s CLUSTER ON %I', indrelid::regclass, relname) FROM pg_index"
	" JOIN pg_class ON oid = indexrelid WHERE indexrelid = $1 AND indisclustered",
	"SELECT format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', indrelid::regclass, relname) FROM pg_index"
	" JOIN pg_class ON oid = indexrelid WHERE indexrelid = $1 AND indisreplident",
	"SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', attrelid::regclass, attnum, attstattarget)"
	" FROM pg_attribute WHERE attrelid = $1 AND attstattarget >= 0 ORDER BY attnum",
	NULL
};

static List *
select_all(const char *const *queries, Oid oid)
{
	List	   *sql = NIL;

	for (; *queries; queries++)
		sql = list_concat(sql, mig_undo_select(*queries, oid));
	return sql;
}

/* --- words --- */

char *
mig_undo_kind(const ObjectAddress *address)
{
	char	   *kind = getObjectTypeDescription(address, false);
	size_t		len = strlen(kind);

	if (address->classId == RelationRelationId && address->objectSubId != 0)
		return pstrdup("COLUMN");
	if (address->classId == ConstraintRelationId)
		return pstrdup("CONSTRAINT");
	if (address->classId == StatisticExtRelationId)
		return pstrdup("STATISTICS");
	if (strcmp(kind, "foreign-data wrapper") == 0)
		return pstrdup("FOREIGN DATA WRAPPER");
	if (strcmp(kind, "composite type") == 0)
		return pstrdup("TYPE");
	return asc_toupper(kind, len);
}

static char *
comment_on(const ObjectAddress *address, const char *comment)
{
	char	   *identity = getObjectIdentity(address, false);

	if (address->classId == ConstraintRelationId)
		identity = mig_undo_value("SELECT format('%I ON %s%s', conname, CASE WHEN contypid <> 0 THEN 'DOMAIN ' END,"
								  " CASE WHEN contypid <> 0 THEN contypid::regtype::text ELSE conrelid::regclass::text END)"
								  " FROM pg_constraint WHERE oid = $1", address->objectId);
	return psprintf("COMMENT ON %s %s IS %s", mig_undo_kind(address), identity,
					comment ? mig_sql_literal(comment) : "NULL");
}

/* --- comments, owners --- */

static char *
comment_of(const ObjectAddress *address)
{
	switch (address->classId)
	{
		case DatabaseRelationId:
		case AuthIdRelationId:
		case TableSpaceRelationId:
			return mig_undo_value_text("SELECT shobj_description($1, $2)", address->objectId,
									   get_rel_name(address->classId));
		default:
			return GetComment(address->objectId, address->classId, address->objectSubId);
	}
}

char *
mig_undo_comment(const ObjectAddress *address)
{
	MigReading	reading;
	char	   *sql;

	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	sql = comment_on(address, comment_of(address));
	mig_reading_end(&reading);
	return sql;
}

static char *
owner_statement(const ObjectAddress *address, Oid owner)
{
	char	   *name = GetUserNameFromId(owner, true);

	if (name == NULL)
		return NULL;
	return psprintf("ALTER %s %s OWNER TO %s", mig_undo_kind(address),
					getObjectIdentity(address, false), quote_identifier(name));
}

List *
mig_undo_owner_change(const ObjectAddress *address, Oid other, const char **why)
{
	MigReading	reading;
	Oid			owner = mig_undo_owner(address);
	List	   *sql = NIL;

	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	if (OidIsValid(owner))
		sql = lcons(owner_statement(address, owner), mig_undo_owner_privileges(address, other, why));
	mig_reading_end(&reading);
	return sql;
}

/* Of the object and of its columns. */
static List *
all_comments(const ObjectAddress *address, int columns)
{
	char	   *comment = comment_of(address);
	List	   *sql = NIL;

	if (comment)
		sql = lappend(sql, comment_on(address, comment));
	if (address->classId == RelationRelationId)
		sql = list_concat(sql, mig_undo_select_text("SELECT format('COMMENT ON COLUMN %s.%I IS %L', attrelid::regclass, attname, description)"
											   " FROM pg_description JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid"
											   " WHERE classoid = 'pg_class'::regclass AND objoid = $1 AND objsubid > 0"
													" AND ($2 IS NULL OR objsubid <= $2::int) ORDER BY objsubid",
													address->objectId, columns ? psprintf("%d", columns) : NULL));
	return sql;
}

static bool
has_security_label(const ObjectAddress *address)
{
	return mig_undo_value_text("SELECT label FROM pg_seclabel WHERE objoid = $1 AND classoid = $2::oid",
							   address->objectId, psprintf("%u", address->classId)) != NULL;
}

List *
mig_undo_extras(const ObjectAddress *address, int columns, const char **why)
{
	Oid			owner = mig_undo_owner(address);
	List	   *sql = NIL;

	if (has_security_label(address))
		*why = "it has a security label";
	if (OidIsValid(owner) && owner != GetUserId())
		sql = lappend(sql, owner_statement(address, owner));
	sql = list_concat(sql, mig_undo_privileges(address, columns, why));
	return list_concat(sql, all_comments(address, columns));
}

List *
mig_undo_constraint_marks(Oid conoid)
{
	ObjectAddress address = {ConstraintRelationId, conoid, 0};
	Oid			index = get_constraint_index(conoid);
	MigReading	reading;
	List	   *sql;

	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	sql = all_comments(&address, 0);
	/* that of a foreign key is another's */
	if (OidIsValid(index) && get_index_constraint(index) == conoid)
	{
		address.classId = RelationRelationId;
		address.objectId = index;
		sql = list_concat(list_concat(select_all(index_marks, index), all_comments(&address, 0)), sql);
	}
	mig_reading_end(&reading);
	return sql;
}

/* --- by kind --- */

static List *
index_again(Oid indexid, bool concurrently, const char **why)
{
	char	   *definition = mig_undo_index(indexid, concurrently);

	if (definition)
		return lcons(definition, select_all(index_marks, indexid));
	*why = "it belongs to a constraint";
	return NIL;
}

static List *
relation_again(Oid relid, bool concurrently, const char **why)
{
	List	   *sql = NIL;

	switch (get_rel_relkind(relid))
	{
		case RELKIND_VIEW:
			sql = select_all(view_sql, relid);
			break;
		case RELKIND_MATVIEW:
			sql = select_all(matview_sql, relid);
			break;
		case RELKIND_SEQUENCE:
			return select_all(sequence_sql, relid);
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return index_again(relid, concurrently, why);
		case RELKIND_FOREIGN_TABLE:
			*why = "the definition of a foreign table is not read";
			return NIL;
		default:
			*why = "its rows are gone";
			return NIL;
	}
	return list_concat(sql, select_all(relation_parts, relid));
}

static List *
type_again(Oid typid, const char **why)
{
	List	   *sql = NIL;

	switch (get_typtype(typid))
	{
		case TYPTYPE_ENUM:
			return select_all(enum_sql, typid);
		case TYPTYPE_COMPOSITE:
			return select_all(composite_sql, typid);
		case TYPTYPE_DOMAIN:
			return select_all(domain_sql, typid);
		case TYPTYPE_RANGE:
			sql = select_all(range_sql, typid);
			break;
		default:
			break;
	}
	if (sql == NIL)
		*why = "the definition of such a type is not read";
	return sql;
}

static List *
function_again(Oid procid, const char **why)
{
	if (get_func_prokind(procid) != PROKIND_AGGREGATE)
		return select_all(function_sql, procid);
	*why = "the definition of an aggregate is not read";
	return NIL;
}

static List *
object_again(const ObjectAddress *address, bool concurrently, const char **why)
{
	List	   *sql;

	switch (address->classId)
	{
		case RelationRelationId:
			return relation_again(address->objectId, concurrently, why);
		case ProcedureRelationId:
			return function_again(address->objectId, why);
		case TypeRelationId:
			return type_again(address->objectId, why);
		case TriggerRelationId:
			return select_all(trigger_sql, address->objectId);
		case RewriteRelationId:
			return select_all(rule_sql, address->objectId);
		case PolicyRelationId:
			return select_all(policy_sql, address->objectId);
		case StatisticExtRelationId:
			return select_all(statistics_sql, address->objectId);
		case EventTriggerRelationId:
			return select_all(event_trigger_sql, address->objectId);
		case PublicationRelationId:
			return select_all(publication_sql, address->objectId);
		case NamespaceRelationId:
			sql = select_all(schema_sql, address->objectId);
			if (sql == NIL)
				*why = "its default privileges are not read";
			return sql;
		default:
			*why = psprintf("the definition of a %s is not read", getObjectTypeDescription(address, false));
			return NIL;
	}
}

/* With CASCADE more goes than was named; the first of it. */
static char *
dependent_of(const ObjectAddress *address)
{
	/* what belongs to it, as a view's rule does, may refer to it as well */
	return mig_undo_value_text("SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend d"
							   " WHERE refclassid = $2::oid AND refobjid = $1 AND deptype = 'n'"
							   " AND (refobjsubid = 0 OR classid <> refclassid OR objid <> refobjid)"
							   " AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = d.classid AND i.objid = d.objid"
							   "  AND i.refclassid = d.refclassid AND i.refobjid = d.refobjid AND i.deptype IN ('i', 'a')) LIMIT 1",
							   address->objectId, psprintf("%u", address->classId));
}

List *
mig_undo_drop(const ObjectAddress *address, bool cascade, bool concurrently, const char **why)
{
	MigReading	reading;
	List	   *sql;
	char	   *dependent;

	mig_reading_begin(&reading, address->classId, address->objectId);
	dependent = cascade ? dependent_of(address) : NULL;
	if (dependent)
	{
		*why = psprintf("CASCADE drops %s as well", dependent);
		sql = NIL;
	}
	else
		sql = object_again(address, concurrently, why);
	if (*why == NULL)
		sql = list_concat(sql, mig_undo_extras(address, 0, why));
	mig_reading_end(&reading);
	return sql;
}

/* --- what is replaced --- */

List *
mig_undo_replaced(const ObjectAddress *address, const char **why)
{
	MigReading	reading;
	List	   *sql = NIL;

	mig_reading_begin(&reading, address->classId, address->objectId);
	switch (address->classId)
	{
		case RelationRelationId:
			sql = mig_undo_select(view_sql[0], address->objectId);
			break;
		case ProcedureRelationId:
			sql = function_again(address->objectId, why);
			break;
		case TriggerRelationId:
			sql = select_all(trigger_sql, address->objectId);
			linitial(sql) = mig_sql_insert(linitial(sql), "create", 1, "OR REPLACE");
			break;
		default:
			sql = select_all(rule_sql, address->objectId);
			linitial(sql) = mig_sql_insert(linitial(sql), "create", 1, "OR REPLACE");
			break;
	}
	mig_reading_end(&reading);
	return sql;
}

List *
mig_undo_view_rest(Oid relid, int columns, const char **why)
{
	ObjectAddress address = {RelationRelationId, relid, 0};
	MigReading	reading;
	List	   *sql;

	mig_reading_begin(&reading, RelationRelationId, relid);
	sql = mig_undo_select_text(view_sql[1], relid, psprintf("%d", columns));
	sql = list_concat(sql, select_all(relation_parts, relid));
	sql = list_concat(sql, mig_undo_extras(&address, columns, why));
	mig_reading_end(&reading);
	return sql;
}
