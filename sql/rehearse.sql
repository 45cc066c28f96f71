-- up, verify and down in a transaction that is rolled back
CREATE EXTENSION migrate;
SET client_min_messages = warning;
CREATE TABLE rh_t (id int PRIMARY KEY, v text);
CREATE TABLE rh_big (id int, v text);
CREATE TABLE rh_at (at timestamptz DEFAULT '2020-02-01 UTC', i interval DEFAULT '1 day', f float DEFAULT 0.1);
INSERT INTO rh_t SELECT g, g FROM generate_series(1, 1000) g;
INSERT INTO rh_big SELECT g, repeat('x', 1000) FROM generate_series(1, 2000) g;

-- what is really done, and undone
SELECT migrate.register('0001',
	'CREATE INDEX CONCURRENTLY rh_v ON rh_t (v);
	 ALTER TABLE rh_t ALTER v TYPE varchar(10);
	 CREATE TABLE rh_u (id int);
	 INSERT INTO rh_u SELECT id FROM rh_t',
	'DROP TABLE rh_u; ALTER TABLE rh_t ALTER v TYPE text; DROP INDEX rh_v',
	verify => 'SELECT count(*) = 1000 FROM rh_u');
SELECT direction, step, line, ok, relation, locks, scans, rewrites, rows, sqlstate, message
  FROM migrate.rehearse('0001', '1min');
SELECT direction, step, duration IS NOT NULL AS timed, wal_bytes > 0 AS wal FROM migrate.rehearse('0001', '1min');
SELECT to_regclass('rh_u'), to_regclass('rh_v'), (SELECT state FROM migrate.status WHERE version = '0001');

-- what down forgets
SELECT migrate.register('0002',
	'ALTER TABLE rh_t ADD c int NOT NULL DEFAULT 1; ALTER TABLE rh_t ALTER v SET DEFAULT ''?'';
	 COMMENT ON TABLE rh_t IS ''told''; CREATE VIEW rh_w AS SELECT 1 AS one; GRANT SELECT ON rh_t TO PUBLIC',
	'SELECT 1');
SELECT ok, (SELECT string_agg(regexp_replace(l, 'arwd\w+', 'all', 'g'), chr(10)) FROM string_to_table(message, chr(10)) l
			 WHERE l !~ '_not_null on |differs in') AS message
  FROM migrate.rehearse('0002', '1min') WHERE direction = 'schema';

SELECT migrate.register('0002', 'ALTER TABLE rh_t DROP v', 'ALTER TABLE rh_t ADD v text');
ALTER TABLE rh_t ADD last int;
SELECT message FROM migrate.rehearse('0002', '1min') WHERE direction = 'schema';
ALTER TABLE rh_t DROP last;

-- a derived way back
SELECT migrate.register('0003', 'ALTER TABLE rh_t ADD c int; CREATE TABLE rh_u (id int); CREATE INDEX rh_v ON rh_t (v)');
SELECT direction, step, ok, command, message FROM migrate.rehearse('0003', '1min') WHERE direction <> 'up';
SELECT migrate.register('0004', 'UPDATE rh_t SET v = ''-''');
SELECT direction, step, ok, rows, sqlstate, left(message, 50) AS message FROM migrate.rehearse('0004', '1min');

-- a step that fails, and a verify that does
SELECT migrate.register('0005', 'CREATE TABLE rh_u (id int); INSERT INTO rh_t VALUES (1, ''again''); SELECT 1', 'DROP TABLE rh_u', verify => 'SELECT true');
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0005', '1min');
SELECT migrate.register('0006', 'CREATE TABLE rh_u (id int)', 'DROP TABLE rh_u', verify => 'INSERT INTO rh_u VALUES (1); SELECT count(*) = 0 FROM rh_u');
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0006', '1min');

-- a down that cannot be planned, and one that fails
SELECT migrate.register('0007', 'CREATE TABLE rh_u (id int)', 'ALTER TABLE rh_u DROP COLUMN nowhere');
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0007', '1min');
SELECT migrate.register('0008', 'CREATE TABLE rh_u (id int)', 'SELECT 1/0; DROP TABLE rh_u');
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0008', '1min');

-- what cannot run inside a transaction is left out
SELECT migrate.register('0009', 'VACUUM rh_t; CREATE INDEX CONCURRENTLY rh_big_v ON rh_big (v);
	CREATE TYPE rh_e AS ENUM (''a''); ALTER TABLE rh_t ADD e rh_e', 'ALTER TABLE rh_t DROP e; DROP TYPE rh_e');
SELECT direction, step, ok, command, message FROM migrate.rehearse('0009', '1min');
CREATE TYPE rh_f AS ENUM ('a');
SELECT migrate.register('0010', 'ALTER TYPE rh_f ADD VALUE ''b''; CREATE TABLE rh_u AS SELECT ''b''::rh_f AS f');
SELECT direction, step, ok, left(message, 50) AS message FROM migrate.rehearse('0010', '1min');
SELECT migrate.register('0011', 'DO $$ BEGIN COMMIT; END $$; CREATE TEMP TABLE rh_temp (id int); SELECT 1', 'SELECT 1');
SELECT direction, step, ok, message FROM migrate.rehearse('0011', '1min');

-- blocks and settings as they were written
SELECT migrate.register('0012', 'BEGIN; CREATE TABLE rh_u (id int); ROLLBACK; SET search_path = pg_catalog; SET work_mem = ''1MB'';
	CREATE TABLE public.rh_u AS SELECT current_setting(''work_mem'') AS m, current_setting(''search_path'') AS p', 'DROP TABLE public.rh_u',
	verify => 'SELECT m = ''1MB'' AND p = ''pg_catalog'' FROM public.rh_u');
SELECT direction, step, ok, message FROM migrate.rehearse('0012', '1min');
SELECT migrate.register('0012', 'ALTER TABLE rh_at ADD x int; ALTER TABLE rh_at DROP x; SET DateStyle = German; SET TimeZone = ''Asia/Tokyo''; SET IntervalStyle = iso_8601; SET quote_all_identifiers = on; SET extra_float_digits = 0', 'SELECT 1');
SELECT ok, message FROM migrate.rehearse('0012', '1min') WHERE direction = 'schema';
SHOW search_path;
SHOW work_mem;
SHOW lock_timeout;

-- nothing stays: advisory locks, either
SELECT migrate.register('0013', 'SELECT pg_advisory_lock(4711); SELECT pg_advisory_lock(4711)', 'SELECT 1');
SELECT direction, step, ok FROM migrate.rehearse('0013');
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
SELECT pg_advisory_lock(4711);
SELECT direction, step, ok FROM migrate.rehearse('0013');
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
SELECT pg_advisory_unlock(4711);

-- for how long writers may be locked out
SELECT migrate.register('0014', 'ALTER TABLE rh_t ADD c int; SELECT pg_sleep(60)', 'SELECT 1');
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0014', '50ms');
SELECT migrate.register('0015', 'DO $$ BEGIN PERFORM 1; ALTER TABLE rh_t ADD c int; PERFORM pg_sleep(60); END $$', 'SELECT 1');
SELECT direction, step, ok, sqlstate FROM migrate.rehearse('0015', '50ms');
SELECT migrate.register('0016', 'UPDATE rh_t SET v = id; SELECT pg_sleep(60)', 'SELECT 1');
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0016', '50ms');
-- a table of its own, and weak locks, lock nobody out
SELECT migrate.register('0017', 'CREATE TABLE rh_u (id int); DO $$ BEGIN ALTER TABLE rh_u ADD c int; PERFORM pg_sleep(0.2); END $$; ANALYZE rh_t; SELECT pg_sleep(0.2)', 'DROP TABLE rh_u');
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0017', '100ms');
-- nor does what the caller has locked himself count
BEGIN;
LOCK TABLE rh_t;
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0017', '100ms') WHERE NOT ok;
SELECT count(*) FROM pg_locks WHERE relation = 'rh_t'::regclass AND mode = 'AccessExclusiveLock' AND pid = pg_backend_pid();
COMMIT;

-- as its owner, who can get no further
CREATE ROLE regress_rehearse_owner;
CREATE ROLE regress_rehearse_other;
GRANT USAGE ON SCHEMA migrate TO regress_rehearse_owner, regress_rehearse_other;
SET ROLE regress_rehearse_owner;
SELECT migrate.register('0020', 'SELECT set_config(''rh.user'', current_user, false); SET ROLE NONE; RESET SESSION AUTHORIZATION;
	CREATE ROLE regress_rehearse_evil SUPERUSER', 'SELECT 1', verify => 'SELECT current_setting(''rh.user'') = ''regress_rehearse_owner''');
SET ROLE regress_rehearse_other;
SELECT * FROM migrate.rehearse('0020');
RESET ROLE;
SELECT direction, step, ok, sqlstate FROM migrate.rehearse('0020');
SELECT current_user = session_user AS unchanged, current_setting('rh.user', true) AS setting;

-- arguments
SELECT migrate.rehearse(NULL);
SELECT migrate.rehearse('0099');
SELECT migrate.rehearse('0001', NULL);
SELECT migrate.rehearse('0001', '0');
SELECT migrate.rehearse('0001', '1000 years');
SELECT migrate.register('0021', 'ALTER TABLE rh_t ALTER nowhere SET NOT NULL', 'SELECT 1');
SELECT migrate.rehearse('0021');
BEGIN READ ONLY;
SELECT migrate.rehearse('0001');
ROLLBACK;
SELECT migrate.register('0000', 'SELECT 1');
CALL migrate.apply('0000');
SELECT migrate.rehearse('0000');
DROP TABLE rh_t, rh_big, rh_at;
DROP TYPE rh_f;

-- every kind of object is compared: made and dropped it leaves no trace,
-- left behind it shows
CREATE FUNCTION rh_kinds() RETURNS text[] LANGUAGE sql AS $f$ SELECT ARRAY[
	'CREATE SCHEMA rh_s',
	'CREATE TABLE rh_s.a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x text DEFAULT ''d'' COLLATE "C", g int GENERATED ALWAYS AS (1) STORED, CHECK (x <> ''''))',
	'CREATE TABLE rh_s.b (id int REFERENCES rh_s.a, n int NOT NULL) WITH (fillfactor = 70)',
	'CREATE TABLE rh_s.p (id int, at date) PARTITION BY RANGE (at)',
	'CREATE TABLE rh_s.p1 PARTITION OF rh_s.p FOR VALUES FROM (''2020-01-01'') TO (''2021-01-01'')',
	'CREATE INDEX rh_i ON rh_s.a (lower(x)) WHERE id > 0',
	'CREATE STATISTICS rh_s.st ON id, n FROM rh_s.b',
	'CREATE VIEW rh_s.v AS SELECT 1 AS id',
	'CREATE MATERIALIZED VIEW rh_s.m AS SELECT 1 AS one',
	'CREATE SEQUENCE rh_s.q INCREMENT 5',
	'CREATE TYPE rh_s.e AS ENUM (''a'', ''b'')',
	'CREATE TYPE rh_s.r AS RANGE (subtype = int)',
	'CREATE TYPE rh_s.c AS (a int, b text)',
	'CREATE DOMAIN rh_s.d AS int CHECK (VALUE > 0)',
	'CREATE FUNCTION rh_s.f(int) RETURNS int LANGUAGE sql AS ''SELECT $1''',
	'CREATE FUNCTION rh_s.tf() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NEW; END''',
	'CREATE AGGREGATE rh_s.ag (int) (sfunc = int4pl, stype = int)',
	'CREATE TRIGGER tr BEFORE INSERT ON rh_s.a FOR EACH ROW EXECUTE FUNCTION rh_s.tf()',
	'CREATE RULE ru AS ON DELETE TO rh_s.b DO INSTEAD NOTHING',
	'CREATE POLICY po ON rh_s.a USING (id > 0)',
	'CREATE OPERATOR rh_s.@@@ (leftarg = int, rightarg = int, function = int4pl)',
	'CREATE CAST (rh_s.c AS text) WITH INOUT',
	'CREATE COLLATION rh_s.co (lc_collate = ''C'', lc_ctype = ''C'')',
	'CREATE TEXT SEARCH CONFIGURATION rh_s.ts (copy = simple)',
	'ALTER DEFAULT PRIVILEGES IN SCHEMA rh_s GRANT SELECT ON TABLES TO PUBLIC',
	'COMMENT ON COLUMN rh_s.a.x IS ''a comment''',
	'GRANT UPDATE (x) ON rh_s.a TO PUBLIC',
	'CREATE ROLE regress_rehearse_made']; $f$;
SELECT migrate.register('0100', array_to_string(rh_kinds(), ';'), 'DROP ROLE regress_rehearse_made; DROP SCHEMA rh_s CASCADE');
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0100', '1min') WHERE direction = 'schema' OR NOT ok;
SELECT migrate.register('0100', array_to_string(rh_kinds(), ';'), 'SELECT 1');
SELECT ok, (SELECT string_agg(l, chr(10)) FROM string_to_table(message, chr(10)) l WHERE l !~ '_not_null on |differs in') AS message
  FROM migrate.rehearse('0100', '1min') WHERE direction = 'schema';

-- and so is every change
DO $$ DECLARE s text; BEGIN FOREACH s IN ARRAY rh_kinds() LOOP EXECUTE s; END LOOP; END $$;
SELECT migrate.register('0101',
	'ALTER TABLE rh_s.a ALTER x SET NOT NULL; ALTER TABLE rh_s.a ALTER x SET DEFAULT ''e''; ALTER TABLE rh_s.a ALTER x SET STATISTICS 7;
	 ALTER TABLE rh_s.a ALTER x SET STORAGE PLAIN; ALTER TABLE rh_s.a ALTER x SET (n_distinct = 5);
	 ALTER TABLE rh_s.b RESET (fillfactor); ALTER TABLE rh_s.b REPLICA IDENTITY FULL; ALTER TABLE rh_s.b ENABLE ROW LEVEL SECURITY;
	 ALTER TABLE rh_s.a DISABLE TRIGGER tr; ALTER TABLE rh_s.b DISABLE RULE ru; ALTER POLICY po ON rh_s.a USING (id > 1);
	 ALTER TABLE rh_s.a CLUSTER ON a_pkey; ALTER SEQUENCE rh_s.q INCREMENT 6; ALTER TYPE rh_s.e ADD VALUE ''c'';
	 ALTER TYPE rh_s.c ADD ATTRIBUTE z int; ALTER DOMAIN rh_s.d SET NOT NULL;
	 CREATE OR REPLACE FUNCTION rh_s.f(int) RETURNS int LANGUAGE sql AS ''SELECT $1 + 1''; REVOKE EXECUTE ON FUNCTION rh_s.f(int) FROM PUBLIC;
	 CREATE OR REPLACE VIEW rh_s.v AS SELECT 1 AS id, 2 AS one; COMMENT ON COLUMN rh_s.a.x IS ''another'';
	 ALTER STATISTICS rh_s.st SET STATISTICS 9; ALTER ROLE regress_rehearse_made CREATEDB; ALTER INDEX rh_s.rh_i RENAME TO rh_j;
	 ALTER TABLE rh_s.p DETACH PARTITION rh_s.p1; ALTER TABLE rh_s.b OWNER TO regress_rehearse_made', 'SELECT 1');
SELECT ok, (SELECT string_agg(regexp_replace(l, 'arwd\w+', 'all', 'g'), chr(10)) FROM string_to_table(message, chr(10)) l
			 WHERE l !~ '_not_null on |differs in') AS message
  FROM migrate.rehearse('0101', '1min') WHERE direction = 'schema';
SELECT direction, step, ok, sqlstate, message FROM migrate.rehearse('0101', '1min') WHERE direction = 'up' AND ok IS NOT TRUE;

DROP EXTENSION migrate;
DROP SCHEMA rh_s CASCADE;
DROP ROLE regress_rehearse_made;
DROP FUNCTION rh_kinds;
DROP OWNED BY regress_rehearse_owner, regress_rehearse_other;
DROP ROLE regress_rehearse_owner, regress_rehearse_other;
