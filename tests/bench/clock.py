# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks and scripts and takes their times."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

from lab import containers
from lab.playbook import PROGRAM, environment

CHECKOUT = Path(__file__).resolve().parents[2]


class BenchError(Exception):
    """What was to be measured failed; the text holds its output."""


class Times(dict[str, list[float]]):
    """Seconds of every run, by what was measured."""

    def add(self, what: str, seconds: float) -> None:
        self.setdefault(what, []).append(seconds)

    def median(self, what: str) -> float:
        return statistics.median(self[what])


class Controller:
    """Runs playbooks as a user does: one ``ansible-playbook`` process, from start to end.

    :param folder: for playbooks, inventory and what they copy.
    :ivar memory: KiB that the biggest process of the last run had at most.
    """

    def __init__(self, folder: Path, hosts: dict[str, str]) -> None:
        self.folder = folder
        self.memory = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "inventory.json").write_text(json.dumps(containers.inventory(hosts)))

    def write(self, name: str, playbook: object) -> Path:
        path = self.folder / f"{name}.yml"
        path.write_text(json.dumps(playbook))  # JSON is YAML
        return path

    def run(self, playbook: Path, hosts: t.Sequence[str] = (), forks: int = 5) -> tuple[float, str]:
        """Seconds of the whole process, and its output.

        :raises BenchError: when it fails.
        """
        command = [PROGRAM, "--inventory", str(self.folder / "inventory.json"), f"--forks={forks}", str(playbook)]
        command += ["--limit", ",".join(hosts)] if hosts else []
        configured = environment(ANSIBLE_CONFIG=str(CHECKOUT / "playbooks" / "ansible.cfg"))
        with tempfile.TemporaryFile() as output:
            begun = time.perf_counter()
            process = subprocess.Popen(
                command, env=configured, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            _pid, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            text = output.read().decode(errors="replace")
        self.memory = usage.ru_maxrss
        if process.returncode != 0:
            raise BenchError(f"{playbook.name} failed:\n{text[-6000:]}")
        return seconds, text


def changed_tasks(output: str) -> int:
    """How many tasks changed something on the first host of the recap."""
    found = re.search(r"changed=(\d+)", output)
    return int(found.group(1)) if found else -1


def run_script(host: str, path: str) -> float:
    """Seconds that a script of ``workload.script`` took, by its own clock: without the way into the container."""
    done = containers.run(host, ["sh", path], check=False)
    if done.returncode != 0:
        raise BenchError(f"{path}: {done.stdout}{done.stderr}")
    return int(done.stdout.split()[-1]) / 1e9


def load() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())
