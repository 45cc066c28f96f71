# RENAME COLUMN: both names work until complete, under load, whatever is
# killed, and the way back leads to where it began.
#
# KILL_EVERY=3 in the environment kills at every third point only.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..", $FindBin::RealBin;
use Clients;
use Killer;
use Migrate;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = migrate_node('rename', 'fsync = off');
my $rows = 20000;
my $rename = 'ALTER TABLE u RENAME COLUMN name TO full_name';

# What is there: columns, indexes, constraints, the view, triggers, rows.
my $shape = <<'SQL';
SELECT string_agg(concat_ws(' ', attname, atttypid::regtype, attnotnull, attcollation::regcollation,
		(SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum),
		col_description(attrelid, attnum)), ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'u'::regclass AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT string_agg(pg_get_indexdef(indexrelid) || indisvalid, ',' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'u'::regclass
UNION ALL SELECT string_agg(conname || pg_get_constraintdef(oid), ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'u'::regclass
UNION ALL SELECT pg_get_viewdef('v'::regclass)
UNION ALL SELECT count(*)::text FROM pg_trigger WHERE tgrelid = 'u'::regclass
UNION ALL SELECT count(*)::text FROM migrate.syncs
UNION ALL SELECT md5(string_agg(NAME, ',' ORDER BY id)) FROM u
SQL
sub shape { return $shape =~ s/NAME/$_[0]/r }

sub make_table
{
	my ($n) = @_;
	return <<"SQL";
DROP TABLE IF EXISTS u CASCADE;
CREATE TABLE u (id int PRIMARY KEY, name varchar(40) COLLATE "C" NOT NULL DEFAULT 'anon' UNIQUE, note int);
COMMENT ON COLUMN u.name IS 'a name';
CREATE INDEX u_low ON u (lower(name), note DESC) WHERE name <> 'name';
CREATE VIEW v AS SELECT id, name FROM u;
INSERT INTO u SELECT i, 'name ' || i FROM generate_series(1, $n) i;
SQL
}

# --- under load: apply, back, apply, complete ---
$node->safe_psql('postgres', make_table($rows) . 'CREATE SEQUENCE ids START 1000000');
my $before = $node->safe_psql('postgres', "SELECT md5(string_agg(attname, ',' ORDER BY attnum)) FROM pg_attribute WHERE attrelid = 'u'::regclass AND attnum > 0 AND NOT attisdropped");
sub scripts
{
	my ($name) = @_;
	return (
		"\\set id random(1, $rows)\nUPDATE u SET note = :id WHERE id = :id;\n",
		"\\set id random(1, $rows)\nUPDATE u SET $name = 'set ' || nextval('ids') WHERE id = :id;\nSELECT $name FROM u WHERE id = :id;\n",
		"SELECT nextval('ids') AS id \\gset\nINSERT INTO u (id, $name) VALUES (:id, 'inserted ' || :id);\nDELETE FROM u WHERE id = :id - 100;\n",
		"\\set k random(1, 20)\nINSERT INTO u (id, $name) VALUES (nextval('ids'), 'k' || :k) ON CONFLICT ($name) DO UPDATE SET note = u.note + 1;\n");
}
register($node, '1', $rename, options => '{"batch_time": "10ms"}');
my $old = clients($node, 3, scripts('name'));
ok(has_written($node, 'u', 200), 'old clients are at work');
$node->safe_psql('postgres', 'CALL migrate.apply()');
is(status_of($node, '1'), 'expanded', 'expanded under load');
my $new = clients($node, 3, scripts('full_name'));
ok(has_written($node, 'u', 3000), 'old and new clients write');
is(errors_of($new), '', 'new clients met no error');
is($node->safe_psql('postgres', 'SELECT count(*) FROM u WHERE name IS DISTINCT FROM full_name'), '0', 'no row differs');
$node->safe_psql('postgres', "CALL migrate.rollback('1')");
ok(has_written($node, 'u', 200), 'rolled back under load');
is($node->safe_psql('postgres', "SELECT md5(string_agg(attname, ',' ORDER BY attnum)) FROM pg_attribute WHERE attrelid = 'u'::regclass AND attnum > 0 AND NOT attisdropped"),
	$before, 'to the columns that were there');
$node->safe_psql('postgres', 'CALL migrate.apply()');
$new = clients($node, 3, scripts('full_name'));
ok(has_written($node, 'u', 1000), 'and again');
is(errors_of($old), '', 'old clients met no error, from before the first step to complete');
$node->safe_psql('postgres', 'CALL migrate.complete()');
ok(has_written($node, 'u', 1000), 'completed under load');
is(errors_of($new), '', 'new clients met no error');
is(status_of($node, '1'), 'applied', 'applied');
is($node->safe_psql('postgres', "SELECT count(*) FROM u WHERE full_name IS NULL"), '0', 'nothing is lost');

# --- what complete refuses, before it has touched anything ---
my $session = Session->new($node);
$session->query(make_table(100));
register($node, '2', $rename);
$session->query("CALL migrate.apply()");
$session->query('CREATE INDEX mine ON u (full_name)');
$session->query('CALL migrate.complete()');
like($session->errors, qr/index mine depends on column "full_name".*is a copy/, 'an index that somebody has put on the copy');
$session->query('DROP INDEX mine; ALTER TABLE u DISABLE TRIGGER USER');
$session->query("UPDATE u SET name = 'unseen' WHERE id = 7; ALTER TABLE u ENABLE TRIGGER USER");
$session->query('CALL migrate.complete()');
like($session->errors, qr/sync trigger of relation "u" is not in force/, 'a trigger that does not fire always');
$session->query('ALTER TABLE u ENABLE ALWAYS TRIGGER "~migrate_sync"');
$session->query('CALL migrate.complete()');
like($session->errors, qr/differ in 1 row/, 'a row that was written without it');
is($session->query('SELECT name, full_name FROM u WHERE id = 7'), 'unseen|name 7', 'both names are still there');
$session->query("UPDATE u SET name = 'seen' WHERE id = 7; CALL migrate.complete()");
is($session->errors, '', 'then it goes on');
is($session->query('SELECT full_name FROM u WHERE id = 7'), 'seen', 'completed');

# --- killed at each point where the worker writes down how far it has come ---
$session->query(make_table(50));
my $start = $session->query(shape('name'));
$session->query($rename);
my $end = $session->query(shape('full_name'));
like($start, qr/\bname .*u_low.*u_name_key.*SELECT (u\.)?id,/s, 'the shape before');
isnt($start, $end, 'is not the shape after');
install_killer($node);
$session = Session->new($node);

# Forwards until the worker is killed; the verb that was, or undef.
sub killed_at
{
	my ($version, $write) = @_;

	$session->query(make_table(50));
	$session->query(kill_order($write) . " SELECT migrate.register('$version', '$rename', requires => '{}')");
	foreach my $verb ('apply', 'complete')
	{
		$session->query("CALL migrate.$verb('$version')");
		next unless $session->errors =~ /worker ended before/;
		$session->query('UPDATE killer.orders SET write = 0');
		return $verb;
	}
	is($session->errors, '', 'completed without being killed');
	return undef;
}

my %kills = (apply => 0, complete => 0);
for (my $write = 1; my $verb = killed_at("kill $write", $write); $write += $ENV{KILL_EVERY} // 1)
{
	my $version = "kill $write";

	if (++$kills{$verb} % 2)
	{
		$session->query("CALL migrate.rollback('$version')");
		like($session->errors, qr/^(ERROR:  55000: migration "$version" is pending: .*\n.*\n)?$/, "$version, in $verb: no error on the way back");
		is($session->query(shape('name')), $start, "$version: rolled back");
	}
	else
	{
		$session->query("CALL migrate.apply('$version')") if $verb eq 'apply';
		$session->query("CALL migrate.complete('$version')");
		is($session->errors, '', "$version, in $verb: no error on going on");
		is($session->query(shape('full_name')), $end, "$version: came to its end");
		$session->query("CALL migrate.rollback('$version')") if $write % 3 == 0;
		is($session->query(shape('name')), $start, "$version: and back from there") if $write % 3 == 0;
	}
	last if $kills{$verb} > 100;
}
cmp_ok($kills{apply}, '>', 5, "killed $kills{apply} times in apply");
cmp_ok($kills{complete}, '>', 2, "and $kills{complete} times in complete");

done_testing();
