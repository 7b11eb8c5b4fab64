# SPDX-License-Identifier: GPL-3.0-or-later

"""Unpacks archives with the standard library: tar, tar.gz, tar.xz and zip, and tar.zst where the host can."""

from __future__ import annotations

import contextlib
import stat
import time
import typing as t
import zlib

from .._syntax.words import shorten
from .apart import decompress
from .systemd import SystemdError
from .tar import DamagedError, TarReader, is_tar
from .tree import BLOCK, Entry, TreeError, TreeWriter, shown

FORMATS = "tar, tar.gz, tar.xz, tar.zst or zip"
_XZ_MEMORY = 100 << 20  # bytes; 'xz -9' needs 65 MiB
_MAX_DIRECTORY = 32 << 20  # bytes of the list of contents at the end of a zip file
_MAX_TARGET = 4096
_ENCRYPTED, _UTF_8 = 1, 0x800  # bits of the flags of an entry in a zip file
_UNIX = 3
_Read = t.Callable[[int], bytes]


class ArchiveError(Exception):
    """An archive cannot be unpacked; the message names the entry and says what to do."""


def unpack(stream: t.BinaryIO, writer: TreeWriter) -> None:
    """Unpack an archive of any known format, told by its first bytes.

    :param stream: a file at its start.
    :raises ArchiveError: when it is damaged.
    :raises TreeError: when it holds what a version may not.
    :raises OSError: when an entry cannot be written, with its name in ``filename``.
    """
    with contextlib.ExitStack() as stack:
        magic = stream.read(512)
        stream.seek(0)
        entries: TarReader | _ZipReader
        if magic.startswith((b"PK\3\4", b"PK\5\6")):
            entries = _ZipReader(stream)
        else:
            entries = TarReader(_decompressed(stream, magic, stack))
        count = 0
        try:
            for entry, blocks in entries:
                count += 1
                writer.add(entry, blocks)
        except DamagedError as error:
            where = f", at {shown(entries.name)}" if entries.name else ""
            raise ArchiveError(f"the archive is damaged: {error}{where}; make it anew, or copy it again") from None
        if not count:
            raise ArchiveError("the archive is empty; make it from the folder of the program")


def _decompressed(stream: t.BinaryIO, magic: bytes, stack: contextlib.ExitStack) -> _Read:
    """Reads the tar archive in a file.

    :raises ArchiveError: when the format is not known.
    """
    if magic.startswith(b"\x1f\x8b"):
        import gzip

        return _guarded(stack.enter_context(gzip.GzipFile(fileobj=stream, mode="rb")).read)
    if magic.startswith(b"\xfd7zXZ\0"):
        return _guarded(_open_xz(stream, stack))
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return _open_zstd(stream, stack)
    if is_tar(magic):
        return stream.read
    raise ArchiveError(f"it is not an archive of a known format; make it as {FORMATS}")


def _open_xz(stream: t.BinaryIO, stack: contextlib.ExitStack) -> _Read:
    import lzma

    try:
        lzma.LZMADecompressor(memlimit=_XZ_MEMORY).decompress(stream.read(1 << 12), 1)
    except lzma.LZMAError as error:
        raise ArchiveError(f"the archive cannot be unpacked: {error}; make it with 'xz -9' or less") from None
    stream.seek(0)
    return stack.enter_context(lzma.LZMAFile(stream)).read


def _open_zstd(stream: t.BinaryIO, stack: contextlib.ExitStack) -> _Read:
    """Read with Python's own module, which 3.14 has, or else with the program ``zstd``."""
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # from 3.14 on
    except ImportError:
        try:
            return _guarded(stack.enter_context(decompress(["zstd", "-dcq"], stream)))
        except SystemdError as error:
            raise ArchiveError(f"{error}; install it, or make the archive as tar.gz or tar.xz") from None
    read: _Read = stack.enter_context(zstd.ZstdFile(stream)).read
    return _guarded(read, zstd.ZstdError)


def _guarded(read: _Read, *errors: t.Any) -> _Read:
    """A function that reads as another one does, and tells damage in one way."""
    import lzma

    def guarded(count: int) -> bytes:
        try:
            return read(count)
        except (EOFError, zlib.error, lzma.LZMAError, SystemdError, *errors) as error:
            raise DamagedError(_without_stop(error)) from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise DamagedError(_without_stop(error)) from None  # gzip.BadGzipFile

    return guarded


def _without_stop(error: BaseException) -> str:
    return shorten(str(error).rstrip(".").replace("\n", " "), 200)


class _ZipReader:
    """The entries of a zip file, in order.

    :ivar name: of the entry that is read, for messages.
    """

    def __init__(self, stream: t.BinaryIO) -> None:
        self._stream = stream
        self.name = b""

    def __iter__(self) -> t.Iterator[tuple[Entry, t.Iterator[bytes]]]:
        """Each entry with the blocks of its content.

        :raises DamagedError: when it is not a whole zip file.
        :raises TreeError: for an entry that is encrypted, or not a file, folder or link.
        """
        import zipfile

        try:
            archive = zipfile.ZipFile(t.cast("t.IO[bytes]", _Bounded(self._stream)))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DamagedError(_without_stop(error)) from None
        for info in archive.infolist():
            named = info.orig_filename
            self.name = named.encode("utf-8" if info.flag_bits & _UTF_8 else "cp437", "surrogateescape")
            if info.flag_bits & _ENCRYPTED:
                raise TreeError(f"{shown(self.name)} is encrypted; make the archive without a password")
            mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
            blocks = self._blocks(archive, info)
            if stat.S_ISLNK(mode):
                target = b"".join(blocks)[:_MAX_TARGET]
                yield Entry(self.name, "link", target=target), iter(())
            elif self.name.endswith(b"/"):
                yield Entry(self.name, "directory", stat.S_IMODE(mode) if mode else 0o755), iter(())
            elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                yield Entry(self.name, "file", stat.S_IMODE(mode) if mode else 0o644, _time(info.date_time)), blocks
            else:
                raise TreeError(f"{shown(self.name)} is neither a file nor a folder nor a link; take it away")

    @staticmethod
    def _blocks(archive: t.Any, info: t.Any) -> t.Iterator[bytes]:
        """The content of an entry.

        :raises DamagedError: when its checksum is wrong, or it cannot be unpacked.
        """
        try:
            with archive.open(info) as content:
                while block := content.read(BLOCK):
                    yield block
        except Exception as error:  # zipfile raises a dozen kinds, by what is damaged
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise DamagedError(_without_stop(error)) from None


class _Bounded:
    """A file of which nobody reads more at once than the list of contents of a large zip file has."""

    def __init__(self, stream: t.BinaryIO) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell
        self.seekable = stream.seekable
        self.close = stream.close

    def read(self, count: int = -1) -> bytes:
        """Read so many bytes.

        :raises ValueError: for too many.
        """
        data = self._stream.read(_MAX_DIRECTORY + 1 if count < 0 else min(count, _MAX_DIRECTORY + 1))
        if len(data) > _MAX_DIRECTORY:
            raise ValueError(f"its list of contents has more than {_MAX_DIRECTORY} bytes")
        return data


def _time(date: tuple[int, ...]) -> float:
    """The time of an entry, which a zip file holds in the time zone of who made it."""
    try:
        return time.mktime((*date, 0, 0, -1))  # type: ignore[arg-type,unused-ignore]  # six numbers
    except (ValueError, OverflowError):
        return 0.0
