# NOTIFY migrate: a JSON payload for each event of a step or a run, with the
# transaction that records it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use Test::More;

my $node = migrate_node('notify');
my $listener = $node->background_psql('postgres', on_error_die => 1);
$listener->query_safe('LISTEN migrate');

# The payloads that have arrived, as rows of the given columns.
sub heard
{
	my ($columns) = @_;
	my @payloads = $listener->query_safe('SELECT') =~ /^Asynchronous notification "migrate" with payload "(.*)" received/mg;

	return join("\n", map { $node->safe_psql('postgres', "SELECT $columns FROM (SELECT \$j\$$_\$j\$::jsonb AS p) x") } @payloads);
}

register($node, '0001', 'CREATE TABLE t (id int); CREATE TABLE u (id int);');
is(heard("p->>'event', p->>'version', p->>'scope'"), 'registered|0001|', 'registered');

$node->safe_psql('postgres', "BEGIN; SELECT migrate.register('0002', 'SELECT 1'); ROLLBACK");
is(heard("p->>'event'"), '', 'what is rolled back is not heard of');

$node->safe_psql('postgres', 'CALL migrate.apply()');
is(heard("p->>'event', p->>'version', p->>'step'"),
	"started|0001|\nstep done|0001|1\nstep done|0001|2\napplied|0001|", 'a run and its steps');

# an error with quotes and line ends is still JSON, however long
register($node, '0003', 'DO $$ BEGIN RAISE EXCEPTION E\'"quoted"\n\\\\ %\', repeat(\'x\', 20000); END $$');
$node->psql('postgres', 'CALL migrate.apply()');
is(heard("p->>'event', p->>'sqlstate', left(p->>'message', 8)"),
	"registered||\nstarted||apply\nfailed|P0001|\"quoted\"", 'a failure');

# What an event says and what is heard is the same.
is($node->safe_psql('postgres', "SELECT string_agg(event, ',' ORDER BY at) FROM migrate.history WHERE version = '0001'"),
	'registered,started,step done,step done,applied', 'the history has the same');

$listener->quit;
$node->stop;
done_testing();
