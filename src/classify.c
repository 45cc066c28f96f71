/*-------------------------------------------------------------------------
 *
 * classify.c
 *	  What one statement would do: which family it belongs to.
 *
 * The table below has every statement of the server's parser that is more
 * than a change of a catalog without a lock on a table; what is not in it is
 * just that, can stand in a transaction, and is not undone.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "classify.h"
#include "effect_int.h"

typedef struct Family
{
	NodeTag		tag;
	void		(*judge) (MigWork *work, Node *node);
} Family;

static const Family families[] = {
	{T_AlterDatabaseSetStmt, mig_effect_undo_other},
	{T_AlterDatabaseStmt, mig_effect_cluster},
	{T_AlterDefaultPrivilegesStmt, mig_effect_undo_other},
	{T_AlterDomainStmt, mig_effect_alter_other},
	{T_AlterEnumStmt, mig_effect_alter_other},
	{T_AlterEventTrigStmt, mig_effect_undo_other},
	{T_AlterExtensionContentsStmt, mig_effect_create_other},
	{T_AlterExtensionStmt, mig_effect_create_other},
	{T_AlterFunctionStmt, mig_effect_alter_other},
	{T_AlterObjectSchemaStmt, mig_effect_rename},
	{T_AlterOwnerStmt, mig_effect_alter_other},
	{T_AlterPolicyStmt, mig_effect_on_table},
	{T_AlterPublicationStmt, mig_effect_on_table},
	{T_AlterRoleSetStmt, mig_effect_undo_other},
	{T_AlterSeqStmt, mig_effect_alter_other},
	{T_AlterStatsStmt, mig_effect_undo_other},
	{T_AlterSubscriptionStmt, mig_effect_cluster},
	{T_AlterSystemStmt, mig_effect_cluster},
	{T_AlterTableMoveAllStmt, mig_effect_whole},
	{T_AlterTableStmt, mig_effect_alter_table},
	{T_CallStmt, mig_effect_code},
	{T_CheckPointStmt, mig_effect_cluster},
	{T_ClosePortalStmt, mig_effect_session},
	{T_ClusterStmt, mig_effect_index},
	{T_CommentStmt, mig_effect_alter_other},
	{T_CompositeTypeStmt, mig_effect_create_other},
	{T_ConstraintsSetStmt, mig_effect_session},
	{T_CopyStmt, mig_effect_query},
	{T_CreateAmStmt, mig_effect_undo_object},
	{T_CreateCastStmt, mig_effect_undo_object},
	{T_CreateConversionStmt, mig_effect_undo_object},
	{T_CreateDomainStmt, mig_effect_create_other},
	{T_CreateEnumStmt, mig_effect_create_other},
	{T_CreateEventTrigStmt, mig_effect_create_other},
	{T_CreateExtensionStmt, mig_effect_create_other},
	{T_CreateFdwStmt, mig_effect_undo_object},
	{T_CreateForeignServerStmt, mig_effect_undo_object},
	{T_CreateForeignTableStmt, mig_effect_create_table},
	{T_CreateFunctionStmt, mig_effect_function},
	{T_CreatePolicyStmt, mig_effect_on_table},
	{T_CreatePublicationStmt, mig_effect_on_table},
	{T_CreateRangeStmt, mig_effect_create_other},
	{T_CreateRoleStmt, mig_effect_create_other},
	{T_CreateSchemaStmt, mig_effect_create_other},
	{T_CreateSeqStmt, mig_effect_create_other},
	{T_CreateStatsStmt, mig_effect_on_table},
	{T_CreateStmt, mig_effect_create_table},
	{T_CreateSubscriptionStmt, mig_effect_cluster},
	{T_CreateTableAsStmt, mig_effect_query},
	{T_CreateTableSpaceStmt, mig_effect_cluster},
	{T_CreateTrigStmt, mig_effect_on_table},
	{T_CreatedbStmt, mig_effect_cluster},
	{T_DeallocateStmt, mig_effect_session},
	{T_DeclareCursorStmt, mig_effect_session},
	{T_DefineStmt, mig_effect_create_other},
	{T_DeleteStmt, mig_effect_query},
	{T_DiscardStmt, mig_effect_session},
	{T_DoStmt, mig_effect_code},
	{T_DropOwnedStmt, mig_effect_whole},
	{T_DropStmt, mig_effect_drop},
	{T_DropSubscriptionStmt, mig_effect_cluster},
	{T_DropTableSpaceStmt, mig_effect_cluster},
	{T_DropdbStmt, mig_effect_cluster},
	{T_ExecuteStmt, mig_effect_code},
	{T_ExplainStmt, mig_effect_query},
	{T_FetchStmt, mig_effect_session},
	{T_GrantRoleStmt, mig_effect_alter_other},
	{T_GrantStmt, mig_effect_alter_other},
	{T_ImportForeignSchemaStmt, mig_effect_create_other},
	{T_IndexStmt, mig_effect_index},
	{T_InsertStmt, mig_effect_query},
	{T_ListenStmt, mig_effect_session},
	{T_LoadStmt, mig_effect_session},
	{T_LockStmt, mig_effect_whole},
	{T_MergeStmt, mig_effect_query},
	{T_NotifyStmt, mig_effect_session},
	{T_PrepareStmt, mig_effect_session},
	{T_ReassignOwnedStmt, mig_effect_whole},
	{T_RefreshMatViewStmt, mig_effect_index},
	{T_ReindexStmt, mig_effect_index},
	{T_RenameStmt, mig_effect_rename},
	{T_RuleStmt, mig_effect_on_table},
	{T_SecLabelStmt, mig_effect_alter_other},
	{T_SelectStmt, mig_effect_query},
	{T_TransactionStmt, NULL},
	{T_TruncateStmt, mig_effect_whole},
	{T_UnlistenStmt, mig_effect_session},
	{T_UpdateStmt, mig_effect_query},
	{T_VacuumStmt, mig_effect_index},
	{T_VariableSetStmt, mig_effect_session},
	{T_VariableShowStmt, mig_effect_session},
	{T_ViewStmt, mig_effect_create_view},
};

/* Savepoints belong to their block; COMMIT PREPARED can only stand alone. */
static void
effect_transaction(MigWork *work, TransactionStmt *stmt)
{
	switch (stmt->kind)
	{
		case TRANS_STMT_COMMIT_PREPARED:
		case TRANS_STMT_ROLLBACK_PREPARED:
			mig_effect_cluster(work, (Node *) stmt);
			break;
		default:
			work->effect->undo = "";
			work->effect->block_only = true;
			work->effect->keeps_block = true;
			break;
	}
}

MigEffect *
mig_classify(const MigStatement *stmt, const MigOverlay *overlay)
{
	MigEffect  *effect = palloc0(sizeof(MigEffect));
	MigWork		work = {stmt, overlay, effect};
	Node	   *node = stmt->raw->stmt;

	effect->rows = effect->bytes = -1;
	effect->kind = MIG_STEP_SQL;
	if (IsA(node, TransactionStmt))
		effect_transaction(&work, (TransactionStmt *) node);
	else
		for (int i = 0; i < lengthof(families); i++)
			if (families[i].tag == nodeTag(node))
			{
				families[i].judge(&work, node);
				break;
			}

	mig_effect_look_closer(&work, node);

	/* what this migration has made goes when its making is undone */
	effect->made_only = work.changes_made && !work.changes_other && !effect->opaque;
	mig_effect_settle_undo(&work);
	effect->scans |= effect->builds;
	return effect;
}
