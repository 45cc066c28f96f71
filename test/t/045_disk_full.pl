# A disk that is full: the backfill waits, loses nothing, and goes on by itself
# when there is room.  A limit on the size of files fails writes in the middle
# of a block, as a full disk does, for the server of the test alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'the server takes no notice of a limit on file sizes' if $windows_os;

# 3 MB that become 6; files may have 4 MB and a half block; the WAL has smaller ones
my $rows = 20000;
my $limit = 4 * 1024 + 4;
my $node = PostgreSQL::Test::Cluster->new('full');
$node->init(extra => ['--wal-segsize=1']);
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\nlog_statement = none\nmin_wal_size = 2MB\n");
is(system('bash', '-c', "ulimit -S -f $limit && exec pg_ctl -w -s -D '" . $node->data_dir . "' -l '" . $node->logfile . "' start"),
	0, 'the server starts with a limit');
$node->_update_pid(1);
$node->safe_psql('postgres', 'CREATE EXTENSION migrate');
$node->safe_psql('postgres', <<SQL);
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, filler text);
INSERT INTO t SELECT g, 0, repeat('x', 100) FROM generate_series(1, $rows) g;
ANALYZE t;
SQL
register($node, '0001', 'UPDATE t SET n = n + 1', options => '{"low_bloat": "off", "batch_time": "1ms"}');
my $caller = background($node, "CALL migrate.apply('0001')");
ok($node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM migrate.progress WHERE wait_type = 'disk' AND wait_detail ~ 'could not extend file')"),
	'it waits and says why');
my $done = $node->safe_psql('postgres', "SELECT sum(rows) FROM migrate_internal.cursor WHERE version = '0001'");
cmp_ok($done, '>', 0, "$done rows have been changed");
cmp_ok($done, '<', $rows, '... not all');
is($node->safe_psql('postgres', 'SELECT sum(n), max(n) FROM t'), "$done|1", '... as the cursor says');
is($node->safe_psql('postgres', 'SELECT state FROM migrate.status'), 'running', 'it has not given up');

# what the old rows leave is room within the file, until that is used up
my $rounds = 0;
while ($node->safe_psql('postgres', 'SELECT state FROM migrate.status') eq 'running' && $rounds++ < 100)
{
	my $before = $node->safe_psql('postgres', "SELECT sum(rows) FROM migrate_internal.cursor WHERE version = '0001'");

	$node->safe_psql('postgres', 'VACUUM t');
	last unless $node->poll_query_until('postgres',
		"SELECT (SELECT state <> 'running' FROM migrate.status)"
		  . " OR (SELECT sum(rows) > $before FROM migrate_internal.cursor WHERE version = '0001')");
}
cmp_ok($rounds, '>', 0, 'it goes on when there is room');
ok(finish($caller), 'it ends') or diag($caller->{err});
is($node->safe_psql('postgres', 'SELECT count(*), min(n), max(n) FROM t'), "$rows|1|1", 'one change each');

$node->stop;
done_testing();
