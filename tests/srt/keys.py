#!/usr/bin/env python3
"""Each key that srt knows has a row in landpen-srt(7), under SETTINGS, and each row a test here.

A row is enforced (an act that says one thing without the key's value and another with it), refused
(nothing is run, and the sentence names the key and what to remove) or of no meaning (the command
runs, and nothing is said).
"""
import json
import os
import re
import socket
import sys
import threading

from pens import Place, manual, plain

HERE = os.path.dirname(os.path.abspath(__file__))
# in the tables of schema-keys.c, and landpen's own
OWN = {"extends", "when", "environment", "limits", "process", "unixSockets", "acceptGaps",
       "network.allowLocalPorts", "network.ipv6Answers", "filesystem.createDirs", "filesystem.createFiles"}


def known_keys():
    with open(f"{HERE}/../../src/settings/schema-keys.c", encoding="utf-8") as file:
        text = file.read()
    keys = set()
    for table, prefix in (("lp_schema_keys", ""), ("network_keys", "network."), ("filesystem_keys", "filesystem."),
                          ("credential_keys", "credentials."), ("git_keys", "git.")):
        body = re.search(rf"struct lp_key {table}\[\] = {{(.*?)\n}};", text, re.S)[1]
        keys |= {prefix + name for name in re.findall(r'KEY\("(\w+)"', body)}
    return keys - OWN


def rows():
    """The first word of each row, by key."""
    section = manual().split("# SETTINGS")[1].split("\n# ")[0]
    found = {}
    for keys, text in re.findall(r"^(\*[\w.]+\*(?:, \*[\w.]+\*)*)\n\t(.*)", section, re.M):
        for key in re.findall(r"\*([\w.]+)\*", keys):
            found[key] = plain(text)
    return found


def settings(key=None, value=None, **more):
    result = {"network": {"allowedDomains": [], "deniedDomains": []},
              "filesystem": {"denyRead": [], "allowWrite": ["."], "denyWrite": []}}
    for name, what in list(more.items()) + ([(key, value)] if key else []):
        at = result
        *above, last = name.replace("__", ".").split(".")
        for part in above:
            at = at.setdefault(part, {})
        at[last] = what
    return json.dumps(result)


def by_proxy(host, port="$PORT"):
    return f"curl -sS -m 5 -o /dev/null -w '%{{http_code}}' --noproxy '' http://{host}:{port}/"


def python(code):
    return f"python3 -c '{code}' 2>&1 | tail -1"


SERVE = python('import socket; s = socket.create_server(("127.0.0.1", 0)); '
               'socket.create_connection(s.getsockname()); print("met")')
# a server outside the pen, on a unix socket
OUTSIDE = ("python3 -c 'import socket, os; s = socket.socket(socket.AF_UNIX); s.bind(os.environ[\"OUT\"] + \"/s\"); "
           "s.listen(); os.fork() and os._exit(0); s.settimeout(20); s.accept()' </dev/null >/dev/null 2>&1; ")
CONNECT = "S " + python('import socket, os; s = socket.socket(socket.AF_UNIX); '
                        's.connect(os.environ["OUT"] + "/s"); print("met")')
LOCAL = ["localhost"]

# key: (value, set-up, act, without the value, with it), and the rest of the settings of both
ENFORCED = {
    "network": ({"allowedDomains": LOCAL, "deniedDomains": []}, "", "S " + by_proxy("localhost"), "403", "200"),
    "filesystem": ({"denyRead": [], "allowWrite": [], "denyWrite": []}, "", "S touch made", "ok", "denied"),
    "credentials": ({"envVars": [{"name": "SECRET_TOKEN", "mode": "deny"}]}, "",
                    "S bash -c 'echo token: $SECRET_TOKEN'", "token: sesame", "token:"),
    "ignoreViolations": ({"*": ["other.test"]}, "",
                         '"$SRT" -s $OUT/../settings.json --violations curl -s -o /dev/null http://other.test/ 2>&1',
                         "<sandbox_violations> deny network-outbound other.test:80 (host is not on the allow list) "
                         "</sandbox_violations>", "ok"),
    "mandatoryDenySearchDepth": (5, "mkdir -p a/b/c/d/.vscode; touch a/b/c/d/.vscode/f", "S $PROBE write a/b/c/d/.vscode/f",
                                 "ok", "denied"),
    "git": ({"safeDirectories": ["/a"]}, "", "S git config --get-all safe.directory", "exit 1", "/a /a/*"),
    "network.allowedDomains": (LOCAL, "", "S " + by_proxy("localhost"), "403", "200"),
    "network.deniedDomains": (["localhost:$PORT"], "", "S " + by_proxy("localhost"), "200", "403",
                              {"network.allowedDomains": LOCAL}),
    "network.deniedDomainReasons": ({"localhost": "ask the boss"}, "",
                                    "S curl -s --noproxy '' http://localhost:$PORT/ | grep -c boss", "exit 1 0", "1",
                                    {"network.deniedDomains": LOCAL}),
    "network.strictAllowlist": (True, "", "S " + by_proxy("localhost"), "403", "403"),
    "network.deniedResolvedAddresses": (["127.0.0.0/8", "::1"], "", "S " + by_proxy("localhost"), "200", "403",
                                        {"network.allowedDomains": LOCAL}),
    "network.allowUnixSockets": (["$OUT/s"], "", OUTSIDE + CONNECT,
                                 "PermissionError: [Errno 13] Permission denied", "met"),
    "network.allowAllUnixSockets": (True, "", OUTSIDE + CONNECT,
                                    "PermissionError: [Errno 13] Permission denied", "met"),
    "network.allowLocalBinding": (False, "", "S " + SERVE, "met", None),
    "network.httpProxyPort": ("BEYOND_HTTP", "", "S curl -s -m 5 http://ok.test/", "ok", "beyond",
                              {"network.allowedDomains": ["ok.test"]}),
    "network.socksProxyPort": ("BEYOND_SOCKS", "", "S bash -c 'curl -s -m 5 --proxy $FTP_PROXY http://ok.test/'",
                               "exit 97", "beyond", {"network.allowedDomains": ["ok.test"]}),
    "network.mitmProxy": ({"socketPath": "BEYOND_UNIX", "domains": ["*.ok.test"]}, "",
                          "S curl -s -m 5 http://a.ok.test/ || S curl -s -m 5 -p --noproxy '*' http://a.ok.test/", "ok",
                          "beyond", {"network.allowedDomains": ["*.ok.test"]}),
    "network.parentProxy": ({"http": "http://127.0.0.1:BEYOND_HTTP"}, "", "S curl -s -m 5 http://ok.test/", "ok", "beyond",
                            {"network.allowedDomains": ["ok.test"]}),
    "filesystem.denyRead": (["f"], "echo x >f", "S $PROBE read f", "ok", "denied"),
    "filesystem.allowRead": (["d/f"], "mkdir d; echo x >d/f", "S $PROBE read d/f", "denied", "ok",
                             {"filesystem.denyRead": ["d"]}),
    "filesystem.allowWrite": ([".", "$OUT"], "", "S $PROBE create $OUT/f", "denied", "ok"),
    "filesystem.denyWrite": (["*.c"], "", "S $PROBE create a.c", "ok", "denied"),
    "filesystem.disabled": (True, "", "S $PROBE create .bashrc", "denied", "ok"),
    "filesystem.allowGitConfig": (True, "git init -q", "S git config x.y z", "denied", "ok"),
    "credentials.files": ([{"path": "~/.netrc", "mode": "deny"}], "echo x >~/.netrc", "S $PROBE read ~/.netrc", "ok",
                          "denied"),
    "credentials.envVars": ([{"name": "SECRET_TOKEN", "mode": "deny"}], "",
                            "S bash -c 'echo token: $SECRET_TOKEN'", "token: sesame", "token:"),
    "git.safeDirectories": (["/a"], "", "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=a.b GIT_CONFIG_VALUE_0=mine "
                            "S git config --get-regexp 'a.b|safe.*'", "a.b mine", "a.b mine safe.directory /a safe.directory /a/*"),
    # where pseudoterminals would be open they need --accept-gap, which only acceptGaps says here
    "allowPty": (False, "", "S " + python("import pty; pty.openpty(); print(6)"), "6", "OSError: out of pty devices",
                 {"acceptGaps": ["terminals"]}),
}
MASK = {"mode": "mask", "injectHosts": ["a.test"]}
ALLOWED = {"network.allowedDomains": ["a.test"], "credentials.allowPlaintextInject": True}
REFUSED = {
    "network.filterRequest": (1, "remove it", {}),
    "network.tlsTerminate": ({}, "remove it", {}),
    "credentials.awsPairs": ([{"accessKeyIdVar": "A", "secretAccessKeyVar": "B"}], "A", {}),
    "credentials.sigv4": ({}, "remove it", {}),
    # these are enforced for mode deny
    "credentials.files": ([{"path": "/x", **MASK}], "remove the entry", ALLOWED),
    "credentials.envVars": ([{"name": "X", **MASK}], "remove the entry", ALLOWED),
}
INERT = {
    "enableWeakerNestedSandbox": True, "enableWeakerNetworkIsolation": True, "allowAppleEvents": True,
    "ripgrep": {"command": "rg"}, "seccomp": {"applyPath": "/x"}, "bwrapPath": "/x", "socatPath": "/x",
    "javaAgentJarPath": "/x", "windows": {"sandboxUser": "u"}, "network.allowMachLookup": ["com.x.*"],
    "credentials.allowPlaintextInject": True,
}


class Beyond:
    """Proxies that say "beyond" to everything: on a TCP port by HTTP, by SOCKS, and on a unix socket."""

    def __init__(self, place):
        self.path = f"{place.path}/beyond.sock"
        local = socket.socket(socket.AF_UNIX)
        local.bind(self.path)
        os.chmod(self.path, 0o777)
        local.listen()
        http, socks = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        self.http, self.socks = http.getsockname()[1], socks.getsockname()[1]
        for listener, by_socks in ((local, False), (http, False), (socks, True)):
            threading.Thread(target=self.loop, args=(listener, by_socks), daemon=True).start()

    def loop(self, listener, by_socks):
        while True:
            client, _ = listener.accept()
            with client:
                client.settimeout(5)
                try:
                    self.answer(client, by_socks)
                except OSError:
                    pass

    @staticmethod
    def answer(client, by_socks):
        first = client.recv(4096)
        if by_socks:
            client.sendall(b"\5\0")
            if len(first) <= 3:
                client.recv(4096)
            client.sendall(b"\5\0\0\1\0\0\0\0\0\0")
            client.recv(4096)
        elif first.startswith(b"CONNECT"):
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbeyond")

    def fill(self, text):
        return (text.replace("BEYOND_UNIX", self.path).replace('"BEYOND_HTTP"', str(self.http))
                .replace('"BEYOND_SOCKS"', str(self.socks)).replace("BEYOND_HTTP", str(self.http)))


def enforced(place, beyond, key):
    value, setup, act, without, wanted, *more = ENFORCED[key]
    more = more[0] if more else {}
    before = place.single("landpen", settings(**more), setup, act)
    after = place.single("landpen", beyond.fill(settings(key, value, **more)), setup, act)
    if wanted is None: # anything else
        return before == without and after != without, f"without: {before}; with: {after}"
    if without == "ok" and wanted == "beyond": # there is no such host
        return before != "beyond" and after == wanted, f"without: {before}; with: {after}"
    return (before, after) == (without, wanted), f"without: {before}; with: {after}"


def refused(place, key):
    value, cure, more = REFUSED[key]
    said = place.single("landpen", settings(key, value, **more), "", "S echo started 2>&1; echo $?")
    last = key.rsplit(".", maxsplit=1)[-1]
    return "started" not in said and said.endswith(" 1") and last in said and cure in said, said


def inert(place, key):
    said = place.single("landpen", settings(key, INERT[key]), "", "S echo started 2>&1")
    return said == "started", said


def main():
    found, known = rows(), known_keys()
    tests = []
    with Place() as place:
        beyond = Beyond(place)
        tests.append(("every key has a row, and every row is a key", found.keys() == known,
                      f"{sorted(found.keys() ^ known)}"))
        for key in sorted(known | found.keys()):
            row = found.get(key, "")
            for word, table, test in (("Enforced", ENFORCED, lambda k: enforced(place, beyond, k)),
                                      ("Refused", REFUSED, lambda k: refused(place, k)),
                                      ("No meaning", INERT, lambda k: inert(place, k))):
                if row.startswith(word) and key not in table:
                    tests.append((f"{key}: {word}", False, "has no test"))
                elif key in table:
                    both = key in ENFORCED and key in REFUSED
                    tests.append((f"{key}: {word}", *((False, f"the row says: {row}")
                                                      if not both and not row.startswith(word) else test(key))))
    for number, (name, good, why) in enumerate(tests, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {name}" + ("" if good else f"\n# {why}"))
    print(f"1..{len(tests)}")
    return 0 if all(good for _, good, _ in tests) else 1


if __name__ == "__main__":
    sys.exit(main())
