/*-------------------------------------------------------------------------
 *
 * sqlgen.h
 *	  SQL that we make: names in quotes, words put into a user's statement.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_SQLGEN_H
#define MIGRATE_SQLGEN_H

#include "migrate.h"

/* psprintf() for a caller that has the arguments as a list; the text is in the current memory context. */
extern char *mig_sql_vformat(const char *format, va_list args) pg_attribute_printf(1, 0);

/* A name, quoted where it has to be; NULL nspname: not qualified. */
extern char *mig_sql_name(const char *name);
extern char *mig_sql_qualified(const char *nspname, const char *relname);

/* A type as written, without its modifier. */
extern char *mig_sql_type(TypeName *type);

/* The type of a column, as format_type() writes it for other sessions: qualified, with modifier. */
extern char *mig_sql_column_type(Oid relid, AttrNumber column);

/* A literal. */
extern char *mig_sql_literal(const char *value);

/* The same statement with "words" behind its nth token that is "after" (from 1), or NULL if there is none. */
extern char *mig_sql_insert(const char *text, const char *after, int nth, const char *words);

/* The same statement without its first token that is "word" and stands in no parentheses, or NULL if there is none. */
extern char *mig_sql_without(const char *text, const char *word);

/* Does a text hold a word, in any case, in code, literals and comments alike? */
extern bool mig_sql_mentions(const char *text, const char *word);

#endif							/* MIGRATE_SQLGEN_H */
