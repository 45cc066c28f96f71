\set order random(1, :orders)
UPDATE shop.orders SET status = 'paid' WHERE id = :order AND status = 'new';
