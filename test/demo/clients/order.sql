\set customer random(1, 20000)
\set one random(1, 500)
\set two random(501, 1000)
BEGIN;
INSERT INTO shop.orders (customer_id) VALUES (:customer) RETURNING id AS order_id \gset
INSERT INTO shop.order_items (order_id, line, product_id, quantity, price_cents)
	SELECT :order_id, row_number() OVER (), id, 1, price_cents FROM shop.products WHERE id IN (:one, :two);
UPDATE shop.products SET stock = stock - 1 WHERE id = :one;
COMMIT;
