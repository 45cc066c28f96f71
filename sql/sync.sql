-- Columns that are kept equal: what the trigger makes of each kind of write.
-- Each statement is done to a plain and to a partitioned table, which must
-- give the same.
SET client_min_messages = warning;
CREATE EXTENSION migrate;
CREATE SCHEMA s;
SET search_path = s, public;

CREATE FUNCTION on_each(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	r text;
	first text[];
	this text[];
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['plain', 'parted'] LOOP
		this := '{}';
		BEGIN
			FOR r IN EXECUTE 'WITH w AS (' || format(sql, t) || ') SELECT w::text FROM w' LOOP
				this := this || r;
			END LOOP;
		EXCEPTION WHEN OTHERS THEN
			this := this || (SQLSTATE || ' ' || regexp_replace(SQLERRM, t || '(_\w+)?', 't', 'g'));
		END;
		IF first IS NULL THEN
			first := this;
		ELSIF first <> this THEN
			RAISE EXCEPTION 'plain: %, parted: %', first, this;
		END IF;
	END LOOP;
	RETURN QUERY SELECT unnest(first);
END $$;

CREATE FUNCTION fails(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE sql;
	RETURN 'did not fail';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

CREATE TABLE plain (id int PRIMARY KEY, old text, new text, other int);
CREATE TABLE parted (id int PRIMARY KEY, old text, new text, other int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (50);
-- other column numbers than the parent's
CREATE TABLE parted_2 (gone int, new text, other int, id int NOT NULL, old text);
ALTER TABLE parted_2 DROP COLUMN gone;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (50) TO (100);

SELECT on_each('INSERT INTO %s (id, old) VALUES (1, ''before'') RETURNING id, old, new');
SELECT migrate.sync_columns('plain', '{old}', '{new}', options => '{"backfill": false}');
SELECT migrate.sync_columns('parted', '{old}', '{new}', options => '{"backfill": false}');
SELECT relation, old, new, up, down, sync_conflict, backfill, backfill_state, trigger, active, fires_later
  FROM migrate.syncs;
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgfoid = 'migrate_internal.sync_row'::regproc ORDER BY 1;

-- ---------------------------------------------------------------------------
-- INSERT
-- ---------------------------------------------------------------------------
SELECT on_each('INSERT INTO %s (id, old) VALUES (2, ''o'') RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, new) VALUES (3, ''n'') RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, old, new) VALUES (4, ''e'', ''e'') RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, old, new) VALUES (5, ''o'', ''n'') RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id) VALUES (6) RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, old) VALUES (7, NULL) RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, new) VALUES (8, NULL) RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, old, new) VALUES (9, ''o'', NULL) RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, old, new) VALUES (60, NULL, ''n'') RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, old, new) VALUES (61, '''', NULL), (62, NULL, '''') RETURNING id, old, new');

-- ---------------------------------------------------------------------------
-- UPDATE
-- ---------------------------------------------------------------------------
SELECT on_each('UPDATE %s SET old = ''o2'' WHERE id = 2 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET new = ''n2'' WHERE id = 2 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET old = ''b'', new = ''b'' WHERE id = 2 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET old = ''o3'', new = ''n3'' WHERE id = 2 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET other = 1 WHERE id = 2 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET old = NULL WHERE id = 2 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET new = ''back'' WHERE id = 2 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET new = NULL WHERE id = 2 RETURNING id, old, new');
-- swapped, and to itself
SELECT on_each('UPDATE %s SET old = new, new = old WHERE id = 3 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET old = old || ''+'' WHERE id = 3 RETURNING id, old, new');
-- one that is not filled yet is filled by any update
SELECT on_each('SELECT id, old, new FROM %s WHERE id = 1');
SELECT on_each('UPDATE %s SET other = 1 WHERE id = 1 RETURNING id, old, new');
-- to another partition
SELECT on_each('UPDATE %s SET id = 70 WHERE id = 4 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET id = 71, old = ''moved'' WHERE id = 5 RETURNING id, old, new');
SELECT on_each('UPDATE %s SET id = 12, new = ''moved'' WHERE id = 60 RETURNING id, old, new');

-- ---------------------------------------------------------------------------
-- ON CONFLICT, MERGE, COPY
-- ---------------------------------------------------------------------------
SELECT on_each('INSERT INTO %s (id, old) VALUES (2, ''up'') ON CONFLICT (id) DO UPDATE SET old = excluded.old RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, new) VALUES (2, ''up2'') ON CONFLICT (id) DO UPDATE SET new = excluded.new RETURNING id, old, new');
SELECT on_each('INSERT INTO %s AS t (id, old) VALUES (2, ''x'') ON CONFLICT (id) DO UPDATE SET new = t.old || excluded.new RETURNING id, old, new');
SELECT on_each('INSERT INTO %s (id, old) VALUES (2, ''no'') ON CONFLICT DO NOTHING RETURNING id, old, new');
MERGE INTO plain t USING (VALUES (2, 'm'), (20, 'm')) v(id, x) ON t.id = v.id
	WHEN MATCHED THEN UPDATE SET new = v.x WHEN NOT MATCHED THEN INSERT (id, old) VALUES (v.id, v.x);
MERGE INTO parted t USING (VALUES (2, 'm'), (20, 'm')) v(id, x) ON t.id = v.id
	WHEN MATCHED THEN UPDATE SET new = v.x WHEN NOT MATCHED THEN INSERT (id, old) VALUES (v.id, v.x);
COPY plain (id, old) FROM stdin;
30	copied
80	\N
\.
COPY parted (id, old) FROM stdin;
30	copied
80	\N
\.
COPY plain (id, new) FROM stdin;
31	copied
81	far
\.
COPY parted (id, new) FROM stdin;
31	copied
81	far
\.
SELECT on_each('SELECT id, old, new FROM %s ORDER BY id');
SELECT count(*) FROM plain WHERE NOT migrate.in_sync(plain);
SELECT count(*) FROM parted WHERE NOT migrate.in_sync(parted);

-- a partition that comes later has the trigger too
CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (100) TO (200);
INSERT INTO parted (id, new) VALUES (100, 'later') RETURNING id, old, new;
SELECT migrate.unsync_columns('plain', '{old}', '{new}');
SELECT migrate.unsync_columns('parted', '{old}', '{new}');
SELECT on_each('INSERT INTO %s (id, old) VALUES (40, ''alone'') RETURNING id, old, new');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'migrate_internal.sync_row'::regproc;
SELECT count(*) FROM migrate.syncs;

-- ---------------------------------------------------------------------------
-- Defaults, NOT NULL, identity
-- ---------------------------------------------------------------------------
CREATE TABLE d (id int PRIMARY KEY, old text NOT NULL DEFAULT 'anon', new text NOT NULL DEFAULT '');
SELECT migrate.sync_columns('d', '{old}', '{new}', options => '{"backfill": false}');
INSERT INTO d (id) VALUES (1) RETURNING *;
INSERT INTO d (id, old) VALUES (2, 'o') RETURNING *;
INSERT INTO d (id, new) VALUES (3, 'n') RETURNING *;
INSERT INTO d (id, old, new) VALUES (4, 'anon', 'n') RETURNING *;
SELECT fails('INSERT INTO d (id, old) VALUES (5, NULL)');
SELECT fails('UPDATE d SET new = NULL WHERE id = 3');

-- a default that is another for each row: what the new name gives counts
CREATE TABLE i (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, old int DEFAULT (random() * 0)::int + 7, new int);
SELECT fails($$SELECT migrate.sync_columns('i', '{old}', '{new}', options => '{"backfill": false, "sync_conflict": "error"}')$$);
SELECT migrate.sync_columns('i', '{old}', '{new}', options => '{"backfill": false}');
INSERT INTO i (new) VALUES (1) RETURNING *;
INSERT INTO i (old) VALUES (2) RETURNING *;
INSERT INTO i DEFAULT VALUES RETURNING *;
ALTER TABLE i ADD COLUMN nid bigint;
SELECT migrate.sync_columns('i', '{id}', '{nid}', options => '{"backfill": false}');
INSERT INTO i (old) VALUES (3) RETURNING *;
INSERT INTO i (nid, new) VALUES (50, 4) RETURNING *;
UPDATE i SET nid = 51 WHERE id = 50 RETURNING *;
UPDATE i SET id = 52, new = 5 WHERE nid = 51 RETURNING *;

-- ---------------------------------------------------------------------------
-- sync_conflict
-- ---------------------------------------------------------------------------
CREATE TABLE c (id int PRIMARY KEY, old int DEFAULT 0, new int);
SELECT migrate.sync_columns('c', '{old}', '{new}', options => '{"backfill": false, "sync_conflict": "old"}');
INSERT INTO c VALUES (1, 1, 2) RETURNING *;
INSERT INTO c VALUES (2, 0, 2) RETURNING *;
UPDATE c SET old = 3, new = 4 WHERE id = 1 RETURNING *;
SELECT migrate.unsync_columns('c', '{old}', '{new}');
SET migrate.sync_conflict = error;
SELECT migrate.sync_columns('c', '{old}', '{new}', options => '{"backfill": false}');
RESET migrate.sync_conflict;
SELECT fails('INSERT INTO c VALUES (3, 1, 2)');
SELECT fails('UPDATE c SET old = 5, new = 6 WHERE id = 1');
INSERT INTO c VALUES (4, 1, 1) RETURNING *;
UPDATE c SET old = 5, new = 5 WHERE id = 4 RETURNING *;

-- ---------------------------------------------------------------------------
-- Expressions
-- ---------------------------------------------------------------------------
-- A pair that loses something: '007' and 7 are left alone.
CREATE TABLE l (id int PRIMARY KEY, code text, num int, note text);
INSERT INTO l VALUES (1, '007');
SELECT migrate.sync_columns('l', '{code}', '{num}', '{code::int}', '{num::text}', '{"backfill": false}');
UPDATE l SET note = 'x' RETURNING *;
UPDATE l SET note = 'y' RETURNING *;
UPDATE l SET num = 7 RETURNING *;
UPDATE l SET num = 8 RETURNING *;
UPDATE l SET code = '0008' RETURNING *;
UPDATE l SET num = NULL RETURNING *;
SELECT fails($$UPDATE l SET code = 'seven'$$);
SELECT up, down FROM migrate.syncs WHERE relation = 's.l';

-- Split and merge.
CREATE TABLE person (id int PRIMARY KEY, first_name text, last_name text, full_name text);
INSERT INTO person VALUES (1, 'Ada', 'Lovelace'), (2, NULL, NULL);
SELECT migrate.sync_columns('person', '{first_name,last_name}', '{full_name}',
	ARRAY[$$first_name || ' ' || last_name$$],
	ARRAY[$$split_part(full_name, ' ', 1)$$, $$substr(full_name, strpos(full_name, ' ') + 1)$$]) IS NOT NULL AS fills;
INSERT INTO person (id, first_name, last_name) VALUES (3, 'Grace', 'Hopper');
INSERT INTO person (id, full_name) VALUES (4, 'Barbara Liskov'), (5, 'Jean E. Sammet');
UPDATE person SET last_name = 'Byron' WHERE id = 1;
UPDATE person SET full_name = 'Grace B. Hopper' WHERE id = 3;
UPDATE person SET first_name = NULL WHERE id = 4;
CALL migrate.wait() \gset
SELECT * FROM person ORDER BY id;
SELECT backfill_state FROM migrate.syncs WHERE relation = 's.person';
SELECT count(*) FROM person WHERE NOT migrate.in_sync(person);

-- Filling fires no trigger but ours, rewrites no row that is right, and leaves out what cannot be filled.
CREATE TABLE filled (id int PRIMARY KEY, code text, num int, copy text);
INSERT INTO filled SELECT i, i, CASE WHEN i = 4 THEN 4 END FROM generate_series(1, 5) i;
UPDATE filled SET code = 'three' WHERE id = 3;
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'fired'; END$$;
CREATE TRIGGER fired BEFORE UPDATE ON filled FOR EACH ROW EXECUTE FUNCTION fired();
SELECT ctid AS before FROM filled WHERE id = 4 \gset
SELECT migrate.sync_columns('filled', '{code}', '{copy}') AS version \gset
CALL migrate.wait(:'version') \gset
SELECT ctid <> :'before' AS "filled by blocks" FROM filled WHERE id = 4;
SELECT ctid AS before FROM filled WHERE id = 4 \gset
SELECT migrate.sync_columns('filled', '{id}', '{num}', '{code::int}') AS version \gset
\set VERBOSITY sqlstate
CALL migrate.wait(:'version');
\set VERBOSITY default
SELECT * FROM filled ORDER BY id;
SELECT ctid = :'before' AS untouched FROM filled WHERE id = 4;
SELECT relation, key, sqlstate FROM migrate.failed_rows;
SELECT backfill_state FROM migrate.syncs WHERE relation = 's.filled' ORDER BY new;
ALTER TABLE filled DISABLE TRIGGER fired;
UPDATE filled SET code = '3' WHERE id = 3;
CALL migrate.apply(:'version') \gset
SELECT backfill_state FROM migrate.syncs WHERE relation = 's.filled' ORDER BY new;
SELECT count(*) FROM filled WHERE NOT migrate.in_sync(filled);

-- Values that are stored elsewhere, and a column younger than the rows.
CREATE TABLE big (id int PRIMARY KEY, name text, n int, copy text);
ALTER TABLE big ALTER name SET STORAGE external;
INSERT INTO big SELECT i, repeat(md5(i::text), 500) FROM generate_series(1, 3) i;
SELECT migrate.sync_columns('big', '{name}', '{copy}', options => '{"backfill": false}');
UPDATE big SET n = 1;
UPDATE big SET name = 'small' WHERE id = 1;
UPDATE big SET copy = copy || 'x' WHERE id = 2;
UPDATE big SET copy = NULL WHERE id = 3;
INSERT INTO big (id, copy) SELECT id + 10, copy FROM big;
SELECT id, length(name), length(copy), name = copy AS equal FROM big ORDER BY id;
ALTER TABLE big ADD late int DEFAULT 7, ADD later int;
SELECT migrate.sync_columns('big', '{late}', '{later}', options => '{"backfill": false}');
SELECT count(*) FROM big WHERE NOT migrate.in_sync(big);
UPDATE big SET n = 2;
SELECT late, later, count(*) FROM big GROUP BY 1, 2;

-- One way: what the new name gives is never overwritten, unless the old changes.
CREATE TABLE one (id int PRIMARY KEY, name text, slug text, note text);
INSERT INTO one VALUES (1, 'A'), (2, 'B');
SELECT migrate.sync_columns('one', '{name}', '{slug}', '{lower(name)}', options => '{"backfill": false}');
INSERT INTO one (id, name, slug) VALUES (3, 'C', 'mine');
INSERT INTO one (id, slug) VALUES (4, 'alone');
UPDATE one SET slug = 'edited' WHERE id = 1;
UPDATE one SET note = 'x';
SELECT * FROM one ORDER BY id;
UPDATE one SET name = 'D' WHERE id = 1 RETURNING *;
SELECT count(*) FROM one WHERE NOT migrate.in_sync(one, '{slug}');

-- Two pairs, of which one reads what the other makes; columns of any type.
CREATE TABLE two (id int PRIMARY KEY, a text, b text, aa text, bb text, j json, jj json, n numeric, nn numeric);
SELECT migrate.sync_columns('two', '{b}', '{bb}', ARRAY['a || b'], options => '{"backfill": false}');
SELECT migrate.sync_columns('two', '{a}', '{aa}', options => '{"backfill": false}');
SELECT migrate.sync_columns('two', '{j}', '{jj}', options => '{"backfill": false}');
SELECT migrate.sync_columns('two', '{n}', '{nn}', options => '{"backfill": false}');
INSERT INTO two (id, aa, b, j, n) VALUES (1, 'x', 'y', '{"a" : 1}', 1.00) RETURNING *;
UPDATE two SET aa = 'z', jj = '{"a": 1}', nn = 1.0 RETURNING *;
UPDATE two SET a = 'w' RETURNING *;
SELECT migrate.unsync_columns('two', '{a}', '{aa}');
SELECT new FROM migrate.syncs WHERE relation = 's.two';
SELECT active FROM migrate.syncs WHERE relation = 's.two';
UPDATE two SET a = 'v' RETURNING a, aa, bb;

-- ---------------------------------------------------------------------------
-- Other triggers: they fire before, whatever their names
-- ---------------------------------------------------------------------------
CREATE TABLE trig (id int PRIMARY KEY, name text, copy text);
CREATE FUNCTION lower_name() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.name := lower(NEW.name); RETURN NEW; END$$;
CREATE FUNCTION shout_copy() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.copy := NEW.copy || '!'; RETURN NEW; END$$;
CREATE TRIGGER "~~~~zz" BEFORE INSERT OR UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION lower_name();
SELECT migrate.sync_columns('trig', '{name}', '{copy}', options => '{"backfill": false}');
SELECT trigger, fires_later FROM migrate.syncs WHERE relation = 's.trig';
INSERT INTO trig VALUES (1, 'ABC') RETURNING *;
INSERT INTO trig (id, copy) VALUES (2, 'DEF') RETURNING *;
UPDATE trig SET name = 'XYZ' WHERE id = 1 RETURNING *;
CREATE TRIGGER a_shout BEFORE UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION shout_copy();
UPDATE trig SET copy = 'Shout' WHERE id = 1 RETURNING *;
UPDATE trig SET id = 3 WHERE id = 1 RETURNING *;
-- one that sorts behind is told of
CREATE TRIGGER "~~~~zz~~~~" BEFORE UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION shout_copy();
UPDATE trig SET name = 'late' WHERE id = 2;
SELECT fires_later FROM migrate.syncs WHERE relation = 's.trig';
DROP TRIGGER "~~~~zz~~~~" ON trig;
-- rows that logical replication brings
SET session_replication_role = replica;
INSERT INTO trig VALUES (9, 'Replica') RETURNING *;
RESET session_replication_role;
-- what ENABLE TRIGGER USER makes of it is seen
ALTER TABLE trig DISABLE TRIGGER USER;
ALTER TABLE trig ENABLE TRIGGER USER;
SELECT active FROM migrate.syncs WHERE relation = 's.trig';

-- ---------------------------------------------------------------------------
-- What hangs on the columns
-- ---------------------------------------------------------------------------
CREATE TABLE parent (code text PRIMARY KEY, code2 text UNIQUE);
CREATE TABLE child (id int PRIMARY KEY, code text REFERENCES parent ON UPDATE CASCADE ON DELETE SET NULL, code2 text,
	CHECK (code2 <> 'bad'));
CREATE INDEX ON child (lower(code2)) WHERE code2 IS NOT NULL;
CREATE STATISTICS child_stat ON code, code2 FROM child;
CREATE VIEW child_view AS SELECT id, code2 FROM child;
SELECT migrate.sync_columns('parent', '{code}', '{code2}', options => '{"backfill": false}');
SELECT migrate.sync_columns('child', '{code}', '{code2}', options => '{"backfill": false}');
INSERT INTO parent VALUES ('a'), ('b'), ('bad');
INSERT INTO child_view VALUES (1, 'a') RETURNING *;
SELECT fails($$INSERT INTO child VALUES (2, 'bad')$$);
SELECT fails($$INSERT INTO child (id, code2) VALUES (2, 'none')$$);
UPDATE parent SET code2 = 'c' WHERE code = 'a' RETURNING *;
SELECT * FROM child;
DELETE FROM parent WHERE code2 = 'c';
SELECT * FROM child;
INSERT INTO parent (code2) VALUES ('b') ON CONFLICT (code2) DO UPDATE SET code2 = 'd' RETURNING *;
INSERT INTO parent (code2) VALUES ('d') ON CONFLICT (code) DO UPDATE SET code2 = 'e' RETURNING *;

-- ---------------------------------------------------------------------------
-- The catalog changes
-- ---------------------------------------------------------------------------
CREATE FUNCTION twice(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT x * 2';
CREATE TABLE f (id int PRIMARY KEY, x int, y int);
SELECT migrate.sync_columns('f', '{x}', '{y}', '{twice(x)}', options => '{"backfill": false}');
SELECT up FROM migrate.syncs WHERE relation = 's.f';
SET search_path = public;
INSERT INTO s.f VALUES (1, 1) RETURNING *;
CREATE OR REPLACE FUNCTION s.twice(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT x * 3';
INSERT INTO s.f VALUES (2, 1) RETURNING *;
SET search_path = s, public;
SELECT fails('DROP FUNCTION twice');
SELECT fails('ALTER TABLE f DROP COLUMN y');
ALTER TABLE f ADD COLUMN z int DEFAULT 5;
UPDATE f SET x = 4 WHERE id = 1 RETURNING *;

-- ---------------------------------------------------------------------------
-- Rights
-- ---------------------------------------------------------------------------
CREATE ROLE regress_sync_owner;
CREATE ROLE regress_sync_writer;
CREATE SCHEMA own AUTHORIZATION regress_sync_owner;
GRANT USAGE ON SCHEMA own TO regress_sync_writer;
GRANT USAGE ON SCHEMA migrate TO regress_sync_owner, regress_sync_writer;
GRANT EXECUTE ON FUNCTION fails(text) TO regress_sync_owner;
GRANT USAGE ON SCHEMA s TO regress_sync_owner, regress_sync_writer;
SET ROLE regress_sync_owner;
CREATE TABLE own.t (id int PRIMARY KEY, a text, b text);
CREATE FUNCTION own.who(text) RETURNS text STABLE LANGUAGE plpgsql
	AS $$BEGIN RETURN $1 || '|' || current_user || '|' || current_setting('search_path'); END$$;
REVOKE ALL ON FUNCTION own.who(text) FROM PUBLIC;
GRANT INSERT, SELECT, UPDATE ON own.t TO regress_sync_writer;
SELECT migrate.sync_columns('own.t', '{a}', '{b}', '{own.who(a)}', options => '{"backfill": false}');
-- nobody makes such a trigger by himself
SELECT fails('CREATE TRIGGER x BEFORE INSERT ON own.t FOR EACH ROW EXECUTE FUNCTION migrate_internal.sync_row()');
SET ROLE regress_sync_writer;
INSERT INTO own.t VALUES (1, 'x') RETURNING b;
SELECT fails($$SELECT migrate.unsync_columns('own.t', '{a}', '{b}')$$);
SELECT fails($$SELECT migrate.sync_columns('own.t', '{b}', '{a}')$$);
SELECT fails($$SELECT migrate.in_sync(t) FROM own.t$$);
RESET ROLE;
INSERT INTO own.t VALUES (2, 'x') RETURNING b;
SELECT current_user = session_user AS "back again";

-- ---------------------------------------------------------------------------
-- Bad input: nothing is left behind
-- ---------------------------------------------------------------------------
CREATE TABLE b (id int PRIMARY KEY, a text, c text, n int, g int GENERATED ALWAYS AS (n * 2) STORED);
CREATE VIEW bv AS SELECT * FROM b;
CREATE TEMP TABLE bt (a int, b int);
CREATE TABLE bi (d text) INHERITS (b);
CREATE TABLE bp (id int, k int, v int) PARTITION BY LIST (k);
CREATE TABLE bp1 PARTITION OF bp FOR VALUES IN (1);
CREATE FUNCTION bad_sync(args text) RETURNS text LANGUAGE sql AS $$SELECT fails('SELECT migrate.sync_columns(' || args || ')')$$;
SELECT bad_sync($$'b', '{a}', '{c}'$$);
DROP TABLE bi;
SELECT bad_sync($$'bv', '{a}', '{c}'$$);
SELECT bad_sync($$'bt', '{a}', '{b}'$$);
SELECT bad_sync($$'pg_class', '{relname}', '{relname}'$$);
SELECT bad_sync($$'bp', '{k}', '{v}'$$);
SELECT bad_sync($$'bp1', '{id}', '{v}'$$);
SELECT bad_sync($$'b', '{nope}', '{c}'$$);
SELECT bad_sync($$'b', '{ctid}', '{c}'$$);
SELECT bad_sync($$'b', '{a}', '{g}'$$);
SELECT bad_sync($$'b', '{a}', '{a}'$$);
SELECT bad_sync($$'b', '{}', '{c}'$$);
SELECT bad_sync($$'b', '{a,NULL}', '{c}'$$);
SELECT bad_sync($$'b', '{a,n}', '{c}'$$);
SELECT bad_sync($$'b', '{a}', '{n}'$$);
SELECT bad_sync($$'b', '{a}', '{c}', '{a,a}'$$);
SELECT bad_sync($$'b', '{a}', '{c}', '{lower(c)}'$$);
SELECT bad_sync($$'b', '{a}', '{c}', '{lower(nope)}'$$);
SELECT bad_sync($$'b', '{a}', '{c}', '{lower(a}'$$);
SELECT bad_sync($$'b', '{a}', '{c}', ARRAY['a, a']$$);
SELECT bad_sync($$'b', '{a}', '{c}', ARRAY['a FROM pg_class']$$);
SELECT bad_sync($$'b', '{a}', '{c}', ARRAY['max(a)']$$);
SELECT bad_sync($$'b', '{a}', '{c}', ARRAY['(SELECT a)']$$);
SELECT bad_sync($$'b', '{a}', '{c}', ARRAY['a || random()']$$);
SELECT bad_sync($$'b', '{a}', '{c}', ARRAY['a || g']$$);
SELECT bad_sync($$'b', '{a}', '{c}', ARRAY['b::text']$$);
SELECT bad_sync($$'b', '{a}', '{c}', ARRAY['ctid::text']$$);
SELECT bad_sync($$'b', '{a}', '{c}', options => '{"nonsense": 1}'$$);
SELECT bad_sync($$'b', '{a}', '{c}', options => '{"backfill": "no"}'$$);
SELECT bad_sync($$'b', '{a}', '{c}', options => '[]'$$);
SELECT bad_sync($$NULL, '{a}', '{c}'$$);
SELECT fails($$SELECT migrate.unsync_columns('b', '{a}', '{c}')$$);
INSERT INTO b VALUES (1);
SELECT fails($$SELECT migrate.in_sync(ROW(1, 2))$$);
SELECT fails($$SELECT migrate.in_sync(b) FROM b$$);
SELECT migrate.sync_columns('b', '{a}', '{c}', options => '{"backfill": false}');
SELECT bad_sync($$'b', '{c}', '{a}'$$);
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'b'::regclass;
BEGIN READ ONLY;
SELECT migrate.unsync_columns('b', '{a}', '{c}');
ROLLBACK;
-- a pair keeps the extension
DROP TABLE plain, parted, d, i, c, l, person, filled, big, one, two, trig, parent, child, f, own.t CASCADE;
SELECT fails('DROP EXTENSION migrate');
DROP SCHEMA s, own CASCADE;
DROP OWNED BY regress_sync_owner, regress_sync_writer;
DROP ROLE regress_sync_owner, regress_sync_writer;
DROP EXTENSION migrate;
