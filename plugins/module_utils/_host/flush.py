# SPDX-License-Identifier: GPL-3.0-or-later

"""Has what was written on disk."""

from __future__ import annotations

import os


def flush_file_system(folder: int) -> None:
    """Have everything that was written to the file system of a folder on disk, in one call (syncfs(2)).

    :raises OSError: when that fails.
    """
    import ctypes  # slow to load, and an unchanged run flushes nothing

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(folder) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
