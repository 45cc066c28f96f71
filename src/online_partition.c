/*-------------------------------------------------------------------------
 *
 * online_partition.c
 *	  ATTACH and DETACH PARTITION on a table that is in use.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "online_int.h"

List *
mig_online_partition(MigOnline *online, AlterTableCmd *cmd)
{
	return NIL;
}
