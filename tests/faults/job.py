# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The set that is deployed while its host is harmed, and the loop in the container that harms it."""

from __future__ import annotations

import json
import os
import pathlib

from lab import containers
from live import target as engine_target

LOOP = pathlib.Path(__file__).with_name("loop.py")
UNITS = [
    "t-keep.service",
    "t-light.service",
    "t-exec.service",
    "t-after.service",
    "t-old.service",
    "t-new.service",
    "t-alias.service",
    "t-state.service",
    "t-drop.service",
    "t-w@1.service",
    "t-w@2.service",
    "t-job.service",
    "t-job.timer",
    "t-sock.socket",
    "t-sock.service",
    "redis-server.service",
    "t-reload.service",
]
WATCHED = ["/etc/systemd/system", "/run/systemd/system"]


def service(name, unit=None, install=True, **directives):
    text = {"Unit": unit or {}, "Service": {"ExecStart": "/bin/sleep 100000", **directives}}
    if install:
        text["Install"] = {"WantedBy": "multi-user.target"}
    return {"name": name, "sections": text, "state": "started", "enabled": True if install else None}


def version(new):
    """One of the two versions of the set, which differ in every way that a set can change."""
    seconds = "200000" if new else "100000"
    units = [
        service("t-keep"),
        service("t-light", {"Description": f"light {seconds}"}, RestartSec=3 if new else 2),
        service("t-exec", ExecStart=f"/bin/sleep {seconds}"),
        service("t-after", {"Requires": "t-exec.service", "After": "t-exec.service"}),
        service("t-new" if new else "t-old"),
        service("t-alias"),
        {**service("t-state"), "state": "stopped" if new else "started", "enabled": not new},
        service("t-drop"),
        {
            "name": "t-drop",
            "dropin": "10-old" if not new else "20-new",
            "sections": {"Service": {"Environment": {"A": seconds}}},
        },
        {**service("t-w@.service", ExecStart=f"/bin/sleep {seconds}%i"), "instances": ["1", "2"]},
        {"name": "t-job", "sections": {"Service": {"Type": "oneshot", "ExecStart": "/bin/touch /run/t-fired"}}},
        {
            "name": "t-job.timer",
            "sections": {"Timer": {"OnCalendar": "*-*-* 04:00" if new else "*-*-* 03:00"}},
            "state": "started",
        },
        {"name": "t-sock.socket", "sections": {"Socket": {"ListenStream": f"/run/t-{seconds}"}}, "state": "started"},
        service("t-sock", install=False),
        service("t-reload", install=False, ExecReload="/bin/true", StateDirectory="t-a t-b" if new else "t-a"),
        {"name": "redis-server", "masked": new},
    ]
    units[5]["sections"]["Install"] = {
        "WantedBy": "multi-user.target",
        "Alias": "t-b.service" if new else "t-a.service",
    }
    return {"units": units, "set_name": "faults", "prune": True, "fail_on": "never"}


def run_loop(target, fault, victim="module", command=(), **more):
    """Harm a run at every step; what the loop found, printed and without problems. See loop.py for the kinds of fault.

    STEP=5 takes every fifth step only; FIRST=100 begins there; SECONDS_EACH=300 goes no further after five minutes.
    """
    job = {
        "command": list(command) or target.command("units"),
        "arguments": {"old": version(False), "new": version(True)},
        "units": UNITS,
        "watched": WATCHED,
        "untouched": "t-keep.service",
        "first": int(os.environ.get("FIRST", "1")),
        "step": int(os.environ.get("STEP", "1")),
        "seconds": float(os.environ.get("SECONDS_EACH", "3600")),
        "victim": victim,
        "fault": fault,
        **more,
    }
    done = containers.run(target.name, ["python3", "-c", LOOP.read_text()], data=json.dumps(job), check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    outcome = json.loads(done.stdout)
    lost = len({problem.partition(":")[0] for problem in outcome["problems"]})
    print(
        f"\n{target.name}: {fault} {victim}: {outcome['faults']} faults at {max(outcome['calls'].values())} places,"
        f" up to {outcome['reached']}; {outcome['failed']} runs failed by themselves, {outcome['recovered']} were"
        f" undone by the next one; {outcome['faults'] - lost} consistent, {lost} lost",
        flush=True,
    )
    assert not outcome["problems"], "\n".join(outcome["problems"])
    assert outcome["faults"]
    return outcome


def short_library(target):
    """A copy of the collection in the container that waits seconds where ours waits minutes. Returns its command."""
    place = f"{engine_target.LIBRARY}-short"
    module_utils = f"{place}/ansible_collections/unitcraft/systemd/plugins/module_utils"
    target.sh(
        f"rm -rf {place}; cp -r {engine_target.LIBRARY} {place};"
        f" sed -i s,{engine_target.LIBRARY},{place}, {place}/run_*.py;"
        " sed -i -E 's/^(QUERY|RELOAD|VERIFY|LOCK|MANAGER)_TIMEOUT = [0-9.]+/\\1_TIMEOUT = 4.0/;"
        " s/^HANG_CHECK = .*/HANG_CHECK = 3.0/;"
        f" s/_LAST_WORD = .*/_LAST_WORD = 3.0/' {module_utils}/*/*.py"
    )
    assert (
        target.sh(f"cat {module_utils}/_host/systemd.py {module_utils}/_host/manager.py | grep -c '_TIMEOUT = 4.0'")
        == "3"
    )
    return ["python3", f"{place}/run_units.py"]
