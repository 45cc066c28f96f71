-- migrate:up
CREATE INDEX CONCURRENTLY orders_day_idx ON shop.orders (((placed_at AT TIME ZONE 'UTC')::date), status);
ANALYZE shop.orders;
-- migrate:down
DROP INDEX CONCURRENTLY shop.orders_day_idx;
