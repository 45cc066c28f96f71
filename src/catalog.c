/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  The registry: migrations, and the rights that were granted on them.
 *
 * Every function works in the caller's transaction, as the owner of the
 * extension, in the scope that migrate.scope names.  Row locks only: a
 * migration's row is locked while its content is replaced.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "catalog.h"
#include "compat.h"
#include "events.h"
#include "query.h"
#include "settings.h"
#include "version.h"
#include "words.h"

Oid
mig_catalog_table(const char *name)
{
	Oid			nspid = get_namespace_oid("migrate_internal", true);

	return OidIsValid(nspid) ? get_relname_relid(name, nspid) : InvalidOid;
}

char *
mig_catalog_identity(void)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
}

static void
arg_scope(MigQuery *query)
{
	mig_arg_text(query, mig_current_scope());
}

/* The columns that light and whole migrations have in common. */
#define MIGRATION_COLUMNS \
	"version, in_order, name, owner, requires IS NOT NULL, requires, search_path, " \
	"checksum, token_checksum, origin, state, direction, pause = 'sticky', " \
	"run, step, steps, steps_done, error, options, up_line, down_line, verify_line"

static Migration *
migration_of_row(MigQuery *query, uint64 row)
{
	Migration  *m = palloc0(sizeof(Migration));
	char	   *direction;

	m->scope = pstrdup(mig_current_scope());
	m->version = mig_col_text(query, row, 1);
	m->in_order = mig_col_bool(query, row, 2);
	m->name = mig_col_text(query, row, 3);
	m->owner = mig_col_text(query, row, 4);
	m->requires_written = mig_col_bool(query, row, 5);
	m->requires = mig_col_texts(query, row, 6);
	m->search_path = mig_col_text(query, row, 7);
	m->checksum = mig_col_text(query, row, 8);
	m->token_checksum = mig_col_text(query, row, 9);
	m->origin = mig_col_text(query, row, 10);
	m->state = mig_state_of(mig_col_text(query, row, 11));
	direction = mig_col_text(query, row, 12);
	m->direction = direction ? mig_direction_of(direction) : MIG_DIR_APPLY;
	m->paused_on_purpose = mig_col_bool(query, row, 13);
	m->run = mig_col_int64(query, row, 14);
	m->step = mig_col_int(query, row, 15);
	m->steps = mig_col_int(query, row, 16);
	m->steps_done = mig_col_int(query, row, 17);
	m->error = mig_col_text(query, row, 18);
	m->options = mig_col_jsonb(query, row, 19);
	m->up_line = mig_col_int(query, row, 20);
	m->down_line = mig_col_int(query, row, 21);
	m->verify_line = mig_col_int(query, row, 22);
	return m;
}

List *
mig_catalog_list(void)
{
	MigQuery	query;
	List	   *result = NIL;

	mig_query_begin(&query,
					"SELECT " MIGRATION_COLUMNS
					" FROM migrate_internal.migration WHERE scope = $1 ORDER BY key");
	arg_scope(&query);
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
		result = lappend(result, migration_of_row(&query, i));
	mig_query_end(&query);
	return result;
}

Migration *
mig_catalog_find(const char *version)
{
	MigQuery	query;
	Migration  *m = NULL;

	mig_query_begin(&query,
					"SELECT " MIGRATION_COLUMNS " FROM migrate_internal.migration"
					" WHERE scope = $1 AND key = migrate_internal.version_key($2)");
	arg_scope(&query);
	mig_arg_text(&query, version);
	if (mig_query_run(&query) > 0)
		m = migration_of_row(&query, 0);
	mig_query_end(&query);
	return m;
}

bool
mig_catalog_any_points_up(void)
{
	MigQuery	query;
	bool		any;

	mig_query_begin(&query,
					"SELECT EXISTS (SELECT FROM migrate_internal.migration WHERE scope = $1 AND upward)");
	arg_scope(&query);
	mig_query_run(&query);
	any = mig_col_bool(&query, 0, 1);
	mig_query_end(&query);
	return any;
}

Migration *
mig_catalog_get(const char *version, bool for_update)
{
	MigQuery	query;
	Migration  *m = NULL;

	mig_query_begin(&query, for_update ?
					"SELECT " MIGRATION_COLUMNS ", up, down, verify"
					" FROM migrate_internal.migration WHERE scope = $1 AND version = $2 FOR UPDATE" :
					"SELECT " MIGRATION_COLUMNS ", up, down, verify"
					" FROM migrate_internal.migration WHERE scope = $1 AND version = $2");
	arg_scope(&query);
	mig_arg_text(&query, version);
	if (mig_query_run(&query) > 0)
	{
		m = migration_of_row(&query, 0);
		m->up = mig_col_text(&query, 0, 23);
		m->down = mig_col_text(&query, 0, 24);
		m->verify = mig_col_text(&query, 0, 25);
	}
	mig_query_end(&query);
	return m;
}

bool
mig_catalog_points_up(const Migration *migration)
{
	ListCell   *lc;

	foreach(lc, migration->requires)
		if (mig_version_cmp(lfirst(lc), migration->version) > 0)
			return true;
	return false;
}

/* The arguments that insert and replace share: $1 to $19. */
static void
arg_content(MigQuery *query, const Migration *m)
{
	arg_scope(query);
	mig_arg_text(query, m->version);
	mig_arg_text(query, m->name);
	mig_arg_text(query, m->owner);
	mig_arg_text(query, GetUserNameFromId(query->save.user, false));
	mig_arg_texts(query, m->requires, !m->requires_written);
	mig_arg_text(query, m->up);
	mig_arg_text(query, m->down);
	mig_arg_text(query, m->verify);
	mig_arg_jsonb(query, m->options);
	mig_arg_text(query, m->search_path);
	mig_arg_text(query, m->checksum);
	mig_arg_text(query, m->token_checksum);
	mig_arg_text(query, m->origin);
	mig_arg_bool(query, m->in_order);
	mig_arg_bool(query, mig_catalog_points_up(m));
	mig_arg_int(query, m->up_line);
	mig_arg_int(query, m->down_line);
	mig_arg_int(query, m->verify_line);
}

bool
mig_catalog_is_fill(const Migration *migration)
{
	return !migration->in_order && strcmp(migration->origin, MIG_ORIGIN_SYNC) == 0;
}

void
mig_catalog_insert(const Migration *migration)
{
	MigQuery	query;

	mig_query_begin(&query,
					"INSERT INTO migrate_internal.migration (scope, version, name, owner,"
					" registered_by, requires, up, down, verify, options, search_path,"
					" checksum, token_checksum, origin, in_order, upward,"
					" up_line, down_line, verify_line)"
					" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
					" $17, $18, $19)");
	arg_content(&query, migration);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_catalog_replace(const Migration *migration)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.migration SET name = $3, owner = $4,"
					" registered_by = $5, registered_at = now(), requires = $6, up = $7,"
					" down = $8, verify = $9, options = $10, search_path = $11,"
					" checksum = $12, token_checksum = $13, origin = $14, in_order = $15, upward = $16,"
					" up_line = $17, down_line = $18, verify_line = $19,"
					" state = 'pending', direction = NULL, phase = NULL, step = NULL,"
					" steps = 0, steps_done = 0, error = NULL, sqlstate = NULL"
					" WHERE scope = $1 AND version = $2");
	arg_content(&query, migration);
	mig_query_run(&query);
	mig_query_end(&query);
	mig_catalog_drop_plan(migration->version);
}

void
mig_catalog_set_checksum(const Migration *migration)
{
	MigQuery	query;

	mig_query_begin(&query,
					"UPDATE migrate_internal.migration SET name = $3, up = $4, down = $5,"
					" verify = $6, checksum = $7, token_checksum = $8, origin = $9,"
					" up_line = $10, down_line = $11, verify_line = $12"
					" WHERE scope = $1 AND version = $2");
	arg_scope(&query);
	mig_arg_text(&query, migration->version);
	mig_arg_text(&query, migration->name);
	mig_arg_text(&query, migration->up);
	mig_arg_text(&query, migration->down);
	mig_arg_text(&query, migration->verify);
	mig_arg_text(&query, migration->checksum);
	mig_arg_text(&query, migration->token_checksum);
	mig_arg_text(&query, migration->origin);
	mig_arg_int(&query, migration->up_line);
	mig_arg_int(&query, migration->down_line);
	mig_arg_int(&query, migration->verify_line);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_catalog_delete(const char *version)
{
	MigQuery	query;

	mig_catalog_drop_plan(version);
	mig_query_begin(&query,
					"DELETE FROM migrate_internal.migration WHERE scope = $1 AND version = $2");
	arg_scope(&query);
	mig_arg_text(&query, version);
	mig_query_run(&query);
	mig_query_end(&query);
}

void
mig_catalog_note(const char *version, const char *event,
				 const char *checksum, const char *message)
{
	MigEvent	e = {0};

	e.version = version;
	e.event = event;
	e.checksum = checksum;
	e.message = message;
	e.rows = e.wal_bytes = e.bytes = -1;
	e.duration_ms = e.lock_wait_ms = e.stalled_ms = -1;
	mig_event_record(&e);
}

/* --- rights --- */

bool
mig_catalog_has_right(const char *owner, Oid role, const char *right)
{
	MigQuery	query;
	bool		found = false;

	mig_query_begin(&query,
					"SELECT grantee FROM migrate_internal.granted_right"
					" WHERE owner = $1 AND kind = $2");
	mig_arg_text(&query, owner);
	mig_arg_text(&query, right);
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows && !found; i++)
	{
		Oid			grantee = get_role_oid(mig_col_text(&query, i, 1), true);

		found = OidIsValid(grantee) && has_privs_of_role(role, grantee);
	}
	mig_query_end(&query);
	return found;
}

void
mig_catalog_grant_right(const char *owner, const char *grantee, const char *right)
{
	MigQuery	query;

	mig_query_begin(&query,
					"INSERT INTO migrate_internal.granted_right (owner, grantee, kind, granted_by)"
					" VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING");
	mig_arg_text(&query, owner);
	mig_arg_text(&query, grantee);
	mig_arg_text(&query, right);
	mig_arg_text(&query, GetUserNameFromId(query.save.user, false));
	mig_query_run(&query);
	mig_query_end(&query);
}

bool
mig_catalog_revoke_right(const char *owner, const char *grantee, const char *right)
{
	MigQuery	query;
	bool		found;

	mig_query_begin(&query,
					"DELETE FROM migrate_internal.granted_right"
					" WHERE owner = $1 AND grantee = $2 AND kind = $3");
	mig_arg_text(&query, owner);
	mig_arg_text(&query, grantee);
	mig_arg_text(&query, right);
	found = mig_query_run(&query) > 0;
	mig_query_end(&query);
	return found;
}

/*
 * The rights that a missing role has granted go with it: nobody could revoke
 * them, and they would come to life again with a new role of that name.
 */
static void
forget_rights_of(const char *owner)
{
	MigQuery	query;

	mig_query_begin(&query,
					"DELETE FROM migrate_internal.granted_right WHERE owner = $1");
	mig_arg_text(&query, owner);
	mig_query_run(&query);
	mig_query_end(&query);
}

int64
mig_catalog_reassign(const char *from_owner, const char *to_owner)
{
	MigQuery	query;
	List	   *versions = NIL;
	ListCell   *lc;

	mig_query_begin(&query,
					"UPDATE migrate_internal.migration SET owner = $3"
					" WHERE scope = $1 AND owner = $2 RETURNING version");
	arg_scope(&query);
	mig_arg_text(&query, from_owner);
	mig_arg_text(&query, to_owner);
	mig_query_run(&query);
	for (uint64 i = 0; i < query.rows; i++)
		versions = lappend(versions, mig_col_text(&query, i, 1));
	mig_query_end(&query);
	foreach(lc, versions)
		mig_catalog_note(lfirst(lc), "reassigned", NULL,
						 psprintf("from role %s to role %s", quote_identifier(from_owner),
								  quote_identifier(to_owner)));
	if (!OidIsValid(get_role_oid(from_owner, true)))
		forget_rights_of(from_owner);
	return list_length(versions);
}

void
mig_check_right(const Migration *migration, const char *right)
{
	Oid			owner = mig_owner_oid(migration->owner);

	if (mig_can_become(GetUserId(), owner))
		return;
	if (right && mig_catalog_has_right(migration->owner, GetUserId(), right))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for migration \"%s\"", migration->version),
			 errdetail("It belongs to role \"%s\", which role \"%s\" may not become.",
					   migration->owner, GetUserNameFromId(GetUserId(), false)),
			 right ?
			 errhint("Ask for membership in that role, or for the right: SELECT migrate.grant_right('%s', %s, %s).",
					 right, quote_literal_cstr(GetUserNameFromId(GetUserId(), false)),
					 quote_literal_cstr(migration->owner)) :
			 errhint("Ask for membership in role \"%s\".", migration->owner)));
}
