/*-------------------------------------------------------------------------
 *
 * catalog_server.c
 *	  What the server's own views say about dangers to a migration.
 *
 * Each query has the same arguments and returns rows of (bad, text).  None of
 * them opens a user's relation, so none can wait for a lock; all of them work
 * on a standby.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog_server.h"
#include "compat.h"
#include "query.h"

/*
 *	$1 relations		$2 those that are altered	$3 old_ms
 *	$4 lag_ms			$5 slot_bytes				$6 ignored_replicas
 */
#define CONCERNED \
	"(WITH RECURSIVE tree(oid, name) AS (SELECT to_regclass(name)::oid, name FROM unnest($1) u(name)" \
	" UNION SELECT i.inhrelid, i.inhrelid::regclass::text FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)" \
	" SELECT oid, name FROM tree)"
#define SINCE(t) "extract(epoch FROM clock_timestamp() - " t ")::bigint || ' s'"
#define WAL_NOW "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"

static const char *const looks[MIG_LOOKS] = {
	[MIG_LOOK_SNAPSHOTS] =
	"SELECT true, pid::text FROM pg_stat_activity"
	" WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database())"
	" AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL"
	" AND backend_type <> 'autovacuum worker'"
	" AND xact_start < clock_timestamp() - $3 * interval '1 ms' ORDER BY xact_start",

	/*
	 * A prepared transaction shares its virtual transaction's number with the
	 * lock on its own id.
	 */
	[MIG_LOOK_PREPARED] =
	"SELECT h.names IS NOT NULL OR p.prepared < clock_timestamp() - $3 * interval '1 ms',"
	" format('prepared transaction \"%s\" of role %I, prepared %s ago%s', p.gid, p.owner,"
	" " SINCE("p.prepared") ", ', holds locks on ' || h.names)"
	" FROM pg_prepared_xacts p, LATERAL (SELECT string_agg(DISTINCT c.name, ', ') FROM pg_locks x"
	" JOIN pg_locks l ON l.virtualtransaction = x.virtualtransaction AND l.pid IS NULL"
	" JOIN " CONCERNED " c ON c.oid = l.relation"
	" WHERE x.locktype = 'transactionid' AND x.transactionid = p.transaction AND x.pid IS NULL"
	" AND l.locktype = 'relation') h(names)"
	" WHERE p.database = current_database() ORDER BY p.prepared",

	[MIG_LOOK_VACUUMS] =
	"SELECT true, format('pid %s vacuums %s against wraparound, since %s: %s of %s blocks', a.pid,"
	" c.name, " SINCE("a.xact_start") ", v.heap_blks_scanned, v.heap_blks_total)"
	" FROM pg_stat_progress_vacuum v JOIN pg_stat_activity a USING (pid)"
	" JOIN " CONCERNED " c ON c.oid = v.relid"
	" WHERE a.query LIKE 'autovacuum:%(to prevent wraparound)' ORDER BY c.name",

	/*
	 * At autovacuum_freeze_max_age a vacuum begins that nothing cancels; the
	 * server stops at 2^31, half of which leaves time to do something.
	 */
	[MIG_LOOK_AGES] =
	"SELECT true, format('%s has reached %s percent of the age at which such a vacuum begins',"
	" name, floor(100 * reached))"
	" FROM (SELECT n.name, max(greatest("
	"age(c.relfrozenxid) / least(current_setting('autovacuum_freeze_max_age')::float8,"
	" (SELECT option_value::float8 FROM pg_options_to_table(c.reloptions)"
	" WHERE option_name = 'autovacuum_freeze_max_age')),"
	" mxid_age(c.relminmxid) / least(current_setting('autovacuum_multixact_freeze_max_age')::float8,"
	" (SELECT option_value::float8 FROM pg_options_to_table(c.reloptions)"
	" WHERE option_name = 'autovacuum_multixact_freeze_max_age')))) AS reached"
	" FROM " CONCERNED " n JOIN pg_class r ON r.oid = n.oid"
	" JOIN pg_class c ON c.oid IN (r.oid, r.reltoastrelid) AND c.relkind IN ('r', 'm', 't')"
	" GROUP BY n.name) t WHERE reached > 0.95"
	" UNION ALL SELECT true, format('database %I has used up %s percent of its transaction ids',"
	" datname, floor(100 * used)) FROM (SELECT datname,"
	" greatest(age(datfrozenxid), mxid_age(datminmxid)) / 2147483648.0 AS used FROM pg_database) d"
	" WHERE used > 0.5 ORDER BY 2",

	[MIG_LOOK_REPLICAS] =
	"SELECT bad, text FROM (SELECT"
	" r.state IN ('startup', 'catchup', 'stopping') OR"
	" ($4 > 0 AND coalesce(r.replay_lag, '0') > $4 * interval '1 ms') AS bad,"
	" format('replica \"%s\"%s (%s) is %s behind%s', r.application_name, ' at ' || host(r.client_addr),"
	" r.state, coalesce(pg_size_pretty(pg_wal_lsn_diff(" WAL_NOW ", r.replay_lsn)), 'an amount not known'),"
	" ', ' || (1000 * extract(epoch FROM r.replay_lag))::bigint || ' ms') AS text"
	" FROM pg_stat_replication r WHERE r.state <> 'backup'"
	" AND r.application_name <> ALL (string_to_array(replace($6, ' ', ''), ','))"
	" AND NOT EXISTS (SELECT FROM pg_replication_slots s"
	" WHERE s.active_pid = r.pid AND s.slot_type = 'logical')"
	" UNION ALL SELECT true, 'synchronous_standby_names is set, and no synchronous standby is connected:"
	" each COMMIT waits for one'"
	" WHERE NOT pg_is_in_recovery() AND current_setting('synchronous_standby_names') <> ''"
	" AND current_setting('synchronous_commit') NOT IN ('off', 'local')"
	" AND NOT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))) t"
	" ORDER BY text",

	[MIG_LOOK_ARCHIVER] =
	"SELECT true, format('archiving of %s failed %s ago; %s', last_failed_wal,"
	" " SINCE("last_failed_time") ","
	" coalesce('the last success was ' || " SINCE("last_archived_time") "::text || ' ago',"
	" 'none has succeeded'))"
	" FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'"
	" AND last_failed_time > coalesce(last_archived_time, '-infinity')",

	[MIG_LOOK_SLOTS] =
	"SELECT NOT active OR ($5 > 0 AND held > $5) OR wal_status IN ('unreserved', 'lost'),"
	" format('slot \"%s\" (%s, %s%s) holds %s of WAL', slot_name, slot_type,"
	" CASE WHEN active THEN 'active' ELSE 'nobody reads it' END,"
	" CASE WHEN wal_status IN ('unreserved', 'lost') THEN ', ' || wal_status END, pg_size_pretty(held))"
	" FROM (SELECT slot_name, slot_type, active, wal_status,"
	" greatest(pg_wal_lsn_diff(" WAL_NOW ", restart_lsn), 0) AS held"
	" FROM pg_replication_slots WHERE restart_lsn IS NOT NULL AND NOT temporary) s"
	" ORDER BY slot_name",

	[MIG_LOOK_INVALID] =
	"SELECT true, format('%I.%I on %s', n.nspname, i.relname, c.name)"
	" FROM " CONCERNED " c JOIN pg_index x ON x.indrelid = c.oid"
	" JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace"
	" WHERE NOT (x.indisvalid AND x.indisready AND x.indislive)"
	" AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.oid)"
	" AND NOT EXISTS (SELECT FROM migrate_internal.step s"
	" WHERE s.state = 'started' AND s.object = format('%I.%I', n.nspname, i.relname))"
	" ORDER BY 2",

	[MIG_LOOK_LOGICAL] =
	"SELECT c.name = ANY ($2), format('%s is part of %s', c.name, string_agg(w.what, ', ' ORDER BY w.what))"
	" FROM " CONCERNED " c JOIN pg_class r ON r.oid = c.oid AND r.relkind IN ('r', 'p'),"
	" LATERAL (SELECT format('publication %I', p.pubname) FROM pg_publication p"
	" WHERE p.puballtables AND r.relpersistence = 'p'"
	" OR EXISTS (SELECT FROM pg_publication_rel m WHERE m.prpubid = p.oid"
	" AND (m.prrelid = r.oid OR m.prrelid IN (SELECT a.relid::oid FROM pg_partition_ancestors(r.oid) a)))"
	" OR EXISTS (SELECT FROM pg_publication_namespace m"
	" WHERE m.pnpubid = p.oid AND m.pnnspid = r.relnamespace)"
	" UNION ALL SELECT format('subscription %I', s.subname) FROM pg_subscription_rel m"
	" JOIN pg_subscription s ON s.oid = m.srsubid WHERE m.srrelid = r.oid) w(what)"
	" GROUP BY c.name ORDER BY c.name",
};

List *
mig_server_look(MigLook look, const MigLookAt *at)
{
	MigQuery	query;
	List	   *result = NIL;

	mig_query_begin(&query, looks[look]);
	mig_arg_texts(&query, at->relations, false);
	mig_arg_texts(&query, at->altered, false);
	mig_arg_int(&query, at->old_ms);
	mig_arg_int(&query, at->lag_ms);
	mig_arg_int64(&query, at->slot_bytes, false);
	mig_arg_text(&query, at->ignored_replicas ? at->ignored_replicas : "");
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
	{
		MigSighting *sighting = palloc(sizeof(MigSighting));

		sighting->bad = mig_col_bool(&query, i, 1);
		sighting->text = mig_col_text(&query, i, 2);
		result = lappend(result, sighting);
	}
	mig_query_end(&query);
	return result;
}

List *
mig_server_lacking(const char *role, List *needs, List *names)
{
	MigQuery	query;
	List	   *result = NIL;

	mig_query_begin(&query,
					"SELECT DISTINCT CASE need"
					" WHEN 'connect' THEN 'it may not connect to this database'"
					" WHEN 'create' THEN format('it may not create anything in schema %s', name)"
					" WHEN 'own' THEN format('it does not own %s', name)"
					" WHEN 'maintain' THEN format('it may not maintain %s', name)"
					" WHEN 'trigger' THEN format('it may not put a trigger on %s', name)"
					" ELSE format('it has no right on %s', name) END"
					" FROM (SELECT need, name, c.oid, c.relowner"
					" FROM unnest($2, $3) u(need, name)"
					" LEFT JOIN pg_class c"
					" ON c.oid = CASE WHEN need NOT IN ('connect', 'create') THEN to_regclass(name) END) n"
					" WHERE CASE need"
					" WHEN 'connect' THEN NOT has_database_privilege($1, current_database(), 'CONNECT')"
					" WHEN 'create' THEN EXISTS (SELECT FROM pg_namespace s WHERE quote_ident(s.nspname) = name"
					" AND NOT has_schema_privilege($1, s.oid, 'CREATE'))"
					" WHEN 'own' THEN NOT pg_has_role($1, relowner, 'USAGE')"
					" WHEN 'maintain' THEN NOT pg_has_role($1, relowner, 'USAGE') AND"
					" CASE WHEN $4 THEN NOT has_table_privilege($1, oid, 'MAINTAIN') ELSE true END"
					" WHEN 'trigger' THEN NOT has_table_privilege($1, oid, 'TRIGGER')"
					" ELSE NOT has_table_privilege($1, oid,"
					" 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"
					" AND NOT has_any_column_privilege($1, oid, 'SELECT, INSERT, UPDATE, REFERENCES') END"
					" ORDER BY 1");
	mig_arg_text(&query, role);
	mig_arg_texts(&query, needs, false);
	mig_arg_texts(&query, names, false);
	mig_arg_bool(&query, MIG_ACL_MAINTAIN != 0);
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
		result = lappend(result, mig_col_text(&query, i, 1));
	mig_query_end(&query);
	return result;
}

double
mig_server_index_width(Oid relid, List *columns)
{
	MigQuery	query;
	double		width;

	mig_query_begin(&query,
					"SELECT coalesce(sum(coalesce(s.stawidth, CASE WHEN a.attlen > 0 THEN a.attlen END, 32)), 0)::float8"
					" FROM unnest($2) c(name)"
					" LEFT JOIN pg_attribute a ON a.attrelid = $1::bigint::oid AND a.attname = c.name"
					" LEFT JOIN pg_statistic s ON s.starelid = a.attrelid AND s.staattnum = a.attnum");
	mig_arg_int64(&query, relid, false);
	mig_arg_texts(&query, columns, false);
	mig_query_run(&query);
	width = mig_col_float(&query, 0, 1);
	mig_query_end(&query);
	return width;
}
