# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the unit files and drop-ins below a path, and reads them."""

from __future__ import annotations

import collections
import os
import typing as t

from .._syntax.names import UNIT_TYPES, split_unit_name, unit_name_problem
from .._syntax.words import from_bytes
from .regular import read_regular

MAX_BYTES = 4 << 20  # what is larger is no unit file


class PathProblem(Exception):
    """A path that is not a unit file and holds none."""


class UnitFile(t.NamedTuple):
    """The text of one file.

    :ivar unit: the unit it is about, by the name of the file or of the drop-in's folder.
    :ivar dropin: name without ``.conf``; empty for a fragment.
    """

    unit: str
    dropin: str
    path: str
    text: str


def find_unit_files(path: str) -> list[str]:
    """The unit files and drop-ins that a path stands for.

    Symbolic links within a folder are left out: they lead out of it, or to a file that is found anyway.

    :raises PathProblem: when there is no such path, or no unit file in it.
    """
    if os.path.isfile(path):
        return [path]
    if os.path.lexists(path) and not os.path.isdir(path):
        raise PathProblem(f"{path} is not a regular file or a folder; name one, or leave it out")
    if not os.path.isdir(path):
        raise PathProblem(f"there is no file or folder {path} on this host; correct the path, or leave it out")
    found: list[str] = []
    problems: list[OSError] = []
    for folder, _folders, names in os.walk(path, onerror=problems.append):
        for name in sorted(names):
            whole = os.path.join(folder, name)
            is_dropin = name.endswith(".conf") and folder.endswith(".d")
            # A name that only looks like that of a unit is found as well: reading it says what is wrong.
            wanted = is_dropin or split_unit_name(name).type in UNIT_TYPES
            if wanted and not name.startswith(".") and not os.path.islink(whole):
                found.append(whole)
    if problems:
        raise PathProblem(f"{problems[0].filename} cannot be read: {problems[0].strerror}; make it readable")
    if not found:
        raise PathProblem(f"{path} holds no unit file and no drop-in (NAME.d/*.conf); name a folder that does")
    return sorted(found)


def read_unit_file(path: str) -> UnitFile:
    """The text of one file, with the unit that it is about.

    :raises PathProblem: when its name is not that of a unit file.
    :raises OSError: when it cannot be read.
    """
    unit, dropin = place_of(path)
    problem = unit_name_problem(unit)
    if problem and not (dropin and "." not in unit):
        raise PathProblem(f"{path} is not a unit file: {problem}")
    return UnitFile(unit, dropin, path, from_bytes(read_regular(path, MAX_BYTES)))


def unit_sets(files: t.Iterable[UnitFile]) -> list[list[UnitFile]]:
    """The files, each once, in sets that one host can have together.

    That is one set, unless two folders have a file of the same name: then each folder is a set of its own.
    """
    seen: dict[str, UnitFile] = {}
    for number, file in enumerate(files):
        seen.setdefault(os.path.abspath(file.path) if file.path else f"{number}", file)
    names = collections.Counter((file.unit, file.dropin) for file in seen.values())
    if all(count == 1 for count in names.values()):
        return [list(seen.values())]
    sets: dict[str, list[UnitFile]] = {}
    for path, file in seen.items():
        folder = os.path.dirname(path)
        sets.setdefault(os.path.dirname(folder) if file.dropin else folder, []).append(file)
    return list(sets.values())


def place_of(path: str) -> tuple[str, str]:
    """Unit and drop-in (empty for a fragment) that a file is, by its path."""
    folder, name = os.path.split(path)
    if name.endswith(".conf") and folder.endswith(".d"):
        return os.path.basename(folder)[: -len(".d")], name[: -len(".conf")]
    return name, ""
