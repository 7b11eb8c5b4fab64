# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the texts that a plan writes, by rules, by the host's facts and by systemd-analyze."""

from __future__ import annotations

import typing as t

from .._engine.host import Host
from .._engine.plan import Now, Plan, Want, merged_after
from .._host.exposure import exposure
from .._host.facts import host_facts
from .._host.verify import staged, unreported
from .._lint.host import RULES, needed
from .._lint.judge import PendingFile, Target, check, ignored, sentence, stops
from .._model import Finding


def review(
    plan: Plan, host: Host, state: Now, desired: t.Sequence[Want], params: t.Mapping[str, t.Any]
) -> list[Finding]:
    """Findings about the texts that change, in the order in which they were made.

    :param params: values of ``set_options``.
    :raises SystemdError: when the host cannot be asked.
    """
    ignore = params["ignore"]
    pending = _pending_files(plan, state, desired)
    release = host.version()
    target = Target(
        release,
        host.known_directives(),
        "system" if host.scope == "system" else "user",
        lambda units: host_facts(host, needed(units), state.live),
        RULES,
    )
    findings = ignored(check(pending, target, [*plan.enable, *plan.reenable]), ignore)
    if params["verify"] and not host.root and not stops(findings, params["fail_on"]):
        findings += ignored(unreported(pending, host, release, findings), ignore)
    if params["max_exposure"] is not None:
        findings += ignored(exposure(host, staged(pending), release, params["max_exposure"]), ignore)
    return findings


def _pending_files(plan: Plan, state: Now, desired: t.Sequence[Want]) -> list[PendingFile]:
    written = {change.path for change in plan.changes if change.action == "write"}
    by_unit: dict[str, list[Want]] = {}
    for unit in desired:
        by_unit.setdefault(unit.name, []).append(unit)
    return [
        PendingFile(
            unit.name, unit.dropin, unit.path, unit.text, merged_after(plan, state, unit.name, by_unit[unit.name])
        )
        for unit in desired
        if unit.path in written and unit.text is not None
    ]


def refusal(findings: t.Sequence[Finding], fail_on: str) -> str:
    """Why these findings stop the task, a line for each that is severe enough; empty when none is."""
    stopping = stops(findings, fail_on)
    if not stopping:
        return ""
    lines = "\n".join(sentence(finding) for finding in stopping)
    return f"nothing was written: {len(stopping)} finding{'s' * (len(stopping) > 1)} (fail_on: {fail_on})\n{lines}"


def warnings(findings: t.Iterable[Finding]) -> list[str]:
    """A sentence for each finding that Ansible shows as a warning."""
    return [sentence(finding) for finding in findings if finding.severity == "warning"]
