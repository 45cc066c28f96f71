/*-------------------------------------------------------------------------
 *
 * query.h
 *	  One query on our own tables: arguments in, rows out.
 *
 * Layer 2, for catalog*.c alone.  Between mig_query_begin() and
 * mig_query_end() the identity of the extension's owner is in force.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MIGRATE_QUERY_H
#define MIGRATE_QUERY_H

#include "executor/spi.h"
#include "utils/timestamp.h"

#include "migrate.h"
#include "session.h"

#define MIG_QUERY_MAX_ARGS 32

typedef struct MigQuery
{
	const char *sql;			/* a string constant: plans are kept by its address */
	int			nargs;
	Oid			types[MIG_QUERY_MAX_ARGS];
	Datum		values[MIG_QUERY_MAX_ARGS];
	char		nulls[MIG_QUERY_MAX_ARGS];
	bool		latest;			/* see what is committed now, in any isolation level */
	uint64		rows;			/* processed */
	bool		snapshot;		/* pushed one */
	MemoryContext caller;		/* results are copied there */
	MigIdentity save;
} MigQuery;

extern void mig_query_begin(MigQuery *query, const char *sql);
extern void mig_arg_text(MigQuery *query, const char *value);	/* NULL: null */
extern void mig_arg_int(MigQuery *query, int value);
extern void mig_arg_int64(MigQuery *query, int64 value, bool isnull);
extern void mig_arg_float(MigQuery *query, double value, bool isnull);
extern void mig_arg_bool(MigQuery *query, bool value);
extern void mig_arg_jsonb(MigQuery *query, Jsonb *value);	/* NULL: null */
extern void mig_arg_texts(MigQuery *query, List *values, bool isnull);	/* of char * */
extern uint64 mig_query_run(MigQuery *query);
extern void mig_query_end(MigQuery *query);

/* Columns of a row, by number from 1; copies in the caller's context. */
extern bool mig_col_null(MigQuery *query, uint64 row, int col);
extern char *mig_col_text(MigQuery *query, uint64 row, int col);	/* NULL: null */
extern int	mig_col_int(MigQuery *query, uint64 row, int col);	/* null: 0 */
extern int64 mig_col_int64(MigQuery *query, uint64 row, int col);	/* null: 0 */
extern double mig_col_float(MigQuery *query, uint64 row, int col);	/* null: 0 */
extern bool mig_col_bool(MigQuery *query, uint64 row, int col);	/* null: false */
extern Jsonb *mig_col_jsonb(MigQuery *query, uint64 row, int col);	/* NULL: null */
extern List *mig_col_texts(MigQuery *query, uint64 row, int col);	/* NIL: null */

#endif							/* MIGRATE_QUERY_H */
