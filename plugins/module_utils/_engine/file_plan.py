# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes of the files that units bring along: programs, configuration, secrets, folders. No I/O."""

from __future__ import annotations

import posixpath
import typing as t

from .._model import MISSING, Change, File
from .desired import DesiredFile, DesiredUnit, PlanError
from .leftovers import fate
from .state import HostState

FILE_MODE, SECRET_MODE, FOLDER_MODE = 0o644, 0o600, 0o755  # of what is new and has no mode declared


def file_changes(state: HostState, items: t.Iterable[DesiredUnit]) -> list[Change]:
    """What changes the files of items, folders before what stands in them.

    :raises PlanError: when something else stands in a place.
    """
    declared: dict[str, tuple[str, DesiredFile]] = {}
    for item in items:
        for file in item.files:
            declared.setdefault(file.path, (item.name, file))  # a folder may be declared by several
    changes: dict[str, Change] = {}
    files = {path: file for path, (_unit, file) in declared.items()}
    for unit, file in sorted(declared.values(), key=lambda pair: -pair[1].path.count("/")):
        if file.left or _holds_more(file, changes, state):
            continue
        for change in _changes(unit, file, state, files):
            if not change.before.kind == change.after.kind == "directory":
                refuse_mounts(file.place, change.path, state)
            changes[change.path] = change
    for unit, file in declared.values():
        for path in _missing_parents(file, state):
            if path not in changes:
                after = File("directory", mode=FOLDER_MODE, uid=state.uid, gid=state.gid)
                reason = f"{path}: the folder of {posixpath.basename(file.path)} does not exist"
                changes[path] = Change(unit, path, MISSING, after, "write", reason, file.place)
    return sorted(changes.values(), key=lambda change: change.path.count("/"))


def _holds_more(file: DesiredFile, changes: t.Mapping[str, Change], state: HostState) -> bool:
    """Whether something else is in a folder that goes only when it is empty."""
    inner = state.below.get(file.path, {})
    return (
        file.kind == "missing" and file.only_new and (file.path in state.mounts or not changes.keys() >= inner.keys())
    )


def refuse_mounts(place: str, path: str, state: HostState) -> None:
    """Refuse to remove or replace a mount point, or a folder with one in it: the kernel would.

    :raises PlanError: with the mount point.
    """
    point = state.mounts.get(path)
    if point:
        raise PlanError(
            f"{place}: {path} cannot be removed or replaced, for {point} is a mount point; unmount it first"
        )


def differs(state: HostState, item: DesiredUnit) -> bool:
    """Whether files of an item have to change."""
    return bool(file_changes(state, [item]))


def changed_files(item: DesiredUnit, changes: t.Iterable[Change]) -> list[tuple[str, str]]:
    """``(path, on_change)`` of the files of an item that become others; owner and mode alone are nothing to a unit."""
    needs = {file.path: file.on_change for file in item.files}
    return [
        (change.path, needs[change.path])
        for change in changes
        if change.path in needs and change.after.kind != "directory" and _is_other(change.before, change.after)
    ]


def _is_other(before: File, after: File) -> bool:
    return (before.kind, before.target, before.digest) != (after.kind, after.target, after.digest)


def _missing_parents(file: DesiredFile, state: HostState) -> t.Iterator[str]:
    path = posixpath.dirname(file.path)
    while file.kind != "missing" and path in state.missing_folders:
        yield path
        path = posixpath.dirname(path)


def _changes(
    unit: str, file: DesiredFile, state: HostState, declared: t.Mapping[str, DesiredFile]
) -> t.Iterator[Change]:
    before = state.places.get(file.path, MISSING)
    inner, may_go = fate(file, before, state.below.get(file.path, {}), declared)
    for path, there in inner.items():
        if there.kind == "other" and there.size:
            raise PlanError(
                f"{file.place}: {path} is a file of over 4 GiB, of which no copy is kept; move it away first"
            )
    if not (file.old_secrets and may_go):
        _refuse_other_kinds(file, before)
    after = _after(file, before, state)
    for path, there in inner.items():
        reason = f"{path}: {file.path} is removed" if not file.old_secrets else f"{path}: it is no longer declared"
        yield Change(unit, path, there, MISSING, "remove", reason, file.place, True)
    if file.kind == "missing" and not may_go:
        return
    reason = _difference(before, after)
    if reason:
        action = "remove" if after.kind == "missing" else "write"
        yield Change(unit, file.path, before, after, action, f"{file.path}: {reason}", file.place, file.secret)


def _refuse_other_kinds(file: DesiredFile, before: File) -> None:
    if before.kind == "other":
        raise PlanError(f"{file.place}: {file.path} is a device, a socket or a file of over 4 GiB; move it away first")
    kinds = {before.kind, file.kind} - {"missing"}
    if "directory" in kinds and len(kinds) > 1:
        there, wanted = (f"a {before.kind}", f"a {file.kind}")
        target = f" to {before.target}" if before.kind == "link" else ""
        raise PlanError(f"{file.place}: {file.path} is {there}{target}, and cannot become {wanted}; move it away first")


def _after(file: DesiredFile, before: File, state: HostState) -> File:
    """The file as it shall be: what is not declared stays as it is, or is the default of a new file."""
    if file.kind == "missing":
        return MISSING
    new = before.kind != file.kind
    if file.only_new and not new:
        return before  # a folder that is there
    attributes = () if new else before.attributes
    new = new or file.secret  # whoever made the file before does not decide who reads the secret
    uid = file.uid if file.uid is not None else state.uid if new else before.uid
    gid = file.gid if file.gid is not None else state.gid if new else before.gid
    if file.kind == "link":
        return File("link", target=file.target, mode=0o777, uid=uid, gid=gid)
    default = FOLDER_MODE if file.kind == "directory" else SECRET_MODE if file.secret else FILE_MODE
    mode = file.mode if file.mode is not None else default if new else before.mode
    return File(file.kind, b"", "", mode, uid, gid, file.digest, file.size, attributes)


def _difference(before: File, after: File) -> str:
    """What changes, in words; empty when nothing does."""
    if before.kind == "missing" or after.kind == "missing":
        if before.kind == after.kind:
            return ""
        return "state: absent" if after.kind == "missing" else "it does not exist"
    if before.kind != after.kind:
        return f"it is a {before.kind} and shall be a {after.kind}"
    if before.target != after.target:
        return f"it leads to {before.target} instead of {after.target}"
    if before.digest != after.digest:
        return "its content changed"
    if before.mode != after.mode:
        return f"its mode is {before.mode:04o} instead of {after.mode:04o}"
    if (before.uid, before.gid) != (after.uid, after.gid):
        return f"its owner is {before.uid}:{before.gid} instead of {after.uid}:{after.gid}"
    return ""
