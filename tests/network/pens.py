"""What the tests of the network with real programs share: users, tries, stand-ins, TAP.

Each test has a fresh home and project, and runs shell lines in it, bare or in the pen, as an
ordinary user: the laboratory's ($LAB_USER), a throw-away one if the caller is root, else the caller.
LANDPEN names the program. LANDPEN_NO_SKIP=1: a skip is a failure. SLOWNESS: how many times as slow as
usual the machine is.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATH = ":".join([PATH, *glob.glob("/usr/lib/postgresql/*/bin")])  # Debian's initdb is only there
SLOWNESS = int(os.environ.get("SLOWNESS", "1"))  # of an emulated machine: waits are so much longer
PATIENCE = 30 * SLOWNESS  # seconds that a try may take
PROXY_VARIABLES = [
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "RSYNC_PROXY", "GRPC_PROXY", "NO_PROXY",
    "DOCKER_HTTP_PROXY", "DOCKER_HTTPS_PROXY", "NODE_USE_ENV_PROXY", "CLOUDSDK_PROXY_TYPE",
    "CLOUDSDK_PROXY_ADDRESS", "CLOUDSDK_PROXY_PORT",
]
NO_PROXIES = "unset " + " ".join(PROXY_VARIABLES + [name.lower() for name in PROXY_VARIABLES]) + "\n"


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def need(*programs):
    for program in programs:
        if not shutil.which(program, path=PATH):
            raise Skip("no " + program)


def until(condition, what, patience=10):
    """Waits for condition() and returns what it returned."""
    end = time.monotonic() + patience * SLOWNESS
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Failure("waited in vain for " + what)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class StandIn:
    """A server outside the pen that answers everyone with a line, and counts them."""

    ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nreached\n"

    def __init__(self, family, address):
        self.count = 0
        self.server = socket.socket(family, socket.SOCK_STREAM)
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(address)
        self.server.listen(64)
        if family == socket.AF_UNIX and address[0] != "\0":
            os.chmod(address, 0o666)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.count += 1
            with client:
                try:
                    client.settimeout(5)
                    client.recv(4096)
                    client.sendall(self.ANSWER)
                except OSError:
                    pass

    @property
    def port(self):
        return self.server.getsockname()[1]


class Try:
    """How a shell line ended, and all that it said."""

    def __init__(self, line, status, text, seconds):
        self.line, self.status, self.text, self.seconds = line, status, text, seconds

    def __str__(self):
        return f"exit {self.status} after {self.seconds:.1f} s: {self.line}\n{self.text}"

    def works(self, words=""):
        if self.status != 0 or not re.search(words, self.text):
            raise Failure(f"should work and say {words!r}: {self}")
        return self

    def fails(self, words, within=5):
        if self.status == 0 or not re.search(words, self.text):
            raise Failure(f"should fail and say {words!r}: {self}")
        if self.seconds > within:
            raise Failure(f"should fail within {within} s: {self}")
        return self

    def says(self, words):
        if not re.search(words, self.text, re.MULTILINE):
            raise Failure(f"should say {words!r}: {self}")
        return self

    def keeps_quiet(self, words):
        if re.search(words, self.text, re.MULTILINE):
            raise Failure(f"should not say {words!r}: {self}")
        return self


class Case:
    """A home and a project of one test, outside a directory that the pen cannot write (self.out)."""

    def __init__(self, suite, backend):
        self.suite, self.backend = suite, backend
        self.dir = tempfile.mkdtemp(prefix="t", dir=suite.base)
        self.home, self.out = self.dir + "/home", self.dir + "/out"
        self.project, self.tmp = self.home + "/project", self.dir + "/tmp"
        for path in (self.home, self.project, self.out, self.tmp):
            os.mkdir(path)
        for path in (self.dir, self.home, self.project, self.out, self.tmp):
            suite.own(path)
        self.environment = {
            "PATH": PATH, "HOME": self.home, "TMPDIR": self.tmp, "LANG": "C.UTF-8",
            "TERM": "xterm", "SHELL": "/bin/bash", "USER": suite.account.pw_name,
            "LOGNAME": suite.account.pw_name,
        }
        self.filesystem = {"denyRead": [], "allowWrite": ["."], "denyWrite": []}
        self.running, self.notes = [], []
        self.log = open(self.dir + "/log", "wb")  # pylint: disable=consider-using-with

    def settings(self, network):
        path = self.dir + "/settings.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump({
                "network": {"allowedDomains": ["allowed.example"], "deniedDomains": [], **network},
                "filesystem": self.filesystem,
            }, file)
        return path

    def command(self, line, network=None, options=()):
        """The words that run a shell line: in the pen with these settings, or bare."""
        inner = ["bash", "-c", line]
        if network is None:
            return inner
        words = [self.suite.landpen, "--backend", self.backend, "-s", self.settings(network)]
        return [*words, *options, "--", *inner]

    def start(self, line, network=None, options=(), **files):
        process = subprocess.Popen(
            self.command(line, network, options), cwd=self.project, env=self.environment,
            start_new_session=True,
            **{"stdin": subprocess.DEVNULL, "stdout": self.log, "stderr": self.log, **files}, **self.suite.identity)
        self.running.append(process)
        return process

    def run(self, line, network=None, options=()):
        begin = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = self.start(line, network, options, stdout=output, stderr=output)
            try:
                status = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                status = "no end"
                end_group(process)
            seconds = time.monotonic() - begin
            output.seek(0)
            return Try(line, status, output.read().decode(errors="replace"), seconds)

    def bare(self, line):
        return self.run(line)

    def pen(self, line, network=None, options=()):
        return self.run(line, network or {}, options)

    def fresh(self):
        """Empties the project."""
        shutil.rmtree(self.project)
        os.mkdir(self.project)
        self.suite.own(self.project)

    def path(self, name):
        return f"{self.project}/{name}"

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        """What is in a file of the project; None if it is not there."""
        try:
            with open(self.path(name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def log_text(self):
        """What the programs said that were started."""
        with open(self.dir + "/log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def note(self, text):
        """A figure that is told with the result."""
        self.notes.append(text)

    def end(self):
        for process in self.running:
            end_group(process)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Suite:
    """The tests of one file: (name, what, backends, function of a Case)."""

    def __init__(self):
        self.tests = []
        self.made_account = None
        self.as_root = False

    def test(self, what, backends=("landlock", "bwrap")):
        def add(function):
            name = function.__name__.replace("_", "-")
            self.add(name, what, function, backends)
            return function

        return add

    def add(self, name, what, function, backends=("landlock", "bwrap")):
        self.tests += [(name, what, backend, function) for backend in backends]

    def own(self, path):
        if os.getuid() == 0:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def find_account(self):
        name = os.environ.get("LAB_USER")
        if os.getuid() != 0 or self.as_root:
            self.account = pwd.getpwuid(os.getuid())
            self.identity = {}
            return
        if not name:
            name = self.made_account = f"lpnetwork{os.getpid()}"
            patiently("useradd", "-M", "-s", "/bin/bash", name)
        self.account = pwd.getpwnam(name)
        self.identity = {"user": self.account.pw_uid, "group": self.account.pw_gid,
                         "extra_groups": []}

    def set_up(self):
        self.base = tempfile.mkdtemp(prefix="landpen-net.",
                                     dir=os.environ.get("SCENARIO_DIR", "/var/tmp"))
        os.chmod(self.base, 0o755)
        self.find_account()
        self.landpen = self.base + "/landpen"
        shutil.copy2(os.environ.get("LANDPEN", HERE + "/../../build/landpen"), self.landpen)
        os.chmod(self.landpen, 0o755)

    def tear_down(self):
        if self.made_account:
            patiently("userdel", self.made_account)
        shutil.rmtree(self.base, ignore_errors=True)

    def try_one(self, entry):
        _, _, backend, function = entry
        begin = time.monotonic()
        case = Case(self, backend)
        try:
            function(case)
            verdict, trouble = "ok", ""
        except Skip as skip:
            verdict, trouble = "skip", str(skip)
        except Failure as failure:
            verdict, trouble = "not ok", str(failure)
        except Exception:  # pylint: disable=broad-except
            verdict, trouble = "not ok", traceback.format_exc()
        finally:
            case.end()
        return verdict, trouble, time.monotonic() - begin, case.notes

    def main(self, jobs=2, before=lambda: None, after=lambda: None):
        """Runs all tests, prints TAP and exits."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--filter", default=".")
        parser.add_argument("--backend", choices=["landlock", "bwrap"])
        parser.add_argument("--jobs", type=int, default=jobs)
        parser.add_argument("--user", choices=["root"], help="run the acts as root too")
        args = parser.parse_args()
        self.jobs = args.jobs
        self.as_root = args.user == "root"
        self.chosen = chosen = [entry for entry in self.tests if re.search(args.filter, entry[0])
                  and args.backend in (None, entry[2])]
        print(f"TAP version 13\n1..{len(chosen)}", flush=True)
        count = {"ok": 0, "not ok": 0, "skip": 0}
        os.umask(0o022)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self.set_up()
            before()
            with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
                for number, (entry, result) in enumerate(
                        zip(chosen, pool.map(self.try_one, chosen)), 1):
                    count[tell(number, entry, *result)] += 1
        finally:
            after()
            self.tear_down()
        print(f"# {count['ok']} passed, {count['not ok']} failed, {count['skip']} skipped")
        sys.exit(1 if count["not ok"] else 0)


def enter_lab():
    """Runs this program again in ./lab, if it does not; skips all of it where there can be none."""
    if "LAB" in os.environ:
        return
    why = "the caller is not root"
    if os.getuid() == 0:
        status = subprocess.run([HERE + "/lab", sys.executable, *sys.argv], check=False).returncode
        if status != 77:
            sys.exit(status)
        why = "no laboratory can be made here"
    strict = os.environ.get("LANDPEN_NO_SKIP") == "1"
    print(f"1..1\nnot ok 1 - {why}" if strict else f"1..0 # SKIP {why}")
    sys.exit(strict)


def tell(number, entry, verdict, trouble, seconds, notes):
    name, what, backend, _ = entry
    note = ""
    if verdict == "skip":
        note = " # SKIP " + trouble
        if os.environ.get("LANDPEN_NO_SKIP") == "1":
            verdict = "not ok"
    word = "ok" if verdict == "skip" else verdict
    print(f"{word} {number} - {name} {backend}: {what} ({seconds:.1f} s){note}")
    print("".join(f"# {line}\n" for line in notes), end="")
    if verdict == "not ok":
        print("".join(f"# {line}\n" for line in trouble.splitlines()), end="")
    sys.stdout.flush()
    return verdict


def patiently(*command):
    """useradd and userdel lock /etc/passwd, and do not wait for each other."""
    for _ in range(50):
        if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
        time.sleep(0.2)
    raise RuntimeError(f"{command[0]} fails")
