# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the unit files and drop-ins below a path, and reads them."""

from __future__ import annotations

import os
import typing as t

from .._syntax.names import unit_name_problem
from .._syntax.words import from_bytes
from .regular import read_regular

_MAX_BYTES = 4 << 20  # what is larger is no unit file


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

    :raises PathProblem: when there is no such path, or no unit file in it.
    """
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise PathProblem(f"there is no file or folder {path} on this host; correct the path, or leave it out")
    found: list[str] = []
    problems: list[OSError] = []
    for folder, _folders, names in os.walk(path, onerror=problems.append):
        for name in sorted(names):
            whole = os.path.join(folder, name)
            is_dropin = name.endswith(".conf") and folder.endswith(".d")
            if not os.path.islink(whole) and (is_dropin or not unit_name_problem(name)):
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
    return UnitFile(unit, dropin, path, from_bytes(read_regular(path, _MAX_BYTES)))


def place_of(path: str) -> tuple[str, str]:
    """Unit and drop-in (empty for a fragment) that a file is, by its path."""
    folder, name = os.path.split(path)
    if name.endswith(".conf") and folder.endswith(".d"):
        return os.path.basename(folder)[: -len(".d")], name[: -len(".conf")]
    return name, ""
