#!/usr/bin/env bats
# The other agents from npm in the pen, under their rulesets: they start, say their version, and
# carry out orders of a model on loopback, with their state in their own folders. As in claude.bats
# every act is ordered without landpen too.

load agents.bash

setup_file()
{
	local name
	for name in codex opencode gemini pi qwen; do
		have_agent "$name" && break
	done
	have_agent "$name" || return 0
	make_user
	cat >"$WORK/steps.json" <<'STEPS'
[
	{"name": "make", "bash": "echo made >made.txt && cat made.txt file.txt"},
	{"name": "commit", "bash": "git add -A && git commit -qm agent && git log --format=%s"},
	{"name": "ssh", "bash": "cat \"$HOME/.ssh/id_ed25519\""},
	{"name": "other", "bash": "cat \"$HOME/other/secret.txt\""},
	{"name": "bashrc", "bash": "echo evil >>\"$HOME/.bashrc\" && echo written"}
]
STEPS
}

teardown_file()
{
	remove_user
}

# prepare AGENT: the homes $WORK/AGENT-bare and $WORK/AGENT-pen with the agent in them. A function
# configure, if the test has one, is called with each.
prepare()
{
	local how home
	for how in bare pen; do
		home=$(make_home "$1-$how")
		install_agent "$1" "$home"
		[ "$(type -t configure)" != function ] || configure "$home"
		own "$home"
	done
}

# versions NAME: the same answer in the pen as without it.
versions()
{
	local bare penned words
	mapfile -t words < <(pen)
	bare=$(as_user "$WORK/$1-bare" "$1" --version 2>&1)
	penned=$(as_user "$WORK/$1-pen" "${words[@]}" "$1" --version 2>&1)
	echo "bare: $bare, in the pen: $penned"
	[ -n "$bare" ]
	[ "$bare" = "$penned" ]
}

# works NAME COMMAND...: orders the steps in both and judges the answers.
works()
{
	local name=$1
	shift
	drive bare "$WORK/$name-bare" "$WORK/steps.json" "$name-bare" "$@"
	drive pen "$WORK/$name-pen" "$WORK/steps.json" "$name-pen" "$@"
	went_well "$name-bare"
	[[ $(seen "$name-bare" ssh) = *"$KEY"* ]]
	[[ $(seen "$name-bare" other) = *"$KEY"* ]]
	[[ $(seen "$name-bare" bashrc) = *written* ]]
	went_well "$name-pen"
	[[ $(seen "$name-pen" make) = *made*one* ]]
	[ "$(cat "$WORK/$name-pen/work/made.txt")" = made ]
	[[ $(seen "$name-pen" commit) = *agent*start* ]]
	[ "$(as_user "$WORK/$name-pen" git log --format=%s -1)" = agent ]
	denied_read "$(seen "$name-pen" ssh)" id_ed25519
	denied_read "$(seen "$name-pen" other)" secret.txt
	denied_write "$(seen "$name-pen" bashrc)" .bashrc
	[ "$(cat "$WORK/$name-pen/.bashrc")" = "export GREETING=hello" ]
}

@test "codex: says its version and works in the pen" {
	require_agent codex
	configure()
	{
		mkdir -p "$1/.codex"
		echo '# mine' >"$1/.codex/config.toml"
	}
	prepare codex
	versions codex
	works codex OPENAI_API_KEY=x \
		codex exec --dangerously-bypass-approvals-and-sandbox -m gpt-5 \
		-c 'model_providers.t={name="t",base_url="http://127.0.0.1:@PORT@/v1",wire_api="responses",env_key="OPENAI_API_KEY"}' \
		-c 'model_provider="t"' go
	ls "$WORK"/codex-pen/.codex/sessions/*/*/*/*.jsonl

	# a login is kept, what a later run would execute cannot be changed
	local words
	mapfile -t words < <(pen)
	echo sk-kept >"$WORK/key"
	INPUT=$WORK/key as_user "$WORK/codex-pen" "${words[@]}" codex login --with-api-key
	grep -q sk-kept "$WORK/codex-pen/.codex/auth.json"
	as_user "$WORK/codex-bare" codex mcp add evil -- /bin/false
	grep -q evil "$WORK/codex-bare/.codex/config.toml"
	run as_user "$WORK/codex-pen" "${words[@]}" codex mcp add evil -- /bin/false
	echo "$output"
	[ "$status" -ne 0 ]
	[ "$(cat "$WORK/codex-pen/.codex/config.toml")" = "# mine" ]
}

@test "opencode: says its version and works in the pen" {
	require_agent opencode
	configure()
	{
		mkdir -p "$1/.config/opencode"
		echo '{"permission":{"external_directory":"allow","bash":"allow"}}' \
			>"$1/.config/opencode/opencode.json"
	}
	prepare opencode
	versions opencode
	works opencode ANTHROPIC_API_KEY=x \
		'OPENCODE_CONFIG_CONTENT={"provider":{"anthropic":{"options":{"baseURL":"http://127.0.0.1:@PORT@/v1"}}},"model":"anthropic/claude-sonnet-4-5","share":"disabled"}' \
		opencode run go
	ls "$WORK/opencode-pen/.local/share/opencode/opencode.db"
}

@test "gemini: says its version and works in the pen" {
	require_agent gemini
	configure()
	{
		mkdir -p "$1/.gemini"
		echo '{"security":{"auth":{"selectedType":"gemini-api-key"}}}' \
			>"$1/.gemini/settings.json"
	}
	prepare gemini
	versions gemini
	works gemini GEMINI_API_KEY=x GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:@PORT@ \
		GEMINI_CLI_TRUST_WORKSPACE=true \
		gemini -y -m gemini-2.5-pro -p go
	[ "$(cat "$WORK/gemini-pen/.gemini/settings.json")" = \
		'{"security":{"auth":{"selectedType":"gemini-api-key"}}}' ]
	ls "$WORK/gemini-pen/.gemini/projects.json"
}

@test "pi: says its version and works in the pen" {
	require_agent pi
	configure()
	{
		mkdir -p "$1/.pi/agent"
		echo '{}' >"$1/.pi/agent/auth.json"
	}
	before_run()
	{
		echo '{"providers":{"anthropic":{"baseUrl":"http://127.0.0.1:'"$PORT"'"}}}' \
			>"$1/.pi/agent/models.json"
		own "$1/.pi"
	}
	prepare pi
	versions pi
	works pi ANTHROPIC_API_KEY=x PI_OFFLINE=1 \
		pi --provider anthropic --model claude-sonnet-4-5 -p go
	ls "$WORK"/pi-pen/.pi/agent/sessions/*/*.jsonl
}

@test "qwen: says its version and lists its extensions in the pen" {
	have_agent qwen || skip "qwen is not in $AGENTS_DIR (tests/agents/fetch.sh gets it)"
	local words
	mapfile -t words < <(pen)
	prepare qwen
	versions qwen
	[[ $(as_user "$WORK/qwen-bare" qwen extensions list) = *"No extensions"* ]]
	[[ $(as_user "$WORK/qwen-pen" "${words[@]}" qwen extensions list) = *"No extensions"* ]]
}
