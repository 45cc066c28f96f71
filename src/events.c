/*-------------------------------------------------------------------------
 *
 * events.c
 *	  What happened: append-only, and told by NOTIFY migrate.
 *
 * An event and its notification belong to the transaction that does the
 * work which it tells of, so neither can be without the other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/async.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "events.h"
#include "query.h"
#include "settings.h"

#define NOTIFY_MESSAGE_LEN 500 /* characters; a payload has 7999 bytes at most */

static const MigActor *set_actor = NULL;

void
mig_actor_set(const MigActor *actor)
{
	set_actor = actor;
}

/* NULL over a local socket */
static char *
client_address(void)
{
	MigQuery	query;
	char	   *address;

	mig_query_begin(&query, "SELECT host(inet_client_addr())");
	mig_query_run(&query);
	address = mig_col_text(&query, 0, 1);
	mig_query_end(&query);
	return address;
}

MigActor
mig_actor(void)
{
	MigActor	actor = {0};

	if (set_actor)
		return *set_actor;
	actor.role = GetUserNameFromId(GetUserId(), false);
	actor.session_role = GetUserNameFromId(GetSessionUserId(), false);
	actor.client_addr = client_address();
	actor.application_name = application_name ? pstrdup(application_name) : pstrdup("");
	return actor;
}

void
mig_event_record(const MigEvent *event)
{
	MigActor	actor = mig_actor();
	MigQuery	query;

	mig_query_begin(&query,
					"INSERT INTO migrate_internal.event (scope, run, version, step, event, command,"
					" role, session_role, client_addr, application_name, duration_ms, lock_wait_ms,"
					" stalled_ms, rows, wal_bytes, sqlstate, message, checksum, reason, kind, bytes)"
					" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
					" $16, $17, $18, $19, $20, $21)"
					" RETURNING json_build_object('at', at, 'scope', scope, 'version', version,"
					" 'run', run, 'step', step, 'event', event, 'kind', kind, 'role', role,"
					" 'duration_ms', round(duration_ms::numeric, 1), 'rows', rows,"
					" 'sqlstate', sqlstate, 'message', left(message, $22))::text");
	mig_arg_text(&query, mig_current_scope());
	mig_arg_int64(&query, event->run, event->run == 0);
	mig_arg_text(&query, event->version);
	mig_arg_int64(&query, event->step, event->step == 0);
	mig_arg_text(&query, event->event);
	mig_arg_text(&query, event->command);
	mig_arg_text(&query, actor.role);
	mig_arg_text(&query, actor.session_role);
	mig_arg_text(&query, actor.client_addr);
	mig_arg_text(&query, actor.application_name);
	mig_arg_float(&query, event->duration_ms, event->duration_ms < 0);
	mig_arg_int64(&query, event->lock_wait_ms, event->lock_wait_ms < 0);
	mig_arg_int64(&query, event->stalled_ms, event->stalled_ms < 0);
	mig_arg_int64(&query, event->rows, event->rows < 0);
	mig_arg_int64(&query, event->wal_bytes, event->wal_bytes < 0);
	mig_arg_text(&query, event->sqlstate);
	mig_arg_text(&query, event->message);
	mig_arg_text(&query, event->checksum);
	mig_arg_text(&query, event->reason);
	mig_arg_text(&query, event->kind);
	mig_arg_int64(&query, event->bytes, event->bytes < 0);
	mig_arg_int(&query, NOTIFY_MESSAGE_LEN);
	mig_query_run(&query);
	Async_Notify("migrate", mig_col_text(&query, 0, 1));
	mig_query_end(&query);
}
