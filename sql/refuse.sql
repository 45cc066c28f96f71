-- what the server would refuse in any case is said while planning, with its place
CREATE EXTENSION migrate;
CREATE TABLE r (id int PRIMARY KEY, a int, b int, CONSTRAINT pos CHECK (a > 0));
CREATE VIEW rv AS SELECT id, a FROM r;
CREATE MATERIALIZED VIEW rm AS SELECT b FROM r;
\set SHOW_CONTEXT never
SELECT command FROM migrate.explain('SELECT 1; ALTER TABLE rv ADD COLUMN x int');
SELECT command FROM migrate.explain('ALTER TABLE r_pkey DROP COLUMN x');
SELECT command FROM migrate.explain('ALTER TABLE pg_class ADD COLUMN x int');
SELECT command FROM migrate.explain('ALTER TABLE r ADD COLUMN a int');
SELECT command FROM migrate.explain('ALTER TABLE r ADD COLUMN IF NOT EXISTS a int');
SELECT command FROM migrate.explain('ALTER TABLE r ADD CONSTRAINT pos CHECK (b > 0)');
SELECT command FROM migrate.explain('ALTER TABLE r DROP CONSTRAINT pos, ADD CONSTRAINT pos CHECK (b > 0)');
SELECT command FROM migrate.explain('ALTER TABLE r ADD PRIMARY KEY (b)');
SELECT command FROM migrate.explain('ALTER TABLE r ADD CHECK (nope > 0)');
SELECT command FROM migrate.explain('ALTER TABLE r ADD COLUMN nope int, ADD CHECK (nope > 0)');
SELECT command FROM migrate.explain('ALTER TABLE r ADD CHECK (r IS NOT NULL AND r.a > 0)');
SELECT command FROM migrate.explain('ALTER TABLE r ADD UNIQUE (nope)');
SELECT command FROM migrate.explain('ALTER TABLE r ADD FOREIGN KEY (nope) REFERENCES r');
SELECT command FROM migrate.explain('ALTER TABLE r DROP COLUMN a');
SELECT command FROM migrate.explain('ALTER TABLE r DROP COLUMN b');
SELECT command FROM migrate.explain('ALTER TABLE r DROP COLUMN a CASCADE');
SELECT command FROM migrate.explain('DROP VIEW rv; ALTER TABLE r DROP COLUMN a; CREATE VIEW rv AS SELECT id FROM r');
-- what an earlier statement, or code, may have changed is left to the server
SELECT command FROM migrate.explain('ALTER TABLE r DROP COLUMN a CASCADE; ALTER TABLE r ADD COLUMN a int');
SELECT command FROM migrate.explain('DO $$ BEGIN END $$; ALTER TABLE r ADD PRIMARY KEY (b)');
-- a column that goes holds up nothing that can do without it
SELECT phase, command FROM migrate.explain('ALTER TABLE r DROP COLUMN b CASCADE; ALTER TABLE r ADD COLUMN c int;
	CREATE INDEX r_c ON r (c); CREATE VIEW all_of_r AS SELECT * FROM r; ALTER TABLE r ADD COLUMN b text');

-- what needs a transaction block means nothing without one, as in psql
SELECT command FROM migrate.explain('SELECT 1; LOCK TABLE r; DELETE FROM r');
SELECT command FROM migrate.explain('DECLARE c CURSOR FOR SELECT 1; FETCH c');
SELECT command FROM migrate.explain('DECLARE c CURSOR WITH HOLD FOR SELECT 1; FETCH c');
SELECT command FROM migrate.explain('SAVEPOINT s');
SELECT command FROM migrate.explain('SELECT 1; COMMIT AND CHAIN');
SELECT command, tx FROM migrate.explain('BEGIN; LOCK TABLE r; SAVEPOINT s; SAVEPOINT u; ROLLBACK TO s; RELEASE s; COMMIT AND CHAIN; LOCK TABLE r; COMMIT');
SELECT command FROM migrate.explain('BEGIN; SAVEPOINT s; SAVEPOINT u; ROLLBACK TO s; ROLLBACK TO u; COMMIT');
-- a block that does not end, an end without a block: told when it is registered, planned and checked
SELECT migrate.register('0001', E'SELECT 1;\nBEGIN;\nCREATE TABLE n (id int)');
SELECT command FROM migrate.explain(E'SELECT 1;\nBEGIN;\nCREATE TABLE n (id int)');
SELECT line, rule, severity, message FROM migrate.check(E'SELECT 1;\nBEGIN;\nCREATE TABLE n (id int)');
SELECT migrate.register('0001', E'CREATE TABLE n (id int);\nCOMMIT', down => E'BEGIN;\nBEGIN;\nDROP TABLE n;\nCOMMIT');
SELECT migrate.unregister('0001');
SELECT command, note FROM migrate.explain(E'BEGIN;\nBEGIN;\nCREATE TABLE n (id int);\nCOMMIT;\nROLLBACK');
SELECT line, rule, severity, message FROM migrate.check(E'SET LOCAL work_mem = 100;\nBEGIN;\nBEGIN;\nCOMMIT;\nCOMMIT;\nLOCK TABLE r');
SELECT migrate.register('0001', 'CREATE TABLE n (id int)', verify => 'LOCK TABLE r; SELECT true');
SELECT migrate.unregister('0001');
-- a default of transactions acts from the next one on
SELECT tx, command FROM migrate.explain('CREATE TABLE n1 (id int); SET default_transaction_read_only = on; SELECT 1;
	SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; CREATE TABLE n2 (id int);
	SELECT set_config(''default_transaction_isolation'', ''serializable'', false); CREATE TABLE n3 (id int); RESET ALL; CREATE TABLE n4 (id int);
	BEGIN; SET default_transaction_read_only = on; CREATE TABLE n5 (id int); COMMIT');
CALL migrate.run('CREATE TABLE n (w text); SET default_transaction_isolation = serializable; INSERT INTO n SELECT current_setting(''transaction_isolation'');
	RESET default_transaction_isolation; SET default_transaction_read_only = on; INSERT INTO n VALUES (''never'')');
SELECT w FROM n;
-- the extension is not to be changed by what it runs
SELECT command FROM migrate.explain('SELECT 1; DROP EXTENSION migrate');
SELECT command FROM migrate.explain('ALTER EXTENSION migrate UPDATE');
SELECT command FROM migrate.explain('ALTER EXTENSION migrate DROP VIEW migrate.status');
SELECT command FROM migrate.explain('DROP SCHEMA IF EXISTS nope, migrate CASCADE');
SELECT command FROM migrate.explain('DROP VIEW migrate.status');
SELECT command FROM migrate.explain('DROP FUNCTION migrate.heads()');
SELECT command FROM migrate.explain('ALTER FUNCTION migrate.heads() OWNER TO CURRENT_USER');
SELECT command FROM migrate.explain('ALTER SCHEMA migrate RENAME TO m');
SELECT command FROM migrate.explain('ALTER TABLE r SET SCHEMA migrate');
SELECT command FROM migrate.explain('CREATE TABLE migrate.n (id int)');
SELECT command FROM migrate.explain('DELETE FROM migrate_internal.event');
SELECT command FROM migrate.explain('CREATE OR REPLACE FUNCTION migrate.n() RETURNS int LANGUAGE sql AS ''SELECT 1''');
SELECT line, rule, message FROM migrate.check('DROP EXTENSION migrate');
SELECT command FROM migrate.explain('GRANT USAGE ON SCHEMA migrate TO PUBLIC; SELECT count(*) FROM migrate.status');
DROP TABLE n;
DROP TABLE r CASCADE;
DROP EXTENSION migrate;
