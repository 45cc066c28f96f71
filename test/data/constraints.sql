-- case not_null
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ALTER COLUMN a SET NOT NULL;
-- case not_null_several
CREATE TABLE t (id int, a int, "B c" int);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ALTER a SET NOT NULL, ALTER "B c" SET NOT NULL, ALTER id SET DEFAULT 7;
-- case not_null_proved as it stands
CREATE TABLE t (id int, a int CHECK (a IS NOT NULL AND a > 0));
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ALTER a SET NOT NULL;
-- case not_null_partitioned
CREATE TABLE p (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200);
INSERT INTO p SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p ALTER a SET NOT NULL;
-- case not_null_inherited
CREATE TABLE t (id int, a int);
CREATE TABLE c (b int) INHERITS (t);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO c SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ALTER a SET NOT NULL;
-- case not_null_constraint from 18
CREATE TABLE t (id int, a int, b int);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CONSTRAINT never NOT NULL a, ADD NOT NULL b;
-- case not_null_not_valid from 18 no way back
CREATE TABLE t (id int, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
ALTER TABLE t ADD CONSTRAINT never NOT NULL a NOT VALID;
-- statement
ALTER TABLE t ALTER a SET NOT NULL;
-- case not_null_added_before no way back
CREATE TABLE t (id int);
INSERT INTO t SELECT g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD a int;
UPDATE t SET a = id;
ALTER TABLE t ALTER a SET NOT NULL;
-- case check_named
CREATE TABLE t (id int, f int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CONSTRAINT "Positive" CHECK (f > 0);
-- case check_unnamed
CREATE TABLE t (id int, f int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CHECK (f > 0), ADD CHECK (t.f < id + 10), ADD CHECK (f <> 1000 /* , */ OR (f = 1));
-- case check_partitioned
CREATE TABLE p (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200) PARTITION BY LIST (id);
CREATE TABLE p21 PARTITION OF p2 DEFAULT;
INSERT INTO p SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p ADD CHECK (a > 0);
-- case check_inherited
CREATE TABLE t (id int, a int);
CREATE TABLE c (b int) INHERITS (t);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO c SELECT g, -g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CONSTRAINT mine CHECK (a > 0) NO INHERIT, ADD CHECK (id > 0);
-- case check_only
CREATE TABLE t (id int, a int);
CREATE TABLE c (b int) INHERITS (t);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO c SELECT g, -g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE ONLY t ADD CONSTRAINT mine CHECK (a > 0) NO INHERIT;
-- case check_in_a_pass_before
CREATE TABLE t (id int);
INSERT INTO t SELECT g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CONSTRAINT late CHECK (a > 0 OR a IS NULL), ADD COLUMN a int;
-- case check_replaced
CREATE TABLE t (id int, a int CONSTRAINT ck CHECK (a > 0));
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CONSTRAINT ck CHECK (a > -1), DROP CONSTRAINT ck;
-- case check_replaced_in_two
CREATE TABLE t (id int, a int CONSTRAINT ck CHECK (a > 0));
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t DROP CONSTRAINT ck;
ALTER TABLE t ADD CONSTRAINT ck CHECK (a > -1);
-- case check_with_new_function
CREATE TABLE t (id int, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
CREATE FUNCTION is_fine(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 > 0';
ALTER TABLE t ADD CONSTRAINT fine CHECK (is_fine(a));
-- case check_long_name
CREATE TABLE a_table_that_has_a_very_long_name_indeed_which_goes_on (a_column_that_has_a_long_name int);
INSERT INTO a_table_that_has_a_very_long_name_indeed_which_goes_on SELECT g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE a_table_that_has_a_very_long_name_indeed_which_goes_on
	ADD CHECK (a_column_that_has_a_long_name > 0),
	ADD CONSTRAINT a_constraint_that_has_a_name_which_goes_on_behind_the_sixty_third_byte_of_it CHECK (a_column_that_has_a_long_name > 1 - 1),
	ADD UNIQUE (a_column_that_has_a_long_name),
	ALTER a_column_that_has_a_long_name SET NOT NULL;
-- case check_not_enforced from 18 as it stands
CREATE TABLE t (id int, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CHECK (a > 1000) NOT ENFORCED;
-- case validate no way back
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE t (id int, a int);
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
ALTER TABLE t ADD CONSTRAINT ck CHECK (a > 0) NOT VALID, ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES r NOT VALID;
-- statement
ALTER TABLE t VALIDATE CONSTRAINT ck, VALIDATE CONSTRAINT fk;
-- case validate_at_once
CREATE TABLE t (id int, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CONSTRAINT ck CHECK (a > 0) NOT VALID, VALIDATE CONSTRAINT ck;
-- case fk_plain
CREATE TABLE r (id int PRIMARY KEY, f text);
CREATE TABLE t (id int PRIMARY KEY, f int, r int);
INSERT INTO r SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD FOREIGN KEY (f) REFERENCES r, ADD CONSTRAINT second FOREIGN KEY (r) REFERENCES r (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
-- case fk_composite
CREATE TABLE r (a int, b text, PRIMARY KEY (a, b));
CREATE TABLE t (id int, r int, f text);
INSERT INTO r SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
INSERT INTO t VALUES (101, 1, NULL), (102, NULL, 'x');
-- statement
ALTER TABLE t ADD FOREIGN KEY (r, f) REFERENCES r ON DELETE SET NULL (f) ON UPDATE CASCADE;
-- case fk_full
CREATE TABLE r (a int, b text, UNIQUE (b, a));
CREATE TABLE t (id int, r int, f text);
INSERT INTO r SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
INSERT INTO t VALUES (101, NULL, NULL);
-- statement
ALTER TABLE t ADD FOREIGN KEY (r, f) REFERENCES r (a, b) MATCH FULL;
-- case fk_self
CREATE TABLE t (id int PRIMARY KEY, parent bigint);
INSERT INTO t SELECT g, nullif(g, 1) FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD FOREIGN KEY (parent) REFERENCES t;
-- case fk_new_rows no way back
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE t (id int, a int);
INSERT INTO r VALUES (0);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES r;
-- case fk_new_column
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE t (id int);
INSERT INTO r VALUES (1);
INSERT INTO t SELECT g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD COLUMN a int DEFAULT 1, ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES r;
-- case fk_new_table
CREATE TABLE t (id int, a int);
INSERT INTO t SELECT g FROM generate_series(1, 100) g;
-- statement
CREATE TABLE r (id int PRIMARY KEY);
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES r;
-- case fk_replaced
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE t (id int, a int CONSTRAINT fk REFERENCES r);
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t DROP CONSTRAINT fk, ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES r ON DELETE CASCADE;
-- case fk_to_partitioned
CREATE TABLE r (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE r1 PARTITION OF r FOR VALUES FROM (0) TO (50);
CREATE TABLE r2 PARTITION OF r FOR VALUES FROM (50) TO (200);
CREATE TABLE t (id int, a int);
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES r;
-- case fk_from_partitioned
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE p (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200) PARTITION BY LIST (id);
CREATE TABLE p21 PARTITION OF p2 DEFAULT;
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
INSERT INTO p SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p ADD FOREIGN KEY (a) REFERENCES r ON DELETE CASCADE;
-- case fk_from_partitioned_name_taken
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE p (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 (id int, a int, CONSTRAINT fk CHECK (a > 0));
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (50) TO (200);
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
INSERT INTO p SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES r;
-- case unique_plain
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
INSERT INTO t VALUES (101, NULL, 'x'), (102, NULL, 'x');
-- statement
ALTER TABLE t ADD UNIQUE (a), ADD CONSTRAINT "Both" UNIQUE (b, a) DEFERRABLE INITIALLY DEFERRED;
-- case unique_options
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b) WITH (fillfactor = 70);
-- case unique_replaced
CREATE TABLE t (id int, a int CONSTRAINT u UNIQUE);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t DROP CONSTRAINT u, ADD CONSTRAINT u UNIQUE (a, id);
-- case unique_temporal from 18 as it stands
CREATE TABLE t (id int4range, a daterange);
INSERT INTO t SELECT int4range(g, g + 1), daterange(current_date, current_date + 1) FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CONSTRAINT u UNIQUE (id, a WITHOUT OVERLAPS);
-- case primary_plain
CREATE TABLE t (id int, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD PRIMARY KEY (id) INCLUDE (a);
-- case primary_composite
CREATE TABLE t (id int, a int NOT NULL, b int);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD CONSTRAINT "The key" PRIMARY KEY (id, a) INCLUDE (b);
-- case primary_replaced
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (a);
-- case exclude as it stands
CREATE TABLE t (id int, a int4range);
INSERT INTO t SELECT g, int4range(g, g + 1) FROM generate_series(1, 100) g;
-- statement
ALTER TABLE t ADD EXCLUDE USING gist (a WITH &&);
-- case unique_partitioned
CREATE TABLE p (id int, k int, a text) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200) PARTITION BY LIST (k);
CREATE TABLE p21 PARTITION OF p2 DEFAULT;
INSERT INTO p SELECT g, g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p ADD UNIQUE (id, k) INCLUDE (a), ADD CONSTRAINT "A key" UNIQUE (k, a) DEFERRABLE;
-- case primary_partitioned
CREATE TABLE p (id int, k int, a text) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200);
INSERT INTO p SELECT g, g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p ADD PRIMARY KEY (id, k);
-- case primary_using_index no way back
CREATE TABLE t (id int, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
CREATE UNIQUE INDEX t_uq ON t (a, id);
-- statement
ALTER TABLE t ADD CONSTRAINT pk PRIMARY KEY USING INDEX t_uq;
-- case fk_from_partitioned_there_before
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE p (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE p1 (id int, a int CONSTRAINT mine REFERENCES r);
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (200);
INSERT INTO r SELECT g FROM generate_series(1, 100) g;
INSERT INTO p SELECT g, g FROM generate_series(1, 100) g;
-- statement
ALTER TABLE p ADD FOREIGN KEY (a) REFERENCES r;
