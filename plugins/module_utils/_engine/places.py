# SPDX-License-Identifier: GPL-3.0-or-later

"""The places on a host where the files of a task go: how their paths are checked, resolved and read."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import typing as t

from .._host.below import TO_READ, open_folder, opened, own_path, real_path
from .._host.tree import stream_digest
from .._model import File
from .files import read_attributes
from .store import STATE_FOLDER

if t.TYPE_CHECKING:
    from .._host.manager import Manager

MAX_SIZE = 4 << 30  # bytes
_MOST_LETTERS = 16 << 20  # of all paths below a folder
_DEEPEST = 300  # folders in each other; the time that they take grows with the square
# systemd.unit(5), "Unit File Load Path", and folders that are no place for files.
_UNIT_FOLDER = re.compile(
    r"/(etc|run|lib|usr/lib|usr/local/lib|usr/share|usr/local/share)/systemd/(system|user)(\.control|\.attached)?(/|\Z)"
    r"|/run/(user/\d+/)?systemd/(transient|generator(\.early|\.late)?)(/|\Z)"
    r"|.*/(\.config|\.local/share)/systemd/user(\.control)?(/|\Z)"
)
_NEVER_GO = ("/dev", "/etc/systemd/system", "/etc/systemd/user", "/proc", "/run/systemd", "/sys", "/usr/lib/systemd")
_NO_PLACE = re.compile(r"/(proc|sys|dev)(/|\Z)")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


def path_problem(path: str) -> str:
    """Why nothing can be put at a path, whatever the host; empty when it can."""
    if not path.startswith("/"):
        return f"{path!r} is not an absolute path; write the whole path on the host, for example /opt/echo/server.py"
    if "\0" in path or "\n" in path:
        return f"{path!r} holds a NUL byte or a newline"
    if path == "/" or os.path.normpath(path) != path or path.startswith("//"):
        return f"{path!r} is not a plain path; write it without '.', '..', double slashes and a slash at its end"
    if _UNIT_FOLDER.match(path):
        return (
            f"{path} is in a folder of unit files; declare the unit itself, with sections or content, or as a drop-in"
        )
    if _NO_PLACE.match(path):
        return f"{path} is in a file system of the kernel, where no files are put"
    return ""


def own_place(path: str, manager: Manager, what: str = "") -> str:
    """The real path of what is put on a host, outside of unit files and our own folder; see ``real_place``.

    :param what: cannot be done with a folder in which such a folder is: ``be removed``.
    :raises ValueError: with what is wrong with it.
    """
    problem, root, units = path_problem(path), manager.root, manager.folder
    if not problem:
        try:
            with manager.as_owner():
                real = real_place(path, root)
        except ValueError as error:
            raise ValueError(f"path: {error}") from None
        inside = real[len(root) :]
        held = (*_NEVER_GO, STATE_FOLDER, units[len(root) :]) if what else ()
        problem = path_problem(inside)
        if f"{real}/".startswith((f"{STATE_FOLDER}/", f"{units}/")):
            problem = f"{path} is in a folder of this collection or of unit files"
        for folder in held:
            if folder.startswith(f"{inside}/"):
                problem = problem or f"{inside} cannot {what}, for {folder} is in it; name what is below it"
    if problem:
        raise ValueError(f"path: {problem}")
    return real


def real_place(path: str, root: str = "") -> str:
    """A path whose folders are no links: those that only root, or who runs us, can change are followed.

    :param root: folder of an image, within which links are followed.
    :raises ValueError: for another link.
    """
    folder, name = os.path.split(path)
    folder = root + real_path(folder, root) if root else own_path(folder)
    return f"{folder.rstrip('/')}/{name}"


def read_place(path: str) -> File:
    """What stands at a path, with the digest of a file's content and all attributes; no link is followed.

    :raises OSError: when it cannot be read, with the path in ``filename``.
    """
    try:
        folder = open_folder(os.path.dirname(path))
    except FileNotFoundError:
        return File()
    try:
        return _read_in(folder, os.path.basename(path))
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(folder)


def _read_in(folder: int, name: str) -> File:
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return File()
    mode = stat.S_IMODE(info.st_mode)
    if stat.S_ISLNK(info.st_mode):
        return File("link", b"", os.readlink(name, dir_fd=folder), 0o777, info.st_uid, info.st_gid)
    is_file = stat.S_ISREG(info.st_mode) and info.st_size <= MAX_SIZE
    if not is_file and not stat.S_ISDIR(info.st_mode):
        size = info.st_size if stat.S_ISREG(info.st_mode) else 0
        return File("other", b"", "", mode, info.st_uid, info.st_gid, size=size)
    handle = os.open(name, TO_READ, dir_fd=folder)
    try:
        info = os.fstat(handle)
        attributes = read_attributes(handle)
        if stat.S_ISDIR(info.st_mode):
            return File("directory", b"", "", mode, info.st_uid, info.st_gid, attributes=attributes)
        with open(handle, "rb", buffering=0, closefd=False) as stream:
            digest, size = stream_digest(stream).hex(), stream.tell()
        return File("file", b"", "", mode, info.st_uid, info.st_gid, digest, size, attributes)
    finally:
        os.close(handle)


def open_place(path: str) -> t.BinaryIO:
    """Open the file at a path for reading; no link is followed."""
    folder = open_folder(os.path.dirname(path))
    try:
        return open(os.open(os.path.basename(path), TO_READ, dir_fd=folder), "rb")
    finally:
        os.close(folder)


def unwritable(path: str) -> str:
    """The folder that keeps who runs us from making or removing what stands at a path; empty when none does."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    # For root too: the kernel says no for a file system that is mounted read-only.
    if os.access(folder, os.W_OK) and (os.geteuid() == os.getuid() or _takes_files(folder)):
        return ""
    return folder


def _takes_files(folder: str) -> bool:
    """Whether our effective user may make files in a folder; glibc before 2.33 asks for the real one."""
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600))
    except OSError as error:
        return not isinstance(error, PermissionError)  # some file systems know no O_TMPFILE
    return True


def missing_parents(path: str) -> list[str]:
    """The folders of a path that do not exist, the outer ones first."""
    found = []
    folder = os.path.dirname(path)
    while folder != "/" and not os.path.lexists(folder):
        found.append(folder)
        folder = os.path.dirname(folder)
    return found[::-1]


def mount_points() -> dict[str, str]:
    """What is mounted where we run: ``{path: a mount point at it or below it}``, see proc_pid_mountinfo(5)."""
    found: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError), open("/proc/self/mountinfo", "rb") as stream:
        for line in stream:
            escaped = line.split(b" ", 5)[4]
            point = path = os.fsdecode(_ESCAPE.sub(lambda digits: bytes([int(digits[1], 8)]), escaped))
            while path != "/":
                found[path] = point
                path = os.path.dirname(path)
    return found


def entries_below(path: str, most: int) -> list[str]:
    """Every path below a folder, links not followed; a path may be longer than the kernel takes at once.

    :raises ValueError: when they are more than ``most``, or too deep.
    :raises OSError: when a folder cannot be read, with its path in ``filename``.
    """
    found: list[str] = []
    pending, length, deepest = [path], 0, path.count("/") + _DEEPEST
    while pending:
        folder = pending.pop()
        with contextlib.suppress(FileNotFoundError), opened(folder) as handle, os.scandir(handle) as entries:
            for entry in entries:
                found.append(f"{folder}/{entry.name}")
                length += len(found[-1])
                if len(found) > most or length > _MOST_LETTERS:
                    raise ValueError(f"{path} holds more than {most} files, or very long paths; remove it by hand")
                if entry.is_dir(follow_symlinks=False):
                    if found[-1].count("/") > deepest:
                        raise ValueError(f"{path} is more than {_DEEPEST} folders deep; remove it by hand")
                    pending.append(found[-1])
    return found
