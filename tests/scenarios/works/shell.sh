#!/bin/bash
# What shell scripts do all day.
set -e
cat <<END
here $((1 + 1))
END
cat <<<"string"
diff <(echo a) <(echo a) && echo substituted
echo x | tee >(cat >teed) >/dev/null; sleep 0.1; cat teed
t=$(mktemp) d=$(mktemp -d) && echo y >"$t" && cp "$t" "$d/z" && cat "$d/z" && rm -r "$t" "$d"
echo abc >f && sed -i s/b/B/ f && cat f
mkfifo p && (echo through >p &) && cat p
mkdir -p a/b/c && touch -d 2001-02-03 a/b/c/f && chmod 750 a/b && ln -s b a/l && ln a/b/c/f a/hard
tar -cf t.tar a && mkdir x && tar -xpf t.tar -C x
stat -c '%a %Y' x/a/b x/a/b/c/f | cut -d ' ' -f 1
find x -type f | sort | tr '\n' ' '; echo
cp -a a y && diff -r a y && echo same
printf '1\n2\n3\n' | xargs -P 3 -n 1 echo | sort | tr '\n' ' '; echo
coproc cat; echo co >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"; kill "$COPROC_PID"
(sleep 0.1; exit 3) & wait $! || echo "status $?"
ps -o comm= -p $$
nohup true 2>/dev/null && setsid -w true && timeout 5 true && nice true && echo tools
id -u >/dev/null && getent passwd root | cut -d : -f 1 && date -u -d @0 +%Y
exec 7>g && echo seven >&7 && exec 7>&- && cat g
echo 'a 1' | awk '{ print $2 > "awk.out" }' && cat awk.out
perl -e 'print "perl\n"'
printf 'old\n' >q && printf -- '--- q\n+++ q\n@@ -1 +1 @@\n-old\n+new\n' | patch -s q && cat q
flock lock echo locked
install -m 600 f installed && stat -c %a installed
truncate -s 5 f && stat -c %s f
dd if=/dev/zero of=z bs=1k count=4 2>/dev/null && stat -c %s z
cmp -s z <(head -c 4096 /dev/zero) && echo equal
