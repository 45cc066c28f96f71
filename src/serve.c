/*-------------------------------------------------------------------------
 *
 * serve.c
 *	  What a request has to do: its migrations, one after the other.
 *
 * A failure ends what requires the one that failed; what is independent
 * still runs.  The request remembers what is done and what has failed, so
 * that a worker of another owner, or one after a restart, can go on.
 *
 * Takes no lock of its own; mig_run() takes those of each run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "catalog.h"
#include "exec.h"
#include "lock.h"
#include "loss.h"
#include "run.h"
#include "run_state.h"
#include "serve.h"
#include "session.h"
#include "settings.h"
#include "targets.h"
#include "version.h"

MigGraph *
mig_serve_graph(void)
{
	return mig_graph_make(mig_catalog_list());
}

static bool
has_version(List *versions, const char *version)
{
	ListCell   *lc;

	foreach(lc, versions)
		if (strcmp(lfirst(lc), version) == 0)
			return true;
	return false;
}

MigDirection
mig_serve_direction(const MigRequest *request)
{
	if (strcmp(request->verb, "complete") == 0)
		return MIG_DIR_COMPLETE;
	if (strncmp(request->verb, "rollback", strlen("rollback")) == 0)
		return MIG_DIR_ROLLBACK;
	return MIG_DIR_APPLY;
}

/* run(): the one migration that it made; resume(): the one that it names. */
static List *
only_target(MigGraph *graph, const MigRequest *request)
{
	Migration  *m = mig_graph_find(graph, request->target);

	if (m == NULL || m->state == MIG_APPLIED)
		return NIL;
	return list_make1(m);
}

List *
mig_serve_targets(MigGraph *graph, const MigRequest *request)
{
	List	   *all;
	List	   *result = NIL;
	ListCell   *lc;

	if (strcmp(request->verb, "run") == 0)
		all = only_target(graph, request);
	else
		all = mig_targets(graph, request->verb, request->target,
						  request->complete, request->cascade);
	foreach(lc, all)
	{
		Migration  *m = lfirst(lc);

		if (request->targets != NIL && !has_version(request->targets, m->version))
			continue;			/* came later */
		if (!has_version(request->done, m->version) && !has_version(request->failed, m->version))
			result = lappend(result, m);
	}
	return result;
}

/*
 * May this one run, as far as others of this request go?  Forwards, all that
 * it requires must be there; backwards, nothing that requires it may be left.
 */
static bool
is_free(MigGraph *graph, const MigRequest *request, Migration *m, List *stuck)
{
	List	   *others;
	ListCell   *lc;

	if (mig_serve_direction(request) == MIG_DIR_ROLLBACK)
		others = mig_graph_dependents(graph, m);
	else
		others = mig_graph_parents(graph, m);
	foreach(lc, others)
		if (list_member_ptr(stuck, lfirst(lc)))
			return false;
	return true;
}

/* To the caller: through the request from a worker, else directly. */
static void
tell(const MigRequest *request, const char *warning)
{
	MigNotice	notice = {.elevel = WARNING, .message = unconstify(char *, warning)};

	if (request->id != 0)
		mig_request_add_notice(request->id, &notice);
	else
		ereport(WARNING, (errmsg_internal("%s", warning)));
}

/* Say once which of them come late, below one that is applied. */
static void
judge_order(MigGraph *graph, MigRequest *request, List *targets)
{
	Migration  *newest = NULL;
	ListCell   *lc;

	if (strcmp(request->verb, "apply") != 0 || mig_out_of_order == MIG_ORDER_ALLOW)
		return;
	foreach(lc, mig_graph_all(graph))
	{
		Migration  *m = lfirst(lc);

		if (m->in_order && (m->state == MIG_APPLIED || m->state == MIG_EXPANDED))
			newest = m;
	}
	if (newest == NULL)
		return;
	foreach(lc, targets)
	{
		Migration  *m = lfirst(lc);

		if (m->state != MIG_PENDING || mig_version_cmp(newest->version, m->version) < 0)
			continue;
		if (mig_out_of_order == MIG_ORDER_ERROR)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("migration \"%s\" is out of order: \"%s\" is applied already",
							m->version, newest->version),
					 errhint("Give it a higher version, or set migrate.out_of_order to warn or allow.")));
		tell(request, psprintf("migration \"%s\" is out of order: \"%s\" is applied already",
							   m->version, newest->version));
	}
}

void
mig_serve_judge(MigGraph *graph, MigRequest *request, List *targets)
{
	ListCell   *lc;

	if (mig_serve_direction(request) == MIG_DIR_ROLLBACK)
	{
		foreach(lc, targets)
			mig_run_check_back(mig_catalog_get(((Migration *) lfirst(lc))->version, false));
		if (!request->lose_data)
			mig_loss_check(targets);
	}
	judge_order(graph, request, targets);
}

static bool
is_about(const MigRequest *request, List *targets)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, targets)
		foreach(lc2, request->targets)
			if (strcmp(((Migration *) lfirst(lc))->version, lfirst(lc2)) == 0)
				return true;
	return false;
}

void
mig_serve_supersede(List *targets)
{
	ListCell   *lc;

	foreach(lc, mig_request_open())
	{
		MigRequest *request = lfirst(lc);

		if (strcmp(request->state, "queued") == 0 && request->age_ms < MIG_START_MS)
			continue;
		if (strcmp(request->scope, mig_current_scope()) == 0 &&
			!mig_request_is_alive(request->id) && is_about(request, targets))
			mig_request_finish(request->id, "left to a later call");
	}
}

/* --- the last line --- */

static const char *
past_tense(const MigRequest *request)
{
	switch (mig_serve_direction(request))
	{
		case MIG_DIR_COMPLETE:
			return "completed";
		case MIG_DIR_ROLLBACK:
			return "rolled back";
		case MIG_DIR_APPLY:
			break;
	}
	return "applied";
}

int64
mig_serve_stalled(const MigRequest *request)
{
	int64		stalled = 0;
	ListCell   *lc;

	foreach(lc, request->done)
	{
		Migration  *m = mig_catalog_get(lfirst(lc), false);

		if (m)
			stalled += mig_run_stalled(m->run);
	}
	return stalled;
}

char *
mig_serve_summary(const MigRequest *request)
{
	StringInfoData buf;
	List	   *expanded = NIL;
	int			n = list_length(request->done);
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, request->done)
	{
		Migration  *m = mig_catalog_get(lfirst(lc), false);

		if (m == NULL)
			continue;
		if (m->state == MIG_EXPANDED)
			expanded = lappend(expanded, m->version);
	}
	if (n == 0)
		appendStringInfoString(&buf, "nothing to do");
	else if (n == 1 && expanded == NIL)
		appendStringInfo(&buf, "%s is %s", (char *) linitial(request->done), past_tense(request));
	else if (expanded == NIL)
		appendStringInfo(&buf, "%d migrations are %s, %s to %s", n, past_tense(request),
						 (char *) linitial(request->done), (char *) llast(request->done));
	else
	{
		if (n > list_length(expanded))
			appendStringInfo(&buf, "%d are applied; ", n - list_length(expanded));
		foreach(lc, expanded)
			appendStringInfo(&buf, "%s%s", foreach_current_index(lc) ? ", " : "", (char *) lfirst(lc));
		appendStringInfo(&buf, "%s expanded: old and new code both work. When the old code is gone: CALL migrate.complete(%s)",
						 list_length(expanded) == 1 ? " is" : " are",
						 list_length(expanded) == 1 ? quote_literal_cstr(linitial(expanded)) : "'all'");
	}
	return buf.data;
}

/* --- serving --- */

static void
note_outcome(MigRequest *request, Migration *m, MigOutcome outcome, const MigError *error)
{
	MemoryContext old = CurrentMemoryContext;

	mig_exec_begin();
	mig_run_commit_softly();	/* how the run ended is on disk already */
	mig_request_take_notices(request->id);
	if (outcome == MIG_OUTCOME_DONE)
	{
		request->done = lappend(request->done, m->version);
		mig_request_add_done(request->id, m->version);
	}
	else
	{
		request->failed = lappend(request->failed, m->version);
		mig_request_add_failed(request->id, m->version, error);
	}
	mig_exec_commit();
	MemoryContextSwitchTo(old);
}

static void
serve_begin(MigRequest *request, MigGraph **graph, List **targets)
{
	mig_exec_begin();
	mig_run_commit_softly();	/* nothing is done yet */
	*graph = mig_serve_graph();
	*targets = mig_serve_targets(*graph, request);
	mig_settings_apply(request->settings);	/* of the caller; each run begins with a reset */
	if (request->done == NIL && request->failed == NIL)
		mig_serve_judge(*graph, request, *targets);
	mig_request_start(request->id);
	mig_exec_commit();
}

static void
serve_end(MigRequest *request)
{
	mig_exec_begin();
	mig_request_finish(request->id, mig_serve_summary(request));
	mig_exec_commit();
}

static bool
is_mine(const Migration *m)
{
	bool		mine;

	mig_exec_begin();
	mine = mig_owner_oid(m->owner) == GetUserId();
	mig_exec_commit();
	return mine;
}

char *
mig_serve(MigRequest *request)
{
	MigGraph   *graph;
	List	   *targets;
	List	   *stuck = NIL;
	ListCell   *lc;

	serve_begin(request, &graph, &targets);
	foreach(lc, request->failed)
		stuck = lappend(stuck, mig_graph_find(graph, lfirst(lc)));
	foreach(lc, targets)
	{
		Migration  *m = lfirst(lc);
		bool		named = request->target && strcmp(request->target, m->version) == 0;
		MigOutcome	outcome;
		MigError   *error = NULL;

		if (!is_free(graph, request, m, stuck))
		{
			stuck = lappend(stuck, m);
			continue;
		}
		if (!is_mine(m))
			return m->owner;
		mig_exec_reset(m->search_path);
		outcome = mig_run(request, m->version, mig_serve_direction(request), named, &error);
		if (outcome == MIG_OUTCOME_OTHER_OWNER)
			return m->owner;
		note_outcome(request, m, outcome, error);
		if (outcome != MIG_OUTCOME_DONE)
			stuck = lappend(stuck, m);
	}
	serve_end(request);
	return NULL;
}
