# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which variables of a role are of another kind than its argument_specs say.

Ansible takes a text for a list or a mapping there when it can be split, and leaves the variable a text.
"""

from __future__ import annotations

import typing as t

_REMEDIES = {"list": "write a list, such as [one, two]", "dict": "write a mapping, such as {name: value}"}


def wrong_kinds(values: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any], where: str = "") -> list[str]:
    """A sentence for each value that is no list, or no mapping, where one is asked for. None shows a value.

    :param options: as in argument_specs, of the variables or of a mapping within one.
    :param where: what comes before a name.
    """
    wrong = []
    for name, option in options.items():
        if values.get(name) is not None:
            wrong += _wrong(values[name], option, where + name)
    return wrong


def _wrong(value: t.Any, option: t.Mapping[str, t.Any], called: str) -> list[str]:
    kind = option["type"]
    if kind not in _REMEDIES:
        return []
    if not (isinstance(value, t.Mapping) if kind == "dict" else isinstance(value, (list, tuple))):
        return [f"{called} is no {'mapping' if kind == 'dict' else 'list'}: {_REMEDIES[kind]}"]
    if kind == "dict":
        return wrong_kinds(value, option.get("options", {}), f"{called}.")
    item = {**option, "type": option.get("elements", "raw")}
    return [one for position, each in enumerate(value) for one in _wrong(each, item, f"{called}[{position}]")]
