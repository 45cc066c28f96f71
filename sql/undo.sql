-- Rollback of what is half done, expanded, one of many, or has no way back.
\set VERBOSITY terse
CREATE EXTENSION migrate;
\pset format unaligned
SET client_min_messages = warning;
CREATE TABLE ud_t (id int PRIMARY KEY, a int NOT NULL, b text);
INSERT INTO ud_t SELECT g, g, g FROM generate_series(1, 20) g;
CREATE INDEX ud_a ON ud_t (a);
CREATE VIEW ud_v AS SELECT id, a FROM ud_t;
CREATE VIEW ud_shape AS
	SELECT 'column ' || attname || ' ' || attnotnull AS what FROM pg_attribute WHERE attrelid = 'ud_t'::regclass AND attnum > 0 AND NOT attisdropped
	UNION ALL SELECT 'index ' || indexrelid::regclass || ' ' || indisvalid FROM pg_index WHERE indrelid = 'ud_t'::regclass
	UNION ALL SELECT 'relation ' || relname FROM pg_class WHERE relname ~ '^ud_' AND relkind IN ('r', 'v', 'S') AND relname NOT IN ('ud_shape', 'ud_before', 'ud_changed');
CREATE TABLE ud_before AS TABLE ud_shape;
CREATE VIEW ud_changed AS
	SELECT '+ ' || what AS what FROM (TABLE ud_shape EXCEPT TABLE ud_before) a
	UNION ALL SELECT '- ' || what FROM (TABLE ud_before EXCEPT TABLE ud_shape) a;

-- failed half way, some of it outside any transaction
SELECT migrate.register('0001', 'CREATE TABLE ud_new (id int);
DROP INDEX CONCURRENTLY ud_a;
ALTER TABLE ud_t ALTER a DROP NOT NULL;
CREATE INDEX CONCURRENTLY ud_b ON ud_t (b);
SELECT 1 / 0;
CREATE TABLE ud_never (id int)');
CALL migrate.apply('0001');
SELECT version, state, error FROM migrate.status;
TABLE ud_changed ORDER BY what;
-- 18 names the constraint
SELECT step, kind, CASE WHEN command LIKE '%NOT NULL%' THEN 'NOT NULL' ELSE command END AS command
FROM migrate.plan('0001', 'rollback') ORDER BY step;
CALL migrate.rollback('0001');
SELECT version, state, error FROM migrate.status;
TABLE ud_changed ORDER BY what;

-- failed half way behind something that has no way back: nothing is touched
CREATE TABLE gate (id int);
SELECT migrate.register('0001', 'CREATE TABLE ud_new (id int);
BEGIN; UPDATE ud_t SET b = b || ''x''; COMMIT;
SELECT 1 / count(*) FROM gate');
CALL migrate.apply('0001');
\set VERBOSITY default
CALL migrate.rollback('0001');
\set VERBOSITY terse
SELECT version, state FROM migrate.status;
TABLE ud_changed ORDER BY what;
-- and apply goes on once the cause is gone
INSERT INTO gate VALUES (1);
CALL migrate.apply('0001');
SELECT version, state, count(b) FROM migrate.status, ud_t WHERE b ~ 'x$' GROUP BY version, state;
TRUNCATE gate;

-- the same with a down that is written
SELECT migrate.register('0002', 'CREATE TABLE ud_more (id int);
BEGIN; UPDATE ud_t SET b = b || ''y''; COMMIT;
SELECT 1 / count(*) FROM gate', 'UPDATE ud_t SET b = left(b, -1); DROP TABLE ud_more');
CALL migrate.apply('0002');
SELECT count(b) FROM ud_t WHERE b ~ 'xy$';
CALL migrate.rollback('0002');
SELECT version, state FROM migrate.status;
SELECT count(b) FROM ud_t WHERE b ~ 'x$';
TABLE ud_changed ORDER BY what;

-- expanded: what the contract phase would have done was never done
SELECT migrate.register('0002', 'ALTER TABLE ud_t ADD COLUMN c int DEFAULT 5; DROP VIEW ud_v; DROP INDEX ud_a');
CALL migrate.apply('0002');
SELECT version, state FROM migrate.status;
TABLE ud_changed ORDER BY what;
CALL migrate.rollback('0002');
CALL migrate.rollback('0002', lose_data => true);
SELECT version, state FROM migrate.status;
TABLE ud_changed ORDER BY what;
-- and once it is completed
CALL migrate.apply('0002', complete => true);
TABLE ud_changed ORDER BY what;
CALL migrate.rollback('0002', lose_data => true);
TABLE ud_changed ORDER BY what;

-- several at once, the last one first
SELECT migrate.register('0002', 'CREATE TABLE ud_more (id int)');
SELECT migrate.register('0003', 'CREATE INDEX ud_more_id ON ud_more (id); ALTER TABLE ud_more ADD x int');
SELECT migrate.register('0004', 'CREATE VIEW ud_w AS SELECT x FROM ud_more', requires => '{0003}');
SELECT migrate.register('0005', 'CREATE OR REPLACE VIEW ud_w AS SELECT x, id FROM ud_more; DROP INDEX ud_a', requires => '{0004}');
CALL migrate.apply(complete => true);
CALL migrate.rollback('0004');
SELECT version, state FROM migrate.status;
CALL migrate.rollback_to('0002');
SELECT version, state FROM migrate.status;
TABLE ud_changed ORDER BY what;
CALL migrate.apply(complete => true);
CALL migrate.rollback('0003', cascade => true);
SELECT version, state FROM migrate.status;
TABLE ud_changed ORDER BY what;

-- one of them has no way back: none is touched
SELECT migrate.register('0003', 'ALTER TABLE ud_more ADD x int; INSERT INTO ud_more VALUES (1)');
CALL migrate.apply(complete => true);
\set VERBOSITY default
CALL migrate.rollback_to('0002', lose_data => true);
\set VERBOSITY terse
SELECT version, state FROM migrate.status;
DROP EXTENSION migrate;
DROP TABLE ud_before, ud_t, ud_new, ud_more, gate CASCADE;
