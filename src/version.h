/*-------------------------------------------------------------------------
 *
 * version.h
 *	  Versions: their order, their form, and what a file's name says.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_VERSION_H
#define MIGRATE_VERSION_H

#include "migrate.h"

/* < 0, 0, > 0: runs of digits as numbers, the rest as bytes. */
extern int	mig_version_cmp(const char *a, const char *b);

/* 22023 unless the text can be a version: not empty, not over-long, no control characters, no blanks at the ends. */
extern void mig_version_check(const char *version);

/*
 * The version at the start of a file's (or folder's) name, palloc'd, and in
 * *rest what follows its separator; NULL if the name does not begin with
 * one.  Form: ^[A-Za-z]*\d+([._]\d+)* followed by _ . - or the end.
 */
extern char *mig_version_of_name(const char *name, const char **rest);

/* The member of versions (char *) that looks most like this one, or NULL. */
extern const char *mig_version_nearest(const char *version, List *versions);

#endif							/* MIGRATE_VERSION_H */
