# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit folders of a host or of an unpacked image: what is in them, and the bytes of their files.

Nothing here fails because of a bad file: what cannot be read becomes a finding with its path.
"""

from __future__ import annotations

import errno
import os
import stat
import typing as t

from .._model import ERROR, WARNING, Finding
from .._syntax.names import parse_unit_name
from .._syntax.words import from_bytes
from .below import TO_READ, opened, real_path
from .manager import Manager
from .systemd import SystemdError
from .unit_path import FILE, FOLDER, LINK, Entry, UnitFiles

MAX_BYTES = 4 << 20  # a unit file above this is not read; the largest ones of distributions have 10 kB
_SUBFOLDERS = (".d", ".wants", ".requires", ".upholds")

# systemd.unit(5), "Unit File Load Path"
_SYSTEM_PATH = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
)
_SPLIT_USR = "/lib/systemd/system"  # systemd 255 no longer looks there (its NEWS, on unmerged /usr)
_USER_PATH = (
    "{config}/systemd/user.control",
    "{runtime}/systemd/user.control",
    "{runtime}/systemd/transient",
    "{runtime}/systemd/generator.early",
    "{config}/systemd/user",
    "/etc/xdg/systemd/user",
    "/etc/systemd/user",
    "{runtime}/systemd/user",
    "/run/systemd/user",
    "{runtime}/systemd/generator",
    "{data}/systemd/user",
    "/usr/local/share/systemd/user",
    "/usr/share/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "{runtime}/systemd/generator.late",
)


class Content(t.NamedTuple):
    """The bytes of a file, or None and why not, unless that has been said before."""

    data: bytes | None
    problem: Finding | None = None


class Reader:
    """Reads below ``root`` with the rights of the user whose units they are. Paths are those inside of the root.

    :ivar findings: what could not be read so far.
    """

    def __init__(self, systemd: Manager) -> None:
        self._systemd = systemd
        self._root = systemd.root
        self.findings: list[Finding] = []
        self._broken: set[str] = set()

    def search_path(self) -> list[str]:
        """The unit folders of the scope, the most important first."""
        account = self._systemd.account
        if self._systemd.scope == "system":
            folders = [path for path in _SYSTEM_PATH if path != _SPLIT_USR or self._reads_split_usr()]
            return folders if self._root else _manager_path(folders)
        if account is None:  # global: what every user manager shares
            return [path for path in _USER_PATH if not path.startswith("{")]
        home = account.pw_dir.rstrip("/")
        places = {
            "config": home + "/.config",
            "data": home + "/.local/share",
            "runtime": f"/run/user/{account.pw_uid}",
        }
        return [path.format(**places) for path in _USER_PATH]

    def _reads_split_usr(self) -> bool:
        try:
            return self._systemd.release_of_files() < 255
        except SystemdError:
            return True

    def unit_files(self) -> UnitFiles:
        """What the unit folders hold. Broken links, loops and folders without permission become findings."""
        listing: dict[str, dict[str, Entry]] = {}
        resolved: dict[str, str] = {}
        with self._systemd.as_owner():
            path = self.search_path()
            for folder in path:
                entries = self._list(folder)
                if entries is None:
                    continue
                listing[folder] = entries
                resolved[folder] = self.real(folder)
                for name, entry in entries.items():
                    if entry.kind == FOLDER and name.endswith(_SUBFOLDERS):
                        place = f"{folder}/{name}"
                        listing[place] = dict.fromkeys(self._names(place), Entry(FILE))
                        resolved[place] = self.real(place)
        return UnitFiles(path, listing, resolved)

    def accounts(self, database: str) -> dict[str, int]:
        """``{name: number}`` of the users (``passwd``) or groups (``group``) of an image."""
        lines = [line.split(":") for line in from_bytes(self.read(f"/etc/{database}").data or b"").split("\n")]
        return {line[0]: int(line[2]) for line in lines if line[2:] and line[2].isdecimal()}

    def read(self, path: str) -> Content:
        """The bytes of a unit file, links followed as systemd follows them."""
        with self._systemd.as_owner():
            try:
                real = self.real(path)
                if real == "/dev/null":  # which need not exist in an image
                    return Content(b"")
                handle = self._open(real)
            except OSError as error:
                return Content(None, None if path in self._broken else _cannot_read(path, error))
            with open(handle, "rb") as stream:
                info = os.fstat(stream.fileno())
                if stat.S_ISCHR(info.st_mode):
                    return Content(b"")  # /dev/null
                if not stat.S_ISREG(info.st_mode):
                    return Content(
                        None,
                        _finding("unreadable-file", path, "it is not a regular file", hint="put a text file there"),
                    )
                if info.st_size > MAX_BYTES:
                    words = f"it has {info.st_size} bytes; files of more than {MAX_BYTES} are not read"
                    return Content(
                        None, _finding("unreadable-file", path, words, hint="keep data and long comments out of it")
                    )
                try:
                    return Content(stream.read(MAX_BYTES))
                except OSError as error:
                    return Content(None, _cannot_read(path, error))

    def text(self, path: str) -> str | None:
        """The text of a file; None when it is not there or cannot be read."""
        data = self.read(path).data
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def _below(self, path: str) -> str:
        return self._root + path

    def _open(self, real: str) -> int:
        """Open a file; in an image, where others may swap a part of the path meanwhile, by handles."""
        if not self._root:
            return os.open(real, TO_READ)
        with opened(self._below(os.path.dirname(real))) as handle:
            return os.open(os.path.basename(real), TO_READ, dir_fd=handle)

    def _names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self._below(self.real(folder))))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                self.findings.append(_cannot_read(folder, error, "unreadable-folder"))
            return []

    def _list(self, folder: str) -> dict[str, Entry] | None:
        """Unit files and the subfolders that speak of units; None when there is no such folder."""
        entries: dict[str, Entry] = {}
        try:
            with os.scandir(self._below(self.real(folder))) as found:
                for item in found:
                    if parse_unit_name(item.name) is None and not item.name.endswith(_SUBFOLDERS):
                        continue
                    entry = self._entry(folder, item)
                    if entry is not None:
                        entries[item.name] = entry
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                self.findings.append(_cannot_read(folder, error, "unreadable-folder"))
            return None
        return dict(sorted(entries.items()))

    def _entry(self, folder: str, item: os.DirEntry[str]) -> Entry | None:
        if item.is_dir(follow_symlinks=False):
            return Entry(FOLDER)
        path = f"{folder}/{item.name}"
        if not item.is_symlink():
            if not item.is_file(follow_symlinks=False):
                return None
            try:
                return Entry(FILE, empty=item.stat(follow_symlinks=False).st_size == 0)
            except OSError:  # removed since the folder was listed
                return None
        try:
            target = self._link_target(path)
        except OSError as error:
            self.findings.append(_cannot_read(path, error))
            return None
        if target == "/dev/null":  # which need not exist in an image
            return Entry(LINK, target, True)
        try:
            info = os.stat(self._below(self.real(path)))
        except OSError as error:
            self._broken.add(path)
            self.findings.append(_broken_link(path, target, error))
            return Entry(LINK, target)
        if stat.S_ISDIR(info.st_mode):
            return Entry(FOLDER)
        empty = stat.S_ISCHR(info.st_mode) or (stat.S_ISREG(info.st_mode) and info.st_size == 0)
        return Entry(LINK, target, empty)

    def _link_target(self, path: str) -> str:
        """Where the text of a link leads: folders resolved, its own end not followed."""
        parent, own_name = os.path.split(path)
        text = os.readlink(self._below(f"{self.real(parent)}/{own_name}"))
        folder, name = os.path.split(os.path.normpath(os.path.join(parent, text)))
        return "{}/{}".format(self.real(folder).rstrip("/"), name)

    def real(self, path: str) -> str:
        """Like realpath(3), but inside of the root; see ``below.real_path``."""
        return real_path(path, self._root)


def _manager_path(default: t.Sequence[str]) -> list[str]:
    """The default folders, or those of SYSTEMD_UNIT_PATH when PID 1 was started with it (systemd.unit(5))."""
    try:
        with open("/proc/1/environ", "rb") as stream:
            variables = dict(item.split(b"=", 1) for item in stream.read().split(b"\0") if b"=" in item)
    except OSError:
        return list(default)
    text = variables.get(b"SYSTEMD_UNIT_PATH", b"").decode("utf-8", "surrogateescape")
    if not text:
        return list(default)
    own = [part for part in text.split(":") if part]
    return own + [path for path in default if path not in own] if text.endswith(":") else own


def _finding(rule: str, path: str, words: str, severity: str = ERROR, hint: str = "") -> Finding:
    unit = _unit_of(path)
    return Finding(rule, severity, unit, f"{path}: {words}", hint, path, source="read")


def _unit_of(path: str) -> str:
    """The unit that a path below a unit folder speaks of; empty for a unit folder."""
    for part in reversed(path.split("/")[-2:]):
        name = part[:-2] if part.endswith(".d") else part
        if parse_unit_name(name) is not None:
            return name
    return ""


def _cannot_read(path: str, error: OSError, rule: str = "unreadable-file") -> Finding:
    if error.errno == errno.ENOENT:
        return _finding("vanished-file", path, "it was there when the folder was listed and is not any more", WARNING)
    hint = "run with become, or give the user read permission" if error.errno in (errno.EACCES, errno.EPERM) else ""
    return _finding(rule, path, f"it cannot be read: {os.strerror(error.errno or 0)}", hint=hint)


def _broken_link(path: str, target: str, error: OSError) -> Finding:
    if error.errno == errno.ELOOP:
        return _finding(
            "broken-link", path, "the link leads in a circle", hint="remove the link, or let it lead to a file"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return _cannot_read(path, error)
    words = f"the link leads to {target}, which does not exist"
    return _finding("broken-link", path, words, WARNING, "remove the link, or bring back the file")
