# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of unit files: reads it by handles, and says why it cannot be used."""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t

from .._host.below import TO_READ, opened, real_path
from .._host.manager import Manager
from .._host.regular import open_regular
from .._host.systemd import SystemdError
from .._model import File
from .._syntax.names import parse_unit_name
from .links import LINK_FOLDERS

_MAX_BYTES = 4 << 20
_MAX_TRIGGER = 1 << 30


class Entry(t.NamedTuple):
    """One entry of a folder: its kind (``file``, ``link``, ``folder`` or ``other``), and where a link leads."""

    kind: str
    target: str = ""


class UnitFolder:
    """The folder in which a manager's unit files stand. Every method reads with the rights of who runs us."""

    def __init__(self, manager: Manager) -> None:
        self.path = manager.folder
        self._root = manager.root
        home = manager.account.pw_dir.rstrip("/") if manager.account else ""
        # It belongs to the host, or to the user, up to here.
        self.base = home if self.path.startswith(f"{home}/") else ""

    def read_file(self, path: str) -> File:
        """What stands at a path, without following a link at its end. Files over 4 MiB count as ``other``."""
        place, name = os.path.split(path)
        try:
            with opened(place, self.base) as handle:
                return _read(handle, name)
        except (FileNotFoundError, NotADirectoryError):
            return File()
        except OSError as error:
            error.filename = path if error.filename == name else error.filename
            raise

    def read_through(self, path: str) -> File:
        """What stands at a path, links followed, as systemd reads a fragment or drop-in; in an image, within it."""
        return self.read_file(self._root + real_path(path[len(self._root) :], self._root))

    def look(self, path: str) -> File:
        """What stands at a path, links followed but for one at its end."""
        place, name = os.path.split(path)
        return self.read_file(f"{self._root}{real_path(place[len(self._root) :], self._root)}/{name}")

    def list_links(self) -> dict[str, str]:
        """Every symlink in the unit folder and its .wants, .requires and .upholds: ``{path below it: target}``."""
        links: dict[str, str] = {}
        for name, entry in self.entries(self.path).items():
            if entry.kind == "link":
                links[name] = entry.target
            elif name.endswith(LINK_FOLDERS) and entry.kind == "folder":
                for link, inner in self.entries(f"{self.path}/{name}").items():
                    if inner.kind == "link":
                        links[f"{name}/{link}"] = inner.target
        return links

    def list_dropins(self, name: str) -> list[str]:
        """Paths of the drop-ins in our folder for a unit."""
        place = f"{self.path}/{name}.d"
        return [f"{place}/{entry}" for entry in self.entries(place) if entry.endswith(".conf")]

    def list_unit_files(self) -> list[str]:
        """Paths of every unit file and drop-in in our folder that is a regular file."""
        paths = []
        for name, entry in self.entries(self.path).items():
            path = f"{self.path}/{name}"
            if entry.kind == "file" and parse_unit_name(name) is not None:
                paths.append(path)
            elif name.endswith(".d") and entry.kind == "folder":
                inner = self.entries(path).items()
                paths += [f"{path}/{conf}" for conf, e in inner if conf.endswith(".conf") and e.kind == "file"]
        return sorted(paths)

    def entries(self, path: str) -> dict[str, Entry]:
        """What stands in a folder, sorted by name; nothing when there is none."""
        try:
            with opened(path, self.base) as handle:
                return {name: _entry(handle, name) for name in sorted(os.listdir(handle))}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def checksum(self, path: str) -> str:
        """SHA-256 of a file that a trigger names, links followed; empty when it is not there.

        :raises SystemdError: when it cannot be read, is not a regular file, or has more than 1 GiB.
        """
        digest = hashlib.sha256()
        left = _MAX_TRIGGER
        try:
            with self._open_trigger(path, left) as stream:
                while left and (block := stream.read(min(left, 1 << 20))):
                    digest.update(block)
                    left -= len(block)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise SystemdError(f"triggers: {path} cannot be read: {error.strerror}") from None
        return digest.hexdigest()

    def _open_trigger(self, path: str, most: int) -> t.BinaryIO:
        if not self._root:
            return open_regular(path, most)
        place, name = os.path.split(real_path(path, self._root))
        with opened(self._root + place) as handle:
            return open_regular(name, most, handle)

    def problem(self) -> str:
        """Why the unit folder cannot be used, or an empty text.

        A folder that is reached over a link could put our files anywhere, so only a real one is taken.
        """
        path = self.base or self._root
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
                if os.geteuid() != os.stat(folder).st_uid:
                    return f"{folder} belongs to another user, and this task does not run as root; use become: true"
                way_out = "" if self._root else ", or set runtime: true to work below /run"
                return f"{folder} cannot be written to; mount it writable{way_out}"
        return ""


def _read(folder: int, name: str) -> File:
    """What stands in an open folder under a name."""
    info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    mode = stat.S_IMODE(info.st_mode)
    if stat.S_ISLNK(info.st_mode):
        return File("link", b"", os.readlink(name, dir_fd=folder), mode, info.st_uid, info.st_gid)
    if not stat.S_ISREG(info.st_mode) or info.st_size > _MAX_BYTES:
        return File("other", b"", "", mode, info.st_uid, info.st_gid)
    with open(os.open(name, TO_READ, dir_fd=folder), "rb") as stream:
        return File("file", stream.read(_MAX_BYTES), "", mode, info.st_uid, info.st_gid)


def _entry(folder: int, name: str) -> Entry:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return Entry("link", os.readlink(name, dir_fd=folder))
    except FileNotFoundError:  # removed since the folder was listed
        return Entry("other")
    return Entry("file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other")
