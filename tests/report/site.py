#!/usr/bin/env python
# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploy the site playbook to a systemd container and write its audit page: site.py PAGE.html. Runs in the sandbox."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lab import containers

from report import fleet

RELEASES = ("262",)
PLAYBOOKS = fleet.ROOT / "playbooks"


def play(inventory: pathlib.Path, playbook: str, *options: str) -> None:
    variables = {
        **os.environ,
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(fleet.ROOT / ".ansible" / "collections"),
    }
    command = ["ansible-playbook", "--inventory", str(inventory), *options, playbook]
    subprocess.run(command, check=True, env=variables, stdin=subprocess.DEVNULL)


def main() -> int:
    page = pathlib.Path(sys.argv[1]).resolve()
    page.parent.mkdir(parents=True, exist_ok=True)
    hosts = containers.inventory({containers.start(release, f"report{release}"): release for release in RELEASES})
    for name in hosts["systemd_hosts"]["hosts"]:
        containers.keep_compiled(name)
    inventory = page.with_suffix(".inventory.json")
    # The groups of site.yml.
    inventory.write_text(json.dumps(dict.fromkeys(("rot13", "linked"), hosts["systemd_hosts"])))
    play(inventory, "unitcraft.systemd.site")
    play(inventory, "unitcraft.systemd.audit", "--extra-vars", json.dumps({"audit_dest": str(page)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
