-- Indexes and partitions of tables that are in use: plans, and what comes of them
CREATE EXTENSION migrate;
SET client_min_messages = warning;
SET migrate.small_table = 0;
CREATE SCHEMA online_index;
SET search_path = online_index;
CREATE FUNCTION steps(sql text) RETURNS TABLE (step int, phase text, kind text, command text, undo text, note text) AS $$
	SELECT step, phase, kind, command, undo, note FROM migrate.explain(sql) $$ LANGUAGE sql;
CREATE FUNCTION commands(sql text) RETURNS TABLE (phase text, command text) AS $$
	SELECT phase, command FROM migrate.explain(sql) $$ LANGUAGE sql;
CREATE FUNCTION locks(sql text) RETURNS TABLE (command text, relation text, lock text, scans bool, note text) AS $$
	SELECT command, relation, lock, scans, note FROM migrate.explain(sql) $$ LANGUAGE sql;

CREATE TABLE t (id int PRIMARY KEY, a int, b text, c varchar(20), EXCLUDE USING btree (c WITH =));
INSERT INTO t SELECT g, g, 'b' || g, g FROM generate_series(1, 1000) g;
CREATE INDEX t_b ON t (b);
CREATE UNIQUE INDEX t_a ON t (a);
CREATE TABLE child (a int REFERENCES t (a));
CREATE TABLE none (id int);
CREATE TABLE p (id int NOT NULL, k int NOT NULL, v text) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (500);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (500) TO (2000) PARTITION BY LIST (id);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES IN (1);
CREATE TABLE p22 PARTITION OF p2 DEFAULT;
INSERT INTO p SELECT g % 3, g, 'v' FROM generate_series(1, 1000) g;
CREATE INDEX p_id ON p (id);
CREATE MATERIALIZED VIEW mv AS SELECT id, a FROM t;
CREATE MATERIALIZED VIEW mv_keyed AS SELECT id, a FROM t;
CREATE UNIQUE INDEX ON mv_keyed (id);
CREATE MATERIALIZED VIEW mv_partly AS SELECT id, a FROM t;
CREATE UNIQUE INDEX ON mv_partly (id) WHERE id > 5;

-- CREATE INDEX
SELECT * FROM steps($$
	CREATE INDEX ON t (a, b);
	create unique index /* INDEX */ if not exists "An index" on only t using btree (lower(b) COLLATE "C" DESC NULLS LAST, a) include (c) where a > 5;
	CREATE UNIQUE INDEX ON t (b text_pattern_ops)$$);
-- as it stands: what is small, made here, or one with its neighbours
SELECT * FROM commands($$
	CREATE INDEX ON none (id);
	CREATE TABLE n (id int); INSERT INTO n VALUES (1); CREATE INDEX ON n (id);
	BEGIN; LOCK TABLE t; CREATE INDEX ON t (b, a); COMMIT;
	BEGIN; CREATE INDEX ON t (c, a); ROLLBACK;
	CREATE INDEX ON ONLY p (v);
	BEGIN; ALTER TABLE t ADD COLUMN d int; CREATE INDEX ON t (d); COMMIT$$);
-- IF NOT EXISTS looks at nothing but the name
SELECT * FROM steps($$
	CREATE INDEX IF NOT EXISTS t_b ON t USING btree (b ASC NULLS LAST);
	CREATE INDEX IF NOT EXISTS t_b ON t (b DESC);
	CREATE INDEX IF NOT EXISTS t_b ON none (id);
	CREATE INDEX IF NOT EXISTS none ON t (b)$$);

-- of a partitioned table
SELECT * FROM steps('CREATE INDEX ON p (v, lower(v))');
SELECT * FROM locks('CREATE UNIQUE INDEX ON p (k, id)');
-- an index that fits is taken over, as by the server
CREATE INDEX own ON p1 (v DESC);
SELECT * FROM steps('CREATE INDEX "All" ON p (v)');
DROP INDEX own;
-- which partitions there will be is not known
SELECT * FROM commands('CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (3000) TO (4000); CREATE INDEX ON p (v)');
-- the table's name means nothing on a partition
SELECT * FROM steps('CREATE INDEX ON p (lower(p.v))');
SELECT * FROM migrate.explain('CREATE INDEX CONCURRENTLY ON p (v)');

-- DROP INDEX
SELECT * FROM steps('DROP INDEX t_b, t_a');
SELECT * FROM steps('DROP INDEX IF EXISTS nowhere, t_b CASCADE');
SELECT * FROM steps('DROP INDEX t_a CASCADE');
SELECT * FROM locks('DROP INDEX p_id');
SELECT * FROM steps('DROP INDEX p_id');
SELECT * FROM migrate.explain('DROP INDEX t_pkey');
SELECT * FROM migrate.explain('DROP INDEX p1_id_idx CASCADE');
SELECT * FROM migrate.explain('DROP INDEX CONCURRENTLY p_id');
SELECT * FROM commands('ALTER TABLE t DROP CONSTRAINT t_pkey; DROP INDEX IF EXISTS t_pkey');
-- made again: one or the other is there all the time
SELECT * FROM steps('DROP INDEX t_b; CREATE INDEX t_b ON t (b, a)');
SELECT * FROM commands('DROP INDEX t_a; SELECT 1; CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a, b)');
SELECT * FROM commands('BEGIN; DROP INDEX t_b; COMMIT; CREATE INDEX t_b ON t (b, a)');

-- REINDEX
SELECT * FROM locks($$
	REINDEX INDEX t_b; REINDEX (VERBOSE) TABLE t; REINDEX INDEX t_c_excl; REINDEX TABLE p; REINDEX INDEX CONCURRENTLY p_id;
	REINDEX SCHEMA online_index; REINDEX (CONCURRENTLY false) TABLE t; REINDEX (CONCURRENTLY) TABLE t; REINDEX TABLE none;
	REINDEX TABLE pg_class; REINDEX INDEX pg_class_oid_index$$);
-- REFRESH MATERIALIZED VIEW
SELECT * FROM locks($$
	REFRESH MATERIALIZED VIEW mv_keyed; REFRESH MATERIALIZED VIEW mv; REFRESH MATERIALIZED VIEW mv_partly;
	REFRESH MATERIALIZED VIEW mv_keyed WITH NO DATA; REFRESH MATERIALIZED VIEW CONCURRENTLY mv_keyed$$);
-- ALTER INDEX
SELECT * FROM steps('ALTER INDEX t_b SET TABLESPACE pg_default; ALTER TABLE t_b RENAME TO b; ALTER TABLE t_a SET (fillfactor = 50); ALTER INDEX t_c_excl SET TABLESPACE pg_default');

-- ATTACH PARTITION
CREATE TABLE r (id int PRIMARY KEY);
INSERT INTO r SELECT generate_series(0, 3);
ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES r;
CREATE TABLE n (v text, k int NOT NULL, id int NOT NULL);
INSERT INTO n SELECT 'n', g, 1 FROM generate_series(3000, 3100) g;
SELECT * FROM steps('ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (3000) TO (4000)');
-- bounds that somebody has proved
CREATE TABLE proved (id int NOT NULL, k int NOT NULL, v text, CHECK (k >= 3000 AND k < 4000));
INSERT INTO proved VALUES (1, 3000, 'x');
SELECT * FROM locks('ALTER TABLE p2 ATTACH PARTITION proved FOR VALUES IN (7)');
SELECT * FROM steps('ALTER TABLE p ATTACH PARTITION proved FOR VALUES FROM (3000) TO (4000)');
-- what its bounds mean is not found out by running something
CREATE FUNCTION boom() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'run while planning'; END $$;
SELECT * FROM locks('ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (boom()) TO (4000)');
SELECT * FROM migrate.explain('ALTER TABLE p ATTACH PARTITION n FOR VALUES IN (1)');
-- beside a default partition, and by hash
CREATE TABLE d (id int, t text) PARTITION BY LIST (t);
CREATE TABLE d1 PARTITION OF d FOR VALUES IN ('a');
CREATE TABLE d_rest PARTITION OF d DEFAULT;
INSERT INTO d VALUES (1, 'a'), (2, 'z');
CREATE TABLE d2 (id int, t text);
INSERT INTO d2 VALUES (3, 'b'), (4, NULL);
SELECT * FROM commands($$ ALTER TABLE d ATTACH PARTITION d2 FOR VALUES IN ('b', NULL) $$);
SELECT * FROM commands($$ CREATE TABLE d3 PARTITION OF d FOR VALUES IN ('c') $$);
CREATE TABLE h (id int) PARTITION BY HASH (id);
CREATE TABLE h1 (id int);
INSERT INTO h1 SELECT g FROM generate_series(1, 100) g WHERE satisfies_hash_partition('h'::regclass, 2, 1, g);
SELECT * FROM commands('ALTER TABLE h ATTACH PARTITION h1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)');
-- DETACH PARTITION, DROP TABLE of one
SELECT * FROM steps('ALTER TABLE p DETACH PARTITION p1');
SELECT * FROM locks('ALTER TABLE d DETACH PARTITION d1');
SELECT * FROM locks('DROP TABLE p1');
SELECT * FROM commands('DROP TABLE p1; CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (500)');

-- Rows that are in the way are found before anything is changed
INSERT INTO n VALUES ('out', 5000, 1);
SELECT migrate.register('attach', 'ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (3000) TO (4000)', options => '{"small_table": "0"}');
CALL migrate.apply();
SELECT version, step, state, error FROM migrate.status;
DELETE FROM n WHERE k = 5000;
CALL migrate.apply();
SELECT count(*) FROM p WHERE k >= 3000;
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'n'::regclass;
SELECT conname, contype, convalidated, coninhcount FROM pg_constraint WHERE conrelid = 'n'::regclass AND contype <> 'n';
SELECT * FROM migrate.explain('CREATE UNIQUE INDEX ON p (k, v)');
SELECT migrate.register('uq', 'CREATE UNIQUE INDEX ON p (k, v, id)', options => '{"small_table": "0"}');
INSERT INTO p VALUES (1, 3000, 'n');
CALL migrate.apply();
DELETE FROM p WHERE ctid = (SELECT max(ctid) FROM n) AND tableoid = 'n'::regclass;
CALL migrate.apply();
SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indisunique AND indrelid IN (SELECT relid FROM pg_partition_tree('p')) ORDER BY 1;
SELECT step, command, note FROM migrate.plan('uq', 'rollback') LIMIT 3;
CALL migrate.rollback('uq');
SELECT count(*) FROM pg_index WHERE indisunique AND indrelid IN (SELECT relid FROM pg_partition_tree('p'));
CALL migrate.rollback('attach');
SELECT relid FROM pg_partition_tree('p');
SELECT conname FROM pg_constraint WHERE conrelid = 'n'::regclass AND contype <> 'n';
DROP SCHEMA online_index CASCADE;
DROP EXTENSION migrate;
