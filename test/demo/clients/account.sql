\set customer random(1, 20000)
SELECT o.id, o.status, o.placed_at, count(*) AS lines, sum(i.quantity * i.price_cents) AS cents
  FROM shop.orders o JOIN shop.order_items i ON i.order_id = o.id
 WHERE o.customer_id = :customer
 GROUP BY o.id ORDER BY o.placed_at DESC LIMIT 10;
