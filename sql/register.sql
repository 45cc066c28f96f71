-- Register and unregister: what is taken, what is refused, and what is kept.
CREATE EXTENSION migrate;

-- The error of a statement: code, message, detail, hint, and its own context.
CREATE FUNCTION public.fails(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
	context text;
BEGIN
	EXECUTE sql;
	RETURN NEXT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	RETURN NEXT SQLSTATE || ' ' || message;
	RETURN QUERY SELECT detail WHERE detail <> '';
	RETURN QUERY SELECT 'HINT: ' || hint WHERE hint <> '';
	RETURN QUERY SELECT 'CONTEXT: ' || line FROM regexp_split_to_table(context, E'\n') line
		WHERE line ~ '^(line|file|option|down|up|verify) ';
END $$;

CREATE VIEW public.registry AS
	SELECT scope, version, name, owner, requires, up, down, verify, options, search_path, origin, state
	  FROM migrate_internal.migration ORDER BY scope, key;


-- ---------------------------------------------------------------------------
-- What becomes of it
-- ---------------------------------------------------------------------------
SET search_path = "$user", public, app;
SELECT migrate.register('0001', 'CREATE TABLE a (id int)');
SELECT migrate.register('0001', 'CREATE TABLE a (id int)');
SELECT migrate.register('0001', E'-- with a comment\r\nCREATE  TABLE a\n\t(id int);;'); -- ; is a token
SELECT migrate.register('0001', E'/* another */ CREATE TABLE a (id int);; -- end');
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', 'DROP TABLE a', name => 'a table',
						verify => 'SELECT true', options => '{"workers": 2}');
\x on
SELECT * FROM public.registry;
SELECT length(checksum), length(token_checksum), registered_by = current_user AS by_me FROM migrate_internal.migration;
\x off
-- each part counts
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', 'DROP TABLE a;', 'a table', NULL, 'SELECT true', '{"workers": 2}');
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', 'DROP TABLE a;', 'a table', NULL, 'SELECT 1 = 1', '{"workers": 2}');
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', 'DROP TABLE a;', 'a table', NULL, 'SELECT 1 = 1', '{"workers": 3}');
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', 'DROP TABLE a;', 'a table', '{}', 'SELECT 1 = 1', '{"workers": 3}');
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', '', 'a table', '{}', 'SELECT 1 = 1', '{"workers": 3}');
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', NULL, 'a table', '{}', 'SELECT 1 = 1', '{"workers": 3}');
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', NULL, 'a table', '{}', 'SELECT 1 = 1', '{"workers": 3}');
-- another name is no other content, and none keeps the one that is there
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', NULL, 'table a', '{}', 'SELECT 1 = 1', '{"workers": 3}');
SELECT name FROM public.registry;
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', NULL, NULL, '{}', 'SELECT 1 = 1', '{"workers": 3}');
SELECT name FROM public.registry;
-- what is pending runs under the path of whoever registers it last
SET search_path = app;
SELECT migrate.register('0001', 'CREATE TABLE a (id bigint)', NULL, NULL, '{}', 'SELECT 1 = 1', '{"workers": 3}');
SELECT search_path FROM public.registry;
RESET search_path;
-- a byte order mark and line ends, also in literals, are no content
SELECT migrate.register('0002', E'\uFEFFSELECT 1;\nDO $$ BEGIN\nNULL;\nEND $$');
SELECT migrate.register('0002', E'SELECT 1;\r\nDO $$ BEGIN\r\nNULL;\r\nEND $$');
SELECT migrate.register('0002', E'SELECT 1;\nDO $$ BEGIN\n NULL;\nEND $$');
SELECT up FROM public.registry WHERE version = '0002';
-- nothing to do is a migration too
SELECT migrate.register('0003', ''), migrate.register('0004', '-- later'), migrate.register('0005', ';;');

SELECT event, version, message IS NOT NULL AS message, checksum IS NOT NULL AS checksum
  FROM migrate_internal.event ORDER BY id;


-- ---------------------------------------------------------------------------
-- Versions
-- ---------------------------------------------------------------------------
SELECT public.fails($$SELECT migrate.register(NULL, 'SELECT 1')$$);
SELECT public.fails($$SELECT migrate.register('', 'SELECT 1')$$);
SELECT public.fails($$SELECT migrate.register(' 1', 'SELECT 1')$$);
SELECT public.fails($$SELECT migrate.register(E'1\t2', 'SELECT 1')$$);
SELECT public.fails($$SELECT migrate.register('all', 'SELECT 1')$$);
SELECT public.fails($$SELECT migrate.register('run-20240101T031502-1', 'SELECT 1')$$);
SELECT public.fails($$SELECT migrate.register(repeat('1', 201), 'SELECT 1')$$);
SELECT migrate.register(repeat('1', 200), 'SELECT 1');
-- the same number is the same version
SELECT public.fails($$SELECT migrate.register('1', 'SELECT 1')$$);
SELECT public.fails($$SELECT migrate.unregister('77')$$);
SELECT public.fails($$SELECT migrate.unregister('00055')$$);
-- their order: numbers as numbers, all else as bytes
SELECT v FROM unnest('{1.10, 1.9, 10, 9, a10, a9, A1, 1, 1.0, 1_2, 1-2, 20240101_001, 20240101_1x, ä1, z}'::text[]) v
 ORDER BY migrate_internal.version_key(v);
SELECT migrate_internal.version_key('007') = migrate_internal.version_key('7') AS same,
	   migrate_internal.version_key('a1b') = migrate_internal.version_key('a01b') AS same_inside,
	   migrate_internal.version_key('1.0') = migrate_internal.version_key('1') AS other;


-- ---------------------------------------------------------------------------
-- The other arguments
-- ---------------------------------------------------------------------------
SELECT public.fails($$SELECT migrate.register('0010', NULL)$$);
SELECT public.fails($$SELECT migrate.register('0010', NULL, 'DROP TABLE a')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', name => '')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', name => repeat('x', 1001))$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', name => E'a\nb')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', requires => '{0001, NULL}')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', requires => '{""}')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', requires => '{0001, 0001}')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', requires => '{0001, 1}')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', requires => '{10}')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', requires => '{0077}')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', options => '{"wrokers": 2}')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', options => '[]')$$);
SELECT public.fails($$SELECT migrate.register('0010', 'SELECT 1', options => '{"transaction": "never"}')$$);
SELECT migrate.register('0010', 'SELECT 1', requires => '{1, 0002}', options => NULL);
SELECT requires, options FROM public.registry WHERE version = '0010';
-- a circle by new content of one that is there
SELECT public.fails($$SELECT migrate.register('0001', 'SELECT 1', requires => '{0010}')$$);
SELECT up, requires FROM public.registry WHERE version = '0001';


-- ---------------------------------------------------------------------------
-- SQL that cannot be parsed: nothing is stored
-- ---------------------------------------------------------------------------
SELECT migrate.register('0020', E'CREATE TABLE b (id int);\n\nCREATE TABEL c (id int);');
SELECT migrate.register('0020', 'SELECT 1', E'DROP TABLE b;\nDROP');
SELECT migrate.register('0020', 'SELECT 1', verify => E'SELECT ''ü'',\n\n 1 +');
SELECT public.fails($$SELECT migrate.register('0020', E'SELECT 1;\nSELECT ''abc')$$);
SELECT public.fails($$SELECT migrate.register('0020', E'SELECT 1;\nSELECT $a$ abc')$$);
SELECT public.fails($$SELECT migrate.register('0020', E'SELECT 1;\n/* /* */')$$);
SELECT public.fails($$SELECT migrate.register('0020', E'SELECT 1;\nSELECT :name;')$$);
-- without a place up to 17
SELECT public.fails($$SELECT migrate.register('0020', E'CREATE ASSERTION a CHECK (true)')$$) LIMIT 1;
-- of a long text only what is around the mistake is shown
SELECT migrate.register('0020', repeat(E'SELECT 1;\n', 500) || E'SELECT 1 2;\n' || repeat(E'SELECT 2;\n', 500));
-- what belongs to psql
SELECT migrate.register('0020', E'SELECT ''ü'';\nCOPY a (id) FROM stdin;\n1\tit''s\n\\.\n\nSELECT 2;');
SELECT public.fails($$SELECT migrate.register('0020', E'CREATE TABLE a (id int);\n copy a FROM STDIN')$$);
SELECT public.fails($$SELECT migrate.register('0020', E'SELECT ''COPY a FROM STDIN;'';\nSELECT $x$;\nCOPY a FROM STDIN;$x$;\nSELEC 1')$$);
SELECT public.fails($$SELECT migrate.register('0020', E'SELECT 1;\n\\connect other\nSELECT 1;')$$);
SELECT public.fails($$SELECT migrate.register('0020', E'\\i it''s.sql')$$);
SELECT public.fails($$SELECT migrate.register('0020', E'SELECT 1 \\gset')$$);
SELECT count(*) FROM public.registry WHERE version = '0020';


-- ---------------------------------------------------------------------------
-- What real histories hold
-- ---------------------------------------------------------------------------
CREATE FUNCTION public.accepts(what text, up text) RETURNS text LANGUAGE sql
	AS $$SELECT migrate.register('odd-' || what, up)$$;
SELECT public.accepts('chain', 'BEGIN; SELECT 1; COMMIT AND CHAIN; SELECT 2; ROLLBACK AND NO CHAIN');
SELECT public.accepts('commit in do', 'DO $$ BEGIN UPDATE a SET id = 1; COMMIT; END $$');
SELECT public.accepts('quotes', 'SELECT $a$ ; $b$ ; $a$; DO $$ BEGIN EXECUTE $x$ SELECT '';'' $x$; END $$;');
SELECT public.accepts('comments', E'/* a /* b ; */ ; */ SELECT 1 /* ; */; -- ;\n-- ;\nSELECT 2 -- no end');
SELECT public.accepts('atomic', 'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 1');
SELECT public.accepts('crlf', E'CREATE TABLE a (\r\n  id int\r\n);\r\n\r\nSELECT 1');
SELECT public.accepts('settings', 'SET search_path = app; SET TIME ZONE ''UTC''; SET LOCAL lock_timeout = ''1s''; RESET ALL');
SELECT public.accepts('rule', 'CREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT 2)');
SELECT public.accepts('schema', 'CREATE SCHEMA s CREATE TABLE t (id int) CREATE VIEW v AS SELECT * FROM t');
SELECT public.accepts('history', 'INSERT INTO schema_migrations (version) VALUES (''0001'')');
SELECT public.accepts('unicode', E'SELECT U&''\\00e4'', U&"d\\0061t\\+000061", E''\\x41'', B''01'', ''ä''''ö''');
SELECT public.accepts('continued', E'SELECT ''a''\n''b;''; SELECT 1');
SELECT public.accepts('long name', 'CREATE TABLE ' || repeat('t', 70) || ' (id int)');
SELECT public.accepts('copy', 'COPY a FROM ''/file''; COPY a TO STDOUT; COPY a FROM PROGRAM ''cat''');
-- where a statement begins and ends, seen by the line of what follows
SELECT version, public.fails(format('SELECT migrate.register(''0030'', %L)', up || E';\nCOPY a FROM STDIN'))
  FROM migrate_internal.migration WHERE version IN ('odd-chain', 'odd-atomic', 'odd-rule', 'odd-quotes', 'odd-schema', 'odd-crlf') ORDER BY key;
-- the session says what a backslash in a literal is
SELECT public.fails($$SELECT migrate.register('0030', 'SELECT ''it\''s''')$$);
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SELECT migrate.register('0030', 'SELECT ''it\\''s''');
RESET escape_string_warning;
RESET standard_conforming_strings;


-- ---------------------------------------------------------------------------
-- What has begun keeps its content
-- ---------------------------------------------------------------------------
SELECT migrate.register('0040', 'SELECT 40');
UPDATE migrate_internal.migration SET state = 'applied' WHERE version = '0040';
SELECT public.fails($$SELECT migrate.register('0040', 'SELECT 41')$$);
SELECT migrate.register('0040', 'SELECT 40 -- the same');
SELECT up, state FROM public.registry WHERE version = '0040';
SELECT public.fails($$SELECT migrate.unregister('0040')$$);
UPDATE migrate_internal.migration SET state = 'running' WHERE version = '0040';
SELECT public.fails($$SELECT migrate.register('0040', 'SELECT 41')$$);
UPDATE migrate_internal.migration SET state = 'rolling_back' WHERE version = '0040';
SELECT public.fails($$SELECT migrate.register('0040', 'SELECT 41')$$);
UPDATE migrate_internal.migration SET state = 'failed', steps = 2, steps_done = 1 WHERE version = '0040';
SELECT public.fails($$SELECT migrate.register('0040', 'SELECT 41')$$);
UPDATE migrate_internal.migration SET steps_done = 0, error = 'no luck' WHERE version = '0040';
SELECT migrate.register('0040', 'SELECT 41');
SELECT up, state, steps, error FROM migrate_internal.migration WHERE version = '0040';
-- failed, and a step may have left something
UPDATE migrate_internal.migration SET state = 'failed', steps = 1 WHERE version = '0040';
INSERT INTO migrate_internal.step (scope, version, direction, step, phase, kind, tx, command, state)
	VALUES ('', '0040', 'apply', 1, 'expand', 'create index', 1, 'CREATE INDEX CONCURRENTLY i ON a (id)', 'started');
SELECT public.fails($$SELECT migrate.register('0040', 'SELECT 42')$$);
SELECT public.fails($$SELECT migrate.unregister('0040')$$);
UPDATE migrate_internal.step SET state = 'undone';
SELECT migrate.register('0040', 'SELECT 42');


-- ---------------------------------------------------------------------------
-- Rights
-- ---------------------------------------------------------------------------
CREATE ROLE regress_owner;
CREATE ROLE regress_member;
CREATE ROLE regress_other;
GRANT regress_owner TO regress_member;
GRANT USAGE ON SCHEMA migrate TO regress_owner, regress_member, regress_other;

SET ROLE regress_owner;
SELECT migrate.register('0050', 'SELECT 50');
SELECT public.fails($$SELECT count(*) FROM migrate_internal.migration$$);
SET ROLE regress_other;
SELECT public.fails($$SELECT migrate.register('0050', 'SELECT 51')$$);
SELECT public.fails($$SELECT migrate.register('0050', 'SELECT 50 -- changed')$$);
SELECT public.fails($$SELECT migrate.unregister('0050')$$);
SELECT migrate.register('0050', 'SELECT 50');
SELECT migrate.register('0050', 'SELECT 50', name => 'not mine');
-- its path is not his either
SET search_path = hostile;
SELECT migrate.register('0050', 'SELECT 50');
RESET search_path;
SET ROLE regress_member;
SELECT migrate.register('0050', 'SELECT 51');
RESET ROLE;
-- it still runs as the role that registered it first
SELECT version, name, owner, registered_by, up, search_path FROM migrate_internal.migration WHERE version = '0050';
SELECT event, role, session_role = session_user AS by_session FROM migrate_internal.event WHERE version = '0050' ORDER BY id;
SET ROLE regress_member;
SELECT migrate.unregister('0050');
RESET ROLE;
-- an owner that is gone
SET ROLE regress_other;
SELECT migrate.register('0051', 'SELECT 51');
RESET ROLE;
REVOKE USAGE ON SCHEMA migrate FROM regress_owner, regress_member, regress_other;
DROP ROLE regress_other;
SELECT public.fails($$SELECT migrate.register('0051', 'SELECT 52')$$);
SELECT migrate.register('0051', 'SELECT 51');
DROP ROLE regress_member;
DROP ROLE regress_owner;


-- ---------------------------------------------------------------------------
-- Unregister
-- ---------------------------------------------------------------------------
SELECT public.fails($$SELECT migrate.unregister(NULL)$$);
SELECT public.fails($$SELECT migrate.unregister('0001')$$);
SELECT migrate.unregister('10');
SELECT migrate.unregister('0001');
SELECT version FROM public.registry WHERE version IN ('0001', '0010');
SELECT event, version FROM migrate_internal.event WHERE event = 'unregistered' ORDER BY id;


-- ---------------------------------------------------------------------------
-- Transactions and scopes
-- ---------------------------------------------------------------------------
BEGIN;
SELECT migrate.register('0060', 'SELECT 60');
ROLLBACK;
SELECT count(*) FROM public.registry WHERE version = '0060';
SET migrate.scope = 'other';
SELECT migrate.register('0040', 'SELECT 4040');
SELECT public.fails($$SELECT migrate.register('0041', 'SELECT 41', requires => '{0002}')$$);
SELECT public.fails($$SELECT migrate.unregister('0002')$$);
RESET migrate.scope;
SELECT scope, up FROM public.registry WHERE version = '0040';
-- a new one closes a circle by way of the next higher version, which now comes after it
SET migrate.scope = 'circles';
SELECT migrate.register('5', 'SELECT 5', requires => '{}'), migrate.register('6', 'SELECT 6');
SELECT public.fails($$SELECT migrate.register('5.5', 'SELECT 55', requires => '{6}')$$);
SELECT migrate.register('3', 'SELECT 3', requires => '{6}');
SELECT public.fails($$SELECT migrate.register('5.5', 'SELECT 55', requires => '{3}')$$);
SELECT migrate.register('5.5', 'SELECT 55', requires => '{5}');
SELECT public.fails($$SELECT migrate.register('05.5', 'SELECT 55', requires => '{5}')$$);
SELECT public.fails($$SELECT migrate.register('5.5', 'SELECT 55', requires => '{3}')$$);
SELECT version, requires FROM public.registry WHERE scope = 'circles';
RESET migrate.scope;
BEGIN READ ONLY;
SELECT public.fails($$SELECT migrate.register('0060', 'SELECT 60')$$);
ROLLBACK;

DROP FUNCTION public.fails, public.accepts;
DROP VIEW public.registry;
DROP EXTENSION migrate;
