/*-------------------------------------------------------------------------
 *
 * parse.h
 *	  From text to statements, by the server's own scanner and parser.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_PARSE_H
#define MIGRATE_PARSE_H

#include "migrate.h"

/*
 * Slice sql into statements (list of MigStatement).  "what" names the text
 * in messages: 'up of migration "0042"', for instance.  Errors: 42601 with
 * line, and the text as internal query with the position, for a syntax
 * error; 0A000 for COPY ... FROM STDIN and for psql's backslash commands.
 */
extern List *mig_parse(const char *sql, const char *what);

/* SHA-256 in hex over the parts, each of which may be NULL: bytes as they stand. */
extern char *mig_checksum(const char *const *parts, int nparts);

/* The same over tokens: comments and blanks between them do not count. */
extern char *mig_token_checksum(const char *const *parts, int nparts);

/* Byte offset of the first token at or after "from"; the length if there is none. */
extern int	mig_first_token(const char *sql, int from);

/* The line, from 1, that holds a byte offset. */
extern int	mig_line_of(const char *sql, int offset);

#endif							/* MIGRATE_PARSE_H */
