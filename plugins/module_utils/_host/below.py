# SPDX-License-Identifier: GPL-3.0-or-later

"""Reaches folders by handles, part by part, so that a link which somebody puts in the way is refused."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

# How to open what others may replace: no link is followed at its end, no FIFO waited for.
TO_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
TO_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
TO_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PASS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_STAY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MAX_LINKS = 40  # as many as the kernel follows, path_resolution(7)


def open_folder(path: str, base: str = "", create: bool = False) -> int:
    """Open a folder; no part of its path may be a link.

    :param base: a folder above it from which on this counts; itself it is reached in the ordinary way.
    :param create: make what is missing.
    :returns: a handle, which the caller closes.
    :raises OSError: with the part in ``filename``; for a link, ``strerror`` says so.
    """
    start = base if base and path.startswith(f"{base}/") else "/"
    parts = [part for part in path[len(start) :].split("/") if part]
    handle = os.open(start, _PASS if parts else _STAY)
    for number, part in enumerate(parts):
        outer, here = handle, "/".join([start.rstrip("/"), *parts[: number + 1]])
        try:
            handle = _enter(outer, part, _STAY if number + 1 == len(parts) else _PASS, create)
        except OSError as error:
            raise _explained(error, outer, part, here) from None
        finally:
            os.close(outer)
    return handle


@contextlib.contextmanager
def opened(path: str, base: str = "") -> t.Iterator[int]:
    """The handle of ``open_folder`` for a while."""
    handle = open_folder(path, base)
    try:
        yield handle
    finally:
        os.close(handle)


def _enter(outer: int, name: str, flags: int, create: bool) -> int:
    with contextlib.suppress(*([FileNotFoundError] if create else [])):
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=outer)
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=outer)
    handle = os.open(name, TO_LIST, dir_fd=outer)
    parent = os.open(".", _STAY, dir_fd=outer)
    try:
        os.fchmod(handle, 0o755)
        os.fsync(parent)
    finally:
        os.close(parent)
    return handle


def _explained(error: OSError, outer: int, name: str, here: str) -> OSError:
    """The error with the whole path; of a link, with where it leads."""
    error.filename = here
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        with contextlib.suppress(OSError):
            target = os.readlink(name, dir_fd=outer)
            return OSError(errno.ELOOP, f"it is a link to {target}, and files are never reached through a link", here)
    return error


def real_path(path: str, root: str) -> str:
    """Like realpath(3), but inside of a root; a missing part is kept as it is.

    :param path: as seen from inside.
    :returns: the path, again as seen from inside.
    :raises OSError: ELOOP for a loop.
    """
    if not root:
        return os.path.realpath(path)
    todo, done, links = [part for part in path.split("/") if part][::-1], "", 0
    while todo:
        part = todo.pop()
        if part == "..":
            done = done.rpartition("/")[0]
        elif part != ".":
            try:
                target = os.readlink(f"{root}{done}/{part}")
            except OSError:
                done = f"{done}/{part}"
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                done = ""
            todo += [p for p in target.split("/") if p][::-1]
    return done or "/"


def own_path(path: str) -> str:
    """A path without links: those that only root, or who runs us, can change are followed.

    :raises ValueError: for another link, which may lead elsewhere at any time.
    """
    path = os.path.abspath(path)
    for _hop in range(_MAX_LINKS):
        parts = path.split("/")
        links = (link for link in ("/".join(parts[: n + 1]) for n in range(1, len(parts))) if os.path.islink(link))
        link = next(links, "")
        if not link:
            break
        outer, target = os.path.dirname(link), os.readlink(link)
        own, info = (0, os.geteuid()), os.stat(outer)
        shared = info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX
        if shared or info.st_uid not in own or os.lstat(link).st_uid not in own:
            raise ValueError(f"{link} is a link that others can change; write the path that it leads to, {target}")
        path = os.path.normpath(os.path.join(outer, target) + path[len(link) :])
    return path.rstrip("/")
