# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller that runs the playbooks ``rollout`` and ``rollback`` over hosts that are files: see ``fleet.py``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Controller:
    """A folder with a collection whose modules are replaced, a task file and journals."""

    def __init__(self, folder: Path, hosts: t.Sequence[str]) -> None:
        self.folder = folder
        self.hosts = hosts
        collection = folder / "ansible_collections" / "unitcraft" / "systemd"
        for name in ("modules", "module_utils", "plugin_utils", "doc_fragments", "filter"):
            self._link(collection, f"plugins/{name}")
        for name in ("playbooks", "roles", "meta", "galaxy.yml"):
            self._link(collection, name)
        (collection / "plugins" / "action").mkdir()
        for name in ("units", "unit_info", "rollback"):
            shutil.copy(Path(__file__).with_name("fleet.py"), collection / "plugins" / "action" / f"{name}.py")
        (folder / "deploy.yml").write_text("- unitcraft.systemd.units: {units: []}\n", encoding="utf-8")
        (folder / "hosts").mkdir()
        self.plant()

    def _link(self, collection: Path, name: str) -> None:
        (collection / name).parent.mkdir(parents=True, exist_ok=True)
        (collection / name).symlink_to(ROOT / name)

    def plant(self, **faults: str) -> None:
        for name in self.hosts:
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
            "PWD": "/",  # as under ansible-runner, which sets the folder alone
        }
        program = [sys.executable, "-m", "ansible", "playbook", "-c", "local", "-i", ",".join(self.hosts)]
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
        paths = [self.folder / "hosts" / f"{name}.json" for name in self.hosts]
        return [json.loads(path.read_text(encoding="utf-8"))["current"] for path in paths]

    def states(self) -> list[str]:
        """What the journal says of each host."""
        journal = json.loads((self.folder / "journals" / "x.json").read_text(encoding="utf-8"))
        return [host["state"] for host in journal["hosts"].values()]
