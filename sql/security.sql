-- A migration runs with the rights of its owner and no more, whoever calls
-- apply.  Here a superuser applies what others have registered: a role that
-- may not log in (before 17 its worker is a superuser's session) and one that
-- may.
\set VERBOSITY sqlstate
SET client_min_messages = error;
CREATE EXTENSION migrate;
CREATE ROLE regress_root SUPERUSER;
CREATE ROLE regress_mallory NOLOGIN;
CREATE ROLE regress_eve LOGIN;
CREATE ROLE regress_victim;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_mallory, regress_eve', current_database()) \gexec
GRANT USAGE ON SCHEMA migrate TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;

-- whoever is caught running somebody's code is written down here
CREATE TABLE caught (who text, what text);
GRANT ALL ON caught TO PUBLIC;
CREATE TABLE victim (id int PRIMARY KEY, a int);
INSERT INTO victim VALUES (1, 1);
CREATE INDEX victim_both ON victim (id, a);
ALTER TABLE victim OWNER TO regress_victim;

-- ---------------------------------------------------------------------------
-- Becoming somebody else
-- ---------------------------------------------------------------------------
CREATE TABLE attack (n serial, sql text);
INSERT INTO attack (sql) VALUES
	('ALTER ROLE regress_mallory SUPERUSER; ALTER ROLE regress_eve SUPERUSER'),
	('RESET ROLE; ALTER ROLE CURRENT_USER SUPERUSER'),
	('RESET SESSION AUTHORIZATION; ALTER ROLE CURRENT_USER SUPERUSER'),
	('SET ROLE regress_root'),
	('SET LOCAL ROLE NONE; ALTER ROLE CURRENT_USER SUPERUSER'),
	('BEGIN; SET LOCAL ROLE NONE; ALTER ROLE CURRENT_USER SUPERUSER; COMMIT'),
	('SET SESSION AUTHORIZATION DEFAULT; ALTER ROLE CURRENT_USER SUPERUSER'),
	('SET SESSION AUTHORIZATION regress_root'),
	('DISCARD ALL; ALTER ROLE CURRENT_USER SUPERUSER'),
	('RESET ALL; ALTER ROLE CURRENT_USER SUPERUSER'),
	('SELECT set_config(''role'', ''regress_root'', false)'),
	('SELECT set_config(''role'', ''none'', false); ALTER ROLE CURRENT_USER SUPERUSER'),
	('SELECT set_config(''session_authorization'', ''regress_root'', false)'),
	('UPDATE pg_settings SET setting = ''replica'' WHERE name = ''session_replication_role'''),
	('DO $$BEGIN COMMIT; SET ROLE regress_root; END$$'),
	('DO $$BEGIN COMMIT; RESET ROLE; ALTER ROLE CURRENT_USER SUPERUSER; END$$'),
	('DO $$BEGIN ROLLBACK; ALTER ROLE CURRENT_USER SUPERUSER; END$$'),
	('DO $$BEGIN BEGIN SET ROLE regress_root; EXCEPTION WHEN OTHERS THEN NULL; END; ALTER ROLE CURRENT_USER SUPERUSER; END$$'),
	('COPY caught TO PROGRAM ''true'''),
	('COPY caught TO ''/tmp/regress_migrate'''),
	('COPY caught FROM PROGRAM ''echo x,y'''),
	('ALTER SYSTEM SET work_mem = ''1MB'''),
	('SELECT pg_read_file(''PG_VERSION'')'),
	('SELECT pg_reload_conf()'),
	('CREATE FUNCTION f() RETURNS int LANGUAGE c AS ''migrate'', ''mig_apply'''),
	('CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()'),
	('SET session_replication_role = replica'),
	('LOAD ''plpgsql.so'''),
	('GRANT regress_root TO CURRENT_USER'),
	('DROP ROLE regress_victim'),
	('CREATE DATABASE regress_db'),
	('ALTER TABLE victim ADD COLUMN b int'),
	('ALTER TABLE victim OWNER TO CURRENT_USER'),
	('DROP TABLE victim'),
	('UPDATE victim SET a = 2'),
	('CREATE INDEX CONCURRENTLY victim_a ON victim (a)'),
	('DROP INDEX CONCURRENTLY victim_both'),
	('REINDEX TABLE victim'),
	('DROP EXTENSION migrate'),
	('DELETE FROM migrate_internal.migration'),
	('UPDATE migrate_internal.migration SET owner = ''regress_root'''),
	('INSERT INTO migrate_internal.granted_right VALUES (''regress_root'', ''regress_mallory'', ''apply'', ''x'')'),
	('INSERT INTO migrate.rights VALUES (''regress_root'', ''apply'', ''regress_mallory'', ''x'', now())'),
	('UPDATE migrate.status SET state = ''pending'''),
	('DELETE FROM migrate_internal.request'),
	('SELECT setval(''migrate_internal.run_id'', 1)'),
	('CREATE TRIGGER t BEFORE INSERT ON migrate_internal.event EXECUTE FUNCTION suppress_redundant_updates_trigger()'),
	('CREATE FUNCTION migrate.apply(text) RETURNS void LANGUAGE sql AS '''''),
	('ALTER FUNCTION migrate.pause(text) OWNER TO CURRENT_USER'),
	('SELECT migrate.grant_right(''apply'', ''regress_mallory'', ''regress_root'')');

-- each: registered by the role, applied by the superuser
SELECT format('SET ROLE %I', r),
	format('SELECT migrate.register(%L, %L, requires => %L)', format('attack %s by %s', n, r), sql, '{}'),
	'RESET ROLE',
	format('CALL migrate.apply(%L, complete => true)', format('attack %s by %s', n, r))
FROM attack, unnest('{regress_mallory, regress_eve}'::text[]) r
ORDER BY r, n \gexec

-- all have been begun, and none has come to its end
SELECT owner, state, sqlstate, count(*) FROM migrate_internal.migration GROUP BY owner, state, sqlstate ORDER BY owner;
SELECT rolname, rolsuper FROM pg_roles WHERE rolname ~ '^regress_' ORDER BY 1;
SELECT * FROM victim;
SELECT * FROM caught;

-- ---------------------------------------------------------------------------
-- What runs later than the statement that leaves it behind
-- ---------------------------------------------------------------------------
CREATE SEQUENCE public.alarm;	-- stays, though all else be rolled back
GRANT ALL ON SEQUENCE alarm TO PUBLIC;
CREATE FUNCTION public.trap(what text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.caught VALUES (current_user, what);
	IF current_user NOT IN ('regress_mallory', 'regress_eve') THEN
		PERFORM pg_catalog.nextval('public.alarm');
	END IF;
	RETURN 1;
END $$;
CREATE FUNCTION public.trap_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM public.trap(TG_ARGV[0]);
	RETURN NULL;
END $$;

TRUNCATE attack RESTART IDENTITY;
INSERT INTO attack (sql) VALUES
	-- a deferred trigger fires at COMMIT
	('CREATE TEMP TABLE mine (id int);
	  CREATE CONSTRAINT TRIGGER later AFTER INSERT ON mine DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.trap_trigger(''deferred trigger'');
	  INSERT INTO mine VALUES (1)'),
	-- one that an event or a request of ours might fire
	('CREATE TEMP TABLE event (id int); CREATE TEMP TABLE migration (id int); CREATE TEMP TABLE step (id int); CREATE TEMP TABLE run (id int);
	  CREATE TRIGGER t AFTER INSERT OR UPDATE ON event FOR EACH STATEMENT EXECUTE FUNCTION public.trap_trigger(''table of our name'');
	  SELECT public.trap(''temporary tables'')'),
	-- a cursor that is read at COMMIT
	('BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT public.trap(''held cursor''); COMMIT'),
	-- ON COMMIT, with a trigger on what it empties
	('CREATE TEMP TABLE gone (id int) ON COMMIT DELETE ROWS; INSERT INTO gone VALUES (1); SELECT public.trap(''on commit'')'),
	-- a function that runs as its owner
	('CREATE FUNCTION pg_temp.definer() RETURNS int LANGUAGE sql SECURITY DEFINER AS ''SELECT public.trap(''''security definer'''')''; SELECT pg_temp.definer()'),
	-- a DO block that commits
	('DO $$BEGIN PERFORM public.trap(''before commit''); COMMIT; PERFORM public.trap(''after commit''); END$$'),
	-- default, generated column, index, check, policy
	('CREATE SCHEMA AUTHORIZATION CURRENT_USER; CREATE FUNCTION pure(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM public.trap(''index''); RETURN $1; END$$;
	  CREATE TABLE other (id int DEFAULT public.trap(''default''), CHECK (public.trap(''check'') = 1)); INSERT INTO other DEFAULT VALUES;
	  CREATE INDEX CONCURRENTLY other_pure ON other (pure(id))'),
	-- a prepared statement, a listener, a setting that outlives its migration
	('PREPARE select_ AS SELECT public.trap(''prepared''); EXECUTE select_'),
	('SET search_path = public, pg_catalog; SELECT public.trap(''search path'')'),
	('ALTER ROLE CURRENT_USER SET search_path = public, pg_catalog; SELECT public.trap(''search path of the role'')');
SELECT format('SET ROLE %I', r),
	format('SELECT migrate.register(%L, %L, requires => %L)', format('late %s by %s', n, r), sql, '{}'),
	'RESET ROLE',
	format('CALL migrate.apply(%L)', format('late %s by %s', n, r))
FROM attack, unnest('{regress_mallory, regress_eve}'::text[]) r
ORDER BY r, n \gexec
SELECT version, state FROM migrate.status WHERE version LIKE 'late%' AND state <> 'applied';
-- "what" was run, and nobody but its owner has run it
SELECT what, count(*) AS times, string_agg(DISTINCT who, ', ' ORDER BY who) AS who
FROM caught GROUP BY what ORDER BY what;
TRUNCATE caught;
ALTER ROLE regress_mallory RESET ALL;
ALTER ROLE regress_eve RESET ALL;

-- settings of a role that name another one: who may store them may not use them
SET ROLE regress_mallory;
ALTER ROLE regress_mallory SET role = regress_root;
ALTER ROLE regress_mallory SET session_authorization = regress_root;
SET ROLE regress_eve;
ALTER ROLE regress_eve SET role = regress_root;
RESET ROLE;
SELECT format('SET ROLE %I', r),
	format('SELECT migrate.register(%L, %L, requires => %L)', 'setting by ' || r, 'SELECT public.trap(''role setting'')', '{}'),
	'RESET ROLE',
	format('CALL migrate.apply(%L)', 'setting by ' || r)
FROM unnest('{regress_mallory, regress_eve}'::text[]) r ORDER BY r \gexec
SELECT what, count(*) AS times, string_agg(DISTINCT who, ', ' ORDER BY who) AS who
FROM caught GROUP BY what ORDER BY what;
TRUNCATE caught;
ALTER ROLE regress_mallory RESET ALL;
ALTER ROLE regress_eve RESET ALL;

-- SQL without a version is the caller's
SET ROLE regress_mallory;
CALL migrate.run('ALTER ROLE regress_mallory SUPERUSER');
RESET ROLE;

-- verify and down are the owner's too
SET ROLE regress_mallory;
SELECT migrate.register('verified', 'SELECT public.trap(''up'')', 'SELECT public.trap(''down'')',
	verify => 'SELECT current_user = ''regress_mallory''', requires => '{}');
RESET ROLE;
CALL migrate.apply('verified');
CALL migrate.rollback('verified');
SELECT what, who FROM caught ORDER BY what;
TRUNCATE caught;

-- ---------------------------------------------------------------------------
-- Looking at somebody's SQL must not run it as whoever looks
-- ---------------------------------------------------------------------------
SET ROLE regress_mallory;
CREATE FUNCTION public.folded(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM public.trap('folded');
	RETURN $1;
END $$;
CREATE TABLE public.bait (id int, a int);
SELECT migrate.register('bait', $$
	ALTER TABLE public.bait ALTER COLUMN a TYPE bigint USING public.folded(1);
	ALTER TABLE public.bait ALTER COLUMN a SET DEFAULT public.folded(1);
	ALTER TABLE public.bait ADD COLUMN b int DEFAULT public.folded(1);
	ALTER TABLE public.bait ADD CHECK (id > public.folded(1));
	CREATE INDEX ON public.bait ((id + public.folded(1))) WHERE id > public.folded(1);
	UPDATE public.bait SET a = public.folded(1) WHERE id = public.folded(1);
	CREATE VIEW public.bait_view AS SELECT public.folded(1);
	SELECT public.folded(1);
$$, requires => '{}');
RESET ROLE;
SELECT count(*) > 0 AS planned FROM migrate.plan('bait');
SELECT count(*) > 0 AS planned FROM migrate.plan_text('bait');
SELECT migrate.show('bait') IS NOT NULL AS shown;
SELECT count(*) AS caught_others FROM caught WHERE who <> 'regress_mallory';
SELECT migrate.register('bait', $$
	ALTER TABLE public.bait ALTER COLUMN a SET DEFAULT public.folded(1);
	ALTER TABLE public.bait ADD COLUMN b int DEFAULT public.folded(1);
	ALTER TABLE public.bait ADD CHECK (id > public.folded(1)) NOT VALID;
	CREATE INDEX ON public.bait ((id + public.folded(1))) WHERE id > public.folded(1);
	UPDATE public.bait SET a = public.folded(1) WHERE id = public.folded(1);
	CREATE VIEW public.bait_view AS SELECT public.folded(1);
	SELECT public.folded(1);
$$, 'UPDATE public.bait SET a = public.folded(2); DROP VIEW public.bait_view; ALTER TABLE public.bait DROP COLUMN b', requires => '{}');
CALL migrate.apply('bait');
SELECT count(*) AS caught_others FROM caught WHERE who <> 'regress_mallory';
SELECT count(*) > 0 AS caught_owner FROM caught WHERE who = 'regress_mallory';
SELECT count(*) > 0 AS planned FROM migrate.plan('bait', 'rollback');
CALL migrate.rollback('bait', lose_data => true);
SELECT count(*) AS caught_others FROM caught WHERE who <> 'regress_mallory';
TRUNCATE caught;

-- ... nor must a rehearsal, in which it does run
SET ROLE regress_mallory;
CREATE TABLE public.rehearsed (id int);
SELECT migrate.register('rehearsed 1', $$
	SELECT public.trap('rehearsed');
	CREATE CONSTRAINT TRIGGER later AFTER INSERT ON public.rehearsed DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.trap_trigger('rehearsed');
	INSERT INTO public.rehearsed VALUES (1);
$$, 'DROP TRIGGER later ON public.rehearsed; SELECT public.trap(''rehearsed'')', verify => 'SELECT public.trap(''rehearsed'') = 1', requires => '{}');
SELECT migrate.register('rehearsed 2', 'RESET ROLE; SELECT public.trap(''rehearsed'')', requires => '{}');
SELECT migrate.register('rehearsed 3', 'SET SESSION AUTHORIZATION DEFAULT; SELECT public.trap(''rehearsed'')', requires => '{}');
SELECT migrate.register('rehearsed 4', 'DO $$BEGIN PERFORM set_config(''role'', ''none'', false); PERFORM public.trap(''rehearsed''); END$$', requires => '{}');
SELECT migrate.register('rehearsed 5', 'ALTER ROLE CURRENT_USER SUPERUSER; SELECT public.trap(''rehearsed'')', requires => '{}');
RESET ROLE;
SELECT count(*) > 0 AS rehearsed FROM migrate.rehearse('rehearsed 1');
SELECT count(*) > 0 AS rehearsed FROM migrate.rehearse('rehearsed 2');
SELECT count(*) > 0 AS rehearsed FROM migrate.rehearse('rehearsed 3');
SELECT count(*) > 0 AS rehearsed FROM migrate.rehearse('rehearsed 4');
SELECT count(*) > 0 AS rehearsed FROM migrate.rehearse('rehearsed 5');
SELECT current_user = session_user AS still_me, is_called AS alarm FROM alarm;
SET ROLE regress_eve;
SELECT migrate.rehearse('rehearsed 1');
RESET ROLE;

-- ---------------------------------------------------------------------------
-- Hostile names in the caller's path
-- ---------------------------------------------------------------------------
CREATE SCHEMA regress_hostile;
GRANT ALL ON SCHEMA regress_hostile TO regress_mallory;
SET ROLE regress_mallory;
CREATE FUNCTION regress_hostile.caught_it(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.caught VALUES (current_user, 'operator');
	RETURN true;
END $$;
CREATE OPERATOR regress_hostile.= (FUNCTION = regress_hostile.caught_it, LEFTARG = anyelement, RIGHTARG = anyelement);
CREATE OPERATOR regress_hostile.<> (FUNCTION = regress_hostile.caught_it, LEFTARG = anyelement, RIGHTARG = anyelement);
CREATE OPERATOR regress_hostile.= (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION regress_hostile.now() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.caught VALUES (current_user, 'now()');
	RETURN pg_catalog.now();
END $$;
CREATE FUNCTION regress_hostile.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.caught VALUES (current_user, 'clock_timestamp()');
	RETURN pg_catalog.clock_timestamp();
END $$;
CREATE FUNCTION regress_hostile.current_setting(text, boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.caught VALUES (current_user, 'current_setting()');
	RETURN pg_catalog.current_setting($1, $2);
END $$;
CREATE FUNCTION regress_hostile.version_key(text) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.caught VALUES (current_user, 'version_key()');
	RETURN 'x';
END $$;
CREATE FUNCTION regress_hostile.register(version text, up text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.caught VALUES (current_user, 'register()');
	RETURN 'new';
END $$;
CREATE TABLE regress_hostile.migration AS SELECT 'x' AS version;
CREATE TABLE regress_hostile.pg_class (oid oid, relname name);
RESET ROLE;
SET search_path = regress_hostile, pg_temp, public, pg_catalog;
CREATE TEMP TABLE migration (version text);
CREATE TEMP TABLE granted_right (owner text);
SELECT migrate.register('hostile', 'CREATE TABLE public.made (id int); CREATE INDEX CONCURRENTLY ON public.made (id)', 'DROP TABLE public.made', requires => '{}');
SELECT migrate.plan_text('hostile') IS NOT NULL AS planned LIMIT 1;
CALL migrate.apply('hostile');
CALL migrate.rollback('hostile');
SELECT migrate.unregister('hostile') IS NOT NULL AS forgotten;
SELECT pg_catalog.count(*) AS rows_seen FROM (
	SELECT version FROM migrate.status UNION ALL SELECT version FROM migrate.migrations UNION ALL SELECT version FROM migrate.history
	UNION ALL SELECT version FROM migrate.progress UNION ALL SELECT owner FROM migrate.rights) x
HAVING pg_catalog.count(*) OPERATOR(pg_catalog.=) 0;
SELECT migrate.graph() IS NOT NULL AS drawn, migrate.current() IS NOT NULL AS current;
SELECT pg_catalog.count(*) > 0 AS tips FROM migrate.heads();
SELECT migrate.grant_right('apply', 'regress_eve', 'regress_mallory'), migrate.revoke_right('apply', 'regress_eve', 'regress_mallory');
SELECT result FROM migrate.load('-- migrate:version 900 x' || E'\n-- migrate:up\nSELECT 1;');
SELECT migrate.unregister('900') IS NOT NULL AS forgotten;
DROP TABLE pg_temp.migration, pg_temp.granted_right;
RESET search_path;
SELECT * FROM caught;

-- ---------------------------------------------------------------------------
-- Somebody else's migrations
-- ---------------------------------------------------------------------------
SET ROLE regress_victim;
SELECT migrate.register('v1', 'ALTER TABLE public.victim ADD COLUMN b int', requires => '{}');
SET ROLE regress_mallory;
SELECT migrate.register('v1', 'ALTER TABLE public.victim OWNER TO regress_mallory');
SELECT migrate.register('v1', 'ALTER TABLE public.victim ADD COLUMN b int', down => 'SELECT 1');
SELECT migrate.load(E'-- migrate:version v1\n-- migrate:up\nSELECT 1;');
SELECT migrate.register('v2', 'SELECT 1', options => '{"owner": "regress_victim"}');
SELECT migrate.load(E'-- migrate:version v2\n-- migrate:set owner = regress_victim\n-- migrate:up\nSELECT 1;');
SELECT migrate.load(E'-- migrate:version v2\n-- migrate:owner regress_victim\n-- migrate:up\nSELECT 1;');
SELECT migrate.load(E'-- migrate:version v2\n-- migrate:up\nSELECT 1;', format => 'auto');
SELECT migrate.unregister('v2') IS NOT NULL AS forgotten;
SELECT migrate.unregister('v1');
CALL migrate.apply('v1');
CALL migrate.apply('v1', wait => false);
CALL migrate.complete('v1');
CALL migrate.rollback('v1');
CALL migrate.rollback_to('attack 1 by regress_eve', lose_data => true);
SELECT migrate.pause('v1');
SELECT migrate.resume('v1');
SELECT migrate.tune('v1', 'stall_limit', '1s');
SELECT migrate.resolve('v1', 1, 'done');
SELECT migrate.reassign('regress_victim', 'regress_mallory');
SELECT migrate.load_directory('/tmp');
SELECT up IS NULL AS hidden FROM migrate.migrations WHERE version = 'v1';
-- nor by way of one that requires it
SELECT migrate.register('v3', 'SELECT 1', requires => '{v1}');
CALL migrate.apply('v3');
RESET ROLE;
SELECT version, owner, state FROM migrate.status JOIN migrate.migrations USING (version) WHERE version IN ('v1', 'v2', 'v3');
SELECT tableowner FROM pg_tables WHERE tablename = 'victim';

-- A right lets one call the verb, and no more.
SET ROLE regress_victim;
SELECT migrate.grant_right('apply', 'regress_mallory', 'regress_victim');
SET ROLE regress_mallory;
SELECT migrate.register('v1', 'ALTER TABLE public.victim OWNER TO regress_mallory');
CALL migrate.rollback('v1');
-- ... not even inside a transaction, where it would run as the caller
BEGIN;
CALL migrate.apply('v1');
ROLLBACK;
CALL migrate.apply('v1');
RESET ROLE;
SELECT version, owner, state, applied_by FROM migrate.status JOIN migrate.migrations USING (version) WHERE version = 'v1';
-- A superuser's transaction is not the place for somebody's SQL either.
SET ROLE regress_mallory;
SELECT migrate.register('m9', 'SELECT public.trap(''in a transaction'')', requires => '{}');
RESET ROLE;
BEGIN;
CALL migrate.apply('m9');
ROLLBACK;
SELECT count(*) FROM caught WHERE what = 'in a transaction';

-- Without USAGE on the schema nothing is in reach.
REVOKE USAGE ON SCHEMA migrate FROM PUBLIC;
SET ROLE regress_mallory;
CALL migrate.apply();
SELECT migrate.register('x', 'SELECT 1');
SELECT * FROM migrate.status;
SELECT * FROM migrate_internal.migration;
SELECT migrate_internal.version_key('1');
RESET ROLE;

-- ---------------------------------------------------------------------------
-- Being there before the extension
-- ---------------------------------------------------------------------------
DROP EXTENSION migrate CASCADE;
DROP SCHEMA migrate;
CREATE SCHEMA migrate AUTHORIZATION regress_mallory;
CREATE EXTENSION migrate;
DROP SCHEMA migrate;
CREATE SCHEMA migrate_internal AUTHORIZATION regress_mallory;
CREATE EXTENSION migrate;
DROP SCHEMA migrate_internal;

-- nobody but its owner has ever run it, whatever became of what it wrote
SELECT is_called AS alarm FROM alarm;
DROP TABLE victim, attack, caught;
DROP SEQUENCE alarm;
DROP OWNED BY regress_mallory, regress_eve, regress_victim CASCADE;
DROP FUNCTION trap, trap_trigger;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
DROP SCHEMA regress_hostile CASCADE;
DROP ROLE regress_mallory, regress_eve, regress_victim, regress_root;
