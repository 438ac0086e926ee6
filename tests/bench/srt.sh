#!/bin/sh
# `srt true` by the real srt and by landpen under its name, in turns in one run; fails below 80 times.
# Before that landpen's is run with a PATH that holds bash and true, and nothing else.
#
#     LANDPEN=... BENCH=... srt.sh [ROUNDS]
set -eu
rounds=${1:-20}
real=${LANDPEN_AGENTS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/landpen-tests/agents}/bin/srt
dir=$(TMPDIR=/var/tmp mktemp -d)
trap 'rm -rf "$dir"' EXIT
[ -x "$real" ] || {
	echo "the real srt is not there: tests/agents/fetch.sh DIR srt gets it"
	exit 77
}
mkdir -p "$dir/home" "$dir/project" "$dir/bin"
for name in bash true; do
	ln -s "$(PATH=/usr/local/bin:/usr/bin:/bin command -v "$name" | grep / || echo "/usr/bin/$name")" "$dir/bin/$name"
done
ln -s "$LANDPEN" "$dir/srt"
cd "$dir/project"
HOME=$dir/home
export HOME
cat >"$dir/commands" <<COMMANDS
$real true
$dir/srt true
COMMANDS
PATH=$dir/bin "$dir/srt" true || {
	echo "landpen's srt needs more than bash"
	exit 1
}
"$BENCH" spawn "$rounds" "$dir/commands" | awk '{ time[NR] = $1 }
END {
	printf "srt true, the real one            %8.0f us\n", time[1]
	printf "srt true, landpen                 %8.0f us  %.0f times faster (at least 80)\n", time[2], time[1] / time[2]
	exit time[1] / time[2] < 80
}'
