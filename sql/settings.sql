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
