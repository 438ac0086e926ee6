#!/usr/bin/env python3
"""The same settings and acts in the real srt 0.0.78 and in landpen under its name (acts.txt).

Each act is equal, better, or different as documented: a difference has a phrase of landpen-srt(7) as
its reason, and an act that says so and is equal fails as well. Each act is tried without a pen too,
and what landpen answers is written down, so that no row can be equal by being broken in both. Of a
bare answer "!" is any but landpen's, "*" any.

    --print     prints the table as it should be instead of judging
"""
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from pens import Place, manual, plain


def read(file):
    """(settings, is_single, [(name, setup, act, bare, landpen, note)])"""
    groups = []
    for line in file:
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        if line.startswith(("batch ", "single ")):
            kind, settings = line.split(" ", 1)
            groups.append((settings, kind == "single", []))
        else:
            groups[-1][2].append((line.split("\t") + [""] * 6)[:6])
    return groups


def run(place, group, whos):
    settings, is_single, acts = group
    found = {}
    for who in whos:
        if is_single:
            found[who] = {act[0]: place.single(who, settings, act[1], act[2]) for act in acts} if who != "bare" else {}
        else:
            found[who] = place.batch(who, settings, [act[:3] for act in acts])
    return found


def judge(act, found, is_single, manual_text):
    """(verdict, problem)"""
    name, _, _, bare, wanted, note = act
    answers = {who: words.get(name, "nothing") for who, words in found.items()}
    ours, theirs = answers["landpen"], answers["srt"]
    told = f"bare: {answers.get('bare', '-')}; srt: {theirs}; landpen: {ours}"
    kind, _, phrase = note.partition(": ")
    if not is_single and not {"*": True, "!": answers["bare"] != ours}.get(bare, answers["bare"] == bare):
        return told, "without a pen it should be: " + bare
    if ours != wanted:
        return told, "landpen should say: " + wanted
    if ours == theirs:
        return ("equal", None) if not note else (told, "equal, but noted as " + note)
    if kind not in ("better", "different"):
        return told, "an undocumented difference"
    if plain(phrase) not in manual_text:
        return told, f"landpen-srt(7) does not say: {phrase}"
    return (kind if kind == "better" else "different as documented"), None


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(f"{here}/acts.txt", encoding="utf-8") as file:
        groups = read(file)
    with Place() as place:
        if not place.find_real():
            if os.environ.get("LANDPEN_REQUIRE_AGENTS") == "1":
                sys.exit("the real srt is required but not there (tests/agents/fetch.sh DIR srt), or node, bwrap, "
                         "socat or rg")
            print("1..0 # SKIP the real srt is not there; tests/agents/fetch.sh DIR srt gets it")
            return 0
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda group: run(place, group, ("bare", "srt", "landpen")), groups))
    if "--print" in sys.argv:
        for (settings, is_single, acts), found in zip(groups, results):
            print(("single " if is_single else "batch ") + settings)
            for act in acts:
                answer = {who: words.get(act[0], "nothing") for who, words in found.items()}
                same = "" if answer["srt"] == answer["landpen"] else act[5] or "?? srt: " + answer["srt"]
                print("\t".join(act[:3] + [answer.get("bare", "-"), answer["landpen"], same]))
        return 0
    count, failed, verdicts, text = 0, 0, {}, plain(manual())
    print(f"1..{sum(len(group[2]) for group in groups) + 1}")
    for (_, is_single, acts), found in zip(groups, results):
        for act in acts:
            count += 1
            verdict, problem = judge(act, found, is_single, text)
            if problem:
                failed += 1
                print(f"not ok {count} - {act[0]}\n# {problem}\n# {verdict}")
            else:
                verdicts[verdict] = verdicts.get(verdict, 0) + 1
                print(f"ok {count} - {act[0]}: {verdict}")
    print(f"{'ok' if count >= 150 else 'not ok'} {count + 1} - at least 150 acts")
    print(f"# {count} acts: " + ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items())))
    return 1 if failed or count < 150 else 0


if __name__ == "__main__":
    sys.exit(main())
