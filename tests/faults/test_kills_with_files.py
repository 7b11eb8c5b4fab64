# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run with files that is killed anywhere, or fails: program, configuration and unit are of one version."""

from __future__ import annotations

import types

import pytest
from ansible_collections.unitcraft.systemd.plugins.plugin_utils._find import Finder
from faults.job import WATCHED, run_loop, service
from live.deploying import payload_of


def files(new):
    """The files of one version, which differ from those of the other one in every way that a file can change."""
    number = "2" if new else "1"
    program = f"#!/bin/sh\n# version {number}\nexec sleep {number}00000\n"
    return [
        {"path": "/opt/t-files/run", "content": program, "mode": "0755"},
        {"path": "/etc/t-files/conf", "content": f"version {number}\n", "mode": "0644" if new else "0640"},
        {"path": "/etc/t-files/secret", "secret": f"secret {number}", "owner": "daemon" if new else "root"},
        {"path": "/opt/t-files/current", "link": f"releases/{number}"},
        {"path": f"/opt/t-files/only{number}/deep/file", "content": "x" * 100000},
        {"path": f"/opt/t-files/only{'1' if new else '2'}", "state": "absent"},
        {"path": "/etc/t-files/same", "content": "the same in both"},
    ]


def version(target, new):
    unit = {**service("t-files", ExecStart="/opt/t-files/run", Environment=f"VERSION={new}"), "files": []}
    with Finder(types.SimpleNamespace(_loader=None), {}) as finder:
        entries = finder.entries("units[0].", files(new))
        payload = f"/opt/t-payload-{new}"
        ended = target.run(["sh", "-c", f"base64 -d > {payload}"], payload_of(finder.sources))
        assert ended.code == 0, ended.err
        sent = {"files": [entries, []], "secret_digests": finder.secret_digests, "payload": payload}
    units = [unit, service("t-keep")]
    return {"units": units, "set_name": "faults", "prune": True, "fail_on": "never", "_sent": sent}


@pytest.mark.parametrize("fault", ["kill", "ENOSPC", "EROFS"])
def test_module(target, no_wrapper_left, fault):
    try:
        found = run_loop(
            target,
            fault,
            arguments={"old": version(target, False), "new": version(target, True)},
            units=["t-files.service", "t-keep.service"],
            watched=[*WATCHED, "/opt/t-files", "/etc/t-files"],
        )
    finally:
        target.sh("systemctl stop t-files; rm -rf /etc/t-files", check=False)
    assert found["recovered" if fault == "kill" else "failed"]
