-- Load: one text, an archive, a folder; what is a migration, and what is refused.
CREATE EXTENSION migrate;

-- The error of a statement: code, message, detail, hint, and its own context.
CREATE FUNCTION public.fails(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
	context text;
BEGIN
	EXECUTE sql;
	RETURN NEXT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	RETURN NEXT SQLSTATE || ' ' || message;
	RETURN QUERY SELECT detail WHERE detail <> '';
	RETURN QUERY SELECT 'HINT: ' || hint WHERE hint <> '';
	RETURN QUERY SELECT 'CONTEXT: ' || line FROM regexp_split_to_table(context, E'\n') line
		WHERE line ~ '^(line|file|option|down|up|verify) ';
END $$;

CREATE VIEW public.registry AS
	SELECT version, name, requires, up, down, verify, options, origin, state
	  FROM migrate_internal.migration WHERE scope = current_setting('migrate.scope') ORDER BY key;

CREATE FUNCTION public.octal(n int, digits int) RETURNS bytea LANGUAGE sql
	AS $$SELECT convert_to(string_agg(((n >> (3 * i)) & 7)::text, '' ORDER BY i DESC), 'UTF8') FROM generate_series(0, digits - 1) i$$;
-- A member of a tar archive: its header with checksum, its data filled up to blocks.
CREATE FUNCTION public.member(path text, content bytea DEFAULT '', type text DEFAULT '0',
							  link text DEFAULT '', prefix text DEFAULT '', magic text DEFAULT 'ustar')
	RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	header bytea := decode(repeat('00', 512), 'hex');
	sum int := 0;
BEGIN
	header := overlay(header PLACING convert_to(left(path, 100), 'UTF8') FROM 1);
	header := overlay(header PLACING convert_to('0000644', 'UTF8') FROM 101);
	header := overlay(header PLACING public.octal(length(content), 11) FROM 125);
	header := overlay(header PLACING convert_to('        ' || type, 'UTF8') FROM 149);
	header := overlay(header PLACING convert_to(link, 'UTF8') FROM 158);
	header := overlay(header PLACING convert_to(magic, 'UTF8') FROM 258);
	header := overlay(header PLACING convert_to(prefix, 'UTF8') FROM 346);
	FOR i IN 0 .. 511 LOOP
		sum := sum + get_byte(header, i);
	END LOOP;
	header := overlay(header PLACING public.octal(sum, 6) || '\x00'::bytea FROM 149);
	RETURN header || content || decode(repeat('00', (512 - length(content) % 512) % 512), 'hex');
END $$;
CREATE FUNCTION public.file(path text, content text) RETURNS bytea LANGUAGE sql
	AS $$SELECT public.member(path, convert_to(content, 'UTF8'))$$;
-- A record of a pax header; its length counts itself.
CREATE FUNCTION public.pax(key text, value text) RETURNS bytea LANGUAGE sql
	AS $$SELECT convert_to(format(E'%s %s=%s\n', n, key, value), 'UTF8')
		   FROM generate_series(1, 999) n WHERE n = octet_length(format(E'%s %s=%s\n', n, key, value))$$;
CREATE FUNCTION public.archive(VARIADIC members bytea[]) RETURNS bytea LANGUAGE sql
	AS $$SELECT string_agg(m, '' ORDER BY i) || decode(repeat('00', 1024), 'hex') FROM unnest(members) WITH ORDINALITY AS u (m, i)$$;
CREATE FUNCTION public.load_fails(VARIADIC members bytea[]) RETURNS SETOF text LANGUAGE sql
	AS $$SELECT public.fails(format('SELECT * FROM migrate.load_archive(%L::bytea)', public.archive(VARIADIC members)))$$;


-- ---------------------------------------------------------------------------
-- One text
-- ---------------------------------------------------------------------------
SELECT * FROM migrate.load('CREATE TABLE a (id int)', '0001_create_the_a.sql');
SELECT * FROM migrate.load('CREATE TABLE a (id int)', '/home/me/migrations/0001_create_the_a.sql');
SELECT * FROM migrate.load('CREATE TABLE a (id int);', 'C:\migrations\0001_create_a.sql');
SELECT * FROM migrate.load(E'\uFEFFCREATE TABLE b (id int);', '0002.up.sql');
SELECT * FROM migrate.load('CREATE TABLE c (id int);', '0003_c/migration.sql');
SELECT * FROM migrate.load('CREATE TABLE d (id int);', '0004-d.SQL', 'plain');
SELECT * FROM public.registry;

SELECT public.fails($$SELECT * FROM migrate.load(NULL)$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1')$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1', '')$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1', 'create_a.sql')$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1', '0001_a.txt')$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1', '0001_a/metadata.toml')$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1', '0009_a.down.sql')$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1', '0009_a/verify.sql')$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1', '0009_a.sql', 'flyway')$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1', '0009_a.sql', NULL)$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT 1', '0009_a.sql', 'annotated')$$);
SELECT public.fails($$SELECT * FROM migrate.load('-- nothing', '0009_a.sql', 'annotated')$$);
SELECT public.fails($$SELECT * FROM migrate.load('SELECT', repeat('9', 201) || '_a.sql')$$);
SELECT * FROM migrate.load(E'SELECT 1;\nSELEC 2', '0009_a.sql');
-- of one file its down is no history, and must be right
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:up\n-- migrate:down\nDROP', '0009_a.sql')$$);


-- ---------------------------------------------------------------------------
-- The annotated format
-- ---------------------------------------------------------------------------
SET migrate.scope = 'annotated';
SELECT * FROM migrate.load($$
/* what we do
   is explained */
-- migrate:version 20240101_002 add mail
-- migrate:requires 20240101_001
-- migrate:set workers = 4
-- migrate:set sync = {"public.users.mail": {"up": "lower(mail)"}}
-- migrate:up
ALTER TABLE users ADD COLUMN mail text;

-- migrate:down transaction:false
ALTER TABLE users DROP COLUMN mail;
-- migrate:verify
SELECT count(*) = 0 FROM users;
-- a comment

--  migrate:version 20240101_001   create users	
--migrate:requires
-- migrate:up transaction:false
CREATE TABLE users (id bigint PRIMARY KEY, name text); -- migrate:down is no mark here
SELECT $x$
  -- migrate:down is none here
$x$;
-- migrate:version 20240101_003 (no down)
-- migrate:requires 20240101_001, 20240101_002
-- migrate:requires	20240101_001.5
-- migrate:up
-- migrate:version 20240101_001.5
-- migrate:up transaction:true
SELECT 1$$);
\x on
SELECT * FROM public.registry;
\x off
-- the same as a file of each, without final newline, with CRLF and a byte order mark
SELECT * FROM migrate.load(E'\uFEFF-- migrate:requires 20240101_001, 20240101_002, 20240101_001.5\r\n-- migrate:up\r\n', '20240101_003_x.sql');
-- dbmate's own
SELECT * FROM migrate.load(E'-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON users (name);\n\n-- migrate:down\n', '20240102030405_index.sql');
SELECT version, name, up, down, options FROM public.registry WHERE version = '20240102030405';
-- files put together keep their marks and their byte order marks
SELECT * FROM migrate.load(E'\uFEFF-- migrate:version 5\n-- migrate:up\nSELECT 5;\n\uFEFF-- migrate:version 6\n-- migrate:up\nSELECT 6;\n');
SELECT version, up FROM public.registry WHERE version IN ('5', '6');

-- mistakes, each with its line
SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:up\nSELECT 1;\n-- migrate:donw\nSELECT 2;', 'bundle.sql');
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:up\nSELECT 1;')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version\n-- migrate:up\nSELECT 1;')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'SELECT 0;\n-- migrate:up\nSELECT 1;', '7.sql')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n\nSELECT 0;\n-- migrate:up\nSELECT 1;')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:down\nSELECT 1;')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:version 8\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:up\n-- migrate:down\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:up in one go\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:set workers 4\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:set workers = 4\n-- migrate:set workers = 5\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:set wokers = 4\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:set workers = 0\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'\n-- migrate:version 7\n-- migrate:requires 6, ' || repeat('6', 300) || E'\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:set sync = {"a"\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:up\n-- migrate:version 07\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:requires 8\n-- migrate:up\n-- migrate:version 8\n-- migrate:requires 7\n-- migrate:up\n')$$);
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:up\nSELECT 1;\n\nSELEC 2;\n', 'bundle.sql')$$);
-- all or nothing
SELECT public.fails($$SELECT * FROM migrate.load(E'-- migrate:version 7\n-- migrate:up\nSELECT 7;\n-- migrate:version 8\n-- migrate:up\nSELEC 8')$$);
SELECT count(*) FROM public.registry WHERE version IN ('7', '8');
RESET migrate.scope;


-- ---------------------------------------------------------------------------
-- Archives
-- ---------------------------------------------------------------------------
SET migrate.scope = 'archive';
SELECT * FROM migrate.load_archive(public.archive(
	public.member('./migrations/', type => '5'),
	public.file('./migrations/0001_create_a.up.sql', 'CREATE TABLE a (id int);'),
	public.file('./migrations/0001_create_a.down.sql', 'DROP TABLE a;'),
	public.file('./migrations/0001_create_a.verify.sql', 'SELECT true;'),
	public.file('./migrations/0010_last.sql', 'SELECT 10;'),
	public.file('./migrations/0002_folder/up.sql', E'SELECT 2;\r\n'),
	public.file('./migrations/0002_folder/down.sql', ''),
	public.file('./migrations/0002_folder/metadata.toml', E'# diesel\nrun_in_transaction = false\n'),
	public.file('./migrations/0003_prisma/migration.sql', 'SELECT 3'),
	public.file('./migrations/old/0004_annotated.sql', E'-- migrate:up\nSELECT 4;\n-- migrate:down\nSELECT -4;'),
	public.file('./migrations/bundle.sql', E'-- migrate:version 0005 of a bundle\n-- migrate:up\nSELECT 5;\n-- migrate:version 0006\n-- migrate:requires 0004\n-- migrate:up\nSELECT 6;'),
	public.file('./migrations/2017-08-31-230457_dashes-of-diesel/up.sql', 'SELECT 7'),
	public.file('./migrations/2025-11-19-091444-0000_more/up.sql', 'SELECT 8'),
	public.file('./migrations/20251119091500_later.sql', 'SELECT 9'),
	public.file('./migrations/0011_2fa.sql', '-- nothing yet'),
	public.member('./migrations/0012_bom.sql', '\xEFBBBF'::bytea || convert_to('SELECT ''ä''', 'UTF8')),
	public.file('./migrations/README.md', '# read me'),
	public.file('./migrations/seed.sql', 'INSERT INTO a VALUES (1)'),
	public.file('./migrations/.gitkeep', ''),
	public.file('./migrations/._0001_create_a.up.sql', 'of a Macintosh'),
	public.file('./migrations/meta/_journal.json', '{}'),
	public.file('./migrations/up.sql', 'SELECT 1')));
SELECT * FROM public.registry;
SELECT result, count(*) FROM migrate.load_archive(public.archive(
	public.file('0001_create_a.up.sql', 'CREATE TABLE a (id int);'),
	public.file('0001_create_a.down.sql', 'DROP TABLE a; -- all of it'),
	public.file('0001_create_a.verify.sql', 'SELECT true;'),
	public.file('0010_last.sql', 'SELECT 11'))) GROUP BY 1 ORDER BY 1;

-- files that are gone are told, and with prune those that are pending go
SELECT migrate.register('9000', 'SELECT 9000');
UPDATE migrate_internal.migration SET state = 'applied' WHERE version = '0002';
SELECT * FROM migrate.load_archive(public.archive(
	public.file('0001_create_a.up.sql', 'CREATE TABLE a (id int);'),
	public.file('0010_last.sql', 'SELECT 11')), prune => true);
SELECT version, state, origin FROM public.registry;
-- not while another one that stays requires it
SELECT migrate.register('9001', 'SELECT 9001', requires => '{0010}');
SELECT public.fails(format('SELECT * FROM migrate.load_archive(%L, prune => true)',
	public.archive(public.file('0001_create_a.up.sql', 'CREATE TABLE a (id int);'))));
SELECT version FROM public.registry;
SELECT migrate.unregister('9001');
SELECT event, version, message FROM migrate_internal.event WHERE scope = 'archive' AND event = 'unregistered' ORDER BY id;

-- each format by itself
SET migrate.scope = 'formats';
CREATE FUNCTION public.two() RETURNS bytea LANGUAGE sql
	AS $$SELECT public.archive(public.file('1_a.sql', E'-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT -1;'), public.file('2_b/up.sql', 'SELECT 2'))$$;
SELECT * FROM migrate.load_archive(public.two(), 'files');
SELECT version, up, down FROM public.registry;
SELECT * FROM migrate.load_archive(public.two(), 'auto');
SELECT version, up, down FROM public.registry;
SELECT public.fails($$SELECT * FROM migrate.load_archive(public.two(), 'annotated')$$);
SELECT public.fails($$SELECT * FROM migrate.load_archive(public.archive(public.file('3.up.sql', ''), public.file('3.down.sql', '')), 'plain')$$);
RESET migrate.scope;

-- what cannot be right
SELECT public.load_fails(public.file('0001_a.sql', ''), public.file('x/0001_b.sql', ''));
SELECT public.load_fails(public.file('0001_a.sql', ''), public.file('1_b.up.sql', ''));
SELECT public.load_fails(public.file('0001_a.sql', E'-- migrate:up\n'), public.file('0001_a.down.sql', ''));
SELECT public.load_fails(public.file('0001_a/up.sql', ''), public.file('0001_a/migration.sql', ''));
SELECT public.load_fails(public.file('b.sql', E'-- migrate:version 1\n-- migrate:up\n-- migrate:version 1\n-- migrate:up\n'));
SELECT public.load_fails(public.file('0101_a.up.sql', ''), public.file('0102_b.down.sql', ''));
SELECT public.load_fails(public.file('0101_a.up.sql', ''), public.file('0102_b/verify.sql', ''));
SELECT public.load_fails(public.file('0101_a.sql', 'SELECT 1'), public.file('0102_b.sql', E'SELECT 1;\n\nSELEC 2'));
SELECT public.load_fails(public.file('README.md', ''), public.file('seed.sql', ''), public.file('.gitkeep', ''));
SELECT public.load_fails(public.member('migrations/', type => '5'));
SELECT public.load_fails(public.file('0001_a/metadata.toml', ''));
SELECT public.load_fails(public.member('0101_latin1.sql', convert_to(E'SELECT 1;\nSELECT ''Bär''', 'LATIN1')));
SELECT public.load_fails(public.member('0101_zero.sql', '\x2d2d0041'));
SELECT public.load_fails(public.member('0101_wide.sql', '\xfffe53004500'));
SELECT public.load_fails(public.member('0101_cut.sql', '\x2d2dc3'));
-- other tools' files that would undo themselves, or are no migration of their own
SELECT public.load_fails(public.file('0101_a.sql', E'-- +goose Up\nSELECT 1;\n-- +goose Down\nDROP TABLE a;'));
SELECT public.load_fails(public.file('0101_a.sql', E'-- +migrate Up\nSELECT 1;\n--  +migrate  down\n-- +migrate Down\nDROP TABLE a;'));
SELECT public.load_fails(public.file('0101_a.sql', E'-- Up Migration\nSELECT 1;\n\n-- Down Migration\nDROP TABLE a;'));
SELECT public.load_fails(public.file('0101_a.sql', E'SELECT 1;\n---- create above / drop below ----\nDROP TABLE a;'));
SELECT public.load_fails(public.file('V0101__a.sql', 'SELECT 1'), public.file('U0101__a.sql', 'DROP TABLE a'));
SELECT public.load_fails(public.file('V0102__a.sql', 'SELECT 1'), public.file('B0101__a.sql', 'SELECT 1'));
SELECT count(*) FROM public.registry WHERE version LIKE '01%';
-- a history may hold downs that nobody has ever run
SET migrate.scope = 'downs';
SELECT * FROM migrate.load_archive(public.archive(
	public.file('0101_a.up.sql', 'SELECT 1'), public.file('0101_a.down.sql', E'DROP TABLE a\nDROP TABLE b;'),
	public.file('0102_a.up.sql', 'SELECT 1'), public.file('0102_a.down.sql', '$$ DROP TABLE a')));
SELECT version, down FROM public.registry;
SELECT * FROM migrate.load_archive(public.archive(
	public.file('0101_a.up.sql', 'SELECT 1;'), public.file('0101_a.down.sql', E'DROP TABLE a;\nDROP TABLE b;'),
	public.file('0102_a.up.sql', 'SELECT 1 -- one'), public.file('0102_a.down.sql', '$$ DROP TABLE a')));
RESET migrate.scope;


-- ---------------------------------------------------------------------------
-- The tar format itself
-- ---------------------------------------------------------------------------
SET migrate.scope = 'tar';
SELECT repeat('d', 60) || '/' || repeat('e', 60) AS deep \gset
SELECT * FROM migrate.load_archive(public.archive(
	-- v7
	public.member('0001_v7.sql', 'SELECT 1', '0', magic => ''),
	public.member(E'folder/', type => '0', magic => ''),
	-- the file of which a hard link speaks later
	public.member('0002_ustar.sql', 'SELECT 2', prefix => :'deep'),
	public.member('0003_link.sql', type => '1', link => '0001_v7.sql'),
	-- GNU
	public.member('././@LongLink', convert_to(:'deep' || '/0004_' || repeat('x', 80) || E'.sql', 'UTF8') || '\x00', 'L', magic => 'ustar  '),
	public.member('0004_cut', 'SELECT 4', magic => 'ustar  '),
	-- pax
	public.member('g', public.pax('comment', repeat('c', 40)), 'g'),
	public.member('x', public.pax('path', '0005_long-Größe.sql') || public.pax('mtime', '1234567890') || public.pax('size', '8'), 'x'),
	public.member('0005_short', 'SELECT 5'),
	public.member('x', public.pax('path', '0006_first.sql') || public.pax('path', '0006_second.sql'), 'x'),
	public.member('0006_short', 'SELECT 6'),
	-- of two with one path the last counts
	public.member('0007_twice.sql', 'SELECT 7'),
	public.member('./0007_twice.sql', 'SELECT 77'),
	-- devices and links to elsewhere are nobody's migration
	public.member('device', type => '3'),
	public.member('current', type => '2', link => '/etc')));
SELECT version, name, up, origin FROM public.registry;
RESET migrate.scope;

SELECT public.fails($$SELECT * FROM migrate.load_archive(NULL)$$);
SELECT public.fails($$SELECT * FROM migrate.load_archive('', NULL)$$);
SELECT public.fails($$SELECT * FROM migrate.load_archive('', prune => NULL)$$);
SELECT public.fails($$SELECT * FROM migrate.load_archive('')$$);
SELECT public.fails($$SELECT * FROM migrate.load_archive(decode(repeat('00', 1024), 'hex'))$$);
SELECT public.fails($$SELECT * FROM migrate.load_archive('\x1f8b080000')$$);
SELECT public.fails($$SELECT * FROM migrate.load_archive(convert_to(repeat('PK', 600), 'UTF8'))$$);
SELECT public.fails(format('SELECT * FROM migrate.load_archive(%L)', '\x504b0304'::bytea || decode(repeat('00', 600), 'hex')));
SELECT public.fails($$SELECT * FROM migrate.load_archive('CREATE TABLE a (id int)')$$);
-- damaged: cut anywhere, or with a byte changed
CREATE FUNCTION public.one() RETURNS bytea LANGUAGE sql
	AS $$SELECT public.archive(public.file('0001_a.sql', 'CREATE TABLE a (id int)'))$$;
SELECT DISTINCT public.fails(format('SELECT * FROM migrate.load_archive(%L)', substr(public.one(), 1, n)))
  FROM unnest('{100, 512, 600, 1024, 1100}'::int[]) n ORDER BY 1;
SELECT public.fails(format('SELECT * FROM migrate.load_archive(%L)', set_byte(public.one(), 3, 50)));
SELECT public.fails(format('SELECT * FROM migrate.load_archive(%L)', set_byte(public.one(), 2047, 50)));
SELECT public.fails(format('SELECT * FROM migrate.load_archive(%L)', public.one() || public.one()));
-- hostile
SELECT public.load_fails(public.file('/etc/0001_a.sql', ''));
SELECT public.load_fails(public.file('a/../../0001_a.sql', ''));
SELECT public.load_fails(public.file('..', ''));
SELECT public.load_fails(public.member('0001_a.sql', type => '2', link => '/etc/passwd'));
SELECT public.load_fails(public.member('0001_a.sql', type => '1', link => 'b.sql'));
SELECT public.load_fails(public.member('0001_a.sql', type => '1', link => '../b.sql'));
SELECT public.load_fails(public.member('0001_a.sql', type => 'S'));
SELECT public.load_fails(public.member('0001_a.sql', type => 'M'));
SELECT public.load_fails(public.member('', 'SELECT 1'));
SELECT public.load_fails(public.file(E'0001_a\n.sql', ''));
SELECT public.load_fails(public.member('x', public.pax('GNU.sparse.major', '1'), 'x'), public.file('0001_a.sql', ''));
SELECT public.load_fails(public.member('x', E'999 path=a\n', 'x'), public.file('0001_a.sql', ''));
SELECT public.load_fails(public.member('x', E'9 path=a\n9', 'x'), public.file('0001_a.sql', ''));
SELECT public.load_fails(public.member('x', E'8 patha\n', 'x'), public.file('0001_a.sql', ''));
SELECT public.load_fails(public.member('x', public.pax('size', '99999999999'), 'x'), public.file('0001_a.sql', ''));
SELECT public.load_fails(public.member('x', public.pax('size', '-12'), 'x'), public.file('0001_a.sql', ''));
SELECT public.load_fails(public.member('x', decode('313120706174683d61ff0a', 'hex'), 'x'), public.file('0001_a.sql', ''));
SELECT public.load_fails(public.member('L', convert_to(repeat('x', 5000), 'UTF8'), 'L'), public.file('0001_a.sql', ''));


-- ---------------------------------------------------------------------------
-- Folders of the server; the path is relative to the data directory
-- ---------------------------------------------------------------------------
SET migrate.scope = 'folder';
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; mkdir -p migrate_load/2_b/deep migrate_load/.hidden migrate_outside';
COPY (SELECT 'SELECT 1') TO PROGRAM 'cat > migrate_load/1_a.sql';
COPY (SELECT 'SELECT 2') TO PROGRAM 'tee migrate_load/2_b/up.sql > migrate_load/2_b/deep/3_c.up.sql';
COPY (SELECT 'SELECT -2') TO PROGRAM 'tee migrate_load/2_b/down.sql > migrate_load/.hidden/9_z.sql';
COPY (SELECT 'SELECT 4') TO PROGRAM 'tee migrate_load/README > migrate_outside/4_d.sql';
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; cd migrate_load; ln -s ../migrate_outside link; ln -s ../migrate_outside/4_d.sql 5_e.sql; ln -s nowhere dead';
SELECT * FROM migrate.load_directory('migrate_load/');
SELECT version, name, up, down, origin FROM public.registry;
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm migrate_load/1_a.sql';
SELECT * FROM migrate.load_directory('./migrate_load', prune => true);
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; cd migrate_load; ln -s nowhere 6_f.sql';
SELECT public.fails($$SELECT * FROM migrate.load_directory('migrate_load')$$);
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm -r migrate_load migrate_outside; mkdir migrate_load';
SELECT public.fails($$SELECT * FROM migrate.load_directory('migrate_load')$$);
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm -r migrate_load';
SELECT public.fails($$SELECT * FROM migrate.load_directory('migrate_load')$$);
SELECT public.fails($$SELECT * FROM migrate.load_directory('PG_VERSION')$$);
SELECT public.fails($$SELECT * FROM migrate.load_directory(NULL)$$);
SELECT public.fails($$SELECT * FROM migrate.load_directory('')$$);
SELECT public.fails($$SELECT * FROM migrate.load_directory(repeat('x', 5000))$$);
RESET migrate.scope;
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA migrate TO regress_reader;
SET ROLE regress_reader;
SELECT public.fails($$SELECT * FROM migrate.load_directory('migrate_load')$$);
RESET ROLE;
GRANT pg_read_server_files TO regress_reader;
SET ROLE regress_reader;
SELECT public.fails($$SELECT * FROM migrate.load_directory('migrate_load')$$);
RESET ROLE;
REVOKE USAGE ON SCHEMA migrate FROM regress_reader;
DROP ROLE regress_reader;

DROP FUNCTION public.fails, public.octal, public.pax, public.member, public.file, public.archive, public.load_fails, public.two, public.one;
DROP VIEW public.registry;
DROP EXTENSION migrate;
