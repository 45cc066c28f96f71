/*-------------------------------------------------------------------------
 *
 * overlay.c
 *	  What names stand for after statements that have been planned, but have
 *	  not run.
 *
 * One hash table holds what differs from the catalog: relations by their
 * qualified name, "schema x" and "procedure x".  A name that is not there is
 * looked up in the catalog.  A journal of former entries allows to take
 * changes back, as ROLLBACK does.
 *
 * Names are looked up without the server's check of the right to USE the
 * schema, since an earlier statement may grant it.  Temporary relations of
 * the calling session are not seen: a plan is carried out in another one.
 *
 * Layer 1: takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_namespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "overlay.h"
#include "parse.h"
#include "sqlgen.h"

/* two names, each of whose bytes may be a doubled quote, and the rest */
#define KEY_SIZE	(4 * NAMEDATALEN + 32)

typedef struct Entry
{
	char		key[KEY_SIZE];
	Oid			oid;			/* what stands behind it in the catalog */
	char		relkind;
	bool		dropped;
	bool		moved;			/* an object that was there before, under another name */
	bool		triggers;
	int			made_in;		/* migration, from 1; 0: was there before */
	int			changed_in;
	const MigStep *step;		/* the last one that changed it */
	const char *version;		/* whose step that is */
} Entry;

typedef struct JournalEntry
{
	bool		existed;
	Entry		before;			/* without existed, only its key */
} JournalEntry;

typedef struct PathItem
{
	char	   *nspname;
	Oid			oid;			/* InvalidOid: not there yet */
} PathItem;

struct MigOverlay
{
	MemoryContext context;
	HTAB	   *entries;
	List	   *journal;		/* of JournalEntry */
	bool		opaque;
	int			migration;
	const char *version;
	const char *source;
	int			first_line;
	List	   *sources;		/* of char *: of the earlier migrations */
	const char *what;
	/* search_path as it was resolved last, for which settings, and how many schemas changed */
	List	   *path;			/* of PathItem */
	char	   *path_text;
	Oid			path_user;
	int			path_changes;
	int			schema_changes;
};

MigOverlay *
mig_overlay_make(void)
{
	MigOverlay *overlay = palloc0(sizeof(MigOverlay));
	HASHCTL		ctl = {0};

	ctl.keysize = KEY_SIZE;
	ctl.entrysize = sizeof(Entry);
	ctl.hcxt = CurrentMemoryContext;
	overlay->context = CurrentMemoryContext;
	overlay->entries = hash_create("migrate overlay", 64, &ctl,
								   HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	return overlay;
}

void
mig_overlay_enter(MigOverlay *overlay, const char *version,
				  const char *source, const char *what, int first_line)
{
	MemoryContext old = MemoryContextSwitchTo(overlay->context);

	if (overlay->source)
		overlay->sources = lappend(overlay->sources, unconstify(char *, overlay->source));
	MemoryContextSwitchTo(old);
	overlay->migration++;
	overlay->version = version;
	overlay->source = source;
	overlay->what = what;
	overlay->first_line = first_line;
}

int
mig_overlay_errposition(const MigOverlay *overlay, int offset)
{
	return mig_parse_errposition_at(overlay->source, overlay->what, overlay->first_line, offset);
}

const char *
mig_overlay_source(const MigOverlay *overlay)
{
	return overlay->source;
}

int
mig_overlay_offset(const MigOverlay *overlay, int position)
{
	return pg_mbcharcliplen(overlay->source, strlen(overlay->source), position - 1);
}

bool
mig_overlay_opaque(const MigOverlay *overlay)
{
	return overlay->opaque;
}

/* --- entries --- */

static Entry *
entry_find(const MigOverlay *overlay, const char *key)
{
	return hash_search(overlay->entries, key, HASH_FIND, NULL);
}

static void
make_key(char *key, const char *prefix, const char *name)
{
	snprintf(key, KEY_SIZE, "%s%s", prefix, name);
}

static const char *
relation_key(const char *nspname, const char *relname)
{
	return mig_sql_qualified(nspname, relname);
}

/* The entry of a key, made if it is not there; what it was goes to the journal. */
static Entry *
entry_change(MigOverlay *overlay, const char *key, const MigStep *step)
{
	MemoryContext old = MemoryContextSwitchTo(overlay->context);
	JournalEntry *journal = palloc0(sizeof(JournalEntry));
	Entry	   *entry = hash_search(overlay->entries, key, HASH_ENTER, &journal->existed);

	if (journal->existed)
		journal->before = *entry;
	else
	{
		strlcpy(journal->before.key, key, KEY_SIZE);
		memset((char *) entry + KEY_SIZE, 0, sizeof(Entry) - KEY_SIZE);
	}
	overlay->journal = lappend(overlay->journal, journal);
	entry->changed_in = overlay->migration;
	entry->step = step;
	entry->version = overlay->version;
	MemoryContextSwitchTo(old);
	return entry;
}

int
mig_overlay_mark(const MigOverlay *overlay)
{
	return list_length(overlay->journal);
}

void
mig_overlay_revert(MigOverlay *overlay, int mark)
{
	while (list_length(overlay->journal) > mark)
	{
		JournalEntry *journal = llast(overlay->journal);

		if (journal->existed)
			*(Entry *) hash_search(overlay->entries, journal->before.key, HASH_ENTER, NULL) = journal->before;
		else
			hash_search(overlay->entries, journal->before.key, HASH_REMOVE, NULL);
		overlay->journal = list_delete_last(overlay->journal);
	}
	overlay->schema_changes++;
}

/* --- schemas --- */

/* Does a schema exist?  *oid is InvalidOid while it is not in the catalog. */
static bool
schema_find(const MigOverlay *overlay, const char *nspname, Oid *oid)
{
	char		key[KEY_SIZE];
	Entry	   *entry;

	make_key(key, "schema ", nspname);
	entry = entry_find(overlay, key);
	if (entry == NULL)
	{
		*oid = get_namespace_oid(nspname, true);
		return OidIsValid(*oid);
	}
	*oid = entry->oid;
	return !entry->dropped;
}

bool
mig_overlay_has_schema(const MigOverlay *overlay, const char *nspname)
{
	Oid			oid;

	return strcmp(nspname, "pg_temp") == 0 || schema_find(overlay, nspname, &oid);
}

/* search_path in force, without what does not exist; "$user" is replaced. */
static List *
resolve_path(const MigOverlay *overlay)
{
	MigOverlay *cache = unconstify(MigOverlay *, overlay);
	MemoryContext old;
	List	   *names = NIL;
	ListCell   *lc;

	if (cache->path_text && cache->path_user == GetUserId() &&
		cache->path_changes == cache->schema_changes &&
		strcmp(cache->path_text, namespace_search_path) == 0)
		return cache->path;

	old = MemoryContextSwitchTo(cache->context);
	cache->path = NIL;
	cache->path_text = pstrdup(namespace_search_path);
	cache->path_user = GetUserId();
	cache->path_changes = cache->schema_changes;
	if (!SplitIdentifierString(pstrdup(namespace_search_path), ',', &names))
		names = NIL;
	foreach(lc, names)
	{
		PathItem   *item = palloc0(sizeof(PathItem));

		item->nspname = lfirst(lc);
		if (strcmp(item->nspname, "$user") == 0)
			item->nspname = GetUserNameFromId(GetUserId(), true);
		if (item->nspname && strcmp(item->nspname, "pg_temp") != 0 &&
			schema_find(overlay, item->nspname, &item->oid))
			cache->path = lappend(cache->path, item);
	}
	MemoryContextSwitchTo(old);
	return cache->path;
}

Oid
mig_overlay_schema_oid(const MigOverlay *overlay, const char *nspname)
{
	List	   *path;
	Oid			oid;

	if (nspname)
		return schema_find(overlay, nspname, &oid) ? oid : InvalidOid;
	path = resolve_path(overlay);
	return path != NIL ? ((PathItem *) linitial(path))->oid : InvalidOid;
}

/* --- relations --- */

static MigName *
make_name(const char *nspname, const char *relname)
{
	MigName    *name = palloc0(sizeof(MigName));

	name->nspname = pstrdup(nspname);
	name->relname = pstrdup(relname);
	name->text = mig_sql_qualified(nspname, relname);
	return name;
}

/* Fill in what is known of a name in one schema; false if there is no such relation. */
static bool
fill_name(const MigOverlay *overlay, MigName *name, Oid nspid)
{
	Entry	   *entry = entry_find(overlay, name->text);

	if (entry == NULL)
	{
		name->relid = OidIsValid(nspid) ? get_relname_relid(name->relname, nspid) : InvalidOid;
		name->known = OidIsValid(name->relid);
		name->relkind = name->known ? get_rel_relkind(name->relid) : 0;
		return name->known;
	}
	if (entry->dropped)
		return false;
	name->known = true;
	name->relid = entry->oid;
	name->relkind = entry->relkind;
	name->created = entry->made_in == overlay->migration;
	name->triggers = entry->triggers;
	name->touched = true;
	if (entry->changed_in < overlay->migration)
	{
		name->step = entry->step;
		name->version = entry->version;
	}
	return true;
}

MigName *
mig_overlay_find(const MigOverlay *overlay, const char *nspname, const char *relname)
{
	MigName    *name;
	List	   *path;
	ListCell   *lc;
	Oid			nspid = InvalidOid;

	if (nspname)
	{
		name = make_name(nspname, relname);
		if (strcmp(nspname, "pg_temp") == 0 || schema_find(overlay, nspname, &nspid))
			fill_name(overlay, name, nspid);
		return name;
	}

	name = make_name("pg_temp", relname);
	if (fill_name(overlay, name, InvalidOid))
		return name;
	name = make_name("pg_catalog", relname);
	if (fill_name(overlay, name, PG_CATALOG_NAMESPACE))
		return name;
	path = resolve_path(overlay);
	foreach(lc, path)
	{
		PathItem   *item = lfirst(lc);

		name = make_name(item->nspname, relname);
		if (fill_name(overlay, name, item->oid))
			return name;
	}
	if (path != NIL)
		return make_name(((PathItem *) linitial(path))->nspname, relname);
	name->text = pstrdup(mig_sql_name(relname));
	return name;
}

bool
mig_overlay_touched(const MigOverlay *overlay, const MigName *name)
{
	Oid			relid = name->relid;

	if (name->touched)
		return true;
	while (OidIsValid(relid) && get_rel_relispartition(relid))
	{
		relid = get_partition_parent(relid, true);
		if (OidIsValid(relid) &&
			mig_overlay_find(overlay, get_namespace_name(get_rel_namespace(relid)),
							 get_rel_name(relid))->touched)
			return true;
	}
	return false;
}

MigName *
mig_overlay_target(const MigOverlay *overlay, const char *nspname,
				   const char *relname, bool temp)
{
	MigName    *name;
	Oid			nspid = InvalidOid;

	if (temp)
		nspname = "pg_temp";
	else if (nspname)
		(void) (strcmp(nspname, "pg_temp") == 0 || schema_find(overlay, nspname, &nspid));
	else
	{
		List	   *path = resolve_path(overlay);

		if (path != NIL)
		{
			nspname = ((PathItem *) linitial(path))->nspname;
			nspid = ((PathItem *) linitial(path))->oid;
		}
		else
			nspname = "pg_catalog"; /* the server will refuse, or the path is not known */
	}
	name = make_name(nspname, relname);
	fill_name(overlay, name, nspid);
	return name;
}

bool
mig_overlay_commits(const MigOverlay *overlay, const char *proname)
{
	char		key[KEY_SIZE];

	make_key(key, "procedure ", proname);
	return entry_find(overlay, key) != NULL;
}

/* --- changes --- */

/* A relation that is there, before it is changed: what the entry does not say yet is read. */
static Entry *
change_relation(MigOverlay *overlay, const MigChange *change, const MigStep *step)
{
	MigName    *name = mig_overlay_find(overlay, change->nspname, change->relname);
	Entry	   *entry = entry_change(overlay, name->text, step);

	entry->oid = name->relid;
	if (name->relkind)
		entry->relkind = name->relkind;
	return entry;
}

static void
make_relation(MigOverlay *overlay, const MigChange *change, const MigStep *step)
{
	Entry	   *entry;

	if (change->kind == MIG_MAKES_IF_NEW &&
		mig_overlay_target(overlay, change->nspname, change->relname, false)->known)
		return;
	entry = entry_change(overlay, relation_key(change->nspname, change->relname), step);
	entry->oid = InvalidOid;
	entry->relkind = change->relkind;
	entry->dropped = false;
	entry->triggers = false;
	entry->made_in = overlay->migration;
}

static void
move_relation(MigOverlay *overlay, const MigChange *change, const MigStep *step)
{
	Entry		from = *change_relation(overlay, change, step);
	Entry	   *to = entry_change(overlay,
								  relation_key(change->new_nspname, change->new_relname), step);

	to->oid = from.oid;
	to->relkind = from.relkind;
	to->triggers = from.triggers;
	to->made_in = from.made_in;
	to->dropped = false;
	entry_find(overlay, from.key)->dropped = true;
}

/* What statements have made inside a schema goes with it. */
static void
drop_schema(MigOverlay *overlay, const char *nspname, const MigStep *step)
{
	char	   *prefix = psprintf("%s.", mig_sql_name(nspname));
	List	   *inside = NIL;
	HASH_SEQ_STATUS status;
	Entry	   *entry;
	ListCell   *lc;

	hash_seq_init(&status, overlay->entries);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (strncmp(entry->key, prefix, strlen(prefix)) == 0)
			inside = lappend(inside, pstrdup(entry->key));
	foreach(lc, inside)
		entry_change(overlay, lfirst(lc), step)->dropped = true;
}

static void
change_schema(MigOverlay *overlay, const MigChange *change, const MigStep *step)
{
	char		key[KEY_SIZE];
	Entry	   *entry;
	Oid			oid;

	(void) schema_find(overlay, change->nspname, &oid);
	make_key(key, "schema ", change->nspname);
	entry = entry_change(overlay, key, step);
	overlay->schema_changes++;
	if (change->kind == MIG_MAKES_SCHEMA)
	{
		entry->oid = entry->dropped ? InvalidOid : oid;
		entry->dropped = false;
		return;
	}
	entry->dropped = true;
	if (change->kind == MIG_DROPS_SCHEMA)
		drop_schema(overlay, change->nspname, step);
	else
	{
		make_key(key, "schema ", change->new_nspname);
		entry = entry_change(overlay, key, step);
		entry->oid = oid;
		entry->dropped = false;
		/* names inside that are not in the catalog yet are lost from sight */
		overlay->opaque = true;
	}
}

static Entry *
object_find(const MigOverlay *overlay, const char *object)
{
	char		key[KEY_SIZE];

	make_key(key, "object ", object);
	return entry_find(overlay, key);
}

bool
mig_overlay_made(const MigOverlay *overlay, const char *object)
{
	Entry	   *entry;

	entry = object_find(overlay, object);
	return entry && entry->made_in == overlay->migration && !entry->moved;
}

bool
mig_overlay_has(const MigOverlay *overlay, const char *object)
{
	Entry	   *entry = object_find(overlay, object);

	return entry && entry->made_in > 0 && !entry->dropped;
}

bool
mig_overlay_dropped(const MigOverlay *overlay, const char *object)
{
	Entry	   *entry = object_find(overlay, object);

	return entry && entry->dropped;
}

bool
mig_overlay_mentions(const MigOverlay *overlay, const char *word)
{
	HASH_SEQ_STATUS status;
	Entry	   *entry;

	hash_seq_init(&status, overlay->entries);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (mig_sql_mentions(entry->key, word))
		{
			hash_seq_term(&status);
			return true;
		}
	return false;
}

bool
mig_overlay_says(const MigOverlay *overlay, const char *word, int offset)
{
	ListCell   *lc;

	foreach(lc, overlay->sources)
		if (mig_sql_mentions(lfirst(lc), word))
			return true;
	return mig_sql_mentions(pnstrdup(overlay->source, offset), word);
}

static Entry *
change_object(MigOverlay *overlay, const char *object, const MigStep *step)
{
	char		key[KEY_SIZE];

	make_key(key, "object ", object);
	return entry_change(overlay, key, step);
}

void
mig_overlay_apply(MigOverlay *overlay, const List *changes, const List *makes,
				  const List *drops, const MigStep *step)
{
	const ListCell *lc;

	foreach(lc, drops)
		change_object(overlay, lfirst(lc), step)->dropped = true;
	foreach(lc, makes)
	{
		Entry	   *entry = change_object(overlay, lfirst(lc), step);

		entry->made_in = overlay->migration;
		entry->dropped = false;
		entry->moved = false;
	}

	foreach(lc, changes)
	{
		const MigChange *change = lfirst(lc);
		char		key[KEY_SIZE];

		switch (change->kind)
		{
			case MIG_MAKES:
			case MIG_MAKES_IF_NEW:
				make_relation(overlay, change, step);
				break;
			case MIG_DROPS:
				change_relation(overlay, change, step)->dropped = true;
				break;
			case MIG_MOVES:
				move_relation(overlay, change, step);
				break;
			case MIG_ALTERS:
				change_relation(overlay, change, step);
				break;
			case MIG_TRIGGERS:
				change_relation(overlay, change, step)->triggers = true;
				break;
			case MIG_MAKES_SCHEMA:
			case MIG_DROPS_SCHEMA:
			case MIG_MOVES_SCHEMA:
				change_schema(overlay, change, step);
				break;
			case MIG_MOVES_OBJECT:
				change_object(overlay, change->relname, step)->moved = true;
				break;
			case MIG_MAKES_PROCEDURE:
				make_key(key, "procedure ", change->relname);
				entry_change(overlay, key, step);
				break;
			case MIG_OPAQUE:
				overlay->opaque = true;
				break;
		}
	}
}
