/*-------------------------------------------------------------------------
 *
 * sync.c
 *	  The row trigger that keeps two shapes of the same data equal, and the
 *	  one rule by which rows are judged.
 *
 * A row is consistent when new = up(old) or old = down(new), so that a pair
 * of expressions that loses something, as '007' and 7, is left alone; where
 * there is but one direction, when the side that it makes has been filled.
 * Equal means identical images: some types have no operator for it, and some
 * operators call different values equal.
 *
 *	UPDATE	the side whose input changed makes the other; both changed and not
 *			consistent: a conflict, decided as the pair says.  An update of
 *			anything else leaves the pair alone, unless the row has not been
 *			filled: the update carries it behind the backfill's scan.
 *	INSERT	the side that is given makes the other.  Given is what is not
 *			null and not the column's constant default.  Both: a conflict,
 *			unless consistent, as a row is that moved to another partition.
 *
 * Pairs may read each other's columns, so they are gone through until nothing
 * changes; each acts once.
 *
 * Functions in expressions run as the owner of the table, in a
 * security-restricted context, with pg_catalog as path; expressions of
 * built-in code alone run as they are.
 *
 * Locks: sync_unique.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "session.h"
#include "settings.h"
#include "sync_int.h"

PG_FUNCTION_INFO_V1(mig_sync_row);
PG_FUNCTION_INFO_V1(mig_in_sync);

/* What a way has made of the row at hand. */
typedef struct SyncMade
{
	bool		done;
	Datum	   *values;			/* for each column of its side */
	bool	   *nulls;
} SyncMade;

/* What a statement keeps. */
typedef struct SyncState
{
	MigSyncCompiled *compiled;
	MemoryContextCallback release;
	MemoryContext context;
	ExprContext *econtext;		/* NULL: there is nothing to evaluate */
	ExprState ***up_states;		/* by pair */
	ExprState ***down_states;
	TupleTableSlot *slot;		/* for a row that an earlier pair has changed */
	SyncMade	new;			/* by up */
	SyncMade	old;			/* by down */
	Datum	   *values;			/* of a whole row */
	bool	   *nulls;
	bool	   *acted;			/* by pair */
} SyncState;

typedef enum SyncAction
{
	SYNC_LEAVE,
	SYNC_UP,					/* make new from old */
	SYNC_DOWN
} SyncAction;

/* --- what a statement keeps --- */

static void
release_compiled(void *arg)
{
	mig_sync_release(arg);
}

static ExprState **
ready_states(const MigSyncWay *way)
{
	ExprState **states;
	ListCell   *lc;

	if (!way->exists || way->keeps_state)
		return way->states;
	states = palloc0(list_length(way->exprs) * sizeof(ExprState *));
	foreach(lc, way->exprs)
		if (lfirst(lc))
			states[foreach_current_index(lc)] = ExecInitExpr(lfirst(lc), NULL);
	return states;
}

static void
make_states(SyncState *state)
{
	MigSyncCompiled *compiled = state->compiled;
	MigIdentity save;

	state->econtext = CreateStandaloneExprContext();
	state->up_states = palloc(compiled->npairs * sizeof(ExprState **));
	state->down_states = palloc(compiled->npairs * sizeof(ExprState **));
	/* the right to execute a function is asked for here */
	mig_identity_role(compiled->owner, "pg_catalog, pg_temp", &save);
	for (int i = 0; i < compiled->npairs; i++)
	{
		state->up_states[i] = ready_states(&compiled->pairs[i].up);
		state->down_states[i] = ready_states(&compiled->pairs[i].down);
	}
	mig_identity_restore(&save);
}

static SyncMade
made_of(int columns)
{
	SyncMade	made = {0};

	made.values = palloc(columns * sizeof(Datum));
	made.nulls = palloc(columns * sizeof(bool));
	return made;
}

static SyncState *
begin_statement(Relation rel, Oid trigger, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	SyncState  *state = palloc0(sizeof(SyncState));

	state->context = context;
	state->compiled = mig_sync_compiled(rel, trigger);
	state->release.func = release_compiled;
	state->release.arg = state->compiled;
	MemoryContextRegisterResetCallback(context, &state->release);
	state->new = made_of(state->compiled->max_columns);
	state->old = made_of(state->compiled->max_columns);
	state->values = palloc(RelationGetNumberOfAttributes(rel) * sizeof(Datum));
	state->nulls = palloc(RelationGetNumberOfAttributes(rel) * sizeof(bool));
	state->acted = palloc(state->compiled->npairs * sizeof(bool));
	if (state->compiled->evaluates)
		make_states(state);
	MemoryContextSwitchTo(old);
	return state;
}

/* --- values --- */

static inline bool
same_value(const MigSyncColumn *column, Datum a, bool a_null, Datum b, bool b_null)
{
	if (a_null || b_null)
		return a_null == b_null;
	return datum_image_eq(a, b, column->typbyval, column->typlen);
}

static inline bool
same_in(const MigSyncColumn *column, TupleTableSlot *a, TupleTableSlot *b)
{
	bool		a_null,
				b_null;
	Datum		a_value = slot_getattr(a, column->attnum, &a_null);
	Datum		b_value = slot_getattr(b, column->attnum, &b_null);

	return same_value(column, a_value, a_null, b_value, b_null);
}

static bool
any_changed(const MigSyncColumn *columns, int n, TupleTableSlot *before, TupleTableSlot *now)
{
	for (int i = 0; i < n; i++)
		if (!same_in(&columns[i], before, now))
			return true;
	return false;
}

static bool
is_empty(const MigSyncSide *side, TupleTableSlot *row)
{
	for (int i = 0; i < side->n; i++)
	{
		bool		isnull;

		(void) slot_getattr(row, side->columns[i].attnum, &isnull);
		if (!isnull)
			return false;
	}
	return true;
}

static bool
is_given(const MigSyncSide *side, TupleTableSlot *row)
{
	for (int i = 0; i < side->n; i++)
	{
		const MigSyncColumn *column = &side->columns[i];
		bool		isnull;
		Datum		value = slot_getattr(row, column->attnum, &isnull);

		if (!isnull && !(column->has_constant &&
						 same_value(column, value, false, column->constant, false)))
			return true;
	}
	return false;
}

/* Once for a row, whoever asks. */
static const SyncMade *
evaluate(SyncState *state, const MigSyncWay *way, ExprState **states, int n, TupleTableSlot *row,
		 SyncMade *made)
{
	MigIdentity save;

	if (made->done)
		return made;
	if (way->foreign)
		mig_identity_role(state->compiled->owner, "pg_catalog, pg_temp", &save);
	for (int i = 0; i < n; i++)
		if (way->copies[i] != InvalidAttrNumber)
			made->values[i] = slot_getattr(row, way->copies[i], &made->nulls[i]);
		else
		{
			state->econtext->ecxt_scantuple = row;
			made->values[i] = ExecEvalExprSwitchContext(states[i], state->econtext, &made->nulls[i]);
		}
	if (way->foreign)
		mig_identity_restore(&save);
	made->done = true;
	return made;
}

static const SyncMade *
make_new(SyncState *state, int i, TupleTableSlot *row)
{
	return evaluate(state, &state->compiled->pairs[i].up, state->up_states ? state->up_states[i] : NULL,
					state->compiled->pairs[i].new.n, row, &state->new);
}

static const SyncMade *
make_old(SyncState *state, int i, TupleTableSlot *row)
{
	return evaluate(state, &state->compiled->pairs[i].down, state->down_states ? state->down_states[i] : NULL,
					state->compiled->pairs[i].old.n, row, &state->old);
}

/* Another pair, or another row. */
static void
make_anew(SyncState *state)
{
	state->new.done = state->old.done = false;
}

/* --- the rule --- */

static bool
holds(const SyncMade *made, const MigSyncSide *side, TupleTableSlot *row)
{
	for (int i = 0; i < side->n; i++)
	{
		bool		isnull;
		Datum		value = slot_getattr(row, side->columns[i].attnum, &isnull);

		if (!same_value(&side->columns[i], value, isnull, made->values[i], made->nulls[i]))
			return false;
	}
	return true;
}

/* new = up(old) or old = down(new) */
static bool
agrees(SyncState *state, int i, TupleTableSlot *row)
{
	const MigSyncCompiledPair *pair = &state->compiled->pairs[i];

	return (pair->up.exists && holds(make_new(state, i, row), &pair->new, row)) ||
		(pair->down.exists && holds(make_old(state, i, row), &pair->old, row));
}

/* The one rule of consistency. */
static bool
is_consistent(SyncState *state, int i, TupleTableSlot *row)
{
	const MigSyncCompiledPair *pair = &state->compiled->pairs[i];

	if (!pair->down.exists && !is_empty(&pair->new, row))
		return true;
	if (!pair->up.exists && !is_empty(&pair->old, row))
		return true;
	return agrees(state, i, row);
}

/* --- what to do --- */

static SyncAction
conflict(const SyncState *state, const MigSyncCompiledPair *pair)
{
	if (pair->pair->conflict == MIG_CONFLICT_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("columns \"%s\" and \"%s\" of relation \"%s\" are given values that contradict each other",
						(char *) linitial(pair->pair->old), (char *) linitial(pair->pair->new),
						get_rel_name(state->compiled->relid)),
				 errdetail("They are kept equal by migrate, with sync_conflict = error."),
				 errhint("Give one of them.")));
	if (pair->pair->conflict == MIG_CONFLICT_OLD)
		return pair->up.exists ? SYNC_UP : SYNC_LEAVE;
	return pair->down.exists ? SYNC_DOWN : SYNC_LEAVE;
}

static SyncAction
on_insert(SyncState *state, int i, TupleTableSlot *row)
{
	const MigSyncCompiledPair *pair = &state->compiled->pairs[i];
	bool		old_given;
	bool		new_given;

	if (agrees(state, i, row))
		return SYNC_LEAVE;
	old_given = is_given(&pair->old, row);
	new_given = is_given(&pair->new, row);
	if (old_given && new_given)
		return pair->up.exists && pair->down.exists ? conflict(state, pair) : SYNC_LEAVE;
	if (new_given)
		return pair->down.exists ? SYNC_DOWN : SYNC_LEAVE;
	if (old_given)
		return pair->up.exists ? SYNC_UP : SYNC_LEAVE;
	return pair->up.exists ? SYNC_UP : SYNC_DOWN;
}

/* Nothing that the pair is about has changed. */
static SyncAction
on_unrelated(SyncState *state, int i, TupleTableSlot *row)
{
	const MigSyncCompiledPair *pair = &state->compiled->pairs[i];

	if (pair->up.exists && is_empty(&pair->new, row))
		return is_consistent(state, i, row) ? SYNC_LEAVE : SYNC_UP;
	if (!pair->up.exists && is_empty(&pair->old, row))
		return is_consistent(state, i, row) ? SYNC_LEAVE : SYNC_DOWN;
	return SYNC_LEAVE;
}

static SyncAction
on_update(SyncState *state, int i, TupleTableSlot *before, TupleTableSlot *row)
{
	const MigSyncCompiledPair *pair = &state->compiled->pairs[i];
	bool		old_changed = any_changed(pair->old.columns, pair->old.n, before, row);
	bool		new_changed = any_changed(pair->new.columns, pair->new.n, before, row);
	SyncAction	action;

	if (!old_changed && !new_changed)
	{
		/* what else the expressions read */
		if (pair->up.exists && any_changed(pair->up.extras, pair->up.nextras, before, row))
			action = SYNC_UP;
		else if (pair->down.exists && any_changed(pair->down.extras, pair->down.nextras, before, row))
			action = SYNC_DOWN;
		else
			return on_unrelated(state, i, row);
		return agrees(state, i, row) ? SYNC_LEAVE : action;
	}
	if (agrees(state, i, row))
		return SYNC_LEAVE;
	if (old_changed && new_changed)
		return conflict(state, pair);
	if (old_changed)
		return pair->up.exists ? SYNC_UP : SYNC_LEAVE;
	return pair->down.exists ? SYNC_DOWN : SYNC_LEAVE;
}

/* --- the trigger --- */

/* As heap_modify_tuple() does it, but for columns that have been taken apart already. */
static HeapTuple
with_side(SyncState *state, HeapTuple tuple, TupleTableSlot *row, const MigSyncSide *side,
		  const SyncMade *made)
{
	TupleDesc	desc = row->tts_tupleDescriptor;
	HeapTuple	changed;

	slot_getallattrs(row);
	memcpy(state->values, row->tts_values, desc->natts * sizeof(Datum));
	memcpy(state->nulls, row->tts_isnull, desc->natts * sizeof(bool));
	for (int i = 0; i < side->n; i++)
	{
		state->values[side->columns[i].attnum - 1] = made->values[i];
		state->nulls[side->columns[i].attnum - 1] = made->nulls[i];
	}
	changed = heap_form_tuple(desc, state->values, state->nulls);
	changed->t_data->t_ctid = tuple->t_data->t_ctid;
	changed->t_self = tuple->t_self;
	changed->t_tableOid = tuple->t_tableOid;
	return changed;
}

static TupleTableSlot *
slot_of(SyncState *state, Relation rel, HeapTuple tuple)
{
	if (state->slot == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(state->context);

		/* with what rows lack that are older than a column */
		state->slot = MakeSingleTupleTableSlot(CreateTupleDescCopyConstr(RelationGetDescr(rel)),
											   &TTSOpsHeapTuple);
		MemoryContextSwitchTo(old);
	}
	return tuple ? ExecStoreHeapTuple(tuple, state->slot, false) : state->slot;
}

static bool
act(SyncState *state, Relation rel, int i, TupleTableSlot *before, TupleTableSlot **row, HeapTuple *tuple)
{
	const MigSyncCompiledPair *pair = &state->compiled->pairs[i];
	SyncAction	action;

	make_anew(state);
	action = before ? on_update(state, i, before, *row) : on_insert(state, i, *row);
	if (action == SYNC_LEAVE)
		return false;
	*tuple = action == SYNC_UP ?
		with_side(state, *tuple, *row, &pair->new, make_new(state, i, *row)) :
		with_side(state, *tuple, *row, &pair->old, make_old(state, i, *row));
	/* the row is looked at again only by other pairs, and for its keys */
	if (state->compiled->npairs > 1 || state->compiled->nkeys > 0)
		*row = slot_of(state, rel, *tuple);
	return true;
}

static bool
changes_keys(const MigSyncCompiled *compiled, TupleTableSlot *before, TupleTableSlot *row)
{
	if (compiled->nkeys == 0)
		return false;
	for (int i = 0; before && i < compiled->npairs; i++)
		if (any_changed(compiled->pairs[i].old.columns, compiled->pairs[i].old.n, before, row) ||
			any_changed(compiled->pairs[i].new.columns, compiled->pairs[i].new.n, before, row))
			return true;
	return before == NULL;
}

/* before: NULL for INSERT */
static HeapTuple
sync_row(SyncState *state, Relation rel, TupleTableSlot *before, TupleTableSlot *row, HeapTuple tuple)
{
	bool		again = state->compiled->npairs > 0;

	memset(state->acted, 0, state->compiled->npairs * sizeof(bool));
	while (again)
	{
		again = false;
		for (int i = 0; i < state->compiled->npairs; i++)
			if (!state->acted[i] && act(state, rel, i, before, &row, &tuple))
				state->acted[i] = again = true;
		again &= state->compiled->npairs > 1;
	}
	if (changes_keys(state->compiled, before, row))
		mig_sync_lock_keys(state->compiled, state->econtext, row);
	if (state->econtext)
		ResetExprContext(state->econtext);
	return tuple;
}

static void
check_call(FunctionCallInfo fcinfo)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(data->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(data->tg_event) || TRIGGER_FIRED_BY_DELETE(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by a sync trigger", "migrate_internal.sync_row")));
}

Datum
mig_sync_row(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	SyncState  *state;
	HeapTuple	tuple;

	check_call(fcinfo);
	state = fcinfo->flinfo->fn_extra;
	if (state == NULL)
		state = fcinfo->flinfo->fn_extra =
			begin_statement(data->tg_relation, data->tg_trigger->tgoid, fcinfo->flinfo->fn_mcxt);
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		tuple = sync_row(state, data->tg_relation, data->tg_trigslot, data->tg_newslot, data->tg_newtuple);
	else
		tuple = sync_row(state, data->tg_relation, NULL, data->tg_trigslot, data->tg_trigtuple);
	return PointerGetDatum(tuple);
}

/* --- the rule, for queries --- */

static SyncState *
begin_query(Oid relid, MemoryContext context)
{
	Relation	rel;
	Oid			trigger;
	SyncState  *state;

	if (!mig_is_class_owner(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
	rel = table_open(relid, AccessShareLock);
	trigger = mig_sync_trigger(rel, NULL);
	if (!OidIsValid(trigger))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("relation \"%s\" has no columns that are kept equal", RelationGetRelationName(rel)),
				 errhint("See migrate.syncs.")));
	state = begin_statement(rel, trigger, context);
	(void) slot_of(state, rel, NULL);
	table_close(rel, NoLock);
	return state;
}

static bool
is_asked_for(const MigSyncPair *pair, ArrayType *names)
{
	Datum	   *elems;
	bool	   *nulls;
	int			n;

	deconstruct_array(names, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elems, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (nulls[i] || i >= list_length(pair->new) ||
			strcmp(NameStr(*DatumGetName(elems[i])), list_nth(pair->new, i)) != 0)
			return false;
	return n == list_length(pair->new);
}

/* in_sync(row record, new name[]): see the install script. */
Datum
mig_in_sync(PG_FUNCTION_ARGS)
{
	ArrayType  *names = PG_ARGISNULL(1) ? NULL : PG_GETARG_ARRAYTYPE_P(1);
	SyncState  *state = fcinfo->flinfo->fn_extra;
	HeapTupleData tuple = {0};
	HeapTupleHeader header;
	Oid			relid;
	bool		result = true;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	header = PG_GETARG_HEAPTUPLEHEADER(0);
	relid = get_typ_typrelid(HeapTupleHeaderGetTypeId(header));
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the row is not a row of a table")));
	if (state == NULL || state->compiled->relid != relid)
		state = fcinfo->flinfo->fn_extra = begin_query(relid, fcinfo->flinfo->fn_mcxt);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	ItemPointerSetInvalid(&tuple.t_self);
	(void) ExecStoreHeapTuple(&tuple, state->slot, false);
	for (int i = 0; result && i < state->compiled->npairs; i++)
	{
		make_anew(state);
		if (names == NULL || is_asked_for(state->compiled->pairs[i].pair, names))
			result = is_consistent(state, i, state->slot);
	}
	ExecClearTuple(state->slot);
	if (state->econtext)
		ResetExprContext(state->econtext);
	PG_RETURN_BOOL(result);
}
