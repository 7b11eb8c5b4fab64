# SPDX-License-Identifier: GPL-3.0-or-later

"""Change a set of files so that each is the old or the new one, also after a crash; take and restore copies of them."""

from __future__ import annotations

import base64
import contextlib
import os
import typing as t

from .._host.below import open_folder, opened
from .._model import UNIT_MODE, Change, File

TEMPORARY = ".#unitcraft-"  # systemd passes over hidden files and over names that end in no unit type
_FLUSH_TOGETHER = 8  # from this many files on, one flush of the file system is cheaper than one of each file


def apply(changes: t.Sequence[Change], token: str, base: str = "") -> None:
    """Make every change: first write all new texts beside their places and flush them, then rename them into place.

    A full disk shows while the new texts are written, when no unit file has been touched yet.

    :param token: goes into the names of temporary files, so that ``remove_temporary`` finds those of a killed run.
    :param base: see ``open_folder``.
    :raises OSError: with the path in ``filename``.
    """
    staged: list[tuple[int, str, Change]] = []
    with contextlib.ExitStack() as stack:
        folders = _Folders(stack, base)
        try:
            for number, change in enumerate(changes):
                if change.after.kind in ("file", "link"):
                    name = f"{TEMPORARY}{token}-{number}"
                    folder = folders.open(os.path.dirname(change.path))
                    staged.append((folder, name, change))
                    _create(folder, name, change.after)
            _flush([(folder, name) for folder, name, change in staged if change.after.kind == "file"])
        except OSError as error:
            for folder, name, _change in staged:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)
            if staged and not error.filename:
                error.filename = staged[-1][2].path
            raise
        for folder, name, change in staged:
            os.rename(name, os.path.basename(change.path), src_dir_fd=folder, dst_dir_fd=folder)
        for change in changes:
            if change.after.kind == "missing":
                _remove(folders, change.path)
        folders.flush()
    remove_empty_folders([change.path for change in changes if change.after.kind == "missing"], base)


class _Folders:
    """Open folders by path, each once."""

    def __init__(self, stack: contextlib.ExitStack, base: str) -> None:
        self._stack = stack
        self._base = base
        self._open: dict[str, int] = {}

    def open(self, path: str, create: bool = True) -> int:
        if path not in self._open:
            handle = open_folder(path, self._base, create)
            self._stack.callback(os.close, handle)
            self._open[path] = handle
        return self._open[path]

    def flush(self) -> None:
        for handle in self._open.values():
            os.fsync(handle)


def _create(folder: int, name: str, file: File) -> None:
    """Make a new file or link under a temporary name; nothing that stands there is opened or followed."""
    if file.kind == "link":
        os.symlink(file.target, name, dir_fd=folder)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, flags, 0o600, dir_fd=folder)
    with open(handle, "wb") as stream:
        stream.write(file.data)
        stream.flush()
        if file.uid != os.geteuid() or file.gid != os.getegid():
            with contextlib.suppress(PermissionError):  # a user cannot give files away, and need not
                os.fchown(handle, file.uid, file.gid)
        os.fchmod(handle, file.mode or UNIT_MODE)


def _flush(names: t.Sequence[tuple[int, str]]) -> None:
    """Have the contents of files on disk, before a rename makes them the valid ones."""
    if len(names) >= _FLUSH_TOGETHER:
        import ctypes  # costs more than all the rest of this file

        libc = ctypes.CDLL(None, use_errno=True)
        if all(libc.syncfs(folder) == 0 for folder in {folder for folder, _name in names}):
            return
    for folder, name in names:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(folders: _Folders, path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.basename(path), dir_fd=folders.open(os.path.dirname(path), create=False))


def remove_empty_folders(paths: t.Iterable[str], base: str = "") -> None:
    """Remove the ``.d``, ``.wants`` and ``.requires`` folders of removed files, where nothing else is in them."""
    for place in {os.path.dirname(path) for path in paths}:
        if place.endswith((".d", ".wants", ".requires", ".upholds")):
            outer, name = os.path.split(place)
            with contextlib.suppress(OSError), opened(outer, base) as handle:
                os.rmdir(name, dir_fd=handle)


def remove_temporary(paths: t.Iterable[str], token: str, base: str = "") -> None:
    """Remove what a killed run left under temporary names beside some paths."""
    for place in {os.path.dirname(path) for path in paths}:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), opened(place, base) as handle:
            for name in os.listdir(handle):
                if name.startswith(f"{TEMPORARY}{token}-"):
                    os.unlink(name, dir_fd=handle)


def to_json(path: str, file: File) -> dict[str, t.Any]:
    """A file as JSON can hold it, for the snapshot."""
    return {
        "path": path,
        "kind": file.kind,
        "data": base64.b64encode(file.data).decode("ascii"),
        "target": file.target,
        "mode": file.mode,
        "uid": file.uid,
        "gid": file.gid,
    }


def from_json(entry: t.Mapping[str, t.Any]) -> tuple[str, File]:
    """The path and the file that ``to_json`` was given."""
    file = File(
        entry["kind"], base64.b64decode(entry["data"]), entry["target"], entry["mode"], entry["uid"], entry["gid"]
    )
    return entry["path"], file
