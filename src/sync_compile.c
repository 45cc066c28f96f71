/*-------------------------------------------------------------------------
 *
 * sync_compile.c
 *	  The pairs of a sync trigger, ready to run; kept for the session.
 *
 * Compiling parses and plans expressions, which a statement of one row could
 * not afford.  What was compiled is dropped when the table, a function or a
 * type changes.  A statement goes on with what it began with: it holds locks
 * that keep others from changing the table, and the memory stays until its
 * last user has released it.
 *
 * Compiling runs as the owner of the table, security-restricted, with nothing
 * but pg_catalog in the path, as folding constants runs functions.
 *
 * Locks: those of reading the catalog.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "optimizer/optimizer.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "session.h"
#include "sync_int.h"

typedef struct CacheEntry
{
	Oid			trigger;		/* hash key */
	MigSyncCompiled *compiled;
} CacheEntry;

static HTAB *cache = NULL;

/* --- invalidation --- */

static void
invalidate(Oid relid)
{
	HASH_SEQ_STATUS status;
	CacheEntry *entry;

	hash_seq_init(&status, cache);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (entry->compiled && (!OidIsValid(relid) || entry->compiled->relid == relid))
			entry->compiled->valid = false;
}

static void
on_relation_change(Datum arg, Oid relid)
{
	invalidate(relid);
}

static void
on_catalog_change(Datum arg, int cacheid, uint32 hashvalue)
{
	invalidate(InvalidOid);
}

static void
start_cache(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(CacheEntry);
	cache = hash_create("sync triggers of migrate", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, on_catalog_change, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, on_catalog_change, (Datum) 0);
}

/* --- compiling --- */

static MigSyncSide
compile_side(Relation rel, List *names)
{
	MigSyncSide side;
	ListCell   *lc;

	side.n = list_length(names);
	side.columns = palloc0(side.n * sizeof(MigSyncColumn));
	foreach(lc, names)
	{
		MigSyncColumn *column = &side.columns[foreach_current_index(lc)];
		Form_pg_attribute attr;

		column->attnum = get_attnum(RelationGetRelid(rel), lfirst(lc));
		if (column->attnum <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\", which a sync keeps equal to another, does not exist",
							(char *) lfirst(lc), RelationGetRelationName(rel)),
					 errhint("Give it its name back, or take the pair out with migrate.unsync_columns().")));
		attr = TupleDescAttr(RelationGetDescr(rel), column->attnum - 1);
		column->typlen = attr->attlen;
		column->typbyval = attr->attbyval;
		column->has_constant = mig_sync_constant_default(rel, column->attnum, &column->constant);
	}
	return side;
}

static bool
is_of_side(const MigSyncSide *side, AttrNumber attnum)
{
	for (int i = 0; i < side->n; i++)
		if (side->columns[i].attnum == attnum)
			return true;
	return false;
}

static void
add_extras(Relation rel, MigSyncWay *way, const MigSyncSide *from, Expr *expr)
{
	ListCell   *lc;

	foreach(lc, mig_sync_inputs(rel, expr))
	{
		AttrNumber	attnum = lfirst_int(lc);
		MigSyncSide known = {way->nextras, way->extras};
		MigSyncColumn *extra;

		if (is_of_side(from, attnum) || is_of_side(&known, attnum))
			continue;
		extra = &way->extras[way->nextras++];
		extra->attnum = attnum;
		extra->typlen = TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attlen;
		extra->typbyval = TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attbyval;
	}
}

static void
compile_way(Relation rel, MigSyncWay *way, List *texts, const MigSyncSide *from, const MigSyncSide *to)
{
	ListCell   *lc;

	if (texts == NIL)
		return;
	way->exists = true;
	way->keeps_state = true;
	way->copies = palloc0(to->n * sizeof(AttrNumber));
	way->states = palloc0(to->n * sizeof(ExprState *));
	way->extras = palloc0(RelationGetNumberOfAttributes(rel) * sizeof(MigSyncColumn));
	foreach(lc, texts)
	{
		int			i = foreach_current_index(lc);
		Expr	   *expr = mig_sync_expression(rel, lfirst(lc), to->columns[i].attnum, NULL);
		bool		keeps_state;

		add_extras(rel, way, from, expr);
		expr = expression_planner(expr);
		if (IsA(expr, Var))
		{
			way->copies[i] = ((Var *) expr)->varattno;
			expr = NULL;
		}
		else
		{
			way->foreign |= mig_sync_is_foreign(expr, &keeps_state);
			way->keeps_state &= keeps_state;
		}
		way->exprs = lappend(way->exprs, expr);
	}
	foreach(lc, way->exprs)
		if (lfirst(lc) && way->keeps_state)
			way->states[foreach_current_index(lc)] = ExecInitExpr(lfirst(lc), NULL);
}

static void
compile_pair(Relation rel, MigSyncCompiled *compiled, MigSyncCompiledPair *pair, const char *text)
{
	ListCell   *lc;

	pair->pair = mig_sync_decode(text);
	pair->old = compile_side(rel, pair->pair->old);
	pair->new = compile_side(rel, pair->pair->new);
	compile_way(rel, &pair->up, pair->pair->up, &pair->old, &pair->new);
	compile_way(rel, &pair->down, pair->pair->down, &pair->new, &pair->old);
	compiled->max_columns = Max(compiled->max_columns, Max(pair->old.n, pair->new.n));
	foreach(lc, list_concat_copy(pair->up.exprs, pair->down.exprs))
		if (lfirst(lc))
			compiled->evaluates = true;
}

/* The arguments of a trigger, copied: the relcache may build its own anew at any time. */
static List *
arguments_of(Relation rel, Oid oid)
{
	List	   *arguments = NIL;

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		for (int j = 0; trigger->tgoid == oid && j < trigger->tgnargs; j++)
			arguments = lappend(arguments, pstrdup(trigger->tgargs[j]));
	}
	return arguments;
}

static void
compile(Relation rel, MigSyncCompiled *compiled)
{
	MemoryContext old = MemoryContextSwitchTo(compiled->context);
	List	   *arguments = arguments_of(rel, compiled->trigger);
	char	   *late = mig_sync_overtaken(rel);
	MigIdentity save;
	ListCell   *lc;

	mig_identity_role(rel->rd_rel->relowner, "pg_catalog, pg_temp", &save);
	compiled->owner = rel->rd_rel->relowner;
	compiled->pairs = palloc0((list_length(arguments) + 1) * sizeof(MigSyncCompiledPair));
	foreach(lc, arguments)
		compile_pair(rel, compiled, &compiled->pairs[compiled->npairs++], lfirst(lc));
	mig_sync_find_keys(rel, compiled);
	mig_identity_restore(&save);
	if (late)
		ereport(WARNING,
				(errmsg("trigger \"%s\" of relation \"%s\" fires after the sync trigger",
						late, RelationGetRelationName(rel)),
				 errdetail("What it changes in columns that are kept equal is not carried over."),
				 errhint("Give it a name that sorts before that of the sync trigger.")));
	compiled->ready = true;
	MemoryContextSwitchTo(old);
}

MigSyncCompiled *
mig_sync_compiled(Relation rel, Oid trigger)
{
	CacheEntry *entry;
	bool		found;
	MemoryContext context;

	if (cache == NULL)
		start_cache();
	entry = hash_search(cache, &trigger, HASH_ENTER, &found);
	if (!found)
		entry->compiled = NULL;
	if (entry->compiled && !(entry->compiled->ready && entry->compiled->valid))
	{
		if (entry->compiled->users == 0)
			MemoryContextDelete(entry->compiled->context);
		entry->compiled = NULL;
	}
	if (entry->compiled == NULL)
	{
		context = AllocSetContextCreate(CacheMemoryContext, "sync trigger of migrate",
										ALLOCSET_SMALL_SIZES);
		entry->compiled = MemoryContextAllocZero(context, sizeof(MigSyncCompiled));
		entry->compiled->context = context;
		entry->compiled->trigger = trigger;
		entry->compiled->relid = RelationGetRelid(rel);
		entry->compiled->valid = true;
		compile(rel, entry->compiled);
	}
	entry->compiled->users++;
	return entry->compiled;
}

/* One that the cache has forgotten goes with its last user. */
void
mig_sync_release(MigSyncCompiled *compiled)
{
	CacheEntry *entry = hash_search(cache, &compiled->trigger, HASH_FIND, NULL);

	if (--compiled->users == 0 && (entry == NULL || entry->compiled != compiled))
		MemoryContextDelete(compiled->context);
}
