/* sql/migrate--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION migrate" to load this file. \quit

-- A schema made beforehand by somebody else would put our functions into his
-- hands, so it must belong to whoever installs.
DO $$
BEGIN
	IF (SELECT n.nspowner::pg_catalog.regrole::text OPERATOR(pg_catalog.<>) current_user::pg_catalog.regrole::text
		FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) 'migrate') THEN
		RAISE EXCEPTION 'schema "migrate" belongs to another role'
			USING ERRCODE = 'insufficient_privilege',
				  HINT = 'Drop or rename that schema before CREATE EXTENSION migrate.';
	END IF;
END $$;

REVOKE ALL ON SCHEMA migrate FROM PUBLIC;
CREATE SCHEMA migrate_internal;
REVOKE ALL ON SCHEMA migrate_internal FROM PUBLIC;
COMMENT ON SCHEMA migrate_internal IS 'tables and functions of migrate that are not meant for users';


-- ---------------------------------------------------------------------------
-- Tables.  Only C code writes them, as the owner of the extension; they hold
-- names and never OIDs, so that a dump can carry them to another server.
-- ---------------------------------------------------------------------------

-- The order of versions: runs of digits compare as numbers, all else as bytes.
CREATE FUNCTION migrate_internal.version_key(version text) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'mig_version_key';
COMMENT ON FUNCTION migrate_internal.version_key(text)
	IS 'sort key of a version: two versions are the same if their keys are equal';

CREATE TABLE migrate_internal.migration (
	scope			text NOT NULL,
	version			text NOT NULL,
	key				bytea NOT NULL GENERATED ALWAYS AS (migrate_internal.version_key(version)) STORED,
	in_order		boolean NOT NULL DEFAULT true,	-- false: made by run() or backfill()
	name			text,
	owner			text NOT NULL,
	registered_by	text NOT NULL,
	registered_at	timestamptz NOT NULL DEFAULT pg_catalog.now(),
	requires		text[],				-- NULL: the next lower version
	upward			boolean NOT NULL DEFAULT false, -- it requires one that stands above it in the order
	up				text NOT NULL,
	down			text,
	verify			text,
	up_line			int NOT NULL DEFAULT 1,		-- where they begin in their file
	down_line		int NOT NULL DEFAULT 1,
	verify_line		int NOT NULL DEFAULT 1,
	options			jsonb NOT NULL DEFAULT '{}',
	search_path		text NOT NULL,
	checksum		text NOT NULL,		-- SHA-256 of up, down and verify as they stand
	token_checksum	text NOT NULL,		-- SHA-256 of their tokens, without comments and blanks
	origin			text NOT NULL,		-- a file's name, or 'register', 'run'
	state			text NOT NULL DEFAULT 'pending' CHECK (state IN
						('pending', 'running', 'expanded', 'completing', 'applied',
						 'rolling_back', 'paused', 'failed')),
	direction		text CHECK (direction IN ('apply', 'complete', 'rollback')),
	run				bigint,				-- the last run
	phase			text,
	step			int,				-- the step that is running, or that failed
	steps			int NOT NULL DEFAULT 0,
	steps_done		int NOT NULL DEFAULT 0,
	started_at		timestamptz,
	finished_at		timestamptz,
	applied_by		text,
	error			text,
	sqlstate		text,
	pause			text NOT NULL DEFAULT 'none' CHECK (pause IN
						('none', 'once', 'sticky')),	-- once: Ctrl-C; sticky: pause()
	PRIMARY KEY (scope, version),
	UNIQUE (scope, key)
);
CREATE INDEX migration_upward ON migrate_internal.migration (scope) WHERE upward;

CREATE SEQUENCE migrate_internal.run_id;

CREATE TABLE migrate_internal.run (
	id				bigint PRIMARY KEY DEFAULT pg_catalog.nextval('migrate_internal.run_id'),
	scope			text NOT NULL,
	version			text NOT NULL,
	direction		text NOT NULL,
	request			bigint,
	role			text NOT NULL,		-- who asked
	session_role	text NOT NULL,
	client_addr		text,
	application_name text,
	settings		jsonb NOT NULL DEFAULT '{}',
	identity		text NOT NULL,		-- of the database that it ran in
	started_at		timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	finished_at		timestamptz,
	outcome			text,				-- NULL while running
	pid				int,				-- of the worker
	wait_type		text,
	wait_detail		text,
	wait_since		timestamptz,
	wait_until		timestamptz,		-- said again before that while the wait lasts
	done			bigint,
	total			bigint,
	unit			text,
	workers			int,				-- at work on a backfill
	stalled_ms		bigint NOT NULL DEFAULT 0,
	lock_wait_ms	bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE INDEX ON migrate_internal.run (scope, version);
CREATE INDEX ON migrate_internal.run (request) WHERE finished_at IS NULL;

CREATE TABLE migrate_internal.step (
	scope			text NOT NULL,
	version			text NOT NULL,
	direction		text NOT NULL,		-- 'apply' (contract steps included) or 'rollback'
	step			int NOT NULL,
	phase			text NOT NULL,
	kind			text NOT NULL,
	statement		int,
	line			int,
	tx				int NOT NULL,
	command			text NOT NULL,
	undo			text,				-- NULL: irreversible
	relation		text,
	object			text,				-- what it makes or drops, qualified
	lock			text,
	locks			jsonb,				-- [["schema.table","AccessExclusiveLock"], ...]
	scans			boolean,
	rewrites		boolean,
	rows			bigint,
	bytes			bigint,
	estimate_ms		bigint,
	note			text,
	args			jsonb,
	state			text NOT NULL DEFAULT 'pending' CHECK (state IN
						('pending', 'started', 'done', 'undone', 'doubtful')),
	started_at		timestamptz,
	finished_at		timestamptz,
	PRIMARY KEY (scope, version, direction, step)
);

CREATE INDEX ON migrate_internal.step (scope, version) WHERE phase = 'contract' AND state <> 'done';

CREATE SEQUENCE migrate_internal.event_id;

CREATE TABLE migrate_internal.event (
	id				bigint PRIMARY KEY DEFAULT pg_catalog.nextval('migrate_internal.event_id'),
	at				timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	scope			text NOT NULL,
	run				bigint,
	version			text NOT NULL,
	step			int,
	event			text NOT NULL,
	command			text,
	role			text NOT NULL,
	session_role	text NOT NULL,
	client_addr		text,
	application_name text,
	duration_ms		double precision,
	lock_wait_ms	bigint,
	stalled_ms		bigint,
	rows			bigint,
	wal_bytes		bigint,
	sqlstate		text,
	message			text,
	checksum		text,
	reason			text,
	kind			text,				-- of the step, for measured rates
	bytes			bigint				-- size of its relation then, for measured rates
);
CREATE INDEX ON migrate_internal.event (scope, version, id);
CREATE INDEX ON migrate_internal.event (id) WHERE event = 'step done' AND bytes > 1000000;

-- Keys of rows that a step could not take: data of users, hence never dumped.
CREATE TABLE migrate_internal.failed_row (
	scope			text NOT NULL,
	version			text NOT NULL,
	run				bigint NOT NULL,
	direction		text NOT NULL DEFAULT 'apply',
	step			int NOT NULL,
	relation		text NOT NULL,
	key				text NOT NULL,
	key_values		text[],				-- by key: to try it again
	sqlstate		text,
	message			text,
	at				timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE INDEX ON migrate_internal.failed_row (scope, version);

-- How far a backfill has come; it moves in the transaction of each batch.  A
-- row for each range of the table; one worker at a time goes through a range.
CREATE TABLE migrate_internal.cursor (
	scope			text NOT NULL,
	version			text NOT NULL,
	direction		text NOT NULL,
	step			int NOT NULL,
	range			int NOT NULL DEFAULT 1,
	lower			text[],				-- by key: done up to here; by blocks: {next block}
	upper			text[],				-- by key: the last key; by blocks: {end block}
	file			text,				-- by blocks: the relation's file, of which they are numbers
	pass			int NOT NULL DEFAULT 1,
	pass_changed	bigint NOT NULL DEFAULT 0,	-- rows changed in this pass
	rows			bigint NOT NULL DEFAULT 0,	-- changed in all
	window_end		text[],				-- rows up to here are gone through in parts; NULL: none
	part			int NOT NULL DEFAULT 0,	-- parts below this one are done
	done			bigint NOT NULL DEFAULT 0,	-- rows or blocks passed
	hot				bigint NOT NULL DEFAULT 0,	-- of rows: updates within their page
	wal_bytes		bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (scope, version, direction, step, range)
) WITH (fillfactor = 50);

CREATE SEQUENCE migrate_internal.request_id;

-- What a verb was asked to do; the queue between callers and workers.
CREATE TABLE migrate_internal.request (
	id				bigint PRIMARY KEY DEFAULT pg_catalog.nextval('migrate_internal.request_id'),
	scope			text NOT NULL,
	verb			text NOT NULL,		-- apply, complete, rollback, rollback_to, run
	target			text,
	targets			text[] NOT NULL,	-- the versions that this came to when it was asked
	arguments		jsonb NOT NULL DEFAULT '{}',
	role			text NOT NULL,
	session_role	text NOT NULL,
	client_addr		text,
	application_name text,
	caller_pid		int,
	settings		jsonb NOT NULL DEFAULT '{}',
	identity		text NOT NULL,
	state			text NOT NULL DEFAULT 'queued' CHECK (state IN
						('queued', 'running', 'done', 'failed')),
	pid				int,
	done			text[] NOT NULL DEFAULT '{}',
	failed			text[] NOT NULL DEFAULT '{}',
	notices			text[] NOT NULL DEFAULT '{}',
	waiting_for		text,
	result			text,
	error			jsonb,
	requested_at	timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	finished_at		timestamptz
) WITH (fillfactor = 50);

-- "right" is a key word
CREATE TABLE migrate_internal.granted_right (
	owner			text NOT NULL,
	grantee			text NOT NULL,
	kind			text NOT NULL CHECK (kind IN ('apply', 'complete', 'rollback', 'pause')),
	granted_by		text NOT NULL,
	granted_at		timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (owner, grantee, kind)
);

-- Which columns are kept equal, and who asked for it; what is done is in the
-- arguments of the sync triggers.
CREATE TABLE migrate_internal.sync (
	scope			text NOT NULL,
	relation		text NOT NULL,
	old				text[] NOT NULL,
	new				text[] NOT NULL,
	up				text[],				-- NULL: not that way
	down			text[],
	conflict		text NOT NULL CHECK (conflict IN ('new', 'old', 'error')),
	fill			text,				-- version of the run that fills; NULL: none
	version			text,				-- of the migration that it belongs to; NULL: none
	created_by		text NOT NULL,
	created_at		timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (scope, relation, old, new)
);

SELECT pg_catalog.pg_extension_config_dump('migrate_internal.migration', '');
SELECT pg_catalog.pg_extension_config_dump('migrate_internal.run', '');
SELECT pg_catalog.pg_extension_config_dump('migrate_internal.run_id', '');
SELECT pg_catalog.pg_extension_config_dump('migrate_internal.step', '');
SELECT pg_catalog.pg_extension_config_dump('migrate_internal.cursor', '');
SELECT pg_catalog.pg_extension_config_dump('migrate_internal.event', '');
SELECT pg_catalog.pg_extension_config_dump('migrate_internal.event_id', '');
SELECT pg_catalog.pg_extension_config_dump('migrate_internal.granted_right', '');
SELECT pg_catalog.pg_extension_config_dump('migrate_internal.sync', '');


-- ---------------------------------------------------------------------------
-- Register
-- ---------------------------------------------------------------------------

CREATE FUNCTION migrate.register(version text, up text, down text DEFAULT NULL,
								 name text DEFAULT NULL, requires text[] DEFAULT NULL,
								 verify text DEFAULT NULL, options jsonb DEFAULT '{}')
	RETURNS text LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_register';
COMMENT ON FUNCTION migrate.register(text, text, text, text, text[], text, jsonb)
	IS 'register a migration; returns new, same, cosmetic (only comments or blanks differ) or replaced; a syntax error (42601) is reported with line and position, other content of one that has begun is refused (55000), and nothing is stored';

CREATE FUNCTION migrate.unregister(version text)
	RETURNS void LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_unregister';
COMMENT ON FUNCTION migrate.unregister(text)
	IS 'forget a migration that is pending, or failed with nothing done, and that no other requires (55000 otherwise)';

CREATE FUNCTION migrate.load(content text, filename text DEFAULT NULL, format text DEFAULT 'auto',
							 OUT version text, OUT result text, OUT note text)
	RETURNS SETOF record LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_load';
COMMENT ON FUNCTION migrate.load(text, text, text)
	IS 'register one file, or a bundle in the annotated format; all or nothing; a row for each migration: new, same, cosmetic or replaced; the name of the file gives the version unless the text does (-- migrate:version); format: auto, annotated (-- migrate:up), plain (all of it is up), files (the name says which part it is)';

CREATE FUNCTION migrate.load_archive(tar bytea, format text DEFAULT 'auto', prune boolean DEFAULT false,
									 OUT version text, OUT result text, OUT note text)
	RETURNS SETOF record LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_load_archive';
COMMENT ON FUNCTION migrate.load_archive(bytea, text, boolean)
	IS 'register a folder that the client sends as a tar archive; all or nothing; taken are <version>_name.sql, <version>_name.up.sql with .down.sql and .verify.sql, folders <version>_name with up.sql, down.sql, verify.sql or migration.sql, and annotated files; others are named in a NOTICE; a row more for each registered version whose file is gone (missing); prune unregisters those of them that are pending';

CREATE FUNCTION migrate.load_directory(path text, format text DEFAULT 'auto', prune boolean DEFAULT false,
									   OUT version text, OUT result text, OUT note text)
	RETURNS SETOF record LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_load_directory';
COMMENT ON FUNCTION migrate.load_directory(text, text, boolean)
	IS 'register a folder of the server; needs pg_read_server_files (42501 otherwise); path relative to the data directory or absolute; all else as load_archive';


-- ---------------------------------------------------------------------------
-- Look before you leap
-- ---------------------------------------------------------------------------

CREATE FUNCTION migrate.plan(target text DEFAULT NULL, action text DEFAULT 'apply',
		OUT version text, OUT step int, OUT phase text, OUT kind text, OUT statement int, OUT line int, OUT tx int,
		OUT command text, OUT undo text, OUT relation text, OUT lock text, OUT scans boolean, OUT rewrites boolean,
		OUT rows bigint, OUT bytes bigint, OUT estimate interval, OUT note text)
	RETURNS SETOF record LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_plan';
COMMENT ON FUNCTION migrate.plan(text, text)
	IS 'the steps that apply, complete, rollback or rollback_to would take, from the SQL and the catalog as it is now; never waits, never writes';

CREATE FUNCTION migrate.explain(sql text,
		OUT version text, OUT step int, OUT phase text, OUT kind text, OUT statement int, OUT line int, OUT tx int,
		OUT command text, OUT undo text, OUT relation text, OUT lock text, OUT scans boolean, OUT rewrites boolean,
		OUT rows bigint, OUT bytes bigint, OUT estimate interval, OUT note text)
	RETURNS SETOF record LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_explain';
COMMENT ON FUNCTION migrate.explain(text)
	IS 'the plan of any SQL, without registering it; never waits, never writes';

CREATE FUNCTION migrate.check(sql text,
		OUT statement int, OUT line int, OUT rule text, OUT severity text, OUT relation text,
		OUT lock text, OUT scans boolean, OUT rewrites boolean, OUT breaks_clients boolean,
		OUT rows bigint, OUT bytes bigint, OUT message text, OUT instead text)
	RETURNS SETOF record LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_check_sql';
COMMENT ON FUNCTION migrate.check(text)
	IS 'what SQL would do to this database if it were run as it stands: a row for each relation that existed before and that a statement locks (its strongest lock, or null), more where there is more to say; scans, rewrites and breaks_clients speak of the statement: while it holds the lock it reads or copies all rows of a table, running clients fail or read something else, data is lost; rule and severity (info, warning, danger) are null where only the lock is to be told; instead: the safe way, or the sentence that apply does this by itself; what the server would refuse is a row with rule fails; SQL that cannot be understood is an error with line and position; never waits, never writes';

CREATE FUNCTION migrate.plan_text(target text DEFAULT NULL, action text DEFAULT 'apply', costs boolean DEFAULT false)
	RETURNS SETOF text LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_plan_text';
COMMENT ON FUNCTION migrate.plan_text(text, text, boolean)
	IS 'the plan as text for a pull request: one fact a line, nothing that changes from day to day unless costs is true';

CREATE FUNCTION migrate.preflight(target text DEFAULT NULL, action text DEFAULT 'apply',
		OUT item text, OUT ok boolean, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_preflight_rows';
COMMENT ON FUNCTION migrate.preflight(text, text)
	IS 'what would make apply, complete, rollback or rollback_to go wrong on this server now: always one row for each item; ok: true, false, or null where it could not be told (detail says why); never waits, never writes, works on a standby';

CREATE FUNCTION migrate.rehearse(version text, max_lock interval DEFAULT '200ms',
		OUT direction text, OUT step int, OUT line int, OUT command text, OUT ok boolean, OUT relation text,
		OUT locks text[], OUT scans boolean, OUT rewrites boolean, OUT rows bigint, OUT duration interval,
		OUT wal_bytes bigint, OUT sqlstate text, OUT message text)
	RETURNS SETOF record LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_rehearse_rows';
COMMENT ON FUNCTION migrate.rehearse(text, interval)
	IS 'run up, verify and down of a pending migration, as its owner, and roll all of it back; a row a step: direction (up, verify, down), step, line, command (as it was sent), ok (true, false, or null: left out, or not reached), relation, locks (new with this step, on relations that were there before: relation and mode), scans and rewrites (whether it read one of those from end to end, or gave it a new file), rows, duration, wal_bytes, sqlstate, message; at last a row schema: whether down restored the schema exactly, with each difference in message; gives up (57014 in a row) when a lock that blocks writes on one of those relations has been held for max_lock, and (55P03) when a lock is not to be had within 5 seconds; errors of steps are rows; raised are 42704 for an unknown version, 55000 for one that is not pending, 42501, and errors of planning; what nextval() gave is not taken back';

CREATE FUNCTION migrate.runbook(target text DEFAULT NULL, action text DEFAULT 'apply', costs boolean DEFAULT true)
	RETURNS text LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_runbook_text';
COMMENT ON FUNCTION migrate.runbook(text, text, boolean)
	IS 'one Markdown document for a change request: what is done, in which order, with which locks, how to watch, stop and go back, and what to do afterwards; costs: with sizes, estimates and the result of preflight, without it nothing changes from day to day; errors as plan';


-- ---------------------------------------------------------------------------
-- Do
-- ---------------------------------------------------------------------------

CREATE PROCEDURE migrate.apply(target text DEFAULT NULL, wait boolean DEFAULT true, complete boolean DEFAULT NULL,
							   INOUT result text DEFAULT NULL)
	LANGUAGE C AS 'MODULE_PATHNAME', 'mig_apply';
COMMENT ON PROCEDURE migrate.apply(text, boolean, boolean, text)
	IS 'apply all that is pending, up to target; an error unless all of it ends expanded or applied; complete: no old client is left to protect (NULL: migrate.auto_complete)';

CREATE PROCEDURE migrate.complete(version text DEFAULT NULL, wait boolean DEFAULT true,
								  INOUT result text DEFAULT NULL)
	LANGUAGE C AS 'MODULE_PATHNAME', 'mig_complete';
COMMENT ON PROCEDURE migrate.complete(text, boolean, text)
	IS 'run the contract phase of an expanded migration; NULL: the only one; all: every one';

CREATE PROCEDURE migrate.rollback(version text DEFAULT NULL, wait boolean DEFAULT true, cascade boolean DEFAULT false,
								  lose_data boolean DEFAULT false, INOUT result text DEFAULT NULL)
	LANGUAGE C AS 'MODULE_PATHNAME', 'mig_rollback';
COMMENT ON PROCEDURE migrate.rollback(text, boolean, boolean, boolean, text)
	IS 'undo a migration; NULL: the one that is unfinished; cascade: those that require it first; lose_data: though rows or values are discarded';

CREATE PROCEDURE migrate.rollback_to(version text, wait boolean DEFAULT true, lose_data boolean DEFAULT false,
									 INOUT result text DEFAULT NULL)
	LANGUAGE C AS 'MODULE_PATHNAME', 'mig_rollback_to';
COMMENT ON PROCEDURE migrate.rollback_to(text, boolean, boolean, text)
	IS 'undo everything after a version, which stays';

CREATE PROCEDURE migrate.run(sql text, name text DEFAULT NULL, wait boolean DEFAULT true,
							 INOUT result text DEFAULT NULL)
	LANGUAGE C AS 'MODULE_PATHNAME', 'mig_run_sql';
COMMENT ON PROCEDURE migrate.run(text, text, boolean, text)
	IS 'run SQL online without a version of its own; it gets one outside the order, run-<timestamp>-<n>';

CREATE PROCEDURE migrate.backfill(relation regclass, set_clause text, where_clause text DEFAULT NULL,
								  options jsonb DEFAULT '{}', wait boolean DEFAULT true,
								  INOUT result text DEFAULT NULL)
	LANGUAGE C AS 'MODULE_PATHNAME', 'mig_backfill_table';
COMMENT ON PROCEDURE migrate.backfill(regclass, text, text, jsonb, boolean, text)
	IS 'UPDATE relation SET set_clause WHERE where_clause, in batches; options: settings (section Settings), without the prefix';

CREATE PROCEDURE migrate.wait(version text DEFAULT NULL, timeout interval DEFAULT NULL,
							  INOUT result text DEFAULT NULL)
	LANGUAGE C AS 'MODULE_PATHNAME', 'mig_wait';
COMMENT ON PROCEDURE migrate.wait(text, interval, text)
	IS 'wait until what is queued or running has ended; NULL: all of it; an error if it failed, or (57014) when the timeout is over';

CREATE FUNCTION migrate.pause(version text DEFAULT NULL)
	RETURNS boolean LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_pause';
COMMENT ON FUNCTION migrate.pause(text)
	IS 'stop at the next safe point; NULL: all that is running; true if there was anything to pause';

CREATE FUNCTION migrate.resume(version text DEFAULT NULL)
	RETURNS boolean LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_resume';
COMMENT ON FUNCTION migrate.resume(text)
	IS 'go on, in the background, with what is paused; NULL: all; true if there was anything to resume';

CREATE FUNCTION migrate.tune(version text, setting text, value text)
	RETURNS void LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_tune';
COMMENT ON FUNCTION migrate.tune(text, text, text)
	IS 'change a setting (section Settings, without the prefix) of a run, from its next safe point on';

CREATE FUNCTION migrate.resolve(version text, step int, outcome text)
	RETURNS void LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_resolve';
COMMENT ON FUNCTION migrate.resolve(text, int, text)
	IS 'say of a step that may have run whether it is done or is to run again; outcome: done or again';


-- ---------------------------------------------------------------------------
-- Columns that are kept equal
-- ---------------------------------------------------------------------------

CREATE FUNCTION migrate_internal.sync_row()
	RETURNS trigger LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_sync_row';
COMMENT ON FUNCTION migrate_internal.sync_row()
	IS 'row trigger that keeps columns equal; its arguments are written by migrate alone';
REVOKE ALL ON FUNCTION migrate_internal.sync_row() FROM PUBLIC;

CREATE FUNCTION migrate.sync_columns(relation regclass, old name[], new name[],
									 up text[] DEFAULT NULL, down text[] DEFAULT NULL,
									 options jsonb DEFAULT '{}')
	RETURNS text LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_sync_columns';
COMMENT ON FUNCTION migrate.sync_columns(regclass, name[], name[], text[], text[], jsonb)
	IS 'keep old and new columns of a table equal whenever a row is written: up makes each new column from the old ones, down each old column from the new ones, both null: copies, one: one way; returns the version of the run that fills the rows which are there already, after COMMIT (null with options {"backfill": false}: they are filled as they are written); other options: settings, without the prefix; only for who owns the table (42501 otherwise); what a row trigger cannot keep true is refused (0A000, 42P17) with the reason';

CREATE FUNCTION migrate.unsync_columns(relation regclass, old name[], new name[])
	RETURNS void LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_unsync_columns';
COMMENT ON FUNCTION migrate.unsync_columns(regclass, name[], name[])
	IS 'end what sync_columns began, both columns stay as they are; 42704 if they are not kept equal, 55000 if a migration does it';

CREATE FUNCTION migrate.copy_column(relation regclass, old name, new name)
	RETURNS void LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_copy_column';
COMMENT ON FUNCTION migrate.copy_column(regclass, name, name)
	IS 'a step of RENAME COLUMN: add a column new to a table, with the type of old and no default, and keep both equal from then on; what is there is not filled; only for who owns the table (42501 otherwise); errors as sync_columns';

CREATE FUNCTION migrate.drop_copy(relation regclass, old name, new name)
	RETURNS void LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_drop_copy';
COMMENT ON FUNCTION migrate.drop_copy(regclass, name, name)
	IS 'a step of RENAME COLUMN: end what copy_column began, and drop column new, which is a copy; 42704 if it is none, 2BP01 if anything depends on it';

CREATE FUNCTION migrate.prove_copy(relation regclass, old name, new name, twins name[] DEFAULT '{}')
	RETURNS void LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_prove_copy';
COMMENT ON FUNCTION migrate.prove_copy(regclass, name, name, name[])
	IS 'a step of RENAME COLUMN: read the table, and fail with 22000 if any row differs in a column and its copy, with 2BP01 if anything but the indexes twins hangs on the copy';

CREATE FUNCTION migrate.in_sync("row" record, new name[] DEFAULT NULL)
	RETURNS boolean LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'mig_in_sync';
COMMENT ON FUNCTION migrate.in_sync(record, name[])
	IS 'are the columns of a row, given as SELECT ... FROM t WHERE NOT migrate.in_sync(t), equal as sync_columns keeps them? new: of that pair alone; null for a null row; only for who owns the table (42501 otherwise)';


-- ---------------------------------------------------------------------------
-- Rights
-- ---------------------------------------------------------------------------

CREATE FUNCTION migrate.grant_right("right" text, grantee regrole, owner regrole)
	RETURNS void LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_grant_right';
COMMENT ON FUNCTION migrate.grant_right(text, regrole, regrole)
	IS 'let grantee apply, complete, rollback or pause the migrations of owner without being a member of it; only for who may become owner';

CREATE FUNCTION migrate.revoke_right("right" text, grantee regrole, owner regrole)
	RETURNS void LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_revoke_right';
COMMENT ON FUNCTION migrate.revoke_right(text, regrole, regrole)
	IS 'take back what grant_right gave';

CREATE FUNCTION migrate.reassign(from_owner text, to_owner regrole)
	RETURNS bigint LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_reassign';
COMMENT ON FUNCTION migrate.reassign(text, regrole)
	IS 'give the migrations of one role, which may be missing after a restore, to another; returns their number; for superusers, or who may become both';

CREATE VIEW migrate.rights AS
SELECT g.owner, g.kind AS "right", g.grantee, g.granted_by, g.granted_at
FROM migrate_internal.granted_right g
ORDER BY g.owner, g.grantee, g.kind;
COMMENT ON VIEW migrate.rights
	IS 'who may act on whose migrations without being a member: what grant_right gave; names of roles';
GRANT SELECT ON migrate.rights TO PUBLIC;


-- ---------------------------------------------------------------------------
-- Watch.  The views read the tables with the rights of their owner; functions
-- in them run as whoever asks, so those are open to all who can get there.
-- ---------------------------------------------------------------------------

CREATE FUNCTION migrate_internal.alive(scope text, version text)
	RETURNS boolean LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_alive';
COMMENT ON FUNCTION migrate_internal.alive(text, text)
	IS 'does a migration that is recorded as running really run? on a standby: what is recorded';

CREATE FUNCTION migrate_internal.identity()
	RETURNS text LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'mig_identity';
COMMENT ON FUNCTION migrate_internal.identity()
	IS 'this database, told from a copy of it';

CREATE FUNCTION migrate_internal.may_read(owner text)
	RETURNS boolean LANGUAGE C STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_may_read';
COMMENT ON FUNCTION migrate_internal.may_read(text)
	IS 'may the caller read the SQL of that role''s migrations?';

CREATE FUNCTION migrate_internal.live(pid int, OUT phase text, OUT done bigint, OUT total bigint, OUT unit text,
									  OUT wait_type text, OUT blocker int, OUT workers int)
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_live';
COMMENT ON FUNCTION migrate_internal.live(int)
	IS 'what the server counts of a worker, and the pid that it waits for (0: a prepared transaction)';

GRANT EXECUTE ON FUNCTION migrate_internal.alive(text, text), migrate_internal.identity(),
	migrate_internal.may_read(text), migrate_internal.live(int) TO PUBLIC;

-- The session's scope, with states as they are shown: one that is recorded as
-- running while nobody runs it has failed.
CREATE VIEW migrate_internal.shown AS
SELECT m.scope, m.version, m.key, m.in_order, m.name, m.owner,
	CASE WHEN l.lost IS NULL THEN m.state ELSE 'failed' END AS state,
	l.lost IS NULL AND m.state OPERATOR(pg_catalog.=) ANY (ARRAY['running', 'completing', 'rolling_back']) AS is_running,
	m.direction, m.run, m.phase, m.step, m.steps, m.steps_done, m.started_at, m.finished_at, m.applied_by,
	COALESCE(l.lost, m.error) AS error,
	r.pid, w.wait_type, CASE WHEN w.wait_type IS NOT NULL THEN r.wait_detail END AS wait_detail,
	r.done, r.total, r.unit, r.workers
FROM migrate_internal.migration m
	LEFT JOIN migrate_internal.run r ON r.id OPERATOR(pg_catalog.=) m.run
	CROSS JOIN LATERAL (SELECT CASE
		WHEN m.state OPERATOR(pg_catalog.<>) ALL (ARRAY['running', 'completing', 'rolling_back']) THEN NULL
		WHEN r.identity OPERATOR(pg_catalog.<>) migrate_internal.identity() THEN 'copied'
		WHEN NOT migrate_internal.alive(m.scope, m.version) THEN 'interrupted' END) l(lost)
	CROSS JOIN LATERAL (SELECT CASE
		WHEN r.wait_until OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp() THEN r.wait_type END) w(wait_type)
WHERE m.scope OPERATOR(pg_catalog.=) COALESCE(pg_catalog.current_setting('migrate.scope', true), '');
COMMENT ON VIEW migrate_internal.shown IS 'the migrations of the session''s scope, with states as they are shown';

CREATE VIEW migrate.status AS
SELECT s.version, s.name, s.state, s.direction, s.phase, s.step, s.steps, s.steps_done,
	CASE WHEN s.state OPERATOR(pg_catalog.=) 'applied' THEN 100
		WHEN s.state OPERATOR(pg_catalog.=) 'pending' OR s.steps OPERATOR(pg_catalog.<=) 0 THEN 0
		ELSE LEAST(100.0, pg_catalog.floor(100.0 OPERATOR(pg_catalog.*)
				(s.steps_done OPERATOR(pg_catalog.+)
				 CASE WHEN s.is_running AND s.total OPERATOR(pg_catalog.>) 0
					THEN LEAST(1.0, s.done::numeric OPERATOR(pg_catalog./) s.total) ELSE 0.0 END)
			OPERATOR(pg_catalog./) s.steps))::int
		END AS progress,
	s.started_at, s.finished_at,
	CASE WHEN s.is_running THEN pg_catalog.clock_timestamp() ELSE s.finished_at END
		OPERATOR(pg_catalog.-) s.started_at AS duration,
	s.applied_by, s.error,
	NULL::timestamptz AS old_shape_last_write,
	NULL::text AS old_shape_by
FROM migrate_internal.shown s
ORDER BY s.key;
COMMENT ON VIEW migrate.status
	IS 'one row a migration, in order; state failed with error interrupted: recorded as running, but nobody runs it; error copied: it ran in the database that this one is a copy of';

CREATE VIEW migrate.progress AS
SELECT s.version, s.step,
	COALESCE(l.phase, p.phase, s.phase) AS phase,
	p.kind, p.relation,
	c.done, c.total, c.unit,
	CASE WHEN c.seconds OPERATOR(pg_catalog.>) 0 THEN c.done OPERATOR(pg_catalog./) c.seconds END AS rate,
	CASE WHEN c.seconds OPERATOR(pg_catalog.>) 0 AND c.done OPERATOR(pg_catalog.>) 0
			AND c.total OPERATOR(pg_catalog.>=) c.done
		THEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+)
			pg_catalog.make_interval(secs => c.seconds OPERATOR(pg_catalog.*)
				(c.total OPERATOR(pg_catalog.-) c.done) OPERATOR(pg_catalog./) c.done)
		END AS eta,
	COALESCE(s.wait_type, l.wait_type) AS wait_type,
	CASE WHEN s.wait_type IS NOT NULL THEN s.wait_detail
		WHEN l.blocker OPERATOR(pg_catalog.=) 0 THEN 'a prepared transaction'
		WHEN l.blocker IS NOT NULL THEN pg_catalog.concat_ws(', ',
			pg_catalog.concat('pid ', l.blocker::text),
			CASE WHEN a.application_name OPERATOR(pg_catalog.<>) '' THEN a.application_name END,
			a.state,
			pg_catalog.concat('transaction since ', pg_catalog.date_trunc('second', a.xact_start)::text)
				OPERATOR(pg_catalog.||) CASE WHEN a.xact_start IS NOT NULL THEN '' END,
			pg_catalog.concat('query since ', pg_catalog.date_trunc('second', a.query_start)::text)
				OPERATOR(pg_catalog.||) CASE WHEN a.query_start IS NOT NULL THEN '' END)
		END AS wait_detail,
	s.pid,
	CASE WHEN b.ranges OPERATOR(pg_catalog.>) 0 THEN s.workers ELSE l.workers END AS workers,
	b.hot_percent, b.wal_per_row
FROM migrate_internal.shown s
	LEFT JOIN migrate_internal.step p
		ON p.scope OPERATOR(pg_catalog.=) s.scope AND p.version OPERATOR(pg_catalog.=) s.version
		AND p.direction OPERATOR(pg_catalog.=)
			CASE WHEN s.direction OPERATOR(pg_catalog.=) 'rollback' THEN 'rollback' ELSE 'apply' END
		AND p.step OPERATOR(pg_catalog.=) s.step
	LEFT JOIN LATERAL migrate_internal.live(s.pid) l ON true
	LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) l.blocker
	CROSS JOIN LATERAL (SELECT
		CASE WHEN l.unit IS NULL THEN s.done ELSE l.done END,
		CASE WHEN l.unit IS NULL THEN s.total ELSE l.total END,
		COALESCE(l.unit, s.unit),
		pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) p.started_at)
		) c(done, total, unit, seconds)
	CROSS JOIN LATERAL (SELECT pg_catalog.count(*),
			(100.0 OPERATOR(pg_catalog.*) pg_catalog.sum(k.hot)
				OPERATOR(pg_catalog./) NULLIF(pg_catalog.sum(k.rows), 0))::double precision,
			(pg_catalog.sum(k.wal_bytes) OPERATOR(pg_catalog./) NULLIF(pg_catalog.sum(k.rows), 0))::double precision
		FROM migrate_internal.cursor k
		WHERE k.scope OPERATOR(pg_catalog.=) s.scope AND k.version OPERATOR(pg_catalog.=) s.version
			AND k.direction OPERATOR(pg_catalog.=) p.direction AND k.step OPERATOR(pg_catalog.=) s.step
		) b(ranges, hot_percent, wal_per_row)
WHERE s.is_running
ORDER BY s.key;
COMMENT ON VIEW migrate.progress
	IS 'one row a running step; of a concurrent build the server''s own phase, with blocks, tuples or sessions (that it waits for) done; rate: units a second since the step began; eta: of the phase that is shown; of a backfill: how many percent of its updates stayed within their page, and bytes of WAL a row';

CREATE VIEW migrate.history AS
SELECT e.at, e.run, e.version, e.step, e.event,
	CASE WHEN migrate_internal.may_read(COALESCE(m.owner, e.role)) THEN e.command END AS command,
	e.role, e.session_role, e.client_addr, e.application_name,
	pg_catalog.make_interval(secs => e.duration_ms OPERATOR(pg_catalog./) 1000.0::double precision) AS duration,
	pg_catalog.make_interval(secs => e.lock_wait_ms OPERATOR(pg_catalog./) 1000.0::double precision) AS lock_wait,
	pg_catalog.make_interval(secs => e.stalled_ms OPERATOR(pg_catalog./) 1000.0::double precision) AS stalled,
	e.rows, e.wal_bytes, e.sqlstate, e.message, e.checksum, e.reason
FROM migrate_internal.event e
	LEFT JOIN migrate_internal.migration m
		ON m.scope OPERATOR(pg_catalog.=) e.scope AND m.version OPERATOR(pg_catalog.=) e.version
WHERE e.scope OPERATOR(pg_catalog.=) COALESCE(pg_catalog.current_setting('migrate.scope', true), '')
ORDER BY e.id;
COMMENT ON VIEW migrate.history
	IS 'the events, oldest first: who did what, when, and how it ended; lock_wait: time that we waited for locks; stalled: time that others could have waited for us; command: only for those who may become the owner, and members of pg_read_all_data';

CREATE VIEW migrate.migrations AS
SELECT m.version, m.name, m.owner, m.registered_by, m.registered_at, m.requires,
	CASE WHEN r.may_read THEN m.up END AS up,
	CASE WHEN r.may_read THEN m.down END AS down,
	m.down IS NULL AS down_derived,
	CASE WHEN r.may_read THEN m.verify END AS verify,
	m.options, m.search_path, m.checksum, m.origin
FROM migrate_internal.migration m
	CROSS JOIN LATERAL (SELECT migrate_internal.may_read(m.owner)) r(may_read)
WHERE m.scope OPERATOR(pg_catalog.=) COALESCE(pg_catalog.current_setting('migrate.scope', true), '')
ORDER BY m.key;
COMMENT ON VIEW migrate.migrations
	IS 'what is registered, in order; requires: null if not written (then the next lower version); down_derived: the way back is made from the plan; up, down, verify: only for those who may become the owner, and members of pg_read_all_data';

CREATE VIEW migrate.stat AS
SELECT s.running, s.waiting, s.failed, s.expanded, s.oldest_expanded_at,
	e.rows_total, e.wal_bytes_total, r.stalled_ms_total
FROM (SELECT pg_catalog.count(*) FILTER (WHERE t.is_running),
			pg_catalog.count(*) FILTER (WHERE t.is_running AND t.wait_type IS NOT NULL),
			pg_catalog.count(*) FILTER (WHERE t.state OPERATOR(pg_catalog.=) 'failed'),
			pg_catalog.count(*) FILTER (WHERE t.state OPERATOR(pg_catalog.=) 'expanded'),
			pg_catalog.min(t.finished_at) FILTER (WHERE t.state OPERATOR(pg_catalog.=) 'expanded')
		FROM migrate_internal.shown t) s(running, waiting, failed, expanded, oldest_expanded_at),
	(SELECT COALESCE(pg_catalog.sum(v.rows), 0)::bigint,
			COALESCE(pg_catalog.sum(v.wal_bytes), 0)::bigint
		FROM migrate_internal.event v
		WHERE v.scope OPERATOR(pg_catalog.=) COALESCE(pg_catalog.current_setting('migrate.scope', true), '')
			AND v.event OPERATOR(pg_catalog.=) 'step done') e(rows_total, wal_bytes_total),
	(SELECT COALESCE(pg_catalog.sum(v.stalled_ms), 0)::bigint
		FROM migrate_internal.run v
		WHERE v.scope OPERATOR(pg_catalog.=) COALESCE(pg_catalog.current_setting('migrate.scope', true), '')
		) r(stalled_ms_total);
COMMENT ON VIEW migrate.stat
	IS 'one row, always there, for monitoring: how many run, wait, have failed, rest expanded (and since when the oldest); rows, WAL bytes and milliseconds stalled, summed over all steps ever run';

CREATE VIEW migrate.syncs AS
SELECT s.relation, s.old, s.new, s.up, s.down, s.conflict AS sync_conflict,
	s.version, s.fill AS backfill,
	CASE WHEN s.fill IS NULL THEN 'none' ELSE f.state END AS backfill_state,
	t.tgname::text AS trigger,
	COALESCE(t.tgenabled OPERATOR(pg_catalog.=) 'A', false) AS active,
	(SELECT pg_catalog.min(l.tgname::text COLLATE "C")
		FROM pg_catalog.pg_trigger l
		WHERE l.tgrelid OPERATOR(pg_catalog.=) t.tgrelid
			AND l.tgtype::int OPERATOR(pg_catalog.&) 67 OPERATOR(pg_catalog.=) 3
			AND l.tgtype::int OPERATOR(pg_catalog.&) 20 OPERATOR(pg_catalog.<>) 0
			AND l.tgenabled OPERATOR(pg_catalog.<>) 'D'
			AND l.tgname OPERATOR(pg_catalog.>) t.tgname) AS fires_later,
	s.created_by, s.created_at
FROM migrate_internal.sync s
	LEFT JOIN migrate_internal.shown f ON f.version OPERATOR(pg_catalog.=) s.fill
	LEFT JOIN (pg_catalog.pg_trigger t
		JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
		JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace)
		ON t.tgfoid OPERATOR(pg_catalog.=) 'migrate_internal.sync_row()'::regprocedure::oid
		AND s.relation OPERATOR(pg_catalog.=) pg_catalog.format('%I.%I', n.nspname, c.relname)
WHERE s.scope OPERATOR(pg_catalog.=) COALESCE(pg_catalog.current_setting('migrate.scope', true), '')
ORDER BY s.relation, s.created_at;
COMMENT ON VIEW migrate.syncs
	IS 'columns that are kept equal: by sync_columns, or by a migration (version); backfill: the run that fills the rows which were there, backfill_state as in status, none: they are filled as they are written; active: the trigger is there and fires always; fires_later: a trigger that changes rows after it';
GRANT SELECT ON migrate.syncs TO PUBLIC;

CREATE VIEW migrate.failed_rows AS
SELECT f.version, f.step, f.relation, f.key, f.sqlstate, f.message, f.at
FROM migrate_internal.failed_row f
WHERE f.scope OPERATOR(pg_catalog.=) COALESCE(pg_catalog.current_setting('migrate.scope', true), '')
	AND pg_catalog.has_table_privilege(current_user, pg_catalog.to_regclass(f.relation)::oid, 'SELECT')
ORDER BY f.version, f.step, f.key;
COMMENT ON VIEW migrate.failed_rows
	IS 'keys of rows that a step could not take, for those who may read the table';
GRANT SELECT ON migrate.failed_rows TO PUBLIC;

GRANT SELECT ON migrate.status, migrate.progress, migrate.history, migrate.migrations, migrate.stat TO PUBLIC;

CREATE FUNCTION migrate.heads(OUT version text, OUT name text, OUT state text)
	RETURNS SETOF record LANGUAGE C STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_heads';
COMMENT ON FUNCTION migrate.heads()
	IS 'tips of the graph: migrations that no other requires, written or not, in order';

CREATE FUNCTION migrate.graph(format text DEFAULT 'text')
	RETURNS text LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_graph';
COMMENT ON FUNCTION migrate.graph(text)
	IS 'the migrations in the order in which they run, with states and written requirements; format: text, dot or mermaid (22023 otherwise)';

CREATE FUNCTION migrate.show(version text)
	RETURNS text LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_show';
COMMENT ON FUNCTION migrate.show(text)
	IS 'one migration for a human: state, error, owner, requirements, steps, what to do next; 42704 for a version that is not registered';

CREATE FUNCTION migrate.ready(version text)
	RETURNS boolean LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_ready';
COMMENT ON FUNCTION migrate.ready(text)
	IS 'can code that needs this migration run: is it expanded or applied (or its contract phase under way)? 42704 for a version that is not registered';

CREATE FUNCTION migrate.current()
	RETURNS text LANGUAGE C STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'mig_current';
COMMENT ON FUNCTION migrate.current()
	IS 'the highest version such that it and all lower ones are ready (see ready); null if there is none';
