# The worker is killed at each point of each sequence where it writes down how
# far it has come: before the commit that records a step, and behind it.  apply
# then ends where the plain statement does, and rollback where it began.
#
# KILL_EVERY=3 in the environment hits only every third of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..", $FindBin::RealBin;
use Cases;
use Killer;
use Migrate;
use Session;
use Test::More;

my $node = migrate_node('killed');
my ($major) = $node->pg_version =~ /^(\d+)/;
my @cases = grep { !$_->{plain} } read_cases($major);
@cases = grep { $ENV{CASES} =~ /\b$_->{name}\b/ } @cases if $ENV{CASES};

fill_database($node, 'plain', \@cases, 1);
install_killer($node);

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
	$session->query(kill_order($write, $signal)
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
	$session->query(kill_order(0));
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
