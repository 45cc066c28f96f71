# Cases of equivalence: what a plain statement does to a schema, the planned
# sequence has to do as well.  They are in test/data/*.sql:
#
#	-- case NAME [from 17] [to 17] [as it stands] [no way back]
#	what is there before, as psql runs it
#	-- statement
#	what is migrated
#	-- check
#	a query that returns true afterwards, both ways (optional)
#
# Each case lives in a schema of its own, which has its name and is first in
# the search_path.  Behind "as it stands" no statement may become a sequence;
# without it, one has to.
package Cases;

use strict;
use warnings;
use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(read_cases schemas_of fill_database run_in $fingerprint);

sub read_cases
{
	my ($major) = @_;
	my (@cases, %seen, $part);

	foreach my $file (sort glob "$FindBin::RealBin/../data/*.sql")
	{
		foreach my $line (split /^/, slurp_file($file))
		{
			if ($line =~ /^-- case (\w+)(.*)$/)
			{
				my ($name, $words) = ($1, $2);
				my %case = (name => $name, setup => '', statement => '', check => '');

				die "case $name stands in $file a second time" if $seen{$name}++;
				$case{from} = $words =~ s/ from (\d+)// ? $1 : 0;
				$case{to} = $words =~ s/ to (\d+)// ? $1 : 999;
				$case{plain} = $words =~ s/ as it stands//;
				$case{one_way} = $words =~ s/ no way back//;
				push @cases, \%case;
				die "case $name: what is \"$words\"?" if $words =~ /\S/;
				$part = 'setup';
			}
			elsif ($line =~ /^-- (statement|check)$/) { $part = $1; }
			elsif (@cases) { $cases[-1]{$part} .= $line; }
		}
	}
	die 'there are no cases' unless @cases;
	return grep { $_->{from} <= $major && $major <= $_->{to} } @cases;
}

sub run_in
{
	my ($node, $db, $case, $sql) = @_;
	my ($rc, $out, $err) = $node->psql($db, "SET search_path = $case->{name}, public;\n$sql");

	return $rc == 0 ? '' : "$err";
}

# A database with the schemas of all cases; statements too, if asked for.
sub fill_database
{
	my ($node, $db, $cases, $with_statement) = @_;
	my %errors;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	foreach my $case (@$cases)
	{
		$node->safe_psql($db, "CREATE SCHEMA $case->{name};\nSET search_path = $case->{name}, public;\n$case->{setup}");
		$errors{ $case->{name} } = run_in($node, $db, $case, $case->{statement}) if $with_statement;
	}
	return \%errors;
}

# What pg_dump -s says of each schema.
sub schemas_of
{
	my ($node, $db) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '-s', '-d', $node->connstr($db), '-N', 'migrate', '-N', 'migrate_internal' ]);
	my (%text, $schema);

	foreach my $line (split /^/, $out)
	{
		if ($line =~ /^-- (?:Name|Data for Name): .*; Type: .*; Schema: ([^;]+); Owner/)
		{
			$schema = $1;
		}
		next if !defined $schema || $line =~ /^(--|--.*database dump complete|\\.*)?$/;
		$text{$schema} .= $line;
	}
	return \%text;
}

# The same in brief, as a query of a schema that takes no time.
our $fingerprint = <<'SQL';
SELECT string_agg(line, E'\n' ORDER BY line) FROM (
	SELECT format('%s %s %s %s %s', conrelid::regclass, conname, convalidated, coninhcount, pg_get_constraintdef(c.oid))
	FROM pg_constraint c WHERE connamespace = 'SCHEMA'::regnamespace
		-- before 18 the server validates a key to a partitioned table, and forgets its rows for the partitions
		AND NOT (contype = 'f' AND conparentid <> 0 AND (SELECT relispartition FROM pg_class WHERE oid = confrelid))
	UNION ALL
	SELECT format('%s %s %s', pg_get_indexdef(indexrelid), indisvalid, indisready)
	FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE relnamespace = 'SCHEMA'::regnamespace
	UNION ALL
	SELECT format('%s %s %s %s %s %s %s %s', c.oid::regclass, attname, format_type(atttypid, atttypmod), attnotnull,
		attidentity, attgenerated, attstorage, pg_get_expr(adbin, adrelid))
	FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
	LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
	WHERE relnamespace = 'SCHEMA'::regnamespace AND relkind <> 'i'
	UNION ALL
	SELECT format('%s %s %s %s', seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement)
	FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid WHERE relnamespace = 'SCHEMA'::regnamespace
	UNION ALL
	SELECT format('%s %s', inhrelid::regclass, inhparent::regclass)
	FROM pg_inherits JOIN pg_class c ON c.oid = inhparent WHERE relnamespace = 'SCHEMA'::regnamespace) s(line)
SQL

1;
