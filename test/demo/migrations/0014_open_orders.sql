-- migrate:up
CREATE INDEX CONCURRENTLY orders_open_idx ON shop.orders (placed_at) WHERE status IN ('new', 'paid');
COMMENT ON INDEX shop.orders_open_idx IS 'what the warehouse looks at';
-- migrate:down
DROP INDEX CONCURRENTLY shop.orders_open_idx;
