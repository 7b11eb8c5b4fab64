# SPDX-License-Identifier: GPL-3.0-or-later

"""Change a set of files so that each is the old or the new one, also after a crash; take and restore copies of them."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import stat
import typing as t

from .._host.below import TO_LIST, TO_MAKE, TO_READ, open_folder, opened
from .._host.flush import flush_file_system
from .._model import Change, File
from .contents import OpenContent, copy_content

TEMPORARY = ".#unitcraft-"  # systemd passes over hidden files and over names that end in no unit type
_MOST_OPEN = 256  # folders at once; a process may open 1024 files
_FLUSH_TOGETHER = 8  # from this many files on, one flush of the file system is cheaper than one of each file


def apply(changes: t.Sequence[Change], token: str, base: str = "", open_content: OpenContent | None = None) -> None:
    """Make every change: first write all new texts beside their places and flush them, then rename them into place.

    A full disk shows while the new texts are written, when no file has been touched yet, only new folders made.

    :param token: goes into the names of temporary files, so that ``remove_temporary`` finds those of a killed run.
    :param base: see ``open_folder``.
    :param open_content: opens what a file of a change has no ``data`` for, by its digest.
    :raises OSError: with the path in ``filename``.
    """
    with contextlib.closing(_Folders(base)) as folders:
        for change in changes:
            if change.after.kind == "directory":
                with _naming(change):
                    folders.make(change)
        staged: _Staged = []
        try:
            _stage(folders, changes, token, open_content, staged)
            _put_in_place(folders, changes, staged)
        except OSError:
            for name, change in staged:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folders.parent(change, create=False))
            raise
        folders.flush()
    remove_empty_folders([c.path for c in changes if c.after.kind == "missing" and not c.place], base)


@contextlib.contextmanager
def _naming(change: Change) -> t.Iterator[None]:
    """Have an error name the path of a change, and not a name in an open folder."""
    try:
        yield
    except OSError as error:
        error.filename = change.path
        raise


_Staged = list[tuple[str, Change]]  # temporary name in the folder of the file


def _stage(
    folders: _Folders, changes: t.Sequence[Change], token: str, open_content: OpenContent | None, staged: _Staged
) -> None:
    """Write new files and links under temporary names."""
    for number, change in enumerate(changes):
        if change.after.kind in ("file", "link"):
            name = f"{TEMPORARY}{token}-{number}"
            with _naming(change):
                folder = folders.parent(change)
                staged.append((name, change))
                _create(folder, name, change.after, open_content)
    _flush(folders, [(name, change) for name, change in staged if change.after.kind == "file"])


def _put_in_place(folders: _Folders, changes: t.Sequence[Change], staged: _Staged) -> None:
    """Give new files and links their names, and remove what goes."""
    removed = [change for change in changes if change.after.kind == "missing"]
    removed.sort(key=lambda change: -change.path.count("/"))  # what is in a folder before it
    replaced = [change for _name, change in staged if change.before.kind == "directory"]
    for change in replaced:
        inner = [other for other in removed if other.path.startswith(f"{change.path}/")]
        for old in (*inner, change):
            _remove(folders, old)
        removed = [other for other in removed if other not in inner]
    for name, change in staged:
        with _naming(change):
            folder = folders.parent(change)
            os.rename(name, os.path.basename(change.path), src_dir_fd=folder, dst_dir_fd=folder)
    for change in removed:
        _remove(folders, change)


class _Folders:
    """Open folders by path, the last ones that were asked for."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._open: dict[str, int] = {}

    def parent(self, change: Change, create: bool = True) -> int:
        """The folder in which the file of a change stands, open until many others have been asked for."""
        path = os.path.dirname(change.path)
        if path not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self.flush()
                self.close()
            self._open[path] = open_folder(path, self._base, create)
        return self._open[path]

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def make(self, change: Change) -> None:
        """Make a folder, or give one that is there its owner, mode and attributes."""
        folder, name = self.parent(change), os.path.basename(change.path)
        if change.before.kind in ("file", "link"):
            os.unlink(name, dir_fd=folder)
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
        handle = os.open(name, TO_LIST, dir_fd=folder)
        try:
            _dress(handle, change.after)
            os.fsync(handle)
        finally:
            os.close(handle)

    def flush(self) -> None:
        for handle in self._open.values():
            os.fsync(handle)


def _create(folder: int, name: str, file: File, open_content: OpenContent | None) -> None:
    """Make a new file or link under a temporary name; nothing that stands there is opened or followed."""
    if file.kind == "link":
        os.symlink(file.target, name, dir_fd=folder)
        with contextlib.suppress(PermissionError):
            os.chown(name, file.uid, file.gid, dir_fd=folder, follow_symlinks=False)
        return
    handle = os.open(name, TO_MAKE, 0o600, dir_fd=folder)
    with open(handle, "wb") as stream:
        if file.digest and open_content is not None:
            with open_content(file.digest) as content:
                copy_content(content, stream, file.size, file.digest)
        else:
            stream.write(file.data)
        stream.flush()
        _dress(handle, file)


def _dress(handle: int, file: File) -> None:
    """Give an open file or folder its owner, attributes and mode, in the order in which none undoes another."""
    info = os.fstat(handle)
    if (file.uid, file.gid) != (info.st_uid, info.st_gid):
        with contextlib.suppress(PermissionError):  # a user cannot give files away, and need not
            os.fchown(handle, file.uid, file.gid)
    if file.attributes or file.kind == "directory":
        present = read_attributes(handle)
        for attribute, value in file.attributes:
            if (attribute, value) not in present:
                with contextlib.suppress(PermissionError):
                    os.setxattr(handle, attribute, value)
        for attribute in {name for name, _value in present} - {name for name, _value in file.attributes}:
            if not attribute.startswith("security."):  # the label that the system itself gives to new files
                with contextlib.suppress(OSError):
                    os.removexattr(handle, attribute)
    os.fchmod(handle, file.mode)


_OF_THE_CONTENT = ("security.ima", "security.evm", "trusted.")


def read_attributes(handle: int) -> tuple[tuple[str, bytes], ...]:
    """The extended attributes of an open file, without those that sign its content or belong to its file system."""
    found = []
    with contextlib.suppress(OSError):  # not every file system has them
        for name in sorted(os.listxattr(handle)):
            if not name.startswith(_OF_THE_CONTENT):
                with contextlib.suppress(OSError):
                    found.append((name, os.getxattr(handle, name)))
    return tuple(found)


def _flush(folders: _Folders, files: _Staged) -> None:
    """Have the contents of files on disk, before a rename makes them the valid ones."""
    if len(files) >= _FLUSH_TOGETHER:
        with contextlib.suppress(OSError):
            for change in {os.path.dirname(change.path): change for _name, change in files}.values():
                flush_file_system(folders.parent(change))
            return
    for name, change in files:
        with _naming(change):
            handle = os.open(name, TO_READ, dir_fd=folders.parent(change))
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _remove(folders: _Folders, change: Change) -> None:
    with contextlib.suppress(FileNotFoundError), _naming(change):
        folder, name = folders.parent(change, create=False), os.path.basename(change.path)
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
            return
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as error:
            # Somebody else's files are in it. A mount point cannot go: a task says so, an undo names what is left.
            if error.errno != errno.ENOTEMPTY and (error.errno != errno.EBUSY or change.action):
                raise


def remove_empty_folders(paths: t.Iterable[str], base: str = "") -> None:
    """Remove the folders of drop-ins and links of removed unit files, where nothing else is in them."""
    for place in {os.path.dirname(path) for path in paths}:
        if place.endswith((".d", ".wants", ".requires", ".upholds")):
            outer, name = os.path.split(place)
            with contextlib.suppress(OSError), opened(outer, base) as handle:
                os.rmdir(name, dir_fd=handle)


def remove_temporary(paths: t.Iterable[str], token: str, base: str = "") -> None:
    """Remove what a killed run left under temporary names beside some paths."""
    for place in {os.path.dirname(path) for path in paths}:
        with contextlib.suppress(OSError), opened(place, base) as handle:
            for name in os.listdir(handle):
                if name.startswith(f"{TEMPORARY}{token}-"):
                    os.unlink(name, dir_fd=handle)


def to_json(path: str, file: File) -> dict[str, t.Any]:
    """A file as JSON can hold it, for the snapshot."""
    return {
        "path": path,
        "kind": file.kind,
        "data": _text(file.data),
        "target": file.target,
        "mode": file.mode,
        "uid": file.uid,
        "gid": file.gid,
        "digest": file.digest,
        "size": file.size,
        "attributes": [[name, _text(value)] for name, value in file.attributes],
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def from_json(entry: t.Mapping[str, t.Any]) -> tuple[str, File]:
    """The path and the file that ``to_json`` was given. Intents of version 0.1 have no digest and what follows it."""
    file = File(
        entry["kind"],
        base64.b64decode(entry["data"]),
        entry["target"],
        entry["mode"],
        entry["uid"],
        entry["gid"],
        entry.get("digest", ""),
        entry.get("size", 0),
        tuple((name, base64.b64decode(value)) for name, value in entry.get("attributes", ())),
    )
    return entry["path"], file
