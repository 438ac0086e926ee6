#!/bin/sh
# The start-up and open figures, as ratios in one run. Not a test: `meson test --benchmark -v`.
#
#     LANDPEN=... BENCH=... start.sh [ROUNDS]
#
# Native without a supervisor: an srt settings file that allows reading only. Run it on a quiet
# machine, as an ordinary user; the release build with musl is the one to measure.
set -eu
rounds=${1:-300}
# on a disk; TMPDIR itself may be memory, as /tmp is on many systems
dir=$(TMPDIR=/var/tmp mktemp -d)
trap 'rm -rf "$dir"' EXIT
HOME=$dir/home
export HOME
mkdir -p "$HOME" "$dir/project"
cd "$dir/project"
cat >"$dir/read.json" <<'JSON'
{"network": {"allowedDomains": [], "deniedDomains": []},
 "filesystem": {"denyRead": [], "allowWrite": [], "denyWrite": []}}
JSON
true=$(command -v true)
[ -x "$true" ] || true=/usr/bin/true
bwrap=$(command -v bwrap || echo /usr/bin/bwrap)
rules=$("$LANDPEN" policy --plan -s "$dir/read.json" | grep -c '^rule ')
cat >"$dir/commands" <<COMMANDS
$true
$LANDPEN -q -s $dir/read.json -- $true
$bwrap --ro-bind / / $true
$BENCH minimal $rules $true
$LANDPEN -q -- $true
COMMANDS
"$BENCH" spawn "$rounds" "$dir/commands" >"$dir/times"
awk 'NR == 1 { plain = $1 } { time[NR] = $1; peak[NR] = $2 }
END {
	printf "fork+exec of true                 %8.0f us\n", time[1]
	printf "landpen, native                   %8.0f us  %.2f of plain (at most 1.5)\n", time[2], time[2] / plain
	printf "bwrap --ro-bind / /               %8.0f us  %.2f of plain\n", time[3], time[3] / plain
	printf "minimal Landlock launcher         %8.0f us  %.2f of plain\n", time[4], time[4] / plain
	printf "landpen, project writable (bwrap) %8.0f us  %.2f of plain\n", time[5], time[5] / plain
	printf "landpen native: peak memory       %8d KiB (under 4096)\n", peak[2]
}' "$dir/times"
inside=$("$LANDPEN" -q -s "$dir/read.json" --ro "$BENCH" -- "$BENCH" opens 20000 /etc/passwd)
minimal=$("$BENCH" minimal "$rules" "$BENCH" opens 20000 /etc/passwd)
bare=$("$BENCH" opens 20000 /etc/passwd)
awk -v a="$inside" -v b="$minimal" -v c="$bare" 'BEGIN {
	printf "open+close: bare %.0f ns, minimal launcher %.0f ns, landpen %.0f ns: %.2f of minimal (at most 1.1)\n", c, b, a, a / b }'
