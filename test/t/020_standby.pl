# On a standby everything that reads works, and everything else says why not.
# A promoted one goes on where the primary stopped.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use PostgreSQL::Test::Cluster;
use Test::More;

my $primary = migrate_node('primary');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int);
INSERT INTO t SELECT generate_series(1, 100);
CREATE TABLE journal (entry int);
SQL
register($primary, '0001', 'ALTER TABLE t ADD COLUMN a int', down => 'ALTER TABLE t DROP COLUMN a');
register($primary, '0002', 'CREATE INDEX CONCURRENTLY t_a ON t (a)');
$primary->safe_psql('postgres', 'CALL migrate.apply()');
register($primary, '0003', 'INSERT INTO journal VALUES (1); CREATE INDEX CONCURRENTLY t_id ON t (id); INSERT INTO journal VALUES (2)');
register($primary, '0004', 'ALTER TABLE t ADD COLUMN b int');

# 0003 runs, and is held up by a writer
my $holder = $primary->background_psql('postgres', on_error_die => 1);
$holder->query_safe('BEGIN; INSERT INTO t VALUES (0)');
$primary->safe_psql('postgres', "CALL migrate.apply('0003', wait => false)");
wait_for_step($primary, '0003', 2,
	"EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.phase = 'waiting for writers before build')");
$primary->wait_for_catchup($standby);

# --- what reads ---

is($standby->safe_psql('postgres', 'SELECT version, state, error, progress FROM migrate.status'),
	"0001|applied||100\n0002|applied||100\n0003|running||33\n0004|pending||0", 'status');
is($standby->safe_psql('postgres', 'SELECT version, step, kind, done, wait_type FROM migrate.progress'),
	'0003|2|create index||', 'progress: what the tables say');
is($standby->safe_psql('postgres', 'SELECT running, failed FROM migrate.stat'), '1|0', 'stat');
is($standby->safe_psql('postgres', "SELECT count(*) > 0 FROM migrate.history WHERE version = '0002' AND event = 'step done'"),
	't', 'history');
is($standby->safe_psql('postgres', "SELECT up FROM migrate.migrations WHERE version = '0001'"),
	'ALTER TABLE t ADD COLUMN a int', 'migrations');
is($standby->safe_psql('postgres', "SELECT migrate.ready('0002'), migrate.ready('0003'), migrate.current()"),
	't|f|0002', 'ready and current');
is($standby->safe_psql('postgres', 'SELECT * FROM migrate.heads()'), '0004||pending', 'heads');
like($standby->safe_psql('postgres', 'SELECT migrate.graph()'), qr/^0003 \(running\)$/m, 'graph');
like($standby->safe_psql('postgres', "SELECT migrate.show('0003')"), qr/^state: running/m, 'show');
is($standby->safe_psql('postgres', "SELECT version, command FROM migrate.plan('0004') WHERE version = '0004'"),
	'0004|ALTER TABLE t ADD COLUMN b int', 'plan');
like($standby->safe_psql('postgres', "SELECT migrate.plan_text('0004')"), qr/ALTER TABLE t ADD COLUMN b int/, 'plan_text');
is($standby->safe_psql('postgres', "SELECT command FROM migrate.explain('DROP TABLE t')"), 'DROP TABLE t', 'explain');

# a long script, with a word of each kind; a primary could write, and does not
my $script = join ';', map { my $n = $_; (
		"CREATE TABLE n$n (id int PRIMARY KEY, a int CHECK (a > 0))", "CREATE INDEX ON n$n (a)", "ALTER TABLE t ADD COLUMN c$n int DEFAULT $n",
		"ALTER TABLE t ADD CONSTRAINT k$n CHECK (c$n > 0)", "ALTER TABLE t ALTER c$n SET NOT NULL", "UPDATE t SET c$n = id WHERE id > $n",
		"CREATE VIEW v$n AS SELECT id, c$n FROM t", "COMMENT ON TABLE n$n IS 'x'", "CREATE INDEX i$n ON t ((c$n + 1))",
		"DROP VIEW v$n") } 1 .. 100;
is($standby->safe_psql('postgres', "SELECT count(DISTINCT (statement)) FROM migrate.explain(\$script\$$script\$script\$)"),
	'1000', 'explain of 1,000 statements');
is($primary->safe_psql('postgres', "BEGIN; SELECT count(DISTINCT (statement)) FROM migrate.explain(\$script\$$script\$script\$);"
		. ' SELECT pg_current_xact_id_if_assigned() IS NULL, count(*) FILTER (WHERE mode <> \'AccessShareLock\')'
		. ' FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = \'relation\'; COMMIT'),
	"1000\nt|0", 'explain writes nothing, and leaves no lock that is in anybody\'s way');

# --- what does not ---

foreach my $statement (
	"SELECT migrate.register('0005', 'SELECT 1')",
	"SELECT migrate.unregister('0004')",
	"SELECT * FROM migrate.load('SELECT 1', '0005_x.sql')",
	"SELECT * FROM migrate.load_archive('')",
	"SELECT * FROM migrate.load_directory('/nowhere')",
	'CALL migrate.apply()',
	"CALL migrate.apply('0004', wait => false)",
	'CALL migrate.complete()',
	"CALL migrate.rollback('0002')",
	"CALL migrate.rollback_to('0001')",
	"CALL migrate.run('SELECT 1')",
	'CALL migrate.wait()',
	'SELECT migrate.pause()',
	'SELECT migrate.resume()',
	"SELECT migrate.tune('0003', 'workers', '2')",
	"SELECT migrate.resolve('0003', 2, 'done')",
	"SELECT migrate.grant_right('apply', 'pg_monitor', current_user::regrole)",
	"SELECT migrate.revoke_right('apply', 'pg_monitor', current_user::regrole)",
	"SELECT migrate.reassign('gone', current_user::regrole)")
{
	my ($rc, $out, $err) = $standby->psql('postgres', $statement, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	is(sqlstate_of($err), '25006', "refused: $statement") or diag($err);
	like($err, qr/standby/, "says why: $statement");
}

# --- promotion ---

$primary->stop('immediate');
$holder->{run}->kill_kill;
$standby->promote;
is(status_of($standby, '0003'), 'failed interrupted', 'promoted: nobody runs it any more');
$standby->safe_psql('postgres', 'CALL migrate.apply()');
is_finished($standby, '0003', 'promoted');
is_finished($standby, '0004', 'promoted');
is($standby->safe_psql('postgres', 'SELECT string_agg(entry::text, \',\' ORDER BY entry) FROM journal'), '1,2', 'nothing was repeated or skipped');

$standby->stop;
done_testing();
