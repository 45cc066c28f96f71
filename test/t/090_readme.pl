# The README's examples, run as a reader would run them, print what it shows.
#
# A block ```sql is typed into psql; if a block ```text follows, that is what
# psql has to print.  A block ```sql FILE is written to that file first; the
# client's working directory is where those files are.  Times, rates and sizes
# may differ, and so may the widths of columns that follow from them.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Path qw(make_path);
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file("$FindBin::RealBin/../../README.md");
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('readme');
my ($run, $compared, $heading) = (0, 0, '');

$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');

# What may differ from run to run, made the same.
sub plain
{
	my ($text) = @_;
	$text =~ s/^NOTICE:  .*\n//gm;	# progress, and waits, on a slow machine
	$text =~ s/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d|Z)?/TIME/g;
	$text =~ s/\b\d\d:\d\d:\d\d(?:\.\d+)?/DURATION/g;
	$text =~ s/\b\d+(?:\.\d+)? ?(?:ms|s|min)\b/DURATION/g;
	$text =~ s/\b\d+(?:\.\d+)? (?:bytes|kB|MB)\b/SIZE/g;
	$text =~ s/-{2,}/--/g;
	$text =~ s/[ \t]+/ /g;
	$text =~ s/^ | $//gm;
	$text =~ s/\A\n+|\n+\z//g;
	return $text;
}

sub psql
{
	my ($sql) = @_;
	my $file = "$dir/input.sql";
	my $command;

	append_to_file($file, $sql);
	$command = sprintf("cd '%s' && psql -X -d shop <input.sql 2>&1", $dir);
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	my $output = `$command`;
	unlink $file;
	return $output;
}

my @parts = split /^(```.*\n(?:(?!```).*\n)*```\n|#.*\n)/m, $readme;
for my $i (0 .. $#parts)
{
	$heading = $1 if $parts[$i] =~ /\A#+ (.*)/;
	next unless $parts[$i] =~ /\A```sql(?: (\S+))?\n(.*)```\n\z/s;
	my ($file, $sql) = ($1, $2);
	if ($file)
	{
		make_path("$dir/" . dirname($file));
		append_to_file("$dir/$file", $sql);
		next;
	}
	my $output = psql($sql);
	my ($expected) = ($parts[ $i + 1 ] . ($parts[ $i + 2 ] // '')) =~ /\A\n*```text\n(.*)```\n\z/s;
	$run++;
	if (defined $expected)
	{
		is(plain($output), plain($expected), "$heading: example $run prints what is shown");
		$compared++;
	}
	else
	{
		unlike($output, qr/^(?:ERROR|FATAL|invalid command)/m, "$heading: example $run works");
	}
}
cmp_ok($compared, '>=', 5, 'there are examples with their output');

$node->stop;
done_testing();
