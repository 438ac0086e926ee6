#!/bin/bash
# python: a virtual environment, packages from a directory and from an index on loopback (its port
# is $1), a database, temporary files, children.
set -e
/usr/bin/python3 "${0%/*}/wheel.py" wheels
export PIP_DISABLE_PIP_VERSION_CHECK=1
/usr/bin/python3 -m venv env
. env/bin/activate
pip install -q --no-index --find-links wheels hello
hello
pip install -q --force-reinstall --index-url "http://127.0.0.1:$1/" hello
python - <<'END'
import sqlite3, subprocess, tempfile, hello
print(hello.word)
db = sqlite3.connect("d.sqlite")
db.execute("pragma journal_mode=wal")
db.execute("create table t(x)")
db.execute("insert into t values (42)")
db.commit()
print(db.execute("select x from t").fetchone()[0])
with tempfile.TemporaryDirectory() as d, open(d + "/f", "w") as f:
    f.write("x")
print(subprocess.check_output(["echo", "child"], text=True).strip())
END
