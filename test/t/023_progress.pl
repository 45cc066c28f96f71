# progress of a concurrent build: the server's own phase and counts, and whom
# it waits for, as far as the viewer may see; status and stat meanwhile.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use Test::More;

my $node = migrate_node('progress');

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE watcher LOGIN;
GRANT USAGE ON SCHEMA migrate TO watcher;
CREATE ROLE app LOGIN;
CREATE TABLE t (id int);
INSERT INTO t SELECT generate_series(1, 1000);
CREATE TABLE held (id int);
GRANT INSERT ON t TO app;
GRANT SELECT ON held TO app;
CREATE TABLE gate (closed bool);
INSERT INTO gate VALUES (true);
-- An index expression that holds the build up while it scans the table.  The
-- inner function is volatile, so that it sees the gate open.
CREATE FUNCTION pass_gate() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	WHILE EXISTS (SELECT FROM public.gate) LOOP
		PERFORM pg_catalog.pg_sleep(0.01);
	END LOOP;
END $$;
CREATE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF i = 500 THEN
		PERFORM public.pass_gate();
	END IF;
	RETURN i;
END $$;
SQL

sub as_watcher
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', "SET ROLE watcher; $sql");
}

# --- waiting for a writer ---

my $holder = $node->background_psql('postgres', on_error_die => 1, extra_params => [ '-U', 'app' ]);
$holder->query_safe("SET application_name = 'till'; BEGIN; INSERT INTO t VALUES (0)");
my $holder_pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'till'");

register($node, '0001', 'CREATE INDEX CONCURRENTLY t_slow ON t (slow(id)); CREATE TABLE u (id int)');
$node->safe_psql('postgres', 'CALL migrate.apply(wait => false)');
my $worker = wait_for_step($node, '0001', 1,
	"EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.phase = 'waiting for writers before build')");
my $columns = 'version, step, phase, kind, relation, done, total, unit, wait_type';
my $waiting = '0001|1|waiting for writers before build|create index|public.t|0|1|sessions|lock';
is($node->safe_psql('postgres', "SELECT $columns, pid, workers, eta FROM migrate.progress"), "$waiting|$worker|1|", 'waits for a writer');
like($node->safe_psql('postgres', 'SELECT wait_detail FROM migrate.progress'),
	qr/^pid $holder_pid, till, idle in transaction, transaction since .*, query since /, 'says for whom');
is(as_watcher("SELECT $columns, pid, workers FROM migrate.progress"), "$waiting|$worker|1", 'an ordinary role sees the numbers');
is(as_watcher('SELECT wait_detail FROM migrate.progress'), "pid $holder_pid, till", 'of other sessions no more than pg_stat_activity shows');
is($node->safe_psql('postgres', "GRANT pg_read_all_stats TO watcher") . as_watcher("SELECT wait_detail LIKE 'pid $holder_pid, till, idle in transaction%' FROM migrate.progress"),
	't', 'with pg_read_all_stats it does');
is(as_watcher('SELECT version, state, direction, phase, step, steps, steps_done, progress, error, duration IS NOT NULL FROM migrate.status'),
	'0001|running|apply|expand|1|2|0|0||t', 'status');
is(as_watcher('SELECT running, failed FROM migrate.stat'), '1|0', 'stat');

# --- scanning ---

$holder->query_safe('COMMIT');
$node->poll_query_until('postgres', "SELECT phase = 'building index: scanning table' FROM migrate.progress");
is($node->safe_psql('postgres', "SELECT version, step, done BETWEEN 0 AND total, total > 0, unit, rate >= 0, wait_type FROM migrate.progress"),
	'0001|1|t|t|blocks|t|', 'scans blocks');

# --- the end of the build waits for a snapshot ---

$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM held');
$node->safe_psql('postgres', 'DELETE FROM gate');
$node->poll_query_until('postgres', "SELECT phase = 'waiting for old snapshots' FROM migrate.progress");
is($node->safe_psql('postgres', "SELECT wait_type, wait_detail LIKE 'pid $holder_pid, %' FROM migrate.progress"), 'snapshot|t',
	'waits for a snapshot');
$holder->query_safe('COMMIT');
ok(wait_for_state($node, '0001', 'applied'), 'applied');
is($node->safe_psql('postgres', 'SELECT count(*) FROM migrate.progress'), 0, 'nothing runs any more');

# --- waiting for a lock between steps, and for a prepared transaction ---

$holder->query_safe('BEGIN; SELECT count(*) FROM held');
register($node, '0002', 'ALTER TABLE held ADD COLUMN a int');
$node->safe_psql('postgres', 'CALL migrate.apply(wait => false)');
ok($node->poll_query_until('postgres', 'SELECT waiting = 1 FROM migrate.stat'), 'stat counts one that waits');
is($node->safe_psql('postgres', 'SELECT version, wait_type FROM migrate.progress'), '0002|lock', 'it waits for a lock');
like($node->safe_psql('postgres', 'SELECT wait_detail FROM migrate.progress'), qr/\b$holder_pid\b/, 'says who holds it');
$holder->query_safe('COMMIT');
ok(wait_for_state($node, '0002', 'applied'), 'got it in the end');

# A snapshot that is older than the end of a run still sees it running, and
# must not call it interrupted.
$node->safe_psql('postgres', 'INSERT INTO gate VALUES (true)');
register($node, '0003', 'DO $$ BEGIN WHILE EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$');
$node->safe_psql('postgres', 'CALL migrate.apply(wait => false)');
wait_for_step($node, '0003', 1, "a.wait_event = 'PgSleep'");
my $old = $node->background_psql('postgres', on_error_die => 1);
my $query = "SELECT concat_ws(' ', state, error) FROM migrate.status WHERE version = '0003'";
is($old->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; $query"), 'running', 'runs');
$node->safe_psql('postgres', 'DELETE FROM gate');
ok(wait_for_state($node, '0003', 'applied'), 'has ended');
is($old->query_safe($query), 'running', 'an older snapshot sees it as it was');
$old->query_safe('COMMIT');
$old->quit;

$holder->quit;
$node->stop;
done_testing();
