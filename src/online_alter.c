/*-------------------------------------------------------------------------
 *
 * online_alter.c
 *	  ALTER TABLE: each subcommand that needs a sequence of its own gets it.
 *
 * Subcommands that block nobody for longer than a catalog change stay
 * together in one statement, since they share one lock; the order stays.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"

#include "online_int.h"

static List *
expand_command(MigOnline *online, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddConstraint:
			return mig_online_constraint(online, castNode(Constraint, cmd->def));
		case AT_SetNotNull:
			return mig_online_not_null(online, cmd->name);
		case AT_AddColumn:
			return mig_online_column(online, cmd);
		case AT_AttachPartition:
		case AT_DetachPartition:
			return mig_online_partition(online, cmd);
		default:
			return NIL;
	}
}

static const char *
altered(const MigOnline *online)
{
	AlterTableStmt *stmt = castNode(AlterTableStmt, online->node);

	return psprintf("ALTER TABLE %s%s", stmt->relation->inh ? "" : "ONLY ", online->name->text);
}

/* What stays as it stands, gathered into one statement. */
static void
flush(MigOnline *online, List **parts, StringInfo plain)
{
	if (plain->len == 0)
		return;
	(void) mig_part(parts, "%s %s", altered(online), plain->data);
	resetStringInfo(plain);
}

List *
mig_online_alter_table(MigOnline *online)
{
	AlterTableStmt *stmt = castNode(AlterTableStmt, online->node);
	List	   *slices;
	List	   *parts = NIL;
	StringInfoData plain;
	bool		any = false;

	if (online->name == NULL || !OidIsValid(online->name->relid) || online->name->created ||
		(online->name->relkind != RELKIND_RELATION &&
		 online->name->relkind != RELKIND_PARTITIONED_TABLE))
		return NIL;
	slices = mig_slice_alter(online->stmt->text, stmt);
	if (slices == NIL)
		return NIL;
	initStringInfo(&plain);
	for (int i = 0; i < list_length(slices); i++)
	{
		MigOnline	one = *online;
		List	   *sequence;

		one.text = list_nth(slices, i);
		sequence = expand_command(&one, list_nth_node(AlterTableCmd, stmt->cmds, i));
		if (sequence == NIL)
		{
			appendStringInfo(&plain, "%s%s", plain.len ? ", " : "", one.text);
			continue;
		}
		any = true;
		flush(online, &parts, &plain);
		parts = list_concat(parts, sequence);
	}
	flush(online, &parts, &plain);
	return any ? parts : NIL;
}
