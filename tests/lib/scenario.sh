# What the setup and option columns of the scenario tables may call; sourced by scenarios/run.
# shellcheck shell=bash
#
# $CASE is this try's own directory, with $HOME, $PROJECT (below $HOME, the working directory),
# $OUT (a directory outside both) and $TMPDIR in it. $PROBE and $LANDPEN are programs.

# file PATH [TEXT]: a file with the directories above it.
file()
{
	[ "${1%/*}" = "$1" ] || mkdir -p "${1%/*}"
	printf '%s\n' "${2-content}" >"$1"
}

# repo: makes the project a git repository with one commit. scenarios/run has made the template.
repo()
{
	cp -a "$WORK/template/." "$PROJECT/"
}

# json WORD...: the words as a JSON list; one empty word: an empty list.
json()
{
	local list='' word
	for word; do
		[ -n "$word" ] && list+=",\"$word\""
	done
	printf '[%s]' "${list#,}"
}

# srt KEY=A,B...: writes a settings file as srt reads it, with these filesystem lists (denyRead,
# allowRead, allowWrite, denyWrite) and prints its name. disabled=true and allowGitConfig=true set
# these, network={...} replaces the network part.
srt()
{
	local network='{"allowedDomains":[],"deniedDomains":[]}' flags='' pair key words
	local -A lists=([denyRead]='' [allowRead]='' [allowWrite]='' [denyWrite]='')
	for pair; do
		key=${pair%%=*} pair=${pair#*=}
		case $key in
		network) network=$pair ;;
		disabled | allowGitConfig) flags+=",\"$key\":$pair" ;;
		*) lists[$key]=$pair ;;
		esac
	done
	pair=''
	for key in "${!lists[@]}"; do
		IFS=, read -ra words <<<"${lists[$key]}"
		pair+=",\"$key\":$(json "${words[@]}")"
	done
	printf '{"network":%s,"filesystem":{%s%s}}\n' "$network" "${pair#,}" "$flags" \
		>"$CASE/settings.json"
	printf '%s' "$CASE/settings.json"
}

# claude_settings PERMISSIONS [SANDBOX]: writes a file as Claude Code reads it into the project's
# .claude, with these members of the two objects, and prints its name.
claude_settings()
{
	mkdir -p "$CASE/claude/.claude"
	printf '{"permissions":{%s},"sandbox":{%s}}\n' "$1" "${2:-}" \
		>"$CASE/claude/.claude/settings.json"
	printf '%s' "$CASE/claude/.claude/settings.json"
}

# user_settings JSON: the user's own settings file.
user_settings()
{
	file "$HOME/.config/landpen/settings.json" "$1"
}

# serve ACT [ARG...]: starts one of the probe's servers outside the pen; SERVED is what it printed.
# It ends with this try.
serve()
{
	local fd
	exec {fd}< <(exec "$PROBE" "$@")
	SERVERS+=("$!")
	read -r SERVED <&"$fd"
	exec {fd}<&-
	[ "${SERVED#E}" = "$SERVED" ]
}

# serve_http DIR: serves the files below DIR on loopback; SERVED is the port.
serve_http()
{
	local fd
	exec {fd}< <(exec python3 -c 'import functools, http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=sys.argv[1]))
print(server.server_port, flush=True)
server.serve_forever()' "$1")
	SERVERS+=("$!")
	read -r SERVED <&"$fd"
	exec {fd}<&-
	[ -n "$SERVED" ]
}

# author: who commits, in ~/.gitconfig.
author()
{
	git config --global user.name tester && git config --global user.email tester@localhost &&
		git config --global init.defaultBranch main &&
		git config --global protocol.file.allow always
}

# victim: a process outside the pen; VICTIM is its number.
victim()
{
	serve serve-victim && VICTIM=$SERVED
}
