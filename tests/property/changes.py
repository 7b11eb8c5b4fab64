# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of an item that is declared anew: other words, another program, another state. Pure."""

from __future__ import annotations

import copy
import functools
import typing as t

from property.world import FAILS, FILES, LINKS, RELEASED, SERVICES, VERSIONS, Item, weighted

kinds = weighted(
    (1, ("description",)),
    (1, ("order",)),
    (2, ("command",)),
    (1, ("content",)),
    (1, ("version",)),
    (3, ("state",)),
    (3, ("command", "state")),
    (3, ("enabled",)),
    (3, ("reload",)),
    (2, ("install",)),
    (1, ("target",)),
    # A new command, as a unit that runs on does nothing to the others.
    (4, ("conflict", "command")),
    (4, ("conflict", "command", "break")),
    (4, ("uphold",)),
    (1, ("tie",)),
    (1, ("break", "command")),
    (3, ("mask",)),
)
OPPOSITE = {"started": "stopped", "stopped": "started"}


def changed(item: Item, kinds: t.Sequence[str], number: int) -> Item:
    """The item after changes, or after one that fits when none of them does; ``number`` is what is new in it."""
    for fitting in (kinds, ("command",), ("content",), ("version",), ("mask",), ("description",)):
        new = copy.deepcopy(item)
        for kind in fitting:
            CHANGES[kind](new, number)
        if list(map(str, new.items())) != list(map(str, item.items())):
            return new
    return item


def is_light(one: Item, other: Item) -> bool:
    """Whether two items differ in words, or in the order of keys, and in nothing that a unit could notice."""
    silent = copy.deepcopy([one, other])
    for item in silent:
        unit = item.get("sections", {}).pop("Unit", {})
        if item.get("on_change") != "restart":  # which asks for one after any change of meaning
            unit.pop("Description", None)
        item["unit"] = unit
    return silent[0] == silent[1]


def _service(item: Item) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", item.get("sections", {}).get("Service", {}))


def _describe(item: Item, number: int) -> None:
    if "sections" in item:
        item["sections"].setdefault("Unit", {})["Description"] = f"number {number}"


def _turn_around(item: Item, number: int) -> None:
    if "sections" in item:
        item["sections"] = dict(reversed(item["sections"].items()))


def _run_another(item: Item, number: int) -> None:
    if str(_service(item).get("ExecStart", "")).startswith("/bin/sleep 1"):
        _service(item)["ExecStart"] = f"/bin/sleep {number}"


def _write_another(item: Item, number: int) -> None:
    for file in item.get("files", ()):
        file["content"] = f"{number}\n" if file["path"].startswith(FILES) else file["content"]


def _release_another(item: Item, number: int) -> None:
    if item["name"] == RELEASED and "release" in item:
        version = VERSIONS[number % len(VERSIONS)]
        source = item["release"]["remote_src"].rpartition("/")[0]
        item["release"].update(version=version, remote_src=f"{source}/{version}")


def _turn_state(item: Item, number: int) -> None:
    if item.get("state") in OPPOSITE:
        item["state"] = OPPOSITE[item["state"]]


def _turn_enabled(item: Item, number: int) -> None:
    if isinstance(item.get("enabled"), bool):
        item["enabled"] = not item["enabled"]


def _reload(item: Item, number: int) -> None:
    if "Service" in item.get("sections", {}):
        _service(item)["ExecReload"] = "/bin/true" if number % 2 else FAILS
        item["state"] = "reloaded"


def _leave_install(item: Item, number: int) -> None:
    item.get("sections", {}).pop("Install", None)


def _change_target(item: Item, number: int) -> None:
    if "WantedBy" in item.get("sections", {}).get("Install", {}):
        item["sections"]["Install"]["WantedBy"] = "graphical.target"


def _tie(item: Item, number: int, link: str = "") -> None:
    others = [other for other in SERVICES if other != item["name"]]
    if _service(item) and len(others) < len(SERVICES):
        item["sections"].setdefault("Unit", {})[link or LINKS[number % len(LINKS)]] = others[number % len(others)]


def _break(item: Item, number: int) -> None:
    """Let the unit fail at its next start, or no more."""
    if "ExecStart" in _service(item) and not item.get("dropin"):
        if not _service(item).pop("ExecStartPre", None):
            _service(item)["ExecStartPre"] = FAILS
        item["state"] = "started"


def _turn_mask(item: Item, number: int) -> None:
    if item.get("masked") is False:
        item.update(masked=True)
        for option in ("enabled", "state"):
            item.pop(option, None)
    elif item.get("masked"):
        item.update(masked=False, enabled=True, state="started")


CHANGES: dict[str, t.Callable[[Item, int], None]] = {
    "description": _describe,
    "order": _turn_around,
    "command": _run_another,
    "content": _write_another,
    "version": _release_another,
    "state": _turn_state,
    "enabled": _turn_enabled,
    "reload": _reload,
    "install": _leave_install,
    "target": _change_target,
    "tie": _tie,
    "conflict": functools.partial(_tie, link="Conflicts"),
    "uphold": functools.partial(_tie, link="Upholds"),
    "break": _break,
    "mask": _turn_mask,
}
