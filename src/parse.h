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

/* The same for a text that begins in some line of its file. */
extern List *mig_parse_at(const char *sql, const char *what, int first_line);

/*
 * What messages call a part ("up", "down" or "verify") of a migration, and the
 * line that its lines count from: of the file, where it does not begin there.
 */
extern char *mig_part_name(const Migration *migration, const char *part, int *first_line);

/*
 * Inside ereport(): the place of an error in a text, as internal query with
 * position (of a long text the lines around it), and "line 7 of <what>" as
 * context.
 */
extern int	mig_parse_errposition(const char *sql, const char *what, int offset);
extern int	mig_parse_errposition_at(const char *sql, const char *what, int first_line, int offset);

/* A text behind the byte order mark that it may begin with. */
extern char *mig_skip_bom(const char *text);

/* SHA-256 in hex over the parts, each of which may be NULL: bytes as they stand. */
extern char *mig_checksum(const char *const *parts, int nparts);

/*
 * The same over tokens: comments, blanks between them and the kind of line
 * ends (CR LF or LF) do not count.  Only for parts that mig_parse() has taken.
 */
extern char *mig_token_checksum(const char *const *parts, int nparts);

/* Byte offset of the first token at or after "from"; the length if there is none. */
extern int	mig_first_token(const char *sql, int from);

/* The line, from 1, that holds a byte offset. */
extern int	mig_line_of(const char *sql, int offset);

#endif							/* MIGRATE_PARSE_H */
