/*-------------------------------------------------------------------------
 *
 * sqlgen.c
 *	  SQL that we make: names in quotes, words put into a user's statement.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "scan.h"
#include "sqlgen.h"

char *
mig_sql_vformat(const char *format, va_list args)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (;;)
	{
		va_list		again;
		int			needed;

		va_copy(again, args);
		needed = appendStringInfoVA(&buf, format, again);
		va_end(again);
		if (needed == 0)
			return buf.data;
		enlargeStringInfo(&buf, needed);
	}
}

char *
mig_sql_name(const char *name)
{
	return pstrdup(quote_identifier(name));
}

char *
mig_sql_qualified(const char *nspname, const char *relname)
{
	return quote_qualified_identifier(nspname, relname);
}

char *
mig_sql_type(TypeName *type)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	if (type->setof)
		appendStringInfoString(&buf, "SETOF ");
	foreach(lc, type->names)
		appendStringInfo(&buf, "%s%s", lc == list_head(type->names) ? "" : ".",
						 quote_identifier(strVal(lfirst(lc))));
	if (type->pct_type)
		appendStringInfoString(&buf, "%TYPE");
	foreach(lc, type->arrayBounds)
		appendStringInfoString(&buf, "[]");
	return buf.data;
}

char *
mig_sql_column_type(Oid relid, AttrNumber column)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(relid, column, &type, &typmod, &collation);
	return format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

char *
mig_sql_literal(const char *value)
{
	return quote_literal_cstr(value);
}

char *
mig_sql_insert(const char *text, const char *after, int nth, const char *words)
{
	MigScan		scan;
	char	   *result = NULL;

	mig_scan_begin(&scan, text);
	while (result == NULL && mig_scan_next(&scan))
		if (mig_scan_is(&scan, after) && --nth == 0)
		{
			int			end = scan.start + scan.length;

			result = psprintf("%.*s %s%s", end, text, words, text + end);
		}
	mig_scan_end(&scan);
	return result;
}

char *
mig_sql_without(const char *text, const char *word)
{
	MigScan		scan;
	int			depth = 0;
	char	   *result = NULL;

	mig_scan_begin(&scan, text);
	while (result == NULL && mig_scan_next(&scan))
	{
		if (mig_scan_is(&scan, "("))
			depth++;
		else if (mig_scan_is(&scan, ")"))
			depth--;
		else if (depth == 0 && mig_scan_is(&scan, word))
		{
			const char *rest = text + scan.start + scan.length;

			while (isspace((unsigned char) *rest))
				rest++;
			result = psprintf("%.*s%s", scan.start, text, rest);
		}
	}
	mig_scan_end(&scan);
	return result;
}

static bool
is_word_char(unsigned char c)
{
	return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

bool
mig_sql_mentions(const char *text, const char *word)
{
	size_t		len = strlen(word);

	unsigned char first = pg_tolower((unsigned char) word[0]);

	for (const char *p = text; *p; p++)
		if (pg_tolower((unsigned char) *p) == first && pg_strncasecmp(p, word, len) == 0 &&
			(p == text || !is_word_char(p[-1])) && !is_word_char(p[len]))
			return true;
	return false;
}
