#!/usr/bin/env python3
"""The table of hosts and promises in README.md, which is made from what runs have shown.

    hosts.py BUILD     writes it anew, from the last runs of the suites kernels and containers there

Those suites write a row for each host with write_rows(), and fail by find_differences() if that is not
the row which is kept.
"""
import json
import re
import sys
from collections import Counter
from pathlib import Path

README = Path(__file__).resolve().parent.parent.parent / "README.md"
BEGIN, END = "<!-- hosts: made by tests/lib/hosts.py -->\n", "<!-- hosts: end -->\n"
UNTRIED = "–"
# each promise, and the tables of ../scenarios that try it
PROMISES = {
    "keys and other files": ("read",), "writes outside": ("write",),
    "protected names": ("keep", "edge", "hostile"), "metadata": ("metadata",),
    "other processes": ("processes",), "sockets": ("sockets",), "system calls": ("calls",),
    "host names": ("names",),
}


def make_row(host, held, otherwise):
    """Of the counters of ways by table in held, each promise's most common; otherwise: what comes
    of asking for the other back end."""
    cells = [host]
    for tables in PROMISES.values():
        ways = sum((Counter(held.get(table, {})) for table in tables), Counter())
        cells.append(ways.most_common(1)[0][0] if ways else UNTRIED)
    return cells + [otherwise]


def name_refusal(sentence):
    """The gaps for which a back end is refused, or the reason, by its sentence."""
    gaps = re.search(r"\(not held: ([^)]*)\)", sentence)
    if gaps:
        return f"refused: {gaps.group(1)}"
    return "refused: it fails" if "bubblewrap could not make the pen" in sentence else "refused"


def write_rows(path, rows):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def format_row(cells):
    return "| " + " | ".join(cells) + " |\n"


def find_differences(row):
    """What README.md keeps for the row's host, if that is something else, or None."""
    kept = README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    if format_row(row) in kept:
        return None
    for line in kept.splitlines():
        if line.startswith(f"| {row[0]} |"):
            return f"README.md keeps {line}, and the run showed {format_row(row)}"
    return f"README.md has no row for {row[0]}: {format_row(row)}"


def main(build):
    paths = sorted(Path(build, "tests/kernels").glob("*.rows"),
                   key=lambda path: [int(word) for word in re.findall(r"\d+", path.name)])
    paths += [Path(build, "tests/containers/containers.rows")]
    rows = [row for path in paths for row in json.loads(path.read_text(encoding="utf-8"))]
    head = ["host", *PROMISES, "the other back end"]
    table = format_row(head) + format_row(["---"] * len(head)) + "".join(map(format_row, rows))
    before, begin, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    if not begin or not after:
        sys.exit("README.md has lost the table's marks")
    README.write_text(before + BEGIN + table + END + after, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
