-- case attach_range
CREATE TABLE r (id int PRIMARY KEY);
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
CREATE TABLE p (id int NOT NULL CONSTRAINT refers REFERENCES r ON DELETE CASCADE, k int NOT NULL, v text, PRIMARY KEY (id, k), CONSTRAINT uq UNIQUE (k, id) INCLUDE (v)) PARTITION BY RANGE (k, id);
CREATE INDEX ON p (v);
CREATE INDEX ON p (lower(v)) WHERE id > 5;
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE, MINVALUE) TO (10, 50);
CREATE TABLE n (v text, id int NOT NULL, k int NOT NULL);
INSERT INTO n SELECT g, g, g + 20 FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (10, 50) TO (MAXVALUE, MAXVALUE);
-- check
SELECT count(*) = 100 FROM p
-- case attach_list
CREATE TABLE p (d date, t text) PARTITION BY LIST (t);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN ('a', 'b');
CREATE TABLE pd PARTITION OF p DEFAULT;
INSERT INTO p VALUES (now(), 'a'), (now(), 'z');
CREATE TABLE n (d date, t text);
INSERT INTO n VALUES (now(), 'c'), (now(), NULL);
-- statement
ALTER TABLE p ATTACH PARTITION n FOR VALUES IN ('c', NULL);
-- check
SELECT count(*) = 4 FROM p
-- case attach_default
CREATE TABLE p (d date NOT NULL) PARTITION BY RANGE (d);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE n (d date NOT NULL);
INSERT INTO n VALUES ('2022-01-01');
-- statement
ALTER TABLE p ATTACH PARTITION n DEFAULT;
-- check
SELECT count(*) = 1 FROM p
-- case attach_hash
CREATE TABLE p (id bigint, v text) PARTITION BY HASH (id, v);
CREATE TABLE n (v text, id bigint);
INSERT INTO n SELECT 'x', g FROM generate_series(1, 100) g WHERE satisfies_hash_partition('p'::regclass, 2, 0, g::bigint, 'x'::text);
-- statement
ALTER TABLE p ATTACH PARTITION n FOR VALUES WITH (MODULUS 2, REMAINDER 0);
-- check
SELECT count(*) > 10 FROM p
-- case attach_expression
CREATE TABLE p (id int, v text COLLATE "C", at timestamptz) PARTITION BY RANGE (lower(v), ((id + 1)::bigint));
CREATE TABLE n (id int, v text COLLATE "C", at timestamptz);
INSERT INTO n VALUES (1, 'B', now());
-- statement
ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM ('b', 0) TO ('c', 10);
-- check
SELECT count(*) = 1 FROM p
-- case attach_below
CREATE TABLE p (id int, k int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50) PARTITION BY LIST (k);
CREATE TABLE n (id int, k int);
INSERT INTO n VALUES (1, 1);
-- statement
ALTER TABLE p1 ATTACH PARTITION n FOR VALUES IN (1);
-- check
SELECT count(*) = 1 FROM p
-- case attach_tree
CREATE TABLE p (id int, k int) PARTITION BY RANGE (id);
CREATE TABLE n (id int, k int) PARTITION BY LIST (k);
CREATE TABLE n1 PARTITION OF n FOR VALUES IN (1);
CREATE TABLE n2 PARTITION OF n DEFAULT;
INSERT INTO n VALUES (1, 1), (1, 2);
-- statement
ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (0) TO (50);
-- check
SELECT count(*) = 2 FROM p
-- case attach_proved as it stands
CREATE TABLE p (id int, k int) PARTITION BY RANGE (id);
CREATE TABLE n (id int NOT NULL, k int, CHECK (id >= 0 AND id < 50));
INSERT INTO n VALUES (1, 1), (1, 2);
-- statement
ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (0) TO (50);
-- case attach_fits as it stands
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE p (id int PRIMARY KEY REFERENCES r, k int) PARTITION BY RANGE (id);
CREATE INDEX ON p (k);
CREATE TABLE n (id int CONSTRAINT mine PRIMARY KEY CONSTRAINT fk REFERENCES r, k int);
CREATE INDEX own ON n (k);
-- statement
ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (0) TO (50);
-- case detach
CREATE TABLE p (id int, k int, PRIMARY KEY (id, k)) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200) PARTITION BY LIST (k);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES IN (1, 2);
INSERT INTO p SELECT g, g % 2 + 1 FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p DETACH PARTITION p1;
ALTER TABLE p2 DETACH PARTITION p21;
-- check
SELECT count(*) = 0 FROM p
-- case detach_hash
CREATE TABLE p (id int, v text) PARTITION BY HASH (id, v);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO p SELECT g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p DETACH PARTITION p1;
-- check
SELECT count(*) = 0 FROM p
-- case detach_beside_default as it stands
CREATE TABLE p (id int PRIMARY KEY, k int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE pd PARTITION OF p DEFAULT;
INSERT INTO p SELECT g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p DETACH PARTITION p1;
-- case new_partition
CREATE TABLE p (id int PRIMARY KEY, k int) PARTITION BY RANGE (id);
CREATE TABLE pd PARTITION OF p DEFAULT;
INSERT INTO p SELECT g FROM generate_series(100, 200) g;
-- statement
CREATE TABLE p1 PARTITION OF p (k DEFAULT 5) FOR VALUES FROM (0) TO (50) WITH (fillfactor = 50);
-- case drop_partition no way back
CREATE TABLE p (id int PRIMARY KEY, k int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200);
INSERT INTO p SELECT g FROM generate_series(1, 100) g;
-- statement
DROP TABLE p1;
-- case replace_partition as it stands no way back
CREATE TABLE p (id int PRIMARY KEY, k int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
INSERT INTO p SELECT g FROM generate_series(1, 49) g;
-- statement
DROP TABLE p1;
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (60);
