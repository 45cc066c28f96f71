# What statements really do: the locks that their transaction holds, the tables
# whose rows were all read, and those that got another file with rows in it.
#
#	my $o = Observe->new($node);
#	my $facts = $o->alone(\%case);				# setup, statement, how
#	my @facts = $o->together($setup, @statements);
#
# alone() empties the database first, and has a session of its own, so that a
# setup may PREPARE and SET; together() runs many statements over one setup.
# check() is asked in the same session right before a statement runs, in a
# transaction that is rolled back.
package Observe;

use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils;

# Weakest first.
our @modes = qw(none AccessShareLock RowShareLock RowExclusiveLock ShareUpdateExclusiveLock
  ShareLock ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock);
our %rank = map { $modes[$_] => $_ } 0 .. $#modes;

my $observer = <<'SQL';
CREATE EXTENSION migrate;
CREATE SCHEMA obs;
CREATE TABLE obs.seen (oid oid PRIMARY KEY, name text, kind "char", file oid, rows bigint, read bigint);

-- What there is, with the number of rows.
CREATE FUNCTION obs.remember() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	s record;
	n bigint;
BEGIN
	DELETE FROM obs.seen;
	INSERT INTO obs.seen
	SELECT c.oid, c.oid::regclass::text, c.relkind, c.relfilenode, 0, 0
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE (n.nspname !~ '^(pg_|obs$|migrate|information_schema$)' OR n.oid = pg_my_temp_schema()) AND c.relkind IN ('r', 'm', 'p', 'v', 'f', 'S', 'i', 'I');
	FOR s IN SELECT * FROM obs.seen WHERE kind IN ('r', 'm')
	LOOP
		CONTINUE WHEN s.kind = 'm' AND NOT (SELECT relispopulated FROM pg_class WHERE oid = s.oid);
		EXECUTE format('SELECT count(*) FROM ONLY %s', s.name) INTO n;
		UPDATE obs.seen SET rows = n WHERE seen.oid = s.oid;
	END LOOP;
END $$;

-- Back to an empty database.
CREATE FUNCTION obs.reset() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT quote_ident(pubname) FROM pg_publication
	LOOP
		EXECUTE format('DROP PUBLICATION %s', name);
	END LOOP;
	FOR name IN SELECT quote_ident(nspname) FROM pg_namespace
		WHERE nspname !~ '^(pg_|obs$|migrate|information_schema$)'
	LOOP
		EXECUTE format('DROP SCHEMA %s CASCADE', name);
	END LOOP;
	CREATE SCHEMA public;
	GRANT ALL ON SCHEMA public TO public;
END $$;

-- In the transaction, before the statement.
CREATE FUNCTION obs.start() RETURNS void LANGUAGE sql AS $$
	UPDATE obs.seen SET read = pg_stat_get_xact_tuples_returned(oid) WHERE kind IN ('r', 'm');
$$;

-- In the transaction, after it.
CREATE FUNCTION obs.report() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(E'\t', 'lock', s.name, l.mode)
	FROM pg_locks l JOIN obs.seen s ON s.oid = l.relation
	WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
	UNION ALL
	SELECT concat_ws(E'\t', 'scan', name) FROM obs.seen
	WHERE kind IN ('r', 'm') AND rows > 0 AND pg_stat_get_xact_tuples_returned(oid) - read >= rows
	UNION ALL
	SELECT concat_ws(E'\t', 'rewrite', s.name)
	FROM obs.seen s JOIN pg_class c
		ON c.oid = coalesce((SELECT oid FROM pg_class WHERE oid = s.oid), to_regclass(s.name))
	WHERE s.kind IN ('r', 'm') AND s.rows > 0 AND c.relfilenode <> s.file AND c.relkind IN ('r', 'm')
		AND pg_relation_size(c.oid) > 0;
$$;
SQL

sub new
{
	my ($class, $node) = @_;

	$node->safe_psql('postgres', 'CREATE DATABASE obs');
	$node->safe_psql('obs', $observer);
	return bless { node => $node }, $class;
}

# psql over a script: its output and its errors.
sub psql
{
	my ($self, $script) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'psql', '-XAtq', '-d', $self->{node}->connstr('obs'), '-f', '-' ],
		'<', \$script, '>', \$out, '2>', \$err);
	return ($out, $err);
}

sub dollar
{
	my ($sql) = @_;

	return "\$hz\$$sql\$hz\$";
}

# The query that asks check().
sub ask
{
	my ($sql) = @_;

	return "SELECT concat_ws(E'\\t', 'check', statement, coalesce(relation, '-'), coalesce(lock, 'none'),"
	  . " scans::int, rewrites::int, breaks_clients::int, coalesce(rule, '-')) FROM migrate.check("
	  . dollar($sql) . ');';
}

# What comes out of one case, as a hash.
sub parse
{
	my ($out, $err) = @_;
	my $facts = {
		locks => {}, scans => {}, rewrites => {}, check => [], out => $out, err => $err,
		setup => 0, asked => 0, failed => 0
	};

	foreach my $line (split /\n/, $out)
	{
		my ($what, @fields) = split /\t/, $line;

		next unless defined $what;
		if ($what eq 'lock')
		{
			my ($name, $mode) = @fields;
			$facts->{locks}{$name} = $mode
			  if $rank{$mode} > $rank{ $facts->{locks}{$name} // 'none' };
		}
		elsif ($what eq 'scan') { $facts->{scans}{ $fields[0] } = 1; }
		elsif ($what eq 'rewrite') { $facts->{rewrites}{ $fields[0] } = 1; }
		elsif ($what eq 'check')
		{
			my %row;
			@row{qw(statement relation lock scans rewrites breaks rule)} = @fields;
			push @{ $facts->{check} }, \%row;
		}
		elsif ($what eq 'setup') { $facts->{setup} = 1; }
		elsif ($what eq 'asked false') { $facts->{asked} = 1; }
		elsif ($what eq 'error true') { $facts->{failed} = 1; }
	}
	return $facts;
}

# The statement in its transaction, from which the answers come.
sub try_out
{
	my ($statement) = @_;

	return "SELECT pg_stat_force_next_flush();\nBEGIN;\nSELECT obs.start();\nSET LOCAL client_min_messages = debug1;\n"
	  . "$statement;\n\\echo error :ERROR\nSET LOCAL client_min_messages = warning;\nSELECT obs.report();\nROLLBACK;\n";
}

# how: run (in a transaction), alone (outside of one: only asked about), fails.
sub alone
{
	my ($self, $case) = @_;
	my $script = "\\set ON_ERROR_STOP on\nSET client_min_messages = warning;\nSELECT obs.reset();\n"
	  . "$case->{setup};\n\\echo setup\nSET migrate.small_table = 0;\nSELECT obs.remember();\n"
	  . ask($case->{statement}) . "\n\\echo asked :ERROR\n\\set ON_ERROR_STOP off\n";

	$script .= try_out($case->{statement}) if $case->{how} ne 'alone';
	return parse($self->psql($script));
}

# Facts about each of several statements over one setup.
sub together
{
	my ($self, $setup, @statements) = @_;
	my $mark = '---';
	my $script = "\\set ON_ERROR_STOP on\nSET client_min_messages = warning;\nSELECT obs.reset();\n$setup;\n"
	  . "\\echo setup\nSET migrate.small_table = 0;\nSELECT obs.remember();\n"
	  . "SELECT concat_ws(E'\\t', indexrelid::regclass, indrelid::regclass) FROM pg_index JOIN obs.seen ON oid = indexrelid;\n"
	  . "\\set ON_ERROR_STOP off\n";
	my ($out, $err);
	my ($first, @outs, @errs);

	$script .= "\\echo $mark\n\\warn $mark\n" . ask($_) . "\n\\echo asked :ERROR\n" . try_out($_)
	  foreach @statements;
	($out, $err) = $self->psql($script);
	($first, @outs) = split /^$mark\n/m, $out;
	$self->{table_of} = { map { split /\t/ } grep { /\t/ } split /\n/, $first };
	die "the setup fails: $err" unless @outs;
	(undef, @errs) = split /^$mark\n/m, $err;
	return map { parse($outs[$_], $errs[$_]) } 0 .. $#statements;
}

# A relation of check() under the name that the server gives it here.
sub name_of
{
	my ($row) = @_;
	my $name = $row->{relation};

	$name =~ s/^(public|pg_temp(_\d+)?)\.//;
	return $name;
}

# The relations that check() has a lock for, without those that the test itself brings along.
sub checked_relations
{
	my ($facts) = @_;
	my %names = map { name_of($_) => 1 } grep { $_->{lock} ne 'none' } @{ $facts->{check} };

	return grep { !/^(migrate_internal|obs|information_schema)\./ } keys %names;
}

# The strongest lock that check() tells of a relation.
sub checked_lock
{
	my ($facts, $relation) = @_;
	my $strongest = 'none';

	foreach my $row (@{ $facts->{check} })
	{
		$strongest = $row->{lock}
		  if name_of($row) eq $relation && $rank{ $row->{lock} } > $rank{$strongest};
	}
	return $strongest;
}

# Locks (a hash) without those on indexes whose table is locked as strongly, or
# that are but looked at: they keep nobody out who is not kept out anyway.
sub locks_that_count
{
	my ($self, $locks) = @_;
	my %count;

	while (my ($relation, $mode) = each %$locks)
	{
		my $table = $self->{table_of}{$relation};

		next if defined $table && ($mode eq 'AccessShareLock' || $rank{ $locks->{$table} // 'none' } >= $rank{$mode});
		$count{$relation} = $mode;
	}
	return \%count;
}

# Does any row of check() say so?
sub checked
{
	my ($facts, $what) = @_;

	return (grep { $_->{$what} } @{ $facts->{check} }) ? 1 : 0;
}

# --- verdicts, as text ---

sub verdict
{
	my ($self, $scans, $rewrites, $locks) = @_;

	$locks = $self->locks_that_count($locks);
	return join ', ', ($scans ? 'scans' : ()), ($rewrites ? 'rewrites' : ()),
	  map { "$_ $locks->{$_}" } sort keys %$locks;
}

sub verdict_of_check
{
	my ($self, $facts) = @_;

	return 'refused' if !$facts->{asked} || grep { $_->{rule} eq 'fails' } @{ $facts->{check} };
	return $self->verdict(checked($facts, 'scans'), checked($facts, 'rewrites'),
		{ map { $_ => checked_lock($facts, $_) } checked_relations($facts) });
}

# What rows say is for those who read them.
sub depends_on_rows
{
	my ($facts) = @_;

	return $facts->{failed} && $facts->{err} =~ /ERROR:\ \ (?:.*\ is\ violated\ by\ some\ row|.*\ contains\ null\ values
		|could\ not\ create\ .*|removing\ partition\ .*\ violates\ .*|insert\ or\ update\ .*\ violates\ .*)$/mx;
}

sub verdict_of_server
{
	my ($self, $facts) = @_;

	return 'refused' if $facts->{failed};
	return $self->verdict(scalar %{ $facts->{scans} }, scalar %{ $facts->{rewrites} }, $facts->{locks});
}

1;
