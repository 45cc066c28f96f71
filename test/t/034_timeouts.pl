# Timeouts that a migration sets for itself: what it means by them holds in the
# worker, and ends a statement, never the worker.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = migrate_node('timeouts');
my $version = 0;

# Register, apply, and what came of it on standard error.
sub applied
{
	my ($up, $apply) = @_;
	my $err;

	register($node, ++$version, $up);
	$node->psql('postgres', $apply // 'CALL migrate.apply()', stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err;
}

# The cause is gone: the next apply goes on.
sub goes_on
{
	$node->safe_psql('postgres', 'UPDATE pace SET seconds = 0; CALL migrate.apply(); UPDATE pace SET seconds = 60');
	is($node->safe_psql('postgres', "SELECT state FROM migrate.status WHERE version = '$version'"),
		'applied', 'the next apply goes on');
}

$node->safe_psql('postgres', 'CREATE TABLE pace AS SELECT 60 AS seconds');
my $sleep = 'DO $d$ BEGIN PERFORM pg_sleep(seconds) FROM pace; END $d$';

# --- statement_timeout ---
my $err = applied("CREATE TABLE a (); SET statement_timeout = '200ms'; $sleep; RESET statement_timeout");
like($err, qr/57014.*The migration itself sets statement_timeout to 200 ms.*step 3 of migration 1, line 1/s,
	'its own statement_timeout ends the statement');
goes_on();
$err = applied("CREATE TABLE b (); $sleep", q(SET migrate.statement_timeout = '200ms'; CALL migrate.apply()));
like($err, qr/57014.*migrate\.statement_timeout is 200 ms: raise it/s, 'migrate.statement_timeout does, too');
goes_on();
$err = applied("CREATE TABLE idle (); SET idle_in_transaction_session_timeout = '1ms'; SET idle_session_timeout = '1ms';"
	. " CREATE TABLE idle2 (); CREATE INDEX CONCURRENTLY ON pace (seconds)");
unlike($err, qr/ERROR/, 'a worker is never idle');

# --- transaction_timeout, which came with 17 ---
if ($node->pg_version >= 17)
{
	$err = applied("SET transaction_timeout = '500ms'; CREATE TABLE c (); $sleep; SET transaction_timeout = 0");
	like($err, qr/57014.*The migration itself sets transaction_timeout to 500 ms.*step 3 of migration $version, line 1/s,
		'its own transaction_timeout ends the statement, not the worker');
	goes_on();
	$err = applied("BEGIN; SET LOCAL transaction_timeout = '500ms'; CREATE TABLE d (); $sleep; COMMIT");
	like($err, qr/57014.*transaction_timeout to 500 ms/s, 'SET LOCAL as well');
	goes_on();
	$err = applied("BEGIN; SET LOCAL transaction_timeout = '500ms'; CREATE TABLE e (); COMMIT; SELECT pg_sleep(0.7);"
		. " SET transaction_timeout = '500ms'; SET transaction_timeout = 0; SELECT pg_sleep(0.7);"
		. " SET transaction_timeout = '500ms'; RESET ALL; SELECT pg_sleep(0.7)");
	unlike($err, qr/ERROR/, 'it does not outlive its transaction, or what takes it back');
	$err = applied("SET transaction_timeout = '500ms'; SELECT 1");
	unlike(applied('SELECT pg_sleep(0.7)'), qr/ERROR/, 'nor does it leak into the next migration');
}

# --- lock_timeout: no wait lasts, but nobody sees how ---
unlike(applied('CREATE TABLE seen AS SELECT current_setting(\'lock_timeout\') AS v; ALTER TABLE pace ADD COLUMN x int;'
	. ' INSERT INTO seen SELECT current_setting(\'lock_timeout\');'
	. ' SET lock_timeout = \'7s\'; ALTER TABLE pace ADD COLUMN y int; INSERT INTO seen SELECT current_setting(\'lock_timeout\')'),
	qr/ERROR/, 'a migration that looks at lock_timeout');
is($node->safe_psql('postgres', "SELECT string_agg(v, ' ') FROM seen"), '0 0 7s', 'sees its own');

$node->stop;
done_testing();
