-- apply, complete, rollback: the verbs and their errors
CREATE EXTENSION migrate;
SET client_min_messages = warning;

-- nothing is registered
CALL migrate.apply();
CALL migrate.complete();
CALL migrate.rollback();
CALL migrate.wait();

-- three migrations, one after the other
SELECT migrate.register('0001', 'CREATE TABLE users (id int PRIMARY KEY, name text)', 'DROP TABLE users', 'create users');
SELECT migrate.register('0002', 'ALTER TABLE users ADD COLUMN email text; CREATE INDEX CONCURRENTLY users_email ON users (email)',
	'DROP INDEX CONCURRENTLY users_email; ALTER TABLE users DROP COLUMN email', 'email');
SELECT migrate.register('0003', 'INSERT INTO users SELECT g, ''u'' || g FROM generate_series(1, 10) g', 'DELETE FROM users', 'rows');
CALL migrate.apply('0002');
SELECT version, name, state, direction, steps, steps_done, progress, applied_by = current_user AS by_me, error FROM migrate.status;
\d users
CALL migrate.apply();
SELECT count(*) FROM users;
CALL migrate.apply();
SELECT version, step, event, rows, message FROM migrate.history WHERE event <> 'registered';

-- unknown and bad arguments
CALL migrate.apply('0009');
CALL migrate.apply(wait => NULL);
CALL migrate.complete('0009');
CALL migrate.complete('0001');
CALL migrate.rollback('0009');
CALL migrate.rollback_to(NULL);
CALL migrate.rollback(cascade => NULL);
CALL migrate.run(NULL);
\set VERBOSITY terse
CALL migrate.run('SELEC 1');
\set VERBOSITY default
CALL migrate.wait('0009');
SELECT migrate.pause('0009');
SELECT migrate.resume('0009');
SELECT migrate.resolve('0001', 1, 'maybe');
SELECT migrate.resolve('0001', 1, 'done');
SELECT migrate.tune('0001', 'workers', '2');

-- back again: what others require, what would be lost
CALL migrate.rollback('0002');
CALL migrate.rollback('0001', cascade => true);
CALL migrate.rollback_to('0001');
SELECT version, state FROM migrate.status;
\d users
INSERT INTO users VALUES (1, 'x');
CALL migrate.rollback('0001');
SELECT version, state FROM migrate.status;
CALL migrate.rollback('0001', lose_data => true);
SELECT version, state FROM migrate.status;
CALL migrate.rollback('0001');

-- an error: whole, with place and position; nothing of the transaction stays; apply goes on
SELECT migrate.register('0004', E'CREATE TABLE a (id int);\n\nINSERT INTO a SELECT 1/0;');
CALL migrate.apply();
SELECT version, state, direction, step, steps_done, error FROM migrate.status;
SELECT to_regclass('a');
SELECT migrate.register('0004', E'CREATE TABLE a (id int);\n\nINSERT INTO a SELECT 1;\nALTER TABLE a ADD CONSTRAINT p CHECK (id > 0)');
CALL migrate.apply();
SELECT version, state, error FROM migrate.status;
SELECT * FROM a;

-- what fails does not keep what is independent from running
SELECT migrate.register('0005', 'SELECT 1/0');
SELECT migrate.register('0006', 'CREATE TABLE dependent ()', requires => '{0005}');
SELECT migrate.register('0007', 'CREATE TABLE independent ()', requires => '{0001}');
CALL migrate.apply();
SELECT version, state, error FROM migrate.status WHERE version > '0004';
SELECT to_regclass('dependent'), to_regclass('independent');
CALL migrate.rollback('0005');
SELECT version, state, error FROM migrate.status WHERE version > '0004';
SELECT migrate.unregister('0006');
SELECT migrate.unregister('0005');

-- verify: must run without error; a boolean must be true; what it does is undone
SELECT migrate.register('0008', 'CREATE TABLE v (id int)', verify => 'INSERT INTO v VALUES (1); SELECT count(*) = 1 FROM v');
CALL migrate.apply();
SELECT count(*) FROM v;
SELECT migrate.register('0009', 'INSERT INTO v VALUES (7)', 'DELETE FROM v', verify => 'SELECT id = 8 FROM v');
CALL migrate.apply();
SELECT version, state, error FROM migrate.status WHERE version = '0009';
UPDATE v SET id = 8;
CALL migrate.apply();
SELECT version, state, error FROM migrate.status WHERE version = '0009';
SELECT migrate.register('0010', 'SELECT', verify => 'SELECT nonsense');
CALL migrate.apply();
CALL migrate.rollback('0010');
SELECT migrate.unregister('0010');

-- settings of a migration do not leak into the next one
SELECT migrate.register('0011', 'CREATE SCHEMA s; SET search_path = s; SET statement_timeout = 12345; CREATE TABLE in_s ()');
SELECT migrate.register('0012', 'CREATE TABLE after_s AS SELECT current_setting(''statement_timeout'') AS t, current_schema() AS s');
CALL migrate.apply();
SELECT to_regclass('s.in_s'), t, s FROM after_s;
SHOW search_path;

-- RESET brings back the path that it was registered under, in the plan as in the run
CREATE SCHEMA app;
SET search_path = app;
SELECT migrate.register('0012.1', 'SET search_path = public; BEGIN; RESET search_path; CREATE TABLE one (); COMMIT;
	SET search_path = public; BEGIN; RESET ALL; CREATE TABLE two (i int); COMMIT; CREATE INDEX CONCURRENTLY ON two (i);
	SET search_path = public; DISCARD ALL; CREATE TABLE three ()');
RESET search_path;
SELECT relation FROM migrate.plan() WHERE version = '0012.1' AND relation IS NOT NULL;
CALL migrate.apply();
SELECT oid::regclass FROM pg_class WHERE relname IN ('one', 'two', 'three') ORDER BY relname;
DROP SCHEMA app CASCADE;

-- a migration cannot wait for itself
SELECT migrate.register('0012.2', 'CALL migrate.apply()'), migrate.register('0012.3', 'DO ''DECLARE r text; BEGIN CALL migrate.apply(result => r); END''', requires => '{}'),
	migrate.register('0012.4', 'CALL migrate.wait()', requires => '{}'), migrate.register('0012.5', 'CALL migrate.run(''SELECT 1'', wait => false)', requires => '{}');
CALL migrate.apply('0012.2');
CALL migrate.apply('0012.3');
CALL migrate.apply('0012.4');
CALL migrate.apply('0012.5');
SELECT migrate.unregister('0012.' || i) FROM generate_series(5, 2, -1) i;

-- run: SQL without a version
CALL migrate.run('CREATE INDEX CONCURRENTLY ON v (id)', 'an index') \gset
SELECT :'result' ~ '^run-\d{8}T\d{6}-1 is applied$' AS result;
SELECT version ~ '^run-\d{8}T\d{6}-1$' AS version, name, state FROM migrate.status WHERE version LIKE 'run%';
SELECT version ~ '^run' AS outside FROM migrate.heads();

-- wait => false
CALL migrate.run('CREATE TABLE later ()', wait => false);
CALL migrate.wait() \gset
SELECT to_regclass('later');

-- what its statements say reaches whoever waits, also before an error and from a COMMIT
\set SHOW_CONTEXT always
SET client_min_messages = notice;
SELECT migrate.register('0013', $$DROP TABLE IF EXISTS nothing;
DO 'BEGIN RAISE NOTICE ''hello''  USING DETAIL = ''dear'', HINT = ''world''; RAISE DEBUG ''never''; RAISE LOG ''never''; END';
CREATE TABLE said (i int);
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE WARNING USING ERRCODE = ''01234'', MESSAGE = ''at the end''; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER say AFTER INSERT ON said INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION say();
INSERT INTO said VALUES (1);
DROP TRIGGER say ON said;
BEGIN;
CREATE CONSTRAINT TRIGGER say AFTER INSERT ON said INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION say();
INSERT INTO said VALUES (2);
SELECT 1;
COMMIT;
CREATE INDEX CONCURRENTLY ON said (i);
CREATE INDEX CONCURRENTLY IF NOT EXISTS said_i_idx ON said (i)$$);
SELECT migrate.register('0014', $$SET client_min_messages = warning;
DROP TABLE IF EXISTS nothing;
RESET client_min_messages;
DO 'BEGIN RAISE NOTICE ''before the error''; PERFORM 1 / 0; END'$$, verify => 'DROP TABLE IF EXISTS nothing');
CALL migrate.apply();
SELECT migrate.register('0014', $$DO 'BEGIN FOR i IN 1 .. 600 LOOP RAISE NOTICE ''%'', i; END LOOP; END'$$);
SELECT migrate.register('0015', 'SELECT');
\set SHOW_CONTEXT errors
SET client_min_messages = warning;
CALL migrate.apply();
SELECT cardinality(notices), notices[501]::json->>'message' AS last FROM migrate_internal.request ORDER BY id DESC LIMIT 1;
DROP FUNCTION say CASCADE;
DROP TABLE said;

-- a DO that fails after a COMMIT of its own is not simply begun again; one that fails before is
SET client_min_messages = warning;
CREATE TABLE gate (open int);
CREATE TABLE parts (part int);
SELECT migrate.register('0016', $$DO 'BEGIN PERFORM 1; COMMIT; PERFORM 1 / count(*) FROM gate; INSERT INTO parts VALUES (1); COMMIT; PERFORM 1 / (count(*) - 1) FROM gate; INSERT INTO parts VALUES (2); END'$$);
CALL migrate.apply();
INSERT INTO gate VALUES (1);
CALL migrate.apply();
INSERT INTO gate VALUES (2);
CALL migrate.apply();
SELECT migrate.resolve('0016', 1, 'again');
CALL migrate.apply();
SELECT part, count(*) FROM parts GROUP BY part ORDER BY part;
DROP TABLE gate, parts;

-- what rests on a migration that is half done is planned, though what that will still make is not there
SELECT migrate.register('0016.1', 'CREATE TABLE half (id int); VACUUM half; CREATE TYPE half_type AS ENUM (); SELECT 1 / count(*) FROM half');
CALL migrate.apply();
SELECT migrate.register('0016.2', 'COMMENT ON TYPE half_type IS NULL; ALTER TABLE half ADD COLUMN t half_type');
SELECT version, step, command, note FROM migrate.plan();
INSERT INTO half VALUES (1);
CALL migrate.apply();
DROP TABLE half;
DROP TYPE half_type;
-- lines count from the beginning of the file, wherever the parts of it move
SELECT version, result FROM migrate.load(E'-- migrate:version 0017\n-- migrate:up\n\nSELECT 1;\nSELECT 1 / 0;\n-- migrate:down\nSELECT 2;\n-- migrate:verify\nSELECT\nfalse', '0017_lines.sql');
SELECT line, command FROM migrate.plan() WHERE version = '0017';
CALL migrate.apply();
SELECT version, result FROM migrate.load(E'-- migrate:version 0017\n-- migrate:up\n\nSELECT 1;\n-- migrate:down\nSELECT 2;\n-- migrate:verify\nSELECT\nfalse', '0017_lines.sql');
CALL migrate.apply();
SELECT version, result FROM migrate.load(E'\n-- a comment\n-- migrate:version 0017\n-- migrate:up\n\nSELECT 1;\n-- migrate:down\nSELECT 2;\n-- migrate:verify\nSELECT\nfalse', '0017_lines.sql');
CALL migrate.apply();

DROP TABLE IF EXISTS a, v, after_s, later, independent, users CASCADE;
DROP SCHEMA s CASCADE;
DROP EXTENSION migrate;
