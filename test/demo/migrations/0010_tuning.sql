-- migrate:up
ALTER TABLE shop.orders SET (fillfactor = 90);
ALTER TABLE shop.orders ALTER COLUMN customer_id SET STATISTICS 500;
COMMENT ON COLUMN shop.order_items.price_cents IS 'what the customer pays for one, at the time of the order';
-- migrate:down
COMMENT ON COLUMN shop.order_items.price_cents IS NULL;
ALTER TABLE shop.orders ALTER COLUMN customer_id SET STATISTICS -1;
ALTER TABLE shop.orders RESET (fillfactor);
