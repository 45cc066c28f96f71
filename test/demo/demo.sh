# test/demo/demo.sh: a shop whose schema changes while its customers are served.
# Sourced by test/with_server.sh; "make demo" calls that.
#
# DEMO_ORDERS  orders in the shop, four lines each (250000)
# DEMO_RATE    client transactions a second (300)

orders=${DEMO_ORDERS:-250000}
rate=${DEMO_RATE:-300}
here=$work/src/test/demo
began=$SECONDS

title() { printf '\n\n%s\n%s\n\n' "$*" "${*//?/-}"; }
quiet() { psql -X -q -v ON_ERROR_STOP=1 "$@" >/dev/null || die "the demo could not go on"; }
now() { date +%s.%N; }

# show SQL: as a person would see it in psql, its NOTICEs as they come.
show() {
	printf 'shop=# %s\n' "$1"
	{
		printf '%s\n' "$1" | psql -X -d shop -P footer=off -v ON_ERROR_STOP=1 2>&1
		echo $? >"$work/tmp/status"
	} | sed -u 's/^/    /'
	[ "$(cat "$work/tmp/status")" = 0 ] || die "this should have worked"
}

# load FILE...: from the client, as one tar archive in one statement.
load() {
	local tar

	tar=$(tar -C "$here/migrations" -cf - "$@" | base64 -w0)
	printf '%s\n' "\\set tar '$tar'" "SELECT result, count(*) AS migrations, min(version) AS first, max(version) AS last
	FROM migrate.load_archive(decode(:'tar', 'base64')) GROUP BY result;" |
		psql -X -d shop -v ON_ERROR_STOP=1 -P footer=off | sed 's/^/    /'
}

# open_doors DATABASE: clients come, until close_doors; one of them reads orders in
# a transaction that takes its time.
open_doors() {
	pgbench -n -M prepared -c 8 -j 1 -R "$rate" -T 600 -D orders="$orders" \
		-f "$here/clients/browse.sql@5" -f "$here/clients/account.sql@3" \
		-f "$here/clients/order.sql@2" -f "$here/clients/pay.sql@1" \
		--log --log-prefix="$work/log/$1" "$1" >"$work/log/pgbench-$1.log" 2>&1 &
	clients=$!
	PGAPPNAME='monthly report' pgbench -n -c 1 -T 600 -f "$here/clients/report.sql" "$1" >"$work/log/report-$1.log" 2>&1 &
	report=$!
}

# close_doors DATABASE: sets transactions and failures.
close_doors() {
	kill -ALRM $clients $report		# as if the time of their -T were over: they finish, and report
	wait $clients || die "clients gave up: $(grep -m 3 -E 'error|aborted' "$work/log/pgbench-$1.log")"
	wait $report || die "the report gave up: $(grep -m 3 -E 'error|aborted' "$work/log/report-$1.log")"
	transactions=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$work/log/pgbench-$1.log")
	failures=$(sed -n 's/^number of failed transactions: \([0-9]*\).*/\1/p' "$work/log/pgbench-$1.log")
}

# midway DATABASE: return while the report is in the middle of its transaction.
midway() {
	until [ "$(psql -X -At -d "$1" -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'monthly report'
		AND datname = current_database() AND clock_timestamp() - xact_start BETWEEN '0.3 s' AND '0.8 s'")" = 1 ]; do
		sleep 0.1
	done
}

# noticed LABEL DATABASE FROM TO: the clients' own log between two times, one line.
noticed() {
	cat "$work/log/$2".* | awk -v from="$3" -v to="$4" '{
			at = $5 + $6 / 1000000
			if (at >= from && at < to) print $3 / 1000 }' | sort -n |
		awk -v label="$1" '{ ms[NR] = $1 } END {
			printf "    %-26s%13d %9.1f ms %9.1f ms %9.1f ms\n",
				label, NR, ms[int(NR * 0.5) + 1], ms[int(NR * 0.99) + 1], ms[NR] }'
}

title "A shop, on PostgreSQL $(postgres --version 2>/dev/null | sed 's/[^0-9]*\([0-9.]*\).*/\1/')"
start_server max_wal_size=4GB shared_buffers=512MB max_worker_processes=16 || die "could not start a server"
createdb -T template0 shop
quiet -d shop -c 'CREATE EXTENSION migrate'
load $(cd "$here/migrations" && ls 000* 0010*)
show 'CALL migrate.apply(complete => true);'
say
say 'Three years of business go by:'
say
quiet -d shop -v orders="$orders" -f "$here/data.sql"
show "SELECT relname AS \"table\", to_char(n_live_tup, '9,999,999') AS rows, pg_size_pretty(pg_total_relation_size(relid)) AS size
    FROM pg_stat_user_tables WHERE schemaname = 'shop' AND n_live_tup > 20000 ORDER BY n_live_tup DESC;"
createdb -T shop plain

title 'Customers come, and stay to the end'
say "Eight clients browse, order, pay, look at their accounts: $rate transactions a second. A ninth"
say "reads all orders for a report, again and again, in a transaction of 2.5 seconds."
start=$(now)
open_doors shop
sleep 8

title 'Fifteen more migrations: ordinary SQL'
load $(cd "$here/migrations" && ls)
say 'The first three, as the server plans them:'
say
show "SELECT * FROM migrate.plan_text('0013');"

title 'Apply, while the report is at it'
midway shop
before=$(now)
show 'CALL migrate.apply();'
after=$(now)
say
show "SELECT version, name, state, steps, to_char(duration, 'SS.MS') AS seconds FROM migrate.status WHERE version > '0010';"

title 'Back by five'
back=$(now)
show "CALL migrate.rollback_to('0020');"
gone=$(now)
say
show "SELECT version, name, state FROM migrate.status WHERE version > '0018';"
close_doors shop
total=$transactions failed=$failures

title 'What the customers noticed'
open_doors plain
sleep 3
midway plain
plain=$(now)
for file in $(cd "$here/migrations" && ls 00* | sed 1,10d); do
	sed -n '/^-- migrate:up/,/^-- migrate:\(down\|verify\)/p' "$here/migrations/$file" >"$work/tmp/up.sql"
	quiet -d plain -f "$work/tmp/up.sql"
done
sleep 1
plain_end=$(now)
close_doors plain
printf '    %-26s%13s %12s %12s %12s\n' '' transactions median '99 %' slowest
noticed 'before' shop "$start" "$before"
noticed 'while applying' shop "$before" "$after"
noticed 'while going back' shop "$back" "$gone"
noticed 'for comparison: psql -f' plain "$plain" "$plain_end"
say
say "$total client transactions, $failed failed. ($((SECONDS - began)) s)"
stop_server
[ "$failed" = 0 ]
