/*-------------------------------------------------------------------------
 *
 * parse.c
 *	  From text to statements, by the server's own scanner and parser.
 *
 * Layer 1: reads no catalog and takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "parser/parser.h"
#include "parser/scansup.h"
#include "utils/builtins.h"

#include "parse.h"
#include "scan.h"

/* A longer text is not shown whole with an error, but these many bytes around the place */
#define QUERY_SHOWN		1000
#define SHOWN_BEFORE	300
#define SHOWN_AFTER		200

int
mig_line_of(const char *sql, int offset)
{
	int			line = 1;

	for (int i = 0; i < offset && sql[i]; i++)
		if (sql[i] == '\n')
			line++;
	return line;
}

char *
mig_skip_bom(const char *text)
{
	/* in any other encoding these bytes are something else */
	bool		unicode = GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII;

	return (char *) text + (unicode && strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
}

int
mig_first_token(const char *sql, int from)
{
	MigScan		scan;
	int			start;

	mig_scan_begin(&scan, sql + from);
	start = mig_scan_next(&scan) ? from + scan.start : from + (int) strlen(sql + from);
	mig_scan_end(&scan);
	return start;
}

/*
 * What of a text is shown with an error at "offset": all of it if it is
 * short, else whole lines around the place.  *offset becomes relative to it.
 */
static char *
shown_part(const char *sql, int *offset)
{
	int			len = strlen(sql);
	int			start = 0;
	int			end = *offset;

	if (len <= QUERY_SHOWN)
		return pstrdup(sql);

	/* the first line that begins near enough, else the first such character */
	for (int i = 0; i < *offset && *offset > SHOWN_BEFORE; i += pg_mblen(sql + i))
	{
		if (*offset - i > SHOWN_BEFORE)
			continue;
		if (start == 0)
			start = i;
		if (sql[i] == '\n')
		{
			start = i + 1;
			break;
		}
	}
	while (end < len && !(sql[end] == '\n' && end - *offset >= SHOWN_AFTER) &&
		   end - *offset < QUERY_SHOWN - SHOWN_BEFORE)
		end += pg_mblen(sql + end);
	*offset -= start;
	return pnstrdup(sql + start, Min(end, len) - start);
}

int
mig_parse_errposition(const char *sql, const char *what, int offset)
{
	return mig_parse_errposition_at(sql, what, 1, offset);
}

int
mig_parse_errposition_at(const char *sql, const char *what, int first_line, int offset)
{
	int			line = first_line - 1 + mig_line_of(sql, offset);
	char	   *shown = shown_part(sql, &offset);

	internalerrquery(shown);
	internalerrposition(pg_mbstrlen_with_len(shown, offset) + 1);
	errcontext("line %d of %s", line, what);
	return 0;
}

static void
refuse_copy(const char *sql, const char *what, int first_line, int offset)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("COPY ... FROM STDIN cannot be part of a migration"),
			 errhint("Write the rows as INSERT, or load them by other means."),
			 mig_parse_errposition_at(sql, what, first_line, offset)));
}

static void
refuse_psql(const char *sql, const char *what, int first_line, int offset)
{
	int			len = 1;

	while (sql[offset + len] && !scanner_isspace(sql[offset + len]))
		len += pg_mblen(sql + offset + len);
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("psql command \"%.*s\" cannot be part of a migration", len, sql + offset),
			 errhint("Commands that begin with a backslash belong to the client; write SQL instead."),
			 mig_parse_errposition_at(sql, what, first_line, offset)));
}

/*
 * The offset of the first COPY ... FROM STDIN that stands as a statement
 * before "limit", or -1.  The text behind it, its data, is no SQL: nothing
 * behind limit is looked at, and what cannot be scanned ends the search.
 */
static int
find_copy(const char *sql, int limit)
{
	MigScan		scan;
	volatile int found = -1;
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		int			copy = -1;
		int			before = ';';

		mig_scan_begin(&scan, sql);
		while (found < 0 && mig_scan_next(&scan) && scan.start < limit)
		{
			if (before == ';')
				copy = scan.token == mig_scan_keyword("copy") ? scan.start : -1;
			else if (copy >= 0 && before == mig_scan_keyword("from") && scan.token == mig_scan_keyword("stdin"))
				found = copy;
			before = scan.token;
		}
		mig_scan_end(&scan);
	}
	PG_CATCH();
	{
		/* only the scanner ran, which leaves nothing behind but memory */
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return found;
}

/* The byte offset of a character that is counted from 1. */
static int
offset_of(const char *sql, int position)
{
	int			offset = 0;

	while (--position > 0 && sql[offset])
		offset += pg_mblen(sql + offset);
	return offset;
}

/*
 * Error callback: keep the parser's position for ourselves.  SPI, which may
 * be further out, would take it for one in its own query.
 */
static void
take_position(void *arg)
{
	int		   *position = arg;

	*position = geterrposition();
	errposition(0);
}

/* Raise the parser's error again, with the place in the text, or a better one. */
static void
rethrow(ErrorData *edata, int position, const char *sql, const char *what, int first_line)
{
	int			offset;
	int			copy;
	char	   *line;

	if (position <= 0)
	{
		edata->context = edata->context ? psprintf("%s\n%s", what, edata->context) : pstrdup(what);
		ReThrowError(edata);
	}

	offset = offset_of(sql, position);
	copy = find_copy(sql, offset);
	if (copy >= 0)
		refuse_copy(sql, what, first_line, copy);
	if (sql[offset] == '\\')
		refuse_psql(sql, what, first_line, offset);
	if (sql[offset] == ':' && sql[offset + 1] != ':' && edata->hint == NULL)
		edata->hint = pstrdup("Variables of psql are replaced by the client: write the value.");

	line = psprintf("line %d of %s", first_line - 1 + mig_line_of(sql, offset), what);
	edata->context = edata->context ? psprintf("%s\n%s", line, edata->context) : line;
	edata->internalquery = shown_part(sql, &offset);
	edata->internalpos = pg_mbstrlen_with_len(edata->internalquery, offset) + 1;
	ReThrowError(edata);
}

static List *
parse_raw(const char *sql, const char *what, int first_line)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *volatile raw = NIL;
	volatile int position = 0;
	ErrorContextCallback callback;

	callback.callback = take_position;
	callback.arg = (void *) &position;
	callback.previous = error_context_stack;

	PG_TRY();
	{
		error_context_stack = &callback;
		raw = raw_parser(sql, RAW_PARSE_DEFAULT);
		error_context_stack = callback.previous;
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(context);
		edata = CopyErrorData();
		FlushErrorState();
		rethrow(edata, position, sql, what, first_line);
	}
	PG_END_TRY();
	return raw;
}

/* A slice from its first token to its last one; *skipped bytes stand before it. */
static char *
trim(char *slice, int *skipped)
{
	MigScan		scan;
	int			start = -1;
	int			end = 0;

	mig_scan_begin(&scan, slice);
	while (mig_scan_next(&scan))
	{
		if (start < 0)
			start = scan.start;
		end = scan.start + scan.length;
	}
	mig_scan_end(&scan);
	slice[end] = '\0';
	*skipped = Max(start, 0);
	return slice + *skipped;
}

char *
mig_part_name(const Migration *migration, const char *part, int *first_line)
{
	char	   *name = psprintf("%s of migration \"%s\"", part, migration->version);

	*first_line = Max(strcmp(part, "up") == 0 ? migration->up_line :
					  strcmp(part, "down") == 0 ? migration->down_line : migration->verify_line, 1);
	if (*first_line == 1)
		return name;
	return strchr(migration->origin, '.') ? psprintf("file \"%s\", %s", migration->origin, name) :
		psprintf("the text, %s", name);
}

List *
mig_parse(const char *sql, const char *what)
{
	return mig_parse_at(sql, what, 1);
}

List *
mig_parse_at(const char *sql, const char *what, int first_line)
{
	List	   *statements = NIL;
	int			line = first_line;
	int			counted = 0;
	ListCell   *lc;

	foreach(lc, parse_raw(sql, what, first_line))
	{
		RawStmt    *raw = lfirst_node(RawStmt, lc);
		MigStatement *stmt = palloc0(sizeof(MigStatement));
		char	   *slice;
		int			skipped;

		slice = raw->stmt_len > 0 ?
			pnstrdup(sql + raw->stmt_location, raw->stmt_len) :
			pstrdup(sql + raw->stmt_location);
		stmt->index = list_length(statements) + 1;
		stmt->text = trim(slice, &skipped);
		stmt->location = raw->stmt_location + skipped;
		line += mig_line_of(sql + counted, stmt->location - counted) - 1;
		counted = stmt->location;
		stmt->line = line;
		stmt->raw = raw;

		if (IsA(raw->stmt, CopyStmt) &&
			castNode(CopyStmt, raw->stmt)->is_from &&
			castNode(CopyStmt, raw->stmt)->filename == NULL)
			refuse_copy(sql, what, first_line, stmt->location);
		statements = lappend(statements, stmt);
	}
	return statements;
}

/* --- checksums --- */

typedef struct Digest
{
	pg_cryptohash_ctx *ctx;
} Digest;

static void
digest_check(Digest *digest, int result)
{
	if (result < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a SHA-256 checksum: %s",
						pg_cryptohash_error(digest->ctx))));
}

static void
digest_begin(Digest *digest)
{
	digest->ctx = pg_cryptohash_create(PG_SHA256);
	digest_check(digest, digest->ctx ? pg_cryptohash_init(digest->ctx) : -1);
}

static void
digest_add(Digest *digest, const char *data, size_t len)
{
	digest_check(digest, pg_cryptohash_update(digest->ctx, (const uint8 *) data, len));
}

static char *
digest_end(Digest *digest)
{
	uint8		sum[PG_SHA256_DIGEST_LENGTH];
	char	   *hex = palloc(PG_SHA256_DIGEST_STRING_LENGTH);

	digest_check(digest, pg_cryptohash_final(digest->ctx, sum, sizeof(sum)));
	pg_cryptohash_free(digest->ctx);
	hex_encode((const char *) sum, sizeof(sum), hex);
	hex[PG_SHA256_DIGEST_STRING_LENGTH - 1] = '\0';
	return hex;
}

/*
 * Parts end with a zero byte, which none can contain, and begin with a mark
 * if they are there: so neither a missing part and an empty one nor two
 * different cuts of one text have the same sum.
 */
char *
mig_checksum(const char *const *parts, int nparts)
{
	Digest		digest;

	digest_begin(&digest);
	for (int i = 0; i < nparts; i++)
	{
		if (parts[i])
		{
			digest_add(&digest, "+", 1);
			digest_add(&digest, parts[i], strlen(parts[i]));
		}
		digest_add(&digest, "", 1);
	}
	return digest_end(&digest);
}

/*
 * A token, with CR LF inside a literal as LF: a checkout that changes line
 * ends must not count as other content for every function body.
 */
static void
digest_token(Digest *digest, const char *token, int len)
{
	int			from = 0;

	for (int i = 0; i + 1 < len; i++)
		if (token[i] == '\r' && token[i + 1] == '\n')
		{
			digest_add(digest, token + from, i - from);
			from = i + 1;
		}
	digest_add(digest, token + from, len - from);
}

char *
mig_token_checksum(const char *const *parts, int nparts)
{
	Digest		digest;

	digest_begin(&digest);
	for (int i = 0; i < nparts; i++)
	{
		MigScan		scan;

		if (parts[i])
		{
			digest_add(&digest, "+", 1);
			mig_scan_begin(&scan, parts[i]);
			while (mig_scan_next(&scan))
			{
				digest_token(&digest, mig_scan_text(&scan), scan.length);
				digest_add(&digest, "\n", 2);	/* with its zero byte */
			}
			mig_scan_end(&scan);
		}
		digest_add(&digest, "", 1);
	}
	return digest_end(&digest);
}
