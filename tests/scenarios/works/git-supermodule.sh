#!/bin/bash
# A commit in a submodule and in the repository around it.
set -e
git -C sub checkout -q -b work
echo two >sub/two && git -C sub add two && git -C sub commit -qm two
git add sub && git commit -qm super
git log --format=%s
git submodule status | cut -c1,43-
git status --porcelain
