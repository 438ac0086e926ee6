#!/bin/bash
# The everyday life of a repository.
set -e
git checkout -q -b topic
echo one >one && git add one && git commit -qm one
echo two >>one && git commit -qam two
git checkout -q main
echo three >three && git add . && git commit -qm three
git merge -q --no-edit topic >/dev/null
echo dirty >>one && echo new >new && git stash -qu && git stash pop -q
git add -A && git commit -qm four
git tag -a v1 -m v1
git mv one uno && git commit -qm five
git rm -q three && git commit -qm six
git checkout -q -b other HEAD~2
echo x >x && git add x && git commit -qm seven
git rebase -q main
git cherry-pick -x topic~1 >/dev/null 2>&1 || git cherry-pick --abort
git reset -q --hard HEAD~1
git clean -qfd
git gc -q
git fsck --no-dangling 2>/dev/null
git status --porcelain
git log --format=%s main | sort
