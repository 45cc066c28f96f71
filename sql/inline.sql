-- verbs inside a transaction block
CREATE EXTENSION migrate;
SET client_min_messages = warning;
SELECT migrate.register('0001', 'CREATE TABLE i1 (id int); SET search_path = pg_catalog; SET LOCAL work_mem = ''1MB''', 'DROP TABLE i1');
SELECT migrate.register('0002', 'CREATE TABLE i2 (id int REFERENCES i3)', 'DROP TABLE i2');

-- an error in the second undoes the first as well
BEGIN;
CALL migrate.apply();
ROLLBACK;
SELECT version, state FROM migrate.status;
SELECT to_regclass('i1');

-- ROLLBACK undoes everything, the bookkeeping included
BEGIN;
CALL migrate.apply('0001');
SHOW search_path;
SHOW work_mem;
SELECT version, state FROM migrate.status;
SELECT to_regclass('i1');
ROLLBACK;
SELECT version, state FROM migrate.status;
SELECT to_regclass('i1');

-- COMMIT keeps it
BEGIN;
CALL migrate.apply('0001');
COMMIT;
SELECT version, state FROM migrate.status;
SELECT to_regclass('i1');

-- what stays locked is told
CREATE TABLE i3 (id int PRIMARY KEY);
BEGIN;
CALL migrate.apply();
COMMIT;

-- from a function and from a DO block
DO $$ DECLARE r text; BEGIN CALL migrate.rollback('0002', result => r); END $$;
CREATE FUNCTION go() RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN CALL migrate.apply(result => r); RETURN r; END $$;
SELECT go();
SELECT version, state FROM migrate.status;

-- what refuses a transaction block is refused before anything is done
SELECT migrate.register('0003', 'CREATE TABLE i4 (id int); CREATE INDEX CONCURRENTLY i4_id ON i4 (id)');
BEGIN;
CALL migrate.apply();
ROLLBACK;
SELECT to_regclass('i4');
CREATE FUNCTION go2() RETURNS void LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN CALL migrate.apply(result => r); EXCEPTION WHEN OTHERS THEN RAISE WARNING '% %', SQLSTATE, SQLERRM; END $$;
SELECT go2();

-- in a block, but not waiting: after COMMIT; nothing after ROLLBACK
BEGIN;
CALL migrate.apply(wait => false);
ROLLBACK;
SELECT version, state FROM migrate.status;
BEGIN;
CALL migrate.apply(wait => false);
COMMIT;
CALL migrate.wait();
SELECT version, state FROM migrate.status;
BEGIN;
CALL migrate.wait();
ROLLBACK;

-- verify, and a way back, in a block
SELECT migrate.register('0004', 'CREATE TABLE i5 (id int)', 'DROP TABLE i5', verify => 'INSERT INTO i5 VALUES (1); SELECT true');
BEGIN;
CALL migrate.apply();
SELECT count(*) FROM i5;
CALL migrate.rollback('0004');
SELECT to_regclass('i5');
COMMIT;
SELECT version, state FROM migrate.status;

-- rows that would break a rule are an error there, too, with their keys; a table is warned of once
CREATE TABLE i6 (id int PRIMARY KEY, a int);
INSERT INTO i6 SELECT g, nullif(g, 3) FROM generate_series(1, 5) g;
SELECT migrate.register('0005', 'ALTER TABLE i6 ALTER a SET NOT NULL', options => '{"small_table": "0"}');
BEGIN;
CALL migrate.apply();
ROLLBACK;
UPDATE i6 SET a = 3 WHERE id = 3;
BEGIN;
CALL migrate.apply();
COMMIT;
SELECT attnotnull FROM pg_attribute WHERE attrelid = 'i6'::regclass AND attname = 'a';

-- only the owner may do it there
CREATE ROLE regress_migrate_inline;
GRANT USAGE ON SCHEMA migrate TO regress_migrate_inline;
SET ROLE regress_migrate_inline;
SELECT migrate.register('0000', 'SELECT 1');
RESET ROLE;
BEGIN;
CALL migrate.apply();
ROLLBACK;

DROP FUNCTION go, go2;
DROP TABLE i1, i2, i3, i4, i6;
DROP EXTENSION migrate;
DROP OWNED BY regress_migrate_inline;
DROP ROLE regress_migrate_inline;
