#!/bin/sh
# The figures of the edge, as ratios in one run, on a project with protected names. Not a test:
# `meson test --benchmark -v`.
#
#     LANDPEN=... BENCH=... [LANDSTRIP=...] edge.sh [ROUNDS]
#
# LANDSTRIP: a peer that brokers every open (npm: @landstrip/landstrip-linux-x64). Each figure is
# the best of three, the contestants taking turns. Run it on a quiet machine, as an ordinary user.
set -eu
rounds=${1:-200}
dir=$(TMPDIR=${EDGE_DIR:-/var/tmp} mktemp -d)
trap 'rm -rf "$dir"' EXIT
HOME=$dir/home
export HOME
mkdir -p "$HOME" "$dir/project/tree"
cd "$dir/project"
cp "$BENCH" bench
git init -q .
git config user.email bench@example.org
git config user.name bench
for i in $(seq 30); do
	mkdir "tree/$i"
	for j in $(seq 100); do
		echo "line $j of $i, and nothing to be found" >"tree/$i/$j"
	done
done
cat >commits.sh <<'SH'
for i in 1 2 3 4 5 6 7 8 9 10; do
	echo $i >>edited && git add -A && git commit -qm $i
done
SH
git add -A && git commit -qm first
cat >"$dir/s.json" <<'JSON'
{"network": {"allowedDomains": [], "deniedDomains": []},
 "filesystem": {"denyRead": [], "allowWrite": ["."], "denyWrite": []}}
JSON
cat >"$dir/peer.json" <<JSON
{"network": {"allowNetwork": false}, "filesystem": {"denyRead": [], "allowRead": ["/"],
 "allowWrite": ["$dir/project"], "denyWrite": ["$dir/project/.git/hooks", "$dir/project/.git/config"]}}
JSON

landpen()
{
	"$LANDPEN" -q --backend landlock -s "$dir/s.json" -- "$@"
}

minimal()
{
	"$dir/project/bench" minimal 16 "$@"
}

peer()
{
	"$LANDSTRIP" run -p "$dir/peer.json" -- "$@"
}

bare()
{
	"$@"
}

# us that a command takes, start-up included
timed()
{
	start=$(date +%s%N)
	"$@" >"$dir/out" 2>&1 || [ $? -eq 1 ] || # grep finds nothing
		cat "$dir/out" >&2
	echo $((($(date +%s%N) - start) / 1000))
}

# figure NAME LIMIT REFERENCE READER CMD...: READER prints the number of a run
figure()
{
	name=$1 limit=$2 reference=$3 reader=$4
	shift 4
	others=landpen
	[ -z "${LANDSTRIP:-}" ] || others='landpen peer'
	for who in $reference $others; do
		: >"$dir/$who"
	done
	for turn in 1 2 3; do
		for who in $reference $others; do
			$reader $who "$@" >>"$dir/$who"
		done
	done
	for who in $reference $others; do
		sort -n "$dir/$who" | head -1 >"$dir/$who.best"
	done
	[ -n "${LANDSTRIP:-}" ] || echo 0 >"$dir/peer.best"
	awk -v name="$name" -v limit="$limit" -v a="$(cat "$dir/$reference.best")" \
		-v b="$(cat "$dir/landpen.best")" -v c="$(cat "$dir/peer.best")" -v ref="$reference" 'BEGIN {
		printf "%-28s %s %.1f, landpen %.1f: %.2f (at most %s)%s\n", name, ref, a, b, b / a, limit,
			c ? sprintf("; peer %.1f: %.2f", c, c / a) : "" }'
}

itself()
{
	"$@"
}

figure 'open+close (ns)' 1.1 minimal itself ./bench opens 20000 tree/1/1
figure 'grep -r, 3,000 files (us)' 1.05 minimal timed "$(command -v grep)" -r absent tree
figure '10 x edit, add, commit (us)' 1.1 bare timed sh commits.sh
figure '20,000 files, new dir (us)' 1.2 bare itself ./bench creates 20000 .
figure 'create, mv, rm (us)' 2.0 bare itself ./bench cycles 300 .
figure 'the same by programs (us)' 2.0 bare timed sh -c 'for i in $(seq 100); do touch a && mv a b && rm b; done'
true=$(command -v true)
[ -x "$true" ] || true=/usr/bin/true
printf '%s\n' "$true" "$LANDPEN -q -s $dir/s.json -- $true" ${LANDSTRIP:+"$LANDSTRIP run -p $dir/peer.json -- $true"} >"$dir/commands"
"$BENCH" spawn "$rounds" "$dir/commands" | awk '{ time[NR] = $1 } END {
	printf "%-28s true %.0f, landpen %.0f: %.2f ms over it (at most 1.5)%s\n", "start (us)", time[1],
		time[2], (time[2] - time[1]) / 1000, NR > 2 ? sprintf("; peer %.0f", time[3]) : "" }'
