# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SELinux labels and other extended attributes of files, against the calls: no kernel of a test has SELinux."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import files
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.places import read_place
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import MISSING, Change, File

LABEL, OWN, BY_SYSTEM = "security.selinux", b"system_u:object_r:app_t:s0\0", b"system_u:object_r:etc_t:s0\0"


class Labels:
    """Attributes of every file by its inode; the system labels what is new."""

    def __init__(self) -> None:
        self.of: dict[int, dict[str, bytes]] = {}
        self.refused: set[str] = set()

    def _at(self, place):
        info = os.fstat(place) if isinstance(place, int) else os.stat(place)
        return self.of.setdefault(info.st_ino, {LABEL: BY_SYSTEM})

    def listxattr(self, place):
        return list(self._at(place))

    def getxattr(self, place, name):
        return self._at(place)[name]

    def setxattr(self, place, name, value):
        if name in self.refused:
            raise PermissionError
        self._at(place)[name] = value

    def removexattr(self, place, name):
        del self._at(place)[name]


@pytest.fixture
def labels(monkeypatch):
    found = Labels()
    for name in ("listxattr", "getxattr", "setxattr", "removexattr"):
        monkeypatch.setattr(os, name, getattr(found, name))
    return found


@pytest.fixture
def path(tmp_path, labels):
    """A file with a label of its own; it stays open, so that no other file gets its inode."""
    place = tmp_path / "conf"
    place.write_text("old")
    with open(place) as stream:
        labels.setxattr(stream.fileno(), LABEL, OWN)
        yield str(place)


def replace(path, **more):
    before = read_place(path)
    change = Change("a.service", path, before, before._replace(data=b"new", digest="", **more), "write", "", "files[0]")
    files.apply([change], "token")
    return change


def test_a_replaced_file_keeps_its_label(path, labels):
    replace(path)
    assert (Path(path).read_text(), labels.of[os.stat(path).st_ino]) == ("new", {LABEL: OWN})


def test_an_undo_gives_the_label_back(path, labels):
    change = replace(path)
    with open(path) as held:
        labels.setxattr(held.fileno(), LABEL, b"changed meanwhile\0")
        files.apply([change._replace(before=change.after, after=change.before._replace(data=b"old", digest=""))], "t")
        assert (Path(path).read_text(), labels.getxattr(path, LABEL)) == ("old", OWN)


def test_the_label_survives_the_snapshot(path):
    name, file = files.from_json(files.to_json(path, read_place(path)))
    assert (name, dict(file.attributes)) == (path, {LABEL: OWN})


def test_a_new_file_has_the_label_of_the_system(tmp_path, labels):
    path = str(tmp_path / "new")
    change = Change("a.service", path, MISSING, File("file", b"new", uid=os.getuid(), gid=os.getgid()), "write", "")
    files.apply([change], "token")
    assert labels.getxattr(path, LABEL) == BY_SYSTEM


def test_other_attributes_come_and_go_and_signatures_do_not(path, labels):
    labels.setxattr(path, "user.note", b"x")
    labels.setxattr(path, "security.ima", b"of the old content")
    labels.setxattr(path, "trusted.overlay.opaque", b"y")
    replace(path)
    assert labels.of[os.stat(path).st_ino] == {LABEL: OWN, "user.note": b"x"}


def test_a_label_that_may_not_be_set_is_no_failure(path, labels):
    labels.refused.add(LABEL)
    replace(path)
    assert (Path(path).read_text(), labels.getxattr(path, LABEL)) == ("new", BY_SYSTEM)


def test_a_folder_keeps_its_label(tmp_path, labels):
    folder = tmp_path / "folder"
    folder.mkdir()
    labels.setxattr(str(folder), LABEL, OWN)
    before = read_place(str(folder))
    files.apply([Change("a.service", str(folder), before, before._replace(mode=0o700), "write", "")], "token")
    assert (folder.stat().st_mode & 0o777, labels.getxattr(str(folder), LABEL)) == (0o700, OWN)
