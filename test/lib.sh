# test/lib.sh: what "make test", "make demo" and the benchmarks share; sourced by bash.
#
# A server refuses to run as root, and the user that it may run as need not be
# able to read the checkout.  So everything is built and run in a work folder
# under /tmp, copied there, by an unprivileged user; logs are copied back to
# build/log, and the folder is removed at the end.  The extension is installed
# into the work folder too, so that neither a server that is already on the
# machine nor another checkout is disturbed.
#
#   top     the checkout          work    the work folder
#   major   of the server         pgc     its pg_config

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work= major= pgc=
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The checkout's owner keeps what is written into it, also under sudo.
own_like_checkout() { [ "$(id -u)" != 0 ] || chown -R --reference="$top" "$@"; }

# as_root COMMAND...: by sudo if need be, never asking for a password unseen.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "root or sudo is needed for: $*"
	fi
}

# unprivileged: the name of the user that servers run as.
unprivileged() {
	if [ "$(id -u)" != 0 ]; then
		id -un
	elif id postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

# as_user COMMAND...: as that user, with an environment of our own.
as_user() {
	local env=(env -i -C "$work" "PATH=$PATH" "HOME=$work" "TMPDIR=$work/tmp" LC_ALL=C.UTF-8
			   "PGHOST=$work/tmp" PGUSER=postgres)
	local name

	for name in $(compgen -v | grep -E '^(TEST|DEMO|BENCH)_'); do
		env+=("$name=${!name}")
	done

	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid="$(id -u "$(unprivileged)")" --regid="$(id -g "$(unprivileged)")" \
				--init-groups "${env[@]}" "$@"
	else
		"${env[@]}" "$@"
	fi
}


# --- packages ----------------------------------------------------------------

# retry N COMMAND...: until it works, N times at most.
retry() {
	local n=$1 i
	shift
	for ((i = 1; i <= n; i++)); do
		"$@" && return 0
		[ $i = "$n" ] || sleep $((i * 5))
	done
	return 1
}

# install_packages NAME...: those that are missing, with apt.
# Debian's server packages make a cluster "main" and start it: one that was
# not there before is dropped again, all others are left alone.
install_packages() {
	local missing=() p before log=$top/build/log/apt.log
	local get=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q -y
			   -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)

	command -v apt-get >/dev/null || return 0
	for p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
	[ ${#missing[@]} != 0 ] || return 0

	say "installing ${missing[*]}"
	mkdir -p "$top/build/log"
	before=$(ls -d /etc/postgresql/*/* 2>/dev/null)
	retry 3 as_root "${get[@]}" update >"$log" 2>&1 || say "warning: apt-get update failed, see build/log/apt.log"
	retry 2 as_root "${get[@]}" install --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null ||
		{ tail -n 15 "$log"; die "could not install ${missing[*]}, see build/log/apt.log"; }
	for p in /etc/postgresql/*/*; do
		[ -d "$p" ] && ! grep -qxF "$p" <<<"$before" || continue
		as_root pg_dropcluster --stop "$(basename "$(dirname "$p")")" "$(basename "$p")" >>"$log" 2>&1
	done
	own_like_checkout "$top/build"
}

# is_complete PG_CONFIG: is there a server, and what extensions are built and tested with?
is_complete() {
	local bin src

	bin=$("$1" --bindir 2>/dev/null) || return 1
	src=$(dirname "$(dirname "$("$1" --pgxs)")")
	[ -x "$bin/initdb" ] && [ -x "$bin/psql" ] && [ -f "$src/Makefile.global" ] &&
		[ -x "$src/test/regress/pg_regress" ] && [ -x "$src/test/isolation/pg_isolation_regress" ] &&
		[ -f "$src/test/perl/PostgreSQL/Test/Cluster.pm" ]
}

# major_of PG_CONFIG
major_of() { "$1" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'; }

# The major that this machine has, or that its distribution would install.
host_major() {
	local m

	if [ -n "${PG_CONFIG:-}" ]; then
		is_complete "$PG_CONFIG" || die "PG_CONFIG ($PG_CONFIG) has no server, PGXS or test programs beside it"
		major_of "$PG_CONFIG"
		return
	fi
	for m in 18 17 16 15; do
		if is_complete /usr/lib/postgresql/$m/bin/pg_config; then echo $m; return; fi
	done
	if command -v pg_config >/dev/null && is_complete pg_config; then
		major_of pg_config
		return
	fi
	command -v apt-cache >/dev/null ||
		die "no PostgreSQL server with its development files found, and no apt to install them: set PG_CONFIG"
	m=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
	if [ -z "$m" ]; then
		as_root apt-get -qq update >/dev/null 2>&1
		m=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
	fi
	[ -n "$m" ] || die "this distribution has no package postgresql; set PG_CONFIG"
	echo "$m"
}

# can_have MAJOR: is it on this machine, or can apt install it?  Sets pgc.
can_have() {
	pgc=/usr/lib/postgresql/$1/bin/pg_config
	if [ -n "${PG_CONFIG:-}" ] && [ "$(major_of "$PG_CONFIG")" = "$1" ]; then
		pgc=$PG_CONFIG
	elif ! is_complete "$pgc" && command -v pg_config >/dev/null && is_complete pg_config &&
		[ "$(major_of pg_config)" = "$1" ]; then
		pgc=pg_config
	fi
	is_complete "$pgc" ||
		{ command -v apt-cache >/dev/null && apt-cache show "postgresql-server-dev-$1" >/dev/null 2>&1; }
}

# use_host MAJOR: have its server and all that building and testing needs on this machine.
use_host() {
	major=$1
	can_have "$major" || die "PostgreSQL $major is not to be had on this machine"
	case $pgc in
		/usr/lib/postgresql/*) install_packages make gcc libc6-dev libipc-run-perl "postgresql-$major" "postgresql-server-dev-$major";;
		*) install_packages make gcc libc6-dev libipc-run-perl;;
	esac
	is_complete "$pgc" || die "PostgreSQL $major is not complete: $pgc lacks a server, PGXS or the test programs"
}


# --- the work folder ---------------------------------------------------------

# copy_tree FOLDER: the checkout as it is now, without what was built in it.
copy_tree() {
	tar -C "$top" --exclude=./.git --exclude=./build --exclude='./tmp_check*' --exclude=./results --exclude=./output_iso \
		--exclude=./log --exclude='*.o' --exclude='*.so' --exclude='*.bc' --exclude='regression.*' -cf - . |
		tar -C "$1" --no-same-owner -xf -
}

# make_work [ROOT]: the work folder, in another root if given, with the checkout in src/.
make_work() {
	local dir

	dir=$(mktemp -d "${1:-}/tmp/migrate.XXXXXX") || exit 1
	work=$dir
	mkdir "$dir/src" "$dir/tmp" "$dir/log"
	copy_tree "$dir/src"
}

# below_work: the processes whose working directory is in the work folder.  All
# that we start is there, and a server is in its data directory.
below_work() {
	local link

	for link in /proc/[0-9]*/cwd; do
		case $(readlink "$link" 2>/dev/null)/ in
			"$work"/*) link=${link#/proc/}; echo "${link%/cwd}";;
		esac
	done
}

# remove_work: end what is left running, servers at once, and remove the folder.
remove_work() {
	local file pid i

	[ -n "$work" ] || return 0
	kill $(below_work) 2>/dev/null
	for file in $(find "$work" -name postmaster.pid 2>/dev/null); do
		pid=$(head -n 1 "$file" 2>/dev/null)
		below_work | grep -qxF "${pid:-none}" && kill -QUIT "$pid" 2>/dev/null
	done
	for ((i = 0; i < 100; i++)); do
		[ -n "$(below_work)" ] || break
		sleep 0.1
	done
	kill -KILL $(below_work) 2>/dev/null
	rm -rf "$work" 2>/dev/null || as_root rm -rf "$work"
	work=
}

# in_work COMMAND...: run it; a signal to us ends it at once.
in_work() {
	"$@" </dev/null &
	wait $!
}


# --- build and install into the work folder; run there as the user ------------

# build_private FOLDER: build FOLDER/src for $pgc and install it below FOLDER/inst;
# FOLDER/private.conf makes a server find it.
build_private() {
	local dir=$1 name=migrate bin

	bin=$("$pgc" --bindir)
	make -k -C "$dir/src" --no-print-directory PG_CONFIG="$pgc" with_llvm=no COPT="-Werror" all &&
		make -C "$dir/src" --no-print-directory PG_CONFIG="$pgc" with_llvm=no install DESTDIR="$dir/inst" || return 1
	if grep -q extension_control_path "$bin/postgres"; then
		say "extension_control_path = '$dir/inst$("$pgc" --sharedir):\$system'"
	elif grep -q extension_destdir "$bin/postgres"; then
		say "extension_destdir = '$dir/inst'"
	else
		# a server of its own making: there the extension has to be installed
		cmp "$dir/src/$name.so" "$("$pgc" --pkglibdir)/$name.so" &&
			cmp "$dir/src/sql/$name--1.0.sql" "$("$pgc" --sharedir)/extension/$name--1.0.sql" ||
			{ say "this server loads extensions from its own folders only: run \"make install\" first" >&2; return 1; }
	fi >"$dir/private.conf"
	say "dynamic_library_path = '$dir/inst$("$pgc" --pkglibdir):\$libdir'" >>"$dir/private.conf"
}

# start_server [SETTING=VALUE]...: one in the work folder that finds the
# extension there; reached by its socket in $TMPDIR alone.
start_server() {
	local bin setting

	bin=$("$pgc" --bindir)
	PATH=$bin:$PATH
	initdb -D "$work/data" -A trust -U postgres -E UTF8 --no-sync >"$work/log/initdb.log" || return 1
	{
		cat "$work/private.conf"
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$work/tmp'"
		for setting; do echo "${setting%%=*} = '${setting#*=}'"; done
	} >>"$work/data/postgresql.conf"
	pg_ctl -D "$work/data" -l "$work/log/server.log" -w start >"$work/log/start.log"
}

stop_server() { pg_ctl -D "$work/data" -m fast -w stop >/dev/null; }
