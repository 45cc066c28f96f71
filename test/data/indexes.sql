-- case index
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
-- statement
CREATE INDEX ON t (a);
CREATE INDEX ON t (a DESC NULLS LAST, lower(b), (a + 1)) INCLUDE (id) WITH (fillfactor = 70) WHERE a > 5 AND b <> 'x';
CREATE INDEX IF NOT EXISTS "Named one" /* INDEX */ ON ONLY t USING hash (b);
CREATE INDEX ON t (b COLLATE "C" text_pattern_ops);
-- case index_unique
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
INSERT INTO t VALUES (101, NULL, NULL), (102, NULL, NULL), (103, 200, 'X'), (104, 201, 'x');
-- statement
CREATE UNIQUE INDEX ON t (a);
CREATE UNIQUE INDEX u ON t (lower(b) DESC, a) WHERE id < 104;
CREATE UNIQUE INDEX ON t (b COLLATE "C");
-- case index_nulls_not_distinct
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, nullif(g, 7) FROM generate_series(1, 100) g;
-- statement
CREATE UNIQUE INDEX ON t (a) NULLS NOT DISTINCT;
-- case index_there_already as it stands
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
CREATE INDEX t_a ON t (a);
-- statement
CREATE INDEX IF NOT EXISTS t_a ON t (b);
-- case index_in_block
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
BEGIN;
ALTER TABLE t ADD COLUMN b int;
CREATE INDEX ON t (b, a);
COMMIT;
-- case index_in_whole_block as it stands
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
BEGIN;
SAVEPOINT s;
CREATE INDEX ON t (a);
RELEASE s;
COMMIT;
-- case index_matview
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
CREATE MATERIALIZED VIEW mv AS SELECT * FROM t;
-- statement
CREATE UNIQUE INDEX ON mv (id);
-- case index_heirs
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
CREATE TABLE heir () INHERITS (t);
INSERT INTO heir SELECT g, g FROM generate_series(1, 100) g;
-- statement
CREATE INDEX ON t (a);
-- case index_partitioned
CREATE TABLE p (id int NOT NULL, k int NOT NULL, v text, w text) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES IN (1);
CREATE TABLE p22 (w text, v text, k int NOT NULL, gone int, id int NOT NULL);
ALTER TABLE p22 DROP COLUMN gone;
ALTER TABLE p2 ATTACH PARTITION p22 DEFAULT;
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30) PARTITION BY LIST (id);
INSERT INTO p SELECT g % 3, g % 20, g, g FROM generate_series(1, 100) g;
-- statement
CREATE INDEX ON p (v);
CREATE INDEX "The index" ON p (lower(v) DESC, (id + 1)) INCLUDE (w) WITH (fillfactor = 50) WHERE v > '5';
CREATE INDEX ON p2 USING hash (w);
-- check
SELECT bool_and(indisvalid) AND count(*) = 15 FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = 'index_partitioned'::regnamespace
-- case index_partitioned_unique
CREATE TABLE p (id int NOT NULL, k int NOT NULL) PARTITION BY HASH (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p2 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p SELECT g, g FROM generate_series(1, 100) g;
-- statement
CREATE UNIQUE INDEX ON p (id, k);
-- case index_partitioned_fits
CREATE TABLE p (id int NOT NULL, k int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200);
CREATE INDEX own ON p1 (k DESC);
CREATE INDEX p2_k_idx ON p2 (id);
INSERT INTO p SELECT g, g FROM generate_series(1, 100) g;
-- statement
CREATE INDEX ON p (k);
-- case index_partitioned_long_names
CREATE TABLE a_table_with_a_name_that_is_as_long_as_names_can_be_in_general (id int, a_column_with_a_long_name int) PARTITION BY RANGE (id);
CREATE TABLE a_table_with_a_name_that_is_as_long_as_names_can_be_in_1 PARTITION OF a_table_with_a_name_that_is_as_long_as_names_can_be_in_general FOR VALUES FROM (0) TO (50);
CREATE TABLE a_table_with_a_name_that_is_as_long_as_names_can_be_in_2 PARTITION OF a_table_with_a_name_that_is_as_long_as_names_can_be_in_general FOR VALUES FROM (50) TO (200);
INSERT INTO a_table_with_a_name_that_is_as_long_as_names_can_be_in_general SELECT g, g FROM generate_series(1, 100) g;
-- statement
CREATE INDEX ON a_table_with_a_name_that_is_as_long_as_names_can_be_in_general (a_column_with_a_long_name);
-- case index_partition_made_before
CREATE TABLE p (id int NOT NULL, k int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
INSERT INTO p SELECT g, g FROM generate_series(1, 49) g;
-- statement
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200);
CREATE INDEX ON p (k);
-- check
SELECT bool_and(indisvalid) AND count(*) = 3 FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = 'index_partition_made_before'::regnamespace
-- case index_partitioned_foreign
CREATE TABLE p (id int NOT NULL, k int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (300) TO (400);
INSERT INTO p SELECT g, g FROM generate_series(1, 49) g;
INSERT INTO p SELECT g, g FROM generate_series(300, 399) g;
CREATE FOREIGN DATA WRAPPER index_partitioned_foreign;
CREATE SERVER index_partitioned_foreign FOREIGN DATA WRAPPER index_partitioned_foreign;
CREATE FOREIGN TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200) SERVER index_partitioned_foreign;
-- statement
CREATE INDEX ON p (k);
-- check
SELECT bool_and(indisvalid) AND count(*) = 3 FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = 'index_partitioned_foreign'::regnamespace
-- case index_dropped
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
CREATE INDEX one ON t (a, lower(b)) INCLUDE (id) WITH (fillfactor = 40) WHERE a > 3;
CREATE UNIQUE INDEX two ON t (b DESC);
CREATE INDEX three ON t USING gin (to_tsvector('simple', b)) WITH (fastupdate = off);
-- statement
DROP INDEX one, two;
DROP INDEX IF EXISTS three, four CASCADE;
-- case index_replaced
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
CREATE INDEX i ON t (a);
CREATE UNIQUE INDEX u ON t (b);
CREATE INDEX w ON t (b, a);
-- statement
DROP INDEX i;
DROP INDEX u, w;
CREATE INDEX i ON t (b, a);
CREATE UNIQUE INDEX u ON t (a, b) WHERE a > 3;
CREATE INDEX CONCURRENTLY w ON t (a, b);
-- case index_dropped_with_key as it stands no way back
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
CREATE UNIQUE INDEX u ON t (a);
CREATE TABLE r (a int REFERENCES t (a));
-- statement
DROP INDEX u CASCADE;
-- case index_partitioned_dropped as it stands
CREATE TABLE p (id int NOT NULL, k int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200) PARTITION BY LIST (k);
CREATE TABLE p21 PARTITION OF p2 DEFAULT;
CREATE INDEX odd_name ON p1 (k);
CREATE INDEX even ON p (k);
ALTER INDEX p21_k_idx RENAME TO odd_too;
CREATE UNIQUE INDEX uq ON p (k, id);
INSERT INTO p SELECT g, g FROM generate_series(1, 100) g;
-- statement
DROP INDEX even;
DROP INDEX uq;
-- case reindex
CREATE TABLE t (id int PRIMARY KEY, a int, b text, EXCLUDE USING btree (a WITH =));
INSERT INTO t SELECT g, g, repeat('x', 10000) FROM generate_series(1, 100) g;
CREATE INDEX t_a ON t (a);
CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200);
INSERT INTO p SELECT g FROM generate_series(1, 100) g;
CREATE MATERIALIZED VIEW mv AS SELECT * FROM p;
CREATE UNIQUE INDEX mv_id ON mv (id);
-- statement
REINDEX INDEX t_a;
REINDEX (VERBOSE off) TABLE t;
REINDEX TABLE p;
REINDEX INDEX CONCURRENTLY p_pkey;
REINDEX TABLE mv;
REINDEX INDEX t_a_excl;
REINDEX SCHEMA reindex;
REINDEX INDEX pg_class_oid_index;
-- case refresh no way back
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE MATERIALIZED VIEW mv AS SELECT * FROM t;
CREATE UNIQUE INDEX mv_id ON mv (id);
CREATE MATERIALIZED VIEW mv2 AS SELECT * FROM t;
CREATE MATERIALIZED VIEW mv3 AS SELECT * FROM t WITH NO DATA;
CREATE UNIQUE INDEX mv3_id ON mv3 (id);
-- statement
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
REFRESH MATERIALIZED VIEW mv;
REFRESH MATERIALIZED VIEW mv2;
REFRESH MATERIALIZED VIEW mv3;
-- check
SELECT (SELECT count(*) FROM mv) = 100 AND (SELECT count(*) FROM mv2) = 100 AND (SELECT count(*) FROM mv3) = 100
-- case index_altered
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
CREATE INDEX t_a ON t (a);
CREATE INDEX t_b ON t (a, id);
-- statement
ALTER TABLE t_a RENAME TO "New name";
ALTER INDEX t_b SET TABLESPACE pg_default;
