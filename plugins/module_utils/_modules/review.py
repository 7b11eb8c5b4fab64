# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the texts that a plan writes, by rules, by the host's facts and by systemd-analyze."""

from __future__ import annotations

import re
import typing as t

from .._engine.desired import DesiredUnit
from .._engine.plan import Plan
from .._engine.planner import merged_after
from .._engine.state import HostState
from .._host.exposure import exposure
from .._host.facts import facts_after, host_facts, way_to
from .._host.manager import Manager
from .._host.verify import staged, unreported
from .._lint.core import HostFacts
from .._lint.host import RULES, needed
from .._lint.judge import PendingFile, Target, check, ignored, sentence, stops
from .._model import Finding

_THIS_HOST = re.compile(r"(?:https?://)?(?:(?:localhost|127\.[\d.]+|\[::1\])(?::\d+)?|:?\d+)(?:/|\Z)")


def review(
    plan: Plan, manager: Manager, state: HostState, desired: t.Sequence[DesiredUnit], params: t.Mapping[str, t.Any]
) -> list[Finding]:
    """Findings about the texts that change, in the order in which they were made.

    :param params: values of ``set_options``.
    :raises SystemdError: when the host cannot be asked.
    """
    in_turn = (params["rolling"] or {}).get("units", ())
    ignore = [*params["ignore"], *(f"network-service-without-socket:{unit}" for unit in in_turn)]
    pending = _pending_files(plan, state, desired)
    release = manager.version()
    changing = {change.path[len(manager.root) :] for change in plan.changes}
    target = Target(
        release,
        manager.known_directives(),
        "system" if manager.scope == "system" else "user",
        lambda units: _facts_after(host_facts(manager, needed(units), state.live, changing), plan, manager.root),
        RULES,
    )
    findings = ignored(check(pending, target, [*plan.enable, *plan.reenable]), ignore)
    if params["verify"] and not manager.root and not stops(findings, params["fail_on"]):
        found = unreported(pending, manager.runner, release, findings, manager.folder)
        brought = {change.path for change in plan.files if change.after.kind in ("file", "link")}
        # systemd-analyze cannot know of what the task has not written yet.
        found = [
            finding
            for finding in found
            if all(brought.isdisjoint(way_to(word)) for word in re.split(r"[ :,]+", finding.message) if word[:1] == "/")
        ]
        findings += ignored(found, ignore)
    if params["max_exposure"] is not None:
        findings += ignored(exposure(manager.runner, staged(pending), release, params["max_exposure"]), ignore)
    return findings


def _facts_after(facts: HostFacts, plan: Plan, root: str) -> HostFacts:
    """The facts as they will be once the task has brought files, users and groups, with what it says of ports."""
    facts = facts_after(facts, plan.files, root)._replace(ports=_asked_ports(plan))
    for account in plan.accounts.made:
        users = {**facts.users, account.user: True} if account.user in facts.users else facts.users
        groups = {**facts.groups, account.group: True} if account.group in facts.groups else facts.groups
        facts = facts._replace(users=users, groups=groups)
    return facts


def _asked_ports(plan: Plan) -> dict[str, str]:
    """``{unit: the first port of this host that its health check asks}``."""
    asked = {}
    for unit, health in plan.health.items():
        for probe in reversed(health.get("probes") or ()):
            address = str(probe.get("tcp") or probe.get("udp") or probe.get("http") or "")
            if _THIS_HOST.match(address):
                asked[unit] = address
    return asked


def _pending_files(plan: Plan, state: HostState, desired: t.Sequence[DesiredUnit]) -> list[PendingFile]:
    written = {change.path for change in plan.changes if change.action == "write"}
    return [
        PendingFile(unit.name, unit.dropin, unit.path, unit.text, merged_after(plan, state, unit.name))
        for unit in desired
        if unit.path in written and unit.text is not None
    ]


def warnings(findings: t.Iterable[Finding]) -> list[str]:
    """A sentence for each finding that Ansible shows as a warning."""
    return [sentence(finding) for finding in findings if finding.severity == "warning"]
