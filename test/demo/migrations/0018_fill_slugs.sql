-- migrate:up
UPDATE shop.products SET slug = shop.slug(name, id) WHERE slug IS NULL;
CREATE UNIQUE INDEX CONCURRENTLY products_slug_key ON shop.products (slug);
-- migrate:down
DROP INDEX CONCURRENTLY shop.products_slug_key;
UPDATE shop.products SET slug = NULL;
-- migrate:verify
SELECT count(*) = 0 FROM shop.products WHERE slug IS NULL;
