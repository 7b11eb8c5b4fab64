# SPDX-License-Identifier: GPL-3.0-or-later

"""Unit names: types, parts, escaping, and the specifiers that depend on the name alone.

Source: ``unit_name_is_valid()``, unit-printf.c, install-printf.c; systemd.unit(5), "STRING ESCAPING FOR INCLUSION IN
UNIT NAMES" and "SPECIFIERS". The specifiers were compared with systemd 247 to 262
(tests/unit/cases/syntax/specifiers.yml).
"""

from __future__ import annotations

import functools
import re
import typing as t

from .words import UnitSyntaxError, from_bytes, shorten, to_bytes

UNIT_NAME_MAX = 255
UNIT_TYPES = (
    "service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope",
)  # a table  # fmt: skip
_NAME_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\")


def unit_name_problem(name: str, allow_template: bool = True) -> str:
    """What is wrong with a unit name and what to write instead; empty when systemd takes it.

    :param allow_template: whether ``worker@.service`` will do.
    """
    stem, dot, suffix = name.rpartition(".")
    if not name:
        return "the unit has no name"
    if suffix not in UNIT_TYPES or not dot:
        others = ", .".join(UNIT_TYPES[1:])
        return f"'{shorten(name)}' does not end in a unit type: add .service (or one of .{others})"
    if not stem:
        return f"'{name}' has nothing before its suffix"
    size = len(name.encode("utf-8", "surrogatepass"))
    if size > UNIT_NAME_MAX:
        return f"the unit name '{shorten(name)}' has {size} bytes, more than the {UNIT_NAME_MAX} that systemd takes"
    bad = sorted(set(stem) - _NAME_CHARACTERS - {"@"})
    if bad:
        shown = ", ".join(map(ascii, bad[:5]))
        return (
            f"'{shorten(name)}' holds {shown}, which no unit name can hold: only letters, digits and :-_.\\ and one @ "
            "before an instance (unit_escape helps)"
        )
    prefix, at, instance = stem.partition("@")
    if at and not prefix:
        return f"'{name}' has nothing before the @"
    if at and not instance and not allow_template:
        return f"'{name}' is a template; name an instance, for example {prefix}@1.{suffix}"
    return ""


class UnitName(t.NamedTuple):
    """``prefix[@instance].type``."""

    prefix: str
    instance: str | None  # None for a plain unit, empty for a template
    type: str  # ``service`` and so on; empty for a name without suffix

    def __str__(self) -> str:
        at = "" if self.instance is None else f"@{self.instance}"
        return f"{self.prefix}{at}.{self.type}"


@functools.lru_cache(maxsize=4096)
def split_unit_name(name: str) -> UnitName:
    """The parts of a name, whether systemd takes it or not."""
    stem, dot, suffix = name.rpartition(".")
    prefix, at, instance = (stem if dot else name).partition("@")
    return UnitName(prefix, instance if at else None, suffix if dot else "")


@functools.lru_cache(maxsize=4096)
def parse_unit_name(name: str) -> UnitName | None:
    """The parts of a name that systemd takes; None for any other name."""
    return None if unit_name_problem(name) else split_unit_name(name)


def unit_type(name: str) -> str:
    """``service`` for ``rot13.service`` and for ``service``; else empty."""
    return name if name in UNIT_TYPES else split_unit_name(name).type


def is_template(name: str) -> bool:
    """Whether a name is that of a template, such as ``worker@.service``."""
    return split_unit_name(name).instance == ""


def template_of(name: str) -> str:
    """Name of the template that an instance is made from; empty for any other name."""
    parts = split_unit_name(name)
    return str(parts._replace(instance="")) if parts.instance else ""


def instance_name(template: str, instance: str) -> str:
    """``worker@.service`` and ``7`` -> ``worker@7.service``.

    :param instance: escaped already; ``*`` makes a pattern for all instances.
    """
    return str(split_unit_name(template)._replace(instance=instance))


def declared_unit_name(given: str) -> str:
    """The full name of a unit that a file is for: one without a dot is a service.

    Unlike ``full_unit_name``, a suffix that is no unit type is an error: ``rot13.servcie`` is a slip.

    :raises ValueError: for a name that systemd would refuse, or that no file can have.
    """
    if "/" in given:
        raise ValueError(
            f"{given!r} holds a slash, and a unit name is not a path; write the name alone, for example rot13.service"
            " (unit_escape makes a name of a path)"
        )
    name = given if "." in given else f"{given}.service"
    problem = unit_name_problem(name)
    if problem:
        raise ValueError(problem)
    if unit_type(name) == "scope":
        raise ValueError(f"'{name}' is a scope, which programs make and no file can declare; declare a service")
    return name


def full_unit_name(name: str) -> str:
    """The name with its suffix: one without a unit type means a service, as for systemctl(1)."""
    return name if split_unit_name(name).type in UNIT_TYPES else f"{name}.service"


def dropin_owners(name: str) -> list[str]:
    """Names whose ``.d`` folder is about a unit, the most special first.

    ``foo-bar@x.service`` -> itself, ``foo-bar@.service``, ``foo-.service``, ``foo-@x.service``, ``foo-@.service``.
    """
    parts = parse_unit_name(name)
    if parts is None:
        return [name]
    owners = [name]
    if parts.instance:
        owners += dropin_owners(str(parts._replace(instance="")))
    # only one dash is skipped: foo-- has no foo-
    head = re.sub("-$", "", parts.prefix).rpartition("-")[0]
    if head and f"{head}-" != parts.prefix:
        # for a template as a plain name, for an instance with the instance
        owners += dropin_owners(str(UnitName(f"{head}-", parts.instance or None, parts.type)))
    return list(dict.fromkeys(owners))


def unit_escape(text: str, path: bool = False, template: str | None = None, suffix: str | None = None) -> str:
    """Escape any text for use in a unit name, as ``systemd-escape`` does.

    :param path: the text is a path: slashes at both ends are dropped, ``/`` becomes ``-``.
    :param template: put the result as instance into this template, for example ``worker@.service``.
    :param suffix: add this unit type, for example ``mount``.
    :raises UnitSyntaxError: for an empty text, a path with ``..``, a name that is no template, a result too long.
    """
    if template is not None and suffix is not None:
        raise UnitSyntaxError("give template or suffix, not both")
    if "\0" in text:
        raise UnitSyntaxError("a unit name cannot hold a NUL")
    escaped = _escape_path(text) if path else _escape_name(text)
    if template is not None:
        _check_template(template)
        return _valid_name(instance_name(template, escaped), text)
    if suffix is not None:
        return _valid_name(f"{escaped}.{suffix.lstrip('.')}", text)
    return escaped


def _valid_name(name: str, text: str) -> str:
    problem = unit_name_problem(name, allow_template=False)
    if problem:
        raise UnitSyntaxError(f"'{shorten(text)}' makes no unit name: {problem}")
    return name


def _check_template(name: str) -> None:
    problem = unit_name_problem(name)
    if problem:
        raise UnitSyntaxError(problem)
    if not is_template(name):
        raise UnitSyntaxError(f"'{name}' is not a template: a template ends in @ and its suffix")


def _escape_name(text: str) -> str:
    pieces = []
    for number, byte in enumerate(to_bytes(text)):
        character = chr(byte)
        if character == "/":
            pieces.append("-")
        elif character in "-\\" or character not in _NAME_CHARACTERS or (character == "." and number == 0):
            pieces.append(f"\\x{byte:02x}")
        else:
            pieces.append(character)
    return "".join(pieces)


def _escape_path(text: str) -> str:
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts or (not parts and "." in text and not text.startswith("/")):
        raise UnitSyntaxError(f"'{shorten(text)}' is not a plain path: write it without . and ..")
    return _escape_name("/".join(parts)) or "-"


def unit_unescape(text: str, path: bool = False, template: str | None = None) -> str:
    """Undo ``unit_escape()``.

    :param path: the escaped text was a path.
    :param template: ``text`` is an instance of this template: unescape the instance.
    :raises UnitSyntaxError: for text that ``unit_escape()`` cannot have made.
    """
    if template is not None:
        text = _instance_of(text, template)
    if not path:
        return _unescape_name(text)
    if text == "-":
        return "/"
    plain = _unescape_name(text)
    if not plain or plain[0] == "/" or plain[-1] == "/" or {"", ".", ".."} & set(plain.split("/")):
        raise UnitSyntaxError(f"'{shorten(text)}' is not an escaped path")
    return "/" + plain


def _instance_of(name: str, template: str) -> str:
    problem = unit_name_problem(name)
    if problem:
        raise UnitSyntaxError(problem)
    _check_template(template)
    if template_of(name) != template:
        raise UnitSyntaxError(f"'{name}' is not an instance of '{template}'")
    return split_unit_name(name).instance or ""


def _unescape_name(text: str) -> str:
    bad = re.search(r"\\(?!x[0-9a-fA-F]{2})", text)
    if bad:
        raise UnitSyntaxError(f"'{shorten(text)}' is not escaped as systemd does: a backslash starts \\xNN")
    data = re.sub(
        rb"\\x([0-9a-fA-F]{2})",
        lambda match: bytes([int(match.group(1), 16)]),
        to_bytes(text).replace(b"-", b"/"),
    )
    return from_bytes(data)


NAME_SPECIFIERS = "nNpPiIjJf"  # in values
# In names of units (dependencies, [Install]); systemd refuses the escaped forms there, because they may hold a slash.
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
