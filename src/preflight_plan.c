/*-------------------------------------------------------------------------
 *
 * preflight_plan.c
 *	  Preflight: what is to be said of the migrations themselves.
 *
 * Rights, order, what was left unfinished, and whether there is a way back
 * and a way to tell that all went well.  Takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "catalog.h"
#include "catalog_watch.h"
#include "compat.h"
#include "preflight_int.h"
#include "relation.h"
#include "settings.h"
#include "version.h"
#include "words.h"

static const char *
right_for(const MigPreflight *p)
{
	return p->back ? "rollback" : p->action;
}

void
mig_preflight_rights(MigPreflight *p, MigFinding *f)
{
	const char *caller = GetUserNameFromId(GetUserId(), false);
	ListCell   *lc;

	foreach(lc, p->migrations)
	{
		Migration  *m = lfirst(lc);
		Oid			owner = get_role_oid(m->owner, true);

		if (!OidIsValid(owner))
		{
			mig_preflight_bad(f, "role \"%s\", which owns migration \"%s\", does not exist",
							  m->owner, m->version);
			f->hint = psprintf("Give its migrations to another role: SELECT migrate.reassign(%s, ...).",
							   quote_literal_cstr(m->owner));
		}
		else if (!mig_can_become(GetUserId(), owner) &&
				 !mig_catalog_has_right(m->owner, GetUserId(), right_for(p)))
		{
			mig_preflight_bad(f, "migration \"%s\" belongs to role \"%s\", which role \"%s\" may not become",
							  m->version, m->owner, caller);
			f->hint = psprintf("Ask for membership in that role, or for the right: SELECT migrate.grant_right('%s', %s, %s).",
							   right_for(p), quote_literal_cstr(caller), quote_literal_cstr(m->owner));
		}
	}
	if (f->verdict == MIG_FINE)
		mig_preflight_say(f, "role \"%s\" may do what is asked for", caller);
}

void
mig_preflight_plan(MigPreflight *p, MigFinding *f)
{
	int			steps = 0;
	int			migrations = list_length(p->previews);
	ListCell   *lc;

	if (p->no_plan)
	{
		mig_preflight_bad(f, "%s", p->no_plan);
		if (!p->refused && !p->no_right)
			f->hint = psprintf("SELECT * FROM migrate.plan(%s, %s) shows the place.",
							   p->target ? quote_literal_cstr(p->target) : "NULL",
							   quote_literal_cstr(p->action));
		return;
	}
	foreach(lc, p->previews)
		steps += list_length(((MigPreview *) lfirst(lc))->steps);
	if (migrations == 0)
		mig_preflight_say(f, "there is nothing to do");
	else
		mig_preflight_say(f, "%d %s, %d %s", migrations, migrations == 1 ? "migration" : "migrations",
						  steps, steps == 1 ? "step" : "steps");
}

/* --- what the owner needs --- */

/* The right on its relation that a statement cannot do without; NULL: any will do. */
static const char *
need_of(const Node *node)
{
	switch (nodeTag(node))
	{
		case T_AlterTableStmt:
		case T_IndexStmt:
		case T_RenameStmt:
		case T_AlterObjectSchemaStmt:
		case T_RuleStmt:
		case T_CreatePolicyStmt:
		case T_AlterPolicyStmt:
		case T_CreateStatsStmt:
		case T_CommentStmt:
		case T_DropStmt:
			return "own";
		case T_CreateTrigStmt:
			return "trigger";
		case T_ReindexStmt:
		case T_ClusterStmt:
		case T_RefreshMatViewStmt:
			return "maintain";
		default:
			return "use";
	}
}

/* Where a statement makes something: a schema's name, quoted; or NULL. */
static const char *
makes_in(const Node *node, const MigStep *step)
{
	char	   *schema;
	char	   *relation;

	if (step->relation == NULL ||
		!(IsA(node, CreateStmt) || IsA(node, ViewStmt) || IsA(node, CreateSeqStmt) ||
		  IsA(node, CreateTableAsStmt) || IsA(node, CreateForeignTableStmt)))
		return NULL;
	DeconstructQualifiedName(mig_qualified_name(step->relation), &schema, &relation);
	return schema && strcmp(schema, "pg_temp") != 0 ? quote_identifier(schema) : NULL;
}

static void
add_need(List **needs, List **names, const char *need, const char *name)
{
	*needs = lappend(*needs, pstrdup(need));
	*names = lappend(*names, pstrdup(name));
}

static void
needs_of_step(const MigStep *step, List **needs, List **names)
{
	Node	   *node = mig_preflight_node(step);
	const char *schema;
	ListCell   *lc;

	if (node == NULL || strcmp(step->state, "done") == 0)
		return;
	schema = makes_in(node, step);
	if (schema)
		add_need(needs, names, "create", schema);
	foreach(lc, step->locks)
	{
		MigLock    *lock = lfirst(lc);

		if (lock->created)
			continue;
		if (step->relation && strcmp(lock->relation, step->relation) == 0)
			add_need(needs, names, need_of(node), lock->relation);
		else
			add_need(needs, names, "use", lock->relation);
	}
}

void
mig_preflight_owners(MigPreflight *p, MigFinding *f)
{
	ListCell   *lc,
			   *ls;

	foreach(lc, p->previews)
	{
		MigPreview *preview = lfirst(lc);
		List	   *needs = NIL;
		List	   *names = NIL;

		add_need(&needs, &names, "connect", "");
		foreach(ls, preview->steps)
			needs_of_step(lfirst(ls), &needs, &names);
		foreach(ls, mig_server_lacking(preview->migration->owner, needs, names))
			mig_preflight_bad(f, "role \"%s\" of migration \"%s\": %s", preview->migration->owner,
							  preview->migration->version, (char *) lfirst(ls));
	}
	if (f->verdict == MIG_NOT_FINE)
		f->hint = "A migration runs with the rights of its owner, never more: GRANT what is missing, or register it as a role that has it.";
	else
		mig_preflight_say(f, "the owners have the rights that can be told from the plan");
}

/* --- order --- */

void
mig_preflight_order(MigPreflight *p, MigFinding *f)
{
	Migration  *newest = NULL;
	ListCell   *lc;

	if (p->refused)
	{
		f->verdict = MIG_NOT_SEEN;
		f->detail = "not looked at, as it would be refused";
		return;
	}
	foreach(lc, mig_watch_list())
	{
		Migration  *m = lfirst(lc);

		if (m->in_order && (m->state == MIG_APPLIED || m->state == MIG_EXPANDED))
			newest = m;
	}
	if (newest && strcmp(p->action, "apply") == 0)
		foreach(lc, p->migrations)
		{
			Migration  *m = lfirst(lc);

			if (m->state != MIG_PENDING || mig_version_cmp(newest->version, m->version) < 0)
				continue;
			if (mig_out_of_order == MIG_ORDER_ALLOW)
				mig_preflight_say(f, "migration \"%s\" comes after \"%s\" is applied", m->version, newest->version);
			else
				mig_preflight_bad(f, "migration \"%s\" is pending, but \"%s\" is applied already",
								  m->version, newest->version);
		}
	if (f->verdict == MIG_NOT_FINE)
		f->hint = mig_out_of_order == MIG_ORDER_ERROR ?
			"Give it a higher version, or set migrate.out_of_order to warn or allow." :
			"It will run, with a warning; give it a higher version if the order matters.";
	else if (f->detail == NULL)
		mig_preflight_say(f, "nothing is out of order");
}

/* --- what others have left --- */

static bool
is_target(const MigPreflight *p, const Migration *m)
{
	ListCell   *lc;

	foreach(lc, p->migrations)
		if (strcmp(((Migration *) lfirst(lc))->version, m->version) == 0)
			return true;
	return false;
}

/* What an expanded migration has yet to change must not be changed by others before. */
static void
find_entangled(MigPreflight *p, MigFinding *f)
{
	ListCell   *lc;

	if (strcmp(p->action, "apply") != 0)
		return;
	foreach(lc, p->concerned)
	{
		MigConcerned *c = lfirst(lc);
		char	   *other;

		if (c->mode <= RowExclusiveLock)
			continue;
		other = mig_catalog_contract_on(c->name, c->version);
		if (other)
			mig_preflight_bad(f, "migration \"%s\" changes %s, as the contract phase of \"%s\" has yet to do",
							  c->version, c->name, other);
	}
}

void
mig_preflight_unfinished(MigPreflight *p, MigFinding *f)
{
	ListCell   *lc;

	foreach(lc, mig_watch_list())
	{
		Migration  *m = lfirst(lc);
		bool		named = p->target && mig_version_cmp(p->target, m->version) == 0;

		if (m->state == MIG_PENDING || m->state == MIG_APPLIED)
			continue;
		if (m->state == MIG_EXPANDED || (is_target(p, m) && !m->paused_on_purpose) || named)
			mig_preflight_say(f, "migration \"%s\": %s", m->version, mig_state_word(m->state));
		else
			mig_preflight_bad(f, "migration \"%s\": %s%s", m->version, mig_state_word(m->state),
							  m->paused_on_purpose ? " on purpose" : "");
	}
	find_entangled(p, f);
	if (f->verdict == MIG_NOT_FINE)
		f->hint = "Let it go on, complete it or roll it back: SELECT migrate.show(version) says what each would take.";
	else if (f->detail == NULL)
		mig_preflight_say(f, "nothing is unfinished");
}

/* --- afterwards --- */

void
mig_preflight_way_back(MigPreflight *p, MigFinding *f)
{
	ListCell   *lc,
			   *ls;

	if (p->back)
	{
		mig_preflight_say(f, "this is the way back");
		return;
	}
	foreach(lc, p->previews)
	{
		MigPreview *preview = lfirst(lc);

		if (preview->migration->down)
			continue;
		foreach(ls, preview->steps)
		{
			MigStep    *step = lfirst(ls);

			if (step->undo == NULL)
				mig_preflight_bad(f, "step %d of migration \"%s\" (line %d) is irreversible: %s",
								  step->step, preview->migration->version, step->line, step->command);
		}
	}
	if (f->verdict == MIG_NOT_FINE)
		f->hint = "Register the migration with a down that undoes it, or make sure of a backup.";
	else
		mig_preflight_say(f, "every migration can be rolled back");
}

void
mig_preflight_verify(MigPreflight *p, MigFinding *f)
{
	ListCell   *lc;

	if (!p->back)
		foreach(lc, p->migrations)
		{
			Migration  *m = lfirst(lc);

			if (m->verify == NULL)
				mig_preflight_bad(f, "migration \"%s\" has no verify", m->version);
		}
	if (f->verdict == MIG_NOT_FINE)
		f->hint = "Register it with a query that returns true when all is as it should be.";
	else
		mig_preflight_say(f, p->back ? "a way back has no verify" : "every migration has a verify");
}
