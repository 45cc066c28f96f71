/*-------------------------------------------------------------------------
 *
 * plan_keys.c
 *	  What the overlay is told of a step beside the objects that it makes and
 *	  drops.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "online.h"
#include "plan_int.h"
#include "sqlgen.h"

/* "written public.t" of what may have other rows than before. */
static List *
written_keys(const MigItem *item)
{
	List	   *keys = NIL;
	ListCell   *lc;

	if (item->tightens)
		return NIL;
	foreach(lc, item->effect->locks)
		if (((MigLock *) lfirst(lc))->mode >= RowExclusiveLock)
			keys = lappend(keys, psprintf("written %s", ((MigLock *) lfirst(lc))->relation));
	return keys;
}

/*
 * A name that a column may have since, or that something may be found which
 * was not there, as an operator may.  Keys without a further meaning: see
 * mig_overlay_mentions() and mig_overlay_mark().
 */
static List *
named_keys(const MigItem *item)
{
	Node	   *node = item->stmt->raw->stmt;

	switch (nodeTag(node))
	{
		case T_RenameStmt:
			return list_make1(psprintf("named %s", mig_sql_name(((RenameStmt *) node)->newname)));
		case T_CommentStmt:
		case T_DeleteStmt:
		case T_ExplainStmt:
		case T_InsertStmt:
		case T_SelectStmt:
		case T_UpdateStmt:
		case T_VacuumStmt:
		case T_VariableSetStmt:
		case T_VariableShowStmt:
			return NIL;
		default:
			return list_make1(pstrdup("changed something"));
	}
}

/* "reshaped public.t" of what may have lost columns, or have them under other names. */
static List *
reshaped_keys(const MigItem *item)
{
	Node	   *node = item->stmt->raw->stmt;
	List	   *keys = NIL;
	ListCell   *lc;

	if (mig_online_keeps_rows(node) || !(IsA(node, AlterTableStmt) || IsA(node, RenameStmt) ||
										 IsA(node, AlterObjectSchemaStmt) || IsA(node, DropStmt)))
		return NIL;
	foreach(lc, item->effect->locks)
		if (((MigLock *) lfirst(lc))->mode == AccessExclusiveLock)
			keys = lappend(keys, psprintf("reshaped %s", ((MigLock *) lfirst(lc))->relation));
	return keys;
}

List *
mig_plan_keys(const MigItem *item)
{
	return list_concat(list_concat(written_keys(item), named_keys(item)), reshaped_keys(item));
}
