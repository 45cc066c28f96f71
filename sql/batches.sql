-- which statements over large tables go in batches, how, and why others do not
CREATE EXTENSION migrate;
SET client_min_messages = warning;
SET migrate.small_table = 0;
CREATE FUNCTION how(sql text) RETURNS SETOF text LANGUAGE sql
	AS $$ SELECT kind || ' ' || relation || ': ' || note FROM migrate.explain(sql) $$;
CREATE TABLE t (id int PRIMARY KEY, n int, price numeric(5,2), word varchar(3), parent int, code text UNIQUE DEFERRABLE, slot int NOT NULL UNIQUE);
INSERT INTO t SELECT g, g, 1, 'a', NULL, g, -g FROM generate_series(1, 2000) g;
CREATE TABLE other (id int, tid int, n int);
INSERT INTO other SELECT g, g, g * 10 FROM generate_series(1, 2000) g;
CREATE TABLE nokey (n int, m int);
INSERT INTO nokey SELECT g, g FROM generate_series(1, 2000) g;
CREATE VIEW t_view AS SELECT n FROM t WHERE n > 5;
ANALYZE;

-- by blocks: the proof, and where it fails
SELECT how('UPDATE t SET price = 2 WHERE price <> 2');
SELECT how('UPDATE t SET price = 1.234 WHERE price <> 1.234');
SELECT how('UPDATE t SET n = 1 WHERE n IS DISTINCT FROM 1 AND price > 0');
SELECT how('UPDATE t SET n = 1 WHERE n IS DISTINCT FROM 1 OR price > 0');
SELECT how('UPDATE t SET n = DEFAULT WHERE n > 0');
SELECT how('UPDATE t SET n = n WHERE n IS NULL');
SELECT how('UPDATE t SET n = (random() * 10)::int WHERE n IS NULL');
SELECT how('UPDATE nokey SET n = 1.4 WHERE n IS NULL');
SELECT how('UPDATE nokey SET n = NULL WHERE n IS NULL');
SELECT how('UPDATE nokey SET n = m WHERE n IS NULL');
SELECT how('DELETE FROM nokey WHERE n > 5 RETURNING n');
SELECT how('DELETE FROM nokey WHERE random() < 0.1');
SELECT how('DELETE FROM t WHERE random() < 0.1');
SELECT how('DELETE FROM nokey WHERE n < extract(epoch FROM now())');

-- which key
SELECT how('UPDATE t SET id = -id');
SELECT how('UPDATE t SET id = -id, slot = -slot');
SELECT command FROM migrate.explain('UPDATE t SET id = -id');
SELECT how('UPDATE t SET n = 1 RETURNING n');
SELECT command FROM migrate.explain('UPDATE t SET n = 1 RETURNING n');

-- constraints that hold only at the end of the statement
SELECT how('UPDATE t SET code = code || ''x''');
ALTER TABLE t ADD FOREIGN KEY (parent) REFERENCES t;
SELECT how('DELETE FROM t WHERE n > 5');
SELECT how('UPDATE t SET parent = id');
SELECT how('UPDATE t SET n = 2');
ALTER TABLE t DROP CONSTRAINT t_parent_fkey;

-- joins, subqueries, WITH
SELECT how('UPDATE t SET n = o.n FROM other o WHERE o.tid = t.id');
CREATE INDEX ON other (tid);
SELECT how('UPDATE t SET n = o.n FROM other o WHERE o.tid = t.id');
SELECT how('UPDATE t SET n = (SELECT max(o.n) FROM other o WHERE tid = t.id)');
SELECT how('UPDATE t SET n = 1 WHERE id IN (SELECT tid FROM other)');
SELECT how('UPDATE t SET n = 1 WHERE n IN (SELECT n FROM other)');
SELECT how('UPDATE t SET n = 1 WHERE EXISTS (SELECT FROM other o WHERE o.tid = t.id)');
SELECT how('WITH o AS (SELECT * FROM other) UPDATE t SET n = o.n FROM o WHERE o.tid = t.id');
SELECT how('WITH t2 AS (SELECT 7 AS n) UPDATE t SET n = t2.n FROM t2');
SELECT how('WITH gone AS (DELETE FROM other RETURNING tid) UPDATE t SET n = 1 FROM gone WHERE gone.tid = t.id');
SELECT how('DELETE FROM t USING other o WHERE o.tid = t.id AND o.n > 5');
SELECT how('DELETE FROM nokey USING other o WHERE o.tid = nokey.n');
SELECT how('UPDATE t SET n = 1 WHERE n < (SELECT avg(n) FROM t)');
SELECT how('UPDATE t SET n = 1 WHERE n < (SELECT avg(n) FROM t_view)');
SELECT how('UPDATE t SET n = 1 WHERE id IN (SELECT id FROM t ORDER BY id LIMIT 10)');
SELECT how('UPDATE t SET n = 1 FROM t AS p WHERE p.id = t.parent');
SELECT how('UPDATE t_view SET n = 1');
SELECT how('DELETE FROM t WHERE CURRENT OF c');
ALTER TABLE other ADD FOREIGN KEY (tid) REFERENCES t ON DELETE CASCADE;
SELECT how('DELETE FROM t WHERE NOT EXISTS (SELECT FROM other o WHERE o.tid = t.id)');
ALTER TABLE other DROP CONSTRAINT other_tid_fkey;

-- triggers and rules
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER b BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT how('UPDATE t SET n = 1 WHERE n <> 1');
SELECT how('UPDATE t SET n = o.n FROM other o WHERE o.tid = t.id');
DROP TRIGGER b ON t;
CREATE RULE r AS ON UPDATE TO t DO ALSO NOTHING;
SELECT how('UPDATE t SET n = 1 WHERE n <> 1');
DROP RULE r ON t;

-- what an earlier statement of the same migration makes
SELECT how('ALTER TABLE t ADD COLUMN fresh int; UPDATE t SET fresh = n WHERE fresh IS NULL');
SELECT command, undo FROM migrate.explain('ALTER TABLE t ADD COLUMN fresh int; UPDATE t SET fresh = n');
SELECT how('CREATE TABLE new_one (id int PRIMARY KEY); UPDATE t SET n = 1 WHERE id IN (SELECT id FROM new_one)');

-- a partitioned table: each of its leaves
CREATE TABLE p (id int, n int, area text, PRIMARY KEY (id, area)) PARTITION BY LIST (area);
CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a');
CREATE TABLE p_rest PARTITION OF p DEFAULT PARTITION BY RANGE (id);
CREATE TABLE p_rest_low PARTITION OF p_rest FOR VALUES FROM (0) TO (1000);
CREATE TABLE p_rest_high PARTITION OF p_rest FOR VALUES FROM (1000) TO (10000);
INSERT INTO p SELECT g, g, chr(97 + g % 3) FROM generate_series(1, 3000) g;
ANALYZE p;
SELECT how('UPDATE p SET n = n + 1');
SELECT command FROM migrate.explain('UPDATE p SET n = n + 1 WHERE p.n > 5 -- end');
SELECT command FROM migrate.explain('UPDATE public.p AS x SET n = n + 1');
SELECT command FROM migrate.explain('DELETE FROM p * USING other o WHERE o.tid = p.id RETURNING p.id');
SELECT how('UPDATE p SET n = 1 WHERE n <> 1');
SELECT how('UPDATE p SET area = ''z'' WHERE n > 5');
SELECT how('UPDATE p SET id = id + 10000');
SELECT how('UPDATE p SET n = DEFAULT');
SELECT how('UPDATE p SET n = 1 WHERE public.p.n > 5');
SELECT how('UPDATE p SET n = 1 WHERE p IS NOT NULL');
SELECT how('UPDATE ONLY p_a SET n = 1');
SELECT how('UPDATE p_a SET n = 1 WHERE id IN (SELECT id FROM p)');
CREATE TRIGGER s AFTER UPDATE ON p FOR EACH STATEMENT EXECUTE FUNCTION nothing();
SELECT how('UPDATE p SET n = n + 1');
DROP TRIGGER s ON p;
ALTER TABLE p_a ENABLE ROW LEVEL SECURITY;
SELECT how('UPDATE p SET n = n + 1');
ALTER TABLE p_a DISABLE ROW LEVEL SECURITY;

-- inheritance
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE child (extra int) INHERITS (parent);
INSERT INTO parent SELECT g, g FROM generate_series(1, 1500) g;
INSERT INTO child SELECT g, g, g FROM generate_series(1, 1500) g;
ANALYZE parent, child;
SELECT how('UPDATE parent SET n = n + 1');
SELECT how('UPDATE parent SET n = 0 WHERE n <> 0');
SELECT how('UPDATE ONLY parent SET n = n + 1');
ALTER TABLE child ADD UNIQUE (id);
SELECT how('UPDATE parent SET n = n + 1');

-- INSERT ... SELECT
CREATE TABLE dst (id int PRIMARY KEY, n int, ref int);
CREATE TABLE src (id int PRIMARY KEY, n int);
INSERT INTO src SELECT g, g FROM generate_series(1, 2000) g;
ANALYZE src;
SELECT how('INSERT INTO dst SELECT id, n FROM src');
SELECT command FROM migrate.explain('INSERT INTO dst (id, n) SELECT s.id, s.n + 1 FROM src AS s WHERE s.n > 5 OR n < 3 -- end
	ON CONFLICT (id) WHERE n > 0 DO NOTHING RETURNING id');
SELECT command FROM migrate.explain('WITH o AS (SELECT 1 AS one) INSERT INTO dst WITH p AS (SELECT 2 AS two) SELECT id FROM ONLY src');
SELECT how('INSERT INTO dst SELECT id, n FROM src ON CONFLICT (id) DO UPDATE SET n = excluded.n');
SELECT how('INSERT INTO dst SELECT id, (SELECT count(*) FROM other o WHERE o.tid = src.id) FROM src');
SELECT how('INSERT INTO dst SELECT id, (SELECT count(*) FROM other o WHERE o.n = src.id) FROM src');
SELECT how('INSERT INTO dst SELECT id, (SELECT count(*) FROM dst) FROM src');
SELECT how('INSERT INTO dst SELECT n, count(*) FROM src GROUP BY n');
SELECT how('INSERT INTO dst SELECT max(n) FROM src');
SELECT how('INSERT INTO dst SELECT n, row_number() OVER () FROM src');
SELECT how('INSERT INTO dst SELECT DISTINCT n FROM src');
SELECT how('INSERT INTO dst SELECT n FROM src ORDER BY n');
SELECT how('INSERT INTO dst SELECT n FROM src LIMIT 10');
SELECT how('INSERT INTO dst SELECT n FROM src FOR UPDATE');
SELECT how('INSERT INTO dst SELECT n FROM src UNION ALL SELECT n FROM src');
SELECT how('INSERT INTO dst SELECT s.n FROM src s JOIN other o ON o.tid = s.id');
SELECT how('INSERT INTO dst (SELECT n FROM src)');
SELECT how('INSERT INTO dst SELECT n FROM nokey');
SELECT how('INSERT INTO src SELECT -id, n FROM src');
SELECT how('INSERT INTO dst SELECT id, n FROM parent');
SELECT how('INSERT INTO dst SELECT id, n FROM p');
SELECT how('INSERT INTO dst SELECT g FROM generate_series(1, 10) g');
SELECT how('ALTER TABLE src ADD COLUMN x int; INSERT INTO dst SELECT x FROM src');
SELECT how('CREATE TABLE d2 (id int PRIMARY KEY, up int REFERENCES d2); INSERT INTO d2 SELECT id, n FROM src');
SELECT how('CREATE TABLE d2 (id int); INSERT INTO d2 SELECT id FROM src; ALTER TABLE d2 ADD UNIQUE (id), ADD FOREIGN KEY (id) REFERENCES d2 (id)');
SELECT how('CREATE TABLE d2 (id int); INSERT INTO d2 SELECT id FROM src');
ALTER TABLE dst ADD FOREIGN KEY (ref) REFERENCES dst;
SELECT how('INSERT INTO dst SELECT id, n, n FROM src');
ALTER TABLE dst DROP CONSTRAINT dst_ref_fkey;
CREATE TRIGGER b BEFORE INSERT ON dst FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT how('INSERT INTO dst SELECT id, n FROM src');
DROP TRIGGER b ON dst;

-- and what they come to
SELECT migrate.register('1', $$
	UPDATE p SET n = n + 1;
	UPDATE p SET n = -1 WHERE n > 2000;
	DELETE FROM p USING other o WHERE o.tid = p.id AND o.n <= 5000 RETURNING p.id;
	UPDATE parent SET n = n + 1;
	UPDATE parent SET n = 0 WHERE n > 1000;
	UPDATE t SET n = (SELECT max(o.n) FROM other o WHERE tid = t.id) + 1;
	WITH o AS (SELECT tid, n FROM other) UPDATE nokey SET n = o.n FROM o WHERE o.tid = nokey.m;
	UPDATE t SET id = id + 5000;
	DELETE FROM nokey WHERE m % 2 = 0;
	INSERT INTO dst VALUES (7, -7);
	INSERT INTO dst (id, n) SELECT s.id, s.n * 2 FROM src s WHERE id % 2 = 1 OR id = 4 ON CONFLICT DO NOTHING;
	CREATE TABLE made AS SELECT 1 AS id WHERE false;
	INSERT INTO made SELECT id FROM p
$$);
CALL migrate.apply();
SELECT state, error FROM migrate.status;
SELECT count(*), sum(n), min(id) FROM p;
SELECT tableoid::regclass, count(*), sum(n) FROM parent GROUP BY 1 ORDER BY 1;
SELECT count(*), bool_and(n = 10 * (id - 5000) + 1) FROM t;
SELECT count(*), bool_and(n = 10 * m) FROM nokey;
SELECT count(*), sum(n) FROM dst;
SELECT count(*), sum(id) = (SELECT sum(id) FROM p) FROM made;
SELECT step, rows FROM migrate_internal.event WHERE version = '1' AND event = 'step done' ORDER BY step;

DROP TABLE t, other, nokey, p, parent, child, src, dst, made CASCADE;
DROP FUNCTION how, nothing;
DROP EXTENSION migrate;
