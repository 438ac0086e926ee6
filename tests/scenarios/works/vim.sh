#!/bin/bash
# vim edits and saves, with a backup and a swap file.
set -e
echo hello >f
vim -es -u NONE -N -c 'set backup writebackup' -c '%s/hello/changed/' -c 'wq' f </dev/null
cat f f~
vim -es -u NONE -N -c 'set backupcopy=no' -c 'normal Goadded' -c 'wq' f </dev/null
cat f
