# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks ``rollout`` and ``rollback`` as Ansible runs them, with hosts that are files: see ``fleet.py``."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
HOSTS = ["h1", "h2", "h3"]


class Controller:
    """A folder with a collection whose modules are replaced, a task file and journals."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        collection = folder / "ansible_collections" / "unitcraft" / "systemd"
        for name in ("modules", "module_utils", "plugin_utils", "doc_fragments", "filter"):
            self._link(collection, f"plugins/{name}")
        for name in ("playbooks", "meta", "galaxy.yml"):
            self._link(collection, name)
        (collection / "plugins" / "action").mkdir()
        for name in ("units", "unit_info", "rollback"):
            shutil.copy(pathlib.Path(__file__).with_name("fleet.py"), collection / "plugins" / "action" / f"{name}.py")
        (folder / "deploy.yml").write_text("- unitcraft.systemd.units: {units: []}\n", encoding="utf-8")
        (folder / "hosts").mkdir()
        self.plant()

    def _link(self, collection: pathlib.Path, name: str) -> None:
        (collection / name).parent.mkdir(parents=True, exist_ok=True)
        (collection / name).symlink_to(ROOT / name)

    def plant(self, **faults: str) -> None:
        for name in HOSTS:
            path = self.folder / "hosts" / f"{name}.json"
            host = json.loads(path.read_text("utf-8")) if path.exists() else {"current": 1, "kept": [1]}
            path.write_text(json.dumps({**host, "fault": faults.get(name, ""), "gone": False}), encoding="utf-8")

    def play(self, book: str, *more: str, **variables: object) -> subprocess.CompletedProcess[str]:
        given = {
            **{"rollout_id": "x", "rollout_folder": "journals", "rollout_hosts": "all", "rollout_tasks": "deploy.yml"},
            **{"rollout_set": "echo", "rollout_max_parallel": 2, "rollout_min_healthy_time": 0},
            **{"rollout_become": False, **variables},
        }
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder),
            "ANSIBLE_STRATEGY": "free",  # what a user may have set must not matter
            "ANSIBLE_ANY_ERRORS_FATAL": "true",
            "FLEET": str(self.folder / "hosts"),
            "PWD": str(self.folder),
        }
        program = [sys.executable, "-m", "ansible", "playbook", "-c", "local", "-i", ",".join(HOSTS)]
        command = [*program, f"unitcraft.systemd.{book}", "-e", json.dumps(given), *more]
        reader, writer = os.pipe()
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            pass_fds=[writer],
        )
        os.close(writer)
        with open(reader, "rb") as stream:  # the workers of a controller that is killed live on, and hold the other end
            stream.read()
        return done

    def generations(self) -> list[int]:
        """What each host is in."""
        paths = [self.folder / "hosts" / f"{name}.json" for name in HOSTS]
        return [json.loads(path.read_text(encoding="utf-8"))["current"] for path in paths]

    def states(self) -> list[str]:
        """What the journal says of each host."""
        journal = json.loads((self.folder / "journals" / "x.json").read_text(encoding="utf-8"))
        return [host["state"] for host in journal["hosts"].values()]


@pytest.fixture
def controller(tmp_path):
    return Controller(tmp_path)


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
