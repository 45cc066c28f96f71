-- Which orders hold a product?  A million rows have to be indexed.
-- migrate:up
CREATE INDEX order_items_product_idx ON shop.order_items (product_id) INCLUDE (quantity);
