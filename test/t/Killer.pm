# A trigger on the tables that a worker writes to, which counts the writes and
# lets the worker die at the one that is asked for: before the commit that
# records a step, and behind it.
package Killer;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(install_killer kill_order);

# In database postgres; the settings make each case a sequence.
sub install_killer
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<'SQL');
ALTER DATABASE postgres SET migrate.out_of_order = 'allow';
ALTER DATABASE postgres SET migrate.small_table = 0;
ALTER DATABASE postgres SET client_min_messages = error;
CREATE SCHEMA killer;
CREATE SEQUENCE killer.writes;
CREATE TABLE killer.orders (write bigint, signal text);
INSERT INTO killer.orders VALUES (0, 'term');
CREATE FUNCTION killer.strike() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	fatal text;
BEGIN
	IF (SELECT backend_type FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()) = 'client backend' THEN
		RETURN NULL;
	END IF;
	SELECT signal INTO fatal FROM killer.orders WHERE write = pg_catalog.nextval('killer.writes');
	IF fatal = 'term' THEN
		PERFORM pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid());
		PERFORM pg_catalog.pg_sleep(60);
	ELSIF fatal = 'kill' THEN
		EXECUTE pg_catalog.format('COPY (SELECT 1) TO PROGRAM %L', 'kill -9 ' || pg_catalog.pg_backend_pid());
		PERFORM pg_catalog.pg_sleep(60);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER killer AFTER UPDATE ON migrate_internal.step EXECUTE FUNCTION killer.strike();
CREATE TRIGGER killer AFTER UPDATE ON migrate_internal.migration EXECUTE FUNCTION killer.strike();
CREATE TRIGGER killer AFTER INSERT OR UPDATE ON migrate_internal.cursor EXECUTE FUNCTION killer.strike();
ALTER TABLE migrate_internal.step ENABLE ALWAYS TRIGGER killer;
ALTER TABLE migrate_internal.migration ENABLE ALWAYS TRIGGER killer;
ALTER TABLE migrate_internal.cursor ENABLE ALWAYS TRIGGER killer;
SQL
}

# SQL: the next worker dies at its write of that number, by that signal; 0: none does.
sub kill_order
{
	my ($write, $signal) = @_;

	return "SELECT setval('killer.writes', 1, false); UPDATE killer.orders SET write = $write, signal = '"
	  . ($signal // 'term') . "';";
}

1;
