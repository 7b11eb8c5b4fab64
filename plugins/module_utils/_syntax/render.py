# SPDX-License-Identifier: GPL-3.0-or-later

"""Sections mapping (from YAML) -> settings -> text. Deterministic: the same input gives the same bytes.

Plain strings are systemd's own syntax and are written as they stand. Mappings and argument lists hold plain data,
which is quoted and escaped here so that it arrives byte for byte.
"""

from __future__ import annotations

import datetime
import decimal
import math
import re
import typing as t
from collections.abc import Mapping

from .. import _catalog
from .._model import Setting
from .commands import exec_quote
from .lines import LONG_LINE_MAX
from .words import (
    NOT_UTF8,
    WHITESPACE,
    UnitSyntaxError,
    c_escape,
    escape_specifiers,
    from_bytes,
    quote,
    shorten,
)

LINE_WIDTH = 100  # a list of words is written on one line up to this width, then one word a line

# What a name may hold so that it cannot become another line, a comment or a section header.
_DIRECTIVE_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.:-]*\Z")
_SECTION_NAME = re.compile(r"[A-Za-z0-9_.](?:[A-Za-z0-9_.: -]*[A-Za-z0-9_.:-])?\Z")
# Parsers whose words may be quoted (EXTRACT_UNQUOTE); elsewhere a quote is part of the word.
_QUOTING_PARSERS = frozenset([
    "environ", "pass_environ", "unset_environ", "log_extra_fields", "namespace_path_strv", "bind_paths",
    "temporary_filesystems", "exec_directories", "mount_images", "extension_images", "unit_path_strv_printf",
    "unit_mounts_for",
])  # a table  # fmt: skip
_QUOTING_MARKS = re.compile("[\"'\\\\]")
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_FIELD_NAME = re.compile(r"[A-Z0-9][A-Z0-9_]{0,63}\Z")
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}\Z")


class RenderError(ValueError):
    """A value that cannot be written as a setting.

    :ivar unit: unit name; :ivar section: section; :ivar directive: directive, empty when the section is at fault.
    :ivar value: the value at fault.
    :ivar message: what is wrong and what to write instead.
    """

    def __init__(self, message: str, unit: str = "", section: str = "", directive: str = "", value: t.Any = "") -> None:
        self.unit = unit
        self.section = section
        self.directive = directive
        self.value = value
        self.message = message
        place = " ".join(part for part in (unit, section and f"[{section}]", directive and directive + "=") if part)
        super().__init__(f"{place}: {message}" if place else message)


# --------------------------------------------------------------------------------------------- mapping -> settings


def settings_from_mapping(unit_name: str, sections: t.Any) -> list[Setting]:
    """The settings for a sections mapping, in the order given.

    :param unit_name: for messages.
    :param sections: ``{section: {directive: value}}``. A value is a string or number (written as it stands), a bool
        (``true`` or ``false``), null (left out), ``""`` (reset, where systemd takes one), or a list of these: words on
        one line or repeated lines, as the directive's grammar says. ``Environment``, ``LogExtraFields`` and
        ``SetCredential`` also take a mapping. An item of an ``Exec*`` directive is a string (one command line), a list
        (arguments) or ``{argv: [...], prefix: "-"}``.
    :raises RenderError: for a value that cannot be written.
    """
    if not isinstance(sections, Mapping):
        raise RenderError("sections must be a mapping of section names to mappings of directives", unit_name)
    settings: list[Setting] = []
    for section, directives in sections.items():
        if not isinstance(section, str) or not _SECTION_NAME.match(section):
            raise RenderError(f"{_show(section)} is not a section name: quote it in YAML", unit_name)
        if directives is None:
            continue
        if not isinstance(directives, Mapping):
            raise RenderError(
                f"the section must be a mapping of directives to values, not {_show(directives)}",
                unit_name,
                section,
            )
        for directive, value in directives.items():
            if not isinstance(directive, str) or not _DIRECTIVE_NAME.match(directive):
                raise RenderError(f"{_show(directive)} is not a directive name: quote it in YAML", unit_name, section)
            for text in _Values(unit_name, section, directive).texts(value):
                settings.append(Setting(section, directive, text, 0))
    return settings


class _Values:
    """Turns the YAML value of one directive into the texts of its assignments."""

    def __init__(self, unit: str, section: str, directive: str) -> None:
        self.unit = unit
        self.section = section
        self.directive = directive
        entry = _catalog.get(section, directive)
        self.parser = entry.parser if entry is not None else ""
        self.empty_ok = entry is None or entry.empty_ok
        self.joins = _catalog.joins_of(section, directive)

    def error(self, message: str, value: t.Any) -> RenderError:
        return RenderError(message, self.unit, self.section, self.directive, value)

    def texts(self, value: t.Any) -> list[str]:
        if value is None:
            return []
        if self.parser == "exec":
            return self._commands(value)
        if isinstance(value, Mapping):
            return self._pairs(value)
        if isinstance(value, (list, tuple)):
            return self._list([item for item in value if item is not None])
        return [self._scalar(value)]

    # -- plain values

    def _scalar(self, value: t.Any) -> str:
        if isinstance(value, bool):
            # YAML reads an unquoted no as false, and Restart= knows no but not false.
            return "no" if self.parser == "service_restart" and not value else "true" if value else "false"
        if isinstance(value, (int, float)):
            return self._number(value)
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, (datetime.date, datetime.time)):
            raise self.error(f"YAML made a date of the value {value}: write it in quotes", value)
        raise self.error(f"{_show(value)} cannot be a value here: write a string", value)

    def _number(self, value: int | float) -> str:
        if self.parser == "mode":
            raise self.error(
                f"the mode {value} is a number, and YAML reads 0755 as 493: write it in quotes, for example '0755'",
                value,
            )
        if self.parser == "timer" and self.directive == "OnCalendar":
            raise self.error(
                "the time is a number, and YAML reads 12:30:00 as 45000: write it in quotes, for example '12:30:00'",
                value,
            )
        if isinstance(value, int):
            if value.bit_length() > 64:
                raise self.error("the number is beyond 64 bits, which systemd does not read", value)
            return int.__repr__(value)
        if not math.isfinite(value):
            raise self.error(
                f"{value} is not a number that systemd reads: write 'infinity' in quotes where that is meant", value
            )
        return format(decimal.Decimal(repr(value)), "f")

    def _string(self, value: str) -> str:
        text = value.strip(" \t")
        self._check_characters(text, value)
        if not text:
            if value:
                raise self.error("the value is blank: write '' for a reset, or leave the directive out", value)
            if not self.empty_ok:
                raise self.error("systemd takes no empty value here: leave the directive out (or write null)", value)
            return ""
        if (len(text) - len(text.rstrip("\\"))) % 2:
            raise self.error(
                "the value ends in a backslash, which would join the next line to it: write \\\\ or leave it out",
                value,
            )
        return text

    def _check_characters(self, text: str, value: t.Any) -> None:
        for character, name in (("\n", "newline"), ("\r", "carriage return"), ("\0", "NUL")):
            if character in text:
                remedy = "in YAML, > and | keep a newline at the end, >- and |- do not" if name == "newline" else ""
                raise self.error(
                    f"the value holds a {name}, which would start another line: {remedy or 'remove it'}",
                    value,
                )
        if NOT_UTF8.search(text):
            raise self.error(f"the value is not valid UTF-8, which systemd refuses: {shorten(text)!a}", value)
        if len(text) * 4 + 1024 > LONG_LINE_MAX and len(text.encode("utf-8")) + 1024 > LONG_LINE_MAX:
            raise self.error("the value is longer than 1 MiB, which systemd refuses", shorten(text))

    # -- lists

    def _list(self, items: list[t.Any]) -> list[str]:
        texts = [self._item(item) for item in items]
        if self.joins == "single":
            if len(texts) > 1:
                raise self.error("the directive takes one value, not a list: the last one would win", items)
            return texts
        if self.joins not in ("words", "deps") or any(text.startswith("~") for text in texts):
            # With ~ at the front of one word, systemd inverts the whole line: each item keeps its own.
            return texts
        if self.joins == "words" and any(isinstance(item, str) and _QUOTING_MARKS.search(item) for item in items):
            return texts  # an unclosed quote or a bad escape makes systemd drop its line, so each item keeps its own
        return _fill(texts, len(self.directive) + 1)

    def _item(self, item: t.Any) -> str:
        if isinstance(item, (list, tuple, Mapping)):
            raise self.error(f"an item of the list is {_show(item)}: write strings", item)
        text = self._scalar(item)
        if self.parser in _QUOTING_PARSERS and re.search("[ \t]", text) and not _QUOTING_MARKS.search(text):
            return f'"{text}"'  # one item is one word, unless its author has quoted or escaped it
        return text

    # -- mappings

    def _pairs(self, value: Mapping[t.Any, t.Any]) -> list[str]:
        write = {
            "environ": self._variable,
            "log_extra_fields": self._field,
            "set_credential": self._credential,
        }.get(self.parser)
        if self.directive == "SetCredentialEncrypted" or write is None:
            raise self.error(
                "the directive takes no mapping (only Environment, LogExtraFields, SetCredential and Exec* do): "
                "write a string or a list",
                dict(value),
            )
        texts = []
        for name, content in value.items():
            if content is None:
                continue
            if not isinstance(name, str):
                raise self.error(f"the name {_show(name)} is not a string: quote it in YAML", name)
            text = write(name, self._content(content))
            self._check_characters(text, content)
            texts.append(text)
        return texts

    def _content(self, content: t.Any) -> str:
        """A value inside a mapping or an argument list: any text, numbers and bools as they would be written."""
        if isinstance(content, bytes):
            return from_bytes(content)
        if isinstance(content, str):
            return content
        if isinstance(content, bool):
            return "true" if content else "false"
        if isinstance(content, (int, float)):
            return _Values(self.unit, self.section, "")._number(content)
        return self._scalar(content)

    def _variable(self, name: str, content: str) -> str:
        if not ENVIRONMENT_NAME.match(name):
            raise self.error(
                f"'{shorten(name)}' is not a name of an environment variable: letters, digits and _, no digit first",
                name,
            )
        if "\0" in content or NOT_UTF8.search(content):
            # systemd drops such a variable, however it is escaped.
            raise self.error(
                f"the variable {name} holds {shorten(content)!a}, which is not UTF-8: pass it as a credential",
                content,
            )
        return quote(escape_specifiers(f"{name}={content}"))

    def _field(self, name: str, content: str) -> str:
        if not _FIELD_NAME.match(name) or name[0].isdigit():
            raise self.error(
                f"'{shorten(name)}' is not a name of a journal field: capital letters, digits and _, at most 64", name
            )
        if "\0" in content:
            raise self.error(f"the field {name} holds a NUL, which systemd cannot read: remove it", content)
        return self._escaped(quote, f"{name}={escape_specifiers(content)}")

    def _credential(self, name: str, content: str) -> str:
        if not _CREDENTIAL_NAME.match(name) or name in (".", ".."):
            raise self.error(f"'{shorten(name)}' is not a name of a credential: a plain file name will do", name)
        text = self._escaped(c_escape, content)
        # Blanks at the ends would be taken for the space around the value.
        body = text.strip(" ")
        before, after = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
        blank = "\\x20"
        return f"{name}:{blank * before}{body}{blank * after if body else ''}"

    def _escaped(self, escape: t.Callable[[str], str], text: str) -> str:
        try:
            return escape(text)
        except UnitSyntaxError as error:
            raise self.error(error.message, text) from None

    # -- commands

    def _commands(self, value: t.Any) -> list[str]:
        items = list(value) if isinstance(value, (list, tuple)) else [value]
        if len(items) > 1 and all(isinstance(item, str) for item in items):
            option = next((item for item in items[1:] if item.startswith("--")), None)
            if option is not None:
                raise self.error(
                    f"a flat list of strings is several command lines, and '{shorten(option)}' is none: write "
                    "[[program, argument, ...]] for one command with arguments",
                    items,
                )
        return [self._command(item) for item in items if item is not None]

    def _command(self, item: t.Any) -> str:
        prefix: t.Any = ""
        argv: t.Any = item
        if isinstance(item, Mapping):
            unknown = [key for key in item if key not in ("argv", "prefix")]
            if unknown or "argv" not in item:
                raise self.error(f"a command as a mapping takes argv and prefix, not {_show(dict(item))}", dict(item))
            argv, prefix = item["argv"], item.get("prefix") or ""
            if not isinstance(argv, (list, tuple)) or not isinstance(prefix, str):
                raise self.error("argv must be a list of arguments and prefix a string", dict(item))
        elif isinstance(item, str):
            return self._string(item)
        elif not isinstance(item, (list, tuple)):
            raise self.error(f"{_show(item)} is not a command: write a string or a list of arguments", item)
        for argument in argv:
            if argument is None or isinstance(argument, (bool, list, tuple, Mapping)):
                raise self.error(f"the argument {_show(argument)} is not a string: write it in quotes", argv)
        words = [self._content(argument) for argument in argv]
        text = self._escaped(lambda _none: exec_quote(words, prefix), "")
        self._check_characters(text, argv)
        return text


def _fill(texts: list[str], indent: int) -> list[str]:
    """Words on one line when they fit, else one a line; an empty one (a reset) always has its own line."""
    lines: list[str] = []
    run: list[str] = []
    for text in [*texts, None]:
        if text:
            run.append(text)
            continue
        if run:
            line = " ".join(run)
            lines.extend([line] if len(line) + indent <= LINE_WIDTH else run)
        if text is not None:
            lines.append(text)
        run = []
    return lines


def _show(value: t.Any) -> str:
    kind = {dict: "the mapping", list: "the list", tuple: "the list", bool: "the boolean"}.get(type(value), "")
    return f"{kind} {shorten(repr(value))}" if kind else shorten(repr(value))


# ------------------------------------------------------------------------------------------------ settings -> text


def render(settings: t.Sequence[Setting], header_lines: t.Sequence[str] = (), order_free: bool = False) -> str:
    """The text of one unit file or drop-in.

    :param header_lines: comment lines for the top, for example of ``header.header()``.
    :param order_free: put ``[Unit]`` first and ``[Install]`` last; else sections stand as they first appear.
    :raises RenderError: for a setting that would not be read back as it is, and for a text without any line, which
        systemd would take for a masked unit.
    """
    sections: dict[str, list[str]] = {}
    for setting in settings:
        sections.setdefault(setting.section, []).append(_assignment(setting))
    if not sections and not header_lines:
        raise RenderError("no directive is set, and systemd takes an empty unit file for a masked unit")
    names = list(sections)
    if order_free:
        names.sort(key=lambda name: {"Unit": 0, "Install": 3}.get(name, 2 if name.startswith("X-") else 1))
    for line in header_lines:
        if not line.startswith("#") or re.search("[\r\n\0]", line):
            raise RenderError(f"a header line must be one comment line: {shorten(repr(line))}")
    blocks = ["\n".join(header_lines)] if header_lines else []
    blocks += ["\n".join([f"[{name}]", *sections[name]]) for name in names]
    return "\n\n".join(blocks) + "\n"


def _assignment(setting: Setting) -> str:
    value = setting.value
    if (
        not _SECTION_NAME.match(setting.section)
        or not _DIRECTIVE_NAME.match(setting.directive)
        or value != value.strip(WHITESPACE)
        or re.search("[\r\n\0]", value)
        or (len(value) - len(value.rstrip("\\"))) % 2
        or NOT_UTF8.search(value)
    ):
        raise RenderError(
            f"systemd would not read this setting back as it is: {shorten(repr(value))}",
            "",
            setting.section,
            setting.directive,
            value,
        )
    return f"{setting.directive}={value}"
