#!/usr/bin/env bats
# opencode from npm under srt's name, with the settings of somebody who used srt for it: the home hidden,
# its own folders and the project open, .env read-only. As in the other files every act is ordered
# without a pen too.

load agents.bash

setup_file()
{
	have_agent opencode || return 0
	make_user
	mkdir "$WORK/bin"
	cp "$LANDPEN" "$WORK/bin/srt"
	cat >"$WORK/steps.json" <<'STEPS'
[
	{"name": "make", "bash": "echo made >made.txt && cat made.txt file.txt"},
	{"name": "commit", "bash": "git add -A && git commit -qm agent && git log --format=%s"},
	{"name": "temporary", "bash": "f=$(mktemp) && echo written to a temporary file >$f && cat $f"},
	{"name": "env", "bash": "cat .env && echo written >>.env && echo written"},
	{"name": "ssh", "bash": "cat \"$HOME/.ssh/id_ed25519\""},
	{"name": "other", "bash": "cat \"$HOME/other/secret.txt\""},
	{"name": "bashrc", "bash": "echo evil >>\"$HOME/.bashrc\" && echo written"},
	{"name": "host", "bash": "curl -sS -m 5 https://example.com/; echo ended with $?"}
]
STEPS
}

teardown_file()
{
	remove_user
}

# The words of the pen; the model stands on loopback, so that is one host more.
pen()
{
	cat >"$WORK/settings.json" <<-JSON
	{
	  "network": {
	    "allowedDomains": ["localhost:${PORT:-1}", "opencode.ai", "*.opencode.ai", "models.dev", "github.com"],
	    "deniedDomains": [],
	    "allowLocalBinding": true
	  },
	  "filesystem": {
	    "denyRead": ["~"],
	    "allowRead": ["~/.config/opencode/", "~/.local/share/opencode", "~/.local/bin", "~/go", "~/.gitconfig", "/tmp", "."],
	    "allowWrite": [".", "~/.config/opencode", "~/.local/share/opencode", "~/.local/state/opencode",
	      "~/.cache/opencode", "/tmp"],
	    "denyWrite": [".env"]
	  }
	}
	JSON
	printf '%s\n' "$WORK/bin/srt" -s "$WORK/settings.json" --
}

@test "opencode: works under srt's name with srt's settings" {
	require_agent opencode
	local how home
	for how in bare pen; do
		home=$(make_home "opencode-$how")
		mkdir -p "$home"/.local/{bin,share/opencode,state/opencode} "$home/.cache/opencode" "$home/.config/opencode"
		cp "$(readlink -f "$AGENTS_DIR/bin/opencode")" "$home/.local/bin/opencode"
		echo '{"permission":{"external_directory":"allow","bash":"allow","read":"allow"}}' \
			>"$home/.config/opencode/opencode.json"
		echo SECRET=1 >"$home/work/.env"
		echo .env >>"$home/work/.git/info/exclude"
		own "$home"
		drive "$how" "$home" "$WORK/steps.json" "opencode-$how" ANTHROPIC_API_KEY=x \
			'OPENCODE_CONFIG_CONTENT={"provider":{"anthropic":{"options":{"baseURL":"http://127.0.0.1:@PORT@/v1"}}},"model":"anthropic/claude-sonnet-4-5","share":"disabled"}' \
			opencode run go
	done
	went_well opencode-bare
	[[ $(seen opencode-bare ssh) = *"$KEY"* ]]
	[[ $(seen opencode-bare other) = *"$KEY"* ]]
	[[ $(seen opencode-bare env) = *written* ]]
	went_well opencode-pen
	[[ $(seen opencode-pen make) = *made*one* ]]
	[[ $(seen opencode-pen commit) = *agent*start* ]]
	[[ $(seen opencode-pen temporary) = *"written to a temporary file"* ]]
	[[ $(seen opencode-pen env) = *SECRET=1* ]]
	denied_write "$(seen opencode-pen env)" .env
	[ "$(cat "$WORK/opencode-pen/work/.env")" = SECRET=1 ]
	denied_read "$(seen opencode-pen ssh)" id_ed25519
	denied_read "$(seen opencode-pen other)" secret.txt
	denied_write "$(seen opencode-pen bashrc)" .bashrc
	[[ $(seen opencode-pen host) = *"ended with 56"* ]]
	ls "$WORK/opencode-pen/.local/share/opencode/opencode.db"
}
