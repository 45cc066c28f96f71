# A worker never keeps DROP DATABASE or DROP EXTENSION from working.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dropdb');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'migrate'\n");
$node->start;

# A database with a worker in it that cannot end; $up says what it does.
sub busy_database
{
	my ($name, $up) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, "CREATE EXTENSION migrate; CREATE TABLE t (id int)");
	$node->safe_psql($name, "SELECT migrate.register('1', \$up\$$up\$up\$)");
	$node->safe_psql($name, 'CALL migrate.apply(wait => false)');
	ok($node->poll_query_until($name, "SELECT EXISTS (SELECT FROM pg_stat_activity"
			. " WHERE datname = '$name' AND application_name LIKE 'migrate: step%' AND state = 'active')"),
		"a worker is at work in $name");
	return;
}

busy_database('statement', 'SELECT pg_sleep(600)');
is($node->psql('postgres', 'DROP DATABASE statement'), 0, 'preloaded: DROP DATABASE ends our worker');

# Who may not drop it does not end it either.
busy_database('guarded', 'SELECT pg_sleep(600)');
$node->safe_psql('postgres', 'CREATE ROLE nobody');
isnt($node->psql('postgres', 'SET ROLE nobody; DROP DATABASE guarded'), 0, 'a stranger may not drop it');
is($node->safe_psql('guarded', "SELECT state FROM migrate.status"), 'running', 'and the worker goes on');

# DROP EXTENSION under a worker: it ends, quietly.
my $log = -s $node->logfile;
$node->safe_psql('guarded', 'DROP EXTENSION migrate');
$node->safe_psql('guarded', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'"
	. ' AND pid <> pg_backend_pid()');
ok($node->poll_query_until('guarded',
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'migrate worker')"),
	'the worker has ended');
unlike(slurp_file($node->logfile, $log), qr/(PANIC|FATAL|ERROR: .*(cache lookup|could not open))/,
	'without any noise');
is($node->safe_psql('guarded', 'CREATE EXTENSION migrate; SELECT count(*) FROM migrate.status'), '0',
	'the extension can be made again');

$node->stop;

# Without preload a worker that waits makes way by itself.
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE waiting');
$node->safe_psql('waiting', "CREATE EXTENSION migrate; CREATE TABLE t (id int)");
$node->safe_psql('waiting', "SELECT migrate.register('1', 'ALTER TABLE t ADD COLUMN a int')");
$node->append_conf('postgresql.conf', "max_prepared_transactions = 2\n");
$node->restart;
$node->safe_psql('waiting', "BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; PREPARE TRANSACTION 'in the way'");
$node->safe_psql('waiting', 'CALL migrate.apply(wait => false)');
ok($node->poll_query_until('waiting', "SELECT EXISTS (SELECT FROM migrate.progress WHERE wait_type = 'lock')"),
	'a worker waits for a lock');
my ($rc, $out, $err) = $node->psql('postgres', 'DROP DATABASE waiting');
like($err, qr/prepared transaction/, 'it is the prepared transaction that is in the way, not the worker');
$node->safe_psql('waiting', "ROLLBACK PREPARED 'in the way'");
is($node->psql('postgres', 'DROP DATABASE waiting'), 0, 'and then it can be dropped');

$node->stop;
done_testing();
