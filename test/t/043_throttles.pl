# A backfill yields between its batches, says to what, and goes on by itself
# when the reason is gone, or when it is told not to mind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use lib $FindBin::RealBin;
use Migrate;
use PostgreSQL::Test::Cluster;
use Session;
use Test::More;

my $rows = 30000;
my $node = migrate_node('primary', 'wal_level = logical', 'max_prepared_transactions = 5', 'fsync = off',
	'autovacuum_naptime = 1s');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'wal_receiver_status_interval = 1s');
$standby->start;

# A table of its own for each, since runs that share one wait for each other.
sub make_table
{
	my ($table) = @_;

	$node->safe_psql('postgres',
		"CREATE TABLE $table (id int PRIMARY KEY, balance int NOT NULL, filler text);"
		  . " INSERT INTO $table SELECT g, 0, repeat('x', 100) FROM generate_series(1, $rows) g; ANALYZE $table");
}

# An UPDATE that cannot be repeated unnoticed, slow enough to be met at work.
sub start_backfill
{
	my ($version, $table, $options) = @_;

	make_table($table);
	register($node, $version, "UPDATE $table SET balance = balance + 1", options => $options);
	return background($node, "CALL migrate.apply('$version')");
}

sub waits_for
{
	my ($version, $type, $detail) = @_;

	ok($node->poll_query_until('postgres',
			"SELECT EXISTS (SELECT FROM migrate.progress WHERE version = '$version' AND wait_type = '$type'"
			  . " AND wait_detail ~ '$detail')"),
		"it waits and says why: $type, $detail");
}

sub changed
{
	my ($version, $on) = @_;

	return ($on // $node)->safe_psql('postgres',
		"SELECT coalesce(max(rows), 0) FROM migrate_internal.cursor WHERE version = '$version'");
}

# It looks again at least twice, and changes nothing meanwhile.
sub stands_still
{
	my ($version, $name) = @_;
	my $before = changed($version);

	foreach (1 .. 2)
	{
		my $until = $node->safe_psql('postgres', "SELECT wait_until FROM migrate_internal.run WHERE version = '$version'");
		$node->poll_query_until('postgres',
			"SELECT wait_until > '$until' FROM migrate_internal.run WHERE version = '$version'");
	}
	is(changed($version), $before, $name);
	cmp_ok($before, '<', $rows, '... in the middle');
}

sub is_exact
{
	my ($version, $table, $caller, $on) = @_;

	ok(finish($caller), "$version ends well") or diag($caller->{err}) if $caller;
	is(($on // $node)->safe_psql('postgres', "SELECT count(*), min(balance), max(balance) FROM $table"), "$rows|1|1",
		"$table: one increment each");
}

sub tune
{
	my ($version, $setting, $value) = @_;

	$node->safe_psql('postgres', "SELECT migrate.tune('$version', '$setting', '$value')");
}

# --- a window that closes; the wait lasts a minute, which is looked at in the end ---

make_table('in_window');
register($node, '0100', 'UPDATE in_window SET balance = balance + 1', options => '{"batch_time": "5ms", "batch_pause": "1s"}');
$node->safe_psql('postgres', "CALL migrate.apply('0100', wait => false)");
ok($node->poll_query_until('postgres', "SELECT rows > 0 FROM migrate_internal.cursor WHERE version = '0100'"),
	'a backfill is at work');
my $later = $node->safe_psql('postgres',
	"SELECT to_char(now() + interval '6 hours', 'HH24:MI') || '-' || to_char(now() + interval '7 hours', 'HH24:MI')");
tune('0100', 'window', $later);
waits_for('0100', 'window', 'opens at');
stands_still('0100', 'nothing is changed outside of the window');

# --- a standby that does not replay ---

$node->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
my $caller = start_backfill('0001', 'lagging', '{"max_replica_lag": "1s", "batch_time": "5ms", "batch_pause": "200ms"}');
waits_for('0001', 'replica', '^standby is [\\d.]+ s behind');
stands_still('0001', 'nothing is changed while the standby is behind');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
tune('0001', 'batch_pause', '0');
is_exact('0001', 'lagging', $caller);

# --- one that may lag ---

$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$caller = start_backfill('0002', 'ignored',
	'{"max_replica_lag": "100ms", "ignore_replicas": "other, standby", "batch_time": "5ms"}');
is_exact('0002', 'ignored', $caller);
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');

# --- a logical slot that nobody reads ---

$node->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('idle', 'pgoutput')");
$caller = start_backfill('0003', 'slotted', '{"max_slot_wal": "512kB", "batch_time": "5ms", "batch_pause": "10ms"}');
waits_for('0003', 'slot', '^slot idle holds back \\d+ kB');
stands_still('0003', 'nothing is changed while the slot holds back WAL');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('idle')");
is_exact('0003', 'slotted', $caller);

# --- WAL by the second ---

$caller = start_backfill('0004', 'rated', '{"max_wal_rate": "64kB", "batch_time": "5ms"}');
waits_for('0004', 'wal', 'the limit is 64 kB a second');
tune('0004', 'max_wal_rate', '0');
is_exact('0004', 'rated', $caller);

# --- little room on the disk ---

$caller = start_backfill('0005', 'cramped', '{"min_free_disk": "1000TB"}');
waits_for('0005', 'disk', ' left for .*, the limit is 1000 TB');
is(changed('0005'), 0, 'nothing is changed');
tune('0005', 'min_free_disk', '0');
is_exact('0005', 'cramped', $caller);

# --- an autovacuum of the table ---

make_table('vacuumed');
$node->safe_psql('postgres',
	'ALTER TABLE vacuumed SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1,'
	  . ' autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);'
	  . ' UPDATE vacuumed SET filler = filler || id; ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf()');
ok($node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE relid = 'vacuumed'::regclass)"), 'an autovacuum is at work');
register($node, '0006', 'UPDATE vacuumed SET balance = balance + 1');
$caller = background($node, "CALL migrate.apply('0006')");
waits_for('0006', 'vacuum', '^pid \\d+, autovacuum: VACUUM.* public\\.vacuumed');
$node->safe_psql('postgres', 'ALTER SYSTEM SET autovacuum = off; SELECT pg_reload_conf()');
$node->safe_psql('postgres',
	"SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum WHERE relid = 'vacuumed'::regclass");
is_exact('0006', 'vacuumed', $caller);

# --- an old snapshot is nothing to wait for, and sees what it saw ---

my $reader = Session->new($node);
$reader->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
make_table('watched');
$reader->query('COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ');
is($reader->query('SELECT sum(balance) FROM watched'), '0', 'a reader holds a snapshot');
register($node, '0007', 'UPDATE watched SET balance = balance + 1');
register($node, '0008', "UPDATE watched SET filler = NULL WHERE filler IS NOT NULL");
$node->safe_psql('postgres', "CALL migrate.apply('0007')");
$node->safe_psql('postgres', "CALL migrate.apply('0008')");
is_exact('0007', 'watched');
is($node->safe_psql('postgres', 'SELECT count(filler) FROM watched'), '0', 'by key and by blocks');
is($reader->query('SELECT sum(balance), count(filler) FROM watched'), "0|$rows", 'and the reader has seen nothing of it');
$reader->query('COMMIT');

# --- a prepared transaction that holds a row ---

make_table('held');
$node->safe_psql('postgres',
	"BEGIN; UPDATE held SET filler = 'mine' WHERE id = 20000; PREPARE TRANSACTION 'forgotten'");
register($node, '0009', 'UPDATE held SET balance = balance + 1');
$caller = background($node, "CALL migrate.apply('0009')");
waits_for('0009', 'lock', '^a prepared transaction$');
$node->safe_psql('postgres', "SET lock_timeout = '10s'; UPDATE held SET filler = 'too' WHERE id IN (1, 19999, 20001, 30000)");
$node->safe_psql('postgres', "COMMIT PREPARED 'forgotten'");
is_exact('0009', 'held', $caller);
is($node->safe_psql('postgres', "SELECT string_agg(filler, ' ' ORDER BY id) FROM held WHERE id IN (19999, 20000, 20001)"),
	'too mine too', 'and what others wrote is there');

# --- the wait that has lasted for a minute ---

ok($node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM migrate.history WHERE version = '0100' AND event = 'waiting')"),
	'a wait of a minute is an event');
like($node->safe_psql('postgres', "SELECT message FROM migrate.history WHERE version = '0100' AND event = 'waiting'"),
	qr/window .* opens at .*migrate\.pause\('0100'\)/, 'with the reason and the way out');
tune('0100', 'window', '');
tune('0100', 'batch_pause', '0');
$node->safe_psql('postgres', "CALL migrate.wait('0100')");
is_exact('0100', 'in_window');

# --- a standby that is promoted in the middle goes on from the cursor ---

$caller = start_backfill('0200', 'moved', '{"batch_time": "5ms", "batch_pause": "1s"}');
ok($node->poll_query_until('postgres', "SELECT rows > 0 FROM migrate_internal.cursor WHERE version = '0200'"),
	'a backfill is at work');
$node->wait_for_catchup($standby);
$node->stop('immediate');
kill_client($caller);
$standby->promote;
my $before = changed('0200', $standby);
cmp_ok($before, '>', 0, "the standby has $before rows of it");
cmp_ok($before, '<', $rows, '... not all');
is($standby->safe_psql('postgres', "SELECT count(*) FROM moved WHERE balance = 1"), $before, 'and a cursor that tells the truth');
$standby->safe_psql('postgres', "SELECT migrate.tune('0200', 'batch_pause', '0')");
$standby->safe_psql('postgres', "CALL migrate.apply('0200')");
is_exact('0200', 'moved', undef, $standby);
is($standby->safe_psql('postgres', "SELECT max(rows) FROM migrate.history WHERE version = '0200' AND event = 'step done'"),
	$rows - $before, 'it went on from there');

$standby->stop;
done_testing();
