#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the playbook of the installed collection in check mode on an empty systemd container. Runs in the sandbox.

ANSIBLE_COLLECTIONS_PATH names the folder of the installed tarball; the checkout must not be found.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from lab import containers

RELEASE = "257"
# Those of site.yml that need no variables.
GROUPS = ("rot13", "worker", "linked")


def main() -> int:
    name = containers.start(RELEASE, "installed")
    containers.keep_compiled(name)
    hosts = containers.inventory({name: RELEASE})
    with tempfile.TemporaryDirectory() as elsewhere:
        inventory = Path(elsewhere) / "inventory.json"
        inventory.write_text(json.dumps(dict.fromkeys(GROUPS, hosts["systemd_hosts"])))
        command = ["ansible-playbook", "--inventory", str(inventory), "--check", "unitcraft.systemd.site"]
        return subprocess.run(command, check=False, cwd=elsewhere, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
