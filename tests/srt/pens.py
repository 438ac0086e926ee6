"""Runs acts without a pen, in the real srt and in landpen under srt's name; for compare.py and keys.py.

An act is a line for bash in a fixture of its own: a home ($HOME) with a folder work, which is the
working directory, and a folder beside the home ($OUT). Acts under the same settings are one run
("batch"); those that call $SRT themselves are one run each. What comes of an act is one word or
line: its output, "ok" if there is none, "denied" where the kernel or a tool said so, or "exit N".
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

LANDPEN = os.environ["LANDPEN"]
PROBE = os.environ["PROBE"]
AGENTS = os.environ.get("LANDPEN_AGENTS_DIR") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "landpen-tests/agents")
USER = 65534 if os.getuid() == 0 else os.getuid()
DENIED = re.compile(r"^(EACCES|EPERM|EROFS|EBUSY|EXDEV|ENOENT|EEXIST|ENOTDIR|ENXIO)$|Permission denied|"
                    r"Read-only file system|Operation not permitted|Device or resource busy|"
                    r"Invalid cross-device link|No such file or directory|File exists")


def word_of(status, text):
    text = " ".join(text.split())
    if DENIED.search(text) and (status or re.fullmatch(r"[A-Z]+", text)):
        return "denied"
    if status:
        return f"exit {status}" + (f" {text}" if text and len(text) < 60 else "")
    return text or "ok"


def leaked():
    """The sockets that the real srt leaves behind where the path of TMPDIR is too long for one."""
    return {entry.path for entry in os.scandir("/tmp")
            if re.fullmatch(r"srt-mux-\d+-\d+\.sock", entry.name) and entry.stat(follow_symlinks=False).st_uid == USER}


class Place:
    """Where everything of a test lives; removed at its end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="lps.", dir="/var/tmp")
        os.chmod(self.path, 0o755)
        os.mkdir(f"{self.path}/bin")
        shutil.copy(PROBE, f"{self.path}/probe")
        os.chmod(f"{self.path}/probe", 0o755)
        shutil.copy(LANDPEN, f"{self.path}/bin/srt")
        self.tools = {"bare": None, "landpen": f"{self.path}/bin/srt"}
        self.server = serve()
        self.leaked = leaked()
        self.lock = threading.Lock()
        self.count = 0
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
        for name in leaked() - self.leaked:
            os.unlink(name)

    def find_real(self):
        """False if the real srt is not there."""
        if not os.path.exists(f"{AGENTS}/bin/srt"):
            return False
        shutil.copytree(f"{AGENTS}/srt", f"{self.path}/real", symlinks=True)
        self.tools["srt"] = f"{self.path}/real/node_modules/.bin/srt"
        return all(shutil.which(name) for name in ("node", "bwrap", "socat", "rg"))

    def fixture(self):
        with self.lock:
            self.count += 1
            path = f"{self.path}/{self.count}"
        for name in ("home/work", "out", "tmp"):
            os.makedirs(f"{path}/{name}")
        for folder, _, _ in os.walk(path):
            os.chown(folder, USER, USER)
        return path

    def fill(self, text, path):
        for name, value in (("$HOME", f"{path}/home"), ("$OUT", f"{path}/out"),
                            ("$PORT", str(self.server))):
            text = text.replace(name, value)
        return text

    def run(self, path, words, who, **more):
        variables = {"HOME": f"{path}/home", "OUT": f"{path}/out", "PATH": "/usr/local/bin:/usr/bin:/bin",
                     "USER": "someone", "LANG": "C.UTF-8", "TMPDIR": f"{path}/tmp", "PROBE": f"{self.path}/probe",
                     "PORT": str(self.server), "SRT": self.tools[who] or "", "SECRET_TOKEN": "sesame",
                     "GIT_CONFIG_NOSYSTEM": "1"}
        process = subprocess.Popen(
            words, cwd=f"{path}/home/work", env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace",
            **({"user": USER, "group": USER, "extra_groups": []} if os.getuid() == 0 else {}), **more)
        try:
            text, _ = process.communicate(timeout=90)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return -1, "does not end"
        return process.returncode, text

    def settings(self, path, text):
        if text == "-":
            return
        with open(f"{path}/settings.json", "w", encoding="utf-8") as file:
            file.write(self.fill(text, path))

    def prepare(self, path, setups):
        status, text = self.run(path, ["bash", "-ec", "\n".join(setups)], "bare")
        if status:
            sys.exit(f"set-up failed: {text}\n" + "\n".join(setups))

    def batch(self, who, settings, acts):
        """acts: (name, setup, act). The words, by name."""
        path = self.fixture()
        self.settings(path, settings)
        self.prepare(path, [setup for _, setup, _ in acts if setup] or [":"])
        with open(f"{path}/acts.sh", "w", encoding="utf-8") as file:
            for name, _, act in acts:
                file.write(f"out=$( (\n{act}\n) 2>&1 </dev/null); printf '\\036%s\\037%s\\037%s' '{name}' $? \"$out\"\n")
        words = ["bash", f"{path}/acts.sh"]
        if who != "bare":
            words = [self.tools[who]] + ([] if settings == "-" else ["-s", f"{path}/settings.json"]) + words
        _, text = self.run(path, words, who)
        found = {}
        for part in text.split("\036")[1:]:
            name, status, said = (part.split("\037") + ["", ""])[:3]
            found[name] = word_of(int(status or -1), self.hide(said, path))
        if len(found) != len(acts):
            found.setdefault(acts[0][0], word_of(1, text))
        return found

    def single(self, who, settings, setup, act):
        path = self.fixture()
        self.settings(path, settings)
        if setup:
            self.prepare(path, [setup])
        with open(f"{path}/act.sh", "w", encoding="utf-8") as file:
            file.write(f'S() {{ "$SRT" {"" if settings == "-" else "-s " + path + "/settings.json"} "$@"; }}\n{act}\n')
        status, text = self.run(path, ["bash", f"{path}/act.sh"], who)
        return word_of(status, self.hide(text, path))

    @staticmethod
    def hide(text, path):
        return text.replace(path, "D")


def serve():
    """An HTTP server on loopback; its port. It says hello to everything."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def one(client):
        with client:
            client.settimeout(10)
            data = b""
            try:
                while b"\r\n\r\n" not in data:
                    more = client.recv(4096)
                    if not more:
                        return
                    data += more
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            except OSError:
                pass

    def loop():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=one, args=(client,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return listener.getsockname()[1]


def manual():
    """The man page's text on one line, without markup."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(f"{here}/../../contrib/man/landpen-srt.7.scd", encoding="utf-8") as file:
        return file.read()


def plain(text):
    return " ".join(re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)[*_]", "", text)).split())
