# kill -9 of the worker, of the caller's session, of the caller's psql, and an
# immediate shutdown: in a transactional step, in a concurrent build (before it
# and at its end), and between steps.  apply finishes the job each time, no
# invalid index is left, nothing has run twice.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use Test::More;

my $node = migrate_node('crash');

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE journal (version text, entry int);
CREATE TABLE gate_open (version text);
CREATE TABLE bystander (id int);
-- holds a step until the test opens the gate
CREATE FUNCTION gate(v text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	WHILE NOT EXISTS (SELECT FROM gate_open g WHERE g.version = v) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
END $$;
SQL

# Where to hit: what the migration does, who holds it up, which step that is,
# and how the test knows that it got there.
my %points = (
	transactional => {
		up => "INSERT INTO journal VALUES ('VER', 1); SELECT gate('VER'); INSERT INTO journal VALUES ('VER', 2);"
		  . " CREATE TABLE made_VER (id int);",
		step => 2,
		reached => "a.wait_event = 'PgSleep'",
		entries => '1,2'
	},
	build => {
		up => "INSERT INTO journal VALUES ('VER', 1); CREATE UNIQUE INDEX CONCURRENTLY ON t_VER (id);"
		  . " INSERT INTO journal VALUES ('VER', 2);",
		holder => 'BEGIN; INSERT INTO t_VER VALUES (0)',
		step => 2,
		reached => "EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.phase = 'waiting for writers before build')",
		entries => '1,2'
	},
	'end of build' => {
		up => "CREATE INDEX CONCURRENTLY named_VER ON t_VER (id); INSERT INTO journal VALUES ('VER', 1);",
		holder => 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM bystander',
		step => 1,
		reached => "EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.phase = 'waiting for old snapshots')",
		entries => '1'
	},
	between => {
		up => "CREATE INDEX CONCURRENTLY ON t_VER (id); INSERT INTO journal VALUES ('VER', 1); ALTER TABLE t_VER ADD COLUMN b int;"
		  . " INSERT INTO journal VALUES ('VER', 2);",
		holder => 'BEGIN; SELECT count(*) FROM t_VER',
		step => 2,
		reached => "EXISTS (SELECT FROM migrate.progress p WHERE p.pid = a.pid AND p.wait_type = 'lock')",
		entries => '1,2'
	});

# How to hit.  True if the server was restarted, so that all sessions are gone.
my %blows = (
	'kill -9 of the worker' => sub {
		my ($worker) = @_;
		crash($node, $worker);
		return 1;
	},
	'kill -9 of the caller' => sub {
		crash($node, $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL migrate.apply%'"));
		return 1;
	},
	'immediate shutdown' => sub {
		$node->stop('immediate');
		$node->start;
		return 1;
	},
	'termination of the worker' => sub {
		my ($worker) = @_;
		$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
		$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $worker");
		return 0;
	},
	'kill -9 of psql' => sub {
		my ($worker, $caller) = @_;
		kill_client($caller);
		return 0;
	});

my $number = 0;
foreach my $point (sort keys %points)
{
	foreach my $blow (sort keys %blows)
	{
		my $version = sprintf('%04d', ++$number);
		my %p = map { (my $text = $points{$point}{$_}) =~ s/VER/$version/g; $_ => $text } keys %{ $points{$point} };
		my $what = "$blow, $point";

		$node->safe_psql('postgres', "CREATE TABLE t_$version AS SELECT generate_series(1, 100) AS id");
		register($node, $version, $p{up});
		my $holder;
		if ($p{holder})
		{
			$holder = $node->background_psql('postgres', on_error_die => 1);
			$holder->query_safe($p{holder});
		}
		my $caller = background($node, "CALL migrate.apply('$version');");
		my $worker = wait_for_step($node, $version, $p{step}, $p{reached});

		is(status_of($node, $version), 'running', "$what: was running");
		my $restarted = $blows{$blow}->($worker, $caller);
		if ($blow eq 'kill -9 of psql')
		{
			is(status_of($node, $version), 'running', "$what: the work goes on");
		}
		else
		{
			is(status_of($node, $version), 'failed interrupted', "$what: shown as interrupted");
			ok(!finish($caller), "$what: the caller got an error");
		}
		$node->safe_psql('postgres', "INSERT INTO gate_open VALUES ('$version')");
		if ($holder)
		{
			$holder->query('ROLLBACK') unless $restarted;
			$restarted ? $holder->{run}->kill_kill : $holder->quit;
		}

		if ($blow eq 'kill -9 of psql')
		{
			ok(wait_for_state($node, $version, 'applied'), "$what: it ends without a caller");
		}
		$node->safe_psql('postgres', 'CALL migrate.apply()');
		is_finished($node, $version, $what);
		is($node->safe_psql('postgres', "SELECT string_agg(entry::text, ',' ORDER BY entry) FROM journal WHERE version = '$version'"),
			$p{entries}, "$what: each statement ran once");
		is($node->safe_psql('postgres', "SELECT count(*) FROM pg_index WHERE indrelid = 't_$version'::regclass"),
			$point eq 'transactional' ? 0 : 1, "$what: the index is there once");
	}
}

is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'migrate:%'"),
	0, 'no worker is left');

$node->stop;
done_testing();
