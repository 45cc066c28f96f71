# test/demo/demo.sh: a shop whose schema changes while its customers are served.
# Sourced by test/with_server.sh; "make demo" calls that.
#
# DEMO_ORDERS  orders in the shop, four lines each (250000)
# DEMO_RATE    client transactions a second (300)

orders=${DEMO_ORDERS:-250000}
rate=${DEMO_RATE:-300}
here=$work/src/test/demo
export PGDATABASE=shop

title() { printf '\n\033[1m%s\033[0m\n\n' "$*"; }
[ -t 1 ] || title() { printf '\n%s\n\n' "$*"; }

quiet() { psql -X -q -v ON_ERROR_STOP=1 "$@" >/dev/null || die "the demo could not go on"; }
value() { psql -X -At -v ON_ERROR_STOP=1 -c "$1"; }
now() { date +%s.%N; }

# show SQL: as a person would see it in psql, indented, with its NOTICEs as they come.
show() {
	printf 'shop=# %s\n' "$1"
	{ printf '%s\n' "$1" | psql -X -P footer=off -P null=- -v ON_ERROR_STOP=1 2>&1; echo $? >"$work/tmp/status"; } |
		sed -u 's/^/    /'
	[ "$(cat "$work/tmp/status")" = 0 ] || die "this should have worked"
}

# load FILE...: from the client, as one tar archive in one statement.
load() {
	local tar

	tar=$(tar -C "$here/migrations" -cf - "$@" | base64 -w0)
	printf '%s\n' "\\set tar '$tar'" "SELECT result, count(*) AS migrations, min(version) AS first, max(version) AS last
	FROM migrate.load_archive(decode(:'tar', 'base64')) GROUP BY result;" |
		psql -X -v ON_ERROR_STOP=1 -P footer=off | sed 's/^/    /'
}

# clients LABEL FROM TO: what the clients' log has between two times, one line.
clients() {
	cat "$work"/log/clients.* | awk -v from="$2" -v to="$3" '{
			at = $5 + $6 / 1000000
			if (at >= from && at < to) print $3 / 1000 }' | sort -n |
		awk -v label="$1" '{ ms[NR] = $1 } END {
			printf "%-18s%13d %9.1f ms %9.1f ms %9.1f ms\n", label, NR, ms[int(NR * 0.5) + 1], ms[int(NR * 0.99) + 1], ms[NR] }'
}

title "A shop, and PostgreSQL $(postgres --version | sed 's/[^0-9]*\([0-9.]*\).*/\1/')"
start_server max_wal_size=4GB shared_buffers=512MB max_worker_processes=16 || die "could not start a server"
createdb -T template0 shop
quiet -c 'CREATE EXTENSION migrate'
say 'The first ten migrations make the schema; then three years of business go by.'
say
load $(cd "$here/migrations" && ls 000* 0010*)
quiet -c 'CALL migrate.apply(complete => true)'
quiet -v orders="$orders" -f "$here/data.sql"
show "SELECT relname AS \"table\", to_char(n_live_tup, '9,999,999') AS rows,
       pg_size_pretty(pg_total_relation_size(relid)) AS size
	FROM pg_stat_user_tables WHERE schemaname = 'shop' AND n_live_tup > 500 ORDER BY n_live_tup DESC;"

title "Customers come: $rate transactions a second, and never a break"
start=$(now)
pgbench -n -M prepared -c 8 -j 1 -R "$rate" -T 600 -D orders="$orders" \
	-f "$here/clients/browse.sql@5" -f "$here/clients/account.sql@3" \
	-f "$here/clients/order.sql@2" -f "$here/clients/pay.sql@1" \
	--log --log-prefix="$work/log/clients" >"$work/log/pgbench.log" 2>&1 &
pgbench=$!
sleep 10
say "8 clients browse, order, pay and look at their accounts, from now on to the end."

title 'The next fourteen migrations: ordinary SQL'
load $(cd "$here/migrations" && ls 00* | sed 1,10d)
sed 's/^/    /' "$here/migrations/0011_best_sellers.sql"
say
say "What the server will really do, in full for three of them:"
say
show "SELECT * FROM migrate.plan_text('0013');"

title 'Apply'
before=$(now)
show 'CALL migrate.apply();'
after=$(now)

title 'Where we are'
show "SELECT version, name, state, steps, duration FROM migrate.status WHERE version > '0010';"

title 'Going back: the last five'
show "CALL migrate.rollback_to('0019');"
back=$(now)
show "SELECT version, name, state FROM migrate.status WHERE version > '0017';"

title 'What the customers noticed'
kill -ALRM $pgbench				# the end of its -T: it finishes, and reports
wait $pgbench || die "clients gave up: $(grep -m 3 -E 'error|aborted' "$work/log/pgbench.log")"
transactions=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$work/log/pgbench.log")
failures=$(sed -n 's/^number of failed transactions: \([0-9]*\).*/\1/p' "$work/log/pgbench.log")
printf '%-18s%13s %12s %12s %12s\n' '' transactions median '99 %' slowest
clients before "$start" "$before"
clients 'while applying' "$before" "$after"
clients 'while going back' "$after" "$back"
say
say "$transactions client transactions, $failures failed."
stop_server
[ "$failures" = 0 ]
