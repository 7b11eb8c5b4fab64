# SPDX-License-Identifier: GPL-3.0-or-later

"""The comment lines at the top of our files, by which we know them again."""

from __future__ import annotations

import re

from .render import RenderError
from .words import shorten

MANAGED = "# Managed by unitcraft.systemd"
_SET = "# Set: "


def header(set_name: str | None = None) -> list[str]:
    """The comment lines that mark a file as ours.

    :raises RenderError: when the name of the set would not be read back.
    """
    if set_name is None or set_name == "":
        return [MANAGED]
    if set_name != set_name.strip() or not set_name.isprintable():
        raise RenderError(f"{shorten(repr(set_name))} is not a name for a set: one line of printable text")
    return [MANAGED, _SET + set_name]


def read_header(text: str) -> tuple[bool, str]:
    """``(managed, set name)``: whether the comments at the top of a text are ours, and the set they name, if any."""
    managed = False
    for match in re.finditer(r"(#[^\r\n]*)\r?(?:\n|\Z)|[\s\S]", text):
        line = match.group(1)
        if line is None:
            break
        if line == MANAGED:
            managed = True
        elif managed and line.startswith(_SET):
            return True, line[len(_SET) :]
    return managed, ""
