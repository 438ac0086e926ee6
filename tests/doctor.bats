#!/usr/bin/env bats
# What doctor finds out here is what a run finds out too. LANDPEN names the program.

bats_require_minimum_version 1.8.0

# works NAME: what doctor says of it.
works() {
	"$LANDPEN" doctor --json | python3 -c '
import json, sys
print(json.load(sys.stdin)[sys.argv[1]]["works"])' "$1"
}

setup() {
	export HOME=$BATS_TEST_TMPDIR
	cd "$BATS_TEST_TMPDIR"
	echo '{"network": {"allowedDomains": [], "deniedDomains": []},
	       "filesystem": {"denyRead": [], "allowWrite": [], "denyWrite": []}}' >read.json
	echo '{"network": {"allowedDomains": ["a.test"], "deniedDomains": []},
	       "filesystem": {"denyRead": [], "allowWrite": [], "denyWrite": []}}' >names.json
}

# same NAME COMMAND...: doctor says that NAME works exactly if the command does
same() {
	local said=$(works "$1") did=True
	shift
	"$@" || did=False
	[ "$said" = "$did" ]
}

@test "Landlock works if a native pen does" {
	same landlock "$LANDPEN" -q -s read.json --backend landlock true
}

@test "seccomp works if a native pen has a filter" {
	same seccomp "$LANDPEN" -q -s read.json --backend landlock sh -c 'grep -q "Seccomp:.2" /proc/self/status'
}

@test "bubblewrap works if a pen of it does" {
	same bwrap "$LANDPEN" -q -s read.json --backend bwrap true
}

@test "the gate works if a pen with host names does" {
	same gate "$LANDPEN" -q -s names.json --backend landlock true
}

# told FILE: what doctor says of a policy, and its exit status.
told() {
	local status=0
	"$LANDPEN" doctor --json "$@" >told.json || status=$?
	python3 -c '
import json, sys
policy = json.load(open("told.json"))["policy"]
print(policy["backend"], sys.argv[1], bool(policy["why"]))' $status
}

@test "what a policy gets is what a run with it gets" {
	for options in '-s read.json' '-s names.json' '-s read.json --rw .' '-s read.json --backend bwrap' \
		'-s read.json --rw . --deny ./*.key --backend bwrap'; do
		said=$(told $options)
		if "$LANDPEN" $options true 2>line; then
			[[ $said == *' 0 False' ]]
			grep -qF "(${said%% *})" line
		else
			[ "$said" = 'refused 1 True' ]
		fi
	done
	[ "$said" = 'refused 1 True' ] # the last one: bubblewrap cannot hold a pattern
}

@test "a policy that cannot be loaded is one that cannot be held" {
	echo '{' >bad.json
	[ "$(told -s bad.json)" = 'refused 1 True' ]
	[ "$(HOME=$PWD told)" = 'refused 1 True' ] # the project would be the home
	grep -q 'bad.json' <("$LANDPEN" doctor -s bad.json)
}

@test "in a pen doctor knows it" {
	[ "$(works outside)" = True ]
	# sanitizers look for leaks by ptrace, which is closed in there
	run -1 "$LANDPEN" -q --env ASAN_OPTIONS=detect_leaks=0 -s read.json --ro "$LANDPEN" "$LANDPEN" doctor --json
	[[ $output == *'"outside": {"works": false'* ]]
}
