/*-------------------------------------------------------------------------
 *
 * tar.h
 *	  The files in a tar archive.
 *
 * Layer 2, pure: nothing is written anywhere.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_TAR_H
#define MIGRATE_TAR_H

#include "migrate.h"

/* A file as it came: bytes whose encoding nobody has checked. */
typedef struct MigFile
{
	char	   *path;			/* parts separated by single slashes; no "." or ".." among them */
	const char *data;			/* not terminated */
	size_t		len;
} MigFile;

/*
 * The regular files of an archive, as a list of MigFile in the order of the
 * archive; of several with one path the last counts, as for tar itself.  The
 * data stay where they are in "tar".  Paths of members that are neither
 * files nor folders are added to *ignored (char *).
 *
 * Formats: ustar, GNU long names, pax path and size, v7.  Errors: 22P03 for
 * what is no archive, damaged or cut off; 22023 for absolute paths, "..",
 * sparse files, links to files that are not there, and compressed data.
 */
extern List *mig_tar_read(const char *tar, size_t len, List **ignored);

#endif							/* MIGRATE_TAR_H */
