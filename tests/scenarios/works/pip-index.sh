#!/bin/bash
# pip from an index on loopback: $1 is its port.
set -e
export PIP_DISABLE_PIP_VERSION_CHECK=1
/usr/bin/python3 -m venv env
env/bin/pip install -q --index-url "http://127.0.0.1:$1/" hello
env/bin/python -c 'import hello; print(hello.word)'
