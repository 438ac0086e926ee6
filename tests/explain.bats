#!/usr/bin/env bats
# What explain, policy and the line at the start say about the network. LANDPEN names the program.

bats_require_minimum_version 1.8.0

setup() {
	export HOME="$BATS_TEST_TMPDIR/users/someone"
	unset XDG_CONFIG_HOME XDG_STATE_HOME
	unset HTTP_PROXY http_proxy HTTPS_PROXY https_proxy NO_PROXY no_proxy
	mkdir -p "$HOME/project"
	cd "$HOME/project"
	cat >net.json <<-'SETTINGS'
	{
	  "filesystem": { "denyRead": [], "allowWrite": [], "denyWrite": [] },
	  "network": {
	    "allowedDomains": ["a.com:443", "*.b.com", "[::1]:80"],
	    "deniedDomains": ["secret.b.com"],
	    "deniedDomainReasons": { "secret.b.com": "not for you" },
	    "deniedResolvedAddresses": ["10.0.0.0/8"],
	    "allowLocalPorts": [8080],
	    "parentProxy": { "https": "http://user:hunter2@proxy.corp:3128" }
	  }
	}
	SETTINGS
}

@test "what only looks makes nothing in the home, and a run does" {
	run -0 "$LANDPEN" policy --ruleset claude
	run -0 "$LANDPEN" explain --ruleset claude "$HOME/x"
	run "$LANDPEN" doctor --ruleset claude true # whether this host can hold it is not asked
	[ "$(ls -A "$HOME")" = project ]
	run -0 "$LANDPEN" -q --ruleset claude true
	[ -d "$HOME/.claude" ]
}

# said HOST REGEX: how explain answers for it.
said() {
	run -0 "$LANDPEN" explain -s net.json --host "$1"
	echo "$output"
	grep -Eq "connect +$2" <<<"$output"
}

@test "hosts: the answer, the rule and its line" {
	said a.com 'yes +allowHost a\.com:443 +# .*/net\.json:4 \(network\.allowedDomains\[0\]\)$'
	said A.COM.:443 'yes '
	said a.com:80 'no +no rule names it: hosts are closed$'
	said x.y.b.com 'yes +allowHost \*\.b\.com '
	said b.com 'no '
	said secret.b.com:443 'no +denyHost secret\.b\.com \(not for you\) +# .*:5 '
	said '[0:0::1]:80' 'yes +allowHost \[::1\]:80 '
	said 127.1:8080 'yes +allowLocalPort 8080 +# .*:8 '
	said localhost:8080 'yes +allowLocalPort 8080 +# .*:8 '
	said localhost:81 'no +but to servers that run in the pen$'
}

@test "hosts: a network that is open or closed" {
	run -0 "$LANDPEN" explain --network none a.com
	grep -Eq 'connect +no +the network is closed$' <<<"$output"
	run -0 "$LANDPEN" explain --network open a.com
	grep -Eq 'connect +yes +the network is open$' <<<"$output"
}

@test "a word is a path if a file has that name, else a host if it can be one" {
	: >notes.txt
	run -0 "$LANDPEN" explain -s net.json notes.txt other.txt dir/a.com plain a.com:443
	echo "$output"
	grep -qx "$(pwd -P)/notes.txt" <<<"$output"
	grep -qx 'host other.txt' <<<"$output"
	grep -qx "$(pwd -P)/dir/a.com (does not exist)" <<<"$output"
	grep -qx "$(pwd -P)/plain (does not exist)" <<<"$output"
	grep -qx 'host a.com:443' <<<"$output"
	run -125 "$LANDPEN" explain --host 'a b'
	[[ $output == *'is no HOST or HOST:PORT'* ]]
}

@test "policy: rules for the network, no passwords" {
	run -0 "$LANDPEN" policy -s net.json
	echo "$output"
	grep -qx 'network    names' <<<"$output"
	grep -qx 'servers    on loopback' <<<"$output"
	grep -q '^allowHost a\.com:443 ' <<<"$output"
	grep -q '^denyHost secret\.b\.com (not for you) ' <<<"$output"
	grep -q '^denyAddress 10\.0\.0\.0/8 ' <<<"$output"
	grep -q '^allowLocalPort 8080 ' <<<"$output"
	grep -qx 'upstream   others through proxy\.corp:3128, with credentials' <<<"$output"
	[[ $output != *hunter2* ]]
	[[ $output != *aHVudGVy* && $output != *dXNlcj* ]]
}

@test "every agent's ruleset allows hosts, base alone none" {
	for agent in aider claude codex gemini goose opencode pi qwen; do
		run -0 "$LANDPEN" policy --ruleset "$agent"
		grep -q "^allowHost .*# ruleset $agent:" <<<"$output"
	done
	run -0 "$LANDPEN" policy --ruleset base
	! grep -q '# ruleset base:.*allowedDomains' <<<"$output"
	! grep -q 'github' <<<"$output"
	run -0 "$LANDPEN" explain --ruleset git-hosts github.com:443 github.com:22
	[ "$(grep -c 'connect  yes' <<<"$output")" -eq 2 ]
}
