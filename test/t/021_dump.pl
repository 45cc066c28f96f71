# pg_dump carries the registry; in a copy an unfinished run shows as failed:
# copied, nothing starts by itself, and apply goes on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = migrate_node('source');
my $other = migrate_node('other', "shared_preload_libraries = 'migrate'");
my $dump = "$PostgreSQL::Test::Utils::tmp_check/registry.sql";

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE app;
CREATE ROLE gone;
GRANT USAGE ON SCHEMA migrate TO app;
CREATE TABLE t (id int);
INSERT INTO t SELECT generate_series(1, 100);
CREATE TABLE journal (entry int);
SELECT migrate.grant_right('apply', 'app', current_user::regrole);
SET migrate.scope = 'billing';
SELECT migrate.register('0001', 'CREATE TABLE invoice (id int)');
SQL
register($node, '0001', "-- a comment\nALTER TABLE t ADD COLUMN a text DEFAULT 'O''Reilly';", down => 'ALTER TABLE t DROP COLUMN a');
register($node, '0002', 'INSERT INTO journal VALUES (1); CREATE INDEX CONCURRENTLY t_id ON t (id); INSERT INTO journal VALUES (2)');
register($node, '0003', 'INSERT INTO journal VALUES (3)');
$node->safe_psql('postgres', "CALL migrate.apply('0001')");

# dumped while 0002 runs
my $holder = $node->background_psql('postgres', on_error_die => 1);
$holder->query_safe('BEGIN; INSERT INTO t VALUES (0)');
$node->safe_psql('postgres', "CALL migrate.apply('0002', wait => false)");
wait_for_step($node, '0002', 2,
	"EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.phase = 'waiting for writers before build')");
my %before;
my %queries = (
	migrations => 'TABLE migrate.migrations',
	history => 'TABLE migrate.history',
	status => "SELECT * FROM migrate.status WHERE version <> '0002'",
	'another scope' => "SET migrate.scope = 'billing'; TABLE migrate.migrations",
	steps => 'SELECT * FROM migrate_internal.step ORDER BY scope, version, direction, step',
	rights => 'TABLE migrate_internal.granted_right');
$before{$_} = $node->safe_psql('postgres', $queries{$_}) foreach keys %queries;
$node->command_ok([ 'pg_dump', '--no-sync', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$holder->query_safe('ROLLBACK');
$holder->quit;
ok(wait_for_state($node, '0002', 'applied'), 'the source is not disturbed');

# A copy beside it, and one on another server, where the launcher is at work.
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$other->safe_psql('postgres', 'CREATE ROLE app; CREATE DATABASE copy');
foreach my $copy ([ $node, 'in the same server' ], [ $other, 'in another server' ])
{
	my ($server, $where) = @$copy;

	$server->command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $server->connstr('copy'), '-f', $dump ],
		"restore $where");
	is($server->safe_psql('copy', $queries{$_}), $before{$_}, "$where: same $_") foreach sort keys %queries;
	is($server->safe_psql('copy', "SELECT has_schema_privilege('app', 'migrate', 'usage')"), 't', "$where: grants are there");

	is(status_of($server, '0002', 'copy'), 'failed copied', "$where: the unfinished run has failed: copied");
	$server->restart;
	is($server->safe_psql('copy', "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'migrate: step%'"),
		0, "$where: nothing starts by itself");
	is(status_of($server, '0002', 'copy'), 'failed copied', "$where: not after a restart either");
	is($server->safe_psql('copy', 'SELECT entry FROM journal'), 1, "$where: nothing was done");

	$server->safe_psql('copy', 'CALL migrate.apply()');
	is($server->safe_psql('copy', 'SELECT version, state FROM migrate.status'),
		"0001|applied\n0002|applied\n0003|applied", "$where: apply goes on");
	is($server->safe_psql('copy', 'SELECT string_agg(entry::text, \',\' ORDER BY entry) FROM journal'),
		'1,2,3', "$where: nothing was repeated or skipped");
	is($server->safe_psql('copy', "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id'::regclass"), 't',
		"$where: the index is there");
	register($server, '0004', 'SELECT 1', db => 'copy');
	$server->safe_psql('copy', 'CALL migrate.apply()');
	is($server->safe_psql('copy', 'SELECT count(*) = count(DISTINCT id) FROM migrate_internal.event'), 't',
		"$where: numbers of events go on");
}

$node->stop;
$other->stop;
done_testing();
