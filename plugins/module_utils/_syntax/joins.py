# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How several values of one directive come together."""

from __future__ import annotations

from .. import _catalog


def joins_of(section: str, directive: str) -> str:
    """How several values of a directive come together: the catalogue's word, ``lines`` for unknown directives."""
    if section == "Install":
        return "single" if directive == "DefaultInstance" else "words"
    entry = _catalog.get(section, directive)
    return entry.joins if entry is not None else "lines"
