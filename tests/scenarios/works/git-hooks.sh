#!/bin/bash
# Hooks that were there before run, and can refuse.
set -e
echo one >one && git add one && git commit -qm good
git commit -q --allow-empty -m bad 2>/dev/null || echo refused
git log --format=%s
cat hook-ran
