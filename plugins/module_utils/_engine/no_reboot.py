# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the host from being rebooted by a new version that crashes: that is a reason to go back, not to go down.

While a deployment is judged, a drop-in below /run switches off what a unit does to the host after failures.
"""

from __future__ import annotations

import typing as t

from .._model import MISSING, UNIT_MODE, Change, File
from .host import Target
from .plan import Plan
from .sources import Sources

_ACTIONS = ("FailureAction", "StartLimitAction")  # systemd.unit(5)
_NAME = "zzzz-unitcraft-deployment.conf"  # of all drop-ins the last one
_TEXT = "".join(["[Unit]\n", *(f"{action}=none\n" for action in _ACTIONS)]).encode()


def dangerous_units(plan: Plan, sources: Sources) -> list[str]:
    """The units that the plan starts and that do something to the host when they fail."""
    return [
        unit
        for unit in [*plan.acted_on(), *plan.started_with]
        if any(s.directive in _ACTIONS and s.value not in ("", "none") for s in sources.settings(unit, after=True))
    ]


def shields(plan: Plan, host: Target) -> list[Change]:
    """The drop-ins for the time of the transaction."""
    file = File("file", _TEXT, "", UNIT_MODE, host.uid, host.gid)
    paths = [f"{host.runtime_folder}/{unit}.d/{_NAME}" for unit in plan.dangerous]
    return [Change(unit, path, MISSING, file, "write", "") for unit, path in zip(plan.dangerous, paths)]


def lift(placed: t.Iterable[Change]) -> list[Change]:
    """What takes them away again."""
    return [change._replace(before=change.after, after=MISSING, action="remove") for change in placed]
