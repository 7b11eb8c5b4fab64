# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts the instances of a template, or the units of a list, a few at a time. No I/O."""

from __future__ import annotations

import typing as t

from .._syntax.names import template_of
from .desired import DesiredUnit, PlanError
from .plan import Plan


def add_rolling(plan: Plan, desired: t.Sequence[DesiredUnit], option: t.Mapping[str, t.Any]) -> None:
    """Have units restarted in turn: those of the list in its order, and the instances of each template in theirs.

    :param option: ``{max_parallel, min_healthy_time, units}``.
    :raises PlanError: for a unit that is not of this task, or that has to be stopped before the files change.
    """
    names = {name for item in desired for name in (item.name, *item.instance_names())}
    foreign = [name for name in option["units"] if name not in names]
    if foreign:
        raise PlanError(f"rolling: units: {foreign[0]} is not a unit of this task; write its name with its suffix")
    for group in _groups(plan, desired, option["units"]):
        early = [unit for unit in group if unit in plan.stop_start]
        if early:
            raise PlanError(
                f"rolling: {early[0]} has to be stopped before its files change ({plan.stop_start[early[0]]}), which"
                " would stop the whole group; deploy this change without rolling"
            )
        units = [unit for unit in group if unit in plan.restart and unit not in plan.held_timers]
        plan.restart.update({unit: plan.restart.pop(unit) for unit in units})  # the order of the steps
        size = option["max_parallel"]
        plan.rolling += [units[first : first + size] for first in range(0, len(units), size)]
    plan.min_healthy_time = option["min_healthy_time"]


def _groups(plan: Plan, desired: t.Sequence[DesiredUnit], listed: t.Sequence[str]) -> list[list[str]]:
    groups, taken = [list(dict.fromkeys(listed))], set(listed)
    for template in dict.fromkeys(item.name for item in desired):
        declared = [name for item in desired if item.name == template for name in item.instance_names()]
        others = [unit for unit in (*plan.restart, *plan.stop_start) if template_of(unit) == template]
        group = [unit for unit in dict.fromkeys((*declared, *others)) if unit not in taken]
        taken.update(group)
        groups.append(group)
    return groups
