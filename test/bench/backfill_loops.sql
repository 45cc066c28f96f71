-- What a careful hand writes: ranges of the key, a transaction each.
CREATE PROCEDURE loop_key() LANGUAGE plpgsql AS $$
DECLARE
	last bigint := 0;
	bound bigint;
BEGIN
	LOOP
		SELECT max(id) INTO bound FROM (SELECT id FROM t WHERE id > last ORDER BY id LIMIT 1000) s;
		EXIT WHEN bound IS NULL;
		UPDATE t SET balance = balance + 1 WHERE id > last AND id <= bound;
		COMMIT;
		last := bound;
	END LOOP;
END $$;

-- What is found in most recipes: whatever is not filled yet.
CREATE PROCEDURE loop_in() LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	LOOP
		UPDATE t SET note = 'x' WHERE id IN (SELECT id FROM t WHERE note IS NULL LIMIT 1000);
		GET DIAGNOSTICS n = ROW_COUNT;
		EXIT WHEN n = 0;
		COMMIT;
	END LOOP;
END $$;

-- As a tool with a flag column does it: up to 1,000 flagged keys behind the
-- last one, each row set to itself so that its trigger fills it.
CREATE PROCEDURE peer_fill() LANGUAGE plpgsql AS $$
DECLARE
	last bigint;
BEGIN
	LOOP
		EXECUTE 'WITH batch AS (SELECT id FROM t WHERE flag'
			|| CASE WHEN last IS NULL THEN '' ELSE format(' AND (id) > (%L)', last) END
			|| ' ORDER BY id LIMIT 1000 FOR NO KEY UPDATE),'
			|| ' changed AS (UPDATE t SET id = t.id FROM batch WHERE t.id = batch.id RETURNING t.id)'
			|| ' SELECT last_value(id) OVER () FROM changed' INTO last;
		EXIT WHEN last IS NULL;
		COMMIT;
	END LOOP;
END $$;
