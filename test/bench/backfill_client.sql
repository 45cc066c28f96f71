\set id random(1, :rows)
\set other random(1, :rows)
BEGIN;
UPDATE t SET name = 'changed' WHERE id = :id;
SELECT * FROM t WHERE id = :other;
COMMIT;
