#!/usr/bin/env python3
"""Other hosts, on this one: what each policy gets there, and that it holds; prints TAP.

    hosts.py [--user root] [--filter REGEX]

A row is a host ($HOST_PROGRAM makes single system calls fail as it does: host.c) and what three
policies get on it: landlock, bwrap, or a refusal whose sentence matches. Where there is a pen, each
act of acts.py is tried bare, denied and allowed, in one run each. What doctor says is the same.
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../network")

# pylint: disable=wrong-import-position
import pens
from pens import Failure, StandIn, Suite

SUITE = Suite()
NATIVE, BWRAP = "landlock", "bwrap"
PROFILE = "allow the landlock_ calls"
FOLDED = "takes upper and lower case for the same.*folded-names"
NAMESPACES, INSTALL = "allow user namespaces", "; install bubblewrap"
NO_LISTENER = "start landpen outside of it, or use --network none"
OLD = "Linux 5.9.*--network none"
YAMA = "ptrace_scope is [23].*set it to 1"
BEFORE_5_6 = ["openat2=ENOSYS", "close_range=ENOSYS", "clone3=ENOSYS", "faccessat2=ENOSYS",
              "pidfd_getfd=ENOSYS"]

# name, traits, and what a policy gets that only reads; that writes; and one with hosts' names
HOSTS = [
    ("now", [], NATIVE, NATIVE, NATIVE),
    ("4.18", ["landlock=0", "notify=none", "pidfd_open=ENOSYS", *BEFORE_5_6], BWRAP, BWRAP, OLD),
    ("5.4", ["landlock=0", "notify=first", *BEFORE_5_6], BWRAP, BWRAP, OLD),
    ("5.10", ["landlock=0", "notify=early"], BWRAP, BWRAP, BWRAP),
    ("landlock-off", ["landlock_create_ruleset=EOPNOTSUPP"], BWRAP, BWRAP, BWRAP),
    ("landlock-refused", ["landlock_create_ruleset=ENOSYS", "landlock_add_rule=ENOSYS",
                          "landlock_restrict_self=ENOSYS"], BWRAP, BWRAP, BWRAP),
    ("landlock-lies", ["landlock=lying"], BWRAP, BWRAP, BWRAP),
    *((f"abi-{abi}", [f"landlock={abi}"], BWRAP, BWRAP, BWRAP) for abi in range(1, 6)),
    *((f"abi-{abi}", [f"landlock={abi}"], NATIVE, NATIVE, NATIVE) for abi in range(6, 12)),
    ("abi-0-no-namespaces", ["landlock=0", "userns=none"], NAMESPACES, NAMESPACES, NAMESPACES),
    ("abi-0-no-bwrap", ["landlock=0", "missing=bwrap"], INSTALL, INSTALL, INSTALL),
    ("abi-0-old-bwrap", ["landlock=0", "instead=bwrap=OLD"], *["install bubblewrap 0.5 or newer"] * 3),
    ("abi-3-no-namespaces", ["landlock=3", "userns=none"], NAMESPACES, NAMESPACES, NAMESPACES),
    ("abi-3-no-bwrap", ["landlock=3", "missing=bwrap"], INSTALL, INSTALL, INSTALL),
    ("no-notify", ["notify=none"], NATIVE, BWRAP, OLD),
    ("no-gifts", ["notify=first"], NATIVE, BWRAP, OLD),
    ("early-gifts", ["notify=early"], NATIVE, NATIVE, NATIVE),
    ("listener-above", ["notify=above"], NATIVE, BWRAP, NO_LISTENER),
    ("listener-above-no-namespaces", ["notify=above", "userns=none"], NATIVE, NAMESPACES, NO_LISTENER),
    ("yama-2", ["yama=2"], NATIVE, BWRAP, {"user": BWRAP, "root": YAMA}),
    ("yama-3", ["yama=3"], NATIVE, BWRAP, YAMA),
    ("yama-2-no-bwrap", ["yama=2", "missing=bwrap"], NATIVE, INSTALL, INSTALL + "|" + YAMA),
    ("no-getfd", ["pidfd_getfd=EPERM"], NATIVE, NATIVE, NATIVE),
    ("no-readv", ["process_vm_readv=EPERM", "process_vm_writev=EPERM"], NATIVE, NATIVE, NATIVE),
    ("readv-unknown", ["process_vm_readv=ENOSYS", "process_vm_writev=ENOSYS"], NATIVE, NATIVE, NATIVE),
    ("no-clone3", ["clone3=ENOSYS"], NATIVE, NATIVE, NATIVE),
    ("no-close-range", ["close_range=EPERM"], NATIVE, NATIVE, NATIVE),
    ("no-statx", ["statx=EPERM", "faccessat2=EPERM", "fchmodat2=EPERM"], NATIVE, NATIVE, NATIVE),
    ("no-namespaces", ["userns=none"], NATIVE, NATIVE, NATIVE),
    ("no-bwrap", ["missing=bwrap"], NATIVE, NATIVE, NATIVE),
    # containers whose profile knows less than their kernel
    ("no-openat2", ["openat2=EPERM"], NATIVE, BWRAP, "openat2"),
    ("openat2-unknown", ["openat2=ENOSYS"], NATIVE, BWRAP, "openat2"),
    ("no-pidfd", ["pidfd_open=EPERM", "pidfd_getfd=EPERM"], NATIVE, NATIVE, NATIVE),
    ("no-restrict", ["landlock_restrict_self=EPERM"], PROFILE, PROFILE, PROFILE),
    ("no-rules", ["landlock_add_rule=EPERM"], PROFILE, PROFILE, PROFILE),
    ("no-seccomp", ["seccomp=EPERM"], *["refuses seccomp.*CONFIG_SECCOMP"] * 3),
    ("seccomp-unknown", ["seccomp=ENOSYS"], *["refuses seccomp.*CONFIG_SECCOMP"] * 3),
    ("casefold", ["casefold=PROJECT"], NATIVE, FOLDED, FOLDED),
    ("casefold-below", ["casefold=PROJECT/sub"], NATIVE, FOLDED, FOLDED),
    ("casefold-beside", ["casefold=OUT"], NATIVE, NATIVE, NATIVE),
    ("vfat", ["vfat=PROJECT"], NATIVE, FOLDED, FOLDED),
    ("docker", ["pidfd_getfd=EPERM", "clone3=ENOSYS", "userns=none"], NATIVE, NATIVE, NATIVE),
]

ACTS = {
    "read": ["outside", "chmod", "truncate", "signal", "connect", "project"],
    "write": ["outside", "chmod", "truncate", "signal", "connect", "held", "late", "hidden", "git"],
}
ACTS["names"] = ACTS["write"]
NEVER = {"signal", "git"}  # no rule allows them
# what may be done under the same rules, so that a pen which denies everything is none
WORKS = {"read": [], "write": ["project", "move"], "names": ["project", "move"]}
DENIALS = {"signal": {"EPERM", "ESRCH"}, "connect": {"EACCES", "EPERM", "ECONNRESET"},
           "hidden": {"EACCES", "ENOENT"}}
FILE_DENIALS = {"EACCES", "EPERM", "EROFS"}

SETUP = """set -e; rm -rf ./* .git; mkdir -p sub secret; git init -q .; echo key >secret/key; echo old >sub/held
rm -rf "$OUT"; mkdir -p "$OUT"; echo content >"$OUT/file"; echo content >"$OUT/long"
"""
OLD_BWRAP = """#!/bin/sh
number=
for word; do
    [ "$previous" != --args ] || number=$word
    previous=$word
done
if { printf '%s\\n' "$@"; [ -z "$number" ] || tr '\\0' '\\n' <"/proc/self/fd/$number"; } | grep -qx -e --perms; then
    echo "bwrap: Unknown option --perms" >&2
    exit 1
fi
echo "bwrap: this one would work" >&2
exit 1
"""


class Host:
    """One row: the words in front of a command, and the settings of its policies."""

    def __init__(self, case, traits):
        self.case = case
        alias = SUITE.base + "/old-bwrap"
        self.words = [SUITE.base + "/host", "--log", case.dir + "/asked",
                      *(trait.replace("OLD", alias).replace("PROJECT", case.project).replace("OUT", case.out)
                        for trait in traits), "--"]
        case.environment.update(OUT=case.out, PORT=str(SUITE.server.port), VICTIM=str(SUITE.victim.pid))

    def settings(self, policy, allowed):
        files = {"denyRead": [], "allowWrite": [], "denyWrite": []}
        network = {"allowedDomains": [], "deniedDomains": []}
        if policy != "read" or allowed:
            files["allowWrite"] = ["."] + ([self.case.out] if allowed else [])
        if policy != "read" and not allowed:
            files.update(denyRead=["secret"], denyWrite=["sub/held", "sub/late"])
        if policy == "names":
            network["allowedDomains"] = ["127.0.0.1"] if allowed else ["allowed.example"]
        path = f"{self.case.dir}/{policy}-{allowed}.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"network": network, "filesystem": files}, file)
        # without the names' gate a rule for hosts cannot be had: then the whole network is the rule
        passed = [word for name in ("OUT", "PORT", "VICTIM") for word in ("--env", name)]
        return ["-s", path, *passed] + (["--network", "open"] if allowed and policy != "names" else [])

    def landpen(self, words):
        return subprocess.run(
            [*self.words, SUITE.landpen, *words], cwd=self.case.project, env=self.case.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
            **SUITE.identity)

    def doctor(self, policy):
        told = self.landpen(["doctor", "--json", *self.settings(policy, False)])
        try:
            return json.loads(told.stdout)["policy"], told.returncode
        except (ValueError, KeyError) as error:
            raise Failure(f"doctor: {told}") from error

    def attempt(self, acts, words):
        self.case.bare(SETUP).works()
        command = ["python3", "-B", SUITE.base + "/acts.py", *acts]
        if words is None:
            told = subprocess.run(
                [*self.words, *command], cwd=self.case.project, env=self.case.environment,
                capture_output=True, text=True, timeout=60, check=False, **SUITE.identity)
        else:
            told = self.landpen([*words, "--", *command])
        try:
            return json.loads(told.stdout), told.stderr
        except ValueError as error:
            raise Failure(f"no outcome: exit {told.returncode}: {told.stderr}") from error


def expect(outcomes, acts, stage):
    for act in acts:
        good = {"ok"} if stage != "denied" else DENIALS.get(act, FILE_DENIALS)
        if outcomes[act] not in good:
            raise Failure(f"{act} should be {stage}: {outcomes}")


def check_refusal(host, policy, sentence):
    said, status = host.doctor(policy)
    run = host.landpen([*host.settings(policy, False), "--", "touch", "ran"])
    pens.Try("landpen", run.returncode, run.stderr, 0).fails(sentence)
    lines = [line for line in run.stderr.splitlines() if "network" not in line or "--network" in line]
    # beside the one that says what the pen would be; the gate's helpers may say the same
    if run.returncode != 125 or not lines or not all(re.search(sentence, line) for line in lines):
        raise Failure(f"should be refused by one sentence: {run}")
    if os.path.exists(host.case.path("ran")):
        raise Failure("it ran all the same")
    pens.Try("doctor", status, said["why"], 0).fails(sentence)
    if said["backend"] != "refused" or status != 1:
        raise Failure(f"doctor should say refused, and exit 1: {said}, {status}")


def check_pen(host, policy, backend):
    said, status = host.doctor(policy)
    if said["backend"] != backend or status != 0 or said["why"]:
        raise Failure(f"doctor should say {backend}, and exit 0: {said}, {status}")
    acts, works = ACTS[policy], WORKS[policy]
    expect(host.attempt(acts, None)[0], acts, "as without landpen")
    outcomes, told = host.attempt(acts + works, host.settings(policy, False))
    if f"({backend})" not in told:
        raise Failure(f"should be held by {backend}: {told}")
    expect(outcomes, acts, "denied")
    expect(outcomes, works, "free")
    words = [*host.settings(policy, True), "--backend", backend, "--accept-gap", "all"]
    expect(host.attempt(acts, words)[0], [act for act in acts if act not in NEVER], "allowed")


def add_row(name, traits, policy, expected):
    if isinstance(expected, dict):
        expected = expected["root" if "root" in sys.argv else "user"]
    if expected == BWRAP and not shutil.which("bwrap", path=pens.PATH):
        raise RuntimeError("bubblewrap is needed")

    def function(case):
        host = Host(case, traits)
        case.bare(SETUP).works()
        if expected in (NATIVE, BWRAP):
            check_pen(host, policy, expected)
        else:
            check_refusal(host, policy, expected)

    what = expected if expected in (NATIVE, BWRAP) else f"refused, \"{expected}\""
    SUITE.add(f"{name}-{policy}", f"{name}, a policy that has {policy}: {what}", function, ["auto"])


for row in HOSTS:
    for index, which in enumerate(("read", "write", "names")):
        add_row(row[0], row[1], which, row[2 + index])



def add_accepted(abi):
    """Natively on an old Landlock, with what it cannot hold accepted: broker and gate hold the rest."""
    gaps = ["signals"] + (["truncate"] if abi < 3 else []) + (["refer"] if abi < 2 else [])
    acts = [act for act in ACTS["names"] if act not in gaps and act != "signal"]
    works = [act for act in WORKS["names"] if abi >= 2 or act != "move"]

    def accept(accepted):
        return ["--backend", "landlock",
                *(word for gap in accepted for word in ("--accept-gap", gap))]

    def function(case):
        host, words = Host(case, [f"landlock={abi}"]), accept(gaps)
        for gap in gaps:
            run = host.landpen([*accept(other for other in gaps if other != gap), *host.settings("names", False), "--", "touch", "ran"])
            pens.Try("landpen", run.returncode, run.stderr, 0).fails(f"not held: {gap}")
        case.bare(SETUP).works()
        expect(host.attempt(acts, None)[0], acts, "as without landpen")
        outcomes, _ = host.attempt(acts + works, [*words, *host.settings("names", False)])
        expect(outcomes, acts, "denied")
        expect(outcomes, works, "free")
        freed = [act for act in acts if act not in NEVER]
        expect(host.attempt(freed, [*words, *host.settings("names", True)])[0], freed, "allowed")

    SUITE.add(f"accepted-{abi}", f"ABI {abi} with {', '.join(gaps)} accepted, and only then, holds the rest",
              function, ["landlock"])


for number in range(1, 6):
    add_accepted(number)

# Of each ABI: what has to be asked for, and nothing that it does not know.
RIGHTS = [(0x1fff, 0, 0), (0x3fff, 0, 0), (0x7fff, 0, 0), (0x7fff, 3, 0), (0xffff, 3, 0), (0xffff, 3, 3),
          (0xffff, 3, 3), (0xffff, 3, 3), (0x1ffff, 3, 3), (0x1ffff, 15, 3), (0x1ffff, 15, 3)]


def add_rights(abi):
    def function(case):
        host = Host(case, [f"landlock={abi}"])
        host.landpen(["--backend", "landlock", "--accept-gap", "all", *host.settings("read", False),
                      "--", "true"])
        with open(case.dir + "/asked", encoding="utf-8") as file:
            asked = [line.split() for line in file]
        rights = "create fs={:x} net={:x} scoped={:x}".format(*RIGHTS[abi - 1])
        # nothing goes to the system log, of the command nor of what confines itself in the pen
        flags = f"restrict flags={5 if abi >= 7 else 0:x}"
        if asked[-2:] != [rights.split(), flags.split()]:
            raise Failure(f"should ask for {rights}, {flags}: {asked}")

    SUITE.add(f"rights-{abi}", f"every right of ABI {abi} is handled, and nothing is logged", function,
              ["landlock"])


for number in range(1, 12):
    add_rights(number)


def before():
    for source, name in ((os.environ["HOST_PROGRAM"], "host"), (HERE + "/acts.py", "acts.py")):
        shutil.copy2(source, f"{SUITE.base}/{name}")
        os.chmod(f"{SUITE.base}/{name}", 0o755)
    with open(SUITE.base + "/old-bwrap", "w", encoding="utf-8") as file:
        file.write(OLD_BWRAP)
    os.chmod(SUITE.base + "/old-bwrap", 0o755)
    SUITE.server = StandIn(socket.AF_INET, ("127.0.0.1", 0))
    SUITE.victim = subprocess.Popen(["sleep", "3600"], **SUITE.identity)


def after():
    SUITE.victim.kill()
    SUITE.victim.wait()


if __name__ == "__main__":
    SUITE.main(before=before, after=after)
