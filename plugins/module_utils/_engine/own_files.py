# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes files of our own in a folder of our own, atomically and durably."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._host.below import TO_MAKE


def make_folder(path: str, mode: int = 0o755) -> None:
    """Make a folder and its parents, each flushed into its own parent."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make_folder(parent, mode)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, mode)
    os.chmod(path, mode)
    flush_folder(parent)


def replace_file(path: str, data: bytes) -> None:
    """Write one file of our own, atomically and durably; only its owner may read it."""
    with replacing(path) as stream:
        stream.write(data)
    flush_folder(os.path.dirname(path))


@contextlib.contextmanager
def replacing(path: str) -> t.Iterator[t.BinaryIO]:
    """A new file that takes its place, flushed, at the end of the block; ``flush_folder`` makes its name durable."""
    temporary = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    handle = os.open(temporary, TO_MAKE, 0o600)
    try:
        with open(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(handle)
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def flush_folder(path: str) -> None:
    """Have the names in a folder on disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
