# The files of src/ form layers, and the layers a total order: a file includes
# only headers of files further down this list, so that no circle can arise.  A
# star stands for a family of files that share one place.
use strict;
use warnings;
use FindBin;
use Test::More;

my @order = (
	# 5
	'migrate.c', 'api*',
	# 4
	'launcher', 'dropdb', 'waiting', 'worker*',
	# 3
	'runbook', 'preflight*', 'rehearse*', 'preview',
	'inline', 'serve', 'loss', 'run*', 'step*', 'backfill', 'sync*', 'lock_ladder', 'lock',
	# 2
	'register', 'load*', 'tar', 'fingerprint', 'disk', 'catalog*', 'events', 'query', 'exec', 'notice', 'session*',
	# 1
	'targets', 'graph', 'check*', 'plan*', 'online*', 'refuse*', 'classify*', 'effect*', 'partition', 'undo*', 'naming', 'index', 'dependents', 'relation*', 'overlay', 'hazard', 'lock_holders',
	'block', 'parse', 'sqlgen', 'scan', 'version', 'settings', 'window',
	# 0
	'words', 'migrate.h', 'compat');

# Place of a file in the list; -1 if it has none.
sub place
{
	my ($file) = @_;
	foreach my $i (0 .. $#order)
	{
		my $pattern = quotemeta($order[$i]);
		$pattern =~ s/\\\*/\\w*/;
		$pattern =~ s/\\\.[ch]\z// ? ($pattern = "$pattern\\." . substr($order[$i], -1)) : ($pattern .= '\.[ch]');
		return $i if $file =~ /\A$pattern\z/;
	}
	return -1;
}

my $src = "$FindBin::RealBin/../../src";
my @files = map { s{.*/}{}r } sort glob("$src/*.[ch]");
cmp_ok(scalar(@files), '>', 10, 'there are source files to look at');

foreach my $file (@files)
{
	my $own = place($file);
	my @upward;

	open(my $fh, '<', "$src/$file") or die "$file: $!";
	while (my $line = <$fh>)
	{
		next unless $line =~ /^\s*#\s*include\s+"([^"]+)"/;
		my $header = $1;
		next unless -e "$src/$header";
		push @upward, $header if place($header) < $own;
	}
	close $fh;
	isnt($own, -1, "$file has a place in the order");
	is("@upward", '', "$file includes nothing from above");
}

done_testing();
