# A backfill keeps the table small: by updates within their page, or by vacuum
# where the column is in an index; and ends all the same when an old snapshot
# defeats both.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $rows = 100000;
my $node = PostgreSQL::Test::Cluster->new('bloat');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION migrate');

my $n = 0;

# Fill a new table; returns how much it has grown, in percent, and how many percent of the updates were HOT.
sub growth
{
	my ($set, $options, $index, $key) = @_;
	my $table = 't' . ++$n;

	$key //= 'i bigint PRIMARY KEY';
	$node->safe_psql('postgres', "CREATE TABLE $table ($key, balance int NOT NULL, filler text);"
			. " INSERT INTO $table SELECT i, 0, 'filler' FROM generate_series(1, $rows) i;"
			. ($index ? " CREATE INDEX ON $table (balance);" : ''));
	$node->safe_psql('postgres', "VACUUM ANALYZE $table");
	my $before = $node->safe_psql('postgres', "SELECT pg_relation_size('$table')");
	$node->safe_psql('postgres', "SELECT migrate.register('$n', 'UPDATE $table SET $set', requires => '{}', options => '{$options}')");
	$node->safe_psql('postgres', "CALL migrate.apply('$n')");
	is($node->safe_psql('postgres', "SELECT count(*), min(balance), max(balance) FROM $table"), "$rows|1|1",
		"$set with $options: one increment each");
	return split /\|/, $node->safe_psql('postgres', "SELECT round((pg_relation_size('$table') - $before) * 100.0 / $before),"
			. " (SELECT round(100.0 * sum(hot) / sum(rows)) FROM migrate_internal.cursor WHERE version = '$n')");
}

my $step = 'balance = balance + 1';
my ($plain, $hot) = growth($step, '"low_bloat": "off"');
cmp_ok($plain, '>', 80, "plain: the table grows by $plain percent");
cmp_ok($hot, '<', 20, "and $hot percent of the updates stay within their page");
my ($small, $more) = growth($step, '"low_bloat": "on"');
cmp_ok($small, '<=', 30, "by windows, by key: by $small percent");
cmp_ok($more, '>=', 70, "$more percent of the updates stay within their page");
($small, $more) = growth($step, '"low_bloat": "on"', 0, 'i text COLLATE "C" PRIMARY KEY');
cmp_ok($small, '<=', 30, "a key of text: by $small percent");
($small, $more) = growth('balance = 1 WHERE balance = 0', '"low_bloat": "on"');
cmp_ok($small, '<=', 30, "by blocks: by $small percent");
cmp_ok($more, '>=', 70, "$more percent of the updates stay within their page");

my $slow = '"batch_time": "5ms", "batch_pause": "40ms"';
($small, $more) = growth($step, "\"low_bloat\": \"on\", $slow", 1);
cmp_ok($small, '<', $plain, "in an index, with vacuums: by $small percent");
is($node->safe_psql('postgres', "SELECT n_tup_upd > 0 AND vacuum_count > 1 FROM pg_stat_user_tables WHERE relname = 't$n'"), 't',
	'it has been vacuumed meanwhile');

# --- an old snapshot ---
my $old = Session->new($node);
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t1;');
growth($step, '"low_bloat": "on"');
growth($step, "\"low_bloat\": \"on\"", 1);
$old->query('COMMIT;');

# --- rows that fail within a window; what is found by one worker and left to others ---
my $table = 't' . ++$n;
$node->safe_psql('postgres', "CREATE TABLE $table (i bigint PRIMARY KEY, balance int NOT NULL);"
		. " INSERT INTO $table SELECT i, 0 FROM generate_series(1, $rows) i");
$node->safe_psql('postgres', "SELECT migrate.register('$n', 'UPDATE $table SET balance = balance + 1 + 0 / ((i - 333) * (i - 77777))',"
		. " requires => '{}', options => '{\"low_bloat\": \"on\"}')");
my ($rc, $out, $err) = $node->psql('postgres', "CALL migrate.apply('$n')");
like($err, qr/2 rows of public\.$table could not be changed/, 'rows that fail within a window are found');
is($node->safe_psql('postgres', "SELECT string_agg(key, ' ' ORDER BY key) FROM migrate.failed_rows"), 'i=333 i=77777', 'and named');
is($node->safe_psql('postgres', "SELECT count(*), min(balance), max(balance) FROM $table WHERE i NOT IN (333, 77777)"),
	($rows - 2) . '|1|1', 'the others have one increment each');

$node->stop;
done_testing();
