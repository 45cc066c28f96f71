# test/bench/index.sh: CREATE INDEX CONCURRENTLY through apply against psql, in
# turn on one table: by themselves, and while a client writes.  Sourced by
# test/with_server.sh.
#
# BENCH_ROWS   of the table (4000000)     BENCH_ROUNDS  of each (7)
#
# Who comes first changes from round to round, because what ran before leaves
# the machine busy or idle.  Beside the ratio of medians stands the median of
# the differences within a round: what apply costs, whatever the table's size.

rows=${BENCH_ROWS:-4000000}
rounds=${BENCH_ROUNDS:-7}
export PGDATABASE=bench

now() { date +%s%3N; }
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
best() { printf '%s\n' "$@" | sort -n | head -n 1; }
run() { psql -X -q -v ON_ERROR_STOP=1 -c "$1" >/dev/null 2>>"$work/log/run.log" || { tail -n 5 "$work/log/run.log"; die "failed: $1"; }; }

# build HOW SQL: sets ms.  The index is there and valid afterwards, and then gone.
build() {
	local began

	began=$(now)
	run "$2"
	ms=$(($(now) - began))
	[ "$(psql -X -At -c "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_$1'::regclass")" = t ] || die "the index is not valid"
	run "DROP INDEX by_$1; CHECKPOINT"
}

by_psql() { build psql 'CREATE INDEX CONCURRENTLY by_psql ON t (a)'; psql_ms+=($ms); }

by_apply() {
	run "SELECT migrate.register('$((++version))', 'CREATE INDEX CONCURRENTLY by_apply ON t (a)')"
	build apply 'CALL migrate.apply()'
	apply_ms+=($ms)
}

series() {	# LABEL
	local r p a more=()

	by_psql; by_apply		# warms up
	psql_ms=() apply_ms=()
	for ((r = 1; r <= rounds; r++)); do
		if [ $((r % 2)) = 1 ]; then by_psql; by_apply; else by_apply; by_psql; fi
		more+=($((apply_ms[r - 1] - psql_ms[r - 1])))
	done
	p=$(median "${psql_ms[@]}") a=$(median "${apply_ms[@]}")
	printf '  %-22s psql %6d ms (best %6d)   apply %6d ms (best %6d)   ratio %s   apply takes %+d ms\n' "$1" \
		"$p" "$(best "${psql_ms[@]}")" "$a" "$(best "${apply_ms[@]}")" \
		"$(awk "BEGIN { printf \"%.3f\", $a / $p }")" "$(median "${more[@]}")"
}

version=0
start_server max_worker_processes=16 shared_buffers=1GB max_wal_size=8GB autovacuum=off || die "could not start a server"
createdb -T template0 bench
run 'CREATE EXTENSION migrate'
run "CREATE TABLE t AS SELECT i AS id, (i::bigint * 7919) % 1000003 AS a, md5(i::text) AS b FROM generate_series(1, $rows) i"
run 'CREATE INDEX ON t (id)'
run 'VACUUM ANALYZE t'
say "CREATE INDEX CONCURRENTLY on $rows rows, median of $rounds rounds in turn:"
series 'by itself'

cat >"$work/tmp/writer.sql" <<SQL
\set id random(1, $rows)
UPDATE t SET a = a + 1 WHERE id = :id;
SQL
pgbench -n -c 1 -R 200 -T 100000 -f "$work/tmp/writer.sql" >"$work/log/writer.log" 2>&1 &
writer=$!
series 'while a client writes'
kill $writer
run "CREATE TABLE one AS SELECT 1 AS a"
psql_ms=() apply_ms=()
for ((r = 0; r <= rounds; r++)); do
	build psql 'CREATE INDEX CONCURRENTLY by_psql ON one (a)'
	[ $r = 0 ] || psql_ms+=($ms)
	run "SELECT migrate.register('$((++version))', 'CREATE INDEX CONCURRENTLY by_apply ON one (a)')"
	build apply 'CALL migrate.apply()'
	[ $r = 0 ] || apply_ms+=($ms)
done
printf '  %-22s psql %6d ms (best %6d)   apply %6d ms (best %6d)\n' 'on a table of one row' \
	"$(median "${psql_ms[@]}")" "$(best "${psql_ms[@]}")" "$(median "${apply_ms[@]}")" "$(best "${apply_ms[@]}")"
stop_server
