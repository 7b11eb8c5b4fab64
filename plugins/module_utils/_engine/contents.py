# SPDX-License-Identifier: GPL-3.0-or-later

"""Contents of files by their digest: those that a task has brought, and those that are kept on the host."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import typing as t

from .._host.below import TO_READ
from .own_files import flush_folder, make_folder, replacing

_BLOCK = 1 << 20
OpenContent = t.Callable[[str], t.BinaryIO]


def copy_content(source: t.BinaryIO, target: t.BinaryIO, size: int, digest: str) -> None:
    """Copy one content, and see that it is the right one.

    :raises OSError: when it is not.
    """
    found = hashlib.sha256()
    while size and (block := source.read(min(size, _BLOCK))):
        size -= len(block)
        found.update(block)
        target.write(block)
    if size or found.hexdigest() != digest:
        raise OSError(errno.EIO, "its new content is damaged, or was changed meanwhile")


class Contents:
    """What the task has brought in one file, and our own folder of contents, ``DIGEST`` each.

    The file is a line of JSON, ``[[digest, size], ...]``, and then the contents in this order.

    :param folder: root-only folder; made when it is first needed.
    :param payload: path of the file that the controller sent; empty for none.
    """

    def __init__(self, folder: str, payload: str = "") -> None:
        self.folder = folder
        self._payload = payload
        self._places: dict[str, tuple[int, int]] = {}
        self._made: dict[str, bytes] = {}
        if payload:
            with open(payload, "rb") as stream:
                index = stream.readline()
            offset = len(index)
            for digest, size in json.loads(index):
                self._places[digest] = (offset, size)
                offset += size

    def exist(self) -> bool:
        """Whether anything may be in our folder."""
        return os.path.isdir(self.folder)

    def has(self, digest: str) -> bool:
        """Whether a content is at hand."""
        return digest in self._made or digest in self._places or self.kept(digest)

    def kept(self, digest: str) -> bool:
        """Whether a content is in our folder."""
        return os.path.isfile(os.path.join(self.folder, digest))

    def add(self, data: bytes) -> tuple[str, int]:
        """Have one more content at hand; returns its digest and size."""
        digest = hashlib.sha256(data).hexdigest()
        self._made[digest] = data
        return digest, len(data)

    def open(self, digest: str) -> t.BinaryIO:
        """A file that stands at the beginning of a content; what follows the content is not for the reader.

        :raises OSError: when it is not there.
        """
        if digest in self._made:
            return io.BytesIO(self._made[digest])
        if digest in self._places:
            stream = open(self._payload, "rb")  # noqa: SIM115  the caller closes it
            stream.seek(self._places[digest][0])
            return stream
        handle = os.open(os.path.join(self.folder, digest), TO_READ)
        return open(handle, "rb")

    def keep(self, digest: str, size: int, source: t.BinaryIO) -> None:
        """Put a content into our folder; ``flush`` makes it durable.

        :raises OSError: when that is impossible, or it is not the content of this digest.
        """
        path = os.path.join(self.folder, digest)
        if self.kept(digest):
            return
        if not os.path.isdir(self.folder):
            make_folder(self.folder, 0o700)
        try:
            with replacing(path) as stream:
                copy_content(source, stream, size, digest)
        except OSError as error:
            error.filename = error.filename or path
            raise

    def flush(self) -> None:
        """Have the names of all contents on disk."""
        with contextlib.suppress(FileNotFoundError):
            flush_folder(self.folder)

    def keep_only(self, digests: t.Container[str]) -> None:
        """Remove every other content from our folder."""
        with contextlib.suppress(OSError):
            for name in os.listdir(self.folder):
                if name not in digests:
                    os.unlink(os.path.join(self.folder, name))
