-- plan(), explain() and plan_text(): locks, transactions, phases, the way back
CREATE EXTENSION migrate;
SET client_min_messages = warning;
-- what a plan says, as far as it is the same everywhere
CREATE FUNCTION steps(sql text) RETURNS TABLE (step int, tx int, phase text, kind text, command text) AS $$
	SELECT step, tx, phase, kind, regexp_replace(command, '\s+', ' ', 'g') FROM migrate.explain(sql) $$ LANGUAGE sql;
CREATE FUNCTION locks(sql text) RETURNS TABLE (relation text, lock text, scans bool, rewrites bool, note text) AS $$
	SELECT relation, lock, scans, rewrites, note FROM migrate.explain(sql) $$ LANGUAGE sql;
CREATE FUNCTION undo(sql text) RETURNS TABLE (command text, undo text) AS $$
	SELECT command, undo FROM migrate.explain(sql) $$ LANGUAGE sql;
CREATE FUNCTION notes(sql text) RETURNS TABLE (step int, tx int, command text, note text) AS $$
	SELECT step, tx, command, note FROM migrate.explain(sql) $$ LANGUAGE sql;

CREATE TABLE r (id int PRIMARY KEY, v text);
CREATE TABLE t (id int PRIMARY KEY, a int, b text, c varchar(20) DEFAULT 'x');
CREATE INDEX t_b ON t (b);
CREATE TABLE child (id int PRIMARY KEY, t_id int CONSTRAINT child_fk REFERENCES t);
CREATE TABLE p (id int NOT NULL, k int NOT NULL) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
CREATE VIEW v AS SELECT id, a FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM t;
CREATE TYPE mood AS ENUM ('good');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE d (x positive);
CREATE SEQUENCE sq;

-- Transactions: neighbours share one, what refuses a block stands alone
SELECT * FROM steps($$
	CREATE TABLE n (id int);
	ALTER TABLE t ADD COLUMN d int;
	CREATE INDEX CONCURRENTLY t_a ON t (a);
	CREATE INDEX CONCURRENTLY ON t (lower(b), a);
	DROP INDEX CONCURRENTLY t_b;
	REINDEX INDEX CONCURRENTLY t_pkey;
	REINDEX SCHEMA public;
	VACUUM t;
	VACUUM (ANALYZE);
	ANALYZE t;
	ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;
	ALTER SYSTEM SET work_mem = '8MB';
	CHECKPOINT;
	CREATE DATABASE other;
	DROP DATABASE other;
	CREATE TABLESPACE ts LOCATION '/nowhere';
	CLUSTER;
	DISCARD ALL;
	COMMIT PREPARED 'x';
	INSERT INTO n VALUES (1)$$);
-- a block that ends transactions by itself, also by way of a procedure
CREATE PROCEDURE batches() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
CREATE PROCEDURE calls() LANGUAGE plpgsql AS $$ BEGIN CALL public.batches(); END $$;
CREATE PROCEDURE quiet() LANGUAGE plpgsql AS $$ BEGIN /* COMMIT; */ PERFORM 'x; COMMIT;'; END $$;
SELECT * FROM steps($$
	DO 'BEGIN UPDATE t SET a = 1; COMMIT; END';
	DO $x$ BEGIN CREATE TEMP TABLE z (i int) ON COMMIT DROP; END $x$;
	DO $x$ BEGIN FOR i IN 1..2 LOOP ROLLBACK; END LOOP; END $x$;
	CALL batches();
	CALL calls();
	CALL quiet();
	CREATE PROCEDURE later() LANGUAGE plpgsql AS $x$ BEGIN COMMIT AND CHAIN; END $x$;
	CALL later();
	DO $x$ BEGIN CALL later(); END $x$ $$);
SELECT * FROM steps($$
	DO LANGUAGE plpython3u 'plpy.commit()'; DO LANGUAGE plpython3u 'pass';
	DROP INDEX CONCURRENTLY IF EXISTS nowhere; CALL migrate.apply()$$);
-- an enum's new value can be used only after a COMMIT
SELECT * FROM steps($$
	ALTER TYPE mood ADD VALUE 'bad'; ALTER TYPE mood ADD VALUE 'ugly' AFTER 'bad';
	CREATE TABLE moods (m mood DEFAULT 'bad')$$);
-- code that nobody sees through, and a strong lock on a table that was there before
SELECT * FROM steps($$
	CREATE TABLE n0 (id int);
	ALTER TABLE t ADD COLUMN d int;
	DO $x$ BEGIN PERFORM 1; END $x$;
	CREATE TABLE n (id int);
	ALTER TABLE n ADD COLUMN d int;
	ALTER TABLE t ADD COLUMN e int$$);
-- what takes its time has a transaction of its own, unless the table is small
INSERT INTO t SELECT g, g, 'b', 'c' FROM generate_series(1, 1000) g;
ANALYZE t;
SET migrate.small_table = 0;
SELECT * FROM steps($$ CREATE TABLE n (id int); CREATE INDEX ON t (a); UPDATE t SET a = 2; ALTER TABLE t ADD d int; CREATE TABLE n2 (id int) $$);
SET migrate.small_table = '1GB';
SELECT * FROM steps($$ CREATE TABLE n (id int); CREATE INDEX ON t (a); UPDATE t SET a = 2; ALTER TABLE t ADD d int; CREATE TABLE n2 (id int) $$);
RESET migrate.small_table;

-- Blocks as written
SELECT * FROM notes($$ CREATE TABLE n (id int); BEGIN; INSERT INTO n VALUES (1); INSERT INTO n VALUES (2); COMMIT; CREATE TABLE n2 (id int) $$);
SELECT * FROM notes($$ BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO r VALUES (1); COMMIT AND CHAIN; INSERT INTO r VALUES (2); ROLLBACK AND CHAIN; INSERT INTO r VALUES (3); END $$);
SELECT * FROM notes($$ COMMIT; CREATE TABLE n (id int); ROLLBACK $$);
SELECT * FROM notes($$ START TRANSACTION; BEGIN; CREATE TABLE n (id int); SAVEPOINT s; CREATE TABLE m (id int); ROLLBACK TO s; RELEASE s; COMMIT $$);
SELECT * FROM notes($$ SET LOCAL work_mem = '8MB'; CREATE TABLE n (id int) $$);
-- split where it must be; settings of the block are said again
SELECT * FROM notes($$ BEGIN; SET LOCAL lock_timeout = '5s'; CREATE TABLE n (id int);
	CREATE INDEX CONCURRENTLY t_a ON t (a); INSERT INTO n VALUES (1); COMMIT $$);
SELECT * FROM notes($$ BEGIN; ALTER TYPE mood ADD VALUE 'bad'; ALTER TABLE r ADD m mood; COMMIT $$);
SELECT * FROM notes($$ BEGIN; ALTER TYPE mood ADD VALUE 'bad'; ALTER TABLE r ADD m mood DEFAULT 'bad'; COMMIT $$);
SELECT * FROM notes($$ BEGIN; ALTER TABLE r ADD m int; DO ''; COMMIT; BEGIN; LOCK TABLE r; DO ''; COMMIT $$);
-- what is rolled back was never there
SELECT * FROM migrate.explain('BEGIN; CREATE TABLE n (id int); ROLLBACK; INSERT INTO n VALUES (1)');
SELECT * FROM migrate.explain('BEGIN; SAVEPOINT s; CREATE TABLE n (id int); ROLLBACK TO s; INSERT INTO n VALUES (1); COMMIT');
-- errors
SELECT * FROM migrate.explain(E'CREATE TABLE n (id int);\nBEGIN;\nCREATE TABLE n2 (id int)');
SELECT * FROM migrate.explain('SAVEPOINT s');
SELECT * FROM migrate.explain('BEGIN; LOCK TABLE r; VACUUM r; COMMIT');
SELECT * FROM migrate.explain('BEGIN; CREATE TABLE n (id int); VACUUM r; ROLLBACK');
SELECT * FROM migrate.explain('BEGIN; PREPARE TRANSACTION ''x''');

-- Files as they are: nothing in them, CR LF, no final semicolon, comments
SELECT count(*) FROM migrate.explain('');
SELECT count(*) FROM migrate.explain(E'-- nothing\n/* at /* all */ */ ;;');
SELECT * FROM steps(E'/* one */ CREATE TABLE n (id int);\r\n\r\n-- two\r\nCREATE FUNCTION f() RETURNS int LANGUAGE sql\r\nBEGIN ATOMIC SELECT 1; SELECT 2; END;\r\nSELECT $a$ ; $b$ ; $a$');
SELECT statement, line, command FROM migrate.explain(E'\n\nSELECT 1;\n\n  SELECT\n2 ; SELECT 3');

-- Locks: the strongest on each relation
SET migrate.auto_complete = on;
SELECT * FROM locks($$
	ALTER TABLE t ADD COLUMN d int REFERENCES r;
	ALTER TABLE r DROP CONSTRAINT r_pkey CASCADE;
	ALTER TABLE child DROP CONSTRAINT child_fk;
	ALTER TABLE child ADD CONSTRAINT fk2 FOREIGN KEY (t_id) REFERENCES t NOT VALID;
	ALTER TABLE child VALIDATE CONSTRAINT fk2;
	ALTER TABLE p ADD COLUMN v text;
	ALTER TABLE ONLY p ALTER COLUMN k SET DEFAULT 1;
	ALTER TABLE t SET (fillfactor = 80);
	ALTER TABLE t ENABLE TRIGGER ALL;
	CREATE INDEX ON p (id);
	CREATE INDEX t_a ON t (a);
	DROP INDEX t_b;
	REINDEX TABLE t;
	CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30);
	CREATE TABLE n (id int REFERENCES r, i int REFERENCES n);
	CREATE TABLE heir () INHERITS (r);
	CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
	CREATE POLICY po ON t;
	CREATE RULE ru AS ON INSERT TO t DO ALSO NOTHING;
	COMMENT ON COLUMN t.a IS 'x';
	COMMENT ON CONSTRAINT child_fk ON child IS 'x';
	BEGIN; LOCK TABLE p IN SHARE MODE; COMMIT;
	TRUNCATE t CASCADE;
	CREATE OR REPLACE VIEW v AS SELECT id, a FROM t;
	CREATE VIEW v2 AS SELECT a, r.* FROM v, r;
	REFRESH MATERIALIZED VIEW mv;
	CLUSTER t USING t_pkey;
	ALTER SEQUENCE sq OWNED BY t.a;
	ALTER DOMAIN positive ADD CONSTRAINT five CHECK (VALUE > 5);
	CREATE STATISTICS st ON a, b FROM t;
	DROP TABLE t CASCADE;
	DROP TYPE positive CASCADE$$);
RESET migrate.auto_complete;
-- rows: CTEs are no tables, except where they hide one that they read
SELECT * FROM locks($$
	WITH r AS (SELECT * FROM r), q AS (SELECT 1 AS id) UPDATE t SET a = q.id FROM q, r WHERE t.id = r.id;
	INSERT INTO r SELECT id FROM child WHERE EXISTS (SELECT FROM p);
	DELETE FROM child USING t;
	MERGE INTO r USING t ON r.id = t.id WHEN MATCHED THEN DELETE;
	SELECT * FROM t FOR UPDATE;
	SELECT * INTO copy FROM t;
	CREATE TABLE copy2 AS SELECT * FROM r;
	COPY t TO '/nowhere'$$);
-- work: reading, rewriting
SELECT command, scans, rewrites FROM migrate.explain($$
	ALTER TABLE t ADD n1 timestamptz DEFAULT now();
	ALTER TABLE t ADD n2 timestamptz DEFAULT clock_timestamp();
	ALTER TABLE t ADD n3 bigserial;
	ALTER TABLE t ADD n4 positive;
	ALTER TABLE t ADD n5 int CHECK (n5 > 0);
	ALTER TABLE t ALTER a SET NOT NULL;
	ALTER TABLE t ALTER id SET NOT NULL;
	ALTER TABLE t ALTER c TYPE varchar(30);
	ALTER TABLE t ALTER c TYPE text;
	ALTER TABLE t ALTER c TYPE varchar(10);
	ALTER TABLE t ALTER a TYPE bigint;
	ALTER TABLE t ALTER a TYPE int USING a;
	ALTER TABLE t ALTER a TYPE int USING a + 1;
	ALTER TABLE t ALTER b TYPE text COLLATE "C";
	ALTER TABLE t ADD CONSTRAINT ck CHECK (a > 0);
	ALTER TABLE t ADD CONSTRAINT ck2 CHECK (a > 0) NOT VALID;
	ALTER TABLE t SET UNLOGGED;
	ALTER TABLE t SET LOGGED$$);

-- Phases: what breaks old clients waits, and what may depend on it
SELECT step, tx, phase, command, note FROM migrate.explain($$
	ALTER TABLE t RENAME COLUMN a TO z;
	CREATE INDEX t_z ON t (z);
	CREATE TABLE n (id int);
	DROP INDEX t_b;
	DROP FUNCTION steps(text);
	SELECT steps('');
	INSERT INTO n VALUES (1)$$);
SELECT phase, command FROM migrate.explain($$
	REVOKE ALL ON r FROM PUBLIC; DROP TABLE r; ALTER TABLE t DROP COLUMN b; DROP VIEW v; DROP SEQUENCE sq; DROP TYPE mood;
	ALTER TABLE child DROP CONSTRAINT child_pkey; ALTER TABLE child DROP CONSTRAINT child_fk;
	ALTER TABLE p1 SET SCHEMA information_schema; ALTER TYPE positive RENAME TO pos;
	CREATE TABLE n (a int); ALTER TABLE n RENAME a TO b; ALTER TABLE n RENAME TO m; DROP TABLE m$$);
-- made again under the same name: at once
SELECT phase, command FROM migrate.explain($$
	DROP VIEW v; CREATE VIEW v AS SELECT id FROM t;
	DROP FUNCTION undo; CREATE FUNCTION undo(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
	ALTER TABLE r DROP CONSTRAINT r_pkey, ADD CONSTRAINT r_pkey PRIMARY KEY (id, v)$$);
-- what is made by a statement that waits
SELECT phase, command FROM migrate.explain($$
	ALTER TABLE r RENAME TO rr;
	CREATE FUNCTION of_rr() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO rr VALUES (1); RETURN NEW; END';
	CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION of_rr();
	CREATE INDEX ON t (a);
	CREATE INDEX ON child (t_id)$$);
-- nobody to protect
SET migrate.auto_complete = on;
SELECT phase, tx, command FROM migrate.explain('ALTER TABLE t DROP COLUMN b; CREATE INDEX ON t (a)');
RESET migrate.auto_complete;
-- a setting holds for what follows it in each phase
SELECT tx, phase, kind, command FROM migrate.explain($$
	SET work_mem = '1MB'; DROP TABLE r; SET work_mem = '2MB'; DROP VIEW v; CREATE TABLE n (id int)$$);
SELECT tx, phase, kind, command, note FROM migrate.explain($$
	BEGIN; SET LOCAL work_mem = '1MB'; CREATE TABLE n (id int); DROP TABLE r; COMMIT$$);

-- The way back
SELECT * FROM undo($$
	CREATE TABLE n (id int);
	INSERT INTO n VALUES (1);
	ALTER TABLE n ALTER id TYPE bigint;
	ALTER TABLE t ADD d int, ADD COLUMN IF NOT EXISTS a int, ALTER c DROP DEFAULT, ALTER a SET NOT NULL;
	ALTER TABLE t ADD CONSTRAINT ck CHECK (a > 0) NOT VALID;
	ALTER TABLE child DROP CONSTRAINT child_fk;
	ALTER TABLE t RENAME a TO "A b";
	ALTER TABLE r RENAME TO rr;
	ALTER TABLE p DETACH PARTITION p1;
	ALTER TABLE t ENABLE ROW LEVEL SECURITY;
	CREATE INDEX ON child (t_id);
	DROP INDEX t_b;
	CREATE OR REPLACE FUNCTION fresh(int, OUT x text, VARIADIC y text[]) LANGUAGE sql AS 'SELECT 1';
	CREATE SCHEMA s; CREATE TYPE s.e AS ENUM (); CREATE EXTENSION IF NOT EXISTS plpgsql;
	CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
	CREATE VIEW IF_it AS SELECT 1; COMMENT ON VIEW if_it IS 'made here'; COMMENT ON TABLE t IS 'made before';
	UPDATE t SET b = 'x';
	ALTER TYPE mood ADD VALUE 'bad';
	SET work_mem = '1MB'; VACUUM t; SELECT 1$$);

-- Names: what does not exist and is not made before is an error, with its place
SELECT * FROM migrate.explain(E'CREATE TABLE n (id int);\nINSERT INTO nowhere SELECT 1');
SELECT * FROM migrate.explain('SELECT * FROM t JOIN s.nowhere USING (id)');
SELECT * FROM migrate.explain('CREATE TABLE nowhere.n (id int)');
SELECT * FROM migrate.explain('ALTER TABLE t ADD d int, ALTER COLUMN "no" DROP NOT NULL');
SELECT * FROM migrate.explain('CREATE INDEX ON t (a, nope)');
SELECT * FROM migrate.explain('ALTER TABLE t RENAME nope TO yes');
SELECT * FROM migrate.explain('CREATE INDEX CONCURRENTLY ON p (id)');
SELECT * FROM migrate.explain('DROP TABLE r; SELECT * FROM r');
SELECT * FROM migrate.explain('ALTER TABLE r RENAME TO rr; SELECT * FROM rr; SELECT * FROM r');
-- but not where it may have been made, or need not exist
SELECT relation, note FROM migrate.explain($$
	DROP TABLE IF EXISTS nowhere; ALTER TABLE IF EXISTS nowhere ADD x int; DROP INDEX CONCURRENTLY IF EXISTS nowhere;
	CREATE TABLE named (id int CONSTRAINT named_id PRIMARY KEY, a int, CONSTRAINT named_a UNIQUE (a));
	ALTER INDEX named_id RENAME TO named_pk; ALTER INDEX named_a RENAME TO a_named; ALTER INDEX a_named SET (fillfactor = 80);
	CREATE TEMP TABLE scratch (id int); INSERT INTO scratch VALUES (1);
	ALTER TABLE t ADD d int; ALTER TABLE t ALTER d SET NOT NULL;
	CREATE SCHEMA s CREATE TABLE inner_one (id int); INSERT INTO s.inner_one VALUES (1);
	SET search_path = s; CREATE TABLE n (id serial); INSERT INTO s.n VALUES (1); INSERT INTO inner_one SELECT 1;
	ALTER SEQUENCE n_id_seq CACHE 2; SET search_path = public;
	ALTER SCHEMA s RENAME TO s2; INSERT INTO s2.n VALUES (1);
	DO ''; INSERT INTO nowhere VALUES (1)$$);
SELECT relation FROM migrate.explain($$
	SELECT pg_catalog.set_config('search_path', '', false); CREATE TABLE public.n (id int);
	BEGIN; SET LOCAL search_path = public; INSERT INTO n VALUES (1); COMMIT; SELECT * FROM public.n$$);
SELECT * FROM migrate.explain($$ SELECT pg_catalog.set_config('search_path', '', false); SELECT * FROM t $$);
-- the name of an index is chosen as the server would
SELECT command FROM migrate.explain($$
	CREATE INDEX CONCURRENTLY ON t (a); CREATE INDEX CONCURRENTLY ON t (a);
	CREATE UNIQUE INDEX CONCURRENTLY /* INDEX */ ON "t" ((a + 1), lower(b), a, a) INCLUDE (c) WHERE a > 0$$);

-- Nothing of the user's is run while planning
CREATE FUNCTION boom() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'run while planning'; END $$;
SELECT command, rewrites FROM migrate.explain($$
	ALTER TABLE t ADD d int DEFAULT boom(); ALTER TABLE t ALTER b TYPE int USING boom();
	CREATE INDEX ON t ((a + boom())); SELECT boom(); UPDATE t SET a = boom()$$);

-- Migrations: planned one over the other, in order, each under its own path
SELECT migrate.register('1', 'CREATE TABLE m1 (id int); CREATE INDEX ON m1 (id)', name => 'first');
SELECT migrate.register('2', E'ALTER TABLE m1\n\tADD COLUMN a int;\nALTER TABLE m1 RENAME TO m2');
SELECT migrate.register('3', 'INSERT INTO m2 SELECT 1; DROP TABLE t CASCADE', options => '{"transaction": "as_written"}');
SELECT version, step, tx, phase, command, undo, note FROM migrate.plan();
SELECT version, step FROM migrate.plan('2');
SELECT * FROM migrate.plan_text();
SELECT * FROM migrate.plan_text('1', costs => true);
SELECT * FROM migrate.plan('4');
SELECT * FROM migrate.plan(action => 'sideways');
SELECT * FROM migrate.plan(action => NULL);
SELECT * FROM migrate.explain(NULL);
SELECT migrate.unregister('3');
SELECT migrate.register('3', E'SELECT 1;\n  INSERT INTO nowhere VALUES (1)');
SELECT * FROM migrate.plan();

SELECT migrate.unregister('3');

-- what is applied, and the way back
SELECT * FROM migrate.plan(action => 'complete');
CALL migrate.apply();
SELECT version, step, phase, command, note FROM migrate.plan();
SELECT version, step, phase, command, note FROM migrate.plan(action => 'complete');
SELECT version, step, statement, line, phase, command, undo, note FROM migrate.plan('1', 'rollback');
SELECT version, step, command FROM migrate.plan('1', 'rollback_to');
SELECT migrate.register('3', 'UPDATE r SET v = upper(v)');
CALL migrate.apply('3');
SELECT * FROM migrate.plan('3', 'rollback');
SELECT * FROM migrate.plan('5', 'rollback');

-- another's migration
CREATE ROLE regress_migrate_planner;
GRANT USAGE ON SCHEMA migrate TO regress_migrate_planner;
SET ROLE regress_migrate_planner;
SELECT * FROM migrate.plan(action => 'complete');
RESET ROLE;
REVOKE USAGE ON SCHEMA migrate FROM regress_migrate_planner;
DROP ROLE regress_migrate_planner;

DROP FUNCTION steps, locks, undo, notes, boom;
DROP PROCEDURE batches, calls, quiet;
DROP TABLE r, t, child, p, d CASCADE;
DROP TYPE mood;
DROP DOMAIN positive;
DROP SEQUENCE sq;
DROP EXTENSION migrate;
RESET client_min_messages;
