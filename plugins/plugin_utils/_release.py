# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Releases on the controller: what an archive or a folder is known by, and the one file in which it is sent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tarfile
import tempfile
import time
import typing as t

from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.release_plan import shared_problem
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.tree import (
    BLOCK,
    TreeError,
    check_shared,
    digest_of,
    file_digest,
    open_file,
    walk,
)

_TYPES = {"directory": tarfile.DIRTYPE, "file": tarfile.REGTYPE, "link": tarfile.SYMTYPE}
_RECORD = 512
_SETTLED = 2.0  # seconds after a change, from which on another one gets another time on every file system
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class ReleaseSource(t.NamedTuple):
    """An archive or a folder on the controller.

    :ivar digest: see ``Release`` of the engine.
    """

    path: str
    digest: str
    is_folder: bool

    @classmethod
    def at(cls, path: str) -> ReleaseSource:
        """What stands at a path.

        :raises ValueError: when it cannot be sent.
        """
        is_folder = os.path.isdir(path)
        try:
            looks, cache = _looks_of(path), _Cache(path)
            digest = cache.read(looks)
            if not digest:
                digest = digest_of(path) if is_folder else file_digest(os.path.realpath(path)).hex()
                cache.write(looks, digest)
            return cls(path, digest, is_folder)
        except TreeError as error:
            raise ValueError(f"src: {path}: {error}") from None
        except OSError as error:
            raise ValueError(f"src: {error.filename or path} cannot be read: {error.strerror}") from None

    def check_shared(self, shared: t.Any) -> None:
        """Check that paths of the host can be linked into it; what is in an archive shows when it is unpacked.

        :param shared: unchecked: the module refuses what can be linked into no version.
        :raises ValueError: when something is in their place.
        """
        if self.is_folder and isinstance(shared, dict) and not shared_problem(shared):
            try:
                check_shared(self.path, shared)
            except TreeError as error:
                raise ValueError(str(error)) from None

    @contextlib.contextmanager
    def packed(self, folder: str) -> t.Iterator[str]:
        """The path of the file to send: the archive, or one that is made in a folder and removed in the end.

        :raises ValueError: when the folder changes meanwhile.
        """
        if not self.is_folder:
            yield self.path
            return
        handle, path = tempfile.mkstemp(dir=folder, prefix="unitcraft-")  # mode 0600
        try:
            with open(handle, "wb") as stream:
                pack(self.path, stream)
            yield path
        finally:
            os.unlink(path)


def _looks_of(path: str) -> str:
    """A checksum of names, sizes, times and inodes below a path, without the contents; empty for none to rely on.

    What changed a moment ago may change again without another time.
    """
    checksum, newest = hashlib.sha256(), 0.0
    pending = [os.path.realpath(path)]
    while pending:
        place = pending.pop()
        entries: t.Any = [(place, os.lstat(place))]
        if stat.S_ISDIR(entries[0][1].st_mode):
            with os.scandir(place) as found:
                entries += sorted((entry.path, entry.stat(follow_symlinks=False)) for entry in found)
        for name, info in entries:
            numbers = (info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_dev)
            checksum.update(b"%s\0%d %d %d %d %d %d\n" % (os.fsencode(name), *numbers))
            newest = max(newest, info.st_ctime, info.st_mtime)
        pending += [name for name, info in entries[1:] if stat.S_ISDIR(info.st_mode)]
    return checksum.hexdigest() if newest < time.time() - _SETTLED else ""


class _Cache:
    """The digest of what looked the same when it was read the last time, as git remembers that of each file."""

    def __init__(self, path: str) -> None:
        folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self._folder = os.path.join(folder, "unitcraft")
        self._path = os.path.join(self._folder, hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest())

    def read(self, looks: str) -> str:
        """The digest; empty when it is not known."""
        with contextlib.suppress(OSError, ValueError), open(self._path, encoding="ascii") as stream:
            before, digest = stream.read(200).split()
            if looks and before == looks and _DIGEST.match(digest):
                return digest
        return ""

    def write(self, looks: str, digest: str) -> None:
        """Keep a digest; that this is impossible costs time only."""
        temporary = f"{self._path}.{os.getpid()}"
        with contextlib.suppress(OSError):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            with open(temporary, "w", encoding="ascii") as stream:
                stream.write(f"{looks or '-'} {digest}\n")
            os.replace(temporary, self._path)


def pack(folder: str, stream: t.BinaryIO) -> None:
    """Write all that is in a folder as a tar archive, one block after the other.

    :raises ValueError: when a file changes meanwhile, or may not be in a version.
    """
    try:
        for entry, path in walk(folder):
            info = tarfile.TarInfo(os.fsdecode(entry.name))
            info.type, info.mode, info.mtime = _TYPES[entry.kind], entry.mode, entry.mtime
            info.linkname = os.fsdecode(entry.target)
            if entry.kind == "file":
                with open_file(path) as content:
                    info.size = os.fstat(content.fileno()).st_size
                    stream.write(_header(info))
                    _copy(content, info.size, stream, path)
            else:
                stream.write(_header(info))
    except TreeError as error:
        raise ValueError(f"src: {folder}: {error}") from None
    except OSError as error:
        raise ValueError(f"src: {error.filename or folder} cannot be read: {error.strerror}") from None
    stream.write(bytes(2 * _RECORD))


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _copy(content: t.BinaryIO, size: int, stream: t.BinaryIO, path: str) -> None:
    left = size
    while left:
        block = content.read(min(left, BLOCK))
        if not block:
            raise ValueError(f"src: {path} became shorter while it was read; run the task again")
        stream.write(block)
        left -= len(block)
    stream.write(bytes(-size % _RECORD))
