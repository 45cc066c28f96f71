/*-------------------------------------------------------------------------
 *
 * preflight.c
 *	  What would make a verb go wrong on this server, now.
 *
 * The verb's migrations are planned first; then each item is asked, in a
 * subtransaction of its own that is always rolled back: whatever it did, no
 * lock stays and nothing is written.  An item whose question cannot be
 * answered (for want of a right, of a plan, of a lock that would have to be
 * waited for) says so, and the others go on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "parser/parser.h"
#include "utils/resowner.h"

#include "preflight_int.h"
#include "relation.h"
#include "settings.h"

/* A transaction is old when nobody can hope that it is a short one. */
#define OLD_FACTOR 20			/* times migrate.stall_limit */

typedef struct Item
{
	const char *name;
	void		(*ask) (MigPreflight *p, MigFinding *f);
	bool		needs_plan;
} Item;

static const Item items[] = {
	{"primary", mig_preflight_primary, false},
	{"rights", mig_preflight_rights, false},
	{"plan", mig_preflight_plan, false},
	{"owner rights", mig_preflight_owners, true},
	{"order", mig_preflight_order, false},
	{"unfinished", mig_preflight_unfinished, false},
	{"way back", mig_preflight_way_back, true},
	{"verify", mig_preflight_verify, false},
	{"old transactions", mig_preflight_old, true},
	{"prepared transactions", mig_preflight_prepared, true},
	{"vacuum against wraparound", mig_preflight_vacuums, true},
	{"wraparound", mig_preflight_wraparound, true},
	{"invalid indexes", mig_preflight_invalid, true},
	{"logical replication", mig_preflight_logical, true},
	{"replicas", mig_preflight_replicas, false},
	{"archiver", mig_preflight_archiver, false},
	{"slots", mig_preflight_slots, false},
	{"disk", mig_preflight_disk, true},
	{"workers", mig_preflight_workers, false},
};

void
mig_preflight_line(MigFinding *finding, bool bad, const char *line)
{
	finding->detail = finding->detail ? psprintf("%s\n%s", finding->detail, line) : pstrdup(line);
	if (bad)
		finding->verdict = MIG_NOT_FINE;
}

Node *
mig_preflight_node(const MigStep *step)
{
	List	   *raw = raw_parser(step->command, RAW_PARSE_DEFAULT);

	return raw == NIL ? NULL : linitial_node(RawStmt, raw)->stmt;
}

/* --- what is concerned --- */

static void
add_concerned(MigPreflight *p, const char *version, const MigStep *step, const MigLock *lock)
{
	MigConcerned *concerned;
	Oid			relid;
	ListCell   *lc;

	relid = lock->created ? InvalidOid : mig_relation_by_name(lock->relation);
	if (!OidIsValid(relid))
		return;
	foreach(lc, p->concerned)
	{
		concerned = lfirst(lc);
		if (concerned->relid != relid)
			continue;
		if (concerned->mode < lock->mode)
		{
			concerned->mode = lock->mode;
			concerned->step = step->step;
			concerned->version = version;
		}
		return;
	}
	concerned = palloc(sizeof(MigConcerned));
	concerned->relid = relid;
	concerned->name = lock->relation;
	concerned->mode = lock->mode;
	concerned->step = step->step;
	concerned->version = version;
	p->concerned = lappend(p->concerned, concerned);
}

static void
find_concerned(MigPreflight *p)
{
	ListCell   *lc,
			   *ls,
			   *lk;

	foreach(lc, p->previews)
	{
		MigPreview *preview = lfirst(lc);

		foreach(ls, preview->steps)
		{
			MigStep    *step = lfirst(ls);

			if (strcmp(step->state, "done") == 0)
				continue;
			p->builds |= step->kind == MIG_STEP_CREATE_INDEX || step->kind == MIG_STEP_REINDEX ||
				step->kind == MIG_STEP_DROP_INDEX || step->kind == MIG_STEP_DETACH;
			foreach(lk, step->locks)
				add_concerned(p, preview->migration->version, step, lfirst(lk));
		}
	}
	foreach(lc, p->concerned)
	{
		MigConcerned *concerned = lfirst(lc);

		p->look.relations = lappend(p->look.relations, concerned->name);
		if (concerned->mode == AccessExclusiveLock)
			p->look.altered = lappend(p->look.altered, concerned->name);
	}
}

/* --- asking --- */

typedef void (*Question) (MigPreflight *p, void *arg);

/*
 * Ask in a subtransaction, and roll it back.  Returns the error, if it ended
 * with one; those that are not about the question pass through.
 */
static ErrorData *
ask(MigPreflight *p, Question question, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		question(p, arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

static void
ask_targets(MigPreflight *p, void *arg)
{
	p->migrations = mig_preview_targets(p->target, p->action);
}

static void
ask_plans(MigPreflight *p, void *arg)
{
	p->previews = mig_preview(p->migrations, p->action);
	find_concerned(p);
}

static void
ask_item(MigPreflight *p, void *arg)
{
	MigFinding *finding = arg;

	for (int i = 0; i < lengthof(items); i++)
		if (strcmp(items[i].name, finding->item) == 0)
			items[i].ask(p, finding);
}

static char *
error_text(const ErrorData *error)
{
	return error->detail ? psprintf("%s: %s", error->message, error->detail) :
		pstrdup(error->message);
}

static void
prepare(MigPreflight *p)
{
	ErrorData  *error;
	MigFinding	rights = {0};

	p->back = mig_preview_is_back(p->action);
	p->look.old_ms = OLD_FACTOR * mig_stall_limit;
	p->look.lag_ms = mig_max_replica_lag;
	p->look.slot_bytes = (int64) mig_max_slot_wal * 1024;
	p->look.ignored_replicas = mig_ignore_replicas;

	error = ask(p, ask_targets, NULL);
	if (error)
	{
		/* a question that makes no sense is an error; a verb that would be refused is a finding */
		if (error->sqlerrcode != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
			ThrowErrorData(error);
		p->refused = p->no_plan = error_text(error);
		return;
	}
	mig_preflight_rights(p, &rights);
	if (rights.verdict != MIG_FINE)
	{
		p->no_right = rights.detail;
		p->no_plan = "the caller may not do this";
		return;
	}
	error = ask(p, ask_plans, NULL);
	if (error)
	{
		p->no_plan = error_text(error);
		p->previews = p->concerned = NIL;
	}
}

List *
mig_preflight(const char *target, const char *action)
{
	MigPreflight p = {0};
	List	   *result = NIL;

	p.target = target;
	p.action = action;
	prepare(&p);
	for (int i = 0; i < lengthof(items); i++)
	{
		MigFinding *finding = palloc0(sizeof(MigFinding));
		ErrorData  *error = NULL;

		finding->item = items[i].name;
		if (items[i].needs_plan && p.no_plan)
		{
			finding->verdict = MIG_NOT_SEEN;
			finding->detail = "not looked at, as there is no plan";
		}
		else
			error = ask(&p, ask_item, finding);
		if (error)
		{
			finding->verdict = MIG_NOT_SEEN;
			finding->detail = error_text(error);
			finding->hint = error->hint;
		}
		result = lappend(result, finding);
	}
	return result;
}
