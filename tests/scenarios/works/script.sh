#!/bin/bash
# script(1) gives a command a terminal.
set -e
script -qec 'tty | cut -c 1-9; test -t 0 && echo terminal' typescript </dev/null | tr -d '\r'
grep -c terminal typescript
