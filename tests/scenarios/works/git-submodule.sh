#!/bin/bash
# A commit in a submodule.
set -e
git checkout -q -b work
echo two >two && git add two && git commit -qm two
git log --format=%s
git status --porcelain
