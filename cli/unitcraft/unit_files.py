# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit files that a command line names."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from ._host.unit_files import MAX_BYTES, PathProblem, UnitFile, find_unit_files, place_of, read_unit_file
from ._model import Unit
from ._syntax.lines import read_unit
from ._syntax.names import declared_unit_name
from ._syntax.words import UnitSyntaxError, from_bytes
from .errors import InputError

STANDARD_INPUT = "-"


def read_files(paths: Sequence[str], name: str = "") -> Iterator[UnitFile]:
    """The texts of all unit files and drop-ins below *paths*.

    :param name: the unit or drop-in (``web.service.d/limits.conf``) that standard input (``-``) holds.
    :raises InputError: for a path that cannot be read or holds no unit file.
    """
    for path in paths:
        if path == STANDARD_INPUT:
            yield _standard_input(name)
            continue
        try:
            for file in find_unit_files(path):
                yield read_unit_file(file)
        except PathProblem as problem:
            raise InputError(str(problem)) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{error.filename or path} cannot be read: {reason}; make it readable") from None


def read_units(paths: Sequence[str]) -> list[tuple[UnitFile, Unit]]:
    """The same, each file read as a unit.

    :raises InputError: also for a text that systemd would not read at all.
    """
    units = []
    if STANDARD_INPUT in paths:
        raise InputError("-: only lint reads standard input; name a file")
    for file in read_files(paths):
        try:
            units.append((file, read_unit(file.unit, file.text, file.path, file.dropin)))
        except UnitSyntaxError as error:
            raise InputError(f"{file.path}: {error}") from None
    return units


def _standard_input(name: str) -> UnitFile:
    if not name:
        raise InputError("-: standard input has no name; give --name, for example --name web.service")
    unit, dropin = place_of(name)
    try:
        unit = declared_unit_name(unit if dropin else name)
    except ValueError as error:
        raise InputError(f"--name: {error}") from None
    data = sys.stdin.buffer.read(MAX_BYTES + 1) if sys.stdin else b""
    if len(data) > MAX_BYTES:
        raise InputError(f"-: standard input has more than {MAX_BYTES} bytes; no unit file has")
    return UnitFile(unit, dropin, "", from_bytes(data))
