# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps out of (now, wanted); the cases are in cases/plan/.

A case names files and links below the unit folder, live properties by unit, the wanted items, and the steps as
``action unit: reason``. Live units are loaded and active unless they say otherwise.
"""

from __future__ import annotations

import case_files
import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine import plan as _plan
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import File

FOLDER = "/etc/systemd/system"


def file_of(text):
    if isinstance(text, dict):
        return File(**text)
    return File("file", text.encode(), "", 0o644)


def now_of(case):
    live = {
        name: {"Id": name, "LoadState": "loaded", "ActiveState": "active", "SubState": "running", **(state or {})}
        for name, state in case.get("live", {}).items()
    }
    files = {
        path if path[0] == "/" else f"{FOLDER}/{path}": file_of(text) for path, text in case.get("files", {}).items()
    }
    return _plan.Now(
        FOLDER,
        files,
        case.get("links"),
        live,
        case.get("instances"),
        case.get("trigger_sums"),
        case.get("seen_sums"),
    )


def wanted_of(case):
    wanted = []
    for position, item in enumerate(case["wanted"]):
        item = dict(item)
        name, dropin = item.pop("name"), item.get("dropin", "")
        triggers = [tuple(trigger) for trigger in item.pop("triggers", [])]
        path = f"{FOLDER}/{name}.d/{dropin}.conf" if dropin else f"{FOLDER}/{name}"
        wanted.append(_plan.Want(name, path, triggers=triggers, position=position, **item))
    return wanted


def said(plan):
    return [" ".join(filter(None, (step.action, step.unit))) + f": {step.reason}" for step in plan.steps()]


@pytest.mark.parametrize(
    "case", [*case_files.load("plan/files"), *case_files.load("plan/run_state"), *case_files.load("plan/groups")]
)
def test_steps(case):
    plan = _plan.make_plan(now_of(case), wanted_of(case), case.get("manager", True))
    assert said(plan) == case["steps"]
    assert plan.warnings == case.get("warnings", [])
    assert plan.changed() == any(not step.startswith("none ") for step in case["steps"])
    for group, units in case.get("calls", {}).items():
        assert list(getattr(plan, group)) == units


@pytest.mark.parametrize("case", case_files.load("plan/refused"))
def test_refused(case):
    with pytest.raises(_plan.PlanError) as caught:
        _plan.make_plan(now_of(case), wanted_of(case))
    for words in case["error"]:
        assert words in str(caught.value)


@pytest.mark.parametrize("case", case_files.load("plan/links"))
def test_install_links(case):
    settings = _plan.read_settings(case["unit"], f"[Install]\n{case['install']}".encode())
    links = _plan.install_links(case["unit"], settings)
    assert (None if links is None else sorted(links)) == case["links"]


def test_prune_takes_only_its_own_set():
    files = {
        f"{FOLDER}/mine.service": file_of("# Managed by unitcraft.systemd\n# Set: web\n\n[Service]\n"),
        f"{FOLDER}/x.service.d/10-mine.conf": file_of("# Managed by unitcraft.systemd\n# Set: web\n"),
        f"{FOLDER}/other.service": file_of("# Managed by unitcraft.systemd\n# Set: webs\n"),
        f"{FOLDER}/none.service": file_of("# Managed by unitcraft.systemd\n"),
        f"{FOLDER}/foreign.service": file_of("# Set: web\n[Service]\n"),
    }
    pruned = _plan.to_prune(files, FOLDER, "web")
    assert [(want.name, want.dropin, want.state) for want in pruned] == [
        ("mine.service", "", "absent"),
        ("x.service", "10-mine", "absent"),
    ]
