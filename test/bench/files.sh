# test/bench/files.sh: many small migrations, in one apply against one psql
# process per file.  Sourced by test/with_server.sh.
#
# BENCH_FILES   how many (500)       BENCH_ROUNDS  of each, in turn (3)

files=${BENCH_FILES:-500}
rounds=${BENCH_ROUNDS:-3}
dir=$work/migrations

now() { date +%s%3N; }
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

# Four kinds in turn: a table with an index, a column, a function, a data change.
mkdir "$dir"
for ((i = 1; i <= files; i++)); do
	printf -v name '%05d_change' $i
	t=t$(((i + 3) / 4))
	case $((i % 4)) in
		1) echo "CREATE TABLE $t (id bigint PRIMARY KEY, a text NOT NULL); CREATE INDEX ON $t (a);";;
		2) echo "ALTER TABLE $t ADD COLUMN b int NOT NULL DEFAULT 0;";;
		3) echo "CREATE FUNCTION ${t}_sum() RETURNS bigint LANGUAGE sql AS \$\$ SELECT sum(b) FROM $t \$\$;";;
		0) echo "INSERT INTO $t SELECT i, 'row ' || i FROM generate_series(1, 10) i;";;
	esac >"$dir/$name.sql"
done
tar=$(tar -C "$dir" -cf - . | base64 -w0)
{ echo "\\set tar '$tar'"; echo "SELECT count(*) AS loaded FROM migrate.load_archive(decode(:'tar', 'base64'));"; } >"$work/load.sql"

start_server max_worker_processes=16 || die "could not start a server"
psql_ms=() load_ms=() apply_ms=()
for ((r = 1; r <= rounds; r++)); do
	createdb -T template0 plain
	began=$(now)
	for file in "$dir"/*.sql; do
		psql -X -q -v ON_ERROR_STOP=1 -d plain -f "$file" >/dev/null || die "$file failed"
	done
	psql_ms+=($(($(now) - began)))

	createdb -T template0 ours
	psql -X -q -d ours -c 'CREATE EXTENSION migrate'
	began=$(now)
	psql -X -q -v ON_ERROR_STOP=1 -d ours -f "$work/load.sql" >/dev/null || die "the load failed"
	load_ms+=($(($(now) - began)))
	began=$(now)
	psql -X -q -v ON_ERROR_STOP=1 -d ours -c 'CALL migrate.apply()' >/dev/null 2>"$work/log/apply.log" ||
		{ tail -n 5 "$work/log/apply.log"; die "apply failed"; }
	apply_ms+=($(($(now) - began)))

	applied=$(psql -X -At -d ours -c "SELECT count(*) FROM migrate.status WHERE state = 'applied'")
	[ "$applied" = "$files" ] || die "$applied of $files are applied"
	for d in plain ours; do
		pg_dump -s -n public -d $d | grep -v '^\\' >"$work/log/$d.sql"
		dropdb $d
	done
	cmp "$work/log/plain.sql" "$work/log/ours.sql" || die "the schemas differ"
done
stop_server

p=$(median "${psql_ms[@]}") l=$(median "${load_ms[@]}") a=$(median "${apply_ms[@]}")
say "$files small migrations, median of $rounds rounds:"
printf '  %-34s %7d ms\n' 'psql -f, a process for each file' "$p" 'load_archive' "$l" 'apply, one call' "$a"
printf '  %-34s %9s\n' 'ratio of apply' "$(awk "BEGIN { printf \"%.2f\", $a / $p }")" \
	'ratio of load and apply' "$(awk "BEGIN { printf \"%.2f\", ($l + $a) / $p }")"
