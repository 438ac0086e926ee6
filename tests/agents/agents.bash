# What claude.bats and others.bats share; sourced by them.
# shellcheck shell=bash
#
# The agents run as an ordinary user with a home of their own, against messages-api.mjs as their
# model: once bare, once in the pen, with the same orders. Run as root, the user is made for the
# file and removed with it; run as somebody else, that user is taken, still with a home of its own.
#
#   LANDPEN                 the program to test
#   LANDPEN_AGENTS_DIR      what fetch.sh filled
#   LANDPEN_REQUIRE_AGENTS  1: an agent that is not there is a failure, not a skip
#   LANDPEN_AGENT_OPTIONS   more options for landpen, such as "--backend bwrap"

AGENTS_DIR=${LANDPEN_AGENTS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/landpen-tests/agents}
KEY='-----BEGIN OPENSSH PRIVATE KEY----- not-for-agents'

have_agent()
{
	[ -x "$AGENTS_DIR/bin/$1" ]
}

# require_agent NAME: skips the test, or fails it where agents are required.
require_agent()
{
	have_agent "$1" && return 0
	[ "${LANDPEN_REQUIRE_AGENTS:-0}" != 1 ] || {
		echo "$1 is required but not in $AGENTS_DIR; run tests/agents/fetch.sh there" >&2
		return 1
	}
	skip "$1 is not in $AGENTS_DIR (tests/agents/fetch.sh gets it)"
}

# make_user: WORK, a folder that the user may walk into, and AGENT_USER.
make_user()
{
	WORK=$(mktemp -d /var/tmp/lpa.XXXXXX)
	chmod 755 "$WORK"
	AGENT_USER=$(id -un)
	if [ "$(id -u)" = 0 ]; then
		AGENT_USER=lpa-${WORK##*.}
		AGENT_USER=${AGENT_USER,,}
		useradd -M -d "$WORK" -s /bin/bash "$AGENT_USER"
	fi
	export WORK AGENT_USER
}

remove_user()
{
	[ -n "${WORK:-}" ] || return 0
	if [ "$(id -u)" = 0 ]; then
		userdel "$AGENT_USER" 2>/dev/null || true
	fi
	chmod -R u+w "$WORK" 2>/dev/null || true
	rm -rf "$WORK"
}

# install_agent NAME HOME: as its users have it. claude as its native installer leaves it, the
# others as `npm install -g` with the usual prefix below the home does.
install_agent()
{
	local from=$AGENTS_DIR/$1/node_modules to=$2/.npm-global program
	program=$(readlink -f "$AGENTS_DIR/bin/$1")
	mkdir -p "$2/.local/bin" "$2/.local/share/claude/versions" "$to/bin" "$to/lib"
	if [ "$1" = claude ]; then
		copy_tree "$program" "$2/.local/share/claude/versions/1"
		ln -s ../share/claude/versions/1 "$2/.local/bin/claude"
		return
	fi
	copy_tree "$from" "$to/lib/node_modules"
	ln -s "$to/lib/node_modules${program#"$(readlink -f "$from")"}" "$to/bin/$1"
}

copy_tree()
{
	cp -al "$1" "$2" 2>/dev/null || {
		rm -rf "$2"
		cp -a "$1" "$2"
	}
}

# make_home NAME: $WORK/NAME with secrets, a project (work) and another one (other). Prints it.
make_home()
{
	local home=$WORK/$1
	mkdir -p "$home"/{.ssh,.aws,other,work}
	printf '%s\n' "$KEY" >"$home/.ssh/id_ed25519"
	printf 'aws_secret_access_key = %s\n' "$KEY" >"$home/.aws/credentials"
	printf 'mysql -p%s\n' "$KEY" >"$home/.bash_history"
	printf '%s\n' "$KEY" >"$home/other/secret.txt"
	printf 'export GREETING=hello\n' >"$home/.bashrc"
	cp "$home/.bashrc" "$home/.profile"
	printf '[user]\n\tname = Agent\n\temail = agent@example.com\n' >"$home/.gitconfig"
	printf 'one\n' >"$home/work/file.txt"
	printf '{"name":"work","version":"1.0.0","scripts":{"hi":"node -p 6*7"}}\n' \
		>"$home/work/package.json"
	git -C "$home/work" init -q
	# some agents hide the user's own git settings from the git that they run
	git -C "$home/work" config user.name Agent
	git -C "$home/work" config user.email agent@example.com
	HOME=$home git -C "$home/work" add -A
	HOME=$home git -C "$home/work" commit -qm start
	chmod 700 "$home" "$home/.ssh"
	printf '%s\n' "$home"
}

# Hard-linked agents stay whoever's they are.
own()
{
	[ "$(id -u)" = 0 ] || return 0
	find "$1" -links 1 -exec chown -h "$AGENT_USER:" {} +
	find "$1" -type d -exec chown "$AGENT_USER:" {} +
}

# as_user HOME COMMAND...: as the user, in its project, with nothing else of our environment. Its
# standard input is the file $INPUT, or empty.
as_user()
{
	local home=$1 words=()
	shift
	[ "$(id -u)" != 0 ] || words=(runuser -u "$AGENT_USER" --)
	(cd "$home/work" && exec "${words[@]}" env -i HOME="$home" USER="$AGENT_USER" \
		LOGNAME="$AGENT_USER" SHELL=/bin/bash TERM=xterm-256color LANG=C.UTF-8 \
		PATH="$home/.local/bin:$home/.npm-global/bin:/usr/local/bin:/usr/bin:/bin" \
		timeout -k 5 150 "$@" <"${INPUT:-/dev/null}")
}

# pen: the words before an agent in the pen; quiet, so that what is printed is the agent's; through
# the gate, to its ruleset's hosts and to its model on loopback.
pen()
{
	# shellcheck disable=SC2086
	printf '%s\n' "$LANDPEN" -q --allow-host "localhost:${PORT:-1}" ${LANDPEN_AGENT_OPTIONS:-} --
}

# start_model STEPS LOG: sets PORT and MODEL, the process.
start_model()
{
	local ready
	exec {ready}< <(exec node "$BATS_TEST_DIRNAME/messages-api.mjs" --script "$1" --log "$2")
	MODEL=$!
	read -r PORT <&"$ready"
}

# drive bare|pen HOME STEPS NAME COMMAND...: orders STEPS from the agent; @PORT@ in its words is
# the model's port, leading NAME=VALUE words are its environment. Leaves NAME.seen (the model's
# log), NAME.out and NAME.status in $WORK. A function before_run, if the test has one, is called
# with the home when the port is known.
drive()
{
	local how=$1 home=$2 steps=$3 name=$WORK/$4 variables=() words=()
	shift 4
	start_model "$steps" "$name.seen"
	[ "$(type -t before_run)" != function ] || before_run "$home"
	while [[ $1 = [A-Z]*=* ]]; do
		variables+=("${1//@PORT@/$PORT}")
		shift
	done
	[ "$how" = bare ] || mapfile -t words < <(pen)
	as_user "$home" env "${variables[@]}" "${words[@]}" "${@//@PORT@/$PORT}" \
		>"$name.out" 2>&1 && echo 0 >"$name.status" || echo $? >"$name.status"
	kill "$MODEL" 2>/dev/null || true
}

# seen NAME STEP: what the agent answered to that step; fails where it did not. For the reader of
# a failing test the agent's own words are printed too.
seen()
{
	node -e '
		const fs = require("fs");
		const [file, step] = process.argv.slice(1);
		const lines = fs.readFileSync(file, "utf8").trim().split("\n").map((l) => JSON.parse(l));
		const found = lines.find((l) => l.event === "result" && l.name === step);
		if (!found)
			process.exit(1);
		console.log(found.text);
	' "$WORK/$1.seen" "$2" || {
		echo "$1: no answer to '$2'; the agent said:" >&2
		cat "$WORK/$1.out" >&2
		return 1
	}
}

# went_well NAME: the agent ended with success and all its orders were answered.
went_well()
{
	if [ "$(cat "$WORK/$1.status")" = 0 ] && grep -q '"event":"done"' "$WORK/$1.seen"; then
		return 0
	fi
	echo "$1: status $(cat "$WORK/$1.status")" >&2
	cat "$WORK/$1.out" >&2
	return 1
}

# denied_read TEXT FILE: the answer says so of that very file, for the pen's reason (Landlock: EACCES;
# bwrap, which hides: ENOENT), and nothing of the secret is there.
denied_read()
{
	echo "answer: $1"
	[[ $1 != *"$KEY"* ]]
	[[ $1 =~ $2:\ (Permission\ denied|No\ such\ file) ]]
}

# denied_write TEXT FILE: likewise; bwrap answers EROFS where the file is to be seen.
denied_write()
{
	echo "answer: $1"
	[[ $1 != *written* ]]
	[[ $1 =~ $2:\ (Permission\ denied|Read-only\ file\ system|No\ such\ file) ]]
}
