#!/usr/bin/env python3
"""Ways out other than the gate: nothing of them is seen on the link; prints TAP.

    lab leaks.py [--filter REGEX] [--backend landlock|bwrap]

Each act is tried bare, where a packet (or the server) shows that it would get out; in a pen that
allows another host only, where it fails in words of its own and the link stays silent; and, where a
rule can allow it, in such a pen, where it gets out. See pens.py and lab.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import time

from pens import HERE, NO_PROXIES, Failure, Skip, StandIn, Suite, free_port, need, until

SUITE = Suite()
test = SUITE.test
LAB = os.environ["LAB"]
ADDR, HOST_ADDR = os.environ["LAB_ADDR"], os.environ["LAB_HOST_ADDR"]
ADDR6 = os.environ["LAB_ADDR6"]
# not every port: the hosts file gives the server this name, so its address means it
OK = {"allowedDomains": ["ok.lab.test:80", "ok.lab.test:443"]}
PYTHON = "exec python3 -c '\nimport socket, sys, os, time\n%s'"


class Link:
    """What was seen on the link, or at the servers, since the last look."""

    def __init__(self, name):
        self.path, self.at = f"{LAB}/{name}", 0
        self.look()

    def look(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            file.seek(self.at)
            text = file.read()
            self.at = file.tell()
        return text


def silence(packets):
    """A moment for what is on its way; then what there was."""
    time.sleep(0.15)
    return packets.look()


def leak(case, act, seen, words, network=None, allowed="", bare_works=True, by="packets"):
    """The triple. network: what would allow the act; None: nothing does."""
    link = Link(by)
    tried = case.bare(act)
    if bare_works:
        tried.works()
    until(lambda: re.search(seen, link.look()), f"bare: {seen!r} on the link: {tried}")
    silence(link)
    denied = case.pen(act, OK).fails(words)
    if text := silence(link):
        raise Failure(f"got out: {text}{denied}")
    if network is not None:
        case.pen(act, network).works(allowed)
        until(lambda: re.search(seen, link.look()), f"allowed: {seen!r}")
        silence(link)


def python(*lines):
    return PYTHON % "\n".join(lines).replace("'", '"')


def connecting(family, kind, protocol, address, *more):
    return python(f"s = socket.socket({family}, {kind}, {protocol})", "s.settimeout(3)",
                  f"s.connect({address})", *more)


# ---- addresses ----------------------------------------------------------------------------------


@test("an address that no rule names is not connected to")
def raw_address(case):
    act = connecting("socket.AF_INET", "socket.SOCK_STREAM", 0, f"('{ADDR}', 22000)",
                     "s.send(b'hello')", "assert s.recv(9) == b'' and False, 'nothing came back'")
    # the connection is made, to the proxy, which is told no name
    link = Link("packets")
    case.bare(act).fails("nothing came back|ConnectionReset")
    until(lambda: "22000" in link.look(), "bare: a packet")
    silence(link)
    denied = case.pen(act, {"allowedDomains": ["another.lab.test"]}).fails(
        "PermissionError|ConnectionReset|nothing came back|timed out")
    if text := silence(link):
        raise Failure(f"got out: {text}{denied}")
    case.pen(act, {"allowedDomains": [ADDR]})
    until(lambda: "22000" in link.look(), "allowed: a packet")


@test("nor where the rules name no host at all")
def raw_address_alone(case):
    act = connecting("socket.AF_INET", "socket.SOCK_STREAM", 0, f"('{ADDR}', 80)")
    link = Link("packets")
    case.bare(act).works()
    until(lambda: " 80" in link.look(), "bare: a packet")
    silence(link)
    case.pen(act, {"allowedDomains": [], "allowLocalBinding": True}).fails("PermissionError")
    if text := silence(link):
        raise Failure("got out: " + text)
    case.pen(act, {"allowedDomains": [f"{ADDR}:80"]}).works()


@test("IPv6 is no way around")
def raw_address_6(case):
    if not os.path.exists("/proc/net/if_inet6"):
        raise Skip("no IPv6")
    act = connecting("socket.AF_INET6", "socket.SOCK_STREAM", 0, f"('{ADDR6}', 9)",
                     "s.settimeout(4)", "s.send(b'x')",
                     "assert s.recv(9) == b'' and False, 'nothing came back'")
    link = Link("packets")
    case.bare(act).fails("nothing came back|ConnectionReset")
    until(lambda: " 9" in link.look(), "bare: a packet")
    silence(link)
    case.pen(act, OK).fails("nothing came back|ConnectionReset|PermissionError")
    if text := silence(link):
        raise Failure("got out: " + text)


@test("a name that is not allowed is not connected to by its address of the hosts file")
def hosts_file_name(case):
    act = NO_PROXIES + "curl -sS -f -m 4 http://denied.lab.test:8080/"
    need("curl")
    link = Link("seen")
    case.bare(act).works("reached")
    silence(link)
    case.pen(act, {"allowedDomains": ["nothing.lab.test"]}).fails("curl: ")
    if text := silence(link):
        raise Failure("got out: " + text)
    case.pen(act, {"allowedDomains": ["denied.lab.test"]}).works("reached GET / denied.lab.test:8080")


# ---- names --------------------------------------------------------------------------------------


@test("no look-up of a name that is not allowed leaves the machine")
def look_up(case):
    act = python("print(socket.getaddrinfo('secret.dns-only.lab.test', 80)[0][4][0])")
    leak(case, act, "dns udp 1 secret", "gaierror",
         {"allowedDomains": ["*.dns-only.lab.test"]}, "198.18.", by="seen")


def query(kind, name, by_tcp=False):
    """Asks the nameserver itself."""
    how = "SOCK_STREAM" if by_tcp else "SOCK_DGRAM"
    return python(
        f"name = b''.join(bytes([len(l)]) + l for l in b'{name}'.split(b'.'))",
        f"q = b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6) + name + b'\\x00\\x00\\x{kind:02x}\\x00\\x01'",
        f"s = socket.socket(socket.AF_INET, socket.{how})", "s.settimeout(3)",
        f"s.connect(('{ADDR}', 53))",
        "s.send(len(q).to_bytes(2, 'big') + q)" if by_tcp else "s.send(q)",
        "a = s.recv(512)", "a = a[2:]" if by_tcp else "", "code = a[3] & 15",
        "sys.exit('NXDOMAIN' if code == 3 else 'no record' if a[7] == 0 else 0)")


for _name, _kind, _tcp in (("udp", 1, False), ("tcp", 1, True)):
    def _ask(case, kind=_kind, tcp=_tcp):
        name = "ZGF0YQ" * 8 + ".tunnel.dns-only.lab.test"
        leak(case, query(kind, name, tcp), "dns (udp|tcp) 1 zgf0yq", "NXDOMAIN",
             {"allowedDomains": ["*.dns-only.lab.test"]}, by="seen")

    SUITE.add("tunnel-" + _name, f"labels carry nothing to the nameserver by {_name}", _ask)


@test("records of other types are not asked for, not even of allowed names")
def tunnel_txt(case):
    link = Link("seen")
    act = query(16, "text.dns-only.lab.test")
    case.bare(act)
    until(lambda: "dns udp 16 text" in link.look(), "bare: a query")
    silence(link)
    for network in (OK, {"allowedDomains": ["*.dns-only.lab.test"]}):
        case.pen(act, network).fails("NXDOMAIN|no record")
        if text := silence(link):
            raise Failure("got out: " + text)


# ---- other kinds of sockets ----------------------------------------------------------------------

DATAGRAM = "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
KINDS = {
    "udp-send": (python(DATAGRAM, f"s.sendto(b'x', ('{ADDR}', 9))", "s.settimeout(1)",
                        "s.connect(('%s', 9))" % ADDR), "udp .* 9", "unreachable"),
    "udp-connect": (python(DATAGRAM, f"s.connect(('{ADDR}', 9))", "s.send(b'x')"),
                    "udp .* 9", "unreachable"),
    "udp6": (python("s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
                    f"s.connect(('{ADDR6}', 9))", "s.send(b'x')"), "udp .* 9", "unreachable"),
    "udp-message": (python(DATAGRAM, f"s.sendmsg([b'x'], [], 0, ('{ADDR}', 9))",
                           f"s.connect(('{ADDR}', 9))"), "udp .* 9", "unreachable"),
    "udplite": (python("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136)",
                       f"s.sendto(b'x', ('{ADDR}', 9))"), "udplite|136", "not supported"),
    "mptcp": (connecting("socket.AF_INET", "socket.SOCK_STREAM", 262, f"('{ADDR}', 80)"),
              "tcp .* 80", "not supported"),
    "fast-open": (python("s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
                         f"s.sendto(b'x', 0x20000000, ('{ADDR}', 80))"), "tcp .* 80",
                  "Permission denied"),
    "fast-open-message": (python("s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
                                 f"s.sendmsg([b'x'], [], 0x20000000, ('{ADDR}', 80))"),
                          "tcp .* 80", "Permission denied"),
    "named-message": (python("s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
                             "try:", f" s.sendmsg([b'x'], [], 0, ('{ADDR}', 22000))",
                             "except OSError as e: print(e)",
                             f"s.connect(('{ADDR}', 22000))", "s.send(b'x\\r\\n')",
                             "s.settimeout(5)", "s.recv(9) or sys.exit('closed')"),
                      "tcp .* 22000", "closed|reset|Reset|Permission denied"),
}
for _name, (_act, _seen, _words) in KINDS.items():
    def _kind_of_socket(case, act=_act, seen=_seen, words=_words, name=_name):
        made = {"udplite": "2, 2, 136", "mptcp": "2, 1, 262"}.get(name)
        if made and case.bare(f"python3 -c 'import socket; socket.socket({made})'").status:
            case.pen(act, OK).fails(words)  # not in this kernel: there is nothing to compare with
            return
        leak(case, act, seen, words, bare_works=name != "named-message")

    SUITE.add(_name, "no packet of this kind leaves", _kind_of_socket)


@test("a connection that is to be opened with its first data goes to the proxy like all others")
def fast_open_option(case):
    act = python("s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
                 "s.setsockopt(6, 30, 1)", f"s.connect(('{ADDR}', 22000))", "s.send(b'x')",
                 "s.settimeout(5)", "s.recv(9) or sys.exit('closed')")
    link = Link("packets")
    case.bare(act).fails("closed|Reset")
    until(lambda: "22000" in link.look(), "bare: a packet")
    silence(link)
    case.pen(act, OK).fails("closed|Reset|Permission")
    if text := silence(link):
        raise Failure("got out: " + text)


FAMILIES = {
    "sctp": ("socket.AF_INET", "socket.SOCK_STREAM", 132, "not supported"),
    "sctp-packets": ("socket.AF_INET", "socket.SOCK_SEQPACKET", 132, "not supported"),
    "raw": ("socket.AF_INET", "socket.SOCK_RAW", 1, "not permitted"),
    "ping": ("socket.AF_INET", "socket.SOCK_DGRAM", 1, "Permission denied"),
    "packet": ("socket.AF_PACKET", "socket.SOCK_RAW", 0, "not supported"),
    "vsock": ("40", "socket.SOCK_STREAM", 0, "not supported"),
    "alg": ("38", "socket.SOCK_SEQPACKET", 0, "not supported"),
    "netfilter": ("socket.AF_NETLINK", "socket.SOCK_RAW", 12, "not supported"),
    "generic-netlink": ("socket.AF_NETLINK", "socket.SOCK_RAW", 16, "not supported"),
    "smc": ("43", "socket.SOCK_STREAM", 0, "not supported"),
    "xdp": ("44", "socket.SOCK_RAW", 0, "not supported"),
}
for _name, (_family, _type, _protocol, _words) in FAMILIES.items():
    def _family_of_socket(case, family=_family, kind=_type, protocol=_protocol, words=_words):
        act = python(f"socket.socket({family}, {kind}, {protocol})")
        # bare, some need root, and some are not in every kernel: no more than refusal can be shown
        case.bare(act)
        case.pen(act, OK).fails(words)

    SUITE.add("family-" + _name, "no such socket is given out", _family_of_socket)


@test("netlink tells about the machine's network and changes nothing")
def netlink(case):
    case.pen("exec python3 -c 'import socket; print(socket.if_nameindex())'", OK).works("lo")
    case.pen(python("s = socket.socket(16, 3, 0)", "s.bind((0, 0))", "s.connect((4242, 0))"),
             OK).fails("not permitted")


@test("io_uring is not there")
def io_uring(case):
    act = ("exec python3 -c 'import ctypes, os; l = ctypes.CDLL(None, use_errno=True); "
           "r = l.syscall(425, 4, ctypes.create_string_buffer(120)); "
           "print(r); r < 0 and exit(os.strerror(ctypes.get_errno()))'")
    case.bare(act)
    case.pen(act, OK).fails("not implemented")


# ---- the gate itself ----------------------------------------------------------------------------


def processes_of(pid):
    """The descendants of a process: pid -> name."""
    found, names = [pid], {}
    while found:
        parent = found.pop()
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
        for child in children:
            with open(f"/proc/{child}/comm", encoding="utf-8") as file:
                names[child] = file.read().strip()
        found += children
    return names


def helpers_of(process):
    def look():
        try:
            names = processes_of(process.pid)
        except FileNotFoundError:
            return None
        wanted = {"landpen-gate", "landpen-proxy", "landpen-resolve"}
        found = {name: pid for pid, name in names.items() if name in wanted}
        return found if set(found) == wanted else None

    return until(look, "landpen's processes")


LOOP = NO_PROXIES + """
touch started
until [ -e go ]; do sleep 0.05; done
curl -sS -f -m 4 http://ok.lab.test/after; echo status $?"""

for _victim in ("landpen-gate", "landpen-proxy", "landpen-resolve"):
    for _signal in (signal.SIGKILL, signal.SIGSTOP):
        def _hurt(case, victim=_victim, what=_signal):
            need("curl")
            link = Link("seen")
            with open(case.dir + "/output", "wb") as output:
                process = case.start(LOOP, OK, stdout=output, stderr=output)
            until(lambda: case.read("started") is not None, "the command")
            helper = helpers_of(process)[victim]
            os.kill(helper, what)
            time.sleep(0.1)
            case.write("go", "")
            try:
                try:
                    process.wait(2 if what == signal.SIGSTOP else 15)
                except subprocess.TimeoutExpired:
                    if what != signal.SIGSTOP:
                        raise Failure("landpen hangs") from None
            finally:
                if what == signal.SIGSTOP:
                    # what waited goes on
                    text = "" if victim == "landpen-resolve" else silence(link)
                    os.kill(helper, signal.SIGCONT)
            if what == signal.SIGKILL:
                text = silence(link)
            if victim == "landpen-resolve":
                # by the hosts file the name is known without it, and the proxy asks it: no way out
                text = re.sub("http /after ok.lab.test\n", "", text) if what == signal.SIGSTOP else text
            if text:
                raise Failure(f"got out: {text}")
            process.wait(15)

        SUITE.add(f"{_signal.name[3:].lower()}-{_victim[8:]}",
                  "without one of landpen's processes nothing opens", _hurt)


@test("the pen cannot signal, trace or read landpen's processes")
def helpers_out_of_reach(case):
    act = r"""
for p in /proc/[0-9]*; do
	read -r name <$p/comm 2>/dev/null || continue
	case $name in landpen-*)
		kill -KILL ${p#/proc/} 2>/dev/null && echo "killed $name"
		kill -STOP ${p#/proc/} 2>/dev/null && echo "stopped $name"
		ls $p/fd/ 2>/dev/null | grep -q . && echo "fd $name"
		head -c 1 $p/environ 2>/dev/null | grep -q . && echo "environ $name"
		head -c 1 $p/maps 2>/dev/null | grep -q . && echo "maps $name"
	esac
done
curl -sS -f -m 4 http://ok.lab.test/alive"""
    need("curl")
    tried = case.pen(act, OK).works("reached GET /alive")
    tried.keeps_quiet("^(killed|stopped|fd|environ|maps) ")


@test("nobody outside the pen is served by the gate's port")
def gate_port(case):
    need("curl")
    process = case.start("echo $HTTP_PROXY >port; exec sleep 20", OK)
    url = until(lambda: (case.read("port") or "").strip(), "the port")
    link = Link("seen")
    case.bare(f"curl -sS -f -m 4 -x {url} http://ok.lab.test/outside").fails("curl: ")
    if text := silence(link):
        raise Failure("served a stranger: " + text)
    process.kill()


@test("what is bound to all addresses, or not bound, cannot be reached over the link")
def servers(case):
    act = """exec python3 -c '
import socket, time
a, b, c = [socket.socket() for i in range(3)]
a.bind(("0.0.0.0", 0)); a.listen(); b.listen()
d = socket.socket(socket.AF_INET6); d.bind(("::", 0)); d.listen()
open("ports", "w").write(" ".join(str(s.getsockname()[1]) for s in (a, b, d)))
time.sleep(%d)'"""

    def reach(port):
        return subprocess.run(
            ["ip", "netns", "exec", os.environ["LAB_NETNS"], "python3", "-c",
             f"import socket; socket.create_connection(('{HOST_ADDR}', {port}), 2)"],
            stderr=subprocess.DEVNULL, check=False).returncode == 0

    def ports():
        return until(lambda: (case.read("ports") or "").split(), "the servers")

    process = case.start(act % 20)
    if [reach(port) for port in ports()] != [True] * 3:
        raise Failure("bare: the servers cannot be reached")
    process.kill()
    process.wait()
    os.unlink(case.path("ports"))
    process = case.start(act % 20, {**OK, "allowLocalBinding": True})
    for port in ports():
        if reach(port):
            raise Failure(f"port {port} can be reached from the link")
        socket.create_connection(("127.0.0.1", int(port)), 2).close()
    process.kill()


@test("an inherited socket is closed")
def inherited(case):
    with socket.create_connection((ADDR, 80)) as connection:
        os.set_inheritable(connection.fileno(), True)
        act = f"printf 'GET /inherited HTTP/1.0\\r\\n\\r\\n' >&{connection.fileno()}"
        link = Link("seen")
        files = {"pass_fds": [connection.fileno()]}
        if case.start(act, OK, **files).wait(10) == 0:
            raise Failure("it could be written to")
        if text := silence(link):
            raise Failure("got out: " + text)
        case.start(act, **files).wait(10)
        until(lambda: "/inherited" in link.look(), "bare: the request")


# ---- where allowed names lead -------------------------------------------------------------------

for _name, _host, _words in (
        ("loopback", "loop.lab.test", "a loopback address"),
        ("link-local", "meta.lab.test", "a link-local address"),
        ("own", "own.lab.test", "one of this host.s addresses")):
    def _guarded(case, name=_name, host=_host, words=_words):
        need("curl")
        server = None
        port = 8099
        if name != "link-local":
            server = StandIn(socket.AF_INET, ("127.0.0.1" if name == "loopback" else HOST_ADDR, 0))
            port = server.port
        act = f"curl -sS -m 4 -p http://{host}:{port}/"
        plain = NO_PROXIES + f"curl -sS -f -m 4 http://{host}:{port}/"
        network = {"allowedDomains": [host]}
        if server:
            case.bare(plain).works("reached")
        before = server.count if server else 0
        link = Link("packets")
        case.pen("curl -sS -m 4 -x $HTTP_PROXY --noproxy '' " + f"http://{host}:{port}/", network).says(words)
        if name != "loopback":
            case.pen(plain, network).fails("curl: ")
        del act
        if (server and server.count != before) or silence(link):
            raise Failure("it was dialled")

    SUITE.add("guard-" + _name, "an allowed name does not lead there", _guarded)


# ---- names that are not meant ---------------------------------------------------------------------

HELLO = """
import socket, ssl, sys
address, name, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
raw = socket.create_connection((address, port), 5)
s = context.wrap_socket(raw, server_hostname=name or None)
s.sendall(b"GET /sni HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n"); 
d = b"".join(iter(lambda: s.recv(999), b"")); print(d.decode())
"""


def hello(address, name):
    return f"exec python3 -c '{HELLO}' {address} '{name}' 443"


@test("to an address without a name, TLS goes to the name that it says if that is allowed, and nowhere else")
def server_name(case):
    link = Link("seen")
    case.bare(hello(ADDR, "denied.lab.test")).works("reached")
    until(lambda: "denied.lab.test" in link.look(), "bare: the request")
    for name in ("denied.lab.test", ""):
        case.pen(hello(ADDR, name), {"allowedDomains": ["nobody.lab.test"]}).fails("Error", within=6)
        if text := silence(link):
            raise Failure("got out: " + text)
    # the address is not what is dialled: nobody is at 203.0.113.1
    case.pen(hello("203.0.113.1", "ok.lab.test"), OK).works("reached")
    until(lambda: "https /sni x ok.lab.test" in link.look(), "allowed: the request")


@test("garbage in place of a TLS hello gets nowhere")
def garbage(case):
    link = Link("packets")
    for text in ("\\x16\\x03\\x01\\xff\\xff\\x01", "\\x16\\x03\\x01\\x00\\x05\\x01\\x00\\xff\\xff\\xff",
                 "SSH-2.0-x\\r\\n", "\\x00" * 64, "GET / HTTP/1.1\\r\\n\\r\\n",
                 "GET / HTTP/1.1\\r\\nHost: ok.lab.test\\r\\nHost: denied.lab.test\\r\\n\\r\\n"):
        act = python("s = socket.create_connection(('203.0.113.1', 443), 5)",
                     f"s.sendall(b'{text}')", "s.settimeout(8)",
                     "try: d = s.recv(99)", "except ConnectionResetError: d = b''",
                     "sys.exit('closed' if not d else 0)")
        case.pen(act, OK).fails("closed", within=9)
        if seen := silence(link):
            raise Failure(f"{text}: got out: {seen}")


@test("the Host header does not choose where a request goes")
def host_header(case):
    need("curl")
    link = Link("seen")
    case.pen("curl -sS -f -m 4 -x $HTTP_PROXY -H 'Host: denied.lab.test' http://ok.lab.test/h",
             OK).works("reached GET /h ok.lab.test")
    text = silence(link)
    if "denied" in text or "/h ok.lab.test" not in text:
        raise Failure("the server saw: " + text)
    case.pen("curl -sS -m 4 -x $HTTP_PROXY -H 'Host: ok.lab.test' http://denied.lab.test/h",
             OK).works("blocked by network allowlist")
    if text := silence(link):
        raise Failure("got out: " + text)


SMUGGLED = {
    "length and chunks": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": "Content-Length: 4\r\nContent-Length: 40\r\n\r\nabcd",
    "odd encoding": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "folded": "X: a\r\n Transfer-Encoding: chunked\r\n\r\n",
    "bare newline": "X: a\nTransfer-Encoding: chunked\r\n\r\n",
}


@test("no second request hides in a first one")
def smuggling(case):
    link = Link("seen")
    for name, rest in SMUGGLED.items():
        text = ("POST http://ok.lab.test/first HTTP/1.1\r\nHost: ok.lab.test\r\n" + rest +
                "GET /smuggled HTTP/1.1\r\nHost: denied.lab.test\r\n\r\n")
        act = python("port = int(os.environ['HTTP_PROXY'].split(':')[2])",
                     "s = socket.create_connection(('127.0.0.1', port), 5)",
                     f"s.sendall({text.encode()!r}.replace(b'', b''))".replace("'", '"'),
                     "s.settimeout(5)", "d = s.recv(4096)", "print(d.decode())")
        case.pen(act, OK).works("400|403")
        if "smuggled" in silence(link):
            raise Failure(name + " was taken for two requests")


@test("a tunnel leads to the host it was asked for, whatever is said in it")
def tunnel_host(case):
    need("curl")
    link = Link("seen")
    case.pen("curl -sS -k -m 4 -x $HTTP_PROXY --connect-to denied.lab.test:443:ok.lab.test:443 "
             "https://denied.lab.test/in-tunnel", OK).works("reached")
    # one server has both names here; the proxy was asked for, and dialled, ok.lab.test
    until(lambda: "/in-tunnel" in link.look(), "the request")
    case.pen("curl -sS -k -m 4 -x $HTTP_PROXY --connect-to ok.lab.test:443:denied.lab.test:443 "
             "https://ok.lab.test/in-tunnel", OK).fails("403")
    if text := silence(link):
        raise Failure("got out: " + text)


# ---- races -----------------------------------------------------------------------------------------


def race(case, *words):
    outside = StandIn(socket.AF_INET, ("127.0.0.1", free_port()))
    with socket.create_connection(("127.0.0.1", outside.port)):
        pass
    until(lambda: outside.count == 1, "the stand-in")
    link = Link("packets")
    probe = os.environ["NET_PROBE"]
    tried = case.pen(f"{probe} {' '.join(words)} {ADDR} 22000 {outside.port}",
                     {**OK, "allowLocalBinding": True}, ).works("tries")
    if outside.count != 1:
        raise Failure(f"the server outside was reached: {tried}")
    if re.search("22000", text := silence(link)):
        raise Failure(f"got out: {text[:500]}")


@test("an address that changes while connect looks at it")
def race_address(case):
    race(case, "swap-address", "10000")


@test("a descriptor that changes while connect looks at it")
def race_descriptor(case):
    race(case, "swap-descriptor", "10000")


@test("a descriptor that changes while listen looks at it")
def race_listen(case):
    race(case, "swap-listen", "2000")


# ---- crowds ------------------------------------------------------------------------------------------


@test("many programs connect to their own server at once, with signals all the time")
def storm_local(case):
    storm = os.environ["NET_STORM"]
    case.bare(f"{storm} 8 16 20").works("2560 connections")
    case.pen(f"{storm} 8 16 20", {**OK, "allowLocalBinding": True}).works("2560 connections")


@test("and through the proxy")
def storm_proxy(case):
    storm = os.environ["NET_STORM"]
    server = subprocess.Popen(["ip", "netns", "exec", os.environ["LAB_NETNS"], storm, "echo", "7100"])
    try:
        time.sleep(0.3)
        case.bare(f"{storm} 4 16 20 {ADDR} 7100").works("1280 connections")
        case.pen(f"{storm} 4 16 20 {ADDR} 7100", {"allowedDomains": [f"{ADDR}:7100"]}).works(
            "1280 connections")
    finally:
        server.kill()


if __name__ == "__main__":
    SUITE.main(jobs=1)
