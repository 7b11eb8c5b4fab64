# Copyright (c) 2026, The unitcraft.systemd contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the unit files of one folder, and says why files cannot be put there."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import typing as t

from .._host.manager import Manager
from .._host.systemd import SystemdError
from .._model import File
from .links import LINK_FOLDERS

_UNIT_FILE = re.compile(r".\.(service|socket|timer|path|mount|automount|swap|target|slice)\Z")
_MAX_BYTES = 4 << 20


class UnitFolder:
    """The folder in which a manager's unit files stand. Every method reads with the rights of who runs us."""

    def __init__(self, manager: Manager) -> None:
        self.path = manager.folder
        self._root = manager.root
        # A folder that belongs to the host, or to the user, up to here.
        self._base = manager.root or (manager.account.pw_dir.rstrip("/") if manager.account else "")

    def read_file(self, path: str) -> File:
        """What stands at a path, without following a link at its end. Files over 4 MiB count as ``other``."""
        try:
            info = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return File()
        mode = stat.S_IMODE(info.st_mode)
        if stat.S_ISLNK(info.st_mode):
            return File("link", b"", os.readlink(path), mode, info.st_uid, info.st_gid)
        if not stat.S_ISREG(info.st_mode) or info.st_size > _MAX_BYTES:
            return File("other", b"", "", mode, info.st_uid, info.st_gid)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(handle, "rb") as stream:
            return File("file", stream.read(), "", mode, info.st_uid, info.st_gid)

    def read_through(self, path: str) -> File:
        """What stands at a path, links followed, as systemd reads a fragment or drop-in."""
        return self.read_file(os.path.realpath(path))

    def list_links(self) -> dict[str, str]:
        """Every symlink in the unit folder and its .wants, .requires and .upholds: ``{path below it: target}``."""
        links: dict[str, str] = {}
        for entry in _entries(self.path):
            if entry.is_symlink():
                links[entry.name] = os.readlink(entry.path)
            elif entry.name.endswith(LINK_FOLDERS) and entry.is_dir(follow_symlinks=False):
                for link in _entries(entry.path):
                    if link.is_symlink():
                        links[f"{entry.name}/{link.name}"] = os.readlink(link.path)
        return links

    def list_dropins(self, name: str) -> list[str]:
        """Paths of the drop-ins in our folder for a unit."""
        return sorted(e.path for e in _entries(f"{self.path}/{name}.d") if e.name.endswith(".conf"))

    def list_unit_files(self) -> list[str]:
        """Paths of every unit file and drop-in in our folder that is a regular file."""
        paths = []
        for entry in _entries(self.path):
            if entry.is_file(follow_symlinks=False) and _UNIT_FILE.search(entry.name):
                paths.append(entry.path)
            elif entry.name.endswith(".d") and entry.is_dir(follow_symlinks=False):
                paths += [
                    e.path
                    for e in _entries(entry.path)
                    if e.name.endswith(".conf") and e.is_file(follow_symlinks=False)
                ]
        return sorted(paths)

    def checksum(self, path: str) -> str:
        """SHA-256 of a file that a trigger names; empty when it is not there."""
        digest = hashlib.sha256()
        try:
            with open(self._root + path, "rb") as stream:
                for block in iter(lambda: stream.read(1 << 20), b""):
                    digest.update(block)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise SystemdError(f"triggers: {path} cannot be read: {error.strerror}") from None
        return digest.hexdigest()

    def problem(self) -> str:
        """Why the unit folder cannot be used, or an empty text.

        A folder that is reached over a link could put our files anywhere, so only a real one is taken.
        """
        path = self._base
        for part in self.path[len(path) :].strip("/").split("/"):
            path = f"{path}/{part}"
            if os.path.islink(path):
                return f"{path} is a link to {os.readlink(path)}; unit files are never written through a link"
            if os.path.lexists(path) and not os.path.isdir(path):
                return f"{path} is not a folder"
        return ""

    def place_problem(self, paths: t.Iterable[str]) -> str:
        """Why files cannot be put at these paths, or an empty text. For the folder itself see ``problem``."""
        for folder in sorted({os.path.dirname(path) for path in paths}):
            if os.path.islink(folder):
                target = os.readlink(folder)
                return f"{folder} is a link to {target}; unit files are never written through a link: remove it"
            if os.path.lexists(folder) and not os.path.isdir(folder):
                return f"{folder} is not a folder; move it away"
            # For root too: the kernel says no for a file system that is mounted read-only.
            if os.path.isdir(folder) and not os.access(folder, os.W_OK, effective_ids=True):
                way_out = "" if self._root else ", or set runtime: true to work below /run"
                return f"{folder} cannot be written to; mount it writable{way_out}"
        return ""


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
