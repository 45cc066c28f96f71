# test/prove.pl [-I FOLDER]... FILE...: as prove, but counts tests exactly.
#
# The last line is "counted: N passed, N failed, N skipped".  A test that is to
# do counts as what it is expected to be; a file that dies, or runs another
# number of tests than it planned, adds a failure, one that skips all of its
# tests a skip.  As many files run side by side as there are cores (or
# TEST_JOBS), the last ones first: they take longest.
use strict;
use warnings;
use Getopt::Long qw(:config bundling);
use TAP::Harness;

my (@lib, $jobs);

sub slurp
{
	my ($file) = @_;
	local $/;
	open(my $fh, '<', $file) or return '';
	return scalar(<$fh>) // '';
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
my $result = $harness->runtests(reverse sort @files);

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
