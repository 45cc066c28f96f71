-- Statements that become a sequence of steps which keeps nobody waiting
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION migrate;
SET migrate.small_table = 0;
CREATE SCHEMA online;
SET search_path = online;
CREATE FUNCTION steps(text) RETURNS TABLE (step int, tx int, phase text, kind text, command text)
	LANGUAGE sql AS $$ SELECT step, tx, phase, kind, command FROM migrate.explain($1) $$;
CREATE FUNCTION notes(text) RETURNS TABLE (step int, lock text, scans bool, rewrites bool, undo text, note text)
	LANGUAGE sql AS $$ SELECT step, lock, scans, rewrites, undo, note FROM migrate.explain($1) $$;

CREATE TABLE r (id int PRIMARY KEY, f text UNIQUE);
CREATE TABLE t (id int PRIMARY KEY, a int, b text, r int, f text, "C d" int, CONSTRAINT t_taken CHECK (id > 0));
CREATE TABLE nokey (a int, b text);
CREATE TABLE empty (id int);
INSERT INTO r SELECT g, g FROM generate_series(1, 50) g;
INSERT INTO t SELECT g, g, g, nullif(g, 7), g, g FROM generate_series(1, 20) g;
INSERT INTO nokey SELECT * FROM (VALUES (1, 'x'), (1, 'x'), (NULL, 'y'), (NULL, 'y')) v;

-- CHECK: a look, the constraint NOT VALID, its validation
SELECT * FROM steps($$ ALTER TABLE t ADD CHECK (a > 0) $$);
SELECT * FROM notes($$ ALTER TABLE t ADD CHECK (a > 0) $$);
-- several things at once: what costs nothing stays together; drops come first, as in the server
SELECT * FROM steps($$
	ALTER TABLE t ADD CHECK (a > 0), ADD CHECK (a < 100), ALTER b SET DEFAULT 'x', ADD x int, DROP CONSTRAINT t_taken $$);
-- FOREIGN KEY: the operators are the server's; names of columns are not taken for aliases
SELECT * FROM steps($$ ALTER TABLE t ADD FOREIGN KEY (r) REFERENCES r, ADD CONSTRAINT self FOREIGN KEY (f) REFERENCES r (f) $$);
SELECT * FROM notes($$ ALTER TABLE t ADD FOREIGN KEY (r) REFERENCES r $$);
SELECT command FROM steps($$ ALTER TABLE r ADD UNIQUE (id, f); ALTER TABLE t ADD CONSTRAINT pair FOREIGN KEY (r, f) REFERENCES r (id, f) MATCH FULL $$) WHERE kind = 'look';
-- UNIQUE and PRIMARY KEY: an index built concurrently
SELECT * FROM steps($$ ALTER TABLE t ADD UNIQUE (a, b) INCLUDE (r) DEFERRABLE INITIALLY DEFERRED $$);
SELECT * FROM steps($$ ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id) INCLUDE (a) $$);
-- ADD COLUMN
SELECT * FROM steps($$ ALTER TABLE t ADD u uuid DEFAULT gen_random_uuid(), ADD v int DEFAULT 5 CHECK (v > 0) $$);
SELECT * FROM steps($$ ALTER TABLE nokey ADD id bigserial UNIQUE $$) WHERE step <= 5;
SELECT * FROM steps($$ ALTER TABLE t ADD x int REFERENCES r $$);
-- not on what is small, empty, or made by the same migration
SELECT * FROM steps($$ ALTER TABLE empty ADD CHECK (id > 0), ADD PRIMARY KEY (id);
	CREATE TABLE n (id int); INSERT INTO n VALUES (1); ALTER TABLE n ADD CHECK (id > 0) $$);
SET migrate.small_table = '1GB';
SELECT * FROM steps($$ ALTER TABLE t ADD CHECK (a > 0) $$);
SET migrate.small_table = 0;
-- and not where the plain form was asked for
SELECT migrate.register('plain', 'ALTER TABLE online.t ADD CHECK (a > 0)', options => '{"transaction": "as_written"}');
SELECT step, kind, command FROM migrate.plan('plain');
SELECT migrate.unregister('plain');

-- A look goes before all that changes anything, unless that may matter to it
SELECT step, command FROM steps($$ UPDATE nokey SET a = 2; ALTER TABLE nokey ADD y int; ALTER TABLE t ADD CHECK (a > 0) $$);
SELECT step, command FROM steps($$ UPDATE t SET a = 2; ALTER TABLE t ADD CHECK (a > 0) $$);
SELECT step, command FROM steps($$ INSERT INTO r VALUES (99); ALTER TABLE t ADD FOREIGN KEY (r) REFERENCES r $$);
SELECT step, command FROM steps($$ CREATE FUNCTION fine(int) RETURNS bool LANGUAGE sql AS 'SELECT true'; ALTER TABLE t ADD CHECK (fine(a)) $$);

-- What must fail fails while planning
SELECT * FROM steps(E'SELECT 1;\nALTER TABLE t ADD CONSTRAINT t_taken CHECK (a > 0)');
SELECT * FROM steps($$ ALTER TABLE t ADD CONSTRAINT nokey UNIQUE (a) $$);
SELECT * FROM steps($$ ALTER TABLE t ADD PRIMARY KEY (a) $$);
SELECT * FROM steps($$ ALTER TABLE t ADD COLUMN a int $$);
SELECT * FROM steps($$ ALTER TABLE t ADD COLUMN x int NOT NULL $$);
SELECT * FROM steps($$ ALTER TABLE t ADD COLUMN x int PRIMARY KEY $$);
\set VERBOSITY default
SELECT * FROM steps(E'SELECT 1;\nALTER TABLE t\n\tADD COLUMN w int,\n\tADD COLUMN x int NOT NULL');
\set VERBOSITY terse
SELECT * FROM steps($$ ALTER TABLE t ADD CONSTRAINT twice CHECK (a > 0), ADD CONSTRAINT twice CHECK (a > 1) $$);
SELECT * FROM steps($$ ALTER TABLE t ADD UNIQUE (a, nope) $$);
SELECT * FROM steps($$ ALTER TABLE t ADD FOREIGN KEY (nope) REFERENCES r $$);
SELECT * FROM steps($$ ALTER TABLE t ADD FOREIGN KEY (r) REFERENCES r (id, f) $$);
SELECT * FROM steps($$ ALTER TABLE t ADD FOREIGN KEY (r, f) REFERENCES r (id, f) $$);
SELECT * FROM steps($$ ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES nokey $$);
-- but not where it need not
SELECT command FROM steps($$ ALTER TABLE empty ADD COLUMN x int NOT NULL $$);
SELECT command FROM steps($$ DELETE FROM nokey; ALTER TABLE nokey ADD COLUMN x int NOT NULL $$);
SELECT command FROM steps($$ ALTER TABLE nokey ADD COLUMN IF NOT EXISTS a int NOT NULL $$);
SELECT command FROM steps($$ ALTER TABLE t DROP CONSTRAINT t_taken; ALTER TABLE t ADD CONSTRAINT t_taken CHECK (a > 0) $$);

-- Rows that violate it: nothing has been changed, and they are listed
SELECT migrate.register('1', 'ALTER TABLE t ADD CONSTRAINT low CHECK (a < 15); CREATE TABLE made (id int)', requires => '{}');
SELECT migrate.register('2', 'ALTER TABLE t ALTER r SET NOT NULL', requires => '{}');
SELECT migrate.register('3', 'ALTER TABLE r ADD FOREIGN KEY (id) REFERENCES t', requires => '{}');
SELECT migrate.register('4', 'ALTER TABLE nokey ADD UNIQUE (a, b)', requires => '{}');
SELECT migrate.register('5', 'ALTER TABLE nokey ALTER a SET NOT NULL', requires => '{}');
\set VERBOSITY default
CALL migrate.apply('1');
CALL migrate.apply('2');
CALL migrate.apply('3');
CALL migrate.apply('4');
CALL migrate.apply('5');
\set VERBOSITY terse
SELECT version, relation, count(*), min(key), sqlstate FROM migrate.failed_rows GROUP BY 1, 2, 5 ORDER BY 1;
SELECT conname FROM pg_constraint WHERE conrelid IN ('t'::regclass, 'r'::regclass, 'nokey'::regclass) AND contype <> 'n' ORDER BY 1;
SELECT to_regclass('made');
-- mended, they go through
DELETE FROM t WHERE a >= 15;
SET client_min_messages = error;
CALL migrate.apply('1');
SELECT conname, convalidated FROM pg_constraint WHERE conname = 'low';
SELECT count(*) FROM migrate.failed_rows WHERE version = '1';

-- Row security: a look that does not see all rows is left out; the validation lifts what it cannot prove
CREATE ROLE regress_migrate_online;
GRANT USAGE ON SCHEMA migrate TO regress_migrate_online;
GRANT ALL ON SCHEMA online TO regress_migrate_online;
SET ROLE regress_migrate_online;
CREATE TABLE hidden (id int, a int);
INSERT INTO hidden SELECT g, g FROM generate_series(1, 10) g;
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY part ON hidden USING (a < 5);
SELECT kind, command, note FROM migrate.explain('ALTER TABLE hidden ADD CONSTRAINT low CHECK (a < 8)');
SELECT kind, command FROM migrate.explain('ALTER TABLE hidden ADD u uuid DEFAULT gen_random_uuid()');
SELECT migrate.register('6', 'ALTER TABLE hidden ADD CONSTRAINT low CHECK (a < 8)', requires => '{}');
CALL migrate.apply('6');
SELECT conname FROM pg_constraint WHERE conrelid = 'hidden'::regclass;
CALL migrate.rollback('6');
RESET ROLE;
SELECT migrate.unregister('6');
DROP TABLE hidden;
REVOKE ALL ON SCHEMA migrate FROM regress_migrate_online;
REVOKE ALL ON SCHEMA online FROM regress_migrate_online;
DROP ROLE regress_migrate_online;

-- What an earlier statement adds or fills has the same sequence; rows are shown by their key while its columns are there
SELECT kind, command FROM migrate.explain($$ALTER TABLE t ADD late int; UPDATE t SET late = a;
	ALTER TABLE t ADD CONSTRAINT late_high CHECK (late > 0); ALTER TABLE t ADD CONSTRAINT late_ref FOREIGN KEY (late) REFERENCES t;
	ALTER TABLE t ADD CONSTRAINT late_one UNIQUE (late); CREATE INDEX late_ix ON t (late)$$);
SELECT bool_or(scans AND lock = 'AccessExclusiveLock') AS blocks, string_agg(command, '') FILTER (WHERE kind = 'look') AS looks
	FROM migrate.explain('ALTER TABLE t ADD late int; UPDATE t SET late = a; ALTER TABLE t ALTER late SET NOT NULL');
SELECT bool_or(scans AND lock = 'AccessExclusiveLock') AS blocks, string_agg(command, '') FILTER (WHERE kind = 'look') AS looks
	FROM migrate.explain('ALTER TABLE t RENAME a TO late; ALTER TABLE t RENAME TO later; ALTER TABLE later ALTER late SET NOT NULL');
SELECT kind, command, note FROM migrate.explain('BEGIN; ALTER TABLE t ADD late int; UPDATE t SET late = a; ALTER TABLE t ADD CHECK (late > 0); DROP TABLE t; COMMIT');

-- A key that is made again is missed less if one statement says both
SELECT kind, command, note FROM migrate.explain($$ALTER TABLE t DROP CONSTRAINT t_pkey;
	ALTER TABLE t ADD CONSTRAINT t_one PRIMARY KEY (id)$$);

-- What has no online way says whom it keeps waiting
SELECT command, note FROM migrate.explain($$
	ALTER TABLE t ADD g int GENERATED ALWAYS AS (a * 2) STORED;
	ALTER TABLE t ADD EXCLUDE USING btree (a WITH =);
	ALTER TABLE t SET UNLOGGED;
	CLUSTER t USING t_pkey;
	VACUUM FULL t;
	ALTER TABLE nokey ALTER b TYPE varchar $$);

DROP SCHEMA online CASCADE;
DROP EXTENSION migrate;
