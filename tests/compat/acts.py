"""Acts that a policy denies: tries each and prints what came of it, as JSON.

    acts.py ACT... with $OUT, a folder outside; $PORT and $VICTIM for those that need them
"""
import ctypes
import errno
import json
import os
import signal
import socket
import sys

OUT = os.environ["OUT"]


def write(path):
    with open(path, "a", encoding="utf-8") as file:
        file.write("more\n")


def connect():
    with socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), 10) as client:
        client.sendall(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        if not client.recv(100):
            raise ConnectionResetError(errno.ECONNRESET, "nothing came")


def hook():
    os.mkdir(".git/hooks/new")
    os.rmdir(".git/hooks/new")


def move():
    os.makedirs("one/two", exist_ok=True)
    write("one/file")
    os.rename("one/file", "one/two/file")


def call(name, *words):
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*words) < 0:
        raise OSError(ctypes.get_errno(), name)


ACTS = {
    "outside": lambda: write(OUT + "/file"),
    "chmod": lambda: os.chmod(OUT + "/file", 0o640),
    "truncate": lambda: os.truncate(OUT + "/long", 1),
    "signal": lambda: os.kill(int(os.environ["VICTIM"]), signal.SIGCONT),
    "connect": connect,
    "project": lambda: write("file"),
    "held": lambda: write("sub/held"),
    "late": lambda: os.makedirs("sub/late/new", exist_ok=True),
    "hidden": lambda: open("secret/key", encoding="utf-8").close(),
    "secret": lambda: open(os.path.expanduser("~/.ssh/key"), encoding="utf-8").close(),
    "mount": lambda: call("mount", b"none", os.fsencode(OUT), b"tmpfs", 0, None),
    "give": lambda: os.chown(OUT + "/file", 1, 1),
    "move": move,
    "git": hook,
}


def attempt(act):
    try:
        ACTS[act]()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "ok"


print(json.dumps({act: attempt(act) for act in sys.argv[1:]}))
