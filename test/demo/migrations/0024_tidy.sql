-- Settings and blocks mean what they would mean in psql.
-- migrate:up
SET statement_timeout = '5min';
BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE shop.addresses ADD COLUMN IF NOT EXISTS zip text;
ALTER TABLE shop.addresses ADD CONSTRAINT addresses_zip_check CHECK (zip <> '') NOT VALID;
COMMIT;
ALTER TABLE shop.addresses VALIDATE CONSTRAINT addresses_zip_check;
VACUUM (ANALYZE) shop.addresses;
-- migrate:down
ALTER TABLE shop.addresses DROP COLUMN zip;
