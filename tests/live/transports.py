# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same target as in the other live tests, reached as users reach theirs: by Ansible, over ssh, with sudo."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import tempfile
import typing as t

from lab import playbook, ssh
from live.target import ROOT, Target

# What each transport sets in Ansible's environment.
TRANSPORTS: dict[str, dict[str, str]] = {
    "ssh": {"ANSIBLE_PIPELINING": "false"},
    "ssh-pipelining": {"ANSIBLE_PIPELINING": "true"},
    "mitogen": {"ANSIBLE_STRATEGY": "mitogen_linear"},
}
USER = "deploy"


class AnsibleTarget(Target):
    """A container in which modules are called by ``ansible-playbook`` as a user without rights, who has sudo."""

    def __init__(self, name: str, transport: str) -> None:
        super().__init__(name)
        self.folder = tempfile.TemporaryDirectory(prefix="unitcraft-transport-")
        self.environment = TRANSPORTS[transport]
        if transport == "mitogen":
            import ansible_mitogen

            plugins = pathlib.Path(ansible_mitogen.__file__).parent / "plugins" / "strategy"
            self.environment = {**self.environment, "ANSIBLE_STRATEGY_PLUGINS": str(plugins)}
        self._reachable_by_ssh()

    def _reachable_by_ssh(self) -> None:
        key = self._path("key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        ssh.let_in(self.name, USER, pathlib.Path(f"{key}.pub").read_text(encoding="utf-8"))
        variables = {
            "ansible_host": ssh.address(self.name),
            "ansible_user": USER,
            "ansible_become": True,
            "ansible_ssh_private_key_file": key,
            "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        inventory = {"all": {"hosts": {"target": variables}}}
        pathlib.Path(self._path("inventory.json")).write_text(json.dumps(inventory), encoding="utf-8")

    def _path(self, name: str) -> str:
        return os.path.join(self.folder.name, name)

    def module(self, module: str, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        return self.play([{f"unitcraft.systemd.{module}": arguments, "check_mode": check}])[0]

    def play(self, tasks: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
        """What each task of one play returned; the last one may have failed."""
        play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
        pathlib.Path(self._path("play.json")).write_text(json.dumps([play]), encoding="utf-8")
        results = pathlib.Path(self._path("results"))
        results.write_text("", encoding="utf-8")
        environment = playbook.environment(
            **self.environment,
            ANSIBLE_CALLBACK_PLUGINS=str(ROOT / "tests" / "live" / "callbacks"),
            ANSIBLE_CALLBACKS_ENABLED="results",
            RESULTS=str(results),
        )
        command = [playbook.PROGRAM, "--diff", "--inventory", self._path("inventory.json"), self._path("play.json")]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        found = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
        if not found or found[-1].get("unreachable"):
            raise AssertionError(f"the play did not run:\n{ended.stdout}{ended.stderr}")
        for result in found:
            warnings = result.get("warnings", [])
            result["warnings"] = [text if isinstance(text, str) else text["event"]["msg"] for text in warnings]
        return found
