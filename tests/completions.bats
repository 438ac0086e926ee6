#!/usr/bin/env bats
# The shells' completions offer exactly the options that the program's help lists.
# LANDPEN names the program.

bats_require_minimum_version 1.8.0

VERBS='run doctor explain policy trust'

setup() {
	completions="$BATS_TEST_DIRNAME/../contrib/completions"
	PATH="$(dirname "$LANDPEN"):$PATH"
}

# The options in the help of a verb, one a line.
helped() {
	"$LANDPEN" "$1" --help | grep -E '^  -' | sed 's/  [^ -].*//' | options
}

# The words that are options.
options() {
	tr -s ' ,=' '\n' | grep -E '^(-[a-zA-Z]|--[a-z-]+)$' | sort -u
}

@test "the help is read by this test" {
	[ "$(helped run | wc -l)" -gt 15 ]
	helped doctor | grep -qx -- --json
}

@test "bash: the options of each verb" {
	source "$completions/landpen.bash"
	for verb in $VERBS; do
		COMP_WORDS=(landpen "$verb" -) COMP_CWORD=2
		_landpen
		diff <(helped "$verb") <(printf '%s\n' "${COMPREPLY[@]}" | options)
	done
}

@test "bash: verbs, rulesets, gaps and values" {
	source "$completions/landpen.bash"
	COMP_WORDS=(landpen doc) COMP_CWORD=1
	_landpen
	[[ " ${COMPREPLY[*]} " == *' doctor '* ]]
	COMP_WORDS=(landpen --ruleset cl) COMP_CWORD=2
	_landpen
	[ "${COMPREPLY[*]}" = claude ]
	COMP_WORDS=(landpen --accept-gap me) COMP_CWORD=2
	_landpen
	[ "${COMPREPLY[*]}" = metadata ]
	COMP_WORDS=(landpen --network = o) COMP_CWORD=3
	_landpen
	[ "${COMPREPLY[*]}" = open ]
}

@test "fish: the options of each verb" {
	command -v fish >/dev/null || skip 'fish is not installed'
	for verb in $VERBS; do
		offered=$(HOME=$BATS_TEST_TMPDIR fish -c "source '$completions/landpen.fish'
			complete -C 'landpen $verb -'; complete -C 'landpen $verb --'" | cut -f1)
		diff <(helped "$verb") <(options <<<"$offered")
	done
	run -0 --separate-stderr env HOME="$BATS_TEST_TMPDIR" fish -c "source '$completions/landpen.fish'
		complete -C 'landpen --ruleset cl'"
	[[ $output == claude* ]]
}

@test "zsh: the options of all verbs" {
	# in the specs of _arguments; what {-s,--settings} stands for comes apart at the comma
	words=$(tr -s "'(){}*[\t" ' ' <"$completions/_landpen" | options)
	diff <(for verb in $VERBS; do helped "$verb"; done | sort -u) \
		<(grep -vx -e -a -e -S -e -n -e -e -e -g <<<"$words")
	if command -v zsh >/dev/null; then
		zsh -n "$completions/_landpen"
	fi
}
