# SPDX-License-Identifier: GPL-3.0-or-later

"""Enables units of an image, which others may change meanwhile: systemctl works on a copy that is ours alone."""

from __future__ import annotations

import os
import secrets
import tempfile
import typing as t

from .._host.below import real_path
from .._host.manager import Manager
from .._host.systemd import QUERY_TIMEOUT, SystemdError
from .._model import MISSING, Change, File
from . import files
from .links import LINK_FOLDERS, MASK_TARGET
from .unit_folder import UnitFolder

# Below them stand the folders ``system`` and ``user`` (systemd.unit(5), "Unit File Load Path").
UNIT_FOLDERS = ("/etc/systemd/", "/run/systemd/", "/usr/local/lib/systemd/", "/usr/lib/systemd/", "/lib/systemd/")


def in_copy(unit_folder: UnitFolder, manager: Manager) -> t.Callable[..., str]:
    """Make the ``ask`` of an image: systemctl itself goes wherever a link in the image leads it."""

    def ask(*args: str, timeout: float = QUERY_TIMEOUT) -> str:
        with tempfile.TemporaryDirectory(prefix="unitcraft-root-") as place:
            copy = Manager(manager.scope, "", manager.runtime, place)
            _Copy(unit_folder, manager.root, copy.root).fill(os.path.basename(manager.folder))
            before = unit_folder.list_links()
            try:
                out = copy.ask(*args, timeout=timeout)
            except SystemdError as error:
                raise SystemdError(str(error).replace(copy.root, manager.root)) from None
            after = UnitFolder(copy).list_links()
        gone, new = before.items() - after.items(), after.items() - before.items()
        changes = [_change(manager, link, MISSING) for link in sorted(dict(gone).keys() - dict(new).keys())]
        changes += [_change(manager, link, File("link", target=target)) for link, target in sorted(new)]
        files.apply(changes, secrets.token_hex(4))
        return out

    return ask


def _change(manager: Manager, link: str, after: File) -> Change:
    return Change("", f"{manager.folder}/{link}", MISSING, after, "", "")


class _Copy:
    """The unit files of an image, in a folder of ours."""

    def __init__(self, unit_folder: UnitFolder, root: str, place: str) -> None:
        self.unit_folder = unit_folder
        self.root = root
        self.place = place
        self.seen: set[str] = set()

    def fill(self, kind: str) -> None:
        """Copy the unit folders.

        :param kind: ``system`` or ``user``.
        """
        for outer in UNIT_FOLDERS:
            self._folder(outer + kind)

    def _folder(self, path: str) -> None:
        real = real_path(path, self.root)
        if real in self.seen:  # /lib is /usr/lib on most
            return
        self.seen.add(real)
        for name, entry in self.unit_folder.entries(self.root + real).items():
            if entry.kind == "folder" and name.endswith((".d", *LINK_FOLDERS)):
                self._folder(f"{path}/{name}")
            elif entry.kind == "link":
                os.symlink(entry.target, self._make(f"{path}/{name}"))
                if entry.target != MASK_TARGET:
                    self._file(real_path(f"{path}/{name}", self.root))
            elif entry.kind == "file":
                self._file(f"{path}/{name}")

    def _file(self, path: str) -> None:
        file = self.unit_folder.read_through(self.root + path)
        if file.kind == "file" and not os.path.lexists(self.place + path):
            with open(self._make(path), "wb") as stream:
                stream.write(file.data)

    def _make(self, path: str) -> str:
        """The place of a path in the copy, with the folders above it."""
        os.makedirs(os.path.dirname(self.place + path), exist_ok=True)
        return self.place + path
