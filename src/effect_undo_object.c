/*-------------------------------------------------------------------------
 *
 * effect_undo_object.c
 *	  The way back of what concerns an object that is no table: renamed, moved
 *	  into another schema, replaced, a publication, a policy, ...
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "commands/policy.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "effect_int.h"
#include "sqlgen.h"
#include "undo.h"
#include "undo_int.h"

static List *
ask(MigWork *work, const char *query, Oid oid, const char *text)
{
	MigReading	reading;
	List	   *rows;

	work->effect->undo_read = true;
	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	rows = mig_undo_select_text(query, oid, text);
	mig_reading_end(&reading);
	return rows;
}

static void pg_attribute_printf(2, 3)
undo_with(MigWork *work, const char *format,...)
{
	va_list		args;
	char	   *text;

	va_start(args, format);
	text = mig_sql_vformat(format, args);
	va_end(args);
	mig_effect_undo(work, list_make1(text), NULL);
}

/* --- RENAME, SET SCHEMA --- */

static char *
kind_of(const ObjectAddress *address)
{
	MigReading	reading;
	char	   *kind;

	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	kind = mig_undo_kind(address);
	mig_reading_end(&reading);
	return kind;
}

/* Behind a name: the arguments of a function, as it is told from others. */
static char *
arguments_of(MigWork *work, const ObjectAddress *address)
{
	List	   *rows;

	if (address->classId != ProcedureRelationId)
		return "";
	rows = ask(work, "SELECT '(' || CASE WHEN prokind = 'a' AND pg_get_function_identity_arguments(oid) = '' THEN '*'"
			   " ELSE pg_get_function_identity_arguments(oid) END || ')' FROM pg_proc WHERE oid = $1",
			   address->objectId, NULL);
	return rows == NIL ? "" : linitial(rows);
}

/*
 * An object that has a name, and perhaps a schema: newname or newschema is
 * NULL.  Names of operators and of what belongs to an access method are
 * spelled in another way.
 */
void
mig_effect_undo_move(MigWork *work, ObjectType type, Node *object, const char *newname, const char *newschema)
{
	ObjectAddress address;
	char	   *oldname;
	char	   *nspname;
	char	   *rest;

	if (type == OBJECT_OPERATOR || type == OBJECT_OPCLASS || type == OBJECT_OPFAMILY)
		return;
	/* others may come to it by its new name */
	mig_effect_moves_object(work, "object", newname ? newname : newschema);
	if (!mig_undo_find(type, object, &address))
	{
		mig_effect_undo_later(work);
		return;
	}
	work->effect->undo_read = true;
	nspname = get_namespace_name(get_object_namespace(&address));
	oldname = IsA(object, List) ? strVal(llast((List *) object)) :
		IsA(object, ObjectWithArgs) ? strVal(llast(((ObjectWithArgs *) object)->objname)) :
		IsA(object, TypeName) ? strVal(llast(((TypeName *) object)->names)) : strVal(object);
	rest = arguments_of(work, &address);
	if (newschema && type == OBJECT_EXTENSION)
		mig_effect_undo(work, ask(work, "SELECT format('ALTER EXTENSION %I SET SCHEMA %I', extname, nspname) FROM pg_extension e"
								  " JOIN pg_namespace n ON n.oid = extnamespace WHERE e.oid = $1",
								  address.objectId, NULL), NULL);
	else if (newschema)
		undo_with(work, "ALTER %s %s%s SET SCHEMA %s", kind_of(&address),
				  mig_sql_qualified(newschema, oldname), rest, mig_sql_name(nspname));
	else
		undo_with(work, "ALTER %s %s%s RENAME TO %s", kind_of(&address),
				  nspname ? mig_sql_qualified(nspname, newname) : mig_sql_name(newname), rest,
				  mig_sql_name(oldname));
}

/* --- CREATE OR REPLACE --- */

void
mig_effect_undo_replaced(MigWork *work, Oid classid, Oid objid)
{
	ObjectAddress address = {classid, objid, 0};
	const char *why = NULL;
	List	   *sql = mig_undo_replaced(&address, &why);

	work->effect->undo = "";
	mig_effect_undo(work, sql, why);
}

/* --- policies --- */

/* ALTER POLICY cannot take an expression away: the policy is made again. */
static void
undo_policy(MigWork *work, AlterPolicyStmt *stmt)
{
	MigName    *name = mig_effect_name(work, stmt->table, true);
	ObjectAddress address = {PolicyRelationId, InvalidOid, 0};
	const char *why = NULL;
	List	   *sql;

	if (OidIsValid(name->relid))
		address.objectId = get_relation_policy_oid(name->relid, stmt->policy_name, true);
	if (!OidIsValid(address.objectId))
	{
		mig_effect_undo_later(work);
		return;
	}
	sql = mig_undo_drop(&address, false, false, &why);
	mig_effect_undo(work, lcons(psprintf("DROP POLICY %s ON %s", mig_sql_name(stmt->policy_name), name->text), sql), why);
}

/* --- publications --- */

static const char *const publication_objects_query =
"SELECT format('TABLE %s%s%s', prrelid::regclass,"
" ' (' || (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
"  WHERE attrelid = prrelid AND attnum = ANY (prattrs)) || ')',"
" ' WHERE (' || pg_get_expr(prqual, prrelid) || ')') FROM pg_publication_rel WHERE prpubid = $1"
" UNION ALL SELECT format('TABLES IN SCHEMA %I', nspname) FROM pg_publication_namespace"
" JOIN pg_namespace s ON s.oid = pnnspid WHERE pnpubid = $1";

static const char *const publication_options_query =
"SELECT format('ALTER PUBLICATION %I SET (publish = %L, publish_via_partition_root = %s%s)', pubname,"
" concat_ws(', ', CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END,"
"  CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END), pubviaroot::text,"
" CASE to_jsonb(p)->>'pubgencols' WHEN 's' THEN ', publish_generated_columns = stored'"
"  WHEN 'n' THEN ', publish_generated_columns = none' END)"
" FROM pg_publication p WHERE oid = $1";

static char *
joined(const List *texts)
{
	StringInfoData buf;
	const ListCell *lc;

	initStringInfo(&buf);
	foreach(lc, texts)
		appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", (char *) lfirst(lc));
	return buf.data;
}

/* What a publication had none of is taken out as it was put in. */
static char *
written_objects(MigWork *work, const List *objects)
{
	List	   *texts = NIL;
	const ListCell *lc;

	foreach(lc, objects)
	{
		PublicationObjSpec *spec = lfirst_node(PublicationObjSpec, lc);

		if (spec->pubtable)
			texts = lappend(texts, psprintf("TABLE %s", mig_effect_name(work, spec->pubtable->relation, true)->text));
		else if (spec->name)
			texts = lappend(texts, psprintf("TABLES IN SCHEMA %s", mig_sql_name(spec->name)));
	}
	return joined(texts);
}

static void
undo_publication(MigWork *work, AlterPublicationStmt *stmt)
{
	ObjectAddress address;
	List	   *before;

	if (!mig_undo_find(OBJECT_PUBLICATION, (Node *) makeString(stmt->pubname), &address))
	{
		mig_effect_undo_later(work);
		return;
	}
	if (stmt->options)
	{
		mig_effect_undo(work, ask(work, publication_options_query, address.objectId, NULL), NULL);
		return;
	}
	before = ask(work, publication_objects_query, address.objectId, NULL);
	if (before != NIL)
		undo_with(work, "ALTER PUBLICATION %s SET %s", mig_sql_name(stmt->pubname), joined(before));
	else if (stmt->action != AP_DropObjects)
		undo_with(work, "ALTER PUBLICATION %s DROP %s", mig_sql_name(stmt->pubname), written_objects(work, stmt->pubobjects));
}

/* --- CLUSTER --- */

void
mig_effect_undo_cluster(MigWork *work, const MigName *name, const char *indexname)
{
	List	   *sql;

	if (indexname == NULL || !OidIsValid(name->relid))
		return;
	sql = ask(work, "SELECT format('ALTER TABLE %s %s', $1::regclass, coalesce((SELECT 'CLUSTER ON ' || quote_ident(relname)"
			  " FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = $1 AND indisclustered), 'SET WITHOUT CLUSTER'))"
			  " WHERE NOT EXISTS (SELECT FROM pg_index JOIN pg_class ON oid = indexrelid"
			  "  WHERE indrelid = $1 AND indisclustered AND relname = $2)", name->relid, indexname);
	if (sql != NIL)
		mig_effect_undo(work, sql, NULL);
}

/* --- extended statistics --- */

/* As ChooseExtendedStatisticName in statscmds.c. */
static char *
choose_statistics_name(MigWork *work, const CreateStatsStmt *stmt, const MigName *table)
{
	StringInfoData columns;
	ListCell   *lc;

	initStringInfo(&columns);
	foreach(lc, stmt->exprs)
	{
		StatsElem  *elem = lfirst_node(StatsElem, lc);

		appendStringInfo(&columns, "%s%s", columns.len ? "_" : "", elem->name ? elem->name : "expr");
		if (columns.len >= NAMEDATALEN)
			break;
	}
	for (int pass = 0;; pass++)
	{
		char	   *label = pass ? psprintf("stat%d", pass) : pstrdup("stat");
		char	   *name = makeObjectName(table->relname, columns.data, label);

		if (ask(work, "SELECT stxname FROM pg_statistic_ext JOIN pg_class c ON relnamespace = stxnamespace"
				" WHERE c.oid = $1 AND stxname = $2", table->relid, name) == NIL)
			return mig_sql_qualified(table->nspname, name);
	}
}

void
mig_effect_undo_statistics(MigWork *work, const CreateStatsStmt *stmt)
{
	ObjectAddress address;
	MigName    *table;

	mig_effect_makes_object(work, "object", "statistics");
	if (stmt->defnames)
	{
		if (stmt->if_not_exists && mig_undo_find(OBJECT_STATISTIC_EXT, (Node *) stmt->defnames, &address))
			work->effect->undo = "";
		else
			undo_with(work, "DROP STATISTICS IF EXISTS %s", mig_effect_object_name(work, stmt->defnames));
		return;
	}
	table = stmt->relations != NIL && IsA(linitial(stmt->relations), RangeVar) ?
		mig_effect_name(work, linitial(stmt->relations), true) : NULL;
	if (table && OidIsValid(table->relid))
		undo_with(work, "DROP STATISTICS %s", choose_statistics_name(work, stmt, table));
	else
		mig_effect_undo_later(work);
}

/* --- what else is made --- */

static void
undo_created_named(MigWork *work, ObjectType type, const char *kind, char *name, bool if_not_exists)
{
	ObjectAddress address;

	if (if_not_exists && mig_undo_find(type, (Node *) makeString(name), &address))
		work->effect->undo = "";
	else
		undo_with(work, "DROP %s IF EXISTS %s", kind, mig_sql_name(name));
	mig_effect_makes_object(work, "object", name);
}

static void
undo_cast(MigWork *work, CreateCastStmt *stmt)
{
	undo_with(work, "DROP CAST IF EXISTS (%s AS %s)", mig_sql_type(stmt->sourcetype), mig_sql_type(stmt->targettype));
}

/* --- members of an extension --- */

static void
undo_member(MigWork *work, AlterExtensionContentsStmt *stmt)
{
	ObjectAddress address;
	MigReading	reading;

	if (!mig_undo_find(stmt->objtype, stmt->object, &address))
	{
		mig_effect_undo_later(work);
		return;
	}
	mig_reading_begin(&reading, InvalidOid, InvalidOid);
	undo_with(work, "ALTER EXTENSION %s %s %s %s", mig_sql_name(stmt->extname), stmt->action > 0 ? "DROP" : "ADD",
			  mig_undo_kind(&address), getObjectIdentity(&address, false));
	mig_reading_end(&reading);
}

/* --- by statement --- */

void
mig_effect_undo_object(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_AlterPolicyStmt:
			undo_policy(work, (AlterPolicyStmt *) node);
			break;
		case T_AlterPublicationStmt:
			undo_publication(work, (AlterPublicationStmt *) node);
			break;
		case T_AlterExtensionContentsStmt:
			undo_member(work, (AlterExtensionContentsStmt *) node);
			break;
		case T_CreateFdwStmt:
			undo_created_named(work, OBJECT_FDW, "FOREIGN DATA WRAPPER", ((CreateFdwStmt *) node)->fdwname, false);
			break;
		case T_CreateForeignServerStmt:
			undo_created_named(work, OBJECT_FOREIGN_SERVER, "SERVER", ((CreateForeignServerStmt *) node)->servername,
							   ((CreateForeignServerStmt *) node)->if_not_exists);
			break;
		case T_CreateAmStmt:
			undo_created_named(work, OBJECT_ACCESS_METHOD, "ACCESS METHOD", ((CreateAmStmt *) node)->amname, false);
			break;
		case T_CreateConversionStmt:
			undo_with(work, "DROP CONVERSION IF EXISTS %s",
					  mig_effect_object_name(work, ((CreateConversionStmt *) node)->conversion_name));
			break;
		case T_CreateCastStmt:
			undo_cast(work, (CreateCastStmt *) node);
			break;
		default:
			break;
	}
}
