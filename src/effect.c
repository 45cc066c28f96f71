/*-------------------------------------------------------------------------
 *
 * effect.c
 *	  The parts that effects are made of: names, locks, changes.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_rewrite.h"
#include "utils/lsyscache.h"

#include "dependents.h"
#include "effect_int.h"
#include "relation.h"
#include "scan.h"
#include "sqlgen.h"

/* --- names --- */

/*
 * Names of sequences and indexes that a CREATE TABLE made on the side can
 * only be guessed; a name that ends like one is let pass.
 */
static bool
looks_implicit(const char *relname)
{
	static const char *const endings[] = {"_seq", "_pkey", "_key", "_idx", "_excl", "_fkey"};
	size_t		len = strlen(relname);

	for (int i = 0; i < lengthof(endings); i++)
	{
		size_t		n = strlen(endings[i]);

		/* a second one of a name has a number behind it */
		while (len > 0 && relname[len - 1] >= '0' && relname[len - 1] <= '9')
			len--;
		if (len > n && strncmp(relname + len - n, endings[i], n) == 0)
			return true;
	}
	return false;
}

static MigName *
require_name(MigWork *work, MigName *name, const char *shown, int location, bool missing_ok)
{
	if (name->known || missing_ok || mig_overlay_opaque(work->overlay) ||
		looks_implicit(name->relname))
		return name;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("relation \"%s\" does not exist", shown),
			 mig_overlay_errposition(work->overlay,
									 location >= 0 ? location : work->stmt->location)));
	return NULL;				/* keep compiler quiet */
}

MigName *
mig_effect_name(MigWork *work, const RangeVar *rv, bool missing_ok)
{
	MigName    *name = mig_overlay_find(work->overlay, rv->schemaname, rv->relname);

	return require_name(work, name,
						rv->schemaname ? psprintf("%s.%s", rv->schemaname, rv->relname) : rv->relname,
						rv->location, missing_ok);
}

MigName *
mig_effect_name_of_oid(MigWork *work, Oid relid)
{
	char	   *relname = get_rel_name(relid);
	char	   *nspname = get_namespace_name(get_rel_namespace(relid));

	/* dropped a moment ago: a name that nobody has */
	return mig_overlay_find(work->overlay, nspname ? nspname : "", relname ? relname : "");
}

MigName *
mig_effect_name_of_list(MigWork *work, List *names, int skip, bool missing_ok)
{
	int			n = list_length(names) - skip;
	char	   *relname = strVal(list_nth(names, n - 1));
	char	   *nspname = n > 1 ? strVal(list_nth(names, n - 2)) : NULL;
	MigName    *name = mig_overlay_find(work->overlay, nspname, relname);

	return require_name(work, name,
						nspname ? psprintf("%s.%s", nspname, relname) : relname,
						-1, missing_ok);
}

/* Where a word stands in the statement, behind a place; the statement if it does not. */
static int
place_of(MigWork *work, const char *word, int behind)
{
	const MigStatement *stmt = work->stmt;
	int			place = -1;
	MigScan		scan;

	mig_scan_begin(&scan, stmt->text);
	while (place < 0 && mig_scan_next(&scan))
	{
		const char *found = mig_scan_word(&scan);

		if (found && strcmp(found, word) == 0 && stmt->location + scan.start > behind)
			place = stmt->location + scan.start;
	}
	mig_scan_end(&scan);
	return place >= 0 ? place : stmt->location;
}

void
mig_effect_require_column(MigWork *work, const MigName *name, const char *colname,
						  const RangeVar *after)
{
	if (!mig_expr_lacks_column(work, name, colname))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist", colname, name->relname),
			 mig_overlay_errposition(work->overlay, place_of(work, colname, after->location))));
}

MigName *
mig_effect_target(MigWork *work, const RangeVar *rv)
{
	if (rv->schemaname && !mig_overlay_has_schema(work->overlay, rv->schemaname) &&
		!mig_overlay_opaque(work->overlay))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema \"%s\" does not exist", rv->schemaname),
				 mig_overlay_errposition(work->overlay,
										 rv->location >= 0 ? rv->location : work->stmt->location)));
	return mig_overlay_target(work->overlay, rv->schemaname, rv->relname,
							  rv->relpersistence == RELPERSISTENCE_TEMP);
}

char *
mig_effect_object_name(MigWork *work, List *names)
{
	int			n = list_length(names);
	char	   *nspname = n > 1 ? strVal(list_nth(names, n - 2)) : NULL;

	return mig_overlay_target(work->overlay, nspname, strVal(llast(names)), false)->text;
}

char *
mig_effect_last_name(List *names)
{
	return strVal(llast(names));
}

/* --- locks --- */

static MigLock *
add_lock(MigWork *work, const char *relation, Oid relid, LOCKMODE mode, bool created)
{
	MigLock    *lock;
	ListCell   *lc;

	foreach(lc, work->effect->locks)
	{
		lock = lfirst(lc);
		/* renamed by an earlier statement, it has two names */
		if ((OidIsValid(relid) && lock->relid == relid) || strcmp(lock->relation, relation) == 0)
		{
			lock->mode = Max(lock->mode, mode);
			return lock;
		}
	}
	lock = palloc0(sizeof(MigLock));
	lock->relation = pstrdup(relation);
	lock->relid = relid;
	lock->mode = mode;
	lock->created = created;
	work->effect->locks = lappend(work->effect->locks, lock);
	return lock;
}

/* An index is used by queries as soon as it is there, even if they do not know of it. */
static bool
is_index(const MigName *name)
{
	return name->relkind == RELKIND_INDEX || name->relkind == RELKIND_PARTITIONED_INDEX;
}

void
mig_effect_lock(MigWork *work, const MigName *name, LOCKMODE mode)
{
	if (!name->known)
		return;
	add_lock(work, name->text, name->relid, mode, name->created && !is_index(name));
	if (name->step && work->effect->rests == NULL)
		work->effect->rests = psprintf("step %d of %s%s", name->step->step,
									   name->version ? name->version : "sql",
									   name->step->phase == MIG_CONTRACT ? ", which waits" : "");
	if (mode < RowExclusiveLock)
		return;
	work->effect->touches = lappend(work->effect->touches, name->relname);
	if (name->created && !name->triggers)
		work->changes_made = true;
	else
		work->changes_other = true;
}

void
mig_effect_lock_oid(MigWork *work, Oid relid, LOCKMODE mode)
{
	char	   *text = mig_relation_text(relid);

	if (text == NULL)
		return;
	add_lock(work, text, relid, mode, false);
	if (mode >= RowExclusiveLock)
		work->changes_other = true;
}

void
mig_effect_lock_children(MigWork *work, const MigName *name, LOCKMODE mode)
{
	ListCell   *lc;

	if (!OidIsValid(name->relid))
		return;
	foreach(lc, mig_relation_children(name->relid))
		mig_effect_lock_oid(work, lfirst_oid(lc), mode);
}

void
mig_effect_about(MigWork *work, const MigName *name, LOCKMODE mode)
{
	MigEffect  *effect = work->effect;

	mig_effect_lock(work, name, mode);
	if (effect->relation != NULL)
		return;
	effect->relation = name->text;
	if (name->known)
		effect->lock = mode;
	if (OidIsValid(name->relid))
		mig_relation_size(name->relid, name->text, &effect->rows, &effect->bytes);
}

/*
 * An earlier statement may have dropped what the catalog still shows; of
 * views it is known, of the rest it is not.
 */
List *
mig_effect_still_there(MigWork *work, List *objects)
{
	List	   *there = NIL;
	ListCell   *lc;

	if (mig_overlay_mark(work->overlay) == 0)
		return objects;
	foreach(lc, objects)
	{
		ObjectAddress *object = lfirst(lc);
		Oid			relid = mig_dependents_relation(object);
		MigName    *name = object->classId == RewriteRelationId && OidIsValid(relid) ?
			mig_effect_name_of_oid(work, relid) : NULL;

		if (name && name->known && name->relid == relid && !name->touched)
			there = lappend(there, object);
	}
	return there;
}

/* Views, rules and tables that lose something along with what is dropped. */
void
mig_effect_lock_dependents(MigWork *work, List *objects)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		ObjectAddress *object = lfirst(lc);
		Oid			relid = mig_dependents_relation(object);

		if (OidIsValid(relid))
			mig_effect_lock_oid(work, relid, AccessExclusiveLock);
	}
}

/* --- work --- */

/*
 * Rows of one relation are read, or copied as well.  One without a single
 * block costs nothing, and what this migration has made keeps nobody waiting.
 */
static bool
mark_work(MigWork *work, Oid relid, bool rewrites)
{
	char	   *text = mig_relation_text(relid);
	MigLock    *lock;
	int64		rows,
				bytes;

	/* what is behind a foreign table is no business of ours */
	if (text == NULL || get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE)
		return false;
	mig_relation_size(relid, text, &rows, &bytes);
	if (bytes == 0)
		return false;
	lock = add_lock(work, text, relid, NoLock, false);
	lock->scans = true;
	lock->rewrites |= rewrites;
	work->effect->scans = true;
	work->effect->rewrites |= rewrites;
	return true;
}

bool
mig_effect_scans(MigWork *work, Oid relid)
{
	return mark_work(work, relid, false);
}

bool
mig_effect_rewrites(MigWork *work, Oid relid)
{
	return mark_work(work, relid, true);
}

void
mig_effect_copies(MigWork *work, Oid relid)
{
	char	   *text = mig_relation_text(relid);

	if (text == NULL)
		return;
	add_lock(work, text, relid, NoLock, false)->rewrites = true;
	work->effect->rewrites = true;
}

/* What was made before in the same migration is read as well, and the time it takes counts. */
static bool
mark_tree(MigWork *work, const MigName *name, bool inh, bool rewrites)
{
	bool		found = false;
	ListCell   *lc;

	if (!OidIsValid(name->relid))
	{
		work->effect->scans |= name->known;
		work->effect->rewrites |= name->known && rewrites;
		return false;
	}
	found |= mark_work(work, name->relid, rewrites);
	if (inh)
		foreach(lc, mig_relation_children(name->relid))
			found |= mark_work(work, lfirst_oid(lc), rewrites);
	return found;
}

bool
mig_effect_scans_tree(MigWork *work, const MigName *name, bool inh)
{
	return mark_tree(work, name, inh, false);
}

bool
mig_effect_rewrites_tree(MigWork *work, const MigName *name, bool inh)
{
	return mark_tree(work, name, inh, true);
}

/* --- what may go wrong --- */

MigHazard *
mig_effect_hazard(MigWork *work, MigHazardKind kind, const MigName *name,
				  const char *subject, const char *detail)
{
	MigHazard  *hazard = palloc0(sizeof(MigHazard));

	hazard->kind = kind;
	if (name)
	{
		hazard->relation = name->text;
		hazard->relid = name->relid;
		hazard->created = name->created;
	}
	hazard->subject = subject ? pstrdup(subject) : NULL;
	hazard->detail = detail ? pstrdup(detail) : NULL;
	work->effect->hazards = lappend(work->effect->hazards, hazard);
	return hazard;
}

MigHazard *
mig_effect_hazard_oid(MigWork *work, MigHazardKind kind, Oid relid,
					  const char *subject, const char *detail)
{
	return mig_effect_hazard(work, kind, mig_effect_name_of_oid(work, relid), subject, detail);
}

void
mig_effect_fails(MigWork *work, int sqlerrcode, int location, const char *hint,
				 const char *format,...)
{
	MigFailure *failure;
	va_list		args;
	char	   *text;

	/* the server would stop at the first */
	if (work->effect->failure)
		return;
	va_start(args, format);
	text = mig_sql_vformat(format, args);
	va_end(args);
	failure = palloc0(sizeof(MigFailure));
	failure->sqlerrcode = sqlerrcode;
	failure->location = location >= 0 ? location : work->stmt->location;
	failure->message = text;
	failure->hint = hint ? pstrdup(hint) : NULL;
	work->effect->failure = failure;
}

/* --- what follows --- */

void
mig_effect_note(MigWork *work, const char *format,...)
{
	MigEffect  *effect = work->effect;
	va_list		args;
	char	   *text;

	va_start(args, format);
	text = mig_sql_vformat(format, args);
	va_end(args);
	effect->note = effect->note ? psprintf("%s; %s", effect->note, text) : text;
}

MigChange *
mig_effect_add_change(MigWork *work, MigChangeKind kind)
{
	MigChange  *change = palloc0(sizeof(MigChange));

	change->kind = kind;
	work->effect->changes = lappend(work->effect->changes, change);
	return change;
}

void
mig_effect_change(MigWork *work, MigChangeKind kind, const MigName *name)
{
	MigChange  *change;

	if (!name->known)
		return;
	change = mig_effect_add_change(work, kind);
	change->nspname = name->nspname;
	change->relname = name->relname;
	change->relkind = name->relkind;
	if (kind == MIG_DROPS)
		mig_effect_drops_object(work, "relation", name->text);
}

void
mig_effect_move(MigWork *work, const MigName *name, const char *nspname, const char *relname)
{
	MigChange  *change;

	if (!name->known)
		return;
	change = mig_effect_add_change(work, MIG_MOVES);
	change->nspname = name->nspname;
	change->relname = name->relname;
	change->new_nspname = nspname;
	change->new_relname = relname;
	mig_effect_drops_object(work, "relation", name->text);
	if (name->created)
		mig_effect_makes_object(work, "relation", mig_sql_qualified(nspname, relname));
	else
		mig_effect_moves_object(work, "relation", mig_sql_qualified(nspname, relname));
}

void
mig_effect_makes(MigWork *work, const MigName *name, char relkind, bool if_new)
{
	MigChange  *change = mig_effect_add_change(work, if_new ? MIG_MAKES_IF_NEW : MIG_MAKES);

	change->nspname = name->nspname;
	change->relname = name->relname;
	change->relkind = relkind;
	work->effect->touches = lappend(work->effect->touches, name->relname);
	mig_effect_makes_object(work, "relation", name->text);
}

void
mig_effect_makes_object(MigWork *work, const char *kind, const char *name)
{
	work->effect->makes = lappend(work->effect->makes, psprintf("%s %s", kind, name));
}

void
mig_effect_moves_object(MigWork *work, const char *kind, const char *name)
{
	mig_effect_makes_object(work, kind, name);
	mig_effect_add_change(work, MIG_MOVES_OBJECT)->relname = psprintf("%s %s", kind, name);
}

void
mig_effect_changes_object(MigWork *work, const char *kind, const char *name)
{
	if (mig_overlay_made(work->overlay, psprintf("%s %s", kind, name)))
		work->changes_made = true;
	else
		work->changes_other = true;
}

void
mig_effect_drops_object(MigWork *work, const char *kind, const char *name)
{
	work->effect->drops = lappend(work->effect->drops, psprintf("%s %s", kind, name));
}

void
mig_effect_breaks(MigWork *work, const char *word)
{
	work->effect->contract = true;
	work->effect->breaks = true;
	if (word)
		work->effect->words = lappend(work->effect->words, pstrdup(word));
}

void
mig_effect_opaque(MigWork *work)
{
	work->effect->opaque = true;
	mig_effect_add_change(work, MIG_OPAQUE);
}

void
mig_effect_top_level(MigWork *work, MigStepKind kind)
{
	work->effect->place = MIG_TOP_LEVEL;
	work->effect->kind = kind;
}
