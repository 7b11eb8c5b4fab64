#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts on real systemd that meet a sick host, a host that goes away, and a controller that dies.

A host of the fleet is the user manager of one user; a container has several. It is planted at each host in turn that
the new version does not come up there, that it dies a moment later, that the host goes away after it, or that the
controller is killed in the middle. Afterwards every host says itself what it runs, and the journal has to say the same.

Run inside the sandbox:  tests/lab/sandbox.py run -- tests/faults/rollouts.py [--containers 2] [--users 4] [--at 3 4]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from lab import containers, playbook

FAULTS = ("deploy", "later", "gone", "kill")
RELEASES = ("252", "257", "262", "247")
DEPLOY = """
- unitcraft.systemd.units:
    scope: user
    user: "{{ rollout_user }}"
    set_name: echo
    units:
      - name: t-echo
        sections:
          Service:
            Type: exec
            Environment: {VERSION: "{{ version }}"}
            ExecStart: [["/bin/sh", "-c", "{{ programs[fault if inventory_hostname == at else 'none'] }}"]]
        state: started
        health: {timeout: 60, stable: 1}
- when: inventory_hostname == at and fault == "kill" and dying is not exists
  delegate_to: localhost
  vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  ansible.builtin.shell: 'touch {{ dying }}; kill -9 "$(cat {{ controller }})"; sleep 1000'
"""
# Runs after the deployment of each host: from then on one of them cannot be reached until the next run.
AFTER = """
- when: inventory_hostname == at and fault == "gone"
  ansible.builtin.set_fact: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}
"""
GOOD = "exec sleep 1000000"
PROGRAMS = {"none": GOOD, "gone": GOOD, "kill": GOOD, "deploy": "exit 3", "later": "sleep 3; exit 3"}


class Fleet:
    """Containers with users, and a folder for the controller."""

    def __init__(self, count: int, users: int, folder: Path) -> None:
        self.folder = folder
        self.places = {f"c{c}u{u}": (f"c{c}", f"u{u}") for c in range(count) for u in range(users)}
        for number in range(count):
            containers.start(RELEASES[number % len(RELEASES)], f"c{number}")
        for container, user in self.places.values():
            containers.run(container, ["useradd", "--create-home", user])
            containers.run(container, ["loginctl", "enable-linger", user])
        variables = {"ansible_connection": "containers.podman.podman", "ansible_python_interpreter": "/usr/bin/python3"}
        hosts = {
            name: {**variables, "ansible_host": containers.full_name(container), "rollout_user": user}
            for name, (container, user) in self.places.items()
        }
        self.write("inventory.json", json.dumps({"fleet": {"hosts": hosts}}))
        self.write("deploy.yml", DEPLOY)
        self.write("after.yml", AFTER)
        self.version = 1
        include = {"ansible.builtin.include_tasks": "deploy.yml"}
        self.write("first.yml", json.dumps([{"hosts": "fleet", "gather_facts": False, "tasks": [include]}]))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def play(
        self, book: str, at: str = "", fault: str = "none", **variables: t.Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook; the controller's process id stands in a file that a task may read."""
        folder = self.folder
        given = {
            **{"version": self.version, "at": at, "fault": fault, "programs": PROGRAMS},
            **{"controller": f"{folder}/pid", "dying": f"{folder}/dying", "rollout_folder": str(folder)},
            **{
                "rollout_hosts": "fleet",
                "rollout_tasks": f"{folder}/deploy.yml",
                "rollout_after": f"{folder}/after.yml",
            },
            **{"rollout_set": "echo", "rollout_scope": "user", "rollout_max_parallel": "33%"},
            **{"rollout_min_healthy_time": 5, **variables},
        }
        environment = playbook.environment(ANSIBLE_PIPELINING="1", ANSIBLE_FORKS="8")
        command = [playbook.PROGRAM, "-i", str(self.folder / "inventory.json"), book, "-e", json.dumps(given)]
        with (self.folder / "log").open("w+", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )
            self.write("pid", str(process.pid))
            process.wait()
            log.seek(0)
            return subprocess.CompletedProcess(command, process.returncode, log.read(), "")

    def versions(self) -> dict[str, str]:
        """What every host runs, by its own word."""
        script = "XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user show -P Environment -P ActiveState t-echo | xargs"
        return {
            name: containers.run(container, ["su", user, "-s", "/bin/sh", "-c", script]).stdout.strip()
            for name, (container, user) in self.places.items()
        }

    def journal(self, name: str) -> dict[str, t.Any]:
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))


class Violation(Exception):
    """A host is not what it has to be, or the journal does not tell it."""


def check(
    fleet: Fleet, done: subprocess.CompletedProcess[str], ident: str, version: dict[str, int], wanted: dict[str, str]
) -> None:
    """Hold what the hosts run, and what the journal says, against what both have to be."""
    found = fleet.versions()
    told = {name: host["state"] for name, host in fleet.journal(ident)["hosts"].items()}
    running = {name: f"active VERSION={number}" for name, number in version.items()}
    found = {name: " ".join(sorted(text.split(), key=lambda word: "=" in word)) for name, text in found.items()}
    if found != running or told != wanted:
        raise Violation(
            f"{ident}: hosts {found}\nwanted {running}\njournal {told}\nwanted {wanted}\n{done.stdout[-8000:]}"
        )


def one(fleet: Fleet, fault: str, number: int) -> None:
    """One fault at one host."""
    names, old = list(fleet.places), fleet.version
    at, ident = names[number], f"{fault}-{number}"
    fleet.version += 1
    size = len(names) * 33 // 100
    begun = 1 + -(-number // size) * size if number else 1
    untouched = dict.fromkeys(names[begun:], "untouched")
    back = {**dict.fromkeys(names[:begun], "reverted"), **untouched}
    before = dict.fromkeys(names, old)
    done = fleet.play("unitcraft.systemd.rollout", at, fault, rollout_id=ident)
    if fault == "kill":
        done = fleet.play("unitcraft.systemd.rollout", at, fault, rollout_id=ident)
        check(fleet, done, ident, dict.fromkeys(names, fleet.version), dict.fromkeys(names, "new"))
        done = fleet.play("unitcraft.systemd.rollback", at, fault, rollout_id=ident)
        back = dict.fromkeys(names, "reverted")
        (fleet.folder / "dying").unlink()
    elif fault == "gone":
        check(fleet, done, ident, {**before, at: fleet.version}, {**back, at: "unknown"})
        done = fleet.play("unitcraft.systemd.rollout", rollout_id=ident)  # it can be reached again
    check(fleet, done, ident, before, back)
    fleet.version = old


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--containers", type=int, default=2)
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--faults", nargs="*", default=FAULTS, choices=FAULTS)
    parser.add_argument("--at", nargs="*", type=int, help="numbers of hosts; default every one")
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="unitcraft-rollouts-") as folder:
        fleet = Fleet(options.containers, options.users, Path(folder))
        first = fleet.play(str(fleet.folder / "first.yml"))
        if first.returncode:
            sys.exit(first.stdout)
        for number in options.at or range(len(fleet.places)):
            for fault in options.faults:
                begun = time.monotonic()
                try:
                    one(fleet, fault, number)
                    verdict = "right"
                except Violation as error:
                    bad += 1
                    verdict = f"WRONG\n{error}"
                print(f"{fault} at host {number}: {time.monotonic() - begun:.0f} s, {verdict}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
