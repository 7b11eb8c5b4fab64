# SPDX-License-Identifier: GPL-3.0-or-later

"""Time spans: ``1h 30min`` (systemd.time(7), "Parsing Time Spans"; ``parse_time()`` of systemd 247 to 262)."""

from __future__ import annotations

import functools
import re
import typing as t

from .._syntax.text import WHITESPACE
from .numbers import decimal

INFINITY = 2**64 - 1  # systemd's USEC_INFINITY

# A month has 30.44 days, a year 365.25.
_MICROSECONDS = {
    "seconds second sec s": 1_000_000,
    "minutes minute min m": 60_000_000,
    "months month M": 2_629_800_000_000,
    "msec ms": 1_000,
    "hours hour hr h": 3_600_000_000,
    "days day d": 86_400_000_000,
    "weeks week w": 604_800_000_000,
    "years year y": 31_557_600_000_000,
    "usec us \u00b5s \u03bcs": 1,
}
_UNITS = {word: size for words, size in _MICROSECONDS.items() for word in words.split()}
_NANO_UNITS = {**{word: size * 1000 for word, size in _UNITS.items()}, "nsec": 1, "ns": 1}


def _term_pattern(units: t.Iterable[str]) -> re.Pattern[str]:
    longest_first = "|".join(sorted(units, key=len, reverse=True))
    return re.compile(
        r"[ \t\n\r]*(?P<whole>[\v\f \t\n\r]*\+?[0-9]+|(?=\.))(?P<fraction>\.[0-9]+)?(?!\.)"
        rf"(?P<rest>[ \t\n\r]*)(?P<unit>{longest_first})?"
    )


_TERM = _term_pattern(_UNITS)
_NANO_TERM = _term_pattern(_NANO_UNITS)


def _parse(text: str, pattern: re.Pattern[str], units: dict[str, int], default: int, release: int) -> int:
    if release < 250 and "\u03bcs" in text:
        raise ValueError("the Greek letter mu comes with systemd 250: write us")
    text = text.strip(WHITESPACE)
    if text == "infinity":
        return INFINITY
    if not text:
        raise ValueError("the time span is missing")
    total = position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise ValueError(f"'{text[position : position + 20]}' is not a number with a unit of time")
        fraction = match.group("fraction") or ""
        position = match.end()
        unit = match.group("unit")
        if unit is None and not match.group("rest") and position < len(text):
            raise ValueError(f"'{text[position : position + 20]}' is not a unit of time")
        size = units[unit] if unit else default
        whole = decimal((match.group("whole") or "").strip(" \t\n\r\v\f+"), 2**63 - 1)
        if whole < INFINITY // size:
            total += whole * size
        else:
            total = INFINITY
        for digit in fraction[1:20]:
            size //= 10
            total += int(digit) * size
        if total >= INFINITY:
            raise ValueError("the time span is too long")
    return total


@functools.lru_cache(maxsize=1024)  # several rules read the same directive
def parse_span(text: str, default_unit: str = "s", release: int = 262) -> int:
    """Microseconds of a time span; INFINITY for ``infinity``.

    :param default_unit: the unit of a number without one.
    :raises ValueError: when systemd refuses it.
    """
    return _parse(text, _TERM, _UNITS, _UNITS[default_unit], release)


def parse_nanoseconds(text: str, release: int = 262) -> int:
    """Nanoseconds of a time span; a bare number counts nanoseconds."""
    return _parse(text, _NANO_TERM, _NANO_UNITS, 1, release)
