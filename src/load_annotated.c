/*-------------------------------------------------------------------------
 *
 * load_annotated.c
 *	  The annotated format: dbmate's, with more words.
 *
 *	  -- migrate:version 20240101_001 create users
 *	  -- migrate:requires 20231224_003, 20231230_001
 *	  -- migrate:set workers = 4
 *	  -- migrate:up [transaction:false]
 *	  -- migrate:down [transaction:false]
 *	  -- migrate:verify
 *
 * A mark stands at the start of a line, blanks allowed after the dashes.
 * "version" begins a migration; without it the version and the name are the
 * file's.  "requires" with nothing behind it says that nothing is required.
 * The text behind up, down and verify reaches to the next mark; between other
 * marks only comments may stand.  A bundle is a concatenation of such files.
 *
 * transaction:false is the option transaction = as_written.  Of down alone it
 * asks for nothing: statements that refuse a transaction get none anyway.
 *
 * Layer 2, pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "load.h"
#include "parse.h"
#include "settings.h"
#include "version.h"

typedef enum Word
{
	WORD_VERSION, WORD_REQUIRES, WORD_SET, WORD_UP, WORD_DOWN, WORD_VERIFY, WORD_NONE
} Word;

static const char *const words[] = {"version", "requires", "set", "up", "down", "verify"};

typedef struct Reader
{
	const char *text;
	const char *path;
	const char *version;		/* what the path says, or NULL */
	const char *name;
	char	   *what;			/* the text, for messages */
	List	   *migrations;
	Migration  *migration;		/* the one at hand, or NULL */
	int			begin;			/* offset of its first mark */
	char	  **section;		/* where the text behind the last mark goes; NULL: nowhere */
	int		   *section_line;	/* and the line that it begins in */
	List	   *keys;			/* of options, char * */
	List	   *values;			/* JSON, char * */
} Reader;

/* A mark: where it stands, and its parts. */
typedef struct Mark
{
	int			start;			/* of its line */
	int			next;			/* of the next line */
	char	   *word;
	char	   *rest;			/* without blanks around */
} Mark;

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static char *
trimmed(const char *start, const char *end)
{
	while (start < end && is_blank(*start))
		start++;
	while (end > start && is_blank(end[-1]))
		end--;
	return pnstrdup(start, end - start);
}

/* Where a line's mark has its word; NULL if it has no mark. */
static const char *
mark_word(const char *line)
{
	/* files put together to a bundle may each bring a byte order mark */
	line = mig_skip_bom(line);
	if (line[0] != '-' || line[1] != '-')
		return NULL;
	line += 2;
	while (is_blank(*line))
		line++;
	return strncmp(line, "migrate:", 8) == 0 ? line + 8 : NULL;
}

static const char *
next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

bool
mig_annotated_is(const char *text)
{
	for (const char *line = text; *line; line = next_line(line))
	{
		const char *word = mark_word(line);

		if (word && *word >= 'a' && *word <= 'z')
			return true;
	}
	return false;
}

/* The next mark at or after an offset that begins a line; false if there is none. */
static bool
find_mark(const char *text, int from, Mark *mark)
{
	for (const char *line = text + from; *line; line = next_line(line))
	{
		const char *word = mark_word(line);
		const char *end = next_line(line);
		const char *stop = word;

		if (word == NULL)
			continue;
		mark->start = line - text;
		mark->next = end - text;
		if (end > line && end[-1] == '\n')
			end--;
		while (stop < end && !is_blank(*stop))
			stop++;
		mark->word = pnstrdup(word, stop - word);
		mark->rest = trimmed(stop, end);
		return true;
	}
	return false;
}

static Word
word_of(const char *text)
{
	for (int i = 0; i < lengthof(words); i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return WORD_NONE;
}

/* --- where a mark stands, for errors of others --- */

typedef struct MarkContext
{
	const Reader *reader;
	const Mark *mark;
} MarkContext;

static void
mark_context(void *arg)
{
	const MarkContext *context = arg;

	errcontext("line %d of %s", mig_line_of(context->reader->text, context->mark->start),
			   context->reader->what);
}

static void
enter_mark(MarkContext *context, ErrorContextCallback *callback)
{
	callback->callback = mark_context;
	callback->arg = context;
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

/* --- one migration --- */

static Jsonb *
options_of(const Reader *reader)
{
	StringInfoData json;
	ListCell   *key;
	ListCell   *value;

	if (reader->keys == NIL)
		return NULL;
	initStringInfo(&json);
	forboth(key, reader->keys, value, reader->values)
	{
		appendStringInfoString(&json, json.len > 0 ? ", " : "{");
		escape_json(&json, lfirst(key));
		appendStringInfo(&json, ": %s", (char *) lfirst(value));
	}
	appendStringInfoChar(&json, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

static void
end_migration(Reader *reader)
{
	Migration  *m = reader->migration;

	if (m == NULL)
		return;
	if (m->up == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 m->down ?
				 errmsg("migration \"%s\" has a down, but no up", m->version) :
				 errmsg("migration \"%s\" has no up", m->version),
				 errhint("Write \"-- migrate:up\" before the SQL."),
				 mig_parse_errposition(reader->text, reader->what, reader->begin)));
	m->options = options_of(reader);
	reader->migrations = lappend(reader->migrations, m);
	reader->migration = NULL;
	reader->keys = reader->values = NIL;
}

static void
check_version(const Reader *reader, const Mark *mark, const char *version)
{
	MarkContext context = {reader, mark};
	ErrorContextCallback callback;

	enter_mark(&context, &callback);
	mig_version_check(version);
	error_context_stack = callback.previous;
}

static void
begin_migration(Reader *reader, const Mark *mark, const char *version, const char *name)
{
	Migration  *m = palloc0(sizeof(Migration));

	end_migration(reader);
	m->version = pstrdup(version);
	m->name = name ? pstrdup(name) : NULL;
	m->in_order = true;
	m->origin = pstrdup(reader->path);
	reader->migration = m;
	reader->begin = mark->start;
}

/* -- migrate:version V [name] */
static void
read_version(Reader *reader, const Mark *mark)
{
	int			len = strcspn(mark->rest, " \t");
	char	   *version = pnstrdup(mark->rest, len);
	char	   *name = trimmed(mark->rest + len, mark->rest + strlen(mark->rest));

	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"migrate:version\" must be followed by a version"),
				 mig_parse_errposition(reader->text, reader->what, mark->start)));
	check_version(reader, mark, version);
	if (name[0] == '\0')
		name = NULL;
	if (name == NULL && reader->version && mig_version_cmp(version, reader->version) == 0)
		begin_migration(reader, mark, version, reader->name);
	else
		begin_migration(reader, mark, version, name);
}

/* -- migrate:requires V, V ... */
static void
read_requires(Reader *reader, const Mark *mark)
{
	Migration  *m = reader->migration;

	m->requires_written = true;
	for (const char *s = mark->rest; *s;)
	{
		int			len = strcspn(s, ", \t");

		if (len > 0)
		{
			m->requires = lappend(m->requires, pnstrdup(s, len));
			check_version(reader, mark, llast(m->requires));
		}
		s += len;
		s += strspn(s, ", \t");
	}
}

/* Here its line is known. */
static void
check_option(const Reader *reader, const Mark *mark, const char *key, const char *json)
{
	MarkContext context = {reader, mark};
	ErrorContextCallback callback;
	StringInfoData option;

	initStringInfo(&option);
	appendStringInfoChar(&option, '{');
	escape_json(&option, key);
	appendStringInfo(&option, ": %s}", json);
	enter_mark(&context, &callback);
	mig_settings_check(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(option.data))),
					   psprintf("migration \"%s\"", reader->migration->version));
	error_context_stack = callback.previous;
}

static void
add_option(Reader *reader, const Mark *mark, const char *key, const char *json)
{
	ListCell   *lc;

	foreach(lc, reader->keys)
		if (strcmp(lfirst(lc), key) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("option \"%s\" is set twice for migration \"%s\"",
							key, reader->migration->version),
					 mig_parse_errposition(reader->text, reader->what, mark->start)));
	reader->keys = lappend(reader->keys, pstrdup(key));
	reader->values = lappend(reader->values, pstrdup(json));
	check_option(reader, mark, key, json);
}

/* A value that is written as JSON. */
static Jsonb *
json_value(const Reader *reader, const Mark *mark, const char *value)
{
	MarkContext context = {reader, mark};
	ErrorContextCallback callback;
	Jsonb	   *json;

	enter_mark(&context, &callback);
	json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(value)));
	error_context_stack = callback.previous;
	return json;
}

/* -- migrate:set key = value: JSON if it begins as an object or a quoted text, else a text */
static void
read_set(Reader *reader, const Mark *mark)
{
	char	   *equals = strchr(mark->rest, '=');
	char	   *key;
	char	   *value;
	StringInfoData json;

	if (equals == NULL || equals == mark->rest)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"migrate:set\" must be followed by an option, \"=\" and a value"),
				 errhint("For example: -- migrate:set workers = 4."),
				 mig_parse_errposition(reader->text, reader->what, mark->start)));
	key = trimmed(mark->rest, equals);
	value = trimmed(equals + 1, equals + strlen(equals));
	initStringInfo(&json);
	if (value[0] == '{' || value[0] == '"')
	{
		Jsonb	   *parsed = json_value(reader, mark, value);

		JsonbToCString(&json, &parsed->root, VARSIZE(parsed));
	}
	else
		escape_json(&json, value);
	add_option(reader, mark, key, json.data);
}

/* -- migrate:up, down, verify */
static void
begin_section(Reader *reader, const Mark *mark, Word word)
{
	Migration  *m = reader->migration;
	bool		as_written = strcmp(mark->rest, "transaction:false") == 0;

	reader->section = word == WORD_UP ? &m->up : word == WORD_DOWN ? &m->down : &m->verify;
	reader->section_line = word == WORD_UP ? &m->up_line :
		word == WORD_DOWN ? &m->down_line : &m->verify_line;
	if (*reader->section)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("migration \"%s\" has a second \"migrate:%s\"", m->version, mark->word),
				 errhint("A migration that follows in the same text begins with \"-- migrate:version\"."),
				 mig_parse_errposition(reader->text, reader->what, mark->start)));
	if (mark->rest[0] && !as_written && strcmp(mark->rest, "transaction:true") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("unrecognized option \"%s\" after \"migrate:%s\"", mark->rest, mark->word),
				 errhint("Only \"transaction:false\" can stand there; settings have lines of their own: -- migrate:set workers = 4."),
				 mig_parse_errposition(reader->text, reader->what, mark->start)));
	if (as_written && word == WORD_UP)
		add_option(reader, mark, "transaction", "\"as_written\"");
}

static void
read_mark(Reader *reader, const Mark *mark)
{
	Word		word = word_of(mark->word);

	reader->section = NULL;
	if (word == WORD_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("unrecognized word \"migrate:%s\"", mark->word),
				 errhint("The words are version, requires, set, up, down and verify."),
				 mig_parse_errposition(reader->text, reader->what, mark->start)));
	if (word == WORD_VERSION)
	{
		read_version(reader, mark);
		return;
	}
	if (reader->migration == NULL && reader->version == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"migrate:%s\" without a version before it", mark->word),
				 errhint("Begin with \"-- migrate:version 0001\", or give a file name that begins with the version."),
				 mig_parse_errposition(reader->text, reader->what, mark->start)));
	if (reader->migration == NULL)
		begin_migration(reader, mark, reader->version, reader->name);
	if (word == WORD_REQUIRES)
		read_requires(reader, mark);
	else if (word == WORD_SET)
		read_set(reader, mark);
	else
		begin_section(reader, mark, word);
}

/* The text between two marks, or before the first. */
static void
take_text(Reader *reader, int start, int end)
{
	char	   *text = pnstrdup(reader->text + start, end - start);
	int			token;

	if (reader->section)
	{
		*reader->section = text;
		*reader->section_line = mig_line_of(reader->text, start);
		return;
	}
	token = mig_first_token(text, 0);
	if (text[token])
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("SQL outside of up, down and verify"),
				 errhint("Write \"-- migrate:up\" before it."),
				 mig_parse_errposition(reader->text, reader->what, start + token)));
}

List *
mig_annotated_read(const char *text, const char *path,
				   const char *version, const char *name)
{
	Reader		reader = {.text = text, .path = path, .version = version, .name = name};
	Mark		mark;
	int			pos = 0;

	reader.what = mig_load_what(path);
	while (find_mark(text, pos, &mark))
	{
		take_text(&reader, pos, mark.start);
		read_mark(&reader, &mark);
		pos = mark.next;
	}
	take_text(&reader, pos, strlen(text));
	end_migration(&reader);
	return reader.migrations;
}
