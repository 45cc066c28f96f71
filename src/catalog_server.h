/*-------------------------------------------------------------------------
 *
 * catalog_server.h
 *	  What the server's own views say about dangers to a migration.
 *
 * Layer 2.  Read with the rights of the extension's owner, as an ordinary
 * role sees neither replicas nor the sessions of others; what comes back is
 * confined to names, counts, ages and process ids.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_CATALOG_SERVER_H
#define MIGRATE_CATALOG_SERVER_H

#include "migrate.h"

typedef enum MigLook
{
	MIG_LOOK_SNAPSHOTS,			/* sessions with an old snapshot: text is the pid */
	MIG_LOOK_PREPARED,			/* prepared transactions */
	MIG_LOOK_VACUUMS,			/* vacuums against wraparound, at work now */
	MIG_LOOK_AGES,				/* how near wraparound is */
	MIG_LOOK_REPLICAS,			/* standbys that lag, or are missing */
	MIG_LOOK_ARCHIVER,
	MIG_LOOK_SLOTS,				/* slots that hold back WAL */
	MIG_LOOK_INVALID,			/* indexes that are invalid, and not being built */
	MIG_LOOK_LOGICAL,			/* tables in publications and subscriptions */
	MIG_LOOKS
} MigLook;

/* What is looked at, and what counts as too much. */
typedef struct MigLookAt
{
	List	   *relations;		/* of char *, qualified */
	List	   *altered;		/* those of them whose shape changes */
	int			old_ms;			/* a transaction of that age is old */
	int			lag_ms;			/* 0: any lag is right */
	int64		slot_bytes;		/* 0: any amount is right */
	const char *ignored_replicas;	/* application names, separated by commas */
} MigLookAt;

typedef struct MigSighting
{
	bool		bad;			/* false: worth mentioning, no more */
	char	   *text;
} MigSighting;

/* What there is to say (list of MigSighting); NIL: nothing. */
extern List *mig_server_look(MigLook look, const MigLookAt *at);

/*
 * Which of these rights a role lacks: list of char *, each a clause.  A need
 * is "own", "use" (any right), "maintain" or "trigger" with a relation,
 * "create" with a schema, "connect" with NULL.
 */
extern List *mig_server_lacking(const char *role, List *needs, List *names);

/*
 * Bytes that a row of an index on these columns takes (names; NULL: an
 * expression), by the statistics of the table and the sizes of types.
 */
extern double mig_server_index_width(Oid relid, List *columns);

#endif							/* MIGRATE_CATALOG_SERVER_H */
