/*-------------------------------------------------------------------------
 *
 * online_column.c
 *	  ADD COLUMN on a table that is in use.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "online_int.h"

List *
mig_online_column(MigOnline *online, AlterTableCmd *cmd)
{
	return NIL;
}
