# test/bench/index.sh: CREATE INDEX CONCURRENTLY through apply against psql, in
# turn on one table.  Sourced by test/with_server.sh.
#
# BENCH_ROWS   of the table (4000000)     BENCH_ROUNDS  of each (5)

rows=${BENCH_ROWS:-4000000}
rounds=${BENCH_ROUNDS:-5}
export PGDATABASE=bench

now() { date +%s%3N; }
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
run() { psql -X -q -v ON_ERROR_STOP=1 -c "$1" >/dev/null 2>>"$work/log/run.log" || { tail -n 5 "$work/log/run.log"; die "failed: $1"; }; }

start_server max_worker_processes=16 shared_buffers=1GB max_wal_size=8GB autovacuum=off || die "could not start a server"
createdb -T template0 bench
run 'CREATE EXTENSION migrate'
run "CREATE TABLE t AS SELECT i AS id, (i::bigint * 7919) % 1000003 AS a, md5(i::text) AS b FROM generate_series(1, $rows) i"
run 'VACUUM ANALYZE t'
psql_ms=() apply_ms=()
for ((r = 0; r <= rounds; r++)); do		# round 0 warms up
	began=$(now)
	run "CREATE INDEX CONCURRENTLY by_psql ON t (a)"
	[ $r = 0 ] || psql_ms+=($(($(now) - began)))
	run 'DROP INDEX by_psql; CHECKPOINT'

	run "SELECT migrate.register('$r', 'CREATE INDEX CONCURRENTLY by_apply ON t (a)')"
	began=$(now)
	run 'CALL migrate.apply()'
	[ $r = 0 ] || apply_ms+=($(($(now) - began)))
	[ "$(psql -X -At -c "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_apply'::regclass")" = t ] || die "the index is not valid"
	run 'DROP INDEX by_apply; CHECKPOINT'
done
stop_server

p=$(median "${psql_ms[@]}") a=$(median "${apply_ms[@]}")
say "CREATE INDEX CONCURRENTLY on $rows rows, $rounds rounds in turn:"
printf '  %-34s median %6d ms, best %6d ms\n' 'psql' "$p" "$(printf '%s\n' "${psql_ms[@]}" | sort -n | head -n 1)" \
	'apply' "$a" "$(printf '%s\n' "${apply_ms[@]}" | sort -n | head -n 1)"
printf '  %-34s %13s\n' 'ratio of medians' "$(awk "BEGIN { printf \"%.2f\", $a / $p }")"
