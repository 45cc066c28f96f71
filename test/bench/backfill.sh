# test/bench/backfill.sh: filling a large table, against a single UPDATE and
# against the loops that others use.  Sourced by test/with_server.sh.
#
# BENCH_ROWS    of the table (1000000)      BENCH_ROUNDS  of each (3)
# BENCH_WAYS    which to compare (all)      BENCH_LOAD    seconds of client load alone, 0: no load (10)
#
# All ways run in turn, each on a new table.  Besides the time, the processor
# time of the server's processes for it is told, which other work on the machine
# disturbs less.

rows=${BENCH_ROWS:-1000000}
rounds=${BENCH_ROUNDS:-3}
load=${BENCH_LOAD:-10}
all='single_key plain_key hot_key two_key loop_key single_blocks plain_blocks hot_blocks two_blocks loop_in peer_analyzed peer_new'
ways=${BENCH_WAYS:-$all}
export PGDATABASE=bench

now() { date +%s%3N; }
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
sql() { psql -X -q -v ON_ERROR_STOP=1 -c "$1" >/dev/null 2>>"$work/log/run.log" || { tail -n 5 "$work/log/run.log"; die "failed: $1"; }; }
ask() { psql -X -At -c "$1"; }

# Milliseconds of processor time of the server's processes that have ended,
# once the last of them has.
cpu() {
	local before= after=0

	while [ "$before" != "$after" ]; do
		before=$after
		sleep 0.5
		after=$(awk -v hz="$(getconf CLK_TCK)" '{ print int(($16 + $17) * 1000 / hz) }' "/proc/$(head -n 1 "$work/data/postmaster.pid")/stat")
	done
	echo "$after"
}

make_table() {
	sql 'DROP TABLE IF EXISTS t CASCADE'
	sql 'CREATE TABLE t (id bigint PRIMARY KEY, name text, balance int NOT NULL DEFAULT 0, note text) WITH (autovacuum_enabled = off)'
	sql "INSERT INTO t SELECT i, 'name ' || i, 0, NULL FROM generate_series(1, $rows) i"
	[ "$1" = peer_new ] || sql 'VACUUM ANALYZE t'
	case $1 in peer_*) psql -X -q -v ON_ERROR_STOP=1 -f "$work/src/test/bench/backfill_peer.sql" >/dev/null 2>>"$work/log/run.log" || die 'could not prepare the peer';; esac
	sql CHECKPOINT
}

by_key() { sql "CALL migrate.backfill('t', 'balance = balance + 1', options => '{$1}')"; }
by_blocks() { sql "CALL migrate.backfill('t', 'note = ''x''', 'note IS NULL', '{$1}')"; }

go() {
	case $1 in
		single_key) sql 'UPDATE t SET balance = balance + 1';;
		plain_key) by_key '"low_bloat": "off"';;
		hot_key) by_key '"low_bloat": "on"';;
		two_key) by_key '"workers": 2';;
		loop_key) sql 'CALL loop_key()';;
		single_blocks) sql "UPDATE t SET note = 'x' WHERE note IS NULL";;
		plain_blocks) by_blocks '"low_bloat": "off"';;
		hot_blocks) by_blocks '"low_bloat": "on"';;
		two_blocks) by_blocks '"workers": 2';;
		loop_in) sql 'CALL loop_in()';;
		peer_*) sql 'CALL peer_fill()';;
		*) die "no such way: $1";;
	esac
}

is_right() {
	case $1 in
		*_key) [ "$(ask 'SELECT min(balance), max(balance) FROM t')" = '1|1' ];;
		peer_*) [ "$(ask 'SELECT count(*) FROM t WHERE tmp IS NULL')" = 0 ];;
		*) [ "$(ask "SELECT count(*) FROM t WHERE note IS DISTINCT FROM 'x'")" = 0 ];;
	esac || die "$1 did not do its work"
}

describe() {
	case $1 in
		single_key) echo 'single UPDATE, every row';; plain_key) echo 'ours, by key, plain';;
		hot_key) echo 'ours, by key, low_bloat';; two_key) echo 'ours, by key, 2 workers';;
		loop_key) echo 'loop, 1,000 keys a time';; single_blocks) echo 'single UPDATE WHERE note IS NULL';;
		plain_blocks) echo 'ours, by blocks, plain';; hot_blocks) echo 'ours, by blocks, low_bloat';;
		two_blocks) echo 'ours, by blocks, 2 workers';; loop_in) echo 'loop, IN (SELECT ... LIMIT 1000)';;
		peer_analyzed) echo 'pgroll-like, analyzed';; peer_new) echo 'pgroll-like, never analyzed';;
	esac
}

declare -A ms cpus wal heap index

one() {
	local way=$1 r=$2 w h i c b

	make_table "$way"
	w=$(ask 'SELECT pg_current_wal_insert_lsn()') h=$(ask "SELECT pg_relation_size('t')") i=$(ask "SELECT pg_indexes_size('t')")
	c=$(cpu) b=$(now)
	go "$way"
	ms[$way]+=" $(($(now) - b))"
	cpus[$way]+=" $(($(cpu) - c))"
	wal[$way]=$(ask "SELECT round(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$w') / $rows)")
	heap[$way]=$((($(ask "SELECT pg_relation_size('t')") - h) * 100 / h))
	index[$way]=$((($(ask "SELECT pg_indexes_size('t')") - i) * 100 / i))
	is_right "$way"
}

# percentiles FILE...: of pgbench's log, in milliseconds from the beginning of a transaction.
percentiles() {
	cat "$@" | awk '{ print ($3 - $7) / 1000 }' | sort -n |
		awk '{ v[NR] = $1 } END { if (NR) printf "%7d transactions, p50 %7.2f, p99 %7.2f, max %8.2f ms\n", NR, v[int((NR + 1) * 0.5)], v[int((NR - 1) * 0.99) + 1], v[NR]; else print "none" }'
}

# Clients that change and read single rows: alone, and beside a way of filling.
client_load() {
	local way=$1 pid

	make_table "${way/alone/single_key}"
	rm -f "$work/tmp/load."*
	(cd "$work/tmp" && exec pgbench -n -c 2 -R 300 -T 3600 -l --log-prefix=load -f "$work/src/test/bench/backfill_client.sql" -D rows="$rows" bench) >/dev/null 2>&1 &
	pid=$!
	sleep 2
	: >"$work/tmp/mark"
	if [ "$way" = alone ]; then sleep "$load"; else go "$way"; fi
	sleep 0.5
	kill $pid
	wait $pid 2>/dev/null
	printf '  %-34s %s' "$([ "$way" = alone ] && echo 'clients alone' || describe "$way")" "$(percentiles "$work/tmp/load."*)"
	echo
}

start_server max_worker_processes=16 shared_buffers=1GB max_wal_size=16GB checkpoint_timeout=1h autovacuum=off || die "could not start a server"
createdb -T template0 bench
sql 'CREATE EXTENSION migrate'
psql -X -q -v ON_ERROR_STOP=1 -f "$work/src/test/bench/backfill_loops.sql" || die 'could not make the loops'

for ((r = 1; r <= rounds; r++)); do
	for way in $ways; do one "$way" "$r"; done
done

say "filling a table of $rows rows, $rounds rounds in turn, medians; ratio: speed against the single UPDATE above it"
printf '  %-34s %9s %7s %9s %7s %9s %7s %7s\n' '' 'rows/s' ratio 'cpu ms' 'ratio' 'WAL B/row' heap index
base= cbase=
for way in $ways; do
	m=$(median ${ms[$way]}) c=$(median ${cpus[$way]})
	case $way in single_*) base=$m cbase=$c;; esac
	printf '  %-34s %9d %7s %9d %7s %9s %6s%% %6s%%\n' "$(describe "$way")" $((rows * 1000 / m)) \
		"$(awk "BEGIN { printf \"%.2f\", ${base:-$m} / $m }")" "$c" "$(awk "BEGIN { printf \"%.2f\", ${cbase:-$c} / $c }")" \
		"${wal[$way]}" "+${heap[$way]}" "+${index[$way]}"
done

if [ "$load" != 0 ]; then
	say 'latency of two clients, 300 transactions a second, meanwhile:'
	for way in alone plain_key hot_key two_key loop_key single_key; do client_load "$way"; done
fi
stop_server
