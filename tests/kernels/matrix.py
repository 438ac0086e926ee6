#!/usr/bin/env python3
"""Runs the scenarios on one of the kernels of kernels.tsv, in QEMU, and prints TAP.

    matrix.py [--filter REGEX] [--all] KERNEL

What runs there is said in `inside`; --all: every row, which takes more than ten minutes. What doctor says there is compared with what kernels.tsv wants and
with what the scenarios showed. LANDPEN, PROBE, ATTACKS: the programs to test, static ones; for an
aarch64 kernel they are built in MATRIX_DIR. A kernel that has not been fetched (boot --fetch) is a
skip; with CI=true or LANDPEN_NO_SKIP=1 it is fetched, and a failure if that fails.
MATRIX_DIR: where the rows for the table in README.md are kept; see ../lib/hosts.py.
"""
import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import hosts  # pylint: disable=wrong-import-position

SCENARIOS = HERE.parent / "scenarios"
MUST_RUN = os.environ.get("CI") == "true" or os.environ.get("LANDPEN_NO_SKIP") == "1"
LINE = re.compile(r"(not )?ok \d+ - (?:(\S+) (root|user)/(\w+): )?(.*?)(?: # SKIP ?(.*))?$")
BACKENDS = {"landlock": "native"}


def read_kernels():
    lines = (HERE / "kernels.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {row[0]: dict(zip(rows[0], row)) for row in rows[1:]}


def read_tables():
    """For each scenario the table that it stands in."""
    return {line.split("\t")[0]: path.stem for path in SCENARIOS.glob("*.tsv")
            for line in path.read_text(encoding="utf-8").splitlines()}


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def say(self, good, name, skip=None):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}" +
              (f" # SKIP {skip}" if skip else ""), flush=True)

    def end(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def find_programs():
    return {"landpen": os.environ["LANDPEN"], "probe": os.environ["PROBE"],
            "attacks": os.environ["ATTACKS"]}


def cross_build(folder, place):
    """The same for aarch64, with the unit tests and their loader; place is what boot has fetched."""
    def run(*words):
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode:
            raise OSError(f"{words[0]}: {done.stdout[-2000:]}")
        return done.stdout.strip()

    source = HERE.parent.parent
    if not (folder / "build.ninja").exists():
        run("meson", "setup", folder, source, "--cross-file", f"{place}/root.ini", "--cross-file",
            source / "compat/aarch64/aarch64.ini", "-Dbuildtype=release", "-Dwerror=true")
    run("ninja", "-C", folder, "guest")
    programs = {name: folder / "tests" / name for name in ("probe", "attacks")}
    programs |= {f"units/{path.name}": path for path in folder.glob("tests/test-*") if path.is_file()}
    for name in ("ld-linux-aarch64.so.1", "libc.so.6"):
        programs[f"loader/{name}"] = run("aarch64-linux-gnu-gcc", f"-print-file-name={name}")
    return programs | {"landpen": folder / "landpen"}


def start(kernel, number, programs, options):
    add = [f"{source}:/matrix/{target}" for target, source in programs.items()]
    add += [f"{HERE.parent / name}:/matrix/{name}" for name in ("scenarios", "lib", "network")]
    add += [f"{HERE / name}:/matrix/{name}" for name in ("inside", "native.marks", "bwrap.marks")]
    command = [sys.executable, HERE / "boot", "--python"]
    for item in add:
        command += ["--add", item]
    command += [kernel["name"], "bash", "/matrix/inside", kernel["name"], kernel["mark"],
                kernel["refusal"], str(number), "all" if options.all else "share", options.filter]
    # pylint: disable=consider-using-with
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")


def follow(guest, tap, kernel):
    """Says the guest's results as they come; returns (the results, what doctor said)."""
    part, doctor, results, planned, begin = "", [], [], Counter(), time.monotonic()
    for line in guest.stdout:
        line = line.rstrip("\n")
        found = LINE.match(line)
        if line.startswith("# part "):
            part = line[7:]
            print(f"{line}, after {time.monotonic() - begin:.0f} s")
        elif part == "doctor" and line.startswith("{"):
            doctor.append(json.loads(line))
        elif found:
            bad, row, who, backend, what, skip = found.groups()
            tap.say(not bad, f"{kernel['name']} {part} {row or ''} {backend or ''}: {what}", skip)
            planned["done"] += 1
            results.append({"part": part, "row": row, "who": who, "what": what,
                            "mark": BACKENDS.get(backend, backend),
                            "verdict": "skipped" if skip else "failed" if bad else "passed"})
        elif re.fullmatch(r"1\.\.\d+", line):
            planned["wanted"] += int(line[3:])
        elif line.startswith("#"):
            print(line)
        else:
            print(f"# {line}")
    tap.say(planned["done"] == planned["wanted"] and planned["done"] > 0,
            f"{kernel['name']}: every test of the plans has run")
    return results, doctor


def compare_doctor(tap, kernel, doctor, results):
    """What doctor says is what is wanted of this kernel, and what the runs have shown."""
    def check(good, what):
        tap.say(good, f"{kernel['name']} doctor: {what}")

    if len(doctor) != 2:
        check(False, "it has said something, twice")
        return
    doctor, native = doctor
    usual = "landlock" if kernel["mark"] == "native" else "bwrap"
    abi = int(kernel["abi"])
    check(doctor["landlockAbi"] == abi, f"Landlock's ABI is {abi}")
    check(doctor["landlock"]["works"] == (abi > 0), "whether Landlock works")
    check(doctor["policy"]["backend"] == usual, f"the usual policy is held by {usual}")
    if kernel["mark"] == "native":
        check(native["policy"]["backend"] == usual, "and so it is if that is asked for")
    else:
        check(native["policy"]["backend"] == "refused" and "Landlock" in native["policy"]["why"],
              "Landlock alone is refused, with a reason")
    for name, mark in (("landlock", "native"), ("bwrap", "bwrap")):
        ran = any(result["mark"] == mark and result["verdict"] == "passed" for result in results)
        # a Landlock that works need not be strong enough to be taken
        check(doctor[name]["works"] or not ran, f"what was held by {name} could be")
    taken = {result["mark"] for result in results if result["part"] == "user"}
    check(BACKENDS.get(usual, usual) in taken, f"the runs were held by {usual}")


def make_rows(kernel, doctor, results):
    """The rows of the kept table: as an ordinary user and as root, what landpen took by itself."""
    tables = read_tables()
    name = "Linux " + kernel["name"].replace("-arm64", " on aarch64")
    rows = []
    for who, title in (("user", "an ordinary user"), ("root", "root")):
        held = defaultdict(Counter)
        for result in results:
            if result["verdict"] == "passed" and result["part"] == who:
                held[tables[result["row"]]][result["mark"]] += 1
            elif result["verdict"] == "passed" and (result["part"], who) == ("gate", "user"):
                held["names"][kernel["mark"]] += 1
        rows.append(hosts.make_row(f"{name}, {title}", held, find_other(kernel, doctor, results)))
    return rows


def find_other(kernel, doctor, results):
    """What comes of asking for the back end that landpen does not take by itself."""
    if kernel["mark"] != "native":
        return hosts.name_refusal(doctor[1]["policy"]["why"])
    ran = any(result["part"] == "bwrap" and result["verdict"] == "passed" for result in results)
    return "bwrap" if ran else hosts.UNTRIED


def boot(*words):
    return subprocess.run([sys.executable, HERE / "boot", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)


def describe(kernel):
    """The package that was fetched, or None."""
    found = re.search(rf"^{re.escape(kernel['name'])}\t.*\tlinux-\S+ (\S+)$", boot("--list").stdout, re.M)
    return found and found.group(1)


def find_missing(kernel):
    """(Why the kernel cannot be booted, or None; the folder that it has been fetched to.)"""
    if not describe(kernel) and not MUST_RUN:
        return "not fetched: tests/kernels/boot --fetch", None
    if kernel["arch"] == "arm64" and not shutil.which("aarch64-linux-gnu-gcc"):
        return "no aarch64-linux-gnu-gcc", None
    fetched = boot("--fetch", kernel["name"])
    return " ".join(fetched.stderr.splitlines()[-1:]) if fetched.returncode else None, \
        fetched.stdout.strip()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--filter", default=".")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("kernel", choices=read_kernels())
    options = parser.parse_args()
    kernels = read_kernels()
    kernel = kernels[options.kernel]
    tap = Tap()
    missing, place = find_missing(kernel)
    if missing:
        tap.say(not MUST_RUN, f"{kernel['name']}: {missing}", None if MUST_RUN else missing)
        return tap.end()
    programs = cross_build(Path(os.environ["MATRIX_DIR"], "build-arm64"), place) \
        if kernel["arch"] == "arm64" else find_programs()
    guest = start(kernel, list(kernels).index(options.kernel), programs, options)
    results, doctor = follow(guest, tap, kernel)
    tap.say(guest.wait() != 125, f"{kernel['name']}: the guest came to its end")
    compare_doctor(tap, kernel, doctor, results)
    if options.filter == "." and not options.all and len(doctor) == 2:
        rows = make_rows(kernel, doctor, results)
        hosts.write_rows(f"{os.environ['MATRIX_DIR']}/{options.kernel}.rows", rows)
        for row in rows:
            difference = hosts.find_differences(row)
            tap.say(not difference, f"{row[0]}: as README.md has it" +
                    (f": {difference}" if difference else ""))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"# {used.ru_utime + used.ru_stime:.0f} s of processor time")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
