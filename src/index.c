/*-------------------------------------------------------------------------
 *
 * index.c
 *	  Indexes: the name that the server would choose for one, and whether one
 *	  that exists is what a statement asks for.
 *
 * Layer 1.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "parser/parse_target.h"
#include "parser/parser.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "index.h"
#include "relation.h"

/* --- names --- */

/* As ChooseIndexColumnNames in indexcmds.c: names that come again get a number. */
static List *
add_column_name(List *names, const char *origname)
{
	char		name[NAMEDATALEN];

	strlcpy(name, origname, NAMEDATALEN);
	for (int i = 1;; i++)
	{
		char		number[16];
		int			len;
		bool		taken = false;
		ListCell   *lc;

		foreach(lc, names)
			taken |= strcmp(lfirst(lc), name) == 0;
		if (!taken)
			return lappend(names, pstrdup(name));
		snprintf(number, sizeof(number), "%d", i);
		len = pg_mbcliplen(origname, strlen(origname), NAMEDATALEN - 1 - strlen(number));
		memcpy(name, origname, len);
		strcpy(name + len, number);
	}
}

/* As ChooseIndexNameAddition there: the columns' names joined, as far as is of use. */
static char *
join_column_names(List *columns)
{
	List	   *names = NIL;
	char		joined[NAMEDATALEN * 2];
	int			len = 0;
	ListCell   *lc;

	foreach(lc, columns)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);
		const char *name = elem->name ? elem->name : FigureIndexColname(elem->expr);

		names = add_column_name(names, name ? name : "expr");
	}
	joined[0] = '\0';
	foreach(lc, names)
	{
		if (len > 0)
			joined[len++] = '_';
		strlcpy(joined + len, lfirst(lc), NAMEDATALEN);
		len += strlen(joined + len);
		if (len >= NAMEDATALEN)
			break;
	}
	return pstrdup(joined);
}

static bool
is_taken(const MigName *name, List *taken)
{
	ListCell   *lc;

	foreach(lc, taken)
		if (strcmp(lfirst(lc), name->text) == 0)
			return true;
	return name->known;
}

/* As ChooseRelationName there, but a name that an earlier statement takes is taken as well. */
char *
mig_index_choose_name(const MigOverlay *overlay, const char *nspname, const char *relname,
					  List *columns, const char *label, List *taken)
{
	char	   *joined = columns == NIL ? NULL : join_column_names(columns);
	char		numbered[NAMEDATALEN];

	strlcpy(numbered, label, sizeof(numbered));
	for (int pass = 1;; pass++)
	{
		char	   *name = makeObjectName(relname, joined, numbered);

		if (!is_taken(mig_overlay_target(overlay, nspname, name, false), taken))
			return name;
		snprintf(numbered, sizeof(numbered), "%s%d", label, pass);
	}
}

/* --- flags --- */

MigIndex
mig_index_get(Oid indexid)
{
	MigIndex	index = {0};
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Form_pg_index form;

	if (!HeapTupleIsValid(tuple))
		return index;
	form = (Form_pg_index) GETSTRUCT(tuple);
	index.found = true;
	index.table = form->indrelid;
	index.unique = form->indisunique;
	index.exclusion = form->indisexclusion;
	index.valid = form->indisvalid;
	index.whole = form->indisvalid && form->indisready && form->indislive;
	index.immediate = form->indimmediate;
	index.plain_columns = heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
		heap_attisnull(tuple, Anum_pg_index_indexprs, NULL);
	ReleaseSysCache(tuple);
	index.is_partition = get_rel_relispartition(indexid);
	index.partitioned = get_rel_relkind(indexid) == RELKIND_PARTITIONED_INDEX;
	index.constraint = get_index_constraint(indexid);
	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(index.constraint));
	if (HeapTupleIsValid(tuple))
	{
		index.contype = ((Form_pg_constraint) GETSTRUCT(tuple))->contype;
		ReleaseSysCache(tuple);
	}
	return index;
}

bool
mig_index_is_whole(Oid indexid)
{
	return mig_index_get(indexid).whole;
}

/* --- definitions --- */

/* What ASC, and NULLS at the end where they are anyway, say is what is meant without them. */
static List *
normalized(List *columns, bool strict)
{
	List	   *result = copyObject(columns);
	ListCell   *lc;

	foreach(lc, result)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);
		bool		desc = elem->ordering == SORTBY_DESC;

		elem->indexcolname = NULL;
		if (!desc || !strict)
			elem->ordering = SORTBY_DEFAULT;
		if (!strict || elem->nulls_ordering == (desc ? SORTBY_NULLS_FIRST : SORTBY_NULLS_LAST))
			elem->nulls_ordering = SORTBY_NULLS_DEFAULT;
	}
	return result;
}

char *
mig_index_definition(Oid indexid, IndexStmt **stmt)
{
	Oid			table = mig_relation_of_index(indexid);
	char	   *name = OidIsValid(table) ? mig_relation_text(table) : NULL;
	char	   *sql;

	if (name == NULL || !mig_relation_lock(table, name))
		return NULL;
	sql = pg_get_indexdef_string(indexid);
	mig_relation_unlock(table);
	*stmt = castNode(IndexStmt, linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt);
	return sql;
}

bool
mig_index_is_like(Oid indexid, const IndexStmt *stmt, bool strict)
{
	IndexStmt  *is;

	return mig_index_definition(indexid, &is) && is->unique == stmt->unique &&
		is->nulls_not_distinct == stmt->nulls_not_distinct &&
		strcmp(is->accessMethod, stmt->accessMethod) == 0 &&
		equal(normalized(is->indexParams, strict), normalized(stmt->indexParams, strict)) &&
		equal(normalized(is->indexIncludingParams, strict), normalized(stmt->indexIncludingParams, strict)) &&
		equal(is->whereClause, stmt->whereClause);
}

bool
mig_index_refreshes(Oid relid)
{
	ListCell   *lc;

	foreach(lc, mig_relation_indexes(relid))
	{
		MigIndex	index = mig_index_get(lfirst_oid(lc));

		if (index.unique && index.immediate && index.valid && index.plain_columns)
			return true;
	}
	return false;
}
