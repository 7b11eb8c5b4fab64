# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps out of actual and desired state; the cases are in cases/engine/plan/.

A case names files and links below the unit folder, live properties by unit, the desired items, and the steps as
``action unit: reason``. Live units are loaded and active unless they say otherwise.
"""

from __future__ import annotations

import re

import case_files
import pytest
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.desired import (
    DesiredFile,
    DesiredUnit,
    PlanError,
    to_prune,
)
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.links import install_links
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.planner import make_plan
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.rolling import add_rolling
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.sources import read_settings
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.state import HostState
from ansible_collections.unitcraft.systemd.plugins.module_utils._engine.swap import plan_with_swaps
from ansible_collections.unitcraft.systemd.plugins.module_utils._model import File

FOLDER = "/etc/systemd/system"


def file_of(text):
    if isinstance(text, dict):
        return File(**text)
    return File("file", text.encode(), "", 0o644)


def state_of(case):
    live = {
        name: {"Id": name, "LoadState": "loaded", "ActiveState": "active", "SubState": "running", **(state or {})}
        for name, state in case.get("live", {}).items()
    }
    files = {
        path if path[0] == "/" else f"{FOLDER}/{path}": file_of(text) for path, text in case.get("files", {}).items()
    }
    state = HostState(
        FOLDER,
        files,
        case.get("links"),
        live,
        case.get("instances"),
        case.get("trigger_sums"),
        case.get("seen_sums"),
    )
    state.starts_pass_stops = case.get("release", 0) < 256
    state.set_name = case.get("set_name", "")
    state.deployed = case.get("deployed", {})
    state.places = places_of(case.get("places", {}))
    state.below = {folder: places_of(places) for folder, places in case.get("below", {}).items()}
    state.missing_folders = set(case.get("folders", ()))
    state.mounts = case.get("mounts", {})
    return state


def places_of(places):
    return {path: File(**file) for path, file in places.items()}


def desired_of(case):
    desired = []
    for position, item in enumerate(case["desired"]):
        item = dict(item)
        name, dropin = item.pop("name"), item.get("dropin", "")
        triggers = [tuple(trigger) for trigger in item.pop("triggers", [])]
        path = f"{FOLDER}/{name}.d/{dropin}.conf" if dropin else f"{FOLDER}/{name}"
        brought = [
            DesiredFile(place=f"units[{position}].files[{number}]", **file)
            for number, file in enumerate(item.pop("files", ()))
        ]
        desired.append(DesiredUnit(name, path, triggers=triggers, position=position, files=brought, **item))
    return desired


def reported(plan):
    return [" ".join(filter(None, (step.action, step.unit))) + f": {step.reason}" for step in plan.steps()]


KINDS = ("files", "run_state", "instances", "groups", "pulled", "brought_files")
STEPS = [case for name in KINDS for case in case_files.load(f"engine/plan/{name}")]
REFUSED = [*case_files.load("engine/plan/refused"), *case_files.load("engine/plan/brought_files_refused")]


def plan_of(case):
    return make_plan(state_of(case), desired_of(case), case.get("manager", True))


def named(cases, key):
    """``(case, one item of case[key])`` as pytest parameters."""
    return [
        pytest.param(case.values[0], item, id=f"{case.id}: {item}")
        for case in cases
        for item in case.values[0].get(key, ())
    ]


@pytest.mark.parametrize("case", STEPS)
def test_steps(case):
    assert reported(plan_of(case)) == case["steps"]


@pytest.mark.parametrize("case", STEPS)
def test_warnings(case):
    assert plan_of(case).warnings == case.get("warnings", [])


@pytest.mark.parametrize("case", STEPS)
def test_changed_unless_all_steps_are_none(case):
    assert plan_of(case).changed() == any(not step.startswith("none ") for step in case["steps"])


@pytest.mark.parametrize(("case", "path"), named(STEPS, "modes"))
def test_mode_of_a_file_that_is_written(case, path):
    assert {change.path: change.after.mode for change in plan_of(case).files}[path] == case["modes"][path]


@pytest.mark.parametrize(("case", "group"), named(STEPS, "calls"))
def test_who_is_in_which_call(case, group):
    assert list(getattr(plan_of(case), group)) == case["calls"][group]


@pytest.mark.parametrize(("case", "words"), named(REFUSED, "error"))
def test_refused(case, words):
    with pytest.raises(PlanError) as caught:
        plan_of(case)
    assert words in str(caught.value)


ROLLING = case_files.load("engine/plan/rolling")


def rolling_plan_of(case):
    plan = plan_of(case)
    add_rolling(plan, desired_of(case), {"max_parallel": 1, "min_healthy_time": 0, "units": [], **case["rolling"]})
    return plan


@pytest.mark.parametrize("case", [case for case in ROLLING if "groups" in case.values[0]])
def test_groups_that_restart_in_turn(case):
    assert rolling_plan_of(case).rolling == case["groups"]


@pytest.mark.parametrize("case", [case for case in ROLLING if "groups" in case.values[0]])
def test_the_steps_stand_in_the_order_of_the_restarts(case):
    assert list(rolling_plan_of(case).restart) == case["restart"]


@pytest.mark.parametrize("case", [case for case in ROLLING if "refused" in case.values[0]])
def test_what_cannot_restart_in_turn(case):
    with pytest.raises(PlanError, match=re.escape(case["refused"])):
        rolling_plan_of(case)


SWAPS = case_files.load("engine/plan/swap")


def plan_with_swaps_of(case):
    return plan_with_swaps(state_of(case), desired_of(case))


@pytest.mark.parametrize("case", [case for case in SWAPS if "steps" in case.values[0]])
def test_steps_of_a_swap(case):
    assert reported(plan_with_swaps_of(case)) == case["steps"]


@pytest.mark.parametrize("case", [case for case in SWAPS if "swaps" in case.values[0]])
def test_which_instance_takes_over(case):
    assert [[swap.new, swap.old, swap.command] for swap in plan_with_swaps_of(case).swaps] == case["swaps"]


@pytest.mark.parametrize("case", [case for case in SWAPS if "refused" in case.values[0]])
def test_what_cannot_be_swapped(case):
    with pytest.raises(PlanError, match=re.escape(case["refused"])):
        plan_with_swaps_of(case)


@pytest.mark.parametrize("case", case_files.load("engine/plan/links"))
def test_install_links(case):
    settings = read_settings(case["unit"], f"[Install]\n{case['install']}".encode())
    links = install_links(case["unit"], settings)
    assert (None if links is None else sorted(links)) == case["links"]


def test_prune_takes_only_its_own_set():
    files = {
        f"{FOLDER}/mine.service": file_of("# Managed by unitcraft.systemd\n# Set: web\n\n[Service]\n"),
        f"{FOLDER}/x.service.d/10-mine.conf": file_of("# Managed by unitcraft.systemd\n# Set: web\n"),
        f"{FOLDER}/other.service": file_of("# Managed by unitcraft.systemd\n# Set: webs\n"),
        f"{FOLDER}/none.service": file_of("# Managed by unitcraft.systemd\n"),
        f"{FOLDER}/foreign.service": file_of("# Set: web\n[Service]\n"),
    }
    pruned = to_prune(files, FOLDER, "web")
    assert [(item.name, item.dropin, item.state) for item in pruned] == [
        ("mine.service", "", "absent"),
        ("x.service", "10-mine", "absent"),
    ]
