/*-------------------------------------------------------------------------
 *
 * api_copy.c
 *	  copy_column, drop_copy, prove_copy: arguments and rights, then call
 *	  down.  The steps of a RENAME COLUMN.
 *
 * Takes no lock itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "session.h"
#include "sync.h"

PG_FUNCTION_INFO_V1(mig_copy_column);
PG_FUNCTION_INFO_V1(mig_drop_copy);
PG_FUNCTION_INFO_V1(mig_prove_copy);

static Oid
owned_table(FunctionCallInfo fcinfo, MigSyncPair *pair)
{
	Oid			relid;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("relation, old and new must not be null")));
	relid = PG_GETARG_OID(0);
	pair->old = list_make1(pstrdup(NameStr(*PG_GETARG_NAME(1))));
	pair->new = list_make1(pstrdup(NameStr(*PG_GETARG_NAME(2))));
	if (get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!mig_is_class_owner(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	return relid;
}

static List *
names_arg(FunctionCallInfo fcinfo, int n)
{
	Datum	   *elems;
	bool	   *nulls;
	int			count;
	List	   *names = NIL;

	if (PG_ARGISNULL(n))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR,
					  &elems, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			names = lappend(names, pstrdup(NameStr(*DatumGetName(elems[i]))));
	return names;
}

Datum
mig_copy_column(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	MigSyncPair pair = {0};
	Oid			relid;

	mig_check_writable("copy a column");
	relid = owned_table(fcinfo, &pair);
	SPI_connect();
	MemoryContextSwitchTo(context);
	mig_sync_copy_column(relid, &pair);
	SPI_finish();
	PG_RETURN_VOID();
}

Datum
mig_drop_copy(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	MigSyncPair pair = {0};
	Oid			relid;

	mig_check_writable("drop a copy");
	relid = owned_table(fcinfo, &pair);
	SPI_connect();
	MemoryContextSwitchTo(context);
	mig_sync_drop_copy(relid, &pair);
	SPI_finish();
	PG_RETURN_VOID();
}

Datum
mig_prove_copy(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	MigSyncPair pair = {0};
	List	   *twins = names_arg(fcinfo, 3);
	Oid			relid = owned_table(fcinfo, &pair);

	SPI_connect();
	MemoryContextSwitchTo(context);
	mig_sync_prove_copy(relid, &pair, twins);
	SPI_finish();
	PG_RETURN_VOID();
}
