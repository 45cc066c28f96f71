-- migrate:up
CREATE TABLE shop.visits (
	customer_id bigint,
	page        text NOT NULL,
	at          timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (at);

-- one partition for each of the last two years, one for what comes
DO $$
DECLARE
	y int := extract(year FROM now());
BEGIN
	FOR i IN y - 2 .. y - 1 LOOP
		EXECUTE format('CREATE TABLE shop.%I PARTITION OF shop.visits FOR VALUES FROM (%L) TO (%L)',
					   'visits_' || CASE WHEN i = y - 2 THEN 'oldest' ELSE 'last_year' END,
					   make_date(i, 1, 1), make_date(i + 1, 1, 1));
	END LOOP;
	EXECUTE format('CREATE TABLE shop.visits_now PARTITION OF shop.visits FOR VALUES FROM (%L) TO (MAXVALUE)',
				   make_date(y, 1, 1));
END
$$;
-- migrate:down
DROP TABLE shop.visits;
