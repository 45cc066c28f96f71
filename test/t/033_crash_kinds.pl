# Each kind of step that runs outside a transaction, cut off in the middle and
# cut off between its effect and its record: what is left over is cleared away,
# what is done is not done again, and what nobody can know is asked.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use Test::More;

my $node = migrate_node('kinds');

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE journal (version text, entry int);
CREATE TABLE gate_open (version text);
CREATE PROCEDURE commits(v text) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO journal VALUES (v, 1);
	COMMIT;
	WHILE NOT EXISTS (SELECT FROM gate_open g WHERE g.version = v) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
	INSERT INTO journal VALUES (v, 2);
END $$;
SQL

my $waits_for_lock = "a.wait_event_type = 'Lock'";

# setup; up; what holds it up; is it as it should be in the end?
my %kinds = (
	'drop index' => {
		setup => 'CREATE TABLE t_VER (id int); CREATE INDEX i_VER ON t_VER (id)',
		up => 'DROP INDEX CONCURRENTLY i_VER',
		holder => 'BEGIN; SELECT count(*) FROM t_VER',
		good => "SELECT to_regclass('i_VER') IS NULL"
	},
	'reindex table' => {
		setup => 'CREATE TABLE t_VER (id int PRIMARY KEY); CREATE INDEX i_VER ON t_VER (id); INSERT INTO t_VER SELECT generate_series(1, 100)',
		up => 'REINDEX TABLE CONCURRENTLY t_VER',
		holder => 'BEGIN; INSERT INTO t_VER VALUES (0)',
		good => "SELECT count(*) = 2 FROM pg_index WHERE indrelid = 't_VER'::regclass"
	},
	'reindex index' => {
		setup => 'CREATE TABLE t_VER (id int); CREATE INDEX i_VER ON t_VER (id)',
		up => 'REINDEX INDEX CONCURRENTLY i_VER',
		holder => 'BEGIN; INSERT INTO t_VER VALUES (0)',
		good => "SELECT count(*) = 1 FROM pg_index WHERE indrelid = 't_VER'::regclass"
	},
	detach => {
		setup => 'CREATE TABLE t_VER (id int) PARTITION BY LIST (id); CREATE TABLE p_VER PARTITION OF t_VER FOR VALUES IN (1);'
		  . ' CREATE TABLE q_VER PARTITION OF t_VER FOR VALUES IN (2)',
		up => 'ALTER TABLE t_VER DETACH PARTITION p_VER CONCURRENTLY',
		holder => 'BEGIN; SELECT count(*) FROM t_VER',
		good => "SELECT count(*) = 1 FROM pg_inherits WHERE inhparent = 't_VER'::regclass AND NOT inhdetachpending"
	},
	vacuum => {
		setup => 'CREATE TABLE t_VER (id int)',
		up => 'VACUUM t_VER',
		holder => 'BEGIN; LOCK TABLE t_VER IN SHARE UPDATE EXCLUSIVE MODE',
		good => 'SELECT true'
	});

my $number = 0;
foreach my $kind (sort keys %kinds)
{
	foreach my $blow ('kill -9', 'termination', 'cancel')
	{
		my $version = sprintf('%04d', ++$number);
		my %k = map { (my $text = $kinds{$kind}{$_}) =~ s/VER/$version/g; $_ => $text } keys %{ $kinds{$kind} };

		$node->safe_psql('postgres', $k{setup});
		register($node, $version, "$k{up}; INSERT INTO journal VALUES ('$version', 1)");
		my $holder = $node->background_psql('postgres', on_error_die => 1);
		$holder->query_safe($k{holder});
		my $caller = background($node, "CALL migrate.apply('$version');");
		my $worker = wait_for_step($node, $version, 1, $waits_for_lock);
		if ($blow eq 'kill -9')
		{
			crash($node, $worker);
			$holder->{run}->kill_kill;
		}
		else
		{
			$node->safe_psql('postgres', 'SELECT ' . ($blow eq 'cancel' ? "pg_cancel_backend($worker)" : "pg_terminate_backend($worker)"));
		}
		ok(!finish($caller), "$kind, $blow: the caller got an error");
		if ($blow ne 'kill -9')
		{
			$holder->query_safe('ROLLBACK');
			$holder->quit;
		}
		like(status_of($node, $version), qr/^(failed|paused)/, "$kind, $blow: stopped");
		$node->safe_psql('postgres', 'CALL migrate.apply()');
		is_finished($node, $version, "$kind, $blow");
		is($node->safe_psql('postgres', $k{good}), 't', "$kind, $blow: as it should be");
		is($node->safe_psql('postgres', "SELECT count(*) FROM journal WHERE version = '$version'"), 1, "$kind, $blow: the rest ran once");
	}
}

# --- cut off between the effect and its record ---

# As if the server had died right after the first step of a finished migration.
sub forget_record
{
	my ($version) = @_;

	$node->safe_psql('postgres', <<"SQL");
UPDATE migrate_internal.step SET state = 'started', finished_at = NULL WHERE version = '$version' AND step = 1;
UPDATE migrate_internal.step SET state = 'pending' WHERE version = '$version' AND step > 1;
UPDATE migrate_internal.migration SET state = 'running', step = 1, steps_done = 0, finished_at = NULL WHERE version = '$version';
DELETE FROM migrate_internal.event WHERE version = '$version' AND event = 'step done';
SQL
	is(status_of($node, $version), 'failed interrupted', "$version: as after a crash");
}

$node->safe_psql('postgres', 'CREATE TABLE t (id int); CREATE INDEX dropped ON t (id);'
	  . ' CREATE TABLE parted (id int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parted FOR VALUES IN (1)');
register($node, '1001', "CREATE INDEX CONCURRENTLY made ON t (id); INSERT INTO journal VALUES ('1001', 1)");
register($node, '1002', "DROP INDEX CONCURRENTLY dropped; INSERT INTO journal VALUES ('1002', 1)");
register($node, '1003', "ALTER TABLE parted DETACH PARTITION part CONCURRENTLY; INSERT INTO journal VALUES ('1003', 1)");
$node->safe_psql('postgres', 'CALL migrate.apply()');
my $oid = $node->safe_psql('postgres', "SELECT 'made'::regclass::oid");
foreach my $version ('1001', '1002', '1003')
{
	$node->safe_psql('postgres', 'TRUNCATE journal');
	forget_record($version);
	$node->safe_psql('postgres', 'CALL migrate.apply()');
	is_finished($node, $version, 'effect without record');
}
is($node->safe_psql('postgres', "SELECT 'made'::regclass::oid"), $oid, 'a finished index is not built again');

# --- a build that fails leaves nothing ---

$node->safe_psql('postgres', 'CREATE TABLE twice (id int); INSERT INTO twice VALUES (1), (1)');
register($node, '1004', 'CREATE UNIQUE INDEX CONCURRENTLY ON twice (id)');
my $caller = background($node, 'CALL migrate.apply();');
ok(!finish($caller), 'duplicates: an error');
is(sqlstate_of($caller->{err}), '23505', 'duplicates: the SQLSTATE of the server');
like($caller->{err}, qr/step 1 of migration 1004, line 1/, 'duplicates: says where');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_index WHERE indrelid = 'twice'::regclass"), 0, 'duplicates: no invalid index is left');
$node->safe_psql('postgres', 'TRUNCATE twice; CALL migrate.apply()');
is_finished($node, '1004', 'duplicates gone');

# an invalid index that is not ours is not touched
$node->safe_psql('postgres', 'CREATE TABLE foreign_invalid (id int); INSERT INTO foreign_invalid VALUES (1), (1)');
$node->psql('postgres', 'CREATE UNIQUE INDEX CONCURRENTLY theirs ON foreign_invalid (id)');
$node->safe_psql('postgres', 'TRUNCATE foreign_invalid');
register($node, '1005', 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS theirs ON foreign_invalid (id)');
$caller = background($node, 'CALL migrate.apply();');
ok(!finish($caller), 'an invalid index of others is no success');
like($caller->{err}, qr/index (public\.)?theirs exists already and is invalid/, 'it is named');
is($node->safe_psql('postgres', "SELECT indisvalid FROM pg_index WHERE indexrelid = 'theirs'::regclass"), 'f', 'and not touched');
$node->safe_psql('postgres', 'DROP INDEX theirs; CALL migrate.apply()');
is_finished($node, '1005', 'after it is gone');

# --- what nobody can know ---

foreach my $outcome ('done', 'again')
{
	my $version = $outcome eq 'done' ? '2001' : '2002';

	register($node, $version, "CALL commits('$version'); INSERT INTO journal VALUES ('$version', 3)");
	$caller = background($node, "CALL migrate.apply('$version');");
	crash($node, wait_for_step($node, $version, 1, "a.wait_event = 'PgSleep'"));
	ok(!finish($caller), "opaque, $outcome: the caller got an error");
	$node->safe_psql('postgres', "INSERT INTO gate_open VALUES ('$version')");
	$caller = background($node, 'CALL migrate.apply();');
	ok(!finish($caller), "opaque, $outcome: apply does not guess");
	like($caller->{err}, qr/step 1 (of migration "$version" )?may have run/, "opaque, $outcome: says so");
	like($caller->{err}, qr/migrate\.resolve\('$version', 1, 'done'\)/, "opaque, $outcome: and what to do");
	is(status_of($node, $version) =~ /^failed/, 1, "opaque, $outcome: failed");
	is($node->safe_psql('postgres', "SELECT count(*) FROM journal WHERE version = '$version'"), 1, "opaque, $outcome: nothing has run again");
	$node->safe_psql('postgres', "SELECT migrate.resolve('$version', 1, '$outcome')");
	$node->safe_psql('postgres', 'CALL migrate.apply()');
	is(status_of($node, $version), 'applied', "opaque, $outcome: goes on");
	is($node->safe_psql('postgres', "SELECT string_agg(entry::text, ',' ORDER BY entry) FROM journal WHERE version = '$version'"),
		$outcome eq 'done' ? '1,3' : '1,1,2,3', "opaque, $outcome: as was said");
}

# --- the way back ---

$node->safe_psql('postgres', 'CREATE TABLE back (id int)');
register($node, '3001', 'ALTER TABLE back ADD COLUMN a int; CREATE INDEX CONCURRENTLY back_a ON back (a); CREATE INDEX CONCURRENTLY back_id ON back (id)');
$node->safe_psql('postgres', 'CALL migrate.apply()');
my $holder = $node->background_psql('postgres', on_error_die => 1);
$holder->query_safe('BEGIN; SELECT count(*) FROM back');
$caller = background($node, "CALL migrate.rollback('3001');");
crash($node, wait_for_step($node, '3001', 1, $waits_for_lock));
$holder->{run}->kill_kill;
ok(!finish($caller), 'rollback: the caller got an error');
is(status_of($node, '3001'), 'failed interrupted', 'rollback: interrupted');
$node->safe_psql('postgres', "CALL migrate.rollback('3001')");
is(status_of($node, '3001'), 'pending', 'rollback: ends');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_index WHERE indrelid = 'back'::regclass"), 0, 'rollback: no index is left');
is($node->safe_psql('postgres', "SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = 'back'::regclass AND attnum > 0 AND NOT attisdropped"),
	'id', 'rollback: nor the column');

# a half-built index, rolled back instead of finished
$holder = $node->background_psql('postgres', on_error_die => 1);
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM journal');
$caller = background($node, "CALL migrate.apply('3001');");
crash($node, wait_for_step($node, '3001', 2, $waits_for_lock));
$holder->{run}->kill_kill;
finish($caller);
is($node->safe_psql('postgres', "SELECT indisvalid FROM pg_index WHERE indexrelid = 'back_a'::regclass"), 'f', 'half built');
$node->safe_psql('postgres', 'CALL migrate.rollback()');
is(status_of($node, '3001'), 'pending', 'half built: rolled back');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_index WHERE indrelid = 'back'::regclass"), 0, 'half built: no index is left');
$node->safe_psql('postgres', 'CALL migrate.apply()');
is(status_of($node, '3001'), 'applied', 'and applied after all');

# What is half done is brought to its end before it is undone.
$node->safe_psql('postgres', 'CREATE TABLE half (id int); CREATE INDEX half_id ON half (id);'
	  . ' CREATE TABLE halves (id int) PARTITION BY LIST (id); CREATE TABLE half_1 PARTITION OF halves FOR VALUES IN (1)');
register($node, '3002', 'DROP INDEX CONCURRENTLY half_id');
register($node, '3003', 'ALTER TABLE halves DETACH PARTITION half_1 CONCURRENTLY',
	down => 'ALTER TABLE halves ATTACH PARTITION half_1 FOR VALUES IN (1)');
foreach my $version ('3002', '3003')
{
	my $table = $version eq '3002' ? 'half' : 'halves';
	foreach my $blow ('kill -9', 'termination', 'cancel')
	{
		$holder = $node->background_psql('postgres', on_error_die => 1);
		$holder->query_safe("BEGIN; SELECT count(*) FROM $table");
		$caller = background($node, "CALL migrate.apply('$version');");
		my $worker = wait_for_step($node, $version, 1, $waits_for_lock);
		if ($blow eq 'kill -9')
		{
			crash($node, $worker);
			$holder->{run}->kill_kill;
		}
		else
		{
			$node->safe_psql('postgres', 'SELECT ' . ($blow eq 'cancel' ? "pg_cancel_backend($worker)" : "pg_terminate_backend($worker)"));
		}
		ok(!finish($caller), "$table, $blow: the caller got an error");
		if ($blow ne 'kill -9')
		{
			$holder->query_safe('ROLLBACK');
			$holder->quit;
		}
		$node->safe_psql('postgres', 'CALL migrate.rollback()');
		is(status_of($node, $version), 'pending', "$table, $blow: rolled back");
		is($node->safe_psql('postgres', "SELECT indisvalid FROM pg_index WHERE indexrelid = 'half_id'::regclass"), 't',
			"$table, $blow: the index is there") if $table eq 'half';
		is($node->safe_psql('postgres', "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'half_1'::regclass"), 'f',
			"$table, $blow: the partition is attached");
	}
	$node->safe_psql('postgres', "CALL migrate.apply('$version')");
	is(status_of($node, $version), 'applied', "$table: applied after all that");
}

# What may have run is not taken for undone either.
register($node, '3004', "CALL commits('3004')", down => "INSERT INTO journal VALUES ('3004', -1)");
$caller = background($node, "CALL migrate.apply('3004');");
crash($node, wait_for_step($node, '3004', 1, "a.wait_event = 'PgSleep'"));
finish($caller);
$caller = background($node, 'CALL migrate.rollback();');
ok(!finish($caller), 'opaque, rolled back: it does not guess');
like($caller->{err}, qr/step 1 of migration "3004" may have run/, 'opaque, rolled back: says so');
$node->safe_psql('postgres', "SELECT migrate.resolve('3004', 1, 'done')");
$node->safe_psql('postgres', 'CALL migrate.rollback()');
is(status_of($node, '3004'), 'pending', 'opaque, resolved as done: rolled back');
is($node->safe_psql('postgres', "SELECT string_agg(entry::text, ',') FROM journal WHERE version = '3004'"), '1,-1',
	'opaque, resolved as done: by its down');

$node->stop;
done_testing();
