NOTICE:  2: step 1 of 6, sql
NOTICE:  2: step 1 of 6, sql
ERROR:  migration "2" is paused
QUERY:  select pg_sleep(1)
CONTEXT:  step 3 of migration 2, line 1
