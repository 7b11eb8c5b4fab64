# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which units of a history may move although nobody touches them: their program ends, or that of another unit. Pure."""

from __future__ import annotations

import typing as t

from property.world import ENDS, FAILS, INSTANCES, LINKS, SICK

Items = t.Sequence[t.Mapping[str, t.Any]]
Ties = dict[str, set[tuple[str, str]]]  # unit: (directive, other unit)


def units_of(item: t.Mapping[str, t.Any]) -> list[str]:
    """The units that an item speaks of; of a template all instances that the world knows."""
    name = item["name"]
    return [name.replace("@.", f"@{instance}.") for instance in INSTANCES] if "@." in name else [name]


def declared_units(item: t.Mapping[str, t.Any]) -> list[str]:
    """The units whose state an item declares: the listed instances of a template, or the unit itself."""
    return [item["name"].replace("@.", f"@{instance}.") for instance in item.get("instances", ())] or [item["name"]]


def ending(items: Items, sick: bool) -> set[str]:
    """The units whose own program ends by itself."""
    return {unit for item in items for unit in units_of(item) if _ends(item, sick)}


def _ends(item: t.Mapping[str, t.Any], sick: bool) -> bool:
    service = item.get("sections", {}).get("Service", {})
    command = str(service.get("ExecStart", ""))
    if FAILS in (command, service.get("ExecStartPre")) or item.get("release", {}).get("version") == "sick":
        return True
    if not command or service.get("RemainAfterExit"):
        return False
    return command == ENDS or "/bin/sleep " not in command or (sick and SICK in command)


def unsteady(items: Items, sick: bool) -> set[str]:
    """The units that systemd moves by itself because some program ends."""
    ends, ties = ending(items, sick), _ties(items)
    found = {unit for unit in ends if _is_started_again(unit, items, ties)}
    todo = list(found)
    while todo:
        unit = todo.pop()
        near = {other for _kind, other in ties.get(unit, ())}
        near |= {name for name, others in ties.items() if unit in {other for _kind, other in others}}
        todo += near - found
        found |= near
    while True:
        more = {
            name
            for name, others in ties.items()
            if any(kind == "BindsTo" and other in found | ends for kind, other in others)
        }
        if more <= found:
            return found
        found |= more


def _is_started_again(unit: str, items: Items, ties: Ties) -> bool:
    restarts = any(
        item.get("sections", {}).get("Service", {}).get("Restart") for item in items if unit in units_of(item)
    )
    return restarts or any(("Upholds", unit) in others for others in ties.values())


def _ties(items: Items) -> Ties:
    found: Ties = {}
    for item in items:
        for unit in units_of(item):
            body = item.get("sections", {}).get("Unit", {})
            for kind in LINKS:
                others = body.get(kind, ())
                for other in [others] if isinstance(others, str) else others:
                    found.setdefault(unit, set()).add((kind, other))
            required_by = item.get("sections", {}).get("Install", {}).get("RequiredBy")
            if required_by:
                found.setdefault(required_by, set()).add(("Requires", unit))
    return found
