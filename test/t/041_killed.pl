# The worker is killed at each point of each sequence where it writes down how
# far it has come: before the commit that records a step, and behind it.  apply
# then ends where the plain statement does, and rollback where it began.
#
# KILL_EVERY=3 in the environment hits only every third of them.
#
# The killer is a trigger on the tables that the worker writes to.  It counts
# the writes, and lets the worker die at the one that is asked for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..", $FindBin::RealBin;
use Cases;
use Migrate;
use Session;
use Test::More;

my $node = migrate_node('killed');
my ($major) = $node->pg_version =~ /^(\d+)/;
my @cases = grep { !$_->{plain} } read_cases($major);
@cases = grep { $ENV{CASES} =~ /\b$_->{name}\b/ } @cases if $ENV{CASES};

fill_database($node, 'plain', \@cases, 1);
$node->safe_psql('postgres', <<'SQL');
ALTER DATABASE postgres SET migrate.out_of_order = 'allow';
ALTER DATABASE postgres SET migrate.small_table = 0;
ALTER DATABASE postgres SET client_min_messages = error;
CREATE SCHEMA killer;
CREATE SEQUENCE killer.writes;
CREATE TABLE killer.orders (write bigint, signal text);
INSERT INTO killer.orders VALUES (0, 'term');
CREATE FUNCTION killer.strike() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	fatal text;
BEGIN
	IF (SELECT backend_type FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()) = 'client backend' THEN
		RETURN NULL;
	END IF;
	SELECT signal INTO fatal FROM killer.orders WHERE write = pg_catalog.nextval('killer.writes');
	IF fatal = 'term' THEN
		PERFORM pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid());
		PERFORM pg_catalog.pg_sleep(60);
	ELSIF fatal = 'kill' THEN
		EXECUTE pg_catalog.format('COPY (SELECT 1) TO PROGRAM %L', 'kill -9 ' || pg_catalog.pg_backend_pid());
		PERFORM pg_catalog.pg_sleep(60);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER killer AFTER UPDATE ON migrate_internal.step EXECUTE FUNCTION killer.strike();
CREATE TRIGGER killer AFTER UPDATE ON migrate_internal.migration EXECUTE FUNCTION killer.strike();
CREATE TRIGGER killer AFTER INSERT OR UPDATE ON migrate_internal.cursor EXECUTE FUNCTION killer.strike();
ALTER TABLE migrate_internal.step ENABLE ALWAYS TRIGGER killer;
ALTER TABLE migrate_internal.migration ENABLE ALWAYS TRIGGER killer;
ALTER TABLE migrate_internal.cursor ENABLE ALWAYS TRIGGER killer;
SQL

my $session = Session->new($node);

# What the schema of a case is like, and whether its rows are right.
sub shape
{
	my ($case, $check) = @_;

	return "SET search_path = $case->{name}, public; " . $fingerprint =~ s/SCHEMA/$case->{name}/gr . '; '
	  . ($check ? $case->{check} : '');
}

sub set_up
{
	my ($case) = @_;

	$session->query("DROP SCHEMA IF EXISTS $case->{name} CASCADE; CREATE SCHEMA $case->{name};"
		  . " SET search_path = $case->{name}, public;\n$case->{setup}");
}

# The version that was killed at this write, or undef if it came to its end before.
sub killed_at
{
	my ($case, $write, $signal) = @_;
	my $version = "$case->{name} $signal $write";
	my $offset = -s $node->logfile;

	set_up($case);
	$session->query("SELECT setval('killer.writes', 1, false); UPDATE killer.orders SET write = $write, signal = '$signal';"
		  . " SELECT migrate.register('$version', \$migration\$$case->{statement}\$migration\$, requires => '{}')");
	if ($signal eq 'kill')
	{
		$node->psql('postgres', "SET search_path = $case->{name}, public; CALL migrate.apply('$version', complete => true)");
		after_crash($node, $offset);
		$session = Session->new($node);
	}
	else
	{
		$session->query("CALL migrate.apply('$version', complete => true)");
		if ($session->errors !~ /worker ended before/)
		{
			is($session->errors, '', "$case->{name}: applied, without being killed");
			return undef;
		}
	}
	$session->query('UPDATE killer.orders SET write = 0');
	return $version;
}

sub survives
{
	my ($case, $write, $signal, $goal, $back) = @_;
	my $version = killed_at($case, $write, $signal) // return 0;

	if ($back)
	{
		$session->query("CALL migrate.rollback('$version', lose_data => true)");
		# before the run has begun there is nothing to undo, and that is said
		like($session->errors, qr/^(ERROR:  55000: migration "\Q$version\E" is pending: .*\n.*\n)?$/,
			"$version: no error on the way back");
		is($session->query(shape($case, 0)), $goal, "$version: rolled back");
	}
	else
	{
		$session->query("CALL migrate.apply('$version', complete => true)");
		is($session->errors, '', "$version: no error on going on");
		is($session->query(shape($case, 1)), $goal, "$version: came to its end");
	}
	return 1;
}

foreach my $case (@cases)
{
	my $writes = 0;
	my $after = $node->safe_psql('plain', shape($case, 1));

	set_up($case);
	my $before = $session->query(shape($case, 0));

	my $kills = 0;
	while (1)
	{
		# in turns: as thorough, over all cases, and half the time
		my $back = ($kills + length $case->{name}) % 2 && !$case->{one_way};
		$writes += $ENV{KILL_EVERY} // 1;
		last unless survives($case, $writes, 'term', $back ? $before : $after, $back);
		die "$case->{name} has no end" if ++$kills > 200;
	}
	cmp_ok($kills, '>', 0, "$case->{name}: was killed $kills times");
}

# kill -9 takes the server down with it: for a few.
my %some = map { $_ => 1 } qw(not_null fk_plain unique_plain column_identity);
foreach my $case (grep { $some{ $_->{name} } } @cases)
{
	survives($case, 5, 'kill', $node->safe_psql('plain', shape($case, 1)), 0);
}
is($node->safe_psql('postgres', 'SELECT indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)'),
	'', 'no invalid index is left');
$node->stop;
done_testing();
