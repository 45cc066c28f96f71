/*-------------------------------------------------------------------------
 *
 * online_partition_fit.c
 *	  What a table lacks to be a partition: indexes, keys and foreign keys of
 *	  the parent.
 *
 * ATTACH PARTITION makes them (AttachPartitionEnsureIndexes and
 * CloneForeignKeyConstraints in tablecmds.c), under a lock that keeps
 * everybody from the new partition and the default partition; it takes over
 * what is there already.  Each gets the name that the server would give it.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "index.h"
#include "online_int.h"
#include "relation.h"
#include "sqlgen.h"

typedef struct Fit
{
	MigOnline  *online;
	MigName    *child;
	bool		concurrently;
	List	   *taken;			/* names of char *, qualified */
	List	   *parts;
} Fit;

/* --- indexes and keys --- */

static bool
has_index(const Fit *fit, const IndexStmt *stmt, char contype)
{
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(fit->child->relid))
	{
		MigIndex	index = mig_index_get(lfirst_oid(lc));

		if (index.whole && !index.is_partition && mig_index_is_like(lfirst_oid(lc), stmt, false) &&
			(contype == '\0' || index.contype == contype))
			return true;
	}
	return false;
}

static void
add_index(Fit *fit, Oid indexid)
{
	MigIndex	index = mig_index_get(indexid);
	char		contype = index.contype;
	IndexStmt  *stmt;
	char	   *sql = mig_index_definition(indexid, &stmt);
	char	   *name;
	char	   *text;
	MigPart    *part;

	if (sql == NULL || index.exclusion || has_index(fit, stmt, contype))
		return;
	name = mig_index_choose_name(fit->online->overlay, fit->child->nspname, fit->child->relname,
								 contype == CONSTRAINT_PRIMARY ? NIL :
								 list_concat_copy(stmt->indexParams, stmt->indexIncludingParams),
								 contype == CONSTRAINT_PRIMARY ? "pkey" : contype ? "key" : "idx",
								 fit->taken);
	fit->taken = lappend(fit->taken, mig_sql_qualified(fit->child->nspname, name));
	text = mig_index_text(sql, stmt, name, fit->child, fit->concurrently, false);
	if (text == NULL)
		return;
	part = mig_part(&fit->parts, "%s", text);
	part->own_transaction = true;
	if (contype == '\0')
		return;
	part = mig_part(&fit->parts, "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s%s", fit->child->text,
					mig_sql_name(name), contype == CONSTRAINT_PRIMARY ? "PRIMARY KEY" : "UNIQUE",
					mig_sql_name(name), index.immediate ? "" : " DEFERRABLE");
	mig_part_undo(part, "ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %s", fit->child->text,
				  mig_sql_name(name));
}

/* --- foreign keys --- */

/* With names qualified. */
static char *
key_definition(Oid conoid)
{
	int			level = NewGUCNestLevel();
	char	   *sql;

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	sql = TextDatumGetCString(DirectFunctionCall1(pg_get_constraintdef, ObjectIdGetDatum(conoid)));
	AtEOXact_GUC(false, level);
	return sql;
}

static bool
has_foreign_key(const Fit *fit, const char *text, const char *conname, bool *name_taken)
{
	MigConstraint con;
	ListCell   *lc;

	*name_taken = mig_relation_constraint(fit->child->relid, conname, &con);
	foreach(lc, mig_relation_foreign_keys(fit->child->relid))
	{
		MigForeignKey *key = lfirst(lc);

		if (key->from == fit->child->relid && strcmp(key_definition(key->conoid), text) == 0)
			return true;
	}
	return false;
}

static void
add_foreign_key(Fit *fit, const MigForeignKey *key)
{
	MigOnline	of = *fit->online;
	char	   *text = key_definition(key->conoid);
	bool		name_taken;
	MigPart    *part;

	if (!key->validated || key->to == key->from || has_foreign_key(fit, text, key->conname, &name_taken) ||
		name_taken)
		return;
	part = mig_part(&fit->parts, "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", fit->child->text,
					mig_sql_name(key->conname), text);
	of.name = fit->child;
	mig_online_lifts(&of, part, fit->child->text, key->conname);
	mig_online_validate(&of, &fit->parts, key->conname);
}

/*
 * Appends what makes it fit.  A partitioned table's own partitions would have
 * to fit first: that is left to the server.
 */
void
mig_online_fit(MigOnline *online, List **parts, MigName *child, bool concurrently)
{
	Fit			fit = {online, child, concurrently};
	Oid			parent = online->name->relid;
	ListCell   *lc;

	if (child->relkind != RELKIND_RELATION || child->touched || online->name->touched)
		return;
	foreach(lc, mig_relation_indexes(parent))
		add_index(&fit, lfirst_oid(lc));
	foreach(lc, mig_relation_foreign_keys(parent))
		if (((MigForeignKey *) lfirst(lc))->from == parent)
			add_foreign_key(&fit, lfirst(lc));
	mig_online_tighten(fit.parts);
	*parts = list_concat(*parts, fit.parts);
}
