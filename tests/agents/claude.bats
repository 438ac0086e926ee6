#!/usr/bin/env bats
# The real Claude Code in the pen: it works on the project at full speed, its own state survives,
# and what is none of its business stays closed. Each act is ordered twice, without landpen and
# with it, so that a denial is known to be the pen's.

load agents.bash

setup_file()
{
	have_agent claude || return 0
	make_user
	cat >"$WORK/steps.json" <<'STEPS'
[
	{"name": "see", "tool": "Read", "input": {"file_path": "@HOME@/work/file.txt"}},
	{"name": "edit", "tool": "Edit", "input": {"file_path": "@HOME@/work/file.txt",
		"old_string": "one", "new_string": "two"}},
	{"name": "write", "tool": "Write", "input": {"file_path": "@HOME@/work/new/made.txt",
		"content": "made\n"}},
	{"name": "commit", "bash": "git add -A && git commit -qm agent && git log --format=%s"},
	{"name": "npm", "bash": "npm run -s hi"},
	{"name": "install", "bash": "mkdir -p $TMPDIR/dep && echo '{\"name\":\"dep\",\"version\":\"1.0.0\"}' >$TMPDIR/dep/package.json && npm install --no-save --offline --install-links $TMPDIR/dep && ls node_modules"},
	{"name": "python", "bash": "python3 -c 'import tempfile; print(6*7, tempfile.TemporaryFile().writable())'"},
	{"name": "background", "bash": "sleep 0.2 & wait $! && echo waited"},
	{"name": "ssh", "bash": "cat ~/.ssh/id_ed25519"},
	{"name": "ssh-tool", "tool": "Read", "input": {"file_path": "@HOME@/.ssh/id_ed25519"}},
	{"name": "aws", "bash": "cat ~/.aws/credentials"},
	{"name": "other", "bash": "cat ~/other/secret.txt"},
	{"name": "history", "bash": "cat ~/.bash_history"},
	{"name": "bashrc", "bash": "echo evil >>~/.bashrc && echo written"},
	{"name": "bashrc-tool", "tool": "Write", "input": {"file_path": "@HOME@/.profile",
		"content": "evil\n"}},
	{"name": "settings", "bash": "echo '{\"hooks\":{}}' >~/.claude/settings.json && echo written"},
	{"name": "hook", "bash": "echo 'echo evil' >.git/hooks/pre-commit && echo written"},
	{"name": "variables", "bash": "echo \"LANDPEN=$LANDPEN DEPLOY_TOKEN=$DEPLOY_TOKEN NODE_OPTIONS=$NODE_OPTIONS\""}
]
STEPS
	local how home
	for how in bare pen; do
		home=$(make_home "$how")
		install_agent claude "$home"
		mkdir -p "$home/.claude"
		echo '{"marker":"kept","hasCompletedOnboarding":true,"oauthAccount":{"accountUuid":"u"}}' \
			>"$home/.claude.json"
		echo '{"env":{"FROM_SETTINGS":"1"}}' >"$home/.claude/settings.json"
		echo '{"claudeAiOauth":{"accessToken":"kept"}}' >"$home/.claude/.credentials.json"
		chmod 600 "$home/.claude.json" "$home/.claude/.credentials.json"
		own "$home"
		sed "s|@HOME@|$home|g" "$WORK/steps.json" >"$WORK/$how.json"
		drive "$how" "$home" "$WORK/$how.json" "$how" \
			ANTHROPIC_BASE_URL=http://127.0.0.1:@PORT@ ANTHROPIC_API_KEY=x \
			DEPLOY_TOKEN=secret NODE_OPTIONS=--no-deprecation \
			claude -p go --dangerously-skip-permissions
	done
	# its first step is taken as done, for the conversation that goes on holds an answer to it
	echo '[{"name": "first", "bash": "true"}]' >"$WORK/again.json"
	drive pen "$WORK/pen" "$WORK/again.json" again \
		ANTHROPIC_BASE_URL=http://127.0.0.1:@PORT@ ANTHROPIC_API_KEY=x \
		claude --continue -p more --dangerously-skip-permissions

	home=$(make_home first)
	install_agent claude "$home"
	own "$home"
	echo '[{"name": "hello", "bash": "echo hello"}]' >"$WORK/first.json"
	drive pen "$home" "$WORK/first.json" first \
		ANTHROPIC_BASE_URL=http://127.0.0.1:@PORT@ ANTHROPIC_API_KEY=x \
		claude -p go --dangerously-skip-permissions
}

teardown_file()
{
	remove_user
}

setup()
{
	require_agent claude
	BARE=$WORK/bare PEN=$WORK/pen
}

@test "claude: without landpen every order is carried out" {
	went_well bare
	[ "$(cat "$BARE/work/file.txt")" = two ]
	[[ $(seen bare ssh) = *"$KEY"* ]]
	[[ $(seen bare ssh-tool) = *"$KEY"* ]]
	[[ $(seen bare aws) = *"$KEY"* ]]
	[[ $(seen bare other) = *"$KEY"* ]]
	[[ $(seen bare history) = *"$KEY"* ]]
	[[ $(seen bare bashrc) = *written* ]]
	grep -q evil "$BARE/.bashrc"
	[[ $(seen bare settings) = *written* ]]
	[[ $(seen bare hook) = *written* ]]
	[[ $(seen bare variables) = *"DEPLOY_TOKEN=secret NODE_OPTIONS=--no-deprecation"* ]]
}

@test "claude: in the pen it ends with success" {
	went_well pen
}

@test "claude: in the pen it reads, edits and makes files of the project" {
	[[ $(seen pen see) = *one* ]]
	seen pen edit
	[ "$(cat "$PEN/work/file.txt")" = two ]
	[ "$(cat "$PEN/work/new/made.txt")" = made ]
}

@test "claude: in the pen it commits" {
	[[ $(seen pen commit) = *agent*start* ]]
	[ "$(as_user "$PEN" git log --format=%s -1)" = agent ]
	[ "$(as_user "$PEN" git show --format= --name-only | sort | tr '\n' ' ')" = \
		"file.txt new/made.txt " ]
}

@test "claude: in the pen npm and python run" {
	[[ $(seen pen npm) = *42* ]]
	[[ $(seen pen install) = *dep* ]]
	[[ $(seen pen python) = *"42 True"* ]]
	[[ $(seen pen background) = *waited* ]]
}

@test "claude: in the pen it cannot read a key, neither by its shell nor by its own tool" {
	[[ $(seen bare ssh) = *"$KEY"* ]]
	denied_read "$(seen pen ssh)" id_ed25519
	[[ $(seen bare ssh-tool) = *"$KEY"* ]]
	[[ $(seen pen ssh-tool) =~ EACCES|permission\ denied|does\ not\ exist ]]
	[[ $(seen pen ssh-tool) != *"$KEY"* ]]
}

@test "claude: in the pen it cannot read ~/.aws/credentials" {
	[[ $(seen bare aws) = *"$KEY"* ]]
	denied_read "$(seen pen aws)" credentials
}

@test "claude: in the pen it cannot read another project" {
	[[ $(seen bare other) = *"$KEY"* ]]
	denied_read "$(seen pen other)" secret.txt
}

@test "claude: in the pen it cannot read ~/.bash_history" {
	[[ $(seen bare history) = *"$KEY"* ]]
	denied_read "$(seen pen history)" .bash_history
}

@test "claude: in the pen it cannot write ~/.bashrc and ~/.profile" {
	[[ $(seen bare bashrc) = *written* ]]
	denied_write "$(seen pen bashrc)" .bashrc
	[ "$(cat "$PEN/.bashrc")" = "export GREETING=hello" ]
	grep -q evil "$BARE/.profile"
	seen pen bashrc-tool
	[ "$(cat "$PEN/.profile")" = "export GREETING=hello" ]
}

@test "claude: in the pen it cannot plant a hook, neither its own nor git's" {
	[[ $(seen bare settings) = *written* ]]
	denied_write "$(seen pen settings)" settings.json
	[ "$(cat "$PEN/.claude/settings.json")" = '{"env":{"FROM_SETTINGS":"1"}}' ]
	[ -e "$BARE/work/.git/hooks/pre-commit" ]
	denied_write "$(seen pen hook)" pre-commit
	[ ! -e "$PEN/work/.git/hooks/pre-commit" ]
}

@test "claude: in the pen it gets its own variables and no others" {
	[[ $(seen pen variables) = *"LANDPEN=1 DEPLOY_TOKEN= NODE_OPTIONS="* ]]
	[[ $(seen pen variables) != *no-deprecation* ]]
}

@test "claude: its login and settings survive the pen, and it can write its state" {
	grep -q '"marker": *"kept"' "$PEN/.claude.json"
	grep -q '"accountUuid"' "$PEN/.claude.json"
	# written by this run, as it is by one without landpen
	grep -q firstStartTime "$BARE/.claude.json"
	grep -q firstStartTime "$PEN/.claude.json"
	[ "$(stat -c %a "$PEN/.claude.json")" = 600 ]
	grep -q kept "$PEN/.claude/.credentials.json"
	ls "$PEN"/.claude/projects/*/*.jsonl
}

@test "claude: a later run in the pen goes on with the conversation" {
	went_well again
	# the first run's answers came back from its transcript, in the second run's requests
	[[ $(seen again first) = *one* ]]
	grep -q '"step":8' "$WORK/again.seen"
}

@test "claude: the first run ever may be in the pen" {
	went_well first
	[[ $(seen first hello) = *hello* ]]
	grep -q firstStartTime "$WORK/first/.claude.json"
	[ ! -e "$WORK/first/.claude/settings.json" ]
	ls "$WORK"/first/.claude/projects/*/*.jsonl
}

@test "claude: nothing is left behind in the project" {
	[ -z "$(as_user "$PEN" git status --porcelain --ignored | grep -v node_modules)" ]
	[ "$(cd "$PEN/work" && ls -A | grep -v '^node_modules$' | tr '\n' ' ')" = \
		".git file.txt new package.json " ]
}
