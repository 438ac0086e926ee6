#!/bin/bash
# What hostile programs tried against the gate, each as a triple: it works bare, it fails in the pen
# for the reason named, and, where a rule can allow it, it works again. Also what must go on
# working. With both back ends, and where pidfd_getfd(2) is refused, as in a container. As an
# ordinary user; if started as root, also what only root could do. Prints TAP.
#
#     LANDPEN=... ATTACKS=... attacks.sh [REGEX]
set -u

LANDPEN=${LANDPEN:?} ATTACKS=${ATTACKS:?} ONLY=${1:-.}
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
case ${TMPDIR:=/tmp} in
/dev/*) TMPDIR=/tmp ;; # bubblewrap's pen has a /dev of its own
esac
TOP=$(mktemp -d "$TMPDIR/landpen-attacks.XXXXXX") || exit 2
declare -A BARE
COUNT=0 FAILED=0 SERVERS=() USER_AS=(env "HOME=$TOP")
[ "$(id -u)" != 0 ] || USER_AS=(setpriv --reuid 65534 --regid 65534 --clear-groups "${USER_AS[@]}")

trap 'for pid in "${SERVERS[@]}"; do kill "$pid" 2>/dev/null; done; rm -rf "$TOP"' EXIT
trap '' PIPE
chmod 755 "$TOP"
mkdir -m 777 "$TOP/out" "$TOP/tmp"
export TMPDIR=$TOP/tmp
cp "$LANDPEN" "$TOP/landpen" && cp "$ATTACKS" "$TOP/attacks" || exit 2
LANDPEN=$TOP/landpen ATTACKS=$TOP/attacks

# where | act | bare | in the pen | allowed by ("-": nothing may, or nothing has to) | then
# where: "all"; "plain": what the container has no part in; "container": of what is held elsewhere
# (leaks.py, sockets.py, escapes.py) for plain pens.
# $A: port of a server on 127.0.0.2; $B: of one on 127.0.0.1 (SO_REUSEPORT); $C: on 127.0.0.1.
table()
{
	cat <<-'END'
	container|reach 127.0.0.2 $A|reached|EACCES|"allowLocalPorts":[$A]|reached
	container|reach out.s|reached|EACCES|"allowUnixSockets":["$PWD/out.s"]|reached
	container|reach @$NAME|reached|EACCES|"allowAllUnixSockets":true|reached
	container|share 127.0.0.1 $B|reached|EADDRINUSE|-|-
	container|share-own $D|ok|ok|-|-
	container|swap 10000 127.0.0.2 $A|reached|held|-|-
	container|dup 60 127.0.0.2 $A connect|reached|held|-|-
	container|dup 60 127.0.0.2 $A listen|open to all|held|-|-
	container|rename-bind 2000 out.s|reached|held|-|-
	all|any 127.0.0.1 127.0.0.2 0.0.0.0 $A|reached|held|-|-
	all|any ::1 ::ffff:127.0.0.1 :: $C|reached|EAFNOSUPPORT,EINVAL,ENETUNREACH|-|-
	plain|device name|ok|EPERM|-|-
	plain|device index|ok|EPERM|-|-
	all|swap 2000 out.s -|reached|held|-|-
	all|exchange 2000 out.s|reached|held|-|-
	plain|link out.s|reached|EACCES|"allowUnixSockets":["$PWD/own-link"]|reached
	plain|listener|reached|EBUSY|-|-
	all|stall|ok|ok|-|-
	plain|flood 64|ok|ok|-|-
	all|killed|ok|ok|-|-
	all|descriptors|EMFILE|EMFILE|-|-
	all|datagrams 3000|ok|ok|-|-
	plain|many file 4500|ok|ok|-|-
	plain|many left 4500|ok|ok|-|-
	plain|many abstract 4500|ok|ok|-|-
	plain|many tcp 4500|ok|ok|-|-
	container|unused 5000|ok|ok|-|-
	all|interrupt|EINTR|EINTR|-|-
	all|restart|ok|ok|-|-
	plain|preempt|ok|ok|-|-
	all|timeout own-timeout|EAGAIN|EAGAIN|-|-
	all|timeout 127.0.0.1 $((D + 1))|EINPROGRESS|EINPROGRESS|-|-
	plain|stop|ok|ok|-|-
	plain|exec $ATTACKS|ok|ok|-|-
	plain|vfork 100|ok|ok|-|-
	all|name own-name|ok|ok|-|-
	all|name -|ok|ok|-|-
	plain|swap-folder 1000 $TOP/out|reached|held|-|-
	all|free-port|ok|ok|-|-
	all|undumpable|ok|ok|-|-
	END
}

settings()
{
	printf '{"network":{"allowedDomains":["example.com"],"deniedDomains":[],%s%s},' \
		'"allowLocalBinding":true' "${1:+,$1}"
	printf '"filesystem":{"denyRead":[],"allowWrite":["."],"denyWrite":[]}}\n'
}

serve()
{
	rm -f "$TOP/port"
	"${AS[@]}" "$ATTACKS" outside log "$@" >"$TOP/port" &
	SERVERS+=($!)
	for _ in {1..100}; do
		[ -s "$TOP/port" ] && break
		sleep 0.02
	done
	SERVED=$(cat "$TOP/port")
}

pen()
{
	local wrapper=()
	[ "$GETFD" = yes ] || wrapper=("$ATTACKS" without-getfd)
	"${AS[@]}" timeout -k 1 30 "${wrapper[@]}" "$LANDPEN" -q -s "$TOP/settings.json" --backend "$BACKEND" \
		--accept-gap all -- "$@"
}

# tell ID GOT WANTED
tell()
{
	local one
	COUNT=$((COUNT + 1))
	while read -r -d, one; do
		if [ "$2" = "$one" ]; then
			echo "ok $COUNT - $1"
			return
		fi
	done <<<"$3,"
	FAILED=$((FAILED + 1))
	echo "not ok $COUNT - $1"
	echo "# expected $3, got $2"
}

last_word()
{
	tail -n 1 | tr -d '\n'
}

clean()
{
	find . -maxdepth 1 \( -name 'own-*' -o -name 'mine-*' \) -delete
}

start_round()
{
	ROUND=$BACKEND
	AS=("${USER_AS[@]}")
	[ "$GETFD" = yes ] || ROUND=$ROUND-container
	mkdir -p "$TOP/$ROUND"
	cd "$TOP/$ROUND" || exit 2
	[ "$(id -u)" != 0 ] || chown 65534:65534 .
	settings '' >"$TOP/settings.json"
}

end_round()
{
	for pid in "${SERVERS[@]}"; do
		kill "$pid"
		wait "$pid" 2>/dev/null
	done
	SERVERS=()
	cd "$TOP" || exit 2
}

# shellcheck disable=SC2034 # A to D are the table's
try_rows()
{
	local where act bare denied allow allowed id words
	NAME=landpen-attack-$$-$COUNT
	serve 127.0.0.2 0; A=$SERVED
	serve 127.0.0.1 0 reuseport; B=$SERVED
	serve 127.0.0.1 0; C=$SERVED
	D=$((20000 + RANDOM % 10000)) # not from the range of ephemeral ports
	serve out.s -
	serve "@$NAME" -
	while IFS='|' read -r where act bare denied allow allowed; do
		id="$ROUND: $act"
		[[ "$id" =~ $ONLY ]] || continue
		case $where-$GETFD in plain-no | container-yes) continue ;; esac
		eval "words=($act)"
		if [ -z "${BARE[$act]-}" ]; then # once
			BARE[$act]=done
			clean
			tell "$id: bare" "$("${AS[@]}" timeout -k 1 30 "$ATTACKS" "${words[@]}" 2>&1 | last_word)" \
				"$bare"
		fi
		clean
		[ -S out.s ] || echo "# the outside socket was moved by: $act"
		settings '' >"$TOP/settings.json"
		tell "$id: pen" "$(pen "$ATTACKS" "${words[@]}" 2>&1 | last_word)" "$denied"
		[ "$allow" != - ] || continue
		clean
		settings "$(eval "echo \"${allow//\"/\\\"}\"")" >"$TOP/settings.json"
		tell "$id: allowed" "$(pen "$ATTACKS" "${words[@]}" 2>&1 | last_word)" "$allowed"
	done < <(table)
	settings '' >"$TOP/settings.json"
}

# wanted ID: whether this one was asked for
wanted()
{
	[[ "$ROUND: $1" =~ $ONLY ]]
}

# The name was the pen's own, is an outside server's now, and a forged line says otherwise.
forge()
{
	local word
	wanted abstract || return 0
	rm -f to from
	mkfifo to from
	pen "$ATTACKS" abstract "@$NAME-2" <to >from 2>&1 &
	exec 7<>to 8<from
	read -r -t 10 word <&8
	[ "$GETFD" = yes ] && serve "@$NAME-2" -
	echo >&7
	read -r -t 20 word <&8
	exec 7>&- 8<&-
	tell "$ROUND: abstract: pen" "$word" EACCES
}

# The supervisor is killed from outside; who has cut the tie to it must not open the way alone.
orphan()
{
	local pid word=
	wanted orphan && [ "$BACKEND" = landlock ] || return 0
	rm -f from
	mkfifo from
	{ pen "$ATTACKS" listener "$PWD/out.s" >from; } 2>/dev/null &
	exec 8<from
	read -r -t 10 pid <&8
	[ -n "$pid" ] && kill -9 "$pid"
	read -r -t 10 word <&8
	exec 8<&-
	tell "$ROUND: orphan: pen" "$word" EBUSY
}

# As many descriptors are on their way as the user may have there.
congest()
{
	wanted flight && [ "$BACKEND-$GETFD" = landlock-yes ] || return 0
	tell "$ROUND: flight: pen" "$(ulimit -n 512; pen "$ATTACKS" flight 2>&1 | last_word)" ok
}

# What only root's privileges would open: the command has none, and the supervisor must not lend it
# its own. The folder and the socket are another user's.
borrow()
{
	local file=$1
	shift
	tell "$ROUND: $*: bare" "$("$ATTACKS" "$@" 2>&1 | last_word)" "$BARE"
	tell "$ROUND: $*: pen" "$(pen "$ATTACKS" "$@" 2>&1 | last_word)" EACCES
	chmod a+rwx "$file"
	tell "$ROUND: $*: allowed" "$(pen "$ATTACKS" "$@" 2>&1 | last_word)" "$BARE"
}

for BACKEND in landlock bwrap; do
	for GETFD in yes no; do
		start_round
		try_rows
		forge
		orphan
		congest
		end_round
	done
done
if [ "$(id -u)" = 0 ]; then
	GETFD=yes
	for BACKEND in landlock bwrap; do
		start_round
		ROUND=root-$BACKEND
		rm -f out.s
		mkdir -m 755 closed
		chown 65534:65534 closed
		serve out.s -
		chmod 600 out.s
		AS=()
		settings "\"allowUnixSockets\":[\"$PWD/out.s\"]" >"$TOP/settings.json"
		BARE=ok borrow closed serve closed/own
		BARE=reached borrow out.s reach out.s
		end_round
	done
fi
echo "1..$COUNT"
[ $COUNT -gt 0 ] && [ $FAILED = 0 ]
