# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attack 9: files that others put in place of what is read, a FIFO above all, which nobody writes to."""

from __future__ import annotations

import os

import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import unit_folder
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.unit_folder import UnitFolder
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.manager import Manager
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.regular import read_regular
from ansible_collections.unitcraft.systemd.plugins.module_utils._host.systemd import SystemdError
from ansible_collections.unitcraft.systemd.plugins.module_utils._modules.unit_lint import lint


@pytest.fixture(params=["a FIFO", "a link to /dev/zero", "a link to a FIFO"])
def trap(request, tmp_path):
    """The path of something that is not a regular file, called as a unit."""
    path = tmp_path / "t-a.service"
    if request.param == "a link to /dev/zero":
        path.symlink_to("/dev/zero")
    elif request.param == "a link to a FIFO":
        os.mkfifo(tmp_path / "fifo")
        path.symlink_to("fifo")
    else:
        os.mkfifo(path)
    return str(path)


def test_trap_is_refused(trap):
    with pytest.raises(OSError, match="it is not a regular file"):
        read_regular(trap, 100)


def test_trap_as_a_trigger(trap):
    with pytest.raises(SystemdError, match=f"triggers: {trap} cannot be read: it is not a regular file"):
        UnitFolder(Manager()).checksum(trap)


def test_large_file_is_refused_with_the_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    with pytest.raises(OSError, match="it has 5 bytes, and at most 4 are read"):
        read_regular(str(tmp_path / "a"), 4)


def test_large_trigger_is_refused_with_the_limit(tmp_path):
    with open(tmp_path / "a", "wb") as stream:
        stream.truncate(unit_folder._MAX_TRIGGER + 1)
    with pytest.raises(SystemdError, match=f"at most {1 << 30} are read"):
        UnitFolder(Manager()).checksum(str(tmp_path / "a"))


def test_file_that_is_small_enough(tmp_path):
    (tmp_path / "a").write_bytes(b"1234")
    assert read_regular(str(tmp_path / "a"), 4) == b"1234"


def test_unit_lint_of_a_folder_with_a_fifo(tmp_path):
    os.mkfifo(tmp_path / "t-a.service")
    result = lint({"paths": [str(tmp_path)], "units": [], "systemd_version": 252, "verify": False, "ignore": []})
    messages = [finding["message"] for finding in result["findings"]]
    assert messages == [f"{tmp_path}/t-a.service cannot be read: it is not a regular file"]
