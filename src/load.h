/*-------------------------------------------------------------------------
 *
 * load.h
 *	  From files to migrations.
 *
 * Layer 2: reads files, but no table; register.h stores what comes out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_LOAD_H
#define MIGRATE_LOAD_H

#include "migrate.h"

typedef enum MigFormat
{
	MIG_FORMAT_AUTO,			/* each file for itself, see load.c */
	MIG_FORMAT_ANNOTATED,		/* -- migrate:up and the like: load_annotated.c */
	MIG_FORMAT_PLAIN,			/* a whole file is the up of its version */
	MIG_FORMAT_FILES			/* the direction is in the file's name */
} MigFormat;

/* 22023 for a word that is no format. */
extern MigFormat mig_load_format(const char *word);

/*
 * The migrations in a list of MigFile, sorted by version, filled in as far
 * as files can say: version, name, requires, up, down, verify, options, and
 * the path as origin.  Files that are none are named in a NOTICE, together
 * with "ignored" (char *).  Errors: 22021 for a file that is not UTF-8, 42710
 * for two with one version, 22023 for a down without an up or for no
 * migration at all, 42601 for a mistake in the annotated format.
 */
extern List *mig_load_files(List *files, List *ignored, MigFormat format);

/* The same for one text with the file name, or NULL, that the client gives. */
extern List *mig_load_text(const char *content, const char *filename, MigFormat format);

/*
 * The files in and below a folder of the server which mig_load_files() could
 * use, as a list of MigFile.  Paths of others are added to *ignored.  Errors:
 * those of the file system (58P01 and others), 54000 for a file too large.
 * The caller has checked that the role may read files.
 */
extern List *mig_read_directory(const char *path, List **ignored);

/* Could a file of that path be part of a migration? */
extern bool mig_load_wants(const char *path);

/* --- load_foreign.c --- */

/* The tool whose marks divide a file into a way there and a way back; NULL if there are none. */
extern const char *mig_foreign_mark(const char *text);

/* --- load_annotated.c --- */

/* Does a line of the text begin with a mark of the annotated format? */
extern bool mig_annotated_is(const char *text);

/*
 * The migrations of a text in the annotated format, in the order of the
 * text.  path is for messages and origin; version and name (or NULL) are what
 * it says for a text that does not give its version.
 */
extern List *mig_annotated_read(const char *text, const char *path,
								const char *version, const char *name);

/* What path and origin say of a text that came without a file name. */
#define MIG_ORIGIN_TEXT "load"

/* 'file "x.sql"', or 'the text' for one without a file name. */
extern char *mig_load_what(const char *path);

#endif							/* MIGRATE_LOAD_H */
