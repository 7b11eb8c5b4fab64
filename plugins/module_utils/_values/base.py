# SPDX-License-Identifier: GPL-3.0-or-later

"""What grammars share: context, words, specifiers, lists of names (``extract-word.c``, ``specifier.c`` of 247 to 262).

A grammar is a function of a text and its Context that raises ValueError with the reason when systemd refuses the text.
"""

from __future__ import annotations

import functools
import re
import typing as t

from .._syntax.names import (
    NAME_SPECIFIERS,
    full_unit_name,
    instance_name,
    is_template,
    name_specifier,
    replace_specifiers,
)
from .._syntax.words import WHITESPACE, split_words, word_reader
from .numbers import parse_bool, quoted

NAME_MAX = 255
PATH_MAX = 4095
LINE_MAX = 1048576  # the longest text that specifiers may make, in bytes


class Context(t.NamedTuple):
    """Where a value stands."""

    name: str  # the directive
    section: str
    ltype: str
    release: int
    unit_name: str  # empty when it is not known
    target: str  # "system" or "user"
    earlier: t.Mapping[str, str] = {}  # values of the same section that stand above it


Grammar = t.Callable[[str, Context], object]
Grammars = dict[str, tuple[Grammar, str]]  # parser of systemd: grammar, and what to write, with an example


class FatalError(ValueError):
    """A value for which systemd refuses the whole unit."""


def not_a(text: str, what: str) -> ValueError:
    """The error for a text that is something else."""
    return ValueError(f"{quoted(text)} is not {what}")


def empty_or(grammar: Grammar) -> Grammar:
    """The grammar, where an empty value is a reset."""
    return lambda text, c: text and grammar(text, c)


def fatal(grammar: Grammar) -> Grammar:
    """The grammar, where a bad value refuses the unit unless a dash stands in front."""

    def strict(text: str, c: Context) -> None:
        try:
            grammar(text[1:] if text[:1] == "-" else text, c)
        except ValueError as error:
            raise (ValueError if text[:1] == "-" else FatalError)(str(error)) from None

    return strict


def only(c: Context, sections: str) -> None:
    """Refuse a directive outside of the sections that its parser looks for."""
    if c.section not in sections.split():
        raise ValueError(f"systemd does not take {c.name}= in [{c.section}]")


def byte_length(text: str) -> int:
    """The bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def is_bool(text: str) -> bool:
    """Whether a text is a boolean."""
    try:
        parse_bool(text)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=128)
def known(names: str, release: int) -> frozenset[str]:
    """The names of a list (``name`` or ``name@first release``) that the release has."""
    pairs = (item.partition("@") for item in names.split())
    return frozenset(name for name, _at, since in pairs if not since or int(since) <= release)


def one_of(text: str, names: str, release: int) -> None:
    """Refuse a text that is not in a list of names."""
    if text not in known(names, release):
        raise unknown(text, names)


def unknown(text: str, names: str) -> ValueError:
    """The error for a text that is not in a list, or comes with a later release."""
    for item in names.split():
        if item.startswith(text + "@"):
            return ValueError(f"'{text}' comes with systemd {item.partition('@')[2]}")
    return ValueError(f"{quoted(text)} is not known")


def one_of_these(names: str) -> str:
    """The names and numbers of a list, for a hint."""
    shown = []
    for item in names.split():
        name, _at, since = item.partition("@")
        low, dots, high = name[1:].partition("..")
        if dots:
            shown.append("a whole number" if len(high) > 6 else f"a number from {low} to {high}")
        elif name not in ("empty", "!4"):
            shown.append(name.replace("yes/no", "yes, no") + (f" (since {since})" if since else ""))
    return ("one of: " if len(shown) > 1 else "") + ", ".join(shown)


def words(
    text: str, unquote: bool = True, cunescape: bool = False, retain_escape: bool = False, separators: str = WHITESPACE
) -> list[str]:
    """The words of a value; other separators than blanks are not coalesced."""
    return split_words(
        text,
        unquote=unquote,
        cunescape=cunescape,
        retain_escape=retain_escape,
        separators=separators,
        coalesce=separators == WHITESPACE,
    )


def each(text: str, unquote: bool = True, cunescape: bool = False, retain_escape: bool = False) -> t.Iterable[str]:
    """The different words of a value."""
    return dict.fromkeys(words(text, unquote, cunescape, retain_escape))


def first_word(text: str, separators: str = WHITESPACE, unquote: bool = False) -> tuple[str, str]:
    """The first word and what follows it."""
    reader = word_reader(separators, unquote, False, False, False, False, separators == WHITESPACE)
    word, position = reader.word(text, 0) if text else (None, -1)
    return word or "", text[position:] if position >= 0 else ""


def check_base64(text: str, c: Context) -> None:
    """Refuse a text that is not base64 with or without blanks."""
    plain = re.sub(f"[{WHITESPACE}]+", "", text)
    if c.release >= 255:  # takes the alphabet for URLs too
        plain = plain.replace("-", "+").replace("_", "/")
    body = plain.rstrip("=")
    padding = len(plain) - len(body)
    if not re.fullmatch("[A-Za-z0-9+/]*", body) or len(plain) % 4 or padding > 2:
        raise ValueError("the text is not base64")
    # The last character stands for bits that padding cuts off: 2 of 6, or 4.
    if padding and body and body[-1] not in ("AEIMQUYcgkosw048" if padding == 1 else "AQgw"):
        raise ValueError("the text is not base64: bits are left over at the end")


# What stands in for values of the host: only their form counts. The slice (%r) is not yet known when a line is read.
_HOST = {
    "a": "x86-64", "b": "b" * 32, "g": "root", "G": "0", "H": "host", "h": "/root", "l": "host", "m": "0" * 32,
    "o": "linux", "q": "host", "s": "/bin/sh", "T": "/tmp", "u": "root", "U": "0", "v": "6.1", "V": "/var/tmp",  # noqa: S108  places of systemd.unit(5)
    "w": "1", "A": "", "B": "", "M": "", "W": "", "C": "/var/cache", "D": "/usr/share", "d": "/run/credentials/unit",
    "E": "/etc", "L": "/var/log", "S": "/var/lib", "t": "/run", "c": "/system.slice/unit", "r": "",
    "R": "", "y": "/etc/systemd/system/unit", "Y": "/etc/systemd/system",
}  # a table  # fmt: skip
_SPECIFIER_SINCE = {"A": 249, "M": 249, "q": 251, "y": 251, "Y": 251, "d": 251, "D": 256}
_IN_NAMES = frozenset("abgGHijlmnNopquUvwWABM")  # the specifiers that unit names may hold


def expand(text: str, context: Context, limit: int = LINE_MAX, name: bool = False) -> str:
    """The text with its specifiers replaced; what depends on the host, by something of its form.

    :param limit: the most bytes that the result may have.
    :param name: the text is the name of a unit, which knows fewer specifiers.
    """

    def resolve(letter: str) -> str | None:
        if not (letter.isascii() and letter.isalnum()):
            return None
        exists = letter in _HOST or letter in NAME_SPECIFIERS
        since = _SPECIFIER_SINCE.get(letter, 0)
        if not exists or since > context.release or (name and letter not in _IN_NAMES):
            reason = f"comes with systemd {since}" if exists and since > context.release else "is not known here"
            raise ValueError(f"the specifier %{letter} {reason}: write %% for a percent sign")
        return _HOST[letter] if letter in _HOST else _of_the_name(letter, context.unit_name)

    text = replace_specifiers(text, resolve)
    if byte_length(text) > limit and (context.release >= 249 or limit == LINE_MAX):
        raise ValueError(f"the text is longer than {limit} bytes")
    return text


def _of_the_name(letter: str, unit_name: str) -> str:
    # The name may not be known.
    name = full_unit_name(unit_name or "unit")
    return name_specifier(letter, instance_name(name, "instance") if is_template(name) else name) or ""
