/*-------------------------------------------------------------------------
 *
 * load.c
 *	  From files to migrations: what a path says, and what belongs together.
 *
 * In format auto these are taken, anything else is named in a NOTICE:
 *
 *	  <version>_name.sql				annotated if it has marks, else all of it is up
 *	  <version>_name.up.sql				and .down.sql, .verify.sql
 *	  <version>_name/up.sql				and down.sql, verify.sql
 *	  <version>_name/migration.sql		as <version>_name.sql
 *	  <version>_name/metadata.toml		run_in_transaction = false (diesel)
 *	  any other .sql					if it has marks
 *
 * The files may lie in folders of any depth; those whose name begins with a
 * dot are passed over.  The name of a migration is what follows the version,
 * with blanks for underscores.  Files belong together if their versions are
 * the same, wherever they lie.
 *
 * Layer 2: reads no table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "load.h"
#include "parse.h"
#include "tar.h"
#include "version.h"

#define MAX_NAMED_IGNORED 10

typedef enum Role
{
	ROLE_NONE,					/* no part of a migration */
	ROLE_UP, ROLE_DOWN, ROLE_VERIFY,
	ROLE_WHOLE,					/* up, or annotated */
	ROLE_METADATA
} Role;

/* A file, and what its path says about it. */
typedef struct Piece
{
	const char *path;
	Role		role;
	char	   *version;		/* or NULL */
	char	   *name;			/* or NULL */
	char	   *text;
	Migration  *annotated;		/* what it is, if it was read as annotated */
} Piece;

MigFormat
mig_load_format(const char *word)
{
	static const char *const formats[] = {"auto", "annotated", "plain", "files"};

	for (int i = 0; i < lengthof(formats); i++)
		if (strcmp(word, formats[i]) == 0)
			return (MigFormat) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized format \"%s\"", word),
			 errhint("Formats are auto, annotated, plain and files.")));
	return MIG_FORMAT_AUTO;		/* keep compiler quiet */
}

/* --- paths --- */

char *
mig_load_what(const char *path)
{
	return strcmp(path, MIG_ORIGIN_TEXT) == 0 ? pstrdup("the text") : psprintf("file \"%s\"", path);
}

/* Cut an ending off, whatever its case; false if the text has another. */
static bool
cut_ending(char *text, const char *ending)
{
	int			len = strlen(text);
	int			n = strlen(ending);

	if (len < n || pg_strcasecmp(text + len - n, ending) != 0)
		return false;
	text[len - n] = '\0';
	return true;
}

/* A version and a name from a file's or folder's name without its ending. */
static void
read_name(Piece *piece, const char *stem)
{
	const char *rest = NULL;
	char	   *name;

	piece->version = mig_version_of_name(stem, &rest);
	if (piece->version == NULL)
		return;
	name = pstrdup(rest + strspn(rest, "_-. "));
	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = ' ';
	piece->name = name[0] ? name : NULL;
}

/* The role of a file that has it from its name alone, in a folder that has the version. */
static Role
role_in_folder(const char *base)
{
	static const struct
	{
		const char *base;
		Role		role;
	}			roles[] = {
		{"up.sql", ROLE_UP},
		{"down.sql", ROLE_DOWN},
		{"verify.sql", ROLE_VERIFY},
		{"migration.sql", ROLE_WHOLE},
		{"metadata.toml", ROLE_METADATA},
	};

	for (int i = 0; i < lengthof(roles); i++)
		if (pg_strcasecmp(base, roles[i].base) == 0)
			return roles[i].role;
	return ROLE_NONE;
}

/* What a path says; role NONE if it is no part of a migration. */
static void
read_path(Piece *piece)
{
	const char *slash = strrchr(piece->path, '/');
	char	   *base = pstrdup(slash ? slash + 1 : piece->path);
	char	   *folder = slash ? pnstrdup(piece->path, slash - piece->path) : pstrdup("");

	piece->role = role_in_folder(base);
	if (piece->role != ROLE_NONE)
	{
		slash = strrchr(folder, '/');
		read_name(piece, slash ? slash + 1 : folder);
		if (piece->version == NULL && piece->role != ROLE_WHOLE)
			piece->role = ROLE_NONE;
		return;
	}
	if (!cut_ending(base, ".sql"))
		return;
	if (cut_ending(base, ".up"))
		piece->role = ROLE_UP;
	else if (cut_ending(base, ".down"))
		piece->role = ROLE_DOWN;
	else if (cut_ending(base, ".verify"))
		piece->role = ROLE_VERIFY;
	else
		piece->role = ROLE_WHOLE;
	read_name(piece, base);
}

static bool
is_hidden(const char *path)
{
	return path[0] == '.' || strstr(path, "/.") != NULL;
}

bool
mig_load_wants(const char *path)
{
	Piece		piece = {.path = path};

	if (is_hidden(path))
		return false;
	read_path(&piece);
	return piece.role != ROLE_NONE;
}

/* --- contents --- */

static void
bad_encoding(const MigFile *file, size_t offset)
{
	int			line = 1;
	bool		utf16 = file->len >= 2 &&
		(memcmp(file->data, "\xff\xfe", 2) == 0 || memcmp(file->data, "\xfe\xff", 2) == 0);

	for (size_t i = 0; i < offset; i++)
		if (file->data[i] == '\n')
			line++;
	ereport(ERROR,
			(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
			 file->data[offset] == '\0' ?
			 errmsg("file \"%s\" contains a zero byte", file->path) :
			 errmsg("file \"%s\" is not UTF-8", file->path),
			 errdetail("The byte 0x%02x at offset %zu, in line %d, cannot stand there.",
					   (unsigned char) file->data[offset], offset, line),
			 utf16 ? errhint("It seems to be UTF-16; save it as UTF-8.") :
			 errhint("Save it as UTF-8.")));
}

static void
conversion_context(void *arg)
{
	errcontext("file \"%s\"", (const char *) arg);
}

/* The text of a file in the encoding of the database, without a byte order mark. */
static char *
text_of(const MigFile *file)
{
	const char *data = file->data;
	int			len = (int) file->len;	/* below 1 GB */
	const char *zero = len > 0 ? memchr(data, '\0', len) : NULL;
	int			valid = pg_encoding_verifymbstr(PG_UTF8, data, zero ? zero - data : len);
	ErrorContextCallback callback;
	char	   *text;

	if (valid < len)
		bad_encoding(file, valid);
	if (len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0)
	{
		data += 3;
		len -= 3;
	}
	callback.callback = conversion_context;
	callback.arg = file->path;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	text = pnstrdup(data, len);
	text = pg_any_to_server(text, len, PG_UTF8);
	error_context_stack = callback.previous;
	return text;
}

/* Does diesel's metadata.toml say run_in_transaction = false? */
static bool
outside_transaction(const char *toml)
{
	static const char *const key = "run_in_transaction";

	for (const char *line = toml; line; line = strchr(line, '\n'))
	{
		line += strspn(line, " \t\r\n");
		if (strncmp(line, key, strlen(key)) == 0)
		{
			const char *value = line + strlen(key);

			value += strspn(value, " \t");
			if (*value++ != '=')
				continue;
			value += strspn(value, " \t");
			return strncmp(value, "false", 5) == 0;
		}
	}
	return false;
}

/* --- other tools --- */

static void
refuse_foreign(const Piece *piece)
{
	const char *tool = mig_foreign_mark(piece->text);

	if (tool)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("file \"%s\" has the marks of %s, which are not supported", piece->path, tool),
				 errhint("Split it into .up.sql and .down.sql, or write \"-- migrate:up\" and \"-- migrate:down\" instead; format files takes it whole.")));
}

/* Flyway's undo and baseline scripts are no migrations of their own. */
static void
refuse_flyway(List *pieces)
{
	const char *version = NULL;
	ListCell   *lc;

	foreach(lc, pieces)
	{
		const Piece *piece = lfirst(lc);

		if (piece->version[0] == 'V')
			version = piece->path;
	}
	foreach(lc, pieces)
	{
		const Piece *piece = lfirst(lc);

		if (version && (piece->version[0] == 'U' || piece->version[0] == 'B') && strstr(piece->path, "__"))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("file \"%s\" beside \"%s\" looks like %s of Flyway, which is not supported",
							piece->path, version,
							piece->version[0] == 'U' ? "an undo script" : "a baseline"),
					 piece->version[0] == 'U' ?
					 errhint("Name it as its versioned file, with .down.sql at the end.") :
					 errhint("Leave it out.")));
	}
}

/* --- pieces to migrations --- */

static Migration *
new_migration(const char *version, const char *name, const char *origin)
{
	Migration  *m = palloc0(sizeof(Migration));

	m->version = pstrdup(version);
	m->name = name ? pstrdup(name) : NULL;
	m->in_order = true;
	m->origin = pstrdup(origin);
	return m;
}

static int
compare_pieces(const ListCell *a, const ListCell *b)
{
	const Piece *x = lfirst(a);
	const Piece *y = lfirst(b);
	int			cmp = mig_version_cmp(x->version, y->version);

	return cmp != 0 ? cmp : strcmp(x->path, y->path);
}

static void
same_version(const Piece *a, const Piece *b)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 strcmp(a->path, b->path) == 0 ?
			 errmsg("version \"%s\" occurs twice in %s", b->version, mig_load_what(a->path)) :
			 errmsg("files \"%s\" and \"%s\" have the same version \"%s\"",
					a->path, b->path, b->version),
			 strcmp(a->version, b->version) == 0 ? 0 :
			 errdetail("\"%s\" and \"%s\" are the same number.", a->version, b->version)));
}

/*
 * Put the pieces of one version where they belong.  No role may be filled
 * twice; a whole file is an up, and an annotated one stands for all of them.
 */
static void
sort_pieces(List *pieces, Piece **parts)
{
	Piece	   *first = NULL;
	ListCell   *lc;

	foreach(lc, pieces)
	{
		Piece	   *piece = lfirst(lc);
		Role		role = piece->role == ROLE_WHOLE ? ROLE_UP : piece->role;

		if (parts[role])
			same_version(parts[role], piece);
		parts[role] = piece;
		if (role == ROLE_METADATA)
			continue;
		if (first && (first->annotated || piece->annotated))
			same_version(first, piece);
		first = first ? first : piece;
	}
}

/* The pieces of one version; NULL if there is nothing but metadata. */
static Migration *
join_pieces(List *pieces)
{
	Piece	   *parts[ROLE_METADATA + 1] = {NULL};
	Piece	   *up;
	Migration  *m;

	sort_pieces(pieces, parts);
	up = parts[ROLE_UP];
	if (up == NULL)
	{
		Piece	   *alone = parts[ROLE_DOWN] ? parts[ROLE_DOWN] : parts[ROLE_VERIFY];

		if (alone == NULL)
			return NULL;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("file \"%s\" has no up beside it", alone->path),
				 errhint("A %s belongs to an up of the same version, \"%s\".",
						 alone->role == ROLE_DOWN ? "down" : "verify", alone->version)));
	}
	if (up->annotated)
		return up->annotated;

	m = new_migration(up->version, up->name, up->path);
	m->up = up->text;
	m->down = parts[ROLE_DOWN] ? parts[ROLE_DOWN]->text : NULL;
	m->verify = parts[ROLE_VERIFY] ? parts[ROLE_VERIFY]->text : NULL;
	if (parts[ROLE_METADATA] && outside_transaction(parts[ROLE_METADATA]->text))
		m->options = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														CStringGetDatum("{\"transaction\": \"as_written\"}")));
	return m;
}

/*
 * The pieces that a text is: one, or several if it is a bundle, or none if
 * it is no migration.
 */
static List *
pieces_of_text(Piece *piece, MigFormat format)
{
	List	   *pieces = NIL;
	ListCell   *lc;

	if (format == MIG_FORMAT_PLAIN && piece->role != ROLE_METADATA)
		piece->role = ROLE_WHOLE;
	if (format == MIG_FORMAT_ANNOTATED ? piece->role == ROLE_METADATA :
		!(format == MIG_FORMAT_AUTO && piece->role == ROLE_WHOLE && mig_annotated_is(piece->text)))
	{
		if (format == MIG_FORMAT_AUTO && piece->role == ROLE_WHOLE && piece->version)
			refuse_foreign(piece);
		return piece->version ? list_make1(piece) : NIL;
	}

	foreach(lc, mig_annotated_read(piece->text, piece->path, piece->version, piece->name))
	{
		Piece	   *one = palloc0(sizeof(Piece));

		one->path = piece->path;
		one->role = ROLE_WHOLE;
		one->annotated = lfirst(lc);
		one->version = one->annotated->version;
		pieces = lappend(pieces, one);
	}
	return pieces;
}

/* Migrations from pieces, in the order of versions. */
static List *
join_all(List *pieces)
{
	List	   *migrations = NIL;
	List	   *group = NIL;
	ListCell   *lc;

	list_sort(pieces, compare_pieces);
	foreach(lc, pieces)
	{
		Piece	   *piece = lfirst(lc);
		Piece	   *next = lnext(pieces, lc) ? lfirst(lnext(pieces, lc)) : NULL;

		group = lappend(group, piece);
		if (next == NULL || mig_version_cmp(piece->version, next->version) != 0)
		{
			Migration  *m = join_pieces(group);

			if (m)
				migrations = lappend(migrations, m);
			group = NIL;
		}
	}
	return migrations;
}

static int
compare_texts(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Names of files that were passed over, hidden ones left out; NULL if there are none. */
static char *
names_of(List *paths, int *count)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	*count = 0;
	list_sort(paths, compare_texts);
	foreach(lc, paths)
	{
		const char *path = lfirst(lc);

		if (is_hidden(path))
			continue;
		if (++*count <= MAX_NAMED_IGNORED)
			appendStringInfo(&names, "%s\"%s\"", *count > 1 ? ", " : "", path);
	}
	if (*count > MAX_NAMED_IGNORED)
		appendStringInfo(&names, " and %d more", *count - MAX_NAMED_IGNORED);
	return names.data;
}

List *
mig_load_files(List *files, List *ignored, MigFormat format)
{
	List	   *pieces = NIL;
	List	   *migrations;
	ListCell   *lc;
	char	   *names;
	int			count;

	foreach(lc, files)
	{
		MigFile    *file = lfirst(lc);
		Piece	   *piece = palloc0(sizeof(Piece));
		List	   *found = NIL;

		piece->path = file->path;
		if (!is_hidden(file->path))
			read_path(piece);
		if (piece->role != ROLE_NONE)
		{
			piece->text = text_of(file);
			found = pieces_of_text(piece, format);
		}
		if (found == NIL)
			ignored = lappend(ignored, file->path);
		pieces = list_concat(pieces, found);
	}
	if (format == MIG_FORMAT_AUTO)
		refuse_flyway(pieces);
	migrations = join_all(pieces);
	names = names_of(ignored, &count);
	if (migrations == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no migration found"),
				 count > 0 ? errdetail("Passed over: %s.", names) : 0,
				 errhint("Migrations are files such as 0001_name.sql, 0001_name.up.sql and folders 0001_name with an up.sql.")));
	if (count > 0)
		ereport(NOTICE,
				(errmsg_plural("%d file is no migration and was passed over",
							   "%d files are no migrations and were passed over",
							   count, count),
				 errdetail("Passed over: %s.", names)));
	return migrations;
}

/* A client's file name in the form of our paths: at most one folder and the file. */
static char *
client_path(const char *filename)
{
	char	   *path = pstrdup(filename);
	char	   *start = path;
	int			slashes = 0;

	for (char *c = path; *c; c++)
		if (*c == '\\')
			*c = '/';
	for (char *c = path + strlen(path); c > path; c--)
		if (c[-1] == '/' && ++slashes == 2)
		{
			start = c;
			break;
		}
	if (start == path && path[0] == '/')
		start++;
	return start;
}

List *
mig_load_text(const char *content, const char *filename, MigFormat format)
{
	Piece	   *piece = palloc0(sizeof(Piece));
	List	   *pieces;

	piece->path = filename ? client_path(filename) : MIG_ORIGIN_TEXT;
	piece->text = mig_skip_bom(content);
	piece->role = ROLE_WHOLE;
	if (filename)
		read_path(piece);
	if (piece->role == ROLE_NONE || piece->role == ROLE_METADATA)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("file name \"%s\" is not that of a migration", filename),
				 errhint("Migrations are files such as 0001_name.sql, 0001_name.up.sql and folders 0001_name with an up.sql.")));
	pieces = pieces_of_text(piece, format);
	if (pieces == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 piece->version ? errmsg("file \"%s\" has no mark of the annotated format", filename) :
				 filename ? errmsg("file name \"%s\" has no version", filename) :
				 errmsg("text has no version"),
				 errhint("Give a file name that begins with the version, such as 0001_name.sql, or begin the text with \"-- migrate:version 0001\".")));
	return join_all(pieces);
}
