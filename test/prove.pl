# test/prove.pl [-I FOLDER]... FILE...: as prove, but counts tests exactly.
#
# The last line is "counted: N passed, N failed, N skipped".  A test that is to
# do counts as what it is expected to be; a file that dies, or runs another
# number of tests than it planned, adds a failure, one that skips all of its
# tests a skip.  As many files run side by side as there are cores (or
# TEST_JOBS), those first that take longest, so that none of them is left over
# when the others are done.
use strict;
use warnings;
use Getopt::Long qw(:config bundling);
use TAP::Harness;

# From the longest on, 10 s and more when this was written.
my @long = qw(differential killed killed_back throttles blocking equivalence index undo workers sync
  backfill_trouble crash backfill timeouts look crash_kinds hazards preload dropdb ladder callers);

my (@lib, $jobs);

sub slurp
{
	my ($file) = @_;
	local $/;
	open(my $fh, '<', $file) or return '';
	return scalar(<$fh>) // '';
}

# How far in front a file belongs.
sub place
{
	my ($file) = @_;

	foreach my $i (0 .. $#long)
	{
		return $i if $file =~ /_$long[$i]\.pl$/;
	}
	return scalar @long;
}

GetOptions('I=s' => \@lib, 'j=i' => \$jobs) or die "usage: prove.pl [-I FOLDER]... FILE...\n";
my @files = map { glob } @ARGV;
my $cores = grep { /^processor/ } split /\n/, slurp('/proc/cpuinfo');
my $harness = TAP::Harness->new(
	{
		lib => \@lib,
		jobs => $jobs || $ENV{TEST_JOBS} || $cores || 1,
		timer => 1,
		failures => 1
	});
my $result = $harness->runtests(sort { place($a) <=> place($b) || $a cmp $b } @files);

my ($passed, $failed, $skipped) = (0, 0, 0);
foreach my $parser ($result->parsers)
{
	if ($parser->skip_all)
	{
		$skipped++;
		next;
	}
	my %skip = map { $_ => 1 } $parser->skipped;
	$passed += grep { !$skip{$_} } $parser->passed;
	$failed += $parser->failed;
	$skipped += $parser->skipped;
	$failed++ if ($parser->parse_errors || $parser->exit) && !$parser->failed;
}
print "counted: $passed passed, $failed failed, $skipped skipped\n";
exit($failed ? 1 : 0);
