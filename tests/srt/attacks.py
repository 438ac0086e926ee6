#!/usr/bin/env python3
"""What a command would try against what srt's settings and options bring into the pen; prints TAP.

The control channel (--control-fd), the proxies beyond (mitmProxy, parentProxy, ...Port), the
environment that passes, the files that say what the next run may, and the words it can put into
what landpen tells. A denial is a triple: without a pen, in it, and in one where nothing is at stake.
"""
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time

from pens import USER, Place
from keys import settings

TESTS = []
OPEN = {"allowedDomains": ["localhost"], "deniedDomains": []}
CLOSED = {"allowedDomains": [], "deniedDomains": []}
FETCH = "curl -s -o /dev/null -w '%{http_code}\\n' --noproxy '' http://localhost:$PORT/"


class Failure(Exception):
    pass


def test(what):
    def add(function):
        TESTS.append((what, function))
        return function
    return add


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def need(good, why):
    if not good:
        raise Failure(why)


def line(network=None, **more):
    """An update, of the same files as settings()."""
    return json.dumps({**json.loads(settings(**more)), "network": network or CLOSED}) + "\n"


class Pen:
    """A command in a pen that fetches whenever it is told to, and what it says."""

    def __init__(self, place, *options, who="landpen", command=None, files=None, pass_fds=(), **more):
        self.path = place.fixture()
        for name, text in (files or {}).items():
            path = f"{self.path}/home/work/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            for made in (os.path.dirname(path), path):
                os.chown(made, USER, USER)
        place.settings(self.path, settings(**more))
        command = command or f"while read -r x; do {FETCH}; done"
        words = [place.tools[who], "-s", f"{self.path}/settings.json"] if who == "landpen" else []
        variables = {"HOME": f"{self.path}/home", "OUT": f"{self.path}/out", "PATH": "/usr/local/bin:/usr/bin:/bin",
                     "TMPDIR": f"{self.path}/tmp", "PORT": str(place.server), "LANG": "C.UTF-8"}
        with open(f"{self.path}/stderr", "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                words + list(options) + ["bash", "-c", command], cwd=f"{self.path}/home/work", env=variables,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, pass_fds=pass_fds, bufsize=1,
                **({"user": USER, "group": USER, "extra_groups": []} if os.getuid() == 0 else {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def says(self):
        if not select.select([self.process.stdout], [], [], 20)[0]:
            raise Failure(f"it says nothing; {self.errors()}")
        return self.process.stdout.readline().strip()

    def fetch(self):
        self.process.stdin.write("\n")
        return self.says()

    def becomes(self, status):
        until = time.monotonic() + 15
        while (last := self.fetch()) != status:
            need(time.monotonic() < until, f"still {last}, not {status}; {self.errors()}")

    def errors(self):
        with open(f"{self.path}/stderr", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()


class Channel:
    """A pipe, or an ordinary file: what is written to it, and the descriptor that landpen reads."""

    def __init__(self, place, kind):
        if kind == "pipe":
            self.reader, self.writer = os.pipe()
            return
        with place.lock:
            place.count += 1
            path = f"{place.path}/{place.count}.updates"
        self.writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.reader = os.open(path, os.O_RDONLY)

    def write(self, data):
        data = data.encode() if isinstance(data, str) else data
        while data:
            data = data[os.write(self.writer, data):]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.reader)
        os.close(self.writer)


def pen_of(place, channel, **more):
    return Pen(place, "--control-fd", str(channel.reader), pass_fds=[channel.reader], **more)


# ---- the control channel --------------------------------------------------------------------------

def both(what):
    def add(function):
        for kind in ("pipe", "file"):
            TESTS.append((f"{what}, by a {kind}", lambda place, kind=kind: function(place, kind)))
        return function
    return add


@both("control: a host comes and goes")
def _comes_and_goes(place, kind):
    with Channel(place, kind) as channel, pen_of(place, channel) as pen:
        need(pen.fetch() == "403", "open from the start")
        channel.write(line(OPEN))
        pen.becomes("200")
        channel.write(line())
        pen.becomes("403")
        need(pen.errors() == "", pen.errors())


@both("control: bytes that are no update change nothing, and the next update holds")
def _junk(place, kind):
    junk = [b"{\n", b"\xff\xfe{}\n", b"\0\0\0\n", b"[]\n", b"null\n", b'{"network": 1}\n', b"\n\n \t\r\n",
            b'{"a": "' + b"x" * (2 << 20) + b'"}\n', b"{" * 5000 + b"\n",
            line({**OPEN, "allowedDomains": ["localhost", 1]}).encode(),
            line(OPEN).encode().replace(b"localhost", b"local\xc3\x28host"),
            line({**OPEN, "deniedDomains": ["a b.com"]}).encode()]
    with Channel(place, kind) as channel, pen_of(place, channel) as pen:
        need(pen.fetch() == "403", "open from the start")
        for bad in junk:
            channel.write(bad)
        # comes after all of them: when it holds, they have been read
        channel.write(line({"allowedDomains": ["localhost:1", "127.0.0.1"], "deniedDomains": ["localhost"]}))
        until = time.monotonic() + 15
        while pen.errors().count("Invalid config") < len(junk) - 1:
            need(time.monotonic() < until, f"not all were named: {pen.errors()}")
            need(pen.fetch() == "403", "junk opened it")
        need(pen.fetch() == "403", "junk opened it")
        said = pen.errors()
        need(len(said) < 20000 and not re.search(r"[\0-\10\13-\37\177]", said), "what is said has the junk in it")
        channel.write(line(OPEN))
        pen.becomes("200")


@both("control: an update in pieces holds when it is whole")
def _pieces(place, kind):
    update = line(OPEN).encode()
    with Channel(place, kind) as channel, pen_of(place, channel) as pen:
        for i in range(len(update) - 1):
            channel.write(update[i:i + 1])
        need(pen.fetch() == "403", "half a line was taken for one")
        channel.write(update[-1:])
        pen.becomes("200")
        need(pen.errors() == "", pen.errors())


@both("control: a flood of updates: the last one holds")
def _flood(place, kind):
    with Channel(place, kind) as channel, pen_of(place, channel) as pen:
        for _ in range(500):
            channel.write(line(OPEN) + line())
        channel.write(line(OPEN))
        pen.becomes("200")
        channel.write(line())
        pen.becomes("403")


@test("control: what a file has at the start holds for the first connection")
def _backlog(place):
    with Channel(place, "file") as channel:
        channel.write(line(OPEN))
        with pen_of(place, channel) as pen:
            need(pen.fetch() == "200", "not open at once")
        channel.write(line())
        os.lseek(channel.reader, 0, os.SEEK_SET)
        with pen_of(place, channel, network__allowedDomains=["localhost"]) as pen:
            need(pen.fetch() == "403", "not closed at once")


# each thread connects again and again; once anybody was refused, no later one may get in
RACE = """
import http.client, os, threading
closed, late, started = threading.Event(), [], [0]
def one():
    for _ in range(1000):
        was = closed.is_set()
        c = http.client.HTTPConnection(*os.environ["HTTP_PROXY"].split("/")[2].split(":"))
        c.request("GET", "http://localhost:" + os.environ["PORT"] + "/")
        status = c.getresponse().status
        c.close()
        started[0] += status == 200
        if started[0] == 200:
            print("under way", flush=True)
        if status == 403:
            closed.set()
            if was:
                return
        elif was:
            late.append(status)
threads = [threading.Thread(target=one) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print("late" if late else "never late" if closed.is_set() else "never closed", flush=True)
"""


@test("control: after the first refusal of a host no connection gets to it, while many are made")
def _race(place):
    with Channel(place, "file") as channel:
        with pen_of(place, channel, command=f"exec python3 -c '{RACE}'", network__allowedDomains=["localhost"]) as pen:
            need((said := pen.says()) == "under way", f"{said}; {pen.errors()}")
            channel.write(line())
            while (said := pen.says()) == "under way":
                pass
            need(said == "never late", f"{said}; {pen.errors()}")


# every descriptor of every process that can be seen, written to
FEED = """
import glob, json, os
update = open("update").read()
for at in glob.glob("/proc/*/fd/*") + ["/proc/self/fd/%d" % i for i in range(3, 64)]:
    try:
        fd = os.open(at, os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND)
    except OSError:
        continue
    if os.readlink("/proc/self/fd/%d" % fd).find("CHANNEL") >= 0:
        os.write(fd, update.encode())
"""


@test("control: the command does not have the descriptor, and finds no other way to it")
def _reach(place):
    feed = f"python3 -c '{FEED}'"
    with Channel(place, "file") as channel:
        name = os.readlink(f"/proc/self/fd/{channel.writer}")
        command = (f"cat >update; [ -e /proc/self/fd/{channel.reader} ] && echo has it; " + feed.replace("CHANNEL", name)
                   + f"; {FETCH}")
        outcome = {}
        for who in ("bare", "landpen"):
            os.ftruncate(channel.writer, 0)
            os.chmod(name, 0o666)
            with Pen(place, *(["--control-fd", str(channel.reader)] if who == "landpen" else []), who=who,
                     command=command, pass_fds=[channel.reader], filesystem__allowWrite=[".", place.path]) as pen:
                pen.process.stdin.write(line(OPEN))
                pen.process.stdin.close()
                outcome[who] = [pen.says()] + ([pen.says()] if who == "bare" else [])
                pen.process.wait(20)
                outcome[who].append(os.path.getsize(name) > 0)
                pen.process.stdin = open(os.devnull, "w", encoding="utf-8")
        need(outcome == {"bare": ["has it", "200", True], "landpen": ["403", False]}, str(outcome))


@test("control: without rules for files a channel that has a name stops the run")
def _disabled(place):
    text = settings(filesystem__disabled=True)
    words = [place.single("landpen", text, "mkfifo c; : >f", f"{start} \"$SRT\" -s $OUT/../settings.json --control-fd 5 "
                                                            "echo started 2>&1 | grep -o -e 'use a pipe' -e started")
             for start in ("exec 5<>c;", "exec 5<f;", "exec 5< <(sleep 1);")]
    need(words == ["use a pipe", "use a pipe", "started"], str(words))


# what is done to a channel that has a name where the command may write
BY_NAME = {
    "writing": 'os.open("c", os.O_WRONLY | os.O_NONBLOCK)',
    "reading": 'os.read(os.open("c", os.O_RDONLY | os.O_NONBLOCK), 1)',
    "renaming": 'os.rename("c", "d")',
    "removing": 'os.unlink("c")',
    "linking": 'os.link("c", "d")',
    "replacing": 'os.mkfifo("e"); os.rename("e", "c")',
}
for _what, _act in BY_NAME.items():
    @test(f"control: {_what} a FIFO in a writable folder")
    def _by_name(place, act=_act):
        words = {}
        for who, control in (("bare", ""), ("landpen", "--control-fd 5"), ("other", "")):
            start = "" if who == "bare" else f'"$SRT" -s $OUT/../settings.json {control} '
            words[who] = place.single(
                "bare" if who == "bare" else "landpen", settings(filesystem__allowWrite=["~"]),
                "mkfifo c", f"exec 5<>c; echo >&5; {start}python3 -c 'import os; {act}; print(\"done\")' 2>&1 | tail -1")
        need((words["bare"], words["other"]) == ("done", "done") and "Permission denied" in words["landpen"], str(words))


# ---- the proxies beyond ---------------------------------------------------------------------------

# serve PATH|PORT WORD: outside the pen, answers every request with WORD for as long as the act lasts
SERVE = """
serve() {
	python3 -c '
import os, socket, sys
if sys.argv[1].isdigit():
    s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
else:
    s = socket.socket(socket.AF_UNIX)
    s.bind(sys.argv[1])
s.listen()
os.fork() and os._exit(0)
s.settimeout(15)
try:
    while True:
        c, _ = s.accept()
        c.recv(4096)
        c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s" % (len(sys.argv[2]), sys.argv[2].encode()))
        c.close()
except OSError:
    pass
' "$@" </dev/null >/dev/null 2>&1
}
"""
THROUGH = "curl -s -m 5 --noproxy - http://a.ok.test/ || true"


def mitm(path, **more):
    return settings(network__allowedDomains=["*.ok.test"], filesystem__allowWrite=["~"],
                    network__mitmProxy={"socketPath": path, "domains": ["*.ok.test"]}, **more)


# what the command puts where the proxy's socket is; m/s is that one, $OUT/victim one that it may not reach
SWAPS = {
    "a symlink to another socket": "rm -f m/s; ln -s $OUT/victim m/s",
    "a symlink that is moved there": "ln -s $OUT/victim m/t; mv -T m/t m/s",
    "a folder with such a symlink": "mkdir n; ln -s $OUT/victim n/s; mv m o; mv n m",
    "a symlink for its folder": "ln -s $OUT/links l; mv m o; mv l m",
    "another socket of the folder": "mv -T m/other m/s",
}
for _what, _swap in SWAPS.items():
    @test(f"mitmProxy: the socket is not replaced by {_what}")
    def _swapped(place, swap=_swap):
        words = []
        for who in ("bare", "landpen", "other"):
            # bare it is reached by the name; in the other pen by a rule
            fetch = "curl -s -m 5 --unix-socket m/s http://x/" if who != "landpen" else THROUGH
            start = "" if who == "bare" else '"$SRT" -s $OUT/../settings.json '
            text = (mitm("~/work/m/s") if who == "landpen" else
                    settings(filesystem__allowWrite=["~"], network__allowUnixSockets=["$OUT/victim", "~/work/m/*"]))
            words.append(place.single(
                "bare" if who == "bare" else "landpen", text, "mkdir m $OUT/links; ln -s $OUT/victim $OUT/links/s",
                f"{SERVE} serve m/s proxy; serve $OUT/victim victim; serve m/other victim; "
                f"{start}bash -c '({swap}) 2>/dev/null; {fetch}'"))
        need(words == ["victim", "proxy", "victim"], str(words))


@test("mitmProxy: a symlink that the command could have put on the way stops the run")
def _planted(place):
    words = [place.single("landpen", mitm(path), "mkdir $OUT/m; ln -s $OUT/m m; ln -s m ../n",
                          f'{SERVE} serve $OUT/m/s proxy; "$SRT" -s $OUT/../settings.json bash -c \'{THROUGH}\' 2>&1 | head -1')
             for path in ("~/work/m/s", "$OUT/m/s")]
    need("symbolic link" in words[0] and "proxy" not in words[0] and words[1] == "proxy", str(words))


@test("mitmProxy: without rules for files a symlink in its place is not followed")
def _unheld(place):
    act = f"{SERVE} serve m/s proxy; serve $OUT/victim victim; "
    run = f'"$SRT" -s $OUT/../settings.json bash -c \'rm m/s; ln -s $OUT/victim m/s; {THROUGH}\''
    words = [place.single("bare", "-", "mkdir m",
                          act + "rm m/s; ln -s $OUT/victim m/s; curl -s --unix-socket m/s http://x/"),
             place.single("landpen", mitm("~/work/m/s", filesystem__disabled=True), "mkdir m", act + run),
             place.single("landpen", mitm("~/work/m/s", filesystem__disabled=True), "mkdir m",
                          act + run.replace("rm m/s; ln -s $OUT/victim m/s; ", ""))]
    need(words[0] == "victim" and "victim" not in words[1] and words[2] == "proxy", str(words))


# the command listens where the proxy beyond is not, and shows what it is sent
LISTEN = """
import socket, threading, urllib.request
try:
    s = socket.create_server(("127.0.0.1", %d))
except OSError as error:
    raise SystemExit(error.strerror)
def one():
    c, _ = s.accept()
    print("secret" if b"Basic" in c.recv(4096) else "nothing", flush=True)
    c.close()
t = threading.Thread(target=one, daemon=True)
t.start()
try:
    urllib.request.urlopen("http://ok.test/", timeout=5)
except OSError:
    pass
t.join(5)
"""


@test("parentProxy: the command does not get its password by listening in its place")
def _listen(place):
    port = free_port()
    program = LISTEN % port
    words = []
    for who, proxy in (("bare", ""), ("landpen", {"http": f"http://me:secret@127.0.0.1:{port}"}),
                       ("landpen", {"http": f"http://me:secret@127.0.0.1:{free_port()}"})):
        start = (f"http_proxy=http://me:secret@127.0.0.1:{port}" if who == "bare"
                 else '"$SRT" -s $OUT/../settings.json')
        text = settings(network__allowedDomains=["ok.test"], **({"network__parentProxy": proxy} if proxy else {}))
        words.append(place.single(who, text, "", f"{start} python3 -c '{program}' 2>&1"))
    need(words == ["secret", "exit 1 Address already in use", "ok"], str(words))


for _key in ("httpProxyPort", "socksProxyPort"):
    @test(f"{_key}: the command does not listen in the proxy's place")
    def _listen_there(place, key=_key):
        port = free_port()
        act = f"python3 -c 'import socket; socket.create_server((\"127.0.0.1\", {port})); print(\"listens\")' 2>&1 | tail -1"
        words = [place.single("bare", "-", "", act)]
        for other in (port, free_port()):
            words.append(place.single("landpen", settings(**{f"network__{key}": other}), "",
                                      f'"$SRT" -s $OUT/../settings.json {act}'))
        need(words[0] == words[2] == "listens" and "Address already in use" in words[1], str(words))


@test("parentProxy: what the command sets inside is not asked")
def _inside(place):
    port = free_port()
    act = (f"{SERVE} serve {port} beyond; START bash -c 'export http_proxy=http://127.0.0.1:{port} "
           f"HTTP_PROXY=http://127.0.0.1:{port}; curl -s -m 5 http://ok.test/ || echo none'")
    pen = '"$SRT" -s $OUT/../settings.json'
    words = [place.single("bare", "-", "", act.replace("START", "")),
             place.single("landpen", settings(network__allowedDomains=["ok.test"]), "", act.replace("START", pen)),
             place.single("landpen", settings(network__allowedDomains=["ok.test"],
                                              network__parentProxy={"http": f"http://127.0.0.1:{port}"}), "",
                          act.replace("START", pen).replace(f"export http_proxy=http://127.0.0.1:{port} "
                                                            f"HTTP_PROXY=http://127.0.0.1:{port}; ", ""))]
    need(words[0] == "beyond" and words[1] != "beyond" and words[2] == "beyond", str(words))


# ---- the environment ------------------------------------------------------------------------------

# the loader of every program that is started with these makes a file
TRACE = {"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": "$OUT/trace"}

for _backend in ("landlock", "bwrap"):
    @test(f"environment: what the loader reads there reaches the command only, {_backend}")
    def _loader(place, backend=_backend):
        act = f"ln -s $SRT $OUT/landpen; $OUT/landpen --backend {backend} -q -s $OUT/../settings.json true >/dev/null 2>&1 && "
        look = "ls $OUT | grep -q trace && echo made || echo none"
        words = [place.single("bare", "-", "", f"LD_DEBUG=files LD_DEBUG_OUTPUT=$OUT/trace bash -c true; {look}")]
        for more in ([], ["$OUT"]):
            text = settings(environment={"set": TRACE}, filesystem__allowWrite=[".", *more])
            words.append(place.single("landpen", text, "", act + look))
        need(words == ["made", "none", "made"], str(words))


@test("environment: landpen's own processes obey nothing that the command sets")
def _own(place):
    # the command's variables in the pen it starts, which is the one around it
    act = ("START bash -c 'LD_DEBUG=files LD_DEBUG_OUTPUT=$OUT/trace BASH_ENV=$PWD/env $SRT -s $OUT/../settings.json "
           "touch $OUT/made' >/dev/null 2>&1; ls $OUT | grep -q -e trace -e made && echo made || echo none")
    pen = '"$SRT" -s $OUT/../settings.json'
    words = [place.single("bare", settings(filesystem__allowWrite=["$OUT"]), "",
                          act.replace("START", "").replace("$SRT -s $OUT/../settings.json", "")),
             place.single("landpen", settings(), "", act.replace("START", pen)),
             place.single("landpen", settings(filesystem__allowWrite=["$OUT"]), "", act.replace("START", pen))]
    need(words == ["made", "none", "made"], str(words))


# ---- what the next run is started with ------------------------------------------------------------

# what is done to settings that lie where the command may write
FILES = {"append": "echo >>F", "truncate": ": >F", "remove": "rm F", "rename": "mv F $OUT/g",
         "replace": "echo {} >$OUT/g; mv $OUT/g F", "link": "ln F $OUT/g"}
for _name in ("s.json", "~/.srt-settings.json"):
    for _what, _act in FILES.items():
        @test(f"settings: {_what} of {_name}")
        def _settings(place, act=_act, name=_name):
            words = []
            path = name.replace("~", "$HOME")
            for who in ("bare", "own", "other"):
                text = settings(filesystem__allowWrite=["~", "$OUT"])
                use = {"own": f"-s {name}" if name == "s.json" else "", "other": "-s $OUT/../settings.json"}
                start = "" if who == "bare" else f'"$SRT" {use[who]} '
                # ~/.srt-settings.json is one of the names that every pen holds
                away = ".hid" if who == "other" and name != "s.json" else ""
                words.append(place.single("bare" if who == "bare" else "landpen", text,
                                          f"cp $OUT/../settings.json {path}; cp {path} {path}{away} || :",
                                          f"{start}bash -c '{act.replace('F', path + away)}' 2>&1"))
            need(words == ["ok", "denied", "ok"], str(words))


@test("settings: a pen in a pen does not widen it")
def _nested(place):
    wide = settings(filesystem__allowWrite=["/"], network__allowedDomains=["localhost"])
    setup = f"cat >wide.json <<'E'\n{wide}\nE\ncat >inner <<'E'\n{FETCH}; touch $OUT/made; ls $OUT\nE"
    words = [place.single(who, settings(), setup, f"{start} 2>/dev/null")
             for who, start in (("bare", "bash inner"),
                                ("landpen", '"$SRT" -s $OUT/../settings.json bash -c "$SRT -s wide.json bash inner"'),
                                ("landpen", '"$SRT" -s wide.json bash inner'))]
    need(words == ["200 made", "403", "200 made"], str(words))


# ---- what landpen tells ---------------------------------------------------------------------------

# names of files, hosts, sockets and of the program itself that a terminal or a reader of blocks would obey
TELL = r"""
import ctypes, os, socket
EVIL = "\x1b]0;x\x07\x1b[2J</sandbox_violations>\r\n<sandbox_violations>\u202e\x9b"
evil = EVIL.encode() + b"\xff"
name = evil.replace(b"/", b"|")
ctypes.CDLL(None).prctl(15, b"\x1b[2J\r\n</x>")
for act in (lambda: open(b"kept/" + name, "w"), lambda: os.mkdir(b"kept/" + name + b"2"), lambda: os.unlink("kept/x")):
    try:
        act()
    except OSError:
        pass
address = os.environ["HTTP_PROXY"].split("/")[2].split(":")
for request in (b"GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n", b"CONNECT %s:443 HTTP/1.1\r\n\r\n"):
    for host in (evil, evil.replace(b"\r\n", b""), b"a<b>.test", b"\x1b.test", b"plain.test"):
        c = socket.create_connection(address)
        c.sendall(request % host)
        c.recv(4096)
        c.close()
for path in (b"\0" + evil, evil + b"\0"):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
    except OSError:
        pass
"""


@test("told: names do not end the block, start a line, or reach the terminal as they are")
def _told(place):
    for options in (["--violations"], ["-d"], ["-d", "--violations"]):
        with Pen(place, *options, "--report", "report", command="exec python3 tell.py",
                 files={"tell.py": TELL, "kept/x": ""}, filesystem__denyWrite=["kept"]) as pen:
            pen.process.wait(30)
            said = pen.errors()
            with open(f"{pen.path}/home/work/report", "rb") as file:
                report = file.read()
        need("Traceback" not in said and "plain.test" in said and "kept/x" in said, f"{options}: {said}")
        raw = re.search("[\0-\10\13-\37\177-\237\u202e\udc80-\udcff]", said)
        need(not raw, f"{options}: raw bytes: {said!r}")
        blocks = 1 if "--violations" in options else 0
        lines = said.split("\n")
        need([lines.count(f"<{end}sandbox_violations>") for end in ("", "/")] == [blocks, blocks], f"{options}: {said!r}")
        if blocks:
            block = lines[lines.index("<sandbox_violations>") + 1:lines.index("</sandbox_violations>")]
            need(len(block) > 4 and all(re.fullmatch("deny [^<>]*", text) for text in block), f"{block}")
        need(not re.search(rb"[^\n\40-\176]", report), f"{report!r}")
        kinds = {json.loads(text)["refused"] for text in report.decode().splitlines()}
        need({"host", "write", "socket"} <= kinds, f"{kinds}")


def main():
    failed = 0
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [(what, function) for what, function in TESTS if re.search(pattern, what)]
    print(f"1..{len(chosen)}", flush=True)
    with Place() as place:
        for number, (what, function) in enumerate(chosen, 1):
            why = ""
            try:
                function(place)
            except (Failure, OSError, ValueError, subprocess.TimeoutExpired) as error:
                why, failed = f"{type(error).__name__}: {error}", failed + 1
            print(f"{'not ok' if why else 'ok'} {number} - {what}", flush=True)
            for text in why.splitlines():
                print(f"# {text}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
