# A backfill by several workers reaches each row exactly once, whichever of them
# is killed; their number follows migrate.workers while it runs, as far as there
# are slots for them.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;
use IPC::Run;

my $rows = 200000;
my $node = PostgreSQL::Test::Cluster->new('workers');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\nrestart_after_crash = on\nmax_worker_processes = 20\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION migrate');

my $script = PostgreSQL::Test::Utils::tempdir() . '/clients.sql';
append_to_file($script, <<"SQL");
\\set id random(1, $rows)
\\set gone random(1, $rows)
UPDATE accounts SET note = 'seen' WHERE id = :id;
DELETE FROM accounts WHERE id = :gone AND id % 7 = 0;
INSERT INTO accounts (balance) VALUES (0);
SQL
my $output = '';

sub start_clients
{
	return IPC::Run::start([ 'pgbench', '-n', '-c', '2', '-T', '600', '-f', $script,
			'-h', $node->host, '-p', $node->port, 'postgres' ], '>', \$output, '2>&1');
}

sub make_accounts
{
	$node->safe_psql('postgres', "DROP TABLE IF EXISTS accounts; CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
			. " balance int NOT NULL, note text); INSERT INTO accounts (balance) SELECT 0 FROM generate_series(1, $rows)");
}

sub register
{
	my ($version, $up, $options) = @_;

	$node->safe_psql('postgres', "SELECT migrate.register('$version', \$up\$$up\$up\$, options => '$options')");
}

sub done_rows
{
	my ($version) = @_;
	return $node->safe_psql('postgres',
		"SELECT coalesce(sum(rows), 0) FROM migrate_internal.cursor WHERE version = '$version'");
}

sub wait_for_rows
{
	my ($version, $n) = @_;
	return $node->poll_query_until('postgres',
		"SELECT coalesce(sum(rows), 0) > $n FROM migrate_internal.cursor WHERE version = '$version'");
}

# The workers at work on a version, its own first; helpers end and begin at their ranges.
sub workers
{
	my ($version) = @_;
	my ($own, @others);

	until (@others)
	{
		$own = $node->safe_psql('postgres', "SELECT pid FROM migrate.progress WHERE version = '$version'") || 0;
		@others = split /\n/, $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity"
				. " WHERE application_name = 'migrate: step 1 of $version' AND pid <> $own ORDER BY pid");
		@others = () unless $own;
	}
	return ($own, @others);
}

sub wait_for_workers
{
	my ($version, $n) = @_;
	return $node->poll_query_until('postgres',
		"SELECT count(*) = $n FROM pg_stat_activity WHERE application_name = 'migrate: step 1 of $version'");
}

my $slow = '"batch_time": "5ms", "batch_pause": "20ms"';

# --- under load, each of them killed ---
make_accounts();
register('0001', 'UPDATE accounts SET balance = balance + 1', "{\"workers\": 3, $slow}");
my $clients = start_clients();
my $caller = Session->new($node);
$caller->start('CALL migrate.apply();');
ok(wait_for_workers('0001', 3), 'three workers are at work');
ok(wait_for_rows('0001', 1000), 'rows are changed');
ok($node->poll_query_until('postgres', "SELECT workers = 3 FROM migrate.progress"), 'progress counts them');
ok($node->poll_query_until('postgres', "SELECT wal_per_row > 0 AND hot_percent BETWEEN 0 AND 100 FROM migrate.progress"),
	'and what a row costs');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM migrate_internal.cursor WHERE rows > 0"), '>', 1,
	'in ranges of their own');
my ($own, @helpers) = workers('0001');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($helpers[0])");
ok($node->poll_query_until('postgres', "SELECT count(*) = 3 AND bool_and(pid <> $helpers[0]) FROM pg_stat_activity"
		. " WHERE application_name = 'migrate: step 1 of 0001'"),
	'a helper that is killed is replaced');

($own, @helpers) = workers('0001');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($own)");
$caller->finish;
like($caller->errors, qr/ended before the work was done/, 'without the worker of the run there is no run');
ok(wait_for_workers('0001', 0), 'its helpers end');
my $before = done_rows('0001');
cmp_ok($before, '<', $rows, "in the middle, after $before rows");

$caller = Session->new($node);
$caller->start('CALL migrate.apply();');
ok(wait_for_workers('0001', 3), 'apply goes on with all of them');
ok(wait_for_rows('0001', $before + 1000), 'from their cursors');
$node->stop('immediate');
eval { $clients->kill_kill; };
$node->start;
$clients = start_clients();
$before = done_rows('0001');
$caller = Session->new($node);
$caller->start('CALL migrate.apply();');
ok(wait_for_rows('0001', $before + 1000), 'and again after a crash of the server');
ok(wait_for_workers('0001', 3), 'with all of them');

# What a SIGKILL does to one backend it does to all of them.
($own, @helpers) = workers('0001');
my $log = -s $node->logfile;
kill 'KILL', $helpers[-1];
eval { $clients->kill_kill; };
$node->wait_for_log(qr/database system is ready to accept connections/, $log);
$clients = start_clients();
$before = done_rows('0001');
cmp_ok($before, '<', $rows, "killed after $before rows");
$node->safe_psql('postgres', q{CALL migrate.apply()});
eval { $clients->kill_kill; };
is($node->safe_psql('postgres', "SELECT state FROM migrate.status WHERE version = '0001'"), 'applied', 'it is done');
is($node->safe_psql('postgres', "SELECT count(*) FROM accounts WHERE id <= $rows AND balance <> 1"), '0',
	'each row that was there has got exactly one increment');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM accounts WHERE id > $rows"), '>', 0, 'clients were at work');

# --- tuned while it runs ---
make_accounts();
register('0002', 'UPDATE accounts SET balance = balance + 1', "{\"workers\": 1, $slow}");
$caller = Session->new($node);
$caller->start('CALL migrate.apply();');
ok(wait_for_rows('0002', 1000), 'one worker begins');
is($node->safe_psql('postgres', "SELECT count(*) FROM migrate_internal.cursor WHERE version = '0002'"), '1', 'with one range');
$node->safe_psql('postgres', "SELECT migrate.tune('0002', 'workers', '3')");
ok(wait_for_workers('0002', 3), 'tune: more join in');
$node->safe_psql('postgres', "SELECT migrate.tune('0002', 'workers', '2')");
ok(wait_for_workers('0002', 2), 'tune: one leaves');
$node->safe_psql('postgres', "SELECT migrate.pause('0002')");
$caller->finish;
ok(wait_for_workers('0002', 0), 'pause: all leave');
$before = done_rows('0002');
cmp_ok($before, '<', $rows, 'in the middle');
$node->safe_psql('postgres', "CALL migrate.apply('0002')");
is($node->safe_psql('postgres', 'SELECT count(*), min(balance), max(balance) FROM accounts'), "$rows|1|1",
	'one increment each');

# --- by blocks, while the table gets a new file ---
make_accounts();
register('0003', "UPDATE accounts SET note = 'x' WHERE note IS NULL", "{\"workers\": 3, $slow}");
$caller = Session->new($node);
$caller->start('CALL migrate.apply();');
ok(wait_for_workers('0003', 3), 'three workers by blocks');
ok(wait_for_rows('0003', 1000), 'rows are changed');
$node->safe_psql('postgres', 'VACUUM FULL accounts');
$caller->finish;
is($node->safe_psql('postgres', "SELECT count(*) FROM accounts WHERE note IS DISTINCT FROM 'x'"), '0', 'nothing is left out');

# --- rows that fail, in ranges of different workers ---
make_accounts();
register('0004', 'UPDATE accounts SET balance = 1000 / ((id - 777) * (id - 150000))', '{"workers": 3}');
my ($rc, $out, $err) = $node->psql('postgres', 'CALL migrate.apply()');
like($err, qr/2 rows of public\.accounts could not be changed/, 'rows that fail are counted over all workers');
is($node->safe_psql('postgres', "SELECT string_agg(key, ' ' ORDER BY key) FROM migrate.failed_rows"), 'id=150000 id=777', 'and kept');
is($node->safe_psql('postgres', 'SELECT count(*) FROM accounts WHERE balance <> 0 AND abs((id - 777) * (id - 150000)) > 1000'), '0',
	'all others have been changed');

$node->safe_psql('postgres', 'DELETE FROM accounts WHERE id IN (777, 150000)');
is($node->psql('postgres', "CALL migrate.apply('0004')"), 0, 'and tried again');

# --- no slot is free: fewer workers ---
$node->append_conf('postgresql.conf', "max_worker_processes = 2\n");
$node->restart;
make_accounts();
register('0005', 'UPDATE accounts SET balance = balance + 1', '{"workers": 8}');
($rc, $out, $err) = $node->psql('postgres', "CALL migrate.apply('0005')");
is($rc, 0, 'without free slots it goes on with those it has') or diag($err);
is($node->safe_psql('postgres', 'SELECT count(*), min(balance), max(balance) FROM accounts'), "$rows|1|1",
	'one increment each');

$node->stop;
done_testing();
