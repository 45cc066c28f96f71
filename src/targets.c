/*-------------------------------------------------------------------------
 *
 * targets.c
 *	  The migrations that a verb would touch, in the order that it takes.
 *
 * Pure: looks at the graph and at the states in it.  A state that says
 * running may be stale here; whoever acts asks the liveness lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "targets.h"

static char *
version_list(List *migrations)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, migrations)
		appendStringInfo(&buf, "%s\"%s\"", buf.len ? ", " : "",
						 ((Migration *) lfirst(lc))->version);
	return buf.data;
}

static List *
apply_targets(MigGraph *graph, const char *target, bool complete)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, mig_graph_order(graph, target ? mig_graph_get(graph, target) : NULL))
	{
		Migration  *m = lfirst(lc);

		if (m->state == MIG_APPLIED || (m->state == MIG_EXPANDED && !complete))
			continue;
		result = lappend(result, m);
	}
	return result;
}

static List *
with_state(MigGraph *graph, MigState state)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, mig_graph_all(graph))
	{
		Migration  *m = lfirst(lc);

		if (m->state == state)
			result = lappend(result, m);
	}
	return result;
}

/* Is it in the midst of its contract phase? */
static bool
is_completing(const Migration *m)
{
	return m->state == MIG_COMPLETING ||
		((m->state == MIG_FAILED || m->state == MIG_PAUSED) &&
		 m->direction == MIG_DIR_COMPLETE);
}

static List *
complete_targets(MigGraph *graph, const char *target)
{
	List	   *candidates = with_state(graph, MIG_EXPANDED);
	Migration  *m;
	ListCell   *lc;

	foreach(lc, mig_graph_all(graph))
		if (is_completing(lfirst(lc)))
			candidates = lappend(candidates, lfirst(lc));

	if (target && strcmp(target, "all") == 0)
		return candidates;
	if (target == NULL)
	{
		if (list_length(candidates) > 1)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("more than one migration is expanded: %s", version_list(candidates)),
					 errhint("Name one, or say 'all'.")));
		return candidates;
	}
	m = mig_graph_get(graph, target);
	if (m->state == MIG_APPLIED)
		return NIL;
	if (!list_member_ptr(candidates, m))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" is not expanded", m->version),
				 errhint("Run CALL migrate.apply('%s') first.", m->version)));
	return list_make1(m);
}

/* The one that somebody began and nobody ended; failing that, the one that is expanded. */
static Migration *
the_unfinished(MigGraph *graph)
{
	List	   *unfinished = NIL;
	ListCell   *lc;

	foreach(lc, mig_graph_all(graph))
	{
		Migration  *m = lfirst(lc);

		if (m->state != MIG_PENDING && m->state != MIG_APPLIED && m->state != MIG_EXPANDED)
			unfinished = lappend(unfinished, m);
	}
	if (unfinished == NIL)
		unfinished = with_state(graph, MIG_EXPANDED);
	if (unfinished == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no migration is unfinished"),
				 errhint("Name the version that is to be rolled back.")));
	if (list_length(unfinished) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("more than one migration is unfinished: %s", version_list(unfinished)),
				 errhint("Name the version that is to be rolled back.")));
	return linitial(unfinished);
}

static List *
not_pending(List *migrations)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, migrations)
	{
		Migration  *m = lfirst(lc);

		if (m->state != MIG_PENDING)
			result = lappend(result, m);
	}
	return result;
}

static List *
rollback_targets(MigGraph *graph, const char *target, bool cascade)
{
	Migration  *m = target ? mig_graph_get(graph, target) : the_unfinished(graph);
	List	   *dependents;

	if (m->state == MIG_PENDING)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" is pending: there is nothing to roll back", m->version)));
	dependents = not_pending(mig_graph_dependents(graph, m));
	if (dependents != NIL && !cascade)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" cannot be rolled back, others require it: %s",
						m->version, version_list(dependents)),
				 errhint("Roll those back first, or say cascade => true.")));
	return lappend(dependents, m);
}

static List *
rollback_to_targets(MigGraph *graph, const char *target)
{
	List	   *stay;
	List	   *result = NIL;
	ListCell   *lc;

	if (target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("version must not be null")));
	stay = mig_graph_order(graph, mig_graph_get(graph, target));
	foreach(lc, mig_graph_order(graph, NULL))
		if (!list_member_ptr(stay, lfirst(lc)))
			result = lcons(lfirst(lc), result);
	return not_pending(result);
}

List *
mig_targets(MigGraph *graph, const char *verb, const char *target,
			bool complete, bool cascade)
{
	if (strcmp(verb, "apply") == 0)
		return apply_targets(graph, target, complete);
	if (strcmp(verb, "complete") == 0)
		return complete_targets(graph, target);
	if (strcmp(verb, "rollback") == 0)
		return rollback_targets(graph, target, cascade);
	if (strcmp(verb, "rollback_to") == 0)
		return rollback_to_targets(graph, target);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("action must be apply, complete, rollback or rollback_to, not \"%s\"", verb)));
	return NIL;					/* keep compiler quiet */
}
