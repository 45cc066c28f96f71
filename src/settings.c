/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The settings with prefix "migrate.", and options of a migration.
 *
 * One table describes them all.  They are personal: a migration runs with no
 * more rights than its owner has, who could do by hand whatever a setting
 * allows, so each is PGC_USERSET and may also be given to a role or database.
 *
 * The layers of a run are resolved once, lowest first: the defaults and what
 * the owner's role and database say (by connecting), the caller's session,
 * the migration's options, tune.  mig_settings_apply() lays one over another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "settings.h"
#include "compat.h"
#include "window.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

#define PREFIX			"migrate."
#define MAX_SCOPE_LEN	200		/* bytes, as a version */

/* An enum starts as its default (16 and later insist when built with assertions). */
int			mig_stall_limit;
int			mig_lock_retry_for;
int			mig_statement_timeout;
int			mig_max_runs;
int			mig_workers;
int			mig_batch_time;
int			mig_batch_pause;
int			mig_low_bloat = MIG_BLOAT_AUTO;
int			mig_max_replica_lag;
char	   *mig_ignore_replicas;
int			mig_max_slot_wal;
int			mig_max_wal_rate;
int			mig_min_free_disk;
char	   *mig_window;
int			mig_small_table;
int			mig_sync_conflict = MIG_CONFLICT_NEW;
int			mig_on_violation = MIG_VIOLATION_LIFT;
int			mig_keep_dropped;
bool		mig_keep_columns;
bool		mig_auto_complete;
bool		mig_auto_resume;
int			mig_out_of_order = MIG_ORDER_WARN;
char	   *mig_scope;

static const struct config_enum_entry low_bloat_words[] = {
	{"auto", MIG_BLOAT_AUTO, false},
	{"on", MIG_BLOAT_ON, false},
	{"off", MIG_BLOAT_OFF, false},
	{NULL, 0, false}
};

static const struct config_enum_entry sync_conflict_words[] = {
	{"new", MIG_CONFLICT_NEW, false},
	{"old", MIG_CONFLICT_OLD, false},
	{"error", MIG_CONFLICT_ERROR, false},
	{NULL, 0, false}
};

static const struct config_enum_entry on_violation_words[] = {
	{"lift", MIG_VIOLATION_LIFT, false},
	{"keep", MIG_VIOLATION_KEEP, false},
	{NULL, 0, false}
};

static const struct config_enum_entry out_of_order_words[] = {
	{"allow", MIG_ORDER_ALLOW, false},
	{"warn", MIG_ORDER_WARN, false},
	{"error", MIG_ORDER_ERROR, false},
	{NULL, 0, false}
};

/* A setting; its type is that of the variable which is given. */
typedef struct Setting
{
	const char *name;			/* with the prefix */
	int		   *int_variable;	/* an enum if words are given */
	bool	   *bool_variable;
	char	  **string_variable;
	int			boot;
	int			min;
	int			max;
	const struct config_enum_entry *words;
	int			flags;
	GucStringCheckHook check;
	GucStringAssignHook assign;
	const char *description;
	const char *detail;
} Setting;

static bool check_window(char **newval, void **extra, GucSource source);
static void assign_window(const char *newval, void *extra);
static bool check_list(char **newval, void **extra, GucSource source);
static bool check_scope(char **newval, void **extra, GucSource source);

static const Setting settings[] = {
	{
		.name = PREFIX "stall_limit", .int_variable = &mig_stall_limit,
		.boot = 50, .min = 1, .max = 60 * 1000, .flags = GUC_UNIT_MS,
		.description = "Sets the longest time that anybody may queue behind a lock that a migration waits for."
	},
	{
		.name = PREFIX "lock_retry_for", .int_variable = &mig_lock_retry_for,
		.boot = 10 * 60 * 1000, .max = INT_MAX, .flags = GUC_UNIT_MS,
		.description = "Sets how long a migration keeps trying to get its locks."
	},
	{
		.name = PREFIX "statement_timeout", .int_variable = &mig_statement_timeout,
		.max = INT_MAX, .flags = GUC_UNIT_MS,
		.description = "Sets the maximum duration of a statement of a migration.",
		.detail = "A value of 0 turns off the timeout."
	},
	{
		.name = PREFIX "max_runs", .int_variable = &mig_max_runs,
		.boot = 4, .min = 1, .max = 1000,
		.description = "Sets how many migrations may run side by side in a database."
	},
	{
		.name = PREFIX "workers", .int_variable = &mig_workers,
		.boot = 1, .min = 1, .max = 64,
		.description = "Sets the number of backfill workers for one step."
	},
	{
		.name = PREFIX "batch_time", .int_variable = &mig_batch_time,
		.boot = 100, .min = 1, .max = 60 * 1000, .flags = GUC_UNIT_MS,
		.description = "Sets the time that one batch of a backfill should take."
	},
	{
		.name = PREFIX "batch_pause", .int_variable = &mig_batch_pause,
		.max = 60 * 60 * 1000, .flags = GUC_UNIT_MS,
		.description = "Sets the pause between two batches of a backfill."
	},
	{
		.name = PREFIX "low_bloat", .int_variable = &mig_low_bloat,
		.boot = MIG_BLOAT_AUTO, .words = low_bloat_words,
		.description = "Selects whether a backfill goes over its blocks in several passes, so that pruning keeps the table small."
	},
	{
		.name = PREFIX "max_replica_lag", .int_variable = &mig_max_replica_lag,
		.boot = 10 * 1000, .max = INT_MAX, .flags = GUC_UNIT_MS,
		.description = "Sets the replay lag of a streaming replica beyond which a backfill waits.",
		.detail = "A value of 0 turns off the check."
	},
	{
		.name = PREFIX "ignore_replicas", .string_variable = &mig_ignore_replicas,
		.flags = GUC_LIST_INPUT, .check = check_list,
		.description = "Lists the application names of replicas that may lag."
	},
	{
		.name = PREFIX "max_slot_wal", .int_variable = &mig_max_slot_wal,
		.boot = 1024 * 1024, .max = INT_MAX, .flags = GUC_UNIT_KB,
		.description = "Sets how much WAL a logical slot may hold back, since the run began, before a backfill waits.",
		.detail = "A value of 0 turns off the check."
	},
	{
		.name = PREFIX "max_wal_rate", .int_variable = &mig_max_wal_rate,
		.max = INT_MAX, .flags = GUC_UNIT_KB,
		.description = "Sets how much WAL a backfill may write in a second.",
		.detail = "A value of 0 means no limit."
	},
	{
		.name = PREFIX "min_free_disk", .int_variable = &mig_min_free_disk,
		.boot = 256, .max = INT_MAX, .flags = GUC_UNIT_MB,
		.description = "Sets the free space, where a table, its indexes and the WAL are, below which a backfill waits.",
		.detail = "A value of 0 turns off the check."
	},
	{
		.name = PREFIX "window", .string_variable = &mig_window,
		.check = check_window, .assign = assign_window,
		.description = "Sets the hours in which backfills, builds and validations may run.",
		.detail = "For example \"Mon-Fri 22:00-06:00 Europe/Berlin; Sat,Sun 00:00-24:00\"; an empty string means always. WINDOW is a key word: SET needs migrate.\"window\"."
	},
	{
		.name = PREFIX "small_table", .int_variable = &mig_small_table,
		.boot = 1024, .max = INT_MAX, .flags = GUC_UNIT_KB,
		.description = "Sets the size below which a table is changed by the plain form of a statement, where that is as safe."
	},
	{
		.name = PREFIX "sync_conflict", .int_variable = &mig_sync_conflict,
		.boot = MIG_CONFLICT_NEW, .words = sync_conflict_words,
		.description = "Selects what counts when a client writes both shapes of a column and they do not match."
	},
	{
		.name = PREFIX "on_violation", .int_variable = &mig_on_violation,
		.boot = MIG_VIOLATION_LIFT, .words = on_violation_words,
		.description = "Selects what becomes of a constraint that is not yet valid when validating it fails."
	},
	{
		.name = PREFIX "keep_dropped", .int_variable = &mig_keep_dropped,
		.boot = 7 * 24 * 60, .max = INT_MAX, .flags = GUC_UNIT_MIN,
		.description = "Sets how long dropped tables are kept in schema \"migrate_kept\".",
		.detail = "A value of 0 means that they are not kept."
	},
	{
		.name = PREFIX "keep_columns", .bool_variable = &mig_keep_columns,
		.description = "Keeps dropped columns under another name for as long as dropped tables."
	},
	{
		.name = PREFIX "auto_complete", .bool_variable = &mig_auto_complete,
		.description = "Makes \"apply\" complete what it applies.",
		.detail = "For databases that have no clients to protect."
	},
	{
		.name = PREFIX "auto_resume", .bool_variable = &mig_auto_resume, .boot = true,
		.description = "Goes on with unfinished runs after a restart of the server.",
		.detail = "Needs \"migrate\" in shared_preload_libraries."
	},
	{
		.name = PREFIX "out_of_order", .int_variable = &mig_out_of_order,
		.boot = MIG_ORDER_WARN, .words = out_of_order_words,
		.description = "Selects what becomes of a version that is below one already applied."
	},
	{
		.name = PREFIX "scope", .string_variable = &mig_scope, .check = check_scope,
		.description = "Sets which set of migrations this session speaks of."
	}
};

static void
define_setting(const Setting *s)
{
	if (s->words)
		DefineCustomEnumVariable(s->name, s->description, s->detail,
								 s->int_variable, s->boot, s->words,
								 PGC_USERSET, s->flags, NULL, NULL, NULL);
	else if (s->int_variable)
		DefineCustomIntVariable(s->name, s->description, s->detail,
								s->int_variable, s->boot, s->min, s->max,
								PGC_USERSET, s->flags, NULL, NULL, NULL);
	else if (s->bool_variable)
		DefineCustomBoolVariable(s->name, s->description, s->detail,
								 s->bool_variable, s->boot != 0,
								 PGC_USERSET, s->flags, NULL, NULL, NULL);
	else
		DefineCustomStringVariable(s->name, s->description, s->detail,
								   s->string_variable, "",
								   PGC_USERSET, s->flags, s->check, s->assign, NULL);
}

void
mig_settings_define(void)
{
	for (int i = 0; i < lengthof(settings); i++)
		define_setting(&settings[i]);
}

static bool
check_window(char **newval, void **extra, GucSource source)
{
	const char *problem = NULL;
	MigWindows *windows = mig_guc_malloc(offsetof(MigWindows, windows) +
										 mig_window_count(*newval) * sizeof(MigWindow));

	if (windows == NULL)
		return false;
	if (!mig_window_parse(*newval, windows, &problem))
	{
		GUC_check_errdetail("%s", problem);
		mig_guc_free(windows);
		return false;
	}
	*extra = windows;
	return true;
}

static void
assign_window(const char *newval, void *extra)
{
	mig_window_assign(extra);
}

static bool
check_list(char **newval, void **extra, GucSource source)
{
	char	   *raw = pstrdup(*newval);
	List	   *elements;
	bool		ok = SplitGUCList(raw, ',', &elements);

	if (!ok)
		GUC_check_errdetail("List syntax is invalid.");
	list_free(elements);
	pfree(raw);
	return ok;
}

static bool
check_scope(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) > MAX_SCOPE_LEN)
	{
		GUC_check_errdetail("A scope has at most %d bytes.", MAX_SCOPE_LEN);
		return false;
	}
	for (const unsigned char *c = (unsigned char *) *newval; *c; c++)
	{
		if (*c < ' ' || *c == 0x7F)
		{
			GUC_check_errdetail("A scope has no control characters.");
			return false;
		}
	}
	return true;
}

/*
 * The setting of that name, without the prefix; NULL if there is none, or if
 * it is not one that a migration or a run can have: its scope is given.
 */
static const Setting *
find_setting(const char *key)
{
	for (int i = 0; i < lengthof(settings); i++)
		if (strcmp(settings[i].name + strlen(PREFIX), key) == 0)
			return settings[i].string_variable == &mig_scope ? NULL : &settings[i];
	return NULL;
}

/* --- options --- */

typedef struct OptionContext
{
	const char *key;
	const char *what;
} OptionContext;

static void
option_error_context(void *arg)
{
	OptionContext *context = arg;

	errcontext("option \"%s\" of %s", context->key, context->what);
}

/* The nearest word for a key that there is none of, or NULL. */
static const char *
nearest_key(const char *key)
{
	static const char *const others[] = {"transaction", "sync"};
	const char *nearest = NULL;
	int			best = 4;		/* more edits than that are another word */
	int			len = strlen(key);

	if (len > NAMEDATALEN)
		return NULL;
	for (int i = 0; i < lengthof(settings) + lengthof(others); i++)
	{
		const char *word = i < lengthof(settings) ?
			settings[i].name + strlen(PREFIX) : others[i - lengthof(settings)];
		int			distance;

		if (i < lengthof(settings) && settings[i].string_variable == &mig_scope)
			continue;
		distance = varstr_levenshtein(key, len, word, strlen(word), 1, 1, 1, true);
		if (distance < best && distance < Max(len, (int) strlen(word)) / 2 + 1)
		{
			best = distance;
			nearest = word;
		}
	}
	return nearest;
}

/* The value of an option as text for the setting; NULL if it is of another kind. */
static char *
scalar_text(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "on" : "off");
		default:
			return NULL;
	}
}

/* Loop over the pairs of a container that is an object; false at its end. */
static bool
next_pair(JsonbIterator **it, char **key, JsonbValue *value)
{
	JsonbValue	v;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			*key = pnstrdup(v.val.string.val, v.val.string.len);
			if (JsonbIteratorNext(it, value, true) != WJB_VALUE)
				elog(ERROR, "unexpected jsonb iterator token");
			return true;
		}
	}
	return false;
}

static void
check_transaction(const JsonbValue *value)
{
	char	   *word = value->type == jbvString ? scalar_text(value) : NULL;

	if (word == NULL || (strcmp(word, "auto") != 0 && strcmp(word, "as_written") != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"transaction\" must be \"auto\" or \"as_written\"")));
}

static bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

static void
check_sync(const JsonbValue *value)
{
	JsonbIterator *columns;
	char	   *column;
	JsonbValue	pair;
	const char *hint = "For example {\"public.users.age\": {\"up\": \"age::text\", \"down\": \"age::int\"}}.";

	if (!is_object(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"sync\" must be an object of columns"),
				 errhint("%s", hint)));
	columns = JsonbIteratorInit(value->val.binary.data);
	while (next_pair(&columns, &column, &pair))
	{
		JsonbIterator *expressions;
		char	   *key;
		JsonbValue	expression;

		expressions = is_object(&pair) ? JsonbIteratorInit(pair.val.binary.data) : NULL;
		if (expressions == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"sync\" has no object with \"up\" and \"down\" for column \"%s\"", column),
					 errhint("%s", hint)));
		while (next_pair(&expressions, &key, &expression))
			if (expression.type != jbvString ||
				(strcmp(key, "up") != 0 && strcmp(key, "down") != 0))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("option \"sync\" has \"%s\" for column \"%s\" where only the texts \"up\" and \"down\" may stand",
								key, column),
						 errhint("%s", hint)));
	}
}

/* One option; the error context names it and the migration. */
static void
check_option(const char *key, const JsonbValue *value, const char *what)
{
	const Setting *setting = find_setting(key);
	const char *nearest;
	char	   *text;

	if (strcmp(key, "transaction") == 0)
		return check_transaction(value);
	if (strcmp(key, "sync") == 0)
		return check_sync(value);
	if (setting == NULL)
	{
		nearest = nearest_key(key);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized option \"%s\" for %s", key, what),
				 nearest ? errhint("Perhaps you meant the option \"%s\".", nearest) :
				 errhint("Options are the settings that begin with \"migrate.\", without that prefix, and \"transaction\" and \"sync\".")));
	}
	text = scalar_text(value);
	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" must be a string, a number or a boolean", key)));
	(void) set_config_option(setting->name, text, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SET, false, ERROR, false);
}

void
mig_settings_check(Jsonb *options, const char *what)
{
	JsonbIterator *it;
	char	   *key;
	JsonbValue	value;
	OptionContext context = {.what = what};
	ErrorContextCallback callback;

	if (options == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options of %s must be a JSON object", what),
				 errhint("For example '{\"workers\": 2, \"lock_retry_for\": \"1h\"}'.")));

	callback.callback = option_error_context;
	callback.arg = &context;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	it = JsonbIteratorInit(&options->root);
	while (next_pair(&it, &key, &value))
	{
		context.key = key;
		check_option(key, &value, what);
	}
	error_context_stack = callback.previous;
}

bool
mig_settings_as_written(Jsonb *options)
{
	JsonbValue	buffer;
	JsonbValue *value;

	if (options == NULL || !JB_ROOT_IS_OBJECT(options))
		return false;
	value = getKeyJsonValueFromContainer(&options->root, "transaction",
										 strlen("transaction"), &buffer);
	return value && value->type == jbvString &&
		strcmp(scalar_text(value), "as_written") == 0;
}

/* --- layers --- */

/* Append a string to a jsonb under construction. */
static void
push_string(JsonbParseState **state, JsonbIteratorToken token, const char *s)
{
	JsonbValue	v = {.type = jbvString};

	v.val.string.val = pstrdup(s);
	v.val.string.len = strlen(s);
	pushJsonbValue(state, token, &v);
}

Jsonb *
mig_settings_of_session(void)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < lengthof(settings); i++)
	{
		const char *name = settings[i].name;
		struct config_generic *setting = mig_find_setting(name);

		if (setting == NULL || settings[i].string_variable == &mig_scope ||
			(setting->source != PGC_S_SESSION && setting->source != PGC_S_CLIENT))
			continue;
		push_string(&state, WJB_KEY, name + strlen(PREFIX));
		push_string(&state, WJB_VALUE, GetConfigOption(name, false, false));
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

void
mig_settings_apply(Jsonb *layer)
{
	JsonbIterator *it;
	char	   *key;
	JsonbValue	value;

	if (layer == NULL || !JB_ROOT_IS_OBJECT(layer))
		return;
	it = JsonbIteratorInit(&layer->root);
	while (next_pair(&it, &key, &value))
	{
		const Setting *setting = find_setting(key);
		char	   *text = setting ? scalar_text(&value) : NULL;

		if (text)
			SetConfigOption(setting->name, text, PGC_USERSET, PGC_S_SESSION);
	}
}

static const char *fixed_scope = NULL;

const char *
mig_current_scope(void)
{
	return fixed_scope ? fixed_scope : mig_scope;
}

const char *
mig_scope_fix(const char *scope)
{
	const char *before = fixed_scope;

	fixed_scope = scope;
	return before;
}
