# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of what was deployed: what it says of this task's units, and what it says after the task."""

from __future__ import annotations

import hashlib
import time
import typing as t

from .._engine import drift
from .._engine.desired import DesiredUnit
from .._engine.plan import Plan
from .._engine.state import HostState
from .._model import MISSING, File
from .._syntax.names import instance_name
from .._syntax.words import from_bytes

Record = dict[str, dict[str, t.Any]]  # path -> entry, as Store.read_record documents it


def trigger_sums(record: Record) -> dict[str, dict[str, str]]:
    """``{unit: {path: checksum}}`` of the triggers when the unit was deployed."""
    sums: dict[str, dict[str, str]] = {}
    for entry in record.values():
        if entry.get("sums"):
            sums.setdefault(entry["unit"], {}).update(entry["sums"])
    return sums


def drift_by_unit(
    state: HostState, desired: t.Sequence[DesiredUnit], record: Record
) -> dict[str, list[dict[str, str]]]:
    """What was changed by hand since the last run, for each declared unit of which that run has left a record."""
    deployed: dict[str, Record] = {unit.name: {} for unit in desired}
    for path, entry in record.items():
        if entry["unit"] in deployed and path.startswith(f"{state.folder}/"):
            deployed[entry["unit"]][path] = entry
    found = {}
    for name, entries in deployed.items():
        if entries:
            own = sorted(path for path in state.dropins_of(name) if state.files[path].kind == "file")
            files = {path: state.files.get(path, MISSING) for path in {*entries, *own}}
            texts = {path: from_bytes(file.data) if file.kind == "file" else None for path, file in files.items()}
            present = drift.DriftState(texts, own, drift.state_of(state.live.get(name, {})))
            found[name] = drift.compare(name, entries, present)
    return found


def record_after(
    record: Record, plan: Plan, state: HostState, desired: t.Sequence[DesiredUnit], params: t.Mapping[str, t.Any]
) -> Record | None:
    """The record as it shall be after this run; None when it stays as it is."""
    after = {change.path: change.after for change in plan.changes}
    new = {path: entry for path, entry in record.items() if after.get(path, File("file")).kind != "missing"}
    for unit in desired:
        old = record.get(unit.path, {})
        if unit.removes:
            new.pop(unit.path, None)
        elif unit.state == "absent" and old:
            left = [instance for instance in old.get("instances", ()) if instance not in unit.instances]
            new[unit.path] = {**old, "instances": left}
        if unit.state == "absent" or not (unit.text is not None or unit.triggers or old):
            continue
        file = after.get(unit.path, state.files.get(unit.path, MISSING))
        entry = _entry(unit, file, state, params)
        if unit.text is None:  # it adds to what an earlier task said of the unit
            entry = {**entry, **_kept(unit, old)}
        entry["sums"] = {**old.get("sums", {}), **entry["sums"]}
        if {key: old.get(key) for key in entry} != entry:
            new[unit.path] = {**entry, "time": int(time.time())}
    return new if new != record else None


def _kept(unit: DesiredUnit, old: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What an item without a text does not speak of."""
    silent = [name for name in ("enabled", "masked") if getattr(unit, name) is None]
    silent += [] if unit.state != "present" else ["state"]
    silent += [] if unit.instances else ["instances"]
    return {name: old[name] for name in ("dropin", "set", "sha256", "text", *silent) if name in old}


def dropped_instances(record: Record, desired: t.Sequence[DesiredUnit]) -> list[tuple[DesiredUnit, str]]:
    """The instances that the last run listed for a template and this one does not, each with the template's item."""
    own = {unit.name for unit in desired}
    return [
        (unit, instance_name(unit.name, instance))
        for unit in desired
        if unit.text is not None and not unit.dropin and unit.state != "absent"
        for instance in record.get(unit.path, {}).get("instances", ())
        if instance not in unit.instances and instance_name(unit.name, instance) not in own
    ]


def _entry(unit: DesiredUnit, file: File, state: HostState, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        "unit": unit.name,
        "dropin": unit.dropin,
        "scope": params["scope"],
        "user": params["user"] or "",
        "set": params["set_name"] or "",
        "sha256": hashlib.sha256(file.data).hexdigest() if unit.text is not None else "",
        "text": from_bytes(file.data) if unit.text is not None else None,
        "enabled": unit.enabled,
        "masked": unit.masked,
        "state": unit.state,
        "instances": list(unit.instances),
        "sums": {path: state.trigger_sums.get(path, "") for path, _reload in unit.triggers},
    }
