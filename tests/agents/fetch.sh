#!/bin/sh
# Installs real coding agents from the npm registry into a cache directory, for the tests beside
# this file. Nothing else in the build or the tests downloads anything.
#
#   fetch.sh DIR [AGENT...]       AGENT: claude codex opencode gemini pi qwen, and srt
#                                 (default: all but qwen, which needs node >= 22)
#
# DIR/bin/AGENT is what to run; DIR/AGENT/ is its own npm prefix. An agent that is already there at
# the version named below is left alone. No package's install scripts are run: what they would
# set up (a link to the per-platform binary) is done here.
set -eu

pin()
{
	case $1 in
	claude)   echo @anthropic-ai/claude-code@2.1.329 ;;
	codex)    echo @openai/codex@0.169.0 ;;
	opencode) echo opencode-ai@1.18.33 ;;
	gemini)   echo @google/gemini-cli@0.61.0 ;;
	pi)       echo @mariozechner/pi-coding-agent@0.73.1 ;;
	srt)      echo @anthropic-ai/sandbox-runtime@0.0.78 ;;
	qwen)     echo @qwen-code/qwen-code@0.24.4 ;;
	*)        return 1 ;;
	esac
}

say()
{
	printf 'fetch: %s\n' "$*"
}

die()
{
	printf 'fetch: %s\n' "$*" >&2
	exit 1
}

# The native binary that a per-platform package holds: the newest such package npm chose to
# install for this machine (it picks by os, cpu and libc).
native()
{
	for f in "$@"; do
		[ -f "$f" ] && [ -x "$f" ] && { echo "$f"; return 0; }
	done
	return 1
}

# The program inside a fetched prefix, $1 = agent, $2 = prefix.
program()
{
	m=$2/node_modules
	case $1 in
	claude)   native "$m"/@anthropic-ai/claude-code-linux-*/claude ;;
	codex)    native "$m"/@openai/codex/bin/codex.js ;;
	# On x64 npm installs both the plain and the -baseline build; the latter runs on any CPU.
	opencode) native "$m"/opencode-linux-*-baseline/bin/opencode \
			 "$m"/opencode-linux-*-baseline-musl/bin/opencode \
			 "$m"/opencode-linux-*/bin/opencode ;;
	*)        native "$m/.bin/$1" ;;
	esac
}

fetch_one()
{
	agent=$1
	want=$(pin "$agent") || die "no such agent: $agent"
	if [ "$(cat "$dir/$agent/.fetched" 2>/dev/null)" = "$want" ] && [ -x "$dir/bin/$agent" ]; then
		say "$agent: $want is already there"
		return 0
	fi
	say "$agent: installing $want"
	tmp=$dir/.$agent.$$
	mkdir -p "$tmp"
	(cd "$tmp" && echo '{"private":true}' >package.json &&
		npm install --prefix "$tmp" --ignore-scripts --no-audit --no-fund --no-update-notifier \
			--include=optional --omit=dev --loglevel=error "$want" >&2) ||
		die "$agent: npm could not install $want"
	program "$agent" "$tmp" >/dev/null || die "$agent: no program found in $want"
	echo "$want" >"$tmp/.fetched"
	chmod -R a+rX "$tmp"
	rm -rf "${dir:?}/$agent"
	mv "$tmp" "$dir/$agent"
	found=$(program "$agent" "$dir/$agent")
	ln -sfn "..${found#"$dir"}" "$dir/bin/$agent"
	say "$agent: done, $(du -sh "$dir/$agent" | cut -f1)"
}

[ $# -ge 1 ] || die "usage: fetch.sh DIR [AGENT...]"
command -v npm >/dev/null || die "npm is not installed"
dir=$1
shift
mkdir -p "$dir/bin"
dir=$(cd "$dir" && pwd -P)
tmp=
trap 'case $tmp in "$dir"/.*) rm -rf "$tmp" ;; esac' EXIT
trap 'exit 1' HUP INT TERM
[ $# -gt 0 ] || set -- claude codex opencode gemini pi srt
for a in "$@"; do
	fetch_one "$a"
done
