# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-playbook`` beside the running Python, with the collection of this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(Path(sys.executable).with_name("ansible-playbook"))


def environment(**variables: str) -> dict[str, str]:
    """The environment of a run, with further variables."""
    collections = str(ROOT / ".ansible" / "collections")
    return {**os.environ, "ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_NOCOLOR": "1", **variables}


def play(
    groups: t.Mapping[str, t.Any], playbook: str | Path, *options: str, **how: t.Any
) -> subprocess.CompletedProcess[str]:
    """Run a playbook, by its path or its name in a collection.

    :param groups: the inventory; ``containers.inventory`` makes one.
    :param how: arguments of ``subprocess.run``.
    """
    with tempfile.TemporaryDirectory() as folder:
        inventory = Path(folder, "inventory.json")
        inventory.write_text(json.dumps(groups))
        command = [PROGRAM, "--inventory", str(inventory), str(playbook), *options]
        given = {"text": True, "cwd": ROOT, "env": environment(), "stdin": subprocess.DEVNULL, "check": True, **how}
        return subprocess.run(command, **given)
