#!/bin/bash
# A repository that did not exist when the pen was made.
set -e
git init -q -b main .
echo one >one && git add -A && git commit -qm one
git log --format=%s
git clone -q . copy
echo two >copy/two && git -C copy add two && git -C copy commit -qm two
git -C copy log --format=%s
