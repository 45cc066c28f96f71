# A batched UPDATE reaches each row exactly once, whatever clients do meanwhile
# and whoever kills what: balance = balance + 1 cannot be repeated unnoticed.
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
my $node = PostgreSQL::Test::Cluster->new('backfill');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\nrestart_after_crash = on\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION migrate');

sub register
{
	my ($version, $up, $options) = @_;

	$options //= '{}';
	$node->safe_psql('postgres',
		"SELECT migrate.register('$version', \$up\$$up\$up\$, options => '$options')");
}

# Clients that write other columns, insert and delete, until they are stopped.
my $script = PostgreSQL::Test::Utils::tempdir() . '/clients.sql';
append_to_file($script, <<"SQL");
\\set id random(1, $rows)
\\set gone random(1, $rows)
UPDATE accounts SET note = 'seen' WHERE id = :id;
DELETE FROM accounts WHERE id = :gone AND id % 7 = 0;
INSERT INTO accounts (balance) VALUES (0);
SQL

sub start_clients
{
	my ($out) = @_;
	return IPC::Run::start([ 'pgbench', '-n', '-c', '2', '-T', '600', '-f', $script,
			'-h', $node->host, '-p', $node->port, 'postgres' ], '>', $out, '2>&1');
}

sub make_accounts
{
	$node->safe_psql('postgres', "DROP TABLE IF EXISTS accounts; CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
			. " balance int NOT NULL, note text); INSERT INTO accounts (balance) SELECT 0 FROM generate_series(1, $rows)");
}

sub done_rows
{
	my ($version) = @_;
	return $node->safe_psql('postgres',
		"SELECT coalesce(max(rows), 0) FROM migrate_internal.cursor WHERE version = '$version'");
}

sub wait_for_rows
{
	my ($version, $n) = @_;
	return $node->poll_query_until('postgres',
		"SELECT coalesce(max(rows), 0) > $n OR bool_or(upper = lower) FROM migrate_internal.cursor WHERE version = '$version'");
}

# --- under load, killed in every way ---
make_accounts();
register('0001', 'UPDATE accounts SET balance = balance + 1', '{"batch_time": "20ms", "batch_pause": "10ms"}');
my $output = '';
my $clients = start_clients(\$output);
my $caller = Session->new($node);
$caller->start('CALL migrate.apply();');
ok(wait_for_rows('0001', 2000), 'the backfill is at work');

my $pid = $node->safe_psql('postgres', 'SELECT pid FROM migrate.progress');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$caller->finish;
like($caller->errors, qr/ended before the work was done/, 'the caller is told that its worker was killed');
my $before = done_rows('0001');
cmp_ok($before, '<', $rows, "killed in the middle, after $before rows");
is($node->safe_psql('postgres', "SELECT state || ' ' || error FROM migrate.status"), 'failed interrupted',
	'it shows as interrupted');

$caller->start('CALL migrate.apply();');
ok(wait_for_rows('0001', $before + 2000), 'apply goes on from the cursor');
$node->stop('immediate');
eval { $clients->kill_kill; };
$node->start;
$caller = Session->new($node);
$clients = start_clients(\$output);
$before = done_rows('0001');
$caller->start('CALL migrate.apply();');
ok(wait_for_rows('0001', $before + 2000), 'and again after a crash of the server');

# What a SIGKILL does to one backend it does to all of them.
$pid = $node->safe_psql('postgres', 'SELECT pid FROM migrate.progress');
kill 'KILL', $pid;
eval { $clients->kill_kill; };
ok($node->poll_query_until('postgres', "SELECT pg_postmaster_start_time() IS NOT NULL"), 'the server is back');
$clients = start_clients(\$output);
$node->safe_psql('postgres', 'CALL migrate.apply()');
eval { $clients->kill_kill; };

is($node->safe_psql('postgres', "SELECT state FROM migrate.status WHERE version = '0001'"), 'applied', 'it is done');
is($node->safe_psql('postgres', "SELECT count(*) FROM accounts WHERE id <= $rows AND balance <> 1"), '0',
	'each row that was there has got exactly one increment');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM accounts WHERE id > $rows"), '>', 0, 'clients were at work all the time');

# --- one row in many cannot be computed ---
make_accounts();
register('0002', 'UPDATE accounts SET balance = 1000 / (id - 777)');
my ($rc, $out, $err) = $node->psql('postgres', 'CALL migrate.apply()');
like($err, qr/1 row of public\.accounts could not be changed/, 'a row that fails is counted');
is($node->safe_psql('postgres', "SELECT key, sqlstate FROM migrate.failed_rows WHERE version = '0002'"), 'id=777|22012',
	'and kept, with its error');
is($node->safe_psql('postgres', "SELECT count(*) FROM accounts WHERE balance <> 1000 / nullif(id - 777, 0)"), '0',
	'all others have been changed');
$node->safe_psql('postgres', 'DELETE FROM accounts WHERE id = 777');
$node->safe_psql('postgres', 'CALL migrate.apply()');
is($node->safe_psql('postgres', "SELECT state FROM migrate.status WHERE version = '0002'"), 'applied', 'apply tries it again');
is($node->safe_psql('postgres', 'SELECT count(*) FROM migrate.failed_rows'), '0', 'and forgets it');

# --- a client's row lock: the worker gives way, never the client ---
make_accounts();
register('0003', 'UPDATE accounts SET balance = balance + 1');
my $client = Session->new($node);
$client->query('BEGIN; UPDATE accounts SET note = \'held\' WHERE id = 5000;');
$caller = Session->new($node);
$caller->start('CALL migrate.apply();');
ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM migrate.progress WHERE wait_type = 'lock')"),
	'the worker waits for the row of a client');
$client->query("SET lock_timeout = '10s'; UPDATE accounts SET note = 'mine' WHERE id IN (1, 4999, 5001, $rows); COMMIT;");
is($client->errors, '', 'the client writes what it likes meanwhile');
$caller->finish;
is($caller->errors =~ /ERROR/ ? $caller->errors : '', '', 'and the backfill ends well');
is($node->safe_psql('postgres', "SELECT count(*) FROM accounts WHERE balance <> 1"), '0', 'with one increment each');

# --- by blocks: the table gets a new file in the middle; clients move rows ---
make_accounts();
register('0004', "UPDATE accounts SET note = 'x' WHERE note IS NULL", '{"batch_time": "5ms", "batch_pause": "20ms"}');
$caller->start('CALL migrate.apply();');
ok(wait_for_rows('0004', 1000), 'a backfill by blocks is at work');
$node->safe_psql('postgres', 'VACUUM FULL accounts');
$caller->finish;
is($node->safe_psql('postgres', "SELECT count(*) FROM accounts WHERE note IS NULL"), '0', 'a new file: nothing is left out');

# --- the table goes away in the middle ---
register('0005', 'UPDATE accounts SET balance = balance + 1', '{"batch_time": "5ms", "batch_pause": "20ms"}');
$caller->start('CALL migrate.apply();');
ok(wait_for_rows('0005', 1000), 'a backfill is at work');
$node->safe_psql('postgres', 'DROP TABLE accounts');
$caller->finish;
like($caller->errors, qr/42P01.*accounts/s, 'a table that is dropped: an error that names it');
is($node->safe_psql('postgres', "SELECT state FROM migrate.status WHERE version = '0005'"), 'failed', 'the migration has failed');

$node->stop;
done_testing();
