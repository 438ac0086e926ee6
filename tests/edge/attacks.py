#!/usr/bin/env python3
"""What an attacker would try against the edge; prints TAP.

    attacks.py [--user root] [--filter REGEX]

With the acts of attacks.c ($EDGE_ATTACKS): each is tried bare, where it must change what is protected; in
the pen, where it must not; and in the pen with a rule that allows it, where it must again. An act says
nothing of its success: what counts is the tree, compared with what it was. As an ordinary user (a
throw-away one, if the caller is root), or as root. TRIES: how often a race is run, 1000;
10000 is for the patient. See pens.py.
"""
import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../network")

# pylint: disable=wrong-import-position
import pens
from pens import Failure, Skip, Suite, need, until

TRIES = int(os.environ.get("TRIES", "1000"))
SOME_TRIES, ROUNDS = 500, 8  # where it must succeed
SUITE = Suite()
SECRET = "sEcReT"
FS_IOC_GETFLAGS = 0x80086601
CONFIG = "[user]\nname = user\n"

# What is not there is denied too. hele is as carved as held is, so that the broker acts in both.
DENY_WRITE = ["held/config", "held/hooks", "held/new", "held/empty", "hele/other", "p/other",
              "later/commands"]
PROTECTED = ["held", ".git", "later/commands", ".claude/commands", ".mcp.json", ".vscode", "hidden"]
SETUP = """
set -e
git init -q . 2>/dev/null
for dir in held hele hidden hidee .git; do
    mkdir -p $dir/hooks/empty $dir/empty
    printf '[user]\\nname = user\\n' > $dir/config
    echo pre > $dir/hooks/pre
    echo sEcReT > $dir/key
done
echo free > hidee/key
echo free > hele/key
mkdir -p .claude later latex own own/mine-dir ../.ssh
cp -r hele own/p
ln -s ../held own/q
cp -r hele p
ln -s held q
ln -s ../../out o
ln -s ../.ssh s
mkdir -p own/x/y own/deep/x2/y own/target
cp -r hele/. own/target
ln -s ../../held own/deep/target
echo sEcReT > ../.ssh/key
python3 -c 'import os
for f in "held/config", "hele/config", "held/hooks/pre", "hele/hooks/pre", ".git/config", "../../out/config": os.setxattr(f, "user.there", b"1")'
"""


def attributes(path, st):
    """Its extended attributes and its flags, where there are any."""
    found = [(name, os.getxattr(path, name, follow_symlinks=False))
             for name in sorted(os.listxattr(path, follow_symlinks=False))]
    if stat.S_ISREG(st.st_mode):
        try:
            with open(path, "rb") as file:
                found.append(fcntl.ioctl(file, FS_IOC_GETFLAGS, struct.pack("l", 0)))
        except OSError:
            pass
    return found


def picture(path, is_top=True):
    """All that can be told about a file or a tree; None if it is not there."""
    try:
        st = os.lstat(path)
    except FileNotFoundError:
        return None
    what = [path, st.st_mode, st.st_uid, st.st_gid, st.st_ino]
    if stat.S_ISDIR(st.st_mode):
        # in the top one there are names that may be made
        return what + [0 if is_top else st.st_ctime_ns] + [
            picture(f"{path}/{name}", False) for name in sorted(os.listdir(path))
            if not is_top or name in ("config", "hooks", "key", "new", "empty")]
    what += [st.st_mtime_ns, st.st_ctime_ns, st.st_nlink, st.st_size, attributes(path, st)]
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as file:
            what.append(file.read())
    return what


def prepare(case, *, rules=True):
    case.fresh()
    shutil.rmtree(SUITE.base + "/here")
    os.mkdir(SUITE.base + "/here")
    os.chdir(SUITE.base + "/here")
    for path in (case.home + "/.ssh", case.out):
        shutil.rmtree(path, ignore_errors=True)
    os.mkdir(case.out)
    with open(case.out + "/config", "w", encoding="utf-8") as file:
        file.write(CONFIG)
    for path in (case.out, case.out + "/config"):
        case.suite.own(path)
    case.filesystem = {
        "denyRead": ["hidden", "~/.ssh"] if rules else [], "allowWrite": ["."],
        "denyWrite": DENY_WRITE if rules else [],
    }
    case.bare(SETUP).works()


def look(case):
    return [picture(case.path(name)) for name in PROTECTED] + [
        picture(case.out), picture(case.home + "/.ssh"),
        # where this program is, which bare is its parent
        sorted(os.listdir(SUITE.base + "/here"))]


def act(*words):
    return " ".join([SUITE.base + "/attacks", *map(str, words)])


def attack(case, line, how):
    """Runs it; whether what is protected is another thing now, or was told. how: bare, pen, allowed."""
    prepare(case, rules=how != "allowed")
    before = look(case)
    tried = case.bare(line) if how == "bare" else case.pen(line, {}, ["-q"])
    if tried.status == "no end" or "no such act" in tried.text:
        raise Failure(f"{how}: {tried}")
    return look(case) != before or SECRET in tried.text, tried


def succeeds(case, line, how):
    """As attack(); a race may want more than one try."""
    for _ in range(ROUNDS if "{tries}" in line else 1):
        changed, tried = attack(case, line.format(tries=SOME_TRIES), how)
        if changed:
            break
    return changed, tried


def triple(case, words, **options):
    """words may hold a {tries}."""
    triple_line(case, act(*words), **options)


def triple_line(case, line, *, allowed=True, tries=None, maybe=False):
    changed, tried = succeeds(case, line, "bare")
    if not changed:
        if not maybe:
            raise Failure(f"bare: has no effect: {tried}")
        case.note("has no effect bare, on this kernel or as this user: " + line)
    changed, tried = attack(case, line.format(tries=tries or TRIES), "pen")
    if changed:
        raise Failure(f"got through: {tried}")
    if allowed and not maybe:
        changed, tried = succeeds(case, line, "allowed")
        if not changed:
            raise Failure(f"allowed, but has no effect: {tried}")


# ---- each op on each kind of what is protected --------------------------------------------------------

WRITES = ["create", "truncate-open", "append", "openat2", "reopen", "truncate"]
METADATA = ["chmod", "chmod2", "chmod-empty", "chmod-link", "fchmod", "times", "futimens", "utimes",
            "touch", "setxattr", "setxattrat", "fsetxattr", "removexattr", "acl", "setflags", "chown",
            "fchown"]
LINKS = ["link-from", "link-object"]
REMOVES = ["unlink", "rename-to", "rename-from", "exchange", "whiteout"]
MAKES = ["create", "exclusive", "mkdir", "symlink", "mknod", "bind", "link-to", "tmpfile", "rename-to",
         "rename-dir-to", "openat2"]
# not on every kernel, not on every file system, or only for root
MAYBE = {"whiteout", "chmod2", "chmod-empty", "setxattrat", "acl", "setflags", "chown", "fchown"}

TARGETS = {}
for _op in WRITES + METADATA + LINKS + REMOVES:
    TARGETS.setdefault(_op, []).extend(["held/config", ".git/config"])
for _op in MAKES:
    TARGETS.setdefault(_op, []).extend(
        ["held/hooks/new", "later/commands", ".git/hooks/new", ".claude/commands", ".mcp.json", ".vscode"])
for _op in ["rename-from", "exchange-dir"]:
    TARGETS.setdefault(_op, []).extend(["held", "held/hooks", ".git", ".git/hooks"])
TARGETS["rmdir"] = ["held/hooks/empty", ".git/hooks/empty"]
TARGETS["read"] = TARGETS["read-only"] = ["hidden/key"]
for _op in METADATA:
    TARGETS[_op].append("../../out/config")

for _op, _targets in TARGETS.items():
    def _direct(case, op=_op, targets=_targets):
        for target in targets:
            triple(case, ["direct", op, target], maybe=op in MAYBE,
                   allowed=target.startswith(("held", "later", "hidden")))

    SUITE.add("direct-" + _op, "by each way to name it", _direct, ["landlock"])


# ---- the path is changed by another thread -------------------------------------------------------------

def pairs_of(op):
    """What the attacker may do it to, and what not: one byte is different. By the broker, and natively."""
    if op in MAKES and op not in WRITES:
        names = ["new", "hooks/new"]
    elif op in ("rmdir", "exchange-dir"):
        names = ["empty", "hooks/empty"]
    else:
        names = ["config", "hooks/pre"]
    return [("hele/" + name, "held/" + name) for name in names]


RACED = [op for op in TARGETS if op not in ("read", "read-only")]
for _op in RACED:
    def _text(case, op=_op):
        for pair in pairs_of(op):
            triple(case, ["text", op, *pair, "{tries}"], maybe=op in MAYBE)

    def _dir(case, op=_op):
        for pair in pairs_of(op):
            free, name = pair[0].rsplit("/", 1)
            triple(case, ["dir", op, free, free.replace("hele", "held"), "{tries}", name],
                   maybe=op in MAYBE)

    SUITE.add("text-" + _op, "the text of the path is swapped meanwhile", _text, ["landlock"])
    SUITE.add("dir-" + _op, "the directory's descriptor is swapped meanwhile", _dir, ["landlock"])


def _fd(case):
    triple(case, ["fd", "-", "hele/config", "held/config", "{tries}"])


SUITE.add("fd", "the file's descriptor is swapped meanwhile", _fd, ["landlock"])


def _how(case):
    triple(case, ["how", "-", "hele/config", "held/config", "{tries}"])


SUITE.add("how", "openat2's flags are swapped meanwhile", _how, ["landlock"])

ON_THE_WAY = ["create", "truncate-open", "truncate", "openat2", "reopen", "append", "unlink", "rename-to",
              "rename-from", "exchange", "link-from", "link-object", "mkdir", "symlink", "mknod", "link-to",
              "tmpfile", "chmod", "fchmod", "chmod-link", "times", "futimens", "setxattr", "bind"]
for _op in ON_THE_WAY:
    def _parent(case, op=_op):
        name = "hooks/new" if op in MAKES and op not in WRITES else "config"
        triple(case, ["parent", op, "own/p", "own/q", "{tries}", "own/p/" + name], tries=TRIES // 2)
        triple(case, ["parent", op, "p", "q", "{tries}", "p/" + name], tries=TRIES // 4)

    def _walk(case, op=_op):
        name = "hooks/new" if op in MAKES and op not in WRITES else "config"
        triple(case, ["walk", op, "own/x", "own/deep/x2", "{tries}", "../../target/" + name, "own/x/y"],
               tries=TRIES // 2)

    def _outside(case, op=_op):
        triple(case, ["parent", op, "p", "o", "{tries}", "p/config"], tries=TRIES // 4, allowed=False)

    SUITE.add("parent-" + _op, "the parent becomes a symlink meanwhile", _parent, ["landlock"])
    SUITE.add("walk-" + _op, "'..' through a directory that is moved meanwhile", _walk, ["landlock"])
    if _op not in MAKES or _op in WRITES:
        SUITE.add("outside-" + _op, "the parent becomes a symlink out meanwhile", _outside, ["landlock"])


def _parent_read(case):
    for op in ("read", "read-only"):
        triple(case, ["parent", op, "p", "s", "{tries}", "p/key"], tries=TRIES // 2)


SUITE.add("parent-read", "the parent becomes a symlink to ~/.ssh meanwhile", _parent_read, ["landlock"])


# ---- what the supervisor might take for its own ---------------------------------------------------------

@SUITE.test("/proc/self is the caller's, in all spellings", ["landlock"])
def views(case):
    prepare(case)
    case.environment["MARK"] = SECRET
    line = act("views")
    case.bare(line).works(SECRET)
    case.pen("MARK=other " + line).works("MARK=other").keeps_quiet(f"{SECRET}|landpen-gate|--backend")
    case.pen("unset MARK; " + line).works("attacks").keeps_quiet(f"{SECRET}|landpen-gate|--backend")


@SUITE.test("nothing leads through the supervisor, or through another process", ["landlock"])
def foreign(case):
    """The other one has its input from held/config, its working directory and a descriptor in held."""
    ready = "exec 5<held; sleep 9 <held/config & cd .; "
    for paths, by_path in ((["/proc/$!/fd/0"], False), (["/proc/$!/cwd/held/config"], True),
                           (["/proc/$!/fd/5/config", "/proc/$!/fd/5/hooks/new"], True)):
        triple_line(case, ready + act("foreign", *paths) + "; kill $!", allowed=by_path)
    # the supervisor is where the command is; bare it is this program, elsewhere
    prepare(case)
    before = look(case)
    tried = case.pen(act("foreign", "/proc/$PPID/cwd/held/config", "/proc/$PPID/cwd/held/hooks/new"))
    if look(case) != before:
        raise Failure(f"got through: {tried}")


@SUITE.test("other numbers for the same calls do not exist", ["landlock"])
def numbers(case):
    for way in ("int80", "x32"):
        triple(case, ["numbers", way, "held/config"], allowed=False, maybe=True)


# ---- the ancestors of what is protected, there or not --------------------------------------------------

@SUITE.test("an absent name does not come along with its parent", ["landlock"])
def ladder(case):
    for parent, name in (("later", "commands"), (".claude", "commands"), (".vscode", "x")):
        triple(case, ["ladder", parent, name], allowed=parent == "later")


@SUITE.test("mv .git x; ...; mv x .git", ["landlock"])
def move_away(case):
    for name in (".git", "held"):
        prepare(case)
        line = f"mv {name} x; echo evil >> x/config; echo evil > x/hooks/new; mv x {name}"
        for how, expected in (("bare", True), ("pen", False)):
            prepare(case)
            before = look(case)
            tried = case.bare(line) if how == "bare" else case.pen(line)
            if (look(case) != before) != expected:
                raise Failure(f"{how}: {tried}")


# ---- descriptors from outside -------------------------------------------------------------------------

@SUITE.test("a directory that was passed on opens nothing more", ["landlock"])
def passed(case):
    for op in ("create", "unlink", "chmod", "rename-from", "link-from", "exchange", "times"):
        for name, target in (("held", "config"), ("held", "../held/config"), ("../../out", "config")):
            for open_it in (f"exec 9< {name}; ", ""):
                words = f"{open_it}{act('through', 9, target, op)}"
                prepare(case)
                before = look(case)
                if open_it:
                    tried = case.bare(words)
                    if look(case) == before:
                        raise Failure(f"bare: {tried}")
                    prepare(case)
                    before = look(case)
                    tried = case.pen(words)
                else:
                    tried = sent(case, name, target, op)
                if look(case) != before:
                    raise Failure(f"got through: {tried}")


def sent(case, name, target, op):
    """A descriptor of the directory waits in a socket that the pen has inherited as its input."""
    ours, theirs = socket.socketpair()
    fd = os.open(case.path(name), os.O_RDONLY)
    socket.send_fds(ours, [b"x"], [fd])
    os.close(fd)
    tried = case.start(act("received", 0, target, op), {}, ["-q"], stdin=theirs)
    tried.wait(pens.PATIENCE)
    ours.close()
    theirs.close()
    return tried.returncode


@SUITE.test("a descriptor whose name is gone leads to none of the file's other names", ["landlock"])
def kept(case):
    for how, expected in (("bare", True), ("pen", False)):
        prepare(case)
        alias = case.out + "/alias"
        os.link(case.path("held/config"), alias)
        process = case.start(act("kept", "held/config"), None if how == "bare" else {})
        until(lambda: re.search("^kept", case.log_text(), re.MULTILINE), "the descriptor")
        with open(case.dir + "/log", "w", encoding="utf-8"):
            pass
        os.unlink(case.path("held/config"))
        os.utime(alias, (5, 5))
        seen = picture(alias)
        process.wait(pens.PATIENCE)
        if (picture(alias) != seen) != expected:
            raise Failure(f"{how}: {seen} is {picture(alias)}")


@SUITE.test("a path that is too long to be told is not the command's", ["landlock"])
def deep(case):
    for how, expected in (("bare", True), ("pen", False)):
        prepare(case)
        fd = os.open(case.out, os.O_RDONLY)
        for _ in range(25):
            os.mkdir("d" * 200, dir_fd=fd)
            fd = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
            SUITE.own(fd)
        file = os.open("f", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=fd)
        SUITE.own(file)
        os.close(file)
        before = os.stat("f", dir_fd=fd)
        line = act("deep", "../../out", "f")
        tried = case.bare(line) if how == "bare" else case.pen(line)
        if (os.stat("f", dir_fd=fd) != before) != expected or sorted(os.listdir(fd)) != ["f"]:
            raise Failure(f"{how}: {tried}")


# ---- spares ---------------------------------------------------------------------------------------------

@SUITE.test("who sits in a removed directory does not get into the next", ["landlock"])
def recycle(case):
    prepare(case)
    before = look(case)
    tried = case.pen(act("recycle", 300)).works("filled")
    if look(case) != before:
        raise Failure(str(tried))
    if not re.search("seen 0", tried.text):
        raise Failure(f"a new directory is not new: {tried}")


# ---- time -------------------------------------------------------------------------------------------------

def beside(case, line, longest, words=""):
    """How long a bystander's files take while line runs, in us: (median, longest)."""
    prepare(case)
    tried = case.pen(act("bystander", 100))
    idle = figures(tried)
    tried = case.pen(f"( {line} ) & trap 'kill $! 2>/dev/null' EXIT; sleep 0.3; {act('bystander', 150)}; wait")
    busy = figures(tried)
    case.note(f"{line}: median {idle[0]} -> {busy[0]} us, longest {idle[1]} -> {busy[1]} us")
    if busy[1] > longest * 1000 or not re.search(words, tried.text):
        raise Failure(f"the longest took {busy[1]} us: {tried}")
    return idle, busy


def figures(tried):
    found = re.search(r"median (\d+) longest (\d+)", tried.text)
    if not found:
        raise Failure(str(tried))
    return int(found[1]), int(found[2])


@SUITE.test("64 processes that flood the supervisor do not stop a bystander", ["landlock"])
def flood(case):
    for op in ("create", "mkdir", "symlink"):
        idle, busy = beside(case, act("flood", op, 64, 2), 250)
        if busy[0] > 20 * max(idle[0], 100) + 20000:
            raise Failure(f"median {idle[0]} -> {busy[0]} us")


@SUITE.test("a lease that is not given back stops only who asks", ["landlock"])
def lease(case):
    for op in ("truncate", "truncate-open", "create", "append", "reopen", "openat2", "unlink", "rename-to",
               "chmod", "times", "link-to", "setflags"):
        beside(case, act("lease", op, 1), 250, "leased")


@SUITE.test("5,000 opens of a FIFO that wait stop nobody", ["landlock"])
def fifos(case):
    beside(case, act("fifos", 5000, 2), 250, "started")


@SUITE.test("processes that are stopped or killed in the middle stop nobody", ["landlock"])
def stopped(case):
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for op in ("create", "mknod", "chmod"):
            beside(case, act("stop", int(number), op, 100), 250)


# ---- who asks is another one by now ---------------------------------------------------------------------

@SUITE.test("a program that takes the place of one that asks gains nothing", ["landlock"])
def executes(case):
    triple(case, ["exec", "held/config", 300])


@SUITE.test("a thread that has the number of one that asks gains nothing", ["landlock"])
def threads(case):
    triple(case, ["tids", "held/config", "{tries}"])


@SUITE.test("the supervisor's death frees nobody, and leaves nothing for long", ["landlock"])
def orphans(case):
    for _ in range(8):
        prepare(case)
        before = look(case)
        process = case.start("for i in 1 2 3 4; do " + act("restless", "held/config") + " & done; wait",
                             {}, ["-q"])
        until(lambda: glob.glob(case.path("restless")), "a busy pen")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda: not left_behind(case), "the end of all")
        if look(case) != before:
            raise Failure("got through")
    case.pen("mkdir new").works()
    spares = glob.glob(case.dir + "/**/*-spares", recursive=True, include_hidden=True)
    if spares:
        raise Failure(f"left behind: {spares}")


def left_behind(case):
    """The processes of a case's project."""
    found = []
    for link in glob.glob("/proc/[0-9]*/cwd"):
        try:
            if os.readlink(link).startswith(case.project):
                found.append(link)
        except OSError:
            pass
    return found


# ---- calls of one file system -----------------------------------------------------------------------------

@SUITE.test("btrfs makes and removes no subvolume", ["landlock"])
def subvolumes(case):
    need("mkfs.btrfs")
    if os.getuid() != 0:
        raise Skip("the caller is not root")
    image = case.dir + "/image"
    with open(image, "wb") as file:
        file.truncate(200 << 20)
    if any(subprocess.run(command, check=False, capture_output=True).returncode
           for command in (["mkfs.btrfs", "-q", image], ["mount", "-o", "loop", image, case.home])):
        raise Skip("no btrfs here")
    try:
        SUITE.own(case.home)
        os.mkdir(case.project)
        for parent, name in ((".", ".vscode"), ("held/hooks", "new"), (".git/hooks", "new")):
            triple(case, ["subvolume", parent, name], allowed=False)
    finally:
        subprocess.run(["umount", "-l", case.home], check=True)


def before():
    shutil.copy2(os.environ["EDGE_ATTACKS"], SUITE.base + "/attacks")
    os.chmod(SUITE.base + "/attacks", 0o755)
    os.mkdir(SUITE.base + "/here")


if __name__ == "__main__":
    SUITE.main(jobs=1, before=before)
