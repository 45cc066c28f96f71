-- migrate:up
CREATE INDEX visits_now_customer_idx ON shop.visits_now (customer_id, at);
