/*-------------------------------------------------------------------------
 *
 * tar.c
 *	  The files in a tar archive.
 *
 * The archive comes from a client and may be damaged or hostile: every length
 * is checked against what is left before it is used, and each member's header
 * against its own checksum.
 *
 * An archive is a row of blocks of 512 bytes: a header, then the data of the
 * member filled up to a whole block; a block of zeros ends it.  Members of
 * type L (GNU) and x (pax) say more about the member that follows them.
 * Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended
 * Header"; GNU tar manual, "Basic Tar Format".
 *
 * Layer 2, pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/hsearch.h"

#include "tar.h"

#define BLOCK			512
#define MAX_PATH		4096	/* bytes */
#define MAX_PAX			(1024 * 1024)	/* bytes of an extended header */

/* A header's fields: offset and length */
#define NAME			0, 100
#define SIZE			124, 12
#define CHECKSUM		148, 8
#define LINKNAME		157, 100
#define PREFIX			345, 155
#define TYPE_OFFSET		156
#define MAGIC_OFFSET	257

#define NOT_TAR			"it does not begin with a header of a tar archive"

typedef struct Tar
{
	const char *data;
	size_t		len;
	size_t		pos;			/* of the next block */
	const char *header;			/* of the member at hand */
	/* what extended headers say about the next member */
	char	   *long_name;
	char	   *long_link;
	int64		long_size;		/* -1: nothing */
	/* results */
	List	   *files;
	HTAB	   *by_path;		/* FoundFile */
	List	  **ignored;
} Tar;

typedef struct FoundFile
{
	const char *path;			/* hash key: the text, not its address */
	MigFile    *file;
} FoundFile;

static uint32
hash_path(const void *key, Size keysize)
{
	const char *path = *(const char *const *) key;

	return hash_bytes((const unsigned char *) path, strlen(path));
}

static int
compare_paths(const void *a, const void *b, Size keysize)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void
damaged(const Tar *tar, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("tar archive is damaged: %s", problem),
			 errdetail("It has %zu bytes; the problem is at byte %zu.", tar->len,
					   tar->header ? (size_t) (tar->header - tar->data) : tar->pos)));
}

/* A text field: up to its length or a zero byte. */
static char *
text_field(const char *block, int offset, int len)
{
	return pnstrdup(block + offset, strnlen(block + offset, len));
}

/*
 * A number field: octal digits with blanks or zero bytes around, or (GNU)
 * binary if the first bit is set.  -1 for anything else.
 */
static int64
number_field(const char *block, int offset, int len)
{
	const unsigned char *field = (const unsigned char *) block + offset;
	int64		value = 0;
	int			i = 0;

	if (field[0] & 0x80)
	{
		value = field[0] & 0x7f;
		for (i = 1; i < len; i++)
		{
			if (value > (PG_INT64_MAX >> 8))
				return -1;
			value = (value << 8) | field[i];
		}
		return value;
	}
	while (i < len && field[i] == ' ')
		i++;
	if (i < len && field[i] == '\0')
		return 0;
	if (i == len)
		return -1;
	for (; i < len && field[i] != ' ' && field[i] != '\0'; i++)
	{
		if (field[i] < '0' || field[i] > '7')
			return -1;
		value = value * 8 + (field[i] - '0');	/* 12 digits at most */
	}
	return value;
}

/* Does the block's checksum fit?  Some old writers summed up signed bytes. */
static bool
checksum_fits(const char *block)
{
	int64		stored = number_field(block, CHECKSUM);
	int64		sum_unsigned = 8 * ' ';
	int64		sum_signed = 8 * ' ';

	for (int i = 0; i < BLOCK; i++)
	{
		if (i >= 148 && i < 156)
			continue;
		sum_unsigned += (unsigned char) block[i];
		sum_signed += (signed char) block[i];
	}
	return stored == sum_unsigned || stored == sum_signed;
}

static bool
is_zero(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != '\0')
			return false;
	return true;
}

/* 22023 for what was sent instead of a tar archive, by its first bytes. */
static void
refuse_other_formats(const char *data, size_t len)
{
	static const struct
	{
		const char *magic;
		int			len;
		const char *name;
	}			formats[] = {
		{"\x1f\x8b", 2, "gzip"},
		{"BZh", 3, "bzip2"},
		{"\xfd" "7zXZ", 5, "xz"},
		{"\x28\xb5\x2f\xfd", 4, "zstd"},
		{"PK\x03\x04", 4, "zip"},
	};

	for (int i = 0; i < lengthof(formats); i++)
		if (len >= formats[i].len && memcmp(data, formats[i].magic, formats[i].len) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("archive is compressed with %s", formats[i].name),
					 errhint("Send a plain tar archive: leave out the option -z, as in \"tar -cf - migrations\".")));
}

/* A path in the form of MigFile. */
static char *
clean_path(const char *path)
{
	StringInfoData clean;
	const char *part = path;

	initStringInfo(&clean);
	if (path[0] == '/')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("absolute path \"%s\" in archive", path),
				 errhint("Make the archive from inside the folder: tar -C folder -cf - .")));
	while (*part)
	{
		int			len = strcspn(part, "/");

		if (len == 2 && part[0] == '.' && part[1] == '.')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("path \"%s\" in archive leads out of its folder", path)));
		if (len > 0 && !(len == 1 && part[0] == '.'))
			appendStringInfo(&clean, "%s%.*s", clean.len > 0 ? "/" : "", len, part);
		part += len;
		part += strspn(part, "/");
	}
	return clean.data;
}

/* A member's or a link's path, checked. */
static char *
checked_path(const Tar *tar, const char *raw)
{
	size_t		len = strlen(raw);

	if (len > MAX_PATH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a path in the archive is too long"),
				 errdetail("It has %zu bytes; at most %d are possible.", len, MAX_PATH)));
	if (pg_encoding_verifymbstr(PG_UTF8, raw, len) != len)
		damaged(tar, "a member's name is not UTF-8");
	raw = pg_any_to_server(raw, len, PG_UTF8);
	for (const char *c = raw; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			damaged(tar, "a member's name contains control characters");
	return clean_path(raw);
}

static bool
is_posix(const Tar *tar)
{
	return memcmp(tar->header + MAGIC_OFFSET, "ustar\0", 6) == 0;
}

/* The path of the member at hand. */
static char *
member_path(const Tar *tar)
{
	char	   *name;

	if (tar->long_name)
		return checked_path(tar, tar->long_name);
	name = text_field(tar->header, NAME);
	if (is_posix(tar) && tar->header[345] != '\0')
		name = psprintf("%s/%s", text_field(tar->header, PREFIX), name);
	return checked_path(tar, name);
}

/*
 * The data of the member at hand; moves on to the next header.  "size" was
 * read from the archive.
 */
static const char *
take_data(Tar *tar, int64 size)
{
	const char *data = tar->data + tar->pos;
	size_t		left = tar->len - tar->pos;

	if (size < 0)
		damaged(tar, "a member's size is not a number");
	if (size > left)
		damaged(tar, "it ends in the middle of a member");
	/* the last block may lack its filling, which nobody misses */
	tar->pos += Min(left, (size + BLOCK - 1) / BLOCK * BLOCK);
	return data;
}

/* One record of a pax header. */
static void
pax_record(Tar *tar, const char *key, int keylen, const char *value, int valuelen)
{
	char	   *word = pnstrdup(key, keylen);
	char	   *text = pnstrdup(value, valuelen);

	if (strncmp(word, "GNU.sparse.", strlen("GNU.sparse.")) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("archive contains a sparse file"),
				 errhint("Leave out the option -S of tar.")));
	if (strcmp(word, "path") != 0 && strcmp(word, "linkpath") != 0 && strcmp(word, "size") != 0)
		return;
	if (strlen(text) != valuelen)
		damaged(tar, "an extended header contains a zero byte");
	if (strcmp(word, "path") == 0)
		tar->long_name = text;
	else if (strcmp(word, "linkpath") == 0)
		tar->long_link = text;
	else
	{
		if (valuelen == 0 || valuelen > 18 || strspn(text, "0123456789") != valuelen)
			damaged(tar, "a member's size is not a number");
		tar->long_size = strtoll(text, NULL, 10);
	}
}

/* A pax header: records "<length> <key>=<value>\n", the length including itself. */
static void
pax_header(Tar *tar, const char *data, int64 size)
{
	int64		pos = 0;

	if (size > MAX_PAX)
		damaged(tar, "an extended header is too long");
	while (pos < size && data[pos] != '\0')
	{
		int64		len = 0;
		int64		key = pos;
		const char *equals;

		while (key < size && data[key] >= '0' && data[key] <= '9' && len <= size)
			len = len * 10 + (data[key++] - '0');
		/* at least a blank, one character, an equals sign and a newline must follow */
		if (key == pos || len < key - pos + 4 || len > size - pos ||
			data[key] != ' ' || data[pos + len - 1] != '\n')
			damaged(tar, "an extended header has a record with a wrong length");
		key++;
		equals = memchr(data + key, '=', pos + len - 1 - key);
		if (equals == NULL)
			damaged(tar, "an extended header has a record without \"=\"");
		pax_record(tar, data + key, equals - (data + key),
				   equals + 1, data + pos + len - 1 - (equals + 1));
		pos += len;
	}
}

static void
add_file(Tar *tar, char *path, const char *data, size_t len)
{
	FoundFile  *found;
	bool		exists;

	if (path[0] == '\0')
		damaged(tar, "a file has no name");
	found = hash_search(tar->by_path, &path, HASH_ENTER, &exists);
	if (!exists)
	{
		found->file = palloc0(sizeof(MigFile));
		found->file->path = path;
		tar->files = lappend(tar->files, found->file);
	}
	found->file->data = data;
	found->file->len = len;
}

/* A hard link stands for a file that came before. */
static void
add_hard_link(Tar *tar, char *path)
{
	char	   *target = checked_path(tar, tar->long_link ? tar->long_link :
									  text_field(tar->header, LINKNAME));
	FoundFile  *found = hash_search(tar->by_path, &target, HASH_FIND, NULL);

	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" in archive is a link to \"%s\", which is not in the archive before it",
						path, target)));
	add_file(tar, path, found->file->data, found->file->len);
}

/* A symbolic link carries no data.  Only one to a migration would be missed. */
static void
add_symbolic_link(Tar *tar, char *path)
{
	size_t		len = strlen(path);

	if (len >= 4 && pg_strcasecmp(path + len - 4, ".sql") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" in archive is a symbolic link", path),
				 errhint("Use the option -h of tar, so that it sends the file itself.")));
	*tar->ignored = lappend(*tar->ignored, path);
}

/* The member at hand, which is neither an extended header nor the end. */
static void
add_member(Tar *tar, char type)
{
	char	   *path = member_path(tar);
	int64		size = tar->long_size >= 0 ? tar->long_size : number_field(tar->header, SIZE);
	char	   *raw = tar->long_name ? tar->long_name : text_field(tar->header, NAME);
	bool		folder = type == '5' || (raw[0] && raw[strlen(raw) - 1] == '/');
	const char *data;

	switch (type)
	{
		case '0':
		case '\0':
		case '7':
		case '5':
			data = take_data(tar, size);
			if (!folder)
				add_file(tar, path, data, size);
			break;
		case '1':				/* some writers repeat the data's size here */
			add_hard_link(tar, path);
			break;
		case '2':
			add_symbolic_link(tar, path);
			break;
		case '3':
		case '4':
		case '6':
		case 'V':
			*tar->ignored = lappend(*tar->ignored, path);
			break;
		case 'S':
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" in archive is a sparse file", path),
					 errhint("Leave out the option -S of tar.")));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" in archive has a type that is not supported", path),
					 errdetail("The type is %d.", (unsigned char) type)));
	}
	tar->long_name = tar->long_link = NULL;
	tar->long_size = -1;
}

/* The text of a GNU long name, which ends with a zero byte. */
static char *
long_text(Tar *tar)
{
	int64		size = number_field(tar->header, SIZE);
	const char *data = take_data(tar, size);

	if (size > MAX_PAX)
		damaged(tar, "a name is too long");
	return pnstrdup(data, strnlen(data, size));
}

/* Read one header and what belongs to it; false at the end of the archive. */
static bool
next_member(Tar *tar)
{
	char		type;

	tar->header = NULL;
	if (tar->len - tar->pos < BLOCK)
		damaged(tar, tar->pos == 0 ? NOT_TAR : "it is cut off, its end mark is missing");
	tar->header = tar->data + tar->pos;
	if (is_zero(tar->header, BLOCK))
		return false;
	if (!checksum_fits(tar->header))
		damaged(tar, tar->pos == 0 ? NOT_TAR : "the checksum of a header is wrong");
	tar->pos += BLOCK;

	type = tar->header[TYPE_OFFSET];
	switch (type)
	{
		case 'L':
			tar->long_name = long_text(tar);
			break;
		case 'K':
			tar->long_link = long_text(tar);
			break;
		case 'x':
		case 'X':
		case 'g':				/* of the whole archive: nothing that matters here */
			{
				int64		size = number_field(tar->header, SIZE);
				const char *data = take_data(tar, size);

				if (type != 'g')
					pax_header(tar, data, size);
				break;
			}
		default:
			add_member(tar, type);
	}
	return true;
}

List *
mig_tar_read(const char *data, size_t len, List **ignored)
{
	Tar			tar = {.data = data, .len = len, .long_size = -1, .ignored = ignored};
	HASHCTL		ctl = {0};

	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("archive is empty")));
	if (len < BLOCK || (!is_zero(data, BLOCK) && !checksum_fits(data)))
		refuse_other_formats(data, len);

	ctl.keysize = sizeof(char *);
	ctl.entrysize = sizeof(FoundFile);
	ctl.hash = hash_path;
	ctl.match = compare_paths;
	ctl.hcxt = CurrentMemoryContext;
	tar.by_path = hash_create("files of a tar archive", 256, &ctl,
							  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	while (next_member(&tar))
		CHECK_FOR_INTERRUPTS();
	if (!is_zero(data + tar.pos, len - tar.pos))
		damaged(&tar, "there are data behind its end mark");
	hash_destroy(tar.by_path);
	return tar.files;
}
