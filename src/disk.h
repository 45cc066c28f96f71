/*-------------------------------------------------------------------------
 *
 * disk.h
 *	  How much room there is where the server keeps its files.
 *
 * Layer 2.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_DISK_H
#define MIGRATE_DISK_H

#include "migrate.h"

/* A file system. */
typedef struct MigDisk
{
	uint64		device;			/* tells one from another */
	int64		free;			/* bytes, for the server's user */
	int64		size;
} MigDisk;

/*
 * The file system of a tablespace (InvalidOid: the database's own), or of the
 * WAL.  58000 or the like (errcode_for_file_access) if it cannot be read.
 */
extern void mig_disk_of_tablespace(Oid tablespace, MigDisk *disk);
extern void mig_disk_of_wal(MigDisk *disk);

/*
 * Bytes of one relation's files (main fork; with its map forks they are a
 * thousandth more), without waiting: 55P03 naming the holders if it is
 * locked.  0 for what has no storage, or has gone.
 */
extern int64 mig_disk_of_relation(Oid relid, Oid *tablespace);

/* A number of bytes as a person reads it. */
extern char *mig_disk_text(int64 bytes);

#endif							/* MIGRATE_DISK_H */
