/*-------------------------------------------------------------------------
 *
 * fingerprint.c
 *	  The schema of this database as text, to be compared with itself later.
 *
 * Each object is a key ("column public.t.c") and a definition, one property
 * a line, as the server's own functions print it.  Those functions are the
 * same in all majors; what one major alone knows shows in what they print.
 *
 * Access privileges that are NULL are the default ones, spelled out, since
 * a GRANT and its REVOKE leave them behind so.  Not in it are the server's
 * own objects, temporary ones, the values of sequences and large objects.
 *
 * Takes AccessShareLock on relations that views and rules refer to, and gives
 * it back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"
#include "utils/resowner.h"

#include "fingerprint.h"
#include "query.h"

#define BATCH 200				/* views whose definitions are read in one subtransaction */
#define MAX_SHOWN 200			/* bytes of one property in a difference */

typedef struct Entry
{
	char	   *key;
	char	   *definition;
	Oid			relid;			/* it is read again when that was touched; InvalidOid: always */
} Entry;

struct MigFingerprint
{
	int			size;
	Entry	   *entries;		/* by key */
};

/* --- reading --- */

#define OURS "(SELECT oid, quote_ident(nspname) AS name, nspname, nspowner, nspacl FROM pg_namespace" \
	" WHERE nspname !~ '^pg_(catalog|toast|temp_|toast_temp_)' AND nspname <> 'information_schema')"
#define ACL(acl, kind, owner) \
	"(SELECT 'privileges ' || string_agg(x::text, ' ' ORDER BY x::text)" \
	" FROM unnest(coalesce(" acl ", acldefault('" kind "', " owner "))) x)"
#define OWNER(owner) "'owner ' || quote_ident(pg_get_userbyid(" owner "))"
#define LIST(options) "(SELECT string_agg(x, ', ' ORDER BY x) FROM unnest(" options ") x)"
/* The back branches of the server keep the version of a column among its options. */
#define COLUMN_OPTIONS "(SELECT string_agg(x, ', ' ORDER BY x) FROM unnest(a.attoptions) x" \
	" WHERE x NOT LIKE 'pg\\_attver=%')"
#define USERS_OWN "16384"		/* FirstNormalObjectId */
#define TOUCHED(relid) "($1 IS NULL OR " relid " = ANY ($1::oid[]))"
#define COLUMN_ORDER "order of columns of "
#define LINES "concat_ws(E'\\n', "

/*
 * Relations and what belongs to them; the third column is the relation whose
 * entry in the relation cache is dropped when that changes.
 */
static const char relations_sql[] =
"SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view '"
" WHEN 'S' THEN 'sequence ' WHEN 'f' THEN 'foreign table ' WHEN 'c' THEN 'composite type '"
" ELSE 'table ' END || n.name || '.' || quote_ident(c.relname), " LINES
"'kind ' || c.relkind::text, 'persistence ' || c.relpersistence::text, " OWNER("c.relowner") ","
" CASE WHEN c.relkind <> 'c' THEN CASE c.relkind WHEN 'S' THEN " ACL("c.relacl", "s", "c.relowner")
" ELSE " ACL("c.relacl", "r", "c.relowner") " END END,"
" 'access method ' || a.amname, 'tablespace ' || s.spcname,"
" 'options ' || " LIST("c.reloptions") ", 'toast options ' || " LIST("t.reloptions") ","
" 'row security ' || c.relrowsecurity, 'forced row security ' || c.relforcerowsecurity,"
" 'replica identity ' || c.relreplident::text, 'populated ' || c.relispopulated,"
" 'partition ' || pg_get_expr(c.relpartbound, c.oid),"
" CASE c.relkind WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(c.oid) END,"
" 'of type ' || nullif(c.reloftype, 0)::regtype,"
" 'server ' || fs.srvname, 'foreign options ' || " LIST("f.ftoptions") "), c.oid::bigint"
" FROM pg_class c JOIN " OURS " n ON n.oid = c.relnamespace"
" LEFT JOIN pg_am a ON a.oid = c.relam LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace"
" LEFT JOIN pg_class t ON t.oid = c.reltoastrelid"
" LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid LEFT JOIN pg_foreign_server fs ON fs.oid = f.ftserver"
" WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND " TOUCHED("c.oid")

" UNION ALL SELECT 'column ' || n.name || '.' || quote_ident(c.relname) || '.' || quote_ident(a.attname), " LINES
"'type ' || format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' ELSE 'nullable' END,"
" 'default ' || pg_get_expr(d.adbin, d.adrelid), 'identity ' || nullif(a.attidentity::text, ''),"
" 'generated ' || nullif(a.attgenerated::text, ''), 'storage ' || a.attstorage::text,"
" 'compression ' || nullif(a.attcompression::text, ''), 'collation ' || nullif(a.attcollation, 0)::regcollation,"
" 'statistics ' || nullif(a.attstattarget, -1), 'options ' || " COLUMN_OPTIONS ","
" 'foreign options ' || " LIST("a.attfdwoptions") ", 'parents ' || nullif(a.attinhcount, 0),"
" 'local ' || a.attislocal,"
" (SELECT 'privileges ' || string_agg(x::text, ' ' ORDER BY x::text) FROM unnest(a.attacl) x)), a.attrelid::bigint"
" FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN " OURS " n ON n.oid = c.relnamespace"
" LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
" WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND " TOUCHED("a.attrelid")

" UNION ALL SELECT '" COLUMN_ORDER "' || n.name || '.' || quote_ident(c.relname),"
" string_agg(quote_ident(a.attname), E'\\n' ORDER BY a.attnum), c.oid::bigint"
" FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN " OURS " n ON n.oid = c.relnamespace"
" WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'c') AND " TOUCHED("a.attrelid")
" GROUP BY c.oid, n.name, c.relname"

" UNION ALL SELECT 'constraint ' || quote_ident(k.conname) || ' on ' ||"
" CASE WHEN k.conrelid <> 0 THEN k.conrelid::regclass::text ELSE k.contypid::regtype::text END, " LINES
"pg_get_constraintdef(k.oid), 'validated ' || k.convalidated, 'local ' || k.conislocal,"
" 'parents ' || nullif(k.coninhcount, 0), 'index ' || nullif(k.conindid, 0)::regclass), k.conrelid::bigint"
" FROM pg_constraint k JOIN " OURS " n ON n.oid = k.connamespace"
" WHERE (k.conrelid = 0 OR " TOUCHED("k.conrelid") ")"

" UNION ALL SELECT 'index ' || i.indexrelid::regclass, " LINES
"pg_get_indexdef(i.indexrelid), 'valid ' || i.indisvalid, 'ready ' || i.indisready,"
" 'clustered ' || i.indisclustered, 'replica identity ' || i.indisreplident, 'tablespace ' || s.spcname,"
" (SELECT 'statistics ' || string_agg(a.attnum || ' ' || a.attstattarget, ', ' ORDER BY a.attnum)"
" FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)), i.indexrelid::bigint"
" FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN " OURS " n ON n.oid = c.relnamespace"
" LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace"
" WHERE " TOUCHED("i.indexrelid")

" UNION ALL SELECT 'inheritance of ' || h.inhrelid::regclass || ' from ' || h.inhparent::regclass,"
" CASE WHEN h.inhdetachpending THEN 'detaching' ELSE '' END, h.inhrelid::bigint"
" FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid JOIN " OURS " n ON n.oid = c.relnamespace"
" WHERE " TOUCHED("h.inhrelid")

" UNION ALL SELECT 'trigger ' || quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass,"
" " LINES "pg_get_triggerdef(t.oid), 'enabled ' || t.tgenabled::text), t.tgrelid::bigint FROM pg_trigger t WHERE NOT t.tgisinternal AND " TOUCHED("t.tgrelid")

" UNION ALL SELECT 'triggers of foreign keys on ' || t.tgrelid::regclass,"
" string_agg(t.tgfoid::regproc || ' ' || t.tgenabled::text, E'\\n' ORDER BY t.tgfoid::regproc::text, t.tgenabled), t.tgrelid::bigint"
" FROM pg_trigger t WHERE t.tgisinternal AND " TOUCHED("t.tgrelid") " GROUP BY t.tgrelid"

" UNION ALL SELECT 'policy ' || quote_ident(p.polname) || ' on ' || p.polrelid::regclass, " LINES
"'command ' || p.polcmd::text, 'permissive ' || p.polpermissive,"
" (SELECT 'roles ' || string_agg(CASE o WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END, ', '"
" ORDER BY pg_get_userbyid(o)) FROM unnest(p.polroles) o),"
" 'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid)), p.polrelid::bigint"
" FROM pg_policy p"
" WHERE " TOUCHED("p.polrelid");

/* What rewrite rules say: to print one the server locks the relations in it. */
static const char rules_sql[] =
"SELECT 'definition of ' || CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'materialized view ' END ||"
" n.name || '.' || quote_ident(c.relname), pg_get_viewdef(c.oid), c.oid::bigint"
" FROM pg_class c JOIN " OURS " n ON n.oid = c.relnamespace"
" WHERE c.relkind IN ('v', 'm') AND " TOUCHED("c.oid")

" UNION ALL SELECT 'rule ' || quote_ident(r.rulename) || ' on ' || r.ev_class::regclass,"
" " LINES "pg_get_ruledef(r.oid), 'enabled ' || r.ev_enabled::text), r.ev_class::bigint"
" FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN " OURS " n ON n.oid = c.relnamespace"
" WHERE r.rulename <> '_RETURN' AND " TOUCHED("r.ev_class");

static const char with_rules_sql[] =
"SELECT DISTINCT r.ev_class::bigint FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class"
" JOIN " OURS " n ON n.oid = c.relnamespace WHERE " TOUCHED("r.ev_class");

/* All that stands beside relations, or changes without that. */
static const char others_sql[] =
"SELECT 'schema ' || n.name, " LINES OWNER("n.nspowner") ", " ACL("n.nspacl", "n", "n.nspowner") ")"
" FROM " OURS " n"

" UNION ALL SELECT 'numbers of sequence ' || s.seqrelid::regclass, " LINES
"'type ' || format_type(s.seqtypid, NULL), 'start ' || s.seqstart, 'increment ' || s.seqincrement,"
" 'minimum ' || s.seqmin, 'maximum ' || s.seqmax, 'cache ' || s.seqcache, 'cycle ' || s.seqcycle,"
" (SELECT 'owned by ' || d.refobjid::regclass || '.' || quote_ident(a.attname)"
" FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
" WHERE d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid"
" AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))"
" FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN " OURS " n ON n.oid = c.relnamespace"

" UNION ALL SELECT 'statistics ' || n.name || '.' || quote_ident(s.stxname), " LINES
"pg_get_statisticsobjdef(s.oid), " OWNER("s.stxowner") ", 'target ' || nullif(s.stxstattarget, -1))"
" FROM pg_statistic_ext s JOIN " OURS " n ON n.oid = s.stxnamespace"

" UNION ALL SELECT CASE p.prokind WHEN 'a' THEN 'aggregate ' ELSE 'function ' END || p.oid::regprocedure, " LINES
"CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE"
" (SELECT concat_ws(', ', a.aggkind, a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,"
" a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn, a.aggsortop::regoperator, a.aggtranstype::regtype, a.agginitval,"
" pg_get_function_result(p.oid)) FROM pg_aggregate a WHERE a.aggfnoid = p.oid) END,"
" " OWNER("p.proowner") ", " ACL("p.proacl", "f", "p.proowner") ")"
" FROM pg_proc p JOIN " OURS " n ON n.oid = p.pronamespace"

" UNION ALL SELECT 'type ' || t.oid::regtype, " LINES
"'kind ' || t.typtype::text, " OWNER("t.typowner") ", " ACL("t.typacl", "T", "t.typowner") ","
" (SELECT 'labels ' || string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)"
" FROM pg_enum e WHERE e.enumtypid = t.oid),"
" CASE t.typtype WHEN 'd' THEN concat_ws(E'\\n', 'base ' || format_type(t.typbasetype, t.typtypmod),"
" CASE WHEN t.typnotnull THEN 'not null' ELSE 'nullable' END, 'default ' || t.typdefault,"
" 'collation ' || nullif(t.typcollation, 0)::regcollation)"
" WHEN 'b' THEN concat_ws(', ', t.typlen, t.typbyval, t.typalign, t.typstorage, t.typcategory, t.typdelim,"
" t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze, t.typdefault)"
" WHEN 'r' THEN (SELECT concat_ws(', ', r.rngsubtype::regtype, r.rngmultitypid::regtype,"
" nullif(r.rngcollation, 0)::regcollation, r.rngcanonical, r.rngsubdiff) FROM pg_range r"
" WHERE r.rngtypid = t.oid) END)"
" FROM pg_type t JOIN " OURS " n ON n.oid = t.typnamespace"
" WHERE t.typtype <> 'c' AND NOT (t.typcategory = 'A' AND t.typelem <> 0)"

" UNION ALL SELECT 'extension ' || quote_ident(e.extname), " LINES "e.extversion, e.extnamespace::regnamespace)"
" FROM pg_extension e"

" UNION ALL SELECT 'event trigger ' || quote_ident(t.evtname), " LINES "t.evtevent, t.evtfoid::regproc, t.evtenabled,"
" " LIST("t.evttags") ", " OWNER("t.evtowner") ") FROM pg_event_trigger t"

" UNION ALL SELECT 'publication ' || quote_ident(p.pubname), " LINES
"p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot, " OWNER("p.pubowner") ","
" (SELECT string_agg(r.prrelid::regclass || coalesce(' ' || r.prattrs::text, '') ||"
" coalesce(' ' || pg_get_expr(r.prqual, r.prrelid), ''), ', ' ORDER BY r.prrelid::regclass::text)"
" FROM pg_publication_rel r WHERE r.prpubid = p.oid),"
" (SELECT string_agg(s.pnnspid::regnamespace::text, ', ' ORDER BY s.pnnspid::regnamespace::text)"
" FROM pg_publication_namespace s WHERE s.pnpubid = p.oid)) FROM pg_publication p"

" UNION ALL SELECT 'subscription ' || quote_ident(s.subname), " LINES
"s.subenabled, s.subslotname, " LIST("s.subpublications") ", " OWNER("s.subowner") ")"
" FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()"

" UNION ALL SELECT 'foreign data wrapper ' || quote_ident(w.fdwname), " LINES "w.fdwhandler::regproc, w.fdwvalidator::regproc,"
" " LIST("w.fdwoptions") ", " OWNER("w.fdwowner") ", " ACL("w.fdwacl", "F", "w.fdwowner") ") FROM pg_foreign_data_wrapper w"

" UNION ALL SELECT 'server ' || quote_ident(s.srvname), " LINES "w.fdwname, s.srvtype, s.srvversion, "
LIST("s.srvoptions") ", " OWNER("s.srvowner") ", " ACL("s.srvacl", "S", "s.srvowner") ")"
" FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw"

" UNION ALL SELECT 'user mapping for ' || quote_ident(u.usename) || ' on ' || quote_ident(u.srvname), "
LIST("u.umoptions") " FROM pg_user_mappings u"

" UNION ALL SELECT 'cast from ' || castsource::regtype || ' to ' || casttarget::regtype,"
" " LINES "nullif(castfunc, 0)::regprocedure, castcontext, castmethod) FROM pg_cast WHERE oid >= " USERS_OWN

" UNION ALL SELECT 'operator ' || o.oid::regoperator, " LINES "o.oprcode, o.oprresult::regtype, nullif(o.oprcom, 0)::regoperator,"
" nullif(o.oprnegate, 0)::regoperator, o.oprrest, o.oprjoin, o.oprcanmerge, o.oprcanhash, " OWNER("o.oprowner") ")"
" FROM pg_operator o JOIN " OURS " n ON n.oid = o.oprnamespace"

" UNION ALL SELECT 'operator class ' || n.name || '.' || quote_ident(o.opcname) || ' for ' || a.amname,"
" " LINES "f.opfname, o.opcintype::regtype, nullif(o.opckeytype, 0)::regtype, o.opcdefault, " OWNER("o.opcowner") ")"
" FROM pg_opclass o JOIN " OURS " n ON n.oid = o.opcnamespace JOIN pg_am a ON a.oid = o.opcmethod"
" JOIN pg_opfamily f ON f.oid = o.opcfamily"

" UNION ALL SELECT 'operator family ' || n.name || '.' || quote_ident(f.opfname) || ' for ' || a.amname, " LINES
"(SELECT string_agg(o.amopstrategy || ' ' || o.amopopr::regoperator, E'\\n' ORDER BY o.amopstrategy, o.amopopr::regoperator::text)"
" FROM pg_amop o WHERE o.amopfamily = f.oid),"
" (SELECT string_agg(p.amprocnum || ' ' || p.amproc::regprocedure, E'\\n' ORDER BY p.amprocnum, p.amproc::regprocedure::text)"
" FROM pg_amproc p WHERE p.amprocfamily = f.oid), " OWNER("f.opfowner") ")"
" FROM pg_opfamily f JOIN " OURS " n ON n.oid = f.opfnamespace JOIN pg_am a ON a.oid = f.opfmethod"

" UNION ALL SELECT 'collation ' || c.oid::regcollation, " LINES
"c.collprovider, c.collisdeterministic, c.collencoding, c.collcollate, c.collctype, " OWNER("c.collowner") ")"
" FROM pg_collation c JOIN " OURS " n ON n.oid = c.collnamespace"

" UNION ALL SELECT 'conversion ' || n.name || '.' || quote_ident(c.conname), " LINES
"c.conforencoding, c.contoencoding, c.conproc, c.condefault, " OWNER("c.conowner") ")"
" FROM pg_conversion c JOIN " OURS " n ON n.oid = c.connamespace"

" UNION ALL SELECT 'text search configuration ' || c.oid::regconfig, " LINES OWNER("c.cfgowner") ","
" (SELECT string_agg(m.maptokentype || ' ' || m.mapseqno || ' ' || m.mapdict::regdictionary, E'\\n'"
" ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = c.oid))"
" FROM pg_ts_config c JOIN " OURS " n ON n.oid = c.cfgnamespace"

" UNION ALL SELECT 'text search dictionary ' || d.oid::regdictionary, " LINES OWNER("d.dictowner") ", d.dictinitoption)"
" FROM pg_ts_dict d JOIN " OURS " n ON n.oid = d.dictnamespace"

" UNION ALL SELECT 'language ' || quote_ident(l.lanname), " LINES "l.lanpltrusted, nullif(l.lanplcallfoid, 0)::regprocedure,"
" " OWNER("l.lanowner") ", " ACL("l.lanacl", "l", "l.lanowner") ") FROM pg_language l WHERE l.lanispl"

" UNION ALL SELECT 'access method ' || quote_ident(amname), amhandler::text FROM pg_am WHERE oid >= " USERS_OWN

" UNION ALL SELECT 'transform for ' || t.trftype::regtype || ' in ' || l.lanname,"
" " LINES "t.trffromsql::regproc, t.trftosql::regproc) FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang"

" UNION ALL SELECT format('default privileges of %I on %s%s', pg_get_userbyid(d.defaclrole), d.defaclobjtype,"
" ' in ' || nullif(d.defaclnamespace, 0)::regnamespace),"
" (SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM unnest(d.defaclacl) x) FROM pg_default_acl d"

" UNION ALL SELECT 'role ' || quote_ident(r.rolname), " LINES "'superuser ' || r.rolsuper, 'inherit ' || r.rolinherit,"
" 'createrole ' || r.rolcreaterole, 'createdb ' || r.rolcreatedb, 'login ' || r.rolcanlogin,"
" 'replication ' || r.rolreplication, 'bypassrls ' || r.rolbypassrls, 'connection limit ' || r.rolconnlimit,"
" 'valid until ' || r.rolvaliduntil,"
" (SELECT 'member of ' || string_agg(pg_get_userbyid(m.roleid) || CASE WHEN m.admin_option THEN ' with admin' ELSE '' END, ', '"
" ORDER BY pg_get_userbyid(m.roleid), m.admin_option) FROM pg_auth_members m WHERE m.member = r.oid)) FROM pg_roles r"

" UNION ALL SELECT format('settings of role %s in database %s', nullif(s.setrole, 0)::regrole, d.datname), "
LIST("s.setconfig") " FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase"

" UNION ALL SELECT 'comment on ' || i.type || ' ' || i.identity, d.description FROM pg_description d,"
" LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i"
" WHERE d.objoid >= " USERS_OWN " OR (d.classoid = 'pg_namespace'::regclass AND d.objoid = 'public'::regnamespace)"

" UNION ALL SELECT 'label of ' || l.provider || ' on ' || i.type || ' ' || i.identity, l.label FROM pg_seclabel l,"
" LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) i";

static int
by_key(const void *a, const void *b)
{
	return strcmp(((const Entry *) a)->key, ((const Entry *) b)->key);
}

static List *
texts_of_oids(List *oids)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, oids)
		result = lappend(result, psprintf("%u", lfirst_oid(lc)));
	return result;
}

static void
make_room(MigFingerprint *fingerprint, uint64 more)
{
	Size		bytes = sizeof(Entry) * (fingerprint->size + more + 1);

	fingerprint->entries = fingerprint->entries ?
		repalloc_huge(fingerprint->entries, bytes) : palloc_extended(bytes, MCXT_ALLOC_HUGE);
}

/*
 * What SET may have changed about how things are printed, until the query
 * ends; and the cost of the plan would make the server compile it, which
 * takes longer than to run it.
 */
static void
print_alike(void)
{
	static const char *const settings[][2] = {
		{"DateStyle", "ISO, YMD"}, {"IntervalStyle", "postgres"}, {"TimeZone", "UTC"},
		{"extra_float_digits", "1"}, {"bytea_output", "hex"}, {"quote_all_identifiers", "off"},
		{"jit", "off"}, {"plan_cache_mode", "force_generic_plan"}
	};

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

/* touched: relations whose entries are wanted; all: of all of them. */
static void
read_part(MigFingerprint *fingerprint, const char *sql, List *touched, bool all)
{
	MigQuery	query;

	mig_query_begin(&query, sql);
	print_alike();
	mig_arg_texts(&query, texts_of_oids(touched), all);
	mig_query_run(&query);
	make_room(fingerprint, query.rows);
	for (uint64 i = 0; i < query.rows; i++)
	{
		Entry	   *entry = &fingerprint->entries[fingerprint->size];
		char	   *key = mig_col_text(&query, i, 1);
		char	   *definition = mig_col_text(&query, i, 2);

		if (key == NULL)		/* its object has been dropped meanwhile */
			continue;
		entry->key = key;
		entry->definition = definition ? definition : "";
		entry->relid = sql == others_sql ? InvalidOid : (Oid) mig_col_int64(&query, i, 3);
		fingerprint->size++;
	}
	mig_query_end(&query);
}

static void
copy_untouched(MigFingerprint *fingerprint, const MigFingerprint *before, List *touched)
{
	make_room(fingerprint, before->size);
	for (int i = 0; i < before->size; i++)
	{
		const Entry *entry = &before->entries[i];

		if (OidIsValid(entry->relid) && !list_member_oid(touched, entry->relid))
			fingerprint->entries[fingerprint->size++] = *entry;
	}
}

/* The relations that have rules. */
static List *
relations_with_rules(List *touched, bool all)
{
	MigQuery	query;
	List	   *result = NIL;

	mig_query_begin(&query, with_rules_sql);
	mig_arg_texts(&query, texts_of_oids(touched), all);
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
		result = lappend_oid(result, (Oid) mig_col_int64(&query, i, 1));
	mig_query_end(&query);
	return result;
}

/* A few at a time, giving back the locks: there may be more than the lock table has room for. */
static void
read_rules(MigFingerprint *fingerprint, List *touched, bool all)
{
	List	   *left = relations_with_rules(touched, all);

	while (left != NIL)
	{
		MemoryContext context = CurrentMemoryContext;
		ResourceOwner owner = CurrentResourceOwner;
		List	   *batch = list_truncate(list_copy(left), BATCH);

		left = list_copy_tail(left, BATCH);
		BeginInternalSubTransaction(NULL);
		MemoryContextSwitchTo(context);
		read_part(fingerprint, rules_sql, batch, false);
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
}

static MigFingerprint *
read_all(MigFingerprint *fingerprint, List *touched, bool all)
{
	read_part(fingerprint, relations_sql, touched, all);
	read_part(fingerprint, others_sql, NIL, true);
	read_rules(fingerprint, touched, all);
	qsort(fingerprint->entries, fingerprint->size, sizeof(Entry), by_key);
	return fingerprint;
}

MigFingerprint *
mig_fingerprint(void)
{
	return read_all(palloc0(sizeof(MigFingerprint)), NIL, true);
}

MigFingerprint *
mig_fingerprint_again(const MigFingerprint *before, List *touched)
{
	MigFingerprint *fingerprint = palloc0(sizeof(MigFingerprint));

	copy_untouched(fingerprint, before, touched);
	return read_all(fingerprint, touched, false);
}

/* --- comparing --- */

/* Is the line of that length among the lines of text? */
static bool
has_line(const char *text, const char *line, int len)
{
	for (;;)
	{
		const char *end = strchr(text, '\n');
		int			here = end ? end - text : strlen(text);

		if (here == len && strncmp(text, line, len) == 0)
			return true;
		if (end == NULL)
			return false;
		text = end + 1;
	}
}

/* The lines of "text" that "other" has not, after a word. */
static void
append_own_lines(StringInfo buf, const char *word, const char *text, const char *other)
{
	bool		first = true;

	while (*text)
	{
		int			len = strcspn(text, "\n");
		int			blanks = strspn(text, " ");
		int			shown = pg_mbcliplen(text + blanks, len - blanks, MAX_SHOWN);

		if (!has_line(other, text, len))
		{
			appendStringInfo(buf, "%s%.*s%s", first ? word : ", ", shown, text + blanks,
							 shown < len - blanks ? "..." : "");
			first = false;
		}
		text += len + (text[len] == '\n');
	}
}

/* The lines of "text" that "other" has, too, on one line. */
static char *
common_lines(const char *text, const char *other)
{
	StringInfoData buf;

	initStringInfo(&buf);
	while (*text)
	{
		int			len = strcspn(text, "\n");

		if (has_line(other, text, len))
			appendStringInfo(&buf, "%s%.*s", buf.len ? ", " : "", len, text);
		text += len + (text[len] == '\n');
	}
	return buf.data;
}

static bool
is_column_order(const Entry *entry)
{
	return strncmp(entry->key, COLUMN_ORDER, strlen(COLUMN_ORDER)) == 0;
}

/* Columns that come or go are told of by themselves; NULL: the others stand as before. */
static char *
describe_order(const Entry *before, const Entry *after)
{
	char	   *was = common_lines(before->definition, after->definition);
	char	   *is = common_lines(after->definition, before->definition);

	return strcmp(was, is) == 0 ? NULL : psprintf("%s: was %s; is %s", before->key, was, is);
}

static char *
describe_change(const Entry *before, const Entry *after)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s:", before->key);
	append_own_lines(&buf, " was ", before->definition, after->definition);
	append_own_lines(&buf, buf.data[buf.len - 1] == ':' ? " is " : "; is ",
					 after->definition, before->definition);
	if (buf.data[buf.len - 1] == ':')	/* the same lines in another order */
		appendStringInfoString(&buf, " differs");
	return buf.data;
}

List *
mig_fingerprint_compare(const MigFingerprint *before, const MigFingerprint *after)
{
	List	   *result = NIL;
	int			i = 0;
	int			j = 0;

	while (i < before->size || j < after->size)
	{
		const Entry *was = i < before->size ? &before->entries[i] : NULL;
		const Entry *is = j < after->size ? &after->entries[j] : NULL;
		int			order = was == NULL ? 1 : is == NULL ? -1 : by_key(was, is);
		char	   *change = NULL;

		if (order == 0 && is_column_order(was))
			change = describe_order(was, is);
		else if (order != 0 && is_column_order(order < 0 ? was : is))
			change = NULL;		/* the table itself has come or gone */
		else if (order < 0)
			change = psprintf("%s is gone", was->key);
		else if (order > 0)
			change = psprintf("%s is new", is->key);
		else if (strcmp(was->definition, is->definition) != 0)
			change = describe_change(was, is);
		if (change)
			result = lappend(result, change);
		i += order <= 0;
		j += order >= 0;
	}
	return result;
}
