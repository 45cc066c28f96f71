# The locks that show that a run is alive outlast whatever its own SQL does,
# and vanish with its worker.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'max_worker_processes = 20');
$node->start;
$node->safe_psql('postgres', q(
CREATE EXTENSION migrate;
CREATE TABLE t (id int);
));

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub state_of { return sql("SELECT state FROM migrate.status WHERE version = '$_[0]'"); }

my $own_locks = q(SELECT count(*) FROM pg_locks WHERE locktype = 'object'
	AND classid IN ('migrate_internal.migration'::regclass, 'migrate_internal.request'::regclass, 'migrate_internal.run'::regclass, 'migrate_internal.step'::regclass));

# Until the worker of the version waits for an advisory lock.
sub wait_for_advisory
{
	my ($version) = @_;
	return $node->poll_query_until('postgres', qq(
SELECT count(*) = 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND NOT l.granted AND a.application_name LIKE 'migrate: step % of $version'));
}

# --- pg_advisory_unlock_all, DISCARD ALL, errors that are caught or retried ---
{
	my $gate = Session->new($node);

	sql(q(SELECT migrate.register('1', $$
SELECT pg_advisory_unlock_all();
DISCARD ALL;
DO 'BEGIN PERFORM pg_advisory_unlock_all(); RAISE EXCEPTION $x$x$x$; EXCEPTION WHEN raise_exception THEN NULL; END';
DO 'BEGIN PERFORM pg_advisory_unlock_all(); ROLLBACK; PERFORM pg_advisory_unlock_all(); COMMIT; END';
DO 'BEGIN PERFORM pg_advisory_unlock_all(); PERFORM pg_advisory_lock(1); PERFORM pg_advisory_unlock_all(); END';
CREATE TABLE made (id int);
$$)));
	$gate->query('SELECT pg_advisory_lock(1)');
	sql('CALL migrate.apply(wait => false)');
	ok(wait_for_advisory('1'), 'the last step of the first kind is reached');
	is(state_of('1'), 'running', 'the run is alive, whatever its SQL has released');
	$gate->query('SELECT pg_advisory_unlock(1)');
	sql(q(CALL migrate.wait('1')));
	is(state_of('1'), 'applied', 'it comes to its end');
	is(sql(q(SELECT count(*) FROM migrate.history WHERE version = '1' AND event = 'started')), '1', 'nobody has taken it over');
	ok($node->poll_query_until('postgres', "$own_locks", '0'), 'no lock is left');
	$gate->quit;
}

# --- transactions that are aborted and repeated: the run never looks dead ---
{
	my $reader = Session->new($node);
	my $watcher = Session->new($node);

	$reader->query('BEGIN; SELECT count(*) FROM t');
	$node->poll_query_until('postgres',
		q(SELECT clock_timestamp() - xact_start > '100 ms' FROM pg_stat_activity WHERE state = 'idle in transaction'));
	sql(q(SELECT migrate.register('2', $$DO 'BEGIN EXECUTE ''ALTER TABLE t ADD COLUMN b int''; END'$$)));
	sql('CALL migrate.apply(wait => false)');
	# only DO knows what it locks: met once, the lock is foreseen the next time
	ok($node->poll_query_until('postgres', "SELECT wait_type = 'lock' AND wait_detail ~ '^public.t: pid' FROM migrate.progress"),
		'the step waits for a lock that nobody foresaw');
	$watcher->query(q(
SET lock_timeout = '1ms';
DO $$BEGIN
	FOR i IN 1..300 LOOP
		PERFORM count(*) FROM t;
		COMMIT;
	END LOOP;
END$$));
	is($watcher->errors, '', 'nobody waits behind it');
	is($watcher->query(q(
CREATE TEMP TABLE seen (state text, waits int);
DO $$
DECLARE
	began timestamptz := clock_timestamp();
BEGIN
	WHILE clock_timestamp() < began + '2.5 s' LOOP
		INSERT INTO seen SELECT state FROM migrate.status WHERE version = '2';
		COMMIT;
	END LOOP;
END$$;
SELECT string_agg(DISTINCT state, ', ') FROM seen)), 'running', 'it is shown as running all the time');
	$reader->query('COMMIT');
	sql(q(CALL migrate.wait('2')));
	is(state_of('2'), 'applied', 'it comes to its end');
	$reader->quit;
	$watcher->quit;
}

# --- a worker that ends, in the middle of a step and of a wait ---
{
	my $gate = Session->new($node);
	my $other = Session->new($node);

	$gate->query('SELECT pg_advisory_lock(1)');
	sql(q(SELECT migrate.register('3', 'CREATE TABLE third (id int); SELECT pg_advisory_xact_lock(1); DROP TABLE third')));
	$other->start('CALL migrate.apply()');
	ok(wait_for_advisory('3'), 'the step is reached');
	is(state_of('3'), 'running', 'the run is alive');
	sql(q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'migrate: step % of 3'));
	$other->finish;
	like($other->errors, qr/ERROR:  /, 'the caller is told');
	ok($node->poll_query_until('postgres', "$own_locks", '0'), 'its locks are gone with it');
	is(state_of('3'), 'failed', 'and the run is shown as failed');
	$gate->query('SELECT pg_advisory_unlock(1)');
	$other->query('CALL migrate.apply()');
	is(state_of('3'), 'applied', 'apply finishes the job');
	$gate->quit;
	$other->quit;
}

$node->stop;
done_testing();
