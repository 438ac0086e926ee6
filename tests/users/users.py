#!/usr/bin/env python3
"""Whoever starts landpen, from wherever: the main promises hold all the same; prints TAP.

    users.py [--user root] [--filter REGEX]

Each test makes a kind of user, home or project, and tries the acts of ../compat/acts.py with the
rulesets that everybody gets: bare, denied, and allowed by options. What doctor says is the same. As an
ordinary user (a throw-away one, if the caller is root), or as root; file systems are made by root.
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../network")

# pylint: disable=wrong-import-position
import pens
from pens import Failure, Skip, Suite

SUITE = Suite()
AS_ROOT = "root" in sys.argv
DENIED = ["outside", "chmod", "secret", "git"]
FREE = ["project", "move"]
NOBODY = 54321  # no such user
SETUP = """set -e; mkdir -p "$HOME/.ssh"; echo key >"$HOME/.ssh/key"
rm -rf .git sub; git init -q .; mkdir -p sub "$OUT"; echo content >"$OUT/file" """


class Place:
    """Where landpen is started, and by whom."""

    def __init__(self, case, project=None, *, home=None, identity=None):
        self.case = case
        self.project = project or case.project
        self.identity = SUITE.identity if identity is None else identity
        self.environment = {**case.environment, "OUT": case.out}
        if home:
            self.environment["HOME"] = home

    def run(self, words, **more):
        return subprocess.run(
            words, cwd=self.project, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="surrogateescape", timeout=60, check=False,
            **{**self.identity, **more})

    def set_up(self, setup=SETUP):
        told = self.run(["bash", "-c", setup])
        if told.returncode:
            raise Failure(f"setup: {told}")

    def attempt(self, acts, options=None):
        words = ["python3", "-B", SUITE.base + "/acts.py", *acts]
        if options is not None:
            words = [SUITE.landpen, "--backend", self.case.backend, "--env", "OUT",
                     "--ro", SUITE.base + "/acts.py", *options, "--", *words]
        told = self.run(words)
        try:
            return json.loads(told.stdout)
        except ValueError as error:
            raise Failure(f"no outcome: exit {told.returncode}: {told.stderr}") from error

    def doctor(self):
        told = self.run([SUITE.landpen, "doctor", "--json", "--backend", self.case.backend])
        said = json.loads(told.stdout)["policy"]
        return said["backend"], said["why"], told.returncode

    def refused(self, sentence):
        """By one sentence, which doctor has as well."""
        run = self.run([SUITE.landpen, "--backend", self.case.backend, "--", "touch", "ran"])
        pens.Try("landpen", run.returncode, run.stderr, 0).fails(sentence)
        if run.returncode != 125 or os.path.exists(self.project + "/ran"):
            raise Failure(f"should not run: {run}")
        backend, why, status = self.doctor()
        pens.Try("doctor", status, why, 0).fails(sentence)
        if (backend, status) != ("refused", 1):
            raise Failure(f"doctor should say refused, and exit 1: {backend}, {status}")

    def held(self, denied=DENIED, free=FREE, never=("git",), write=True):
        """What is denied is, and works bare and where options allow it; the project works."""
        said = self.doctor()
        if said != (self.case.backend, "", 0):
            raise Failure(f"doctor should say {self.case.backend}: {said}")
        bare = self.attempt(denied + free)
        expect(bare, denied, {"ok"})
        expect(bare, free if write else [], {"ok"})
        told = self.attempt(denied + free)
        inside = self.attempt(denied + free, [])
        expect(inside, denied, {"EACCES", "EPERM", "EROFS", "ENOENT"})
        for act in free:
            expect(inside, [act], {told[act]})
        freed = [act for act in denied if act not in never]
        options = ["--rw", self.case.out, "--ro", self.environment.get("HOME", "/") + "/.ssh"]
        if "secret" not in freed:
            options = options[:2]
        expect(self.attempt(freed, options), freed, {"ok"})


def expect(outcomes, acts, good):
    for act in acts:
        if outcomes[act] not in good:
            raise Failure(f"{act} should be one of {sorted(good)}: {outcomes}")


def make(*paths):
    for path in paths:
        os.makedirs(path, exist_ok=True)
        SUITE.own(path)


@contextlib.contextmanager
def mounted(target, *options):
    """Something mounted there, by mount(8)'s options."""
    if os.getuid() != 0:
        raise Skip("the caller is not root")
    done = subprocess.run(["mount", *options, target], check=False, capture_output=True, text=True)
    if done.returncode:
        raise Skip(f"mount {' '.join(options)}: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", target], check=True)


# ---- who --------------------------------------------------------------------------------------------

@SUITE.test("the usual: a home, and a project in it")
def usual(case):
    place = Place(case)
    place.set_up()
    place.held()


@SUITE.test("a user whom no file names, with $HOME")
def nameless(case):
    if os.getuid() != 0:
        raise Skip("the caller is not root")
    identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    for path in (case.home, case.project, case.out, case.tmp, case.dir):
        os.chown(path, NOBODY, NOBODY)
    place = Place(case, identity=identity)
    for name in ("USER", "LOGNAME"):
        del place.environment[name]
    place.set_up()
    place.held()
    del place.environment["HOME"]
    place.refused("set HOME to an absolute path")
    place.environment["HOME"] = "here"
    place.refused("set HOME to an absolute path")


if AS_ROOT:
    @SUITE.test("of root no privilege is left")
    def root(case):
        place = Place(case)
        place.set_up()
        denied = DENIED + ["give", "mount"]
        place.held(denied, never=("git", "give", "mount"))
        subprocess.run(["umount", "-l", case.out], check=False)  # the bare act's
        words = [SUITE.landpen, "-q", "--backend", case.backend, "grep", "-E", "^(Cap|NoNewPrivs)",
                 "/proc/self/status"]
        told = place.run(words).stdout.split()
        if told != ["CapInh:", "0" * 16, "CapPrm:", "0" * 16, "CapEff:", "0" * 16, "CapBnd:", "0" * 16,
                    "CapAmb:", "0" * 16, "NoNewPrivs:", "1"]:
            raise Failure(f"should have no capabilities: {told}")
        expect(json.loads(place.run(["python3", "-B", SUITE.base + "/acts.py", "give"]).stdout), ["give"],
               {"ok"})


# ---- the home ---------------------------------------------------------------------------------------

@SUITE.test("the home is a symlink")
def home_link(case):
    link = case.dir + "/link"
    os.symlink(case.home, link)
    for project in (case.project, link + "/project"):
        place = Place(case, project, home=link)
        place.environment["PWD"] = project
        place.set_up()
        place.held()
        os.remove(case.path("file"))


@SUITE.test("without $HOME it is the one of the user's entry")
def home_unset(case):
    place = Place(case)
    place.set_up()
    del place.environment["HOME"]
    home = SUITE.account.pw_dir
    told = place.run([SUITE.landpen, "--backend", case.backend, "-q", "sh", "-c", 'echo "$HOME"'])
    if told.stdout.strip() != home:
        raise Failure(f"should be at home in {home}: {told}")
    denied = [act for act in DENIED if act != "secret"]
    place.held(denied)


@SUITE.test("the home does not exist")
def home_missing(case):
    project = case.dir + "/project"
    make(project)
    place = Place(case, project)
    place.set_up()
    place.environment["HOME"] = case.dir + "/nowhere"
    place.held([act for act in DENIED if act != "secret"])


# ---- the project ------------------------------------------------------------------------------------

@SUITE.test("the project is reached by a symlink")
def project_link(case):
    real = case.dir + "/elsewhere"
    make(real)
    for link in (case.home + "/link", case.dir + "/link"):
        os.symlink(real, link)
        place = Place(case, link)
        place.environment["PWD"] = link
        place.set_up()
        place.held()


NAMES = {"spaces": "a  b ", "newlines": "a\nb\n", "no-utf8": "a\udcff\udc80b", "quotes": "a'\"$(x)\\b",
         "globs": "a*?[b]", "dashes": "--rw=x"}


def add_name(kind, name):
    def function(case):
        home = f"{case.dir}/{name}"
        project = f"{home}/{name}"
        make(home, project)
        case.out = f"{case.dir}/out{name}"
        place = Place(case, project, home=home)
        place.set_up()
        place.held()

    SUITE.add(f"name-{kind}", f"the names of home, project and others have {kind}", function)


for one in NAMES.items():
    add_name(*one)


def add_file_system(kind, prepare):
    def function(case):
        with prepare(case):
            SUITE.own(case.project)
            place = Place(case)
            place.set_up()
            place.held()

    SUITE.add(f"on-{kind}", f"the project is on {kind}", function)


def image(case, *command, size=320):
    path = case.dir + "/image"
    with open(path, "wb") as file:
        file.truncate(size << 20)
    pens.need(command[0])
    subprocess.run([*command, path], check=True, capture_output=True)
    return mounted(case.project, "-o", "loop", path)


def overlay(case):
    for name in ("lower", "upper", "work"):
        make(f"{case.dir}/{name}")
    return mounted(case.project, "-t", "overlay", "overlay", "-o",
                   ",".join(f"{name}dir={case.dir}/{name}" for name in ("lower", "upper", "work")))


for one in {"tmpfs": lambda case: mounted(case.project, "-t", "tmpfs", "tmpfs"), "overlay": overlay,
            "ext4": lambda case: image(case, "mkfs.ext4", "-q"),
            "xfs": lambda case: image(case, "mkfs.xfs", "-q"),
            "btrfs": lambda case: image(case, "mkfs.btrfs", "-q")}.items():
    add_file_system(*one)


@SUITE.test("the project is mounted read-only")
def read_only_mount(case):
    Place(case).set_up()
    with mounted(case.project, "--bind", case.project):
        subprocess.run(["mount", "-o", "remount,bind,ro", case.project], check=True)
        place = Place(case)
        place.held([act for act in DENIED if act != "git"], write=False)


if not AS_ROOT:
    @SUITE.test("the project may not be written by its user")
    def read_only_mode(case):
        place = Place(case)
        place.set_up()
        os.chmod(case.project, 0o555)
        if case.backend == "landlock":
            place.held([act for act in DENIED if act != "git"], write=False)
        else:  # there is nothing to mount on, and its owner can make it writable
            place.refused("is not writable, .* --backend landlock .*protected-names")
        os.chmod(case.project, 0o755)


@SUITE.test("a project that takes upper and lower case for the same is refused")
def folded(case):
    place = Place(case)
    place.set_up()
    os.mkdir(case.path(".GIT"))
    with mounted(case.path(".GIT"), "--bind", case.path(".git")):
        if place.run(["touch", ".GIT/hooks/spelt"]).returncode or not os.path.exists(
                case.path(".git/hooks/spelt")):
            raise Failure("it does not")
        place.refused("takes upper and lower case for the same.*folded-names")
        told = place.run([SUITE.landpen, "--backend", case.backend, "--accept-gap", "folded-names", "--",
                          "touch", "file"])
        pens.Try("accepted", told.returncode, told.stderr, 0).works("accepted gap folded-names")
    os.rmdir(case.path(".GIT"))
    place.held()


def before():
    shutil.copy2(HERE + "/../compat/acts.py", SUITE.base + "/acts.py")
    os.chmod(SUITE.base + "/acts.py", 0o755)


if __name__ == "__main__":
    SUITE.main(before=before)
