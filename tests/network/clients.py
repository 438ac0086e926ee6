#!/usr/bin/env python3
"""Real clients through the gate, by name; prints TAP. Runs as root, in ./lab.

    clients.py [--filter REGEX] [--backend landlock|bwrap] [--jobs N]

One table of clients. Each is tried with a name from the hosts file and with one that only DNS knows,
with the proxies' variables that landpen sets and without any: bare, where it works; in a pen that
allows another host, where it fails within 5 s in words of its own, landpen's list names the host, and
nothing is on the link; in a pen that allows the host. See pens.py and services.py.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import services
from pens import Case, HERE, NO_PROXIES, PATH, Failure, Skip, Suite, enter_lab, need, until

NAMES = {"hosts": "ok.lab.test", "dns": "dns-only.lab.test"}


@dataclass
class Client:
    """A shell line with $HOST, which says "reached" (or words) where it works; port is its server's.
    denied is what it says otherwise: of the proxy (None: it takes none), of an address that the
    hosts file has, of a name that does not exist."""

    name: str
    needs: list
    port: int
    line: str
    denied: tuple
    words: str = "reached"
    backends: tuple = ("landlock",)


NO_NAME = "Name or service not known|Name does not resolve"  # glibc, musl
BOTH = ("landlock", "bwrap")

SSH = ("ssh -F none -i key -p {ssh} -o BatchMode=yes -o StrictHostKeyChecking=no "
       "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=4")

CLIENTS = [
    Client("curl", ["curl"], services.HTTPS, "curl -sS --cacert $CA https://$HOST:{https}/",
           ("403", "curl: .7. Failed to connect", "curl: .6. Could not resolve host"), backends=BOTH),
    Client("curl-http", ["curl"], services.HTTP, "curl -sS -f http://$HOST:{http}/",
           ("403", "curl: .7. Failed to connect", "curl: .6. Could not resolve host")),
    Client("wget", ["wget"], services.HTTPS,
           "wget -nv -t 1 -T 4 -O - --ca-certificate=$CA https://$HOST:{https}/",
           ("Proxy tunneling failed: Forbidden", "Permission denied", "unable to resolve host"), backends=BOTH),
    Client("git-https", ["git"], services.HTTPS,
           "GIT_SSL_CAINFO=$CA git clone -q https://$HOST:{https}/git/thing.git && git -C thing log --oneline",
           ("403", "Failed to connect", "Could not resolve host"), backends=BOTH),
    Client("git-ssh", ["git", "ssh", "sshd"], services.SSH,
           'GIT_SSH_COMMAND="' + SSH + '" git clone -q $USER@$HOST:$SERVICES/git/thing.git && '
           "git -C thing log --oneline",
           (None, "Permission denied", "Could not resolve hostname")),
    Client("ssh", ["ssh", "sshd"], services.SSH, SSH + " $USER@$HOST echo reached",
           (None, "Permission denied", "Could not resolve hostname"), backends=BOTH),
    Client("urllib", ["python3"], services.HTTPS,
           """SSL_CERT_FILE=$CA python3 -c '
import urllib.request
print(urllib.request.urlopen("https://'$HOST':{https}/", timeout=4).read().decode())'""",
           ("403", "Permission denied", NO_NAME)),
    Client("requests", ["python3", "py:requests"], services.HTTPS,
           """REQUESTS_CA_BUNDLE=$CA python3 -c '
import requests
print(requests.get("https://'$HOST':{https}/", timeout=4).text)'""",
           ("403", "Permission denied", NO_NAME)),
    Client("node-fetch", ["node"], services.HTTPS,
           """NODE_EXTRA_CA_CERTS=$CA node -e '
fetch("https://'$HOST':{https}/").then((a) => a.text()).then(console.log)'""",
           ("403|EACCES|ENOTFOUND", "EACCES", "ENOTFOUND")),
    Client("node-https", ["node"], services.HTTPS,
           """NODE_EXTRA_CA_CERTS=$CA node -e '
require("https").get("https://'$HOST':{https}/", (a) => a.pipe(process.stdout))'""",
           ("403|EACCES|ENOTFOUND", "EACCES", "ENOTFOUND"), backends=BOTH),
    Client("npm", ["npm"], services.HTTPS,
           """echo '{{}}' >package.json; npm install --cafile=$CA --cache=cache --fetch-retries=0 \\
--no-audit --no-fund --no-update-notifier --registry=https://$HOST:{https}/npm/ lab-thing &&
node -p 'require("lab-thing")'""", ("403", "EACCES", "ENOTFOUND")),
    Client("pip", ["pip3"], services.HTTPS,
           """pip3 install --disable-pip-version-check --no-cache-dir --retries 1 --timeout 4 \\
--cert $CA --target=. -i https://$HOST:{https}/pip/ lab-thing && python3 lab_thing.py""",
           ("403", "Permission denied", NO_NAME)),
    Client("psql", ["psql", "initdb"], services.POSTGRES,
           "PGCONNECT_TIMEOUT=4 psql -h $HOST -p {postgres} -U lab -Atc \"select 'rea' || 'ched'\" postgres",
           (None, "Permission denied", "could not translate host name")),
    Client("redis-cli", ["redis-cli", "redis-server"], services.REDIS,
           "redis-cli -h $HOST -p {redis} ping | grep PONG",
           (None, "Permission denied", NO_NAME), "PONG"),
    Client("java", ["java", "built:Client.class"], services.HTTP,
           "java -XX:TieredStopAtLevel=1 -cp $BUILT Client $HOST {http}",
           (None, "Permission denied", "UnknownHostException")),
    Client("openssl", ["openssl"], services.HTTPS,
           "openssl s_client -brief -connect $HOST:{https} -servername $HOST -CAfile $CA "
           "-verify_hostname $HOST -verify_return_error </dev/null",
           (None, "connect:errno=13", NO_NAME), "Verification: OK"),
    Client("go", ["built:go-client"], services.HTTPS,
           "SSL_CERT_FILE=$CA GODEBUG=netdns=cgo $BUILT/go-client https://$HOST:{https}/",
           ("Forbidden", "permission denied", "no such host")),
    Client("go-own", ["built:go-client"], services.HTTPS,
           "SSL_CERT_FILE=$CA GODEBUG=netdns=go $BUILT/go-client https://$HOST:{https}/",
           ("Forbidden", "permission denied", "no such host"), backends=BOTH),
    Client("rust", ["built:rust-client"], services.HTTP, "$BUILT/rust-client $HOST {http}",
           (None, "Permission denied", NO_NAME)),
    # these have resolvers of their own, which look at where an answer comes from
    Client("musl", ["built:musl-client"], services.HTTP, "$BUILT/musl-client $HOST {http}",
           (None, "Permission denied", NO_NAME), backends=BOTH),
    Client("c-ares", ["built:ares-client"], services.HTTP,
           "unset RES_OPTIONS; $BUILT/ares-client $HOST {http}",
           (None, "Permission denied", "Domain name not found"), backends=BOTH),
]

FETCH = """
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

static int fetch(const struct sockaddr_in *address)
{
	static const char request[] = "GET / HTTP/1.0\\r\\n\\r\\n";
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char text[4096];
	ssize_t n;

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		perror("connect");
		return 1;
	}
	write(fd, request, sizeof(request) - 1);
	while ((n = read(fd, text, sizeof(text))) > 0)
		fwrite(text, 1, n, stdout);
	return 0;
}
"""

SOURCES = {
    "Client.java": ("javac", "javac -d . Client.java", """
public class Client {
	public static void main(String[] args) throws Exception {
		try (var socket = new java.net.Socket(args[0], Integer.parseInt(args[1]))) {
			socket.getOutputStream().write("GET / HTTP/1.0\\r\\n\\r\\n".getBytes());
			socket.getInputStream().transferTo(System.out);
		}
	}
}
"""),
    "client.go": ("go", "GO111MODULE=off GOFLAGS= GOCACHE=$PWD/cache go build -o go-client client.go", """
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	answer, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	io.Copy(os.Stdout, answer.Body)
}
"""),
    "musl.c": ("musl-gcc", "musl-gcc -static -o musl-client musl.c", FETCH + """
int main(int count, char **words)
{
	struct addrinfo *found, wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	int error = getaddrinfo(words[1], words[2], &wanted, &found);

	if (error)
		puts(gai_strerror(error));
	return error ? 1 : fetch((struct sockaddr_in *)found->ai_addr);
}
"""),
    "ares.c": ("cc", "cc -o ares-client ares.c -lcares 2>/dev/null || :", "#include <ares.h>\n" + FETCH + """
static void tell(void *context, int status, int timeouts, struct hostent *host)
{
	if (status)
		puts(ares_strerror(status));
	else
		memcpy(context, host->h_addr_list[0], 4);
}

int main(int count, char **words)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
	ares_channel channel;
	fd_set readable, writable;

	ares_init(&channel);
	ares_gethostbyname(channel, words[1], AF_INET, tell, &address.sin_addr);
	for (;;) {
		struct timeval wait;
		int most;

		FD_ZERO(&readable);
		FD_ZERO(&writable);
		most = ares_fds(channel, &readable, &writable);
		if (!most)
			break;
		select(most, &readable, &writable, NULL, ares_timeout(channel, NULL, &wait));
		ares_process(channel, &readable, &writable);
	}
	return address.sin_addr.s_addr ? fetch(&address) : 1;
}
"""),
    "client.rs": ("rustc", "rustc -C linker=cc -o rust-client client.rs", """
use std::io::{Read, Write};

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let mut stream = std::net::TcpStream::connect((&args[1][..], args[2].parse().unwrap()))?;
    stream.write_all(b"GET / HTTP/1.0\\r\\n\\r\\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    println!("{text}");
    Ok(())
}
"""),
}


class Clients(Suite):
    """The suite, with the programs that were built and the servers that were started for it."""

    servers = None
    leaked = ""

    def begin(self):
        self.built, self.dir = self.base + "/built", self.base + "/services"
        os.mkdir(self.built)
        os.mkdir(self.dir)
        self.own(self.dir)
        self.servers = subprocess.Popen(
            ["ip", "netns", "exec", os.environ["LAB_NETNS"], "setpriv",
             f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}", "--clear-groups",
             "python3", HERE + "/services.py", self.dir, *NAMES.values()],
            stdin=subprocess.PIPE, env={"PATH": PATH, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"})
        for name, (program, line, text) in SOURCES.items():
            with open(f"{self.built}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
            if shutil.which(program, path=PATH):
                subprocess.run(["sh", "-c", line], cwd=self.built, check=True,
                               env={"PATH": PATH, "HOME": self.built})
        until(lambda: os.path.exists(self.dir + "/ready") or self.servers.poll() is not None,
              "the servers", 30)
        if self.servers.poll() is not None:
            with open(self.dir + "/log", encoding="utf-8") as file:
                sys.exit("the servers do not start: " + file.read())

        self.deny_all()

    def packets(self):
        time.sleep(0.3)  # for what is still on its way
        with open(os.environ["LAB"] + "/packets", encoding="utf-8") as file:
            return file.read()

    def deny_all(self):
        before = len(self.packets())
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(lambda entry: entry[3].__self__.deny(entry[2]),
                          [entry for entry in self.chosen if hasattr(entry[3], "__self__")]))
        self.leaked = self.packets()[before:]

    def finish(self):
        if self.servers:
            self.servers.stdin.close()
            self.servers.wait()


SUITE = Clients()


def have(program):
    kind, _, name = program.rpartition(":")
    if kind == "built":
        if not os.path.exists(f"{SUITE.built}/{name}"):
            raise Skip(f"no compiler for {name}")
    elif kind == "py":
        if subprocess.run(["python3", "-c", "import " + name], env={"PATH": PATH}, check=False,
                          stderr=subprocess.DEVNULL).returncode:
            raise Skip("no python3-" + name)
    else:
        need(name)


def line_of(client, host, variables):
    ports = {name.lower(): getattr(services, name)
             for name in ("HTTP", "HTTPS", "SSH", "POSTGRES", "REDIS")}
    return (f"HOST={host} CA={SUITE.dir}/ca.pem SERVICES={SUITE.dir} BUILT={SUITE.built}\n"
            + ("" if variables else NO_PROXIES) + client.line.format(**ports))


def prepare(case):
    case.fresh()
    shutil.copy(SUITE.dir + "/key", case.path("key"))
    os.chmod(case.path("key"), 0o600)
    SUITE.own(case.path("key"))


class Row:
    """A client with one kind of name, with or without variables."""

    def __init__(self, client, kind, variables):
        self.client, self.kind, self.variables = client, kind, variables
        self.host = NAMES[kind]
        self.name = f"{client.name}-{kind}-{'variables' if variables else 'plain'}"
        self.what = (f"{client.name}, a name from {kind}, "
                     f"{'with' if variables else 'without'} the proxies' variables")
        self.denied = {}

    def line(self):
        ports = {name.lower(): getattr(services, name)
                 for name in ("HTTP", "HTTPS", "SSH", "POSTGRES", "REDIS")}
        return (f"HOST={self.host} CA={SUITE.dir}/ca.pem SERVICES={SUITE.dir} BUILT={SUITE.built}\n"
                + ("" if self.variables else NO_PROXIES) + self.client.line.format(**ports))

    def deny(self, backend):
        """Tried for all rows before anything else, since nothing may be on the link then."""
        case = Case(SUITE, backend)
        try:
            prepare(case)
            self.denied[backend] = case.pen(self.line(), {"allowedDomains": ["allowed.example"]})
        finally:
            case.end()

    def check(self, case):
        for program in self.client.needs:
            have(program)
        proxy, hosts, dns = self.client.denied
        words = self.variables and proxy or (hosts if self.kind == "hosts" else dns)
        prepare(case)
        case.bare(self.line()).works(self.client.words)
        denied = self.denied[case.backend]
        denied.fails(words).keeps_quiet(f"^{self.client.words}")
        denied.says(rf"^landpen: refused: {self.host}(:{self.client.port})? ?[(;]")
        prepare(case)
        case.pen(self.line(), {"allowedDomains": [self.host]}).works(self.client.words)


ROWS = [Row(client, kind, variables)
        for client in CLIENTS for variables in (True, False) for kind in NAMES]
for row in ROWS:
    SUITE.add(row.name, row.what, row.check, row.client.backends)


@SUITE.test("nothing is on the link while all of them are denied", backends=["landlock"])
def nothing_leaves(_case):
    if SUITE.leaked:
        raise Failure("on the link:\n" + SUITE.leaked)
    if not SUITE.packets():
        raise Failure("nor when they are allowed: packets are not seen")


if __name__ == "__main__":
    enter_lab()
    SUITE.main(before=SUITE.begin, after=SUITE.finish)
