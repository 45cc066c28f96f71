BEGIN;
SELECT status, count(*) FROM shop.orders GROUP BY status;
SELECT pg_sleep(2.5);
COMMIT;
\sleep 1500 ms
