\set product random(1, 1000)
\set customer random(1, 20000)
SELECT name, price_cents, stock FROM shop.products WHERE id = :product;
INSERT INTO shop.visits (customer_id, page) VALUES (:customer, '/product/' || :product);
