/*-------------------------------------------------------------------------
 *
 * sync_pair.c
 *	  A pair of shapes as text: an argument of the sync trigger.
 *
 * The text is a JSON object with the keys old, new, up, down and conflict.
 * It names columns and functions, never their numbers, so that a dump can
 * carry it.
 *
 * Takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "settings.h"
#include "sync.h"

static void
append_texts(StringInfo buf, const char *key, List *texts)
{
	ListCell   *lc;

	if (texts == NIL)
		return;
	appendStringInfo(buf, "%s\"%s\": [", buf->len > 1 ? ", " : "", key);
	foreach(lc, texts)
	{
		if (lc != list_head(texts))
			appendStringInfoString(buf, ", ");
		escape_json(buf, lfirst(lc));
	}
	appendStringInfoChar(buf, ']');
}

static const char *const conflict_words[] = {
	[MIG_CONFLICT_NEW] = "new",
	[MIG_CONFLICT_OLD] = "old",
	[MIG_CONFLICT_ERROR] = "error",
};

const char *
mig_sync_conflict_word(int conflict)
{
	return conflict_words[conflict];
}

char *
mig_sync_encode(const MigSyncPair *pair)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	append_texts(&buf, "old", pair->old);
	append_texts(&buf, "new", pair->new);
	append_texts(&buf, "up", pair->up);
	append_texts(&buf, "down", pair->down);
	appendStringInfo(&buf, ", \"conflict\": \"%s\"}", conflict_words[pair->conflict]);
	return buf.data;
}

static JsonbValue *
value_of(JsonbContainer *container, const char *key)
{
	JsonbValue	name;

	name.type = jbvString;
	name.val.string.val = unconstify(char *, key);
	name.val.string.len = strlen(key);
	return findJsonbValueFromContainer(container, JB_FOBJECT, &name);
}

static char *
text_of(const JsonbValue *value)
{
	if (value == NULL || value->type != jbvString)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("argument of a sync trigger is not what migrate has written")));
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static List *
texts_of(JsonbContainer *container, const char *key)
{
	JsonbValue *array = value_of(container, key);
	List	   *texts = NIL;

	if (array == NULL)
		return NIL;
	if (array->type != jbvBinary || !JsonContainerIsArray(array->val.binary.data))
		(void) text_of(NULL);
	for (uint32 i = 0; i < JsonContainerSize(array->val.binary.data); i++)
		texts = lappend(texts, text_of(getIthJsonbValueFromContainer(array->val.binary.data, i)));
	return texts;
}

MigSyncPair *
mig_sync_decode(const char *text)
{
	Jsonb	   *json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	MigSyncPair *pair = palloc0(sizeof(MigSyncPair));
	char	   *conflict;

	if (!JB_ROOT_IS_OBJECT(json))
		(void) text_of(NULL);
	pair->old = texts_of(&json->root, "old");
	pair->new = texts_of(&json->root, "new");
	pair->up = texts_of(&json->root, "up");
	pair->down = texts_of(&json->root, "down");
	conflict = text_of(value_of(&json->root, "conflict"));
	for (int i = 0; i < lengthof(conflict_words); i++)
		if (strcmp(conflict, conflict_words[i]) == 0)
			pair->conflict = i;
	if (pair->old == NIL || pair->new == NIL || (pair->up == NIL && pair->down == NIL) ||
		(pair->up && list_length(pair->up) != list_length(pair->new)) ||
		(pair->down && list_length(pair->down) != list_length(pair->old)))
		(void) text_of(NULL);
	return pair;
}

static bool
same_texts(List *a, List *b)
{
	ListCell   *la,
			   *lb;

	forboth(la, a, lb, b)
		if (strcmp(lfirst(la), lfirst(lb)) != 0)
			return false;
	return list_length(a) == list_length(b);
}

bool
mig_sync_same_columns(const MigSyncPair *a, const MigSyncPair *b)
{
	return same_texts(a->old, b->old) && same_texts(a->new, b->new);
}
