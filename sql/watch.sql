-- Views and functions for those who watch.  Rows for states that a test
-- cannot hold still are put into the tables directly.
CREATE EXTENSION migrate;
SET search_path = pg_catalog;
SET datestyle = iso;
SET timezone = 'UTC';
SET intervalstyle = postgres;

-- the columns are a contract
SELECT c.relname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'migrate'::regnamespace AND c.relkind = 'v'
	AND c.relname IN ('status', 'progress', 'history', 'migrations', 'stat')
GROUP BY c.relname ORDER BY c.relname;

-- an empty database
SELECT * FROM migrate.status;
SELECT * FROM migrate.progress;
SELECT * FROM migrate.history;
SELECT * FROM migrate.migrations;
SELECT * FROM migrate.stat;
SELECT migrate.current() IS NULL AS none;
SELECT migrate.ready('0001');

-- all states
CREATE ROLE regress_migrate_owner;
CREATE ROLE regress_migrate_reader;
CREATE ROLE regress_migrate_auditor IN ROLE pg_read_all_data;
CREATE ROLE regress_migrate_stranger;
CREATE PROCEDURE public.put(version text, state text, direction text DEFAULT NULL, steps int DEFAULT 4,
							done int DEFAULT 0, owner text DEFAULT 'regress_migrate_owner')
	LANGUAGE sql
	AS $$INSERT INTO migrate_internal.migration (scope, version, name, state, direction, steps, steps_done,
			owner, registered_by, up, down, verify, search_path, checksum, token_checksum, origin,
			phase, step, started_at, finished_at, applied_by)
		VALUES (current_setting('migrate.scope'), version, 'name of ' || version, state, direction, steps, done,
			owner, 'regress_migrate_owner', 'SELECT up', 'SELECT down', NULL, 'public', 'c0ffee', 'decaf', 'test.sql',
			CASE WHEN state NOT IN ('pending', 'applied') THEN 'expand' END,
			CASE WHEN state NOT IN ('pending', 'applied', 'expanded') THEN done + 1 END,
			CASE WHEN state <> 'pending' THEN timestamptz '2024-01-01 12:00:00Z' END,
			CASE WHEN state IN ('applied', 'expanded', 'failed', 'paused') THEN timestamptz '2024-01-01 12:01:30Z' END,
			CASE WHEN state <> 'pending' THEN 'somebody' END)$$;
CREATE PROCEDURE public.put_run(of_version text, direction text, identity text, done bigint DEFAULT NULL, total bigint DEFAULT NULL)
	LANGUAGE sql
	AS $$WITH r AS (INSERT INTO migrate_internal.run (scope, version, direction, role, session_role, identity, done, total, unit)
			VALUES (current_setting('migrate.scope'), of_version, direction, 'somebody', 'somebody', identity, done, total, 'rows')
			RETURNING id)
		UPDATE migrate_internal.migration m SET run = r.id FROM r WHERE m.version = of_version$$;
CREATE FUNCTION public.here() RETURNS text LANGUAGE sql
	AS $$SELECT migrate_internal.identity()$$;

CALL public.put('0001', 'applied', 'apply', 4, 4);
CALL public.put('0002', 'expanded', 'apply', 4, 3);
CALL public.put('0003', 'running', 'apply', 4, 1);
CALL public.put_run('0003', 'apply', public.here(), 50, 100);
CALL public.put('0004', 'completing', 'complete', 3, 2);
CALL public.put_run('0004', 'complete', 'elsewhere/1');
CALL public.put('0005', 'rolling_back', 'rollback', 3, 1);
CALL public.put('0006', 'paused', 'apply', 3, 1);
CALL public.put('0007', 'failed', 'complete', 3, 2);
UPDATE migrate_internal.migration SET error = 'column "x" does not exist' WHERE version = '0007';
CALL public.put('0008', 'failed', 'apply', 0, 0, 'regress_migrate_gone');
CALL public.put('0009', 'pending');
CALL public.put('0010', 'pending');

-- Nobody runs 0003 and 0005, so they have failed; the run of 0004 was another
-- database's, so this one is a copy of it.
SELECT version, state, direction, phase, step, steps, steps_done, progress FROM migrate.status;
SELECT version, name, started_at, finished_at, duration, applied_by, error, old_shape_last_write, old_shape_by FROM migrate.status;
SELECT * FROM migrate.progress;
SELECT running, waiting, failed, expanded, oldest_expanded_at FROM migrate.stat;

-- one migration, for a human
CREATE FUNCTION public.shown(version text) RETURNS text LANGUAGE sql
	AS $$SELECT regexp_replace(migrate.show(version), 'registered: .* by', 'registered: ... by')$$;
INSERT INTO migrate_internal.step (scope, version, direction, step, phase, kind, tx, command, relation, locks, state)
VALUES ('', '0007', 'apply', 1, 'expand', 'sql', 1, E'ALTER TABLE a\n\tADD COLUMN b int', 'public.a', '[]', 'done'),
	('', '0007', 'apply', 2, 'expand', 'create index', 2, 'CREATE INDEX CONCURRENTLY a_long_name_of_an_index_on_a_and_b ON public.a (b, c, d, e, f)', 'public.a', '[]', 'done'),
	('', '0007', 'apply', 3, 'contract', 'opaque', 3, 'CALL p()', NULL, '[]', 'pending');
SELECT public.shown('0001');
SELECT public.shown('2');
SELECT public.shown('0004');
SELECT public.shown('0006');
SELECT public.shown('0008');
SELECT public.shown('0009');
SELECT public.shown('0007');
UPDATE migrate_internal.step SET state = 'doubtful' WHERE version = '0007' AND step = 3;
SELECT public.shown('0007');
-- nobody runs these two
CALL public.put('0011', 'running', 'rollback', 3, 1);
SELECT public.shown('0011');
CALL public.put('0012', 'paused', 'rollback', 3, 1);
SELECT public.shown('0012');

-- for an application's start
SELECT version, migrate.ready(version) FROM migrate.status;
SELECT migrate.ready('7');
SELECT migrate.current();
UPDATE migrate_internal.migration SET state = 'applied' WHERE version IN ('0003', '0004');
SELECT migrate.current();
UPDATE migrate_internal.migration SET state = 'expanded' WHERE version IN ('0005', '0006', '0008');
SELECT migrate.current();
UPDATE migrate_internal.migration SET state = 'pending' WHERE version = '0001';
SELECT migrate.current() IS NULL AS none;
UPDATE migrate_internal.migration SET in_order = false WHERE version = '0001';
SELECT migrate.current();

-- what is registered, and what has happened
INSERT INTO migrate_internal.event (at, scope, run, version, step, event, command, role, session_role, client_addr, application_name,
	duration_ms, lock_wait_ms, stalled_ms, rows, wal_bytes, sqlstate, message, checksum, reason)
VALUES ('2024-01-01 12:00:00Z', '', NULL, '0001', NULL, 'registered', NULL, 'somebody', 'somebody', NULL, 'psql', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'c0ffee', NULL),
	('2024-01-01 12:00:01Z', '', 1, '0001', 1, 'step done', 'CREATE TABLE secret ()', 'somebody', 'deployer', '192.0.2.1', 'deploy', 1500.25, 20, 3, 7, 8192, NULL, NULL, NULL, NULL),
	('2024-01-01 12:00:02Z', '', 1, '0001', 2, 'step failed', 'SELECT 1/0', 'somebody', 'deployer', '192.0.2.1', 'deploy', 0.5, NULL, 1, 1, 1, '22012', 'division by zero', NULL, NULL),
	('2024-01-01 12:00:03Z', '', 1, '0001', NULL, 'failed', NULL, 'somebody', 'deployer', '192.0.2.1', 'deploy', 1501, 20, 4, 8, 8193, NULL, NULL, NULL, 'because'),
	('2024-01-01 12:00:04Z', '', 2, 'gone', 1, 'step done', 'CREATE TABLE secret ()', 'regress_migrate_stranger', 'x', NULL, NULL, 1, 1, 1, 1, 1, NULL, NULL, NULL, NULL),
	('2024-01-01 12:00:05Z', 'billing', 2, '0001', 1, 'step done', 'CREATE TABLE invoice ()', 'somebody', 'x', NULL, NULL, 1, 1, 1, 1, 1, NULL, NULL, NULL, NULL);
SELECT * FROM migrate.history;
UPDATE migrate_internal.run SET stalled_ms = 4 WHERE version = '0003';
SELECT rows_total, wal_bytes_total, stalled_ms_total FROM migrate.stat;
UPDATE migrate_internal.migration SET registered_at = '2024-01-01 11:00:00Z', requires = '{0002}', verify = 'SELECT true' WHERE version = '0009';
UPDATE migrate_internal.migration SET down = NULL WHERE version = '0010';
SELECT * FROM migrate.migrations WHERE version = '0009';
SELECT version, requires, down, down_derived FROM migrate.migrations WHERE version IN ('0008', '0010');

-- Who may look sees states and history, but SQL only if he may become the
-- owner or read all data.  A role that is gone is nobody's.
SET ROLE regress_migrate_reader;
SELECT count(*) FROM migrate.status;
SELECT migrate.ready('0001');
RESET ROLE;
GRANT USAGE ON SCHEMA migrate TO regress_migrate_owner, regress_migrate_reader, regress_migrate_auditor, regress_migrate_stranger;
SET ROLE regress_migrate_reader;
SELECT version, up, down, verify FROM migrate.migrations WHERE version IN ('0001', '0008', '0009');
SELECT version, command FROM migrate.history WHERE command IS NOT NULL;
SELECT version, state FROM migrate.status WHERE version IN ('0005', '0011');
SELECT migrate.ready('0002'), migrate.current();
SELECT public.shown('0007');
SELECT count(*) FROM migrate.progress, migrate.stat, migrate.heads();
SELECT migrate_internal.identity();
SELECT count(*) FROM migrate_internal.migration;
SET ROLE regress_migrate_owner;
SELECT version, up, down, verify FROM migrate.migrations WHERE version IN ('0001', '0008', '0009');
SELECT version, command FROM migrate.history WHERE command IS NOT NULL;
SET ROLE regress_migrate_auditor;
SELECT version, up, down, verify FROM migrate.migrations WHERE version IN ('0001', '0008', '0009');
SET ROLE regress_migrate_stranger;
SELECT version, command FROM migrate.history WHERE command IS NOT NULL;
RESET ROLE;

-- a scope is a world of its own
SET migrate.scope = 'billing';
SELECT count(*) FROM migrate.status;
SELECT version, command FROM migrate.history;
SELECT migrate.ready('0001');
SELECT * FROM migrate.stat;
RESET migrate.scope;

-- bad input
SELECT migrate.ready(NULL);
SELECT migrate.ready('');
SELECT migrate.ready('00O2');
SELECT migrate.ready(repeat('9', 300));
SELECT migrate.show(NULL);
SELECT migrate.show('0100');

-- what is under the views is qualified: nobody's search_path changes them
CREATE SCHEMA trap;
CREATE FUNCTION trap.no(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'trapped'; END$$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.no);
CREATE FUNCTION trap.current_setting(text, boolean) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE 'trapped'; END$$;
SET search_path = trap, pg_catalog;
SELECT count(*) FROM migrate.status, migrate.stat;
SELECT count(*) FROM migrate.history, migrate.migrations;
SELECT migrate.ready('0002'), migrate.current(), length(migrate.graph()) > 0 AS graph;
SET search_path = pg_catalog;

-- 5,000 versions: the whole status well within a second, whatever the machine
-- (the bench measures it)
INSERT INTO migrate_internal.migration (scope, version, state, owner, registered_by, up, search_path, checksum, token_checksum, origin)
	SELECT '', 'v' || i, 'applied', 'nobody', 'nobody', repeat('SELECT 1; ', 100), '', '', '', '' FROM generate_series(1, 5000) i;
SET statement_timeout = '5s';
SELECT count(*), sum(progress) FROM migrate.status WHERE version LIKE 'v%';
SELECT migrate.ready('v5000'), migrate.current();
RESET statement_timeout;

DROP SCHEMA trap CASCADE;
DROP FUNCTION public.shown, public.here;
DROP PROCEDURE public.put, public.put_run;
DROP EXTENSION migrate;
DROP SCHEMA migrate;
DROP ROLE regress_migrate_owner, regress_migrate_reader, regress_migrate_auditor, regress_migrate_stranger;
