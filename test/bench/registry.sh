# test/bench/registry.sh: how long planning, status and the like take when many
# versions are registered.  Sourced by test/with_server.sh.
#
# BENCH_VERSIONS   how many (5000)     BENCH_ROUNDS  of each question (5)

versions=${BENCH_VERSIONS:-5000}
rounds=${BENCH_ROUNDS:-5}
export PGDATABASE=bench

now() { date +%s%3N; }
run() { psql -X -q -v ON_ERROR_STOP=1 -c "$1" >/dev/null 2>>"$work/log/run.log" || { tail -n 5 "$work/log/run.log"; die "failed: $1"; }; }

# ask LABEL SQL: the median over the rounds, in the server's session, in ms.
ask() {
	local ms

	ms=$({ echo '\timing on'; for ((r = 0; r <= rounds; r++)); do echo "$2;"; done; } |
		psql -X -At -v ON_ERROR_STOP=1 2>&1 | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | sed 1d | sort -n |
		awk '{ ms[NR] = $1 } END { print ms[int((NR + 1) / 2)] }')
	printf '  %-46s %9.1f ms\n' "$1" "$ms"
}

once() {	# LABEL SQL
	local began

	began=$(now)
	run "$2"
	printf '  %-46s %9d ms\n' "$1" $(($(now) - began))
}

start_server max_worker_processes=16 || die "could not start a server"
createdb -T template0 bench
run 'CREATE EXTENSION migrate'
say "$versions versions:"
once 'load them all' "SELECT count(*) FROM migrate.load((SELECT string_agg(format(
	E'-- migrate:version %s change %s\n-- migrate:up\nSELECT %s;\n-- migrate:down\nSELECT -%s;\n', i, i, i, i), '' ORDER BY i)
	FROM generate_series(1, $versions) i))"
ask 'status, all pending' 'SELECT count(*) FROM migrate.status'
ask 'plan of the first, all pending' "SELECT count(*) FROM migrate.plan('1')"
once 'apply them all' 'CALL migrate.apply()'
run "SELECT migrate.register('$((versions + 1))', 'CREATE TABLE t (id int)')"
ask 'plan of one pending, the others applied' 'SELECT count(*) FROM migrate.plan()'
ask 'status' 'SELECT count(*) FROM migrate.status'
ask 'status of one' "SELECT state FROM migrate.status WHERE version = '$versions'"
ask 'register' "SELECT migrate.register('$((versions + 1))', 'CREATE TABLE t (id int)')"
ask 'ready' "SELECT migrate.ready('$versions')"
ask 'current' 'SELECT migrate.current()'
ask 'heads' 'SELECT count(*) FROM migrate.heads()'
ask 'graph' 'SELECT length(migrate.graph())'
ask 'history, last 20' 'SELECT * FROM migrate.history ORDER BY at DESC LIMIT 20'
stop_server
