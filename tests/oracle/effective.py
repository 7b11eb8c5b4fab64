#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hold the typed, effective value that unit_info gives of a directive against `systemctl show` of the four images.

Run it inside the sandbox:
    tests/lab/sandbox.py run python tests/oracle/effective.py --count 2000 --seed 1 [--releases 252 262]

A case is one directive with one to five assignments in a unit of its own, spread over a fragment and two drop-ins: good
values, values that systemd drops, and empty ones. Values are recorded ones (recorded.txt), random ones in every
spelling of their kind, and either of them changed at random. Files are written, PID 1 does one daemon-reload, unit_info
(in the container, from the files) and `systemctl show` are asked for all units, and shown.py compares the two. Only
directives that `systemctl show` prints are asked; a unit that systemd refuses as a whole does not count.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import io
import pathlib
import random
import re
import sys
import tarfile
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible" / "collections"), str(ROOT / "tests")]

from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.words import WHITESPACE
from ansible_collections.unitcraft.systemd.plugins.module_utils._values import typed
from ansible_collections.unitcraft.systemd.plugins.module_utils._values.validate import check
from lab import containers
from oracle import agreement, ask, on_target, question, shown, spellings

EXCEPTIONS = pathlib.Path(__file__).parent / "effective_exceptions.txt"
TYPES = ("service", "socket", "timer", "path", "mount", "automount", "swap", "slice")
BATCH = 500  # units of one systemctl call
# What goes with a directive, so that a unit loads even when the directive was reset.
PARTNERS = {
    "ExecStart": ["Type=oneshot", "RemainAfterExit=yes", "ExecStop=/bin/true"],
    "MaxConnections": ["Accept=yes"],
    "Type": ["BusName=org.unitcraft.STEM"],  # PID 1 of 247 dies of Type=dbus without one
}
ASK = """
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules import info as _info
from ansible_collections.unitcraft.systemd.plugins.module_utils._host import manager as _manager
question = _info.Question(tuple(given), frozenset(["definition"]), 0)
answer = {
    name: {section: {directive: found["value"] for directive, found in directives.items()}
           for section, directives in ((unit["definition"] or {}).get("sections") or {}).items()}
    for name, unit in _info.ask(_manager.Manager(), question).units.items()
}
"""


class Case(t.NamedTuple):
    """Assignments of one directive."""

    section: str
    directive: str
    parser: str
    unit_type: str
    texts: tuple[tuple[int, str], ...]  # file (0 the fragment, 1 and 2 drop-ins) and value, in the order systemd reads
    instance: bool = False  # an instance of a template, whose drop-ins stand partly with the template

    def files(self, number: int) -> tuple[str, dict[str, str]]:
        """Name of the unit, and path and text of its files."""
        stem = f"ev{number:05}"
        name = f"{stem}@in\\x2dst-x.{self.unit_type}" if self.instance else f"{stem}.{self.unit_type}"
        fragment = f"{stem}@.{self.unit_type}" if self.instance else name
        places = [f"run/systemd/system/{fragment}", f"etc/systemd/system/{fragment}.d/10-a.conf"]
        places.append(f"run/systemd/system/{name}.d/50-b.conf")
        texts = [self._essentials(stem), "", ""]
        for file, value in self.texts:
            texts[file] += f"[{self.section}]\n{self.directive}={value}\n"
        return name, {place: text for place, text in zip(places, texts) if text}

    def _essentials(self, stem: str) -> str:
        own = self.unit_type.capitalize()
        lines = [f"[{own}]"]
        for name, value in agreement.ESSENTIALS[self.unit_type].items():
            grouped = self.directive.startswith(("Listen", "On", "Path", "Directory")) and self.section == own
            if name != self.directive and not (grouped and self.parser in ("socket_listen", "timer", "path_spec")):
                lines.append(f"{name}={value.replace('STEM', stem)}")
        partners = PARTNERS.get(self.directive, ()) if self.section == own else ()
        if self.directive == "Type" and "dbus" not in self.values:
            partners = ()
        return "\n".join([*lines, *(line.replace("STEM", stem) for line in partners)]) + "\n"

    @property
    def values(self) -> list[str]:
        return [value for _file, value in self.texts]

    @property
    def text(self) -> str:
        values = " ; ".join(("", "a:", "b:")[file] + agreement.shrink(value) for file, value in self.texts)
        return f"[{self.section}] {self.directive}= {values}"


class Outcome(t.NamedTuple):
    """A case, and what the two say of it."""

    case: Case
    unit: str
    ours: t.Any
    theirs: dict[str, list[str]]
    equal: bool
    reason: str  # why it may differ; empty when it must not


# --------------------------------------------------------------------------------------------------------------- cases


class Values:
    """Values to choose from, for one release."""

    def __init__(self, release: int) -> None:
        self.release = release
        self.good: dict[str, list[str]] = collections.defaultdict(list)
        self.bad: dict[str, list[str]] = collections.defaultdict(list)
        for case in agreement.read(agreement.RECORDED):
            directive = _catalog.get(case.section, case.directive, release)
            if directive is None or len(case.value) > 300 or not _usable(case.value):
                continue
            verdict = case.verdicts.get(release, "-")
            keys = (directive.parser, directive.name)
            for key in keys if verdict in ".x" else ():
                (self.good if verdict == "." else self.bad)[key].append(case.value)

    def good_one(self, parser: str, name: str, chance: random.Random) -> str:
        maker = spellings.MAKERS.get(parser)
        if maker and chance.random() < 0.7:
            return maker(name, chance)
        own = self.good.get(name) or self.good.get(parser) or ["1"]
        value = chance.choice(own if chance.random() < 0.8 else self.good.get(parser) or own)
        if chance.random() < 0.15:
            value = ask.mutate(value, chance, own)
        return value if _usable(value) else chance.choice(own)

    def bad_one(self, parser: str, name: str, chance: random.Random) -> str:
        own = self.bad.get(name) or self.bad.get(parser) or ["\u00e9 !"]
        return chance.choice(own)

    def assignment(self, section: str, name: str, parser: str, chance: random.Random) -> str:
        """One value; no value for which systemd would refuse the whole unit, as far as we know."""
        for _turn in range(20):
            kind = chance.random()
            if kind < 0.12:
                value = ""
            elif kind < (0.3 if parser in typed.GRAMMARS else 0.17):
                value = self.bad_one(parser, name, chance)
            else:
                value = self.good_one(parser, name, chance)
            problem = check(_catalog.get(section, name, self.release), value, self.release)
            if problem is None or not problem.fatal:
                return value
        return ""


def _usable(value: str) -> bool:
    """Whether a value can stand on one line, and means the same in every container."""
    if any(mark in value for mark in "\n\0\r") or value.endswith("\\") or value != value.strip(WHITESPACE):
        return False
    if any(mark < " " for mark in value if mark != "\t") or ("\t" in value and "/" in value):
        return False
    for place in [index for index, mark in enumerate(value) if mark == "%"]:
        letter = value[place + 1 : place + 2]
        if letter.isalnum() and letter not in "nNpPiIjJf" and letter.isascii():
            return False
    return True


def directives(release: int, printed: t.Mapping[str, t.Collection[str]]) -> dict[str, list[_catalog.Directive]]:
    """The directives that have a property, by parser.

    :param printed: unit type -> properties that `systemctl show --all` prints of it.
    """
    found: dict[str, list[_catalog.Directive]] = collections.defaultdict(list)
    for section in ("Unit", *(unit_type.capitalize() for unit_type in TYPES)):
        unit_type = "service" if section == "Unit" else section.lower()
        for name in _catalog.names(section):
            directive = _catalog.get(section, name, release)
            if directive is None or not directive.since <= release <= directive.until or directive.status == "removed":
                continue
            if question.property_of(directive) in printed[unit_type] and (section, name) not in question.NOT_ASKED:
                found[directive.parser].append(directive)
    return dict(found)


def new_cases(release: int, known: dict[str, list[_catalog.Directive]], count: int, seed: int) -> list[Case]:
    """Random cases, as many for a rare parser as for a common one, but more for those of many directives."""
    chance = random.Random(f"{seed} {release}")
    values = Values(release)
    parsers = sorted(known)
    weights = [min(8.0, len(known[parser]) ** 0.5) for parser in parsers]
    cases = []
    while len(cases) < count:
        parser = chance.choices(parsers, weights)[0]
        directive = chance.choice(known[parser])
        unit_type = "service" if directive.section == "Unit" else directive.section.lower()
        number = chance.choice((1, 1, 2, 2, 2, 3, 3, 4, 5))
        texts = [values.assignment(directive.section, directive.name, parser, chance) for _one in range(number)]
        places = sorted(chance.choice((0, 0, 1, 2)) for _one in texts)
        instance = unit_type == "service" and chance.random() < 0.15
        cases.append(Case(directive.section, directive.name, parser, unit_type, tuple(zip(places, texts)), instance))
    return cases


# ------------------------------------------------------------------------------------------------------------- systemd


def put(host: ask.Host, files: dict[str, str]) -> None:
    """Write the files and have PID 1 read them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            data = text.encode("utf-8", "surrogateescape")
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    containers.run(host.name, ["tar", "-x", "-C", "/"], data=packed.getvalue())
    containers.run(host.name, ["systemctl", "daemon-reload"])


def show(host: ask.Host, names: t.Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Every property of the units, by name; a property that is printed once per item has several values.

    A unit of which systemd cannot tell is missing: some releases lose the connection over a text that is not UTF-8.
    """
    found: dict[str, dict[str, list[str]]] = {}
    waiting = [names[first : first + BATCH] for first in range(0, len(names), BATCH)]
    while waiting:
        some = waiting.pop()
        command = ["env", "LC_ALL=C.UTF-8", "TZ=UTC", "systemctl", "show", "--all", "--", *some]
        done = containers.run(host.name, command, check=False)
        if done.returncode and len(some) > 1:
            half = len(some) // 2
            waiting += [some[:half], some[half:]]
        elif not done.returncode:
            blocks = map(shown.properties, done.stdout.split("\n\n"))
            found.update((block["Id"][0], block) for block in blocks if "Id" in block)
    return found


class Answers(t.NamedTuple):
    """What one release and we say of many cases."""

    release: int
    cases: dict[str, Case]  # by name of the unit
    ours: dict[str, t.Any]  # unit -> section -> directive -> value
    theirs: dict[str, dict[str, list[str]]]  # unit -> property -> values
    defaults: dict[str, dict[str, list[str]]]  # the same of a unit of each type that sets nothing
    facts: question.Facts


def ask_host(host: ask.Host, count: int, seed: int) -> Answers:
    """Put ``count`` cases, and some more for those that do not load, to one release."""
    on_target.install(host.name)
    names: dict[str, str] = {}
    files: dict[str, str] = {}
    for number, unit_type in enumerate(TYPES):
        names[unit_type], texts = Case("Unit", "Documentation", "documentation", unit_type, ()).files(90000 + number)
        files.update(texts)
    put(host, files)
    defaults = {unit_type: show(host, [name])[name] for unit_type, name in names.items()}
    printed = {
        unit_type: {name for name, values in properties.items() if values != ["[unprintable]"]}
        for unit_type, properties in defaults.items()
    }
    facts = facts_of(host)
    cases = {}
    for number, case in enumerate(
        new_cases(host.release, directives(host.release, printed), count + count // 8 + 10, seed)
    ):
        name, texts = case.files(number)
        cases[name] = case
        files.update(texts)
    put(host, files)
    ours = on_target.call(host.name, ASK, list(cases))
    return Answers(host.release, cases, ours, show(host, list(cases)), defaults, facts)


class Asked(t.NamedTuple):
    """All of one release."""

    release: int
    outcomes: list[Outcome]
    refused: int  # units that systemd did not load


def judge(answers: Answers, count: int) -> Asked:
    """The first ``count`` cases that systemd loaded."""
    outcomes, refused = [], 0
    allowed = Exceptions()
    terms = shown.Terms(answers.release, answers.defaults, answers.facts)
    for name, case in answers.cases.items():
        theirs = answers.theirs.get(name, {})
        if theirs.get("LoadState") != ["loaded"]:
            refused += 1
        elif len(outcomes) < count:
            value = shown.find(answers.ours[name], case.section, case.directive)
            wanted = terms.wanted(case.section, case.directive, theirs)
            equal = terms.equal(case.section, case.directive, name, value, theirs)
            reason = "" if equal else allowed.reason(case, answers.release)
            outcomes.append(Outcome(case, name, value, wanted, equal, reason))
    return Asked(answers.release, outcomes, refused)


def facts_of(host: ask.Host) -> question.Facts:
    """What values stand for on this host."""
    asked = {"MemoryMax": "100%", "TasksMax": "100%", "SystemCallFilter": "@known"}
    units, files = {}, {}
    for number, (directive, value) in enumerate(asked.items()):
        units[directive], texts = Case("Service", directive, "", "service", ((0, value),)).files(99990 + number)
        files.update(texts)
    put(host, files)
    found = show(host, list(units.values()))
    memory, tasks, calls = (found[units[directive]][directive][-1] for directive in asked)
    rows = containers.run(host.name, ["systemd-analyze", "exit-status", "--no-pager"]).stdout.splitlines()
    statuses = {row.split()[0]: row.split()[1] for row in rows[1:] if len(row.split()) > 2}
    groups: dict[str, list[str]] = {}
    commands = [["systemd-analyze", about, "--no-pager"] for about in ("syscall-filter", "filesystems")]
    for line in "".join(containers.run(host.name, argv, check=False).stdout for argv in commands).splitlines():
        if line.startswith("@"):
            members = groups.setdefault(line.strip(), [])
        else:  # after # stands what the kernel lacks, or a sentence
            member = re.fullmatch(r" +(?:# )?([a-z0-9_@-]+)(?: \(.*)?", line)
            members.extend([member.group(1)] if member else [])
    return question.Facts(int(memory), int(tasks), statuses, groups, frozenset(calls.split()))


class Exceptions:
    """The settings that may differ, and why: see EXCEPTIONS."""

    def __init__(self) -> None:
        self.rows: list[tuple[list[str], str, str]] = []  # releases and parsers or names, what of the value, reason
        for line in EXCEPTIONS.read_text().splitlines():
            if line.startswith(" "):
                parsers, about, reason = self.rows[-1]
                self.rows[-1] = parsers, about, f"{reason} {line.strip()}".strip()
            elif line and not line.startswith("#"):
                *parsers, about = line.split()
                self.rows.append((parsers, about, ""))

    def reason(self, case: Case, release: int) -> str:
        """Why a case may differ; empty when it must not."""
        for about_whom, about, reason in self.rows:
            releases = [word for word in about_whom if word.isdigit()]
            named = [word for word in about_whom if not word.isdigit()]
            uncarried = named == ["*"] and case.parser not in typed.GRAMMARS
            if (releases and str(release) not in releases) or not (
                uncarried or case.parser in named or case.directive in named
            ):
                continue
            if about == "refused":
                found = any(_refused(case, text, release) for text in case.values)
            else:
                found = bool(re.search(about, "\n".join(case.values), re.MULTILINE))
            if found:
                return reason
        return ""


def _refused(case: Case, text: str, release: int) -> bool:
    known = _catalog.get(case.section, case.directive, release)
    return known is not None and check(known, text, release, f"unit.{case.unit_type}") is not None


def start(releases: t.Iterable[int]) -> list[ask.Host]:
    return [ask.Host(release, containers.start(str(release), f"effective{release}")) for release in releases]


def ask_all(hosts: t.Sequence[ask.Host], count: int, seed: int) -> list[Asked]:
    """All releases, two at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda host: judge(ask_host(host, count, seed), count), hosts))


def report(asked: Asked) -> list[str]:
    """The differences without a reason, the number of the others by reason, and the sums."""
    different = [one for one in asked.outcomes if not one.equal]
    lines = [
        f"{asked.release} {one.case.parser} {one.case.text}\n    ours {one.ours!r} systemd {one.theirs}"
        for one in sorted(different, key=lambda one: (one.case.parser, one.case.text))
        if not one.reason
    ]
    reasons = collections.Counter(one.reason for one in different if one.reason)
    lines += [f"{asked.release}: {number} differ: {reason}" for reason, number in reasons.most_common()]
    kinds = len({(one.case.section, one.case.directive) for one in asked.outcomes})
    counts = f"{len(asked.outcomes) - len(different)} equal, {sum(reasons.values())} exceptions"
    unexplained = len(different) - sum(reasons.values())
    return [
        *lines,
        f"{asked.release}: {len(asked.outcomes)} settings of {kinds} directives: {counts}, {unexplained} different"
        f" ({asked.refused} more units that systemd refuses)",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="settings per release")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--releases", type=int, nargs="*", default=agreement.RELEASES)
    options = parser.parse_args()
    wrong = 0
    for asked in ask_all(start(options.releases), options.count, options.seed):
        print("\n".join(report(asked)))
        wrong += sum(not (one.equal or one.reason) for one in asked.outcomes)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
