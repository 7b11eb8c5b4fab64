# SPDX-License-Identifier: GPL-3.0-or-later

"""Text as systemd reads it: bytes, words, quotes, C escapes, and the error for what it refuses.

Texts are ``str``. A byte that is not UTF-8 stands in them as a lone surrogate (Python's ``surrogateescape``), so that
bytes survive the way through ``str``; ``to_bytes()`` gives them back.

Source: ``extract_first_word()``, ``cunescape()``; systemd.syntax(7), "QUOTING".
"""

from __future__ import annotations

import functools
import re
import typing as t

WHITESPACE = " \t\n\r"  # what systemd calls blank; str.strip() without it would take more


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


# What utf8_is_valid() refuses besides broken sequences (here lone surrogates): the noncharacters of Unicode.
_NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
NOT_UTF8 = re.compile(f"[\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]")


def shorten(text: str, limit: int = 60) -> str:
    """A text to quote in a message: at most ``limit`` characters, the rest as dots."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


_SIMPLE_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "s": " ",
}  # a table  # fmt: skip
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


def c_unescape(text: str, accept_nul: bool = False) -> str:
    r"""Undo C escapes in a whole value, as systemd's ``cunescape()``.

    :param accept_nul: take ``\x00`` (credentials may hold it).
    :raises UnitSyntaxError: for an unknown escape.
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
            raise UnitSyntaxError(_bad_escape(text, backslash))
        pieces.append(decoded[0])
        done = backslash + 1 + decoded[1]
    pieces.append(text[done:])
    return _reassemble("".join(pieces))


def _bad_escape(text: str, pos: int) -> str:
    return f"'{shorten(text[pos : pos + 2])}' is not an escape that systemd knows: write \\\\ for a backslash"


class WordReader:
    """``extract_first_word()`` of systemd: one instance for each combination of flags."""

    def __init__(
        self,
        separators: str,
        unquote: bool,
        cunescape: bool,
        relax: bool,
        unescape_relax: bool,
        retain_escape: bool,
        coalesce: bool,
    ) -> None:
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
        if pos >= 0 and self.coalesce:
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
            raise UnitSyntaxError(f"a quote ({quote}) is opened and never closed: '{shorten(text)}'")
        return self._join(pieces), -1

    def _skip(self, text: str, pos: int) -> int:
        match = self.blanks.match(text, pos)
        pos = match.end() if match else pos
        return pos if pos < len(text) else -1

    @staticmethod
    def _run(pattern: re.Pattern[str], text: str, pos: int, pieces: list[str]) -> int:
        match = pattern.match(text, pos)
        if not match:  # cannot be: the character at pos is none of the excluded ones
            raise UnitSyntaxError(f"cannot read '{shorten(text[pos:])}'")
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
def word_reader(*flags: t.Any) -> WordReader:
    """The reader for a combination of systemd's flags, in the order of ``WordReader``."""
    return WordReader(*flags)


def split_words(
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


_NO_BLANKS = re.compile(f"[^{WHITESPACE}]+")


def raw_words(value: str) -> list[str]:
    """The words between what systemd calls blank, quotes and escapes untouched. ``str.split()`` knows more blanks."""
    return _NO_BLANKS.findall(value)


def quoted_words(value: str) -> list[str] | None:
    """The words of a value whose words may be quoted, as they stand; None when a quote is not closed."""
    if not re.search("[\"'\\\\]", value):
        return raw_words(value)
    reader = word_reader(WHITESPACE, True, False, False, False, False, True)
    words: list[str] = []
    pos = 0
    while True:
        start = pos
        try:
            word, pos = reader.word(value, pos)
        except UnitSyntaxError:
            return None
        if word is None:
            return words
        words.append(value[start : len(value) if pos < 0 else pos].strip(WHITESPACE))


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
    escaped = escaped.replace('"', '\\"')
    return f'"{escaped}"'


def escape_specifiers(text: str) -> str:
    """Text in which systemd finds no specifiers: every ``%`` doubled (systemd.unit(5) "SPECIFIERS")."""
    return text.replace("%", "%%")
