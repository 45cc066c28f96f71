# The worker is killed at each point of the way back where it writes down how
# far it has come; apply or rollback takes over, is killed as well, and a third
# call, of either kind, goes on from there.  In the end everything is as it was
# after apply, or before it.  Where the way back builds or validates something,
# it does so online.
#
# With KILL_EVERY=1 in the environment each point of each sequence is hit; else
# that is so where the way back is a sequence, and the rest takes turns.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..", $FindBin::RealBin;
use Cases;
use Killer;
use Migrate;
use Session;
use Test::More;

my $node = migrate_node('killed_back');
my ($major) = $node->pg_version =~ /^(\d+)/;

my $table = <<'SQL';
CREATE TABLE r (id int PRIMARY KEY);
INSERT INTO r SELECT generate_series(1, 100);
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL DEFAULT 1, b int, c text COLLATE "C",
	CONSTRAINT fk FOREIGN KEY (a) REFERENCES r, CONSTRAINT uq UNIQUE (b), CONSTRAINT ck CHECK (a > 0));
INSERT INTO t SELECT g, g, g, g FROM generate_series(1, 100) g;
CREATE INDEX t_a ON t (a);
CREATE INDEX t_c ON t (c) WHERE a > 5;
CREATE TABLE k (b int CONSTRAINT kb REFERENCES t (b));
INSERT INTO k VALUES (5);
SQL
my $tree = <<'SQL';
CREATE TABLE p (id int NOT NULL, k int NOT NULL, v int, CONSTRAINT pk PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE INDEX p_v ON p (v);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (100) PARTITION BY RANGE (k);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (50) TO (100);
INSERT INTO p SELECT g, g, g FROM generate_series(0, 99) g;
SQL

# name, what is there, the statements, what the plan of the way back has to hold
my @back = (
	[ 'index', $table, 'DROP INDEX t_c, t_a', 'CREATE INDEX CONCURRENTLY t_c.*CREATE INDEX CONCURRENTLY t_a|CREATE INDEX CONCURRENTLY t_a.*CREATE INDEX CONCURRENTLY t_c' ],
	[ 'not_null', $table, 'ALTER TABLE t ALTER a DROP NOT NULL', ($major < 18 ? 'CHECK \(a IS NOT NULL\) NOT VALID' : 'NOT VALID') . '.*VALIDATE CONSTRAINT' ],
	[ 'foreign_key', $table, 'ALTER TABLE t DROP CONSTRAINT fk', 'NOT VALID.*VALIDATE CONSTRAINT fk' ],
	[ 'check', $table, 'ALTER TABLE t DROP CONSTRAINT ck', 'NOT VALID.*VALIDATE CONSTRAINT ck' ],
	[ 'unique', $table, 'ALTER TABLE k DROP CONSTRAINT kb; ALTER TABLE t DROP CONSTRAINT uq', 'CREATE UNIQUE INDEX CONCURRENTLY.*USING INDEX.*NOT VALID.*VALIDATE CONSTRAINT kb' ],
	[ 'unique_cascade', $table, 'ALTER TABLE t DROP CONSTRAINT uq CASCADE', 'CREATE UNIQUE INDEX CONCURRENTLY.*USING INDEX.*NOT VALID.*VALIDATE CONSTRAINT kb' ],
	[ 'primary_key', $table, 'ALTER TABLE t DROP CONSTRAINT t_pkey', 'CREATE UNIQUE INDEX CONCURRENTLY.*PRIMARY KEY USING INDEX' ],
	[ 'several', $table, "ALTER TABLE t DROP CONSTRAINT ck, ALTER a DROP NOT NULL, ADD COLUMN d int DEFAULT 4; DROP INDEX t_a; CREATE INDEX t_d ON t (d); COMMENT ON TABLE t IS 'x'",
		'CREATE INDEX CONCURRENTLY t_a.*VALIDATE CONSTRAINT' ],
	[ 'renamed', $table, 'ALTER TABLE t RENAME TO tt; DROP INDEX t_a; ALTER TABLE tt ALTER a DROP NOT NULL; ALTER TABLE tt RENAME a TO aa', 'CREATE INDEX CONCURRENTLY t_a' ],
	[ 'partition', $tree, 'ALTER TABLE p DETACH PARTITION p1', 'NOT VALID.*VALIDATE CONSTRAINT.*ATTACH PARTITION' ],
	[ 'partition_tree', $tree, 'ALTER TABLE p DETACH PARTITION p2', 'ATTACH PARTITION' ],
	[ 'index_of_tree', $tree, 'DROP INDEX p_v', 'CREATE INDEX CONCURRENTLY.*ATTACH PARTITION' ],
	[ 'view', $table, 'CREATE OR REPLACE VIEW w AS SELECT id FROM t; CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS \'SELECT 2\'; DROP INDEX t_a', 'CREATE INDEX CONCURRENTLY t_a' ]);

my @cases = ((map { { name => "back_$_->[0]", setup => $_->[1], statement => $_->[2], plan => $_->[3], check => '' } } @back),
	grep { !$_->{plain} && !$_->{one_way} } read_cases($major));
@cases = grep { $ENV{CASES} =~ /\b$_->{name}\b/ } @cases if $ENV{CASES};

install_killer($node);
my $session = Session->new($node);

sub shape
{
	my ($case) = @_;

	return $session->query("SET search_path = $case->{name}, public; " . $fingerprint =~ s/SCHEMA/$case->{name}/gr . ';');
}

# Runs that verb, to be killed at that write if it is not 0; true if it was.
sub call
{
	my ($case, $verb, $write, $what) = @_;

	$session->query(kill_order($write) . " CALL migrate.$verb('$case->{name}', "
		  . ($verb eq 'apply' ? 'complete' : 'lose_data') . ' => true)');
	my $errors = $session->errors;
	return 1 if $write && $errors =~ /worker ended before/;
	# killed before the way back began, or once nothing was left of it
	$errors = '' if $verb eq 'rollback' && $errors =~ /^ERROR:  55000: migration "\Q$case->{name}\E" is pending: /;
	is($errors, '', $what);
	return 0;
}

foreach my $case (@cases)
{
	my $name = $case->{name};
	my %goal;
	my $kills = 0;
	my $turn = length $name;

	$session->query("CREATE SCHEMA $name; SET search_path = $name, public;\n$case->{setup}");
	$goal{rollback} = shape($case);
	$session->query("SELECT migrate.register('$name', \$migration\$$case->{statement}\$migration\$, requires => '{}')");
	call($case, 'apply', 0, "$name: applied");
	$goal{apply} = shape($case);
	my $plan = $session->query("SELECT command FROM migrate.plan('$name', 'rollback') WHERE version = '$name' ORDER BY step");
	like($plan, qr/$case->{plan}/s, "$name: the way back is planned online") if $case->{plan};

	my $every = $ENV{KILL_EVERY} // ($case->{plan} ? 1 : 7);
	for (my $write = 1 + length($name) % $every;; $write += $every)
	{
		my $what = "$name, killed at write $write";
		# the three in turns, and all four pairs of the second and the third
		my $second = $turn & 1 ? 'apply' : 'rollback';
		my $third = $turn++ & 2 ? 'apply' : 'rollback';

		last unless call($case, 'rollback', $write, "$name: no error on the way back");
		$kills++;
		if (!call($case, $second, 1 + $write % 7, "$what: no error in $second"))
		{
			is(shape($case), $goal{$second}, "$what: as $second leaves it");
		}
		call($case, $third, 0, "$what, and after $second: no error in $third");
		is(shape($case), $goal{$third}, "$what, and after $second: as $third leaves it");
		is(status_of($node, $name), $third eq 'apply' ? 'applied' : 'pending', "$what, and after $second: its state");
		call($case, 'apply', 0, "$what: applied again") if $third eq 'rollback';
		is(shape($case), $goal{apply}, "$what: as it was");
		die "$name has no end" if $write > 200;
	}
	is(shape($case), $goal{rollback}, "$name: as before");
	cmp_ok($kills, '>', 0, "$name: was killed $kills times") if $every == 1;
}

is($node->safe_psql('postgres', 'SELECT indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)'),
	'', 'no invalid index is left');
$node->stop;
done_testing();
