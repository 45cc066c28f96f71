-- case rows_by_key no way back
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 3000) g;
-- statement
UPDATE t SET a = a + 1;
-- check
SELECT count(*) = 3000 FROM t WHERE a = id + 1
-- case rows_by_blocks no way back
CREATE TABLE t (a int, b text NOT NULL);
INSERT INTO t SELECT g, 'y' FROM generate_series(1, 3000) g;
-- statement
UPDATE t SET b = 'x' WHERE b <> 'x';
-- check
SELECT count(*) = 3000 FROM t WHERE b = 'x'
-- case rows_deleted no way back
CREATE TABLE t (a int, b text NOT NULL);
INSERT INTO t SELECT g, 'y' FROM generate_series(1, 3000) g;
-- statement
DELETE FROM t WHERE a % 2 = 0;
-- check
SELECT count(*) = 1500 FROM t
-- case rows_inserted no way back
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE TABLE u (id int, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 3000) g;
-- statement
INSERT INTO u SELECT id, a FROM t WHERE a > 10;
-- check
SELECT count(*) = 2990 AND count(DISTINCT id) = 2990 FROM u
-- case rows_of_a_tree no way back
CREATE TABLE p (id int, a int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (9000);
INSERT INTO p SELECT g, g FROM generate_series(1, 3000) g;
-- statement
UPDATE p SET a = a + 1;
-- check
SELECT count(*) = 3000 FROM p WHERE a = id + 1
-- case rows_then_constrained no way back
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD COLUMN b int, ADD COLUMN c int DEFAULT 0;
UPDATE t SET b = a;
ALTER TABLE t ALTER COLUMN b SET NOT NULL, ALTER c SET NOT NULL;
ALTER TABLE t ADD CHECK (b > 0), ADD FOREIGN KEY (b) REFERENCES r, ADD UNIQUE (b);
CREATE INDEX ON t (b, c);
ALTER TABLE t ADD CONSTRAINT low CHECK (c < b);
-- check
SELECT count(*) = 100 FROM t WHERE b = a AND c = 0
-- case renamed_then_constrained
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t RENAME a TO b;
ALTER TABLE t RENAME TO u;
ALTER TABLE u ALTER b SET NOT NULL, ADD CHECK (b > 0), ADD UNIQUE (b), ADD FOREIGN KEY (b) REFERENCES r;
CREATE INDEX ON u (b, id);
-- case retyped_then_constrained no way back
CREATE TABLE t (id int PRIMARY KEY, a varchar(20));
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ALTER a TYPE text;
ALTER TABLE t ALTER a SET NOT NULL, ADD CHECK (a <> ''), ADD UNIQUE (a);
CREATE INDEX ON t (a, id);
-- case key_given_up_then_built
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t DROP CONSTRAINT t_pkey;
ALTER TABLE t ADD PRIMARY KEY (a);
-- case index_made_then_dropped
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
CREATE INDEX i ON t (a);
CREATE UNIQUE INDEX j ON t (a);
DROP INDEX i;
-- case index_made_then_rebuilt
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
CREATE INDEX i ON t (a);
REINDEX INDEX i;
