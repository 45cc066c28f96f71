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
DROP TABLE r CASCADE;
DROP EXTENSION migrate;
