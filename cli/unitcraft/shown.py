# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of others as a terminal and the log of a CI may show it: it may have been written to fool both."""

from __future__ import annotations

import sys

# Azure and older runners of GitHub take this for a command wherever it stands in a line.
_COMMAND = "##["


def on_one_line(text: str) -> str:
    """The text with what is not printable as in a Python literal, and without commands for a CI."""
    if not text.isprintable():
        text = "".join(map(_character, text))
    if text.startswith("::"):  # a command for GitHub at the start of a line
        text = f"./{text}"
    return text.replace(_COMMAND, "##\\[")


def _character(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def say(command: str, words: str) -> None:
    """Tell the user something that is not the result."""
    print(f"unitcraft {command}: {on_one_line(words)}", file=sys.stderr)


def in_json(text: str) -> str:
    """JSON without commands for a CI. The value stays the same."""
    return text.replace(_COMMAND, "##\\u005b")


def in_xml(text: str) -> str:
    """XML without commands for a CI. The value stays the same."""
    return text.replace(_COMMAND, "##&#91;")
