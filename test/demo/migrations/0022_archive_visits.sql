-- The oldest visits leave the table; the partition stays for the archive.
-- migrate:up
ALTER TABLE shop.visits DETACH PARTITION shop.visits_oldest;
COMMENT ON TABLE shop.visits_oldest IS 'to be archived';
-- migrate:down
COMMENT ON TABLE shop.visits_oldest IS NULL;
DO $$
DECLARE
	y int := extract(year FROM now());
BEGIN
	EXECUTE format('ALTER TABLE shop.visits ATTACH PARTITION shop.visits_oldest FOR VALUES FROM (%L) TO (%L)',
				   make_date(y - 2, 1, 1), make_date(y - 1, 1, 1));
END
$$;
