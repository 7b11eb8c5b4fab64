# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls that fail instead of being killed: no room, read-only, systemctl that fails or hangs. The old state runs on."""

from __future__ import annotations

import json

import pytest
from faults.job import run_loop, short_library, version
from lab import containers
from live.target import said


@pytest.mark.parametrize("error", ["ENOSPC", "EROFS"])
def test_every_call_that_changes_a_file_fails_once(target, no_wrapper_left, error):
    """What failed by itself is back by itself; what could do without the call has succeeded."""
    found = run_loop(target, error)
    assert found["failed"] > found["faults"] / 4


def test_every_program_fails_once(target, no_wrapper_left):
    found = run_loop(target, "fails", step=1)
    assert found["failed"] > found["faults"] / 4


def test_every_program_hangs_once(target, no_wrapper_left):
    """With time limits of seconds in place of minutes, in a copy of the collection."""
    found = run_loop(target, "hangs", command=short_library(target), step=1)
    assert found["failed"] > found["faults"] / 4


MOUNTS = {
    # A folder of its own with what was in it, so that it can be full while the rest of the disk is not.
    "full": "mkdir -p /run/t-copy && cp -a {0}/. /run/t-copy/ &&"
    " mount -t tmpfs -o size=256k,mode=$(stat -c %a {0}) t {0} &&"
    " cp -a /run/t-copy/. {0}/ && (head -c 250000 /dev/zero > {0}/.full; cat /dev/zero >> {0}/.full; true)",
    "read-only": "mount --bind {0} {0} && mount -o remount,ro,bind {0}",
}


@pytest.mark.parametrize("folder", ["/etc/systemd/system", "/var/lib/unitcraft"])
@pytest.mark.parametrize("harm", MOUNTS)
def test_whole_folder(target, folder, harm, no_wrapper_left):
    assert not target.units(**version(False)).get("failed")
    files, pid = target.sh("cd /etc/systemd/system; cat t-*.service t-*/*"), target.show("t-exec", "MainPID")
    target.sh(MOUNTS[harm].format(folder))
    try:
        result = target.units(**version(True))
        assert result["failed"], result["msg"]
        assert folder in result["msg"], result["msg"]
        assert (
            "No space left" in result["msg"]
            if harm == "full"
            else "ead-only" in result["msg"] or "cannot be written" in result["msg"]
        )
        assert "Traceback" not in result["msg"] + json.dumps(result["warnings"])
        assert target.sh("cd /etc/systemd/system; cat t-*.service t-*/*") == files
        assert target.sh(f"find {folder} -name '*unitcraft-*' -o -name '*.new'") == ""
        assert target.show("t-exec", "ActiveState") == "active"
        assert "1000" in target.show("t-exec", "ExecStart")
        unchanged = target.units(**version(False))
        assert not unchanged.get("failed"), unchanged
        assert said(unchanged) == [], unchanged
    finally:
        target.sh(f"umount {folder}; rm -rf /run/t-copy; systemctl daemon-reload")
    if harm == "read-only":
        assert target.show("t-exec", "MainPID") == pid
    result = target.units(**version(True))
    assert not result.get("failed"), result["msg"]


@pytest.fixture
def no_message_bus(target):
    target.sh("systemctl stop dbus.socket dbus.service")
    yield
    target.sh("systemctl start dbus.socket dbus.service")


def test_no_message_bus(target, no_wrapper_left, no_message_bus):
    """Root talks to PID 1 without the bus."""
    results = [target.units(**version(new)) for new in (False, True, False)]
    assert [result.get("msg") for result in results if result.get("failed")] == []
    assert [result["changed"] for result in results] == [True, True, True]


def test_no_manager(target, no_wrapper_left):
    """A container or image whose PID 1 is not systemd: a clean word, and nothing is written."""
    target.sh("mkdir -p /run/t-nothing && mount --bind /run/t-nothing /run/systemd")
    try:
        result = target.units(**version(False))
        assert result["failed"]
        assert "systemctl" in result["msg"]
        assert "systemd" in result["msg"]
        assert target.sh("find /etc/systemd -name 't-*'; ls /var/lib/unitcraft | grep -v lock", check=False) == ""
    finally:
        target.sh("umount /run/systemd")


def start_in_background(target, wanted, name, command=()):
    """Start the module in the container and go on; its result is in /run/t-NAME."""
    target.write(f"/run/t-{name}-args", json.dumps(wanted))
    command = " ".join(command or target.command("units"))
    target.sh(f"nohup {command} < /run/t-{name}-args > /run/t-{name} 2>&1 & echo $! > /run/t-{name}-pid")


def result_of(target, name):
    target.sh(f"while kill -0 $(cat /run/t-{name}-pid) 2>/dev/null; do sleep 0.1; done")
    return json.loads(target.sh(f"cat /run/t-{name}"))


def service(name, waits_for=""):
    """A service that is started, when there is a file to wait for only once that is there."""
    text = {"Service": {"ExecStart": "/bin/sleep 1000"}}
    if waits_for:
        text["Service"]["TimeoutStartSec"] = "infinity"
        text["Service"]["ExecStartPre"] = f"/bin/sh -c 'until test -e {waits_for}; do sleep 0.1; done'"
    return {"units": [{"name": name, "sections": text, "state": "started"}]}


def holds_lock(target, name):
    """Wait until a run in the background has opened the lock: it holds it, or waits for it."""
    target.wait_for(f"ls -l /proc/$(cat /run/t-{name}-pid)/fd | grep -q unitcraft/lock")


def test_two_runs_at_once(target, no_wrapper_left):
    """The second waits for the first; both end as if they had come one after the other."""
    start_in_background(target, service("t-first", "/run/t-go"), "one")
    target.wait_for("systemctl is-active t-first | grep -q activating")
    start_in_background(target, service("t-second"), "two")
    holds_lock(target, "two")
    target.sh("touch /run/t-go")
    assert not result_of(target, "one").get("failed")
    assert not result_of(target, "two").get("failed")
    first, second = (int(target.show(name, "ActiveEnterTimestampMonotonic")) for name in ("t-first", "t-second"))
    assert first < second


def test_the_second_run_names_the_first(target, no_wrapper_left):
    """Waiting has an end, here after four seconds; the message says who is in the way."""
    start_in_background(target, service("t-first", "/run/t-go"), "one")
    target.wait_for("systemctl is-active t-first | grep -q activating")
    data = json.dumps(service("t-second"))
    second = json.loads(target.sh(f"printf %s '{data}' | {' '.join(short_library(target))}", check=False))
    holder = target.sh("cat /run/t-one-pid")
    target.sh("touch /run/t-go")
    assert f"pid {holder}," in second["msg"]
    assert "rolled_back" not in second
    assert target.sh("find /etc/systemd -name 't-second*'") == ""
    assert not result_of(target, "one").get("failed")


@pytest.mark.parametrize("verb", ["stop", "enable", "daemon-reload", "restart", "start"])
def test_power_loss(target, no_wrapper_left, verb):
    """The host goes down without a word while systemctl VERB runs, and comes up again."""
    assert not target.units(**version(False)).get("failed")
    old = target.sh("cd /etc/systemd/system; cat t-*.service t-*.timer t-*/*; ls t-* */t-*")
    target.write(
        "/opt/t-bin/systemctl",
        f"#!/bin/sh\ncase \" $* \" in *' {verb} '*) touch /run/t-reached; exec sleep 1000;; esac\n"
        'exec /usr/bin/systemctl "$@"\n',
        "0755",
    )
    start_in_background(target, version(True), "one", ["env", "PATH=/opt/t-bin:$PATH", *target.command("units")])
    target.wait_for("test -e /run/t-reached")
    containers.podman("kill", "--signal=KILL", containers.full_name(target.name))
    containers.podman("start", containers.full_name(target.name))
    containers.wait_until_running(target.name)
    broken = target.sh(
        "for path in /etc/systemd/system/t-*.*; do"
        " test -d $path || systemd-analyze verify --man=no $path 2>&1 | grep -i 'missing\\|no such'; done",
        check=False,
    )
    assert broken == ""
    other = target.unit("t-other", sections={"Service": {"ExecStart": "/bin/sleep 1000"}})
    assert "was interrupted" in other.get("recovered", ""), other
    target.sh("rm /etc/systemd/system/t-other.service")
    assert target.sh("cd /etc/systemd/system; cat t-*.service t-*.timer t-*/*; ls t-* */t-*") == old
    result = target.units(**version(True))
    assert not result.get("failed"), result
    assert "recovered" not in result, result
    again = target.units(**version(True))
    assert not again["changed"]
