# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads tar archives from a stream: ustar, GNU and pax, with bounded memory whatever the headers say.

Python's ``tarfile`` reads names as long as a header claims, keeps every entry in memory, and takes three times as long.
"""

from __future__ import annotations

import typing as t

from .tree import BLOCK, Entry, TreeError, shown

_RECORD = 512
_MAX_EXTENSION = 1 << 20  # bytes of a pax header or of a long name
_KINDS = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hardlink",
    b"2": "link",
    b"5": "directory",
    b"V": "label",
    b"g": "global",
    b"x": "pax",
    b"L": "name",
    b"K": "target",
}
_EXTENSIONS = ("global", "pax", "name", "target")  # they say something of the entry after them
_MAX_TIME = 1 << 40
_REFUSED = {
    b"3": "is a device, and a version holds files, folders and links only; take it away",
    b"4": "is a device, and a version holds files, folders and links only; take it away",
    b"6": "is a FIFO, and a version holds files, folders and links only; take it away",
    b"S": "is a sparse file; make the archive without --sparse",
    b"M": "is continued from another volume; make the archive in one piece",
}


class DamagedError(Exception):
    """The archive is not one, or not whole; the message says what is wrong."""


def is_tar(header: bytes) -> bool:
    """Whether a file that begins like this is a tar archive."""
    try:
        is_end = not header.strip(b"\0")
        return len(header) == _RECORD and (is_end or _sum(header) == _number(header[148:156]))
    except DamagedError:
        return False


def _sum(header: bytes) -> int:
    """The checksum of a header, in which its own field counts as blanks."""
    return sum(header) - sum(header[148:156]) + 8 * 32


class TarReader:
    """The entries of a tar archive, in order.

    :param read: returns up to so many bytes, none at the end.
    :ivar name: of the entry that is read, for messages.
    """

    def __init__(self, read: t.Callable[[int], bytes]) -> None:
        self._read = read
        self._unread = 0  # bytes of the content of the entry, with what fills up its last record
        self.name = b""

    def __iter__(self) -> t.Iterator[tuple[Entry, t.Iterator[bytes]]]:
        """Each entry with the blocks of its content.

        :raises DamagedError: when it is not a whole tar archive.
        :raises TreeError: for an entry that is not a file, folder or link.
        """
        extension: dict[bytes, bytes] = {}
        while True:
            header = self._exactly(_RECORD)
            if not header.strip(b"\0"):
                break
            kind, entry, size = self._parse(header, extension)
            if kind in ("file", "directory", "hardlink", "link"):
                extension = {}
                content = size if kind == "file" else 0
                yield entry, self._content(content)
                self._skip()
            elif kind == "label":
                self._skip_bytes(-(-size // _RECORD) * _RECORD)
            else:
                extension.update(self._extension(kind, size))
        while self._read(BLOCK):  # so that a checksum at the end of a compressed archive is read and compared
            pass

    def _parse(self, header: bytes, extension: t.Mapping[bytes, bytes]) -> tuple[str, Entry, int]:
        if _sum(header) != _number(header[148:156]):
            raise DamagedError("a header in it is damaged")
        name = _text(header[:100])
        if header[257:263] == b"ustar\0" and header[345]:
            name = _text(header[345:500]) + b"/" + name
        flag = header[156:157]
        kind = _KINDS.get(flag, "")
        if kind in _EXTENSIONS:
            return kind, Entry(name, kind), _number(header[124:136])
        self.name = name = extension.get(b"path", name)
        if not kind or any(key.startswith(b"GNU.sparse.") for key in extension):
            raise TreeError(
                f"{shown(name)} {_REFUSED.get(flag if not kind else b'S', 'is of a kind that is not known')}"
            )
        if flag in b"\0" and name.endswith(b"/"):
            kind = "directory"  # as tar wrote them before there was a kind for it
        target = extension.get(b"linkpath", _text(header[157:257]))
        size = int(extension.get(b"size", b"") or _number(header[124:136]))
        mtime = int(extension.get(b"mtime", b"").partition(b".")[0] or _number(header[136:148]))
        return kind, Entry(name, kind, _number(header[100:108]), mtime if mtime < _MAX_TIME else 0, target), size

    def _extension(self, kind: str, size: int) -> dict[bytes, bytes]:
        """What a header says of the entry after it."""
        if size > _MAX_EXTENSION:
            raise DamagedError(f"a header in it has {size} bytes")
        data = self._exactly(-(-size // _RECORD) * _RECORD)[:size]
        if kind == "name":
            return {b"path": _text(data)}
        if kind == "target":
            return {b"linkpath": _text(data)}
        return _pax(data) if kind == "pax" else {}

    def _content(self, size: int) -> t.Iterator[bytes]:
        self._unread = -(-size // _RECORD) * _RECORD
        while size:
            block = self._exactly(min(size, BLOCK))
            self._unread -= len(block)
            size -= len(block)
            yield block

    def _skip(self) -> None:
        """Read over what was not taken of the content, and over what fills up its last record."""
        unread, self._unread = self._unread, 0
        self._skip_bytes(unread)

    def _skip_bytes(self, count: int) -> None:
        while count:
            count -= len(self._exactly(min(count, BLOCK)))

    def _exactly(self, count: int) -> bytes:
        data = self._read(count)
        while len(data) < count:
            more = self._read(count - len(data))
            if not more:
                raise DamagedError("it ends too early")
            data += more
        return data


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU: in base 256
        number = int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
        return 0 if field[0] == 0xFF else number  # a time before 1970
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise DamagedError("a header in it is damaged") from None


def _pax(data: bytes) -> dict[bytes, bytes]:
    """The records of a pax header: ``LENGTH KEY=VALUE`` lines, LENGTH in bytes with itself and the line end."""
    records = {}
    while data:
        length, _blank, _rest = data.partition(b" ")
        if not length.isdigit() or not len(length) < int(length[:9]) <= len(data):
            raise DamagedError("a pax header in it is damaged")
        key, _sign, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        records[key] = value
        data = data[int(length) :]
    if not records.get(b"size", b"0").isdigit():
        raise DamagedError("a pax header in it is damaged")
    if not records.get(b"mtime", b"0").replace(b".", b"").isdigit():
        del records[b"mtime"]  # before 1970
    return records
