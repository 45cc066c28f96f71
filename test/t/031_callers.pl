# Several callers at once: each migration runs exactly once.  No free worker
# slot: a clear error, and nothing is lost.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use Test::More;

my $node = migrate_node('callers');

$node->safe_psql('postgres', 'CREATE TABLE journal (version text)');
foreach my $round (1 .. 3)
{
	foreach my $i (1 .. 20)
	{
		my $version = sprintf('%d%03d', $round, $i);
		register($node, $version, "INSERT INTO journal VALUES ('$version'); CREATE TABLE t_$version (id int);"
			  . ($i % 5 == 0 ? " CREATE INDEX CONCURRENTLY ON t_$version (id);" : ''));
	}
	my @callers = map { background($node, 'CALL migrate.apply();') } 1 .. 3;
	foreach my $caller (@callers)
	{
		ok(finish($caller), "round $round: a caller succeeded") or diag($caller->{err});
	}
	is($node->safe_psql('postgres', "SELECT count(*) FROM migrate.status WHERE state <> 'applied'"),
		0, "round $round: all are applied");
	is($node->safe_psql('postgres', 'SELECT version, count(*) FROM journal GROUP BY version HAVING count(*) <> 1'),
		'', "round $round: each ran once");
	is($node->safe_psql('postgres', 'SELECT count(DISTINCT version) FROM journal'), 20 * $round, "round $round: none was left out");
}

# One caller applies, another rolls back what is there: one after the other,
# in whatever order.
register($node, '9001', 'CREATE TABLE back_and_forth (id int)', down => 'DROP TABLE back_and_forth');
foreach my $round (1 .. 5)
{
	my @callers = (background($node, "CALL migrate.apply('9001');"), background($node, "CALL migrate.rollback('9001');"));
	finish($_) foreach @callers;
	my ($state, $exists) = split /\|/, $node->safe_psql('postgres',
		"SELECT state, to_regclass('back_and_forth') IS NOT NULL FROM migrate.status WHERE version = '9001'");
	is($exists, $state eq 'applied' ? 't' : 'f', "apply and rollback at once, round $round: state $state is true");
}

# --- run() from several sessions at once; defaults of all kinds ---

foreach my $isolation ('read committed', 'repeatable read', 'serializable')
{
	$node->safe_psql('postgres', "TRUNCATE journal; ALTER DATABASE postgres SET default_transaction_isolation = '$isolation'");
	my @callers = map { background($node, "CALL migrate.run('INSERT INTO journal VALUES (''$_'')');") } 1 .. 8;
	ok(finish($_), "run, $isolation: a caller succeeded") or diag($_->{err}) foreach @callers;
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT version) FROM journal'), '8|8',
		"run, $isolation: each ran once");
}
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET default_transaction_isolation');

my ($rc, $out, $err) = $node->psql('postgres',
	"SET default_transaction_read_only = on; CALL migrate.run('CREATE TABLE never ()');", extra_params => ['-v', 'VERBOSITY=verbose']);
like($err, qr/25006: cannot run in a read-only transaction/, 'a read-only caller is told so');

# A worker writes down what it did whatever the migration has set.
($rc, $out, $err) = $node->psql('postgres',
	"CALL migrate.run('SET default_transaction_read_only = on; CREATE INDEX CONCURRENTLY ON journal (version)');", extra_params => ['-v', 'VERBOSITY=verbose']);
like($err, qr/25006: cannot execute CREATE INDEX in a read-only transaction/, 'a migration made itself read-only: its own error');
like($err, qr/step 2 of migration run-/, '... with its step');

# --- no free worker slot ---

register($node, '9100', "INSERT INTO journal VALUES ('9100')");
$node->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$node->restart;
my $caller = background($node, 'CALL migrate.apply();');
ok(!finish($caller), 'no worker slot: an error');
is(sqlstate_of($caller->{err}), '53400', 'no worker slot: configuration limit exceeded');
like($caller->{err}, qr/HINT:.*max_worker_processes/, 'no worker slot: says which setting');
is(status_of($node, '9100'), 'pending', 'no worker slot: nothing has begun');
$node->append_conf('postgresql.conf', "max_worker_processes = 20\n");
$node->restart;
$node->safe_psql('postgres', 'CALL migrate.apply()');
is_finished($node, '9100', 'after slots came free');
is($node->safe_psql('postgres', "SELECT count(*) FROM journal WHERE version = '9100'"), 1, 'it ran once');

$node->stop;
done_testing();
