# check() against the server: for each case of test/data/hazard-cases.tsv the
# setup runs in an empty database, check() is asked, and then the statement
# runs.  What the file says, what the server does, and what check() says must be
# the same.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Observe;
use Test::More;

my %fixtures;
my @cases;
open(my $fh, '<', "$FindBin::RealBin/../data/hazard-cases.tsv") or die $!;
while (my $line = <$fh>)
{
	my @fields;

	chomp $line;
	next if $line =~ /^#/ || $line eq '';
	@fields = split /\t/, $line, -1;
	if ($fields[0] =~ /^@/)
	{
		$fixtures{ $fields[0] } = $fields[1];
		next;
	}
	my %case;
	@case{qw(id majors how target lock scans rewrites breaks setup statement note)} = @fields;
	$case{setup} =~ s/(\@\w+)/$fixtures{$1}/g;
	push @cases, \%case;
}
close $fh;

my $node = PostgreSQL::Test::Cluster->new('hazards');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nallow_in_place_tablespaces = on\n"
	. "wal_level = logical\ntimezone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', "CREATE ROLE hz_app");
$node->safe_psql('postgres', "CREATE TABLESPACE hz_ts LOCATION ''");
my $observe = Observe->new($node);
my $major = int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);
my $only = $ENV{HAZARD_CASES};

sub concerns
{
	my ($majors) = @_;
	my ($from, $to) = $majors =~ /^(\d+)-(\d*)$/;

	return $major >= $from && ($to eq '' || $major <= $to);
}

foreach my $case (@cases)
{
	my $facts;
	my $name = "$case->{id}: $case->{statement}";
	my %want;

	next unless concerns($case->{majors});
	next if defined $only && $case->{id} !~ /$only/;
	$facts = $observe->alone($case);
	%want = map { $_ => $case->{$_} } qw(lock scans rewrites breaks);
	if (!$facts->{setup} || !$facts->{asked})
	{
		fail($name);
		diag($facts->{err});
		next;
	}
	is_deeply(
		{
			lock => Observe::checked_lock($facts, $case->{target}),
			map { $_ => Observe::checked($facts, $_) } qw(scans rewrites breaks)
		},
		\%want, "$name: what check() says") or diag($facts->{out});
	if ($case->{how} eq 'fails')
	{
		ok($facts->{failed}, "$name: the server refuses it");
		ok((grep { $_->{rule} eq 'fails' } @{ $facts->{check} }), "$name: check() says so");
	}
	elsif ($case->{how} eq 'run')
	{
		ok(!$facts->{failed}, "$name: the server does it") or diag($facts->{err});
		delete $want{breaks};
		is_deeply(
			{
				lock => $facts->{locks}{ $case->{target} } // 'none',
				scans => %{ $facts->{scans} } ? 1 : 0,
				rewrites => %{ $facts->{rewrites} } ? 1 : 0
			},
			\%want, "$name: what the server does") or diag($facts->{out});
		is((grep { $_->{rule} eq 'fails' } @{ $facts->{check} }) ? 1 : 0, 0, "$name: check() does not refuse it");
	}
}

$node->stop;
done_testing();
