/*-------------------------------------------------------------------------
 *
 * loss.c
 *	  What a way back would discard.
 *
 * Looks at the statements of the way back: DROP TABLE, TRUNCATE and DROP
 * COLUMN name what goes.  A DELETE in a written down says itself which rows
 * it means; what goes through others (CASCADE, a DO block) is not seen.  The counting runs as the owner of each
 * migration, in a restricted context.
 *
 * Locks: AccessShareLock on what is counted, until the end of the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "catalog.h"
#include "loss.h"
#include "parse.h"
#include "session.h"

/* Qualified name of a table with rows of its own or of its partitions, or NULL. */
static char *
table_name(RangeVar *rv)
{
	Oid			relid = RangeVarGetRelid(rv, NoLock, true);
	char		relkind = OidIsValid(relid) ? get_rel_relkind(relid) : 0;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		return NULL;
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

static void
count_into(StringInfo losses, const char *what, const char *unit, const char *query)
{
	bool		isnull;
	int64		n;

	if (SPI_execute(query, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not count %s", what);
	n = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	if (n > 0)
		appendStringInfo(losses, "%s%s: " INT64_FORMAT " %s%s", losses->len ? ", " : "",
						 what, n, unit, n == 1 ? "" : "s");
}

static void
count_table(StringInfo losses, RangeVar *rv)
{
	char	   *name = table_name(rv);

	if (name)
		count_into(losses, psprintf("table %s", name), "row",
				   psprintf("SELECT pg_catalog.count(*) FROM %s", name));
}

static void
count_column(StringInfo losses, RangeVar *rv, const char *column)
{
	char	   *name = table_name(rv);

	if (name && get_attnum(RangeVarGetRelid(rv, NoLock, false), column) != InvalidAttrNumber)
		count_into(losses, psprintf("column %s of table %s", quote_identifier(column), name), "value",
				   psprintf("SELECT pg_catalog.count(%s) FROM %s", quote_identifier(column), name));
}

static void
count_statement(StringInfo losses, Node *stmt)
{
	ListCell   *lc;

	if (IsA(stmt, DropStmt) && ((DropStmt *) stmt)->removeType == OBJECT_TABLE)
	{
		foreach(lc, ((DropStmt *) stmt)->objects)
			count_table(losses, makeRangeVarFromNameList(lfirst(lc)));
	}
	else if (IsA(stmt, TruncateStmt))
	{
		foreach(lc, ((TruncateStmt *) stmt)->relations)
			count_table(losses, lfirst(lc));
	}
	else if (IsA(stmt, AlterTableStmt))
	{
		foreach(lc, ((AlterTableStmt *) stmt)->cmds)
		{
			AlterTableCmd *cmd = lfirst(lc);

			if (cmd->subtype == AT_DropColumn)
				count_column(losses, ((AlterTableStmt *) stmt)->relation, cmd->name);
		}
	}
}

static void
count_sql(StringInfo losses, const char *sql, const char *what)
{
	ListCell   *lc;

	foreach(lc, mig_parse(sql, what))
		count_statement(losses, ((MigStatement *) lfirst(lc))->raw->stmt);
}

/* The way back as mig_run() will choose it, by and large: the written down, or the undos. */
static void
count_migration(StringInfo losses, const Migration *m)
{
	char	   *what = psprintf("down of migration \"%s\"", m->version);
	MigPlan    *plan = mig_catalog_load_plan(m->version, MIG_DIR_APPLY);
	ListCell   *lc;

	if (m->state == MIG_APPLIED && m->down)
	{
		count_sql(losses, m->down, what);
		return;
	}
	if (plan == NULL)
		return;
	foreach(lc, plan->steps)
	{
		MigStep    *step = lfirst(lc);

		if (strcmp(step->state, "done") == 0 && step->undo)
			count_sql(losses, step->undo, what);
	}
}

void
mig_loss_check(List *targets)
{
	StringInfoData losses;
	ListCell   *lc;

	initStringInfo(&losses);
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(lc, targets)
	{
		Migration  *m = mig_catalog_get(((Migration *) lfirst(lc))->version, false);
		MigIdentity save;
		StringInfoData one;

		if (m == NULL)
			continue;
		initStringInfo(&one);
		mig_identity_owner(m->owner, m->search_path, &save);
		SPI_connect();
		count_migration(&one, m);
		if (one.len)
			appendStringInfo(&losses, "%s%s (migration \"%s\")", losses.len ? "; " : "",
							 one.data, m->version);
		SPI_finish();
		mig_identity_restore(&save);
	}
	PopActiveSnapshot();
	if (losses.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("rolling back would discard data"),
				 errdetail("It would discard %s.", losses.data),
				 errhint("Say lose_data => true if that is what you want.")));
}
