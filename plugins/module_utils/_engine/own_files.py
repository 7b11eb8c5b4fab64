# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes files of our own in a folder of our own, atomically and durably."""

from __future__ import annotations

import contextlib
import os


def make_folder(path: str, mode: int = 0o755) -> None:
    """Make a folder and its parents, each flushed into its own parent."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make_folder(parent, mode)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, mode)
    os.chmod(path, mode)
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: str, data: bytes, mode: int = 0o600) -> None:
    """Write one file of our own, atomically and durably."""
    folder, name = os.path.split(path)
    temporary = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with open(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(handle)
        os.rename(temporary, os.path.join(folder, name))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    flush_folder(folder)


def flush_folder(path: str) -> None:
    """Have the names in a folder on disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
