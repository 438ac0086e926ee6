#!/usr/bin/env bats
# What the user wrote wrongly stops landpen: one sentence on stderr, exit 125, nothing started.
#
# bad-settings/NNN-name.json is given by --settings, and NNN-name.expect holds the regular expression
# for its sentence; bad-settings/options.tsv lists options, user's files and project files.
# LANDPEN names the program.

bats_require_minimum_version 1.8.0

setup() {
	[ -x "$LANDPEN" ] || { echo "LANDPEN does not name a program: '$LANDPEN'" >&2; return 1; }
	cases="$BATS_TEST_DIRNAME/bad-settings"
	unset XDG_CONFIG_HOME XDG_STATE_HOME
	failures=0
}

# A new home with an empty project below it, which becomes the working directory.
new_home() {
	cd /
	rm -rf "$BATS_TEST_TMPDIR/users"
	export HOME="$BATS_TEST_TMPDIR/users/someone"
	mkdir -p "$HOME/project"
	cd "$HOME/project"
}

# put FILE LINE...
put() {
	local file="$1"
	shift
	mkdir -p "$(dirname "$file")"
	if [ "$1" = "" ]; then : > "$file"; else printf '%s\n' "$@" > "$file"; fi
}

# judge NAME REGEX: what the run that has just been made must look like.
judge() {
	local name="$1" regex="$2" problem=""

	[ "$status" -eq 125 ] || problem="exit $status instead of 125, "
	[ -z "$output" ] || problem+="the command was started, "
	[ "$(grep -c '' <<<"$stderr")" -eq 1 ] || problem+="not exactly one line on stderr, "
	grep -Eq -- "$regex" <<<"$stderr" || problem+="another sentence than /$regex/"
	[ -z "$problem" ] && return
	echo "$name: $problem"
	echo "    stdout: $output"
	echo "    stderr: $stderr"
	failures=$((failures + 1))
}

started=(sh -c 'echo started')

@test "a right settings file starts the command" {
	new_home
	put right.json '{"network": {"allowedDomains": [], "deniedDomains": []},' \
		'"filesystem": {"denyRead": [], "allowWrite": [], "denyWrite": []}}'
	run --separate-stderr "$LANDPEN" -s right.json -- "${started[@]}"
	echo "$stderr"
	[ "$status" -eq 0 ]
	[ "$output" = started ]
}

@test "bad settings files" {
	local count=0 file

	for file in "$cases"/*.json; do
		new_home
		run --separate-stderr timeout 10 "$LANDPEN" -s "$file" -- "${started[@]}"
		judge "$(basename "$file")" "$(cat "${file%.json}.expect")"
		count=$((count + 1))
	done
	echo "$count files"
	[ "$count" -ge 50 ]
	[ "$failures" -eq 0 ]
}

@test "bad options, user's files and project files" {
	local count=0 name arguments regex before command

	while IFS=$'\t' read -r name arguments regex before <&3; do
		[[ $name == \#* ]] && continue
		command=(-- "${started[@]}")
		[ "$arguments" = @ ] && arguments=""
		if [[ $arguments == @NONE* ]]; then
			arguments="${arguments#@NONE}"
			command=()
		fi
		new_home
		(
			eval "$before"
			eval "set -- $arguments"
			run --separate-stderr timeout 10 "$LANDPEN" "$@" "${command[@]}"
			judge "$name" "$regex"
			[ "$failures" -eq 0 ]
		) || failures=$((failures + 1))
		count=$((count + 1))
	done 3< "$cases/options.tsv"
	echo "$count cases"
	[ "$count" -ge 50 ]
	[ "$failures" -eq 0 ]
}
