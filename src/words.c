/*-------------------------------------------------------------------------
 *
 * words.c
 *	  The words of migrate.h as text, both ways.
 *
 * Tables store words, not numbers, so that they can be read in psql and
 * survive a change of an enum.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "words.h"

static const char *const phase_words[] = {"expand", "migrate", "contract"};
static const char *const direction_words[] = {"apply", "complete", "rollback"};
static const char *const state_words[] = {
	"pending", "running", "expanded", "completing", "applied",
	"rolling_back", "paused", "failed"
};
static const char *const kind_words[] = {
	"sql", "setting", "create index", "drop index", "reindex", "detach",
	"repeatable", "opaque", "look", "validate", "backfill", "fill"
};
static const char *const lock_words[] = {
	NULL, "AccessShareLock", "RowShareLock", "RowExclusiveLock",
	"ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock",
	"ExclusiveLock", "AccessExclusiveLock"
};

static int
index_of(const char *const *words, int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (words[i] && strcmp(words[i], word) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unexpected word \"%s\" in the tables of migrate", word)));
	return -1;					/* keep compiler quiet */
}

const char *
mig_phase_word(MigPhase phase)
{
	return phase_words[phase];
}

const char *
mig_direction_word(MigDirection direction)
{
	return direction_words[direction];
}

const char *
mig_state_word(MigState state)
{
	return state_words[state];
}

const char *
mig_kind_word(MigStepKind kind)
{
	return kind_words[kind];
}

const char *
mig_lock_word(LOCKMODE mode)
{
	return lock_words[mode];
}

MigPhase
mig_phase_of(const char *word)
{
	return index_of(phase_words, lengthof(phase_words), word);
}

MigDirection
mig_direction_of(const char *word)
{
	return index_of(direction_words, lengthof(direction_words), word);
}

MigState
mig_state_of(const char *word)
{
	return index_of(state_words, lengthof(state_words), word);
}

MigStepKind
mig_kind_of(const char *word)
{
	return index_of(kind_words, lengthof(kind_words), word);
}

LOCKMODE
mig_lock_of(const char *word)
{
	return word ? index_of(lock_words, lengthof(lock_words), word) : NoLock;
}
