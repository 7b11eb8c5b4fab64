# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions to one loaded unit: what a directive is set to once later lines and resets are taken into account."""

from __future__ import annotations

import typing as t

from .._model import Setting, Unit
from .._syntax.specifiers import IN_UNIT_NAMES, expand_specifiers
from .._values.numbers import parse_bool


def _at(unit: Unit, section: str, directive: str) -> t.Sequence[Setting]:
    """All assignments of a directive. The rules ask for so many that each unit is sorted once; it may only grow."""
    if unit.index is None or unit.index[0] != len(unit.settings):
        places: dict[tuple[str, str], list[Setting]] = {}
        for setting in unit.settings:
            places.setdefault((setting.section, setting.directive), []).append(setting)
        unit.index = (len(unit.settings), places)
    return unit.index[1].get((section, directive), ())


def last(unit: Unit, section: str, directive: str) -> Setting | None:
    """The assignment that wins for a directive with one value; None when unset or reset by an empty one."""
    found = _at(unit, section, directive)
    return found[-1] if found and found[-1].value else None


def value(unit: Unit, section: str, directive: str, default: str = "") -> str:
    """The value that wins, or ``default``."""
    found = last(unit, section, directive)
    return found.value if found is not None else default


def every(unit: Unit, section: str, directive: str) -> list[Setting]:
    """The assignments of a list directive that count: those after the last empty one."""
    found: list[Setting] = []
    for setting in _at(unit, section, directive):
        if setting.value:
            found.append(setting)
        else:
            found.clear()
    return found


def names(unit: Unit, section: str, directive: str) -> list[tuple[str, Setting]]:
    """The unit names of a dependency directive with the assignment of each.

    An empty assignment does not reset a dependency of ``[Unit]`` (systemd.unit(5), After=), but does in ``[Install]``.
    """
    found = _at(unit, section, directive) if section == "Unit" else every(unit, section, directive)
    return [
        (expand_specifiers(word, unit.name, IN_UNIT_NAMES), setting)
        for setting in found
        for word in setting.value.split()
    ]


def truth(unit: Unit, section: str, directive: str, default: bool) -> bool:
    """A boolean directive; ``default`` when unset or not a boolean (systemd drops a bad value)."""
    result = default
    for setting in _at(unit, section, directive):
        try:
            result = parse_bool(setting.value)
        except ValueError:
            continue
    return result


def has(unit: Unit, section: str, directives: t.Iterable[str]) -> bool:
    """True when any of the directives is set to something."""
    return any(every(unit, section, directive) for directive in directives)
