/*-------------------------------------------------------------------------
 *
 * disk.c
 *	  How much room there is where the server keeps its files.
 *
 * Paths are relative to the data directory, which is the working directory
 * of every backend.  Relations are looked at under AccessShareLock, which is
 * taken without waiting and given back at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "access/xlog_internal.h"
#include "catalog/pg_class.h"
#include "catalog/pg_tablespace.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "disk.h"
#include "relation.h"

static void
read_disk(const char *path, MigDisk *disk)
{
	struct statvfs room;
	struct stat place;

	if (stat(path, &place) != 0 || statvfs(path, &room) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read the free space of \"%s\": %m", path)));
	disk->device = place.st_dev;
	disk->free = (int64) room.f_bavail * room.f_frsize;
	disk->size = (int64) room.f_blocks * room.f_frsize;
}

void
mig_disk_of_tablespace(Oid tablespace, MigDisk *disk)
{
	if (!OidIsValid(tablespace))
		tablespace = MyDatabaseTableSpace;
	if (tablespace == DEFAULTTABLESPACE_OID)
		read_disk("base", disk);
	else if (tablespace == GLOBALTABLESPACE_OID)
		read_disk("global", disk);
	else
		read_disk(psprintf("pg_tblspc/%u", tablespace), disk);
}

void
mig_disk_of_wal(MigDisk *disk)
{
	read_disk(XLOGDIR, disk);
}

int64
mig_disk_of_relation(Oid relid, Oid *tablespace)
{
	char	   *name = mig_relation_text(relid);
	Relation	rel;
	int64		bytes = 0;

	*tablespace = InvalidOid;
	if (name == NULL || !mig_relation_lock(relid, name))
		return 0;
	rel = RelationIdGetRelation(relid);
	if (rel != NULL)
	{
		if (RELKIND_HAS_STORAGE(rel->rd_rel->relkind))
			bytes = (int64) RelationGetNumberOfBlocks(rel) * BLCKSZ;
		*tablespace = rel->rd_rel->reltablespace;
		RelationClose(rel);
	}
	mig_relation_unlock(relid);
	return bytes;
}

char *
mig_disk_text(int64 bytes)
{
	return TextDatumGetCString(DirectFunctionCall1(pg_size_pretty, Int64GetDatum(bytes)));
}
