# With shared_preload_libraries = 'migrate', unfinished runs of every database
# go on after a restart; without it, or with auto_resume off, nothing starts by
# itself and the next apply does it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use Test::More;

my $node = migrate_node('preload');
my @databases = ('postgres', 'second', 'third');

$node->safe_psql('postgres', "CREATE DATABASE $_") foreach 'second', 'third', 'without';
$node->safe_psql($_, 'CREATE EXTENSION migrate') foreach 'second', 'third';
foreach my $db (@databases)
{
	$node->safe_psql($db, 'CREATE TABLE gate (closed bool); CREATE TABLE journal (entry int)');
}

# Leaves each database with version $version in the middle of its second step.
sub interrupt
{
	my ($version) = @_;

	foreach my $db (@databases)
	{
		$node->safe_psql($db, 'INSERT INTO gate VALUES (true)');
		register($node, $version, "CREATE TABLE t_$version (id int); CREATE INDEX CONCURRENTLY ON t_$version (id);"
			  . ' DO $$ BEGIN WHILE EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;'
			  . " INSERT INTO journal VALUES ($version);", db => $db);
		$node->safe_psql($db, 'CALL migrate.apply(wait => false)');
		$node->poll_query_until($db,
			"SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()"
			  . " AND application_name LIKE 'migrate: step%' AND wait_event = 'PgSleep'");
	}
	$node->stop('immediate');
}

sub open_gates
{
	$node->safe_psql($_, 'DELETE FROM gate') foreach @databases;
}

# --- without preload ---

interrupt('1');
$node->start;
foreach my $db (@databases)
{
	is(status_of($node, '1', $db), 'failed interrupted', "without preload, $db: waits for a caller");
}
open_gates();
$node->safe_psql($_, 'CALL migrate.apply()') foreach @databases;
is(status_of($node, '1', $_), 'applied', "without preload, $_: the next apply finishes it") foreach @databases;

# --- with it ---

interrupt('2');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'migrate'\n");
$node->start;
open_gates();
foreach my $db (@databases)
{
	ok(wait_for_state($node, '2', 'applied', $db), "with preload, $db: goes on by itself");
	is($node->safe_psql($db, "SELECT count(*) FROM journal WHERE entry = 2"), 1, "with preload, $db: ran once");
}

# after a crash of the server it goes on as well
$node->safe_psql('postgres', 'INSERT INTO gate VALUES (true)');
register($node, '3', 'DO $$ BEGIN WHILE EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;'
	  . ' INSERT INTO journal VALUES (3);');
$node->safe_psql('postgres', 'CALL migrate.apply(wait => false)');
crash($node, wait_for_step($node, '3', 1, "a.wait_event = 'PgSleep'"));
open_gates();
ok(wait_for_state($node, '3', 'applied'), 'with preload: goes on after a crash');
is($node->safe_psql('postgres', 'SELECT count(*) FROM journal WHERE entry = 3'), 1, 'with preload, after a crash: ran once');

# what was paused stays paused
register($node, '4', 'DO $$ BEGIN WHILE EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;'
	  . ' CREATE INDEX CONCURRENTLY ON journal (entry);');
$node->safe_psql('postgres', 'INSERT INTO gate VALUES (true); CALL migrate.apply(wait => false)');
wait_for_step($node, '4', 1, "a.wait_event = 'PgSleep'");
is($node->safe_psql('postgres', "SELECT migrate.pause('4')"), 't', 'pause finds it running');
open_gates();
ok(wait_for_state($node, '4', 'paused'), 'paused at the next safe point');

$node->restart;
# once the launcher sleeps, it has seen to every database
$node->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'migrate launcher' AND wait_event = 'Extension'");
is(status_of($node, '4'), 'paused', 'a paused one is not resumed by a restart');
is($node->safe_psql('postgres', "SELECT migrate.resume('4')"), 't', 'resume finds it');
ok(wait_for_state($node, '4', 'applied'), 'resume goes on in the background');

# --- auto_resume off ---

interrupt('5');
$node->append_conf('postgresql.conf', "migrate.auto_resume = off\n");
$node->start;
open_gates();
$node->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'migrate launcher' AND wait_event = 'Extension'");
foreach my $db (@databases)
{
	is(status_of($node, '5', $db), 'failed interrupted', "auto_resume off, $db: waits for a caller");
	$node->safe_psql($db, 'CALL migrate.apply()');
	is(status_of($node, '5', $db), 'applied', "auto_resume off, $db: apply finishes it");
}

# What was asked for before a crash is not done once somebody has gone back.
interrupt('6');
$node->start;
open_gates();
foreach my $db (@databases)
{
	is(status_of($node, '6', $db), 'failed interrupted', "rolled back, $db: interrupted");
	$node->safe_psql($db, "CALL migrate.rollback('6', lose_data => true)");
}
$node->append_conf('postgresql.conf', "migrate.auto_resume = on\n");
$node->restart;
foreach my $db (@databases)
{
	is($node->safe_psql($db, "SELECT count(*) FROM migrate_internal.request WHERE finished_at IS NULL"), 0,
		"rolled back, $db: nothing is left to be resumed");
	is(status_of($node, '6', $db), 'pending', "rolled back, $db: a restart leaves it so");
}

# the launcher is in nobody's way
$node->safe_psql('postgres', 'DROP DATABASE third; DROP DATABASE without');
$node->safe_psql('second', 'DROP EXTENSION migrate');
$node->restart;
is(status_of($node, '5'), 'applied', 'a restart after DROP DATABASE and DROP EXTENSION');

$node->stop;
done_testing();
