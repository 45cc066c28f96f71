-- migrate:up
CREATE OR REPLACE FUNCTION shop.order_total(bigint) RETURNS bigint LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(sum(i.quantity * i.price_cents), 0) * (100 - coalesce(max(v.percent), 0)) / 100
	  FROM shop.order_items i
	  JOIN shop.orders o ON o.id = i.order_id
	  LEFT JOIN shop.vouchers v ON v.code = o.voucher
	 WHERE i.order_id = $1;
END;
-- migrate:down
CREATE OR REPLACE FUNCTION shop.order_total(bigint) RETURNS bigint LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(sum(quantity * price_cents), 0) FROM shop.order_items WHERE order_id = $1;
END;
