# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files and commands that the README shows, for the programs that do what it says."""

from __future__ import annotations

import re
import typing as t

from tools.toolchain import CHECKOUT

_BLOCK = re.compile(r"^```([a-z]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"# ([\w.]+)\n")


class Command(t.NamedTuple):
    """A line after ``$``, and the lines below it: what it prints."""

    text: str
    prints: list[str]


def files() -> dict[str, str]:
    """The texts that begin with a comment of the name of their file."""
    named = ((_FILE_NAME.match(text), text) for _language, text in _BLOCK.findall(_text()))
    return {name[1]: text for name, text in named if name}


def consoles(section: str) -> list[list[Command]]:
    """The blocks of commands below a heading."""
    (below,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", _text(), re.MULTILINE | re.DOTALL)
    return [_commands(text) for language, text in _BLOCK.findall(below) if language == "console"]


def _commands(text: str) -> list[Command]:
    found: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], []))
        else:
            found[-1].prints.append(line)
    return found


def _text() -> str:
    return (CHECKOUT / "README.md").read_text(encoding="utf-8")
