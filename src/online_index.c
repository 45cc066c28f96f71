/*-------------------------------------------------------------------------
 *
 * online_index.c
 *	  Indexes of a table that is in use.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "online_int.h"

List *
mig_online_index(MigOnline *online)
{
	return NIL;
}
