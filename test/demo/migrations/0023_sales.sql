-- migrate:up
CREATE MATERIALIZED VIEW shop.sales AS
	SELECT p.category_id, count(*) AS items, sum(i.quantity * i.price_cents) AS cents
	  FROM shop.order_items i JOIN shop.products p ON p.id = i.product_id
	 GROUP BY p.category_id;
CREATE UNIQUE INDEX sales_key ON shop.sales (category_id);
-- migrate:down
DROP MATERIALIZED VIEW shop.sales;
