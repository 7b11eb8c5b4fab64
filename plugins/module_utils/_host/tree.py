# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees of files: reads one, makes one that nothing leaves, tells one from another, removes one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import typing as t

from .below import TO_LIST, TO_MAKE, TO_READ

BLOCK = 1 << 18
_FILE_MODE = 0o755  # the bits that are kept: no setuid, no write access for group and others
_NAMES = {stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}


class TreeError(Exception):
    """A tree cannot be taken; the message names the entry and says what to do."""


class Limits(t.NamedTuple):
    """What a tree may have at most. It bounds what a small archive can become."""

    entries: int = 500_000
    size: int = 32 << 30  # bytes of all files
    depth: int = 100  # folders in each other


LIMITS = Limits()


class Entry(t.NamedTuple):
    """One entry of a tree.

    :ivar name: path below the top folder.
    :ivar kind: ``directory``, ``file``, ``link``, or ``hardlink`` to an earlier file.
    :ivar target: of a link, as it stands in it; of a hardlink, a name of this tree.
    """

    name: bytes
    kind: str
    mode: int = 0o644
    mtime: float = 0
    target: bytes = b""


def shown(name: bytes) -> str:
    """A name as messages show it, on one line."""
    return ascii(name.decode("utf-8", "backslashreplace"))[1:-1] if not name.isascii() else repr(name)[2:-1]


def _parts(name: bytes) -> list[bytes]:
    """The folders and the name in a path.

    :raises TreeError: for one that leads out of the tree.
    """
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if name.startswith(b"/") or b".." in parts or b"\0" in name:
        raise TreeError(
            f"{shown(name)} leads out of the folder: names must be relative, without '..'; make the archive anew from"
            " within the folder"
        )
    return parts


def _check_target(parts: t.Sequence[bytes], target: bytes) -> None:
    """Check where a link leads. With '..' at its start alone, no other link can turn it to the outside.

    :raises TreeError: for one that leads out of the tree, or may.
    """
    words = target.split(b"/")
    ups = 0
    while ups < len(words) and words[ups] == b"..":
        ups += 1
    if target.startswith(b"/") or b".." in words[ups:] or ups >= len(parts) or not target or b"\0" in target:
        raise TreeError(
            f"{shown(b'/'.join(parts))} is a link to {shown(target)}, which leads out of the folder; 'shared' links a"
            " path of the host into every version, and 'prepare' can make links"
        )


class TreeWriter:
    """Makes the entries of a new folder in which nobody else writes.

    Only directories it made itself are written in, so that no path leads over a link.

    :param folder: handle of the empty folder.
    :param owner: uid and gid of all entries.
    """

    def __init__(self, folder: int, owner: tuple[int, int], limits: Limits = LIMITS) -> None:
        self._folder = folder
        self._owner = owner if owner != (os.geteuid(), os.getegid()) else None
        self._limits = limits
        self._left = limits.size
        self._kinds: dict[bytes, str] = {b"": "directory"}
        self._times: dict[bytes, float] = {}
        self._digest = TreeDigest()

    def add(self, entry: Entry, blocks: t.Iterable[bytes] = ()) -> None:
        """Make one entry.

        :param blocks: content of a file.
        :raises TreeError: for what a version may not hold.
        :raises OSError: with the name in ``filename``.
        """
        parts = _parts(entry.name)
        name = b"/".join(parts)
        if not name and entry.kind == "directory":
            return  # a version's own folder is ours to make
        self._check(parts, name, entry.kind)
        if self._kinds.get(name.rpartition(b"/")[0]) != "directory":
            self._make_parents(parts)
        try:
            self._MAKERS[entry.kind](self, parts, name, entry, blocks)
        except OSError as error:
            error.filename = shown(name)
            raise
        self._kinds[name] = entry.kind

    def _check(self, parts: t.Sequence[bytes], name: bytes, kind: str) -> None:
        before = self._kinds.get(name)
        if before is not None and not before == kind == "directory":
            what = f"{shown(name)} stands in it twice" if name else f"its top is a {kind}"
            raise TreeError(f"{what}; make it anew from one folder")
        if len(parts) > self._limits.depth:
            raise TreeError(f"{shown(name)} is more than {self._limits.depth} folders deep")
        if len(self._kinds) > self._limits.entries:
            raise TreeError(f"it has more than {self._limits.entries} entries; leave out what does not run")

    def _make_parents(self, parts: t.Sequence[bytes]) -> None:
        for depth in range(1, len(parts)):
            name = b"/".join(parts[:depth])
            if name not in self._kinds:
                self._make_directory(parts[:depth], name, Entry(name, "directory", 0o755), ())
                self._kinds[name] = "directory"
            elif self._kinds[name] != "directory":
                raise TreeError(f"{shown(b'/'.join(parts))} lies below {shown(name)}, which is a {self._kinds[name]}")

    def _make_directory(self, parts: t.Sequence[bytes], name: bytes, entry: Entry, _blocks: t.Iterable[bytes]) -> None:
        mode = entry.mode & _FILE_MODE | 0o700
        if name not in self._kinds:
            os.mkdir(name, mode, dir_fd=self._folder)
            self._give(name)
        os.chmod(name, mode, dir_fd=self._folder)  # whatever the umask is
        if entry.mtime:
            self._times[name] = entry.mtime
        self._digest.add(name, "directory", mode)

    def _make_file(self, _parts: t.Sequence[bytes], name: bytes, entry: Entry, blocks: t.Iterable[bytes]) -> None:
        mode = entry.mode & _FILE_MODE | 0o600
        handle = os.open(name, TO_MAKE, 0o600, dir_fd=self._folder)
        checksum = hashlib.sha256()
        try:
            for block in blocks:
                self._left -= len(block)
                if self._left < 0:
                    raise TreeError(
                        f"it has more than {self._limits.size >> 20} MiB when unpacked, reached in {shown(name)}"
                    )
                checksum.update(block)
                view = memoryview(block)
                while view:
                    view = view[os.write(handle, view) :]
            if self._owner:
                os.fchown(handle, *self._owner)
            os.fchmod(handle, mode)
            os.utime(handle, (entry.mtime, entry.mtime))
        finally:
            os.close(handle)
        self._digest.add(name, "file", mode, checksum.digest())

    def _make_link(self, parts: t.Sequence[bytes], name: bytes, entry: Entry, _blocks: t.Iterable[bytes]) -> None:
        _check_target(parts, entry.target)
        os.symlink(entry.target, name, dir_fd=self._folder)
        self._give(name)
        self._digest.add(name, "link", 0, entry.target)

    def _make_hardlink(self, _above: t.Sequence[bytes], name: bytes, entry: Entry, _blocks: t.Iterable[bytes]) -> None:
        target = b"/".join(_parts(entry.target))
        if self._kinds.get(target) not in ("file", "hardlink"):
            raise TreeError(f"{shown(name)} is a hard link to {shown(target)}, which is not an earlier file of it")
        os.link(target, name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
        self._digest.add(name, "hardlink", 0, target)

    _MAKERS: t.ClassVar[dict[str, t.Callable[..., None]]] = {
        "directory": _make_directory,
        "file": _make_file,
        "link": _make_link,
        "hardlink": _make_hardlink,
    }

    def share(self, name: bytes, target: str) -> None:
        """Link a path of the host into the tree; it does not count for the digest.

        :raises TreeError: when something stands there already.
        """
        check_shared(f"/proc/self/fd/{self._folder}", {os.fsdecode(name): target})
        parts = _parts(name)
        name = b"/".join(parts)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(name, dir_fd=self._folder)
        if self._kinds.get(name.rpartition(b"/")[0]) != "directory":
            self._make_parents(parts)
        os.symlink(os.fsencode(target), name, dir_fd=self._folder)
        self._give(name)
        self._kinds[name] = "link"

    def _give(self, name: bytes) -> None:
        if self._owner:
            os.chown(name, *self._owner, dir_fd=self._folder, follow_symlinks=False)

    def finish(self) -> str:
        """Set the times of the directories, which every entry in them has changed; returns the tree's digest."""
        for name, mtime in sorted(self._times.items(), reverse=True):
            os.utime(name, (mtime, mtime), dir_fd=self._folder)
        return self._digest.hexdigest()


class TreeDigest:
    """SHA-256 of names, kinds, modes, contents and links of a tree; owners and times do not count."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def add(self, name: bytes, kind: str, mode: int, content: bytes = b"") -> None:
        """Add an entry; the order does not matter.

        :param content: SHA-256 of a file, target of a link.
        """
        if name:
            self._lines.append(b"%s\0%s %o %d:%s" % (name, kind.encode(), mode, len(content), content))

    def hexdigest(self) -> str:
        """The digest, in hexadecimal digits."""
        whole = hashlib.sha256()
        for line in sorted(self._lines):
            whole.update(b"%d:%s" % (len(line), line))
        return whole.hexdigest()


def check_shared(folder: str, shared: t.Mapping[str, str]) -> None:
    """Check that paths of the host can be linked into a copy of a folder.

    :param shared: ``{name in the folder: path on the host}``.
    :raises TreeError: when something stands there already, other than an empty folder.
    """
    for name, target in shared.items():
        path, (*above, last) = folder, name.split("/")
        for part in above:
            path = os.path.join(path, part)
            if os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path)):
                raise TreeError(f"shared: {name} would lie below {path[len(folder) + 1 :]}, which is not a folder")
        path = os.path.join(path, last)
        if os.path.islink(path) or os.path.isfile(path) or (os.path.isdir(path) and os.listdir(path)):
            raise TreeError(
                f"shared: {shown(os.fsencode(name))} is in the version itself, and would hide behind the link to"
                f" {target}; leave it out of one of the two"
            )


def walk(folder: str) -> t.Iterator[tuple[Entry, str]]:
    """Every entry below a folder with its path, sorted by name, without following links.

    Modes are those that a TreeWriter gives.

    :raises TreeError: for what a version may not hold.
    :raises OSError: for what cannot be read.
    """
    for below, directories, files in os.walk(os.fsencode(folder), onerror=_raise):
        directories.sort()
        prefix = below[len(os.fsencode(folder)) :].strip(b"/")
        links = [name for name in directories if os.path.islink(os.path.join(below, name))]
        for name in sorted([*directories, *files]):
            path = os.path.join(below, name)
            yield _entry(prefix + b"/" + name if prefix else name, path), os.fsdecode(path)
        directories[:] = [name for name in directories if name not in links]


def _raise(error: OSError) -> None:
    raise error


def _entry(name: bytes, path: bytes) -> Entry:
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        target = os.readlink(path)
        _check_target(name.split(b"/"), target)
        return Entry(name, "link", 0, 0, target)
    if stat.S_ISDIR(info.st_mode):
        return Entry(name, "directory", info.st_mode & _FILE_MODE | 0o700, int(info.st_mtime))
    if stat.S_ISREG(info.st_mode):
        return Entry(name, "file", info.st_mode & _FILE_MODE | 0o600, int(info.st_mtime))
    what = _NAMES.get(stat.S_IFMT(info.st_mode), "not a file")
    raise TreeError(f"{shown(name)} is {what}, and a version holds files, folders and links only; take it away")


def open_file(path: str) -> t.BinaryIO:
    """Open a regular file of a tree for reading; a link that took its place is not followed."""
    return open(os.open(path, TO_READ), "rb", buffering=0)


def blocks_of(stream: t.BinaryIO) -> t.Iterator[bytes]:
    """The content of a file in blocks."""
    while block := stream.read(BLOCK):
        yield block


def copy_tree(folder: str, writer: TreeWriter) -> None:
    """Add everything below a folder of this host to a new tree.

    :raises TreeError: for what a version may not hold.
    """
    for entry, path in walk(folder):
        if entry.kind == "file":
            with open_file(path) as stream:
                writer.add(entry, blocks_of(stream))
        else:
            writer.add(entry)


def digest_of(folder: str) -> str:
    """The digest of a folder, see ``TreeDigest``.

    :raises TreeError: for what a version may not hold.
    """
    digest = TreeDigest()
    for entry, path in walk(folder):
        content = entry.target
        if entry.kind == "file":
            content = file_digest(path)
        digest.add(entry.name, entry.kind, entry.mode, content)
    return digest.hexdigest()


def file_digest(path: str) -> bytes:
    """SHA-256 of a file."""
    with open_file(path) as stream:
        return stream_digest(stream)


def stream_digest(stream: t.BinaryIO) -> bytes:
    """SHA-256 of all that is left in a file."""
    checksum = hashlib.sha256()
    for block in blocks_of(stream):
        checksum.update(block)
    return checksum.digest()


def remove_tree(folder: int, name: str) -> None:
    """Remove a file or a folder with all that is in it, without following links; nothing there is no error.

    What lies very deep in it is moved beside it first, so that few folders are open at once.

    :param folder: handle of the folder in which it stands.
    :raises OSError: with the path in ``filename``, from ``folder`` on. What is left has a name that begins with *name*.
    """
    pending = [name]

    def lift(outer: int, inside: str) -> None:
        pending.append(f"{name}-{os.urandom(4).hex()}")
        os.rename(inside, pending[-1], src_dir_fd=outer, dst_dir_fd=folder)

    while pending:
        _remove_in(folder, pending.pop(), LIMITS.depth, lift)


def _remove_in(folder: int, name: str, depth: int, lift: t.Callable[[int, str], None]) -> None:
    try:
        if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
            os.unlink(name, dir_fd=folder)
            return
        handle = os.open(name, TO_LIST, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        for inside in os.listdir(handle):
            try:
                os.unlink(inside, dir_fd=handle)
            except (IsADirectoryError, PermissionError):
                if depth:
                    _remove_in(handle, inside, depth - 1, lift)
                else:
                    lift(handle, inside)
    except OSError as error:
        error.filename = f"{name}/{error.filename}"
        raise
    finally:
        os.close(handle)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=folder)


_ACLS = ("system.posix_acl_access", "system.posix_acl_default")


def give_tree(folder: int, owner: tuple[int, int], maker: int, depth: int = LIMITS.depth) -> None:
    """Give a folder and all that is in it to an owner, links themselves included.

    Nobody else may write to it then: ACLs, setuid bits and write access for group and others go. What another user
    made is copied, for a process of that user may have a file open, and write to it whoever owns it by then.

    :param maker: uid of the user who has made it.
    :param depth: how many folders in each other it may have.
    :raises TreeError: for a file of somebody else, to which the maker has made a hard link.
    """
    _give(folder, owner)
    for name in os.listdir(folder):
        info = os.lstat(name, dir_fd=folder)
        if info.st_uid not in (maker, owner[0]):
            raise TreeError(f"prepare: {shown(os.fsencode(name))} belongs to another user; let prepare copy it")
        is_folder = stat.S_ISDIR(info.st_mode)
        if not is_folder and not stat.S_ISREG(info.st_mode):
            os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)
            continue
        handle = os.open(name, TO_READ, dir_fd=folder)
        try:
            if is_folder:
                if not depth:
                    raise TreeError(f"prepare: it has made more than {LIMITS.depth} folders in each other")
                give_tree(handle, owner, maker, depth - 1)
            elif maker == owner[0]:
                _give(handle, owner)
            else:
                _copy(folder, name, handle, owner)
        finally:
            os.close(handle)


def _copy(folder: int, name: str, handle: int, owner: tuple[int, int]) -> None:
    """Put a copy of a file in its place, with the holes that it has."""
    info = os.fstat(handle)
    other = f".unitcraft-{os.urandom(8).hex()}"
    made = os.open(other, TO_MAKE, 0o600, dir_fd=folder)
    try:
        place = 0
        while place < info.st_size:
            try:
                place = os.lseek(handle, place, os.SEEK_DATA)
            except OSError:  # from here on it is a hole
                break
            end = min(os.lseek(handle, place, os.SEEK_HOLE), info.st_size)
            while place < end and (block := os.pread(handle, min(BLOCK, end - place), place)):
                place += os.pwrite(made, block, place)
            if place < end:
                break  # somebody has cut it
        os.ftruncate(made, info.st_size)
        os.fchmod(made, info.st_mode)
        _give(made, owner)
        os.utime(made, ns=(info.st_atime_ns, info.st_mtime_ns))
        os.rename(other, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(other, dir_fd=folder)
        raise
    finally:
        os.close(made)


def _give(handle: int, owner: tuple[int, int]) -> None:
    for name in _ACLS:
        with contextlib.suppress(OSError):  # it has none, or its file system knows none
            os.removexattr(handle, name)
    os.fchown(handle, *owner)
    os.fchmod(handle, os.fstat(handle).st_mode & _FILE_MODE)
