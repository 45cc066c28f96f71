# How strong locks are taken: nobody queues behind a migration for longer than
# stall_limit, whoever is in the way; and what is not to be had in time is one
# clear error, after which apply goes on.
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
$node->append_conf('postgresql.conf', q(
max_prepared_transactions = 5
max_worker_processes = 20
autovacuum_naptime = 1s
log_autovacuum_min_duration = 0
));
$node->start;
$node->safe_psql('postgres', q(
CREATE EXTENSION migrate;
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE u (id int PRIMARY KEY);
INSERT INTO t SELECT generate_series(1, 100);
));

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub has_column
{
	my ($table, $column) = @_;
	return sql("SELECT count(*) FROM pg_attribute WHERE attrelid = '$table'::regclass AND attname = '$column' AND NOT attisdropped");
}

# A session whose transaction holds a lock and is older than any stall_limit here.
sub old_transaction
{
	my ($statement) = @_;
	my $session = Session->new($node);

	$session->query("SET application_name = 'old one'; BEGIN; $statement");
	$session->{pid} = $session->query('SELECT pg_backend_pid()');
	$node->poll_query_until('postgres',
		"SELECT clock_timestamp() - xact_start > '300 ms' FROM pg_stat_activity WHERE pid = $session->{pid}")
	  or die 'the transaction does not grow old';
	return $session;
}

# --- a long reader: we only look, and nobody notices ---
{
	my $reader = old_transaction('SELECT count(*) FROM t');
	my $other = Session->new($node);

	sql(q(SELECT migrate.register('1', 'ALTER TABLE t ADD COLUMN b int', 'ALTER TABLE t DROP COLUMN b')));
	sql('CALL migrate.apply(wait => false)');
	ok($node->poll_query_until('postgres', qq{
SELECT wait_type = 'lock' AND wait_detail ~ '^public\.t: pid $reader->{pid} \\(old one, idle in transaction, transaction open for \\d+ m?s'
FROM migrate.progress}), 'the step waits for a lock, and the holder is named');
	$other->query(q(
SET lock_timeout = '1ms';
DO $$BEGIN
	FOR i IN 1..300 LOOP
		PERFORM count(*) FROM t;
		UPDATE t SET id = id WHERE id = 1;
		COMMIT;
	END LOOP;
END$$));
	is($other->errors, '', 'nobody who comes later waits for a millisecond');
	is($other->query(q(
CREATE TEMP TABLE seen (waiting bigint);
DO $$BEGIN
	FOR i IN 1..300 LOOP
		INSERT INTO seen SELECT count(*) FROM pg_locks WHERE NOT granted;
		COMMIT;
	END LOOP;
END$$;
SELECT max(waiting) FROM seen)), '0', 'no request of ours is ever in a queue');
	is(has_column('t', 'b'), '0', 'the step has not run');
	$reader->query('COMMIT');
	sql(q(CALL migrate.wait('1')));
	is(has_column('t', 'b'), '1', 'it runs once the reader has gone');
	cmp_ok(sql(q(SELECT sum(lock_wait) FILTER (WHERE event = 'step done') >= '300 ms' FROM migrate.history WHERE version = '1')),
		'eq', 't', 'the time that we waited is in the history');
	$reader->quit;
	$other->quit;
}

# --- young holders, one after the other without a gap: we queue, briefly ---
{
	my $script = $node->basedir . '/young.sql';
	my ($out, $err) = ('', '');

	append_to_file($script, "BEGIN;\nSELECT count(*) FROM t;\n\\sleep 5 ms\nSELECT count(*) FROM t;\nEND;\n");
	my $clients = IPC::Run::start(
		[ 'pgbench', '-n', '-c', '6', '-T', $PostgreSQL::Test::Utils::timeout_default, '-f', $script,
		  $node->connstr('postgres') . ' application_name=bench' ], '>', \$out, '2>', \$err);
	$node->poll_query_until('postgres', q(SELECT count(*) = 6 FROM pg_stat_activity WHERE application_name = 'bench'))
	  or BAIL_OUT("pgbench does not run: $err");
	sql(q(SELECT migrate.register('2', 'ALTER TABLE t ADD COLUMN c int', 'ALTER TABLE t DROP COLUMN c')));
	sql('CALL migrate.apply()');
	is(has_column('t', 'c'), '1', 'a lock is got though the table is never free');
	is(sql(q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bench')), '6', 'no client was harmed');
	$clients->signal('TERM');
	$clients->finish;
	unlike($err, qr/aborted|ERROR/, 'no client has seen an error');
}

# --- tables in the opposite order: no client is in a deadlock ---
{
	my $script = $node->basedir . '/opposite.sql';
	my ($out, $err) = ('', '');

	# the ladder goes by OID, so t comes before u
	append_to_file($script, "BEGIN;\nSELECT count(*) FROM u;\n\\sleep 2 ms\nSELECT count(*) FROM t;\nEND;\n");
	my $clients = IPC::Run::start(
		[ 'pgbench', '-n', '-c', '4', '-T', $PostgreSQL::Test::Utils::timeout_default, '-f', $script,
		  $node->connstr('postgres') . ' application_name=bench' ], '>', \$out, '2>', \$err);
	$node->poll_query_until('postgres', q(SELECT count(*) = 4 FROM pg_stat_activity WHERE application_name = 'bench'))
	  or BAIL_OUT("pgbench does not run: $err");
	sql(q(SELECT migrate.register('3', 'ALTER TABLE t ADD COLUMN d int; ALTER TABLE u ADD COLUMN d int')));
	sql('CALL migrate.apply()');
	is(has_column('t', 'd') . has_column('u', 'd'), '11', 'both tables are changed');
	$clients->signal('TERM');
	$clients->finish;
	unlike($err, qr/aborted|ERROR/, 'no client has seen a deadlock');
}

# --- an autovacuum is cancelled ---
{
	sql(q(
CREATE TABLE v (id int, filler text) WITH (autovacuum_enabled = off);
INSERT INTO v SELECT i, repeat('x', 500) FROM generate_series(1, 10000) i;
DELETE FROM v WHERE id % 2 = 0;
ALTER TABLE v SET (autovacuum_enabled = on, autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
SELECT migrate.register('4', 'ALTER TABLE v ADD COLUMN b int');
));
	ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_progress_vacuum WHERE relid = 'v'::regclass)),
		'an autovacuum of the table runs');
	sql(q(SET migrate.lock_retry_for = '20s'; CALL migrate.apply()));
	is(has_column('v', 'b'), '1', 'an autovacuum does not keep us waiting');
	like(slurp_file($node->logfile), qr/canceling autovacuum task/, 'since the server has cancelled it');
	sql('ALTER TABLE v SET (autovacuum_enabled = off)');
}

# --- a prepared transaction, and lock_retry_for ---
{
	my $session = Session->new($node);

	sql(q(BEGIN; INSERT INTO t VALUES (1001); PREPARE TRANSACTION 'the prepared one'));
	sql(q(SELECT migrate.register('5', E'SELECT 1;\n\nALTER TABLE t ADD COLUMN e int')));
	$session->query(q(SET migrate.lock_retry_for = '300ms'; CALL migrate.apply()));
	like($session->errors, qr/ERROR:  55P03: /, 'what is not to be had in time is an error');
	like($session->errors, qr/AccessExclusiveLock on relation "public\.t"/, 'it names mode and relation');
	like($session->errors, qr/prepared transaction "the prepared one"/, 'it names the prepared transaction');
	like($session->errors, qr/HINT:  /, 'it says what to do');
	like($session->errors, qr/step 2 of migration 5, line 3/, 'it names step, migration and line');
	is(sql(q(SELECT state FROM migrate.status WHERE version = '5')), 'failed', 'the migration has failed');
	sql(q(COMMIT PREPARED 'the prepared one'));
	$session->query('CALL migrate.apply()');
	is(sql(q(SELECT state FROM migrate.status WHERE version = '5')), 'applied', 'apply goes on');

	my $writer = old_transaction('UPDATE t SET id = id WHERE id = 1');
	sql(q(SELECT migrate.register('6', 'ALTER TABLE t ADD COLUMN f int')));
	$session->query(q(SET migrate.lock_retry_for = 0; CALL migrate.apply()));
	like($session->errors, qr/ERROR:  55P03: .*pid $writer->{pid} \(old one, idle in transaction, transaction open for /s,
		'with no time at all, one try');
	$writer->query('ROLLBACK');
	$session->query('CALL migrate.apply()');
	is(sql(q(SELECT state FROM migrate.status WHERE version = '6')), 'applied', 'apply goes on after that too');
	$writer->quit;
	$session->quit;
}

# --- inside the caller's transaction, by the same rules ---
{
	my $session = Session->new($node);
	my $other = Session->new($node);
	my $reader = old_transaction('SELECT count(*) FROM t');

	sql(q(SELECT migrate.register('6.1', 'ALTER TABLE t ADD COLUMN f1 int')));
	$session->query(q(SET migrate.lock_retry_for = '200ms'; BEGIN; CALL migrate.apply()));
	like($session->errors, qr/ERROR:  55P03: .*pid $reader->{pid} \(old one.*CONTEXT:  migration 6\.1/s, 'the holder is named');
	$session->query('ROLLBACK; RESET migrate.lock_retry_for');
	$session->start('BEGIN; CALL migrate.apply()');
	$other->query(q(
SET lock_timeout = '1ms';
DO $$BEGIN
	FOR i IN 1..300 LOOP
		PERFORM count(*) FROM t;
		COMMIT;
	END LOOP;
END$$));
	is($other->errors, '', 'nobody waits behind the caller');
	$reader->query('COMMIT');
	$session->finish;
	unlike($session->errors, qr/ERROR/, 'it goes on once the reader has gone');
	$session->query('COMMIT');
	is(has_column('t', 'f1'), '1', 'and what it did is there after COMMIT');
	$_->quit foreach $reader, $other, $session;
}

# --- who may not change a table cannot block it ---
{
	sql(q(
CREATE ROLE stranger LOGIN;
GRANT USAGE ON SCHEMA migrate TO stranger;
SET ROLE stranger;
SELECT migrate.register('7', 'ALTER TABLE t ADD COLUMN g int');
));
	my $reader = old_transaction('SELECT count(*) FROM t');
	my $session = Session->new($node);

	$session->query('CALL migrate.apply()');
	like($session->errors, qr/ERROR:  42501: must be owner of table t/, 'the statement is refused, without waiting for a lock');
	sql(q(SELECT migrate.unregister('7')));
	# holders are told as pg_stat_activity would: of others, the pid
	sql(q(CREATE TABLE s (id int); ALTER TABLE s OWNER TO stranger));
	sql(q(SET ROLE stranger; SELECT migrate.register('8', 'ALTER TABLE s ADD COLUMN g int')));
	my $secret = old_transaction(q(SELECT 'secret' FROM s));
	$session->query(q(SET migrate.lock_retry_for = '100ms'; CALL migrate.apply()));
	like($session->errors, qr/In the way: pid $secret->{pid}\./, 'the holder is named');
	unlike($session->errors, qr/secret|old one/, 'but not what it does');
	$secret->query('ROLLBACK');
	$session->query('CALL migrate.apply()');
	is(has_column('s', 'g'), '1', 'apply goes on');
	$_->quit foreach $reader, $secret, $session;
}

$node->stop;
done_testing();
