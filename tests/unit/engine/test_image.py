# SPDX-License-Identifier: GPL-3.0-or-later

"""An image whose owner puts a link in the way, after everything was looked at: nothing outside of it is touched."""

from __future__ import annotations

import os

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.contents import Contents
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.host import Host
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.below import own_path
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.manager import Manager
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.reader import Reader
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.systemd import SystemdError
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import MISSING, Change, File

TEXT = b"[Service]\nExecStart=/bin/true\n"


@pytest.fixture
def image(tmp_path):
    """An image with one unit, and the folder that its owner would like us to work in."""
    (tmp_path / "image/etc/systemd/system/t-a.service.d").mkdir(parents=True)
    (tmp_path / "image/etc/systemd/system/t-a.service").write_bytes(TEXT)
    (tmp_path / "outside/system/t-a.service.d").mkdir(parents=True)
    (tmp_path / "outside/system/t-a.service").write_text("secret")
    return tmp_path / "image"


@pytest.fixture
def host(image):
    return Host(Manager(root=str(image)), Contents(""))


def swap(image):
    """What the owner does between two of our steps."""
    (image / "etc/systemd").rename(image / "etc/was")
    (image / "etc/systemd").symlink_to(image.parent / "outside")


def change(host, name, after):
    return Change("t-a.service", f"{host.folder}/{name}", MISSING, after, "write", "")


DEEDS = {
    "write": lambda host: host.change_files([change(host, "t-b.service", File("file", TEXT, "", 0o644))], "0"),
    "write a drop-in": lambda host: host.change_files(
        [change(host, "t-a.service.d/1.conf", File("file", TEXT, "", 0o644))], "0"
    ),
    "make a folder": lambda host: host.change_files(
        [change(host, "t-b.service.d/1.conf", File("file", TEXT, "", 0o644))], "0"
    ),
    "link": lambda host: host.change_files([change(host, "t-b.service", File("link", target="/dev/null"))], "0"),
    "remove": lambda host: host.change_files([change(host, "t-a.service", MISSING)], "0"),
    "read": lambda host: host.read_file(f"{host.folder}/t-a.service"),
    "list links": lambda host: host.list_links(),
    "list files": lambda host: host.unit_folder.list_unit_files(),
    "list drop-ins": lambda host: host.unit_folder.list_dropins("t-a.service"),
}


def outside(image):
    return sorted(str(path.relative_to(image.parent)) for path in (image.parent / "outside").rglob("*"))


@pytest.mark.parametrize("deed", DEEDS.values(), ids=[f"security-5 {name}" for name in DEEDS])
def test_a_link_in_the_way_is_refused(image, host, deed):
    before = outside(image)
    swap(image)
    with pytest.raises(OSError, match=r"it is a link to .*, and files are never reached through a link"):
        deed(host)
    assert outside(image) == before


@pytest.mark.parametrize("paths", [["t-b.service.d/1.conf"], ["t-a.service.d/1.conf"]], ids=["security-5 a", "b"])
def test_nothing_is_cleaned_behind_a_link(image, host, paths):
    swap(image)
    before = outside(image)
    host.clean_folders([f"{host.folder}/{path}" for path in [*paths, "t-a.service"]], "0")
    assert outside(image) == before


@pytest.mark.parametrize("deed", [DEEDS["write"], DEEDS["make a folder"]])
def test_without_a_link_it_is_done(image, host, deed):
    deed(host)
    assert len(host.unit_folder.list_unit_files()) == 2


def test_an_absolute_link_leads_within_the_image(image, host):
    """security-5: a trigger, and a fragment that is linked."""
    (image / "etc/conf").write_text("inside")
    (image / "etc/link").symlink_to("/etc/conf")
    (image.parent / "conf").write_text("outside")
    inside = host.unit_folder.checksum("/etc/conf")
    assert host.unit_folder.checksum("/etc/link") == inside
    assert host.unit_folder.read_through(f"{image}/etc/link").data == b"inside"


def test_users_of_an_image_are_read_within_it(image):
    """security-5: and lines that are no users are none."""
    (image / "etc/passwd").symlink_to("/etc/users")
    (image / "etc/users").write_bytes(b"web:x:1000:1000::/:/bin/sh\nodd\n+::::::\nhalf:x\n\xff:x:\xb2:\n")
    (image.parent / "users").write_text("web:x:0:0::/:/bin/sh\n")
    assert Reader(Manager(root=str(image))).accounts("passwd") == {"web": 1000}
    assert Reader(Manager(root=str(image))).accounts("group") == {}


def test_a_reader_opens_by_handles(image, monkeypatch):
    """security-5: the path is resolved, then the owner swaps a part of it."""
    reader = Reader(Manager(root=str(image)))
    monkeypatch.setattr(reader, "real", lambda path: path)
    swap(image)
    assert reader.read("/etc/systemd/system/t-a.service").data is None


def test_a_root_that_others_can_swap_is_refused(image, monkeypatch):
    """security-5: in a folder that anybody may write to, or a link of somebody else's."""
    (image.parent / "link").symlink_to(image)
    os.chmod(image.parent, 0o777)  # noqa: S103  the attack
    with pytest.raises(SystemdError, match=r"root: .*/link is a link that others can change"):
        Manager(root=str(image.parent / "link"))


def test_a_link_of_our_own_leads_to_the_root(image):
    (image.parent / "link").symlink_to("image")
    assert own_path(str(image.parent / "link/etc/..")) == str(image)


def test_the_running_host_is_no_root():
    """engine-low: it meant the live host."""
    with pytest.raises(SystemdError, match="root: / is the running host itself"):
        Manager(root="/")
