#!/bin/bash
# tmux: a server with a socket, a terminal, a shell in it.
set -e
export TMUX_TMPDIR=$TMPDIR
tmux -f /dev/null new-session -d -x 80 -y 24 'echo from-tmux >out; tty >>out; sleep 9'
for _ in $(seq 50); do [ "$(wc -l <out 2>/dev/null)" = 2 ] && break; sleep 0.1; done
head -n 1 out
grep -c '^/dev/pts/' out
tmux kill-server
