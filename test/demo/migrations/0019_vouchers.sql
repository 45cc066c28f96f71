-- migrate:up
CREATE TABLE shop.vouchers (
	code     text PRIMARY KEY CHECK (code = upper(code)),
	percent  int NOT NULL CHECK (percent BETWEEN 1 AND 100),
	until    date
);
INSERT INTO shop.vouchers VALUES ('WELCOME', 10, NULL), ('SPRING', 15, '2031-05-31');
ALTER TABLE shop.orders ADD COLUMN voucher text;
-- migrate:down
ALTER TABLE shop.orders DROP COLUMN voucher;
DROP TABLE shop.vouchers;
