-- A new value of an enum cannot be used in the transaction that adds it.
-- migrate:up
ALTER TYPE shop.order_status ADD VALUE 'refunded' AFTER 'sent';
CREATE INDEX CONCURRENTLY orders_refunded_idx ON shop.orders (id) WHERE status = 'refunded';
CREATE VIEW shop.refunds AS SELECT id, customer_id, placed_at FROM shop.orders WHERE status = 'refunded';
-- migrate:down
DROP VIEW shop.refunds;
DROP INDEX CONCURRENTLY shop.orders_refunded_idx;
