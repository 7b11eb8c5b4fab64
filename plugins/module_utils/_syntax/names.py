# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unit names: types, parts, escaping (``unit_name_is_valid()``; systemd.unit(5), "STRING ESCAPING FOR INCLUSION IN UNIT NAMES")."""

from __future__ import annotations

import re

from .text import (
    UnitSyntaxError,
    from_bytes,
    shorten,
    to_bytes,
)

UNIT_NAME_MAX = 255
UNIT_TYPES = (
    "service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope",
)  # fmt: skip
_NAME_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\")


def unit_name_problem(name: str, allow_template: bool = True) -> str:  # noqa: PLR0911  one for each fault
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


def split_unit_name(name: str) -> tuple[str, str | None, str]:
    """``(prefix, instance, suffix)``: the instance is None for a plain unit and empty for a template; no dot in suffix.

    :raises UnitSyntaxError: when the name is not valid.
    """
    problem = unit_name_problem(name)
    if problem:
        raise UnitSyntaxError(problem)
    stem, _dot, suffix = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    return prefix, instance if at else None, suffix


def template_of(name: str) -> str:
    """Name of the template that an instance is made from; empty for any other name."""
    stem, _dot, suffix = name.rpartition(".")
    prefix, _at, instance = stem.partition("@")
    return f"{prefix}@.{suffix}" if instance else ""


def instance_name(template: str, instance: str) -> str:
    """``worker@.service`` and ``7`` -> ``worker@7.service``; the instance is escaped already."""
    return template.replace("@.", f"@{instance}.")


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
        prefix, instance, kind = split_unit_name(template)
        if instance != "":
            raise UnitSyntaxError(f"'{template}' is no template: a template ends in @ and its suffix")
        return _valid_name(f"{prefix}@{escaped}.{kind}", text)
    if suffix is not None:
        return _valid_name("{}.{}".format(escaped, suffix.lstrip(".")), text)
    return escaped


def _valid_name(name: str, text: str) -> str:
    problem = unit_name_problem(name, allow_template=False)
    if problem:
        raise UnitSyntaxError(f"'{shorten(text)}' makes no unit name: {problem}")
    return name


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
        raise UnitSyntaxError(f"'{shorten(text)}' is no plain path: write it without . and ..")
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
        raise UnitSyntaxError(f"'{shorten(text)}' is no escaped path")
    return "/" + plain


def _instance_of(name: str, template: str) -> str:
    prefix, instance, suffix = split_unit_name(name)
    wanted, empty, kind = split_unit_name(template)
    if empty != "":
        raise UnitSyntaxError(f"'{template}' is no template: a template ends in @ and its suffix")
    if not instance or (prefix, suffix) != (wanted, kind):
        raise UnitSyntaxError(f"'{name}' is no instance of '{template}'")
    return instance


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
