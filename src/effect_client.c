/*-------------------------------------------------------------------------
 *
 * effect_client.c
 *	  What clients that were written for the old shape notice of a type that
 *	  has changed.
 *
 * A value that is refused from now on (a shorter varchar, an integer out of
 * range) does not count: it is what the new type is for.  What counts is an
 * answer that differs, and SQL that no longer means anything: values that
 * come back padded, rounded or cut off, operators and literals of another
 * type.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "effect_int.h"
#include "relation.h"

typedef struct Pair
{
	Oid			from;
	Oid			to;
} Pair;

/* Changes that a client that uses the type in the ordinary way does not see. */
static const Pair harmless[] = {
	{VARCHAROID, TEXTOID}, {TEXTOID, VARCHAROID},
	{INT2OID, INT4OID}, {INT2OID, INT8OID}, {INT4OID, INT8OID},
	{INT4OID, INT2OID}, {INT8OID, INT2OID}, {INT8OID, INT4OID},
	{INT2OID, NUMERICOID}, {INT4OID, NUMERICOID}, {INT8OID, NUMERICOID},
	{FLOAT4OID, FLOAT8OID},
	{INT4OID, OIDOID}, {OIDOID, INT4OID}, {OIDOID, INT8OID},
	{TIMESTAMPOID, TIMESTAMPTZOID}, {TIMESTAMPTZOID, TIMESTAMPOID},
	{CIDROID, INETOID},
	{BITOID, VARBITOID},
	{XMLOID, TEXTOID}, {XMLOID, VARCHAROID},
	{JSONOID, JSONBOID}
};

static bool
is_harmless(Oid from, Oid to)
{
	for (int i = 0; i < lengthof(harmless); i++)
		if (harmless[i].from == from && harmless[i].to == to)
			return true;
	return false;
}

static bool
breaks(Oid from, int32 from_typmod, Oid to, int32 to_typmod)
{
	Oid			from_element = get_element_type(from);
	Oid			to_element = get_element_type(to);

	if (OidIsValid(from_element) && OidIsValid(to_element))
		return breaks(getBaseType(from_element), from_typmod, getBaseType(to_element), to_typmod);
	if (from != to)
		return !is_harmless(from, to);
	/* blanks or bits that fill up a value belong to it */
	return (from == BPCHAROID || from == BITOID) && from_typmod != to_typmod;
}

/* The sequence of a serial column keeps its own type, and ends where that ends. */
static void
judge_sequence(MigWork *work, const MigName *name, const char *colname, Oid from, Oid to)
{
	ListCell   *lc;

	if (!((from == INT2OID && (to == INT4OID || to == INT8OID)) || (from == INT4OID && to == INT8OID)) ||
		!OidIsValid(name->relid))
		return;
	foreach(lc, getOwnedSequences(name->relid))
	{
		Oid			table;
		int32		column;

		if (sequenceIsOwned(lfirst_oid(lc), DEPENDENCY_AUTO, &table, &column) &&
			column == get_attnum(name->relid, colname))
			mig_effect_hazard(work, MIG_HZ_TYPE_SEQUENCE, name, colname, mig_relation_text(lfirst_oid(lc)));
	}
}

void
mig_effect_type_breaks(MigWork *work, const MigName *name, const char *colname,
					   Oid old_type, int32 old_typmod, Oid typid, int32 typmod)
{
	Oid			from = getBaseTypeAndTypmod(old_type, &old_typmod);
	Oid			to;

	if (name->created || !OidIsValid(typid))
		return;
	if (old_type != typid || old_typmod != typmod)
		mig_effect_hazard(work, MIG_HZ_TYPE_PREPARED, name, colname, NULL);
	mig_effect_hazard(work, MIG_HZ_TYPE_STATISTICS, name, colname, NULL);
	to = getBaseTypeAndTypmod(typid, &typmod);
	judge_sequence(work, name, colname, from, to);
	if (!breaks(from, old_typmod, to, typmod))
		return;
	work->effect->breaks = true;
	mig_effect_hazard(work, MIG_HZ_TYPE_BREAKS, name, colname,
					  psprintf("%s instead of %s", format_type_with_typemod(typid, typmod),
							   format_type_be(old_type)));
}
