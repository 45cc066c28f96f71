# A psql that stays connected, so that a test can hold a transaction open, or
# let one session wait while it looks at it from another.
#
#	my $s = Session->new($node);		# one more argument: the role
#	$s->query('BEGIN');					# rows as text; dies on time-out
#	$s->start('CALL migrate.apply()');	# does not wait for the answer
#	$s->finish;							# waits for it: what psql printed
#	$s->errors;							# what went to stderr since the last call
#	$s->quit;
package Session;

use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils;

my $marks = 0;

sub new
{
	my ($class, $node, $role) = @_;
	my $self = { in => '', out => '', err => '' };
	my @command = ('psql', '-XAtq', '-d', $node->connstr('postgres'), '-v', 'VERBOSITY=verbose');

	push @command, '-U', $role if defined $role;
	$self->{timer} = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
	$self->{run} = IPC::Run::start(\@command, '<', \$self->{in}, '>', \$self->{out},
		'2>', \$self->{err}, $self->{timer});
	bless $self, $class;
	$self->query('SELECT 1');
	return $self;
}

# Send SQL, and then a mark that comes back when psql is done with it.
sub start
{
	my ($self, $sql) = @_;

	$self->{mark} = 'mark ' . ++$marks;
	$self->{in} .= "$sql\n;\n\\echo '$self->{mark}'\n\\warn '$self->{mark}'\n";
	$self->{timer}->start($PostgreSQL::Test::Utils::timeout_default);
	$self->{run}->pump_nb;
	return;
}

sub finish
{
	my ($self) = @_;
	my $mark = $self->{mark};
	my $result;

	$self->{run}->pump
	  until $self->{out} =~ /^\Q$mark\E$/m && $self->{err} =~ /^\Q$mark\E$/m;
	($result) = $self->{out} =~ /\A(.*?)^\Q$mark\E$/ms;
	($self->{errors}) = $self->{err} =~ /\A(.*?)^\Q$mark\E$/ms;
	$self->{out} = $self->{err} = '';
	$self->{errors} =~ s{\A\s+}{};
	chomp $result;
	return $result;
}

sub query
{
	my ($self, $sql) = @_;

	$self->start($sql);
	return $self->finish;
}

sub errors
{
	my ($self) = @_;
	return $self->{errors};
}

sub quit
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	$self->{run}->finish;
	return;
}

1;
