# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge a set of units before anything is written: by systemd's grammar and by lint."""

from __future__ import annotations

import typing as t

from .._model import SEVERITIES, Finding, Setting, Unit
from .._syntax.lines import read_unit
from .._syntax.text import UnitSyntaxError
from .._values.validate import validate
from .core import Rule
from .facts import HostFacts
from .run import lint

# About the unit as a whole; everything else is about one line of one file.
WHOLE = ("missing-directive", "refused-unit")


class PendingFile(t.NamedTuple):
    """One text that is about to become a file.

    :ivar merged: the settings of the whole unit as it will be loaded, or None when its fragment is not known.
    :ivar read: the text read as a unit, by those who have it already.
    """

    unit: str
    dropin: str
    path: str
    text: str
    merged: t.Sequence[Setting] | None
    read: Unit | None = None


class Target(t.NamedTuple):
    """What the units are judged for.

    ``facts`` tells about some units what ``host_rules`` want to know.
    """

    release: int
    known_directives: frozenset[tuple[str, str]] | None = None
    scope: str = "system"
    facts: t.Callable[[t.Sequence[Unit]], HostFacts] | None = None
    host_rules: t.Sequence[Rule] = ()


def check(pending: t.Sequence[PendingFile], target: Target, enabled: t.Collection[str] = ()) -> list[Finding]:
    """Findings by grammar and lint, in the order of the files.

    :param enabled: names of units that are about to be enabled.
    """
    findings: list[Finding] = []
    units: list[Unit] = []
    for file in pending:
        try:
            unit = file.read or read_unit(file.unit, file.text, file.path, file.dropin)
        except UnitSyntaxError as error:
            findings.append(
                Finding("syntax", "error", file.unit, str(error), "write plain UTF-8 text", file.path, error.line)
            )
            continue
        units.append(unit)
        alone = file.merged == unit.settings  # no drop-in adds to it
        findings += validate(unit, target.release, target.known_directives, target.scope, complete=alone)
        if file.merged is not None and not alone:
            whole = Unit(file.unit, file.merged, path=file.path)
            judged = validate(whole, target.release, target.known_directives, target.scope)
            findings += [finding for finding in judged if finding.rule in WHOLE and finding not in findings]
    facts = target.facts(units) if target.facts is not None and units else None
    return findings + lint(units, target.release, facts, enabled, host_rules=target.host_rules)


def ignored(findings: t.Sequence[Finding], ignore: t.Collection[str]) -> list[Finding]:
    """Leave out what the option ``ignore`` names: ``rule``, or ``rule:unit``."""
    return [f for f in findings if f.rule not in ignore and f"{f.rule}:{f.unit}" not in ignore]


def stops(findings: t.Sequence[Finding], fail_on: str) -> list[Finding]:
    """The findings that are severe enough to stop the task."""
    if fail_on == "never":
        return []
    return [finding for finding in findings if SEVERITIES.index(finding.severity) <= SEVERITIES.index(fail_on)]


def sentence(finding: Finding) -> str:
    """One finding as a line of a message: place, assignment, what is wrong, what to write instead, the rule's id."""
    place = finding.unit
    if finding.path and not finding.path.endswith("/" + finding.unit):
        place += f", {finding.path}"
    if finding.line:
        place += f", line {finding.line}"
    assignment = ""
    if finding.directive and not finding.message.startswith(f"{finding.directive}="):
        value = finding.value if len(finding.value) <= 80 else finding.value[:77] + "..."
        assignment = f"[{finding.section}] {finding.directive}={value}: "
    hint = f"; {finding.hint}" if finding.hint else ""
    return f"{place}: {assignment}{finding.message}{hint} ({finding.severity}, {finding.rule})"
