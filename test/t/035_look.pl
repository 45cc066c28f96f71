# Look before you leap, with others about: what preflight sees of other
# sessions, of replicas and slots, and on a standby; how rehearse waits for
# locks, and for how long it lets others wait.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;
use Time::HiRes qw(time);

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "max_prepared_transactions = 5\nautovacuum = off\n"
	. "archive_mode = on\narchive_command = 'false'\nmax_worker_processes = 8\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION migrate;'
	. ' CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g;'
	. ' CREATE ROLE reader LOGIN; GRANT SELECT ON t TO reader; GRANT USAGE ON SCHEMA migrate TO reader');

sub register
{
	my ($version, $up, $down) = @_;
	$node->safe_psql('postgres', "SELECT migrate.register('$version', \$up\$$up\$up\$, "
		. (defined $down ? "\$down\$$down\$down\$" : 'NULL') . ')');
}

# ok and detail of one item, as "f|...".
sub item
{
	my ($item, $settings, $on) = @_;
	return ($on // $node)->safe_psql('postgres', ($settings // '')
		. "; SELECT ok, detail FROM migrate.preflight() WHERE item = '$item'");
}

# Wait until one item looks like that.
sub poll_item
{
	my ($item, $condition, $settings) = @_;
	local $ENV{PGOPTIONS} = $settings // '';
	return $node->poll_query_until('postgres',
		"SELECT $condition FROM migrate.preflight() WHERE item = '$item'");
}

register('0001', 'ALTER TABLE t ADD c int; CREATE INDEX CONCURRENTLY t_v ON t (v)');

# --- old transactions: who, how old, and what they are in the way of ---
my $old = Session->new($node, 'reader');
my $pid = $old->query('SELECT pg_backend_pid()');
$old->query('BEGIN; SELECT count(*) FROM t;');
ok(poll_item('old transactions', 'NOT ok', '-c migrate.stall_limit=1ms'), 'an old transaction is seen');
like(item('old transactions', "SET migrate.stall_limit = '1ms'"),
	qr/^f\|step 1 of 0001 wants AccessExclusiveLock on public\.t, held by pid $pid \(.*idle in transaction, transaction open for /s,
	'it is named, with its age and what it is in the way of');
$old->query('COMMIT;');

$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;');
ok(poll_item('old transactions', "detail LIKE '%concurrent steps have to wait for pid $pid%'", '-c migrate.stall_limit=1ms'),
	'an old snapshot is in the way of a concurrent build');
$old->query('COMMIT;');
like(item('old transactions'), qr/^t\|/, 'young ones are not');

# --- a table that somebody holds: not waited for, and said ---
my $holder = Session->new($node);
my $holder_pid = $holder->query('SELECT pg_backend_pid()');
$holder->query('BEGIN; LOCK TABLE t;');
my $before = time;
like(item('plan'), qr/^f\|.*public\.t.*locked.*held by pid $holder_pid/s, 'a locked table: the plan says who');
like(item('disk'), qr/^\|not looked at/, 'and the rest that nothing is known');
cmp_ok(time - $before, '<', 10, 'at once');
$holder->query('COMMIT;');

# --- the archiver, workers ---
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
ok(poll_item('archiver', "NOT ok AND detail LIKE 'archiving of % failed %'"), 'a failing archiver');
like(item('workers'), qr/^t\|\d of 8 worker processes/, 'workers');

# --- replicas ---
$node->backup('backup', backup_options => [ '--checkpoint', 'fast' ]);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
like(item('replicas'), qr/^t\|replica "standby".* is .* behind/, 'a replica that keeps up');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$node->safe_psql('postgres', 'CREATE TABLE grown AS SELECT generate_series(1, 1000)');
ok(poll_item('replicas', 'NOT ok', '-c migrate.max_replica_lag=1ms'), 'it lags');
like(item('replicas', "SET migrate.max_replica_lag = '1ms'"), qr/^f\|replica "standby"/, 'one that lags');
like(item('replicas', "SET migrate.max_replica_lag = '1ms'; SET migrate.ignore_replicas = 'other, standby'"),
	qr/^t\|/, 'one that may');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->reload;
ok(poll_item('replicas', "NOT ok AND detail LIKE '%no synchronous standby is connected%'"),
	'a synchronous standby that is missing');
$node->safe_psql('postgres', 'SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names');
$node->reload;

# --- slots: on the primary, and by how much ---
$node->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('left_behind', true)");
like(item('slots'), qr/^f\|slot "left_behind" \(physical, nobody reads it\) holds /, 'a slot that nobody reads');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('left_behind')");
like(item('slots'), qr/^t\|/, 'none');

# --- on a standby all of it works ---
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT count(*), count(*) FILTER (WHERE ok IS NULL) FROM migrate.preflight()"),
	$node->safe_psql('postgres', "SELECT count(*), 0 FROM migrate.preflight()"), 'preflight on a standby: every item is answered');
like(item('primary', '', $standby), qr/^f\|this server is a standby/, 'and it says where it is');
like($standby->safe_psql('postgres', 'SELECT migrate.runbook()'), qr/^# Runbook: apply 1 migration/, 'runbook on a standby');
my ($rc, $out, $err) = $standby->psql('postgres', "SELECT * FROM migrate.rehearse('0001')");
like($err, qr/cannot rehearse on a standby/, 'rehearse says why not');
$standby->stop;

# --- what others run is told to those alone who may see it ---
$old->quit;
$holder->query('BEGIN; SELECT count(*) FROM t;');
ok(poll_item('old transactions', "detail LIKE '%held by pid $holder_pid (%'", '-c migrate.stall_limit=1ms'),
	'a superuser is told all of it');
$node->safe_psql('postgres', 'ALTER ROLE reader NOINHERIT; GRANT postgres TO reader');
my $reader = Session->new($node, 'reader');
$reader->query("SET migrate.stall_limit = '1ms'");
like($reader->query("SELECT detail FROM migrate.preflight() WHERE item = 'old transactions'"),
	qr/held by pid $holder_pid\z/, 'of the session of another role the pid alone is told');
$reader->quit;

# --- rehearse waits for a lock without queueing, then says who has it ---
register('0002', 'ALTER TABLE t ADD c int', 'ALTER TABLE t DROP c');
my $rehearser = Session->new($node);
$rehearser->query("SET migrate.stall_limit = '20ms'");
$rehearser->start("SELECT ok, sqlstate, message FROM migrate.rehearse('0002') WHERE direction = 'up'");
my $writer = Session->new($node);
my $slowest = 0;
for (1 .. 50)
{
	my $start = time;
	$writer->query("UPDATE t SET v = v WHERE id = 1");
	$slowest = time - $start if time - $start > $slowest;
}
cmp_ok($slowest, '<', 1, 'meanwhile nobody queues behind it');
like($rehearser->finish, qr/^f\|55P03\|could not get its locks: public\.t is held by pid $holder_pid /, 'who is in the way');
$holder->query('COMMIT;');
is($rehearser->query("SELECT string_agg(direction || ' ' || ok, ', ') FROM migrate.rehearse('0002')"),
	'up true, down true, schema true', 'once it is free, it goes well');

# --- and gives up when it has locked a writer out for max_lock ---
register('0003', 'ALTER TABLE t ADD c int; SELECT pg_sleep(600)', 'ALTER TABLE t DROP c');
$rehearser->start("SELECT ok, sqlstate FROM migrate.rehearse('0003', '500ms') WHERE step = 2");
ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock' AND granted)"),
	'the rehearsal holds its lock');
my $start = time;
$writer->query("UPDATE t SET v = v WHERE id = 1");
my $waited = time - $start;
is($rehearser->finish, 'f|57014', 'it gives up');
cmp_ok($waited, '<', 5, 'a writer has waited for max_lock, not for the step');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c'"),
	'0', 'nothing of it is left');
is($rehearser->query("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = 't'::regclass"),
	'0', 'nor any lock');

# --- Ctrl-C, and statement_timeout, end it as they end any query ---
my $rehearser_pid = $rehearser->query('SELECT pg_backend_pid()');
$rehearser->start("SELECT * FROM migrate.rehearse('0003', '1h')");
ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock' AND granted)"),
	'another rehearsal is under way');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($rehearser_pid)");
$rehearser->finish;
like($rehearser->errors, qr/57014.*canceling statement due to user request/s, 'cancelled');
$rehearser->query("SET statement_timeout = '300ms'; SELECT * FROM migrate.rehearse('0003', '1h');");
like($rehearser->errors, qr/57014.*statement timeout/s, 'timed out');
$rehearser->query('RESET statement_timeout');
is($rehearser->query("SELECT string_agg(direction || ' ' || ok, ', ') FROM migrate.rehearse('0002')"),
	'up true, down true, schema true', 'and the session is as good as before');

# --- wraparound: before a vacuum that nothing cancels begins, and while it is at work ---
like(item('wraparound'), qr/^t\|/, 'wraparound is far');
$node->safe_psql('postgres', 'INSERT INTO t SELECT g, g FROM generate_series(1001, 50000) g;'
	. ' ALTER TABLE t SET (autovacuum_freeze_max_age = 100000, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);'
	. ' CREATE TEMP TABLE x (id int);'
	. ' DO $$ BEGIN FOR i IN 1 .. 101000 LOOP BEGIN INSERT INTO x VALUES (i); EXCEPTION WHEN others THEN NULL; END; END LOOP; END $$');
like(item('wraparound'), qr/^f\|public\.t has reached 1\d\d percent/, 'a table that is due');
like(item('vacuum against wraparound'), qr/^t\|/, 'no such vacuum yet');
$node->safe_psql('postgres', 'ALTER SYSTEM SET autovacuum = on');
$node->safe_psql('postgres', "ALTER SYSTEM SET autovacuum_naptime = '1s'");
$node->reload;
ok(poll_item('vacuum against wraparound', "NOT ok AND detail LIKE 'pid % vacuums public.t against wraparound, %'"),
	'one that is at work');
like(item('old transactions'), qr/^f\|step 1 of 0001 wants AccessExclusiveLock on public\.t, held by pid \d+ \(autovacuum to prevent wraparound\)/,
	'and it is in the way');

$node->stop;
done_testing();
