/*-------------------------------------------------------------------------
 *
 * register.c
 *	  Migrations into the registry, and out of it.
 *
 * Everything that can be wrong is looked at before anything is stored, and
 * nothing here catches an error: a call that fails leaves nothing behind.
 *
 * Registrations in one database take turns, by an exclusive object lock on
 * our table until the end of the transaction, so that two of them cannot
 * together make a circle or take away what the other one requires.  Runs do
 * not take that lock; a migration whose content is replaced has its row
 * locked, and its state is looked at again under that lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "block.h"
#include "catalog.h"
#include "compat.h"
#include "graph.h"
#include "parse.h"
#include "register.h"
#include "session.h"
#include "settings.h"
#include "version.h"
#include "words.h"

#define MAX_NAME_LEN	1000	/* bytes */

/* --- what a migration must be --- */

static void
check_name(const char *version, const char *name)
{
	size_t		len = name ? strlen(name) : 0;

	if (name == NULL)
		return;
	if (len == 0 || len > MAX_NAME_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 len == 0 ? errmsg("name of migration \"%s\" must not be empty", version) :
				 errmsg("name of migration \"%s\" is too long", version),
				 len == 0 ? errhint("Leave the name out: it is NULL then.") :
				 errdetail("It has %zu bytes; at most %d are possible.", len, MAX_NAME_LEN)));
	for (const char *c = name; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("name of migration \"%s\" must not contain control characters", version)));
}

static void
check_requires(const Migration *m)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, m->requires)
	{
		const char *required = lfirst(lc);

		mig_version_check(required);
		if (mig_version_cmp(required, m->version) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("migration \"%s\" cannot require itself", m->version)));
		for_each_cell(lc2, m->requires, lnext(m->requires, lc))
			if (mig_version_cmp(required, lfirst(lc2)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("migration \"%s\" requires \"%s\" twice", m->version, required),
						 strcmp(required, lfirst(lc2)) == 0 ? 0 :
						 errdetail("\"%s\" and \"%s\" are the same number.",
								   required, (char *) lfirst(lc2))));
	}
}

/*
 * What does not fit its place in the text: planning would refuse it.  A
 * folder is a history, which another tool may have run in transactions of its
 * own: there it keeps nobody from loading the rest.
 */
static void
judge_blocks(const List *statements, const char *sql, const char *what, int first_line, bool history)
{
	ListCell   *lc;

	foreach(lc, mig_block_faults(statements))
	{
		const MigBlockFault *fault = lfirst(lc);

		if (fault->refused && !history)
			ereport(ERROR,
					(errcode(fault->sqlerrcode),
					 errmsg("%s", fault->message),
					 fault->hint ? errhint("%s", fault->hint) : 0,
					 mig_parse_errposition_at(sql, what, first_line, fault->stmt->location)));
		ereport(WARNING,
				(errcode(fault->sqlerrcode),
				 fault->refused ?
				 errmsg("line %d of %s cannot run: %s", fault->stmt->line, what, fault->message) :
				 errmsg("line %d of %s: %s", fault->stmt->line, what, fault->message),
				 fault->hint ? errhint("%s", fault->hint) : 0));
	}
}

/* The statements are not needed, and those of a large file take much memory. */
static void
parse_only(const char *sql, const char *what, int first_line, bool history, bool blocks)
{
	MemoryContext parsed = AllocSetContextCreate(CurrentMemoryContext, "parsed migration",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(parsed);
	List	   *statements;

	statements = mig_parse_at(sql, what, first_line);
	if (blocks)
		judge_blocks(statements, sql, what, first_line, history);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(parsed);
}

/* Is an error one of the text, and not of the server? */
static bool
is_mistake(const ErrorData *edata)
{
	int			category = ERRCODE_TO_CATEGORY(edata->sqlerrcode);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR) ||
		category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_FEATURE_NOT_SUPPORTED;
}

/*
 * Parse a down.  A folder is a history, and nobody may ever have run its
 * older downs: there a mistake is a WARNING, and false is returned, so that
 * it keeps nobody from loading the rest.  Only the parser runs, which leaves
 * nothing behind but memory.
 */
static bool
check_down(const Migration *m, bool history)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile edata = NULL;
	int			line;
	const char *what = mig_part_name(m, "down", &line);

	PG_TRY();
	{
		parse_only(m->down, what, line, history, true);
	}
	PG_CATCH();
	{
		if (!history)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		edata = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (edata == NULL)
		return true;
	if (!is_mistake(edata))
		ReThrowError(edata);
	ereport(WARNING,
			(errcode(edata->sqlerrcode),
			 errmsg("%s cannot run: %s", what, edata->message),
			 errhint("It is stored as it is; rolling back over it will fail."),
			 edata->internalquery ? internalerrquery(edata->internalquery) : 0,
			 internalerrposition(edata->internalpos),
			 errcontext("%.*s", (int) strcspn(edata->context, "\n"), edata->context)));
	return false;
}

/* Parse all parts; false if down cannot be. */
static bool
check_sql(const Migration *m, bool history)
{
	int			line;
	char	   *what = mig_part_name(m, "up", &line);

	parse_only(m->up, what, line, history, true);
	if (m->verify)
	{
		what = mig_part_name(m, "verify", &line);
		/* it runs in a transaction of ours */
		parse_only(m->verify, what, line, history, false);
	}
	return m->down == NULL || check_down(m, history);
}

/*
 * The checksums cover all that a migration does, in whatever way it was
 * written.  A down that cannot be parsed has no tokens, and counts as it stands.
 */
static void
fill_checksums(Migration *m, bool down_parses)
{
	const char *parts[] = {m->up, m->down, m->verify, NULL, NULL};
	const char *tokens[] = {m->up, down_parses ? m->down : NULL, m->verify};
	const char *rest[] = {NULL, NULL, NULL, NULL};
	StringInfoData requires;
	ListCell   *lc;

	if (m->requires_written)
	{
		initStringInfo(&requires);
		foreach(lc, m->requires)
			appendStringInfo(&requires, "%s\n", (char *) lfirst(lc));
		parts[3] = requires.data;
	}
	if (JB_ROOT_COUNT(m->options) > 0)
		parts[4] = JsonbToCString(NULL, &m->options->root, VARSIZE(m->options));
	m->checksum = mig_checksum(parts, lengthof(parts));

	rest[0] = mig_token_checksum(tokens, lengthof(tokens));
	rest[1] = parts[3];
	rest[2] = parts[4];
	rest[3] = down_parses ? NULL : m->down;
	m->token_checksum = mig_checksum(rest, lengthof(rest));
}

static void
file_context(void *arg)
{
	const Migration *m = arg;

	if (strchr(m->origin, '.'))
		errcontext("file \"%s\"", m->origin);
}

/* Look at all that can be judged without the registry, and fill in the rest. */
static void
check_migration(Migration *m, bool history)
{
	ErrorContextCallback callback;
	char	   *what;

	callback.callback = file_context;
	callback.arg = m;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	m->up_line = Max(m->up_line, 1);
	m->down_line = Max(m->down_line, 1);
	m->verify_line = Max(m->verify_line, 1);
	mig_version_check(m->version);
	if (strcmp(m->version, "all") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version must not be \"all\""),
				 errdetail("That word stands for every migration.")));
	if (m->in_order && strncmp(m->version, "run-", strlen("run-")) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version must not begin with \"run-\""),
				 errdetail("Such versions are given by migrate.run() and migrate.backfill().")));
	what = psprintf("migration \"%s\"", m->version);
	check_name(m->version, m->name);
	check_requires(m);
	mig_settings_check(m->options, what);
	if (m->options == NULL)
		m->options = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
	m->up = mig_skip_bom(m->up);
	m->down = m->down ? mig_skip_bom(m->down) : NULL;
	m->verify = m->verify ? mig_skip_bom(m->verify) : NULL;
	fill_checksums(m, check_sql(m, history));
	m->owner = GetUserNameFromId(GetUserId(), false);
	m->search_path = pstrdup(GetConfigOption("search_path", false, false));
	m->state = MIG_PENDING;

	error_context_stack = callback.previous;
}

/*
 * The scanner tells each time it sees it that it cuts a long name off; here,
 * where a text is scanned several times and nothing is run, nobody needs that.
 */
static void
check_all(List *migrations, bool history)
{
	int			level = NewGUCNestLevel();
	ListCell   *lc;

	if (client_min_messages < WARNING)
		(void) set_config_option("client_min_messages", "warning", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	foreach(lc, migrations)
	{
		CHECK_FOR_INTERRUPTS();
		check_migration(lfirst(lc), history);
	}
	AtEOXact_GUC(false, level);
}

/* --- what is registered already --- */

void
mig_register_lock(void)
{
	LockDatabaseObject(mig_catalog_table("migration"), InvalidOid, 0, ExclusiveLock);
}

/* Has nothing of it been done, so that its content can still change? */
static bool
nothing_done(const Migration *m)
{
	MigPlan    *plan;
	ListCell   *lc;

	if (m->state == MIG_PENDING)
		return true;
	if (m->state != MIG_FAILED || m->steps_done > 0)
		return false;
	plan = mig_catalog_load_plan(m->version, MIG_DIR_APPLY);
	foreach(lc, plan ? plan->steps : NIL)
	{
		const MigStep *step = lfirst(lc);

		if (step->state && strcmp(step->state, "pending") != 0 && strcmp(step->state, "undone") != 0)
			return false;
	}
	return true;
}

/* 55000 for new content (or NULL: none) of a migration that has begun. */
static void
check_not_begun(const Migration *old, const Migration *new)
{
	const char *state = old->state == MIG_FAILED ? "has failed after it had begun" :
		old->state == MIG_ROLLING_BACK ? "is being rolled back" :
		psprintf("is %s", mig_state_word(old->state));

	if (nothing_done(old))
		return;
	if (new)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot replace the content of migration \"%s\", which %s", old->version, state),
				 errdetail("Registered with checksum %s, now %s.", old->checksum, new->checksum),
				 errhint("Roll it back first, or put the change into a new migration.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot unregister migration \"%s\", which %s", old->version, state),
			 errhint("Roll it back first.")));
}

/* The registry once it holds the migrations, instead of older ones of their versions. */
static List *
merged(List *registered, List *migrations, MigGraph *added)
{
	List	   *all = list_copy(migrations);
	ListCell   *lc;

	foreach(lc, registered)
		if (mig_graph_find(added, ((Migration *) lfirst(lc))->version) == NULL)
			all = lappend(all, lfirst(lc));
	return all;
}

/*
 * Another name, file or place in it of a migration whose content stays: kept if the role
 * may write it.  One that runs has its row locked for as long as a step takes.
 */
static void
rename_migration(const Migration *old, Migration *m, MigRegistered *done)
{
	Migration  *full;
	bool		renamed = m->name && (old->name == NULL || strcmp(old->name, m->name) != 0);

	if (!renamed && strcmp(old->origin, m->origin) == 0 &&
		old->up_line == m->up_line && old->down_line == m->down_line && old->verify_line == m->verify_line)
		return;
	if (old->state == MIG_RUNNING || old->state == MIG_COMPLETING || old->state == MIG_ROLLING_BACK ||
		!mig_can_become(GetUserId(), get_role_oid(old->owner, true)))
		return;
	full = mig_catalog_get(old->version, true);
	if (m->name)
		full->name = m->name;
	full->origin = m->origin;
	full->up_line = m->up_line;
	full->down_line = m->down_line;
	full->verify_line = m->verify_line;
	mig_catalog_set_checksum(full);
	if (renamed)
		done->note = old->name ? psprintf("renamed from \"%s\"", old->name) : psprintf("named \"%s\"", m->name);
}

/* Only comments or blanks differ. */
static void
store_cosmetic(const Migration *old, Migration *m, MigRegistered *done)
{
	mig_check_right(old, NULL);
	(void) mig_catalog_get(old->version, true);
	if (m->name == NULL)
		m->name = old->name;
	mig_catalog_set_checksum(m);
	mig_catalog_note(m->version, "cosmetic", m->checksum, NULL);
	done->result = "cosmetic";
	done->note = pstrdup("only comments, blanks or line ends differ");
}

/* Other content.  It still runs as the role that registered it first. */
static void
store_replaced(const Migration *old, Migration *m, const char *note, MigRegistered *done)
{
	const Migration *locked;

	mig_check_right(old, NULL);
	locked = mig_catalog_get(old->version, true);
	check_not_begun(locked, m);
	if (m->name == NULL)
		m->name = old->name;
	m->owner = old->owner;
	mig_catalog_replace(m);
	mig_catalog_note(m->version, "replaced", m->checksum,
					 psprintf("checksum before: %s", old->checksum));
	done->result = "replaced";
	done->note = pstrdup(note);
}

/* One migration, of which "old" is registered, or NULL. */
static MigRegistered *
store(const Migration *old, Migration *m)
{
	MigRegistered *done = palloc0(sizeof(MigRegistered));

	done->version = m->version;
	if (old == NULL)
	{
		mig_catalog_insert(m);
		mig_catalog_note(m->version, "registered", m->checksum, NULL);
		done->result = "new";
		return done;
	}
	if (strcmp(old->version, m->version) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("version \"%s\" is registered as \"%s\"", m->version, old->version),
				 errdetail("Digits in versions count as numbers, so both are the same version.")));
	if (strcmp(old->search_path, m->search_path) != 0 && nothing_done(old) &&
		mig_can_become(GetUserId(), get_role_oid(old->owner, true)))
		store_replaced(old, m, psprintf("its search_path was %s", old->search_path), done);
	else if (strcmp(old->checksum, m->checksum) == 0)
	{
		done->result = "same";
		rename_migration(old, m, done);
	}
	else if (strcmp(old->token_checksum, m->token_checksum) == 0)
		store_cosmetic(old, m, done);
	else
		store_replaced(old, m, "its content has changed", done);
	return done;
}

/* --- what is gone --- */

static bool
is_file(const char *origin)
{
	size_t		len = strlen(origin);

	return len > 4 && pg_strcasecmp(origin + len - 4, ".sql") == 0;
}

/* Registered ones that came from files, but are not among "given"; those that go are pruned. */
static List *
find_missing(List *registered, MigGraph *given)
{
	List	   *missing = NIL;
	ListCell   *lc;

	foreach(lc, registered)
	{
		Migration  *m = lfirst(lc);

		if (is_file(m->origin) && mig_graph_find(given, m->version) == NULL)
			missing = lappend(missing, m);
	}
	return missing;
}

static bool
can_prune(const Migration *m)
{
	return m->state == MIG_PENDING;
}

static MigRegistered *
tell_missing(Migration *m, bool prune)
{
	MigRegistered *done = palloc0(sizeof(MigRegistered));
	const Migration *locked;

	done->version = m->version;
	done->result = "missing";
	if (!prune || !can_prune(m))
	{
		done->note = psprintf("%s; its file was \"%s\"", mig_state_word(m->state), m->origin);
		return done;
	}
	mig_check_right(m, NULL);
	locked = mig_catalog_get(m->version, true);
	check_not_begun(locked, NULL);
	mig_catalog_delete(m->version);
	mig_catalog_note(m->version, "unregistered", m->checksum, psprintf("file \"%s\" is gone", m->origin));
	done->note = psprintf("unregistered; its file was \"%s\"", m->origin);
	return done;
}

static int
compare_results(const ListCell *a, const ListCell *b)
{
	return mig_version_cmp(((const MigRegistered *) lfirst(a))->version,
						   ((const MigRegistered *) lfirst(b))->version);
}

/* --- all of it --- */

static bool
same_requires(const Migration *a, const Migration *b)
{
	if (a->requires_written != b->requires_written || list_length(a->requires) != list_length(b->requires))
		return false;
	for (int i = 0; i < list_length(a->requires); i++)
		if (strcmp(list_nth(a->requires, i), list_nth(b->requires, i)) != 0)
			return false;
	return true;
}

/*
 * Can one migration be added, or take the place of "old", without a look at
 * the whole registry?  It can where no requirement changes.  A new one is
 * required by nobody but the next higher version, which required the next
 * lower one until now: it can only close a circle if it requires something,
 * and if a requirement somewhere goes up in the order.
 */
static bool
fits_in(const Migration *m, const Migration *old)
{
	ListCell   *lc;

	if (old)
		return same_requires(m, old);
	if (m->requires == NIL)
		return true;
	if (mig_catalog_points_up(m) || mig_catalog_any_points_up())
		return false;
	foreach(lc, m->requires)
		if (mig_catalog_find(lfirst(lc)) == NULL)
			return false;
	return true;
}

List *
mig_register_all(List *migrations, bool folder, bool prune)
{
	List	   *results = NIL;
	List	   *registered;
	List	   *missing;
	List	   *kept = NIL;
	MigGraph   *old;
	MigGraph   *given;
	ListCell   *lc;

	mig_check_writable("register a migration");
	check_all(migrations, folder);
	mig_register_lock();
	if (!folder && list_length(migrations) == 1)
	{
		Migration  *m = linitial(migrations);
		Migration  *there = mig_catalog_find(m->version);

		if (fits_in(m, there))
			return list_make1(store(there, m));
	}
	registered = mig_catalog_list();
	old = mig_graph_make(registered);
	given = mig_graph_make(migrations);
	missing = folder ? find_missing(registered, given) : NIL;
	foreach(lc, registered)
		if (!prune || !can_prune(lfirst(lc)) || !list_member_ptr(missing, lfirst(lc)))
			kept = lappend(kept, lfirst(lc));
	mig_graph_check(mig_graph_make(merged(kept, migrations, given)));

	foreach(lc, migrations)
	{
		Migration  *m = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		results = lappend(results, store(mig_graph_find(old, m->version), m));
	}
	foreach(lc, missing)
		results = lappend(results, tell_missing(lfirst(lc), prune));
	list_sort(results, compare_results);
	return results;
}

void
mig_register_remove(const char *version)
{
	List	   *registered;
	Migration  *m;
	ListCell   *lc;
	ListCell   *lc2;

	mig_check_writable("unregister a migration");
	mig_register_lock();
	registered = mig_catalog_list();
	m = mig_graph_get(mig_graph_make(registered), version);
	mig_check_right(m, NULL);
	m = mig_catalog_get(m->version, true);
	check_not_begun(m, NULL);
	foreach(lc, registered)
	{
		const Migration *other = lfirst(lc);

		foreach(lc2, other->requires)
			if (mig_version_cmp(lfirst(lc2), m->version) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("migration \"%s\" is required by \"%s\"", m->version, other->version),
						 errhint("Unregister \"%s\" first.", other->version)));
	}
	mig_catalog_delete(m->version);
	mig_catalog_note(m->version, "unregistered", m->checksum, NULL);
}
