-- migrate:up
CREATE TABLE shop.addresses (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	customer_id bigint NOT NULL REFERENCES shop.customers ON DELETE CASCADE,
	street      text NOT NULL,
	city        text NOT NULL,
	country     char(2) NOT NULL DEFAULT 'DE'
);
CREATE INDEX ON shop.addresses (customer_id);
-- migrate:down
DROP TABLE shop.addresses;
