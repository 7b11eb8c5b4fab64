# SPDX-License-Identifier: GPL-3.0-or-later

"""Text as systemd reads it: bytes and characters, blanks, the error for text that systemd refuses.

Texts are ``str``. A byte that is not UTF-8 stands in them as a lone surrogate (Python's ``surrogateescape``), so that
bytes survive the way through ``str``; ``to_bytes()`` gives them back.
"""

from __future__ import annotations

import re

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
