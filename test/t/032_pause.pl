# Stopping and going on: Ctrl-C, pause(), timeouts, and what each leaves behind.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('pause');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 2\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION migrate;'
	. ' CREATE TABLE t AS SELECT g AS id, md5(g::text) AS v FROM generate_series(1, 20000) g');

sub state_of
{
	my ($version) = @_;
	return $node->safe_psql('postgres',
		"SELECT state FROM migrate.status WHERE version = '$version'");
}

sub register
{
	my ($version, $up) = @_;
	$node->safe_psql('postgres', "SELECT migrate.register('$version', \$up\$$up\$up\$)");
}

sub worker_waits
{
	return $node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM migrate.progress WHERE wait_type IN ('lock', 'snapshot'))");
}

# A build that cannot end, since an old snapshot is open.
my $old = Session->new($node);
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM t LIMIT 1;');

# --- Ctrl-C pauses: the build is cancelled, the next apply begins it anew ---
register('0001', 'CREATE TABLE a (); CREATE INDEX CONCURRENTLY t_v ON t (v); CREATE TABLE b ()');
my $caller = Session->new($node);
my $pid = $caller->query('SELECT pg_backend_pid()');
$caller->start('CALL migrate.apply();');
ok(worker_waits(), 'the build waits for the old snapshot');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$caller->finish;
like($caller->errors, qr/57014.*migrate\.apply\(\) goes on/s, 'Ctrl-C: the error says how to go on');
ok($node->poll_query_until('postgres', "SELECT state = 'paused' FROM migrate.status WHERE version = '0001'"),
	'Ctrl-C pauses');

# --- a statement_timeout ends the waiting alone ---
$caller->start("SET statement_timeout = '300ms'; CALL migrate.apply();");
$caller->finish;
like($caller->errors, qr/57014.*statement timeout.*goes on in the background/s,
	'statement_timeout: the work goes on, and the error says so');
ok(worker_waits(), 'and so it does');

# --- migrate.wait() with a timeout ---
$caller->query('RESET statement_timeout');
$caller->start("CALL migrate.wait('0001', '200ms');");
$caller->finish;
like($caller->errors, qr/57014.*timeout of migrate\.wait is over/s, 'wait: its timeout');

# --- lock_timeout ends the wait for another run of the same migration ---
$caller->start("SET lock_timeout = '300ms'; CALL migrate.apply();");
$caller->finish;
like($caller->errors, qr/55P03.*waiting for migration "0001".*at step 2 of 3/s,
	'lock_timeout: ends the wait, and says for whom');
is(state_of('0001'), 'running', 'which does not touch the run of the other');

# --- a run that shares a relation waits, one that does not goes on ---
$caller->query('RESET lock_timeout');
$caller->query("CALL migrate.run('CREATE TABLE independent ()');");
unlike($caller->errors, qr/ERROR/, 'an independent run does not wait');
my $sharer = Session->new($node);
$sharer->start("CALL migrate.run('CREATE INDEX t_id ON t (id)');");
ok($node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM migrate_internal.request WHERE waiting_for LIKE '%another run that works on %t%')"),
	'a run that shares a relation waits for it');

# --- pause() sticks; it takes effect at the next safe point ---
is($node->safe_psql('postgres', "SELECT migrate.pause('0001')"), 't', 'pause()');
$old->query('COMMIT;');
ok($node->poll_query_until('postgres', "SELECT state = 'paused' FROM migrate.status WHERE version = '0001'"),
	'paused at the safe point after the build');
is($node->safe_psql('postgres', "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_v'::regclass"),
	't', 'the build itself was not disturbed');
$sharer->finish;
unlike($sharer->errors, qr/ERROR/, 'the one that waited went on');
my ($rc, $out, $err) = $node->psql('postgres', 'CALL migrate.apply();', on_error_stop => 0,
	extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($err, qr/55000.*0001.*paused on purpose/s, 'apply does not end a pause on purpose');
is($node->safe_psql('postgres', "SELECT migrate.resume('0001')"), 't', 'resume()');
ok($node->poll_query_until('postgres', "SELECT state = 'applied' FROM migrate.status WHERE version = '0001'"),
	'it went on in the background');
is($node->safe_psql('postgres',
		"SELECT count(*) FROM migrate.history WHERE version = '0001' AND event = 'step done'"),
	'3', 'each step was done once');
is($node->safe_psql('postgres', 'SELECT migrate.pause(), migrate.resume()'), 'f|f',
	'nothing to pause, nothing to resume');

# --- a user's own statement is cancelled, and rolled back ---
register('0002', 'CREATE TABLE c (); SELECT pg_sleep(600)');
$caller->start('CALL migrate.apply();');
ok($node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'"
		. " AND application_name = 'migrate: step 2 of 0002')"), 'a statement runs, under its name');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$caller->finish;
ok($node->poll_query_until('postgres', "SELECT state = 'paused' FROM migrate.status WHERE version = '0002'"),
	'Ctrl-C cancels a statement');
is($node->safe_psql('postgres', "SELECT to_regclass('c') IS NULL"), 't', 'its transaction is rolled back');
$node->safe_psql('postgres', "CALL migrate.rollback('0002')");
is(state_of('0002'), 'pending', 'and it can be rolled back');

# --- a transaction that keeps its snapshot acts on what is there now ---
$node->safe_psql('postgres', "SELECT migrate.unregister('0002')");
register('0003', 'SELECT pg_sleep(600)');
foreach my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	$old->query("BEGIN ISOLATION LEVEL $level; SELECT 1 FROM t LIMIT 1;");
	$caller->start('CALL migrate.apply();');
	ok($node->poll_query_until('postgres',
			"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'"
			. " AND application_name = 'migrate: step 1 of 0003')"), "$level: a run began behind its snapshot");
	is($old->query("SELECT migrate.pause('0003');"), 't', "$level: pause()");
	$old->query("SELECT migrate.tune('0003', 'workers', '2');");
	is($old->errors, '', "$level: tune()");
	$old->query('COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM t LIMIT 1;');
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	$caller->finish;
	ok($node->poll_query_until('postgres', "SELECT state = 'paused' FROM migrate.status WHERE version = '0003'"),
		"$level: paused");
	is($old->query("SELECT migrate.resume('0003');"), 't', "$level: resume()");
	$old->query('ROLLBACK;');
	$node->safe_psql('postgres', "CALL migrate.rollback('0003')");
}

$node->stop;
done_testing();
