# A planned sequence ends where the plain statement does: pg_dump -s of both is
# equal, names included; the derived way back leads to where it began.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/..";
use Cases;
use Migrate;
use Test::More;

my $node = migrate_node('equivalence');
my ($major) = $node->pg_version =~ /^(\d+)/;
my @cases = read_cases($major);
@cases = grep { $ENV{CASES} =~ /\b$_->{name}\b/ } @cases if $ENV{CASES};

my $plain_errors = fill_database($node, 'plain', \@cases, 1);
fill_database($node, 'before', \@cases, 0);
fill_database($node, 'online', \@cases, 0);
$node->safe_psql('online', "CREATE EXTENSION migrate; ALTER DATABASE online SET migrate.out_of_order = 'allow'");

my (%failed, %stuck);
foreach my $case (@cases)
{
	my $name = $case->{name};

	is($plain_errors->{$name}, '', "$name: the plain statement runs");
	is(run_in($node, 'online', $case,
			"SELECT migrate.register('$name', \$migration\$$case->{statement}\$migration\$, requires => '{}', options => '{\"small_table\": \"0\"}')"),
		'', "$name: registered");
	my $extra = $node->safe_psql('online',
		"SET migrate.small_table = 0; SELECT count(*) - count(DISTINCT statement) + count(*) FILTER (WHERE kind = 'backfill' OR command ~ 'CONCURRENTLY' OR command ~ '^ALTER INDEX')"
		  . " FROM migrate.plan('$name') WHERE version = '$name'");
	ok($case->{plain} ? $extra == 0 : $extra > 0, $case->{plain} ? "$name: runs as it stands" : "$name: becomes a sequence");
	$failed{$name} = run_in($node, 'online', $case, "CALL migrate.apply('$name', complete => true)");
	is($failed{$name} =~ s/^(NOTICE|DETAIL|HINT|WARNING).*\n//gmr, '', "$name: applied");
	foreach my $db ('plain', 'online')
	{
		next unless $case->{check};
		my ($rc, $out) = $node->psql($db, "SET search_path = $name, public; $case->{check}");
		is($out, 't', "$name: rows are right ($db)");
	}
}
my $plain = schemas_of($node, 'plain');
my $online = schemas_of($node, 'online');
is($online->{ $_->{name} }, $plain->{ $_->{name} }, "$_->{name}: same schema as by the plain statement") foreach @cases;

foreach my $case (grep { !$_->{one_way} } @cases)
{
	my $error = run_in($node, 'online', $case, "CALL migrate.rollback('$case->{name}', lose_data => true)");
	is($error =~ s/^(NOTICE|DETAIL|HINT|WARNING).*\n//gmr, '', "$case->{name}: rolled back");
}
my $before = schemas_of($node, 'before');
$online = schemas_of($node, 'online');
is($online->{ $_->{name} }, $before->{ $_->{name} }, "$_->{name}: same schema as before")
  foreach grep { !$_->{one_way} } @cases;

is($node->safe_psql('online', 'SELECT indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)'),
	'', 'no invalid index is left');
$node->stop;
done_testing();
