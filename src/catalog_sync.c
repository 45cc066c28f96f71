/*-------------------------------------------------------------------------
 *
 * catalog_sync.c
 *	  Which columns are kept equal: what migrate.syncs shows.
 *
 * Takes the locks of its queries alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog_sync.h"
#include "query.h"
#include "settings.h"

void
mig_sync_entry_add(const MigSyncEntry *entry)
{
	MigQuery	query;

	mig_query_begin(&query,
					"INSERT INTO migrate_internal.sync (scope, relation, old, new, up, down, conflict,"
					" fill, version, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
					" ON CONFLICT (scope, relation, old, new) DO UPDATE SET up = excluded.up,"
					" down = excluded.down, conflict = excluded.conflict, fill = excluded.fill,"
					" version = excluded.version, created_by = excluded.created_by,"
					" created_at = excluded.created_at");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, entry->relation);
	mig_arg_texts(&query, entry->old, false);
	mig_arg_texts(&query, entry->new, false);
	mig_arg_texts(&query, entry->up, entry->up == NIL);
	mig_arg_texts(&query, entry->down, entry->down == NIL);
	mig_arg_text(&query, entry->conflict);
	mig_arg_text(&query, entry->fill);
	mig_arg_text(&query, entry->version);
	mig_arg_text(&query, entry->role);
	mig_query_run(&query);
	mig_query_end(&query);
}

bool
mig_sync_entry_find(const char *relation, List *old, List *new, char **version)
{
	MigQuery	query;
	bool		found;

	mig_query_begin(&query,
					"SELECT version FROM migrate_internal.sync"
					" WHERE scope = $1 AND relation = $2 AND old = $3 AND new = $4");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, relation);
	mig_arg_texts(&query, old, false);
	mig_arg_texts(&query, new, false);
	found = mig_query_run(&query) > 0;
	*version = found ? mig_col_text(&query, 0, 1) : NULL;
	mig_query_end(&query);
	return found;
}

void
mig_sync_entry_remove(const char *relation, List *old, List *new)
{
	MigQuery	query;

	mig_query_begin(&query,
					"DELETE FROM migrate_internal.sync"
					" WHERE scope = $1 AND relation = $2 AND old = $3 AND new = $4");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_text(&query, relation);
	mig_arg_texts(&query, old, false);
	mig_arg_texts(&query, new, false);
	mig_query_run(&query);
	mig_query_end(&query);
}
