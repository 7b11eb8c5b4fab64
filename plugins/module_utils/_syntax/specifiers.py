# SPDX-License-Identifier: GPL-3.0-or-later

"""Specifiers that depend on the unit's name alone (systemd.unit(5), "SPECIFIERS"; unit-printf.c, install-printf.c).

The answers were compared with systemd 247 to 262 (tests/unit/cases/syntax/specifiers.yml).
"""

from __future__ import annotations

import functools
import re
import typing as t

from .names import split_unit_name, unit_unescape
from .text import UnitSyntaxError

NAME_SPECIFIERS = "nNpPiIjJf"  # in values
# In names of units (dependencies, [Install]); systemd refuses the escaped forms there, for they may hold a slash.
IN_UNIT_NAMES = "nNpij"
_SPECIFIER = re.compile("%(.?)", re.DOTALL)


def replace_specifiers(text: str, resolve: t.Callable[[str], str | None]) -> str:
    """``text`` with its specifiers replaced; ``%%`` becomes ``%``, and a ``%`` at the end stays.

    :param resolve: gets the character after a ``%``; returns what stands for it, or None to leave it as it is.
    """

    def replace(match: re.Match[str]) -> str:
        letter = match.group(1)
        found = "%" if letter in ("", "%") else resolve(letter)
        return match.group() if found is None else found

    return _SPECIFIER.sub(replace, text) if "%" in text else text


def expand_specifiers(text: str, unit_name: str, letters: str = NAME_SPECIFIERS) -> str:
    """``text`` with the specifiers replaced that the unit's name resolves; others stay as they stand.

    :param unit_name: full name with suffix; ``%i`` of a template is empty.
    :param letters: the specifiers that the place knows: ``NAME_SPECIFIERS`` or ``IN_UNIT_NAMES``.
    """

    def resolve(letter: str) -> str | None:
        try:
            return name_specifier(letter, unit_name) if letter in letters else None
        except UnitSyntaxError:
            return None

    return replace_specifiers(text, resolve)


def has_other_specifiers(text: str, letters: str = NAME_SPECIFIERS) -> bool:
    """Whether ``text`` holds a specifier besides ``letters``: one that only systemd can resolve, or refuses."""
    return any(c.isalnum() and c not in letters for c in _SPECIFIER.findall(text)) if "%" in text else False


@functools.lru_cache(maxsize=512)
def name_specifier(letter: str, unit_name: str) -> str | None:
    """What one specifier stands for; None when the unit's name does not tell.

    :param letter: the character after the ``%``.
    :raises UnitSyntaxError: when the name is not escaped as systemd does it; systemd then drops the line.
    """
    prefix, instance, _suffix = split_unit_name(unit_name)
    plain = {
        "n": unit_name,
        "N": unit_name.rpartition(".")[0],
        "p": prefix,
        "i": instance or "",
        "j": prefix.rpartition("-")[2],
    }
    if letter in plain:
        return plain[letter]
    if letter in ("P", "I", "J"):
        return unit_unescape(plain[letter.lower()])
    return unit_unescape(prefix if instance is None else instance, path=True) if letter == "f" else None
