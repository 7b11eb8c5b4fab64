# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units and facts of a host as cases of lint and examples of the documentation give them."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._lint.core import HostFacts, PathFact
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import Unit
from ansible_collections.unitcraft.systemd.plugins.module_utils._syntax.lines import read_unit

_KINDS = re.compile(r"^\[(Service|Socket|Timer|Path|Mount|Automount|Swap|Slice|Scope)", re.MULTILINE)
_UNIT_COMMENT = re.compile(
    r"^# (?:/[a-z/]*/)?([\w@.-]+\.(?:service|socket|timer|path|target)(?:\.d/[\w-]+\.conf)?)\b.*\n", re.MULTILINE
)


def shown_units(example: str) -> dict[str, str]:
    """Text by name of a unit or path of a drop-in: a comment may name it, else its sections tell the type."""
    parts = _UNIT_COMMENT.split(example)
    if len(parts) > 1:
        return dict(zip(parts[1::2], parts[2::2]))
    kinds = _KINDS.findall(example)
    return {f"app.{kinds[0].lower() if kinds else 'service'}": example}


def read_units(texts: dict[str, str]) -> list[Unit]:
    """Units of a case: a key is a unit's name, or the path of a drop-in, NAME.d/DROPIN.conf."""
    units = []
    for key, text in texts.items():
        name, folder, file_name = key.partition(".d/")
        dropin = file_name.removesuffix(".conf") if folder else ""
        units.append(read_unit(name, text, key, dropin))
    return units


def read_facts(given: dict[str, t.Any] | None) -> HostFacts | None:
    if given is None:
        return None
    facts = dict(given)
    facts["paths"] = {path: read_path_fact(fact) for path, fact in given.get("paths", {}).items()}
    facts["environment_files"] = {
        pattern: [(path, read_path_fact(fact)) for path, fact in found.items()]
        for pattern, found in given.get("environment_files", {}).items()
    }
    return HostFacts(**facts)


def read_path_fact(given: dict[str, t.Any]) -> PathFact:
    return PathFact(
        given["kind"], int(given.get("mode", "0"), 8), given.get("size", 0), tuple(given.get("secrets", ()))
    )
