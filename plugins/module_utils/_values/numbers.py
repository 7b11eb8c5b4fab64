# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers, sizes, time spans (``parse-util.c``, ``percent-util.c``, ``time-util.c`` of systemd 247 to 262).

Each function returns the value of a text, or raises ValueError with the reason when systemd refuses it.
"""

from __future__ import annotations

import functools
import re
import typing as t

from .._syntax.words import WHITESPACE, shorten

INT_MAX = 2**31 - 1
UINT_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1

_NUMBER = re.compile(r"[ \t\n\r\v\f]*([+-]?)([0-9a-zA-Z]+)")
_DIGITS = {
    2: re.compile("[01]+"),
    8: re.compile("[0-7]+"),
    10: re.compile("[0-9]+"),
    16: re.compile("[0-9a-fA-F]+"),
}


def quoted(text: str) -> str:
    """A text to show in a message."""
    return f"'{shorten(text)}'"


def decimal(digits: str, limit: int) -> int:
    """The number of a string of digits, however long; empty is 0."""
    digits = digits.lstrip("0") or "0"
    if len(digits) > 20 or int(digits) > limit:
        raise ValueError("the number is too large")
    return int(digits)


def parse_integer(text: str, low: int, high: int, base: int = 0) -> int:
    """A whole number from ``low`` to ``high``; base 0 takes decimal, ``0x10``, ``010`` (octal), ``0b1`` and ``0o7``."""
    rest = text.lstrip(WHITESPACE)
    if not base and rest[:2].lower() in ("0b", "0o"):
        base = 2 if rest[1] in "bB" else 8
        rest = rest[2:]
    match = _NUMBER.fullmatch(rest)
    sign, digits = match.groups() if match else ("", "-")
    if base in (0, 16) and digits[:2].lower() == "0x" and len(digits) > 2:
        base, digits = 16, digits[2:]
    if not base:
        base = 8 if digits[0] == "0" else 10
    if not _DIGITS[base].fullmatch(digits):
        raise ValueError(f"{quoted(text)} is not a whole number")
    digits = digits.lstrip("0") or "0"
    number = int(digits, base) if len(digits) <= 65 else UINT64_MAX + 1
    number = -number if sign == "-" else number
    if not low <= number <= high:
        raise ValueError(f"{shorten(text)} is out of range: from {low} to {high}")
    return number


def parse_unsigned(text: str, high: int = UINT_MAX) -> int:
    """A whole number that is not negative; ``-0`` is fine."""
    return parse_integer(text, 0, high)


def parse_mode(text: str) -> int:
    """The access mode of a file, in octal digits: ``0755``, ``4755``."""
    if text[:1] in ("+", "-"):
        raise ValueError(f"{quoted(text)} is not an octal number")
    return parse_integer(text, 0, 0o7777, 8)


_BOOLEANS = {
    **dict.fromkeys(("1", "yes", "y", "true", "t", "on"), True),
    **dict.fromkeys(("0", "no", "n", "false", "f", "off"), False),
}


def parse_bool(text: str) -> bool:
    """Yes or no in any of systemd's spellings."""
    value = _BOOLEANS.get(text.lower() if text.isascii() else text)
    if value is None:
        raise ValueError(f"{quoted(text)} is neither yes nor no")
    return value


_SUFFIXES = "EPTGMKB"
_SIZE_TERM = re.compile(r"[ \t\n\r\v\f]*([+-]?)([0-9]+)(?:\.([0-9]*))?[ \t\n\r]*([EPTGMKB]?)")


def parse_size(text: str, base: int = 1024) -> int:
    """Bytes of a size of one or more parts in falling order: ``512``, ``1.5G``, ``1G 500M``.

    :param base: 1024, or 1000 for rates.
    """
    total = used = position = 0
    while not position or position < len(text):
        match = _SIZE_TERM.match(text, position)
        if match is None:
            raise ValueError(f"{quoted(text[position:])} is not a size: a number with K, M, G, T, P or E")
        sign, whole, digits, suffix = match.groups(default="")
        if sign == "-":
            raise ValueError("a size is not negative")
        index = _SUFFIXES.index(suffix) if suffix else len(_SUFFIXES)
        if index < used:
            raise ValueError("the units of a size stand in falling order, each once")
        used = index + 1
        factor = base ** max(0, 6 - index)
        number = decimal(whole, UINT64_MAX)
        fraction = float(decimal(digits, UINT64_MAX))
        for _digit in digits if fraction else "":
            fraction /= 10  # in steps, as systemd does it: rounding counts
        if number + (fraction > 0) <= UINT64_MAX // factor:
            total += number * factor + int(fraction * factor)
        else:
            total = UINT64_MAX + 1
        if total > UINT64_MAX:
            raise ValueError("the size is too large")
        position = match.end()
    return total


def _share(text: str, symbol: str, places: int) -> int:
    # In units of the last decimal place: 1.5 with two places is 150.
    if not text.endswith(symbol):
        raise ValueError(f"{quoted(text)} does not end in {symbol}")
    whole, point, fraction = text[: -len(symbol)].partition(".")
    if not places:
        whole, fraction, point = whole + point + fraction, "", ""
    if point and not (0 < len(fraction) <= places and fraction.isascii() and fraction.isdigit()):
        raise ValueError(f"a percentage has at most {places} digits after the point")
    number = int(parse_integer(whole, 0, INT_MAX) * 10**places) + int(fraction.ljust(places, "0") or "0")
    if number > INT_MAX:
        raise ValueError("the number is too large")
    return number


def parse_permyriad(text: str, release: int = 262, bounded: bool = True) -> int:
    """Hundredths of a percent of ``50%``, ``0.5%``, ``5\u2030`` or (since 248) ``1.25%`` and ``5\u2031``.

    :param bounded: refuse more than 100 %.
    """
    fine = release >= 248
    if fine and text.endswith("\u2031"):
        value = _share(text, "\u2031", 0)
    elif text.endswith("\u2030"):
        value = _share(text, "\u2030", 1) if fine else 10 * _share(text, "\u2030", 0)
    else:
        value = _share(text, "%", 2) if fine else 10 * _share(text, "%", 1)
    if bounded and value > 10000:
        raise ValueError(f"{shorten(text)} is more than 100%")
    return value


def parse_percent(text: str) -> int:
    """Whole percent up to 100: ``50%``."""
    value = _share(text, "%", 0)
    if value > 100:
        raise ValueError(f"{shorten(text)} is more than 100%")
    return value


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
