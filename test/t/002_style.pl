# How the C code and its messages look: the server's "Error Message Style
# Guide" as far as a program can judge it, and the sizes that keep files and
# functions readable.
use strict;
use warnings;
use FindBin;
use Test::More;

use constant { MAX_FILE => 700, MAX_FUNCTION => 100 };

my $src = "$FindBin::RealBin/../../src";
my @files = map { s{.*/}{}r } sort glob("$src/*.[ch]");
my $reports = 0;

sub slurp
{
	my ($file) = @_;
	local $/;
	open(my $fh, '<', "$src/$file") or die "$file: $!";
	return scalar <$fh>;
}

# The text with its comments blanked out, lines kept.
sub without_comments
{
	my ($text) = @_;
	$text =~ s{("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(/\*.*?\*/)}{defined $1 ? $1 : $2 =~ tr/\n//cdr}gse;
	return $text;
}

# What follows "name(" at $start, up to the parenthesis that closes it.
sub arguments
{
	my ($text, $start) = @_;
	my $depth = 1;
	pos($$text) = $start;
	while ($$text =~ /\G(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"'()]+|([()]))/gc)
	{
		next unless defined $1;
		$depth += $1 eq '(' ? 1 : -1;
		return substr($$text, $start, pos($$text) - $start - 1) if $depth == 0;
	}
	return '';
}

# The texts that all calls of a function begin with: adjacent literals joined,
# a macro between them as a format.
sub literals
{
	my ($body, $function, $count) = @_;
	my @found;
	while ($$body =~ /\b$function\s*\(/g)
	{
		my $rest = arguments($body, $+[0]);
		my $place = $+[0];
		for (1 .. $count)
		{
			my $text = '';
			while ($rest =~ s/\A\s*(?:"((?:[^"\\]|\\.)*)"|([A-Z0-9_]+_FORMAT|PRI\w+))//)
			{
				$text .= defined $1 ? $1 : 'd';
			}
			push @found, $text if $text ne '';
			$rest =~ s/\A\s*,//;
		}
		pos($$body) = $place;
	}
	return @found;
}

# What is wrong with a primary message; undef if nothing.
sub message_fault
{
	my ($text) = @_;
	return 'ends with a period' if $text =~ /\.\z/ && $text !~ /\.\.\.\z/;
	return 'ends with a newline' if $text =~ /\\n\z/;
	return 'begins with a capital letter' if $text =~ /\A[A-Z][a-z]/;
	return word_fault($text);
}

# What is wrong with a detail or a hint.
sub sentence_fault
{
	my ($text) = @_;
	return undef if $text =~ /(?:\A|: )%s\z/;		# ends as what it quotes ends
	return 'is no full sentence' unless $text =~ /[.?]\z/;
	return 'begins with a small letter' if $text =~ /\A[a-z]/;
	return word_fault($text);
}

sub word_fault
{
	my ($text) = @_;
	return "says \"$1\"" if $text =~ /\b(unable|illegal|bad|unknown|can't|don't|doesn't|isn't|won't|failed to)\b/i;
	return 'quotes with apostrophes or backquotes' if $text =~ /`|(?<![\w(= ,])'%s'(?!\))/;
	return undef;
}

foreach my $file (@files)
{
	my $text = slurp($file);
	my $code = without_comments($text);
	my (@faults, @long);

	while ($code =~ /\bereport\s*\(/g)
	{
		my $start = $+[0];
		my $body = arguments(\$code, $start);
		my $line = 1 + (substr($code, 0, $start) =~ tr/\n//);
		my ($level) = $body =~ /\A\s*([^,]+),/;
		$reports++;
		push @faults, "$line: no errcode"
		  if $level =~ /\b(?:ERROR|FATAL|PANIC)\b/ && $body !~ /\berrcode\w*\s*\(/ && $body !~ /\bThrowErrorData\b/;
		foreach my $message (literals(\$body, 'errmsg', 1), literals(\$body, 'errmsg_plural', 2))
		{
			my $fault = message_fault($message);
			push @faults, "$line: message $fault: $message" if $fault;
		}
		foreach my $sentence (literals(\$body, 'err(?:detail|hint)(?:_log)?', 1),
			literals(\$body, 'err(?:detail|hint)_plural', 2))
		{
			my $fault = sentence_fault($sentence);
			push @faults, "$line: detail or hint $fault: $sentence" if $fault;
		}
		pos($code) = $start;
	}
	is(join("\n", @faults), '', "$file: messages");

	my ($begin, $number) = (0, 0);
	foreach my $line (split /\n/, $text)
	{
		$number++;
		$begin = $number if $line eq '{';
		push @long, "line $begin: " . ($number - $begin) . ' lines'
		  if $line eq '}' && $begin && $number - $begin > MAX_FUNCTION;
	}
	is("@long", '', "$file: no function has more than " . MAX_FUNCTION . ' lines');
	cmp_ok($number, '<=', MAX_FILE, "$file: no more than " . MAX_FILE . ' lines');
	unlike($code, qr/PG_VERSION_NUM/, "$file: asks for no server version") unless $file eq 'compat.h';
	unlike($text, qr{\b(?:TODO|FIXME|XXX|HACK)\b}, "$file: nothing is left to do");
	unlike($code =~ s/"(?:[^"\\\n]|\\.)*"//gr, qr{//}, "$file: comments are /* */");
}
cmp_ok($reports, '>', 20, 'there are messages to look at');

done_testing();
