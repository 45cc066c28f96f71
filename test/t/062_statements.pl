# check() against the server, for statements of all kinds: those of
# test/data/statements.txt, each in a transaction over one set of tables.  The
# verdict (the strongest lock on each relation, whether rows are read, whether
# they are copied, whether it is refused) has to be what the server does.  Locks
# that keep nobody from reading or writing are compared where check() tells of
# them: what a default, a rule or a key reads is not told.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Observe;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('statements');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nwal_level = logical\ntimezone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE hz_app');
my $observe = Observe->new($node);
my $major = int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);

my ($setup, $list) = split /^--\n/m, slurp_file("$FindBin::RealBin/../data/statements.txt");
my @statements;
$setup =~ s/^#.*\n//mg;
foreach my $statement (split /\n/, $list)
{
	next if $statement =~ s/^(\d+): // && $major < $1;
	next if $statement =~ s/^-(\d+): // && $major > $1;
	push @statements, $statement;
}

my @facts = $observe->together($setup, @statements);

cmp_ok(scalar @facts, '>', 250, 'there are many statements');
foreach my $i (0 .. $#facts)
{
	my %told = map { $_ => 1 } Observe::checked_relations($facts[$i]);
	my $locks = $facts[$i]{locks};

	foreach my $relation (keys %$locks)
	{
		delete $locks->{$relation}
		  if !$told{$relation} && $Observe::rank{ $locks->{$relation} } < $Observe::rank{ShareUpdateExclusiveLock};
	}
	is($observe->verdict_of_check($facts[$i]), $observe->verdict_of_server($facts[$i]), $statements[$i])
	  or diag("$facts[$i]{out}\n$facts[$i]{err}");
}

$node->stop;
done_testing();
