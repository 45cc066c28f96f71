-- What three years of business have left: a million order lines.
-- psql variable "orders": how many orders, of four lines each.
BEGIN;
SELECT setseed(0.5);
INSERT INTO shop.customers (id, email, name)
	SELECT i, 'customer' || i || '@example.com', 'Customer ' || i FROM generate_series(1, 20000) i;
INSERT INTO shop.products (id, category_id, name, price_cents, stock)
	SELECT i, 3 + i % 4, (ARRAY['Brake pad', 'Rim', 'Chain', 'Glove'])[1 + i % 4] || ' no. ' || i, 500 + i * 7 % 9000, 1000000
	FROM generate_series(1, 1000) i;
INSERT INTO shop.orders (id, customer_id, status, placed_at)
	SELECT i, 1 + i * 7919 % 20000, CASE WHEN i % 50 = 0 THEN 'new' WHEN i % 50 = 1 THEN 'cancelled' ELSE 'sent' END::shop.order_status,
		   now() - (:orders - i) * (interval '3 years' / :orders)
	FROM generate_series(1, :orders) i;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, price_cents)
	SELECT o, l, 1 + (o * 31 + l * 277) % 1000, 1 + (o + l) % 3, 500 + (o * 31 + l * 277) % 9000
	FROM generate_series(1, :orders) o, generate_series(1, 4) l;
INSERT INTO shop.addresses (customer_id, street, city)
	SELECT i, 'Mill Lane ' || i, 'Bath' FROM generate_series(1, 20000) i;
INSERT INTO shop.visits (customer_id, page, at)
	SELECT 1 + i % 20000, '/product/' || i % 1000, date_trunc('year', now()) - interval '2 years' + i * interval '10 minutes'
	FROM generate_series(1, 100000) i;
SELECT setval(pg_get_serial_sequence('shop.customers', 'id'), 20000),
	   setval(pg_get_serial_sequence('shop.products', 'id'), 1000),
	   setval(pg_get_serial_sequence('shop.orders', 'id'), :orders);
COMMIT;
VACUUM ANALYZE;
