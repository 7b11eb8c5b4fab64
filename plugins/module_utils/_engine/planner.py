# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares desired with actual state; returns the plan that leads from one to the other. No I/O."""

from __future__ import annotations

import typing as t

from .._graph.edges import declared as declared_edges
from .._graph.edges import flag, triggered
from .._model import MISSING, UP, Setting, Unit
from .._syntax.effective import value_of
from .contradictions import refuse_contradictions
from .desired import Declared, DesiredUnit, PlanError
from .file_plan import file_changes, refuse_mounts
from .no_reboot import dangerous_units
from .plan import Plan
from .propagate import add_propagated, keep_sockets_working
from .pulled import add_pulled
from .release_plan import RELEASES, plan_release, stay_problem
from .run_state import add_run_states
from .sources import Sources
from .state import HostState
from .unit_plan import UnitPlan, add_also, listed

_AT_ITS_END = ("OnFailure", "OnSuccess")


def make_plan(state: HostState, desired: t.Sequence[DesiredUnit], live_manager: bool = True) -> Plan:
    """The steps that lead from the actual state to the desired one.

    :param live_manager: False for files alone (another root): no reload, no start, no stop.
    :raises PlanError: when an option asks for what systemd cannot do.
    """
    plan = Plan()
    plan.files = file_changes(state, desired)
    _add_releases(plan, state, desired)
    # A trigger may be a file that another unit of the task brings along.
    sums = {change.path: change.after.digest for change in plan.files}
    state.trigger_sums.update({path: sums[path] for path in state.trigger_sums if path in sums})
    declared = Declared(desired)
    units = [UnitPlan(plan, state, declared, name) for name in declared.groups]
    for unit in units:
        unit.add_files(live_manager)
    sources = Sources(plan.changes, state)
    for unit in units:
        unit.add_enablement(sources)
    add_also(plan, state, declared, sources)
    refuse_contradictions(declared, sources)
    if live_manager:
        add_run_states(plan, state, declared, sources)
        keep_sockets_working(plan, state, declared)
        add_propagated(plan, state, declared, sources)
        add_pulled(plan, state, declared, sources)
        _refuse_own_end(plan, state.own_unit)
        _reset_failed(plan, state)
        plan.dangerous = dangerous_units(plan, sources)
        plan.lasting = _lasting(plan, state, sources)
        plan.followers = _followers(plan, sources)
        _decide_reload(plan, state, declared.groups)
    return plan


def _add_releases(plan: Plan, state: HostState, desired: t.Sequence[DesiredUnit]) -> None:
    """Add the versions that have to be made and removed; the link to the current one is among the files."""
    reasons, left = {}, dict(state.releases)
    for item in desired:
        if item.release and item.release.path in left:
            versions = left.pop(item.release.path)  # several units may be of one release
            step = plan.releases[item.name, item.release.path] = plan_release(
                item.release, versions, *state.versions_in_use.get(item.release.path, ())
            )
            for version in step.removed:
                refuse_mounts("release", f"{item.release.path}/{RELEASES}/{version}", state)
            plan.warnings += filter(None, [stay_problem(step, versions)])
            reasons.update({file.path: step.reason() for file in item.files if file.of_release})
    plan.files = [change._replace(reason=reasons.get(change.path, change.reason)) for change in plan.files]


def merged_after(plan: Plan, state: HostState, name: str) -> list[Setting] | None:
    """The settings of a whole unit once the plan is carried out; None when its fragment is not known."""
    sources = Sources(plan.changes, state)
    path = sources.fragment(name, after=True)
    if not any(change.path == path for change in plan.changes) and state.files.get(path, MISSING).kind != "file":
        return None
    return sources.settings(name, after=True)


def _refuse_own_end(plan: Plan, own: str) -> None:
    """Refuse what would end this run in the middle.

    :raises PlanError: with why it would.
    """
    for group in (plan.stop, plan.stopped_with, plan.displaced, plan.stop_start, plan.restart, plan.restarted_with):
        if own and own in group:
            raise PlanError(
                f"{own}: this run is a process of it and would end itself ({group[own]}); run it from elsewhere, for"
                " example over ssh, or use on_change: none"
            )


def _reset_failed(plan: Plan, state: HostState) -> None:
    """A failed unit may have used up its start limit, which would refuse the start that we ask for."""
    for unit in [*plan.start, *plan.restart]:
        if state.value(unit, "ActiveState") == "failed" or state.crash_looping(unit):
            plan.reset[unit] = "it had failed; clear that and its start limit"


def _lasting(plan: Plan, state: HostState, sources: Sources) -> list[str]:
    """The services that are restarted and whose program has no reason to end, however well.

    What a timer, a path or a socket starts has done its work some time, and a condition may keep a service down.
    """
    return [
        unit
        for unit in plan.restarted()
        if unit.endswith(".service")
        and state.value(unit, "ActiveState") in UP
        and not (unit in plan.stopped_with or unit in plan.displaced or state.value(unit, "TriggeredBy"))
        and not _may_end(Unit(unit, sources.settings(unit, after=True)))
    ]


def _followers(plan: Plan, sources: Sources) -> list[str]:
    """What a version that fails would start (OnFailure= in systemd.unit(5)), and what a new trigger would."""
    units = [Unit(unit, sources.settings(unit, after=True)) for unit in [*plan.acted_on(), *plan.started_with]]
    found = [edge.target for unit in units for edge in declared_edges(unit, False) if edge.kind in _AT_ITS_END]
    found += [triggered(unit) for unit in units if unit.name in plan.start or unit.name in plan.started_with]
    return list(dict.fromkeys(filter(None, found)))


def _may_end(unit: Unit) -> bool:
    checks = any("Condition" in setting.directive for setting in unit.settings)
    return checks or value_of(unit, "Service", "Type") == "oneshot" or flag(unit, "Unit", "StopWhenUnneeded", False)


def _decide_reload(plan: Plan, state: HostState, groups: t.Mapping[str, list[DesiredUnit]]) -> None:
    files = [change for change in plan.changes if change.path]
    acted_on = plan.acted_on()
    # Releases 247 and 252 say so for ever of a masked or broken unit with drop-ins, which they do not read.
    stale = {
        unit: name
        for name in groups
        for unit in [name, *state.instances.get(name, [])]
        if state.value(unit, "NeedDaemonReload") == "yes"
        and (state.value(unit, "LoadState") == "loaded" or unit in acted_on)
    }
    if files:
        plan.daemon_reload = f"{len(files)} file{'s' if len(files) > 1 else ''} changed"
    elif plan.enable or plan.reenable or plan.disable:
        plan.daemon_reload = "enablement changed"
    elif stale:
        plan.daemon_reload = f"{listed(list(stale.values()))} changed on disk since systemd read it"
    for unit in stale:
        if state.active(unit) and unit not in (*acted_on, *plan.stop, *plan.stopped_with, *plan.displaced):
            why = "runs on: somebody changed its files, and what needs a restart takes effect at its next start"
            plan.left_running.setdefault(unit, why)
