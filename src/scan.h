/*-------------------------------------------------------------------------
 *
 * scan.h
 *	  The tokens of a text, one after the other, by the server's scanner.
 *
 * Layer 1.  Raises the scanner's own errors (42601) for what is no token;
 * text that mig_parse() has taken has none.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_SCAN_H
#define MIGRATE_SCAN_H

#include "parser/scanner.h"

typedef struct MigScan
{
	core_yyscan_t scanner;
	core_yy_extra_type extra;
	core_YYSTYPE value;
	int			token;			/* 0: end of text */
	int			start;			/* byte offset */
	int			length;			/* bytes */
} MigScan;

extern void mig_scan_begin(MigScan *scan, const char *sql);

/* The next token; false at the end. */
extern bool mig_scan_next(MigScan *scan);
extern void mig_scan_end(MigScan *scan);

/* The token of a keyword, to compare scan.token with. */
extern int	mig_scan_keyword(const char *word);

/* The current token as it stands in the text; valid until the next one. */
extern const char *mig_scan_text(const MigScan *scan);

/* The name that the current token is, folded and without quotes; NULL if it is none. */
extern const char *mig_scan_word(const MigScan *scan);

/*
 * Is the current token that word: a keyword of any kind, or a name without
 * quotes, in any case?  The word is given in lower case.
 */
extern bool mig_scan_is(const MigScan *scan, const char *word);

#endif							/* MIGRATE_SCAN_H */
