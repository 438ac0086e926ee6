#!/bin/sh
# A call from a lower layer to a higher one must not link. TAP; BUILD names the build directory.
echo 1..3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
lib="$BUILD/src"

try() {
	number=$1 expect=$2 what=$3 function=$4
	shift 4
	printf 'int %s(void);\nint main(void)\n{\n\treturn %s();\n}\n' "$function" "$function" >"$dir/x.c"
	# shellcheck disable=SC2086
	if ${CC:-cc} ${LAYER_FLAGS:-} -o "$dir/x" "$dir/x.c" "$@" >"$dir/log" 2>&1; then got=links; else
		grep -q "undefined .*$function" "$dir/log" && got=undefined || got=fails
	fi
	[ "$got" = "$expect" ] && echo "ok $number - $what" || {
		echo "not ok $number - $what: $got"
		sed 's/^/# /' "$dir/log"
	}
}

try 1 undefined 'policy calling plan' lp_plan_gap_names \
	"$lib/liblp-policy.a" "$lib/liblp-kernel.a" "$lib/liblp-base.a"
try 2 undefined 'base calling policy' lp_policy_may "$lib/liblp-base.a"
try 3 links 'plan calling policy' lp_policy_may "$lib/liblp-plan.a" "$lib/liblp-policy.a" \
	"$lib/liblp-kernel.a" "$lib/liblp-base.a"
