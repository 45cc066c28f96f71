-- Everything that such a tool has in place while it fills: the copy, its check,
-- the flag, a view for the new shape, a trigger for each direction.
ALTER TABLE t ADD COLUMN tmp text, ADD CONSTRAINT tmp_given CHECK (tmp IS NOT NULL) NOT VALID,
	ADD COLUMN flag boolean DEFAULT true;
DROP SCHEMA IF EXISTS public_02 CASCADE;
CREATE SCHEMA public_02;
CREATE VIEW public_02.t WITH (security_invoker = true) AS SELECT id, balance, note, tmp AS name FROM t;

CREATE OR REPLACE FUNCTION peer_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	id t.id%TYPE := NEW.id;
	name t.name%TYPE := NEW.name;
	balance t.balance%TYPE := NEW.balance;
	note t.note%TYPE := NEW.note;
	unused text;
	path text;
BEGIN
	SELECT current_setting INTO path FROM current_setting('search_path');
	IF path <> 'public_02' THEN
		NEW.tmp := (CASE WHEN name IS NULL THEN 'placeholder' ELSE name END);
		NEW.flag := false;
	END IF;
	RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION peer_down() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	id t.id%TYPE := NEW.id;
	name t.tmp%TYPE := NEW.tmp;
	balance t.balance%TYPE := NEW.balance;
	note t.note%TYPE := NEW.note;
	unused text;
	path text;
BEGIN
	SELECT current_setting INTO path FROM current_setting('search_path');
	IF path = 'public_02' THEN
		NEW.name := (name);
		NEW.flag := false;
	END IF;
	RETURN NEW;
END $$;

CREATE TRIGGER peer_up BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION peer_up();
CREATE TRIGGER peer_down BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION peer_down();
