-- migrate:up
ALTER TABLE shop.products ADD COLUMN slug text;

CREATE FUNCTION shop.slug(name text, id int) RETURNS text LANGUAGE sql IMMUTABLE STRICT
	RETURN trim(BOTH '-' FROM regexp_replace(lower(name), '[^a-z0-9]+', '-', 'g')) || '-' || id;

CREATE FUNCTION shop.set_slug() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.slug := coalesce(NEW.slug, shop.slug(NEW.name, NEW.id));
	RETURN NEW;
END
$$;
CREATE TRIGGER set_slug BEFORE INSERT OR UPDATE ON shop.products
	FOR EACH ROW EXECUTE FUNCTION shop.set_slug();
-- migrate:down
DROP TRIGGER set_slug ON shop.products;
DROP FUNCTION shop.set_slug();
DROP FUNCTION shop.slug(text, int);
ALTER TABLE shop.products DROP COLUMN slug;
