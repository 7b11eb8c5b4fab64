# SPDX-License-Identifier: GPL-3.0-or-later

"""What a set is after a plan, as items of a generation, and back to what a plan takes. No I/O."""

from __future__ import annotations

import posixpath
import typing as t

from .._model import MISSING, Change, File
from .._syntax.words import from_bytes
from .desired import DesiredFile, DesiredUnit, why_pruned
from .plan import Plan
from .release_plan import Release
from .state import HostState

Item = t.Mapping[str, t.Any]
_OPTIONS = ("name", "path", "dropin", "state", "enabled", "masked", "instances", "on_change", "triggers", "health")


def items_after(
    before: t.Sequence[Item], plan: Plan, state: HostState, desired: t.Sequence[DesiredUnit]
) -> list[dict[str, t.Any]]:
    """The items of a set after a plan: those from before it, and in their place those that the task declares.

    An item is what DesiredUnit holds, with the bytes that stand on the disk, and ``linked``: whether links enable it.
    """
    items = {_key(item): dict(item) for item in before}
    known = {file["path"]: file.get("found") for item in before for file in item["files"]}
    after = {change.path: change.after for change in plan.written()}
    done: set[tuple[str, str]] = set()
    for unit in desired:
        if (unit.name, unit.dropin) in done:
            continue  # the rest of what a set no longer declares
        done.add((unit.name, unit.dropin))
        old = items.pop((unit.name, unit.dropin), {})
        if not _goes(unit):
            item = _item(unit, old, after, state)
            item["files"] = [*_files_after(old, unit, plan, state, known).values()]
            items[unit.name, unit.dropin] = item
    return list(items.values())


def left_of(
    before: t.Sequence[Item], desired: t.Sequence[DesiredUnit], whole: bool, exists: t.Callable[[str], bool]
) -> list[Item]:
    """The items of the present generation that are still of the set: a unit may be gone since, by another task.

    :param whole: whether the task declares all of the set, and what it does not speak of is none of it.
    :param exists: whether something is at a path.
    """
    spoken_of = {(unit.name, unit.dropin) for unit in desired}
    return [
        item
        for item in before
        if _key(item) in spoken_of or not (whole or (item["text"] is not None and not exists(item["path"])))
    ]


def is_over(before: t.Sequence[Item], desired: t.Sequence[DesiredUnit]) -> bool:
    """Whether a task leaves nothing of a set."""
    gone = {(unit.name, unit.dropin) for unit in desired if _goes(unit)}
    return all(_goes(unit) for unit in desired) and gone.issuperset(map(_key, before))


def _goes(unit: DesiredUnit) -> bool:
    return unit.removes or bool(unit.pruned_of)


def _key(item: Item) -> tuple[str, str]:
    return item["name"], item["dropin"]


def _item(unit: DesiredUnit, old: Item, after: t.Mapping[str, File], state: HostState) -> dict[str, t.Any]:
    item: dict[str, t.Any] = {name: getattr(unit, name) for name in _OPTIONS}
    item["triggers"] = [list(trigger) for trigger in unit.triggers]
    file = after.get(unit.path, state.files.get(unit.path, MISSING))
    item["text"] = old.get("text")
    if unit.text is not None:
        item["text"] = from_bytes(file.data)
    if unit.swap:
        item["swap"] = dict(unit.swap)
    item["linked"] = bool(state.links_of(unit.name)) if unit.enabled is None else unit.enabled
    return item


def _files_after(
    old: Item, unit: DesiredUnit, plan: Plan, state: HostState, known: t.Mapping[str, t.Any]
) -> dict[str, dict[str, t.Any]]:
    """The files of an item: what it does not declare any more is still there.

    One that was removed is an item too, so that a rollback has it again: what no declaration removes any more is left.

    :param known: what stood at the paths that are of the set already.
    """
    files = {file["path"]: {**file, "left": file["kind"] == "missing"} for file in old.get("files", ())}
    removed = {path for path, file in files.items() if file["left"]}
    after = {change.path: change.after for change in plan.files}
    declared = {file.path: file for file in unit.files}
    made = [change.path for change in plan.files if change.unit == unit.name and change.path not in declared]
    for path in [*(path for path in made if after[path].kind == "directory"), *declared]:
        file = declared.get(path) or DesiredFile("", path, "directory", only_new=True)
        found = state.places.get(path, MISSING)
        now = after.get(path, found)
        is_ours, is_gone = path in known, now.kind == "missing"
        is_removed = path in removed if is_ours else found.kind != "missing"
        if file.left or (is_gone and not is_removed):
            files.pop(path, None)
            continue
        stood = known.get(path)
        is_kept = found.kind != "missing" and not (is_gone and found.kind == "directory")
        if is_kept and not is_ours and not file.of_release:
            stood = _traits(found)
        files[path] = {**file._asdict(), **_traits(now), "place": "", "validate": [], "found": stood}
    return files


def _traits(file: File) -> dict[str, t.Any]:
    """What a generation holds of a file."""
    traits = {name: getattr(file, name) for name in ("kind", "digest", "size", "target", "uid", "gid", "mode")}
    return {**traits, "mode": None} if file.kind == "link" else traits


def prune_without_file(
    items: t.Sequence[Item], desired: t.Sequence[DesiredUnit], set_name: str, has_fragment: t.Callable[[str], bool]
) -> list[DesiredUnit]:
    """Have the units stopped that a set has and declares no more, and whose file somebody has removed by hand.

    :param has_fragment: whether a file of that name is left, which then is the unit of somebody else.
    """
    declared = {unit.name for unit in desired if not unit.dropin}
    reason = why_pruned(set_name)
    return [
        DesiredUnit(item["name"], item["path"], state="absent", reason=reason, pruned_of=set_name)
        for item in items
        if not item["dropin"]
        and item["text"] is not None
        and item["name"] not in declared
        and not has_fragment(item["name"])
    ]


def prune_files(
    items: t.Sequence[Item], desired: t.Sequence[DesiredUnit], set_name: str, others: t.Callable[[], t.Container[str]]
) -> list[DesiredUnit]:
    """Have the files removed that a set has brought along and declares no more; no folder is among them.

    :param others: gives the paths of the files that other sets have; they stay. Asked only when something goes.
    :returns: items for what the task does not speak of otherwise.
    """
    declared = {file.path for unit in desired for file in unit.files}
    units = {(unit.name, unit.dropin): unit for unit in desired}
    found = []
    gone = [
        (item, file["path"], file["of_release"])
        for item in items
        for file in item["files"]
        if file["path"] not in declared and file["kind"] not in ("directory", "missing")
    ]
    kept: t.Container[str] = others() if gone else ()
    for item, path, of_release in gone:
        unit = units.get(_key(item))
        if unit is None or (of_release and unit.release):
            unit = DesiredUnit(item["name"], item["path"], item["dropin"], position=len(desired), pruned_of=set_name)
            units[_key(item)] = unit
            found.append(unit)
        place, left = why_pruned(set_name), path in kept
        if of_release and not left:
            unit.release = Release(posixpath.dirname(path), "", gone=True)
        unit.files.append(DesiredFile(place, path, "missing", left=left, of_release=of_release))
    return found


def shared_files(changes: t.Iterable[Change], others: t.Mapping[str, Item]) -> list[str]:
    """In words which files another set has otherwise than these changes leave them.

    :param others: see ``files_of_others``.
    """
    return [
        f"{change.path}: set {others[change.path]['set']} declares it, too, and otherwise; whichever is deployed last"
        " stands there. Declare it in one of them"
        for change in changes
        if change.path in others and not _is_same(_traits(change.after), others[change.path])
    ]


def _is_same(one: Item, other: Item) -> bool:
    """Whether two files hold the same."""
    return all(one[trait] == other[trait] for trait in ("kind", "digest", "target"))


def desired_again(
    target: t.Sequence[Item], current: t.Sequence[Item], others: t.Mapping[str, Item], number: int, health: t.Any
) -> list[DesiredUnit]:
    """What leads from one generation to another.

    :param others: the files that other sets have, see ``files_of_others``; they stay.
    :param target: the items of the generation to reach; ``current``: those of the one that the host is in.
    :param health: option ``health`` in the place of that of the items; None for theirs.
    """
    reason = f"generation {number} does not have it"
    desired = []
    now = {_key(item): item for item in current}
    for position, item in enumerate(target):
        old = now.pop(_key(item), {})
        desired.append(_desired(item, old, position, health))
    for item in now.values():
        removed = DesiredUnit(
            item["name"], item["path"], item["dropin"], state="absent" if item["text"] is not None else "present"
        )
        removed.reason = reason
        removed.position = len(desired)
        desired.append(removed)
    kept = {file["path"] for item in target for file in item["files"]}
    for unit in desired:
        unit.files += [
            _before(file, f"generation {number}", others)
            for item in current
            if _key(item) == (unit.name, unit.dropin)
            for file in item["files"]
            if file["path"] not in kept
        ]
    return desired


def _before(file: Item, place: str, others: t.Mapping[str, Item]) -> DesiredFile:
    """What stood in the place of a file before the set had it: what somebody else had put there, or nothing."""
    path, left = file["path"], file["path"] in others
    found = file.get("found")
    if found:
        is_private = not (found["mode"] or 0o777) & 0o077
        left = left and not _is_same(found, others[path])
        return DesiredFile(place, path, left=left, secret=file["secret"] or is_private, **found)
    left = left or file["kind"] == "missing"
    return DesiredFile(place, path, "missing", only_new=file["kind"] == "directory", left=left)


def _desired(item: Item, old: Item, position: int, health: t.Any) -> DesiredUnit:
    # What a later generation has set goes back to what it was; what no generation speaks of is left alone.
    enabled = item["enabled"]
    if enabled is None and old.get("enabled") is not None:
        enabled = item["linked"]
    masked = item["masked"]
    if masked is None and old.get("masked"):
        masked = False
    return DesiredUnit(
        name=item["name"],
        path=item["path"],
        dropin=item["dropin"],
        text=item["text"],
        by_meaning=False,
        state="started" if item["state"] in ("restarted", "reloaded") else item["state"],
        enabled=enabled,
        masked=masked,
        instances=item["instances"],
        on_change=item["on_change"],
        triggers=[(trigger[0], trigger[1]) for trigger in item["triggers"]],
        health=health if health is not None else item["health"],
        position=position,
        files=[DesiredFile(**{**file, "validate": (), "place": file["path"]}) for file in item["files"]],
        swap=item.get("swap"),
    )
