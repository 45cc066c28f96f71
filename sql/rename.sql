-- RENAME COLUMN: when both names live until complete, and when not.
SET client_min_messages = warning;
CREATE EXTENSION migrate;
CREATE SCHEMA r;
SET search_path = r, public;
CREATE FUNCTION steps(sql text) RETURNS TABLE (phase text, command text, undo text, note text) LANGUAGE sql AS
	$$SELECT phase, command, undo, note FROM migrate.explain($1)$$;

CREATE TABLE plain (id int PRIMARY KEY, "Odd Name" varchar(10) COLLATE "C", note text);
CREATE UNIQUE INDEX ON plain ("Odd Name" DESC NULLS LAST) INCLUDE (note);
CREATE INDEX ON plain ((lower("Odd Name") || 'Odd Name')) WHERE "Odd Name" <> '' AND note IS NOT NULL;
CREATE INDEX ON plain (note);
CREATE TABLE parted (id int, a int, b int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);

\x
SELECT * FROM steps('ALTER TABLE plain RENAME COLUMN "Odd Name" TO name');
\x
SELECT phase, command FROM steps('ALTER TABLE parted RENAME COLUMN a TO z');

-- There is only the old name until complete.
CREATE TABLE heir (c int) INHERITS (plain);
SELECT phase, command, note FROM steps('ALTER TABLE plain RENAME COLUMN note TO n');
DROP TABLE heir;
SELECT phase, command, note FROM steps('ALTER TABLE parted RENAME COLUMN id TO z');
CREATE INDEX ON parted (b);
SELECT phase, command, note FROM steps('ALTER TABLE parted RENAME COLUMN b TO z');
CREATE DOMAIN positive AS int DEFAULT 1 CHECK (VALUE > 0);
CREATE TABLE odd (id int PRIMARY KEY, d positive, g int GENERATED ALWAYS AS (id + 1) STORED, secret text, lower text, x int);
CREATE ROLE regress_rename;
GRANT SELECT (secret) ON odd TO regress_rename;
CREATE INDEX ON odd (lower(lower));
SELECT phase, command, note FROM steps('ALTER TABLE odd RENAME COLUMN d TO z');
SELECT phase, command, note FROM steps('ALTER TABLE odd RENAME COLUMN g TO z');
SELECT phase, command, note FROM steps('ALTER TABLE odd RENAME COLUMN secret TO z');
SELECT phase, command, note FROM steps('ALTER TABLE odd RENAME COLUMN lower TO z');
SELECT phase, command, note FROM steps('ALTER TABLE odd ADD y int; ALTER TABLE odd RENAME COLUMN x TO z');
SET client_min_messages = error;		-- of wal_level
CREATE PUBLICATION regress_rename_p FOR TABLE odd;
SET client_min_messages = warning;
SELECT phase, command, note FROM steps('ALTER TABLE odd RENAME COLUMN x TO z');
DROP PUBLICATION regress_rename_p;
ALTER TABLE odd ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE odd OWNER TO regress_rename;
GRANT USAGE ON SCHEMA r, migrate TO regress_rename;
SET ROLE regress_rename;
SELECT phase, command, note FROM steps('ALTER TABLE odd RENAME COLUMN x TO z');
RESET ROLE;
-- nothing to keep
SELECT phase, command FROM steps('CREATE TABLE n (a int); ALTER TABLE n RENAME COLUMN a TO b');
SELECT phase, command FROM steps('ALTER VIEW nosuch RENAME COLUMN a TO b');

-- The whole way, on a partitioned table.
INSERT INTO parted SELECT i, i, i FROM generate_series(1, 19) i;
SELECT migrate.register('1', 'ALTER TABLE parted RENAME COLUMN a TO z; CREATE INDEX parted_z ON parted (z)');
CALL migrate.apply();
INSERT INTO parted (id, a) VALUES (0, 100);
UPDATE parted SET z = 200 WHERE id = 11;
SELECT id, a, z FROM parted WHERE a <> id ORDER BY id;
SELECT count(*) FROM parted WHERE a IS DISTINCT FROM z;
CALL migrate.complete();
SELECT attname FROM pg_attribute WHERE attrelid = 'parted_1'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
SELECT id, z FROM parted WHERE z <> id ORDER BY id;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'parted_1'::regclass;
SELECT indexdef FROM pg_indexes WHERE indexname = 'parted_z';
CALL migrate.rollback('1');
SELECT attname FROM pg_attribute WHERE attrelid = 'parted_1'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

-- In a block it cannot be done; a rehearsal does what can be.
BEGIN;
CALL migrate.apply('1');
ROLLBACK;
SELECT direction, step, ok, left(command, 60) AS command, message FROM migrate.rehearse('1');

-- The functions, by hand.
SELECT migrate.copy_column('plain', 'note', 'remark');
INSERT INTO plain (id, remark) VALUES (1, 'x') RETURNING note;
CREATE VIEW uses AS SELECT remark FROM plain;
\set VERBOSITY terse
SELECT migrate.prove_copy('plain', 'note', 'remark');
SELECT migrate.drop_copy('plain', 'note', 'remark');
DROP VIEW uses;
SELECT migrate.prove_copy('plain', 'note', 'remark');
SELECT migrate.drop_copy('plain', 'Odd Name', 'note');
SELECT migrate.copy_column('plain', 'nosuch', 'z');
SELECT migrate.copy_column('plain', 'note', 'id');
SELECT migrate.copy_column('parted', 'id', 'z');
SELECT migrate.copy_column(NULL, 'id', 'z');
GRANT USAGE ON SCHEMA r, migrate TO regress_rename;
SET ROLE regress_rename;
SELECT migrate.copy_column('plain', 'note', 'z');
SELECT migrate.drop_copy('plain', 'note', 'remark');
SELECT migrate.prove_copy('plain', 'note', 'remark');
RESET ROLE;
SELECT migrate.drop_copy('plain', 'note', 'remark');
SELECT attname FROM pg_attribute WHERE attrelid = 'plain'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

DROP SCHEMA r CASCADE;
DROP OWNED BY regress_rename;
DROP ROLE regress_rename;
DROP EXTENSION migrate;
