-- migrate:up
CREATE TYPE shop.channel AS ENUM ('web', 'app', 'phone');
ALTER TABLE shop.orders ADD COLUMN channel shop.channel NOT NULL DEFAULT 'web';
-- migrate:down
ALTER TABLE shop.orders DROP COLUMN channel;
DROP TYPE shop.channel;
