# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of findings that are known and left for later.

An entry says which rule found what in which assignment, not on which line: it still fits after lines were added above.
Of the value it holds a checksum, since the value may be a secret.
"""

from __future__ import annotations

import collections
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ._host.regular import read_regular
from .errors import InputError
from .found import Found

FORMAT = 1
_MAX_BYTES = 64 << 20
_FIELDS = ("rule", "path", "section", "directive", "value")
Entry = tuple[str, ...]  # of _FIELDS


class Baseline:
    """The findings of a file, each with how often it is there."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = collections.Counter(entries)

    def rules(self) -> set[str]:
        """The rules that it speaks of."""
        return {entry[0] for entry in self._entries}

    def subtract(self, found: Sequence[Found], checked: Iterable[str]) -> tuple[list[Found], int]:
        """The findings that it does not hold, and how many it holds that are there no more.

        :param checked: the files that were looked at. Of others, what is gone cannot be told, unless the file is.
        """
        looked_at = {Path(file).as_posix() for file in checked}
        known = self._entries.copy()
        left = []
        for each in found:
            entry = _entry(each)
            if known[entry] > 0:
                known[entry] -= 1
            else:
                left.append(each)
        gone = (number for entry, number in known.items() if entry[1] in looked_at or not Path(entry[1]).exists())
        return left, sum(gone)


def _entry(found: Found) -> Entry:
    finding = found.finding
    checksum = (
        hashlib.sha256(finding.value.encode("utf-8", "surrogateescape")).hexdigest()[:16] if finding.value else ""
    )
    return finding.rule, Path(found.file).as_posix(), finding.section, finding.directive, checksum


def write(path: str, found: Sequence[Found]) -> None:
    """Write the findings to a file.

    :raises InputError: when that is impossible.
    """
    entries = [dict(zip(_FIELDS, entry)) for entry in sorted(map(_entry, found))]
    text = json.dumps({"unitcraft_baseline": FORMAT, "findings": entries}, indent=2) + "\n"
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise InputError(f"--write-baseline: {path} is not a regular file")
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--write-baseline: {path} cannot be written: {error.strerror}") from None


def read(path: str) -> Baseline:
    """Read what ``write`` wrote.

    :raises InputError: for anything else.
    """
    try:
        read_back = json.loads(read_regular(path, _MAX_BYTES).decode("utf-8-sig"))
        if read_back["unitcraft_baseline"] != FORMAT or read_back["unitcraft_baseline"] is True:
            given = json.dumps(read_back["unitcraft_baseline"])
            raise InputError(f"--baseline: {path} has format {given}, not {FORMAT}; --write-baseline makes one")
        return Baseline([tuple(str(entry[field]) for field in _FIELDS) for entry in read_back["findings"]])
    except OSError as error:
        raise InputError(f"--baseline: {path} cannot be read: {error.strerror}; --write-baseline makes one") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise InputError(f"--baseline: {path} is not a baseline; --write-baseline makes one") from None
