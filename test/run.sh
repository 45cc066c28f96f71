#!/bin/bash
# test/run.sh [MAJOR]...: what "make test" does, for each of the PostgreSQL
# majors (without any: the one of this machine).
#
# A major that neither is on this machine nor comes from its packages is had
# from the Debian release that has it, unpacked into a folder build/root-MAJOR
# and used by chroot; that needs root or sudo, and 30 s the first time.
#
# The last line is "N passed, N failed, N skipped", over all suites and majors.

set -u
source "$(dirname "$0")/lib.sh"

passed=0 failed=0 skipped=0
root=
trap 'remove_work' EXIT
trap 'exit 130' INT TERM HUP

# The Debian release that has a major.
release_of() {
	case $1 in
		15) echo bookworm;;
		17) echo trixie;;
		18) echo sid;;
		*) return 1;;
	esac
}

# The mirror that this machine itself gets Debian from; none, if it gets another
# system: then the tool knows one.
debian_mirror() {
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian \(.*\)$/\1/p' | head -n 1
}

# make_root MAJOR: the folder $root with its server, compiler and test programs.
# Only the files of the server's development package are wanted: it depends on
# a whole LLVM, which would treble the size.
make_root() {
	local m=$1 release log=$top/build/log/root-$1.log conf

	root=$top/build/root-$m
	[ ! -e "$root/.complete" ] || return 0
	release=$(release_of "$m") || { say "PostgreSQL $m is in no release of Debian"; return 1; }
	install_packages mmdebstrap debian-archive-keyring
	command -v mmdebstrap >/dev/null || { say "mmdebstrap is needed to get PostgreSQL $m from Debian $release"; return 1; }
	[ -n "$(debian_mirror)" ] || as_root apt-get -qq update >/dev/null 2>&1	# it is known from the lists
	say "unpacking Debian $release with PostgreSQL $m into build/root-$m"
	mkdir -p "$top/build/log"
	conf=$(mktemp "$top/build/apt.XXXXXX")
	{ apt-config dump | grep -E '^Acquire::(http|https|Check|Max)'; echo 'Acquire::Retries "3";'; } >"$conf"
	retry 3 unpack_root "$m" "$release" "$conf" >"$log" 2>&1
	rm -f "$conf"
	[ -e "$root/.complete" ] || { tail -n 15 "$log"; return 1; }
}

unpack_root() {	# MAJOR RELEASE APT_SETTINGS
	as_root rm -rf "$root"
	as_root mmdebstrap --mode=root --variant=minbase --aptopt="$3" \
		--include="make,gcc,libc6-dev,libipc-run-perl,postgresql-$1" \
		--dpkgopt=force-unsafe-io --dpkgopt=force-confold \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--essential-hook='mkdir -p "$1/etc/postgresql-common" && echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"' \
		--customize-hook='chroot "$1" sh -c "cd /tmp && apt-get -qq download postgresql-server-dev-'"$1"' && dpkg-deb -x postgresql-server-dev-*.deb / && rm postgresql-server-dev-*.deb"' \
		"$2" "$root" $(debian_mirror) </dev/null && as_root touch "$root/.complete"
}

# run_in_root: the suites in $root; /proc and shared memory are mounted in a
# mount namespace of their own, where one may be had, and so vanish with it.
run_in_root() {
	local inside=${work#"$root"} env

	env="env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=$inside TMPDIR=$inside/tmp LC_ALL=C.UTF-8 TEST_JOBS=${TEST_JOBS:-}"
	as_root chroot "$root" chown -R postgres:postgres "$inside"
	if as_root unshare --mount true 2>/dev/null; then
		as_root unshare --mount --kill-child sh -c '
			mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev/shm" -o mode=1777
			exec chroot "$0" setpriv --reuid=postgres --regid=postgres --init-groups $1 bash $2/src/test/suites.sh $3' \
			"$root" "$env" "$inside" "/usr/lib/postgresql/$major/bin/pg_config"
	else
		as_root chroot "$root" setpriv --reuid=postgres --regid=postgres --init-groups \
			$env bash "$inside/src/test/suites.sh" "/usr/lib/postgresql/$major/bin/pg_config"
	fi
	as_root chown -R "$(id -u):$(id -g)" "$work"
}

# show_failure SUITE: the reason, in few lines.
show_failure() {
	local log=$top/build/log/$major file

	say "--- $1, PostgreSQL $major (all of it: build/log/$major)"
	case $1 in
		build) grep -E '(error|warning): ' "$log/build.log" | head -n 30 | grep . || tail -n 20 "$log/build.log";;
		tap) sed -n '/^Test Summary Report/,$p' "$log/tap.log" | head -n 60
			for file in $(grep -lE '(^|\) )not ok ' "$log"/tap/regress_log_* 2>/dev/null | head -n 5); do
				say "--- end of $(basename "$file")"
				grep -E -A 12 '(^|\) )not ok ' "$file" | head -n 40
				tail -n 15 "$file"
			done;;
		*) if [ -s "$log/$1.diffs" ]; then head -c 12000 "$log/$1.diffs"; else tail -n 20 "$log/$1.log"; fi;;
	esac
	say "---"
}

# run_major MAJOR
run_major() {
	local suite p f s seconds logs

	major=$1
	logs=$top/build/log/$major
	if can_have "$major"; then
		use_host "$major"
		make_work
		[ "$(id -u)" != 0 ] || chown -R "$(unprivileged):" "$work"
		say "PostgreSQL $("$pgc" --version | sed 's/[^0-9]*//')"
		in_work as_user bash "$work/src/test/suites.sh" "$pgc"
	elif make_root "$major"; then
		make_work "$root"
		say "PostgreSQL $("$root/usr/lib/postgresql/$major/bin/postgres" --version 2>/dev/null | sed 's/[^0-9]*//' | grep . || echo "$major"), in build/root-$major"
		in_work run_in_root
	elif [ -n "${TEST_SKIP_MISSING:-}" ]; then
		say "SKIPPED: PostgreSQL $major is not to be had here"
		skipped=$((skipped + 1))
		return
	else
		say "error: PostgreSQL $major is not to be had here (TEST_SKIP_MISSING=1 goes on without it)"
		failed=$((failed + 1))
		return
	fi

	rm -rf "$logs"
	mkdir -p "$logs"
	cp -r "$work/log/." "$logs"
	own_like_checkout "$top/build/log"
	remove_work
	while read -r suite p f s seconds; do
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
		printf '  %-10s %5d passed %4d failed %4d skipped %5d s\n' "$suite" "$p" "$f" "$s" "$seconds"
	done <"$logs/summary"
	grep -q '^tap\|^build 0 1' "$logs/summary" || { say "  the suites ended early"; failed=$((failed + 1)); }
	while read -r suite p f s seconds; do
		[ "$f" = 0 ] || show_failure "$suite"
	done <"$logs/summary"
}

if [ $# = 0 ]; then
	set -- "$(host_major)"
	[ -n "$1" ] || exit 1
fi
for m; do
	run_major "$m"
done
say "$passed passed, $failed failed$([ $skipped = 0 ] || echo ", $skipped skipped")"
[ $failed = 0 ] && [ $passed != 0 ]
