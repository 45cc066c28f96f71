/*-------------------------------------------------------------------------
 *
 * version.c
 *	  Versions: their order, their form, and what a file's name says.
 *
 * A version is text.  Its sort key makes runs of digits comparable as
 * numbers, whatever the collation:
 *
 *	  a run of digits		byte '0', number of significant digits, those digits
 *	  any other byte		itself
 *
 * The leading '0' puts a number where its digits would stand among other
 * bytes, and the count before the digits makes the longer number the larger
 * one.  Versions with equal keys (1 and 001) are one version.
 *
 * Layer 1: pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "version.h"

#define MAX_COUNT_BYTE	255

PG_FUNCTION_INFO_V1(mig_version_key);

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The length of the run of digits at s, and in *zeros how many of them lead without counting. */
static int
digit_run(const char *s, int *zeros)
{
	int			n = 0;

	while (s[n] == '0')
		n++;
	*zeros = n;
	while (is_digit(s[n]))
		n++;
	return n;
}

static void
append_key(StringInfo key, const char *version)
{
	for (const char *s = version; *s;)
	{
		int			zeros;
		int			len;
		int			left;

		if (!is_digit(*s))
		{
			appendStringInfoCharMacro(key, *s++);
			continue;
		}
		len = digit_run(s, &zeros);
		appendStringInfoCharMacro(key, '0');
		for (left = len - zeros; left >= MAX_COUNT_BYTE; left -= MAX_COUNT_BYTE)
			appendStringInfoCharMacro(key, (char) MAX_COUNT_BYTE);
		appendStringInfoCharMacro(key, (char) left);
		appendBinaryStringInfo(key, s + zeros, len - zeros);
		s += len;
	}
}

/* SQL: migrate_internal.version_key(text) */
Datum
mig_version_key(PG_FUNCTION_ARGS)
{
	char	   *version = text_to_cstring(PG_GETARG_TEXT_PP(0));
	StringInfoData key;

	initStringInfo(&key);
	append_key(&key, version);
	PG_RETURN_BYTEA_P(cstring_to_text_with_len(key.data, key.len));
}

int
mig_version_cmp(const char *a, const char *b)
{
	while (*a && *b)
	{
		if (is_digit(*a) && is_digit(*b))
		{
			int			zeros_a;
			int			zeros_b;
			int			len_a = digit_run(a, &zeros_a);
			int			len_b = digit_run(b, &zeros_b);
			int			cmp = (len_a - zeros_a) - (len_b - zeros_b);

			if (cmp == 0)
				cmp = memcmp(a + zeros_a, b + zeros_b, len_a - zeros_a);
			if (cmp != 0)
				return cmp;
			a += len_a;
			b += len_b;
		}
		else if (*a != *b)
			return (unsigned char) *a - (unsigned char) *b;
		else
		{
			a++;
			b++;
		}
	}
	return (unsigned char) *a - (unsigned char) *b;
}

void
mig_version_check(const char *version)
{
	size_t		len = strlen(version);

	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version must not be empty")));
	if (len > MIG_MAX_VERSION_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version is too long"),
				 errdetail("It has %zu bytes; at most %d are possible.",
						   len, MIG_MAX_VERSION_LEN)));
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) version[i] < ' ' || version[i] == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("version must not contain control characters"),
					 errdetail("Byte %zu has the value %d.", i + 1, (unsigned char) version[i])));
	if (version[0] == ' ' || version[len - 1] == ' ')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version \"%s\" must not begin or end with a blank", version)));
}

/* May a version in a file's name end before this character? */
static inline bool
ends_version(char c)
{
	return c == '_' || c == '.' || c == '-' || c == '\0';
}

static inline bool
is_digits(const char *s, int n)
{
	for (int i = 0; i < n; i++)
		if (!is_digit(s[i]))
			return false;
	return true;
}

/*
 * A date at the start of a name, written with dashes as diesel does:
 * 2017-08-31-230457 or 2025-11-19-091444-0000.  The version is the stamp
 * without dashes, as other names of the same history have it
 * (20140924113530), and what follows the time stays a number of its own:
 * 20251119091444.0000.  Read by the general rule all names of a year would
 * have one version.
 */
static char *
version_of_date(const char *name, const char **rest)
{
	StringInfoData version;
	const char *s = name + 10;
	int			zeros;

	if (!is_digits(name, 4) || name[4] != '-' || !is_digits(name + 5, 2) ||
		name[7] != '-' || !is_digits(name + 8, 2) || !ends_version(*s))
		return NULL;

	initStringInfo(&version);
	appendStringInfo(&version, "%.4s%.2s%.2s", name, name + 5, name + 8);
	for (bool time = true; *s == '-'; time = false)
	{
		int			len = digit_run(s + 1, &zeros);

		if (len == 0 || !ends_version(s[1 + len]))
			break;
		if (!time || (len != 6 && len != 4))
			appendStringInfoChar(&version, '.');
		appendBinaryStringInfo(&version, s + 1, len);
		s += 1 + len;
	}
	*rest = *s ? s + 1 : s;
	return version.data;
}

char *
mig_version_of_name(const char *name, const char **rest)
{
	const char *s = name;
	const char *end = NULL;
	char	   *version = version_of_date(name, rest);
	int			zeros;

	if (version)
		return version;

	while (is_letter(*s))
		s++;
	for (;;)
	{
		if (!is_digit(*s))
			break;
		s += digit_run(s, &zeros);
		/* 0001_2fa is version 0001: the last place where it may end counts */
		if (ends_version(*s))
			end = s;
		if (*s != '.' && *s != '_')
			break;
		s++;
	}
	if (end == NULL)
		return NULL;
	*rest = *end ? end + 1 : end;
	return pnstrdup(name, end - name);
}

/* How unlike are two versions?  0: the same number. */
static int
distance(const char *a, const char *b)
{
	int			len_a = strlen(a);
	int			len_b = strlen(b);

	if (mig_version_cmp(a, b) == 0)
		return 0;
	if (len_a < len_b && (strncmp(a, b, len_a) == 0 || strcmp(a, b + len_b - len_a) == 0))
		return 1;				/* its beginning or its end was given */
	return 1 + varstr_levenshtein(a, len_a, b, len_b, 1, 1, 1, true);
}

const char *
mig_version_nearest(const char *version, List *versions)
{
	const char *nearest = NULL;
	int			least = Max(3, (int) strlen(version) / 3) + 1;
	ListCell   *lc;

	if (strlen(version) > MIG_MAX_VERSION_LEN)
		return NULL;
	foreach(lc, versions)
	{
		const char *candidate = lfirst(lc);
		int			d = distance(version, candidate);

		if (d < least)
		{
			nearest = candidate;
			least = d;
		}
	}
	return nearest;
}
