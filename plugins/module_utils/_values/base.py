# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What most grammars are made of: words, specifiers, paths and names, as systemd reads them.

Each function takes a text and gives its value, or raises ValueError with the reason.
Source: ``extract-word.c``, ``specifier.c``, ``unit-printf.c`` and ``path-util.c`` of systemd 247 to 262.
"""

from __future__ import annotations

import re
import typing as t

from .._syntax.names import full_unit_name, instance_name, is_template
from .._syntax.specifiers import NAME_SPECIFIERS, name_specifier, replace_specifiers
from .._syntax.text import UnitSyntaxError, shorten
from .._syntax.words import split_words, word_reader

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

    def resolve(letter: str) -> str | None:
        if not (letter.isascii() and letter.isalnum()):
            return None
        known = letter in _HOST or letter in NAME_SPECIFIERS
        since = _SPECIFIER_SINCE.get(letter, 0)
        if not known or since > context.release or (name and letter not in _IN_NAMES):
            reason = f"comes with systemd {since}" if known and since > context.release else "is not known here"
            raise SpecifierError(f"the specifier %{letter} {reason}: write %% for a percent sign")
        return _HOST[letter] if letter in _HOST else _of_the_name(letter, context.unit_name)

    text = replace_specifiers(text, resolve)
    if byte_length(text) > limit and (context.release >= 249 or limit == LINE_MAX):
        raise SpecifierError("the text is longer than %d bytes" % limit)
    return text


def _of_the_name(letter: str, unit_name: str) -> str:
    """``%i`` and the others that are parts of the unit's own name, which may not be known."""
    name = full_unit_name(unit_name or "unit")
    try:
        return name_specifier(letter, instance_name(name, "instance") if is_template(name) else name) or ""
    except UnitSyntaxError as error:
        raise SpecifierError(error.message) from None


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
