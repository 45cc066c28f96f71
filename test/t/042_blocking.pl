# Planned sequences while clients read and write all the time, a long reader
# comes again and again, and VACUUM works on the same tables: no statement of a
# client waits for long, and none gets an error.
#
# migrate.stall_limit is 50 ms.  Clients give up a lock after a second, which is
# twenty times as much, so that a slow machine does not matter; the reader stays
# for longer than that, so that whoever queued behind it with a strong lock
# would be noticed.  The last test shows that it is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use IPC::Run ();
use Migrate;
use PostgreSQL::Test::Utils;
use Test::More;

use constant CLIENTS => 4;

my $table = 'CREATE TABLE TAB (id int, a int, b text, c int DEFAULT 0);'
  . ' INSERT INTO TAB SELECT g, g, g, 0 FROM generate_series(1, 500) g; CREATE INDEX ON TAB (id);';
my $tree = 'CREATE TABLE TAB (id int, a int, b text, c int DEFAULT 0) PARTITION BY RANGE (id);'
  . ' CREATE TABLE TAB_1 PARTITION OF TAB FOR VALUES FROM (0) TO (1000);'
  . ' CREATE TABLE TAB_2 PARTITION OF TAB FOR VALUES FROM (100000) TO (MAXVALUE);'
  . ' INSERT INTO TAB SELECT g, g, g, 0 FROM generate_series(1, 500) g; CREATE INDEX ON TAB (id);';
my $with_default = $tree =~ s/FOR VALUES FROM \(100000\) TO \(MAXVALUE\)/DEFAULT/r;

# name => [ setup, statement ]
my %sequences = (
	check => [ $table, 'ALTER TABLE TAB ADD CHECK (a > 0)' ],
	foreign_key => [ $table, 'ALTER TABLE TAB ADD FOREIGN KEY (c) REFERENCES referenced' ],
	unique => [ $table, 'ALTER TABLE TAB ADD UNIQUE (b)' ],
	primary_key => [ $table, 'ALTER TABLE TAB ADD PRIMARY KEY (id)' ],
	not_null => [ $table, 'ALTER TABLE TAB ALTER a SET NOT NULL, ALTER b SET NOT NULL' ],
	not_null_tree => [ $tree, 'ALTER TABLE TAB ALTER a SET NOT NULL' ],
	check_tree => [ $tree, 'ALTER TABLE TAB ADD CHECK (a > 0)' ],
	column => [ $table, 'ALTER TABLE TAB ADD d int DEFAULT 7 NOT NULL' ],
	column_filled => [ $table, 'ALTER TABLE TAB ADD d uuid DEFAULT gen_random_uuid() NOT NULL' ],
	column_checked => [ $table, 'ALTER TABLE TAB ADD d int DEFAULT 1 CHECK (d > 0) REFERENCES referenced' ],
	index => [ $table, 'CREATE INDEX ON TAB (a, b)' ],
	unique_index => [ $table, 'CREATE UNIQUE INDEX ON TAB (lower(b))' ],
	index_tree => [ $tree, 'CREATE INDEX ON TAB (a)' ],
	drop_index => [ "$table CREATE INDEX TAB_b ON TAB (b);", 'DROP INDEX TAB_b' ],
	replace_index => [ "$table CREATE INDEX TAB_b ON TAB (b);", 'DROP INDEX TAB_b; CREATE INDEX TAB_b ON TAB (b, a)' ],
	reindex => [ $table, 'REINDEX TABLE TAB' ],
	reindex_tree => [ $tree, 'REINDEX TABLE TAB' ],
	attach => [ "$with_default CREATE TABLE TAB_n (id int, a int, b text, c int DEFAULT 0);"
		  . ' INSERT INTO TAB_n SELECT g, g, g, 0 FROM generate_series(1000, 1500) g;',
		'ALTER TABLE TAB ATTACH PARTITION TAB_n FOR VALUES FROM (1000) TO (2000)' ],
	new_partition => [ $with_default, 'CREATE TABLE TAB_n PARTITION OF TAB FOR VALUES FROM (1000) TO (2000)' ],
	detach => [ $tree, 'ALTER TABLE TAB DETACH PARTITION TAB_1' ],
	drop_partition => [ $tree, 'DROP TABLE TAB_1' ],
	foreign_key_tree => [ $tree, 'ALTER TABLE TAB ADD FOREIGN KEY (c) REFERENCES referenced' ],
	attach_fitting => [ "$tree ALTER TABLE TAB ADD PRIMARY KEY (id), ADD FOREIGN KEY (c) REFERENCES referenced;"
		  . ' CREATE TABLE TAB_n (id int NOT NULL, a int, b text, c int DEFAULT 0);'
		  . ' INSERT INTO TAB_n SELECT g, g, g, 0 FROM generate_series(1000, 1500) g;',
		'ALTER TABLE TAB ATTACH PARTITION TAB_n FOR VALUES FROM (1000) TO (2000)' ],
	refresh => [ "$table CREATE MATERIALIZED VIEW TAB_v AS SELECT id, a FROM TAB; CREATE UNIQUE INDEX ON TAB_v (id);",
		'REFRESH MATERIALIZED VIEW TAB_v', 'SELECT a FROM TAB_v WHERE id = :id;' ]);

my $node = migrate_node('blocking', "migrate.lock_retry_for = '3min'");
my $dir = PostgreSQL::Test::Utils::tempdir();
my @names = sort keys %sequences;
my @everything;

$node->safe_psql('postgres', 'CREATE SEQUENCE ids START 100000; CREATE TABLE referenced (id int PRIMARY KEY);'
	  . ' INSERT INTO referenced SELECT generate_series(0, 1)');

# What one transaction of a client may be.  It has its own rows, or leaves them as they are.
foreach my $name (@names)
{
	my ($setup, $statement, $more) = map { s/TAB(?!LE)/t_$name/gr } @{ $sequences{$name} };

	$node->safe_psql('postgres', $setup);
	append_to_file("$dir/$name.sql", <<"SQL" . ($more // ''));
\\set id random(1, 500)
SELECT a, b FROM t_$name WHERE id = :id;
UPDATE t_$name SET c = 1 - c WHERE id = :id;
INSERT INTO t_$name (id, a, b, c) SELECT n, n, n, 0 FROM nextval('ids') n;
DELETE FROM t_$name WHERE id = currval('ids');
SQL
	push @everything, "(SELECT count(*) FROM t_$name)";
	register($node, $name, $statement, options => '{"small_table": "0"}');
}
append_to_file("$dir/reader.txt", "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT " . join(' + ', @everything) . ";\n"
	  . "\\sleep 1500 ms\nCOMMIT;\n\\sleep 200 ms\n");
append_to_file("$dir/vacuum.txt", join('', map { "VACUUM t_$_;\n" } @names));
append_to_file("$dir/plain.txt", "UPDATE plain SET a = a;\n");

# pgbench for as long as it is let.
sub bench
{
	my ($who, $clients, $options, @files) = @_;
	my $self = { log => "$dir/$who.log" };

	local %ENV = $node->_get_env(PGAPPNAME => $who, PGOPTIONS => $options);
	$self->{run} = IPC::Run::start([ $node->installed_command('pgbench'), '-n', '-M', 'prepared', '-c', $clients, '-T', 3600,
			(map { ('-f', $_) } @files), $node->connstr('postgres') ],
		'<', \undef, '>', '/dev/null', '2>', $self->{log});
	return $self;
}

# Stop it; what went wrong until then.
sub errors_of
{
	my ($self) = @_;

	$self->{run}->kill_kill(grace => 0);
	return join("\n", grep { /error|ERROR|FATAL|abort/ } split /\n/, slurp_file($self->{log}));
}

sub running
{
	my ($name) = @_;

	return "(SELECT count(*) FROM pg_stat_activity WHERE application_name = '$name')";
}

my $reader = bench('reader', 1, '', "$dir/reader.txt");
my $vacuum = bench('vacuum', 1, '-c vacuum_cost_delay=2 -c vacuum_cost_limit=10', "$dir/vacuum.txt");
my $clients = bench('client', CLIENTS, '-c lock_timeout=1s', map { "$dir/$_.sql" } @names);
$node->poll_query_until('postgres', 'SELECT ' . running('client') . ' = ' . CLIENTS . ' AND ' . running('reader') . ' = 1 AND ' . running('vacuum') . ' = 1')
  or die 'the load does not start';

# Each begins while the reader is there.
foreach my $name (@names)
{
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'reader' AND state = 'idle in transaction'"
		  . " AND clock_timestamp() - xact_start > '100 ms' AND clock_timestamp() - xact_start < '600 ms'")
	  or die 'the reader has gone';
	my $caller = background($node, "CALL migrate.apply('$name', complete => true)");
	ok(finish($caller), "$name: applied") or diag($caller->{err});
}

cmp_ok($node->safe_psql('postgres', "SELECT count(DISTINCT version) FROM migrate.history WHERE lock_wait > '0'"), '>', 2,
	'the reader and VACUUM were in the way');
is($node->safe_psql('postgres', 'SELECT ' . running('client')), CLIENTS, 'all clients are still there');
is(errors_of($clients), '', 'no client got an error or waited for long');
is(errors_of($reader), '', 'neither did the reader');
is(errors_of($vacuum), '', 'nor VACUUM');
is($node->safe_psql('postgres', 'SELECT indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)'),
	'', 'no invalid index');

# --- a statement that is sent as it stands would have been noticed ---

$node->safe_psql('postgres', 'CREATE TABLE plain (a int); INSERT INTO plain VALUES (1)');
my $holder = $node->background_psql('postgres', on_error_die => 1);
$holder->query_safe('BEGIN; SELECT * FROM plain');
my $queue = background($node, 'ALTER TABLE plain ADD b int');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'");
$clients = bench('client', 1, '-c lock_timeout=1s', "$dir/plain.txt");
$clients->{run}->finish;
like(slurp_file($clients->{log}), qr/lock timeout/, 'who queues with a strong lock makes clients wait');
$holder->query_safe('COMMIT');
$holder->quit;
finish($queue);

$node->stop;
done_testing();
