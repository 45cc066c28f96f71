-- statements over large tables: which go in batches, and how
CREATE EXTENSION migrate;
SET client_min_messages = warning;
SET migrate.small_table = 0;
CREATE TABLE bf (id int, part text COLLATE "C", n int, note text, PRIMARY KEY (part, id));
INSERT INTO bf SELECT g, 'p' || g % 3, g, NULL FROM generate_series(1, 5000) g;
CREATE TABLE nokey (n int, note text);
INSERT INTO nokey SELECT g FROM generate_series(1, 1000) g;
CREATE TABLE parted (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (1000);
INSERT INTO parted SELECT g, g FROM generate_series(1, 999) g;
ANALYZE bf, nokey, parted;

CREATE FUNCTION how(sql text) RETURNS SETOF text LANGUAGE sql
	AS $$ SELECT kind || ', transaction ' || tx || ': ' || note FROM migrate.explain(sql) $$;
SELECT how('UPDATE bf SET n = n + 1');
SELECT how('UPDATE bf SET note = ''x'' WHERE note IS NULL');
SELECT how('UPDATE bf SET note = lower(note) WHERE note IS NULL');
SELECT how('UPDATE bf SET note = now()::text WHERE note IS NULL');
SELECT how('UPDATE bf SET n = 0 WHERE n <> 0 AND note IS NULL');
SELECT how('UPDATE bf SET n = 0 WHERE n <> 0 OR note IS NULL');
SELECT how('UPDATE bf SET (n, note) = (1, ''x'') WHERE n <> 1');
SELECT how('UPDATE bf b SET n = p.n FROM parted p WHERE p.id = b.id');
SELECT how('UPDATE bf SET n = 1 WHERE id IN (SELECT id FROM parted)');
SELECT how('UPDATE bf SET n = 1 WHERE n < (SELECT avg(n) FROM bf)');
SELECT how('UPDATE bf SET id = id + 1');
SELECT how('UPDATE bf SET n = 1 RETURNING n');
SELECT how('WITH x AS (SELECT 1) UPDATE bf SET n = 1');
SELECT how('DELETE FROM bf WHERE n < 100');
SELECT how('DELETE FROM bf USING parted p WHERE p.id = bf.id');
SELECT how('UPDATE nokey SET n = n + 1');
SELECT how('UPDATE nokey SET note = ''x'' WHERE note IS NULL');
SELECT how('UPDATE parted SET n = 1');
SELECT kind, command, undo FROM migrate.explain('UPDATE bf AS b SET n = n + 1 WHERE b.n > 5 -- all of them');
SELECT kind, command, undo FROM migrate.explain('DELETE FROM bf WHERE n > 5 OR n < 2');

-- a composite key of text and int, with gaps; a comment at the end; the alias; a WHERE with OR
SELECT migrate.register('1', 'UPDATE bf AS b SET n = n + 1 WHERE b.n > 10 OR b.n = 3 -- all of them');
CALL migrate.apply();
SELECT count(*) FILTER (WHERE n = id + 1), count(*) FILTER (WHERE n = id) FROM bf;
SELECT kind, event, step, rows FROM migrate_internal.event WHERE version = '1' AND event = 'step done';
SELECT lower, upper, rows FROM migrate_internal.cursor;

-- by blocks, with deletes
SELECT migrate.register('2', 'UPDATE bf SET note = ''x'' WHERE note IS NULL; DELETE FROM bf WHERE id % 2 = 0; DELETE FROM nokey');
CALL migrate.apply();
SELECT count(*), count(note), min(id % 2) FROM bf;
SELECT count(*) FROM nokey;

-- an empty table, and one of a single row
TRUNCATE parted;
SELECT migrate.register('3', 'UPDATE nokey SET n = 1 WHERE n <> 1; DELETE FROM nokey');
CALL migrate.apply();

-- a column without a name that could be taken for one of ours
CREATE TABLE "Odd ""Table" ("t" int PRIMARY KEY, "WHERE" text);
INSERT INTO "Odd ""Table" SELECT g, 'where' FROM generate_series(1, 100) g;
SELECT migrate.register('4', 'UPDATE "Odd ""Table" SET "WHERE" = ''SET WHERE'' || t');
CALL migrate.apply();
SELECT count(DISTINCT "WHERE"), min("WHERE") FROM "Odd ""Table";

-- triggers of users fire, as for any UPDATE
CREATE TABLE seen (n int DEFAULT 1);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen DEFAULT VALUES; RETURN NEW; END $$;
CREATE TRIGGER see AFTER UPDATE ON bf FOR EACH ROW EXECUTE FUNCTION see();
SELECT migrate.register('5', 'UPDATE bf SET n = -n WHERE id <= 100');
CALL migrate.apply();
SELECT count(*) FROM seen;

-- rows that a constraint refuses are left out, named, and tried again
ALTER TABLE bf ADD CONSTRAINT small CHECK (n NOT IN (4001, 4003));
DROP TRIGGER see ON bf;
SELECT migrate.register('6', 'UPDATE bf SET n = id + 1000 WHERE id BETWEEN 2990 AND 3010');
CALL migrate.apply();
SELECT key, sqlstate, message FROM migrate.failed_rows ORDER BY 1;
SELECT state, error FROM migrate.status WHERE version = '6';
ALTER TABLE bf DROP CONSTRAINT small;
CALL migrate.apply();
SELECT count(*) FROM bf WHERE n = id + 1000 AND id BETWEEN 2990 AND 3010;
SELECT count(*) FROM migrate.failed_rows;

-- the tool of its own
CALL migrate.backfill('bf', 'note = ''y''', 'note = ''x''') \gset
SELECT count(*) FROM bf WHERE note = 'y';
\set VERBOSITY terse
CALL migrate.backfill('bf', 'note = ''y''; DROP TABLE bf');
CALL migrate.backfill('bf', NULL);
DO $$
DECLARE r text;
BEGIN
	CALL migrate.backfill('bf', 'n = 1', options => '{"nope": 1}', result => r);
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING '%', regexp_replace(SQLERRM, 'run-[0-9T-]+', 'run');
END $$;
\set VERBOSITY default

-- not inside a transaction block
SELECT migrate.register('7', 'UPDATE bf SET n = 0');
BEGIN;
CALL migrate.apply();
ROLLBACK;

DROP TABLE bf, nokey, parted, seen, "Odd ""Table";
DROP FUNCTION how, see;
DROP EXTENSION migrate;
