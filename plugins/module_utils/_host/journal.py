# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what ``journalctl --output=json`` prints: one object a line, fields as in systemd.journal-fields(7). No I/O."""

from __future__ import annotations

import json
import typing as t

Entry = t.Mapping[str, t.Any]


def parse_entries(text: str) -> list[Entry]:
    """The entries in the output of ``journalctl --output=json``; a row that is not an object is passed over.

    Rows end with a line feed alone: a message may hold U+2028 and its like as they are.
    """
    entries: list[Entry] = []
    for row in text.split("\n"):
        try:
            entry = json.loads(row)
        except (ValueError, RecursionError):  # an empty row, or the last one of a reader that was stopped
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def message_of(entry: Entry) -> str:
    """The text of an entry.

    journald gives one that is not UTF-8 as a list of bytes, a field that occurs more than once as a list of texts, and
    one that is too long as null.
    """
    message = entry.get("MESSAGE")
    if not isinstance(message, list):
        return "" if message is None else str(message)
    if all(isinstance(item, int) and 0 <= item < 256 for item in message):
        return bytes(message).decode("utf-8", "replace")
    return "\n".join(message_of({"MESSAGE": item}) for item in message)


def number_of(entry: Entry, field: str) -> int:
    """A field that is a number of at most 20 digits; 0 when it is not."""
    text = str(entry.get(field, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 21 else 0
