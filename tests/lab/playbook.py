# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-playbook`` beside the running Python, with the collection of this checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from tools.toolchain import CHECKOUT, tool_environment

PROGRAM = str(Path(sys.executable).with_name("ansible-playbook"))


def environment(**variables: str) -> dict[str, str]:
    """The environment of a run, with further variables. Ansible is compiled once, as where a user has installed it."""
    collections = str(CHECKOUT / ".ansible" / "collections")
    return {**tool_environment(Path(sys.prefix)), "ANSIBLE_COLLECTIONS_PATH": collections, **variables}


def play(
    groups: t.Mapping[str, t.Any], playbook: str | Path, *options: str, check: bool = True, **how: t.Any
) -> subprocess.CompletedProcess[str]:
    """Run a playbook, by its path or its name in a collection.

    :param groups: the inventory; ``containers.inventory`` makes one.
    :param how: further arguments of ``subprocess.run``.
    """
    with tempfile.TemporaryDirectory() as folder:
        inventory = Path(folder, "inventory.json")
        inventory.write_text(json.dumps(groups))
        command = [PROGRAM, "--inventory", str(inventory), str(playbook), *options]
        given = {"text": True, "cwd": CHECKOUT, "env": environment(), "stdin": subprocess.DEVNULL, **how}
        return subprocess.run(command, check=check, **given)
