/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  The tokens of a text, one after the other, by the server's scanner.
 *
 * The scanner runs with keyword tokens of our own, because the parser's token
 * numbers are not public from 16 on.  Where a token ends it tells by a zero
 * byte behind it in its copy of the text, on which pg_stat_statements relies
 * too (fill_in_constant_lengths).
 *
 * Layer 1: reads no catalog and takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/keywords.h"
#include "utils/memutils.h"

#include "scan.h"

/* Tokens of keywords: this and the keyword's number; above all of the scanner's own */
#define KEYWORD_BASE	0x8000

int
mig_scan_keyword(const char *word)
{
	return KEYWORD_BASE + ScanKeywordLookup(word, &ScanKeywords);
}

void
mig_scan_begin(MigScan *scan, const char *sql)
{
	static uint16 *tokens = NULL;

	if (tokens == NULL)
	{
		uint16	   *made = MemoryContextAlloc(TopMemoryContext,
											  sizeof(uint16) * ScanKeywords.num_keywords);

		for (int i = 0; i < ScanKeywords.num_keywords; i++)
			made[i] = KEYWORD_BASE + i;
		tokens = made;
	}
	scan->scanner = scanner_init(sql, &scan->extra, &ScanKeywords, tokens);
	/* the parser has warned already */
	scan->extra.escape_string_warning = false;
}

bool
mig_scan_next(MigScan *scan)
{
	scan->token = core_yylex(&scan->value, &scan->start, scan->scanner);
	if (scan->token == 0)
		return false;
	scan->length = strlen(scan->extra.scanbuf + scan->start);
	return true;
}

void
mig_scan_end(MigScan *scan)
{
	scanner_finish(scan->scanner);
}

const char *
mig_scan_text(const MigScan *scan)
{
	return scan->extra.scanbuf + scan->start;
}

bool
mig_scan_is(const MigScan *scan, const char *word)
{
	return scan->length == (int) strlen(word) &&
		pg_strncasecmp(mig_scan_text(scan), word, scan->length) == 0;
}

const char *
mig_scan_word(const MigScan *scan)
{
	const char *text = mig_scan_text(scan);

	if (scan->token >= KEYWORD_BASE)
		return scan->value.keyword;
	if (text[0] == '"' || text[0] == '_' || isalpha((unsigned char) text[0]) ||
		IS_HIGHBIT_SET(text[0]))
		return text[strlen(text) - 1] == '\'' ? NULL : scan->value.str;
	return NULL;
}
