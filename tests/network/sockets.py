#!/usr/bin/env python3
"""Unix sockets and servers on loopback with real programs, inside the pen and outside; prints TAP.

    sockets.py [--filter REGEX] [--backend landlock|bwrap] [--jobs N]

As root it runs in ./lab, and tries servers from another machine too.
Every denial is tried three times: bare, where it works; in the pen, where it does not, and the
server has seen nobody; in the pen with the rule that allows it. See pens.py.
"""
import glob
import json
import os
import re
import resource
import select
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from pens import NO_PROXIES, PATIENCE, Failure, Skip, StandIn, Suite, enter_lab, free_port, need, until

SUITE = Suite()
test = SUITE.test

SERVING = {"allowLocalBinding": True}

CONNECT_UNIX = """python3 -c '
import socket, sys
name = sys.argv[1]
client = socket.socket(socket.AF_UNIX)
client.connect("\\0" + name[1:] if name[0] == "@" else name)
client.sendall(b"AUTH EXTERNAL 30\\r\\n")
print(client.recv(99).decode())' """


def triple(case, server, act, words, network, options=(), denied=None):
    """The act reaches the server bare and as network and options allow, and not by itself."""
    case.bare(act).works("reached")
    before = server.count
    case.pen(act, denied or {}).fails(words)
    if server.count != before:
        raise Failure("the server was reached from the pen")
    case.pen(act, network, options).works("reached")
    if server.count == before:
        raise Failure("the server was not reached")


# ---- the host's sockets -------------------------------------------------------------------------


@test("the user bus is closed, unless it is listed")
def user_bus(case):
    path = case.out + "/bus"
    triple(case, StandIn(socket.AF_UNIX, path), CONNECT_UNIX + path, "PermissionError",
           {"allowUnixSockets": [path]})


@test("a listed socket is open where no host is allowed at all")
def socket_without_hosts(case):
    path = case.out + "/bus"
    triple(case, StandIn(socket.AF_UNIX, path), CONNECT_UNIX + path, "PermissionError",
           {"allowedDomains": [], "allowUnixSockets": [path]}, denied={"allowedDomains": []})


@test("Docker's socket is closed, unless it is listed")
def docker_socket(case):
    need("curl")
    path = case.out + "/docker.sock"
    triple(case, StandIn(socket.AF_UNIX, path),
           NO_PROXIES + f"curl -sS --unix-socket {path} http://docker/containers/json",
           "curl: \\(7\\) .*Permission denied|curl: \\(7\\) ", {"allowUnixSockets": [path]})


@test("a link to a socket opens nothing, and a listed folder's sockets stay what is listed")
def linked_socket(case):
    path = case.out + "/docker.sock"
    triple(case, StandIn(socket.AF_UNIX, path),
           f"rm -f link && ln -s {path} link && {CONNECT_UNIX} link", "PermissionError",
           {"allowUnixSockets": [path]}, denied={"allowUnixSockets": [case.path("link")]})


@test("an abstract name outside is closed, unless all sockets are open")
def foreign_abstract(case):
    name = f"landpen-test-{os.getpid()}-{case.backend}"
    triple(case, StandIn(socket.AF_UNIX, "\0" + name), CONNECT_UNIX + "@" + name,
           "PermissionError", {"allowAllUnixSockets": True})


@test("no datagram reaches a socket outside, unless all sockets are open")
def datagrams(case):
    path = case.out + "/log"
    act = f"""python3 -c '
import socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"hello", "{path}")'"""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(path)
    os.chmod(path, 0o666)
    server.settimeout(0.2)

    def heard():
        try:
            return server.recv(4096) == b"hello"
        except TimeoutError:
            return False

    case.bare(act).works()
    if not heard():
        raise Failure("bare: nothing was heard")
    for network in ({}, {"allowUnixSockets": [path]}):
        case.pen(act, network).fails("PermissionError: .Errno 1. Operation not permitted")
        if heard():
            raise Failure("the server heard a datagram from the pen")
    case.pen(act, {"allowAllUnixSockets": True}).works()
    if not heard():
        raise Failure("allowed, and nothing was heard")


@test("no UDP packet reaches a server on loopback, unless the network is open")
def udp(case):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(0.2)
    port = server.getsockname()[1]
    act = f"""python3 -c '
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", {port}))'"""

    def heard():
        try:
            return server.recv(4096) == b"hello"
        except TimeoutError:
            return False

    case.bare(act).works()
    if not heard():
        raise Failure("bare: nothing was heard")
    for network in ({}, {"allowLocalPorts": [port]}, {"allowedDomains": ["localhost"]}):
        case.pen(act, network)  # what look-ups go through takes anything, and leads elsewhere
        if heard():
            raise Failure(f"the server heard a packet from the pen, with {network}")
    case.pen(act, {}, ["--network", "open"]).works()
    if not heard():
        raise Failure("allowed, and nothing was heard")


@test("an ssh agent outside is closed, unless it is listed")
def foreign_agent(case):
    need("ssh-agent", "ssh-add")
    path = case.out + "/agent"
    case.start(f"exec ssh-agent -D -a {path}")
    until(lambda: os.path.exists(path), "the agent")
    act = f"SSH_AUTH_SOCK={path} ssh-add -l"
    case.bare(act).says("The agent has no identities")
    case.pen(act).fails("Error connecting to agent: Permission denied")
    case.pen(act, {"allowUnixSockets": [path]}).says("The agent has no identities")


# ---- the pen's own sockets ----------------------------------------------------------------------


def works_alike(case, act, words, network=None, options=()):
    case.bare(act).works(words)
    case.fresh()
    case.pen(act, network, options).works(words)


OWN_AGENT = """eval "$(ssh-agent)" || exit
    [ -n "$SSH_AGENT_PID" ] || exit
    ssh-keygen -q -t ed25519 -N '' -f key && ssh-add key && ssh-add -l
    status=$?; kill $SSH_AGENT_PID; exit $status"""


@test("an ssh agent of the pen's own works")
def own_agent(case):
    need("ssh-agent", "ssh-add", "ssh-keygen")
    works_alike(case, OWN_AGENT, "ED25519")


@test("tmux works, with a server of the pen's own")
def own_tmux(case):
    need("tmux")
    works_alike(case, """tmux -S "$PWD/tmux" -f /dev/null new-session -d 'echo inside >made; sleep 20' &&
        for i in $(seq 100); do [ ! -s made ] || break; sleep 0.05; done
        tmux -S "$PWD/tmux" list-sessions; cat made; tmux -S "$PWD/tmux" kill-server""",
                "1 windows(.|\n)*inside", options=("--accept-gap", "terminals"))


OWN_PAIR = """python3 -c '
import os, socket, sys
name = sys.argv[1].replace("@", "\\0")
server = socket.socket(socket.AF_UNIX)
server.bind(name)
server.listen()
if os.fork() == 0:
    client = socket.socket(socket.AF_UNIX)
    client.connect(name)
    client.sendall(b"from the client")
    os._exit(0)
print(server.accept()[0].recv(99).decode())' """


@test("a socket of the pen's own works")
def own_socket(case):
    works_alike(case, OWN_PAIR + "here.sock", "from the client")


@test("an abstract name of the pen's own works")
def own_abstract(case):
    works_alike(case, OWN_PAIR + f"@landpen-own-{os.getpid()}-{case.backend}", "from the client")


OWN_PACKETS = """python3 -c '
import os, socket
KIND = socket.AF_UNIX, socket.SOCK_SEQPACKET
server = socket.socket(*KIND)
server.bind("packets")
server.listen()
client = socket.socket(*KIND)
client.connect("packets")
accepted, _ = server.accept()
for one, other in ((client, accepted), (accepted, client), socket.socketpair(*KIND)):
    one.send(b"x" * 5000)
    data, source = other.recvfrom(9000)
    print(len(data), source)' """


@test("packets on unix sockets of the pen's own are whole, also if their source is asked for")
def own_packets(case):
    works_alike(case, OWN_PACKETS, "5000 (.|\n)*5000 (.|\n)*5000 ")


@test("a look-up's answer comes from the nameserver")
def answer_source(case):
    if "LAB" not in os.environ:
        raise Skip("no laboratory")
    address = os.environ["LAB_ADDR"]
    act = f"""python3 -c '
import socket
query = b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\x08dns-only\\3lab\\4test\\0\\0\\1\\0\\1"
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(3)
client.sendto(query, ("{address}", 53))
data, source = client.recvfrom(512)
print(data[:2] == query[:2], source)'"""
    words = rf"True .'{address}', 53."
    case.bare(act).works(words)
    case.pen(act).works(words)  # it does not exist there, and that is an answer


@test("redis works on a socket of its own")
def own_redis(case):
    need("redis-server", "redis-cli")
    works_alike(case, """redis-server --port 0 --unixsocket "$PWD/redis" --save '' >log 2>&1 &
        for i in $(seq 100); do [ ! -S redis ] || break; sleep 0.05; done
        redis-cli -s "$PWD/redis" set key value; redis-cli -s "$PWD/redis" get key || cat log; kill %1; wait""",
                "OK\nvalue")


@test("postgres works on a socket of its own", backends=["landlock"])
def own_postgres(case):
    need("initdb", "postgres", "psql")
    works_alike(case, """initdb --no-sync -A trust -U me -D db >log 2>&1 || { cat log; exit 1; }
        postgres -D db -k "$PWD" -c listen_addresses= -c fsync=off >log 2>&1 &
        for i in $(seq 200); do [ ! -S .s.PGSQL.5432 ] || break; sleep 0.05; done
        psql -h "$PWD" -U me -Atc 'select 6*7' postgres || cat log; kill %1; wait""", "42")


# ---- servers on loopback ------------------------------------------------------------------------

HTTP_SERVERS = {
    "python": ("python3", "python3 -m http.server {port} >log 2>&1"),
    "node": ("node", "node -e 'require(\"http\").createServer((q, a) => a.end(\"served\\n\"))"
                     ".listen({port})' >log 2>&1"),
}


def other_address():
    """An address of this machine beside loopback, which no packet is sent to."""
    address = os.environ.get("LAB_HOST_ADDR")
    if address:
        return address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError as error:
            raise Skip("this machine has no address but loopback") from error
        return probe.getsockname()[0]


def get(address, port):
    """What the server says to a client outside; or the error."""
    try:
        with socket.create_connection((address, port), timeout=3) as client:
            client.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            return client.makefile().read()
    except OSError as error:
        return type(error).__name__


def get_from_afar(address, port):
    """The same from the laboratory's server, which is another machine to this one."""
    answer = subprocess.run(
        ["ip", "netns", "exec", os.environ["LAB_NETNS"], "curl", "-sS", "-m", "3",
         f"http://{address}:{port}/"], capture_output=True, text=True, check=False)
    return answer.stdout + answer.stderr


def serve(case, kind, network, options=()):
    """Starts a server that asks for every address, and waits until it was reached where it runs."""
    program, line = HTTP_SERVERS[kind]
    need(program, "curl")
    case.fresh()
    case.write("index.html", "served\n")
    port = free_port()
    case.start(line.format(port=port) + f""" &
        for i in $(seq 100); do curl -s http://127.0.0.1:{port}/ >first && break; sleep 0.05; done
        {NO_PROXIES} curl -sS http://localhost:{port}/ >second 2>&1
        echo >told; wait""", network, options)
    until(lambda: case.read("told"), "the server")
    for name in ("first", "second"):
        if "served" not in (case.read(name) or ""):
            raise Failure(f"{name}: {case.read(name)!r}; {case.read('log')!r}")
    return port


def check_server(case, kind):
    address = other_address()
    for network, options, wide in ((None, (), True), (SERVING, (), False),
                                   ({}, ("--network", "open"), True)):
        port = serve(case, kind, network, options)
        answer = get("127.0.0.1", port)
        if "served" not in answer:
            raise Failure(f"not reachable on loopback from outside: {answer}")
        answer = get(address, port)
        if wide != ("served" in answer) or (not wide and answer != "ConnectionRefusedError"):
            raise Failure(f"on {address}, with {network} {options}: {answer}")
        if os.environ.get("LAB_NETNS"):
            answer = get_from_afar(address, port)
            if wide != ("served" in answer) or (not wide and "curl: (7)" not in answer):
                raise Failure(f"from another machine, with {network} {options}: {answer}")
        for process in case.running:
            process.terminate()
            process.wait()


@test("python's server in the pen is there on loopback, inside and outside, and only there")
def serve_python(case):
    check_server(case, "python")


@test("node's server too")
def serve_node(case):
    check_server(case, "node")


@test("a server in the pen needs allowLocalBinding")
def serve_denied(case):
    need("python3")
    act = f"timeout 1 python3 -u -m http.server {free_port()}"
    case.bare(act).says("Serving HTTP")
    case.pen(act, {"allowLocalBinding": False}).fails("PermissionError").says("^landpen: refused: ")
    case.pen(act, SERVING).says("Serving HTTP")


@test("a server on loopback outside is refused, unless its port is listed")
def local_ports(case):
    need("curl")
    server = StandIn(socket.AF_INET, ("127.0.0.1", 0))
    for act, words in (
            (NO_PROXIES + f"curl -sS http://127.0.0.1:{server.port}/", r"curl: \(7\)"),
            (NO_PROXIES + f"curl -sS http://localhost:{server.port}/", r"curl: \(7\)"),
            (CONNECT_TCP + f"127.0.0.1 {server.port}", "PermissionError")):
        triple(case, server, act, words, {"allowLocalPorts": [server.port]},
               denied={**SERVING, "allowLocalPorts": [server.port ^ 1]})


@test("nor is it reached through landpen's proxy, unless the same rules allow it")
def local_by_proxy(case):
    need("curl")
    server = StandIn(socket.AF_INET, ("127.0.0.1", 0))
    for host in ("127.0.0.1", "localhost"):
        for options in ("", "-p"):  # as a request and by CONNECT
            act = f"curl -sS -f --noproxy '' {options} http://{host}:{server.port}/"
            denied = {**SERVING, "allowLocalPorts": [server.port ^ 1]}
            for network in ({"allowedDomains": [f"{host}:{server.port}"]},
                            {"allowedDomains": ["localhost"]}, {"allowLocalPorts": [server.port]}):
                triple(case, server, act, "403", network, denied=denied)
            said = case.pen(act, {"allowLocalPorts": [server.port], "deniedDomains": ["localhost"]})
            said.fails("403").says(f"refused: {host}:{server.port} .curl.*denied by .*deniedDomains")


@test("a server of the pen's own is reached directly, and not through the proxy, which says so")
def own_by_proxy(case):
    need("curl")
    port = free_port()
    serve_own = f"""python3 -m http.server --bind 127.0.0.1 {port} >log 2>&1 &
        for i in $(seq 100); do curl -s http://127.0.0.1:{port}/log >/dev/null && break; sleep 0.05; done
        curl -sS -o direct http://localhost:{port}/log
        curl -sS -w '%{{http_code}}\\n' --noproxy '' http://localhost:{port}/log; kill %1; wait
        test -e direct"""
    case.pen(serve_own, SERVING).works("without a proxy(.|\n)*403").says(
        rf"^landpen: refused: localhost:{port} .curl.*network.allowLocalPorts: .{port}. would allow")
    case.fresh()
    case.pen(serve_own, {**SERVING, "allowLocalPorts": [port]}).works("200")


CONNECT_TCP = """python3 -c '
import socket, sys
client = socket.create_connection(sys.argv[1:], 3)
client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(client.recv(99).decode())' """


@test("a nameserver is an allowed host, and look-ups are landpen's own all the same, over TCP too")
def nameserver_allowed(case):
    # the laboratory's nameserver is ok.lab.test too, by the hosts file
    if "LAB" not in os.environ:
        raise Skip("no laboratory")
    act = NO_PROXIES + "RES_OPTIONS=use-vc getent ahosts"
    case.bare(f"{act} dns-only.lab.test").works(os.environ["LAB_ADDR"])
    for network in ({"allowedDomains": ["ok.lab.test"]},
                    {"allowedDomains": [os.environ["LAB_ADDR"]]}):
        said = case.pen(f"{act} dns-only.lab.test", network)
        said.fails("refused: dns-only.lab.test")
    case.pen(f"{act} dns-only.lab.test", {"allowedDomains": ["dns-only.lab.test"]}).works("198.1[89]")
    # a rule with the port means the nameserver itself
    for host in ("ok.lab.test", os.environ["LAB_ADDR"]):
        case.pen(f"{act} dns-only.lab.test", {"allowedDomains": [host + ":53"]}).works(
            os.environ["LAB_ADDR"])


@test("a nameserver on loopback is not reached where localhost is allowed, but where its port is")
def nameserver_local(case):
    if os.getuid() != 0:
        raise Skip("only root can serve port 53")
    address = "127.0.77.53" if case.backend == "landlock" else "127.0.78.53"
    server = StandIn(socket.AF_INET, (address, 53))
    act = CONNECT_TCP.replace("GET / HTTP/1.0", "x" * 20) + address + " 53 | grep reached"
    for network in ({"allowLocalPorts": [53]}, {"allowedDomains": ["localhost:53"]},
                    {"allowedDomains": [address + ":53"]}):
        triple(case, server, act, "", network, denied={"allowedDomains": ["localhost", address]})


@test("a server outside on this machine's address is refused as a host, unless it is allowed as one")
def machine_address(case):
    address = other_address()
    server = StandIn(socket.AF_INET, (address, 0))
    triple(case, server, CONNECT_TCP + f"{address} {server.port}", "Error",
           {"allowedDomains": [address]}, denied={"allowedDomains": ["ok.lab.test"]})


SPEAK_FIRST = """
import socket, sys
server = socket.create_server((sys.argv[1], 0))
print(server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    client.sendall(b"220 reached")
    print("seen", flush=True)
    client.close()
"""


@test("a server that speaks first is refused by its address alone, and it is said why and what helps")
def speaks_first(case):
    if "LAB" not in os.environ:
        raise Skip("no laboratory")
    address = os.environ["LAB_NAMELESS"]
    seen = case.out + "/seen"
    with open(seen, "wb") as file:
        server = subprocess.Popen(["ip", "netns", "exec", os.environ["LAB_NETNS"], "python3", "-c",
                                   SPEAK_FIRST, address], stdout=file)
    try:
        until(lambda: os.path.getsize(seen), "the server")
        with open(seen, encoding="utf-8") as file:
            port = file.readline().strip()
        act = f"""python3 -c '
import socket
print(socket.create_connection(("{address}", {port}), 9).recv(99).decode())'"""
        case.bare(act).works("220 reached")
        before = os.path.getsize(seen)
        case.pen(act, {"allowedDomains": ["ok.lab.test"]}).fails("ConnectionResetError").says(
            rf"^landpen: refused: {address}:{port} .python3.: an address, and no name within 3 s: "
            rf"connect by name; --allow-host {address} or network.allowedDomains would allow it$")
        if os.path.getsize(seen) != before:
            raise Failure("the server was reached")
        case.pen(act, {"allowedDomains": [address]}).works("220 reached")
    finally:
        server.kill()
        server.wait()


IDLE = """python3 -c '
import os, resource, socket, sys, time
address, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = [socket.create_connection(address, 5) for _ in range(count)]
begin = time.monotonic()
held.append(socket.create_connection(address, 5))
held[-1].sendall(b"x")
assert held[-1].recv(1) == b"x"
print("one more took", round((time.monotonic() - begin) * 1000, 1), "ms", file=sys.stderr)
assert time.monotonic() - begin < 1
open("held", "w").close()
while not os.path.exists("seen"):
    time.sleep(0.02)
held[0].sendall(b"y")
assert held[0].recv(1) == b"y"
print("all alive")' """


def memory(process, name):
    """Resident kB of the helper of this name below a process."""
    for path in glob.glob("/proc/[0-9]*/status"):
        try:
            with open(path, encoding="utf-8") as file:
                status = dict(line.split(":\t", 1) for line in file)
            pid, parent = path.split("/")[2], int(status["PPid"])
            while parent not in (process.pid, 0):
                with open(f"/proc/{parent}/stat", encoding="utf-8") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:  # it has ended
            continue
        if parent and status["Name"].strip() == name:
            return int(status["VmRSS"].split()[0])
    raise Failure(f"no {name} below {process.pid}")


def echo(server, held):
    """Accepts connections, keeps them and says to each what it says."""
    ready = select.epoll()
    ready.register(server, select.EPOLLIN)
    while True:
        for number, _ in ready.poll():
            if number != server.fileno():
                held[number].send(held[number].recv(99))
                continue
            client, _ = server.accept()
            held[client.fileno()] = client
            ready.register(client, select.EPOLLIN | select.EPOLLET)


@test("10,000 idle connections, or as many as files may be open, take little memory, and one more is quick",
      backends=["landlock"])
def idle_connections(case):
    address = other_address()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40000, 40000))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        count = min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 49 // 100 - 100)
        server, held = socket.create_server((address, 0), backlog=4096), {}
        threading.Thread(target=echo, args=(server, held), daemon=True).start()
        process = case.start(IDLE + f"{address} {server.getsockname()[1]} {count}",
                             {"allowedDomains": [address]})
        until(lambda: case.read("held") is not None or process.poll() is not None, "them", 60)
        if len(held) <= count:
            raise Failure(f"{len(held)} of {count} connections: {case.log_text()}")
        sizes = {name: memory(process, name) for name in ("landpen-proxy", "landpen-resolve")}
        case.note(f"{len(held)} connections, resident kB: {sizes}")
        if max(sizes.values()) > 8192:
            raise Failure(f"resident kB: {sizes}")
        case.write("seen", "")
        process.wait(PATIENCE)
        if "all alive" not in case.log_text():
            raise Failure(case.log_text())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


@test("two pens do not reach each other's servers, unless the port is listed")
def other_pen(case):
    need("curl")
    port = serve(case, "python", SERVING)
    act = NO_PROXIES + f"curl -sS http://127.0.0.1:{port}/"
    case.bare(act).works("served")
    case.pen(act, SERVING).fails(r"curl: \(7\)")
    case.pen(act, {"allowLocalPorts": [port]}).works("served")


# ---- what is told -------------------------------------------------------------------------------


GONE = """perl -MIO::Socket::INET -e '$_ = $ENV{http_proxy}; s(http://)(); s(localhost)(127.0.0.1);
IO::Socket::INET->new($_)->send("CONNECT gone.example:443 HTTP/1.1\\r\\n\\r\\n")'"""


def cure_of(kind, target, port):
    if kind == "host":
        return f"--allow-host {target} or network.allowedDomains would allow it"
    if kind == "local":
        return f"network.allowLocalPorts: [{port}] would allow it"
    return "network.allowUnixSockets would allow it"


def refusals(case):
    """Acts that are refused, each of them twice: kind, target, port, program, act. Each of the
    programs has ended by the time that it is asked for its name."""
    local = StandIn(socket.AF_INET, ("127.0.0.1", 0))
    bus = StandIn(socket.AF_UNIX, case.out + "/bus")
    acts = [
        ("host", "refused.example", 443, "curl", "curl -sS https://refused.example/"),
        ("host", "unknown.example", 0, "curl", NO_PROXIES + "curl -sS https://unknown.example/"),
        # a client that is gone when the proxy has heard what it wants
        ("host", "gone.example", 443, "perl", GONE),
        ("host", "198.51.100.7", 25, "python3", CONNECT_TCP.replace("GET", "PUT *") + "198.51.100.7 25"),
        ("local", "127.0.0.1", local.port, "python3", CONNECT_TCP + f"127.0.0.1 {local.port}"),
        ("socket", case.out + "/bus", 0, "python3", CONNECT_UNIX + case.out + "/bus"),
    ]
    text = "\n".join(f"({act})\n({act})" for *_, act in acts) + "\ntrue"
    return acts, text, (local, bus)


@test("--report has one line of JSON for each refusal")
def report(case):
    need("curl")
    need("perl")
    acts, text, _ = refusals(case)
    for options in ([], ["-q"], ["-v"]):
        path = case.out + "/report" + "".join(options)
        said = case.pen(text, {"allowedDomains": ["ok.lab.test"]}, ["--report", path, *options])
        said.works()
        if "-q" in options:
            said.keeps_quiet("^landpen:")
        with open(path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        found = [(line["refused"], line["target"], line["port"], line["program"], line["cure"])
                 for line in lines]
        if sorted(found) != sorted((*act[:4], cure_of(*act[:3])) for act in acts):
            raise Failure(f"reported: {lines}")
        if os.stat(path).st_mode & 0o777 != 0o600:
            raise Failure("the report can be read by others")


@test("the list at the end names each refusal and its cure, and -q leaves it out")
def list_at_end(case):
    need("curl")
    acts, text, servers = refusals(case)
    said = case.pen(text, {"allowedDomains": ["ok.lab.test"]}).works()
    for kind, target, port, program, _ in acts:
        said.says(f"^landpen: refused: {target}{f':{port}' if port else ''} .{program}.[:;].*"
                  + re.escape(cure_of(kind, target, port)) + "$")
    case.pen(text, {"allowedDomains": ["ok.lab.test"]}, ["-q"]).works().keeps_quiet("^landpen: refused")
    if any(server.count for server in servers):
        raise Failure("a server was reached")


@test("-v tells of a refusal when it happens, else it is told at the end")
def told_at_once(case):
    need("curl")
    act = NO_PROXIES + "curl -sS https://unknown.example/; echo >done; sleep 1; echo command ends >&2"
    for options, pattern in ((["-v"], "refused: unknown.example.*command ends"),
                             ([], "command ends.*refused: unknown.example")):
        said = case.pen(act, {"allowedDomains": ["ok.lab.test"]}, options).works()
        said.text = said.text.replace("\n", " ")
        said.says(pattern)


@test("a daemon that was left behind keeps its network, and its rules, after landpen has ended")
def daemon_left_behind(case):
    need("curl")
    allowed = StandIn(socket.AF_INET, ("127.0.0.1", 0))
    denied = StandIn(socket.AF_INET, ("127.0.0.1", 0))
    daemon = f"""for i in $(seq 100); do [ ! -e go ] || break; sleep 0.05; done
        {NO_PROXIES}
        curl -sS http://127.0.0.1:{allowed.port}/ >allowed 2>&1
        curl -sS http://127.0.0.1:{denied.port}/ >denied 2>&1
        echo >told"""
    case.write("daemon", daemon)
    case.pen("setsid bash daemon </dev/null >/dev/null 2>&1 & sleep 0.1",
             {"allowLocalPorts": [allowed.port]}).works()
    time.sleep(0.3)  # landpen has ended
    case.write("go", "")
    until(lambda: case.read("told"), "the daemon")
    if case.read("allowed") != "reached\n" or "curl: (7)" not in case.read("denied"):
        raise Failure(f"allowed: {case.read('allowed')!r}, denied: {case.read('denied')!r}")
    if denied.count:
        raise Failure("a server was reached that is not allowed")


if __name__ == "__main__":
    if os.getuid() == 0:  # an ordinary user can do all of it but the laboratory's part
        enter_lab()
    SUITE.main()
