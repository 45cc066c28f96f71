-- what would make a verb go wrong on this server
CREATE EXTENSION migrate;
SET client_min_messages = warning;
CREATE ROLE regress_preflight_owner;
CREATE ROLE regress_preflight_other;
GRANT USAGE ON SCHEMA migrate TO regress_preflight_owner, regress_preflight_other;
CREATE TABLE pf_t (id int PRIMARY KEY, v text);
INSERT INTO pf_t SELECT g, g % 2 FROM generate_series(1, 100) g;

-- always the same items, in the same order
SELECT item, ok, hint FROM migrate.preflight();

-- arguments
SELECT * FROM migrate.preflight('0001');
SELECT * FROM migrate.preflight(NULL, 'jump');
SELECT * FROM migrate.preflight(NULL, NULL);

-- no way back, no verify
SELECT migrate.register('0001', 'CREATE INDEX pf_v ON pf_t (v); ALTER TABLE pf_t ALTER id TYPE bigint; UPDATE pf_t SET v = v || ''x''');
SELECT item, detail, hint FROM migrate.preflight() WHERE ok IS NOT TRUE ORDER BY item;
SELECT migrate.register('0001', 'CREATE INDEX pf_v ON pf_t (v)', verify => 'SELECT true');
SELECT item, detail, hint FROM migrate.preflight() WHERE ok IS NOT TRUE ORDER BY item;

-- a plan that cannot be made: what rests on it is not looked at
SELECT migrate.register('0002', 'ALTER TABLE pf_t ALTER nowhere SET NOT NULL', 'SELECT 1', verify => 'SELECT true');
SELECT item, ok, detail, hint FROM migrate.preflight('0002') WHERE ok IS NOT TRUE;
SELECT migrate.unregister('0002');

-- invalid indexes of others
CREATE UNIQUE INDEX CONCURRENTLY pf_dup ON pf_t (v);
SELECT ok, detail, hint FROM migrate.preflight() WHERE item = 'invalid indexes';
DROP INDEX pf_dup;

-- logical replication matters where the shape of a table changes
SET client_min_messages = error;
CREATE PUBLICATION pf_pub FOR TABLE pf_t;
SET client_min_messages = warning;
SELECT ok, detail FROM migrate.preflight() WHERE item = 'logical replication';
SELECT migrate.register('0001', 'ALTER TABLE pf_t ADD c int', verify => 'SELECT true');
SELECT ok, detail, hint FROM migrate.preflight() WHERE item = 'logical replication';
DROP PUBLICATION pf_pub;

-- slots that nobody reads
SELECT slot_name FROM pg_create_physical_replication_slot('pf_slot', true);
SELECT ok, regexp_replace(detail, 'holds .*', 'holds WAL') AS detail, hint FROM migrate.preflight() WHERE item = 'slots';
SELECT pg_drop_replication_slot('pf_slot');

-- prepared transactions
BEGIN;
INSERT INTO pf_t VALUES (1000, 'x');
PREPARE TRANSACTION 'pf gid';
SELECT ok, regexp_replace(detail, 'prepared \d+ s ago', 'prepared long ago') AS detail, hint
  FROM migrate.preflight() WHERE item IN ('prepared transactions', 'old transactions') ORDER BY item;
ROLLBACK PREPARED 'pf gid';
SELECT item, ok FROM migrate.preflight() WHERE item IN ('prepared transactions', 'old transactions') ORDER BY item;

-- rights: of the caller, and of the owner on what he changes
SET ROLE regress_preflight_owner;
SELECT migrate.register('0002', 'CREATE TABLE pf_u (id int); ALTER TABLE pf_t ADD d int; CREATE TABLE pf_hidden.x ()', verify => 'SELECT true');
RESET ROLE;
CREATE SCHEMA pf_hidden;
GRANT USAGE ON SCHEMA pf_hidden TO regress_preflight_owner;
GRANT CREATE ON SCHEMA public TO regress_preflight_owner;
SELECT migrate.unregister('0001');
SET ROLE regress_preflight_owner;
SELECT item, ok, detail, hint FROM migrate.preflight() WHERE ok IS NOT TRUE;
SET ROLE regress_preflight_other;
SELECT item, ok, detail, hint FROM migrate.preflight() WHERE item IN ('rights', 'plan');
RESET ROLE;
SELECT migrate.grant_right('apply', 'regress_preflight_other', 'regress_preflight_owner');
SET ROLE regress_preflight_other;
SELECT item, ok, detail FROM migrate.preflight() WHERE item IN ('rights', 'plan');
SELECT item, ok, detail FROM migrate.preflight('0002', 'rollback') WHERE item IN ('rights', 'plan', 'order');
RESET ROLE;
SELECT migrate.unregister('0002');

-- what is out of order
SELECT migrate.register('0010', 'CREATE TABLE pf_w (id int)', verify => 'SELECT true');
CALL migrate.apply();
SELECT migrate.register('0005', 'CREATE TABLE pf_x (id int)', verify => 'SELECT true');
SELECT ok, detail, hint FROM migrate.preflight() WHERE item = 'order';
SET migrate.out_of_order = allow;
SELECT ok, detail, hint FROM migrate.preflight() WHERE item = 'order';
SET migrate.out_of_order = error;
SELECT ok, detail, hint FROM migrate.preflight() WHERE item = 'order';
RESET migrate.out_of_order;

-- what others have left unfinished
SELECT migrate.register('0011', 'SELECT 1/0', verify => 'SELECT true');
CALL migrate.apply('0011');
SELECT ok, detail, hint FROM migrate.preflight('0005') WHERE item = 'unfinished';
SELECT ok, detail, hint FROM migrate.preflight('0011') WHERE item = 'unfinished';
SELECT migrate.unregister('0011');

-- an expanded one has yet to change what another would change
SELECT migrate.register('0012', 'ALTER TABLE pf_t DROP COLUMN v', verify => 'SELECT true');
CALL migrate.apply('0012');
SELECT migrate.register('0013', 'ALTER TABLE pf_t ADD e int', verify => 'SELECT true');
SELECT ok, detail FROM migrate.preflight('0013') WHERE item = 'unfinished';
SELECT item, ok, detail FROM migrate.preflight(NULL, 'complete') WHERE item IN ('plan', 'way back', 'unfinished') ORDER BY item;
SELECT item, ok, detail FROM migrate.preflight('0010', 'rollback') WHERE item IN ('plan', 'way back', 'verify', 'unfinished') ORDER BY item;

-- a role that is gone
SELECT migrate.register('0014', 'SELECT 1');
SET ROLE regress_preflight_owner;
SELECT migrate.register('0015', 'SELECT 1', requires => '{}');
RESET ROLE;
DROP OWNED BY regress_preflight_owner;
DROP ROLE regress_preflight_owner;
SELECT item, ok, detail, hint FROM migrate.preflight('0015') WHERE item IN ('rights', 'plan');

-- nothing of it waits for, or keeps, a lock
BEGIN;
SELECT count(*) FROM migrate.preflight('0013');
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'pf_t'::regclass;
SET TRANSACTION READ ONLY;
SELECT count(*) FROM migrate.preflight('0013');
ROLLBACK;

DROP EXTENSION migrate;
DROP TABLE pf_t, pf_w, pf_x;
DROP SCHEMA pf_hidden;
DROP OWNED BY regress_preflight_other;
DROP ROLE regress_preflight_other;
