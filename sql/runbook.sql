-- one document for a change request
CREATE EXTENSION migrate;
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
CREATE TABLE rb_t (id int PRIMARY KEY, v text);
SELECT migrate.runbook();
SELECT migrate.register('0001', E'CREATE INDEX CONCURRENTLY rb_v ON rb_t (v);\nALTER TABLE rb_t DROP COLUMN v; -- ```',
	name => 'an index | and ``` a column', verify => 'SELECT true');
SELECT migrate.register('0002', E'DO $x$ BEGIN PERFORM ''a ``` fence''; END $x$;\nCREATE TABLE rb_u (id int)', 'DROP TABLE rb_u');
SELECT migrate.runbook(costs => false);

-- steps that look first, and such as go in batches
CREATE TABLE rb_big (id int PRIMARY KEY, v text);
INSERT INTO rb_big SELECT g, repeat('x', 1000) FROM generate_series(1, 2000) g;
ANALYZE rb_big;
SELECT migrate.register('0000', 'ALTER TABLE rb_big ADD CHECK (v <> ''''); UPDATE rb_big SET v = v || id');
SELECT line FROM string_to_table(migrate.runbook('0000', costs => false), E'\n') line
 WHERE line LIKE '- must find %' OR line LIKE '- in batches %';
SELECT migrate.unregister('0000');
DROP TABLE rb_big;

-- with costs: estimates, and what preflight says
SELECT line FROM string_to_table(migrate.runbook('0002'), E'\n') line
 WHERE line LIKE '- estimate: %' OR line LIKE '| way back |%' OR line LIKE '| migration |%';

-- the other verbs
CALL migrate.apply('0001');
SELECT migrate.runbook('0001', 'complete', false);
SELECT migrate.runbook('0001', 'rollback', false);

-- arguments and rights
SELECT migrate.runbook('0003');
SELECT migrate.runbook(NULL, 'jump');
SELECT migrate.runbook(NULL, NULL);
SELECT migrate.runbook('0002', 'rollback');
CREATE ROLE regress_runbook;
GRANT USAGE ON SCHEMA migrate TO regress_runbook;
SET ROLE regress_runbook;
SELECT migrate.runbook();
RESET ROLE;
DROP EXTENSION migrate;
DROP TABLE rb_t;
DROP OWNED BY regress_runbook;
DROP ROLE regress_runbook;
