# test/bench/sync.sh: what a write costs while two columns are kept equal:
# without a trigger, with ours, with plpgsql triggers, in turn in one run.
# Sourced by test/with_server.sh.
#
# BENCH_ROWS   of each table (200000)     BENCH_ROUNDS  of each (5)
# BENCH_SINGLE single-row statements of each kind a round (4000)

rows=${BENCH_ROWS:-200000}
rounds=${BENCH_ROUNDS:-5}
single=${BENCH_SINGLE:-4000}
export PGDATABASE=bench

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
run() { psql -X -q -At -v ON_ERROR_STOP=1 <<<"$1" 2>>"$work/log/run.log" || { tail -n 5 "$work/log/run.log"; die "failed: $1"; }; }

# none: the same columns, no trigger.  pair: a tuned plpgsql pair, no variables.
# one: one such trigger for both ways.  views: the form of tools that give each
# version of a schema its views: a variable for each column, and search_path
# read by a query.
variants='none ours ours_expr pair one views'
measures='insert update unrelated insert_1 update_1'

start_server shared_buffers=1GB max_wal_size=8GB autovacuum=off synchronous_commit=off jit=off || die "could not start a server"
createdb -T template0 bench
psql -X -q -v ON_ERROR_STOP=1 >/dev/null 2>>"$work/log/run.log" <<'SQL' || { tail -n 5 "$work/log/run.log"; die "could not prepare"; }
CREATE EXTENSION migrate;
CREATE FUNCTION ms(sql text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp();
BEGIN
	EXECUTE sql;
	RETURN round(extract(epoch FROM clock_timestamp() - began) * 1000, 1);
END $$;
CREATE TABLE none (id serial PRIMARY KEY, name varchar(255), note text, n int, full_name varchar(255));
CREATE TABLE ours (LIKE none INCLUDING ALL);
CREATE TABLE ours_expr (LIKE none INCLUDING ALL);
CREATE TABLE pair (LIKE none INCLUDING ALL);
CREATE TABLE one (LIKE none INCLUDING ALL);
CREATE TABLE views (LIKE none INCLUDING ALL);
SELECT migrate.sync_columns('ours', '{name}', '{full_name}', options => '{"backfill": false}');
SELECT migrate.sync_columns('ours_expr', '{name}', '{full_name}', '{upper(name)}', '{lower(full_name)}', '{"backfill": false}');

CREATE FUNCTION pair_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('search_path') <> 'public_02' THEN NEW.full_name := NEW.name; END IF;
	RETURN NEW;
END $$;
CREATE FUNCTION pair_down() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('search_path') = 'public_02' THEN NEW.name := NEW.full_name; END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER up BEFORE INSERT OR UPDATE ON pair FOR EACH ROW EXECUTE FUNCTION pair_up();
CREATE TRIGGER down BEFORE INSERT OR UPDATE ON pair FOR EACH ROW EXECUTE FUNCTION pair_down();

CREATE FUNCTION one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('search_path') <> 'public_02' THEN NEW.full_name := NEW.name;
	ELSE NEW.name := NEW.full_name; END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER up_down BEFORE INSERT OR UPDATE ON one FOR EACH ROW EXECUTE FUNCTION one();

CREATE FUNCTION views_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	id views.id%TYPE := NEW.id; name views.name%TYPE := NEW.name;
	note views.note%TYPE := NEW.note; n views.n%TYPE := NEW.n;
	latest_schema text; search_path text;
BEGIN
	SELECT current_setting INTO search_path FROM current_setting('search_path');
	IF search_path <> 'public_02' THEN NEW.full_name := (name); END IF;
	RETURN NEW;
END $$;
CREATE FUNCTION views_down() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	id views.id%TYPE := NEW.id; name views.full_name%TYPE := NEW.full_name;
	note views.note%TYPE := NEW.note; n views.n%TYPE := NEW.n;
	latest_schema text; search_path text;
BEGIN
	SELECT current_setting INTO search_path FROM current_setting('search_path');
	IF search_path = 'public_02' THEN NEW.name := (name); END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER up BEFORE INSERT OR UPDATE ON views FOR EACH ROW EXECUTE FUNCTION views_up();
CREATE TRIGGER down BEFORE INSERT OR UPDATE ON views FOR EACH ROW EXECUTE FUNCTION views_down();
SQL

# Microseconds a row of single-row statements, each a transaction, prepared.
single_us() {	# VARIANT STATEMENT
	echo "\\set id random(1, $rows)
$2" >"$work/single.sql"
	pgbench -n -M prepared -c 1 -t "$single" -f "$work/single.sql" 2>>"$work/log/run.log" |
		sed -n 's/^latency average = \([0-9.]*\) ms/\1/p' | awk '{ print $1 * 1000 }'
}

us() { awk "BEGIN { printf \"%.3f\", $1 * 1000 / $rows }"; }	# MILLISECONDS of all rows

declare -A found
for ((r = 0; r <= rounds; r++)); do		# round 0 warms up
	for v in $variants; do
		run "TRUNCATE $v; CHECKPOINT"
		i=$(us "$(run "SELECT ms('INSERT INTO $v (id, name, note, n) SELECT i, ''name '' || i, ''note'', i FROM generate_series(1, $rows) i')")")
		run "VACUUM ANALYZE $v; CHECKPOINT"
		u=$(us "$(run "SELECT ms('UPDATE $v SET name = name || ''x''')")")
		run "VACUUM $v; CHECKPOINT"
		o=$(us "$(run "SELECT ms('UPDATE $v SET note = ''other''')")")
		run "VACUUM FULL $v; ANALYZE $v; CHECKPOINT"
		i1=$(single_us "$v" "INSERT INTO $v (id, name, note, n) VALUES (nextval('none_id_seq') + $((rows * 2)), 'single', 'note', :id);")
		u1=$(single_us "$v" "UPDATE $v SET name = 'single ' || :id WHERE id = :id;")
		[ $r = 0 ] && continue
		found[$v.insert]+=" $i" found[$v.update]+=" $u" found[$v.unrelated]+=" $o"
		found[$v.insert_1]+=" $i1" found[$v.update_1]+=" $u1"
	done
	bad=$(run "SELECT (SELECT count(*) FROM ours WHERE NOT migrate.in_sync(ours)) + (SELECT count(*) FROM ours_expr WHERE NOT migrate.in_sync(ours_expr))")
	[ "$bad" = 0 ] || die "$bad rows are not equal"
done
stop_server

say "microseconds a row, medians of $rounds rounds in turn ($rows rows; _1: single-row statements), in brackets against none:"
printf '  %-10s' ''; printf '%20s' $measures; echo
for v in $variants; do
	printf '  %-10s' "$v"
	for m in $measures; do
		x=$(median ${found[$v.$m]}) base=$(median ${found[none.$m]})
		printf '%20s' "$(awk "BEGIN { printf \"%.2f (%.2f)\", $x, $x / $base }")"
	done
	echo
done
printf '  overhead of ours, as a part of that of pair: '
for m in $measures; do
	awk "BEGIN { printf \"%s %.2f  \", \"$m\", ($(median ${found[ours.$m]}) - $(median ${found[none.$m]})) / ($(median ${found[pair.$m]}) - $(median ${found[none.$m]})) }"
done
echo
