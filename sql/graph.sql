-- Which migration requires which: order, tips, printed graphs.
-- Rows are put into the registry directly: what is under test here is what
-- is made of them.
CREATE EXTENSION migrate;
SET search_path = pg_catalog;

CREATE PROCEDURE public.put(version text, requires text[] DEFAULT NULL, name text DEFAULT NULL,
						    state text DEFAULT 'pending', in_order boolean DEFAULT true)
	LANGUAGE sql
	AS $$INSERT INTO migrate_internal.migration (scope, version, requires, name, state, in_order,
			owner, registered_by, up, search_path, checksum, token_checksum, origin)
		VALUES (current_setting('migrate.scope'), version, requires, name, state, in_order,
			'nobody', 'nobody', '', '', '', '', 'register')$$;

-- nothing registered
SELECT * FROM migrate.heads();
SELECT migrate.graph();

-- A chain without a written requirement has one tip and no edges.  Digits
-- compare as numbers, whatever the collation.
CALL public.put('10');
CALL public.put('9');
CALL public.put('1');
CALL public.put('2');
SELECT * FROM migrate.heads();
SELECT migrate.graph();
DELETE FROM migrate_internal.migration;

-- branches and a merge; zeros in front do not count; a run stays outside
CALL public.put('0001', NULL, 'create users', 'applied');
CALL public.put('0002', '{1}', 'add "email"', 'expanded');
CALL public.put('0003', '{0001}', E'add\tphone & <fax>; #1', 'failed');
CALL public.put('0004', '{0003,0002,2}', 'merge');
CALL public.put('0005', NULL, 'after the merge');
CALL public.put('0006', '{}', 'on its own');
CALL public.put('run-20240101T031502-1', NULL, 'reindex', 'applied', false);
SELECT * FROM migrate.heads();
SELECT migrate.graph();
SELECT migrate.graph('dot');
SELECT migrate.graph('mermaid');

-- another scope is another graph
SET migrate.scope = 'billing';
CALL public.put('0001', NULL, 'invoices');
SELECT migrate.graph();
RESET migrate.scope;

-- a requirement may be higher; the order follows it
DELETE FROM migrate_internal.migration;
CALL public.put('0001');
CALL public.put('0002', '{0005}');
CALL public.put('0003', '{0001}');
CALL public.put('0005', '{0003}');
SELECT migrate.graph();
SELECT * FROM migrate.heads();

-- Circles: written ones, one of a single member, and one that is closed by a
-- requirement that nobody wrote.  Registration refuses them; here they are put
-- past it.
UPDATE migrate_internal.migration SET requires = '{0002}' WHERE version = '0003';
SELECT migrate.graph();
UPDATE migrate_internal.migration SET requires = '{0003}' WHERE version = '0003';
SELECT migrate.graph();
DELETE FROM migrate_internal.migration;
CALL public.put('0001');
CALL public.put('0002', '{0003}');
CALL public.put('0003');
CALL public.put('0004');
SELECT migrate.graph();
-- a long one is cut
DO $$
BEGIN
	FOR i IN 5..40 LOOP
		CALL public.put(to_char(i, 'FM0000'));
	END LOOP;
END $$;
UPDATE migrate_internal.migration SET requires = '{0039}' WHERE version = '0002';
SELECT migrate.graph();

-- what is required and not there
UPDATE migrate_internal.migration SET requires = '{0001,0041}' WHERE version = '0002';
SELECT migrate.graph();

-- bad input
SELECT migrate.graph('svg');
SELECT migrate.graph('');
SELECT migrate.graph(NULL);

-- 5,000 in a chain: no deep recursion, no square of 5,000
DELETE FROM migrate_internal.migration;
DO $$
BEGIN
	FOR i IN 1..5000 LOOP
		CALL public.put(i::text, CASE WHEN i % 2 = 0 THEN ARRAY[(i - 1)::text] END);
	END LOOP;
END $$;
SELECT cardinality(string_to_array(migrate.graph(), E'\n')) AS lines;
SELECT * FROM migrate.heads();
SET statement_timeout = '10s';
SELECT count(*) FROM generate_series(1, 20), migrate.heads();
RESET statement_timeout;

DROP PROCEDURE public.put;
DROP EXTENSION migrate;
