# Clients of pgbench that write while a test goes on; the errors they met.
package Clients;

use strict;
use warnings;
use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Utils;

our @EXPORT = qw(clients has_written errors_of);

# n clients that run these scripts, picked at random, until errors_of().
sub clients
{
	my ($node, $n, @scripts) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my @files;
	my $self = { out => '' };

	foreach my $i (0 .. $#scripts)
	{
		append_to_file("$dir/$i.sql", $scripts[$i]);
		push @files, '-f', "$dir/$i.sql";
	}
	$self->{harness} = IPC::Run::start([ $node->installed_command('pgbench'), '-n', '-c', $n, '-T', '600',
			'--max-tries=1', @files, '-h', $node->host, '-p', $node->port, 'postgres' ], '>', \$self->{out}, '2>&1');
	return $self;
}

# Wait until a table has been written to so many times more.
sub has_written
{
	my ($node, $table, $n) = @_;
	my $now = $node->safe_psql('postgres',
		"SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = '$table'");
	return $node->poll_query_until('postgres',
		"SELECT n_tup_ins + n_tup_upd > $now + $n FROM pg_stat_user_tables WHERE relname = '$table'");
}

# Stop them (a Ctrl-C is ignored by what a shell runs in the background); the errors that they met.
sub errors_of
{
	my ($clients) = @_;
	$clients->{harness}->signal('TERM');
	eval { $clients->{harness}->finish };
	return join("\n", grep { /ERROR|FATAL|aborted/ } split /\n/, $clients->{out});
}

1;
