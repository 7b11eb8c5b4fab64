# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lint: runs the rules over a set of units. docs/rules.md explains each rule."""

from __future__ import annotations

import datetime
import typing as t

from .._graph.build import merge
from .._model import SEVERITIES, Finding, Unit
from .._syntax.lines import read_unit
from .._syntax.names import template_of
from .._syntax.text import UnitSyntaxError
from .core import Context, Diagnostic, Rule
from .facts import HostFacts
from .registry import RULES


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
    :param host_rules: rules beside those of the registry: ``host.RULES`` where there are facts.
    """
    rules = (*RULES, *host_rules)
    given = merge(units)
    fragments = {unit.name for unit in units if not unit.dropin}
    # drop-ins alone are judged together with the host's fragment; where that is unknown only their own lines can be
    merged = {name: _on_host_fragment(unit, facts) for name, unit in given.items() if name not in fragments}
    judged = {name: merged.get(name) or _as_dropin(unit, units, fragments) for name, unit in given.items()}
    context = Context(judged, release, facts, enabled, today)
    findings: list[Finding] = []
    for name, unit in judged.items():
        found = _run(rules, unit, context)
        if merged.get(name) is not None:
            found = _introduced_by_dropins(found, rules, unit, given[name], context)
        findings += found
    return findings


def _as_dropin(unit: Unit, units: t.Sequence[Unit], fragments: t.Collection[str]) -> Unit:
    if unit.name in fragments:
        return unit
    return Unit(unit.name, unit.settings, next(part.dropin for part in units if part.name == unit.name), unit.path)


def _on_host_fragment(dropins: Unit, facts: HostFacts | None) -> Unit | None:
    """The unit as it will be loaded from the host's fragment and the drop-ins; None when the fragment is unknown."""
    for name in (dropins.name, template_of(dropins.name)):
        text = facts.units.get(name) if facts is not None and name else None
        if text is not None:
            try:
                return Unit(dropins.name, [*read_unit(dropins.name, text).settings, *dropins.settings])
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


def _introduced_by_dropins(
    found: list[Finding], rules: t.Iterable[Rule], unit: Unit, dropins: Unit, context: Context
) -> list[Finding]:
    """The findings that the host's own unit does not have without the drop-ins."""
    ids = {finding.rule for finding in found}
    if not ids:
        return []
    own = len(unit.settings) - len(dropins.settings)
    before = Unit(unit.name, unit.settings[:own])
    old = _run([rule for rule in rules if rule.id in ids], before, context.with_unit(before))
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
