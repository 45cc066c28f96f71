-- migrate:up
CREATE INDEX orders_day_idx ON shop.orders (((placed_at AT TIME ZONE 'UTC')::date), status);
ANALYZE shop.orders;
-- migrate:down
DROP INDEX shop.orders_day_idx;
