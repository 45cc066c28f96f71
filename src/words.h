/*-------------------------------------------------------------------------
 *
 * words.h
 *	  The words of migrate.h as text, both ways.
 *
 * Layer 0 (after migrate.h).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_WORDS_H
#define MIGRATE_WORDS_H

#include "migrate.h"

extern const char *mig_phase_word(MigPhase phase);
extern const char *mig_direction_word(MigDirection direction);
extern const char *mig_state_word(MigState state);
extern const char *mig_kind_word(MigStepKind kind);
extern const char *mig_lock_word(LOCKMODE mode);	/* NULL for NoLock */

/* The way back raises XX001 (data corrupted) for a word that is none. */
extern MigPhase mig_phase_of(const char *word);
extern MigDirection mig_direction_of(const char *word);
extern MigState mig_state_of(const char *word);
extern MigStepKind mig_kind_of(const char *word);
extern LOCKMODE mig_lock_of(const char *word);	/* NULL: NoLock */

#endif							/* MIGRATE_WORDS_H */
