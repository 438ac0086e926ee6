#!/bin/bash
# A commit in a linked worktree; its repository is elsewhere in the home.
set -e
echo two >two && git add two && git commit -qm two
git checkout -q -b more
git stash list
echo three >>two && git commit -qam three
git log --format=%s
git worktree list | wc -l
git status --porcelain
