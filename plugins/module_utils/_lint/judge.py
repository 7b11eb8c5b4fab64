# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge a set of units before anything is written: by systemd's grammar and by lint."""

from __future__ import annotations

import datetime
import typing as t

from .._graph.build import merge
from .._model import SEVERITIES, Finding, Setting, Unit
from .._syntax.lines import read_unit
from .._syntax.names import dropin_owners, template_of, unit_type
from .._syntax.words import UnitSyntaxError, shorten
from .._values.validate import validate
from . import comments, install, links, restart, startup, values
from .core import Context, Diagnostic, HostFacts, Rule

OLDEST_RELEASE = 247  # the catalogue does not tell the grammars of earlier releases apart
RULES: tuple[Rule, ...] = (*restart.RULES, *links.RULES, *startup.RULES, *values.RULES, *install.RULES)


def lint(
    units: t.Sequence[Unit],
    release: int,
    facts: HostFacts | None = None,
    enabled: t.Collection[str] = (),
    today: datetime.date | None = None,
    host_rules: t.Sequence[Rule] = (),
) -> list[Finding]:
    """Findings of all rules about a set of units, in the order of the units, then of the rules.

    :param units: fragments and drop-ins of the set; several of one name are read together, in the order given.
    :param release: systemd release of the target.
    :param facts: what the target says.
    :param enabled: names of the units that the caller is about to enable.
    :param today: the date to judge calendar expressions on; default is this day.
    :param host_rules: more rules: ``host.RULES`` where there are facts.
    """
    rules = (*RULES, *host_rules)
    given = merge(units)
    # drop-ins alone are judged together with the host's fragment; where that is unknown only their own lines can be
    dropins = {unit.name: unit for unit in units if unit.dropin}
    for name in [unit.name for unit in units if not unit.dropin]:
        dropins.pop(name, None)
    bare = {name: unit for name in dropins if (unit := _host_fragment(name, facts)) is not None}
    judged = {name: _whole(unit, bare.get(name), dropins.get(name)) for name, unit in given.items()}
    context = Context(judged, release, facts, enabled, today)
    before = context.with_units(bare)
    findings: list[Finding] = []
    for name, unit in judged.items():
        found = _run(rules, unit, context)
        findings += _introduced(found, rules, bare[name], before) if name in bare else found
    return findings


def _whole(given: Unit, fragment: Unit | None, dropin: Unit | None) -> Unit:
    if fragment is not None:
        return Unit(given.name, [*fragment.settings, *given.settings])
    return given if dropin is None else Unit(given.name, given.settings, dropin.dropin, given.path)


def _host_fragment(name: str, facts: HostFacts | None) -> Unit | None:
    """The host's own unit that drop-ins of this name add to; None when it is unknown."""
    for candidate in (name, template_of(name)):
        text = facts.units.get(candidate) if facts is not None and candidate else None
        if text is not None:
            try:
                return Unit(name, read_unit(name, text).settings)
            except UnitSyntaxError:
                return None
    return None


def _run(rules: t.Iterable[Rule], unit: Unit, context: Context) -> list[Finding]:
    there = {setting.directive for setting in unit.settings}
    return [
        _finding(rule, unit, diagnostic)
        for rule in rules
        if (rule.lines_only or not unit.dropin) and not (rule.directives and there.isdisjoint(rule.directives))
        for diagnostic in rule.check(unit, context)
    ]


def _introduced(found: list[Finding], rules: t.Iterable[Rule], bare: Unit, before: Context) -> list[Finding]:
    """The findings that the drop-ins of the set brought: the host has them not without.

    :param bare: the host's unit without the drop-ins of the set.
    :param before: the set with such units.
    """
    ids = {finding.rule for finding in found}
    old = _run([rule for rule in rules if rule.id in ids], bare, before) if ids else []
    known = {(finding.rule, finding.message) for finding in old}
    return [finding for finding in found if (finding.rule, finding.message) not in known]


def _finding(rule: Rule, unit: Unit, diagnostic: Diagnostic) -> Finding:
    setting = diagnostic.setting
    return Finding(
        rule=rule.id,
        severity=diagnostic.severity if diagnostic.severity in SEVERITIES else rule.severity,
        unit=unit.name,
        message=diagnostic.message,
        hint=diagnostic.hint,
        path=setting.path if setting is not None and setting.path else unit.path,
        line=setting.line if setting is not None else 0,
        section=setting.section if setting is not None else "",
        directive=setting.directive if setting is not None else "",
        value=setting.value if setting is not None else "",
        source="lint",
    )


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


def pending_files(texts: t.Iterable[tuple[str, str, str, str]]) -> list[PendingFile]:
    """The texts with the whole unit each belongs to: its fragment, then its drop-ins by file name.

    :param texts: unit, drop-in (empty for a fragment), path, text.
    """
    files = list(texts)
    read: list[Unit | None] = []
    dropins: dict[str, dict[str, Unit]] = {}
    for name, dropin, path, text in files:
        try:
            unit = read_unit(name, text, path, dropin)
        except UnitSyntaxError:
            read.append(None)
            continue
        read.append(unit)
        if dropin:
            dropins.setdefault(name, {})[dropin] = unit
    return [
        PendingFile(*file, None if file[1] or unit is None else _with_dropins(unit, dropins), unit)
        for file, unit in zip(files, read)
    ]


def _with_dropins(fragment: Unit, dropins: t.Mapping[str, t.Mapping[str, Unit]]) -> list[Setting]:
    """The settings of a unit and of its drop-ins by their names; of two with one name the more special counts."""
    own: dict[str, Unit] = {}
    for owner in (unit_type(fragment.name), *reversed(dropin_owners(fragment.name))):
        own.update(dropins.get(owner, {}))
    return [*fragment.settings, *(setting for name in sorted(own) for setting in own[name].settings)]


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
                Finding("syntax", "error", file.unit, error.message, "write plain UTF-8 text", file.path, error.line)
            )
            continue
        alone = file.merged == unit.settings  # no drop-in adds to it
        complete = alone and not unit.is_mask
        verdict = validate(unit, target.release, target.known_directives, target.scope, complete=complete)
        findings += verdict.findings
        # What systemd drops decides nothing: the value before it, or the default, holds.
        dropped = [(finding.line, finding.message) for finding in verdict.findings if finding.line]
        units.append(Unit(unit.name, verdict.taken, unit.dropin, unit.path, dropped, unit.is_mask))
        if file.merged is not None and not alone:
            whole = Unit(file.unit, file.merged, path=file.path)
            judged = validate(whole, target.release, target.known_directives, target.scope)
            findings += [finding for finding in judged.findings if finding.rule in WHOLE and finding not in findings]
    facts = target.facts(units) if target.facts is not None and units else None
    findings += lint(units, target.release, facts, enabled, host_rules=target.host_rules)
    return _by_comments(findings, pending)


def _by_comments(findings: t.Sequence[Finding], pending: t.Sequence[PendingFile]) -> list[Finding]:
    """Leave out what the comments of the texts leave out, and say what is wrong with those comments."""
    known = rule_ids()
    left = list(findings)
    for file in pending:
        try:
            ignored = comments.read_comments(file.text, known)
        except UnitSyntaxError:
            continue
        if ignored is not None:
            left = [f for f in left if (f.unit, f.path) != (file.unit, file.path) or not ignored.covers(f)]
            left += [f for f in comments.unclear_findings(ignored, file.unit, file.path) if not ignored.covers(f)]
    return left


def rule_ids() -> frozenset[str]:
    """The ids of all rules, those of validation, host and verify included."""
    return comments.OTHER_RULES | {comments.RULE} | {rule.id for rule in RULES}


def ignored(findings: t.Sequence[Finding], ignore: t.Collection[str]) -> list[Finding]:
    """Leave out what the option ``ignore`` names: ``rule``, or ``rule:unit``."""
    return [f for f in findings if f.rule not in ignore and f"{f.rule}:{f.unit}" not in ignore]


def unknown_rules(ignore: t.Iterable[str]) -> list[str]:
    """A sentence for each entry of the option ``ignore`` that names no rule and so leaves nothing out."""
    known = rule_ids()
    rules = [entry.partition(":")[0] for entry in ignore]
    return [f"ignore: {'; '.join(comments.no_rule(rule, known))}" for rule in rules if rule not in known]


def stops(findings: t.Sequence[Finding], fail_on: str) -> list[Finding]:
    """The findings that are severe enough to stop the task."""
    if fail_on == "never":
        return []
    return [finding for finding in findings if SEVERITIES.index(finding.severity) <= SEVERITIES.index(fail_on)]


def refusal(findings: t.Sequence[Finding], fail_on: str) -> str:
    """Why these findings stop the task, a line for each that is severe enough; empty when none is."""
    stopping = stops(findings, fail_on)
    if not stopping:
        return ""
    lines = "\n".join(sentence(finding) for finding in stopping)
    count = "1 finding" if len(stopping) == 1 else f"{len(stopping)} findings"
    return f"{count} (fail_on: {fail_on})\n{lines}"


def sentence(finding: Finding) -> str:
    """One finding as a line of a message: place, assignment, what is wrong, what to write instead, the rule's id."""
    place = finding.unit
    if finding.path and not finding.path.endswith("/" + finding.unit):
        place += f", {finding.path}"
    if finding.line:
        place += f", line {finding.line}"
    return f"{place}: {words(finding)} ({finding.severity}, {finding.rule})"


def words(finding: Finding) -> str:
    """One finding without its place: assignment, what is wrong, what to write instead."""
    place = f"[{finding.section}] " if finding.section else ""
    if finding.directive and not finding.message.startswith(f"{finding.directive}="):
        place += f"{finding.directive}={shorten(finding.value, 80)}: "
    hint = f"; {finding.hint}" if finding.hint else ""
    return f"{place}{finding.message}{hint}"
