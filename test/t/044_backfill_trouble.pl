# A backfill meets rows that it cannot take, and a table that is not what it
# was: a clear outcome each, nothing lost, and nobody else disturbed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Migrate;
use PostgreSQL::Test::Cluster;
use Test::More;

my $rows = 20000;
my $slow = '{"batch_time": "5ms", "batch_pause": "1s"}';
my $node = migrate_node('trouble', 'migrate.small_table = 0', 'fsync = off', 'max_prepared_transactions = 5');

sub make_table
{
	my ($table) = @_;

	$node->safe_psql('postgres',
		"CREATE TABLE $table (id int PRIMARY KEY, n int NOT NULL, note text);"
		  . " INSERT INTO $table SELECT g, 0 FROM generate_series(1, $rows) g; ANALYZE $table");
}

# What went wrong, if anything.
sub apply
{
	my ($version) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nCALL migrate.apply('$version')");

	return $err =~ /(ERROR:.*)/s ? $1 : '';
}

# In the background, until it is in the middle of it.
sub start_apply
{
	my ($version) = @_;
	my $caller = background($node, "CALL migrate.apply('$version')");

	ok($node->poll_query_until('postgres',
			"SELECT EXISTS (SELECT FROM migrate_internal.cursor WHERE version = '$version' AND rows > 500)"),
		"$version is at work");
	return $caller;
}

# Something has been done to it meanwhile: no more pauses.
sub go_on
{
	my ($version) = @_;

	$node->psql('postgres', "SELECT migrate.tune('$version', 'batch_pause', '0')");
}

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# --- rows that a constraint refuses, an expression cannot be computed for, a trigger raises for ---

value(<<'SQL');
CREATE FUNCTION raise_for_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.note = 'raise' AND NEW.id % 5000 = 0 THEN
		RAISE EXCEPTION 'not this one: %', NEW.id;
	END IF;
	RETURN NEW;
END $$;
SQL
my %refuse = (
	checked => [ 'CHECK (NOT (n = 1 AND id IN (5000, 5001, 20000)))', 'n = n + 1', '23514', 'id=20000 id=5000 id=5001' ],
	divided => [ 'CHECK (true)', 'n = n + 1 + 0 / (id - 12345)', '22012', 'id=12345' ],
	triggered => [ 'CHECK (true)', "n = n + 1, note = 'raise'", 'P0001', 'id=10000 id=15000 id=20000 id=5000' ]);
my $number = 0;
foreach my $name (sort keys %refuse)
{
	my ($check, $set, $code, $keys) = @{ $refuse{$name} };
	my $version = sprintf '01%02d', ++$number;
	my $failed = scalar(split / /, $keys);

	make_table($name);
	value("ALTER TABLE $name ADD CONSTRAINT refused $check");
	value("CREATE TRIGGER b BEFORE UPDATE ON $name FOR EACH ROW EXECUTE FUNCTION raise_for_some()") if $name eq 'triggered';
	register($node, $version, "UPDATE $name SET $set");
	like(apply($version), qr/ERROR:  22000: $failed rows? of public\.$name could not be changed/, "$name: how many rows are left out");
	is(value("SELECT string_agg(key, ' ' ORDER BY key), min(sqlstate), max(sqlstate) FROM migrate.failed_rows WHERE version = '$version'"),
		"$keys|$code|$code", '... which, and why');
	is(value("SELECT count(*), sum(n) FROM $name"), "$rows|" . ($rows - $failed), '... all others have been changed, once');
	like(apply($version), qr/ERROR:  22000: $failed rows? of public\.$name could not be changed/,
		'... it fails again while they are as they were');
	is(value("SELECT count(*) FROM migrate.failed_rows WHERE version = '$version'"), $failed, '... and remembers each once');
	value("ALTER TABLE $name DROP CONSTRAINT refused; ALTER TABLE $name DISABLE TRIGGER USER; DELETE FROM $name WHERE id = 12345");
	is(apply($version) =~ /ERROR/ ? 'error' : status_of($node, $version), 'applied', '... and ends when they are mended');
	is(value("SELECT count(*) - sum(n), (SELECT count(*) FROM migrate.failed_rows) FROM $name"), '0|0', '... with one change each');
}

# --- the same by blocks, where rows are found again by themselves ---

make_table('blocks');
value('ALTER TABLE blocks DROP CONSTRAINT blocks_pkey');
value("ALTER TABLE blocks ADD CONSTRAINT refused CHECK (NOT (note = 'x' AND id IN (1, 7000, 20000)))");
register($node, '0108', "UPDATE blocks SET note = 'x' WHERE note IS NULL");
like(apply('0108'), qr/ERROR:  22000: 3 rows of public\.blocks could not be changed/, 'by blocks: rows are left out');
is(value('SELECT count(*) FROM blocks WHERE note IS NULL'), 3, '... all others have been changed');
like(value("SELECT string_agg(key, ' ') FROM migrate.failed_rows WHERE version = '0108'"),
	qr/^ctid=\(\d+,\d+\) ctid=\(\d+,\d+\) ctid=\(\d+,\d+\)\z/, '... a place is known, where there is no key');
value('ALTER TABLE blocks ADD PRIMARY KEY (id)');
like(apply('0108'), qr/ERROR:  22000: 3 rows of/, '... it fails again while they are as they were');
is(value("SELECT string_agg(key, ' ' ORDER BY key) FROM migrate.failed_rows WHERE version = '0108'"), 'id=1 id=20000 id=7000',
	'... and remembers each once');
value('ALTER TABLE blocks DROP CONSTRAINT refused');
is(apply('0108'), '', '... and ends when they are mended');
is(value('SELECT count(*), count(note), (SELECT count(*) FROM migrate.failed_rows) FROM blocks'), "$rows|$rows|0",
	'... with none left');

# --- an expression that fails for every row ---

make_table('hopeless');
register($node, '0110', 'UPDATE hopeless SET n = 1 / n');
like(apply('0110'), qr/ERROR:  22000: more than 1000 rows of public\.hopeless could not be changed/, 'all rows fail: it gives up');
is(value("SELECT count(*) FROM migrate.failed_rows WHERE version = '0110'"), 1000, '... early');
value('UPDATE hopeless SET n = 1');
is(apply('0110'), '', '... and goes on when that has been mended');

# --- a condition that never becomes false ---

make_table('never');
value('CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note = NULL; NEW.n = OLD.n + 1; RETURN NEW; END $$');
value('CREATE TRIGGER b BEFORE UPDATE ON never FOR EACH ROW EXECUTE FUNCTION undo()');
register($node, '0201', "UPDATE never SET note = 'x' WHERE note IS NULL");
register($node, '0202', 'UPDATE never SET n = n WHERE true');
is(apply('0201') . apply('0202'), '', 'a condition that stays true: it ends');
is(value('SELECT min(n), max(n) FROM never'), '2|2', '... after one visit to each row');

# --- the table is not what it was ---

make_table('emptied');
register($node, '0301', 'UPDATE emptied SET n = n + 1', options => $slow);
my $before;
my $caller = start_apply('0301');
value('TRUNCATE emptied');
value('INSERT INTO emptied SELECT g, 0 FROM generate_series(1000000, 1000010) g');
go_on('0301');
ok(finish($caller), 'truncated, by key: nothing is left to do');
is(value('SELECT count(*), max(n) FROM emptied'), '11|0', '... and rows that came later are as they came');

make_table('emptied_too');
register($node, '0302', "UPDATE emptied_too SET note = 'x' WHERE note IS NULL", options => $slow);
$caller = start_apply('0302');
value('TRUNCATE emptied_too');
go_on('0302');
ok(finish($caller), 'truncated, by blocks: nothing is left to do');

make_table('rewritten');
value('DELETE FROM rewritten WHERE id % 2 = 0');
register($node, '0303', 'UPDATE rewritten SET n = n + 1', options => $slow);
$caller = start_apply('0303');
value('VACUUM FULL rewritten');
go_on('0303');
ok(finish($caller), 'rewritten, by key: it goes on');
is(value('SELECT count(*), min(n), max(n) FROM rewritten'), $rows / 2 . '|1|1', '... one change each');

make_table('paused');
register($node, '0304', 'UPDATE paused SET n = n + 1', options => $slow, down => 'UPDATE paused SET n = 0 WHERE n <> 0');
$caller = start_apply('0304');
value("SELECT migrate.pause('0304')");
ok(!finish($caller), 'paused in the middle');
$before = value('SELECT sum(n) FROM paused');
is(value("SELECT rows FROM migrate_internal.cursor WHERE version = '0304'"), $before, '... the cursor is right');
go_on('0304');
is(apply('0304'), '', '... it goes on');
is(value('SELECT min(n), max(n) FROM paused'), '1|1', '... one change each');

make_table('renamed');
register($node, '0305', 'UPDATE renamed SET n = n + 1', options => $slow);
$caller = start_apply('0305');
value('ALTER TABLE renamed RENAME TO elsewhere');
go_on('0305');
ok(!finish($caller), 'renamed: it fails');
like($caller->{err}, qr/ERROR:  42P01: .*renamed.*migration 0305/s, '... and says what is missing, where');
$before = value('SELECT sum(n) FROM elsewhere');
cmp_ok($before, '<', $rows, '... in the middle');
is(value("SELECT rows FROM migrate_internal.cursor WHERE version = '0305'"), $before, '... the cursor is right');
like(($node->psql('postgres', "CALL migrate.rollback('0305')"))[2], qr/step 1 of migration "0305" is irreversible/,
	'... what is half done cannot be taken back');
like(($node->psql('postgres', "SELECT migrate.register('0305', 'SELECT 1')"))[2], qr/has failed after it had begun/,
	'... nor replaced');
value('ALTER TABLE elsewhere RENAME TO renamed');
is(apply('0305'), '', '... under its name again it goes on');
is(value('SELECT min(n), max(n) FROM renamed'), '1|1', '... one change each');

value(<<SQL);
CREATE TABLE parts (id int PRIMARY KEY, n int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10001);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10001) TO (20001);
INSERT INTO parts SELECT g, 0 FROM generate_series(1, $rows) g;
ANALYZE parts;
SQL
register($node, '0306', 'UPDATE parts SET n = n + 1', options => $slow);
$caller = start_apply('0306');
value('ALTER TABLE parts DETACH PARTITION parts_2');
go_on('0306');
ok(!finish($caller), 'a partition is detached: it fails');
like($caller->{err}, qr/ERROR:  55000: public\.parts_2 is not a part of public\.parts any more/, '... and says so');
is(value('SELECT min(n), max(n) FROM parts'), '1|1', '... after what is a part still');
value('ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10001) TO (20001)');
is(apply('0306'), '', '... attached again it goes on');
is(value('SELECT min(n), max(n), count(*) FROM parts'), "1|1|$rows", '... one change each');

make_table('altered');
register($node, '0401', 'UPDATE altered SET n = n + 1', options => $slow);
$caller = start_apply('0401');
value('ALTER TABLE altered DROP COLUMN n');
go_on('0401');
ok(!finish($caller), 'a column is dropped: it fails');
like($caller->{err}, qr/ERROR:  42703: .*column/s, '... and says which');

# --- nothing is left behind ---

is(value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'migrate: %'"), '0', 'no worker is left');
is(value('SELECT count(*) FROM pg_locks WHERE locktype = \'relation\' AND relation >= 16384 AND pid <> pg_backend_pid()'), '0',
	'and no lock');

$node->stop;
done_testing();
