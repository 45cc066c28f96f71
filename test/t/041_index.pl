# Statements that become concurrent ones, cut off in the middle: by SIGKILL of
# the worker, by termination, by a cancel.  From each of these, apply finishes
# the job and rollback undoes it; nothing invalid and nothing half done stays.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Cases;
use Migrate;
use Test::More;

my $node = migrate_node('indexes');

$node->safe_psql('postgres', 'CREATE TABLE bystander (id int)');

my $table = 'CREATE TABLE t (id int PRIMARY KEY, a int, b text);'
  . ' INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g; CREATE INDEX i ON t (a); CREATE UNIQUE INDEX u ON t (b);';
my $tree = 'CREATE TABLE p (id int, k int) PARTITION BY RANGE (id);'
  . ' CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);'
  . ' CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200) PARTITION BY LIST (k);'
  . ' CREATE TABLE p3 PARTITION OF p2 DEFAULT;'
  . ' INSERT INTO p SELECT g, g FROM generate_series(1, 100) g; CREATE INDEX there ON p3 (k DESC);';
my $waits = "a.wait_event_type = 'Lock'";
my $held_off = "EXISTS (SELECT FROM migrate.progress g WHERE g.pid = a.pid AND g.wait_type = 'lock')";

# What is there; what is done; who holds it up, at which step, and how that shows; what is true in the end.
my @points = (
	{
		name => 'CREATE INDEX, at its end',
		setup => $table,
		up => 'CREATE INDEX ON t (a, b)',
		holder => 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM bystander',
		step => 1,
		reached => "EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.phase = 'waiting for old snapshots')",
		good => "SELECT count(*) = 1 FROM pg_index WHERE indexrelid = 't_a_b_idx'::regclass"
	},
	{
		name => 'CREATE UNIQUE INDEX, before it begins',
		setup => $table,
		up => 'CREATE UNIQUE INDEX ON t (a, b)',
		holder => 'BEGIN; INSERT INTO t VALUES (0)',
		step => 2,
		reached => $waits,
		good => "SELECT count(*) = 1 FROM pg_index WHERE indexrelid = 't_a_b_idx'::regclass AND indisunique"
	},
	{
		name => 'CREATE INDEX, a partition is written',
		setup => $tree,
		up => 'CREATE INDEX ON p (id)',
		holder => 'BEGIN; INSERT INTO p3 VALUES (150, 0)',
		step => 5,
		reached => $waits,
		good => "SELECT bool_and(indisvalid) AND count(*) = 4 FROM pg_partition_tree('p_id_idx') JOIN pg_index ON indexrelid = relid"
	},
	{
		name => 'CREATE INDEX, a partition is read',
		setup => $tree,
		up => 'CREATE INDEX ON p (k)',
		holder => 'BEGIN; SELECT count(*) FROM p3',
		step => 5,
		reached => $held_off,
		good => "SELECT bool_and(indisvalid) AND count(*) = 4 FROM pg_partition_tree('p_k_idx') JOIN pg_index ON indexrelid = relid"
	},
	{
		name => 'DROP INDEX',
		setup => $table,
		up => 'DROP INDEX i',
		holder => 'BEGIN; SELECT count(*) FROM t',
		step => 1,
		reached => $waits,
		good => "SELECT to_regclass('i') IS NULL"
	},
	{
		name => 'DROP INDEX, CREATE INDEX',
		setup => $table,
		up => 'DROP INDEX i; CREATE INDEX i ON t (b, a)',
		holder => 'BEGIN; INSERT INTO t VALUES (0)',
		step => 2,
		reached => $waits,
		good => "SELECT count(*) = 3 AND bool_or(pg_get_indexdef(indexrelid) LIKE 'CREATE INDEX i ON %(b, a)') FROM pg_index WHERE indrelid = 't'::regclass"
	},
	{
		name => 'REINDEX TABLE',
		setup => $table,
		up => 'REINDEX TABLE t',
		holder => 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM bystander',
		step => 1,
		reached => $waits,
		good => "SELECT count(*) = 3 FROM pg_index WHERE indrelid = 't'::regclass"
	},
	{
		name => 'REINDEX SCHEMA, with TOAST',
		setup => "$table ALTER TABLE t ADD c text; ALTER TABLE t ALTER c SET STORAGE EXTERNAL; INSERT INTO t VALUES (200, 1, 'x', repeat('x', 10000));",
		up => 'REINDEX SCHEMA SCHEMA_NAME',
		holder => 'BEGIN; SELECT c FROM t; UPDATE t SET a = 2 WHERE id = 200',
		step => 1,
		reached => $waits,
		good => "SELECT count(*) = 3 FROM pg_index WHERE indrelid = 't'::regclass"
	},
	{
		name => 'REFRESH MATERIALIZED VIEW',
		setup => "$table CREATE MATERIALIZED VIEW mv AS SELECT * FROM t; CREATE UNIQUE INDEX mv_id ON mv (id); DELETE FROM t WHERE id > 10;",
		up => 'REFRESH MATERIALIZED VIEW mv',
		holder => 'BEGIN; REFRESH MATERIALIZED VIEW CONCURRENTLY mv',
		step => 1,
		reached => $held_off,
		good => 'SELECT count(*) = 10 FROM mv'
	},
	{
		name => 'DETACH PARTITION',
		setup => $tree,
		up => 'ALTER TABLE p DETACH PARTITION p1',
		holder => 'BEGIN; SELECT count(*) FROM p',
		step => 1,
		reached => $waits,
		good => "SELECT count(*) = 1 FROM pg_inherits WHERE inhparent = 'p'::regclass"
	},
	{
		name => 'ATTACH PARTITION',
		setup => "$tree CREATE INDEX on_p ON p (id); CREATE TABLE n (id int NOT NULL, k int); INSERT INTO n VALUES (300, 1);",
		up => 'ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (300) TO (400)',
		holder => 'BEGIN; LOCK TABLE n IN SHARE UPDATE EXCLUSIVE MODE',
		step => 2,
		reached => $waits,
		good => "SELECT count(*) = 3 FROM pg_inherits WHERE inhparent = 'p'::regclass"
	});

my %blows = (
	'kill -9' => sub { crash($node, $_[0]); return 1; },
	termination => sub { $node->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])"); return 0; },
	cancel => sub { $node->safe_psql('postgres', "SELECT pg_cancel_backend($_[0])"); return 0; });

sub in_schema
{
	my ($schema, $sql) = @_;

	return $node->safe_psql('postgres', "SET search_path = $schema, public; $sql");
}

sub shape_of
{
	my ($schema) = @_;

	return in_schema($schema, $fingerprint =~ s/SCHEMA/$schema/gr);
}

sub is_sound
{
	my ($what) = @_;

	is($node->safe_psql('postgres', 'SELECT indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)'),
		'', "$what: no invalid index");
	is($node->safe_psql('postgres', 'SELECT inhrelid::regclass FROM pg_inherits WHERE inhdetachpending'),
		'', "$what: nothing is half detached");
}

# Hold a run up, and hit it.  The holder is gone afterwards.
sub cut_off
{
	my ($schema, $call, $holds, $step, $reached, $blow) = @_;
	my $holder = $node->background_psql('postgres', on_error_die => 1);

	$holder->query_safe("SET search_path = $schema, public; $holds");
	my $caller = background($node, $call);
	my $restarted = $blows{$blow}->(wait_for_step($node, $schema, $step, $reached));
	my $ended_well = finish($caller);
	if ($restarted) { $holder->{run}->kill_kill; }
	else { $holder->query_safe('ROLLBACK'); $holder->quit; }
	return $ended_well;
}

my $number = 0;
my %shape;
foreach my $point (@points)
{
	foreach my $how (['kill -9', 'apply'], ['kill -9', 'rollback'], ['termination', 'rollback'], ['cancel', 'apply'], ['cancel', 'rollback'])
	{
		my ($blow, $then) = @$how;
		my $schema = 'v' . ++$number;
		my $what = "$point->{name}, $blow, $then";
		my $up = $point->{up} =~ s/SCHEMA_NAME/$schema/r;

		$node->safe_psql('postgres', "CREATE SCHEMA $schema");
		in_schema($schema, $point->{setup});
		my $before = shape_of($schema);
		in_schema($schema, "SELECT migrate.register('$schema', \$\$$up\$\$, requires => '{}', options => '{\"small_table\": \"0\"}')");
		ok(!cut_off($schema, "CALL migrate.apply('$schema');", $point->{holder}, $point->{step}, $point->{reached}, $blow),
			"$what: the caller got an error");
		like(status_of($node, $schema), qr/^failed/, "$what: stopped");
		if ($then eq 'apply')
		{
			$node->safe_psql('postgres', "CALL migrate.apply('$schema')");
			is_finished($node, $schema, $what);
			is(in_schema($schema, $point->{good}), 't', "$what: as it should be");
			$node->safe_psql('postgres', "CALL migrate.rollback('$schema', lose_data => true)");
		}
		else
		{
			$node->safe_psql('postgres', "CALL migrate.rollback('$schema', lose_data => true)");
		}
		is(status_of($node, $schema), 'pending', "$what: rolled back");
		is(shape_of($schema), $before, "$what: as before");
		is_sound($what);
		$node->safe_psql('postgres', "DROP SCHEMA $schema CASCADE");
	}
}

# --- the way back is cut off ---

foreach my $then ('rollback', 'apply')
{
	my $schema = 'v' . ++$number;
	my $what = "way back, then $then";

	$node->safe_psql('postgres', "CREATE SCHEMA $schema");
	in_schema($schema, $table);
	my $before = shape_of($schema);
	in_schema($schema, "SELECT migrate.register('$schema', 'CREATE INDEX ON t (a, b)', requires => '{}', options => '{\"small_table\": \"0\"}')");
	$node->safe_psql('postgres', "CALL migrate.apply('$schema')");
	my $after = shape_of($schema);
	ok(!cut_off($schema, "CALL migrate.rollback('$schema');", 'BEGIN; SELECT count(*) FROM t', 1, $waits, 'cancel'),
		"$what: the caller got an error");
	isnt($node->safe_psql('postgres', 'SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid'), '', "$what: cut off half way");
	$node->safe_psql('postgres', "CALL migrate.$then('$schema')");
	is(shape_of($schema), $then eq 'apply' ? $after : $before, "$what: as it should be");
	is_sound($what);
}

# --- rows that a unique index cannot take ---

$node->safe_psql('postgres', 'CREATE TABLE twice (id int, b text); INSERT INTO twice SELECT g, g % 99 FROM generate_series(1, 100) g;'
	  . ' CREATE TABLE parts (id int, b text) PARTITION BY LIST (id); CREATE TABLE parts1 PARTITION OF parts FOR VALUES IN (1);'
	  . " CREATE TABLE parts2 PARTITION OF parts FOR VALUES IN (2); INSERT INTO parts VALUES (1, 'x'), (2, 'y'), (2, 'y')");
# looked for first
register($node, 'twice', 'CREATE UNIQUE INDEX ON twice (b)', options => '{"small_table": "0"}');
my $caller = background($node, "CALL migrate.apply('twice');");
ok(!finish($caller), 'duplicates: an error');
is(sqlstate_of($caller->{err}), '23505', 'duplicates: its SQLSTATE');
like($caller->{err}, qr/\(b=1\)/, 'duplicates: shown');
is($node->safe_psql('postgres', "SELECT key FROM migrate.failed_rows WHERE version = 'twice'"), 'b=1', 'duplicates: kept');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_index WHERE indrelid = 'twice'::regclass"), 0, 'duplicates: nothing was built');
# found by the build: an operator class of its own may have another idea of equality
foreach my $case (['built', 'twice', 'CREATE UNIQUE INDEX ON twice (b text_pattern_ops)', 'DELETE FROM twice WHERE id = 100'],
	['built_tree', 'parts2', 'CREATE UNIQUE INDEX ON parts (id, b text_pattern_ops)', 'DELETE FROM parts WHERE ctid = \'(0,2)\' AND id = 2'])
{
	my ($version, $of, $up, $mend) = @$case;

	register($node, $version, $up, options => '{"small_table": "0"}');
	$caller = background($node, "CALL migrate.apply('$version');");
	ok(!finish($caller), "$version: an error");
	is(sqlstate_of($caller->{err}), '23505', "$version: its SQLSTATE");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_index WHERE indrelid = '$of'::regclass"), 0, "$version: no invalid index is left");
	$node->safe_psql('postgres', "$mend; CALL migrate.apply('$version')");
	is_finished($node, $version, $version);
}

# --- invalid indexes that are not ours ---

my $held = $node->background_psql('postgres', on_error_die => 1);
$node->safe_psql('postgres', 'CREATE TABLE others (id int, a int); INSERT INTO others VALUES (1); CREATE INDEX others_id ON others (id)');
$held->query_safe('BEGIN; INSERT INTO others VALUES (2)');
$node->psql('postgres', "SET lock_timeout = '10ms'; CREATE INDEX CONCURRENTLY others_a ON others (a)");
$node->psql('postgres', "SET lock_timeout = '10ms'; REINDEX TABLE CONCURRENTLY others");
$held->query_safe('ROLLBACK');
$held->quit;
is($node->safe_psql('postgres', 'SELECT string_agg(indexrelid::regclass::text, \' \' ORDER BY 1) FROM pg_index WHERE NOT indisvalid'),
	'others_a others_id_ccnew', 'others have left two invalid indexes');
foreach my $case (['CREATE INDEX IF NOT EXISTS others_a ON others (a)', 'others_a'], ['CREATE INDEX CONCURRENTLY IF NOT EXISTS others_a ON others (a)', 'others_a'],
	['CREATE INDEX others_a ON others (a)', 'others_a'], ['REINDEX TABLE others', 'others_id_ccnew'])
{
	my ($up, $index) = @$case;
	my $version = 'not_ours' . ++$number;

	register($node, $version, $up, options => '{"small_table": "0"}');
	$caller = background($node, "CALL migrate.apply('$version');");
	ok(!finish($caller), "$up: an error");
	like($caller->{err}, qr/ERROR:  55000: index public\.$index /, "$up: names the index");
	$node->safe_psql('postgres', "SELECT migrate.unregister('$version')");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_index WHERE NOT indisvalid'), 2, 'they are not touched');

$node->stop;
done_testing();
