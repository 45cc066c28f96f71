#!/bin/bash
# test/suites.sh PG_CONFIG: build this copy of the checkout and run all suites
# with that server.  Called by test/run.sh in a work folder, as the user that
# the servers run as; not meant to be called by hand ("make installcheck" is).
#
# Leaves in ../log: a log for each suite, and "summary": a line for each of them,
#	NAME PASSED FAILED SKIPPED SECONDS
# A suite that ran nothing, or less than it has, has failed.

source "$(dirname "$0")/lib.sh"
pgc=$1
dir=$(dirname "$top")
log=$dir/log
cd "$top" || exit 1
: >"$log/summary"

record() {	# SUITE PASSED FAILED SKIPPED
	echo "$1 $2 $3 $4 $((SECONDS - began))" >>"$log/summary"
}

make_list() {	# VARIABLE: its value in the Makefile
	make -s --no-print-directory PG_CONFIG="$pgc" --eval="show-list: ; @echo \$($1)" show-list
}

installcheck() {	# SUITE VARIABLE=VALUE...
	local suite=$1
	shift
	make --no-print-directory PG_CONFIG="$pgc" with_llvm=no installcheck "$@" >"$log/$suite.log" 2>&1
}

# pg_regress and pg_isolation_regress: 15 prints "test NAME ... ok", 16 and later
# "ok N - NAME".  What is not reported as passed has failed.
run_regress() {	# SUITE OUTPUT_FOLDER "TESTS" VARIABLE=VALUE...
	local suite=$1 out=$2 tests=$3 total passed rc
	shift 3

	began=$SECONDS
	total=$(wc -w <<<"$tests")
	installcheck "$suite" "$@"
	rc=$?
	passed=$(grep -cE '^(test .* \.\.\. +ok +|ok [0-9]+ )' "$log/$suite.log")
	[ "$passed" -le "$total" ] || passed=$total
	if [ "$total" = 0 ] || { [ $rc != 0 ] && [ "$passed" = "$total" ]; }; then
		echo "# the suite has no tests, or ended with an error of its own" >>"$log/$suite.log"
		total=$((passed + 1))
	fi
	record "$suite" "$passed" $((total - passed)) 0
	cp "$out/regression.diffs" "$log/$suite.diffs" 2>/dev/null
	cp -r "$out/log" "$log/$suite" 2>/dev/null
}

run_tap() {
	local counts rc

	began=$SECONDS
	installcheck tap REGRESS= ISOLATION= "PROVE=perl $top/test/prove.pl"
	rc=$?
	counts=$(sed -n 's/^counted: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log/tap.log" | tail -n 1)
	set -- ${counts:-0 0 0}
	if [ $(($1 + $2)) = 0 ] || { [ $rc != 0 ] && [ "$2" = 0 ]; }; then
		echo "# no TAP test was run: they need IPC::Run, and a server built with --enable-tap-tests" >>"$log/tap.log"
		set -- "$1" $(($2 + 1)) "$3"
	fi
	record tap "$1" "$2" "$3"
	mkdir -p "$log/tap" && cp tmp_check/log/* "$log/tap" 2>/dev/null
}

began=$SECONDS
if ! build_private "$dir" >"$log/build.log" 2>&1; then
	record build 0 1 0
	exit 1
fi
record build 0 0 0

export TEMP_CONFIG=$dir/private.conf
server="SERVER_OPTS=--temp-config=$dir/private.conf"
run_regress regress . "$(make_list REGRESS)" ISOLATION= TAP_TESTS= "$server"
run_regress isolation output_iso "$(make_list ISOLATION)" REGRESS= TAP_TESTS= "$server"
run_tap
awk '{ failed += $3 } END { exit failed > 0 }' "$log/summary"
