# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is mounted where a file, a folder or a version is to go: the plan names it, and nothing is touched."""

from __future__ import annotations

import pytest
from live.deploying import ASK, deploy, echo


@pytest.fixture
def installed(target):
    """Version 1, running."""
    result = deploy(target, [echo("1")])
    assert not result.get("failed"), result
    yield target
    target.sh("systemctl stop t-echo; rm -rf /etc/t-* /var/lib/t-*", check=False)


MOUNTED = {
    "the folder": ("mount -t tmpfs none /opt/t-a", {"path": "/opt/t-a", "state": "absent"}, "/opt/t-a"),
    "in the folder": (
        "mkdir '/opt/t-a/b c'; mount -t tmpfs none '/opt/t-a/b c'",
        {"path": "/opt/t-a", "state": "absent"},
        "/opt/t-a/b c",
    ),
    "of the same file system": (
        "mkdir /opt/t-a/b; mount --bind /opt /opt/t-a/b",
        {"path": "/opt/t-a", "state": "absent"},
        "/opt/t-a/b",
    ),
    "a file that changes": (
        "echo y > /opt/t-a/b; mount --bind /opt/t-a/b /opt/t-a/b",
        {"path": "/opt/t-a/b", "content": "x"},
        "/opt/t-a/b",
    ),
    "a file that goes": (
        "echo y > /opt/t-a/b; mount --bind /opt/t-a/b /opt/t-a/b",
        {"path": "/opt/t-a/b", "state": "absent"},
        "/opt/t-a/b",
    ),
}


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
@pytest.mark.parametrize("what", MOUNTED)
def test_a_mount_point_is_named_before_anything_changes(installed, what, check):
    mount, file, point = MOUNTED[what]
    installed.sh(f"mkdir -p /opt/t-a; echo z > /opt/t-a/z; {mount}")
    listed = "find /opt/t-* /etc/t-* /var/lib/t-* -printf '%p %i\\n' | sort"
    try:
        before = installed.sh(listed)
        failed = deploy(installed, [echo("2", files={"mounted": file})], check)
        assert installed.sh(listed) == before
    finally:
        installed.sh(f"umount '{point}'; rm -r /opt/t-a")
    assert (failed.get("failed"), failed["changed"], "rolled_back" in failed) == (True, False, False), failed
    words = f"{file['path']} cannot be removed or replaced, for {point} is a mount point; unmount it first"
    assert f"units[0].files[5]: {words}" in failed["msg"]
    assert installed.sh(ASK) == "1 configuration 1 secret1"


def test_a_mount_point_in_a_folder_that_stays(installed):
    installed.sh("mount -t tmpfs none /var/lib/t-echo")
    try:
        done = deploy(installed, [echo("2", files={"new": {"path": "/var/lib/t-echo/new", "content": "x"}})])
        assert not done.get("failed"), done["msg"]
        assert installed.sh("cat /var/lib/t-echo/new; stat -c %a /var/lib/t-echo") == "x750"
    finally:
        installed.sh("systemctl stop t-echo; umount /var/lib/t-echo")


def version(number, folder, **release):
    """A service with a version of a program."""
    (folder / "version").write_text(number)
    release = {"path": "/opt/t-rel", "src": str(folder), "version": number, **release}
    return {"name": "t-rel.service", "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}}, "release": release}


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_a_mount_point_in_an_old_version(target, tmp_path, check):
    for number in ("1", "2"):
        deploy(target, [version(number, tmp_path)])
    target.sh("mkdir /opt/t-rel/releases/1/data; mount --bind /srv /opt/t-rel/releases/1/data; touch /srv/t-kept")
    try:
        result = deploy(target, [version("3", tmp_path, keep=1)], check, keep_generations=0)
        left = target.sh("ls /srv/t-kept; ls /opt/t-rel/releases; readlink /opt/t-rel/current").split()
    finally:
        target.sh("umount /opt/t-rel/releases/1/data; rm /srv/t-kept")
    assert left == ["/srv/t-kept", "1", "2", "releases/2"]
    assert (result.get("failed"), "rolled_back" in result) == (True, False), result
    assert "/opt/t-rel/releases/1/data is a mount point; unmount it first" in result["msg"]
