# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of unit files <-> settings, without loss; words, quoting, escapes, command lines and unit names.

Everything here reads as systemd 247 to 262 read (``config_parse()``, ``extract_first_word()``, ``cunescape()``,
``config_parse_exec()`` and ``unit_name_is_valid()`` of its sources; systemd.syntax(7), systemd.service(5) "COMMAND
LINES", systemd.unit(5) "STRING ESCAPING FOR INCLUSION IN UNIT NAMES").

Texts are ``str``. A byte that is no UTF-8 stands in them as a lone surrogate (Python's ``surrogateescape``), so that
bytes survive the way through ``str``; ``to_bytes()`` gives them back.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils import _catalog, _model

LONG_LINE_MAX = 1024 * 1024  # bytes of one line, continuation lines joined; systemd refuses a file with a longer one
WHITESPACE = " \t\n\r"  # what systemd calls blank; str.strip() without it would take more
UNIT_NAME_MAX = 255
UNIT_TYPES = (
    "service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope",
)  # fmt: skip


class UnitSyntaxError(ValueError):
    """Text that systemd refuses, or that cannot be written so that systemd reads what was meant.

    :ivar line: 1-based line, 0 when the text has no lines (a value, a name).
    :ivar path: the file, empty when there is none.
    """

    def __init__(self, message: str, line: int = 0, path: str = "") -> None:
        self.message = message
        self.line = line
        self.path = path
        place = f"{path}:{line}: " if path and line else f"line {line}: " if line else ""
        super().__init__(place + message)


def to_bytes(text: str) -> bytes:
    """The bytes that ``text`` stands for.

    :raises UnitSyntaxError: when it holds a surrogate that stands for no byte.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise UnitSyntaxError(f"the text holds a lone surrogate, which no file can hold: {error.reason}") from None


def from_bytes(data: bytes) -> str:
    """The text for ``data``; bytes that are no UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


# ------------------------------------------------------------------------------------------------------------- lines


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
    :ivar settings: list of ``_model.Setting`` in order.
    :ivar problems: list of ``(line, message)``, what systemd says about lines it cannot read.
    """

    __slots__ = ("lines", "path", "problems", "settings")

    def __init__(self, lines: t.Sequence[Line], path: str = "") -> None:
        self.lines = list(lines)
        self.path = path
        self.settings = [
            _model.Setting(line.section, line.key, line.value, line.number, path)
            for line in self.lines
            if line.kind == "assignment"
        ]
        self.problems = [(line.number, line.message) for line in self.lines if line.message]

    def write(self) -> str:
        """The text, exactly as it was read."""
        return "".join(line.raw for line in self.lines)


# systemd's read_line() takes \n, \r, \r\n and \n\r for one line end each (and NUL, which is refused here).
_PHYSICAL_LINE = re.compile(r"[^\n\r]*(?:\n\r?|\r\n?)|[^\n\r]+")
# What utf8_is_valid() refuses besides broken sequences (here lone surrogates): the noncharacters of Unicode.
NOT_UTF8 = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef{}]".format(
        "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    )
)
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


def read_unit(name: str, data: bytes | str, path: str = "", dropin: str = "") -> _model.Unit:
    """The unit that one text makes.

    :param name: full unit name with suffix.
    :param dropin: the drop-in's name without ``.conf`` when the text is one drop-in.
    :raises UnitSyntaxError: as ``parse()``.
    """
    text = parse(data, path, name)
    return _model.Unit(name, text.settings, dropin, path, text.problems)


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
        message = f"'{_shorten(body)}' is no section header, and systemd refuses the whole file: write [{meant}] alone"
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
                f"'{_shorten(body)}' has no '=', systemd ignores the line: write Directive=value, or # before a comment"
            )
        elif not key:
            message = f"'{_shorten(body)}' has no directive before '=', systemd ignores the line"
        kind = "bad" if message else "assignment"
        return Line(number, kind, self.section, key if equals else "", value, raw, message)

    def _headless(self, key: str, body: str) -> str:
        homes = _catalog.sections_of(key) if key else ()
        own = self.name.rpartition(".")[2].capitalize()
        home = own if own in homes else next((home for home in ("Unit", "Install", *homes) if home in homes), "")
        remedy = f"put the header [{home}] above it" if home else "put a header such as [Unit] above it"
        return f"'{_shorten(body)}' stands before any section header, systemd ignores it: {remedy}"


def _name_character(character: str) -> str:
    code = ord(character)
    return "the byte 0x%02x" % (code - 0xDC00) if 0xDC80 <= code <= 0xDCFF else f"the character U+{code:04X}"


def _shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


# ------------------------------------------------------------------------------------------------- words and escapes

_SIMPLE_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "s": " ",
}  # fmt: skip
_HEX = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})")


def _unescape_one(text: str, pos: int, accept_nul: bool = False) -> tuple[str, int] | None:
    """Decode the escape whose backslash stands before ``pos``: (text, length), or None when there is no such escape."""
    simple = _SIMPLE_ESCAPES.get(text[pos : pos + 1])
    if simple is not None:
        return simple, 1
    match = _HEX.match(text, pos)
    if not match:
        return None
    byte, short, long, octal = match.groups()
    code = int(octal, 8) if octal else int(byte or short or long, 16)
    if code == 0 and not accept_nul:
        return None
    length = len(match.group())
    if byte or octal:
        return (chr(code) if code < 0x80 else chr(0xDC00 + code)), length
    if long and (code > 0x10FFFF or NOT_UTF8.match(chr(code))):
        return None
    # \uD800 and its like are not refused: systemd writes their three bytes, which are no UTF-8.
    return from_bytes(chr(code).encode("utf-8", "surrogatepass")), length


def _reassemble(text: str) -> str:
    """Join bytes that were escaped one by one to the characters that they make."""
    return from_bytes(to_bytes(text))


def c_unescape(text: str, relax: bool = False, accept_nul: bool = False) -> str:
    """Undo C escapes in a whole value, as systemd's ``cunescape()``.

    :param relax: keep an unknown escape, and a backslash at the end, as they stand.
    :param accept_nul: take ``\\x00`` (credentials may hold it).
    :raises UnitSyntaxError: for an unknown escape, unless relaxed.
    """
    pieces = []
    done = 0
    while True:
        backslash = text.find("\\", done)
        if backslash < 0:
            break
        pieces.append(text[done:backslash])
        decoded = _unescape_one(text, backslash + 1, accept_nul)
        if decoded is None:
            if not relax:
                raise UnitSyntaxError(_bad_escape(text, backslash))
            decoded = "\\", 0
        pieces.append(decoded[0])
        done = backslash + 1 + decoded[1]
    pieces.append(text[done:])
    return _reassemble("".join(pieces))


def _bad_escape(text: str, pos: int) -> str:
    return f"'{_shorten(text[pos : pos + 2])}' is no escape that systemd knows: write \\\\ for a backslash"


class _WordReader:
    """``extract_first_word()`` of systemd: one instance for each combination of flags."""

    def __init__(  # noqa: PLR0913, PLR0917  one parameter for each flag of systemd's
        self, separators: str, unquote: bool, cunescape: bool, relax: bool, unescape_relax: bool,
        retain_escape: bool, coalesce: bool,
    ) -> None:  # fmt: skip
        special = ("" if retain_escape else "\\\\") + ("\"'" if unquote else "")
        self.plain = re.compile(f"[^{re.escape(separators)}{special}]+")
        backslash = "" if retain_escape else "\\\\"
        self.quoted = {mark: re.compile(f"[^{mark}{backslash}]+") for mark in "\"'"}
        self.blanks = re.compile(f"[{re.escape(separators)}]*")
        self.separators = separators
        self.unquote, self.cunescape, self.relax = unquote, cunescape, relax
        self.unescape_relax, self.retain_escape, self.coalesce = unescape_relax, retain_escape, coalesce

    def word(self, text: str, pos: int) -> tuple[str | None, int]:
        """The word at ``pos`` (None when none is left) and where to go on (-1 when the text is at its end)."""
        if pos < 0:
            return None, -1
        if self.coalesce:
            pos = self._skip(text, pos)
            if pos < 0:
                return None, -1
        pieces: list[str] = []
        end = len(text)
        quote = ""
        while pos < end:
            character = text[pos]
            if character == "\\" and not self.retain_escape:
                pos = self._escape(text, pos, quote, pieces)
            elif quote:
                if character == quote:
                    quote = ""
                    pos += 1
                else:
                    pos = self._run(self.quoted[quote], text, pos, pieces)
            elif self.unquote and character in "\"'":
                quote = character
                pos += 1
            elif character in self.separators:
                return self._join(pieces), (self._skip(text, pos) if self.coalesce else pos + 1)
            else:
                pos = self._run(self.plain, text, pos, pieces)
        if quote and not self.relax:
            raise UnitSyntaxError(f"a quote ({quote}) is opened and never closed: '{_shorten(text)}'")
        return self._join(pieces), -1

    def _skip(self, text: str, pos: int) -> int:
        match = self.blanks.match(text, pos)
        pos = match.end() if match else pos
        return pos if pos < len(text) else -1

    @staticmethod
    def _run(pattern: re.Pattern[str], text: str, pos: int, pieces: list[str]) -> int:
        match = pattern.match(text, pos)
        if not match:  # cannot be: the character at pos is none of the excluded ones
            raise UnitSyntaxError(f"cannot read '{_shorten(text[pos:])}'")
        pieces.append(match.group())
        return match.end()

    def _escape(self, text: str, pos: int, quote: str, pieces: list[str]) -> int:
        following = text[pos + 1 : pos + 2]
        if not following:
            if self.unescape_relax and (not quote or self.relax):
                pieces.append("\\")
            elif not self.relax:
                raise UnitSyntaxError("the value ends in a backslash: write \\\\ for a backslash")
            return pos + 1
        if not self.cunescape:
            pieces.append("\\" + following if self.unescape_relax else following)
            return pos + 2
        decoded = _unescape_one(text, pos + 1)
        if decoded is None:
            if not self.unescape_relax:
                raise UnitSyntaxError(_bad_escape(text, pos))
            decoded = "\\" + following, 1
        pieces.append(decoded[0])
        return pos + 1 + decoded[1]

    def _join(self, pieces: list[str]) -> str:
        return _reassemble("".join(pieces)) if self.cunescape and len(pieces) > 1 else "".join(pieces)


@functools.lru_cache(maxsize=32)
def word_reader(*flags: t.Any) -> _WordReader:
    """The reader for a combination of systemd's flags, in the order of ``_WordReader``."""
    return _WordReader(*flags)


def split_words(  # noqa: PLR0913, PLR0917  one parameter for each flag of systemd's
    value: str,
    unquote: bool = True,
    cunescape: bool = True,
    relax: bool = False,
    unescape_relax: bool = False,
    retain_escape: bool = False,
    separators: str = WHITESPACE,
    coalesce: bool = True,
) -> list[str]:
    """Split a value into words as systemd's ``extract_first_word()`` does with the same flags.

    :param unquote: quotes keep blanks together and are removed (``EXTRACT_UNQUOTE``).
    :param cunescape: C escapes are decoded (``EXTRACT_CUNESCAPE``); without it a backslash only protects the next
        character.
    :param relax: an unclosed quote and a backslash at the end are no errors (``EXTRACT_RELAX``).
    :param unescape_relax: unknown escapes stay as they are (``EXTRACT_UNESCAPE_RELAX``).
    :param retain_escape: a backslash is a character like others (``EXTRACT_RETAIN_ESCAPE``).
    :param coalesce: false: each separator ends a word, which may be empty (``EXTRACT_DONT_COALESCE_SEPARATORS``).
    :raises UnitSyntaxError: for an unclosed quote or an unknown escape.
    """
    reader = word_reader(separators, unquote, cunescape, relax, unescape_relax, retain_escape, coalesce)
    words: list[str] = []
    pos = 0
    while True:
        word, pos = reader.word(value, pos)
        if word is None:
            return words
        words.append(word)


# Control characters, DEL, C1, the line separators of Unicode, what is no UTF-8: never raw in what we write.
_NEVER_RAW = re.compile(f"(?:[\x00-\x1f\x7f-\x9f\u2028\u2029\\\\]|{NOT_UTF8.pattern})+")
_NEEDS_QUOTES = re.compile("[ \"']")
_ESCAPED = [f"\\x{byte:02x}" for byte in range(256)]
_ESCAPED[ord("\n")], _ESCAPED[ord("\t")], _ESCAPED[ord("\r")], _ESCAPED[ord("\\")] = "\\n", "\\t", "\\r", "\\\\"


def c_escape(text: str) -> str:
    """Write control characters, backslashes and bytes that are no UTF-8 as C escapes that every systemd reads."""

    def escape(match: re.Match[str]) -> str:
        return "".join([_ESCAPED[byte] for byte in match.group().encode("utf-8", "surrogateescape")])

    to_bytes(text)  # a lone surrogate that stands for no byte has no escape
    return _NEVER_RAW.sub(escape, text)


def quote(word: str) -> str:
    """One word for a value that systemd splits with quotes and C escapes; quoted only when it must be."""
    escaped = c_escape(word)
    if word and not _NEEDS_QUOTES.search(word):
        return escaped
    return '"{}"'.format(escaped.replace('"', '\\"'))


def escape_specifiers(text: str) -> str:
    """Text in which systemd finds no specifiers: every ``%`` doubled (systemd.unit(5) "SPECIFIERS")."""
    return text.replace("%", "%%")


# ------------------------------------------------------------------------------------------------------ command lines

EXEC_PREFIXES = "@-:+!|"  # systemd.service(5), table "Special executable prefixes"; releases before 258 lack the |
# A program's name must pass systemd's string_is_safe(); since 258 it must be UTF-8, too.
_UNSAFE_IN_PATH = re.compile("[\x00-\x1f\x7f\"'\\\\]")


class ExecCommand(t.NamedTuple):
    """One command of an ``Exec*=`` value, specifiers and variables not yet resolved."""

    prefixes: str  # any of EXEC_PREFIXES, as written
    path: str  # the program; empty only after a lone |, which starts the user's shell
    argv: list[str]  # what the program gets, argv[0] first; after | the words that a shell gets joined by blanks
    raw: str  # the text of this command


def exec_quote(args: t.Sequence[str | bytes], prefix: str = "") -> str:
    """The command line with which systemd starts ``args[0]`` with exactly these arguments, byte for byte.

    :param args: the program and its arguments; with ``@`` in ``prefix`` the second one is the program's ``argv[0]``.
    :param prefix: prefix characters of systemd.service(5), for example ``-`` or ``!``.
    :raises UnitSyntaxError: for what systemd cannot start: no program, a NUL, a program's name with quotes,
        backslashes, control characters or a leading prefix character; and for ``|``, with which a shell would split
        the arguments again.
    """
    words = [from_bytes(arg) if isinstance(arg, bytes) else arg for arg in args]
    if not words or not words[0]:
        raise UnitSyntaxError("the argument list names no program: its first item is the program to start")
    for word in words:
        if "\0" in word:
            raise UnitSyntaxError(f"the argument '{_shorten(word)}' holds a NUL, which no argument can hold")
    _check_prefix(prefix)
    program, rest = words[0], words[1:]
    _check_program(program)
    if "@" in prefix and not rest:
        raise UnitSyntaxError("the prefix @ wants a second item, which becomes the program's argv[0]")
    expands = ":" not in prefix
    if expands and "$" in program and "@" not in prefix:
        # systemd resolves variables in argv[0] but not in the path, so the two must be written apart.
        prefix += "@"
        rest = [program, *rest]
    line = [quote(escape_specifiers(prefix + program))]
    for word in rest:
        escaped = escape_specifiers(word.replace("$", "$$") if expands else word)
        line.append('";"' if escaped == ";" else quote(escaped))
    return " ".join(line)


def _check_prefix(prefix: str) -> None:
    if "|" in prefix:
        raise UnitSyntaxError(
            "with the prefix | a shell splits the arguments again, so that a list cannot say what the program gets: "
            "write the command as a string"
        )
    if _exec_prefixes(prefix) != prefix:
        raise UnitSyntaxError(
            f"'{_shorten(prefix)}' is no prefix of a command: systemd takes @ - : once each, and one of + ! !!"
        )


def _check_program(program: str) -> None:
    if _UNSAFE_IN_PATH.search(program) or NOT_UTF8.search(program):
        shown = c_escape(_shorten(program))
        raise UnitSyntaxError(
            f"systemd starts no program whose name holds quotes, backslashes or control characters: '{shown}'"
        )
    if program == ";" or program[0] in EXEC_PREFIXES:
        raise UnitSyntaxError(
            f"systemd takes '{program[0]}' at the front of a command for itself: write the program's absolute path"
        )


def parse_exec(value: str, relax: bool = False) -> list[ExecCommand]:
    """Read the value of an ``Exec*=`` directive.

    :param value: one value, which may hold several commands separated by a lone ``;``.
    :param relax: keep unknown escapes as they stand, as systemd does after a warning.
    :returns: the commands; none for an empty value.
    :raises UnitSyntaxError: for unclosed quotes, unknown escapes, a prefix without a program, ``@`` without argv[0].
    """
    reader = word_reader(WHITESPACE, True, True, False, relax, False, True)
    commands: list[ExecCommand] = []
    pos = 0
    while pos >= 0:
        start = pos
        word, pos = reader.word(value, pos)
        if word is None:
            break
        if word == ";":
            continue
        command, pos = _read_command(reader, value, word, start, pos)
        commands.append(command)
    return commands


def _read_command(reader: _WordReader, value: str, first: str, start: int, pos: int) -> tuple[ExecCommand, int]:
    prefixes = _exec_prefixes(first)
    path = first[len(prefixes) :]
    argv = [] if "@" in prefixes else [path]
    end = len(value) if pos < 0 else pos
    while pos >= 0:
        if value[pos] == ";" and value[pos + 1 : pos + 2] in (*WHITESPACE, ""):
            pos = reader._skip(value, pos + 1)
            break
        if value.startswith("\\;", pos) and value[pos + 2 : pos + 3] in (*WHITESPACE, ""):
            argv.append(";")
            pos = reader._skip(value, pos + 2)
        else:
            word, pos = reader.word(value, pos)
            if word is None:
                break
            argv.append(word)
        end = len(value) if pos < 0 else pos
    raw = value[start:end].strip(WHITESPACE)
    if not path and "|" not in prefixes:
        raise UnitSyntaxError(f"the prefix '{prefixes}' stands before no program: '{_shorten(raw)}'")
    if not argv and "|" not in prefixes:
        raise UnitSyntaxError(f"the prefix @ wants a second word, which becomes argv[0]: '{_shorten(raw)}'")
    return ExecCommand(prefixes, path, argv, raw), pos


def _exec_prefixes(word: str) -> str:
    """The prefix characters that systemd takes off the front: each once, and one of ``+``, ``!`` and ``!!``."""
    taken = ""
    for character in word:
        if character not in EXEC_PREFIXES:
            break
        privileges = taken.count("!") + 2 * taken.count("+")
        if (privileges > (1 if character == "!" else 0)) if character in "+!" else (character in taken):
            break
        taken += character
    return taken


# --------------------------------------------------------------------------------------------------------- unit names

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
        return f"'{_shorten(name)}' does not end in a unit type: add .service (or one of .{others})"
    if not stem:
        return f"'{name}' has nothing before its suffix"
    size = len(name.encode("utf-8", "surrogatepass"))
    if size > UNIT_NAME_MAX:
        return f"the unit name '{_shorten(name)}' has {size} bytes, more than the {UNIT_NAME_MAX} that systemd takes"
    bad = sorted(set(stem) - _NAME_CHARACTERS - {"@"})
    if bad:
        shown = ", ".join(map(ascii, bad[:5]))
        return (
            f"'{_shorten(name)}' holds {shown}, which no unit name can hold: only letters, digits and :-_.\\ and one @ "
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
        raise UnitSyntaxError(f"'{_shorten(text)}' makes no unit name: {problem}")
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
        raise UnitSyntaxError(f"'{_shorten(text)}' is no plain path: write it without . and ..")
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
        raise UnitSyntaxError(f"'{_shorten(text)}' is no escaped path")
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
        raise UnitSyntaxError(f"'{_shorten(text)}' is not escaped as systemd does: a backslash starts \\xNN")
    data = re.sub(
        rb"\\x([0-9a-fA-F]{2})",
        lambda match: bytes([int(match.group(1), 16)]),
        to_bytes(text).replace(b"-", b"/"),
    )
    return from_bytes(data)


# -------------------------------------------------------------------------------------------------------- directives


def joins_of(section: str, directive: str) -> str:
    """How several values of a directive come together: the catalogue's word, ``lines`` for unknown directives."""
    if section == "Install":
        return "single" if directive == "DefaultInstance" else "words"
    entry = _catalog.get(section, directive)
    return entry.joins if entry is not None else "lines"
