-- migrate:up
INSERT INTO shop.categories (id, parent, name) VALUES
	(1, NULL, 'Parts'), (2, NULL, 'Clothing'), (3, 1, 'Brakes'), (4, 1, 'Wheels'), (5, 1, 'Drivetrain'), (6, 2, 'Gloves');
SELECT setval(pg_get_serial_sequence('shop.categories', 'id'), 6);
-- migrate:down
DELETE FROM shop.categories;
