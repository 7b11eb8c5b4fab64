# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``unit`` and ``units`` return: steps, diffs, the state of each unit."""

from __future__ import annotations

import posixpath
import typing as t

from .._engine.desired import DesiredUnit
from .._engine.host import Host
from .._engine.plan import Plan
from .._engine.state import HostState
from .._engine.store import TransactionError
from .._host.journal import number_of
from .._model import File
from .._syntax.names import is_template
from .._syntax.words import from_bytes

States = t.Mapping[str, t.Mapping[str, str]]  # unit -> properties as systemctl show prints them


def describe_plan(plan: Plan) -> dict[str, t.Any]:
    """``actions``, ``changed`` and ``diff`` of the result."""
    diff = [
        {
            "before_header": change.path,
            "after_header": change.path,
            "before": _shown(change.before),
            "after": _shown(change.after),
        }
        for change in plan.changes
        if change.path
    ]
    return {"actions": [step._asdict() for step in plan.steps()], "changed": plan.changed(), "diff": diff}


def _shown(file: File) -> str:
    if file.kind == "link":
        return f"link to {file.target}\n"
    return from_bytes(file.data).encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """A text of others for a terminal: without control characters, also those that turn its direction."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")


def describe_failure(error: TransactionError) -> dict[str, t.Any]:
    """What the result of a failed transaction adds to that of the plan."""
    failure: dict[str, t.Any] = {
        "changed": error.rolled_back is False,
        "failed_units": [failure._asdict() for failure in error.failures],
    }
    if error.rolled_back is not None:
        failure["rolled_back"] = error.rolled_back
    if error.left_over:
        failure["not_undone"] = error.left_over
    return failure


def places_of(folder: str, desired: t.Iterable[DesiredUnit]) -> dict[str, str]:
    """Every declared unit and instance, with the path of its unit file."""
    places: dict[str, str] = {}
    for unit in desired:
        path = posixpath.join(folder, unit.name)
        places.setdefault(unit.name, path)
        for instance in unit.instance_names():
            places.setdefault(instance, path)
    return places


def unmoved(plan: Plan, host: Host, state: HostState) -> dict[str, t.Mapping[str, str]]:
    """The states from before the transaction that still hold.

    To ask for the whole state of every unit again, just after a reload, would cost more than all the rest of a small
    change to a large set.
    """
    touched = set(plan.touched())
    names = [name for name in state.live if name not in touched and not is_template(name)]
    seen = host.states.activity(names) if host.has_manager else {}
    kept: dict[str, t.Mapping[str, str]] = {}
    for name in names:
        before = state.live[name]
        if seen.get(before.get("Id", name)) == (before.get("ActiveState"), before.get("SubState")):
            kept[name] = before
    return kept


def kept_down(plan: Plan, state: HostState, states: States) -> list[str]:
    """The units that ran, were restarted, and are down without a failure, in words."""
    why = "ran before and is down since its restart: a condition of it is not met, or its program ended with success"
    return [
        f"{unit} {why}"
        for unit in plan.restarted()
        if states.get(unit, {}).get("ActiveState") == "inactive"
        and state.active(unit)
        and state.value(unit, "Type") != "oneshot"
    ]


def describe_units(
    places: t.Mapping[str, str], states: States, drift: t.Mapping[str, list[dict[str, str]]]
) -> dict[str, dict[str, t.Any]]:
    """``units`` of the result: an entry for each unit of ``places_of``."""
    return {name: {**_entry(states.get(name, {}), path), "drift": drift.get(name)} for name, path in places.items()}


def _entry(state: t.Mapping[str, str], path: str) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {
        "path": path,
        "load_state": state.get("LoadState", ""),
        "active_state": state.get("ActiveState", ""),
        "sub_state": state.get("SubState", ""),
        "unit_file_state": state.get("UnitFileState", ""),
        "result": state.get("Result", ""),
        "invocation_id": state.get("InvocationID", ""),
    }
    for key, name in (("main_pid", "MainPID"), ("n_restarts", "NRestarts")):
        if name in state:
            entry[key] = number_of(state, name)
    return entry
