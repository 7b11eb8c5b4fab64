# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift: what was changed by hand since we deployed it. Pure: the record of what was deployed against what is there."""

from __future__ import annotations

import typing as t

from .._model import DOWN_OR_STOPPING, UP_OR_STARTING, WANTS_RUN

Record = t.Mapping[str, t.Mapping[str, t.Any]]


class DriftState(t.NamedTuple):
    """What is there for one unit."""

    files: t.Mapping[str, str | None]  # path -> text; None when it is gone
    dropins: t.Sequence[str]  # paths in the administrator's folders
    state: t.Mapping[str, t.Any]  # as unit_info tells it


def state_of(properties: t.Mapping[str, str]) -> dict[str, t.Any]:
    """What ``compare`` asks of a unit's state, from what ``systemctl show`` prints."""
    return {
        "unit_file_state": properties.get("UnitFileState", ""),
        "load_state": properties.get("LoadState", ""),
        "active_state": properties.get("ActiveState", ""),
        "type": properties.get("Type", ""),
        "remain_after_exit": properties.get("RemainAfterExit") == "yes",
    }


def compare(unit: str, record: Record, now: DriftState) -> list[dict[str, str]]:
    """The drift of one unit: ``{what, path, message, diff}``, in the order files, drop-ins, enablement, run state.

    ``what``: changed, removed, added, enablement or run-state.

    :param record: the entries of this unit in the record, by path.
    """
    found: list[dict[str, str]] = []
    for path, entry in sorted(record.items()):
        if entry.get("text") is not None:
            found += _file_drift(path, entry["text"], now.files.get(path))
    for path in now.dropins:
        if path not in record:
            found.append(
                _drift("added", path, "a drop-in that we did not write", _diff("", now.files.get(path) or "", path))
            )
    for path, entry in sorted(record.items()):
        if not entry.get("dropin"):
            found += _state_drift(path, entry, now.state)
    return found


def compare_file(deployed: t.Mapping[str, t.Any], now: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    """The drift of a file that a unit has brought along, in the form of ``compare``; its content is never shown.

    :param deployed: see ``committed.items_after``; ``now``: the same of what is there, of what its kind has.
    """
    path, kind = deployed["path"], deployed["kind"]
    if now["kind"] == "missing":
        return [_drift("removed", path, f"the {kind} is gone")]
    if now["kind"] != kind:
        return [_drift("changed", path, f"it is a {now['kind']}, deployed as a {kind}")]
    told = []
    if kind == "file" and deployed["digest"] != now["digest"]:
        told.append("its content is not as we wrote it")
    if kind == "link" and deployed["target"] != now["target"]:
        told.append(f"it leads to {now['target']}, deployed to {deployed['target']}")
    if kind != "link" and not deployed["only_new"]:
        if deployed["mode"] != now["mode"]:
            told.append(f"its mode is {now['mode']:04o}, deployed {deployed['mode']:04o}")
        owners = [f"{file['uid']}:{file['gid']}" for file in (now, deployed)]
        if owners[0] != owners[1]:
            told.append(f"its owner is {owners[0]}, deployed {owners[1]}")
    return [_drift("changed", path, "; ".join(told))] if told else []


def _drift(what: str, path: str, message: str, diff: str = "") -> dict[str, str]:
    return {"what": what, "path": path, "message": message, "diff": diff}


def _file_drift(path: str, deployed: str, present: str | None) -> list[dict[str, str]]:
    if present is None:
        return [_drift("removed", path, "the file is gone", _diff(deployed, "", path))]
    if present != deployed:
        return [_drift("changed", path, "the file is not as we wrote it", _diff(deployed, present, path))]
    return []


def _diff(before: str, after: str, path: str) -> str:
    import difflib  # takes longer to load than all the rest

    lines = difflib.unified_diff(_lines(before), _lines(after), path + " (deployed)", path, lineterm="")
    # What is not UTF-8 was read as lone surrogates, which no JSON may hold.
    return "\n".join(lines).encode("utf-8", "replace").decode("utf-8")


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _state_drift(path: str, entry: t.Mapping[str, t.Any], state: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    found = []
    enabled, now = entry.get("enabled"), state.get("unit_file_state") or ""
    if enabled is not None and now in ("enabled", "disabled", "enabled-runtime", "masked", "masked-runtime"):
        wanted = "enabled" if enabled else "disabled"
        is_there = now.startswith("enabled") if path.startswith("/run/") and enabled else now == wanted
        if not is_there and not (not enabled and now.startswith("masked")):
            found.append(_drift("enablement", path, f"deployed {wanted}, now {now}"))
    masked = entry.get("masked")
    if masked is not None and masked != (state.get("load_state") == "masked"):
        deployed, present = ("masked", "not masked") if masked else ("not masked", "masked")
        found.append(_drift("enablement", path, f"deployed {deployed}, now {present}"))
    active = state.get("active_state")
    brief = state.get("type") == "oneshot" and not state.get("remain_after_exit")
    if entry.get("state") in WANTS_RUN and active in DOWN_OR_STOPPING and not (brief and active == "inactive"):
        found.append(_drift("run-state", path, f"deployed {entry['state']}, now {active}"))
    if entry.get("state") == "stopped" and active in UP_OR_STARTING:
        found.append(_drift("run-state", path, f"deployed stopped, now {active}"))
    return found
