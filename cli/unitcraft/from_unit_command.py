# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``unitcraft from-unit``: unit files as YAML for the module ``unitcraft.systemd.units``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._syntax.mapping import TEMPLATE, mapping_from_settings
from .errors import InputError
from .unit_files import read_units

# YAML 1.1 reads these as something else than text; so it does with what looks like a number.
_NEEDS_NO_QUOTES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/_.-@0123456789")
_OTHER_MEANING = frozenset(("yes", "no", "on", "off", "true", "false", "null", "y", "n", "~", ".inf", ".nan"))


def run(options: argparse.Namespace) -> int:
    """Print the list of units."""
    items = []
    for file, unit in read_units(options.paths):
        if unit.problems:
            problems = "; ".join(f"line {line}: {message}" for line, message in unit.problems)
            raise InputError(f"{file.path}: {problems}")
        dropin = {"dropin": file.dropin} if file.dropin else {}
        items.append({"name": file.unit, **dropin, "sections": mapping_from_settings(unit.settings)})
    sys.stdout.write("".join(f"{line}\n" for line in ["units:", *_sequence(items, "  ")]))
    return 0


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, content in value.items():
            yield from _entry(f"{indent}{_scalar(key)}:", content, indent)
    else:
        yield from _sequence(value, indent)


def _sequence(items: Sequence[Any], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, (Mapping, list)):
            first, *rest = _lines(item, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}- {_scalar(item)}"


def _entry(head: str, content: Any, indent: str) -> Iterator[str]:
    if isinstance(content, (Mapping, list)):
        if content:
            yield head
            yield from _lines(content, f"{indent}  ")
        else:
            yield f"{head} {'{}' if isinstance(content, Mapping) else '[]'}"
    else:
        yield f"{head} {_scalar(content)}"


def _scalar(value: Any) -> str:
    if isinstance(value, (bool, int)):
        return json.dumps(value)
    text = str(value)
    tag = "!unsafe " if TEMPLATE.search(text) else ""
    looks_like_text = text[:1].isalpha() or text[:1] == "/"
    if looks_like_text and _NEEDS_NO_QUOTES.issuperset(text) and text.lower() not in _OTHER_MEANING:
        return text
    # A JSON string is a string of YAML too, but for halves of characters beyond the 16-bit plane.
    return f'{tag}"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable() or character == " ":
        return character
    return f"\\U{ord(character):08X}"
