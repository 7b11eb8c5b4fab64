# SPDX-License-Identifier: GPL-3.0-or-later

"""Blue and green: of two instances of a template one serves, and a change starts the other one in its place. No I/O."""

from __future__ import annotations

import copy
import re
import typing as t

from .desired import DesiredUnit, PlanError
from .plan import Plan, Swap
from .planner import make_plan
from .state import HostState

_SPECIFIER = re.compile("%([%i])")


def plan_with_swaps(state: HostState, desired: t.Sequence[DesiredUnit], live_manager: bool = True) -> Plan:
    """``make_plan``, where each item with ``swap`` speaks of the instance that serves alone, and the other one is down.

    If the one that serves would restart, the other one is started instead, and takes over.

    :raises PlanError: as ``make_plan``; when nobody can tell which instance serves; when it has to be stopped before
        its files change.
    """
    swapping = [item for item in desired if item.swap and len(item.instances) == 2]
    serving = {item.name: _serving(item, state) for item in swapping}
    plan = make_plan(state, list(_resolved(desired, serving, state)), live_manager)
    before = dict(serving)
    reasons: dict[str, str] = {}
    for item in swapping:
        old = serving[item.name]
        if old in plan.stop_start:
            raise PlanError(
                f"swap: {old} has to be stopped before its files change ({plan.stop_start[old]}), and would serve no"
                " longer; deploy this change without swap"
            )
        if old in plan.restart:
            serving[item.name] = _other(item, old)
            reasons[item.name] = plan.restart[old]
    if reasons:
        plan = make_plan(state, list(_resolved(desired, serving, state)), live_manager)
    for item in swapping if live_manager else ():
        _add_swap(plan, state, item, serving[item.name], before[item.name], reasons.get(item.name, ""))
    if plan.retired:  # what depends on them goes with them
        plan.retired.update(plan.stopped_with)
        plan.stopped_with = {}
    return plan


def _other(item: DesiredUnit, unit: str) -> str:
    return next(name for name in item.instance_names() if name != unit)


def _serving(item: DesiredUnit, state: HostState) -> str:
    """The unit that serves: the one that runs, else the one that the link leads to, that is enabled, or the first.

    :raises PlanError: when both run and neither link nor enablement tells.
    """
    units = item.instance_names()
    running = [unit for unit in units if state.active(unit)]
    swap = item.swap or {}
    link = state.places.get(swap.get("link") or "")
    linked = [u for u in units if link and link.target == _filled(swap["target"], item, u)]
    enabled = [unit for unit in units if state.links_of(unit)]
    for told in (running, linked, enabled):
        if len(told) == 1:
            return told[0]
    if running:
        raise PlanError(f"swap: {units[0]} and {units[1]} both run, and nothing tells which one serves; stop the other")
    return units[0]


def _filled(text: str, item: DesiredUnit, unit: str) -> str:
    """A text with the instance of a unit in the place of ``%i``."""
    instance = item.instances[item.instance_names().index(unit)]
    return _SPECIFIER.sub(lambda match: instance if match[1] == "i" else "%", text)


def _resolved(
    desired: t.Sequence[DesiredUnit], serving: t.Mapping[str, str], state: HostState
) -> t.Iterator[DesiredUnit]:
    for item in desired:
        if not item.swap or item.name not in serving:
            yield item
            continue
        unit, swap = serving[item.name], item.swap
        enabled = item.enabled
        if enabled is None and state.links_of(*item.instance_names()):
            enabled = True  # what was enabled for the one that served is for the one that serves
        resolved = copy.copy(item)
        resolved.enabled = enabled
        resolved.instances = [item.instances[item.instance_names().index(unit)]]
        resolved.files = [
            file._replace(target=_filled(swap["target"], item, unit)) if file.path == swap["link"] else file
            for file in item.files
        ]
        yield resolved
        other = _other(item, unit)
        yield DesiredUnit(
            other,
            f"{state.folder}/{other}",
            state="stopped",
            enabled=None if enabled is None else False,
            position=item.position,
        )


def _add_swap(plan: Plan, state: HostState, item: DesiredUnit, new: str, served: str, reason: str) -> None:
    """Have the requests sent to a unit that starts, or to one that runs and that the link does not lead to."""
    swap, old = item.swap or {}, served if served != new else ""
    starts = new in plan.start or new in plan.restart
    is_linked = all(change.path != swap["link"] for change in plan.files)
    if not (starts or old or (state.active(new) and not is_linked)) or new in plan.stop:
        return
    command = swap["command"] or ()
    to_new, back = ([_filled(word, item, unit) for word in command] for unit in (new, served))
    plan.swaps.append(Swap(new, old, swap["link"] or "", to_new, back, swap["drain"]))
    if old:
        plan.retired[old] = f"swap: {new} serves in its place"
        plan.stop.pop(old, None)
        group = plan.restart if new in plan.restart else plan.start
        group[new] = f"swap with {old}: {reason}"
