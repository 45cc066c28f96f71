# Columns that are kept equal under load: no client error, no row that
# differs, whatever is installed, filled, killed or taken away meanwhile.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Clients;
use Migrate;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 60000;
my $node = migrate_node('sync', 'fsync = off', 'wal_level = logical', 'max_prepared_transactions = 2');

$node->safe_psql('postgres', <<"SQL");
CREATE TABLE u (id int PRIMARY KEY, name text, full_name text, note int);
INSERT INTO u (id, name) SELECT i, 'name ' || i FROM generate_series(1, $rows) i;
-- holes that updates carry rows into
DELETE FROM u WHERE id % 10 = 0;
VACUUM u;
CREATE SEQUENCE ids START 1000000;
CREATE TABLE keys (name text PRIMARY KEY, full_name text UNIQUE, n int DEFAULT 0);
SQL

sub differing { return $node->safe_psql('postgres', "SELECT count(*) FROM $_[0] WHERE NOT migrate.in_sync($_[0])") }

# --- clients that know the old name, the new one, or neither; installed, filled, killed ---
my @old = (
	"\\set id random(1, $rows)\nUPDATE u SET note = :id WHERE id = :id;\n",
	"\\set id random(1, $rows)\nUPDATE u SET name = 'old ' || :id WHERE id = :id;\n"
	  . "INSERT INTO u (id, name) VALUES (nextval('ids'), 'inserted');\n",
	"\\set id random(1, $rows)\nDELETE FROM u WHERE id = :id AND id % 7 = 0;\n"
	  . "INSERT INTO u (id, name) VALUES (:id, 'upserted') ON CONFLICT (id) DO UPDATE SET name = excluded.name || '+';\n");
my @new = ("\\set id random(1, $rows)\nUPDATE u SET full_name = 'new ' || :id WHERE id = :id;\n"
	  . "INSERT INTO u (id, full_name) VALUES (nextval('ids'), 'inserted');\n");

my $old_clients = clients($node, 3, @old);
ok(has_written($node, 'u', 100), 'old clients are at work');
my $version = $node->safe_psql('postgres', "SELECT migrate.sync_columns('u', '{name}', '{full_name}',"
	  . " options => '{\"batch_time\": \"10ms\", \"batch_pause\": \"10ms\"}')");
my $new_clients = clients($node, 2, @new);
ok($node->poll_query_until('postgres',
		"SELECT coalesce(max(rows), 0) > 1000 FROM migrate_internal.cursor WHERE version = '$version'"),
	'rows are being filled');
my $worker = $node->safe_psql('postgres', 'SELECT pid FROM migrate.progress');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)") if $worker;
ok(wait_for_state($node, $version, 'failed'), 'the worker is killed in the middle');
cmp_ok(differing('u'), '>', 0, 'there are rows left to fill');
$node->safe_psql('postgres', "CALL migrate.apply('$version')");
is(status_of($node, $version), 'applied', 'and goes on');
ok(has_written($node, 'u', 500), 'clients still write');
is(errors_of($new_clients), '', 'no new client has met an error');
is(differing('u'), '0', 'no row differs');
is($node->safe_psql('postgres', 'SELECT count(*) FROM u WHERE full_name IS NULL'), '0', 'and none was missed');
$node->safe_psql('postgres', "SELECT migrate.unsync_columns('u', '{name}', '{full_name}')");
ok(has_written($node, 'u', 100), 'old clients go on alone');
is(errors_of($old_clients), '', 'no old client has met an error, from before the first trigger to after the last');

# --- the same key by the one name and by the other ---
$node->safe_psql('postgres', "SELECT migrate.sync_columns('keys', '{name}', '{full_name}', options => '{\"backfill\": false}')");
my @upserts = map {
	my ($set, $arbiter) = @$_;
	"\\set k random(1, 20)\nINSERT INTO keys ($set) VALUES ('k' || :k) ON CONFLICT ($arbiter) DO UPDATE SET n = keys.n + 1;\n"
} ([ 'name', 'name' ], [ 'full_name', 'full_name' ], [ 'name', 'full_name' ], [ 'full_name', 'name' ]);
my $upserting = clients($node, 8, @upserts,
	"\\set k random(1, 20)\nDELETE FROM keys WHERE full_name = 'k' || :k;\n",
	"\\set k random(1, 20)\nINSERT INTO keys (name) VALUES ('k' || :k) ON CONFLICT DO NOTHING;\n");
ok(has_written($node, 'keys', 4000), 'upserts of few keys by many clients');
is(errors_of($upserting), '', 'met no duplicate key');
is(differing('keys'), '0', 'no row differs');

# --- what is locked for that is given back ---
$node->safe_psql('postgres', "BEGIN; INSERT INTO keys (name) SELECT 'bulk' || i FROM generate_series(1, 20000) i; COMMIT");
$node->safe_psql('postgres', "BEGIN; INSERT INTO keys (name) VALUES ('never'); ROLLBACK");
my $session = $node->background_psql('postgres', on_error_die => 1);
$session->query_safe("BEGIN; INSERT INTO keys (name) SELECT 'more' || i FROM generate_series(1, 20000) i");
my $locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'keys'::regclass";
cmp_ok($node->safe_psql('postgres', $locks), '<', 1000, 'a bulk load does not fill the lock table');
$session->query_safe("SAVEPOINT s; INSERT INTO keys (name) VALUES ('a'), ('b'); ROLLBACK TO s; COMMIT");
is($node->safe_psql('postgres', $locks), '0', 'nothing stays locked after a commit');
$session->query_safe("BEGIN; INSERT INTO keys (name) VALUES ('c'); ROLLBACK");
is($node->safe_psql('postgres', $locks), '0', 'nor after an abort');
$session->query_safe("BEGIN; INSERT INTO keys (name) VALUES ('d'); PREPARE TRANSACTION 'keys'");
is($node->safe_psql('postgres', $locks), '0', 'nor after PREPARE TRANSACTION');
$session->query_safe("COMMIT PREPARED 'keys'");
$session->quit;

# --- a dump carries the trigger ---
my $dump = "$PostgreSQL::Test::Utils::tmp_check/sync.sql";
$node->safe_psql('postgres', "SELECT migrate.sync_columns('u', '{name}', '{full_name}', '{upper(name)}', '{lower(full_name)}', '{\"backfill\": false}')");
$node->command_ok([ 'pg_dump', '--no-sync', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $dump ], 'restore');
is($node->safe_psql('copy', "INSERT INTO u (id, name) VALUES (-1, 'x'), (-2, NULL); UPDATE u SET full_name = 'Y' WHERE id = -2;"
		  . ' SELECT name, full_name FROM u WHERE id < 0 ORDER BY id'), "y|Y\nx|X", 'the restored trigger works');
is($node->safe_psql('copy', 'SELECT count(*) FROM migrate.syncs WHERE active'), '2', 'and is known');
$node->safe_psql('copy', "SELECT migrate.unsync_columns('u', '{name}', '{full_name}')");

# --- rows that logical replication brings ---
$node->safe_psql('postgres', 'CREATE TABLE sent (id int PRIMARY KEY, name text); CREATE PUBLICATION p FOR TABLE sent');
$node->safe_psql('copy', <<"SQL");
CREATE TABLE sent (id int PRIMARY KEY, name text, full_name text);
SELECT migrate.sync_columns('sent', '{name}', '{full_name}');
SQL
$node->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
$node->safe_psql('copy', "CREATE SUBSCRIPTION s CONNECTION \$c\$" . $node->connstr('postgres') . "\$c\$ PUBLICATION p WITH (create_slot = false, slot_name = 's')");
$node->safe_psql('postgres', "INSERT INTO sent VALUES (1, 'a'), (2, 'b'); UPDATE sent SET name = 'c' WHERE id = 2; DELETE FROM sent WHERE id = 1");
ok($node->poll_query_until('copy', "SELECT string_agg(concat(id, name, full_name), ' ') = '2cc' FROM sent"),
	'what is applied is kept equal');
$node->safe_psql('copy', 'DROP TABLE sent; CREATE TABLE sent (id int, name text, full_name text); ALTER SUBSCRIPTION s REFRESH PUBLICATION WITH (copy_data = false)');
my ($rc, $out, $err) = $node->psql('copy', "SELECT migrate.sync_columns('sent', '{name}', '{full_name}')");
like($err, qr/neither a primary key nor a replica identity/, 'a subscribed table without a key is refused');
$node->safe_psql('copy', 'DROP SUBSCRIPTION s');

done_testing();
