#!/usr/bin/env python3
"""Servers for clients.py: HTTP with git, npm and pip, sshd, postgres, redis.

    services.py DIR NAME...

Runs as an ordinary user in a network namespace of its own, on all its addresses. Makes in DIR:
ca.pem, a certificate for the NAMEs that signs itself; key, for ssh; log; and ready when all
servers that this machine has can be connected to. Ends when its standard input does.
"""
import base64
import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

HTTP, HTTPS, SSH, POSTGRES, REDIS = 8081, 8443, 2222, 5432, 6379


def run(*command, **words):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **words)


def make_certificate(names):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-keyout", "tls.key", "-out", "ca.pem", "-subj", "/CN=" + names[0],
        "-addext", "subjectAltName=" + ",".join("DNS:" + name for name in names),
        "-addext", "basicConstraints=critical,CA:TRUE", stderr=subprocess.DEVNULL)


def make_repository():
    run("git", "init", "-q", "-b", "main", "work")
    run("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q",
        "--allow-empty", "-m", "reached", cwd="work")
    run("git", "clone", "-q", "--bare", "work", "git/thing.git")


def make_npm_package():
    """A tarball as `npm pack` makes it."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, text in (
                ("package.json", json.dumps({"name": "lab-thing", "version": "1.0.0"})),
                ("index.js", "module.exports = 'reached'\n")):
            entry = tarfile.TarInfo("package/" + name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(data.getvalue())


def make_wheel():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        info = "lab_thing-1.0.0.dist-info/"
        archive.writestr("lab_thing.py", "print('reached')\n")
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: lab-thing\nVersion: 1.0.0\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(info + "RECORD", f"lab_thing.py,,\n{info}METADATA,,\n{info}WHEEL,,\n{info}RECORD,,\n")
    return data.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    """Everything over HTTP."""

    protocol_version = "HTTP/1.1"
    tarball, wheel = make_npm_package(), make_wheel()

    def answer(self, body, kind="text/plain"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/git/"):
            self.git()
        elif self.path == "/npm/lab-thing":
            self.answer(self.npm_document(), "application/json")
        elif self.path.endswith(".tgz"):
            self.answer(self.tarball, "application/octet-stream")
        elif self.path == "/pip/lab-thing/":
            self.answer(b'<a href="/lab_thing-1.0.0-py3-none-any.whl">lab_thing</a>', "text/html")
        elif self.path.endswith(".whl"):
            self.answer(self.wheel, "application/zip")
        else:
            self.answer(b"reached\n")

    def do_POST(self):
        self.git()

    def npm_document(self):
        digest = hashlib.sha512(self.tarball).digest()
        version = {"name": "lab-thing", "version": "1.0.0", "dist": {
            "tarball": f"https://{self.headers['Host']}/lab-thing-1.0.0.tgz",
            "shasum": hashlib.sha1(self.tarball).hexdigest(),
            "integrity": "sha512-" + base64.b64encode(digest).decode()}}
        return json.dumps({"name": "lab-thing", "dist-tags": {"latest": "1.0.0"},
                           "versions": {"1.0.0": version}}).encode()

    def git(self):
        path, _, query = self.path.removeprefix("/git").partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        said = subprocess.run(["git", "http-backend"], input=body, check=True, capture_output=True, env={
            **os.environ, "GIT_PROJECT_ROOT": os.getcwd() + "/git", "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}).stdout
        head, _, body = said.partition(b"\r\n\r\n")
        kind = [line.partition(":")[2].strip() for line in head.decode().splitlines()
                if line.lower().startswith("content-type:")]
        self.answer(body, *kind)


def serve_http(context):
    for port in (HTTP, HTTPS):
        server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler)
        if port == HTTPS:
            # the handshake is for the connection's own thread
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield port


def start_ssh():
    sshd = shutil.which("sshd")
    if not sshd:
        return
    for name in ("key", "host_key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)
    here = os.getcwd()
    with open("sshd_config", "w", encoding="utf-8") as file:
        file.write(f"Port {SSH}\nListenAddress 0.0.0.0\nHostKey {here}/host_key\nPidFile none\n"
                   f"AuthorizedKeysFile {here}/key.pub\nStrictModes no\nUsePAM no\n")
    yield SSH, [sshd, "-D", "-e", "-f", here + "/sshd_config"]


def start_postgres():
    if not shutil.which("initdb"):
        return
    run("initdb", "--no-sync", "-A", "trust", "-U", "lab", "-D", "db", stdout=subprocess.DEVNULL)
    with open("db/pg_hba.conf", "w", encoding="utf-8") as file:
        file.write("host all all 0.0.0.0/0 trust\n")
    yield POSTGRES, ["postgres", "-D", "db", "-k", "", "-p", str(POSTGRES), "-c", "fsync=off",
                     "-c", "listen_addresses=0.0.0.0"]


def start_redis():
    if shutil.which("redis-server"):
        yield REDIS, ["redis-server", "--port", str(REDIS), "--bind", "0.0.0.0", "--save", "",
                      "--protected-mode", "no"]


def wait_for(port):
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.025)
    sys.exit(f"services: nobody listens on {port}")


def main():
    os.chdir(sys.argv[1])
    os.environ["HOME"] = os.getcwd()
    with open("log", "w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    servers = []
    for start in (start_postgres, start_ssh, start_redis):
        for port, command in start():
            servers.append((port, subprocess.Popen(command, stdin=subprocess.DEVNULL)))
    make_certificate(sys.argv[2:])
    make_repository()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("ca.pem", "tls.key")
    ports = list(serve_http(context)) + [port for port, _ in servers]
    for port in ports:
        wait_for(port)
    with open("ready", "w", encoding="utf-8"):
        pass
    try:
        while os.read(0, 4096):
            pass
    finally:
        for _, server in servers:
            server.terminate()
        for _, server in servers:
            server.wait()


if __name__ == "__main__":
    main()
