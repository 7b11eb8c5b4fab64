# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks ``rollout`` and ``rollback`` as Ansible runs them, with hosts that are files: see ``fleet.py``."""

from __future__ import annotations

import json

import pytest
from controller import Controller

HOSTS = ["h1", "h2", "h3"]


@pytest.fixture
def controller(tmp_path):
    return Controller(tmp_path, HOSTS)


def test_a_sick_batch_and_a_host_that_goes_away_in_it(controller):
    controller.plant(h2="gone", h3="crash")
    done = controller.play("rollout")
    assert (done.returncode, controller.generations()) == (2, [1, 2, 1]), done.stdout
    assert controller.states() == ["reverted", "unknown", "reverted"]
    controller.plant()
    assert controller.play("rollout").returncode == 2
    assert (controller.generations(), controller.states()[1]) == ([1, 1, 1], "reverted")


def test_a_canary_that_cannot_be_reached_any_more(controller):
    controller.plant(h1="gone")
    done = controller.play("rollout")
    assert (done.returncode, controller.states()) == (2, ["unknown", "untouched", "untouched"]), done.stdout


def test_a_controller_that_dies(controller):
    controller.plant(h3="kill")
    assert controller.play("rollout").returncode == -9
    assert controller.states() == ["new", "changing", "changing"]
    controller.plant()
    done = controller.play("rollout")
    assert (done.returncode, controller.states()) == (0, ["new"] * 3), done.stdout
    done = controller.play("rollback")
    assert (done.returncode, controller.generations()) == (0, [1, 1, 1]), done.stdout


def test_facts_of_a_host_that_name_tasks(controller):
    (controller.folder / "evil.yml").write_text("- file: {path: harmed, state: touch}\n", encoding="utf-8")
    controller.plant(h1="facts")
    done = controller.play("rollout")
    assert (done.returncode, controller.generations()) == (2, [1, 1, 1]), done.stdout
    assert "rollout_after, rollout_check: facts with the names of variables" in done.stdout
    assert not (controller.folder / "harmed").exists()


def test_a_unit_that_has_failed_on_unchanged_hosts_too(controller):
    controller.plant(h1="everywhere", h3="everywhere")
    done = controller.play("rollout", "--limit", "h1,h3", rollout_auto_revert=False)
    # When there is none left to compare with, it counts.
    assert (done.returncode, controller.generations()) == (2, [2, 1, 2]), done.stdout


def test_check_mode_with_a_limit(controller):
    done = controller.play("rollout", "--check", "--limit", "h2,h3")
    assert (done.returncode, controller.generations()) == (0, [1, 1, 1]), done.stdout
    assert "hosts: 2 untouched" in done.stdout
    assert not (controller.folder / "journals").exists()


def test_audit_tells_of_deployments_and_rollouts(controller):
    controller.plant(h2="crash")
    assert controller.play("rollout").returncode == 2
    (controller.folder / "journals" / "other.json").write_text("[]", encoding="utf-8")
    done = controller.play("audit", audit_dest=str(controller.folder / "page.html"), audit_become=False)
    assert done.returncode == 0, done.stdout
    made = json.loads((controller.folder / "page.json").read_text(encoding="utf-8"))
    titles = {(group["name"], group["value"], group["title"]) for group in made["groups"]}
    assert titles == {("echo", 2, "reverted"), ("echo", 1, "current")}
    other, rollout = sorted(made["rollouts"], key=lambda told: told["id"])
    assert (other["id"], other["hosts"]) == ("other", [])
    assert [row["state"] for row in rollout["hosts"]] == ["reverted", "reverted", "reverted"]


def test_audit_of_a_folder_that_is_not_there(controller):
    done = controller.play("audit", rollout_folder="nowhere")
    assert done.returncode == 2
    assert f"rollout_folder: {controller.folder}/nowhere is not a folder" in done.stdout


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"rollout_hosts": "nobody"}, "rollout_hosts: nobody matches no host"),
        ({"rollout_canary": 4}, "rollout_canary: 4 hosts are more than there are (3)"),
        ({"rollout_before": "drain.yml"}, "drain.yml is not a file"),
    ],
)
def test_bad_input(controller, variables, words):
    done = controller.play("rollout", **variables)
    assert done.returncode == 2
    assert words in done.stdout + done.stderr
    assert controller.generations() == [1, 1, 1]
