# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of unit files <-> settings, without loss (``config_parse()``; systemd.syntax(7))."""

from __future__ import annotations

import re
import typing as t

from .. import _catalog
from .._model import Setting, Unit
from .names import unit_type
from .words import (
    NOT_UTF8,
    WHITESPACE,
    UnitSyntaxError,
    from_bytes,
    shorten,
)

LONG_LINE_MAX = 1024 * 1024  # bytes of one line, continuation lines joined; systemd refuses a file with a longer one


class Line(t.NamedTuple):
    """One logical line: what continuation lines join, with the comments between them."""

    number: int  # 1-based line on which it starts
    kind: str  # section, assignment, comment, blank, or bad: systemd cannot read it
    section: str  # the section it opens or stands in; empty before the first one
    key: str
    value: str  # as systemd hands it to the directive's parser
    raw: str  # the exact text, line ends included
    message: str = ""  # for bad: what is wrong; empty when systemd says nothing about it


class UnitText:
    """What ``parse()`` read.

    :ivar lines: list of Line; their ``raw`` joined is the text.
    :ivar path: the file, for messages.
    :ivar settings: list of ``Setting`` in order.
    :ivar problems: list of ``(line, message)``, what systemd says about lines it cannot read.
    """

    __slots__ = ("lines", "path", "problems", "settings")

    def __init__(self, lines: t.Sequence[Line], path: str = "") -> None:
        self.lines = list(lines)
        self.path = path
        self.settings = [
            Setting(line.section, line.key, line.value, line.number, path)
            for line in self.lines
            if line.kind == "assignment"
        ]
        self.problems = [(line.number, line.message) for line in self.lines if line.message]

    def write(self) -> str:
        """The text, exactly as it was read."""
        return "".join(line.raw for line in self.lines)


# systemd's read_line() takes \n, \r, \r\n and \n\r for one line end each (and NUL, which is refused here).
_PHYSICAL_LINE = re.compile(r"[^\n\r]*(?:\n\r?|\r\n?)|[^\n\r]+")
_UNSAFE_IN_SECTION = re.compile("[\x00-\x1f\x7f\"'\\\\]")
BOM = "\ufeff"


def parse(data: bytes | str, path: str = "", name: str = "") -> UnitText:
    """Read the text of one unit file or drop-in as systemd does.

    :param data: the bytes of the file, or its text.
    :param path: the file, for messages.
    :param name: the unit's name, which only makes hints better.
    :raises UnitSyntaxError: for what makes systemd refuse the whole file and leaves nothing to work with: bytes that
        are no UTF-8 outside of comments, a line of 1 MiB or more; and for NUL, which systemd takes for a line end.
    """
    text = from_bytes(data) if isinstance(data, bytes) else data
    nul = text.find("\0")
    if nul >= 0:
        line = sum(1 for _unused in _PHYSICAL_LINE.finditer(text, 0, nul + 1))
        raise UnitSyntaxError("the line holds a NUL byte; a unit file is plain text: remove it", line, path)
    return UnitText(_Reader(path, name).read(text), path)


def read_unit(name: str, data: bytes | str, path: str = "", dropin: str = "") -> Unit:
    """The unit that one text makes.

    :param name: full unit name with suffix.
    :param dropin: the drop-in's name without ``.conf`` when the text is one drop-in.
    :raises UnitSyntaxError: as ``parse()``.
    """
    text = parse(data, path, name)
    return Unit(name, text.settings, dropin, path, text.problems, not data)


class _Reader:
    """Joins physical lines to logical ones and sorts them."""

    def __init__(self, path: str, name: str) -> None:
        self.path = path
        self.name = name
        self.section = ""
        self.is_utf8 = False  # known of the whole text
        self.lines: list[Line] = []

    def read(self, text: str) -> list[Line]:
        bom_seen = False
        start = size = number = 0
        raws: list[str] = []
        parts: list[str] = []
        self.is_utf8 = not NOT_UTF8.search(text)
        for number, match in enumerate(_PHYSICAL_LINE.finditer(text), 1):
            raw = match.group()
            content = raw.rstrip("\r\n")
            size += self._size(content, number, 1)
            if content.lstrip(" \t").startswith(("#", ";")):
                # A comment does not end a continuation, and a backslash at its end does not start one.
                if raws:
                    raws.append(raw)
                else:
                    self.lines.append(Line(number, "comment", self.section, "", "", raw))
                    size = 0
                continue
            if not bom_seen and content.startswith(BOM):
                bom_seen = True
                content = content[1:]
            if not raws:
                start = number
            raws.append(raw)
            if size > LONG_LINE_MAX:
                raise UnitSyntaxError(self._too_long(), number, self.path)
            if content.endswith("\\") and (len(content) - len(content.rstrip("\\"))) % 2:
                parts.append(content[:-1] + " ")
                continue
            if parts:
                content, raw = "".join([*parts, content]), "".join(raws)
            self.lines.append(self._sort(start, content, raw))
            raws, parts, size = [], [], 0
        if raws:
            self.lines.append(self._sort(start, "".join(parts), "".join(raws)))
        return self.lines

    def _size(self, content: str, number: int, reserve: int) -> int:
        """Bytes of one physical line; an error when systemd's read_line() would give up on it."""
        size = len(content)
        if size * 4 + reserve > LONG_LINE_MAX:
            size = len(content.encode("utf-8", "surrogatepass"))
        if size + reserve > LONG_LINE_MAX:
            raise UnitSyntaxError(self._too_long(), number, self.path)
        return size

    @staticmethod
    def _too_long() -> str:
        return "the line is longer than 1 MiB (continuation lines joined), which systemd refuses: split it up"

    def _sort(self, number: int, joined: str, raw: str) -> Line:
        body = joined.strip(WHITESPACE)
        if not body:
            return Line(number, "blank", self.section, "", "", raw)
        broken = None if self.is_utf8 else NOT_UTF8.search(body)
        if broken:
            culprit = _name_character(broken.group())
            raise UnitSyntaxError(
                f"the line holds {culprit}, which is not valid UTF-8, and systemd refuses the file: save it as UTF-8",
                number,
                self.path,
            )
        if body.startswith("["):
            return self._header(number, body, raw)
        return self._assignment(number, body, raw)

    def _header(self, number: int, body: str, raw: str) -> Line:
        name = body[1:-1]
        if body.endswith("]") and name and not _UNSAFE_IN_SECTION.search(name):
            self.section = name
            return Line(number, "section", name, "", "", raw)
        # systemd stops here. We go on in the section that was most likely meant, for findings that help.
        guess = re.match(r"\[\s*([A-Za-z][A-Za-z0-9-]*)", body)
        if guess:
            self.section = guess.group(1)
        meant = self.section or "Unit"
        message = (
            f"'{shorten(body)}' is not a section header, and systemd refuses the whole file: write [{meant}] alone"
        )
        return Line(number, "bad", self.section, "", "", raw, message)

    def _assignment(self, number: int, body: str, raw: str) -> Line:
        before, equals, after = body.partition("=")
        key = before.rstrip(WHITESPACE)
        value = after.lstrip(WHITESPACE)
        if self.section.startswith("X-"):
            # systemd skips what is in such a section without a look.
            kind = "assignment" if equals and key else "bad"
            return Line(number, kind, self.section, key if equals else "", value, raw)
        message = ""
        if body.startswith(".include"):
            message = "'.include' is no longer read by systemd (since 243): use a drop-in instead"
        elif not self.section:
            message = self._headless(key if equals else "", body)
        elif not equals:
            message = (
                f"'{shorten(body)}' has no '=', systemd ignores the line: write Directive=value, or # before a comment"
            )
        elif not key:
            message = f"'{shorten(body)}' has no directive before '=', systemd ignores the line"
        kind = "bad" if message else "assignment"
        return Line(number, kind, self.section, key if equals else "", value, raw, message)

    def _headless(self, key: str, body: str) -> str:
        homes = _catalog.sections_of(key) if key else ()
        own = unit_type(self.name).capitalize()
        home = own if own in homes else next((home for home in ("Unit", "Install", *homes) if home in homes), "")
        remedy = f"put the header [{home}] above it" if home else "put a header such as [Unit] above it"
        return f"'{shorten(body)}' stands before any section header, systemd ignores it: {remedy}"


def _name_character(character: str) -> str:
    code = ord(character)
    return f"the byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"the character U+{code:04X}"
