/*-------------------------------------------------------------------------
 *
 * run_vacuum.c
 *	  Vacuum between the slices of a backfill.
 *
 * An update of an indexed column leaves a dead row that only a vacuum clears
 * away.  So after each tenth of the table its rows are given free, and those
 * that come later are written there: the table grows by a quarter at most, and
 * not by as much as it is.  The indexes are left alone; entries of dead rows
 * are no more than a vacuum afterwards has to clear away anyhow.
 *
 * It needs the table's owner, and no other vacuum at work.  Where somebody's
 * old snapshot defeats it, the table grows all the same, and that is the end
 * of it for this run.
 *
 * Locks: ShareUpdateExclusiveLock on the table, if nobody is in the way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/proc.h"
#include "utils/rel.h"

#include "compat.h"
#include "exec.h"
#include "run_batch.h"
#include "settings.h"

#define SHARE 10				/* of the table, between two vacuums */
#define LEAST_BLOCKS 1000		/* of a table that is worth it */

static bool
pays(const Backfill *b)
{
	return b->touches_index && mig_low_bloat != MIG_BLOAT_OFF && !b->vacuum_in_vain &&
		(b->blocks >= LEAST_BLOCKS || mig_low_bloat == MIG_BLOAT_ON) &&
		/* a user's limit would make an error of it */
		StatementTimeout == 0 && mig_statement_timeout == 0;
}

/* Blocks of the table now; -1 if this role may not vacuum it. */
static int64
look_at_table(const Backfill *b)
{
	Relation	rel;
	int64		blocks = -1;

	mig_exec_begin();
	rel = mig_batch_open(b);
	if (mig_is_class_owner(RelationGetRelid(rel), GetUserId()))
		blocks = RelationGetNumberOfBlocks(rel);
	relation_close(rel, AccessShareLock);
	mig_exec_commit();
	return blocks;
}

void
mig_backfill_vacuum(Backfill *b, int64 changed)
{
	int64		rows = b->rows_expected / SHARE;
	int64		blocks;

	if (!pays(b) || changed - b->vacuumed_at < Max(rows, 1))
		return;
	blocks = look_at_table(b);
	/* the room that the last one has made should have been used */
	if (blocks < 0 || (b->vacuumed_blocks > 0 && blocks - b->vacuumed_blocks > b->blocks / SHARE / 2))
	{
		b->vacuum_in_vain = true;
		return;
	}
	mig_exec(psprintf("VACUUM (INDEX_CLEANUP off, TRUNCATE off, SKIP_LOCKED) %s", b->batches->table));
	b->vacuumed_at = changed;
	b->vacuumed_blocks = blocks;
}
