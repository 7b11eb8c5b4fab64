#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ordering cycles against reality: random graphs, started by real systemd, against our verdict.

    tests/lab/sandbox.py run python3 tests/evidence/cycles.py [--count 300] [--seed 1] [RELEASE...]

Each graph has 5 to 30 services and targets with random dependencies of all kinds. Its first unit is started. systemd
either makes its jobs, makes them after it has deleted some to break an ordering cycle, or refuses; the verdict of
what ``start`` says must be the same. Not drawn are two things that hang on the order of loading: which of two targets
that pull in each other waits for the other, and whether a target waits for what it is PartOf=. Where systemd's answer
hangs on the order in which it looks at jobs (``certain`` is false) the graph is run, shown apart, and one more is
drawn. Exit status 1 when one verdict is wrong.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import re
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible/collections"), str(ROOT / "tests")]

from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.build import build
from ansible_collections.unitcraft.systemd.plugins.module_utils._graph.start import Verdict, start
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from lab import containers

PULLS = ("Wants", "Wants", "Wants", "Requires", "Requires", "BindsTo", "Requisite", "PartOf", "Upholds")
ORDERS = ("After", "After", "Before")

# runs in the container: writes the units, starts the first one of each graph, and says what came of it
STARTER = r"""
import json, pathlib, re, subprocess, sys
graphs = json.load(sys.stdin)
folder = pathlib.Path("/run/systemd/system")
for graph in graphs:
    for name, text in graph["units"].items():
        (folder / name).write_text(text)
subprocess.run(["systemctl", "daemon-reload"], check=True)
answers = []
for graph in graphs:
    done = subprocess.run(["systemctl", "start", "--no-block", graph["anchor"]], capture_output=True, text=True)
    answers.append([done.returncode, done.stderr.strip()])
subprocess.run(["journalctl", "--sync"])
log = subprocess.run(["journalctl", "-b", "-o", "cat", "_PID=1"], capture_output=True, text=True).stdout
found = set(re.findall(r"\b(g\d+)u\d+\.\w+: Found ordering cycle", log))
deleted = re.findall(r"Job (g\d+u\d+\.\w+)/\S+ deleted to break ordering cycle", log)
print(json.dumps({"answers": answers, "found": sorted(found), "deleted": deleted}))
"""


class Case(t.NamedTuple):
    key: str
    units: dict[str, str]
    anchor: str
    verdict: Verdict


def draw(chance: random.Random, number: int, release: int) -> Case:
    """One random graph and our verdict on the start of its first unit."""
    key = f"g{number}"
    size = chance.randint(5, 30)
    kinds = [chance.choice(("service", "service", "service", "target")) for _unused in range(size)]
    names = [f"{key}u{index}.{kind}" for index, kind in enumerate(kinds)]
    lines = draw_dependencies(chance, names)
    units = {name: unit_text(chance, name, lines[name], release) for name in names}
    graph = build([read_unit(name, text) for name, text in units.items()])
    return Case(key, units, names[0], start(graph.adjacency, names[0]))


def draw_dependencies(chance: random.Random, names: t.Sequence[str]) -> dict[str, list[str]]:
    """Name -> lines of [Unit]."""
    lines: dict[str, list[str]] = {name: [] for name in names}
    size = len(names)
    for index in range(1, size):  # most units shall have something to do with the start of the first one
        if chance.random() < 0.8:
            lines[names[chance.randrange(index)]].append(f"{chance.choice(PULLS)}={names[index]}")
    against = chance.choice((0.0, 0.02, 0.1, 0.3))  # few orders against the grain, or every graph is full of cycles
    for _unused in range(round(size * chance.uniform(0.5, 3))):
        first, second = (names[index] for index in sorted(chance.sample(range(size), 2)))
        kind = chance.choice(ORDERS) if chance.random() < 0.7 else chance.choice(PULLS)
        if kind in PULLS and (first + second).count(".target"):
            lines[first].append(f"{kind}={second}")
            continue
        if chance.random() < against:
            first, second = second, first
        one, other = (first, second) if kind == "Before" else (second, first)
        lines[one].append(f"{kind}={other}")
    if chance.random() < 0.2:
        one, other = chance.sample(names, 2)
        lines[one].append(f"Conflicts={other}")
    return lines


def unit_text(chance: random.Random, name: str, lines: t.Sequence[str], release: int) -> str:
    """A unit with those of the lines that the release and the type of the unit can have."""
    target = name.endswith(".target")
    left_out = (("Upholds=",) if release < 249 else ()) + (("PartOf=",) if target else ())
    written = [line for line in lines if not line.startswith(left_out)]
    if chance.random() < 0.3:
        written.append("DefaultDependencies=no")
    service = [] if target else ["[Service]", "Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/true"]
    return "\n".join(["[Unit]", *written, *service, ""])


def seen_outcome(case: Case, answer: tuple[int, str], found: t.Collection[str]) -> tuple[str, str]:
    """``(outcome, reason)`` as systemd showed it."""
    status, message = answer
    if status:
        return "refused", "cycle" if "cyclic" in message else "conflict" if "conflicting" in message else message
    return ("broken", "cycle") if case.key in found else ("ok", "")


def agrees(case: Case, seen: tuple[str, str]) -> bool:
    """The outcome must be the same; of a cycle and a conflict that both forbid the start systemd names either."""
    if case.verdict.outcome == "refused":
        return seen[0] == "refused" and seen[1] in ("cycle", "conflict")
    return seen == case.verdict[:2]


def compare(release: str, count: int, seed: int) -> int:
    """Run the graphs on one release and print the figures. Returns the number of wrong verdicts."""
    chance = random.Random(f"{seed}-{release}")
    cases: list[Case] = []
    certain = 0
    while certain < count:
        cases.append(draw(chance, len(cases), int(release)))
        certain += cases[-1].verdict.certain
    container = containers.start(release, f"cycles{release}")
    begun = time.monotonic()
    given = json.dumps([{"units": case.units, "anchor": case.anchor} for case in cases])
    shown = json.loads(containers.run(container, ["python3", "-c", STARTER], data=given).stdout)
    containers.stop(container)
    outcomes: collections.Counter[str] = collections.Counter()
    wrong = 0
    open_wrong = 0
    for case, answer in zip(cases, shown["answers"]):
        seen = seen_outcome(case, answer, shown["found"])
        if not case.verdict.certain:
            open_wrong += not agrees(case, seen)
            continue
        outcomes[case.verdict.outcome] += 1
        if not agrees(case, seen):
            wrong += 1
            print(f"  {case.key} start {case.anchor}: our verdict {case.verdict}, systemd {seen}")
            print("".join(f"  # {name}\n{re.sub('(?m)^', '  ', text)}\n" for name, text in case.units.items()))
    sizes = [len(case.units) for case in cases]
    print(
        f"systemd {release}: {certain} graphs of {min(sizes)} to {max(sizes)} units, {dict(sorted(outcomes.items()))}, "
        f"{wrong} verdicts wrong; {len(shown['deleted'])} jobs deleted by systemd; {len(cases) - certain} more graphs "
        f"that chance decides, of which {open_wrong} came out otherwise; {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    options = parser.parse_args()
    releases = options.releases or list(containers.SUITES)
    return 1 if sum(compare(release, options.count, options.seed) for release in releases) else 0


if __name__ == "__main__":
    sys.exit(main())
