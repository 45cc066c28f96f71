-- migrate:up
CREATE TABLE shop.stock_changes (
	product_id int NOT NULL REFERENCES shop.products,
	change     int NOT NULL,
	at         timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION shop.note_stock() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
	IF NEW.stock <> OLD.stock THEN
		EXECUTE format($sql$INSERT INTO %I.stock_changes VALUES ($1, $2)$sql$, TG_TABLE_SCHEMA)
			USING NEW.id, NEW.stock - OLD.stock;
	END IF;
	RETURN NULL;
END
$body$;

CREATE TRIGGER note_stock AFTER UPDATE OF stock ON shop.products
	FOR EACH ROW EXECUTE FUNCTION shop.note_stock();
-- migrate:down
DROP TRIGGER note_stock ON shop.products;
DROP FUNCTION shop.note_stock();
DROP TABLE shop.stock_changes;
