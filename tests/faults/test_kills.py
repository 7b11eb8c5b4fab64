# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed anywhere: every file is whole, and the next run ends in exactly the wanted state.

A set goes from an old to a new version and back; each run on the way is killed before its k-th system call that changes
a file, starts a process or sends a message, for k = 1, 2, 3 ..., by strace. Nothing in the module knows of it.
STEP=5 tries every fifth call only; FIRST=100 begins there; SECONDS_EACH=300 goes no further after five minutes.
"""

from __future__ import annotations

import json
import os
import pathlib

import pytest
from images import containers

LOOP = pathlib.Path(__file__).with_name("kill_loop.py")
UNITS = ["t-keep.service", "t-light.service", "t-exec.service", "t-after.service", "t-old.service", "t-new.service", "t-alias.service",
         "t-state.service", "t-drop.service", "t-w@1.service", "t-w@2.service", "t-job.service", "t-job.timer", "t-sock.socket",
         "t-sock.service", "redis-server.service", "t-reload.service"]
WATCHED = ["/etc/systemd/system", "/run/systemd/system"]


def service(name, unit=None, install=True, **directives):
    text = {"Unit": unit or {}, "Service": {"ExecStart": "/bin/sleep 1000", **directives}}
    if install:
        text["Install"] = {"WantedBy": "multi-user.target"}
    return {"name": name, "sections": text, "state": "started", "enabled": True if install else None}


def version(new):
    """One of the two versions of the set, which differ in every way that a set can change."""
    seconds = "2000" if new else "1000"
    units = [
        service("t-keep"),
        service("t-light", {"Description": f"light {seconds}"}, RestartSec=3 if new else 2),
        service("t-exec", ExecStart=f"/bin/sleep {seconds}"),
        service("t-after", {"Requires": "t-exec.service", "After": "t-exec.service"}),
        service("t-new" if new else "t-old"),
        service("t-alias"),
        {**service("t-state"), "state": "stopped" if new else "started", "enabled": not new},
        service("t-drop"),
        {"name": "t-drop", "dropin": "10-old" if not new else "20-new", "sections": {"Service": {"Environment": {"A": seconds}}}},
        {**service("t-w@.service", ExecStart=f"/bin/sleep {seconds}%i"), "instances": ["1", "2"]},
        {"name": "t-job", "sections": {"Service": {"Type": "oneshot", "ExecStart": "/bin/touch /run/t-fired"}}},
        {"name": "t-job.timer", "sections": {"Timer": {"OnCalendar": "*-*-* 04:00" if new else "*-*-* 03:00"}}, "state": "started"},
        {"name": "t-sock.socket", "sections": {"Socket": {"ListenStream": f"/run/t-{seconds}"}}, "state": "started"},
        service("t-sock", install=False),
        service("t-reload", install=False, ExecReload="/bin/true", StateDirectory="t-a t-b" if new else "t-a"),
        {"name": "redis-server", "masked": new},
    ]
    units[5]["sections"]["Install"] = {"WantedBy": "multi-user.target", "Alias": "t-b.service" if new else "t-a.service"}
    return {"units": units, "set_name": "faults", "prune": True, "fail_on": "never"}


def kill_everywhere(target, victim):
    job = {
        "command": target.command("units"),
        "arguments": {"old": version(False), "new": version(True)},
        "units": UNITS,
        "watched": WATCHED,
        "untouched": "t-keep.service",
        "first": int(os.environ.get("FIRST", "1")),
        "step": int(os.environ.get("STEP", "1")),
        "seconds": float(os.environ.get("SECONDS_EACH", "3600")),
        "victim": victim,
    }
    done = containers.run(target.name, ["python3", "-c", LOOP.read_text()], data=json.dumps(job), check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    outcome = json.loads(done.stdout)
    kills, undone, calls = outcome["kills"], outcome["recovered"], max(outcome["calls"].values())
    print(f"\n{target.name}: {victim} killed {kills} times, up to call {outcome['reached']} of {calls}; {undone} times the next run undid it")
    assert not outcome["problems"], "\n".join(outcome["problems"])
    assert kills
    return kills, undone


@pytest.fixture
def no_loop_left(target):
    yield
    target.sh("systemctl unmask redis-server; rm -rf /run/killed-systemctl", check=False)


def test_module(target, no_loop_left):
    kills, recovered = kill_everywhere(target, "module")
    assert recovered > kills / 10


@pytest.mark.parametrize("verb", ["show", "stop", "enable", "reenable", "disable", "daemon-reload", "restart", "start", "reload"])
def test_systemctl(target, no_loop_left, verb):
    kill_everywhere(target, verb)
