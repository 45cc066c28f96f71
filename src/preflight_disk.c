/*-------------------------------------------------------------------------
 *
 * preflight_disk.c
 *	  Preflight: is there room for what the plan will write?
 *
 * What a step needs, in the tablespace where it writes:
 *
 *	building an index	rows * (width of its columns + 20) / 0.9, and the same
 *						once more for the sort, in temp_tablespaces, until the
 *						step ends (8 bytes of tuple header, 4 of line pointer,
 *						up to 8 of alignment; pages are filled to 90 percent)
 *	rewriting a table	the size of the table, its TOAST table and all of its
 *						indexes, until the transaction ends and the old files go
 *	updating all rows	the size of the table and its indexes, for good
 *	WAL					all of the above, in pg_wal: a slot, a replica or the
 *						archiver may hold back all of it
 *
 * Steps run one after the other, so a file system needs the most that it has
 * to hold at one time, and a fifth for what else is going on.  Sizes are read
 * under AccessShareLock, which is taken without waiting and given back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_tablespace.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "disk.h"
#include "preflight_int.h"
#include "relation.h"

#define INDEX_TUPLE_EXTRA 20
#define INDEX_FILL 0.9
#define SPARE 1.2

/* A file system and what it will have to hold. */
typedef struct Volume
{
	MigDisk		disk;
	int64		kept;			/* for good */
	int64		passing;		/* until the transaction ends */
	int64		sorting;		/* until the step ends */
	int64		peak;
} Volume;

typedef struct Room
{
	List	   *volumes;
	int64		written;		/* all that goes through the WAL */
	int			tx;
} Room;

static Volume *
volume_of(Room *room, const MigDisk *disk)
{
	Volume	   *volume;
	ListCell   *lc;

	foreach(lc, room->volumes)
	{
		volume = lfirst(lc);
		if (volume->disk.device == disk->device)
			return volume;
	}
	volume = palloc0(sizeof(Volume));
	volume->disk = *disk;
	room->volumes = lappend(room->volumes, volume);
	return volume;
}

static Volume *
volume_of_tablespace(Room *room, Oid tablespace)
{
	MigDisk		disk;

	mig_disk_of_tablespace(tablespace, &disk);
	return volume_of(room, &disk);
}

/* A step is over: what was the most? */
static void
take_peaks(Room *room, bool end_of_transaction)
{
	ListCell   *lc;

	foreach(lc, room->volumes)
	{
		Volume	   *volume = lfirst(lc);

		volume->peak = Max(volume->peak, volume->kept + volume->passing + volume->sorting);
		volume->sorting = 0;
		if (end_of_transaction)
			volume->passing = 0;
	}
}

/* --- what a step writes --- */

static void
add_copy_of(Room *room, Oid relid, bool for_good)
{
	Oid			tablespace;
	int64		bytes = mig_disk_of_relation(relid, &tablespace);
	Volume	   *volume;

	if (bytes == 0)
		return;
	volume = volume_of_tablespace(room, tablespace);
	if (for_good)
		volume->kept += bytes;
	else
		volume->passing += bytes;
	room->written += bytes;
}

/* A table, its TOAST table, their indexes. */
static void
add_copy_of_table(Room *room, Oid relid, bool for_good)
{
	Relation	rel;
	Oid			toast;
	List	   *indexes;
	ListCell   *lc;

	if (!mig_relation_lock(relid, get_rel_name(relid)))
		return;
	rel = RelationIdGetRelation(relid);
	toast = rel ? rel->rd_rel->reltoastrelid : InvalidOid;
	indexes = rel ? list_copy(RelationGetIndexList(rel)) : NIL;
	if (rel)
		RelationClose(rel);
	mig_relation_unlock(relid);

	add_copy_of(room, relid, for_good);
	foreach(lc, indexes)
		add_copy_of(room, lfirst_oid(lc), for_good);
	if (OidIsValid(toast))
		add_copy_of(room, toast, for_good);
}

static void
add_copy(Room *room, Oid relid, bool for_good)
{
	ListCell   *lc;

	add_copy_of_table(room, relid, for_good);
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		foreach(lc, mig_relation_children(relid))
			add_copy_of_table(room, lfirst_oid(lc), for_good);
}

static int64
index_bytes(const MigStep *step, Oid relid, const IndexStmt *index)
{
	List	   *columns = NIL;
	int64		rows;
	int64		bytes;
	ListCell   *lc;

	mig_relation_size(relid, step->relation, &rows, &bytes);
	if (rows < 0)
		return Max(bytes, 0);
	foreach(lc, list_concat_copy(index->indexParams, index->indexIncludingParams))
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);

		columns = lappend(columns, elem->name ? elem->name : "");
	}
	return rows * (mig_server_index_width(relid, columns) + INDEX_TUPLE_EXTRA) / INDEX_FILL;
}

static Oid
sort_tablespace(void)
{
	PrepareTempTablespaces();
	return GetNextTempTableSpace();
}

static void
add_build(Room *room, int64 bytes, Oid tablespace)
{
	volume_of_tablespace(room, tablespace)->kept += bytes;
	volume_of_tablespace(room, sort_tablespace())->sorting += bytes;
	room->written += bytes;
}

/* An index or all of a table's, built anew beside the old ones. */
static void
add_reindex(Room *room, Oid relid)
{
	List	   *indexes = get_rel_relkind(relid) == RELKIND_INDEX ?
		list_make1_oid(relid) : mig_relation_indexes(relid);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Oid			tablespace;
		int64		bytes = mig_disk_of_relation(lfirst_oid(lc), &tablespace);

		volume_of_tablespace(room, tablespace)->passing += bytes;
		volume_of_tablespace(room, sort_tablespace())->sorting += bytes;
		room->written += bytes;
	}
}

static void
add_step(Room *room, const MigStep *step)
{
	Node	   *node = mig_preflight_node(step);
	Oid			relid = step->relation ? mig_relation_by_name(step->relation) : InvalidOid;

	if (step->tx != room->tx)
		take_peaks(room, true);
	room->tx = step->tx;
	if (node == NULL || !OidIsValid(relid) || strcmp(step->state, "done") == 0)
		return;
	if (IsA(node, IndexStmt))
	{
		const char *tablespace = ((IndexStmt *) node)->tableSpace;

		add_build(room, index_bytes(step, relid, (IndexStmt *) node),
				  tablespace ? get_tablespace_oid(tablespace, true) : GetDefaultTablespace(RELPERSISTENCE_PERMANENT, false));
	}
	else if (IsA(node, ReindexStmt))
		add_reindex(room, relid);
	else if (IsA(node, UpdateStmt))
		add_copy(room, relid, true);
	else if (step->rewrites)
		add_copy(room, relid, false);
	take_peaks(room, false);
}

/* --- judgement --- */

static void
judge(MigFinding *f, const Volume *volume, bool has_wal)
{
	const char *what = has_wal ? "the file system with the WAL" : "a file system with tablespaces concerned";

	if (volume->disk.free < volume->peak * SPARE)
		mig_preflight_bad(f, "%s has %s free, and needs %s", what,
						  mig_disk_text(volume->disk.free), mig_disk_text(volume->peak));
	else
		mig_preflight_say(f, "%s has %s free, and needs %s", what,
						  mig_disk_text(volume->disk.free), mig_disk_text(volume->peak));
}

void
mig_preflight_disk(MigPreflight *p, MigFinding *f)
{
	Room		room = {0};
	MigDisk		wal;
	Volume	   *wal_volume;
	ListCell   *lc,
			   *ls;

	(void) volume_of_tablespace(&room, InvalidOid);
	foreach(lc, p->previews)
	{
		room.tx = 0;
		foreach(ls, ((MigPreview *) lfirst(lc))->steps)
			add_step(&room, lfirst(ls));
		take_peaks(&room, true);
	}
	mig_disk_of_wal(&wal);
	wal_volume = volume_of(&room, &wal);
	wal_volume->peak += room.written;
	foreach(lc, room.volumes)
		judge(f, lfirst(lc), lfirst(lc) == wal_volume);
	if (f->verdict == MIG_NOT_FINE)
		f->hint = "Make room first: index builds keep their size, and as much again while they sort; a rewrite holds a second copy of the table; all of it is written to the WAL as well.";
}
