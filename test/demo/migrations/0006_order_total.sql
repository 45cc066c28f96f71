-- migrate:up
CREATE FUNCTION shop.order_total(bigint) RETURNS bigint LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(sum(quantity * price_cents), 0) FROM shop.order_items WHERE order_id = $1;
END;

CREATE VIEW shop.recent_orders AS
	SELECT o.id, o.customer_id, c.name, o.status, o.placed_at, shop.order_total(o.id) AS total_cents
	  FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id
	 WHERE o.placed_at > now() - interval '30 days';
-- migrate:down
DROP VIEW shop.recent_orders;
DROP FUNCTION shop.order_total(bigint);
