/*-------------------------------------------------------------------------
 *
 * load_directory.c
 *	  The files in and below a folder of the server.
 *
 * Links to files are followed, as a mounted folder may consist of them; links
 * to folders are not, so that the walk ends and stays where it was sent.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "load.h"
#include "tar.h"

#define MAX_FILE	(256 * 1024 * 1024) /* bytes; a text can have 1 GB */
#define CHUNK		(64 * 1024)

static void
cannot_read(const char *kind, const char *path)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not read %s \"%s\": %m", kind, path)));
}

static MigFile *
read_file(const char *full, const char *path)
{
	MigFile    *file = palloc0(sizeof(MigFile));
	FILE	   *stream = AllocateFile(full, PG_BINARY_R);
	StringInfoData data;
	size_t		n;

	if (stream == NULL)
		cannot_read("file", full);
	initStringInfo(&data);
	do
	{
		CHECK_FOR_INTERRUPTS();
		enlargeStringInfo(&data, CHUNK);
		n = fread(data.data + data.len, 1, CHUNK, stream);
		if (ferror(stream))
			cannot_read("file", full);
		data.len += n;
		if (data.len > MAX_FILE)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("file \"%s\" is too large", full),
					 errdetail("A file of a migration can have %d MB.", MAX_FILE / 1024 / 1024)));
	} while (n > 0);
	FreeFile(stream);
	file->path = pstrdup(path);
	file->data = data.data;
	file->len = data.len;
	return file;
}

/* The name of an entry becomes text: in messages, and as origin of a migration. */
static void
check_name(const char *folder, const char *name)
{
	bool		valid = pg_verifymbstr(name, strlen(name), true);

	for (const char *c = name; *c && valid; c++)
		valid = (unsigned char) *c >= ' ' && *c != 0x7f;
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("directory \"%s\" has an entry whose name is no text", folder),
				 errdetail("It has control characters or is not valid in encoding \"%s\".",
						   GetDatabaseEncodingName())));
}

/* One entry of a folder: read it, put it off, or pass it over. */
static void
take_entry(const char *root, const char *path, List **files, List **folders, List **ignored)
{
	char	   *full = psprintf("%s/%s", root, path);
	struct stat entry;
	struct stat target;

	if (lstat(full, &entry) != 0 || stat(full, &target) != 0)
	{
		if (errno != ENOENT || mig_load_wants(path))
			cannot_read("file", full);
		*ignored = lappend(*ignored, pstrdup(path));	/* gone, or a link to nothing */
	}
	else if (S_ISDIR(entry.st_mode))
		*folders = lappend(*folders, pstrdup(path));
	else if (S_ISREG(target.st_mode) && mig_load_wants(path))
		*files = lappend(*files, read_file(full, path));
	else
		*ignored = lappend(*ignored, pstrdup(path));
}

List *
mig_read_directory(const char *path, List **ignored)
{
	char	   *root = pstrdup(path);
	List	   *files = NIL;
	List	   *folders = list_make1(pstrdup(""));

	canonicalize_path(root);
	while (folders != NIL)
	{
		char	   *folder = linitial(folders);
		char	   *full = folder[0] ? psprintf("%s/%s", root, folder) : root;
		DIR		   *dir = AllocateDir(full);
		struct dirent *entry;

		folders = list_delete_first(folders);
		if (dir == NULL)
			cannot_read("directory", full);
		while ((entry = ReadDir(dir, full)) != NULL)
		{
			if (entry->d_name[0] == '.')
				continue;		/* itself, its parent, and hidden ones */
			check_name(full, entry->d_name);
			take_entry(root, folder[0] ? psprintf("%s/%s", folder, entry->d_name) : entry->d_name,
					   &files, &folders, ignored);
		}
		FreeDir(dir);
	}
	return files;
}
