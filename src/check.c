/*-------------------------------------------------------------------------
 *
 * check.c
 *	  What SQL would do to a live database if it were run as it stands.
 *
 * Statement by statement: every relation that it locks, and what may go wrong
 * there.  What the classifier has found (hazards) becomes a finding if the
 * rule for it (check_rules.c) says that it matters for a table of that size;
 * what only the neighbours of a statement tell, or the queries of clients, is
 * added here.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "check_int.h"
#include "online.h"
#include "overlay.h"
#include "plan.h"
#include "refuse.h"
#include "relation.h"
#include "settings.h"

/* What apply() does in its stead. */
#define BY_APPLY "apply does this for you"

/* --- statement after statement --- */

/* Does the planner know another way?  An error of it is what the server would say as well. */
static bool
has_sequence(const MigStatement *stmt, MigEffect *effect, const MigOverlay *overlay,
			 const List *statements)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool found = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		mig_refuse(stmt, effect, overlay);
		found = mig_online_expand(stmt, effect, overlay, statements) != NIL;
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
			error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
			ReThrowError(error);
		effect->failure = palloc0(sizeof(MigFailure));
		effect->failure->sqlerrcode = error->sqlerrcode;
		effect->failure->location = stmt->location;
		effect->failure->message = error->message;
		effect->failure->hint = error->hint;
	}
	PG_END_TRY();
	return found;
}

static void
look(void *arg, const MigStatement *stmt, MigEffect *effect, const MigOverlay *overlay, const void *block,
	 const List *statements)
{
	List	  **looked = arg;
	MigLooked  *looked_at = palloc0(sizeof(MigLooked));

	if (block && effect->place == MIG_TOP_LEVEL && effect->failure == NULL)
	{
		effect->failure = palloc0(sizeof(MigFailure));
		effect->failure->sqlerrcode = ERRCODE_ACTIVE_SQL_TRANSACTION;
		effect->failure->location = stmt->location;
		effect->failure->message = "it cannot run inside a transaction block";
		effect->failure->hint = "Put it outside of BEGIN and COMMIT.";
	}
	looked_at->stmt = stmt;
	looked_at->effect = effect;
	looked_at->block = block;
	if (effect->failure == NULL)
		looked_at->online = has_sequence(stmt, effect, overlay, statements);
	*looked = lappend(*looked, looked_at);
}

/* --- words --- */

static const char *
kept_out(LOCKMODE mode)
{
	switch (mode)
	{
		case AccessExclusiveLock:
			return "nobody can read or write it";
		case ExclusiveLock:
		case ShareRowExclusiveLock:
		case ShareLock:
			return "nobody can write to it";
		case ShareUpdateExclusiveLock:
			return "vacuum and other changes of its schema wait";
		default:
			return "clients go on";
	}
}

static char *
size_text(int64 rows, int64 bytes)
{
	char	   *size = bytes < 0 ? NULL :
		TextDatumGetCString(DirectFunctionCall1(pg_size_pretty, Int64GetDatum(bytes)));

	if (size == NULL)
		return "of unknown size";
	if (rows < 0)
		return size;
	return psprintf(INT64_FORMAT " rows, %s", rows, size);
}

static char *
expand(const char *template, const MigHazard *hazard, const MigFinding *finding)
{
	StringInfoData buf;

	if (template == NULL)
		return NULL;
	initStringInfo(&buf);
	for (const char *p = template; *p; p++)
	{
		if (*p != '%')
		{
			appendStringInfoChar(&buf, *p);
			continue;
		}
		switch (*++p)
		{
			case 'r':
				appendStringInfoString(&buf, hazard->relation ? hazard->relation : "it");
				break;
			case 's':
				appendStringInfoString(&buf, hazard->subject ? hazard->subject : "it");
				break;
			case 'd':
				appendStringInfoString(&buf, hazard->detail ? hazard->detail : "it");
				break;
			case 'n':
				appendStringInfoString(&buf, size_text(finding->rows, finding->bytes));
				break;
			case 'l':
				appendStringInfoString(&buf, kept_out(finding->lock));
				break;
			default:
				appendStringInfoChar(&buf, *p);
				break;
		}
	}
	return buf.data;
}

static char *
remedy(const MigRule *rule, const MigLooked *looked, const MigHazard *hazard, const MigFinding *finding)
{
	bool		by_apply = false;

	switch (rule->remedy)
	{
		case MIG_REMEDY_APPLY:
			by_apply = looked->online;
			break;
		case MIG_REMEDY_GATE:
			by_apply = true;
			break;
		case MIG_REMEDY_COMPLETE:
			by_apply = looked->effect->contract || looked->online;
			break;
		case MIG_REMEDY_HAND:
			break;
	}
	if (by_apply)
		return BY_APPLY;
	return hazard->instead ? hazard->instead : expand(rule->instead, hazard, finding);
}

/* --- findings --- */

/* A row about a relation that a statement locks, or about none. */
static MigFinding *
new_finding(const MigLooked *looked, char *relation, Oid relid)
{
	MigFinding *finding = palloc0(sizeof(MigFinding));
	const MigLock *lock = relation ? mig_looked_lock(looked, relation, relid) : NULL;

	finding->statement = looked->stmt->index;
	finding->line = looked->stmt->line;
	finding->relation = relation;
	finding->lock = lock ? lock->mode : NoLock;
	finding->rows = finding->bytes = -1;
	if (OidIsValid(relid))
		mig_relation_size(relid, relation, &finding->rows, &finding->bytes);
	/* nothing is done by what fails */
	finding->scans = looked->scans && looked->effect->failure == NULL;
	finding->rewrites = looked->rewrites && looked->effect->failure == NULL;
	finding->breaks = looked->effect->breaks;
	return finding;
}

static bool
matters(const MigRule *rule, const MigHazard *hazard, const MigFinding *finding)
{
	if (hazard->relation == NULL)
		return true;
	if (hazard->created && rule->when != 0)
		return false;
	if ((rule->when & MIG_WHEN_ROWS) && finding->bytes == 0)
		return false;
	if (rule->when & MIG_WHEN_WORK)
		return finding->bytes > (int64) mig_small_table * 1024;
	return true;
}

/* NULL if it does not matter. */
static MigFinding *
finding_of(const MigLooked *looked, const MigHazard *hazard)
{
	const MigRule *rule = mig_check_rule(hazard->kind);
	MigFinding *finding = new_finding(looked, hazard->relation, hazard->relid);

	if (!matters(rule, hazard, finding))
		return NULL;
	finding->rule = rule->name;
	finding->severity = rule->severity;
	finding->message = expand(rule->message, hazard, finding);
	finding->instead = remedy(rule, looked, hazard, finding);
	return finding;
}

static bool
is_about(const MigFinding *finding, const char *relation)
{
	return finding->relation && strcmp(finding->relation, relation) == 0;
}

static bool
has_finding(const List *findings, const MigFinding *like)
{
	const ListCell *lc;

	foreach(lc, findings)
	{
		const MigFinding *finding = lfirst(lc);

		if (finding->rule == like->rule && strcmp(finding->message, like->message) == 0 &&
			(finding->relation == NULL) == (like->relation == NULL) &&
			(finding->relation == NULL || is_about(finding, like->relation)))
			return true;
	}
	return false;
}

/* Of a relation with nothing else to say: does the lock itself matter? */
static MigFinding *
lock_finding(const MigLooked *looked, MigLock *lock)
{
	MigHazard	hazard = {MIG_HZ_LOCK, lock->relation, lock->relid, lock->created};
	MigFinding *finding = NULL;

	if (lock->mode >= ShareLock)
	{
		if ((looked->scans || looked->rewrites) && !lock->scans)
			hazard.kind = MIG_HZ_LOCK_MEANWHILE;
		finding = finding_of(looked, &hazard);
	}
	return finding ? finding : new_finding(looked, lock->relation, lock->relid);
}

/* The findings about one statement: those about a relation together, in the order of its locks. */
static List *
findings_of(const MigLooked *looked)
{
	List	   *found = NIL;
	List	   *findings = NIL;
	ListCell   *lc,
			   *lf;

	foreach(lc, looked->effect->hazards)
	{
		MigFinding *finding = finding_of(looked, lfirst(lc));

		if (finding && !has_finding(found, finding))
			found = lappend(found, finding);
	}
	foreach(lc, looked->effect->locks)
	{
		MigLock    *lock = lfirst(lc);
		bool		any = false;

		foreach(lf, found)
			if (is_about(lfirst(lf), lock->relation))
			{
				findings = lappend(findings, lfirst(lf));
				any = true;
			}
		if (!any && !lock->created && OidIsValid(lock->relid))
			findings = lappend(findings, lock_finding(looked, lock));
	}
	/* and about what is not locked */
	findings = list_concat_unique_ptr(findings, found);
	if (findings == NIL && looked->effect->breaks)
		findings = list_make1(new_finding(looked, looked->effect->relation, InvalidOid));
	return findings;
}

List *
mig_check(const char *sql, List *queries)
{
	MigPlanContext context = {0};
	List	   *looked = NIL;
	List	   *findings = NIL;
	ListCell   *lc;

	context.what = "sql";
	context.look = look;
	context.look_arg = &looked;
	(void) mig_plan_build(sql, &context);
	mig_check_neighbours(looked);
	foreach(lc, looked)
	{
		mig_check_clients(lfirst(lc), queries);
		findings = list_concat(findings, findings_of(lfirst(lc)));
	}
	return findings;
}
