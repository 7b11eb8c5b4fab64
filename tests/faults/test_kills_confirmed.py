# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A confirmed deployment of which a part is killed anywhere: the old or the new state, and no guard that is left."""

from __future__ import annotations

import json
import os
import pathlib

import pytest
from faults.job import WATCHED, service
from lab import containers

FOLDER = pathlib.Path(__file__).parent
PLACE = "/opt/t-loop"


def version(new):
    number = "200000" if new else "100000"
    units = [
        service("t-keep"),
        service("t-exec", ExecStart=f"/bin/sleep {number}"),
        service("t-new" if new else "t-old"),
    ]
    return {"units": units, "set_name": "faults", "prune": True, "fail_on": "never"}


@pytest.mark.parametrize("victim", ["module", "confirm", "guard"])
def test_killed(target, no_wrapper_left, victim):
    for name in ("loop.py", "confirmed.py"):
        target.write(f"{PLACE}/faults/{name}", (FOLDER / name).read_text(encoding="utf-8"))
    job = {
        "command": target.command("units"),
        "arguments": {"old": version(False), "new": version(True)},
        "units": ["t-keep.service", "t-exec.service", "t-old.service", "t-new.service"],
        "watched": WATCHED[:1],
        "victim": victim,
        "fault": "kill",
        "first": int(os.environ.get("FIRST", "1")),
        "step": int(os.environ.get("STEP", "1")),
        "seconds": float(os.environ.get("SECONDS_EACH", "3600")),
    }
    try:
        script = f"cd {PLACE} && exec python3 -m faults.confirmed"
        ended = containers.run(target.name, ["sh", "-c", script], data=json.dumps(job), check=False)
    finally:
        target.sh(f"rm -rf {PLACE} /run/systemd/system/unitcraft-confirm-.service.d /run/killed-guard", check=False)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    outcome = json.loads(ended.stdout)
    print(f"\n{ended.stderr}{target.name}: {victim} killed: {outcome}", flush=True)  # each attempt, then all
    assert outcome["problems"] == []
    assert outcome["killed"]
