-- Settings: names, bounds, units, and the syntax of migrate.window
LOAD 'migrate';
SELECT name, setting, unit, vartype, context, min_val, max_val, enumvals
FROM pg_settings WHERE name LIKE 'migrate.%' ORDER BY name;
SELECT name FROM pg_settings WHERE name LIKE 'migrate.%' AND (short_desc IS NULL OR short_desc NOT LIKE '%.');

-- units and bounds
SET migrate.stall_limit = '200ms';
SHOW migrate.stall_limit;
\set VERBOSITY sqlstate
SET migrate.stall_limit = 0;
\set VERBOSITY default
SET migrate.keep_dropped = '1h';
SHOW migrate.keep_dropped;
SET migrate.low_bloat = 'maybe';
SET migrate.max_slot_wal = '2GB';
SHOW migrate.max_slot_wal;
SET migrate.ignore_replicas = 'replica-1, "Other One"';
SHOW migrate.ignore_replicas;
SET migrate.ignore_replicas = 'a,,b';
SET migrate.scope = 'shop';
SET migrate.scope = E'a\nb';
SELECT set_config('migrate.scope', repeat('x', 201), false);
-- the prefix is reserved
SET migrate.no_such = 1;

-- windows
SET migrate."window" = 'Mon-Fri 22:00-06:00 Europe/Berlin';
SET migrate."window" = '22:00-06:00';
SET migrate."window" = '9:30-24:00 UTC';
SET migrate."window" = 'mon,WEDNESDAY,fri-sun 00:00-24:00; Tue 01:00-02:00 America/New_York;';
SET migrate."window" = ' Sat - Mon 1:00 - 2:00 ';
SHOW migrate."window";
SET migrate."window" = '';
SET migrate."window" = 'Mo 22:00-06:00';
SET migrate."window" = 'Mon- 22:00-06:00';
SET migrate."window" = 'Mon-Fri';
SET migrate."window" = '22-06';
SET migrate."window" = '22:60-23:00';
SET migrate."window" = '22:00-24:01';
SET migrate."window" = '22:00-';
SET migrate."window" = '22:00-22:00';
SET migrate."window" = '24:00-06:00';
SET migrate."window" = '22:00-06:00 Nowhere/Land';
SET migrate."window" = '22:00-06:00, 10:00-11:00';
SHOW migrate."window";

-- an ordinary role may set them, for itself and in its options
CREATE ROLE regress_settings;
SET ROLE regress_settings;
SET migrate.workers = 2;
ALTER ROLE regress_settings SET migrate.workers = 3;
RESET ROLE;
DROP ROLE regress_settings;

-- options of a migration
CREATE EXTENSION migrate;
SELECT migrate.register('1', 'SELECT 1', options => '{"workers": 2, "stall_limit": "1s", "low_bloat": "on", "keep_columns": true,
	"window": "22:00-06:00", "transaction": "as_written", "sync": {"public.t.a": {"up": "a::text", "down": "a::int"}, "public.t.b": {"up": "b"}}}');
SELECT migrate.register('2', 'SELECT 1', options => '{}');
SELECT migrate.register('3', 'SELECT 1', options => '[1]');
SELECT migrate.register('3', 'SELECT 1', options => '1');
SELECT migrate.register('3', 'SELECT 1', options => '{"worker": 2}');
SELECT migrate.register('3', 'SELECT 1', options => '{"Workers": 2}');
SELECT migrate.register('3', 'SELECT 1', options => '{"migrate.workers": 2}');
SELECT migrate.register('3', 'SELECT 1', options => '{"something": 2}');
SELECT migrate.register('3', 'SELECT 1', options => '{"scope": "other"}');
SELECT migrate.register('3', 'SELECT 1', options => '{"workers": "many"}');
SELECT migrate.register('3', 'SELECT 1', options => '{"workers": null}');
SELECT migrate.register('3', 'SELECT 1', options => '{"workers": [2]}');
SELECT migrate.register('3', 'SELECT 1', options => '{"low_bloat": "maybe"}');
SELECT migrate.register('3', 'SELECT 1', options => '{"window": "at night"}');
SELECT migrate.register('3', 'SELECT 1', options => '{"transaction": "never"}');
SELECT migrate.register('3', 'SELECT 1', options => '{"transaction": 1}');
SELECT migrate.register('3', 'SELECT 1', options => '{"sync": 1}');
SELECT migrate.register('3', 'SELECT 1', options => '{"sync": {"a": 1}}');
SELECT migrate.register('3', 'SELECT 1', options => '{"sync": {"a": {"sideways": "b"}}}');
SELECT migrate.register('3', 'SELECT 1', options => '{"sync": {"a": {"up": 1}}}');
SELECT version FROM migrate.migrations;

-- Layers: options over the session's settings over those of the role; a
-- migration's own SQL sees the owner's role settings, nothing of the caller's.
CREATE ROLE regress_settings;
GRANT USAGE ON SCHEMA migrate TO regress_settings;
ALTER ROLE regress_settings SET migrate.batch_pause = '3s';
ALTER ROLE regress_settings SET migrate.batch_time = '3s';
ALTER ROLE regress_settings SET migrate.small_table = '3MB';
ALTER ROLE regress_settings SET work_mem = '3MB';
CREATE TABLE seen (name text, setting text);
GRANT INSERT ON seen TO regress_settings;
SET ROLE regress_settings;
SELECT migrate.register('4', $$INSERT INTO public.seen SELECT n, current_setting(n) FROM unnest('{migrate.batch_pause, migrate.batch_time,
	migrate.small_table, migrate.workers, migrate.scope, work_mem, DateStyle, search_path}'::text[]) n$$,
	options => '{"batch_time": "5s", "workers": 5}');
RESET ROLE;
SET migrate.batch_pause = '4s';
SET migrate.batch_time = '4s';
SET work_mem = '4MB';
SET DateStyle = 'SQL, DMY';
CALL migrate.apply();
TABLE seen;

-- one that is judged before any run begins counts as well
SELECT migrate.register('3b', 'SELECT 1');
SET migrate.out_of_order = error;
CALL migrate.apply();
SET migrate.out_of_order = allow;
CALL migrate.apply();
RESET migrate.out_of_order;
DROP TABLE seen;
DROP EXTENSION migrate;
DROP SCHEMA migrate;
DROP ROLE regress_settings;
