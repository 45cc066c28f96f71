/*-------------------------------------------------------------------------
 *
 * effect_session.c
 *	  Statements that act on the session or on the whole server.
 *
 * A setting of the session has to be said again when a run goes on in
 * another session.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/defrem.h"

#include "effect_int.h"

/* --- the session --- */

bool
mig_effect_is_transaction_default(const char *setting)
{
	static const char *const prefix = "default_transaction_";

	return pg_strncasecmp(setting, prefix, strlen(prefix)) == 0;
}

static void
effect_set(MigWork *work, VariableSetStmt *stmt)
{
	bool		transaction = stmt->name && strncmp(stmt->name, "TRANSACTION", strlen("TRANSACTION")) == 0;

	work->effect->sets = true;
	if (stmt->is_local || transaction)
		work->effect->block_only = true;
	else
		work->effect->kind = MIG_STEP_SETTING;
	work->effect->next_only = !stmt->is_local &&
		(stmt->kind == VAR_RESET_ALL ||
		 (stmt->name && (mig_effect_is_transaction_default(stmt->name) ||
						 strcmp(stmt->name, "SESSION CHARACTERISTICS") == 0)));
}

void
mig_effect_session(MigWork *work, Node *node)
{
	MigEffect  *effect = work->effect;

	effect->undo = "";
	switch (nodeTag(node))
	{
		case T_VariableSetStmt:
			effect_set(work, (VariableSetStmt *) node);
			break;
		case T_ConstraintsSetStmt:
			effect->block_only = true;
			effect->keeps_block = true;
			break;
		case T_DeclareCursorStmt:
		case T_FetchStmt:
		case T_ClosePortalStmt:
			effect->keeps_block = true;
			break;
		case T_PrepareStmt:
		case T_DeallocateStmt:
		case T_LoadStmt:
			effect->kind = MIG_STEP_SETTING;
			break;
		case T_DiscardStmt:
			if (((DiscardStmt *) node)->target == DISCARD_ALL)
				mig_effect_top_level(work, MIG_STEP_SETTING);
			else
				effect->kind = MIG_STEP_SETTING;
			break;
		default:
			break;
	}
}

/* --- the server --- */

static bool
has_option(List *options, const char *name, bool if_missing)
{
	ListCell   *lc;

	foreach(lc, options)
		if (strcmp(lfirst_node(DefElem, lc)->defname, name) == 0)
			return defGetBoolean(lfirst_node(DefElem, lc));
	return if_missing;
}

static bool
names_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
		if (strcmp(lfirst_node(DefElem, lc)->defname, name) == 0)
			return true;
	return false;
}

/* CREATE SUBSCRIPTION makes a slot, and ALTER drops those of tables that leave: neither can be rolled back. */
static void
effect_subscription(MigWork *work, Node *node)
{
	if (IsA(node, CreateSubscriptionStmt))
	{
		CreateSubscriptionStmt *stmt = (CreateSubscriptionStmt *) node;

		if (has_option(stmt->options, "connect", true) && has_option(stmt->options, "create_slot", true))
			mig_effect_top_level(work, MIG_STEP_OPAQUE);
	}
	else if (IsA(node, AlterSubscriptionStmt))
	{
		AlterSubscriptionStmt *stmt = (AlterSubscriptionStmt *) node;

		switch (stmt->kind)
		{
			case ALTER_SUBSCRIPTION_REFRESH:
			case ALTER_SUBSCRIPTION_SET_PUBLICATION:
				mig_effect_top_level(work, MIG_STEP_REPEATABLE);
				break;
			case ALTER_SUBSCRIPTION_ADD_PUBLICATION:
			case ALTER_SUBSCRIPTION_DROP_PUBLICATION:
				mig_effect_top_level(work, MIG_STEP_OPAQUE);
				break;
			case ALTER_SUBSCRIPTION_OPTIONS:
				if (names_option(stmt->options, "failover") || names_option(stmt->options, "two_phase"))
					mig_effect_top_level(work, MIG_STEP_REPEATABLE);
				break;
			default:
				break;
		}
	}
	else
		mig_effect_top_level(work, MIG_STEP_OPAQUE);
}

void
mig_effect_cluster(MigWork *work, Node *node)
{
	switch (nodeTag(node))
	{
		case T_CreateSubscriptionStmt:
		case T_AlterSubscriptionStmt:
		case T_DropSubscriptionStmt:
			effect_subscription(work, node);
			break;
		case T_CheckPointStmt:
			work->effect->undo = "";
			mig_effect_top_level(work, MIG_STEP_REPEATABLE);
			break;
		case T_AlterSystemStmt:
			mig_effect_top_level(work, MIG_STEP_REPEATABLE);
			break;
		case T_AlterDatabaseStmt:
			if (names_option(((AlterDatabaseStmt *) node)->options, "tablespace"))
				mig_effect_top_level(work, MIG_STEP_OPAQUE);
			break;
		case T_CreatedbStmt:
			mig_effect_makes_object(work, "database", ((CreatedbStmt *) node)->dbname);
			mig_effect_top_level(work, MIG_STEP_OPAQUE);
			break;
		case T_DropdbStmt:
			if (!mig_overlay_made(work->overlay, psprintf("database %s", ((DropdbStmt *) node)->dbname)))
				mig_effect_breaks(work, ((DropdbStmt *) node)->dbname);
			mig_effect_top_level(work, MIG_STEP_OPAQUE);
			break;
		default:
			/* CREATE and DROP TABLESPACE, COMMIT PREPARED */
			mig_effect_top_level(work, MIG_STEP_OPAQUE);
			break;
	}
}
