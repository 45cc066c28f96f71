# What the TAP tests of migrate share: a server with the extension, a psql in
# the background, waiting for a state, and what must be true in the end.
package Migrate;

use strict;
use warnings;
use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(migrate_node register background finish kill_client status_of wait_for_state
  wait_for_step crash after_crash is_finished sqlstate_of);

# A server that runs, with the extension in database postgres.  It comes up
# again by itself after a crash, which the test module's servers do not.
sub migrate_node
{
	my ($name, @conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => 1);
	$node->append_conf('postgresql.conf', join("\n",
			'restart_after_crash = on', 'max_worker_processes = 20', 'autovacuum = off', @conf, ''));
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION migrate');
	return $node;
}

sub register
{
	my ($node, $version, $up, %args) = @_;
	my $down = defined $args{down} ? "\$migration\$$args{down}\$migration\$" : 'NULL';
	my $options = $args{options} // '{}';

	$node->safe_psql($args{db} // 'postgres',
		"SELECT migrate.register('$version', \$migration\$$up\$migration\$, down => $down, options => '$options')");
}

# psql at work with one statement while the test goes on.
sub background
{
	my ($node, $sql, $db) = @_;
	my $self = { out => '', err => '' };

	local %ENV = $node->_get_env;
	$self->{harness} = IPC::Run::start(
		[ $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose',
			'-d', $node->connstr($db // 'postgres'), '-c', $sql ],
		'<', \undef, '>', \$self->{out}, '2>', \$self->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $self;
}

# True if it ended well.
sub finish
{
	my ($self) = @_;
	my $ok = eval { IPC::Run::finish($self->{harness}) };

	$self->{harness}->kill_kill unless defined $ok;
	return $ok ? 1 : 0;
}

sub kill_client
{
	my ($self) = @_;

	$self->{harness}->kill_kill(grace => 0);
}

# "state error" of a version
sub status_of
{
	my ($node, $version, $db) = @_;

	return $node->safe_psql($db // 'postgres',
		"SELECT concat_ws(' ', state, error) FROM migrate.status WHERE version = '$version'");
}

sub wait_for_state
{
	my ($node, $version, $state, $db) = @_;

	return $node->poll_query_until($db // 'postgres',
		"SELECT state = '$state' FROM migrate.status WHERE version = '$version'");
}

# Until a worker is at this step, and $condition on pg_stat_activity a is true
# of it; returns its pid.
sub wait_for_step
{
	my ($node, $version, $step, $condition) = @_;
	my $from = "FROM pg_stat_activity a WHERE a.application_name = 'migrate: step $step of $version' AND ($condition)";

	my $pid = '';

	# A worker that tries again and again may be elsewhere a moment later.
	until ($pid =~ /\A\d+\z/)
	{
		$node->poll_query_until('postgres', "SELECT count(*) = 1 $from")
		  or die "migration $version never came to step $step with $condition: "
		  . $node->safe_psql('postgres', 'TABLE migrate.progress; TABLE migrate.status');
		$pid = $node->safe_psql('postgres', "SELECT pid $from");
	}
	return $pid;
}

# kill -9 of one of its processes makes a server restart.
sub crash
{
	my ($node, $pid) = @_;
	my $offset = -s $node->logfile;

	kill('KILL', $pid) == 1 or die "could not kill process $pid";
	after_crash($node, $offset);
}

sub after_crash
{
	my ($node, $offset) = @_;

	# not by asking it: psql that is refused ends before it reads what is sent
	$node->wait_for_log(qr/all server processes terminated; reinitializing.*database system is ready to accept connections/s, $offset);
}

# The version is applied; each of its steps was done once; nothing is left over.
sub is_finished
{
	my ($node, $version, $what) = @_;

	is(status_of($node, $version), 'applied', "$what: applied");
	is($node->safe_psql('postgres',
			"SELECT step, count(*) FROM migrate.history WHERE version = '$version' AND event = 'step done'"
			  . " GROUP BY step HAVING count(*) > 1"),
		'', "$what: no step was done twice");
	is($node->safe_psql('postgres', 'SELECT indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready)'),
		'', "$what: no invalid index");
}

# The SQLSTATE of the first error in what psql wrote, with VERBOSITY verbose.
sub sqlstate_of
{
	my ($stderr) = @_;

	return $stderr =~ /(?:ERROR|FATAL):  ([0-9A-Z]{5}):/ ? $1 : '';
}

1;
