# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the host from being rebooted by a new version that crashes: that is a reason to go back, not to go down.

While a deployment is judged, a drop-in below /run switches off what a unit does to the host when it fails, or when its
program ends though it should go on. The success of a oneshot has its effect: it may be there for that.
"""

from __future__ import annotations

import typing as t

from .._model import MISSING, UNIT_MODE, Change, File, Unit
from .._syntax.effective import value_of
from .host import Target
from .plan import Plan
from .sources import Sources

_ACTIONS = ("FailureAction", "JobTimeoutAction", "StartLimitAction", "SuccessAction")  # systemd.unit(5)
_NAME = "zzzz-unitcraft-deployment.conf"  # of all drop-ins the last one


def dangerous_units(plan: Plan, sources: Sources) -> dict[str, list[str]]:
    """The units that the plan starts and that may do something to the host when they end, with the directives."""
    units = [*plan.acted_on(), *plan.started_with]
    found = {unit: _actions(Unit(unit, sources.settings(unit, after=True))) for unit in units}
    return {unit: actions for unit, actions in found.items() if actions}


def _actions(unit: Unit) -> list[str]:
    is_job = value_of(unit, "Service", "Type") == "oneshot"
    used = {setting.directive for setting in unit.settings if setting.value not in ("", "none")}
    return [action for action in _ACTIONS if action in used and not (is_job and action == "SuccessAction")]


def shields(plan: Plan, host: Target) -> list[Change]:
    """The drop-ins for the time of the transaction."""
    return [_shield(unit, actions, host) for unit, actions in plan.dangerous.items()]


def _shield(unit: str, actions: t.Sequence[str], host: Target) -> Change:
    text = "".join(["[Unit]\n", *(f"{action}=none\n" for action in actions)]).encode()
    file = File("file", text, "", UNIT_MODE, host.uid, host.gid)
    return Change(unit, f"{host.runtime_folder}/{unit}.d/{_NAME}", MISSING, file, "write", "")


def lift(placed: t.Iterable[Change]) -> list[Change]:
    """What takes them away again."""
    return [change._replace(before=change.after, after=MISSING, action="remove") for change in placed]
