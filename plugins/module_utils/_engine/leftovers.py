# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes with a declared path: all that is in a removed folder, or only what the roles put there. No I/O."""

from __future__ import annotations

import posixpath
import re
import typing as t

from .._model import File
from .desired import DesiredFile

SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def fate(
    file: DesiredFile, before: File, below: t.Mapping[str, File], declared: t.Mapping[str, DesiredFile]
) -> tuple[dict[str, File], bool]:
    """What in a folder goes, and whether what stands at the path itself may go or become something else.

    :param below: everything in the folder that stands at the path, by path.
    :param declared: the files of the task, by path.
    """
    if before.kind != "directory":
        return {}, _may_go(file, before)
    inner = {} if file.only_new else dict(below)
    if file.old_secrets:
        inner = {path: there for path, there in below.items() if _is_old_secret(file.path, path, there, declared)}
    gone = {path for path, other in declared.items() if other.kind == "missing"}
    return inner, file.kind == "directory" or below.keys() <= inner.keys() | gone


def _may_go(file: DesiredFile, before: File) -> bool:
    if file.only_new and file.kind == "missing":  # it speaks of a folder alone
        return False
    return not file.old_secrets or before.kind == file.kind or is_secret(before)


def _is_old_secret(folder: str, path: str, there: File, declared: t.Mapping[str, DesiredFile]) -> bool:
    parent, name = posixpath.split(path)
    return parent == folder and path not in declared and is_secret(there) and bool(SECRET_NAME.match(name))


def is_secret(file: File) -> bool:
    """Whether it is as the roles write secrets."""
    return file.kind == "file" and file.uid == 0 and file.mode == 0o600
