/*-------------------------------------------------------------------------
 *
 * effect_alter_undo.c
 *	  ALTER TABLE on what a column or a table is like: what it was like
 *	  before, as subcommands.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "effect_alter.h"
#include "relation.h"
#include "sqlgen.h"
#include "undo.h"
#include "undo_int.h"

/* --- queries: $1 the table, $2 a name; each yields subcommands --- */

static const char *const statistics_query =
"SELECT format('ALTER COLUMN %s SET STATISTICS %s', CASE WHEN $2 ~ '^#' THEN attnum::text ELSE quote_ident(attname) END,"
" coalesce(attstattarget, -1)) FROM pg_attribute"
" WHERE attrelid = $1 AND ($2 = attname OR $2 = '#' || attnum)";

static const char *const storage_query =
"SELECT format('ALTER COLUMN %I SET STORAGE %s', attname, CASE attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'"
" WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END) FROM pg_attribute WHERE attrelid = $1 AND attname = $2";

static const char *const compression_query =
"SELECT format('ALTER COLUMN %I SET COMPRESSION %s', attname, CASE attcompression WHEN 'p' THEN 'pglz'"
" WHEN 'l' THEN 'lz4' ELSE 'default' END) FROM pg_attribute WHERE attrelid = $1 AND attname = $2";

/* a line for each option: the column in the first */
static const char *const column_options_query =
"SELECT format('ALTER COLUMN %I %s', attname, coalesce((SELECT format('SET (%I = %L)', option_name, option_value)"
"  FROM pg_options_to_table(attoptions) WHERE option_name = o), format('RESET (%I)', o)))"
" FROM pg_attribute, unnest(string_to_array($2, E'\\n')) WITH ORDINALITY u(o, n)"
" WHERE attrelid = $1 AND attname = split_part($2, E'\\n', 1) AND n > 1";

/* toast.x is kept with the TOAST table */
static const char *const options_query =
"SELECT coalesce((SELECT format('SET (%s%I = %L)', CASE WHEN toast THEN 'toast.' END, option_name, option_value)"
"   FROM pg_class c, pg_options_to_table(c.reloptions)"
"   WHERE c.oid = CASE WHEN toast THEN t.reltoastrelid ELSE t.oid END AND option_name = name),"
"  format('RESET (%s%I)', CASE WHEN toast THEN 'toast.' END, name))"
" FROM pg_class t, (SELECT starts_with(o, 'toast.') AS toast, regexp_replace(o, '^toast\\.', '') AS name"
"  FROM unnest(string_to_array($2, E'\\n')) o) o WHERE t.oid = $1";

static const char *const cluster_query =
"SELECT coalesce((SELECT 'CLUSTER ON ' || quote_ident(relname) FROM pg_index JOIN pg_class ON oid = indexrelid"
" WHERE indrelid = $1 AND indisclustered), 'SET WITHOUT CLUSTER')";

static const char *const replica_identity_query =
"SELECT 'REPLICA IDENTITY ' || CASE relreplident WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL'"
" WHEN 'i' THEN (SELECT 'USING INDEX ' || quote_ident(i.relname) FROM pg_index JOIN pg_class i ON i.oid = indexrelid"
"  WHERE indrelid = $1 AND indisreplident) ELSE 'DEFAULT' END FROM pg_class WHERE oid = $1";

/* all, user, or one of that name */
static const char *const trigger_query =
"SELECT format('%s TRIGGER %I', CASE tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'"
" WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END, tgname) FROM pg_trigger WHERE tgrelid = $1"
" AND CASE $2 WHEN 'all' THEN true WHEN 'user' THEN NOT tgisinternal ELSE $2 = 'name ' || tgname END ORDER BY tgname";

static const char *const rule_query =
"SELECT format('%s RULE %I', CASE ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'"
" WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END, rulename) FROM pg_rewrite WHERE ev_class = $1 AND rulename = $2";

static const char *const row_security_query =
"SELECT CASE WHEN relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END || ' ROW LEVEL SECURITY' FROM pg_class WHERE oid = $1";

static const char *const forced_query =
"SELECT CASE WHEN relforcerowsecurity THEN '' ELSE 'NO ' END || 'FORCE ROW LEVEL SECURITY' FROM pg_class WHERE oid = $1";

static const char *const access_method_query =
"SELECT 'SET ACCESS METHOD ' || quote_ident(amname) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE c.oid = $1";

static const char *const tablespace_query =
"SELECT 'SET TABLESPACE ' || quote_ident(spcname) FROM pg_class, pg_database d JOIN pg_tablespace t ON true"
" WHERE pg_class.oid = $1 AND datname = current_database()"
" AND t.oid = CASE WHEN reltablespace = 0 THEN dattablespace ELSE reltablespace END";

static const char *const of_query =
"SELECT CASE WHEN reloftype = 0 THEN 'NOT OF' ELSE 'OF ' || reloftype::regtype END FROM pg_class WHERE oid = $1";

/* 18: enforced or not, inherited or not */
static const char *const constraint_query =
"SELECT format('ALTER CONSTRAINT %I %s', conname, CASE contype WHEN 'n' THEN CASE WHEN connoinherit THEN 'NO INHERIT'"
"  ELSE 'INHERIT' END ELSE CASE WHEN condeferrable THEN 'DEFERRABLE INITIALLY ' || CASE WHEN condeferred THEN 'DEFERRED'"
"  ELSE 'IMMEDIATE' END ELSE 'NOT DEFERRABLE' END || CASE to_jsonb(c)->>'conenforced' WHEN 'true' THEN ' ENFORCED'"
"  WHEN 'false' THEN ' NOT ENFORCED' ELSE '' END END) FROM pg_constraint c WHERE conrelid = $1 AND conname = $2";

#define SEQUENCE_OPTIONS(set) \
"format('" set "INCREMENT BY %s " set "MINVALUE %s " set "MAXVALUE %s " set "START WITH %s " set "CACHE %s " set "%sCYCLE'," \
" seqincrement, seqmin, seqmax, seqstart, seqcache, CASE WHEN seqcycle THEN '' ELSE 'NO ' END)"
#define IDENTITY_SEQUENCE \
"FROM pg_attribute JOIN pg_depend d ON refclassid = 'pg_class'::regclass AND refobjid = attrelid AND refobjsubid = attnum" \
" AND deptype = 'i' AND classid = 'pg_class'::regclass JOIN pg_sequence ON seqrelid = d.objid" \
" WHERE attrelid = $1 AND attname = $2"

static const char *const identity_query =
"SELECT format('ALTER COLUMN %I SET GENERATED %s %s', attname, CASE attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,"
" " SEQUENCE_OPTIONS("SET ") ") " IDENTITY_SEQUENCE;

static const char *const add_identity_query =
"SELECT format('ALTER COLUMN %I ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %s %s)', attname,"
" CASE attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, seqrelid::regclass,"
" " SEQUENCE_OPTIONS("") ") " IDENTITY_SEQUENCE;

static const char *const identity_value_query =
"SELECT format('SELECT pg_catalog.setval(%L::pg_catalog.regclass, %s, true)', seqrelid::regclass, pg_sequence_last_value(seqrelid))"
" " IDENTITY_SEQUENCE " AND pg_sequence_last_value(seqrelid) IS NOT NULL";

static const char *const expression_query =
"SELECT format('ALTER COLUMN %I SET EXPRESSION AS (%s)', attname, pg_get_expr(adbin, adrelid))"
" FROM pg_attribute JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = $1 AND attname = $2";

/* a change of type sets both anew */
static const char *const storage_not_default_query =
"SELECT format('ALTER COLUMN %I SET STORAGE %s', attname, CASE attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'"
" WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END) FROM pg_attribute JOIN pg_type t ON t.oid = atttypid"
" WHERE attrelid = $1 AND attname = $2 AND attstorage <> typstorage";

static const char *const compression_not_default_query =
"SELECT format('ALTER COLUMN %I SET COMPRESSION %s', attname, CASE attcompression WHEN 'p' THEN 'pglz' ELSE 'lz4' END)"
" FROM pg_attribute WHERE attrelid = $1 AND attname = $2 AND attcompression IN ('p', 'l')";

static const char *const type_query =
"SELECT format('ALTER COLUMN %I TYPE %s%s', attname, format_type(atttypid, atttypmod),"
" CASE WHEN attcollation <> typcollation THEN ' COLLATE ' || attcollation::regcollation END)"
" FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = $1 AND attname = $2";

/* --- subcommands from queries --- */

static List *
ask(MigAlter *alter, const char *query, const char *text)
{
	MigReading	reading;
	List	   *rows;

	alter->work->effect->undo_read = true;
	mig_reading_begin(&reading, RelationRelationId, alter->name->relid);
	rows = mig_undo_select_text(query, alter->name->relid, text);
	mig_reading_end(&reading);
	return rows;
}

/* What was, in the order of its rows; nothing to read: the statement will fail. */
static void
restore(MigAlter *alter, const char *query, const char *text)
{
	List	   *rows = ask(alter, query, text);

	for (int i = list_length(rows) - 1; i >= 0; i--)
		mig_alter_undo(alter, "%s", (char *) list_nth(rows, i));
}

static void
restore_one(MigAlter *alter, const char *query, const char *text)
{
	int			before = list_length(alter->undo);

	restore(alter, query, text);
	if (list_length(alter->undo) == before)
		mig_alter_undo_later(alter);
}

/* Names of options, each on a line, behind a first one if it is not NULL. */
static char *
option_names(const char *first, List *options)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	if (first)
		appendStringInfoString(&buf, first);
	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		appendStringInfo(&buf, "%s%s%s%s", buf.len ? "\n" : "",
						 option->defnamespace ? option->defnamespace : "",
						 option->defnamespace ? "." : "", option->defname);
	}
	return buf.data;
}

/* --- types --- */

static bool
is_integer(Oid typid)
{
	return typid == INT2OID || typid == INT4OID || typid == INT8OID;
}

static bool
is_varying(Oid typid)
{
	return typid == VARCHAROID || typid == TEXTOID;
}

static int
scale_of(int32 typmod)
{
	return typmod < (int32) VARHDRSZ ? -1 : (int) ((typmod - VARHDRSZ) & 0x7ff);
}

/* The column itself, under casts or not. */
static bool
is_plain_using(Node *raw, const char *colname)
{
	while (raw && IsA(raw, TypeCast))
		raw = ((TypeCast *) raw)->arg;
	return raw == NULL ||
		(IsA(raw, ColumnRef) && IsA(llast(((ColumnRef *) raw)->fields), String) &&
		 strcmp(strVal(llast(((ColumnRef *) raw)->fields)), colname) == 0);
}

/*
 * Do values come through both ways as they are?  Either way the server
 * refuses what does not fit, so that only what it would cut off in silence
 * matters: digits, fractions of seconds, bits of an address.
 */
static bool
keeps_values(Oid old, int32 old_typmod, Oid new, int32 new_typmod)
{
	if (old != new && (get_typtype(old) == TYPTYPE_DOMAIN || get_typtype(new) == TYPTYPE_DOMAIN))
	{
		old = getBaseTypeAndTypmod(old, &old_typmod);
		new = getBaseTypeAndTypmod(new, &new_typmod);
	}
	if (old == new && old_typmod == new_typmod)
		return true;
	if (old == NUMERICOID && new == NUMERICOID)
		return old_typmod >= 0 && new_typmod >= 0 &&
			scale_of(old_typmod) == scale_of(new_typmod);
	return (is_integer(old) && is_integer(new)) || (is_varying(old) && is_varying(new));
}

static void
restore_type(MigAlter *alter, AlterTableCmd *cmd)
{
	ColumnDef  *def = castNode(ColumnDef, cmd->def);
	HeapTuple	tuple = SearchSysCacheAttName(alter->name->relid, cmd->name);
	int32		typmod = -1;
	Oid			typid = mig_expr_type(def->typeName, &typmod);
	Oid			old;
	int32		old_typmod;

	if (!HeapTupleIsValid(tuple))
	{
		mig_alter_undo_later(alter);
		return;
	}
	old = ((Form_pg_attribute) GETSTRUCT(tuple))->atttypid;
	old_typmod = ((Form_pg_attribute) GETSTRUCT(tuple))->atttypmod;
	ReleaseSysCache(tuple);
	if (!is_plain_using(def->raw_default, cmd->name))
		mig_alter_irreversible(alter, "its values are computed anew");
	else if (!OidIsValid(typid))
		mig_alter_undo_later(alter);
	else if (!keeps_values(old, old_typmod, typid, typmod))
		mig_alter_irreversible(alter, psprintf("%s may not keep what %s holds",
											   format_type_with_typemod(old, old_typmod),
											   format_type_with_typemod(typid, typmod)));
	else
	{
		restore(alter, compression_not_default_query, cmd->name);
		restore(alter, storage_not_default_query, cmd->name);
		restore(alter, type_query, cmd->name);
	}
}

/* --- identity --- */

static void
restore_identity(MigAlter *alter, AlterTableCmd *cmd)
{
	ListCell   *lc;

	foreach(lc, castNode(List, cmd->def))
		if (strcmp(lfirst_node(DefElem, lc)->defname, "restart") == 0)
			mig_alter_irreversible(alter, "the counter of a sequence is moved");
	restore_one(alter, identity_query, cmd->name);
}

static void
add_identity_again(MigAlter *alter, AlterTableCmd *cmd)
{
	List	   *value = ask(alter, identity_value_query, cmd->name);

	if (value != NIL)
		mig_alter_undo_statement(alter, linitial(value));
	restore(alter, add_identity_query, cmd->name);
	/* its value goes on until it goes */
	alter->work->effect->undo_late = true;
}

/* --- by subcommand --- */

static void
restore_column(MigAlter *alter, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_SetStatistics:
			restore_one(alter, statistics_query, cmd->name ? cmd->name : psprintf("#%d", cmd->num));
			break;
		case AT_SetOptions:
		case AT_ResetOptions:
			restore_one(alter, column_options_query, option_names(cmd->name, castNode(List, cmd->def)));
			break;
		case AT_SetStorage:
			restore_one(alter, storage_query, cmd->name);
			break;
		case AT_SetCompression:
			restore_one(alter, compression_query, cmd->name);
			break;
		case AT_SetIdentity:
			restore_identity(alter, cmd);
			break;
		case AT_DropIdentity:
			add_identity_again(alter, cmd);
			break;
		case AT_DropExpression:
			mig_alter_irreversible(alter, "a column cannot become generated again");
			break;
		default:
			if (mig_is_set_expression(cmd))
				restore_one(alter, expression_query, cmd->name);
			else
				restore_type(alter, cmd);
			break;
	}
}

void
mig_alter_restore_column(MigAlter *alter, AlterTableCmd *cmd)
{
	if (OidIsValid(alter->name->relid))
		restore_column(alter, cmd);
	else
		mig_alter_undo_later(alter);
}

static void
restore_triggers(MigAlter *alter, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_EnableTrigAll:
		case AT_DisableTrigAll:
			restore(alter, trigger_query, "all");
			break;
		case AT_EnableTrigUser:
		case AT_DisableTrigUser:
			restore(alter, trigger_query, "user");
			break;
		default:
			restore_one(alter, trigger_query, psprintf("name %s", cmd->name));
			break;
	}
}

static void
restore_table(MigAlter *alter, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
			restore(alter, options_query, option_names(NULL, castNode(List, cmd->def)));
			break;
		case AT_ClusterOn:
		case AT_DropCluster:
			restore(alter, cluster_query, NULL);
			break;
		case AT_ReplicaIdentity:
			restore(alter, replica_identity_query, NULL);
			break;
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
		case AT_EnableTrigAll:
		case AT_DisableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrigUser:
			restore_triggers(alter, cmd);
			break;
		case AT_EnableRule:
		case AT_EnableAlwaysRule:
		case AT_EnableReplicaRule:
		case AT_DisableRule:
			restore_one(alter, rule_query, cmd->name);
			break;
		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
			restore(alter, row_security_query, NULL);
			break;
		case AT_ForceRowSecurity:
		case AT_NoForceRowSecurity:
			restore(alter, forced_query, NULL);
			break;
		case AT_SetAccessMethod:
			restore_one(alter, access_method_query, NULL);
			break;
		case AT_SetTableSpace:
			restore(alter, tablespace_query, NULL);
			break;
		case AT_AddOf:
		case AT_DropOf:
			restore(alter, of_query, NULL);
			break;
		case AT_AlterConstraint:
			restore_one(alter, constraint_query, mig_altered_constraint(cmd));
			break;
		default:
			mig_alter_irreversible(alter, NULL);
			break;
	}
}

void
mig_alter_restore_table(MigAlter *alter, AlterTableCmd *cmd)
{
	if (OidIsValid(alter->name->relid))
		restore_table(alter, cmd);
	else
		mig_alter_undo_later(alter);
}
