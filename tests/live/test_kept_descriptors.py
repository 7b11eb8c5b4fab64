# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd keeps for a service over a restart, and what it hands to one that is reloaded."""

from __future__ import annotations

import json

import pytest
from live.target import said

# Gives systemd a socket to keep, unless it got it back; writes down each start and each reload.
PROGRAM = """\
import array, json, os, signal, socket, time
def tell(*words):
    with open("/run/t-keep", "a") as stream:
        stream.write(json.dumps(["@VERSION@", *words]) + "\\n")
def credentials():
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere")
    return {name: open(f"{folder}/{name}").read() for name in os.listdir(folder)} if os.path.isdir(folder) else {}
def reload(*_):
    notify.send(f"RELOADING=1\\nMONOTONIC_USEC={time.monotonic_ns() // 1000}".encode())
    tell("reload", credentials())
    notify.send(b"READY=1")
signal.signal(signal.SIGHUP, reload)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
if "LISTEN_FDS" not in os.environ:
    server = socket.create_server(("127.0.0.1", 0))
    notify.sendmsg([b"FDSTORE=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [server.fileno()]))])
tell("start", os.environ.get("LISTEN_FDS"))
notify.send(b"READY=1")
while True:
    signal.pause()
"""
SICK = {"timeout": 2, "probes": [{"command": ["false"]}]}


def apply(target, version, sick=False, **directives):
    target.write(f"/opt/t-keep/{version}", PROGRAM.replace("@VERSION@", version))
    service = {
        "Type": "notify",
        "ExecStart": f"/usr/bin/python3 /opt/t-keep/{version}",
        "FileDescriptorStoreMax": 4,
        **directives,
    }
    unit = {"name": "t-keep.service", "sections": {"Service": service}, "state": "started"}
    return target.units([{**unit, "health": SICK if sick else {"timeout": 60}}])


def begin(target, **directives):
    result = apply(target, "1", **directives)
    assert not result.get("failed"), result["msg"]


def told(target):
    """What the programs wrote down, in order: ``[version, start, file descriptors it got]``."""
    return [json.loads(line) for line in target.sh("cat /run/t-keep").splitlines()]


def test_a_restart_keeps_what_systemd_keeps(target):
    begin(target)
    result = apply(target, "2", KillMode="mixed")
    assert not result.get("failed"), result["msg"]
    assert told(target) == [["1", "start", None], ["2", "start", "1"]]


def test_the_way_back_keeps_it_too(target):
    begin(target)
    result = apply(target, "2", sick=True)
    assert result["rolled_back"], result
    assert told(target) == [["1", "start", None], ["2", "start", "1"], ["1", "start", "1"]]


def test_a_service_learns_to_be_reloaded_without_a_restart(target):
    if int(target.sh("systemctl --version").split()[1]) < 253:
        pytest.skip("Type=notify-reload is of release 253")
    begin(target)
    result = apply(target, "1", Type="notify-reload")
    assert said(result) == ["write t-keep.service", "daemon-reload", "none t-keep.service"]
    assert not target.unit("t-keep.service", state="reloaded").get("failed")
    assert told(target) == [["1", "start", None], ["1", "reload", {}]]


def test_a_reload_hands_over_new_credentials(target):
    if not target.sh("systemctl show --property=RefreshOnReload systemd-journald.service"):
        pytest.skip("this systemd does not know RefreshOnReload=")
    more = {"Type": "notify-reload", "RefreshOnReload": "credentials"}
    begin(target, SetCredential=["a:1", "b:1"], **more)
    result = apply(target, "1", SetCredential=["a:2", "c:3"], **more)
    assert said(result) == ["write t-keep.service", "daemon-reload", "reload t-keep.service"]
    assert told(target) == [["1", "start", None], ["1", "reload", {"a": "2", "c": "3"}]]
