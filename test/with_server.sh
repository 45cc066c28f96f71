#!/bin/bash
# test/with_server.sh SCRIPT [ARGUMENT]...: run a script of this checkout in a
# work folder, as the user that a server may run as, with the extension built
# for the server of this machine.  The script finds lib.sh's functions, "work"
# and "pgc", and starts its server itself.
#
# Afterwards nothing is left running, and nothing outside the checkout but
# installed packages.

set -u
source "$(dirname "$0")/lib.sh"
trap 'remove_work' EXIT
trap 'exit 130' INT TERM HUP

m=$(host_major) && use_host "$m" || exit 1
make_work
[ "$(id -u)" != 0 ] || chown -R "$(unprivileged):" "$work"
script=$1
shift
in_work as_user bash -c '
	source "$0/src/test/lib.sh"
	work=$0 pgc=$1 script=$2
	shift 2
	build_private "$work" >"$work/log/build.log" 2>&1 || { tail -n 20 "$work/log/build.log"; die "could not build the extension"; }
	source "$work/src/$script"' "$work" "$pgc" "$script" "$@"
status=$?
if [ $status != 0 ]; then
	name=$(basename "$script" .sh)
	mkdir -p "$top/build/log"
	rm -rf "$top/build/log/$name"
	cp -r "$work/log" "$top/build/log/$name"
	own_like_checkout "$top/build/log"
	say "logs: build/log/$name"
fi
exit $status
