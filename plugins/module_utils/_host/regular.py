# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens files that others may have replaced: a FIFO or a device must not keep us waiting."""

from __future__ import annotations

import errno
import os
import stat
import typing as t


def open_regular(path: str, most: int, folder: int | None = None) -> t.BinaryIO:
    """Open a regular file of at most *most* bytes; it may grow, so read no more than these.

    :param folder: handle of the folder that the path starts from; then a link at its end is refused.
    :raises OSError: for anything else too; ``strerror`` says what it is.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    handle = os.open(path, flags if folder is None else flags | os.O_NOFOLLOW, dir_fd=folder)
    stream = open(handle, "rb")  # noqa: SIM115  the caller closes it
    info = os.fstat(handle)
    problem = ""
    if not stat.S_ISREG(info.st_mode):
        problem = "it is not a regular file"
    elif info.st_size > most:
        problem = f"it has {info.st_size} bytes, and at most {most} are read"
    if problem:
        stream.close()
        raise OSError(errno.EINVAL, problem, path)
    return stream


def read_regular(path: str, most: int) -> bytes:
    """The bytes of a regular file, see ``open_regular``."""
    with open_regular(path, most) as stream:
        return stream.read(most)
