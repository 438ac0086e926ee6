#!/usr/bin/env python3
"""The laboratory's servers: HTTP, HTTPS, DNS, and one that only notes who comes.

    servers.py LAB ADDRESS

Runs in the laboratory's namespace. Each line of LAB/seen is something that arrived: "http PATH HOST",
"https PATH HOST SNI", "dns udp|tcp TYPE NAME", "tcp PORT", "udp PORT SIZE". LAB/ready appears when all
are there.
"""
import http.server
import os
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading

LAB, ADDRESS = sys.argv[1:]
NAMES = ["ok.lab.test", "also.lab.test", "denied.lab.test", "api.ok.lab.test", "dns-only.lab.test"]
LOCK = threading.Lock()
SINKS = [9, 22000, 4433]


def note(*words):
    with LOCK, open(LAB + "/seen", "a", encoding="utf-8") as file:
        file.write(" ".join(str(word) for word in words) + "\n")


class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512
    kind = "http"

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    """Says what it was asked."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        sni = getattr(self.connection, "sni", "-")
        note(self.server.kind, self.path, self.headers.get("Host"), *([sni] if sni != "-" else []))
        text = f"reached {self.command} {self.path} {self.headers.get('Host')} {len(body)}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_HEAD = answer

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class Secure(Threads):
    """HTTPS; the handshake is the connection's own thread's affair."""

    kind = "https"
    context = None

    def finish_request(self, request, client_address):
        request.settimeout(10)
        with self.context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)


def make_certificates():
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-keyout", LAB + "/tls.key", "-out", LAB + "/ca.pem", "-subj", "/CN=lab.test",
         "-addext", "subjectAltName=" + ",".join("DNS:" + name for name in NAMES),
         "-addext", "basicConstraints=critical,CA:TRUE"], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LAB + "/ca.pem", LAB + "/tls.key")

    def remember(connection, name, _):
        connection.sni = name

    context.sni_callback = remember
    return context


def answer_dns(how, data):
    """An A record for what is below lab.test, else NXDOMAIN."""
    at, labels = 12, []
    while at < len(data) and data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("ascii", "replace"))
        at += data[at] + 1
    kind = struct.unpack("!H", data[at + 1:at + 3])[0]
    name = ".".join(labels).lower()
    note("dns", how, kind, name)
    known = name in NAMES or name.endswith(".dns-only.lab.test")
    found = known and kind == 1
    head = data[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, found, 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(ADDRESS)
    return head + data[12:at + 5] + (record if found else b"")


def serve_dns_udp(server):
    while True:
        data, peer = server.recvfrom(65536)
        try:
            server.sendto(answer_dns("udp", data), peer)
        except (IndexError, struct.error):
            note("dns", "udp", "garbage", len(data))


class DnsTcp(socketserver.BaseRequestHandler):
    def handle(self):
        file = self.request.makefile("rb")
        try:
            while head := file.read(2):  # a query for each family comes on one connection
                answer = answer_dns("tcp", file.read(*struct.unpack("!H", head)))
                self.request.sendall(struct.pack("!H", len(answer)) + answer)
        except (OSError, IndexError, struct.error):
            note("dns", "tcp", "garbage")


def sink(server, port):
    while True:
        client, _ = server.accept()
        note("tcp", port)
        client.close()


def sink_udp(server, port):
    while True:
        note("udp", port, len(server.recvfrom(65536)[0]))


def start(function, *args):
    threading.Thread(target=function, args=args, daemon=True).start()


def listen(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
    return server


def udp(port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::", port))
    return server


def main():
    Secure.context = make_certificates()
    Threads.address_family = socket.AF_INET6
    for port, kind in ((80, Threads), (8080, Threads), (443, Secure)):
        start(kind(("::", port), Handler).serve_forever)
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind((ADDRESS, 53))
    start(serve_dns_udp, dns)
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    start(socketserver.ThreadingTCPServer((ADDRESS, 53), DnsTcp).serve_forever)
    for port in SINKS:
        start(sink, listen(port), port)
        start(sink_udp, udp(port), port)
    with open(LAB + "/ready", "w", encoding="utf-8"):
        pass
    threading.Event().wait()


if __name__ == "__main__":
    os.chdir("/")
    main()
