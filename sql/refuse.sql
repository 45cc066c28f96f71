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
-- expressions are analysed, and not run
CREATE FUNCTION rt() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION two(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION two(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE re AS ENUM ('a', 'b');
CREATE DOMAIN rd AS int CONSTRAINT rd_pos CHECK (VALUE > 0);
CREATE SEQUENCE rs;
-- each statement alone: "planned", or what it is refused with, and at which place
CREATE PROCEDURE tried(text) LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	code text;
	message text;
BEGIN
	FOREACH statement IN ARRAY string_to_array(trim(E'\n\t' FROM $1), E'\n') LOOP
		BEGIN
			statement := trim(E'\t' FROM statement);
			PERFORM FROM migrate.explain(statement);
			RAISE INFO '%: planned', statement;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
			RAISE INFO '%: % %', statement, code, message;
		END;
	END LOOP;
END $$;
\set VERBOSITY terse
CALL tried($$
	CREATE INDEX ON r ((nope + 1))
	CREATE INDEX ON r (a) WHERE nope
	CREATE INDEX ON r (a) WHERE b
	CREATE INDEX ON r (a) INCLUDE (nope)
	CREATE INDEX ON r (lower(a))
	CREATE INDEX ON r USING nosuch (a)
	CREATE INDEX ON r (a nosuch_ops)
	CREATE INDEX ON r USING gin (a)
	CREATE INDEX ON r (now())
	CREATE INDEX ON r ((a + 1)) WHERE b > 0
	ALTER TABLE r ADD CHECK (nofunc(a))
	ALTER TABLE r ADD CHECK (a)
	ALTER TABLE r ADD CHECK (a = 'x')
	ALTER TABLE r ALTER a SET DEFAULT b
	ALTER TABLE r ALTER a SET DEFAULT 'abc'
	ALTER TABLE r ALTER a SET DEFAULT 1.5
	ALTER TABLE r ADD COLUMN c nosuch
	ALTER TABLE r ADD COLUMN c int DEFAULT nofunc()
	ALTER TABLE r ADD COLUMN IF NOT EXISTS a nosuch
	CREATE VIEW rw AS SELECT nope FROM r
	CREATE VIEW rw AS SELECT a, a FROM r
	CREATE VIEW rw (x, y) AS SELECT a, a FROM r
	CREATE VIEW rw AS SELECT id FROM r, rv
	UPDATE r SET a = 'x'
	UPDATE r SET nope = 1
	DELETE FROM r WHERE nope
	INSERT INTO r (nope) VALUES (1)
	UPDATE r SET a = rv.id FROM rv, rm WHERE id = 1
	CREATE POLICY x ON r USING (nope)
	CREATE POLICY x ON r TO regress_migrate_nobody USING (true)
	CREATE POLICY x ON r USING (a IN (SELECT nope FROM rv))
	CREATE POLICY x ON r USING (a IN (SELECT b FROM rv))
	CREATE TRIGGER x BEFORE UPDATE ON r FOR EACH ROW WHEN (new.nope > 1) EXECUTE FUNCTION rt()
	CREATE TRIGGER x BEFORE UPDATE OF nope ON r FOR EACH ROW EXECUTE FUNCTION rt()
	CREATE TRIGGER x BEFORE UPDATE ON r FOR EACH ROW EXECUTE FUNCTION nofunc()
	CREATE TRIGGER x BEFORE UPDATE OF a ON r FOR EACH ROW WHEN (old.a <> new.a) EXECUTE FUNCTION rt()
	CREATE STATISTICS x ON a, nope FROM r
	CALL noproc()
$$);
-- of another kind
CALL tried($$
	DROP TABLE rv
	DROP VIEW r
	DROP INDEX r
	DROP SEQUENCE r
	TRUNCATE rv
	CREATE INDEX ON rv (id)
	CREATE INDEX ON pg_class (relpages)
	DROP TABLE pg_class
	REINDEX TABLE rv
	REINDEX INDEX r
	REFRESH MATERIALIZED VIEW r
	REFRESH MATERIALIZED VIEW CONCURRENTLY rm
	CLUSTER r
	CLUSTER r USING nosuch
	CLUSTER r USING r_pkey
	ALTER VIEW r RENAME TO x
	ALTER SEQUENCE r RESTART
	ALTER INDEX r_pkey RENAME TO x
	ALTER TABLE r ATTACH PARTITION rv DEFAULT
	ALTER TABLE r DETACH PARTITION rm
	CREATE TABLE x PARTITION OF r FOR VALUES IN (1)
	CREATE POLICY x ON rv
	CREATE TRIGGER x BEFORE INSERT ON rv FOR EACH ROW EXECUTE FUNCTION rt()
	CREATE TRIGGER x INSTEAD OF INSERT ON r FOR EACH ROW EXECUTE FUNCTION rt()
	CREATE TRIGGER x INSTEAD OF INSERT ON rv FOR EACH ROW EXECUTE FUNCTION rt()
$$);
-- not there, or there already
CALL tried($$
	DROP FUNCTION nofunc(int)
	DROP FUNCTION two
	DROP FUNCTION two(int, int)
	ALTER FUNCTION two RENAME TO x
	DROP TYPE nosuch
	COMMENT ON COLUMN r.nope IS 'x'
	COMMENT ON TABLE nosuch IS 'x'
	COMMENT ON VIEW r IS 'x'
	COMMENT ON SCHEMA nosuch IS 'x'
	GRANT SELECT ON r TO regress_migrate_nobody
	GRANT SELECT (nope) ON r TO PUBLIC
	GRANT USAGE ON TYPE re TO PUBLIC
	ALTER TABLE r OWNER TO regress_migrate_nobody
	ALTER TABLE r SET SCHEMA nosuch
	ALTER TABLE r SET TABLESPACE nosuch
	ALTER TABLE r SET (nosuch = 1)
	ALTER TABLE r SET (fillfactor = 70, toast.autovacuum_enabled = off)
	ALTER TABLE r CLUSTER ON nosuch
	ALTER TABLE r REPLICA IDENTITY USING INDEX nosuch
	ALTER TABLE r DISABLE TRIGGER nosuch
	ALTER TABLE r RENAME CONSTRAINT nosuch TO x
	ALTER TABLE r RENAME CONSTRAINT pos TO x
	DROP TRIGGER nosuch ON r
	DROP POLICY nosuch ON r
	ALTER TYPE nosuch ADD VALUE 'x'
	ALTER TYPE re ADD VALUE 'a'
	ALTER TYPE re ADD VALUE IF NOT EXISTS 'a'
	ALTER TYPE re ADD VALUE 'c' BEFORE 'z'
	ALTER TYPE re RENAME VALUE 'z' TO 'y'
	ALTER TYPE re RENAME TO x
	ALTER TYPE re OWNER TO regress_migrate_nobody
	ALTER DOMAIN rd DROP CONSTRAINT nosuch
	ALTER DOMAIN rd DROP CONSTRAINT rd_pos
	ALTER DOMAIN rd RENAME CONSTRAINT rd_pos TO x
	ALTER SEQUENCE rs OWNED BY r.nope
	CREATE TABLE r (a int)
	CREATE TABLE IF NOT EXISTS r (a int, a nosuch)
	CREATE EXTENSION IF NOT EXISTS migrate
	CREATE TABLE x (a int, a int)
	CREATE TABLE x (a nosuch)
	CREATE TABLE x (a int DEFAULT b)
	CREATE TABLE x (a int CHECK (b > 0))
	CREATE TABLE x (a int, PRIMARY KEY (b))
	CREATE TABLE x (LIKE r, PRIMARY KEY (b))
	CREATE FUNCTION x() RETURNS nosuch LANGUAGE sql AS 'SELECT 1'
	CREATE FUNCTION x() RETURNS int LANGUAGE nosuch AS 'x'
	CREATE EXTENSION nosuch
	CREATE EXTENSION migrate
	DROP FUNCTION migrate.explain(text)
	DROP SERVER nosuch
	CREATE FOREIGN TABLE x (a int) SERVER nosuch
	SET nosuch = 1
	SET work_mem = '1MB'
	RESET nosuch
	SHOW ALL
	CREATE DOMAIN x AS nosuch
	CREATE DOMAIN x AS text COLLATE nosuch
	CREATE TYPE x AS (a nosuch)
	CREATE TYPE x AS RANGE (subtype = nosuch)
	ALTER TABLE r ADD COLUMN c text COLLATE nosuch
	CREATE SEQUENCE rs
	CREATE SEQUENCE x OWNED BY r.nope
	CREATE SCHEMA public
	CREATE SCHEMA IF NOT EXISTS public
	CREATE SERVER x FOREIGN DATA WRAPPER nosuch
	CREATE USER MAPPING FOR PUBLIC SERVER nosuch
	ALTER EXTENSION nosuch UPDATE
	ALTER PUBLICATION nosuch ADD TABLE r
	ALTER STATISTICS nosuch SET STATISTICS 1
	ALTER EVENT TRIGGER nosuch DISABLE
	ALTER TYPE nosuch ADD ATTRIBUTE a int
	ALTER TYPE re OWNER TO CURRENT_USER
	REASSIGN OWNED BY regress_migrate_nobody TO CURRENT_USER
	ANALYZE r (nope)
	ALTER TABLE r ALTER id DROP NOT NULL
	ALTER TABLE r DROP CONSTRAINT r_pkey, ALTER id DROP NOT NULL
$$);
-- behind other statements: what nobody makes is not there; what somebody may make is left to the server
CALL tried($$
	CREATE TABLE x (a int); UPDATE r SET nope = 1
	CREATE TABLE x (a int); UPDATE r SET a = nofunc(b)
	ALTER TABLE r ADD COLUMN c int; UPDATE r SET d = 1
	ALTER TABLE r ADD COLUMN c int; UPDATE r SET c = 1
	ALTER TABLE r ADD COLUMN c int; CREATE INDEX ON r (d)
	ALTER TABLE r ADD COLUMN c int; CREATE INDEX ON r ((c + 1))
	ALTER TABLE r ADD COLUMN c int; ALTER TABLE r ALTER d SET NOT NULL
	ALTER TABLE r ADD COLUMN c int; ALTER TABLE r ADD UNIQUE (d)
	ALTER TABLE r ADD COLUMN c int; CREATE VIEW rw AS SELECT c FROM r
	ALTER TABLE r ADD COLUMN c int; CREATE VIEW rw AS SELECT d FROM r
	ALTER TABLE r RENAME a TO c; UPDATE r SET c = 1; CREATE INDEX ON r (c)
	CREATE OR REPLACE VIEW rv AS SELECT id, a, b FROM r; CREATE VIEW rw AS SELECT b FROM rv
	CREATE FUNCTION nofunc(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; UPDATE r SET a = nofunc(b); COMMENT ON FUNCTION nofunc(int) IS 'x'
	CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq); CREATE INDEX ON r (a) WHERE a === 1
	CREATE TYPE rx AS ENUM ('x'); ALTER TABLE r ADD COLUMN c rx DEFAULT 'x'; ALTER TYPE rx ADD VALUE 'y'; COMMENT ON TYPE rx IS 'x'
	ALTER TYPE re ADD VALUE 'c'; ALTER TYPE re ADD VALUE 'd' AFTER 'c'
	ALTER TABLE r RENAME CONSTRAINT pos TO x; ALTER TABLE r RENAME CONSTRAINT x TO y
	CREATE ROLE regress_migrate_nobody; GRANT SELECT ON r TO regress_migrate_nobody; ALTER TABLE r OWNER TO regress_migrate_nobody
	CREATE SCHEMA nosuch; ALTER TABLE r SET SCHEMA nosuch
	ALTER DOMAIN rd ADD CONSTRAINT x CHECK (VALUE > 1); ALTER DOMAIN rd VALIDATE CONSTRAINT x
	CREATE TABLE x (a int); COMMENT ON TABLE x IS 'x'; COMMENT ON TABLE y IS 'y'
	ALTER TABLE r RENAME TO x; UPDATE x SET a = 1; CREATE INDEX ON x (a)
	CREATE TABLE x (c int); DROP TABLE r CASCADE; ALTER TABLE x RENAME TO r; UPDATE r SET c = 1; CREATE INDEX ON r (c)
	DO ''; UPDATE r SET nope = 1
$$);
-- a temporary table of the session that asks is none of the migration's
CREATE TEMP TABLE rz (a int);
CREATE TEMP TABLE r (other int);
CALL tried($$
	ALTER TABLE rz ADD COLUMN b int
	UPDATE r SET a = 1
	CREATE INDEX ON r ((a + 1))
	ALTER TABLE r ADD CHECK (nope > 0)
$$);
DROP TABLE pg_temp.r, rz;
\set VERBOSITY default
DROP PROCEDURE tried;
DROP TYPE re;
DROP DOMAIN rd;
DROP SEQUENCE rs;
DROP FUNCTION rt, two(int, int), two(int, text);
DROP TABLE r CASCADE;
DROP EXTENSION migrate;
