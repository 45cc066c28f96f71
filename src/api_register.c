/*-------------------------------------------------------------------------
 *
 * api_register.c
 *	  SQL: register, unregister, load, load_archive, load_directory.
 *
 * Layer 5: looks at the arguments and rights, and calls down.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "load.h"
#include "register.h"
#include "session.h"
#include "tar.h"

PG_FUNCTION_INFO_V1(mig_register);
PG_FUNCTION_INFO_V1(mig_unregister);
PG_FUNCTION_INFO_V1(mig_load);
PG_FUNCTION_INFO_V1(mig_load_archive);
PG_FUNCTION_INFO_V1(mig_load_directory);

#define ORIGIN_CALL "register"

static void
refuse_null(const char *argument)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", argument)));
}

/* A text argument; NULL if it is null. */
static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static char *
required_text(FunctionCallInfo fcinfo, int i, const char *argument)
{
	if (PG_ARGISNULL(i))
		refuse_null(argument);
	return text_to_cstring(PG_GETARG_TEXT_PP(i));
}

/* The members of a text[] argument. */
static List *
texts_argument(FunctionCallInfo fcinfo, int i, const char *argument)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(i);
	Datum	   *values;
	bool	   *nulls;
	int			n;
	List	   *texts = NIL;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int j = 0; j < n; j++)
	{
		if (nulls[j])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not contain nulls", argument)));
		texts = lappend(texts, TextDatumGetCString(values[j]));
	}
	return texts;
}

/* SQL: migrate.register(version, up, down, name, requires, verify, options) */
Datum
mig_register(PG_FUNCTION_ARGS)
{
	Migration  *m = palloc0(sizeof(Migration));
	MigRegistered *done;

	m->version = required_text(fcinfo, 0, "version");
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 PG_ARGISNULL(2) ?
				 errmsg("up of migration \"%s\" must not be null", m->version) :
				 errmsg("migration \"%s\" has a down, but no up", m->version),
				 errhint("A migration that does nothing has an empty up: ''.")));
	m->up = text_argument(fcinfo, 1);
	m->down = text_argument(fcinfo, 2);
	m->name = text_argument(fcinfo, 3);
	m->requires_written = !PG_ARGISNULL(4);
	if (m->requires_written)
		m->requires = texts_argument(fcinfo, 4, "requires");
	m->verify = text_argument(fcinfo, 5);
	m->options = PG_ARGISNULL(6) ? NULL : PG_GETARG_JSONB_P(6);
	m->in_order = true;
	m->origin = pstrdup(ORIGIN_CALL);

	done = linitial(mig_register_all(list_make1(m), false, false));
	PG_RETURN_TEXT_P(cstring_to_text(done->result));
}

/* SQL: migrate.unregister(version) */
Datum
mig_unregister(PG_FUNCTION_ARGS)
{
	mig_register_remove(required_text(fcinfo, 0, "version"));
	PG_RETURN_VOID();
}

/* Rows (version, result, note). */
static void
return_rows(FunctionCallInfo fcinfo, List *results)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, results)
	{
		const MigRegistered *done = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(done->version);
		values[1] = CStringGetTextDatum(done->result);
		values[2] = done->note ? CStringGetTextDatum(done->note) : (Datum) 0;
		nulls[2] = done->note == NULL;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* SQL: migrate.load(content, filename, format) */
Datum
mig_load(PG_FUNCTION_ARGS)
{
	char	   *content = required_text(fcinfo, 0, "content");
	char	   *filename = text_argument(fcinfo, 1);
	MigFormat	format = mig_load_format(required_text(fcinfo, 2, "format"));

	if (filename && filename[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filename must not be empty"),
				 errhint("Leave it out for a text that gives its versions itself.")));
	mig_check_writable("register migrations");
	return_rows(fcinfo, mig_register_all(mig_load_text(content, filename, format), false, false));
	return (Datum) 0;
}

/* The prune argument. */
static bool
prune_argument(FunctionCallInfo fcinfo, int i)
{
	if (PG_ARGISNULL(i))
		refuse_null("prune");
	return PG_GETARG_BOOL(i);
}

/* SQL: migrate.load_archive(tar, format, prune) */
Datum
mig_load_archive(PG_FUNCTION_ARGS)
{
	MigFormat	format = mig_load_format(required_text(fcinfo, 1, "format"));
	bool		prune = prune_argument(fcinfo, 2);
	bytea	   *tar;
	List	   *files;
	List	   *ignored = NIL;

	if (PG_ARGISNULL(0))
		refuse_null("tar");
	tar = PG_GETARG_BYTEA_PP(0);
	mig_check_writable("register migrations");
	files = mig_tar_read(VARDATA_ANY(tar), VARSIZE_ANY_EXHDR(tar), &ignored);
	return_rows(fcinfo, mig_register_all(mig_load_files(files, ignored, format), true, prune));
	return (Datum) 0;
}

/* SQL: migrate.load_directory(path, format, prune) */
Datum
mig_load_directory(PG_FUNCTION_ARGS)
{
	char	   *path = required_text(fcinfo, 0, "path");
	MigFormat	format = mig_load_format(required_text(fcinfo, 1, "format"));
	bool		prune = prune_argument(fcinfo, 2);
	List	   *files;
	List	   *ignored = NIL;

	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read files of the server"),
				 errdetail("Only roles with privileges of role \"%s\" may do that.",
						   "pg_read_server_files"),
				 errhint("Send the files from the client with migrate.load_archive.")));
	if (path[0] == '\0' || strlen(path) >= MAXPGPATH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 path[0] ? errmsg("path is too long") : errmsg("path must not be empty")));
	mig_check_writable("register migrations");
	files = mig_read_directory(path, &ignored);
	return_rows(fcinfo, mig_register_all(mig_load_files(files, ignored, format), true, prune));
	return (Datum) 0;
}
