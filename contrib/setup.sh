#!/bin/sh
# Builds landpen, installs it and shows what it does:
#
#     sh contrib/setup.sh [--prefix DIR]   default: ~/.local, or /usr/local for root
#
# or builds it in four ways and runs all tests:
#
#     sh contrib/setup.sh --test
#
# Packages that are missing are installed first, as root or by sudo where that asks for no
# password; else the one line to be run as root is printed, and nothing is done.
#
#     LANDPEN_REQUIRE_AGENTS=1   with --test: fetch the real agents from npm and test them too, which
#                                CI=true implies; otherwise they are tested if they are there
#     LANDPEN_REQUIRE_KERNELS=1  with --test: fetch Debian's kernels and run the scenarios on them, which
#                                CI=true implies; likewise
set -eu

# ---- what has to be there -----------------------------------------------------------------------

# how it is found, and its packages (Debian and Ubuntu, Fedora, Arch, Alpine; -: not needed there)
build_needs()
{
	cat <<-'END'
	cmd:cc           gcc,libc6-dev     gcc              gcc         gcc,musl-dev
	cmd:meson        meson             meson            meson       meson
	cmd:ninja        ninja-build       ninja-build      ninja       samurai
	cmd:pkg-config   pkg-config        pkgconf-pkg-config pkgconf   pkgconf
	pc:libseccomp    libseccomp-dev    libseccomp-devel libseccomp  libseccomp-dev
	pc:jansson       libjansson-dev    jansson-devel    jansson     jansson-dev
	cmd:musl-gcc     musl-tools        -                -           -
	c:linux/landlock.h linux-libc-dev  kernel-headers   linux-api-headers linux-headers
	cmd:bwrap        bubblewrap        bubblewrap       bubblewrap  bubblewrap
	cmd:bash         bash              bash             bash        bash
	cmd:scdoc        scdoc             scdoc            scdoc       scdoc
	END
}

test_needs()
{
	cat <<-'END'
	cmd:gcc          gcc               gcc              gcc         gcc
	cmd:clang        clang             clang            clang       clang
	static           libc6-dev         glibc-static     glibc       musl-dev
	sanitizer        gcc               libasan,libubsan gcc         -
	pc:cmocka        libcmocka-dev     libcmocka-devel  cmocka      cmocka-dev
	pc:libcurl       libcurl4-openssl-dev libcurl-devel curl        curl-dev
	cmd:bats         bats              bats             bats        bats
	sys:python3      python3           python3          python      python3
	py:venv,ensurepip python3-venv     python3          python      python3
	sys:git          git               git              git         git
	sys:node         nodejs            nodejs           nodejs      nodejs
	sys:npm          npm               npm              npm         npm
	sys:make         make              make             make        make
	sys:cmake        cmake             cmake            cmake       cmake
	sys:patch        patch             patch            patch       patch
	sys:rsync        rsync             rsync            rsync       rsync
	sys:cargo        cargo             cargo            rust        cargo
	sys:tmux         tmux              tmux             tmux        tmux
	sys:vim          vim               vim-enhanced     vim         vim
	sys:ssh-keygen   openssh-client    openssh          openssh     openssh-keygen
	sys:strace       strace            strace           strace      strace
	sys:sshd         openssh-server    openssh-server   openssh     openssh-server
	sys:redis-server redis-server      -                -           redis
	sys:psql         postgresql        postgresql-server postgresql postgresql
	sys:curl         curl              curl             curl        curl
	sys:socat        socat             socat            socat       socat
	sys:rg           ripgrep           ripgrep          ripgrep     ripgrep
	sys:wget         wget              wget             wget        wget
	sys:openssl      openssl           openssl          openssl     openssl
	sys:go           golang-go         golang           go          go
	sys:rustc        rustc             rust             rust        rust
	sys:javac        default-jdk-headless java-devel jdk-openjdk        -
	sys:ip           iproute2          iproute          iproute2    iproute2
	py:requests      python3-requests  python3-requests python-requests py3-requests
	cmd:zsh          zsh               zsh              zsh         zsh
	cmd:fish         fish              fish             fish        fish
	cmd:hyperfine    hyperfine         hyperfine        hyperfine   hyperfine
	sys:dockerd      docker.io         moby-engine      docker      docker
	sys:podman       podman            podman           podman      podman
	sys:runc         runc              runc             runc        runc
	sys:newuidmap    uidmap            shadow-utils     shadow      shadow-subids
	static-busybox   busybox-static    busybox          busybox     busybox-static
	sys:bash-static  bash-static       -                -           -
	sys:script       bsdutils          util-linux-script util-linux util-linux-misc
	sys:setpriv      util-linux        util-linux       util-linux  setpriv
	sys:runuser      util-linux        util-linux       util-linux  runuser
	cmd:mkfs.ext4    e2fsprogs         e2fsprogs        e2fsprogs   e2fsprogs
	cmd:mkfs.btrfs   btrfs-progs       btrfs-progs      btrfs-progs btrfs-progs
	cmd:mkfs.xfs     xfsprogs          xfsprogs         xfsprogs    xfsprogs
	sys:useradd      passwd            shadow-utils     shadow      shadow
	sys:qemu-system-x86_64 qemu-system-x86 qemu-system-x86-core qemu-system-x86 qemu-system-x86_64
	sys:qemu-system-aarch64 qemu-system-arm qemu-system-aarch64-core qemu-system-aarch64 qemu-system-aarch64
	sys:aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu,libc6-dev-arm64-cross - - -
	sys:mke2fs       e2fsprogs         e2fsprogs        e2fsprogs   e2fsprogs
	sys:gpgv         gpgv              gnupg2           gnupg       gnupg
	sys:xz           xz-utils          xz               xz          xz
	END
}

# What must have run, by build; see tests/summary. "shipped" is the build that is installed.
must_run='gcc=unit,proxy clang=unit asan=unit,proxy,cli shipped=cli,scenarios,edge,compat,users,shim'

# ---- installing what is missing -----------------------------------------------------------------

die()
{
	printf 'setup: %s\n' "$*" >&2
	exit 1
}

# sys: must be found here, since some tests run as another user
system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

compiles()
{
	cc -x c "$@" -o /dev/null - 2>/dev/null
}

is_there()
{
	case $1 in
	cmd:*) (PATH=$PATH:$system_path && command -v "${1#cmd:}") >/dev/null ;;
	sys:*) (PATH=$system_path && command -v "${1#sys:}") >/dev/null ;;
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	py:*) (PATH=$system_path && python3 -c "import ${1#py:}") 2>/dev/null ;;
	c:*) echo "#include <${1#c:}>" | compiles -fsyntax-only ;;
	static-busybox) (PATH=$PATH:$system_path && ! ldd "$(command -v busybox)" >/dev/null 2>&1 && busybox true) ;;
	static) echo 'int main(void) { return 0; }' | compiles -static ;;
	sanitizer) echo 'int main(void) { return 0; }' | compiles -fsanitize=address,undefined ;;
	esac
}

find_manager()
{
	for manager in apt-get dnf pacman apk none; do
		! command -v $manager >/dev/null || return 0
	done
}

# find_missing TABLE...: sets $missing (what) and $packages (for this system).
find_missing()
{
	missing='' packages=''
	while read -r what debian fedora arch alpine; do
		case $manager in
		apt-get) names=$debian ;;
		dnf) names=$fedora ;;
		pacman) names=$arch ;;
		apk) names=$alpine ;;
		*) names=$what ;;
		esac
		[ "$names" = - ] || is_there "$what" || {
			missing="$missing ${what#*:}"
			packages="$packages $(echo "$names" | tr , ' ')"
		}
	done <<-END
	$(for table; do "$table"; done)
	END
	packages=$(printf '%s\n' $packages | sort -u | tr '\n' ' ')
}

install_missing()
{
	find_manager
	find_missing "$@"
	[ -n "$missing" ] || return 0
	case $manager in
	apt-get) line='apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends' ;;
	dnf) line='dnf install -y' ;;
	pacman) line='pacman -Sy --needed --noconfirm' ;;
	apk) line='apk add' ;;
	*) die "missing, and no package manager that I know:$missing" ;;
	esac
	line="$line ${packages% }"
	if [ "$(id -u)" = 0 ]; then
		step "installing$missing" sh -c "$line"
	elif sudo -n true 2>/dev/null; then
		step "installing$missing" sudo -n sh -c "$line"
	else
		printf 'setup: missing:%s\nsetup: run this line, then this script again:\n\n    sudo sh -c "%s"\n\n' \
			"$missing" "$line" >&2
		exit 1
	fi
	find_missing "$@"
	[ -z "$missing" ] || die "installed, and still missing:$missing"
}

# ---- building -----------------------------------------------------------------------------------

# step WHAT COMMAND...: what it prints is shown only if it fails.
step()
{
	what=$1 begin=$(date +%s)
	shift
	printf '== %s ... ' "$what"
	if "$@" >"$scratch/log" 2>&1 </dev/null; then
		printf 'done, %d s\n' $(($(date +%s) - begin))
	else
		printf 'FAILED\n'
		tail -n 60 "$scratch/log"
		die "$what failed"
	fi
}

# build DIR OPTION...: as it was set up before, if it was.
build()
{
	dir=$1
	shift
	[ -e "$dir/build.ninja" ] || meson setup "$dir" "$@" && ninja -C "$dir"
}

build_with()
{
	(export CC="$1" && shift && build "$@")
}

# Static where that works, since it starts faster.
build_shipped()
{
	dir=$1
	shift
	if [ "$(uname -m)" = x86_64 ] && command -v musl-gcc >/dev/null &&
		[ -e "$(pkg-config --variable=libdir jansson)/libjansson.a" ]; then
		set -- "$@" --cross-file compat/musl/musl.ini -Dlibc=musl -Db_pie=false
	fi
	build "$dir" "$@" -Dbuildtype=release
}

install_build()
{
	meson configure "$1" -Dprefix="$prefix" && meson install -C "$1"
}

check_meson()
{
	case $(meson --version) in
	0.*) die "meson $(meson --version) is too old: 1.0 or newer is needed (pipx install meson)" ;;
	esac
}

# ---- showing ------------------------------------------------------------------------------------

# bare SHELL and pen SHELL: one try in the throw-away home's project.
bare()
{
	(cd "$home/project" && env -u XDG_CONFIG_HOME -u XDG_STATE_HOME HOME="$home" "$@") \
		>"$scratch/out" 2>"$scratch/err" </dev/null
}

pen()
{
	# shellcheck disable=SC2086 # $options are words
	bare "$prefix/bin/landpen" -q $options -- "$@"
}

# deny WHAT FILE SHELL: works without landpen, and leaves FILE other than it was or prints what was in
# it; with landpen it does neither.
deny()
{
	what=$1 file=$2
	cp "$file" "$scratch/before"
	bare bash -c "$3" || die "$what: does not work even without landpen: $(cat "$scratch/err")"
	cp "$scratch/before" "$file"
	if pen bash -c "$3" || [ -s "$scratch/out" ] || ! cmp -s "$file" "$scratch/before"; then
		die "$what: works without landpen, and IS NOT DENIED WITH IT"
	fi
	printf '  %-32s works without landpen, denied with it: %s\n' "$what" \
		"$(sed -n '1s/^.*: //p' "$scratch/err")"
}

keep()
{
	bare bash -c "$2" || die "$1: does not work even without landpen: $(cat "$scratch/err")"
	pen bash -c "$2" || die "$1: works without landpen, but not with it: $(cat "$scratch/err")"
	printf '  %-32s works without landpen, and with it\n' "$1"
}

show()
{
	home=$scratch/home options=''
	mkdir -p "$home/.ssh" "$home/project" "$home/other"
	echo 'not a real key' >"$home/.ssh/id_ed25519"
	chmod 600 "$home/.ssh/id_ed25519"
	echo 'export PATH' >"$home/other/file"
	printf '\nA command in a project of a throw-away home:\n\n'
	if ! pen true; then
		why=$(cat "$scratch/err")
		options='--backend landlock --accept-gap all'
		pen true || die "landpen cannot make a pen here: $why"
		printf '  By itself landpen refuses to start here: %s\n' "${why#landpen: }"
		printf '  So what follows is shown with %s: see landpen(1), GAPS,\n' "$options"
		printf '  for what stays open then.\n\n'
	fi
	deny 'read ~/.ssh/id_ed25519' "$home/.ssh/id_ed25519" 'cat ~/.ssh/id_ed25519'
	deny 'write to ~/other/file' "$home/other/file" 'echo changed >~/other/file'
	deny 'send to a network socket' /dev/null 'echo hello >/dev/udp/127.0.0.1/9'
	keep 'write in the project' 'echo made >file && grep -q made file'
}

install_and_show()
{
	install_missing build_needs
	check_meson
	step 'building' build_shipped build-release -Dtests=false
	step "installing below $prefix" install_build build-release
	show
	printf '\nlandpen is %s\n' "$prefix/bin/landpen"
	case :$PATH: in
	*:"$prefix/bin":*) ;;
	*) printf 'Your PATH does not name that folder; this does: PATH="%s/bin:$PATH"\n' "$prefix" ;;
	esac
	printf 'Now go to a project and run: landpen claude\n'
}

# ---- testing ------------------------------------------------------------------------------------

# check DIR OPTION...: runs tests; what came of them is read from the logs by tests/summary.
check()
{
	dir=$1
	shift
	printf '== testing %s\n' "$dir"
	rm -f "$dir"/meson-logs/testlog.*
	begin=$(date +%s)
	meson test -C "$dir" --no-rebuild --print-errorlogs "$@" </dev/null || failed=1
	printf '== testing %s took %d s\n' "$dir" $(($(date +%s) - begin))
}

test_all()
{
	failed=0
	[ "${CI:-}" != true ] || export LANDPEN_REQUIRE_AGENTS=1 LANDPEN_REQUIRE_KERNELS=1
	install_missing build_needs test_needs
	check_meson
	step 'building with gcc' build_with gcc build-test-gcc -Dwerror=true
	step 'building with clang' build_with clang build-test-clang -Dwerror=true
	if is_there sanitizer; then
		# without -Dwerror: gcc sees more, and wrongly, in code that the sanitizers changed
		step 'building with sanitizers' build_with gcc build-test-asan \
			-Db_sanitize=address,undefined -Db_lundef=false
	else # Alpine; elsewhere they have been installed
		echo '== no sanitizers for this C library: left out'
		must_run=$(echo "$must_run" | sed 's/asan=[^ ]* //')
	fi
	step 'building what is shipped' build_shipped build-test-shipped -Dwerror=true
	if [ "${LANDPEN_REQUIRE_AGENTS:-}" = 1 ]; then
		agents=${LANDPEN_AGENTS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/landpen-tests/agents}
		step 'fetching the agents' sh tests/agents/fetch.sh "$agents"
		must_run="$must_run,srt,agents"
	fi
	if [ "${LANDPEN_REQUIRE_KERNELS:-}" = 1 ]; then
		step 'fetching the kernels' python3 tests/kernels/boot --fetch
		must_run="$must_run,kernels"
	fi
	# only root can make networks, and start Docker's daemon
	[ "$(id -u)" != 0 ] || must_run="$must_run,network,containers"
	check build-test-gcc --suite unit --suite proxy
	check build-test-clang --suite unit
	[ ! -d build-test-asan ] || check build-test-asan --suite unit --suite proxy --suite cli
	# the unit tests' library is not there for musl
	check build-test-shipped --no-suite unit
	set --
	for entry in $must_run; do
		set -- "$@" "build-test-$entry"
	done
	python3 tests/summary "$@" || exit 1
	exit $failed
}

# -------------------------------------------------------------------------------------------------

prefix=${HOME:-}/.local mode=install
[ "$(id -u)" != 0 ] || prefix=/usr/local
while [ $# -gt 0 ]; do
	case $1 in
	--test) mode='test' ;;
	--prefix) [ $# -gt 1 ] || die '--prefix takes a folder'; prefix=$2; shift ;;
	--prefix=*) prefix=${1#*=} ;;
	-h | --help) sed -n '2,${/^#/!q;s/^# \{0,1\}//p;}' "$0"; exit ;;
	*) die "$1: no such option; --prefix DIR or --test" ;;
	esac
	shift
done
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
if [ $mode = test ]; then
	test_all
else
	install_and_show
fi
