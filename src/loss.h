/*-------------------------------------------------------------------------
 *
 * loss.h
 *	  What a way back would discard.
 *
 * Layer 3.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_LOSS_H
#define MIGRATE_LOSS_H

#include "migrate.h"

/*
 * Count what rolling these migrations back would discard: rows of tables,
 * values of columns.  55000 with the numbers if there is anything.  In a
 * transaction of the caller; reads the tables under AccessShareLock.
 */
extern void mig_loss_check(List *targets);

#endif							/* MIGRATE_LOSS_H */
