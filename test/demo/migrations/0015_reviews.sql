-- migrate:up
CREATE TABLE shop.reviews (
	product_id  int NOT NULL REFERENCES shop.products,
	customer_id bigint NOT NULL REFERENCES shop.customers,
	stars       smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
	body        text,
	written_at  timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (product_id, customer_id)
);
ALTER TABLE shop.products ADD COLUMN rating numeric(3, 2);

CREATE FUNCTION shop.rate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE shop.products p
	   SET rating = (SELECT avg(stars) FROM shop.reviews r WHERE r.product_id = p.id)
	 WHERE p.id = NEW.product_id;
	RETURN NULL;
END
$$;
CREATE TRIGGER rate AFTER INSERT OR UPDATE ON shop.reviews
	FOR EACH ROW EXECUTE FUNCTION shop.rate();
-- migrate:down
DROP TABLE shop.reviews;
DROP FUNCTION shop.rate();
ALTER TABLE shop.products DROP COLUMN rating;
-- migrate:verify
SELECT count(*) = 0 FROM shop.products WHERE rating NOT BETWEEN 1 AND 5;
