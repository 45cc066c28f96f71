-- migrate:up
CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'an online shop for bicycle parts';

CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.changed_at := now();
	RETURN NEW;
END
$$;
-- migrate:down
DROP FUNCTION shop.touch();
DROP SCHEMA shop;
