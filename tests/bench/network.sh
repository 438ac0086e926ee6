#!/bin/bash
# The network's figures, as ratios in one run. Not a test: `meson test --benchmark -v`, as root.
#
#     LANDPEN=... BENCH=... NET_BENCH=... ../network/lab network.sh
#
# In the tests' laboratory: its server stands behind a link. tinyproxy and srt (SRT names its program)
# are measured where they are installed. Run it on a quiet machine; the release build with musl is the
# one to measure.
set -eu
dir=$LAB/bench
mkdir -p "$dir/project" "$dir/home"
install -m 755 "$NET_BENCH" "$dir/net-bench"
install -m 755 "$LANDPEN" "$dir/landpen"
bench=$dir/net-bench
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null || :' EXIT

as_user()
{
	setpriv --reuid "$LAB_USER" --regid "$LAB_USER" --clear-groups \
		env -i HOME="$dir/home" PATH="$PATH" TMPDIR="${TMPDIR:-/tmp}" "$@"
}
cat >"$dir/names.json" <<JSON
{"network": {"allowedDomains": ["$LAB_ADDR", "127.0.0.1:7002", "127.0.0.1:7003"], "deniedDomains": []},
 "filesystem": {"denyRead": [], "allowWrite": [], "denyWrite": []}}
JSON
chown -R "$LAB_USER" "$dir"
cd "$dir/project"
pen=("$dir/landpen" -q -s "$dir/names.json" --backend landlock --)

# best of several, in turns
turns()
{
	local n=$1 a=() b=()
	shift
	for _ in $(seq "$n"); do
		a+=("$(eval "$1")")
		b+=("$(eval "$2")")
	done
	printf '%s\n' "${a[@]}" | sort -n | sed -n "$(((n + 1) / 2))p"
	printf '%s\n' "${b[@]}" | sort -n | sed -n "$(((n + 1) / 2))p"
}

line()
{
	awk -v what="$1" -v a="$2" -v b="$3" -v unit="$4" -v goal="$5" 'BEGIN {
		printf "%-44s %9.2f %s, compared with %9.2f: %.2f  (%s)\n", what, b, unit, a, b / a, goal }'
}

"$bench" serve 7001 & jobs+=($!)
"$bench" send 7002 2 & jobs+=($!)
ip netns exec "$LAB_NETNS" "$bench" serve 7001 & jobs+=($!)
sleep 0.3

mapfile -t t < <(turns 7 'as_user $bench connects 127.0.0.1 7001 3000' \
	'as_user "${pen[@]}" $bench connects $LAB_ADDR 7001 3000')
line 'connect through the gate' "${t[0]}" "${t[1]}" us 'at most 2.5 of a direct one to loopback'

mapfile -t t < <(turns 3 'as_user $bench carry 127.0.0.1 7002' \
	'as_user "${pen[@]}" sh -c "$bench tunnel 127.0.0.1 \${HTTP_PROXY##*:} 127.0.0.1:7002 -"')
line 'one stream through the proxy' "${t[0]}" "${t[1]}" GB/s 'at least 0.5 of a direct one'
stream=${t[1]}

# 1,000 short TLS connections, ten at a time
python3 -c '
import ssl, socketserver, http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *a): pass
class S(socketserver.ThreadingMixIn, http.server.HTTPServer):
    request_queue_size = 1024
    daemon_threads = True
    def finish_request(self, request, address):
        with c.wrap_socket(request, server_side=True) as s: super().finish_request(s, address)
    def handle_error(self, *a): pass
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[1], sys.argv[2])
S(("127.0.0.1", 7003), H).serve_forever()' "$LAB/ca.pem" "$LAB/tls.key" & jobs+=($!)
sleep 0.7
for _ in $(seq 100); do
	echo 'url = "https://127.0.0.1:7003/"'
	echo 'output = "/dev/null"'
done >"$dir/urls"
cat >"$dir/short.sh" <<'SH'
# PROXY: by its URL
start=$(date +%s%N)
for _ in 1 2 3 4 5 6 7 8 9 10; do
	curl -sk --no-keepalive -H 'Connection: close' -x "$1" --noproxy '' -K "$2" &
done
wait
echo $((($(date +%s%N) - start) / 1000000))
SH
short_pen='as_user "${pen[@]}" bash -c "bash $dir/short.sh \$HTTP_PROXY $dir/urls"'
tiny=
if command -v tinyproxy >/dev/null; then
	printf '%s\n' 'Port 7010' 'Listen 127.0.0.1' 'MaxClients 200' 'LogLevel Critical' \
		'DisableViaHeader Yes' 'Timeout 60' "User $LAB_USER" >"$dir/tiny.conf"
	tinyproxy -d -c "$dir/tiny.conf" >/dev/null 2>&1 & jobs+=($!)
	sleep 0.5
	tiny=http://127.0.0.1:7010
	mapfile -t t < <(turns 3 "as_user bash $dir/short.sh $tiny $dir/urls" "$short_pen")
	line '1,000 short TLS connections' "${t[0]}" "${t[1]}" ms "at most 1.3 of tinyproxy's"
	mapfile -t t < <(turns 3 'as_user $bench tunnel 127.0.0.1 7010 127.0.0.1:7002 -' "echo $stream")
	line "one stream, with tinyproxy's" "${t[0]}" "${t[1]}" GB/s "at least 2 of tinyproxy's"
else
	echo '1,000 short TLS connections: tinyproxy is not installed'
fi

true=$(command -v true)
[ -x "$true" ] || true=/usr/bin/true
cat >"$dir/srt.json" <<'JSON'
{"network": {"allowedDomains": ["a.test", "127.0.0.1:7002"], "deniedDomains": []},
 "filesystem": {"denyRead": [], "allowWrite": [], "denyWrite": []}}
JSON
{
	echo "$true"
	echo "${pen[*]} $true"
} >"$dir/commands"
install -m 755 "$BENCH" "$dir/bench"
mapfile -t t < <(as_user "$dir/bench" spawn 200 "$dir/commands" | cut -d' ' -f1)
awk -v a="${t[0]}" -v b="${t[1]}" 'BEGIN {
	printf "true in a pen with names: %.2f ms, %.2f ms over true alone (at most 4)\n", b / 1e3, (b - a) / 1e3 }'
if [ -n "${SRT:-}" ]; then
	mapfile -t s < <(turns 5 'a=$(date +%s%N); as_user "$SRT" -s $dir/srt.json true >/dev/null 2>&1; echo $((($(date +%s%N) - a) / 1000))' 'echo 1')
	awk -v a="${s[0]}" -v b="${t[1]}" 'BEGIN {
		printf "srt true: %.1f ms, %.0f times as long (at least 50)\n", a / 1e3, a / b }'
	cat >"$dir/srt.sh" <<'SH'
token=${HTTP_PROXY%@*}
"$1" tunnel 127.0.0.1 3128 127.0.0.1:7002 "$(printf 'srt:%s' "${token##*:}" | base64 -w 0)"
SH
	srt_stream=$(as_user "$SRT" -s "$dir/srt.json" -c "bash $dir/srt.sh $bench" 2>/dev/null || echo none)
	case $srt_stream in
	'' | none | 0.000) echo "one stream through srt's proxy: it did not work" ;;
	*) line "one stream, with srt's" "$srt_stream" "$stream" GB/s "at least 2 of srt's" ;;
	esac
else
	echo 'srt is not installed: SRT names its program'
fi

# resident memory, idle and after a thousand connections
as_user "${pen[@]}" sh -c "sleep 0.5; echo \$PPID; $bench connects $LAB_ADDR 7001 1000 >/dev/null; sleep 0.5; echo done; sleep 2" \
	>"$dir/memory" & jobs+=($!)
tree()
{
	local pid
	echo "$1"
	for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		tree "$pid"
	done
}
sleep 0.3
front=$!
pids()
{
	for pid in $(tree "$front"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in landpen*) echo "$pid" ;; esac
	done
}
read -r idle_rss idle_pss < <("$bench" memory $(pids))
until grep -q done "$dir/memory" 2>/dev/null; do sleep 0.1; done
read -r rss pss < <("$bench" memory $(pids))
echo "memory of landpen's processes: $idle_rss kB resident, $idle_pss kB their share; after 1,000 connections $rss and $pss (under 8192)"
