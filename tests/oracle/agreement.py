#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare our verdicts on recorded value cases with those of four real systemds.

    python tests/oracle/agreement.py                      table for each release
    python tests/oracle/agreement.py --list               and every disagreement
    python tests/oracle/agreement.py --parsers            and a line for each of systemd's parsers
    python tests/oracle/agreement.py --parser exec --list only some parsers
    python tests/oracle/agreement.py FILE...              other recorded cases (default: the cases beside this file)

A case is one assignment in a unit of its own. Its verdicts stand for 247, 252, 257 and 262, a letter each:
``.`` taken, ``x`` refused (the unit or the line), ``u`` unknown key, ``r`` removed name, ``-`` not asked.
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import re
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / ".ansible" / "collections"))

from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import UnitSyntaxError
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import validate as _validate

RELEASES = (247, 252, 257, 262)
RECORDED = pathlib.Path(__file__).parent / "recorded.txt"
KNOWN = pathlib.Path(__file__).parent / "known_disagreements.txt"
FREE_TEXT = frozenset(("generic", "each-section", "description", "string-misc", "condition-string"))
# What a unit of this type needs besides the line in question.
ESSENTIALS = {
    "service": {"ExecStart": "/bin/true"},
    "socket": {"ListenStream": "/run/STEM.sock"},
    "timer": {"OnBootSec": "1h"},
    "path": {"PathExists": "/etc/fstab"},
    "mount": {"What": "tmpfs", "Where": "/STEM"},
    "automount": {"Where": "/STEM"},
    "swap": {"What": "/STEM"},
    "slice": {},
    "scope": {},
}
# Lines that go with a directive, so that it counts.
PARTNERS = {"ExecStart": "Type=oneshot", "MaxConnections": "Accept=yes"}
_RUN = re.compile("\u27ea(\\d+)\u27eb")
_REPEAT = re.compile(r"(.)\1{39,}", re.DOTALL)


class Case(t.NamedTuple):
    """One assignment and what the four systemds made of it."""

    section: str
    directive: str
    value: str
    kind: str  # the kind of value the case was written for
    verdicts: dict[int, str]
    env: str = ""  # what of the host the verdict hangs on


class Outcome(t.NamedTuple):
    """A case that we judge otherwise."""

    release: int
    case: Case
    parser: str
    wanted: str
    got: str

    @property
    def key(self) -> tuple[int, str]:
        """Release and text of the case, as KNOWN names it."""
        return self.release, f"[{self.case.section}] {self.case.directive}={shrink(self.case.value)}"


def shrink(value: str) -> str:
    """The value for the file: JSON, a long run of one character as the character and its count."""
    return json.dumps(
        _REPEAT.sub(lambda run: f"{run.group(1)}\u27ea{len(run.group())}\u27eb", value), ensure_ascii=True
    )


def grow(text: str) -> str:
    parts = _RUN.split(json.loads(text))
    for index in range(1, len(parts), 2):
        parts[index - 1] += parts[index - 1][-1] * (int(parts[index]) - 1)
    return "".join(parts[::2])


def read(path: pathlib.Path) -> t.Iterator[Case]:
    """Cases of a file: ``[Section] Directive kind [env]`` heads lines of four verdicts and a JSON text."""
    head: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith("["):
            head = line.split()
        elif line and not line.startswith("#"):
            verdicts = {release: letter for release, letter in zip(RELEASES, line[:4]) if letter != "-"}
            yield Case(head[0][1:-1], head[1].replace("_", " "), grow(line[5:]), head[2], verdicts, " ".join(head[3:]))


def write(path: pathlib.Path, cases: t.Iterable[Case], comment: str) -> None:
    lines = ["# " + text for text in comment.splitlines()]
    head = ""
    for case in cases:
        own = f"[{case.section}] {case.directive.replace(' ', '_')} {case.kind} {case.env}".rstrip()
        if own != head:
            lines.append(own)
            head = own
        lines.append("".join(case.verdicts.get(release, "-") for release in RELEASES) + " " + shrink(case.value))
    path.write_text("\n".join(lines) + "\n")


def unit_of(case: Case, stem: str = "case") -> tuple[str, str, int]:
    """Name, text and line of the unit that holds the case."""
    kind = case.section.lower()
    if kind not in ESSENTIALS:
        kind = "service"
    own = kind.capitalize()
    lines = [f"[{own}]"]
    for name, value in ESSENTIALS[kind].items():
        group = name.startswith("Listen") and case.directive.startswith("Listen")
        if (case.section, case.directive) != (own, name) and not group:
            lines.append(f"{name}={value.replace('STEM', stem)}")
    if case.directive in PARTNERS and case.section == own:
        lines.append(PARTNERS[case.directive])
    if case.section != own:
        lines.append(f"[{case.section}]")
    lines.append(f"{case.directive}={case.value}")
    return f"{stem}.{kind}", "\n".join(lines) + "\n", len(lines)


def verdict(case: Case, release: int) -> str:
    """Ours: the letter for the line of the case."""
    name, text, line = unit_of(case)
    try:
        unit = read_unit(name, text.replace("\0", "\n"))
    except UnitSyntaxError:
        return "x"
    letter = "."
    for finding in _validate.validate(unit, release).findings:
        if finding.rule in ("unknown-directive", "too-new-directive", "wrong-section", "unknown-section"):
            if finding.line == line or finding.section == case.section:
                return "u"
        elif finding.rule == "removed-directive":
            letter = "r"
        elif finding.severity == "error" and finding.rule in ("bad-value", "syntax") and finding.line == line:
            letter = "x"
        elif (
            finding.rule == "refused-unit"
            and finding.directive == case.directive
            and case.directive in ("MaxConnections", "What")
        ):
            letter = "x"  # others are recorded as the fault of the unit, not of the line
    return letter


class Score:
    """Counts for one release."""

    def __init__(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.parsers: collections.defaultdict[str, collections.Counter[str]] = collections.defaultdict(
            collections.Counter
        )
        self.wrong: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        typed = outcome.case.kind not in FREE_TEXT
        right = outcome.wanted == outcome.got
        self.counts["all"] += 1
        self.counts["all right"] += right
        self.counts["typed"] += typed
        self.counts["typed right"] += typed and right
        self.counts["taken"] += outcome.wanted == "."
        self.counts["false alarms"] += outcome.wanted == "." and not right
        self.counts["refused"] += outcome.wanted == "x"
        self.counts["misses"] += outcome.wanted == "x" and not right
        self.counts["unknown"] += outcome.wanted == "u"
        self.counts["unknown right"] += outcome.wanted == "u" and right
        parser = self.parsers[outcome.parser]
        parser["cases"] += 1
        parser["false alarms"] += outcome.wanted == "." and not right
        parser["misses"] += outcome.wanted == "x" and not right
        parser["wrong"] += not right
        if not right:
            self.wrong.append(outcome)

    def share(self, part: str, whole: str) -> float:
        return 100.0 * self.counts[part] / max(1, self.counts[whole])


def compare(cases: t.Iterable[Case], releases: t.Sequence[int] = RELEASES) -> dict[int, Score]:
    scores = {release: Score() for release in releases}
    for case in cases:
        for release in releases:
            if release not in case.verdicts:
                continue
            directive = _catalog.get(case.section, case.directive, release)
            parser = directive.parser if directive else "-"
            scores[release].add(Outcome(release, case, parser, case.verdicts[release], verdict(case, release)))
    return scores


def table(scores: dict[int, Score]) -> list[str]:
    lines = ["release     cases  agree  typed agree  false alarms  misses  unknown keys"]
    for release, score in scores.items():
        lines.append(
            f"{release:7} {score.counts['all']:9} {score.share('all right', 'all'):6.2f}"
            f" {score.share('typed right', 'typed'):12.2f} {score.share('false alarms', 'taken'):12.3f}%"
            f" {score.share('misses', 'refused'):6.2f}% {score.share('unknown right', 'unknown'):12.2f}%"
        )
    return lines


def table_of_parsers(scores: dict[int, Score]) -> list[str]:
    """For each parser: cases of all releases, then agreement, false alarms and misses of each release."""
    lines = [
        "parser                             cases" + "".join(f"   {release}: agree alarms misses" for release in scores)
    ]
    for parser in sorted({name for score in scores.values() for name in score.parsers}):
        counts = [score.parsers[parser] for score in scores.values()]
        shares = [100.0 * (1 - count["wrong"] / max(1, count["cases"])) for count in counts]
        cells = [
            f" {share:11.2f} {count['false alarms']:6} {count['misses']:6}" for share, count in zip(shares, counts)
        ]
        lines.append(f"{parser:34} {sum(count['cases'] for count in counts):5}" + "".join(cells))
    return lines


def known_disagreements() -> set[tuple[int, str]]:
    """Those that have a reason, as ``Outcome.key``."""
    found = set()
    for line in KNOWN.read_text().splitlines():
        if line and not line.startswith(("#", " ")):
            releases, text = line.split(" ", 1)
            found.update((int(release), text) for release in releases.split(","))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=pathlib.Path, default=[RECORDED])
    parser.add_argument("--list", action="store_true", help="print every disagreement")
    parser.add_argument("--parsers", action="store_true", help="and a line for each parser")
    parser.add_argument("--parser", action="append", default=[], help="only cases of this parser")
    options = parser.parse_args()
    cases = [case for path in options.files for case in read(path)]
    if options.parser:
        cases = [
            case
            for case in cases
            if getattr(_catalog.get(case.section, case.directive), "parser", "-") in options.parser
        ]
    scores = compare(cases)
    print("\n".join([*table(scores), *(table_of_parsers(scores) if options.parsers else ())]))
    for score in scores.values() if options.list else ():
        for wrong in sorted(score.wrong, key=lambda wrong: wrong.parser):
            case = wrong.case
            print(
                f"{wrong.release} {wrong.parser} [{case.section}] {case.directive}={shrink(case.value)[:100]}"
                f" systemd {wrong.wanted} ours {wrong.got} {case.kind} {case.env}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
