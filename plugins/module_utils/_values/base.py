# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What most grammars are made of: numbers, sizes, words, specifiers, paths and names, as systemd reads them.

Each function takes a text and gives its value, or raises ValueError with the reason.
Source: ``parse-util.c``, ``extract-word.c``, ``specifier.c``, ``unit-printf.c`` and ``path-util.c`` of systemd 247 to 262.
"""

from __future__ import annotations

import re
import typing as t

from .._syntax.names import unit_unescape
from .._syntax.words import split_words, word_reader
from . import timespans as _values_time

INT_MAX = 2**31 - 1
UINT_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1
NAME_MAX = 255
PATH_MAX = 4096
LINE_MAX = 1048576  # the longest text that specifiers may make, in bytes
BLANKS = " \t\n\r"


class Context(t.NamedTuple):
    """Where a value stands: what its grammar may depend on."""

    name: str  # the directive
    section: str
    ltype: str
    release: int
    unit_name: str  # empty when it is not known
    target: str  # "system" or "user"
    earlier: t.Mapping[str, str] = {}  # values of the same section that stand above it


def byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def shorten(text: str, limit: int = 60) -> str:
    """A text to quote in a message."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


# ------------------------------------------------------------------------------------------------------------- numbers

_NUMBER = re.compile(r"[ \t\n\r\v\f]*([+-]?)([0-9a-zA-Z]+)")
_DIGITS = {
    2: re.compile("[01]+"),
    8: re.compile("[0-7]+"),
    10: re.compile("[0-9]+"),
    16: re.compile("[0-9a-fA-F]+"),
}


def parse_integer(text: str, low: int, high: int, base: int = 0) -> int:
    """A whole number as ``strtol()`` reads it. Base 0 takes ``0x10``, ``010`` (octal), ``0b1`` and ``0o7``.

    :raises ValueError: when the text is no such number, or lies outside of ``low`` to ``high``.
    """
    rest = text.lstrip(BLANKS)
    if not base and rest[:2].lower() in ("0b", "0o"):
        base = 2 if rest[1] in "bB" else 8
        rest = rest[2:]
    match = _NUMBER.fullmatch(rest)
    if match is None:
        raise ValueError("'%s' is no whole number" % shorten(text))
    sign, digits = match.groups()
    if base in (0, 16) and digits[:2].lower() == "0x" and len(digits) > 2:
        base, digits = 16, digits[2:]
    if not base:
        base = 8 if digits[0] == "0" else 10
    if not _DIGITS[base].fullmatch(digits):
        raise ValueError("'%s' is no whole number" % shorten(text))
    digits = digits.lstrip("0") or "0"
    number = int(digits, base) if len(digits) <= 65 else UINT64_MAX + 1
    number = -number if sign == "-" else number
    if not low <= number <= high:
        raise ValueError("%s is out of range: from %d to %d" % (shorten(text), low, high))
    return number


def parse_unsigned(text: str, high: int = UINT_MAX, base: int = 0) -> int:
    """A number that is not negative; ``-0`` is fine."""
    return parse_integer(text, 0, high, base)


_TRUE = frozenset(("1", "yes", "y", "true", "t", "on"))
_FALSE = frozenset(("0", "no", "n", "false", "f", "off"))


def parse_bool(text: str) -> bool:
    """Yes or no in any of systemd's spellings, upper case too.

    :raises ValueError: when it is neither.
    """
    lower = text.lower() if text.isascii() else text
    if lower in _TRUE:
        return True
    if lower in _FALSE:
        return False
    raise ValueError("'%s' is neither yes nor no" % shorten(text))


_SIZE_SUFFIXES = "EPTGMKB"
_SIZE_TERM = re.compile(
    r"[ \t\n\r\v\f]*(?P<sign>[+-]?)(?P<whole>[0-9]+)(?:\.(?P<fraction>[0-9]*))?[ \t\n\r]*(?P<suffix>[EPTGMKB]?)"
)


def parse_size(text: str, base: int = 1024) -> int:
    """Bytes of a size such as ``1.5G`` or ``1G 512M``; suffixes in falling order.

    :param base: 1024, or 1000 for rates.
    :raises ValueError: when systemd does not take it.
    """
    total = 0
    used = 0
    position = 0
    while True:
        match = _SIZE_TERM.match(text, position)
        if match is None:
            raise ValueError("'%s' is no size: a number with K, M, G, T, P or E" % shorten(text[position:]))
        if match.group("sign") == "-":
            raise ValueError("a size is not negative")
        suffix = match.group("suffix")
        index = _SIZE_SUFFIXES.index(suffix) if suffix else len(_SIZE_SUFFIXES)
        if index < used:
            raise ValueError("the units of a size come in falling order, each once")
        used = index + 1
        factor = base ** max(0, 6 - index)
        whole = _values_time.decimal(match.group("whole"), UINT64_MAX)
        digits = match.group("fraction") or ""
        fraction = _values_time.decimal(digits, UINT64_MAX)
        if whole + (1 if fraction else 0) > UINT64_MAX // factor:
            raise ValueError("the size is too large")
        total += whole * factor + (fraction * factor // 10 ** len(digits) if len(digits) < 40 else 0)
        if total > UINT64_MAX:
            raise ValueError("the size is too large")
        position = match.end()
        if position >= len(text):
            return total


def _parts(text: str, symbol: str, places: int) -> int:
    """A number before a sign, in units of its last decimal place: 1.5 with two places is 150."""
    if not text.endswith(symbol):
        raise ValueError("'%s' does not end in %s" % (shorten(text), symbol))
    whole, point, fraction = text[: -len(symbol)].partition(".")
    if not places:
        whole, fraction, point = text[: -len(symbol)], "", ""
    if point and not (0 < len(fraction) <= places and fraction.isascii() and fraction.isdigit()):
        raise ValueError("a percentage has at most %d digits after the point" % places)
    number = parse_integer(whole, 0, INT_MAX) * 10**places + int(fraction.ljust(places, "0") or "0")
    if number > INT_MAX:
        raise ValueError("the number is too large")
    return number


def parse_permyriad(text: str, release: int = 262, bounded: bool = True) -> int:
    """Hundredths of a percent of ``50%``, ``0.5%``, ``5\u2030`` or (since 248) ``1.25%`` and ``5\u2031``.

    :param bounded: refuse more than 100 %.
    :raises ValueError: when it is none of these.
    """
    fine = release >= 248
    if fine and text.endswith("\u2031"):
        value = _parts(text, "\u2031", 0)
    elif text.endswith("\u2030"):
        value = _parts(text, "\u2030", 1) if fine else 10 * _parts(text, "\u2030", 0)
    else:
        value = _parts(text, "%", 2) if fine else 10 * _parts(text, "%", 1)
    if bounded and value > 10000:
        raise ValueError("%s is more than 100%%" % shorten(text))
    return value


def parse_percent(text: str, bounded: bool = True) -> int:
    """Whole percent."""
    value = _parts(text, "%", 0)
    if bounded and value > 100:
        raise ValueError("%s is more than 100%%" % shorten(text))
    return value


# ------------------------------------------------------------------------------------------------- words, specifiers


def words(
    text: str, unquote: bool = True, cunescape: bool = False, retain_escape: bool = False, separators: str = BLANKS
) -> list[str]:
    """The words of a value as ``extract_first_word()`` finds them; other separators than blanks are not coalesced.

    :raises ValueError: for an unclosed quote, an unknown escape or a backslash at the end.
    """
    return split_words(
        text,
        unquote=unquote,
        cunescape=cunescape,
        retain_escape=retain_escape,
        separators=separators,
        coalesce=separators == BLANKS,
    )


def first_word(text: str, separators: str = BLANKS, unquote: bool = False) -> tuple[str | None, str]:
    """The first word and what follows it."""
    reader = word_reader(separators, unquote, False, False, False, False, separators == BLANKS)
    word, position = reader.word(text, 0) if text else (None, -1)
    return word, text[position:] if position >= 0 else ""


_PERCENT = re.compile("%(.?)", re.DOTALL)
# What stands in for values that only the host knows; only the form and that it is not empty count. The slice (%r) is
# not yet known when a line is read: it is the root of all groups then, whose path is empty.
_HOST = {
    "a": "x86-64", "b": "b" * 32, "g": "root", "G": "0", "H": "host", "h": "/root", "l": "host", "m": "0" * 32,
    "o": "linux", "q": "host", "s": "/bin/sh", "T": "/tmp", "u": "root", "U": "0", "v": "6.1", "V": "/var/tmp",
    "w": "1", "A": "", "B": "", "M": "", "W": "", "C": "/var/cache", "D": "/usr/share", "d": "/run/credentials/unit",
    "E": "/etc", "L": "/var/log", "S": "/var/lib", "t": "/run", "c": "/system.slice/unit", "r": "",
    "R": "", "y": "/etc/systemd/system/unit", "Y": "/etc/systemd/system",
}  # fmt: skip
_SPECIFIER_SINCE = {"A": 249, "M": 249, "q": 251, "y": 251, "Y": 251, "d": 251, "D": 256}
_IN_NAMES = frozenset("abgGHijlmnNopquUvwWABM")  # the specifiers that unit names may hold


class SpecifierError(ValueError):
    """A specifier that the release does not know, or a text that grows too long."""


def expand(text: str, context: Context, limit: int = LINE_MAX, name: bool = False) -> str:
    """The text with its specifiers replaced; what depends on the host is replaced by something of its form.

    :param limit: the most bytes that the result may have.
    :param name: the text is the name of a unit, in which fewer specifiers are known.
    :raises SpecifierError: for a letter or digit after ``%`` that is no specifier.
    """

    def replace(match: re.Match[str]) -> str:
        letter = match.group(1)
        if letter in ("", "%"):
            return "%"
        if not (letter.isascii() and letter.isalnum()):
            return match.group()
        known = letter in _HOST or letter in "fIiJjNnPp"
        since = _SPECIFIER_SINCE.get(letter, 0)
        if not known or since > context.release or (name and letter not in _IN_NAMES):
            reason = "comes with systemd %d" % since if known and since > context.release else "is not known here"
            raise SpecifierError("the specifier %%%s %s: write %%%% for a percent sign" % (letter, reason))
        return _HOST[letter] if letter in _HOST else _unit_specifier(letter, context.unit_name)

    if "%" in text:
        text = _PERCENT.sub(replace, text)
    if byte_length(text) > limit and (context.release >= 249 or limit == LINE_MAX):
        raise SpecifierError("the text is longer than %d bytes" % limit)
    return text


def _unit_specifier(letter: str, unit_name: str) -> str:
    """``%i`` and the others that are parts of the unit's own name."""
    stem, _dot, suffix = unit_name.rpartition(".")
    prefix, at, instance = (stem or "unit").partition("@")
    if at and not instance:
        instance = "instance"
    whole = prefix + at + instance
    plain = {
        "i": instance,
        "j": prefix.rpartition("-")[2],
        "n": "%s.%s" % (whole, suffix or "service"),
        "N": whole,
        "p": prefix,
    }
    if letter in plain:
        return plain[letter]
    if letter == "f":
        return "/" + _unescape(instance or prefix).lstrip("/")
    return _unescape(plain[letter.lower()])


def _unescape(text: str) -> str:
    try:
        return unit_unescape(text)
    except ValueError:
        raise SpecifierError("'%s' in the unit's name is not escaped as systemd does it" % shorten(text)) from None


# --------------------------------------------------------------------------------------------------- paths and names

_SURROGATE = re.compile("[\ud800-\udfff]")


def simplify_path(path: str) -> str:
    """The path without repeated slashes, ``.`` parts and a slash at the end."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    front = "/" if path.startswith("/") else ""
    return front + "/".join(parts) or path[:1] and "."


def check_path(
    path: str, release: int, absolute: bool | None = True, no_api: bool = False, dev_ok: bool = False
) -> str:
    """A path as ``path_simplify_and_warn()`` wants it; gives it back simplified.

    :param absolute: true, false (relative), or None when both will do.
    :param no_api: refuse what lies below /proc, /sys and /dev, as systemd does since 256; ``dev_ok`` takes /dev.
    :raises ValueError: with the reason.
    """
    if _SURROGATE.search(path):
        raise ValueError("the path is not UTF-8")
    if absolute and not path.startswith("/"):
        raise ValueError("'%s' is no absolute path: it must start with /" % shorten(path))
    if absolute is False and path.startswith("/"):
        raise ValueError("'%s' must be a relative path" % shorten(path))
    parts = [part for part in path.split("/") if part not in ("", ".")]
    simple = simplify_path(path)
    if release >= 255 and simple.startswith("/"):
        while parts and parts[0] == "..":
            del parts[0]
        simple = "/" + "/".join(parts)
    size = byte_length(simple)
    too_long = release >= 249 and any(byte_length(part) > NAME_MAX for part in parts)
    if not simple or size >= PATH_MAX or too_long:
        raise ValueError("the path is empty, longer than %d bytes or has a part of more than 255" % (PATH_MAX - 1))
    if ".." in parts or not parts and simple != "/":
        raise ValueError("'%s' must not hold .. or stand for nothing but ." % shorten(path))
    api = ("/proc", "/sys") if dev_ok and release >= 257 else ("/proc", "/sys", "/dev")
    if no_api and release >= 256 and parts and simple.startswith("/") and "/" + parts[0] in api:
        raise ValueError("'%s' must not lie below /proc, /sys or /dev" % shorten(path))
    return simple


def unit_path(text: str, context: Context, **flags: t.Any) -> str:
    """A path with specifiers."""
    return check_path(expand(text, context, PATH_MAX - 1), context.release, **flags)
